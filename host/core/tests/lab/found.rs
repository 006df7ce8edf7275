//! What the simulator found by chance, told again exactly.

use std::collections::BTreeSet;

use motey_core::capability::Supply;
use motey_core::instance::Seen;
use motey_core::peer::{Duty, Letter, PeerMessage};
use motey_core::project::State;
use motey_core::record::{Fence, ServiceRecord};
use motey_core::spec::Restart;
use motey_core::step::{Input, Request};

use crate::blueprint::{capability, deploy, engine_name, image, node, restarts, service, spec, with};
use crate::cluster::{Cluster, LONG, spread};
use crate::engine::{Verb, exited};
use crate::node::Lab;

#[test]
fn what_is_frozen_and_has_no_node_is_adopted_where_it_is() {
    let (mut cluster, id) = (Cluster::of(3), service(1));
    assert_eq!(spread(&mut cluster, id, image("web")), [1, 0, 0]);
    for n in 1..=3 {
        cluster.lab(node(n)).ask(Request::Duty(Duty::Cordon));
    }
    let key = cluster.lab(node(1)).at(id, "web-0");
    cluster.lab(node(1)).becomes(&key, Seen::Paused);
    cluster.pass(LONG);
    cluster.cut.insert(node(1));
    cluster.pass(LONG);
    assert!(cluster.lab(node(2)).record(id).slots.is_empty(), "nobody takes it on");
    cluster.cut.clear();
    cluster.pass(LONG);
    assert_eq!(cluster.lab(node(2)).record(id).slots[&key.slot].fence, key.fence);
}

/// The last record of a service that one node wrote to another, as it never arrived.
fn written(cluster: &Cluster, from: u128, to: u128) -> Input {
    let mut letters = cluster.letters.iter().rev().filter(|it| (it.0, it.1) == (node(from), node(to)));
    let record = letters.find(|it| matches!(it.2.message, PeerMessage::Record(_))).expect("a record");
    Input::Peer { from: node(from), letter: record.2.clone() }
}

/// An owner that was cut off has its instance stopped, and hears only then that another one took over, which knows of no
/// such wish.
#[test]
fn an_end_that_was_ordered_is_not_the_instance_s_own() {
    let (mut cluster, id) = (Cluster::of(3), service(1));
    cluster.lab(node(1)).offer([capability("zigbee", Supply::Exclusive)]);
    cluster.pass(LONG);
    let once = restarts(Restart::Never, with("zigbee", image("web")));
    assert_eq!(spread(&mut cluster, id, once), [1, 0, 0]);
    let key = cluster.lab(node(1)).at(id, "web-0");
    cluster.cut.insert(node(1));
    cluster.pass(LONG);
    cluster.lab(node(1)).ask(Request::Restart(id));
    let record = written(&cluster, 2, 1);
    cluster.lab(node(1)).input(&record);
    cluster.cut.clear();
    cluster.pass(LONG);
    assert_eq!(cluster.lab(node(2)).state(id), State::Running);
    assert_eq!(cluster.lab(node(1)).live(id), [key]);
}

/// A job that ended while the node was down takes its revision back, in the step in which its sibling would be made.
#[test]
fn what_a_step_dismisses_it_does_not_begin() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [image("web")]));
    lab.rest();
    let job = restarts(Restart::Never, image("job"));
    lab.ask(Request::Update { id, spec: spec([job, image("api"), image("web")]) });
    lab.settle();
    let (job, api) = (lab.at(id, "job-0"), lab.at(id, "api-0"));
    lab.crash(false);
    lab.silently(&job, exited(1));
    lab.engine().instances.remove(&api);
    lab.engine().calls.clear();
    lab.boot();
    lab.list(&engine_name("process"));
    lab.rest();
    assert_eq!(lab.record(id).revision.order.number, 3, "it was taken back");
    assert!(!lab.engine().calls.contains(&(Verb::Create, api)));
}

/// Another owner's record names another attempt while the start of the one before it is under way.
#[test]
fn what_is_about_to_live_is_waited_for() {
    let (mut cluster, id) = (Cluster::of(2), service(1));
    let lab = cluster.lab(node(1));
    lab.ask(deploy(id, [image("web")]));
    lab.one_call();
    assert_eq!(lab.calls.len(), 1, "its start is under way");
    let mut record = ServiceRecord::clone(lab.record(id));
    record.stamp.epoch += 1;
    record.stamp.owner = node(2);
    let slot = record.slots.values_mut().next().expect("a slot");
    slot.fence = Fence { epoch: 2, owner: node(2), ..slot.fence };
    let letter = cluster.letters.iter().rev().find(|it| it.0 == node(2)).expect("a letter").2.clone();
    let letter = Letter { number: letter.number + 1, message: PeerMessage::Record(record.into()), ..letter };
    let lab = cluster.lab(node(1));
    lab.input(&Input::Peer { from: node(2), letter });
    let under_way: BTreeSet<_> = lab.calls.iter().map(|call| call.target.key.fence).collect();
    assert_eq!((under_way.len(), lab.calls.len()), (1, 1), "the other one waits");
}

/// The owner and another holder delete a service at the same time, on two versions of it.
#[test]
fn two_tombstones_differ_or_are_the_same() {
    let (mut cluster, id) = (Cluster::of(3), service(1));
    assert_eq!(spread(&mut cluster, id, restarts(Restart::Never, image("web"))), [1, 0, 0]);
    let key = cluster.lab(node(1)).at(id, "web-0");
    cluster.lab(node(1)).becomes(&key, Seen::Gone);
    cluster.pass(LONG);
    cluster.cut.insert(node(2));
    cluster.lab(node(2)).ask(Request::Delete(id));
    cluster.lab(node(1)).ask(Request::Delete(id));
    cluster.cut.clear();
    cluster.pass(2 * LONG);
    let records: Vec<ServiceRecord> =
        (1..=3).map(|n| ServiceRecord::clone(cluster.lab(node(n)).record(id))).collect();
    assert!(records[0].is_over() && records.iter().all(|it| *it == records[0]), "{records:#?}");
}
