//! A full disk: what is not stored never happened, and happens later.

use motey_core::capability::Supply;
use motey_core::project::State;
use motey_core::spec::Restart;
use motey_core::step::{Answer, Request};

use crate::blueprint::{capability, deploy, image, restarts, service, taking};
use crate::node::Lab;

#[test]
fn a_request_that_is_not_stored_is_given_back_and_does_nothing() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.disk.full = true;
    assert_eq!(lab.ask(deploy(id, [image("web")])), None);
    assert_eq!((lab.core.records().count(), lab.calls.len()), (0, 0));
    lab.pass(10_000);
    lab.disk.full = false;
    assert_eq!(lab.ask(deploy(id, [image("web")])), Some(Answer::Accepted(id)));
    lab.rest();
    lab.check_rest();
    assert_eq!(lab.state(id), State::Running);
}

#[test]
fn what_ends_is_started_again_though_its_story_is_lost() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [image("web")]));
    lab.rest();
    let told = lab.disk.journal.len();
    lab.disk.full = true;
    lab.exits(id, "web-0", 1);
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.state(id), lab.disk.journal.len()), (State::Running, told));
}

#[test]
fn a_timer_that_fires_into_a_full_disk_is_put_off() {
    let (mut lab, id, other) = (Lab::new(), service(1), service(2));
    lab.ask(deploy(id, [image("web")]));
    lab.ask(deploy(other, [image("web")]));
    lab.rest();
    lab.ask(Request::Stop(id));
    lab.ask(Request::Delete(other));
    lab.disk.full = true;
    let steps = lab.tried;
    lab.pass(60_000);
    assert_eq!([id, other].map(|id| lab.state(id)), [State::Stopping; 2]);
    assert!((30..=90).contains(&(lab.tried - steps)), "it is tried every two seconds, not all the time");
    lab.disk.full = false;
    lab.rest();
    lab.check_rest();
    assert_eq!([id, other].map(|id| lab.state(id)), [State::Terminated; 2]);
}

#[test]
fn every_kind_of_step_is_done_later() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.offer([capability("memory", Supply::Amount(100))]);
    lab.ask(deploy(id, [taking("memory", 60, image("web"))]));
    lab.rest();
    let failed = service(3);
    let job = restarts(Restart::Never, image("job"));
    lab.ask(deploy(failed, [job, taking("memory", 40, image("web"))]));
    lab.rest();
    lab.exits(failed, "job-0", 1);
    lab.disk.full = true;
    lab.pass(10_000);
    assert_eq!((lab.live(failed).len(), lab.disk.leases.len()), (0, 2), "halted, and its lease not freed");
    lab.disk.full = false;
    lab.rest();
    lab.check_rest();
    assert_eq!(lab.disk.leases.len(), 1);

    let waiting = service(2);
    lab.ask(deploy(waiting, [taking("memory", 60, image("web"))]));
    lab.disk.full = true;
    lab.offer([capability("memory", Supply::Amount(200))]);
    lab.pass(10_000);
    assert_eq!(lab.state(waiting), State::Initial);
    lab.disk.full = false;
    lab.rest();
    lab.check_rest();
    assert_eq!(lab.state(waiting), State::Running);

    lab.ask(Request::Stop(id));
    lab.disk.full = true;
    lab.pass(10_000);
    assert_eq!(lab.state(id), State::Stopping);
    lab.disk.full = false;
    lab.rest();
    lab.check_rest();
    assert_eq!(lab.state(id), State::Terminated);
}

#[test]
fn a_delete_gets_through_from_the_reserve_to_its_end() {
    let (mut lab, id, waiting) = (Lab::new(), service(1), service(2));
    lab.offer([capability("memory", Supply::Amount(100))]);
    lab.ask(deploy(id, [taking("memory", 60, image("web"))]));
    lab.ask(deploy(waiting, [taking("memory", 60, image("web"))]));
    lab.rest();
    (lab.disk.full, lab.disk.reserve) = (true, true);
    assert_eq!(lab.ask(Request::Delete(id)), Some(Answer::Accepted(id)));
    assert_eq!(lab.ask(Request::Stop(waiting)), None);
    lab.pass(10_000);
    assert_eq!((lab.state(id), lab.disk.leases.len()), (State::Terminated, 0));
    assert_eq!(lab.state(waiting), State::Initial);
    lab.disk.full = false;
    lab.rest();
    lab.check_rest();
    assert_eq!(lab.state(waiting), State::Running);
}
