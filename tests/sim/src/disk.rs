//! A made-up disk: what was committed, and which of it a loss of power takes away.

use std::collections::BTreeMap;
use std::sync::Arc;

use motey_core::capability::{CapId, Lease};
use motey_core::id::ServiceId;
use motey_core::record::ServiceRecord;
use motey_core::step::{Durability, Txn};

use crate::queue::Time;

/// What a store hands to a new life.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    pub records: BTreeMap<ServiceId, Arc<ServiceRecord>>,
    pub leases: Vec<Lease>,
}

impl Stored {
    fn take(&mut self, txn: &Txn) {
        self.leases.retain(|lease| !txn.freed.contains(&lease.holder));
        self.leases.extend(txn.taken.iter().cloned());
        self.records.extend(txn.records.iter().map(|(id, record)| (*id, Arc::clone(record))));
    }

    /// How much is held of each capability.
    pub fn held(&self) -> BTreeMap<&CapId, u64> {
        let mut held = BTreeMap::new();
        for lease in &self.leases {
            *held.entry(&lease.of).or_default() += lease.amount;
        }
        held
    }
}

#[derive(Debug, Default)]
pub struct Disk {
    /// All that was written.
    pub now: Stored,
    /// What a loss of power leaves for sure.
    pub synced: Stored,
    /// Written since, in this order.
    tail: Vec<Txn>,
    /// How often the node was started from it.
    pub lives: u64,
    /// Until then it takes nothing.
    pub full_until: Time,
    /// It takes what only removes, though it is full.
    pub reserve: bool,
    pub writes: u64,
}

/// It takes nothing.
#[derive(Debug)]
pub struct Full;

impl Disk {
    /// Writes as a whole, or not at all.
    pub fn write(&mut self, txn: &Txn, now: Time) -> Result<(), Full> {
        if now < self.full_until && !(self.reserve && txn.only_removes()) {
            return Err(Full);
        }
        self.writes += 1;
        self.now.take(txn);
        self.tail.push(txn.clone());
        if txn.durability == Durability::Power {
            self.sync();
        }
        Ok(())
    }

    fn sync(&mut self) {
        for txn in self.tail.drain(..) {
            self.synced.take(&txn);
        }
    }

    /// The power fails: of what was written since the last sync, `kept` thousandths are left.
    pub fn lose_power(&mut self, kept: usize) -> usize {
        let left = self.tail.len() * kept / 1_000;
        let lost = self.tail.len() - left;
        self.tail.truncate(left);
        self.sync();
        self.now = self.synced.clone();
        lost
    }
}
