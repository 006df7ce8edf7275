//! Devices that instances are given, and that come back under another name.

use motey_core::capability::{Capability, Supply};
use motey_core::instance::Seen;
use motey_core::phase::Parts;
use motey_core::project::State;
use motey_core::spec::{ImageSpec, OnLoss, Restart};
use motey_core::step::{EventKind, Input};

use crate::blueprint::{capability, deploy, engine_name, image, restarts, service, with};
use crate::engine::{Mishap, Verb};
use crate::node::Lab;

/// A stick of that serial number, where it is now.
fn stick(unit: &str, path: &str) -> Capability {
    let mut stick = capability("zigbee", Supply::Exclusive);
    stick.id.unit = unit.into();
    Capability { binding: Some(path.into()), ..stick }
}

/// A service that runs with the stick `A1`, which is `/dev/ttyUSB0`.
fn running(image: ImageSpec) -> Lab {
    let mut lab = Lab::new();
    lab.offer([stick("A1", "/dev/ttyUSB0")]);
    lab.ask(deploy(service(1), [image]));
    lab.rest();
    assert_eq!(given(&lab), ["/dev/ttyUSB0"]);
    lab
}

/// The devices of the only instance that there is.
fn given(lab: &Lab) -> Vec<String> {
    let mut all = lab.instances();
    let (one, other) = (all.next().expect("an instance"), all.next());
    assert!(other.is_none(), "{other:?}");
    one.devices.clone()
}

fn once(lab: &mut Lab) -> usize {
    lab.engine().asked(Verb::Create)
}

#[test]
fn a_stick_that_comes_back_under_another_name_is_the_same_one_and_what_uses_it_is_made_again() {
    let (mut lab, id) = (running(restarts(Restart::Never, with("zigbee", image("web")))), service(1));
    let (live, leases) = (lab.live(id), lab.disk.leases.clone());
    lab.offer([]);
    lab.pass(4_000);
    assert_eq!(lab.live(id), live);
    lab.offer([stick("A1", "/dev/ttyUSB1")]);
    assert!(lab.said(id).starts_with("capability.moved: zigbee is /dev/ttyUSB1 now"), "{}", lab.said(id));
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.live(id), lab.disk.leases.clone()), (live, leases), "under its own fence");
    assert_eq!((given(&lab), lab.said(id).as_str()), (vec!["/dev/ttyUSB1".to_owned()], ""));
    let told = |kind| lab.disk.count(kind);
    assert_eq!((told(EventKind::CapabilityMoved), told(EventKind::CapabilityLost)), (1, 0));
    assert_eq!(told(EventKind::Exited) + told(EventKind::GaveUp), 0, "its end was no failure");
    let restarts = lab.status(id).images[0].slots[0].restarts;
    assert_eq!((restarts, lab.state(id)), (1, State::Running));
}

#[test]
fn what_comes_back_as_it_was_changes_nothing() {
    let mut lab = running(with("zigbee", image("web")));
    lab.offer([]);
    lab.offer([stick("A1", "/dev/ttyUSB0"), stick("B2", "/dev/ttyUSB1")]);
    lab.rest();
    assert_eq!((once(&mut lab), given(&lab)), (1, vec!["/dev/ttyUSB0".to_owned()]));
}

#[test]
fn what_was_stopped_for_want_of_a_stick_is_made_with_what_it_gets() {
    let image = || ImageSpec { on_loss: OnLoss::Stop, ..with("zigbee", image("web")) };
    for back in [stick("A1", "/dev/ttyUSB7"), stick("B2", "/dev/ttyUSB7")] {
        let (mut lab, id) = (running(image()), service(1));
        lab.offer([]);
        lab.rest();
        assert!(lab.live(id).is_empty());
        lab.offer([back]);
        lab.rest();
        lab.check_rest();
        assert_eq!((lab.state(id), given(&lab)), (State::Running, vec!["/dev/ttyUSB7".to_owned()]));
    }
}

#[test]
fn a_node_that_started_again_leaves_what_runs_until_it_is_told_that_the_stick_is_elsewhere() {
    let (mut lab, id) = (running(with("zigbee", image("web"))), service(1));
    lab.parts = Parts { engines: [engine_name("process")].into(), sources: ["lab".to_owned()].into() };
    lab.crash(false);
    lab.boot();
    lab.list(&engine_name("process"));
    lab.pass(10_000);
    assert_eq!((lab.state(id), given(&lab)), (State::Running, vec!["/dev/ttyUSB0".to_owned()]));
    lab.offer([stick("A1", "/dev/ttyUSB1")]);
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.state(id), given(&lab)), (State::Running, vec!["/dev/ttyUSB1".to_owned()]));
}

#[test]
fn what_vanished_while_its_node_was_away_is_made_when_it_is_told_where_the_stick_is() {
    let (mut lab, id) = (running(with("zigbee", image("web"))), service(1));
    lab.parts = Parts { engines: [engine_name("process")].into(), sources: ["lab".to_owned()].into() };
    lab.crash(false);
    lab.engine().instances.clear();
    lab.boot();
    lab.list(&engine_name("process"));
    lab.pass(10_000);
    assert_eq!((once(&mut lab), lab.live(id).len()), (1, 0));
    let said = "waiting.capability: the node started, and has not heard of its zigbee (A1) yet";
    assert_eq!(lab.said(id), said);
    lab.offer([stick("A1", "/dev/ttyUSB1")]);
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.state(id), given(&lab)), (State::Running, vec!["/dev/ttyUSB1".to_owned()]));

    // a source that never says a word holds nothing up for ever
    lab.crash(false);
    lab.engine().instances.clear();
    lab.boot();
    lab.list(&engine_name("process"));
    lab.pass(50_000);
    assert_eq!((lab.state(id), given(&lab)), (State::Running, Vec::<String>::new()));
}

#[test]
fn what_is_made_too_late_with_the_old_name_is_made_again() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.offer([stick("A1", "/dev/ttyUSB0")]);
    lab.engine().fails(Verb::Create, Mishap::DoneAndTimedOut);
    lab.ask(deploy(id, [with("zigbee", image("web"))]));
    lab.offer([stick("A1", "/dev/ttyUSB1")]);
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.state(id), given(&lab)), (State::Running, vec!["/dev/ttyUSB1".to_owned()]));
}

#[test]
fn what_an_engine_told_before_it_was_made_again_is_asked_about_and_not_believed() {
    let (mut lab, id) = (running(with("zigbee", image("web"))), service(1));
    let old = lab.instances().next().expect("it runs").clone();
    lab.offer([stick("A1", "/dev/ttyUSB1")]);
    lab.rest();
    lab.input(&Input::Instance(old));
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.state(id), once(&mut lab)), (State::Running, 2));
}

#[test]
fn what_moves_back_while_it_is_stopped_is_started_again_as_it_is() {
    let (mut lab, id) = (running(with("zigbee", image("web"))), service(1));
    lab.offer([stick("A1", "/dev/ttyUSB1")]);
    lab.offer([stick("A1", "/dev/ttyUSB0")]);
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.state(id), once(&mut lab)), (State::Running, 1));
    assert!(lab.instances().all(|it| it.seen == Seen::Running));
}
