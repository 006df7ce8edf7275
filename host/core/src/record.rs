//! The service record, the only replicated object, with its three counters that are never mixed:
//! *epoch* (who owns the service), *fence* (which attempt of a slot may live), *revision* (which spec).
//!
//! Nothing observed is in here but `ended`, which the owner writes from a report as its own decision.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::id::{EngineName, ImageKey, NodeId, ServiceId, ServiceName, VolumeName};
use crate::reason::Reason;
use crate::spec::{ImageSpec, Replicas, Spec};

/// All that is known of a service by decision. One writer per (epoch, owner).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRecord {
    /// For ever.
    pub id: ServiceId,
    /// A label.
    pub name: ServiceName,
    /// What the user last asked for.
    pub desired: Desired,
    /// Orders two versions of this record.
    pub stamp: Stamp,
    /// What is wanted now; without images once a tombstone has nothing left to stop.
    pub revision: Revision,
    /// What comes back should the revision not come to run; `None` once it did.
    pub previous: Option<Arc<Revision>>,
    /// Which node may run which slot under which fence. A wanted slot that is missing here waits.
    pub slots: BTreeMap<SlotId, Assignment>,
    /// Exactly these instances may stop.
    pub dismissed: BTreeSet<Dismissed>,
    /// Where the data of each volume is: nothing that uses it runs anywhere else.
    pub homes: BTreeMap<VolumeName, Home>,
    /// The line of succession, the owner first.
    pub holders: Vec<NodeId>,
    /// Whom the owner asks to open the next epoch. It writes nothing more in this one.
    pub heir: Option<NodeId>,
    /// Not every known node was heard holding this epoch yet: one of them may still run a pinned slot that has no node.
    pub unproven: bool,
    /// Slots whose end is final, whatever an engine still shows.
    pub ended: BTreeMap<SlotId, Ended>,
}

/// What the user wants of a service as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Desired {
    /// Its slots run.
    Running,
    /// Its record stays, nothing runs.
    Stopped,
    /// It is deleted: a tombstone, which beats every other version.
    Absent,
}

/// A spec with its place in the order of specs, which survives a lost epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// The order.
    pub order: RevisionOrder,
    /// The content.
    pub spec: Arc<Spec>,
    /// Replica counts set by `scale` since the blueprint was written.
    pub scaled: BTreeMap<ImageKey, u16>,
    /// For each image of the spec, in its order, the revision that last changed it.
    pub since: Vec<RevisionOrder>,
}

/// Orders specs by themselves: number first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RevisionOrder {
    /// 1 for the blueprint that created the service.
    pub number: u32,
    /// The epoch it was written in.
    pub epoch: u64,
    /// Who wrote it.
    pub owner: NodeId,
    /// In which life.
    pub writer: Incarnation,
}

/// Orders the versions of one record: absent, epoch, owner, writer, version; the greatest wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// Derived from `desired`: a deletion beats every number.
    pub absent: bool,
    /// Grows with every change of owner.
    pub epoch: u64,
    /// Who owns it in this epoch.
    pub owner: NodeId,
    /// In which life of that node it was written.
    pub writer: Incarnation,
    /// Grows with every write.
    pub version: u64,
}

/// One life of a node's process: the count is stored and grows, the nonce is drawn at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation {
    /// Above every count seen with this node's id.
    pub count: u64,
    /// Shows clones and restored backups.
    pub nonce: u32,
}

/// The unit of placement inside a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId {
    /// Whose slot.
    pub image: ImageKey,
    /// Which of its slots.
    pub place: Place,
}

/// Tells the slots of one image apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The n-th of a counted image.
    Ordinal(u16),
    /// The one on that node, of an image that has one on every node.
    On(NodeId),
}

/// One attempt at a slot: names the instance. Unique over nodes and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence {
    /// The epoch it was drawn in.
    pub epoch: u64,
    /// Who drew it.
    pub owner: NodeId,
    /// In which life.
    pub writer: Incarnation,
    /// The how-manieth of that life.
    pub n: u64,
}

impl Fence {
    /// Below every fence that is ever drawn.
    pub(crate) const LEAST: Self =
        Self { epoch: 0, owner: NodeId(uuid::Uuid::nil()), writer: Incarnation { count: 0, nonce: 0 }, n: 0 };
}

/// Which node may run a slot, under which fence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The executor.
    pub node: NodeId,
    /// Its engine for this attempt: part of the decision, so that a restart never tries another one beside it.
    pub engine: EngineName,
    /// The attempt.
    pub fence: Fence,
    /// The revision that last changed its image when it was made.
    pub revision: RevisionOrder,
    /// It takes an exclusive capability: nobody else may run the slot while this instance may live.
    pub pinned: bool,
    /// In a move, the attempt that goes on until this one runs.
    pub from: Option<Box<Former>>,
}

/// The attempt that a move replaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Former {
    /// Where it runs,
    pub node: NodeId,
    /// on this engine,
    pub engine: EngineName,
    /// as this attempt,
    pub fence: Fence,
    /// of this revision.
    pub revision: RevisionOrder,
}

/// One instance that its owner allows to stop.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dismissed {
    /// Of this slot,
    pub slot: SlotId,
    /// this attempt,
    pub fence: Fence,
    /// on this node,
    pub node: NodeId,
    /// on this engine.
    pub engine: EngineName,
}

/// The node that has the data of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Home {
    /// This one.
    pub node: NodeId,
    /// While no other attempt was made there than this one: should it be refused, there is no data.
    pub only: Option<Fence>,
}

/// A slot's final end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It did its work: exited 0 and is not to be started again.
    Succeeded,
    /// Its restarts are used up, or its end was final.
    GaveUp(Reason),
}

/// Names one instance among all nodes and times. Every list of instances is keyed by it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceKey {
    /// Of this service,
    pub service: ServiceId,
    /// this slot,
    pub slot: SlotId,
    /// this attempt.
    pub fence: Fence,
}

impl ServiceRecord {
    /// The slots that the spec wants to exist, in the order of the blueprint.
    pub fn wanted_slots(&self) -> impl Iterator<Item = SlotId> + '_ {
        self.revision.spec.images.iter().flat_map(|image| self.wanted_of(&image.key))
    }

    /// Whether it says anything about an instance; what it does not judge is left alone.
    pub fn judges(&self, key: &InstanceKey) -> bool {
        let assigned = || self.slots.get(&key.slot).is_some_and(|assigned| assigned.names(key.fence));
        let dismissed = || self.dismissed.iter().any(|d| d.slot == key.slot && d.fence == key.fence);
        key.service == self.id && (self.desired != Desired::Running || assigned() || dismissed())
    }

    /// The nodes it says something to: the line of succession, and whoever runs or ran something of it.
    pub fn audience(&self) -> BTreeSet<NodeId> {
        let mut nodes: BTreeSet<NodeId> = self.holders.iter().copied().collect();
        nodes.insert(self.stamp.owner);
        nodes.extend(self.heir);
        for assigned in self.slots.values() {
            nodes.insert(assigned.node);
            nodes.extend(assigned.from.as_ref().map(|former| former.node));
        }
        nodes.extend(self.dismissed.iter().map(|dismissed| dismissed.node));
        nodes
    }

    /// Whether it is deleted.
    pub fn is_absent(&self) -> bool {
        self.desired == Desired::Absent
    }

    /// Whether its owner waits for an heir, and writes nothing more. A tombstone needs none.
    pub fn awaits_heir(&self) -> bool {
        self.heir.is_some() && !self.is_absent()
    }

    /// Whether it is deleted and nothing of it is left anywhere.
    pub fn is_over(&self) -> bool {
        self.is_absent() && self.slots.is_empty() && self.dismissed.is_empty()
    }

    /// Whether an image of it cannot run any more: every slot it has gave up.
    pub fn has_failed(&self) -> bool {
        self.revision.spec.images.iter().any(|image| {
            let mut ends = self.wanted_of(&image.key).map(|slot| self.ended.get(&slot)).peekable();
            let any = ends.peek().is_some();
            any && ends.all(|end| matches!(end, Some(Ended::GaveUp(_))))
        })
    }

    /// Whether a wanted slot has no node, or one more may come to be.
    pub fn waits(&self) -> bool {
        let may = self.everywhere().next().is_some() || self.unassigned().next().is_some();
        self.desired == Desired::Running && may && !self.has_failed()
    }

    /// The images that have a slot on every node that satisfies them.
    pub fn everywhere(&self) -> impl Iterator<Item = &Arc<ImageSpec>> {
        self.revision.spec.images.iter().filter(|image| image.replicas == Replicas::EveryNode)
    }

    /// The wanted slots that have no node and are not at their end.
    pub fn unassigned(&self) -> impl Iterator<Item = SlotId> + '_ {
        self.wanted_slots().filter(|slot| !self.slots.contains_key(slot) && !self.ended.contains_key(slot))
    }

    /// The slots that the spec wants of one image. Those of an image that has one on every node come to be where it is
    /// placed.
    pub fn wanted_of<'a>(&'a self, image: &'a ImageKey) -> impl Iterator<Item = SlotId> + 'a {
        let counted = (0..self.revision.replicas(image)).map(Place::Ordinal);
        let places = counted.chain(self.places_of(image).into_iter().map(Place::On));
        places.map(|place| SlotId { image: image.clone(), place })
    }

    /// The nodes on which an image that has a slot on every node has one.
    fn places_of(&self, image: &ImageKey) -> BTreeSet<NodeId> {
        if self.revision.spec.image(image).is_none_or(|spec| spec.replicas != Replicas::EveryNode) {
            return BTreeSet::new();
        }
        let first = SlotId { image: image.clone(), place: Place::On(NodeId(uuid::Uuid::nil())) };
        let assigned = self.slots.range(first.clone()..).map(|(slot, _)| slot);
        let ended = self.ended.range(first..).map(|(slot, _)| slot);
        let here = |slot: &&SlotId| slot.image == *image;
        let slots = assigned.take_while(here).chain(ended.take_while(here));
        slots.filter_map(|slot| if let Place::On(node) = slot.place { Some(node) } else { None }).collect()
    }

    /// Whether the spec wants that slot, should it be placed.
    pub fn wants(&self, slot: &SlotId) -> bool {
        match (slot.place, self.revision.spec.image(&slot.image).map(|spec| spec.replicas)) {
            (Place::Ordinal(n), Some(Replicas::Count(_))) => n < self.revision.replicas(&slot.image),
            (Place::On(_), Some(Replicas::EveryNode)) => true,
            _ => false,
        }
    }

    /// The key of the instance that an assignment of this record names.
    pub fn key(&self, slot: &SlotId, fence: Fence) -> InstanceKey {
        InstanceKey { service: self.id, slot: slot.clone(), fence }
    }
}

impl Revision {
    /// The revision that last changed an image.
    pub fn since(&self, image: &ImageKey) -> RevisionOrder {
        let at = self.spec.images.iter().position(|spec| spec.key == *image);
        at.and_then(|at| self.since.get(at)).copied().unwrap_or(self.order)
    }

    /// The revision in which `spec` follows this one: an image that is the same but for its count keeps its instances.
    pub fn followed_by(&self, spec: &Arc<Spec>, order: RevisionOrder) -> Self {
        let since = spec.images.iter().map(|image| match self.spec.image(&image.key) {
            Some(before) if before.makes_the_same(image) => self.since(&image.key),
            _ => order,
        });
        Self { order, spec: Arc::clone(spec), scaled: BTreeMap::new(), since: since.collect() }
    }

    /// How many slots that image has, where it has a number of them.
    pub fn replicas(&self, image: &ImageKey) -> u16 {
        match self.spec.image(image).map(|spec| spec.replicas) {
            Some(Replicas::Count(count)) => self.scaled.get(image).copied().unwrap_or(count),
            Some(Replicas::EveryNode) | None => 0,
        }
    }
}

impl Assignment {
    /// Whether it lets an attempt run, as the slot's own or as the one it takes over from.
    pub fn names(&self, fence: Fence) -> bool {
        self.fence == fence || self.from.as_ref().is_some_and(|former| former.fence == fence)
    }
}

impl fmt::Display for SlotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Place::Ordinal(n) => write!(f, "{}-{n}", self.image),
            Place::On(node) => write!(f, "{}@{node}", self.image),
        }
    }
}

/// `epoch.owner.count-nonce.n`, as it stands in the label `motey.fence`; the nonce is hexadecimal.
impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Incarnation { count, nonce } = self.writer;
        write!(f, "{}.{}.{count}-{nonce:08x}.{}", self.epoch, self.owner, self.n)
    }
}

/// `number.epoch.owner.count-nonce`, as it stands in the label `motey.revision`; the nonce is hexadecimal.
impl fmt::Display for RevisionOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Incarnation { count, nonce } = self.writer;
        write!(f, "{}.{}.{}.{count}-{nonce:08x}", self.number, self.epoch, self.owner)
    }
}

/// Why a text is not a slot or a fence as written by their `Display`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a {1}")]
pub struct NotAKey(String, &'static str);

impl FromStr for SlotId {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            if let Some((image, node)) = text.split_once('@') {
                return Some(Self { image: image.parse().ok()?, place: Place::On(node.parse().ok()?) });
            }
            let (image, n) = text.rsplit_once('-')?;
            Some(Self { image: image.parse().ok()?, place: Place::Ordinal(n.parse().ok()?) })
        };
        parse().ok_or_else(|| NotAKey(text.into(), "slot (image-ordinal or image@node)"))
    }
}

impl FromStr for Fence {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let mut parts = text.split('.');
            let epoch = parts.next()?.parse().ok()?;
            let owner = parts.next()?.parse().ok()?;
            let (count, nonce) = parts.next()?.split_once('-')?;
            let writer =
                Incarnation { count: count.parse().ok()?, nonce: u32::from_str_radix(nonce, 16).ok()? };
            let n = parts.next()?.parse().ok()?;
            parts.next().is_none().then_some(Self { epoch, owner, writer, n })
        };
        parse().ok_or_else(|| NotAKey(text.into(), "fence (epoch.owner.count-nonce.n)"))
    }
}

impl FromStr for RevisionOrder {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let mut parts = text.split('.');
            let number = parts.next()?.parse().ok()?;
            let epoch = parts.next()?.parse().ok()?;
            let owner = parts.next()?.parse().ok()?;
            let (count, nonce) = parts.next()?.split_once('-')?;
            let writer =
                Incarnation { count: count.parse().ok()?, nonce: u32::from_str_radix(nonce, 16).ok()? };
            parts.next().is_none().then_some(Self { number, epoch, owner, writer })
        };
        parse().ok_or_else(|| NotAKey(text.into(), "revision (number.epoch.owner.count-nonce)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn owner(n: u128) -> NodeId {
        NodeId(Uuid::from_u128(n))
    }

    #[test]
    fn fences_and_slots_read_back_what_they_write() {
        let writer = Incarnation { count: 3, nonce: 0xbeef };
        let fence = Fence { epoch: 1, owner: owner(7), writer, n: 42 };
        assert_eq!(fence.to_string().parse(), Ok(fence));
        let order = RevisionOrder { number: 2, epoch: 1, owner: owner(7), writer };
        assert_eq!(order.to_string().parse(), Ok(order));
        let slot: SlotId = "a-b-12".parse().expect("a slot");
        assert_eq!(slot.to_string(), "a-b-12");
        let slot = SlotId { image: slot.image, place: Place::On(owner(7)) };
        assert_eq!(slot.to_string().parse(), Ok(slot));
        assert!("1.x.3-beef.4".parse::<Fence>().is_err());
        assert!("nodash".parse::<SlotId>().is_err());
    }

    #[test]
    fn absent_beats_every_number() {
        let writer = Incarnation { count: 9, nonce: 0 };
        let living = Stamp { absent: false, epoch: 9, owner: owner(9), writer, version: 9 };
        let writer = Incarnation { count: 0, nonce: 0 };
        let tombstone = Stamp { absent: true, epoch: 0, owner: owner(0), writer, version: 0 };
        assert!(tombstone > living);
    }
}
