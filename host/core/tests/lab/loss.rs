//! What becomes of an instance whose node no longer has what it needs.

use std::collections::BTreeSet;

use motey_core::capability::{Capability, Supply};
use motey_core::project::State;
use motey_core::record::InstanceKey;
use motey_core::spec::{ImageSpec, OnLoss, Replicas};
use motey_core::step::Request;

use crate::blueprint::{capability, deploy, image, node, service, spec, with};
use crate::cluster::{Cluster, LONG};
use crate::node::Lab;

fn dongle() -> Capability {
    capability("dongle", Supply::Exclusive)
}

/// A dongle's image, and what becomes of it without.
fn on_loss(on_loss: OnLoss) -> ImageSpec {
    ImageSpec { on_loss, ..with("dongle", image("web")) }
}

/// A service that runs with a dongle.
fn running(then: OnLoss) -> Lab {
    let mut lab = Lab::new();
    lab.offer([dongle()]);
    lab.ask(deploy(service(1), [on_loss(then)]));
    lab.rest();
    lab
}

#[test]
fn what_is_kept_says_what_is_gone() {
    let (mut lab, id) = (running(OnLoss::Keep), service(1));
    let live = lab.live(id);
    lab.offer([]);
    assert_eq!((lab.state(id), lab.said(id)), (State::Running, String::new()), "it may be back in a moment");
    lab.rest();
    assert_eq!(lab.said(id), "capability.lost: dongle is gone; it runs on");
    assert_eq!((lab.state(id), lab.live(id)), (State::Running, live.clone()));
    lab.offer([dongle()]);
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.said(id), lab.live(id)), (String::new(), live));
}

#[test]
fn what_stops_starts_again_when_it_is_back() {
    let (mut lab, id) = (running(OnLoss::Stop), service(1));
    let live = lab.live(id);
    lab.offer([]);
    lab.pass(4_000);
    assert_eq!(lab.live(id), live);
    lab.rest();
    assert_eq!((lab.live(id).len(), lab.state(id)), (0, State::Instantiating));
    assert_eq!(lab.said(id), "capability.lost: dongle is gone; it is stopped until that is back");
    assert!(lab.disk.leases.is_empty(), "nothing of it is held meanwhile");
    lab.offer([dongle()]);
    lab.settle();
    assert_eq!((lab.live(id), lab.state(id)), (live, State::Running), "the same instance, at once");
    lab.rest();
    lab.check_rest();
    assert_eq!(lab.said(id), "");
}

fn unit(unit: &str) -> Capability {
    let mut dongle = dongle();
    dongle.id.unit = unit.into();
    dongle
}

/// Two services with a dongle each; the instance of the second, which has the last unit.
fn beside_another(then: OnLoss) -> (Lab, InstanceKey) {
    let mut lab = Lab::new();
    lab.offer([unit("a"), unit("b")]);
    lab.ask(deploy(service(1), [on_loss(OnLoss::Keep)]));
    lab.ask(deploy(service(2), [on_loss(then)]));
    lab.rest();
    let key = lab.at(service(2), "web-0");
    (lab, key)
}

/// The disk lost its lease, and the unit is gone.
fn robbed(then: OnLoss) -> (Lab, InstanceKey) {
    let (mut lab, key) = beside_another(then);
    lab.rob(&key);
    lab.capabilities = vec![unit("a")];
    lab.restart();
    lab.settle();
    assert!(lab.live(service(2)).contains(&key), "what runs is not refused");
    lab.rest();
    (lab, key)
}

#[test]
fn what_stops_does_not_run_without_its_lease_either() {
    let (mut lab, _) = robbed(OnLoss::Stop);
    lab.check_rest();
    assert!(lab.live(service(2)).is_empty());
    assert_eq!(lab.said(service(2)), "waiting.capability: fog-1: dongle is held by lab/web");
}

#[test]
fn what_is_kept_without_its_lease_says_so_and_takes_it_when_it_is_free() {
    let (mut lab, key) = robbed(OnLoss::Keep);
    assert!(lab.live(service(2)).contains(&key));
    assert_eq!(lab.said(service(2)), "capability.lost: fog-1: dongle is held by lab/web; it runs on");
    lab.ask(Request::Delete(service(1)));
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.live(service(2)), lab.said(service(2))), (vec![key.clone()], String::new()));
    assert!(lab.disk.leases.len() == 1 && lab.disk.leases.iter().all(|lease| lease.holder == key));
}

#[test]
fn what_stops_takes_another_one_that_is_free() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.offer([unit("a"), unit("b")]);
    lab.ask(deploy(id, [on_loss(OnLoss::Stop)]));
    lab.rest();
    lab.offer([unit("b")]);
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.state(id), lab.said(id)), (State::Running, String::new()));
}

#[test]
fn what_is_plugged_in_again_at_once_stops_nothing() {
    let (mut lab, id) = (running(OnLoss::Stop), service(1));
    let (live, calls) = (lab.live(id), lab.engine().calls.len());
    for _ in 0..3 {
        lab.offer([]);
        lab.pass(4_000);
        lab.offer([dongle()]);
        lab.pass(4_000);
    }
    lab.rest();
    assert_eq!((lab.live(id), lab.engine().calls.len()), (live, calls));
}

#[test]
fn who_was_stopped_waits_when_another_has_it_meanwhile() {
    let (mut lab, id, other) = (running(OnLoss::Stop), service(1), service(2));
    lab.offer([]);
    lab.rest();
    // the other one is deployed while there is none, and is heard first of the new one
    lab.ask(deploy(other, [with("dongle", image("web"))]));
    lab.offer([dongle()]);
    lab.rest();
    lab.check_rest();
    let running: Vec<usize> = [id, other].map(|id| lab.live(id).len()).into();
    assert_eq!(running.iter().sum::<usize>(), 1, "one dongle, one instance: {running:?}");
}

/// A new life of the node hears of its engines before it hears of its sticks.
#[test]
fn what_was_not_told_yet_is_not_lost() {
    let (mut lab, id) = (running(OnLoss::Stop), service(1));
    let live = lab.live(id);
    lab.crash(false);
    lab.boot();
    lab.list(&crate::blueprint::engine_name("process"));
    lab.pass(LONG);
    assert_eq!((lab.live(id), lab.said(id)), (live.clone(), String::new()), "its source has not spoken");
    lab.offer([]);
    lab.rest();
    assert_eq!(lab.live(id), [], "now it has");
}

#[test]
fn what_moves_goes_where_it_is_and_stays_while_it_is_nowhere() {
    let (mut cluster, id) = (Cluster::of(3), service(1));
    cluster.lab(node(1)).offer([dongle()]);
    cluster.lab(node(1)).ask(deploy(id, [on_loss(OnLoss::Move)]));
    cluster.pass(LONG);
    assert_eq!(cluster.running(id), [1, 0, 0]);
    cluster.lab(node(1)).offer([]);
    cluster.pass(LONG);
    assert_eq!(cluster.running(id), [1, 0, 0], "nobody else has one");
    assert_eq!(
        cluster.lab(node(1)).said(id),
        "capability.lost: dongle is gone; it runs on until another node can have it"
    );
    cluster.lab(node(3)).offer([dongle()]);
    cluster.pass(LONG);
    assert_eq!(cluster.running(id), [0, 0, 1]);
    assert!(cluster.lab(node(1)).disk.leases.is_empty());
    assert_eq!(cluster.lab(node(1)).state(id), State::Running);
}

#[test]
fn a_second_unit_of_the_same_node_will_do() {
    let unit = |unit: &str| {
        let mut it = dongle();
        it.id.unit = unit.into();
        it
    };
    let (mut lab, id) = (Lab::new(), service(1));
    lab.offer([unit("a"), unit("b")]);
    lab.ask(deploy(id, [on_loss(OnLoss::Move)]));
    lab.rest();
    let first = lab.disk.leases[0].of.unit.clone();
    let other = if first == "a" { "b" } else { "a" };
    lab.offer([unit(other)]);
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.state(id), lab.disk.leases[0].of.unit.as_str()), (State::Running, other));
}

#[test]
fn a_slot_of_every_node_is_given_up_where_its_capability_goes() {
    let (mut cluster, id) = (Cluster::of(3), service(1));
    for n in [1, 2] {
        cluster.lab(node(n)).offer([capability("licence", Supply::Shared)]);
    }
    let probe = ImageSpec { replicas: Replicas::EveryNode, ..with("licence", image("probe")) };
    let probe = ImageSpec { on_loss: OnLoss::Move, ..probe };
    cluster.lab(node(1)).ask(deploy(id, [probe]));
    cluster.pass(LONG);
    assert_eq!(cluster.running(id), [1, 1, 0]);
    cluster.lab(node(2)).offer([]);
    cluster.lab(node(3)).offer([capability("licence", Supply::Shared)]);
    cluster.pass(LONG);
    assert_eq!(cluster.running(id), [1, 0, 1]);
    let nodes: BTreeSet<_> = cluster.lab(node(1)).record(id).slots.values().map(|at| at.node).collect();
    assert_eq!(nodes, [node(1), node(3)].into());
    cluster.lab(node(2)).offer([capability("licence", Supply::Shared)]);
    cluster.pass(LONG);
    assert_eq!(cluster.running(id), [1, 1, 1]);
}

#[test]
fn what_was_stopped_is_not_kept_by_another_revision() {
    let (mut lab, id) = (running(OnLoss::Stop), service(1));
    lab.offer([]);
    lab.rest();
    lab.ask(Request::Update { id, spec: spec([on_loss(OnLoss::Keep)]) });
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.live(id).len(), lab.state(id)), (0, State::Initial));
    lab.offer([dongle()]);
    lab.rest();
    assert_eq!((lab.state(id), lab.disk.leases.len()), (State::Running, 1));
}
