//! A service's life as its user asks for it: deploy, stop, start, restart, scale, delete.

use std::collections::BTreeSet;

use motey_core::capability::Supply;
use motey_core::id::ServiceName;
use motey_core::project::State;
use motey_core::step::{Answer, EngineErrorKind, Event, EventKind, Refusal, Request};

use crate::blueprint::{capability, deploy, image, image_key, service, spec, taking, times};
use crate::engine::{Mishap, Verb};
use crate::node::Lab;

#[test]
fn a_deployed_service_runs_after_one_write() {
    let (mut lab, id) = (Lab::new(), service(1));
    let before = lab.disk.writes;
    assert_eq!(lab.ask(deploy(id, [image("web")])), Some(Answer::Accepted(id)));
    assert_eq!((lab.state(id), lab.disk.writes), (State::Instantiating, before + 1));
    lab.settle();
    assert_eq!(lab.state(id), State::Running);
    assert_eq!(
        lab.engine().calls.iter().map(|(verb, _)| *verb).collect::<Vec<_>>(),
        [Verb::Create, Verb::Start]
    );
    lab.check_rest();
    let slot = &lab.status(id).images[0].slots[0];
    assert_eq!((slot.handle.as_deref(), slot.restarts), (Some("web-0-1"), 0));
}

#[test]
fn replicas_are_slots_with_fences_of_their_own() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [times(3, image("web")), image("db")]));
    lab.rest();
    let live = lab.live(id);
    let fences: BTreeSet<_> = live.iter().map(|key| key.fence).collect();
    let slots: Vec<String> = live.iter().map(|key| key.slot.to_string()).collect();
    assert_eq!((fences.len(), slots), (4, ["db-0", "web-0", "web-1", "web-2"].map(String::from).to_vec()));
    let status = lab.status(id);
    let counts: Vec<_> = status.images.iter().map(|i| (i.key.as_str(), i.running, i.wanted)).collect();
    assert_eq!((status.state, counts), (State::Running, vec![("web", 3, 3), ("db", 1, 1)]));
    lab.check_rest();
}

#[test]
fn stopped_it_has_nothing_and_started_it_has_new_fences() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [times(2, image("web"))]));
    lab.rest();
    let first: BTreeSet<_> = lab.live(id).into_iter().map(|key| key.fence).collect();
    assert_eq!(lab.ask(Request::Stop(id)), Some(Answer::Accepted(id)));
    assert_eq!(lab.state(id), State::Stopping);
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.state(id), lab.disk.count(EventKind::Terminated)), (State::Terminated, 1));
    assert_eq!(lab.ask(Request::Stop(id)), Some(Answer::Unchanged(id)));
    assert_eq!(lab.ask(Request::Start(id)), Some(Answer::Accepted(id)));
    lab.rest();
    let second: BTreeSet<_> = lab.live(id).into_iter().map(|key| key.fence).collect();
    assert_eq!((lab.state(id), second.len()), (State::Running, 2));
    assert!(first.is_disjoint(&second));
    assert_eq!(lab.ask(Request::Start(id)), Some(Answer::Unchanged(id)));
    lab.check_rest();
}

#[test]
fn started_while_it_stops_the_old_instance_goes_first() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [image("web")]));
    lab.rest();
    let old = lab.at(id, "web-0");
    lab.ask(Request::Stop(id));
    lab.ask(Request::Start(id));
    assert_eq!(lab.state(id), State::Instantiating);
    lab.rest();
    assert_ne!(lab.at(id, "web-0"), old);
    lab.check_rest();
}

/// Two instances in one slot would fail the lab's own check.
#[test]
fn a_restart_stops_first_also_where_room_is_short() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.offer([capability("memory", Supply::Amount(100))]);
    lab.ask(deploy(id, [times(3, taking("memory", 30, image("web")))]));
    lab.rest();
    let old = lab.live(id);
    assert_eq!(lab.ask(Request::Restart(id)), Some(Answer::Accepted(id)));
    assert_eq!(lab.record(id).slots.len(), 3, "each takes the place of its predecessor: none waits");
    lab.rest();
    let new = lab.live(id);
    assert_eq!((new.len(), lab.state(id)), (3, State::Running));
    assert!(old.iter().all(|key| !new.contains(key)));
    lab.check_rest();
}

#[test]
fn scaled_it_keeps_what_stays_and_ends_the_rest() {
    let (mut lab, id) = (Lab::new(), service(1));
    let scale = |count| Request::Scale { id, image: image_key("web"), count };
    lab.ask(deploy(id, [image("web"), image("db")]));
    lab.rest();
    let first = lab.at(id, "web-0");
    assert_eq!(lab.ask(scale(3)), Some(Answer::Accepted(id)));
    lab.rest();
    assert_eq!((lab.live(id).len(), lab.at(id, "web-0")), (4, first.clone()));
    lab.check_rest();
    lab.ask(scale(1));
    lab.ask(scale(2));
    lab.rest();
    assert_eq!((lab.live(id).len(), lab.at(id, "web-0")), (3, first));
    lab.check_rest();
    lab.ask(scale(0));
    lab.rest();
    assert_eq!((lab.live(id).len(), lab.state(id)), (1, State::Running));
    assert_eq!(lab.ask(scale(0)), Some(Answer::Unchanged(id)));
    let unknown = Request::Scale { id, image: image_key("nix"), count: 1 };
    assert_eq!(lab.ask(unknown), Some(Answer::Refused(Refusal::UnknownImage(image_key("nix")))));
    lab.check_rest();
}

#[test]
fn deleted_it_leaves_a_tombstone_without_its_spec() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.offer([capability("memory", Supply::Amount(100))]);
    lab.ask(deploy(id, [taking("memory", 30, image("web"))]));
    lab.rest();
    assert_eq!(lab.ask(Request::Delete(id)), Some(Answer::Accepted(id)));
    assert_eq!(lab.state(id), State::Stopping);
    assert!(!lab.record(id).revision.spec.images.is_empty(), "its stop rule is needed until it is gone");
    lab.rest();
    lab.check_rest();
    let record = lab.record(id);
    assert!(record.stamp.absent && record.revision.spec.source.text.is_empty());
    assert!(lab.disk.leases.is_empty());
    assert_eq!(lab.ask(Request::Delete(id)), Some(Answer::Unchanged(id)));
    for request in [Request::Start(id), Request::Stop(id), Request::Restart(id)] {
        assert_eq!(lab.ask(request), Some(Answer::Refused(Refusal::Deleted(id))));
    }
}

#[test]
fn a_service_that_never_got_a_node_is_over_as_soon_as_it_is_deleted() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [taking("memory", 1, image("web"))]));
    lab.ask(Request::Delete(id));
    assert_eq!((lab.state(id), lab.disk.count(EventKind::Terminated)), (State::Terminated, 1));
    lab.rest();
    lab.check_rest();
}

#[test]
fn its_journal_tells_the_story() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [image("web")]));
    lab.engine().fails(Verb::Start, Mishap::Fails(EngineErrorKind::Failed));
    lab.rest();
    lab.exits(id, "web-0", 3);
    lab.rest();
    lab.ask(Request::Delete(id));
    lab.rest();
    let line = |event: &Event| {
        let slot = event.slot.as_ref().map(|slot| format!(" {slot}")).unwrap_or_default();
        format!("{}{slot}: {}", event.kind.as_str(), event.text)
    };
    let story: Vec<String> = lab.disk.journal.iter().map(line).collect();
    insta::assert_snapshot!(story.join("\n"), @r"
    deployed: deployed as lab
    assigned web-0: assigned to process on fog-1
    call-failed web-0: start failed: Failed
    started web-0: runs on process
    exited web-0: exited with code 3
    started web-0: runs on process
    deleted: deleted
    terminated: nothing of it is left
    ");
}

#[test]
fn the_same_deployment_twice_is_one() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [image("web")]));
    assert_eq!(lab.ask(deploy(id, [image("web")])), Some(Answer::Unchanged(id)));
    assert_eq!(lab.ask(deploy(id, [image("other")])), Some(Answer::Refused(Refusal::Conflict(id))));
    lab.rest();
    assert_eq!(lab.engine().asked(Verb::Create), 1);
    lab.ask(Request::Delete(id));
    assert_eq!(lab.ask(deploy(id, [image("web")])), Some(Answer::Refused(Refusal::Deleted(id))));
    lab.rest();
    assert_eq!(lab.ask(deploy(id, [image("web")])), Some(Answer::Refused(Refusal::Deleted(id))));
    let unknown = service(9);
    assert_eq!(lab.ask(Request::Delete(unknown)), Some(Answer::Refused(Refusal::Unknown(unknown))));
}

#[test]
fn refused_since_unplaceable_it_leaves_nothing() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.offer([capability("memory", Supply::Amount(50))]);
    let images = [times(3, taking("memory", 20, image("web")))];
    let name = ServiceName::new("lab").expect("a name");
    let request = Request::Deploy { id, name, spec: spec(images.clone()), reject_unplaceable: true };
    let writes = lab.disk.writes;
    let Some(Answer::Refused(refusal)) = lab.ask(request) else { panic!("it does not fit") };
    assert_eq!(
        refusal.to_string(),
        "no node can run every image now: 20 B of memory are wanted, 10 B of 50 B are free"
    );
    assert_eq!((lab.core.records().count(), lab.disk.writes, lab.calls.len()), (0, writes, 0));
    lab.check_rest();
    assert_eq!(lab.ask(deploy(id, images)), Some(Answer::Accepted(id)));
    lab.rest();
    assert_eq!(lab.live(id).len(), 2);
    lab.check_rest();
}

#[test]
fn fences_are_never_used_again_not_even_by_another_life() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [times(2, image("web"))]));
    for _ in 0..3 {
        lab.rest();
        lab.restart();
        lab.ask(Request::Restart(id));
    }
    lab.rest();
    assert_eq!(lab.disk.fences.len(), 8);
    lab.check_rest();
}
