//! Who else is there: which nodes are heard, which are silent, and whether this node may act for others.
//!
//! Memory only, but for the incarnation, the duty and who is forgotten. Decides nothing about services: it says when
//! they are to be looked at again, because the [`Outlook`] is another one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::grave::Graves;
use crate::id::{Millis, NodeId};
use crate::mutant::{self, Mutant};
use crate::peer::{Duty, Forgotten, NodeFacts};
use crate::phase::Condition;
use crate::record::Incarnation;
use crate::restart::{Tuning, Witness};

/// So many beats fit into the time after which a silent node counts as dead.
pub(crate) const BEATS: u64 = 4;

/// What a node keeps about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What it takes on.
    pub duty: Duty,
    /// Whom it knows to be given up.
    pub forgotten: Forgotten,
    /// How long it ran while there were [`graves`](Self::graves), in milliseconds, as far as it counted.
    pub ran: u64,
    /// The tombstones that are kept for a while only.
    pub graves: Arc<Graves>,
}

/// What is heard of the other nodes.
#[derive(Debug, Default)]
pub(crate) struct Membership {
    /// The authorised nodes, forgotten ones too; empty on a node that stands alone.
    pub members: BTreeSet<NodeId>,
    pub peers: BTreeMap<NodeId, Peer>,
    /// The numbers of the last letters to those who were removed: whoever is taken back may remember them.
    pub posted: BTreeMap<NodeId, u64>,
    /// Who is present at the first broker; `None` without a session there.
    pub broker: Option<BTreeSet<NodeId>>,
    pub watch: Watch,
}

/// What is known of one other node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Peer {
    pub incarnation: Option<Incarnation>,
    /// When it last spoke.
    pub heard: Option<Millis>,
    /// Whom it says it hears.
    pub hears: BTreeSet<NodeId>,
    pub duty: Duty,
    /// How it says that it is; `None`: it has not said so in its present life.
    pub condition: Option<Condition>,
    pub facts: Option<Arc<NodeFacts>>,
    /// The number of the last letter to it.
    pub posted: u64,
    /// The greatest number of a letter from it.
    pub got: u64,
    /// All letters between this number and the greatest were read in their order.
    pub since: u64,
    /// Something from it was missed.
    pub behind: bool,
    /// When it was last asked for that because of a gap.
    pub asked: Option<Millis>,
    /// It was waited for as an heir in vain: until then it is none of another service.
    pub passed_over: Option<Millis>,
}

/// How this node watches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Watch {
    /// Since its start, or since it slept: ages from before mean nothing.
    pub awake_since: Option<Millis>,
    pub last_beat: Option<Millis>,
    /// The next one is due at once.
    pub in_haste: bool,
    /// Since it woke it was long enough among the others, or heard all of them, to have heard what it missed.
    pub settled: bool,
    /// Since when it hears enough of the known nodes.
    pub enough_since: Option<Millis>,
    /// When others said that they know a later life of this node.
    pub raises: Vec<Millis>,
    /// Until when it counts as one of two with the same id.
    pub disputed_until: Option<Millis>,
    /// The facts it told last.
    pub told: Option<Arc<NodeFacts>>,
    /// How it said last that it is.
    pub said: Condition,
    pub outlook: Arc<Outlook>,
}

/// What decisions go by between two beats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outlook {
    /// There are others at all.
    pub cluster: bool,
    /// The authorised nodes that are not forgotten. A node that stands alone knows itself.
    pub known: BTreeSet<NodeId>,
    /// Heard by this node, or by one it hears, or present at the first broker.
    pub live: BTreeSet<NodeId>,
    /// Heard by this node itself.
    pub heard: BTreeSet<NodeId>,
    /// Heard, and taking on what is new. How this node is itself, it knows better than its outlook.
    pub usable: BTreeSet<NodeId>,
    /// On their way out, by their operator's wish.
    pub draining: BTreeSet<NodeId>,
    /// It may act for others.
    pub permitted: bool,
    /// It has been awake long enough to have heard what it missed.
    pub settled: bool,
    /// How many of the known nodes it hears freshly, itself too.
    pub fresh: usize,
    /// It is forgotten itself, or removed.
    pub leaving: bool,
    /// It is no longer authorised itself.
    pub removed: bool,
    /// It is one of two with the same id.
    pub disputed: bool,
    /// Others said a moment ago that they know a later life of it.
    pub restored: bool,
}

impl Peer {
    /// Whether it takes on what is new, as it says itself.
    pub fn takes_on(&self) -> bool {
        self.duty == Duty::Operate && self.condition.as_ref().is_some_and(Condition::takes_on)
    }
}

impl Outlook {
    /// Whether this node decides about services of its own.
    pub fn decides(&self) -> bool {
        self.settled && !self.disputed && !self.removed
    }

    /// Whether it hands over what it owns.
    pub fn hands_over(&self, me: NodeId) -> bool {
        self.leaving || self.draining.contains(&me)
    }

    /// Whether it was given up, or removed.
    pub fn is_forgotten(&self, node: NodeId) -> bool {
        !self.known.contains(&node)
    }

    /// Whether nothing was heard of it, by anyone, for the time after which it counts as dead.
    pub fn is_silent(&self, node: NodeId) -> bool {
        !self.live.contains(&node)
    }
}

/// What an outlook is made from.
pub(crate) struct Survey<'a> {
    pub me: NodeId,
    pub now: Millis,
    pub tuning: &'a Tuning,
    pub standing: &'a Standing,
    pub membership: &'a Membership,
    pub peers: &'a BTreeMap<NodeId, Peer>,
}

impl Survey<'_> {
    /// How a node looks at the others before it has heard any of them.
    pub fn first(&self) -> Outlook {
        self.outlook(&Watch::default(), &BTreeSet::from([self.me]))
    }

    /// The next watch, its outlook with it.
    pub fn watch(&self) -> Watch {
        let mut watch = self.membership.watch.clone();
        let slept = watch.last_beat.is_some_and(|last| self.now > last.after(self.tuning.dead_after / 2));
        if slept || watch.awake_since.is_none() {
            watch.awake_since = Some(self.now);
            watch.enough_since = None;
            watch.settled = false;
        }
        (watch.last_beat, watch.in_haste) = (Some(self.now), false);
        if watch.disputed_until.is_some_and(|until| until <= self.now) {
            watch.disputed_until = None;
        }
        let hears = self.hears();
        let enough = self.is_enough(&hears);
        watch.enough_since = if enough { watch.enough_since.or(Some(self.now)) } else { None };
        watch.settled |= self.is_settled(&watch);
        watch.outlook = Arc::new(self.outlook(&watch, &hears));
        watch
    }

    /// Whom this node hears freshly, itself among them.
    pub fn hears(&self) -> BTreeSet<NodeId> {
        let fresh = self.within(self.tuning.dead_after / 2);
        fresh.chain([self.me]).collect()
    }

    fn outlook(&self, watch: &Watch, hears: &BTreeSet<NodeId>) -> Outlook {
        let forgotten = &self.standing.forgotten;
        let members = &self.membership.members;
        let known: BTreeSet<NodeId> =
            members.iter().copied().filter(|node| !forgotten.contains(*node)).collect();
        let dead_after = self.tuning.dead_after;
        let mut heard: BTreeSet<NodeId> = self.within(dead_after).chain([self.me]).collect();
        let removed = !members.contains(&self.me);
        let leaving = removed || forgotten.contains(self.me);
        let disputed = watch.disputed_until.is_some();
        let awake = |span: u64| watch.awake_since.is_some_and(|since| self.now >= since.after(span));
        let mut live = heard.clone();
        live.extend(hears.iter().filter_map(|node| self.peers.get(node)).flat_map(|peer| &peer.hears));
        live.extend(self.membership.broker.iter().flatten());
        if !awake(dead_after) {
            // nobody can be silent yet
            live.extend(members);
        }
        let mut draining: BTreeSet<NodeId> = self.with(|peer| peer.duty == Duty::Drain).collect();
        if self.standing.duty == Duty::Drain {
            draining.insert(self.me);
        }
        let mut usable = heard.clone();
        usable.retain(|node| known.contains(node));
        for node in self.with(|peer| !peer.takes_on()) {
            usable.remove(&node);
        }
        if self.standing.duty != Duty::Operate {
            usable.remove(&self.me);
        }
        heard.retain(|node| members.contains(node));
        let enough = watch.enough_since.is_some_and(|since| self.now >= since.after(dead_after));
        Outlook {
            cluster: true,
            permitted: (enough || self.tuning.witness == Witness::None || mutant::is(Mutant::ActUnpermitted))
                && awake(2 * dead_after)
                && !leaving
                && !disputed
                && self.standing.duty != Duty::Drain,
            settled: watch.settled,
            fresh: hears.intersection(&known).count(),
            known,
            live,
            heard,
            usable,
            draining,
            leaving,
            removed,
            disputed,
            restored: watch.raises.last().is_some_and(|at| self.now < at.after(dead_after)),
        }
    }

    fn is_settled(&self, watch: &Watch) -> bool {
        let forgotten = &self.standing.forgotten;
        let mut known = self.membership.members.iter().filter(|node| !forgotten.contains(**node));
        let long = watch.awake_since.is_some_and(|since| self.now >= since.after(self.tuning.dead_after));
        long || known.all(|node| *node == self.me || self.has_spoken(*node, watch))
    }

    /// More than half of the known nodes; at exactly half only with a session with the first broker.
    fn is_enough(&self, hears: &BTreeSet<NodeId>) -> bool {
        let forgotten = &self.standing.forgotten;
        let known = self.membership.members.iter().filter(|node| !forgotten.contains(**node));
        let (all, fresh) =
            known.fold((0, 0), |(all, fresh), node| (all + 1, fresh + usize::from(hears.contains(node))));
        2 * fresh > all || (2 * fresh == all && self.membership.broker.is_some())
    }

    fn within(&self, span: u64) -> impl Iterator<Item = NodeId> + '_ {
        let now = self.now;
        let heard =
            self.peers.iter().filter(move |(_, peer)| peer.heard.is_some_and(|at| now <= at.after(span)));
        heard.map(|(node, _)| *node)
    }

    fn with(&self, is: impl Fn(&Peer) -> bool) -> impl Iterator<Item = NodeId> {
        self.peers.iter().filter(move |(_, peer)| is(peer)).map(|(node, _)| *node)
    }

    fn has_spoken(&self, node: NodeId, watch: &Watch) -> bool {
        let heard = self.peers.get(&node).and_then(|peer| peer.heard);
        heard.is_some_and(|at| watch.awake_since.is_some_and(|since| at >= since) && !self.is_behind(node))
    }

    fn is_behind(&self, node: NodeId) -> bool {
        self.peers.get(&node).is_some_and(|peer| peer.behind)
    }
}
