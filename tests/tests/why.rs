//! `motey service why` on a real node: what a person is told of a service that fails, and of one that is gone.

use std::process::Command;

use motey_tests::{NodeUnderTest, SOON, motey, wait_until};

/// What the command says, which must succeed.
#[track_caller]
fn told(node: &NodeUnderTest, args: &[&str]) -> String {
    let said =
        Command::new(motey()).args(args).arg("--socket").arg(node.socket()).output().expect("it starts");
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.status.success(), "{args:?}: {text}{}", String::from_utf8_lossy(&said.stderr));
    text
}

#[test]
fn one_that_fails_and_is_removed_has_a_short_story() {
    let node = NodeUnderTest::builder()
        .plugins(&["process"])
        .config("[node]\nrestart_delay = \"10ms\"\nrestart_attempts = 6")
        .start();
    let name = node.unique("fails");
    let blueprint = format!(
        "service_name: {name}\nimages:\n  - name: sh\n    key: app\n    engine: process\n    \
         parameters: {{ command: [-c, \"exit 3\"] }}\n"
    );
    let service = node.http().deploy(&blueprint).expect(201).json();
    let id = service["id"].as_str().expect("a service has an id");
    node.wait_state(id, "ERROR");

    let why = told(&node, &["service", "why", &name]);
    for part in [
        format!("{name} is ERROR: exited with code 3; given up after 6 attempts\n").as_str(),
        "exited with code 3, 7 times in ",
        "assigned to process on under-test\n",
        "that 1 of app run\n",
        &format!("exit.code: `motey service logs {name}` shows what it wrote. "),
        &format!("Then `motey service start {name}` tries again\n"),
    ] {
        assert!(why.contains(part), "it says {part:?}:\n{why}");
    }
    assert_eq!(why.matches("exited with code 3, ").count(), 1, "{why}");

    told(&node, &["service", "rm", &name]);
    wait_until(SOON, "it is gone", || node.service(id)["state"] == "TERMINATED");
    let why = told(&node, &["service", "why", &name]);
    assert!(why.contains("it was removed, and nothing of it is left"), "{why}");
    assert!(why.contains("exited with code 3, 7 times in "), "{why}");
    let events = told(&node, &["events"]);
    assert!(events.lines().skip(1).all(|line| line.contains(&name)), "{events}");
    assert!(!events.contains(id), "{events}");
    let missing = Command::new(motey())
        .args(["service", "why", "nobody", "--socket"])
        .arg(node.socket())
        .output()
        .expect("it starts");
    assert_eq!(missing.status.code(), Some(3));
}
