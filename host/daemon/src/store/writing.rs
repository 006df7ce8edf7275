//! One transaction on its way into the file. Dropped before it is committed, it leaves nothing.

use std::path::Path;

use motey_core::id::ServiceId;
use motey_core::record::{InstanceKey, Revision};
use motey_core::step::{Event, Txn};
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::bounds::{Bounds, Change};
use super::error::{At, StoreError};
use crate::codec::{self, Coded};

pub(super) struct Writing<'a> {
    transaction: Transaction<'a>,
    path: &'a Path,
}

impl<'a> Writing<'a> {
    pub(super) fn begin(connection: &'a mut Connection, path: &'a Path) -> Result<Self, StoreError> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).at(path)?;
        Ok(Self { transaction, path })
    }

    pub(super) fn records(&self, txn: &Txn) -> Result<(), StoreError> {
        let sql = "INSERT INTO record (service, body) VALUES (?1, ?2)
                   ON CONFLICT (service) DO UPDATE SET body = excluded.body";
        for (service, record) in &txn.records {
            let body = encoded(record.as_ref())?;
            self.execute(sql, params![service.0.as_bytes(), body])?;
        }
        Ok(())
    }

    /// Nothing follows a tombstone: what was kept against a record that is none goes with it.
    pub(super) fn memories(&self, txn: &Txn) -> Result<(), StoreError> {
        for key in &txn.outlived {
            self.execute("DELETE FROM dead WHERE holder = ?1", params![holder(key)])?;
        }
        for key in &txn.dead {
            let row = params![key.service.0.as_bytes(), holder(key), encoded(key)?];
            self.execute("INSERT OR IGNORE INTO dead (service, holder, body) VALUES (?1, ?2, ?3)", row)?;
        }
        for (service, revision) in &txn.kept {
            match revision {
                Some(revision) => self.keep(*service, revision)?,
                None => self.delete("kept", *service)?,
            }
        }
        for record in txn.records.values().filter(|record| record.is_absent()) {
            self.delete("dead", record.id)?;
            self.delete("kept", record.id)?;
        }
        for service in &txn.erased {
            self.delete("record", *service)?;
        }
        Ok(())
    }

    fn keep(&self, service: ServiceId, revision: &Revision) -> Result<(), StoreError> {
        let sql = "INSERT INTO kept (service, body) VALUES (?1, ?2)
                   ON CONFLICT (service) DO UPDATE SET body = excluded.body";
        self.execute(sql, params![service.0.as_bytes(), encoded(revision)?])
    }

    pub(super) fn delete(&self, table: &'static str, service: ServiceId) -> Result<(), StoreError> {
        self.execute(&format!("DELETE FROM {table} WHERE service = ?1"), params![service.0.as_bytes()])
    }

    /// What the node knows about itself. Its next life counts on from the count of this one.
    pub(super) fn node(&self, txn: &Txn) -> Result<(), StoreError> {
        if let Some(incarnation) = txn.incarnation {
            self.execute("UPDATE life SET count = ?1", params![incarnation.count.cast_signed()])?;
        }
        if let Some(standing) = &txn.standing {
            let sql = "INSERT INTO standing (one, body) VALUES (1, ?1)
                       ON CONFLICT (one) DO UPDATE SET body = excluded.body";
            self.execute(sql, params![encoded(standing.as_ref())?])?;
        }
        Ok(())
    }

    /// First those that are freed, as the core does.
    pub(super) fn leases(&self, txn: &Txn) -> Result<(), StoreError> {
        for key in &txn.freed {
            self.execute("DELETE FROM lease WHERE holder = ?1", params![holder(key)])?;
        }
        for lease in &txn.taken {
            let row = params![holder(&lease.holder), encoded(lease)?];
            self.execute("INSERT INTO lease (holder, body) VALUES (?1, ?2)", row)?;
        }
        Ok(())
    }

    /// A source's set is written as a whole.
    pub(super) fn offers(&self, txn: &Txn) -> Result<(), StoreError> {
        for (source, all) in &txn.offers {
            self.execute("DELETE FROM capability WHERE source = ?1", params![source])?;
            for capability in all {
                let row = params![source, encoded(capability)?];
                self.execute("INSERT INTO capability (source, body) VALUES (?1, ?2)", row)?;
            }
        }
        Ok(())
    }

    /// Appends `events` and removes the oldest where there are now more than `bounds` allows.
    pub(super) fn journal(&self, events: &[Event], now: i64, bounds: &Bounds) -> Result<Change, StoreError> {
        let sql = "INSERT INTO journal (wall_ms, service, slot, kind, text) VALUES (?1, ?2, ?3, ?4, ?5)";
        for Event { service, slot, kind, text } in events {
            let slot = slot.as_ref().map(ToString::to_string);
            self.execute(sql, params![now, service.0.as_bytes(), slot, kind.as_str(), text])?;
        }
        bounds.trim(&self.transaction, events).at(self.path)
    }

    pub(super) fn commit(self) -> Result<(), rusqlite::Error> {
        self.transaction.commit()
    }

    /// Whether there is such a row.
    pub(super) fn exists(&self, sql: &str, row: &[&dyn rusqlite::ToSql]) -> Result<bool, StoreError> {
        let mut statement = self.transaction.prepare_cached(sql).at(self.path)?;
        statement.exists(row).at(self.path)
    }

    pub(super) fn execute(&self, sql: &str, row: &[&dyn rusqlite::ToSql]) -> Result<(), StoreError> {
        let mut statement = self.transaction.prepare_cached(sql).at(self.path)?;
        statement.execute(row).at(self.path).map(drop)
    }
}

fn holder(InstanceKey { service, slot, fence }: &InstanceKey) -> String {
    format!("{service} {slot} {fence}")
}

pub(super) fn encoded<T: Coded>(value: &T) -> Result<String, StoreError> {
    codec::encode(value).map_err(|source| StoreError::Unwritable { source })
}
