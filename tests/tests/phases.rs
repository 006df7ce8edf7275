//! The phases of a node, as clients see them.

use motey_tests::{NodeUnderTest, SOON, wait_until};
use serde_json::{Value, json};

fn itself(node: &NodeUnderTest) -> Value {
    node.http().get("/v1/nodes").expect(200).json()[0].clone()
}

#[test]
fn a_node_that_started_again_places_nothing_before_its_engine_has_spoken() {
    let mut node = NodeUnderTest::builder().plugins(&["mock"]).start();
    wait_until(SOON, "the node operates", || itself(&node)["phase"] == "OPERATE");
    node.kill9();
    node.mock().script(&json!({"rules": [{"op": "list", "times": 1, "delay_ms": 4_000}]}));
    node.start();

    let waits = "recovers: it has not heard its engine mock since its start";
    let says = |node: &NodeUnderTest| itself(node)["phase_message"].as_str().unwrap_or_default().to_owned();
    wait_until(SOON, "the node knows that it has the engine", || says(&node).ends_with(waits));
    let answer =
        node.http().deploy("service_name: early\nimages: [{ name: any, engine: mock }]\n").expect(201);
    let service = answer.json();
    assert_eq!((&service["state"], &service["reason"]), (&"INITIAL".into(), &"waiting.node".into()));
    assert!(service["state_message"].as_str().is_some_and(|text| text.ends_with(waits)), "{service:#}");

    node.wait_state(service["id"].as_str().expect("an id"), "RUNNING");
    assert_eq!(itself(&node)["phase"], "OPERATE");
}
