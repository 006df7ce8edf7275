//! What follows from an end: start again, wait, give up.

use motey_core::instance::{Exit, Instance, Seen};
use motey_core::project::State;
use motey_core::reason::Code;
use motey_core::record::Ended;
use motey_core::spec::{ImageSpec, Ready, Restart, Run};
use motey_core::step::{EventKind, Input, Request};

use crate::blueprint::{capability, deploy, image, image_key, restarts, service, spec, taking, times, with};
use crate::engine::{Mishap, Verb, exited};
use crate::node::Lab;
use motey_core::capability::Supply;

fn after(restart: Restart, exit: Exit) -> (State, Option<Code>) {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [restarts(restart, image("job"))]));
    lab.rest();
    let key = lab.at(id, "job-0");
    lab.becomes(&key, Seen::Exited(exit));
    let state = lab.state(id);
    let reason = lab.reason(id).map(|reason| reason.code);
    lab.rest();
    lab.check_rest();
    let again = lab.engine().asked(Verb::Start) == 2;
    assert_eq!(again, state == State::Instantiating, "started again exactly when it said so");
    (state, reason)
}

#[test]
fn the_rule_says_which_end_is_final() {
    let code = |code| Exit { code: Some(code), ..Exit::default() };
    let killed = Exit { signal: Some(9), ..Exit::default() };
    let oom = Exit { signal: Some(9), oom: true, ..Exit::default() };
    let unknown = Exit::default();
    let again = (State::Instantiating, Some(Code::RestartBackoff));
    for exit in [code(0), code(1), killed, oom, unknown] {
        assert_eq!(after(Restart::Always, exit), again);
    }
    assert_eq!(after(Restart::OnFailure, code(0)), (State::Terminated, None));
    for exit in [code(1), killed, oom, unknown] {
        assert_eq!(after(Restart::OnFailure, exit), again);
    }
    assert_eq!(after(Restart::Never, code(0)), (State::Terminated, None));
    assert_eq!(after(Restart::Never, code(1)), (State::Error, Some(Code::ExitCode)));
    assert_eq!(after(Restart::Never, killed), (State::Error, Some(Code::ExitSignal)));
    assert_eq!(after(Restart::Never, oom), (State::Error, Some(Code::ExitOom)));
    assert_eq!(after(Restart::Never, unknown), (State::Error, Some(Code::ExitCode)));
}

#[test]
fn an_end_that_nobody_saw_is_told_in_the_engines_words() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [restarts(Restart::Never, image("job"))]));
    lab.rest();
    let key = lab.at(id, "job-0");
    let mut ended = lab.silently(&key, Seen::Exited(Exit::default())).expect("it is there");
    ended.message = Some("the machine was restarted while it ran".into());
    lab.input(&Input::Instance(ended));
    let text = lab.reason(id).expect("a reason").text;
    assert!(text.ends_with("not known: the machine was restarted while it ran"), "{text}");
}

#[test]
fn waits_double_until_it_is_given_up() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [image("web")]));
    lab.rest();
    let mut waits = Vec::new();
    while lab.state(id) != State::Error {
        lab.exits(id, "web-0", 3);
        if let Some(due) = lab.core.next_due() {
            waits.push((due.0 - lab.now.0) / 1_000);
        }
        lab.rest();
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
    assert_eq!(lab.said(id), "exit.code: exited with code 3; given up after 10 attempts");
    assert_eq!(lab.status(id).images[0].slots[0].restarts, 10);
    assert_eq!((lab.disk.count(EventKind::Exited), lab.disk.count(EventKind::GaveUp)), (11, 1));
    lab.check_rest();
}

#[test]
fn while_it_waits_it_says_for_what() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [image("web")]));
    lab.rest();
    lab.exits(id, "web-0", 3);
    assert_eq!(lab.state(id), State::Instantiating);
    assert_eq!(lab.said(id), "restart.backoff: exited with code 3; attempt 1 of 10 follows");
    lab.rest();
    assert_eq!((lab.state(id), lab.said(id)), (State::Running, String::new()));
}

#[test]
fn a_long_run_forgives_what_was_before() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [image("web")]));
    for _ in 0..30 {
        lab.rest();
        lab.pass(60_000);
        lab.exits(id, "web-0", 1);
        assert_eq!(lab.core.next_due(), Some(lab.now.after(1_000)));
    }
    lab.rest();
    assert_eq!(lab.state(id), State::Running);
}

#[test]
fn one_that_ends_as_soon_as_it_starts_is_no_storm() {
    let (mut lab, id) = (Lab::new(), service(1));
    for _ in 0..11 {
        lab.engine().fails(Verb::Start, Mishap::DoneAndExits(127));
    }
    lab.ask(deploy(id, [image("web")]));
    lab.settle();
    assert_eq!(lab.engine().asked(Verb::Start), 1);
    lab.rest();
    assert_eq!((lab.engine().asked(Verb::Start), lab.state(id)), (11, State::Error));
    lab.check_rest();
}

#[test]
fn an_image_that_gave_up_halts_its_siblings_until_it_is_started_again() {
    let (mut lab, id, other) = (Lab::new(), service(1), service(2));
    lab.offer([capability("memory", Supply::Amount(100))]);
    let job = restarts(Restart::Never, taking("memory", 10, image("job")));
    lab.ask(deploy(id, [job, taking("memory", 80, image("web"))]));
    lab.ask(deploy(other, [taking("memory", 50, image("late"))]));
    lab.rest();
    let first = lab.live(id);
    assert_eq!((lab.state(id), lab.state(other)), (State::Running, State::Initial));
    lab.exits(id, "job-0", 1);
    let states: Vec<State> = lab.status(id).images.iter().map(|image| image.state).collect();
    assert_eq!((lab.state(id), states), (State::Error, vec![State::Error, State::Stopping]));
    lab.rest();
    lab.check_rest();
    let states: Vec<State> = lab.status(id).images.iter().map(|image| image.state).collect();
    assert_eq!((lab.live(id).len(), states), (0, vec![State::Error, State::Terminated]));
    assert_eq!(lab.status(id).images[1].reason.as_ref().map(|r| r.code), Some(Code::SiblingFailed));
    assert_eq!(lab.instances().filter(|instance| instance.key.service == id).count(), 2, "kept to look at");
    assert_eq!(lab.state(other), State::Running, "what the halted held is free");

    lab.ask(Request::Delete(other));
    lab.rest();
    lab.ask(Request::Start(id));
    lab.rest();
    let second = lab.live(id);
    assert_eq!((lab.state(id), second.len()), (State::Running, 2));
    assert!(first.iter().all(|key| !second.contains(key)));
    lab.check_rest();
}

#[test]
fn a_halted_service_stays_halted_over_a_restart_of_the_node() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [restarts(Restart::Never, image("job")), image("web")]));
    lab.rest();
    lab.exits(id, "job-0", 1);
    lab.rest();
    let before = lab.engine().calls.len();
    lab.restart();
    lab.rest();
    assert_eq!((lab.engine().calls.len(), lab.state(id)), (before, State::Error));
    lab.check_rest();
}

#[test]
fn more_slots_for_the_failed_image_bring_its_siblings_back_as_far_as_there_is_room() {
    let (mut lab, id, other) = (Lab::new(), service(1), service(2));
    lab.offer([capability("dongle", Supply::Exclusive)]);
    lab.ask(deploy(id, [restarts(Restart::Never, image("job")), with("dongle", image("web"))]));
    lab.rest();
    lab.exits(id, "job-0", 1);
    lab.rest();
    assert!(lab.disk.leases.is_empty());
    lab.ask(deploy(other, [with("dongle", image("web"))]));
    lab.ask(Request::Scale { id, image: image_key("job"), count: 2 });
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.live(id).len(), lab.live(other).len()), (1, 1), "the dongle has another holder now");
    lab.ask(Request::Delete(other));
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.live(id).len(), lab.state(id)), (2, State::Running));
    assert_eq!(lab.said(id), "exit.code: degraded 1/2: exited with code 1");
}

#[test]
fn a_slot_that_was_scaled_away_comes_back_without_its_past() {
    let (mut lab, id) = (Lab::new(), service(1));
    let scale = |count| Request::Scale { id, image: image_key("job"), count };
    lab.ask(deploy(id, [times(2, restarts(Restart::Never, image("job")))]));
    lab.rest();
    lab.exits(id, "job-1", 1);
    lab.rest();
    lab.ask(scale(1));
    lab.ask(scale(2));
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.live(id).len(), lab.said(id)), (2, String::new()));
}

#[test]
fn one_slot_of_three_that_gave_up_degrades_its_image() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [times(3, restarts(Restart::Never, image("job"))), image("web")]));
    lab.rest();
    lab.exits(id, "job-1", 2);
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.state(id), lab.live(id).len()), (State::Running, 3));
    assert_eq!(lab.said(id), "exit.code: degraded 2/3: exited with code 2");
    lab.ask(Request::Start(id));
    lab.rest();
    assert_eq!((lab.live(id).len(), lab.said(id)), (4, String::new()));
    lab.check_rest();
}

#[test]
fn a_job_that_did_its_work_leaves_its_siblings_alone() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.offer([capability("memory", Supply::Amount(100))]);
    lab.ask(deploy(id, [taking("memory", 60, restarts(Restart::OnFailure, image("job"))), image("web")]));
    lab.rest();
    lab.exits(id, "job-0", 0);
    lab.rest();
    lab.check_rest();
    let states: Vec<State> = lab.status(id).images.iter().map(|image| image.state).collect();
    assert_eq!((lab.state(id), states), (State::Running, vec![State::Terminated, State::Running]));
    assert!(lab.disk.leases.is_empty());
    assert!(matches!(lab.record(id).ended.values().next(), Some(Ended::Succeeded)));
}

#[test]
fn deleted_during_a_long_wait_it_goes_at_once() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [image("web")]));
    for _ in 0..6 {
        lab.rest();
        lab.exits(id, "web-0", 1);
    }
    assert_eq!(lab.core.next_due(), Some(lab.now.after(32_000)));
    lab.ask(Request::Delete(id));
    lab.settle();
    assert_eq!((lab.state(id), lab.engine().instances.len()), (State::Terminated, 0));
}

#[test]
fn started_by_somebody_else_during_the_wait_it_is_taken_as_running() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [image("web")]));
    lab.rest();
    let key = lab.at(id, "web-0");
    lab.becomes(&key, exited(1));
    lab.becomes(&key, Seen::Running);
    assert_eq!((lab.state(id), lab.said(id)), (State::Running, String::new()));
    lab.rest();
    assert_eq!(lab.engine().asked(Verb::Start), 1);
    lab.becomes(&key, exited(1));
    assert_eq!(lab.core.next_due(), Some(lab.now.after(2_000)), "its next end is an end of its own");
    lab.rest();
    lab.check_rest();
}

#[test]
fn removed_again_and_again_by_somebody_it_is_no_storm() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [image("web")]));
    lab.rest();
    for _ in 0..10 {
        let key = lab.at(id, "web-0");
        lab.becomes(&key, Seen::Gone);
        lab.settle();
        assert!(lab.live(id).is_empty(), "it is made again after a wait");
        lab.rest();
    }
    let key = lab.at(id, "web-0");
    lab.becomes(&key, Seen::Gone);
    lab.settle();
    assert_eq!(lab.said(id), "engine.failed: it vanished from its engine; given up after 10 attempts");
    lab.rest();
    lab.check_rest();
}

#[test]
fn what_comes_after_waits_for_what_comes_first() {
    let (mut lab, id) = (Lab::new(), service(1));
    let job = ImageSpec { run: Run::Job, ..image("migrate") };
    let db = image("db");
    let web = ImageSpec {
        after: vec![("db".parse().expect("a key"), Ready::Healthy), (job.key.clone(), Ready::Completed)],
        ..image("web")
    };
    lab.ask(deploy(id, [web, db, job]));
    lab.settle();
    assert_eq!(
        lab.said(id),
        "waiting.dependency: it comes after db: waits until that has been running for a while"
    );
    lab.rest();
    assert_eq!(
        lab.said(id),
        "waiting.dependency: it comes after migrate: waits until that has done its work"
    );
    lab.exits(id, "migrate-0", 0);
    lab.rest();
    assert_eq!((lab.state(id), lab.live(id).len()), (State::Running, 2));
    lab.restart();
    lab.rest();
    assert_eq!((lab.state(id), lab.live(id).len()), (State::Running, 2), "the job is done for good");
}

#[test]
fn what_an_engine_told_before_a_short_job_ended_does_not_run_it_again() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [restarts(Restart::Never, image("job"))]));
    lab.rest();
    let key = lab.at(id, "job-0");
    let ended = lab.silently(&key, exited(0)).expect("it is there");
    lab.input(&Input::Instance(Instance { seen: Seen::Created, ..ended.clone() }));
    lab.settle();
    lab.input(&Input::Instance(Instance { seen: Seen::Running, ..ended.clone() }));
    lab.input(&Input::Instance(ended));
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.state(id), lab.engine().asked(Verb::Start)), (State::Terminated, 1));
}

#[test]
fn what_was_made_again_is_not_gone_when_its_end_is_told_late() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [image("web")]));
    lab.rest();
    let key = lab.at(id, "web-0");
    let gone = Instance { seen: Seen::Gone, ..lab.engine().instances[&key].clone() };
    lab.input(&Input::Instance(gone));
    lab.ask(Request::Stop(id));
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.state(id), lab.engine().asked(Verb::Create)), (State::Terminated, 1));
}

/// It may have lost its node since, so that no attempt of it is replaced.
#[test]
fn what_gave_up_is_tried_again_when_its_image_is_another_one() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [restarts(Restart::Never, image("web"))]));
    lab.rest();
    lab.exits(id, "web-0", 3);
    lab.rest();
    assert_eq!(lab.state(id), State::Error);
    lab.disk.records.get_mut(&id).expect("a record").slots.clear();
    lab.engine().instances.clear();
    lab.restart();
    let other = ImageSpec { image: "/bin/other".into(), ..restarts(Restart::Never, image("web")) };
    lab.ask(Request::Update { id, spec: spec([other]) });
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.state(id), lab.record(id).revision.order.number), (State::Running, 2));
}

/// The answer to a start showed its end already; the event of that end comes after the next start, and may be about it.
#[test]
fn an_end_that_is_told_late_is_asked_after_at_once() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [image("web")]));
    lab.one_call();
    answers(&mut lab, exited(3));
    // no further: the next call is not to be done yet
    lab.now = lab.now.after(1_000);
    lab.tick();
    answers(&mut lab, Seen::Starting);
    assert!(lab.calls.is_empty(), "it waits to be told");
    let key = lab.engine().instances.keys().next().cloned().expect("an instance");
    lab.becomes(&key, exited(3));
    assert_eq!(lab.calls.len(), 1);
    lab.rest();
    lab.check_rest();
    assert_eq!(lab.state(id), State::Running);
}

/// It ended and was removed while its engine told nothing of either; by the time its end is told it was made again.
#[test]
fn the_late_end_of_what_vanished_is_not_that_of_what_was_made_again() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [restarts(Restart::OnFailure, image("web"))]));
    lab.rest();
    let key = lab.at(id, "web-0");
    let made = Instance { seen: Seen::Created, ..lab.engine().instances[&key].clone() };
    let ended = lab.silently(&key, exited(0)).expect("it ran");
    lab.silently(&key, Seen::Gone);
    // what was told long ago comes first
    lab.input(&Input::Instance(made));
    lab.rest();
    assert_eq!((lab.state(id), lab.engine().asked(Verb::Create)), (State::Running, 2));
    lab.input(&Input::Instance(ended));
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.state(id), lab.live(id)), (State::Running, vec![key]));
}

/// The engine does the oldest call, and shows that in its answer.
fn answers(lab: &mut Lab, seen: Seen) {
    let call = lab.calls.pop_front().expect("a call under way");
    let now = lab.now;
    lab.engine().execute(&call, now).expect("it is done");
    lab.engine().show(&call.target.key, seen);
    let shown = lab.engine().instances.get(&call.target.key).cloned();
    lab.input(&Input::Answered { call: call.id, key: call.target.key, result: Ok(shown) });
}
