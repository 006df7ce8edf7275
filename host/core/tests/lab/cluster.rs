//! Several cores in one process that speak by letters alone: who runs what, and what becomes of it when a node is lost.
//! What chance does to them is the simulator's part.

use std::collections::BTreeSet;

use motey_core::Tuning;
use motey_core::capability::Supply;
use motey_core::id::{NodeId, ServiceId};
use motey_core::peer::{Duty, Letter, PeerMessage};
use motey_core::plan::SlotPlan;
use motey_core::project::State;
use motey_core::record::SlotId;
use motey_core::spec::{ImageSpec, Neighbours, Replicas, Restart};
use motey_core::step::{Answer, Input, Refusal, Request};

use crate::blueprint::{
    called, capability, deploy, engine_name, image, node, restarts, service, spec, taking, times, with,
};
use crate::disk::Disk;
use crate::engine::{Verb, exited};
use crate::node::Lab;

/// More than a silent node is given, and more than anyone waits before it acts for others.
pub const LONG: u64 = 60_000;

pub struct Cluster {
    pub labs: Vec<Lab>,
    /// Those that neither hear nor speak.
    pub cut: BTreeSet<NodeId>,
    pub letters: Vec<(NodeId, NodeId, Letter)>,
}

impl Cluster {
    /// That many nodes that know each other; each is able to run anything that needs nothing.
    pub fn of(count: u128) -> Self {
        Self::tuned(count, Tuning::default())
    }

    pub fn tuned(count: u128, tuning: Tuning) -> Self {
        let labs: Vec<Lab> = (1..=count).map(|n| Lab::named(n, tuning, [])).collect();
        let mut cluster = Self { labs, cut: BTreeSet::new(), letters: Vec::new() };
        cluster.introduce();
        cluster.pass(LONG);
        cluster
    }

    fn introduce(&mut self) {
        let all: BTreeSet<NodeId> = self.labs.iter().map(Lab::me).collect();
        self.tell_members(&all);
    }

    /// Every node hears now who belongs to the cluster, or when it starts.
    pub fn tell_members(&mut self, all: &BTreeSet<NodeId>) {
        for lab in &mut self.labs {
            lab.disk.members.clone_from(all);
            lab.input(&Input::Members(all.clone()));
        }
    }

    /// Lets so many milliseconds pass on all nodes, with all that happens meanwhile.
    pub fn pass(&mut self, span: u64) {
        let until = self.labs[0].now.after(span);
        for _ in 0..100_000 {
            self.labs.iter_mut().filter(|lab| !lab.dead).for_each(Lab::settle);
            if self.carry() > 0 {
                continue;
            }
            let due = self.labs.iter().filter(|lab| !lab.dead).filter_map(|lab| lab.core.next_due()).min();
            let now = due.unwrap_or(until).max(self.labs[0].now).min(until);
            self.labs.iter_mut().for_each(|lab| lab.now = now);
            if due.is_none_or(|due| due > until) {
                return;
            }
            let late = self.labs.iter_mut().filter(|lab| !lab.dead);
            late.filter(|lab| lab.core.next_due().is_some_and(|due| due <= now)).for_each(Lab::tick);
        }
        panic!("they never come to rest");
    }

    fn carry(&mut self) -> usize {
        let mut carried = 0;
        for at in 0..self.labs.len() {
            let from = self.labs[at].me();
            for (to, letter) in std::mem::take(&mut self.labs[at].outbox) {
                self.letters.push((from, to, letter.clone()));
                if !self.cut.contains(&from) && !self.cut.contains(&to) && !self.lab(to).dead {
                    carried += 1;
                    self.lab(to).input(&Input::Peer { from, letter });
                }
            }
        }
        carried
    }

    pub fn lab(&mut self, node: NodeId) -> &mut Lab {
        self.labs.iter_mut().find(|lab| lab.me() == node).expect("a node of the cluster")
    }

    pub fn boot(&mut self, node: NodeId) {
        self.lab(node).restart();
    }

    /// How many nodes run an instance of a service.
    pub fn running(&self, id: ServiceId) -> Vec<usize> {
        self.labs.iter().map(|lab| lab.live(id).len()).collect()
    }

    /// A service of node 1 whose one image only node 2 can run.
    fn lent(restart: Restart) -> (Self, ServiceId) {
        let (mut cluster, id) = (Self::of(3), service(100));
        cluster.lab(node(2)).offer([capability("memory", Supply::Amount(100))]);
        cluster.pass(LONG);
        cluster.lab(node(1)).ask(deploy(id, [restarts(restart, taking("memory", 60, image("web")))]));
        cluster.pass(LONG);
        (cluster, id)
    }
}

#[test]
fn three_nodes_run_their_own_and_each_other_s() {
    let (mut cluster, lent) = Cluster::lent(Restart::Always);
    for n in 1..=3 {
        cluster.lab(node(n)).ask(deploy(service(n), [image("own")]));
    }
    cluster.pass(LONG);
    for n in 1..=3 {
        assert_eq!(cluster.lab(node(n)).state(service(n)), State::Running);
    }
    let slot = cluster.lab(node(1)).status(lent).images[0].slots[0].clone();
    assert_eq!((slot.state, slot.node), (State::Running, Some(node(2))));
    assert_eq!(cluster.running(lent), [0, 1, 0]);
    assert_eq!(cluster.lab(node(2)).disk.leases.len(), 1);
    let key = cluster.lab(node(2)).at(lent, "web-0");
    cluster.lab(node(2)).becomes(&key, exited(3));
    cluster.carry();
    assert_eq!(
        cluster.lab(node(1)).said(lent),
        "restart.backoff: exited with code 3; attempt 1 of 10 follows"
    );
    cluster.pass(LONG);
    assert_eq!(cluster.lab(node(1)).state(lent), State::Running);
    assert_eq!(cluster.lab(node(1)).engine().calls.len(), 2, "the owner's engine made its own, no more");
}

#[test]
fn the_owner_s_stop_and_delete_reach_the_executor() {
    let (mut cluster, lent) = Cluster::lent(Restart::Always);
    cluster.lab(node(1)).ask(Request::Stop(lent));
    assert_eq!(cluster.lab(node(1)).state(lent), State::Stopping);
    cluster.pass(LONG);
    assert_eq!(cluster.lab(node(1)).state(lent), State::Terminated);
    assert_eq!(cluster.lab(node(2)).instances().count(), 0);
    assert!(cluster.lab(node(2)).disk.leases.is_empty());
    cluster.lab(node(1)).ask(Request::Delete(lent));
    cluster.pass(LONG);
    for n in 1..=3 {
        assert!(cluster.lab(node(n)).record(lent).is_over(), "everybody has the tombstone");
    }
}

#[test]
fn any_holder_may_delete() {
    let (mut cluster, lent) = Cluster::lent(Restart::Always);
    assert_eq!(cluster.lab(node(3)).ask(Request::Delete(lent)), Some(Answer::Accepted(lent)));
    cluster.pass(LONG);
    assert_eq!(cluster.running(lent), [0, 0, 0]);
    let stamps: BTreeSet<_> = cluster.labs.iter().map(|lab| lab.record(lent).stamp).collect();
    assert_eq!((stamps.len(), cluster.lab(node(3)).state(lent)), (1, State::Terminated));
}

/// The executor's end is final when its owner wrote it down; until then nothing may follow from it.
#[test]
fn a_final_end_waits_for_the_owner_s_word() {
    let (mut cluster, lent) = Cluster::lent(Restart::Never);
    cluster.cut.insert(node(2));
    let executor = cluster.lab(node(2));
    executor.exits(lent, "web-0", 1);
    executor.list(&engine_name("process"));
    cluster.pass(LONG / 6);
    assert_eq!(cluster.lab(node(2)).engine().asked(Verb::Start), 1, "it is not started again meanwhile");
    cluster.cut.clear();
    cluster.pass(LONG);
    assert_eq!(cluster.lab(node(1)).state(lent), State::Error);
    assert!(cluster.lab(node(2)).disk.leases.is_empty());
}

#[test]
fn a_refusal_of_another_node_moves_the_slot() {
    let mut cluster = Cluster::of(3);
    for n in 2..=3 {
        cluster.lab(node(n)).offer([capability("memory", Supply::Amount(100))]);
    }
    cluster.pass(LONG);
    // node 1 does not know of it yet
    cluster.lab(node(2)).ask(deploy(service(2), [taking("memory", 60, image("own"))]));
    cluster.lab(node(1)).ask(deploy(service(1), [taking("memory", 60, image("web"))]));
    cluster.pass(LONG);
    assert_eq!((cluster.running(service(1)), cluster.running(service(2))), (vec![0, 0, 1], vec![0, 1, 0]));
}

#[test]
fn old_and_repeated_letters_change_nothing() {
    let (mut cluster, lent) = Cluster::lent(Restart::Always);
    cluster.lab(node(1)).ask(Request::Stop(lent));
    cluster.pass(LONG);
    let calls = cluster.lab(node(2)).engine().calls.len();
    let stamps: Vec<_> = cluster.labs.iter().map(|lab| lab.record(lent).stamp).collect();
    for (from, to, letter) in std::mem::take(&mut cluster.letters) {
        cluster.lab(to).input(&Input::Peer { from, letter });
    }
    cluster.pass(LONG);
    assert_eq!((cluster.lab(node(2)).engine().calls.len(), cluster.running(lent)), (calls, vec![0; 3]));
    assert_eq!(cluster.labs.iter().map(|lab| lab.record(lent).stamp).collect::<Vec<_>>(), stamps);
}

#[test]
fn in_an_epoch_only_the_owner_writes() {
    let (mut cluster, lent) = Cluster::lent(Restart::Always);
    let refused = Some(Answer::Refused(Refusal::Elsewhere(lent, called(node(1)))));
    for request in [Request::Stop(lent), Request::Restart(lent)] {
        assert_eq!(cluster.lab(node(2)).ask(request), refused);
    }
}

/// The second restart dismisses an attempt that was never made: the same step hears that it is gone, and writes the
/// record again.
#[test]
fn a_node_hears_a_record_once_a_step_as_it_was_committed() {
    let (mut cluster, id) = (Cluster::of(2), service(1));
    cluster.lab(node(2)).offer([capability("memory", Supply::Amount(100))]);
    cluster.pass(LONG);
    cluster.lab(node(1)).ask(deploy(id, [image("db"), taking("memory", 60, image("web"))]));
    cluster.pass(LONG);
    let lab = cluster.lab(node(1));
    for _ in 0..2 {
        lab.outbox.clear();
        lab.ask(Request::Restart(id));
        let [(to, Letter { message: PeerMessage::Record(told), .. })] = &lab.outbox[..] else {
            panic!("{:?}", lab.outbox)
        };
        assert_eq!((*to, &**told), (node(2), lab.record(id)));
    }
    let left: Vec<String> =
        lab.record(id).dismissed.iter().map(|d| format!("{} on {}", d.slot, d.node)).collect();
    let [here, there] = [1, 2].map(node);
    let expected = [format!("db-0 on {here}"), format!("web-0 on {there}"), format!("web-0 on {there}")];
    assert_eq!(left, expected, "the second db-0 was never made, and is gone");
}

pub fn spread(cluster: &mut Cluster, id: ServiceId, image: ImageSpec) -> Vec<usize> {
    cluster.lab(node(1)).ask(deploy(id, [image]));
    cluster.pass(LONG);
    cluster.running(id)
}

#[test]
fn what_a_dead_node_ran_runs_elsewhere_and_once_when_it_returns() {
    let (mut cluster, id) = (Cluster::of(3), service(1));
    cluster.lab(node(2)).offer([capability("memory", Supply::Amount(100))]);
    cluster.pass(LONG);
    assert_eq!(spread(&mut cluster, id, taking("memory", 60, image("web"))), [0, 1, 0]);
    cluster.lab(node(3)).offer([capability("memory", Supply::Amount(100))]);
    cluster.lab(node(2)).crash(false);
    cluster.pass(LONG);
    assert_eq!(cluster.lab(node(3)).live(id).len(), 1);
    cluster.boot(node(2));
    cluster.pass(LONG);
    assert_eq!(cluster.running(id), [0, 0, 1]);
    assert_eq!(cluster.lab(node(1)).state(id), State::Running);
}

#[test]
fn the_first_of_the_line_takes_over_from_a_dead_owner() {
    let (mut cluster, lent) = Cluster::lent(Restart::Always);
    cluster.lab(node(1)).crash(false);
    cluster.pass(LONG);
    let record = cluster.lab(node(2)).record(lent).clone();
    assert_eq!((record.stamp.epoch, record.stamp.owner), (2, record.holders[0]));
    assert_ne!(record.stamp.owner, node(1));
    assert_eq!(cluster.running(lent), [0, 1, 0], "the owner's death stops nothing");
    cluster.boot(node(1));
    cluster.pass(LONG);
    let stamps: BTreeSet<_> = cluster.labs.iter().map(|lab| lab.record(lent).stamp).collect();
    assert_eq!(stamps.len(), 1);
    assert!(!cluster.lab(node(1)).record(lent).unproven);
}

#[test]
fn a_minority_moves_nothing() {
    let (mut cluster, id) = (Cluster::of(3), service(1));
    assert_eq!(spread(&mut cluster, id, image("web")), [1, 0, 0]);
    cluster.lab(node(1)).crash(false);
    cluster.lab(node(2)).crash(false);
    cluster.pass(2 * LONG);
    assert_eq!(cluster.lab(node(3)).live(id).len(), 0, "one of three acts for nobody");
    let forget = Request::Forget { node: node(1), forgotten: true };
    assert_eq!(cluster.lab(node(3)).ask(forget), Some(Answer::Done));
    cluster.pass(LONG);
    assert_eq!(cluster.lab(node(3)).live(id).len(), 1, "the operator's word is the permission");
}

#[test]
fn a_pinned_slot_waits_for_its_node_or_for_the_operator() {
    let (mut cluster, id) = (Cluster::of(3), service(1));
    for n in 2..=3 {
        cluster.lab(node(n)).offer([capability("zigbee", Supply::Exclusive)]);
    }
    cluster.pass(LONG);
    let before = spread(&mut cluster, id, with("zigbee", image("web")));
    let at = before.iter().position(|count| *count == 1).expect("it runs");
    let (gone, other) = (node(at as u128 + 1), node(4 - at as u128));
    cluster.lab(gone).crash(false);
    cluster.pass(2 * LONG);
    assert_eq!(cluster.lab(other).live(id).len(), 0);
    let said = cluster.lab(node(1)).said(id);
    assert!(said.starts_with(&format!("waiting.node: {} is silent", called(gone))), "{said}");
    assert_eq!(cluster.lab(node(1)).state(id), State::Instantiating);
    let refused = cluster.lab(node(1)).ask(Request::Forget { node: other, forgotten: true });
    assert_eq!(refused, Some(Answer::Refused(Refusal::Heard(called(other)))));
    cluster.lab(node(1)).ask(Request::Forget { node: gone, forgotten: true });
    cluster.pass(LONG);
    assert_eq!(cluster.lab(other).live(id).len(), 1);
}

#[test]
fn a_drained_node_is_emptied_and_owns_nothing() {
    let (mut cluster, id) = (Cluster::of(3), service(1));
    assert_eq!(spread(&mut cluster, id, times(2, image("web"))), [2, 0, 0]);
    cluster.lab(node(1)).ask(Request::Duty(Duty::Drain));
    cluster.pass(2 * LONG);
    assert_eq!((cluster.running(id)[0], cluster.running(id).iter().sum::<usize>()), (0, 2));
    assert_ne!(cluster.lab(node(2)).record(id).stamp.owner, node(1));
}

#[test]
fn an_update_renews_what_changed_wherever_it_runs() {
    let (mut cluster, id) = (Cluster::of(3), service(1));
    cluster.lab(node(2)).offer([capability("memory", Supply::Amount(100))]);
    cluster.pass(LONG);
    cluster.lab(node(1)).ask(deploy(id, [image("db"), taking("memory", 60, image("web"))]));
    cluster.pass(LONG);
    let (db, web) = (cluster.lab(node(1)).at(id, "db-0"), cluster.lab(node(2)).at(id, "web-0"));
    let newer = ImageSpec { image: "/bin/newer".into(), ..taking("memory", 60, image("web")) };
    let update = Request::Update { id, spec: spec([image("db"), newer]) };
    assert_eq!(cluster.lab(node(1)).ask(update), Some(Answer::Accepted(id)));
    cluster.pass(LONG);
    assert_eq!(cluster.lab(node(1)).at(id, "db-0"), db);
    assert_ne!(cluster.lab(node(2)).at(id, "web-0"), web);
    assert_eq!(cluster.running(id), [1, 1, 0]);
}

/// The owner is cut off with one other node's worth of news; both sides revise the spec.
#[test]
fn an_acknowledged_revision_survives_the_loss_of_its_epoch() {
    let (mut cluster, id) = (Cluster::of(3), service(1));
    assert_eq!(spread(&mut cluster, id, image("web")), [1, 0, 0]);
    cluster.cut.insert(node(1));
    let key = "web".parse().expect("a key");
    cluster.lab(node(1)).ask(Request::Scale { id, image: key, count: 2 });
    cluster.pass(2 * LONG);
    assert_eq!(cluster.lab(node(2)).record(id).stamp.epoch, 2);
    cluster.cut.clear();
    cluster.pass(2 * LONG);
    let slots: Vec<SlotId> = cluster.lab(node(1)).record(id).slots.keys().cloned().collect();
    assert_eq!(slots.len(), 2, "the scale was acknowledged");
    assert_eq!(cluster.running(id).iter().sum::<usize>(), 2);
}

#[test]
fn two_nodes_with_one_id_say_so_and_decide_nothing() {
    let (mut cluster, id) = (Cluster::of(3), service(1));
    assert_eq!(spread(&mut cluster, id, image("web")), [1, 0, 0]);
    let mut letter = cluster.letters.last().expect("a letter").2.clone();
    letter.incarnation.nonce ^= 1;
    cluster.lab(node(1)).input(&Input::Peer { from: node(1), letter });
    cluster.pass(6_000);
    cluster.lab(node(1)).exits(id, "web-0", 1);
    cluster.pass(6_000);
    assert!(cluster.lab(node(1)).said(id).contains("fog-1 has a twin with the same id"));
    let refused = cluster.lab(node(1)).ask(Request::Stop(id));
    let called = cluster.lab(node(1)).core.called(node(1));
    assert_eq!(refused, Some(Answer::Refused(Refusal::Twin(called))));
    cluster.pass(3 * LONG);
    assert_eq!(cluster.running(id), [1, 0, 0]);
}

/// A node that runs a service and was just asked to run `path` in its stead, once.
fn updated<'a>(cluster: &'a mut Cluster, id: ServiceId, path: &str) -> &'a mut Lab {
    assert_eq!(spread(cluster, id, image("web")), [1]);
    let lab = cluster.lab(node(1));
    update(lab, id, path);
    lab
}

fn update(lab: &mut Lab, id: ServiceId, path: &str) {
    let once = ImageSpec { image: path.into(), restart: Restart::Never, ..image("web") };
    lab.ask(Request::Update { id, spec: spec([once]) });
    lab.settle();
}

#[test]
fn a_revision_that_does_not_come_to_run_is_taken_back() {
    let (mut cluster, id) = (Cluster::of(1), service(1));
    let lab = updated(&mut cluster, id, "/bin/broken");
    lab.exits(id, "web-0", 1);
    lab.settle();
    let record = lab.record(id);
    assert!(record.previous.is_none());
    assert_eq!((record.revision.order.number, &*record.revision.spec.images[0].image), (3, "/bin/web"));
    assert_eq!((lab.state(id), lab.live(id).len()), (State::Running, 1));
    update(lab, id, "/bin/works");
    assert!(lab.record(id).previous.is_some(), "it has not shown that it runs");
    lab.rest();
    assert!(lab.record(id).previous.is_none());
    lab.exits(id, "web-0", 1);
    lab.settle();
    assert_eq!(lab.state(id), State::Error, "nothing comes back any more");
}

#[test]
fn an_image_for_every_node_runs_once_on_each_that_fits() {
    let (mut cluster, id) = (Cluster::of(3), service(1));
    let everywhere = ImageSpec { replicas: Replicas::EveryNode, ..with("zigbee", image("web")) };
    assert_eq!(spread(&mut cluster, id, everywhere), [0, 0, 0]);
    assert_eq!(cluster.lab(node(1)).state(id), State::Initial);
    assert!(cluster.lab(node(1)).said(id).contains("nothing offers the capability zigbee"));
    for n in [2, 3] {
        cluster.lab(node(n)).offer([capability("zigbee", Supply::Exclusive)]);
    }
    cluster.pass(LONG);
    assert_eq!((cluster.running(id), cluster.lab(node(1)).state(id)), (vec![0, 1, 1], State::Running));
    cluster.lab(node(3)).crash(false);
    cluster.pass(2 * LONG);
    assert_eq!(cluster.lab(node(1)).record(id).slots.len(), 2, "its slot waits for it");
    cluster.boot(node(3));
    cluster.lab(node(2)).ask(Request::Duty(Duty::Drain));
    cluster.pass(2 * LONG);
    assert_eq!(cluster.running(id), [0, 0, 1]);
    cluster.lab(node(2)).ask(Request::Duty(Duty::Operate));
    cluster.pass(LONG);
    assert_eq!(cluster.running(id), [0, 1, 1]);
    cluster.lab(node(1)).ask(Request::Delete(id));
    cluster.pass(LONG);
    assert_eq!(cluster.running(id), [0, 0, 0]);
}

#[test]
fn a_plan_says_of_every_node_what_it_lacks() {
    let mut cluster = Cluster::of(3);
    cluster.lab(node(2)).offer([capability("zigbee", Supply::Exclusive)]);
    cluster.pass(LONG);
    let Request::Deploy { name, spec, .. } =
        deploy(service(1), [with("zigbee", image("web")), image("db"), with("gpu", image("train"))])
    else {
        panic!("a deployment");
    };
    let plan = cluster.lab(node(1)).core.plan(&name, &spec);
    let told: Vec<String> = plan
        .slots
        .iter()
        .map(|planned| match &planned.outcome {
            Ok((node, engine)) => format!("{} on {node} by {engine}", planned.slot),
            Err(reason) => format!("{}: {reason}", planned.slot),
        })
        .collect();
    let expected = [
        format!("web-0 on {} by process", node(2)),
        format!("db-0 on {} by process", node(1)),
        "train-0: nothing offers the capability gpu".to_owned(),
    ];
    assert_eq!(told, expected);
    let unmet: Vec<usize> = plan.slots[0].verdicts.iter().map(|verdict| verdict.unmet.len()).collect();
    assert_eq!((unmet, plan.is_complete()), (vec![1, 0, 1], false));
}

#[test]
fn a_drained_node_is_left_as_soon_as_there_is_room_elsewhere() {
    let (mut cluster, id) = (Cluster::of(2), service(1));
    cluster.lab(node(2)).offer([capability("memory", Supply::Amount(100))]);
    cluster.pass(LONG);
    assert_eq!(spread(&mut cluster, id, taking("memory", 60, image("web"))), [0, 1]);
    cluster.lab(node(2)).ask(Request::Duty(Duty::Drain));
    cluster.pass(LONG);
    assert_eq!(cluster.running(id), [0, 1], "nobody else has the room");
    cluster.lab(node(1)).offer([capability("memory", Supply::Amount(100))]);
    cluster.pass(LONG);
    assert_eq!(cluster.running(id), [1, 0]);
}

#[test]
fn a_plan_says_of_a_slot_on_every_node_what_the_others_lack() {
    let mut cluster = Cluster::of(3);
    cluster.lab(node(2)).offer([capability("zigbee", Supply::Exclusive)]);
    cluster.pass(LONG);
    let everywhere = ImageSpec { replicas: Replicas::EveryNode, ..with("zigbee", image("web")) };
    let Request::Deploy { name, spec, .. } = deploy(service(1), [everywhere]) else { panic!("a deployment") };
    let plan = cluster.lab(node(1)).core.plan(&name, &spec);
    let told =
        |plan: &SlotPlan| (plan.slot.to_string(), plan.verdicts.iter().map(|it| it.unmet.len()).collect());
    let expected: (String, Vec<usize>) = (format!("web@{}", node(2)), vec![1, 0, 1]);
    assert_eq!(plan.slots.iter().map(told).collect::<Vec<_>>(), [expected]);
}

#[test]
fn a_scale_does_not_prove_a_revision() {
    let (mut cluster, id) = (Cluster::of(1), service(1));
    let lab = updated(&mut cluster, id, "/bin/broken");
    lab.ask(Request::Scale { id, image: "web".parse().expect("a key"), count: 2 });
    lab.settle();
    lab.exits(id, "web-0", 1);
    lab.rest();
    let record = lab.record(id);
    assert_eq!(&*record.revision.spec.images[0].image, "/bin/web");
    assert_eq!(lab.live(id).len(), 2, "the scale was acknowledged");
}

#[test]
fn what_is_near_leaves_a_drained_node_together() {
    let (mut cluster, id) = (Cluster::of(2), service(1));
    let near = Neighbours { near: ["db".parse().expect("a key")].into(), ..Neighbours::default() };
    let web = ImageSpec { neighbours: near, ..image("web") };
    cluster.lab(node(1)).ask(deploy(id, [web, image("db")]));
    cluster.pass(LONG);
    assert_eq!(cluster.running(id), [2, 0]);
    cluster.lab(node(1)).ask(Request::Duty(Duty::Drain));
    cluster.pass(2 * LONG);
    assert_eq!(cluster.running(id), [0, 2]);
}

/// A node that is asked while an engine of it is away tells so, and with the next beat that it is back.
#[test]
fn what_one_node_was_told_between_two_beats_is_told_again() {
    let (mut cluster, id) = (Cluster::of(2), service(1));
    cluster.lab(node(2)).offer([capability("zigbee", Supply::Exclusive)]);
    cluster.pass(LONG);
    let asks = |(from, _, letter): &&(NodeId, NodeId, Letter)| {
        *from == node(1) && matches!(letter.message, PeerMessage::Resync)
    };
    let (from, _, letter) = cluster.letters.iter().rfind(asks).cloned().expect("they met");
    let lab = cluster.lab(node(2));
    lab.engine_down();
    lab.input(&Input::Peer { from, letter });
    lab.list(&engine_name("process"));
    cluster.pass(LONG);
    assert_eq!(spread(&mut cluster, id, with("zigbee", image("web"))), [0, 1]);
}

#[test]
fn a_drained_node_with_an_older_disk_is_emptied_of_what_belongs_to_it_alone() {
    let (mut cluster, id) = (Cluster::of(2), service(1));
    let everywhere = ImageSpec { replicas: Replicas::EveryNode, ..image("web") };
    assert_eq!(spread(&mut cluster, id, everywhere), [1, 1]);
    let older = cluster.lab(node(2)).disk.clone();
    cluster.lab(node(2)).ask(Request::Duty(Duty::Drain));
    cluster.pass(LONG);
    assert_eq!(cluster.running(id), [1, 0]);
    let drained = cluster.lab(node(2)).disk.standing.clone();
    cluster.lab(node(2)).disk = Disk { standing: drained, ..older };
    cluster.cut = [node(1)].into();
    cluster.boot(node(2));
    cluster.pass(2 * LONG);
    assert_eq!(cluster.running(id), [1, 1], "it knows of nothing else");
    cluster.cut.clear();
    cluster.pass(2 * LONG);
    assert_eq!(cluster.running(id), [1, 0]);
}

#[test]
fn what_a_drained_node_runs_alone_is_kept_until_there_is_room_elsewhere() {
    let (mut cluster, id) = (Cluster::of(3), service(1));
    cluster.lab(node(2)).offer([capability("memory", Supply::Amount(100))]);
    cluster.pass(LONG);
    assert_eq!(spread(&mut cluster, id, taking("memory", 60, image("web"))), [0, 1, 0]);
    cluster.cut = [node(2)].into();
    cluster.pass(LONG);
    assert_eq!(cluster.lab(node(1)).record(id).slots.len(), 0, "its node is silent");
    cluster.lab(node(2)).ask(Request::Duty(Duty::Drain));
    cluster.cut.clear();
    cluster.pass(LONG);
    let slots = cluster.lab(node(1)).record(id).slots.len();
    assert_eq!((slots, cluster.running(id)), (1, vec![0, 1, 0]), "nobody else has the room");
    cluster.lab(node(3)).offer([capability("memory", Supply::Amount(100))]);
    cluster.pass(LONG);
    assert_eq!(cluster.running(id), [0, 0, 1]);
}
