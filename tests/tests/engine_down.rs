//! An engine that refuses everything for a while: it is down, is tried again without piling anything up, and is taken
//! up where it was when it answers.

use motey_tests::{NodeUnderTest, SOON, wait_until};
use serde_json::json;

/// So often is the engine tried before the node's threads are counted a second time.
const TRIES: usize = 3;

fn threads(node: &NodeUnderTest) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", node.pid())).expect("the node's threads");
    tasks.count()
}

#[test]
fn an_engine_that_refuses_everything_is_down_and_costs_nothing_more() {
    let mut node = NodeUnderTest::builder().plugins(&["mock"]).start();
    node.wait_engine("mock");
    let http = node.http();
    let answer = http.deploy("service_name: kept\nimages: [{ name: any, engine: mock }]\n").expect(201);
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    node.wait_state(&id, "RUNNING");
    node.kill9();
    let refusal = json!({"rules": [{"error": {"code": "unavailable", "message": "closed for today"}}]});
    node.mock().script(&refusal);
    node.start();

    let downs = |node: &NodeUnderTest| node.log().matches("the engine mock is down").count();
    wait_until(SOON, "the engine is down", || downs(&node) > 0);
    let before = threads(&node);
    wait_until(SOON * 2, "the engine was tried again", || downs(&node) > TRIES);
    let after = threads(&node);
    assert!(after <= before + 2, "{before} threads became {after}");
    let service = node.service(&id);
    assert_eq!(service["state"], "INSTANTIATING", "nothing is concluded: {service:#}");
    assert_eq!(service["reason"], "engine.down", "{service:#}");

    node.mock().script(&json!({"rules": []}));
    let service = node.wait_state(&id, "RUNNING");
    assert_eq!(service["images"][0]["instances"][0]["restarts"], 0);
    assert_eq!(node.mock().calls_of("create").len(), 1, "nothing was made anew");
}
