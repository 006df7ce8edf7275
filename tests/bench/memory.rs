//! Memory of an idle host with its plugins, of each shim beside it, and of the prototype.

use std::time::Duration;

use motey_tests::{NodeUnderTest, Process};

use crate::{
    proc::{Memory, wait_at_rest},
    prototype_run::Prototype,
    subject::{blueprint, deploy, node},
};

/// The threads of a plugin's pool leave after ten seconds without a call.
const CALM: Duration = Duration::from_secs(12);

const SHIMS: usize = 3;
const SERVICES: usize = 100;

pub fn print() {
    let prototype = Prototype::start();
    let mut connection = prototype.http().keep_alive().expect("a connection");
    deploy(&mut connection, &blueprint(0));
    let print = |what: &str, pid: u32| Memory::of(pid).print(what, pid);

    let node = node(&["process", "mock", "host-facts"]).start();
    node.wait_engine("process");
    node.wait_engine("mock");
    wait_at_rest(node.pid(), CALM);
    print("prototype", prototype.pid());
    print("motey, nothing deployed", node.pid());

    for shim in deploy_processes(&node) {
        let pid = shim.pid.cast_unsigned();
        wait_at_rest(pid, Duration::from_secs(1));
        print("a shim", pid);
    }
    wait_at_rest(node.pid(), CALM);
    print(&format!("motey, {SHIMS} process instances"), node.pid());

    let mut connection = node.tcp().keep_alive().expect("a connection");
    for number in 0..SERVICES {
        deploy(&mut connection, &blueprint(number));
    }
    drop(connection);
    wait_at_rest(node.pid(), CALM);
    print(&format!("motey, {SERVICES} mock instances more"), node.pid());
}

/// Runs some programs that do nothing, and returns their shims.
pub fn deploy_processes(node: &NodeUnderTest) -> Vec<Process> {
    let blueprint = format!(
        "service_name: sleepers\nimages:\n  - {{ name: sleep, engine: process, replicas: {SHIMS}, \
         parameters: {{ command: [\"86400\"], environment: {{ MARK: {:?} }} }} }}\n",
        node.mark()
    );
    let service = node.http().deploy(&blueprint).expect(201).json();
    node.wait_state(service["id"].as_str().expect("a service has an id"), "RUNNING");
    let mut shims = node.processes();
    shims.retain(|process| process.arguments.get(1).is_some_and(|verb| verb == "shim"));
    assert_eq!(shims.len(), SHIMS, "a shim for each instance");
    shims
}
