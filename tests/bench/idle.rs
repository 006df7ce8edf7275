//! What an idle node does: nothing. Every system call of the host and of the shims is written down for a while.

use std::{thread::sleep, time::Duration};

use motey_tests::NodeUnderTest;

use crate::{
    memory::deploy_processes,
    proc::{threads, wait_at_rest},
    prototype_run::Prototype,
    strace::Strace,
    subject::node,
};

const PLUGINS: [&str; 3] = ["process", "mock", "host-facts"];

/// Longer than any deadline or thread that a finished call leaves behind.
const CALM: Duration = Duration::from_secs(36);

/// To be attached to ends a wait; the process begins it anew.
const ATTACHING: Duration = Duration::from_secs(1);

const WATCHED: Duration = Duration::from_secs(60);

struct Watched {
    what: String,
    threads: usize,
    strace: Strace,
    before: usize,
}

pub fn print() {
    let prototype = Prototype::start();
    let empty = started();
    let busy = started();
    let shims = deploy_processes(&busy);
    wait_at_rest(empty.pid(), CALM);
    wait_at_rest(busy.pid(), CALM);

    let mut all = vec![
        watch("prototype".into(), prototype.pid()),
        watch("motey, nothing deployed".into(), empty.pid()),
        watch(format!("motey, {} process instances", shims.len()), busy.pid()),
    ];
    all.extend(shims.iter().map(|shim| watch("a shim".into(), shim.pid.cast_unsigned())));
    sleep(ATTACHING);
    for watched in &mut all {
        watched.before = watched.strace.lines().len();
    }
    sleep(WATCHED);
    let calls: Vec<Vec<String>> =
        all.iter().map(|watched| watched.strace.lines().split_off(watched.before)).collect();
    for (watched, calls) in all.iter().zip(&calls) {
        println!(
            "{:46} {} system calls in {} s; {} threads wait in {}",
            watched.what,
            calls.len(),
            WATCHED.as_secs(),
            watched.threads,
            waits(&watched.strace)
        );
    }
    assert!(calls.iter().all(Vec::is_empty), "an idle node does nothing: {calls:#?}");
}

fn started() -> NodeUnderTest {
    let node = node(&PLUGINS).start();
    node.wait_engine("process");
    node.wait_engine("mock");
    node
}

fn watch(what: String, pid: u32) -> Watched {
    Watched { what, threads: threads(pid).len(), strace: Strace::attach(pid, "all"), before: 0 }
}

/// The names of the calls that every thread sits in, as strace saw them begin.
fn waits(strace: &Strace) -> String {
    let lines = strace.lines();
    let name = |line: &String| Some(line.split_once(' ')?.1.trim().split_once('(')?.0.to_owned());
    let mut names: Vec<String> = lines.iter().filter_map(name).collect();
    names.sort();
    names.dedup();
    names.join(", ")
}
