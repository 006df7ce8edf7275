//! Ports of a real node: who has one keeps it, who wants it waits and says for whom, who uses it is told of it.

use motey_tests::{NodeUnderTest, SOON, free_port, wait_for};
use serde_json::{Value, json};

/// A program that does not listen: that a node's port is promised does not depend on it.
fn publishing(node: &NodeUnderTest, name: &str, ports: &str) -> (String, String) {
    let (name, mark) = (node.unique(name), node.mark());
    let blueprint = format!(
        "service_name: {name}\nimages:\n  - name: /bin/sleep\n    key: web\n    engine: process\n    parameters:\n      \
         command: infinity\n      environment: {{ MARK: {mark:?} }}\n      ports: {ports}\n"
    );
    let service = node.http().deploy(&blueprint).expect(201).json();
    (service["id"].as_str().expect("a service has an id").to_owned(), name)
}

#[test]
fn a_port_of_a_node_is_for_one_instance_until_that_is_gone() {
    let mut node = NodeUnderTest::builder().plugins(&["process"]).start();
    node.wait_engine("process");
    let port = free_port();
    let (first, holder) = publishing(&node, "first", &format!("[{port}]"));
    node.wait_state(&first, "RUNNING");
    let long = format!("{{ http: {{ container: {port}, host: {port} }} }}");
    let (second, _) = publishing(&node, "second", &long);
    let waiting = node.wait_state(&second, "INITIAL");
    assert_eq!(waiting["reason"], "waiting.port", "{waiting:#}");
    let said = waiting["state_message"].as_str().expect("it says why");
    assert!(said.ends_with(&format!(": {port}/tcp is held by {holder}/web")), "{said}");
    assert_eq!(waiting["images"][0]["parameters"]["ports"]["http"]["host"], port);

    // what is held is known again in the next life
    node.kill9();
    node.start();
    node.wait_engine("process");
    node.wait_state(&first, "RUNNING");
    node.wait_state(&second, "INITIAL");

    node.http().delete(&format!("/v1/service/{first}")).expect(202);
    node.wait_state(&second, "RUNNING");
}

#[test]
fn a_process_is_reached_under_no_other_number_than_its_own() {
    let node = NodeUnderTest::builder().plugins(&["process"]).start();
    node.wait_engine("process");
    let (id, _) = publishing(&node, "mapped", "{ http: { container: 80, host: 8080 } }");
    let waiting = node.wait_state(&id, "INITIAL");
    assert_eq!(waiting["reason"], "engine.unsupported", "{waiting:#}");
    assert_eq!(waiting["state_message"], "the engine process cannot honour ports.map");
    assert!(node.programs().is_empty(), "nothing was begun");
}

/// What `/v1/endpoints` says of each port of a service: its image, its number, and the names of its nodes.
fn endpoints(node: &NodeUnderTest, id: &str) -> Vec<(Value, Value, usize)> {
    let all = node.http().get("/v1/endpoints").expect(200).json();
    let own = all.as_array().into_iter().flatten().filter(|it| it["service"] == id);
    let told = own.inspect(|it| assert_eq!(it["known"], "told", "{it:#}"));
    told.map(|it| (it["image"].clone(), it["number"].clone(), it["nodes"].as_array().map_or(0, Vec::len)))
        .collect()
}

#[test]
fn who_uses_a_port_finds_it_in_its_environment_and_everybody_under_endpoints() {
    let node = NodeUnderTest::builder().plugins(&["process"]).start();
    node.wait_engine("process");
    let (name, mark, port) = (node.unique("pair"), node.mark(), free_port());
    let image = |key: &str, more: &str| {
        format!(
            "  - {{ name: /bin/sleep, key: {key}, engine: process, {more}\
             parameters: {{ command: infinity, environment: {{ MARK: {mark:?} }}"
        )
    };
    let blueprint = format!(
        "service_name: {name}\nimages:\n{} }} }}\n{}, ports: {{ mqtt: {port} }} }} }}\n",
        image("web", "uses: [broker.mqtt], "),
        image("broker", "")
    );
    let service = node.http().deploy(&blueprint).expect(201).json();
    let id = service["id"].as_str().expect("a service has an id").to_owned();
    let running = node.wait_state(&id, "RUNNING");
    assert_eq!(running["images"][0]["uses"], json!(["broker.mqtt"]));

    let told = |key: &str| {
        let programs = node.programs();
        let of_image =
            programs.iter().find(|it| it.instance().is_some_and(|name| name.contains(&format!("-{key}-0-"))));
        of_image.expect("it runs").variable("MOTEY_ENDPOINT_BROKER_MQTT").map(str::to_owned)
    };
    assert_eq!((told("web"), told("broker")), (Some(format!("broker:{port}")), None));
    assert_eq!(endpoints(&node, &id), [(json!("broker"), json!(port), 1)]);

    node.http().post(&format!("/v1/service/{id}/stop"), "application/json", b"").expect(202);
    wait_for(SOON, || match endpoints(&node, &id) {
        gone if gone == [(json!("broker"), json!(port), 0)] => Ok(()),
        other => Err(format!("nobody answers any more; it says {other:?}")),
    });
}
