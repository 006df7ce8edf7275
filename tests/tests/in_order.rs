//! Jobs, images that come after others, and an image on every node, as real programs.

use std::fs;

use motey_tests::{NodeUnderTest, SOON, wait_for};
use serde_json::Value;

/// The image of that key, as the service shows it.
fn image(service: &Value, key: &str) -> Value {
    let images = service["images"].as_array().expect("images");
    images.iter().find(|image| image["key"] == key).expect("it is there").clone()
}

fn count(node: &NodeUnderTest, id: &str, kind: &str, slot: &str) -> usize {
    let events = node.http().get(&format!("/v1/service/{id}/events?limit=1000")).expect(200).json();
    let of = |event: &&Value| event["kind"] == kind && event["slot"] == slot;
    events.as_array().expect("events").iter().filter(of).count()
}

#[test]
fn what_comes_after_a_job_waits_until_its_work_is_done_and_once_is_enough() {
    let mut node = NodeUnderTest::builder().plugins(&["process"]).start();
    node.wait_engine("process");
    let done = node.root().join("done");
    let blueprint = format!(
        "service_name: {}\n\
         images:\n\
         \x20 - {{ name: sleep, key: web, engine: process, depends_on: {{ fill: completed }},\n\
         \x20     parameters: {{ command: [\"86400\"], environment: {{ MARK: {mark:?} }} }} }}\n\
         \x20 - {{ name: sh, key: fill, engine: process, run: job,\n\
         \x20     parameters: {{ command: [-c, \"until [ -e {done} ]; do sleep 0.05; done\"],\n\
         \x20         environment: {{ MARK: {mark:?} }} }} }}\n\
         \x20 - {{ name: sleep, key: agent, engine: process, replicas: every-node,\n\
         \x20     parameters: {{ command: [\"86400\"], environment: {{ MARK: {mark:?} }} }} }}\n",
        node.unique("order"),
        mark = node.mark(),
        done = done.display(),
    );
    let id = node.http().deploy(&blueprint).expect(201).json()["id"].as_str().expect("an id").to_owned();
    wait_for(SOON, || match node.service(&id) {
        service if image(&service, "fill")["state"] == "RUNNING" => Ok(()),
        service => Err(format!("the job is at work; it is {service:#}")),
    });
    node.kill9();
    node.start();
    let service = node.service(&id);
    let web = image(&service, "web");
    assert_eq!((&web["state"], &web["reason"]), (&"INITIAL".into(), &"waiting.dependency".into()), "{web:#}");

    fs::write(&done, "").expect("a file");
    let service = node.wait_state(&id, "RUNNING");
    assert_eq!(image(&service, "fill")["state"], "TERMINATED", "{service:#}");
    assert_eq!(image(&service, "web")["running"], 1, "{service:#}");
    let agent = image(&service, "agent");
    let node_id = agent["instances"][0]["node"].as_str().expect("a node");
    assert_eq!((&agent["replicas"], &agent["running"]), (&"every-node".into(), &1.into()), "{agent:#}");
    assert_eq!(agent["instances"][0]["slot"], format!("agent@{node_id}"));
    node.http().get(&format!("/v1/service/{id}/logs?image=agent&slot={node_id}&tail=1")).expect(200);

    // what is done stays done
    node.kill9();
    node.start();
    node.wait_engine("process");
    let service = node.wait_state(&id, "RUNNING");
    assert_eq!(image(&service, "fill")["state"], "TERMINATED", "{service:#}");
    assert_eq!(count(&node, &id, "succeeded", "fill-0"), 1);
    assert_eq!(count(&node, &id, "assigned", "fill-0"), 1);
    let scale = br#"{"image": "agent", "replicas": 2}"#;
    let refused = node.http().post(&format!("/v1/service/{id}/scale"), "application/json", scale);
    assert_eq!(refused.expect(409).json()["type"], "urn:motey:problem:not-counted");
    node.http().delete(&format!("/v1/service/{id}")).expect(202);
    wait_for(SOON, || match node.service(&id) {
        service if service["state"] == "TERMINATED" => Ok(()),
        service => Err(format!("nothing of it is left; it is {service:#}")),
    });
}
