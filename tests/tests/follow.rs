//! `motey service logs -f` ends with a word: the node stopped, the node died, or nothing runs any more.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdout, Command, Stdio},
};

use motey_tests::{NodeUnderTest, motey};
use rustix::process::Signal;

struct Follower {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Follower {
    /// Returns once it has shown a line.
    #[track_caller]
    fn of(node: &NodeUnderTest, service: &str) -> Self {
        let mut child = Command::new(motey())
            .args(["service", "logs", "-f", service, "--socket"])
            .arg(node.socket())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        lines.read_line(&mut line).expect("a line");
        assert_eq!(line, "hello\n");
        Self { child, lines }
    }

    /// Its exit code and what it said on standard error.
    fn ended(self) -> (Option<i32>, String) {
        drop(self.lines);
        let ended = self.child.wait_with_output().expect("it ends");
        (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
    }
}

/// A node with a service that says hello and goes on.
#[track_caller]
fn talking() -> (NodeUnderTest, String) {
    let node = NodeUnderTest::builder().plugins(&["process"]).start();
    let name = node.unique("talks");
    let blueprint = format!(
        "service_name: {name}\nimages:\n  - name: sh\n    engine: process\n    parameters: {{ command: [-c, \
         \"echo hello; exec sleep 86400\"], environment: {{ MARK: {:?} }} }}\n",
        node.mark(),
    );
    let service = node.http().deploy(&blueprint).expect(201).json();
    node.wait_state(service["id"].as_str().expect("a service has an id"), "RUNNING");
    (node, name)
}

const LEFT: &str = "error: the node has stopped, or does not answer any more; services go on without it: follow \
                    again once it is back\n";

#[test]
fn a_node_that_stops_is_told_from_an_output_that_ends() {
    let (mut node, name) = talking();
    let follower = Follower::of(&node, &name);
    node.signal(Signal::TERM);
    assert_eq!(follower.ended(), (Some(5), LEFT.to_owned()));
    node.wait_ended();

    node.start();
    node.wait_engine("process");
    let follower = Follower::of(&node, &name);
    node.kill9();
    assert_eq!(follower.ended(), (Some(5), LEFT.to_owned()));

    node.start();
    node.wait_engine("process");
    let follower = Follower::of(&node, &name);
    let stopped =
        Command::new(motey()).args(["service", "stop", &name, "--socket"]).arg(node.socket()).output();
    assert!(stopped.expect("it starts").status.success());
    let told = "the output has ended: nothing that was followed runs any more\n";
    assert_eq!(follower.ended(), (Some(0), told.to_owned()));
}
