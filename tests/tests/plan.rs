//! `motey plan` on a real node: what it says of a blueprint is what becomes of it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use motey_tests::{NodeUnderTest, motey};
use serde_json::Value;

fn ran(node: &NodeUnderTest, args: &[&str]) -> Output {
    Command::new(motey()).args(args).arg("--socket").arg(node.socket()).output().expect("it starts")
}

/// The exit code and what it says, as JSON.
fn planned(node: &NodeUnderTest, file: &Path) -> (Option<i32>, Value) {
    let file = file.to_str().expect("UTF-8");
    let said = ran(node, &["plan", "-f", file, "-o", "json"]);
    (said.status.code(), serde_json::from_slice(&said.stdout).expect("JSON"))
}

#[test]
fn what_is_planned_to_wait_waits_in_these_words_and_is_complete_once_it_is_mended() {
    let node = NodeUnderTest::builder().plugins(&["mock"]).start();
    node.wait_engine("mock");
    let name = node.unique("cell");
    let blueprint = format!(
        "service_name: {name}\nimages: [{{ name: any, key: web, engine: mock, capabilities: [zigbee] }}]\n"
    );
    let file = node.root().join("cell.yaml");
    fs::write(&file, &blueprint).expect("a file");

    let (code, plan) = planned(&node, &file);
    assert_eq!((code, &plan["complete"]), (Some(4), &Value::Bool(false)), "{plan:#}");
    let said = ran(&node, &["plan", "-f", file.to_str().expect("UTF-8")]);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    for part in ["web-0  waits  nothing offers the capability zigbee\n", "`motey capability add NAME`"] {
        assert!(said.contains(part), "it says {part:?}:\n{said}");
    }
    assert_eq!(node.http().get("/v1/service").expect(200).json(), Value::Array(vec![]));
    assert_eq!(node.http().get("/v1/events").expect(200).json(), Value::Array(vec![]));

    let service = node.http().deploy(&blueprint).expect(201).json();
    let id = service["id"].as_str().expect("a service has an id");
    let waiting = node.wait_state(id, "INITIAL");
    for key in ["state_message", "reason"] {
        assert_eq!(plan["slots"][0][key], waiting[key], "{waiting:#}");
    }

    assert!(ran(&node, &["capability", "add", "zigbee"]).status.success());
    let (code, plan) = planned(&node, &file);
    assert_eq!((code, &plan["complete"]), (Some(0), &Value::Bool(true)), "{plan:#}");
    assert_eq!(plan["slots"][0]["engine"], "mock", "{plan:#}");
    node.wait_state(id, "RUNNING");
}
