//! Who this node is to the others, what it knows of them, and what they say. What follows from it is not decided here.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::Draft;
use crate::id::{Millis, NodeId, ServiceId};
use crate::mail;
use crate::membership::{Outlook, Peer, Standing, Watch};
use crate::peer::Forgotten;
use crate::phase::Condition;
use crate::record::Incarnation;
use crate::step::Mark;

/// What a node is made of is waited for so many times `dead_after`.
const PATIENCE: u64 = 2;

impl<'a> Draft<'a> {
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// This life counts as a later one from now on.
    pub fn raise(&mut self, count: u64) {
        self.incarnation.count = count;
    }

    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    pub fn change_standing(&mut self, change: impl FnOnce(&mut Standing)) {
        change(Arc::make_mut(&mut self.standing));
    }

    pub fn outlook(&self) -> &Outlook {
        match &self.watch {
            Some(watch) => &watch.outlook,
            None => &self.core.membership.watch.outlook,
        }
    }

    /// How this node is.
    pub fn condition(&self) -> Condition {
        self.core.condition_with(&self.standing, self.outlook())
    }

    /// Begins to wait for what this node is made of, or has waited for it long enough: a plugin that loads and never
    /// says a word holds nothing up for ever.
    pub fn wait_for_parts(&mut self) {
        let began = self.core.patience.is_some();
        let until = self.now.after(PATIENCE * self.core.tuning.dead_after);
        self.marks.push(Mark::Patience(Some(until).filter(|_| !began)));
        if began {
            mail::look_again(self);
        }
    }

    pub fn watch(&self) -> &Watch {
        self.watch.as_ref().unwrap_or(&self.core.membership.watch)
    }

    pub fn set_watch(&mut self, watch: Watch) {
        self.watch = Some(watch);
    }

    /// An authorised other node.
    pub fn peer(&mut self, node: NodeId) -> Option<&mut Peer> {
        let known = self.core.membership.peers.get(&node)?;
        Some(self.peers.entry(node).or_insert_with(|| known.clone()))
    }

    /// Whether something that it told was missed.
    pub fn is_behind(&self, node: NodeId) -> bool {
        let peer = self.peers.get(&node).or_else(|| self.core.membership.peers.get(&node));
        peer.is_some_and(|peer| peer.behind)
    }

    /// Whether it spoke within the time after which a silent node counts as dead: an outlook is as old as the last beat.
    pub fn heard_lately(&self, node: NodeId) -> bool {
        let peer = self.peers.get(&node).or_else(|| self.core.membership.peers.get(&node));
        let heard = peer.and_then(|peer| peer.heard);
        heard.is_some_and(|at| self.now <= at.after(self.core.tuning.dead_after))
    }

    /// All of them, as they are after this step.
    pub fn peers(&self) -> Cow<'a, BTreeMap<NodeId, Peer>> {
        let mut peers = Cow::Borrowed(&self.core.membership.peers);
        if !self.peers.is_empty() {
            peers.to_mut().extend(self.peers.iter().map(|(node, peer)| (*node, peer.clone())));
        }
        peers
    }

    /// Which nodes they are.
    pub fn peer_ids(&self) -> impl Iterator<Item = NodeId> + use<'a> {
        self.core.membership.peers.keys().copied()
    }

    /// The number of the last letter to a node.
    pub fn posted(&self, node: NodeId) -> u64 {
        let peer = self.peers.get(&node).or_else(|| self.core.membership.peers.get(&node));
        peer.map_or(0, |peer| peer.posted)
    }

    /// Writes down what was [learnt](Self::learn).
    pub fn write_standing(&mut self) {
        self.writes_standing = true;
    }

    /// What others say about forgotten nodes counts at once, and is written later: this node hears them also while its
    /// disk is full.
    pub fn learn(&mut self, words: &Forgotten) {
        if self.standing.forgotten.clone().merge(words, &self.core.membership.members) {
            self.marks.push(Mark::Words(words.clone(), self.now));
        }
    }

    /// Whom an owner waited for in vain lately, and until when it is no heir of another service.
    pub fn passed_over(&self) -> BTreeMap<NodeId, Millis> {
        let peers = self.peers();
        let passed_over = peers.iter().filter_map(|(node, peer)| Some((*node, peer.passed_over?)));
        passed_over.filter(|(_, until)| *until > self.now).collect()
    }

    /// From now on an heir is waited for, and no longer than until then.
    pub fn mark_awaited(&mut self, service: ServiceId, until: Millis) {
        self.marks.push(Mark::Awaited(service, self.now));
        self.wake(service, until);
    }

    /// Since when an heir is waited for.
    pub fn awaited_since(&self, service: ServiceId) -> Option<Millis> {
        self.core.awaited.get(&service).copied()
    }
}
