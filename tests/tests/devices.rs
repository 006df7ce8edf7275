//! A device that comes back under another name: what uses it is made again with that, under its own name.

use motey_tests::{NodeUnderTest, SOON, wait_until};
use serde_json::{Value, json};

/// The stick with that serial number is there now.
fn plug_in(node: &NodeUnderTest, path: &str) {
    let stick = json!([{"capability": "zigbee", "capability_type": "hardware", "unit": "A1", "exclusive": true,
        "binding": path}]);
    let body = stick.to_string();
    let answer = node
        .http()
        .send("PUT", "/v1/capabilities", Some("application/json"), body.as_bytes())
        .expect("an answer");
    answer.expect(201);
}

fn deployed(node: &NodeUnderTest, image: &str) -> String {
    let name = node.unique("stick");
    let blueprint = format!("service_name: {name}\nimages: [{{ {image}, capabilities: [zigbee] }}]\n");
    let service = node.http().deploy(&blueprint).expect(201).json();
    let id = service["id"].as_str().expect("an id").to_owned();
    node.wait_state(&id, "RUNNING");
    id
}

fn happened(node: &NodeUnderTest, id: &str, kind: &str) -> usize {
    let events = node.http().get(&format!("/v1/service/{id}/events")).expect(200).json();
    events.as_array().into_iter().flatten().filter(|event| event["kind"] == kind).count()
}

#[test]
fn an_instance_is_made_again_with_its_device_as_it_is_now() {
    let node = NodeUnderTest::builder().plugins(&["mock"]).start();
    node.wait_engine("mock");
    plug_in(&node, "/dev/ttyUSB0");
    let id = deployed(&node, "name: any, engine: mock");
    let all = |path: &str| {
        let it = node.mock().instances();
        let made = |record: &Value| record["request"]["devices"] == json!([{"name": "zigbee", "path": path}]);
        it.iter()
            .filter(|(_, record)| made(record) && record["state"] == "running")
            .map(|it| it.0.clone())
            .collect()
    };
    let first: Vec<String> = all("/dev/ttyUSB0");
    assert_eq!(first.len(), 1);
    plug_in(&node, "/dev/ttyUSB1");
    wait_until(SOON, "it runs with the stick as it is now", || all("/dev/ttyUSB1") == first);
    node.wait_state(&id, "RUNNING");
    assert_eq!((happened(&node, &id, "capability-moved"), happened(&node, &id, "capability-lost")), (1, 0));
    assert_eq!(node.mock().calls_of("create").len(), 2);
}

#[test]
fn a_program_finds_its_device_in_a_variable() {
    let node = NodeUnderTest::builder().plugins(&["process"]).start();
    node.wait_engine("process");
    plug_in(&node, "/dev/ttyUSB0");
    let environment = format!("environment: {{ MARK: {:?} }}", node.mark());
    let sleep = "name: /bin/sleep, engine: process";
    deployed(&node, &format!("{sleep}, parameters: {{ command: [\"86400\"], {environment} }}"));
    let has = |path: &str| {
        let programs = node.programs();
        programs.len() == 1 && programs[0].variable("MOTEY_DEVICE_ZIGBEE") == Some(path)
    };
    wait_until(SOON, "the program has the stick", || has("/dev/ttyUSB0"));
    plug_in(&node, "/dev/ttyUSB1");
    wait_until(SOON, "the program has it under its new name", || has("/dev/ttyUSB1"));
}
