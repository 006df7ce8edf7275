//! The way back: by itself where a new revision does not come to run, and when somebody asks for it. Also when the host
//! dies on the way.

use std::fs;
use std::process::Command;

use motey_tests::{NodeUnderTest, SOON, motey, wait_for};
use serde_json::{Value, json};

/// Two slots of `app`, made from `image`.
fn blueprint(name: &str, image: &str) -> String {
    format!("service_name: {name}\nimages: [{{ name: {image:?}, key: app, engine: mock, replicas: 2 }}]\n")
}

#[track_caller]
fn deploy(node: &NodeUnderTest, blueprint: &str) -> String {
    let service = node.http().deploy(blueprint).expect(201).json();
    service["id"].as_str().expect("a service has an id").to_owned()
}

/// Waits until the service is of that revision, and both its slots run what is made from `image`, and nothing else.
#[track_caller]
fn settled(node: &NodeUnderTest, id: &str, revision: u64, image: &str) -> Vec<String> {
    let running = wait_for(SOON, || {
        let (all, running, service) = (node.mock().instances(), node.mock().running(), node.service(id));
        let made = all.values().all(|record| record["request"]["image"] == image);
        match made && (all.len(), running.len()) == (2, 2) && service["revision"] == revision {
            true => Ok(running),
            false => Err(format!("two of {image} run as revision {revision}; there is {all:#?} {service:#}")),
        }
    });
    node.wait_state(id, "RUNNING");
    running
}

fn numbers(node: &NodeUnderTest, id: &str) -> Vec<u64> {
    let all = node.http().get(&format!("/v1/service/{id}/revisions")).expect(200).json();
    let all = all.as_array().expect("revisions").iter();
    all.map(|it| it["revision"].as_u64().expect("a number")).collect()
}

fn kinds(node: &NodeUnderTest, id: &str) -> Vec<Value> {
    let events = node.http().get(&format!("/v1/service/{id}/events?limit=1000")).expect(200).json();
    events.as_array().expect("events").iter().map(|event| event["kind"].clone()).collect()
}

fn killed(node: &mut NodeUnderTest) {
    node.kill9();
    node.start();
    node.wait_engine("mock");
}

#[test]
fn a_revision_that_does_not_come_to_run_is_taken_back() {
    let mut node = NodeUnderTest::builder().plugins(&["mock"]).start();
    let name = node.unique("reverted");
    let id = deploy(&node, &blueprint(&name, "app:1"));
    settled(&node, &id, 1, "app:1");

    // the host dies at the first of the new instances, and then none can be made
    let fails = json!({"op": "create", "image": "app:bad", "error": {"code": "invalid", "message": "bad"}});
    let dies = json!({"op": "create", "image": "app:bad", "times": 1, "exit_host": true});
    node.mock().script(&json!({ "rules": [dies] }));
    let bad = blueprint(&name, "app:bad");
    // the answer may be lost with the host
    let _ = node.http().send("PUT", &format!("/v1/service/{id}"), Some("application/x-yaml"), bad.as_bytes());
    node.wait_ended();
    node.mock().script(&json!({ "rules": [fails] }));
    node.start();

    let back = settled(&node, &id, 3, "app:1");
    assert_eq!(kinds(&node, &id).iter().filter(|kind| **kind == "reverted").count(), 1);
    assert_eq!(numbers(&node, &id), [3, 2, 1]);
    killed(&mut node);
    assert_eq!(settled(&node, &id, 3, "app:1"), back);
    assert_eq!(numbers(&node, &id), [3, 2, 1]);
}

#[test]
fn apply_ends_with_a_failure_when_its_revision_is_taken_back() {
    let node = NodeUnderTest::builder().plugins(&["mock"]).start();
    let name = node.unique("applied");
    let file = node.root().join("blueprint.yaml");
    let apply = |image: &str| {
        fs::write(&file, blueprint(&name, image)).expect("a file");
        let mut apply = Command::new(motey());
        apply.args(["apply", "-f"]).arg(&file).arg("--socket").arg(node.socket());
        let output = apply.output().expect("it starts");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = apply("app:1");
    assert_eq!(code, Some(0), "{said}");
    let fails = json!({"op": "create", "image": "app:bad", "error": {"code": "invalid", "message": "bad"}});
    node.mock().script(&json!({ "rules": [fails] }));
    let (code, said) = apply("app:bad");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("revision 2 is no longer the service's, it has 3"), "{said}");
    let (code, said) = apply("app:2");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("updated"), "{said}");
}

#[test]
fn what_was_before_comes_back_when_it_is_asked_for() {
    let mut node = NodeUnderTest::builder().plugins(&["mock"]).start();
    let name = node.unique("rollback");
    let id = deploy(&node, &blueprint(&name, "app:1"));
    settled(&node, &id, 1, "app:1");
    node.http().update(&id, &blueprint(&name, "app:2")).expect(202);
    settled(&node, &id, 2, "app:2");
    killed(&mut node);
    settled(&node, &id, 2, "app:2");

    let ask = |node: &NodeUnderTest, args: &[&str]| {
        let mut motey = Command::new(motey());
        motey.arg("service").args(args).arg("--socket").arg(node.socket());
        let output = motey.output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    ask(&node, &["rollback", &name]);
    let back = settled(&node, &id, 3, "app:1");
    killed(&mut node);
    assert_eq!(settled(&node, &id, 3, "app:1"), back);
    assert_eq!(numbers(&node, &id), [3, 2, 1]);

    ask(&node, &["rollback", &name, "--to", "2"]);
    settled(&node, &id, 4, "app:2");
    assert_eq!(ask(&node, &["revisions", &name, "-o", "name"]), "4\n3\n2\n1\n");
}
