//! A new blueprint for a service that runs: what changed is replaced, what did not is not touched, also when the host
//! dies on the way. And a node that is to take on nothing new.

use std::{collections::BTreeMap, fs, process::Command};

use motey_tests::{NodeUnderTest, Process, SOON, motey, wait_for};
use serde_json::{Value, json};

/// Two images on the mock engine: `side` with so many slots, and two slots of `app`, made from `image`.
fn mocked(name: &str, side: u16, image: &str) -> String {
    format!(
        "service_name: {name}\n\
         images:\n\
         \x20 - {{ name: \"side:1\", key: side, engine: mock, replicas: {side} }}\n\
         \x20 - {{ name: {image:?}, key: app, engine: mock, replicas: 2 }}\n"
    )
}

/// Two real programs, each once; `app` sleeps for so many seconds.
fn programs(node: &NodeUnderTest, name: &str, seconds: u32) -> String {
    let image = |key: &str, seconds: u32| {
        format!(
            "  - name: sleep\n    key: {key}\n    engine: process\n    \
             parameters: {{ command: [\"{seconds}\"], environment: {{ MARK: {:?} }} }}\n",
            node.mark()
        )
    };
    format!("service_name: {name}\nimages:\n{}{}", image("side", 86_400), image("app", seconds))
}

#[track_caller]
fn deploy(node: &NodeUnderTest, blueprint: &str) -> String {
    let service = node.http().deploy(blueprint).expect(201).json();
    let id = service["id"].as_str().expect("a service has an id").to_owned();
    node.wait_state(&id, "RUNNING");
    id
}

type Instances = BTreeMap<String, Value>;

fn of_image(instances: &Instances, image: &str) -> Instances {
    let of = |record: &Value| record["request"]["labels"]["motey.image"] == image;
    instances.iter().filter(|(_, record)| of(record)).map(|(name, it)| (name.clone(), it.clone())).collect()
}

/// Waits until everything that is there runs, and is made as wanted: so many of `side`, two of `app` from `image`.
#[track_caller]
fn settled(node: &NodeUnderTest, id: &str, side: usize, image: &str) -> Instances {
    let settled = wait_for(SOON, || {
        let all = node.mock().instances();
        let apps = of_image(&all, "app");
        let made = apps.len() == 2 && apps.values().all(|record| record["request"]["image"] == image);
        match made && all.len() == side + 2 && node.mock().running().len() == all.len() {
            true => Ok(all),
            false => Err(format!("{side} of side and two of {image} run; there is {all:#?}")),
        }
    });
    node.wait_state(id, "RUNNING");
    settled
}

#[test]
fn what_changed_is_replaced_and_what_did_not_is_not_started_again() {
    let mut node = NodeUnderTest::builder().plugins(&["mock"]).start();
    let name = node.unique("update");
    let id = deploy(&node, &mocked(&name, 2, "app:1"));
    let before = settled(&node, &id, 2, "app:1");

    // the host dies when the first of the old instances is stopped
    node.mock().script(&json!({"rules": [{"op": "stop", "when": "after", "times": 1, "exit_host": true}]}));
    let second = mocked(&name, 3, "app:2");
    // the answer may be lost with the host
    let _ =
        node.http().send("PUT", &format!("/v1/service/{id}"), Some("application/x-yaml"), second.as_bytes());
    node.wait_ended();
    node.mock().script(&json!({}));
    node.start();
    let after = settled(&node, &id, 3, "app:2");

    let (old, new) = (of_image(&before, "app"), of_image(&after, "app"));
    assert!(old.keys().all(|instance| !new.contains_key(instance)), "{old:#?} {new:#?}");
    for (instance, record) in of_image(&before, "side") {
        assert_eq!(after[&instance]["starts"], record["starts"], "{instance} was not touched");
    }
    let made = |of: &str| of_image(&after, of).into_values().map(|it| it["request"]["labels"].clone());
    let revisions = |of: &str, number: &str| {
        made(of).filter(|it| it["motey.revision"].as_str().is_some_and(|it| it.starts_with(number))).count()
    };
    assert_eq!((revisions("side", "1."), revisions("app", "2.")), (3, 2), "{after:#?}");
    assert_eq!(node.service(&id)["revision"], 2);

    // asked again, and after another death, it is what it was
    assert_eq!(node.http().update(&id, &second).expect(202).json()["revision"], 2);
    node.kill9();
    node.start();
    node.wait_engine("mock");
    assert_eq!(settled(&node, &id, 3, "app:2"), after);
}

/// The programs by the image of their instance.
fn by_image(node: &NodeUnderTest, name: &str) -> BTreeMap<String, Process> {
    let image = |it: &Process| {
        let rest = it.instance()?.strip_prefix(name)?.trim_start_matches('-').to_owned();
        Some(rest.split('-').next()?.to_owned())
    };
    node.programs().into_iter().filter_map(|it| Some((image(&it)?, it))).collect()
}

#[test]
fn a_program_whose_image_did_not_change_keeps_its_process() {
    let mut node = NodeUnderTest::builder().plugins(&["process"]).start();
    let name = node.unique("pid");
    let file = node.root().join("blueprint.yaml");
    let apply = |node: &NodeUnderTest, seconds| {
        fs::write(&file, programs(node, &name, seconds)).expect("a file");
        let mut apply = Command::new(motey());
        apply.args(["apply", "-f"]).arg(&file).arg("--socket").arg(node.socket());
        let output = apply.output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        said
    };
    assert!(apply(&node, 86_401).contains("accepted"));
    let before = by_image(&node, &name);
    assert_eq!(before.keys().collect::<Vec<_>>(), ["app", "side"], "{before:#?}");

    let id = node.http().get("/v1/service").expect(200).json()[0]["id"].as_str().expect("an id").to_owned();
    node.http().update(&id, &programs(&node, &name, 86_402)).expect(202);
    node.kill9();
    node.start();
    let after = wait_for(SOON, || match by_image(&node, &name) {
        now if now.len() == 2 && now["app"] != before["app"] => Ok(now),
        now => Err(format!("the app is another one; there is {now:#?}")),
    });
    assert_eq!(after["side"], before["side"]);
    node.wait_state(&id, "RUNNING");

    assert!(apply(&node, 86_402).contains("unchanged"));
    assert_eq!(by_image(&node, &name), after);
    assert!(apply(&node, 86_403).contains("updated"));
    let last = by_image(&node, &name);
    assert_eq!(last["side"], before["side"]);
    assert_ne!(last["app"], after["app"], "apply returns when the new one runs");
}

#[test]
fn an_image_may_go_to_another_engine() {
    let node = NodeUnderTest::builder().plugins(&["mock", "process"]).start();
    node.wait_engine("mock");
    node.wait_engine("process");
    let name = node.unique("engine");
    let image = "name: sleep, key: app, engine: mock, parameters: { command: [\"86400\"] }";
    let blueprint = format!("service_name: {name}\nimages: [{{ {image} }}]\n");
    let id = deploy(&node, &blueprint);
    node.http().update(&id, &blueprint.replace("mock", "process")).expect(202);
    let service = node.wait_state(&id, "RUNNING");
    assert_eq!(service["images"][0]["engine"], "process", "{service:#}");
    wait_for(SOON, || match node.mock().instances() {
        left if left.is_empty() => Ok(()),
        left => Err(format!("nothing is left on the old engine; there is {left:#?}")),
    });
    node.http().delete(&format!("/v1/service/{id}")).expect(202);
    wait_for(SOON, || match node.service(&id) {
        service if service["state"] == "TERMINATED" => Ok(()),
        service => Err(format!("its program is gone; it is {service:#}")),
    });
}

#[test]
fn a_cordon_is_kept_over_a_restart_and_lets_alone_what_runs() {
    let mut node = NodeUnderTest::builder().plugins(&["mock"]).start();
    let name = node.unique("cordon");
    let id = deploy(&node, &mocked(&name, 1, "app:1"));
    let before = settled(&node, &id, 1, "app:1");
    let take_on = |node: &NodeUnderTest, verb: &str| {
        let mut motey = Command::new(motey());
        motey.args(["node", verb, "--socket"]).arg(node.socket());
        assert!(motey.status().expect("it starts").success(), "{verb}");
    };
    take_on(&node, "cordon");
    node.restart();
    node.wait_engine("mock");
    let waiting = node.http().deploy(&mocked(&node.unique("new"), 1, "app:1")).expect(201).json();
    assert_eq!((&waiting["state"], &waiting["reason"]), (&json!("INITIAL"), &json!("waiting.node")));
    assert!(waiting["state_message"].as_str().is_some_and(|it| it.contains("cordoned")), "{waiting:#}");
    assert_eq!(settled(&node, &id, 1, "app:1"), before);

    take_on(&node, "uncordon");
    node.restart();
    node.wait_state(waiting["id"].as_str().expect("an id"), "RUNNING");
}
