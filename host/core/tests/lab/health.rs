//! What follows from the checks of an instance: it is healthy, it is not yet, it is started again.

use motey_core::id::ServiceId;
use motey_core::instance::Seen;
use motey_core::project::State;
use motey_core::record::InstanceKey;
use motey_core::spec::{Health, ImageSpec, Probe, Ready, Restart};
use motey_core::step::{EventKind, Input, Request};

use crate::blueprint::{deploy, image, restarts, service, spec};
use crate::engine::{Mishap, Verb};
use crate::node::Lab;

fn checked(key: &str) -> ImageSpec {
    ImageSpec { health: Some(Health::of(Probe::Tcp { port: 80 })), ..image(key) }
}

/// A node with one checked instance, which is healthy.
fn healthy(image: ImageSpec) -> (Lab, ServiceId, InstanceKey) {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [image]));
    lab.settle();
    let key = lab.at(id, "web-0");
    assert_eq!((lab.state(id), lab.said(id)), (State::Running, String::new()));
    (lab, id, key)
}

#[test]
fn it_runs_when_its_check_is_passed() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [checked("web")]));
    while lab.checks.is_empty() {
        lab.one_call();
    }
    let key = lab.at(id, "web-0");
    assert_eq!(lab.state(id), State::Instantiating);
    assert_eq!(lab.said(id), "health.waiting: it has not passed its check yet");
    lab.sick.insert(key.clone());
    lab.one_check();
    assert_eq!(lab.said(id), "health.waiting: it has not passed its check yet: answered 500");
    lab.sick.clear();
    let due = lab.core.next_due().expect("the next check");
    assert!(due <= lab.now.after(2_000) && due.0.is_multiple_of(1_000), "it is asked again soon: {due:?}");
    lab.pass(2_000);
    assert_eq!((lab.state(id), lab.said(id)), (State::Running, String::new()));
    assert_eq!((lab.disk.count(EventKind::Started), lab.disk.count(EventKind::Healthy)), (1, 1));
    let due = lab.core.next_due().expect("the next check");
    assert!(due > lab.now.after(5_000), "and now as often as was asked for: {due:?}");
}

#[test]
fn without_a_check_nothing_is_woken() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [image("web")]));
    lab.settle();
    assert_eq!((lab.state(id), lab.core.next_due(), lab.checks.len()), (State::Running, None, 0));
}

#[test]
fn what_does_not_pass_its_check_is_started_again_after_a_wait() {
    let (mut lab, id, key) = healthy(checked("web"));
    lab.pass(60_000);
    lab.sick.insert(key.clone());
    lab.pass(19_000);
    assert_eq!((lab.state(id), lab.engine().asked(Verb::Stop)), (State::Running, 0), "two failures are few");
    while lab.engine().asked(Verb::Stop) == 0 {
        lab.pass(1_000);
    }
    lab.sick.clear();
    assert_eq!((lab.state(id), lab.engine().asked(Verb::Start)), (State::Instantiating, 1));
    assert_eq!(
        lab.said(id),
        "restart.backoff: it did not pass its check 3 times in a row: answered 500; attempt 1 of 10 follows"
    );
    lab.pass(3_000);
    assert_eq!((lab.state(id), lab.at(id, "web-0")), (State::Running, key), "the same instance");
    assert_eq!((lab.disk.count(EventKind::Unhealthy), lab.disk.count(EventKind::Exited)), (1, 0));
    assert_eq!(lab.status(id).images[0].slots[0].restarts, 1);
}

#[test]
fn failures_before_its_time_to_start_has_passed_do_not_count() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [checked("web")]));
    while lab.checks.is_empty() {
        lab.one_call();
    }
    let key = lab.at(id, "web-0");
    lab.sick.insert(key);
    lab.pass(48_000);
    assert_eq!((lab.state(id), lab.engine().asked(Verb::Stop)), (State::Instantiating, 0));
    lab.pass(20_000);
    assert_eq!(lab.engine().asked(Verb::Stop), 1);
}

#[test]
fn a_success_in_between_begins_the_count_anew() {
    let (mut lab, id, key) = healthy(checked("web"));
    lab.pass(60_000);
    for _ in 0..10 {
        lab.sick.insert(key.clone());
        lab.pass(20_000);
        lab.sick.clear();
        lab.pass(10_000);
    }
    assert_eq!((lab.state(id), lab.engine().asked(Verb::Stop)), (State::Running, 0));
}

#[test]
fn one_that_is_never_healthy_is_given_up_however_long_it_runs() {
    let (mut lab, id) = (Lab::new(), service(1));
    let slow = Health { start: 600_000, ..Health::of(Probe::Tcp { port: 80 }) };
    lab.ask(deploy(id, [ImageSpec { health: Some(slow), ..image("web") }]));
    while lab.checks.is_empty() {
        lab.one_call();
    }
    let key = lab.at(id, "web-0");
    lab.sick.insert(key);
    (0..50).for_each(|_| lab.pass(600_000));
    assert_eq!(lab.state(id), State::Error);
    assert_eq!(
        lab.said(id),
        "health.failed: it did not pass its check 3 times in a row: answered 500; given up after 10 attempts"
    );
    assert_eq!(lab.engine().asked(Verb::Start), 11);
    lab.rest();
    lab.check_rest();
}

#[test]
fn the_rule_for_restarts_holds_for_it_too() {
    let (mut lab, id, key) = healthy(restarts(Restart::Never, checked("web")));
    lab.sick.insert(key);
    lab.pass(80_000);
    assert_eq!(lab.said(id), "health.failed: it did not pass its check 3 times in a row: answered 500");
    lab.rest();
    lab.check_rest();
}

#[test]
fn while_its_engine_is_down_nothing_is_concluded() {
    let (mut lab, id, key) = healthy(checked("web"));
    lab.pass(60_000);
    lab.sick.insert(key.clone());
    while lab.checks.is_empty() {
        lab.now = lab.now.after(1_000);
        lab.tick();
    }
    lab.engine_down();
    lab.pass(600_000);
    assert_eq!((lab.checks.len(), lab.engine().asked(Verb::Stop)), (0, 0), "none is asked for");
    lab.sick.clear();
    let name = lab.engine().name.clone();
    lab.list(&name);
    lab.pass(60_000);
    assert_eq!((lab.state(id), lab.engine().asked(Verb::Stop)), (State::Running, 0));
}

#[test]
fn what_is_frozen_is_not_asked_and_a_late_answer_is_not_about_its_next_life() {
    let (mut lab, id, key) = healthy(checked("web"));
    lab.becomes(&key, Seen::Paused);
    lab.pass(60_000);
    assert_eq!((lab.checks.len(), lab.core.next_due()), (0, None));
    lab.becomes(&key, Seen::Running);
    lab.settle();
    while lab.checks.is_empty() {
        lab.now = lab.now.after(1_000);
        lab.tick();
    }
    let asked = lab.checks.pop_front().expect("a check is under way");
    lab.exits(id, "web-0", 1);
    lab.pass(2_000);
    assert_eq!((lab.engine().asked(Verb::Start), lab.checks.len()), (2, 0), "one at a time");
    assert_eq!(lab.state(id), State::Instantiating);
    lab.input(&Input::Checked { check: asked.id, key, result: Ok(()) });
    assert_eq!(lab.state(id), State::Instantiating, "that was about the life before");
    lab.settle();
    assert_eq!(lab.state(id), State::Running);
}

#[test]
fn a_stop_that_fails_is_tried_again() {
    let (mut lab, id, key) = healthy(checked("web"));
    lab.engine().fails(Verb::Stop, Mishap::Fails(motey_core::step::EngineErrorKind::Failed));
    lab.sick.insert(key);
    lab.pass(70_000);
    lab.sick.clear();
    lab.pass(10_000);
    assert_eq!((lab.engine().asked(Verb::Stop), lab.state(id)), (2, State::Running));
}

#[test]
fn what_comes_after_waits_for_the_check() {
    let (mut lab, id) = (Lab::new(), service(1));
    let web = ImageSpec { after: vec![("db".parse().expect("a key"), Ready::Healthy)], ..image("web") };
    lab.ask(deploy(id, [web, checked("db")]));
    while lab.checks.is_empty() {
        lab.one_call();
    }
    let db = lab.at(id, "db-0");
    lab.sick.insert(db);
    lab.pass(20_000);
    assert_eq!(lab.said(id), "waiting.dependency: it comes after db: waits until that passes its check");
    lab.sick.clear();
    lab.pass(2_000);
    assert_eq!((lab.state(id), lab.live(id).len()), (State::Running, 2));
}

#[test]
fn an_update_that_never_passes_its_check_is_taken_back() {
    let (mut lab, id, _) = healthy(checked("web"));
    let bad = ImageSpec { image: "/bin/bad".into(), ..restarts(Restart::Never, checked("web")) };
    lab.ask(Request::Update { id, spec: spec([bad]) });
    while lab.checks.is_empty() {
        lab.one_call();
    }
    let key = lab.at(id, "web-0");
    lab.sick.insert(key.clone());
    lab.pass(15_000);
    assert!(lab.record(id).previous.is_some(), "running is not enough");
    lab.pass(80_000);
    assert_ne!(lab.at(id, "web-0"), key);
    assert_eq!((lab.state(id), lab.record(id).revision.order.number), (State::Running, 3));
    assert_eq!(lab.disk.count(EventKind::Reverted), 1);
}
