//! Images are there before anything is stopped for them: a slow fetch leaves what runs alone, and one that fails takes its
//! update back. Also when the host dies on the way.

use motey_tests::{MockCall, NodeUnderTest, SOON, wait_for};
use serde_json::{Value, json};

fn blueprint(name: &str, image: &str) -> String {
    format!("service_name: {name}\nimages: [{{ name: {image:?}, key: app, engine: mock }}]\n")
}

/// A node on which something is tried three times, and a service that runs there.
fn running(name: &str) -> (NodeUnderTest, String, String) {
    let node = NodeUnderTest::builder()
        .plugins(&["mock"])
        .config("[node]\nrestart_attempts = 3\nrestart_delay = \"10ms\"\n")
        .start();
    let name = node.unique(name);
    let service = node.http().deploy(&blueprint(&name, "app:1")).expect(201).json();
    let id = service["id"].as_str().expect("a service has an id").to_owned();
    node.wait_state(&id, "RUNNING");
    (node, name, id)
}

/// Waits until the service runs as that revision, and nothing but one instance of `image` is there.
#[track_caller]
fn settled(node: &NodeUnderTest, id: &str, revision: u64, image: &str) -> String {
    wait_for(SOON, || {
        let (all, running, service) = (node.mock().instances(), node.mock().running(), node.service(id));
        let made = all.values().all(|record| record["request"]["image"] == image);
        let runs = service["revision"] == revision && service["state"] == "RUNNING";
        match running.as_slice() {
            [one] if made && runs && all.len() == 1 => Ok(one.clone()),
            _ => Err(format!("one of {image} runs as revision {revision}; there is {all:#?} {service:#}")),
        }
    })
}

/// What the engine was asked about instances and images, in the order of its answers.
fn asked(node: &NodeUnderTest) -> Vec<String> {
    let about = |call: &MockCall| !matches!(call.op.as_str(), "fingerprint" | "list" | "events" | "inspect");
    node.mock().calls().into_iter().filter(about).map(|call| format!("{} {}", call.op, call.image)).collect()
}

#[test]
fn what_runs_is_stopped_when_the_image_of_the_next_one_is_there() {
    let (mut node, name, id) = running("slow");
    let old = settled(&node, &id, 1, "app:1");
    node.mock().script(&json!({"rules": [{"op": "pull", "image": "app:2", "hang": true}]}));
    let service = node.http().update(&id, &blueprint(&name, "app:2")).expect(202).json();
    assert_eq!(service["state_message"], "its image app:2 is being fetched", "{service:#}");
    assert_eq!(service["reason"], "pull.waiting");
    assert_eq!(node.mock().running(), [old.as_str()]);

    // nobody remembers what was being fetched: it is fetched again
    node.kill9();
    node.mock().script(&json!({"rules": [{"op": "pull", "image": "app:2", "delay_ms": 200}]}));
    node.start();
    settled(&node, &id, 2, "app:2");
    let first = ["pull app:1", "create app:1", "start app:1"];
    // the first one never ended
    let then = ["pull app:2", "pull app:2", "stop app:1", "destroy app:1", "create app:2", "start app:2"];
    assert_eq!(asked(&node), [&first[..], &then[..]].concat());
}

#[test]
fn an_update_whose_image_is_not_to_be_had_is_taken_back_and_nothing_is_stopped() {
    let (node, name, id) = running("missing");
    let old = settled(&node, &id, 1, "app:1");
    let error = json!({"code": "denied", "message": "who are you?"});
    node.mock().script(&json!({"rules": [{"op": "pull", "image": "app:2", "error": error}]}));
    node.http().update(&id, &blueprint(&name, "app:2")).expect(202);
    assert_eq!(settled(&node, &id, 3, "app:1"), old);
    let pulls = vec!["pull app:2".to_owned(); 4];
    assert_eq!(asked(&node)[3..], pulls);
    let events = node.http().get(&format!("/v1/service/{id}/events?limit=1000")).expect(200).json();
    let mut events = events.as_array().expect("events").iter();
    let reverted = events.find(|event| event["kind"] == "reverted").expect("it is taken back");
    let text = "revision 2 is taken back as revision 3: app-0 did not come to run: fetch failed: who are you?; given up \
                after 3 attempts";
    assert_eq!(reverted["text"], text);
}

#[test]
fn a_first_start_waits_for_its_image_and_says_why() {
    let node = NodeUnderTest::builder().plugins(&["mock"]).start();
    node.wait_engine("mock");
    let error = json!({"code": "unreachable", "message": "registry.local does not answer"});
    node.mock().script(&json!({"rules": [{"op": "pull", "times": 2, "error": error}]}));
    let name = node.unique("first");
    let service = node.http().deploy(&blueprint(&name, "app:1")).expect(201).json();
    let id = service["id"].as_str().expect("a service has an id");
    let said = |service: &Value| (service["reason"].clone(), service["state_message"].clone());
    let text = "fetch failed: registry.local does not answer; it is tried again";
    wait_for(SOON, || match node.service(id) {
        service if said(&service) == (json!("pull.network"), json!(text)) => Ok(()),
        service => Err(format!("it says why; it is {service:#}")),
    });
    settled(&node, id, 1, "app:1");
}
