//! What a store keeps, rebuilt from committed transactions as a store would.

use std::collections::{BTreeMap, BTreeSet};

use motey_core::capability::{CapId, Capability, Lease};
use motey_core::id::ServiceId;
use motey_core::record::{Fence, ServiceRecord};
use motey_core::step::{Event, EventKind, Txn};

#[derive(Clone, Debug, Default)]
pub struct Disk {
    pub records: BTreeMap<ServiceId, ServiceRecord>,
    pub leases: Vec<Lease>,
    pub offers: BTreeMap<String, Vec<Capability>>,
    pub journal: Vec<Event>,
    /// Every fence that was ever assigned.
    pub fences: BTreeSet<Fence>,
    pub writes: usize,
    /// Takes nothing any more.
    pub full: bool,
    /// Takes what only removes, though it is full.
    pub reserve: bool,
}

#[derive(Debug)]
pub struct Full;

impl Disk {
    pub fn write(&mut self, txn: &Txn) -> Result<(), Full> {
        assert!(!txn.is_empty(), "an empty transaction is not written");
        if self.full && !(self.reserve && txn.only_removes()) {
            return Err(Full);
        }
        self.writes += 1;
        self.leases.retain(|lease| !txn.freed.contains(&lease.holder));
        self.leases.extend(txn.taken.iter().cloned());
        self.offers.extend(txn.offers.clone());
        for (id, record) in &txn.records {
            let old = self.records.get(id);
            assert!(old.is_none_or(|old| old.stamp < record.stamp), "stamps grow");
            self.fences.extend(record.slots.values().map(|assigned| assigned.fence));
            self.records.insert(*id, ServiceRecord::clone(record));
        }
        self.journal.extend(txn.journal.iter().cloned());
        Ok(())
    }

    pub fn held(&self) -> BTreeMap<CapId, u64> {
        let mut held = BTreeMap::new();
        for lease in &self.leases {
            *held.entry(lease.of.clone()).or_default() += lease.amount;
        }
        held
    }

    pub fn count(&self, kind: EventKind) -> usize {
        self.journal.iter().filter(|event| event.kind == kind).count()
    }
}
