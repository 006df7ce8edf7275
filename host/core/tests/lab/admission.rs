//! Who gets what a node has: amounts, exclusive capabilities, engines; and the reasons of those who wait.

use motey_core::capability::Supply;
use motey_core::project::State;
use motey_core::spec::{Params, Restart};
use motey_core::step::Request;

use crate::blueprint::{capability, deploy, engine_name, image, on, restarts, service, taking, times, with};
use crate::node::Lab;

#[test]
fn replicas_that_fit_in_part_run_in_part() {
    let (mut lab, id, big) = (Lab::new(), service(1), service(2));
    lab.offer([capability("memory", Supply::Amount(100))]);
    lab.ask(deploy(big, [taking("memory", 30, image("big"))]));
    lab.ask(deploy(id, [times(3, taking("memory", 30, image("web")))]));
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.live(id).len(), lab.state(id)), (2, State::Initial));
    assert_eq!(
        lab.said(id),
        "waiting.capability: degraded 2/3: 30 B of memory are wanted, 10 B of 100 B are free"
    );
    lab.ask(Request::Delete(big));
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.live(id).len(), lab.state(id)), (3, State::Running));
}

#[test]
fn what_waits_starts_when_more_is_offered() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [taking("memory", 30, image("web"))]));
    assert_eq!(lab.said(id), "waiting.capability: nothing offers the capability memory");
    lab.check_rest();
    lab.offer([capability("memory", Supply::Amount(29))]);
    assert_eq!(lab.said(id), "waiting.capability: 30 B of memory are wanted, 29 B of 29 B are free");
    lab.offer([capability("memory", Supply::Amount(30))]);
    lab.rest();
    assert_eq!(lab.state(id), State::Running);
    lab.check_rest();
}

/// After a restart an engine may be heard of before the capabilities are.
#[test]
fn what_was_refused_is_offered_again_as_soon_as_there_is_room() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.offer([capability("memory", Supply::Amount(30))]);
    lab.ask(deploy(id, [taking("memory", 30, image("web"))]));
    lab.rest();
    lab.ask(Request::Restart(id));
    lab.crash(false);
    lab.boot();
    lab.list(&engine_name("process"));
    lab.settle();
    assert_eq!(lab.state(id), State::Initial, "the node does not know of its memory yet");
    lab.offer(lab.capabilities.clone());
    lab.settle();
    assert_eq!(lab.state(id), State::Running, "no time has passed");
    lab.rest();
    lab.check_rest();
}

#[test]
fn an_exclusive_capability_has_one_holder() {
    let (mut lab, first, second) = (Lab::new(), service(1), service(2));
    lab.offer([capability("dongle", Supply::Exclusive)]);
    lab.ask(deploy(first, [with("dongle", image("web"))]));
    lab.ask(deploy(second, [with("dongle", image("web"))]));
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.state(first), lab.state(second)), (State::Running, State::Initial));
    assert_eq!(lab.said(second), "waiting.capability: fog-1: dongle is held by lab/web");
    lab.ask(Request::Delete(first));
    assert_eq!(lab.state(second), State::Initial, "not before its holder is seen gone");
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.state(first), lab.state(second)), (State::Terminated, State::Running));
}

#[test]
fn an_exclusive_capability_survives_the_restart_of_its_holder() {
    let (mut lab, first, second) = (Lab::new(), service(1), service(2));
    lab.offer([capability("dongle", Supply::Exclusive)]);
    lab.ask(deploy(first, [with("dongle", image("web"))]));
    lab.ask(deploy(second, [with("dongle", image("web"))]));
    lab.rest();
    lab.ask(Request::Restart(first));
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.state(first), lab.state(second)), (State::Running, State::Initial));
}

#[test]
fn what_runs_is_kept_when_its_capability_goes() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.offer([capability("dongle", Supply::Exclusive), capability("memory", Supply::Amount(50))]);
    lab.ask(deploy(id, [with("dongle", image("web")), taking("memory", 40, image("db"))]));
    lab.rest();
    let live = lab.live(id);
    lab.offer([]);
    lab.rest();
    lab.restart();
    lab.rest();
    lab.exits(id, "web-0", 1);
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.live(id), lab.state(id)), (live, State::Running));
}

/// A shared capability leaves no lease behind: that it runs is all that speaks for it.
#[test]
fn what_shares_a_capability_that_went_is_kept_by_the_next_life_too() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.offer([capability("licence", Supply::Shared)]);
    lab.ask(deploy(id, [with("licence", image("web"))]));
    lab.rest();
    let live = lab.live(id);
    lab.offer([]);
    lab.restart();
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.live(id), lab.state(id)), (live, State::Running));
}

#[test]
fn the_reasons_of_engines_are_said() {
    let (mut lab, id) = (Lab::new(), service(1));
    let params = Params { working_dir: Some("/srv".into()), ..Params::default() };
    let demanding = motey_core::spec::ImageSpec { params, ..image("web") };
    lab.ask(deploy(id, [on("docker", image("web"))]));
    assert_eq!(lab.said(id), "waiting.engine: the engine docker is not here");
    lab.engine().features.clear();
    lab.list(&engine_name("process"));
    lab.ask(deploy(service(2), [demanding]));
    assert_eq!(lab.said(service(2)), "engine.unsupported: the engine process cannot honour working_dir");
    lab.engine_down();
    lab.ask(deploy(service(3), [image("web")]));
    assert_eq!(lab.said(service(3)), "engine.down: the engine process does not answer: connection refused");
    lab.rest();
    lab.check_rest();
    lab.add_engine("docker");
    lab.rest();
    assert_eq!([1, 2, 3].map(|n| lab.state(service(n))), [State::Running; 3]);
}

#[test]
fn every_reason_of_a_wait_is_said_at_once() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [on("docker", with("dongle", taking("memory", 5, image("web"))))]));
    assert_eq!(
        lab.said(id),
        "waiting.engine: the engine docker is not here; nothing offers the capability memory; \
         nothing offers the capability dongle"
    );
}

#[test]
fn a_slot_keeps_its_engine_though_a_better_one_comes() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [image("web")]));
    lab.rest();
    let live = lab.live(id);
    lab.add_engine("apptainer");
    lab.exits(id, "web-0", 1);
    lab.rest();
    assert_eq!(lab.live(id), live);
}

#[test]
fn what_waits_for_something_promised_to_another_slot_says_so() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.offer([capability("dongle", Supply::Exclusive)]);
    lab.ask(deploy(id, [times(2, with("dongle", image("web"))), restarts(Restart::Never, image("job"))]));
    lab.rest();
    lab.exits(id, "job-0", 1);
    lab.rest();
    lab.ask(Request::Start(id));
    let reason = lab.status(id).images[0].slots[1].reason.clone().map(|reason| reason.text);
    let text = "what it needs is free, and promised to another slot that is about to take it";
    assert_eq!(reason.as_deref(), Some(text));
    lab.rest();
    lab.check_rest();
    assert_eq!(lab.said(id), "waiting.capability: degraded 1/2: fog-1: dongle is held by lab/web");
}
