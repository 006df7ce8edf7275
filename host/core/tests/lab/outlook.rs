//! What a node makes of who else is there: members that come and go, an heir that does not answer, news while its disk
//! is full.

use std::collections::BTreeSet;

use motey_core::capability::Supply;
use motey_core::id::{NodeId, ServiceId};
use motey_core::peer::Duty;
use motey_core::project::State;
use motey_core::step::{Answer, Input, Refusal, Request};

use crate::blueprint::{capability, deploy, image, node, service, with};
use crate::cluster::{Cluster, LONG};
use crate::node::Lab;

fn nodes(all: impl IntoIterator<Item = u128>) -> BTreeSet<NodeId> {
    all.into_iter().map(node).collect()
}

fn forget(about: NodeId) -> Request {
    Request::Forget { node: about, forgotten: true }
}

/// A service with one instance, on the node that was asked for it.
fn at_home(cluster: &mut Cluster, n: u128) -> ServiceId {
    let id = service(n);
    cluster.lab(node(n)).ask(deploy(id, [image("web")]));
    cluster.pass(LONG);
    assert_eq!(cluster.lab(node(n)).live(id).len(), 1);
    id
}

fn owner(cluster: &mut Cluster, of: ServiceId, says: u128) -> NodeId {
    cluster.lab(node(says)).record(of).stamp.owner
}

#[test]
fn a_node_that_restarts_knows_its_members_before_it_hears_them() {
    let (mut cluster, id) = (Cluster::of(3), service(1));
    cluster.boot(node(1));
    cluster.lab(node(1)).ask(deploy(id, [image("web")]));
    assert!(cluster.lab(node(1)).record(id).slots.is_empty(), "it decides like one of three");
    cluster.pass(LONG);
    assert_eq!(cluster.running(id), [1, 0, 0]);
}

#[test]
fn what_the_last_other_member_owned_and_ran_is_not_waited_for_when_it_is_removed() {
    let (mut cluster, pinned) = (Cluster::of(2), service(9));
    let theirs = at_home(&mut cluster, 2);
    cluster.lab(node(2)).offer([capability("zigbee", Supply::Exclusive)]);
    cluster.pass(LONG);
    cluster.lab(node(1)).ask(deploy(pinned, [with("zigbee", image("web"))]));
    cluster.pass(LONG);
    assert_eq!(cluster.running(pinned), [0, 1]);
    cluster.lab(node(1)).offer([capability("zigbee", Supply::Exclusive)]);
    cluster.lab(node(2)).crash(false);
    cluster.pass(2 * LONG);
    assert!(cluster.lab(node(1)).live(pinned).is_empty(), "it waits for its node");
    cluster.tell_members(&nodes([1]));
    cluster.pass(LONG);
    let lab = cluster.lab(node(1));
    assert_eq!((lab.live(pinned).len(), lab.live(theirs).len()), (1, 1));
    assert_eq!(lab.record(theirs).stamp.owner, node(1));
}

#[test]
fn a_removed_member_keeps_what_it_runs_and_decides_nothing_until_it_is_taken_back() {
    let mut cluster = Cluster::of(3);
    let (own, other) = (at_home(&mut cluster, 1), at_home(&mut cluster, 2));
    cluster.tell_members(&nodes([2, 3]));
    cluster.pass(2 * LONG);
    assert_eq!(cluster.lab(node(1)).live(own).len(), 1);
    cluster.lab(node(1)).exits(own, "web-0", 1);
    cluster.pass(LONG);
    assert_eq!(cluster.lab(node(1)).live(own).len(), 1, "it is started again");
    let lab = cluster.lab(node(1));
    let called = lab.core.called(node(1));
    assert_eq!(lab.ask(Request::Stop(own)), Some(Answer::Refused(Refusal::Removed(called))));
    assert_eq!((lab.record(own).stamp.epoch, lab.record(other).stamp.owner), (1, node(2)));
    let successor = owner(&mut cluster, own, 2);
    assert_ne!(successor, node(1), "to the others it is as forgotten");
    assert_eq!(cluster.running(own)[1..].iter().sum::<usize>(), 1);
    cluster.tell_members(&nodes([1, 2, 3]));
    cluster.pass(2 * LONG);
    assert_eq!(cluster.running(own).iter().sum::<usize>(), 1);
    assert_eq!(owner(&mut cluster, own, 1), successor);
}

#[test]
fn a_removed_member_that_starts_again_takes_over_nothing() {
    let mut cluster = Cluster::of(2);
    let theirs = at_home(&mut cluster, 2);
    cluster.lab(node(1)).disk.members = nodes([2]);
    cluster.boot(node(1));
    cluster.lab(node(2)).crash(false);
    cluster.pass(2 * LONG);
    assert_eq!(owner(&mut cluster, theirs, 1), node(2));
    assert!(cluster.lab(node(1)).live(theirs).is_empty());
}

/// Only one of the two is told, so that the other remembers the numbers of its letters.
#[test]
fn whoever_is_taken_back_hears_everything_from_then_on() {
    let (mut cluster, id) = (Cluster::of(2), service(1));
    cluster.lab(node(1)).input(&Input::Members(nodes([1])));
    cluster.lab(node(1)).input(&Input::Members(nodes([1, 2])));
    cluster.lab(node(1)).offer([capability("zigbee", Supply::Exclusive)]);
    cluster.pass(12_000);
    cluster.lab(node(2)).ask(deploy(id, [with("zigbee", image("web"))]));
    cluster.pass(6_000);
    assert_eq!(cluster.running(id), [1, 0]);
}

#[test]
fn an_heir_that_lives_and_cannot_write_is_not_waited_for_for_ever() {
    let mut cluster = Cluster::of(3);
    let id = at_home(&mut cluster, 1);
    let heir = cluster.lab(node(1)).record(id).holders[1];
    cluster.lab(heir).disk.full = true;
    cluster.lab(node(1)).ask(Request::Duty(Duty::Drain));
    cluster.pass(30_000);
    let record = cluster.lab(node(1)).record(id).clone();
    assert_eq!((record.heir, record.stamp.epoch), (Some(heir), 1));
    let called = cluster.lab(node(1)).core.called(heir);
    let refused = Some(Answer::Refused(Refusal::HandedOver(id, called)));
    assert_eq!(cluster.lab(node(1)).ask(Request::Stop(id)), refused);
    cluster.pass(LONG);
    let third = cluster.labs.iter().map(Lab::me).find(|it| ![node(1), heir].contains(it));
    let record = cluster.lab(node(1)).record(id).clone();
    assert_eq!((Some(record.stamp.owner), record.stamp.epoch), (third, 3), "its own epoch lies between");
    cluster.lab(heir).disk.full = false;
    cluster.pass(2 * LONG);
    let stamps: BTreeSet<_> = cluster.labs.iter().map(|lab| lab.record(id).stamp).collect();
    assert_eq!((stamps.len(), cluster.running(id).iter().sum::<usize>()), (1, 1));
    assert_eq!(cluster.running(id)[0], 0, "it is drained");
}

#[test]
fn an_owner_that_stays_after_all_owns_again_when_its_heir_had_its_time() {
    let mut cluster = Cluster::of(2);
    let id = at_home(&mut cluster, 1);
    cluster.lab(node(2)).disk.full = true;
    cluster.lab(node(1)).ask(Request::Duty(Duty::Drain));
    cluster.pass(6_000);
    cluster.lab(node(1)).ask(Request::Duty(Duty::Operate));
    cluster.boot(node(1));
    cluster.pass(30_000);
    assert_eq!(cluster.lab(node(1)).record(id).heir, Some(node(2)), "an offer is not taken back");
    cluster.pass(LONG);
    let lab = cluster.lab(node(1));
    assert_eq!((lab.record(id).heir, lab.record(id).stamp.epoch), (None, 2));
    assert_eq!(lab.state(id), State::Running);
}

#[test]
fn what_is_said_about_a_forgotten_node_is_heard_while_the_disk_is_full() {
    let mut cluster = Cluster::of(3);
    cluster.lab(node(2)).crash(false);
    cluster.lab(node(3)).disk.full = true;
    cluster.pass(LONG);
    assert_eq!(cluster.lab(node(1)).ask(forget(node(2))), Some(Answer::Done));
    cluster.pass(LONG);
    assert_eq!(cluster.lab(node(3)).core.standing().forgotten.iter().collect::<Vec<_>>(), [node(2)]);
    assert_eq!(cluster.lab(node(3)).disk.standing.forgotten.iter().count(), 0);
    let refused = cluster.lab(node(3)).ask(forget(node(1)));
    let called = cluster.lab(node(3)).core.called(node(1));
    assert_eq!(refused, Some(Answer::Refused(Refusal::Heard(called))), "it hears the others all along");
    cluster.lab(node(3)).disk.full = false;
    cluster.pass(6_000);
    assert_eq!(cluster.lab(node(3)).disk.standing.forgotten.iter().collect::<Vec<_>>(), [node(2)]);
    let writes = cluster.lab(node(3)).disk.writes;
    cluster.pass(LONG);
    assert_eq!(cluster.lab(node(3)).disk.writes, writes, "and written once");
}
