//! Capabilities that people give to a real node: what waits for one starts, what has one keeps it, and the node
//! remembers what it answered for.

use motey_tests::{NodeUnderTest, Response};
use serde_json::{Value, json};

const PATH: &str = "/v1/capabilities";

fn send(node: &NodeUnderTest, method: &str, body: &Value) -> Response {
    let body = body.to_string();
    node.http().send(method, PATH, Some("application/json"), body.as_bytes()).expect("an answer")
}

fn needing(node: &NodeUnderTest, capability: &str) -> String {
    let name = node.unique(capability);
    let blueprint = format!(
        "service_name: {name}\nimages: [{{ name: any, engine: mock, capabilities: [{capability}] }}]\n"
    );
    let service = node.http().deploy(&blueprint).expect(201).json();
    service["id"].as_str().expect("a service has an id").to_owned()
}

fn offered(node: &NodeUnderTest) -> Vec<String> {
    let all = node.http().get(PATH).expect(200).json();
    let of_people = all.as_array().into_iter().flatten().filter(|one| one["source"] == "rest");
    of_people.map(|one| one["capability"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn a_given_capability_starts_what_waits_and_is_there_in_the_next_life() {
    let mut node = NodeUnderTest::builder().plugins(&["mock"]).start();
    node.wait_engine("mock");
    let zigbee = json!([{"capability": "zigbee", "capability_type": "hardware", "exclusive": true}]);
    let id = needing(&node, "zigbee");
    let waiting = node.wait_state(&id, "INITIAL");
    assert_eq!(waiting["reason"], "waiting.capability", "{waiting:#}");
    assert_eq!(node.mock().calls_of("create").len(), 0);

    send(&node, "PUT", &zigbee).expect(201);
    node.wait_state(&id, "RUNNING");
    send(&node, "PUT", &zigbee).expect(304);

    // what was answered for survives the node's death at once
    send(&node, "PUT", &json!([{"capability": "gps", "capability_type": "hardware"}])).expect(201);
    node.kill9();
    node.start();
    assert_eq!(offered(&node), ["zigbee", "gps"]);
    node.wait_engine("mock");
    let other = needing(&node, "gps");
    node.wait_state(&other, "RUNNING");
    node.wait_state(&id, "RUNNING");
    assert_eq!(node.mock().calls_of("create").len(), 2, "nothing was made anew");
}

#[test]
fn what_runs_is_kept_when_its_capability_is_taken_back() {
    let mut node = NodeUnderTest::builder().plugins(&["mock"]).start();
    node.wait_engine("mock");
    let zigbee = json!([{"capability": "zigbee", "capability_type": "hardware", "exclusive": true}]);
    send(&node, "PUT", &zigbee).expect(201);
    let id = needing(&node, "zigbee");
    node.wait_state(&id, "RUNNING");

    send(&node, "DELETE", &zigbee).expect(201);
    send(&node, "DELETE", &zigbee).expect(304);
    assert!(offered(&node).is_empty());
    node.restart();
    node.wait_engine("mock");
    let second = needing(&node, "zigbee");
    let waiting = node.wait_state(&second, "INITIAL");
    assert_eq!(waiting["state_message"], "nothing offers the capability zigbee", "{waiting:#}");
    node.wait_state(&id, "RUNNING");

    // its holder holds it still
    send(&node, "PUT", &zigbee).expect(201);
    let waiting = node.service(&second);
    let holder = node.service(&id)["service_name"].as_str().expect("a name").to_owned();
    let held = format!("under-test: zigbee is held by {holder}/any");
    assert_eq!(waiting["state_message"], held, "{waiting:#}");
    assert!(node.mock().calls_of("stop").is_empty(), "nothing was stopped");
    assert_eq!(node.mock().calls_of("create").len(), 1);
}
