//! Engines that are down, fail, lie, lose answers, or tell things twice, late and early.

use motey_core::instance::{Instance, Seen};
use motey_core::project::State;
use motey_core::record::{Fence, Incarnation, InstanceKey};
use motey_core::step::{EngineErrorKind as Kind, Input, Request};

use crate::blueprint::{deploy, engine_name, image, service, times};
use crate::engine::{Mishap, Verb, exited};
use crate::node::Lab;

fn running() -> (Lab, motey_core::id::ServiceId) {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [image("web")]));
    lab.rest();
    (lab, id)
}

#[test]
fn from_an_engine_that_is_down_nothing_is_concluded() {
    let (mut lab, id) = running();
    let key = lab.at(id, "web-0");
    lab.engine_down();
    assert_eq!(lab.state(id), State::Running, "the last that was seen");
    let slot = lab.status(id).images[0].slots[0].clone();
    assert_eq!(slot.reason.map(|reason| reason.code.as_str()), Some("engine.down"));
    lab.silently(&key, exited(1));
    lab.pass(600_000);
    let calls = lab.engine().calls.len();
    lab.ask(Request::Stop(id));
    lab.pass(600_000);
    assert_eq!((lab.engine().calls.len(), lab.state(id)), (calls, State::Stopping));
    lab.ask(Request::Start(id));
    lab.list(&engine_name("process"));
    lab.rest();
    lab.check_rest();
    assert_eq!(lab.state(id), State::Running);
}

#[test]
fn one_list_tells_what_happened_while_it_was_down() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [times(3, image("web"))]));
    lab.rest();
    let keys = lab.live(id);
    lab.engine_down();
    lab.silently(&keys[0], exited(1));
    lab.silently(&keys[1], Seen::Gone);
    lab.list(&engine_name("process"));
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.live(id), lab.state(id)), (keys, State::Running));
    assert_eq!(lab.engine().asked(Verb::Inspect), 0);
}

#[test]
fn a_call_that_failed_is_tried_again_after_a_look() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.engine().fails(Verb::Create, Mishap::Fails(Kind::Failed));
    lab.engine().fails(Verb::Start, Mishap::DoneAndTimedOut);
    lab.ask(deploy(id, [image("web")]));
    lab.settle();
    assert_eq!(lab.said(id), "engine.failed: create failed: Failed; attempt 1 of 10 follows");
    lab.rest();
    lab.check_rest();
    let calls: Vec<Verb> = lab.engine().calls.iter().map(|(verb, _)| *verb).collect();
    use Verb::{Create, Inspect, Start};
    assert_eq!(calls, [Create, Inspect, Create, Start, Inspect]);
}

#[test]
fn what_stays_wrong_is_given_up_at_once() {
    for (kind, said) in [
        (Kind::Invalid, "engine.invalid: create failed: Invalid"),
        (Kind::Unsupported, "engine.unsupported: create failed: Unsupported"),
    ] {
        let (mut lab, id) = (Lab::new(), service(1));
        lab.engine().fails(Verb::Create, Mishap::Fails(kind));
        lab.ask(deploy(id, [image("web")]));
        lab.rest();
        lab.check_rest();
        assert_eq!((lab.said(id).as_str(), lab.state(id)), (said, State::Error));
        assert_eq!(lab.engine().asked(Verb::Create), 1);
    }
}

#[test]
fn an_image_that_is_not_found_is_given_up_in_the_end() {
    let (mut lab, id) = (Lab::new(), service(1));
    for _ in 0..11 {
        lab.engine().fails(Verb::Create, Mishap::Fails(Kind::NotFound));
    }
    lab.ask(deploy(id, [image("web")]));
    lab.settle();
    assert_eq!(lab.said(id), "image.notfound: create failed: NotFound; attempt 1 of 10 follows");
    lab.rest();
    assert_eq!(lab.said(id), "image.notfound: create failed: NotFound; given up after 10 attempts");
    lab.check_rest();
}

#[test]
fn a_busy_engine_costs_no_attempt() {
    let (mut lab, id) = (Lab::new(), service(1));
    for _ in 0..50 {
        lab.engine().fails(Verb::Create, Mishap::Fails(Kind::Busy));
        lab.engine().fails(Verb::Start, Mishap::Fails(Kind::Unavailable));
    }
    lab.ask(deploy(id, [image("web")]));
    lab.rest();
    assert_eq!((lab.state(id), lab.now.0 >= 100_000), (State::Running, true));
    lab.check_rest();
}

#[test]
fn what_exists_already_is_adopted() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [image("web")]));
    let key = lab
        .record(id)
        .key(&"web-0".parse().expect("a slot"), lab.record(id).slots.values().next().expect("one").fence);
    let made = Instance {
        key: key.clone(),
        engine: engine_name("process"),
        handle: "web".into(),
        revision: None,
        seen: Seen::Running,
        message: None,
        pid: None,
        devices: Vec::new(),
        at: lab.now,
    };
    lab.engine().instances.insert(key, made);
    lab.settle();
    lab.check_rest();
    let calls: Vec<Verb> = lab.engine().calls.iter().map(|(verb, _)| *verb).collect();
    assert_eq!((lab.state(id), calls), (State::Running, vec![Verb::Create, Verb::Inspect]));
}

#[test]
fn a_name_that_is_taken_for_ever_is_no_storm() {
    let (mut lab, id) = (Lab::new(), service(1));
    for _ in 0..20 {
        lab.engine().fails(Verb::Create, Mishap::Fails(Kind::Conflict));
    }
    lab.ask(deploy(id, [image("web")]));
    lab.rest();
    lab.check_rest();
    assert_eq!(lab.state(id), State::Error);
    assert!(lab.engine().asked(Verb::Create) <= 12);
}

#[test]
fn an_engine_that_lies_is_no_storm() {
    for verb in [Verb::Create, Verb::Start, Verb::Stop, Verb::Destroy] {
        let (mut lab, id) = (Lab::new(), service(1));
        for _ in 0..5 {
            lab.engine().fails(verb, Mishap::Lies);
        }
        lab.ask(deploy(id, [image("web")]));
        lab.settle();
        assert!(lab.engine().asked(verb) <= 1, "{verb:?} is tried again after a wait");
        lab.rest();
        assert_eq!(lab.state(id), State::Running, "{verb:?}");
        let before = lab.engine().asked(verb);
        lab.ask(Request::Delete(id));
        lab.settle();
        assert!(lab.engine().asked(verb) <= before + 1, "{verb:?} is tried again after a wait");
        lab.rest();
        lab.check_rest();
        assert_eq!(lab.engine().asked(verb), 6);
    }
}

#[test]
fn deleted_while_its_create_is_lost_it_leaves_nothing() {
    for done in [true, false] {
        let (mut lab, id) = (Lab::new(), service(1));
        lab.ask(deploy(id, [image("web")]));
        lab.ask(Request::Delete(id));
        lab.lose_call(done);
        lab.rest();
        lab.check_rest();
        assert_eq!((lab.state(id), lab.instances().count()), (State::Terminated, 0));
    }
}

#[test]
fn lost_answers_are_found_again_whether_the_call_was_done_or_not() {
    for done in [true, false] {
        for nth in 0..6 {
            let (mut lab, id) = (Lab::new(), service(1));
            lab.ask(deploy(id, [image("web")]));
            let mut calls = 0;
            let mut lose = |lab: &mut Lab| {
                while !lab.calls.is_empty() {
                    if calls == nth {
                        lab.lose_call(done);
                    } else {
                        lab.one_call();
                    }
                    calls += 1;
                }
                lab.rest();
            };
            lose(&mut lab);
            assert_eq!(lab.state(id), State::Running);
            lab.check_rest();
            lab.ask(Request::Delete(id));
            lose(&mut lab);
            assert_eq!(lab.state(id), State::Terminated);
            lab.check_rest();
        }
    }
}

#[test]
fn an_event_told_twice_or_before_the_answer_changes_nothing() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [image("web")]));
    while let Some(call) = lab.calls.front().cloned() {
        let result = lab.engine().execute(&call, motey_core::id::Millis(0));
        let event = lab.engine().instances[&call.target.key].clone();
        lab.input(&Input::Instance(event.clone()));
        lab.calls.pop_front();
        let answer = Input::Answered { call: call.id, key: call.target.key, result };
        lab.input(&answer);
        lab.input(&answer);
        lab.input(&Input::Instance(event));
    }
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.state(id), lab.engine().calls.len()), (State::Running, 2));
}

#[test]
fn an_end_that_overtakes_the_answer_of_its_start_is_not_missed() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [image("web")]));
    lab.one_call();
    let start = lab.calls[0].clone();
    let result = lab.engine().execute(&start, motey_core::id::Millis(0));
    let event = lab.silently(&start.target.key, exited(7)).expect("it was made");
    lab.input(&Input::Instance(event));
    lab.calls.pop_front();
    lab.input(&Input::Answered { call: start.id, key: start.target.key, result });
    lab.settle();
    assert_eq!(lab.said(id), "restart.backoff: exited with code 7; attempt 1 of 10 follows");
    lab.rest();
    lab.check_rest();
}

#[test]
fn a_list_that_overtakes_the_answer_of_a_call_is_not_forgotten() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [image("web")]));
    lab.one_call();
    let start = lab.calls.pop_front().expect("it is being started");
    let result = lab.engine().execute(&start, motey_core::id::Millis(0));
    lab.engine().instances.clear();
    lab.list(&engine_name("process"));
    lab.input(&Input::Answered { call: start.id, key: start.target.key, result });
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.state(id), lab.engine().asked(Verb::Create)), (State::Running, 2));
}

#[test]
fn a_list_older_than_the_last_event_does_not_bring_the_past_back() {
    let (mut lab, id) = running();
    let old = lab.engine().list();
    lab.exits(id, "web-0", 1);
    lab.list_as(&engine_name("process"), old.clone());
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.state(id), lab.engine().asked(Verb::Start)), (State::Running, 2));
    lab.list_as(&engine_name("process"), Vec::new());
    lab.rest();
    lab.check_rest();
    assert_eq!(lab.engine().asked(Verb::Create), 1);
    lab.ask(Request::Delete(id));
    lab.rest();
    lab.list_as(&engine_name("process"), old);
    lab.rest();
    lab.check_rest();
    assert_eq!(lab.core.engines().map(|(_, view)| view.instances).sum::<usize>(), 0);
}

/// A list is asked for while the events come in already: one that tells of an end may be there first.
#[test]
fn a_first_list_older_than_an_event_does_not_bring_the_past_back() {
    for restarted in [true, false] {
        let (mut lab, id) = running();
        let (key, old) = (lab.at(id, "web-0"), lab.engine().list());
        if restarted {
            lab.crash(false);
            lab.boot();
            lab.offer(lab.capabilities.clone());
        } else {
            lab.engine_down();
        }
        let event = lab.silently(&key, exited(1)).expect("it runs");
        lab.input(&Input::Instance(event));
        lab.list_as(&engine_name("process"), old);
        lab.rest();
        lab.check_rest();
        assert_eq!((lab.state(id), lab.engine().asked(Verb::Start)), (State::Running, 2));
    }
}

#[test]
fn one_on_its_way_for_too_long_is_asked_after() {
    let (mut lab, id) = running();
    let key = lab.at(id, "web-0");
    lab.becomes(&key, Seen::Starting);
    lab.silently(&key, Seen::Running);
    assert_eq!(lab.state(id), State::Instantiating);
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.state(id), lab.engine().asked(Verb::Inspect)), (State::Running, 1));
    lab.becomes(&key, Seen::Starting);
    lab.becomes(&key, Seen::Running);
    lab.rest();
    assert_eq!(lab.engine().asked(Verb::Inspect), 1, "nothing is asked where all was told");
}

/// A node may die after it has said what a stop shall mean and before it has said that it shall be.
#[test]
fn one_that_is_stopping_when_the_node_comes_is_asked_to_once_more() {
    let (mut lab, id) = running();
    let key = lab.at(id, "web-0");
    lab.ask(Request::Delete(id));
    lab.crash(false);
    lab.silently(&key, Seen::Stopping);
    lab.restart();
    lab.one_call();
    assert_eq!(lab.engine().asked(Verb::Stop), 1);
    lab.settle();
    assert_eq!(lab.engine().asked(Verb::Stop), 1, "it may take its time");
    lab.pass(60_000);
    assert_eq!(lab.engine().asked(Verb::Stop), 2);
    lab.becomes(&key, exited(0));
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.state(id), lab.instances().count()), (State::Terminated, 0));
}

#[test]
fn a_paused_instance_is_left_paused_and_said_so() {
    let (mut lab, id) = running();
    let (key, calls) = (lab.at(id, "web-0"), lab.engine().calls.len());
    lab.becomes(&key, Seen::Paused);
    lab.rest();
    assert_eq!(lab.said(id), "engine.failed: it is paused, and not by Motey; unpause it in its engine");
    assert_eq!(lab.engine().calls.len(), calls);
    lab.becomes(&key, Seen::Running);
    assert_eq!(lab.state(id), State::Running);
}

/// Both carry this node's labels; no record says a word about them. The one of a known slot whose own attempt runs is
/// one too many.
#[test]
fn strangers_are_left_alone_and_extras_dismissed() {
    let (mut lab, id) = running();
    let known = lab.at(id, "web-0");
    let writer = Incarnation { count: 77, nonce: 7 };
    let fence = Fence { writer, ..known.fence };
    let strangers = [InstanceKey { service: service(99), ..known.clone() }, InstanceKey { fence, ..known }];
    for key in &strangers {
        let mut stranger = lab.engine().instances.values().next().cloned().expect("an instance");
        stranger.key = key.clone();
        stranger.seen = exited(0);
        lab.engine().instances.insert(key.clone(), stranger.clone());
        lab.input(&Input::Instance(stranger));
    }
    let calls = lab.engine().calls.len();
    lab.rest();
    lab.list(&engine_name("process"));
    lab.restart();
    lab.rest();
    assert_eq!((lab.engine().calls.len(), lab.engine().instances.len()), (calls + 2, 2));
    assert!(lab.engine().instances.contains_key(&strangers[0]));
    assert_eq!(lab.state(id), State::Running);
}
