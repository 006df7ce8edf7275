//! A made-up disk: what was committed, and which of it a loss of power takes away.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use motey_core::Standing;
use motey_core::capability::{CapId, Lease};
use motey_core::id::ServiceId;
use motey_core::record::{InstanceKey, Revision, ServiceRecord};
use motey_core::step::{Durability, Txn};

use crate::queue::Time;

/// What a store hands to a new life.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    pub records: BTreeMap<ServiceId, Arc<ServiceRecord>>,
    pub leases: Vec<Lease>,
    pub dead: BTreeSet<InstanceKey>,
    pub kept: BTreeMap<ServiceId, Arc<Revision>>,
    pub standing: Standing,
    /// Of the last incarnation.
    pub count: u64,
}

impl Contents {
    fn take(&mut self, txn: &Txn) {
        self.leases.retain(|lease| !txn.freed.contains(&lease.holder));
        self.leases.extend(txn.taken.iter().cloned());
        self.dead.retain(|key| !txn.outlived.contains(key));
        self.dead.extend(txn.dead.iter().cloned());
        for (id, record) in &txn.records {
            if record.is_absent() {
                self.dead.retain(|key| key.service != *id);
                self.kept.remove(id);
            }
            self.records.insert(*id, Arc::clone(record));
        }
        txn.erased.iter().for_each(|id| drop(self.records.remove(id)));
        for (id, revision) in &txn.kept {
            match revision {
                Some(revision) => drop(self.kept.insert(*id, Arc::clone(revision))),
                None => drop(self.kept.remove(id)),
            }
        }
        if let Some(standing) = &txn.standing {
            self.standing = Standing::clone(standing);
        }
        self.count = txn.incarnation.map_or(self.count, |raised| raised.count);
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
    pub now: Contents,
    /// What a loss of power leaves for sure.
    pub synced: Contents,
    /// Written since, in this order.
    tail: Vec<Txn>,
    /// Until then it takes nothing.
    pub full_until: Time,
    /// It takes what only removes, though it is full.
    pub reserve: bool,
    /// What it will be set back to.
    pub backup: Option<Box<Contents>>,
}

/// It takes nothing.
#[derive(Debug)]
pub struct Full;

impl Disk {
    /// Writes as a whole, or not at all.
    pub fn write(&mut self, txn: &Txn, now: Time) -> Result<(), Full> {
        if now < self.full_until && !(self.reserve && txn.adds_nothing()) {
            return Err(Full);
        }
        self.now.take(txn);
        if txn.durability == Durability::Power {
            self.sync();
            self.synced.take(txn);
        } else {
            self.tail.push(txn.clone());
        }
        Ok(())
    }

    fn sync(&mut self) {
        for txn in self.tail.drain(..) {
            self.synced.take(&txn);
        }
    }

    /// The count of the next incarnation, written before it is used.
    pub fn next_count(&mut self) -> u64 {
        self.sync();
        self.now.count += 1;
        self.synced.count = self.now.count;
        self.now.count
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

    /// It is as it was when the backup was made.
    pub fn restore(&mut self) -> bool {
        let Some(backup) = self.backup.take() else { return false };
        self.tail.clear();
        self.synced = (*backup).clone();
        self.now = *backup;
        true
    }
}
