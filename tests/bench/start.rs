//! From before the fork to `READY=1`, on an empty and on an existing state, beside the prototype's start; and to the
//! moment when an engine is asked what it has, which a node that is ready has not waited for.

use std::{
    fs::remove_dir_all,
    io,
    path::Path,
    process::{Child, Command, Stdio},
    time::Instant,
};

use motey_tests::{NodeUnderTest, SOON, free_port, motey, wait_for};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    prototype_run::{Notify, Prototype, end},
    sample::{Sample, compare, print as line},
    subject::{blueprint, deploy, node, now_us},
};

const ROUNDS: usize = 30;

/// So many services and instances are in the existing state.
const SERVICES: usize = 100;

pub fn print() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let notify = Notify::new(place.path());
    let fresh = node(&["process", "mock", "host-facts"]).prepare();
    let existing = with_services();
    let port = free_port();

    let (mut none, mut bare) = (Sample::default(), Sample::default());
    let (mut empty, mut full) = (Starts::default(), Starts::default());
    for _ in 0..ROUNDS {
        none.push(milliseconds(&mut version(), |child| child.wait().map(drop).expect("it ends")).1);
        remove(&place.path().join("state"));
        std::fs::create_dir(place.path().join("state")).expect("a directory");
        let mut command = Prototype::command(&place.path().join("state"), port, &notify);
        bare.push(start(&mut command, &notify));
        remove(&fresh.state_dir());
        remove(&fresh.run_dir());
        empty.push(&fresh, &notify);
        full.push(&existing, &notify);
    }
    line("`motey --version`, to its end", "ms", &none);
    line("prototype, empty database: exec to ready", "ms", &bare);
    line("motey, empty state: exec to ready", "ms", &empty.ready);
    line("motey, empty state: exec to engine listed", "ms", &empty.listed);
    line(&format!("motey, {SERVICES} services: exec to ready"), "ms", &full.ready);
    line(&format!("motey, {SERVICES} services: exec to engine listed"), "ms", &full.listed);
    compare("empty state, ready / prototype", &empty.ready, &bare);
}

/// Starts of one node, in milliseconds.
#[derive(Default)]
pub struct Starts {
    pub ready: Sample,
    pub listed: Sample,
}

impl Starts {
    pub fn push(&mut self, node: &NodeUnderTest, notify: &Notify) {
        let began = now_us();
        let (mut child, ready) = milliseconds(&mut run(node, notify), |_| notify.wait_ready());
        let listed = wait_for(SOON, || {
            let lists = node.mock().calls_of("list");
            let last = lists.last().map(|call| call.called_us).filter(|called| *called > began);
            last.ok_or_else(|| "the engine is asked what it has".to_owned())
        });
        self.ready.push(ready);
        self.listed.push((listed - began) as f64 / 1_000.0);
        stop(&mut child).expect("a child can be ended");
    }
}

/// A node's directories with services in them, and no host.
fn with_services() -> NodeUnderTest {
    let mut node = node(&["process", "mock", "host-facts"]).start();
    node.wait_engine("mock");
    let mut connection = node.tcp().keep_alive().expect("a connection");
    for number in 0..SERVICES {
        deploy(&mut connection, &blueprint(number));
    }
    drop(connection);
    node.stop();
    node
}

fn run(node: &NodeUnderTest, notify: &Notify) -> Command {
    let mut command = Command::new(motey());
    command.arg("run").arg("--config").arg(node.config_file());
    command.env_clear().env("NOTIFY_SOCKET", notify.path()).env("MOTEY_LOGGER__LEVEL", "info");
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn version() -> Command {
    let mut command = Command::new(motey());
    command.arg("--version").env_clear().stdout(Stdio::null());
    command
}

/// Milliseconds until it is ready; it is ended then.
fn start(command: &mut Command, notify: &Notify) -> f64 {
    let (mut child, took) = milliseconds(command, |_| notify.wait_ready());
    stop(&mut child).expect("a child can be ended");
    took
}

fn milliseconds(command: &mut Command, until: impl FnOnce(&mut Child)) -> (Child, f64) {
    let began = Instant::now();
    let mut child = command.spawn().expect("it starts");
    until(&mut child);
    (child, began.elapsed().as_secs_f64() * 1_000.0)
}

/// In good order where it knows how, as a service manager does.
fn stop(child: &mut Child) -> io::Result<()> {
    let pid = Pid::from_raw(child.id().cast_signed()).expect("a child has a number");
    kill_process(pid, Signal::TERM)?;
    child.wait()?;
    let _ended_already = end(child);
    Ok(())
}

fn remove(directory: &Path) {
    match remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => panic!("{}: {error}", directory.display()),
        _ => {}
    }
}
