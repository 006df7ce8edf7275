//! From a POST to the call of the engine, beside a prototype's POST to 201 and the disk's own fdatasync.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
};

use motey_tests::{NodeUnderTest, SOON, wait_for};
use serde_json::Value;

use crate::{
    prototype_run::Prototype,
    sample::{Sample, compare, print as line},
    subject::{blueprint, deploy, node, now_us},
};

const WARM_UP: usize = 10;
const ROUNDS: usize = 100;

#[derive(Default)]
struct Rounds {
    disk: Sample,
    prototype: Sample,
    called: Sample,
    answered: Sample,
}

pub fn print() {
    let rounds = measure();
    line("one page appended, fdatasync", "us", &rounds.disk);
    line("prototype: POST to 201", "us", &rounds.prototype);
    line("motey: POST to the call of the engine", "us", &rounds.called);
    line("motey: POST to 201", "us", &rounds.answered);
    compare("engine call / prototype", &rounds.called, &rounds.prototype);
    compare("201 / prototype", &rounds.answered, &rounds.prototype);
}

fn measure() -> Rounds {
    let prototype = Prototype::start();
    let node = node(&["mock"]).start();
    node.wait_engine("mock");
    let mut theirs = prototype.http().keep_alive().expect("a connection");
    let mut ours = node.tcp().keep_alive().expect("a connection");
    let mut page = page(prototype.directory());

    let mut rounds = Rounds::default();
    for number in 0..WARM_UP + ROUNDS {
        let text = blueprint(number);
        let disk = append(&mut page);
        let mut bare = || deploy(&mut theirs, &text).0;
        let mut own = || {
            let began = now_us();
            let (answered, body) = deploy(&mut ours, &text);
            (answered, running(&node, &body) - began)
        };
        // each goes first as often as the other: a disk remembers who came before
        let (theirs, (answered, called)) = match number % 2 {
            0 => (bare(), own()),
            _ => {
                let own = own();
                (bare(), own)
            }
        };
        if number >= WARM_UP {
            rounds.disk.push(disk as f64);
            rounds.prototype.push(theirs as f64);
            rounds.called.push(called as f64);
            rounds.answered.push(answered as f64);
        }
    }
    rounds
}

/// Waits until the service runs, so that nothing of it is left for the next round, and returns when its `create` came.
pub fn running(node: &NodeUnderTest, service: &[u8]) -> u64 {
    let service: Value = serde_json::from_slice(service).expect("a service as JSON");
    let id = service["id"].as_str().expect("a service has an id");
    node.wait_state(id, "RUNNING");
    let fence = service["images"][0]["instances"][0]["fence"].as_str().expect("a fence").to_owned();
    wait_for(SOON, || {
        let create = node.mock().calls_of("create").into_iter().rfind(|call| call.fence == fence);
        create.map(|call| call.called_us).ok_or_else(|| format!("a create with the fence {fence}"))
    })
}

fn page(directory: &Path) -> File {
    let path = directory.join("page");
    OpenOptions::new().append(true).create(true).open(path).expect("a file")
}

fn append(page: &mut File) -> u64 {
    let began = now_us();
    page.write_all(&[0xa5; 4096]).and_then(|()| page.sync_data()).expect("room on the disk");
    now_us() - began
}
