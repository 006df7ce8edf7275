//! What ten thousand stored services cost: from a POST to the call of the engine beside a node that has none, memory, and
//! a start.

use std::time::Duration;

use motey_tests::{Connection, NodeUnderTest};

use crate::{
    latency::running,
    proc::{Memory, wait_at_rest},
    prototype_run::Notify,
    sample::{Sample, compare, print as line},
    start::Starts,
    subject::{blueprint, deploy, node, now_us},
};

const SERVICES: usize = 10_000;

const WARM_UP: usize = 10;
const ROUNDS: usize = 100;
const STARTS: usize = 20;

/// The threads of a plugin's pool leave after ten seconds without a call.
const CALM: Duration = Duration::from_secs(12);

pub fn print() {
    let empty = node(&["mock"]).start();
    let mut full = node(&["mock"]).start();
    [&empty, &full].iter().for_each(|node| node.wait_engine("mock"));
    let mut to_full = connect(&full);
    for number in 0..SERVICES {
        let (_, body) = deploy(&mut to_full, &blueprint(number));
        if number + 1 == SERVICES {
            running(&full, &body);
        }
    }
    wait_at_rest(empty.pid(), CALM);
    wait_at_rest(full.pid(), CALM);
    Memory::of(empty.pid()).print("motey, no services", empty.pid());
    Memory::of(full.pid()).print("motey, 10 000 services on `mock`", full.pid());

    // a connection that was silent meanwhile was closed
    let (mut to_empty, mut to_full) = (connect(&empty), connect(&full));
    let (mut none, mut many) = (Sample::default(), Sample::default());
    for number in 0..WARM_UP + ROUNDS {
        let text = blueprint(SERVICES + number);
        let mut first = || to_call(&empty, &mut to_empty, &text);
        let mut second = || to_call(&full, &mut to_full, &text);
        // each goes first as often as the other
        let (without, with) = match number % 2 {
            0 => (first(), second()),
            _ => {
                let with = second();
                (first(), with)
            }
        };
        if number >= WARM_UP {
            none.push(without);
            many.push(with);
        }
    }
    line("no services: POST to the call of the engine", "us", &none);
    line("10 000 services: POST to the call of the engine", "us", &many);
    compare("10 000 services / none", &many, &none);
    drop(to_full);
    assert!(full.stop().success());
    starts(&full);
}

fn connect(node: &NodeUnderTest) -> Connection {
    node.tcp().keep_alive().expect("a connection")
}

fn to_call(node: &NodeUnderTest, connection: &mut Connection, text: &str) -> f64 {
    let began = now_us();
    let (_, body) = deploy(connection, text);
    (running(node, &body) - began) as f64
}

fn starts(full: &NodeUnderTest) {
    let place = tempfile::tempdir().expect("a temporary directory");
    let notify = Notify::new(place.path());
    let mut starts = Starts::default();
    (0..STARTS).for_each(|_| starts.push(full, &notify));
    line("10 000 services: exec to ready", "ms", &starts.ready);
    line("10 000 services: exec to engine listed", "ms", &starts.listed);
}
