//! What is leased on this node, with what the step takes and frees; and what other nodes' slots hold there.

use super::Draft;
use crate::capability::{CapId, Lease};
use crate::id::{NodeId, ServiceId};
use crate::mutant::{self, Mutant};
use crate::needs::Taken;
use crate::peer::Holder;
use crate::record::{InstanceKey, SlotId};
use crate::step::Durability;

impl Draft<'_> {
    pub fn held(&self) -> &Taken {
        self.held.get_or_init(|| {
            let mut held = self.core.held.clone();
            let freed = self.freed.iter().filter_map(|key| self.core.leases.get(key));
            freed.flatten().for_each(|lease| give_back(&mut held, lease));
            let taken = self.taken.iter().flat_map(|(_, leases)| leases);
            taken.for_each(|lease| *held.entry(lease.of.clone()).or_default() += lease.amount);
            held
        })
    }

    /// What all attempts of one slot hold together.
    pub fn held_by_slot(&self, service: ServiceId, slot: &SlotId) -> Taken {
        let committed = self.core.leases.of_slot(service, slot).filter(|(fence, _)| {
            let key = InstanceKey { service, slot: slot.clone(), fence: *fence };
            !self.freed.contains(&key)
        });
        let leases = committed.chain(self.taken.of_slot(service, slot)).flat_map(|(_, leases)| leases);
        let mut held = Taken::new();
        leases.for_each(|lease| *held.entry(lease.of.clone()).or_default() += lease.amount);
        held
    }

    /// Who has, on this node, what one instance alone can have.
    pub fn holder(&self, of: &CapId) -> Option<&Holder> {
        let holders = self.holders.get_or_init(|| {
            let committed = self.core.leases.iter().filter(|(key, _)| !self.freed.contains(key));
            let leases = committed.map(|(_, leases)| leases).chain(self.taken.iter().map(|(_, it)| it));
            self.core.holders(leases.flatten(), |service| self.record(service))
        });
        holders.get(of)
    }

    pub fn has_leases(&self, key: &InstanceKey) -> bool {
        let committed = self.core.leases.get(key).is_some() && !self.freed.contains(key);
        committed || self.taken.get(key).is_some()
    }

    /// What an instance holds.
    pub fn leases(&self, key: &InstanceKey) -> Vec<(CapId, u64)> {
        let committed = self.core.leases.get(key).filter(|_| !self.freed.contains(key));
        let leases = committed.into_iter().chain(self.taken.get(key)).flatten();
        leases.map(|lease| (lease.of.clone(), lease.amount)).collect()
    }

    /// What the attempts of one slot hold on a node, as far as this one knows: that much is free for another attempt.
    pub fn credit(&self, service: ServiceId, slot: &SlotId, node: NodeId) -> Taken {
        if node == self.me() {
            return self.held_by_slot(service, slot);
        }
        let mut held = Taken::new();
        let there = self.heard_in(service, slot).into_iter().filter(|observed| observed.node == node);
        for (of, amount) in there.flat_map(|observed| observed.takes) {
            *held.entry(of).or_default() += amount;
        }
        held
    }

    pub fn take(&mut self, key: &InstanceKey, leases: Vec<Lease>) {
        if leases.is_empty() {
            return;
        }
        self.durability = Durability::Power;
        self.holders.take();
        if let Some(held) = self.held.get_mut() {
            leases.iter().for_each(|lease| *held.entry(lease.of.clone()).or_default() += lease.amount);
        }
        self.taken.get_or_insert(key).extend(leases);
    }

    pub fn free(&mut self, key: &InstanceKey) {
        if mutant::is(Mutant::KeepLeases) {
            return;
        }
        self.holders.take();
        let drafted = self.taken.remove(key);
        let committed = self.core.leases.get(key).filter(|_| !self.freed.contains(key));
        let leases = drafted.iter().chain(committed).flatten();
        if let Some(held) = self.held.get_mut() {
            leases.for_each(|lease| give_back(held, lease));
        }
        if committed.is_some() {
            self.freed.insert(key.clone());
        }
        self.room |= committed.is_some() || drafted.is_some();
    }
}

fn give_back(held: &mut Taken, lease: &Lease) {
    if let Some(held) = held.get_mut(&lease.of) {
        *held = held.saturating_sub(lease.amount);
    }
}
