//! What a step remembers of the other nodes beside their letters: what they say about forgotten ones, and how long an
//! heir is waited for. What follows from it is not decided here.

use std::collections::BTreeMap;

use super::Draft;
use crate::id::{Millis, NodeId, ServiceId};
use crate::peer::Forgotten;
use crate::step::Mark;

impl Draft<'_> {
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

    /// Who let an offer lapse lately, and until when it is offered no other.
    pub fn passed_over(&self) -> BTreeMap<NodeId, Millis> {
        let peers = self.peers().into_iter();
        let passed_over = peers.filter_map(|(node, peer)| Some((node, peer.passed_over?)));
        passed_over.filter(|(_, until)| *until > self.now).collect()
    }

    /// From now on an heir is waited for, and no longer than until then.
    pub fn mark_offered(&mut self, service: ServiceId, until: Millis) {
        self.marks.push(Mark::Offered(service, self.now));
        self.wake(service, until);
    }

    /// Since when an heir is waited for.
    pub fn offered_since(&self, service: ServiceId) -> Option<Millis> {
        self.core.offered.get(&service).copied()
    }
}
