//! What a store keeps, rebuilt from committed transactions as a store would.

use std::collections::{BTreeMap, BTreeSet};

use motey_core::capability::{CapId, Capability, Lease};
use motey_core::id::{NodeId, ServiceId};
use motey_core::record::{Fence, Incarnation, InstanceKey, Revision, ServiceRecord};
use motey_core::step::{Event, EventKind, Txn};
use motey_core::{Standing, Stored};

#[derive(Clone, Debug, Default)]
pub struct Disk {
    pub records: BTreeMap<ServiceId, ServiceRecord>,
    pub leases: Vec<Lease>,
    pub dead: BTreeSet<InstanceKey>,
    pub kept: BTreeMap<ServiceId, Revision>,
    pub standing: Standing,
    pub incarnation: Option<Incarnation>,
    pub offers: BTreeMap<String, Vec<Capability>>,
    pub journal: Vec<Event>,
    /// Whom the node is told to belong to when it starts.
    pub members: BTreeSet<NodeId>,
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
        if self.full && !(self.reserve && txn.adds_nothing()) {
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
        self.dead.retain(|key| !txn.outlived.contains(key));
        self.dead.extend(txn.dead.iter().cloned());
        for (id, revision) in &txn.kept {
            match revision {
                Some(revision) => drop(self.kept.insert(*id, Revision::clone(revision))),
                None => drop(self.kept.remove(id)),
            }
        }
        txn.erased.iter().for_each(|id| drop(self.records.remove(id)));
        if let Some(standing) = &txn.standing {
            self.standing = Standing::clone(standing);
        }
        self.incarnation = txn.incarnation.or(self.incarnation);
        self.journal.extend(txn.journal.iter().cloned());
        Ok(())
    }

    pub fn stored(&self) -> Stored {
        let kept = self.kept.iter().map(|(id, revision)| (*id, revision.clone()));
        Stored {
            records: self.records.values().cloned().collect(),
            leases: self.leases.clone(),
            dead: self.dead.iter().cloned().collect(),
            kept: kept.collect(),
            standing: self.standing.clone(),
            members: self.members.clone(),
        }
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
