//! Ports of a real node: who has one keeps it, who wants it waits and says for whom.

use motey_tests::{NodeUnderTest, free_port};

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
