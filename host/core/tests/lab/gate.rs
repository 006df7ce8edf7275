//! The gate: three cores in one process that speak by `Record` and `Report` alone. For an executor, a record of its
//! own node and one of another are the same; for an owner, so are the reports.

use motey_core::Tuning;
use motey_core::capability::Supply;
use motey_core::id::{NodeId, ServiceId};
use motey_core::project::State;
use motey_core::record::{ServiceRecord, SlotId};
use motey_core::spec::Restart;
use motey_core::step::{Answer, Input, PeerMessage, Refusal, Request};

use crate::blueprint::{capability, deploy, engine_name, image, node, restarts, service, taking};
use crate::engine::{Verb, exited};
use crate::node::Lab;

struct Cluster(Vec<Lab>);

impl Cluster {
    /// Carries messages and does calls until nobody has anything to say.
    fn rest(&mut self) {
        for _ in 0..1_000 {
            self.0.iter_mut().for_each(Lab::rest);
            if self.carry() == 0 {
                return;
            }
        }
        panic!("they never come to rest");
    }

    fn carry(&mut self) -> usize {
        let mut carried = 0;
        for at in 0..self.0.len() {
            let from = self.0[at].me();
            for (to, message) in std::mem::take(&mut self.0[at].outbox) {
                carried += 1;
                self.lab(to).input(&Input::Peer { from, message });
            }
        }
        carried
    }

    fn lab(&mut self, node: NodeId) -> &mut Lab {
        self.0.iter_mut().find(|lab| lab.me() == node).expect("a node of the cluster")
    }
}

/// A record that node 1 owns, its one slot assigned to node 2.
fn lent(id: ServiceId, restart: Restart) -> ServiceRecord {
    let mut maker = Lab::new();
    maker.offer([capability("memory", Supply::Amount(100))]);
    maker.ask(deploy(id, [restarts(restart, taking("memory", 60, image("web")))]));
    let mut record = ServiceRecord::clone(maker.record(id));
    for assignment in record.slots.values_mut() {
        assignment.node = node(2);
    }
    record
}

fn cluster(id: ServiceId, restart: Restart) -> Cluster {
    let record = lent(id, restart);
    let owner = Lab::named(1, Tuning::default(), [record.clone()]);
    let mut nodes = vec![owner, Lab::named(2, Tuning::default(), []), Lab::named(3, Tuning::default(), [])];
    for lab in &mut nodes {
        lab.offer([capability("memory", Supply::Amount(100))]);
    }
    let mut cluster = Cluster(nodes);
    cluster.rest();
    let message = PeerMessage::Record(record.into());
    cluster.lab(node(2)).input(&Input::Peer { from: node(1), message });
    cluster
}

#[test]
fn three_nodes_run_their_own_and_each_other_s() {
    let lent = service(100);
    let mut cluster = cluster(lent, Restart::Always);
    for n in 1..=3 {
        cluster.lab(node(n)).ask(deploy(service(n), [image("own")]));
    }
    cluster.rest();
    for n in 1..=3 {
        assert_eq!(cluster.lab(node(n)).state(service(n)), State::Running);
    }
    let slot = cluster.lab(node(1)).status(lent).images[0].slots[0].clone();
    assert_eq!((slot.state, slot.node), (State::Running, Some(node(2))));
    assert_eq!(slot.handle.as_deref(), Some("web-0-1"));
    assert_eq!([1, 2, 3].map(|n| cluster.lab(node(n)).live(lent).len()), [0, 1, 0]);
    assert_eq!(cluster.lab(node(2)).disk.leases.len(), 1);
    let key = cluster.lab(node(2)).at(lent, "web-0");
    cluster.lab(node(2)).becomes(&key, exited(3));
    cluster.carry();
    assert_eq!(
        cluster.lab(node(1)).said(lent),
        "restart.backoff: exited with code 3; attempt 1 of 10 follows"
    );
    cluster.rest();
    assert_eq!(cluster.lab(node(1)).state(lent), State::Running);
    assert_eq!(cluster.lab(node(1)).engine().calls.len(), 2, "the owner's engine made its own, no more");
}

#[test]
fn the_owner_s_stop_and_delete_reach_the_executor() {
    let lent = service(100);
    let mut cluster = cluster(lent, Restart::Always);
    cluster.rest();
    cluster.lab(node(1)).ask(Request::Stop(lent));
    assert_eq!(cluster.lab(node(1)).state(lent), State::Stopping);
    cluster.rest();
    assert_eq!(cluster.lab(node(1)).state(lent), State::Terminated);
    assert_eq!(cluster.lab(node(2)).instances().count(), 0);
    assert!(cluster.lab(node(2)).disk.leases.is_empty());
    cluster.lab(node(1)).ask(Request::Delete(lent));
    cluster.rest();
    assert!(cluster.lab(node(1)).record(lent).is_over());
}

/// The executor's end is final when its owner wrote it down; until then nothing may follow from it.
#[test]
fn a_final_end_waits_for_the_owner_s_word() {
    let lent = service(100);
    let mut cluster = cluster(lent, Restart::Never);
    cluster.rest();
    let executor = cluster.lab(node(2));
    executor.exits(lent, "web-0", 1);
    executor.list(&engine_name("process"));
    executor.rest();
    assert_eq!(executor.engine().asked(Verb::Start), 1, "it is not started again meanwhile");
    cluster.rest();
    assert_eq!(cluster.lab(node(1)).state(lent), State::Error);
    assert!(cluster.lab(node(2)).disk.leases.is_empty());
}

#[test]
fn a_refusal_of_another_node_moves_the_slot() {
    let lent = service(100);
    let record = self::lent(lent, Restart::Always);
    let owner = Lab::named(1, Tuning::default(), [record.clone()]);
    let mut cluster = Cluster(vec![owner, Lab::named(2, Tuning::default(), [])]);
    cluster.lab(node(1)).offer([capability("memory", Supply::Amount(100))]);
    let message = PeerMessage::Record(record.into());
    cluster.lab(node(2)).input(&Input::Peer { from: node(1), message });
    assert_eq!(cluster.lab(node(2)).calls.len(), 0, "it has no memory to give");
    cluster.rest();
    let slot = cluster.lab(node(1)).status(lent).images[0].slots[0].clone();
    assert_eq!((slot.state, slot.node), (State::Running, Some(node(1))));
    assert_eq!(cluster.lab(node(2)).live(lent).len(), 0);
}

#[test]
fn old_and_repeated_records_change_nothing() {
    let lent = service(100);
    let mut cluster = cluster(lent, Restart::Always);
    let old = cluster.lab(node(2)).record(lent).clone();
    cluster.rest();
    cluster.lab(node(1)).ask(Request::Stop(lent));
    cluster.rest();
    let executor = cluster.lab(node(2));
    let calls = executor.engine().calls.len();
    for _ in 0..2 {
        let message = PeerMessage::Record(old.clone().into());
        executor.input(&Input::Peer { from: node(1), message });
    }
    executor.rest();
    assert_eq!((executor.engine().calls.len(), executor.instances().count()), (calls, 0));
}

#[test]
fn in_an_epoch_only_the_owner_writes() {
    let lent = service(100);
    let mut cluster = cluster(lent, Restart::Always);
    cluster.rest();
    let executor = cluster.lab(node(2));
    for request in [Request::Stop(lent), Request::Restart(lent)] {
        assert_eq!(executor.ask(request), Some(Answer::Refused(Refusal::Unknown(lent))));
    }
}

/// The second restart dismisses an attempt that was never made: the same step hears that it is gone, and writes the
/// record again.
#[test]
fn a_node_hears_a_record_once_a_step_as_it_was_committed() {
    let (id, mut maker) = (service(1), Lab::new());
    maker.ask(deploy(id, [image("db"), image("web")]));
    maker.rest();
    let mut record = ServiceRecord::clone(maker.record(id));
    let slot: SlotId = "web-0".parse().expect("a slot");
    record.slots.get_mut(&slot).expect("it is assigned").node = node(2);
    let mut lab = Lab::named(1, Tuning::default(), [record]);
    lab.rest();
    for _ in 0..2 {
        lab.outbox.clear();
        lab.ask(Request::Restart(id));
        let [(to, PeerMessage::Record(told))] = &lab.outbox[..] else { panic!("{:?}", lab.outbox) };
        assert_eq!((*to, &**told), (node(2), lab.record(id)));
    }
    let left: Vec<String> =
        lab.record(id).dismissed.iter().map(|d| format!("{} on {}", d.slot, d.node)).collect();
    let [here, there] = [1, 2].map(node);
    let expected = [format!("db-0 on {here}"), format!("web-0 on {here}"), format!("web-0 on {there}")];
    assert_eq!(left, expected, "the second db-0 was never made, and is gone");
}
