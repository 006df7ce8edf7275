//! The last revisions of each service, for people who want one back. The core knows nothing of them.
//!
//! A revision is written with the first record that has it, and goes with the tombstone of its service.

use motey_core::id::ServiceId;
use motey_core::record::Revision;
use motey_core::step::Txn;
use rusqlite::params;

use super::error::{At, StoreError};
use super::journal::StoreReader;
use super::writing::{Writing, encoded};
use crate::codec;

/// So many of one service.
pub(super) const KEPT: u32 = 10;

/// A revision that a service has, or had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// When it was written here, in milliseconds since 1970 by a clock that may have been wrong.
    pub wall_ms: i64,
    /// What it was.
    pub revision: Revision,
}

impl Writing<'_> {
    /// Adds what is new, and removes the oldest where there are now too many. What comes back should the new revision
    /// fail is among them, too: another node may have written it.
    pub(super) fn revisions(&self, txn: &Txn, now: i64) -> Result<(), StoreError> {
        for record in txn.records.values() {
            if record.is_absent() {
                self.delete("revision", record.id)?;
                continue;
            }
            let mut added = false;
            for revision in record.previous.as_deref().into_iter().chain([&record.revision]) {
                added |= self.add(record.id, revision, now)?;
            }
            if added {
                self.trim(record.id)?;
            }
        }
        Ok(())
    }

    /// Whether it was not there.
    fn add(&self, service: ServiceId, revision: &Revision, now: i64) -> Result<bool, StoreError> {
        let (service, place) = (service.0.as_bytes(), revision.order.to_string());
        let sql = "SELECT 1 FROM revision WHERE service = ?1 AND place = ?2";
        if self.exists(sql, params![service, place])? {
            return Ok(false);
        }
        let sql = "INSERT INTO revision (service, number, place, wall_ms, body) VALUES (?1, ?2, ?3, ?4, ?5)";
        self.execute(sql, params![service, revision.order.number, place, now, encoded(revision)?])?;
        Ok(true)
    }

    fn trim(&self, service: ServiceId) -> Result<(), StoreError> {
        let sql = "DELETE FROM revision WHERE service = ?1 AND rowid NOT IN (
                       SELECT rowid FROM revision WHERE service = ?1
                       ORDER BY number DESC, rowid DESC LIMIT ?2
                   )";
        self.execute(sql, params![service.0.as_bytes(), KEPT])
    }
}

impl StoreReader {
    /// Those of a service that are kept, the newest first.
    ///
    /// # Errors
    /// When the file cannot be read, or holds what is no revision.
    pub fn revisions(&self, of: ServiceId) -> Result<Vec<Past>, StoreError> {
        let sql = "SELECT wall_ms, body FROM revision WHERE service = ?1";
        let mut statement = self.connection.prepare_cached(sql).at(&self.path)?;
        let mut rows = statement.query(params![of.0.as_bytes()]).at(&self.path)?;
        let mut revisions = Vec::new();
        while let Some(row) = rows.next().at(&self.path)? {
            let body: String = self.column(row, 1)?;
            let revision = codec::decode(body.as_bytes());
            let revision = revision.map_err(|error| StoreError::unread(&self.path, error))?;
            revisions.push(Past { wall_ms: self.column(row, 0)?, revision });
        }
        revisions.sort_by_key(|past| std::cmp::Reverse(past.revision.order));
        Ok(revisions)
    }
}
