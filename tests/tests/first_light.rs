//! The thin slice through every layer, on a real node: deploy, survive the host's death, leave nothing behind.

use std::collections::BTreeMap;

use motey_tests::{NodeUnderTest, Process, SOON, wait_for, wait_until};
use serde_json::{Value, json};

/// Two images of real programs, one of them twice. The mark in the environment makes them ours whatever they do.
fn two_images(node: &NodeUnderTest, name: &str) -> String {
    format!(
        "service_name: {name}\n\
         images:\n\
         \x20 - name: sleep\n\
         \x20   key: sleeper\n\
         \x20   engine: process\n\
         \x20   replicas: 2\n\
         \x20   parameters:\n\
         \x20     command: [\"86400\"]\n\
         \x20     environment: {{ MARK: {mark:?} }}\n\
         \x20 - name: /bin/sh\n\
         \x20   key: talker\n\
         \x20   engine: process\n\
         \x20   parameters:\n\
         \x20     command: [-c, \"echo hello from the talker; exec sleep 86401\"]\n\
         \x20     environment: {{ MARK: {mark:?} }}\n",
        mark = node.mark(),
    )
}

fn mock_service(name: &str, replicas: u16) -> String {
    format!(
        "service_name: {name}\nimages:\n  - {{ name: \"img:1\", key: app, engine: mock, replicas: {replicas} }}\n"
    )
}

/// Posts a blueprint, waits until it runs, and returns its id.
#[track_caller]
fn deploy(node: &NodeUnderTest, blueprint: &str) -> String {
    let answer = node.http().deploy(blueprint).expect(201);
    let service = answer.json();
    let id = service["id"].as_str().expect("a service has an id").to_owned();
    assert_eq!(answer.header("location"), Some(format!("/v1/service/{id}").as_str()));
    node.wait_state(&id, "RUNNING");
    id
}

/// The programs by their instance. A shell that has not become its program yet is waited for.
#[track_caller]
fn by_instance(node: &NodeUnderTest) -> BTreeMap<String, Process> {
    let programs = wait_for(SOON, || {
        let programs = node.programs();
        match programs.iter().find(|it| it.arguments.first().is_some_and(|program| program == "/bin/sh")) {
            None => Ok(programs),
            Some(shell) => Err(format!("every shell has become its program; there is {shell:?}")),
        }
    });
    programs.into_iter().filter_map(|it| Some((it.instance()?.to_owned(), it))).collect()
}

/// Every instance in the answer about a service.
fn instances(service: &Value) -> Vec<&Value> {
    list(&service["images"]).flat_map(|image| list(&image["instances"])).collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[track_caller]
fn delete(node: &NodeUnderTest, id: &str) {
    node.http().delete(&format!("/v1/service/{id}")).expect(202);
    wait_for(SOON, || match node.http().get(&format!("/v1/service/{id}")) {
        answer if answer.status == 410 => {
            assert_eq!(answer.json()["state"], "TERMINATED");
            Ok(())
        }
        answer => Err(format!("the service {id} is gone; it is {}", answer.text())),
    });
}

#[test]
fn a_posted_blueprint_runs_and_a_delete_leaves_nothing_behind() {
    let node = NodeUnderTest::builder().plugins(&["process", "host-facts"]).start();
    node.wait_engine("process");
    let name = node.unique("light");
    let before = node.snapshot(&[&name]);
    let id = deploy(&node, &two_images(&node, &name));

    let service = node.service(&id);
    assert_eq!(service["service_name"], name.as_str());
    assert_eq!(instances(&service).len(), 3, "{service:#}");
    let programs = by_instance(&node);
    assert_eq!(programs.len(), 3, "{programs:#?}");
    assert!(programs.keys().all(|instance| instance.starts_with(&name)), "{programs:#?}");
    assert_ne!(node.snapshot(&[&name]), before, "a snapshot that sees nothing proves nothing");

    delete(&node, &id);
    let listed = node.http().get("/v1/service").expect(200).json();
    assert_eq!(listed.as_array().map(Vec::len), Some(0), "a deleted service leaves the list: {listed:#}");
    node.wait_as_before(&before, &[&name]);
}

#[test]
fn a_killed_host_finds_its_instances_and_touches_none() {
    let mut node = NodeUnderTest::builder().plugins(&["process"]).start();
    let id = deploy(&node, &two_images(&node, &node.unique("adopt")));
    let before = by_instance(&node);

    for _ in 0..3 {
        node.kill9();
        assert_eq!(by_instance(&node), before, "instances outlive the host");
        node.start();
        let service = node.wait_state(&id, "RUNNING");
        assert_eq!(by_instance(&node), before, "neither restarted nor doubled");
        assert!(instances(&service).iter().all(|it| it["restarts"] == 0), "{service:#}");
    }
    delete(&node, &id);
    wait_until(SOON, "no program is left", || node.processes().is_empty());
}

#[test]
fn an_instance_that_died_while_the_host_was_away_is_started_again() {
    let mut node = NodeUnderTest::builder().plugins(&["process"]).start();
    let id = deploy(&node, &two_images(&node, &node.unique("again")));
    let before = by_instance(&node);
    let (victim, process) = before.iter().next().expect("three instances run");

    node.kill9();
    process.kill();
    node.start();
    let after = wait_for(SOON, || match by_instance(&node) {
        now if now.len() == before.len() && now[victim] != *process => Ok(now),
        now => Err(format!("{victim} runs again; what runs is {now:#?}")),
    });
    node.wait_state(&id, "RUNNING");
    let untouched = |instances: &BTreeMap<String, Process>| {
        let mut others = instances.clone();
        others.remove(victim);
        others
    };
    assert_eq!(untouched(&after), untouched(&before));
}

#[test]
fn an_instance_that_dies_is_started_again() {
    let node =
        NodeUnderTest::builder().plugins(&["process"]).config("[node]\nrestart_delay = \"10ms\"").start();
    let id = deploy(&node, &two_images(&node, &node.unique("death")));
    let before = by_instance(&node);
    let (victim, process) = before.iter().next().expect("three instances run");
    process.kill();
    wait_for(SOON, || match by_instance(&node).get(victim) {
        Some(now) if now != process => Ok(()),
        other => Err(format!("{victim} runs again; it is {other:#?}")),
    });
    let service = node.wait_state(&id, "RUNNING");
    let restarts: u64 = instances(&service).iter().filter_map(|it| it["restarts"].as_u64()).sum();
    assert_eq!(restarts, 1, "{service:#}");
    let now = by_instance(&node);
    for it in instances(&service) {
        let name = it["name"].as_str().expect("what runs has a name");
        assert_eq!(it["pid"], now[name].pid, "{service:#}");
    }
}

#[test]
fn the_host_may_die_between_the_engines_deed_and_its_answer() {
    let mut node = NodeUnderTest::builder().plugins(&["mock"]).start();
    let name = node.unique("gap");
    node.mock().script(&json!({"rules": [
        {"op": "create", "when": "after", "times": 1, "exit_host": true},
    ]}));
    // the answer may be lost with the host: the id is in the list afterwards
    let _ = node.http().send(
        "POST",
        "/v1/service",
        Some("application/x-yaml"),
        mock_service(&name, 3).as_bytes(),
    );
    node.wait_ended();
    assert!(!node.mock().instances().is_empty(), "the engine had done it");

    node.mock().script(&json!({}));
    node.start();
    let listed = node.http().get("/v1/service").expect(200).json();
    let id = listed[0]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("what was called was committed: {listed:#}"))
        .to_owned();
    node.wait_state(&id, "RUNNING");
    let instances = node.mock().instances();
    assert_eq!(instances.len(), 3, "none lost, none doubled: {instances:#?}");
    assert!(instances.keys().all(|instance| instance.starts_with(&name)));

    delete(&node, &id);
    wait_until(SOON, "the engine holds nothing", || node.mock().instances().is_empty());
}

#[test]
fn an_engines_error_is_told_and_a_later_start_mends_it() {
    let node = NodeUnderTest::builder().plugins(&["mock"]).config("[node]\nrestart_delay = \"10ms\"").start();
    node.mock().script(&json!({"rules": [
        {"op": "start", "times": 2, "error": {"code": "unavailable", "message": "the engine is in a mood"}},
    ]}));
    deploy(&node, &mock_service(&node.unique("mood"), 1));
    let outcomes: Vec<String> = node.mock().calls_of("start").into_iter().map(|call| call.outcome).collect();
    assert_eq!(outcomes, ["unavailable", "unavailable", "ok"]);
}

#[test]
fn tcp_asks_for_the_token_and_the_socket_does_not() {
    let node = NodeUnderTest::builder().plugins(&["mock"]).start();
    let bare = motey_tests::Http::tcp(node.tcp_address());
    assert_eq!(bare.get("/v1/service").status, 401);
    assert_eq!(bare.clone().with("Authorization", "Bearer wrong").get("/v1/service").status, 401);
    node.tcp().get("/v1/service").expect(200);
    node.http().get("/v1/service").expect(200);
    let posted = node.tcp().deploy(&mock_service(&node.unique("tcp"), 1)).expect(201);
    assert!(posted.header("location").is_some());
}

#[test]
fn a_damaged_plugin_is_refused_with_a_reason_and_the_node_goes_on() {
    let node = NodeUnderTest::builder()
        .plugins(&["mock"])
        .file("libtext.so", b"no library at all")
        .file("libempty.so", b"")
        .start();
    deploy(&node, &mock_service(&node.unique("on"), 1));
    let plugins = node.http().get("/v1/plugins").expect(200).json();
    let text = plugins.to_string();
    for name in ["libtext.so", "libempty.so"] {
        let refused = plugins.as_array().into_iter().flatten().find(|it| it.to_string().contains(name));
        let refused = refused.unwrap_or_else(|| panic!("{name} is listed: {text}"));
        assert_eq!(refused["state"], "rejected", "{refused:#}");
        assert!(refused["reason"].is_object() || refused["reason"].is_string(), "{refused:#}");
    }
}
