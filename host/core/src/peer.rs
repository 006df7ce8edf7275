//! What nodes say to each other. How it travels is not known here: a letter may be lost, doubled, or overtaken by a
//! later one.
//!
//! What a letter says is safe to hear twice. That one was lost shows in the numbers, at the next beat at the latest,
//! and is healed by comparing digests: see [`mail`](crate::mail).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::capability::{CapId, Capability};
use crate::id::{EngineName, ImageKey, NodeId, NodeName, ServiceId, ServiceName};
use crate::instance::Report;
use crate::phase::Condition;
use crate::record::{Incarnation, Revision, ServiceRecord, Stamp};
use crate::state::Engine;

/// One message with what shows whether another one is missing.
#[derive(Clone, Debug)]
pub struct Letter {
    /// The life of the sender that wrote it.
    pub incarnation: Incarnation,
    /// Counts what this life wrote to this receiver; 0 for what need not be missed.
    pub number: u64,
    /// What it says.
    pub message: PeerMessage,
}

/// What a letter says; the owner and the executor on one node speak by the same words.
#[derive(Clone, Debug)]
pub enum PeerMessage {
    /// I live.
    Beat(Beat),
    /// What I offer, in full.
    Facts(Arc<NodeFacts>),
    /// Deploy, update, stop, delete, take over, hand over: all is told by a record.
    Record(Arc<ServiceRecord>),
    /// What an executor sees and decided.
    Report(Report),
    /// A revision that was acknowledged, and is newer than the one in the record that won.
    Revision(ServiceId, Arc<Revision>),
    /// Which versions I hold. `None`: I have none, and want it.
    Digest(Vec<(ServiceId, Option<Stamp>)>),
    /// I missed something of you: tell me all that concerns me.
    Resync,
    /// All that concerns you was told in the letters from this number on.
    Told(u64),
    /// You speak as an older life than the one I know: a restored disk, or a second node with your id.
    Stale {
        /// The life that is told so.
        you: Incarnation,
        /// The one I know.
        known: Incarnation,
    },
}

/// The sign of life that goes to every node, and the little that all must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// The number of the last letter to this receiver.
    pub posted: u64,
    /// Whom the sender hears itself, freshly.
    pub hears: BTreeSet<NodeId>,
    /// What it takes on.
    pub duty: Duty,
    /// How the sender is: whether it is to be given anything new.
    pub condition: Condition,
    /// Whom the operators gave up.
    pub forgotten: Forgotten,
}

/// What a node takes on, as its operator wishes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Duty {
    /// Whatever fits.
    #[default]
    Operate,
    /// Nothing new; what it runs stays.
    Cordon,
    /// Nothing new, and what it runs goes elsewhere.
    Drain,
}

/// Whom the operators gave up. Two of these are merged by the later word on each node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forgotten(BTreeMap<NodeId, u32>);

impl Forgotten {
    /// Whether the node is forgotten now.
    pub fn contains(&self, node: NodeId) -> bool {
        self.words(node) % 2 == 1
    }

    /// Those that are forgotten now.
    pub fn iter(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.0.keys().copied().filter(|node| self.contains(*node))
    }

    /// How often a word was said about each node that one was said about: an odd number forgets it.
    pub fn counts(&self) -> impl Iterator<Item = (NodeId, u32)> + '_ {
        self.0.iter().map(|(node, words)| (*node, *words))
    }

    /// What was [counted](Self::counts) before.
    pub fn from_counts(counts: impl IntoIterator<Item = (NodeId, u32)>) -> Self {
        Self(counts.into_iter().collect())
    }

    /// Says another word about a node, unless it is as wished already. Returns whether it was said.
    pub(crate) fn set(&mut self, node: NodeId, forgotten: bool) -> bool {
        let says = self.contains(node) != forgotten;
        if says {
            *self.0.entry(node).or_default() += 1;
        }
        says
    }

    /// Takes in later words about these nodes. Returns whether there were any.
    pub(crate) fn merge(&mut self, other: &Self, about: &BTreeSet<NodeId>) -> bool {
        let mut learned = false;
        for (node, words) in other.counts().filter(|(node, _)| about.contains(node)) {
            let mine = self.0.entry(node).or_default();
            learned |= words > *mine;
            *mine = words.max(*mine);
        }
        learned
    }

    /// Leaves only the words about these nodes.
    pub(crate) fn retain(&mut self, about: &BTreeSet<NodeId>) {
        self.0.retain(|node, _| about.contains(node));
    }

    fn words(&self, node: NodeId) -> u32 {
        self.0.get(&node).copied().unwrap_or(0)
    }
}

/// What a node offers, as others see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeFacts {
    /// What people call it.
    pub name: Option<NodeName>,
    /// Everything it has.
    pub capabilities: Vec<Capability>,
    /// Its engines.
    pub engines: BTreeMap<EngineName, Engine>,
    /// How much of it is leased.
    pub held: BTreeMap<CapId, u64>,
    /// Who has what one instance alone can have: for people, and of [`MOST_HOLDERS`] at most.
    pub holders: BTreeMap<CapId, Holder>,
}

/// Facts go to every node with each change: of more holders than that nobody is told.
pub const MOST_HOLDERS: usize = 64;

/// Who has a capability, as people call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// An instance of this service,
    pub service: ServiceName,
    /// of this image.
    pub image: ImageKey,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.service, self.image)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_word_on_a_node_holds_wherever_it_was_said() {
        let (one, other) = (NodeId(uuid::Uuid::from_u128(1)), NodeId(uuid::Uuid::from_u128(2)));
        let mut here = Forgotten::default();
        assert!(here.set(one, true) && !here.set(one, true));
        let mut there = here.clone();
        assert!(there.set(one, false) && there.set(other, true));
        let both = [one, other].into();
        assert!(here.merge(&there, &both) && !here.merge(&there, &both));
        assert_eq!(here, there);
        assert_eq!(here.iter().collect::<Vec<_>>(), [other]);
        here.retain(&[one].into());
        assert_eq!(here.counts().collect::<Vec<_>>(), [(one, 2)]);
        assert!(!here.merge(&there, &[one].into()), "nobody says anything of it");
    }
}
