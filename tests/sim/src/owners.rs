//! What an owner may decide about others: nobody is acted for without permission, and what is moved is not stopped first.
//!
//! A [`Vigil`] keeps account of what one life of a node read, and has its own opinion on whether that is permission: it
//! follows the protocol page, not the core.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use motey_core::id::{Millis, NodeId, ServiceId};
use motey_core::peer::Duty;
use motey_core::record::{
    Assignment, Desired, Fence, Incarnation, InstanceKey, Place, ServiceRecord, SlotId,
};
use motey_core::spec::{ImageSpec, Neighbours};
use motey_core::step::{EventKind, Input, Txn};
use motey_core::{Standing, Tuning};

use crate::blueprint::{Names, requirements};
use crate::engine::Body;
use crate::node::{Node, SOURCES};
use crate::watch::{Verdict, holds};
use crate::wire::Letter;

/// The records that a step rests on.
pub type Grounds = BTreeMap<ServiceId, Arc<ServiceRecord>>;

/// How one life of a node watches the others.
#[derive(Debug, Default)]
pub struct Vigil {
    members: BTreeSet<NodeId>,
    heard: BTreeMap<NodeId, Millis>,
    has_session: bool,
    last_beat: Option<Millis>,
    awake_since: Option<Millis>,
    enough_since: Option<Millis>,
    forgotten: BTreeSet<NodeId>,
    permitted: bool,
    born: Millis,
    /// When an heir was named.
    awaited: BTreeMap<ServiceId, Millis>,
    /// The last life of each node that spoke, and whether it takes on what is new, as it said.
    takes_on: BTreeMap<NodeId, (Incarnation, bool)>,
    /// Engines and sources that spoke in this life.
    spoke: BTreeSet<String>,
    /// What was to be written last was not.
    failed: bool,
}

impl Vigil {
    /// A life that begins now.
    pub fn of(members: BTreeSet<NodeId>, born: Millis) -> Self {
        Self { members, born, ..Self::default() }
    }

    /// What arrives at the node, whatever becomes of it.
    pub fn hear(&mut self, input: &Input, now: Millis) {
        match input {
            Input::Members(all) => {
                self.members.clone_from(all);
                self.takes_on.retain(|node, _| all.contains(node));
            }
            Input::Broker(present) => self.has_session = present.is_some(),
            Input::Peer { from, letter } => {
                self.heard.insert(*from, now);
                self.hear_how(*from, letter);
            }
            Input::Engine { name, .. } => drop(self.spoke.insert(name.to_string())),
            Input::Capabilities { source, .. } => drop(self.spoke.insert(source.clone())),
            _ => {}
        }
    }

    /// What an earlier life of a node said arrives late, and counts no more.
    fn hear_how(&mut self, from: NodeId, letter: &Letter) {
        let is_old = |known: &(Incarnation, bool)| {
            known.0.nonce != letter.incarnation.nonce && known.0.count >= letter.incarnation.count
        };
        if self.members.contains(&from) && !self.takes_on.get(&from).is_some_and(is_old) {
            let says = crate::wire::takes_on(letter);
            let known = self.takes_on.entry(from).or_insert((letter.incarnation, false));
            let before = known.1 && known.0.nonce == letter.incarnation.nonce;
            let count = known.0.count.max(letter.incarnation.count);
            *known = (Incarnation { count, ..letter.incarnation }, says.map_or(before, |(_, says)| says));
        }
    }

    /// A step could not be written.
    pub fn failed(&mut self) {
        self.failed = true;
    }

    /// Whether a node may be given something new, by what this life knows of it.
    fn may_give(&self, me: &Node, to: NodeId) -> bool {
        if to != me.id {
            return self.takes_on.get(&to).is_some_and(|(_, says)| *says);
        }
        let engines = me.engines.iter().map(|engine| engine.name.to_string());
        let mut parts = engines.chain(SOURCES.map(str::to_owned));
        !self.failed && me.disk.now.standing.duty == Duty::Operate && parts.all(|it| self.spoke.contains(&it))
    }

    /// The node looks about, as it does with every beat.
    pub fn beat(&mut self, me: NodeId, standing: &Standing, now: Millis) {
        let dead_after = Tuning::default().dead_after;
        if self.last_beat.is_none_or(|last| now > last.after(dead_after / 2)) {
            (self.awake_since, self.enough_since) = (Some(now), None);
        }
        self.last_beat = Some(now);
        self.forgotten = standing.forgotten.iter().collect();
        let enough = self.hears_enough(me, now, dead_after / 2);
        self.enough_since = if enough { self.enough_since.or(Some(now)) } else { None };
        let lasts = |since: Option<Millis>, span| since.is_some_and(|since: Millis| now >= since.after(span));
        self.permitted = lasts(self.enough_since, dead_after)
            && lasts(self.awake_since, 2 * dead_after)
            && !self.is_given_up(me)
            && standing.duty != Duty::Drain;
    }

    /// More than half of the known nodes, itself counted; or half of them, and the broker.
    fn hears_enough(&self, me: NodeId, now: Millis, fresh: u64) -> bool {
        let known = self.members.difference(&self.forgotten);
        let is_fresh =
            |node: &&NodeId| **node == me || self.heard.get(node).is_some_and(|at| now <= at.after(fresh));
        let (all, hears) =
            known.fold((0, 0), |(all, hears), node| (all + 1, hears + usize::from(is_fresh(&node))));
        2 * hears > all || (2 * hears == all && self.has_session)
    }

    /// What the node has written.
    pub fn wrote(&mut self, me: NodeId, txn: &Txn, now: Millis) {
        self.failed &= txn.is_empty() || txn.adds_nothing();
        for (id, record) in &txn.records {
            if record.stamp.owner == me && record.awaits_heir() {
                self.awaited.insert(*id, now);
            }
        }
    }

    fn may_act_for(&self, gone: NodeId) -> bool {
        self.permitted || self.is_given_up(gone)
    }

    fn is_given_up(&self, node: NodeId) -> bool {
        self.forgotten.contains(&node) || !self.members.contains(&node)
    }

    /// Whether the heir of a service has had its time, as far as this life knows.
    fn has_lapsed(&self, service: ServiceId, now: Millis) -> bool {
        let since = self.awaited.get(&service).copied().unwrap_or(self.born);
        now >= since.after(2 * Tuning::default().dead_after)
    }
}

/// What a step rests on, for each record that it writes: what the node held before, or read in this very step.
pub fn grounds(node: &Node, input: &Input, txn: &Txn) -> Grounds {
    let read = crate::wire::record_in(input);
    let ground = |id: &ServiceId| {
        let held = node.disk.now.records.get(id);
        let read = read.filter(|read| read.id == *id && held.is_none_or(|held| held.stamp < read.stamp));
        read.or(held).cloned().map(|ground| (*id, ground))
    };
    txn.records.keys().filter_map(ground).collect()
}

/// An owner that named an heir writes nothing more in that epoch, and opens the next one only when the heir has had its
/// time or was given up.
pub fn waits_for_its_heir(node: &Node, txn: &Txn, grounds: &Grounds, now: Millis, names: &Names) -> Verdict {
    let Some(process) = &node.process else { return Ok(()) };
    for (id, record) in txn.records.iter().filter(|(_, it)| it.stamp.owner == node.id && !it.is_absent()) {
        let before = grounds.get(id).filter(|it| it.stamp < record.stamp);
        let before = before.filter(|it| it.stamp.owner == node.id && it.awaits_heir());
        let Some((before, heir)) = before.and_then(|it| Some((it, it.heir?))) else { continue };
        let is_next = before.stamp.epoch < record.stamp.epoch;
        let may = process.vigil.has_lapsed(*id, now) || process.vigil.is_given_up(heir);
        holds("who named an heir waits for it", is_next && may, || crate::story::record(record, names))?;
    }
    Ok(())
}

/// What a node decided because another one is silent.
pub fn acts_with_permission(node: &Node, txn: &Txn, grounds: &Grounds, names: &Names) -> Verdict {
    let Some(process) = &node.process else { return Ok(()) };
    let may = |gone: NodeId, what: &dyn Fn() -> String| {
        holds("nobody is acted for without permission", process.vigil.may_act_for(gone), || {
            format!("{} for {}: {}", names.node(node.id), names.node(gone), what())
        })
    };
    for (id, record) in &txn.records {
        let Some(before) = grounds.get(id).filter(|before| before.stamp.epoch < record.stamp.epoch) else {
            continue;
        };
        let is_heir = before.awaits_heir() && before.heir == Some(node.id);
        if record.stamp.owner == node.id && before.stamp.owner != node.id && !is_heir {
            may(before.stamp.owner, &|| crate::story::record(record, names))?;
        }
    }
    for event in txn.journal.iter().filter(|event| event.kind == EventKind::NodeLost) {
        let (Some(before), Some(slot)) = (grounds.get(&event.service), &event.slot) else { continue };
        if let Some(assigned) = before.slots.get(slot) {
            may(assigned.node, &|| names.slot(event.service, slot))?;
        }
    }
    Ok(())
}

/// A node gets a new attempt only when it says that it operates. What takes the place of one that it has is nothing new.
pub fn gives_to_who_operates(
    node: &Node,
    txn: &Txn,
    grounds: &Grounds,
    is_new: impl Fn(&Assignment) -> bool,
    names: &Names,
) -> Verdict {
    let Some(process) = &node.process else { return Ok(()) };
    for record in txn.records.values().filter(|record| record.stamp.owner == node.id) {
        let before = grounds.get(&record.id);
        let had = |slot: &SlotId| before.and_then(|before| before.slots.get(slot)).map(|at| at.node);
        let drawn_here = |at: &Assignment| at.fence.owner == node.id && is_new(at);
        let given = record.slots.iter().filter(|(slot, at)| drawn_here(at) && had(slot) != Some(at.node));
        for (slot, at) in given {
            holds("who does not operate is given nothing", process.vigil.may_give(node, at.node), || {
                format!("{} to {}", names.slot(record.id, slot), names.node(at.node))
            })?;
        }
    }
    Ok(())
}

/// A slot that is not pinned moves with its successor first, unless somebody asked for something else, or gave its node up.
pub fn moves_successor_first(
    nodes: &[Node],
    input: &Input,
    txn: &Txn,
    grounds: &Grounds,
    names: &Names,
) -> Verdict {
    if matches!(input, Input::Asked { .. }) {
        return Ok(());
    }
    for (id, record) in &txn.records {
        let Some(before) = grounds.get(id).filter(|before| is_the_same_but_for_slots(before, record)) else {
            continue;
        };
        let vigils = nodes.iter().filter(|node| node.id == record.stamp.owner);
        let vigil = vigils.filter_map(|node| node.process.as_ref()).map(|process| &process.vigil).next();
        let is_given_up = |node: NodeId| vigil.is_some_and(|vigil| vigil.is_given_up(node));
        let stay = |slot: &SlotId, assigned: &Assignment| {
            stays(before, slot, assigned) && !is_given_up(assigned.node)
        };
        for (slot, assigned) in before.slots.iter().filter(|(slot, assigned)| stay(slot, assigned)) {
            let key = record.key(slot, assigned.fence);
            let ends = record.dismissed.iter().any(|it| (&it.slot, it.fence) == (slot, assigned.fence));
            let next = record.slots.get(slot);
            let lives_on = |fence: Fence| lives(nodes, &record.key(slot, fence));
            let goes_on = next.is_some_and(|next| {
                lives_on(next.fence) || next.from.as_ref().is_some_and(|former| lives_on(former.fence))
            });
            holds("what moves is not stopped first", !ends || goes_on || !lives(nodes, &key), || {
                format!("{} is dismissed, and nothing runs in its place", names.key(&key))
            })?;
        }
    }
    Ok(())
}

/// Nothing is wanted that was not wanted before.
fn is_the_same_but_for_slots(before: &ServiceRecord, after: &ServiceRecord) -> bool {
    let told = |record: &ServiceRecord| (record.stamp.epoch, record.revision.order, record.desired);
    told(before) == told(after) && after.desired == Desired::Running
}

/// Whether a slot runs until another instance of it does: a plain one, which is not on its way already.
/// What takes a device stops first, also where that was not known to be one when it was placed.
fn stays(record: &ServiceRecord, slot: &SlotId, assigned: &Assignment) -> bool {
    let alone = |image: &ImageSpec| {
        let takes_device = requirements(image).iter().any(|wanted| wanted.name == "dongle");
        image.neighbours == Neighbours::default() && !takes_device
    };
    let is_plain = matches!(slot.place, Place::Ordinal(_)) && !assigned.pinned;
    is_plain
        && assigned.from.is_none()
        && assigned.revision == record.revision.since(&slot.image)
        && record.wants(slot)
        && record.revision.spec.image(&slot.image).is_some_and(|image| alone(image))
}

fn lives(nodes: &[Node], key: &InstanceKey) -> bool {
    let mut bodies = nodes.iter().flat_map(|node| &node.engines).filter_map(|it| it.bodies.get(key));
    bodies.any(Body::lives)
}
