//! What the owner knows beside its records: what executors told, what was given away since, and who refused what.

use std::collections::{BTreeMap, BTreeSet};

use super::Draft;
use crate::capability::{CapId, Capability, Supply};
use crate::id::{Millis, NodeId, ServiceId};
use crate::instance::{Heard, Observed};
use crate::mutant::{self, Mutant};
use crate::needs::Taken;
use crate::peer::Duty;
use crate::placement::Facts;
use crate::reason::{Code, Reason};
use crate::record::{Fence, InstanceKey, SlotId, Stamp};
use crate::spec::{ImageSpec, Need};
use crate::step::Mark;

impl<'a> Draft<'a> {
    /// What was heard of an instance.
    pub fn heard(&self, key: &InstanceKey) -> Option<&Observed> {
        let heard = match self.heard.get(key) {
            Some(drafted) => drafted.as_ref(),
            None => self.core.heard.get(key),
        };
        heard.map(|heard| &heard.observed)
    }

    pub fn hear(&mut self, observed: &Observed) {
        let letter = self.peer(observed.node).map_or(0, |peer| peer.got);
        self.heard.insert(&observed.key, Some(Heard { observed: observed.clone(), letter }));
    }

    pub fn unhear(&mut self, key: &InstanceKey) {
        self.heard.insert(key, None);
    }

    /// The instances that a node told of, each with the number of the letter that did so last.
    pub fn told_by(&self, node: NodeId) -> impl Iterator<Item = (&'a InstanceKey, u64)> + use<'a> {
        let heard = self.core.heard.iter().filter(move |(_, heard)| heard.observed.node == node);
        heard.map(|(key, heard)| (key, heard.letter))
    }

    /// What was heard of the instances of one slot.
    pub fn heard_in(&self, service: ServiceId, slot: &SlotId) -> Vec<Observed> {
        let before = self.core.heard.of_slot(service, slot).map(|(fence, _)| fence);
        let drafted = self.heard.of_slot(service, slot).map(|(fence, _)| fence);
        let fences: BTreeSet<Fence> = before.chain(drafted).collect();
        let key = |fence| InstanceKey { service, slot: slot.clone(), fence };
        fences.into_iter().filter_map(|fence| self.heard(&key(fence)).cloned()).collect()
    }

    /// The slots of a service of which anything was heard.
    pub fn heard_slots(&self, service: ServiceId) -> BTreeSet<SlotId> {
        let before = self.core.heard.of(service).map(|(key, _)| key.slot.clone());
        before.chain(self.heard.of(service).map(|(key, _)| key.slot.clone())).collect()
    }

    /// The nodes that were heard to have one of its instances.
    pub fn heard_nodes(&self, service: ServiceId) -> BTreeSet<NodeId> {
        let before = self.core.heard.of(service).map(|(_, heard)| heard.observed.node);
        before
            .chain(self.heard.of(service).filter_map(|(_, heard)| Some(heard.as_ref()?.observed.node)))
            .collect()
    }

    /// Which version of a record a node was last heard to hold.
    pub fn holds(&self, service: ServiceId, node: NodeId) -> Option<Stamp> {
        let key = (service, node);
        self.holds.get(&key).or_else(|| self.core.holds.get(&key)).copied()
    }

    pub fn mark_holds(&mut self, service: ServiceId, node: NodeId, stamp: Stamp) {
        if self.holds(service, node) < Some(stamp) {
            self.holds.insert((service, node), stamp);
        }
    }

    /// What this node knows of itself; `None` while it takes on nothing new.
    pub fn own_facts(&self) -> Option<Facts<'a>> {
        // between two beats an outlook does not know yet what this node was told to take on
        let may = self.outlook().usable.contains(&self.me()) && self.standing().duty == Duty::Operate;
        let takes_on = may && self.condition().takes_on();
        takes_on.then(|| Facts {
            node: self.me(),
            capabilities: self.core.offered(),
            engines: &self.core.engines,
            held: self.held().clone(),
        })
    }

    /// What was given away is in the facts by now, or was not taken.
    pub fn clear_given(&mut self) {
        if !self.given().is_empty() {
            self.given = Some(BTreeMap::new());
            self.wake_waiting();
        }
    }

    /// Those who wait for a node, or for another one, are looked at in a step of their own.
    pub fn wake_waiting(&mut self) {
        let core = self.core;
        core.waiting.iter().for_each(|service| self.wake(*service, self.now));
        self.wake_lacking();
    }

    /// So are those of which an instance lost what it needs.
    pub fn wake_lacking(&mut self) {
        let core = self.core;
        core.lacking.iter().for_each(|key| self.wake(key.service, self.now));
    }

    /// What was given away on other nodes since they told their facts.
    pub fn given(&self) -> &BTreeMap<NodeId, Taken> {
        self.given.as_ref().unwrap_or(&self.core.given)
    }

    pub fn give(&mut self, node: NodeId, taken: &Taken) {
        let given = self.given.get_or_insert_with(|| self.core.given.clone()).entry(node).or_default();
        taken.iter().for_each(|(of, amount)| *given.entry(of.clone()).or_default() += amount);
    }

    /// Whether any of these, on that node, is for one instance alone.
    pub fn is_exclusive<'c>(&self, node: NodeId, mut ids: impl Iterator<Item = &'c CapId>) -> bool {
        let peer = self.core.membership.peers.get(&node).and_then(|peer| peer.facts.as_ref());
        let theirs = || peer.into_iter().flat_map(|facts| &facts.capabilities);
        let is = |id: &CapId, it: &Capability| it.id == *id && it.supply == Supply::Exclusive;
        ids.any(|id| match node == self.me() {
            true => self.core.capabilities().any(|it| is(id, it)),
            false => theirs().any(|it| is(id, it)),
        })
    }

    /// Whether an image may take, on that node, what is for one instance alone; a node that has told nothing may have
    /// anything.
    pub fn may_take_alone(&self, node: NodeId, image: &ImageSpec) -> bool {
        fn names<'n>(need: &'n Need, found: &mut Vec<&'n str>) {
            match need {
                Need::All(all) | Need::Any(all) => all.iter().for_each(|need| names(need, found)),
                Need::Has(requirement) => found.push(&requirement.name),
                Need::Not(_) => {}
            }
        }
        let mut wanted = Vec::new();
        names(image.need.as_need(), &mut wanted);
        let peer = self.core.membership.peers.get(&node).and_then(|peer| peer.facts.as_ref());
        if node != self.me() && peer.is_none() {
            return !wanted.is_empty();
        }
        let theirs = peer.into_iter().flat_map(|facts| &facts.capabilities);
        let own = self.core.capabilities().filter(|_| node == self.me());
        own.chain(theirs).any(|it| it.supply == Supply::Exclusive && wanted.contains(&it.id.name.as_str()))
    }

    /// Why a node does not get a slot, where it refused it a moment ago.
    pub fn refusal(&self, service: ServiceId, slot: &SlotId, node: NodeId) -> Option<Reason> {
        self.refuses(service, slot, node).then(|| {
            let text = format!("{} refused it a moment ago, and is asked again soon", self.called(node));
            Reason::new(Code::WaitingAdmission, text)
        })
    }

    /// The nodes that did so.
    pub fn refusals(&self, service: ServiceId, slot: &SlotId) -> BTreeMap<NodeId, Reason> {
        let least = (service, slot.clone(), NodeId(uuid::Uuid::nil()));
        let of = |key: &&(ServiceId, SlotId, NodeId)| key.0 == service && key.1 == *slot;
        let before = self.core.refused.range(least.clone()..).map(|(key, _)| key).take_while(of);
        let nodes = before.chain(self.refused.range(least..).take_while(of)).map(|(_, _, node)| *node);
        nodes.filter_map(|node| Some((node, self.refusal(service, slot, node)?))).collect()
    }

    pub fn refuses(&self, service: ServiceId, slot: &SlotId, node: NodeId) -> bool {
        if mutant::is(Mutant::AskAgain) {
            return false;
        }
        let key = (service, slot.clone(), node);
        let before = self.core.refused.get(&key).filter(|_| !(self.reopened && node == self.me()));
        self.refused.contains(&key) || before.is_some_and(|until| *until > self.now)
    }

    /// Whether something was given back since the last time; what this node refused for want of it is tried again.
    pub fn reopen(&mut self) -> bool {
        let room = std::mem::take(&mut self.room);
        if room && !self.reopened {
            self.reopened = true;
            self.marks.push(Mark::Reopened);
        }
        room
    }

    pub fn mark_refused(&mut self, key: &InstanceKey, node: NodeId, until: Millis) {
        self.refused.insert((key.service, key.slot.clone(), node));
        self.marks.push(Mark::Refused(key.service, key.slot.clone(), node, until));
    }
}
