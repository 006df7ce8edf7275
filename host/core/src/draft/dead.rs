//! The attempts that will never live again on this node, and how many of them are remembered.
//!
//! A dead attempt counts against a record that still names it: that of an owner who missed all that was decided about
//! the slot since. Each attempt that followed was written into the record, which went to all its holders, and whoever
//! takes over has heard more than half of the nodes for a while and asked them for what it missed. So one who names an
//! attempt that many have followed on this node is not to be expected; and what the spec wants no more comes back with
//! an older revision only, which gives way to the newest.

use std::collections::BTreeSet;

use super::Draft;
use crate::mutant::{self, Mutant};
use crate::record::{Fence, InstanceKey, ServiceRecord, SlotId};
use crate::step::Durability;

/// So many of a slot are remembered,
const OF_A_SLOT: usize = 8;

/// and so many of all the slots of a service that are wanted no more.
const OF_OTHERS: usize = 1_000;

impl Draft<'_> {
    /// Whether an attempt must not live on this node, whatever a record says.
    pub fn is_dead(&self, key: &InstanceKey) -> bool {
        let committed = self.core.dead.get(key).is_some() && !self.outlived.contains(key);
        !mutant::is(Mutant::RaiseDead) && (self.dead.contains(key) || committed)
    }

    /// A node that stands alone needs no such memory: its own record is the only one. Nothing follows a tombstone.
    pub fn bury(&mut self, key: &InstanceKey) {
        let Some(record) = self.record(key.service).filter(|record| !record.is_absent()) else { return };
        if !self.core.is_in_cluster() || self.is_dead(key) {
            return;
        }
        let (mut others, most) = match record.wants(&key.slot) {
            true => (self.dead_in(&record, &key.slot), OF_A_SLOT),
            false => (self.dead_elsewhere(&record), OF_OTHERS),
        };
        while others.len() >= most
            && let Some((fence, slot)) = others.pop_first()
        {
            let oldest = record.key(&slot, fence);
            self.dead.remove(&oldest);
            self.outlived.insert(oldest);
        }
        self.dead.insert(key.clone());
        // what is told of it must stay true
        self.durability = Durability::Power;
    }

    /// The dead attempts of a slot, the oldest first.
    fn dead_in(&self, record: &ServiceRecord, slot: &SlotId) -> BTreeSet<(Fence, SlotId)> {
        let committed = self.core.dead.of_slot(record.id, slot).map(|(fence, ())| record.key(slot, fence));
        let drafted = self.dead.iter().filter(|key| (key.service, &key.slot) == (record.id, slot)).cloned();
        self.remembered(committed.chain(drafted))
    }

    /// Those of all slots that the spec does not want.
    fn dead_elsewhere(&self, record: &ServiceRecord) -> BTreeSet<(Fence, SlotId)> {
        let committed = self.core.dead.of(record.id).map(|(key, ())| key.clone());
        let drafted = self.dead.iter().filter(|key| key.service == record.id).cloned();
        self.remembered(committed.chain(drafted).filter(|key| !record.wants(&key.slot)))
    }

    fn remembered(&self, keys: impl Iterator<Item = InstanceKey>) -> BTreeSet<(Fence, SlotId)> {
        keys.filter(|key| !self.outlived.contains(key)).map(|key| (key.fence, key.slot)).collect()
    }
}
