//! Reading the journal: the story of one service or of all, in the order it was written.

use std::path::{Path, PathBuf};

use motey_core::id::ServiceId;
use motey_core::record::SlotId;
use motey_core::step::EventKind;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, Row};
use uuid::Uuid;

use super::error::{At, StoreError};
use super::file;
use crate::codec;

/// One line of the journal, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Orders it among all lines of this node; the numbers grow, and may have gaps.
    pub seq: u64,
    /// When it was written, in milliseconds since 1970 by a clock that may have been wrong.
    pub wall_ms: i64,
    /// Whose story.
    pub service: ServiceId,
    /// Of which slot, where it is one's.
    pub slot: Option<SlotId>,
    /// What happened.
    pub kind: EventKind,
    /// For people.
    pub text: String,
}

/// Which part of the journal is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// The newest, the newest first.
    Newest,
    /// What stands before that number, the newest first.
    Before(u64),
    /// What was written after that number, the oldest first.
    After(u64),
}

/// Reads the journal, and the [revisions](super::Past), while the store commits; may be sent to another thread. Blocks for
/// a read of the disk.
pub struct StoreReader {
    pub(super) path: PathBuf,
    pub(super) connection: Connection,
}

impl StoreReader {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = file::connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).at(path)?;
        Ok(Self { path: path.into(), connection })
    }

    /// At most `limit` lines of that service, or of all.
    ///
    /// # Errors
    /// When the file cannot be read, or holds what is no journal.
    pub fn read(&self, of: Option<ServiceId>, span: Span, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let (test, order, seq) = match span {
            Span::Newest => ("<=", "DESC", i64::MAX),
            Span::Before(seq) => ("<", "DESC", saturated(seq)),
            Span::After(seq) => (">", "ASC", saturated(seq)),
        };
        let service = if of.is_some() { "AND service = ?3" } else { "" };
        let sql = format!(
            "SELECT seq, wall_ms, service, slot, kind, text FROM journal
             WHERE seq {test} ?1 {service} ORDER BY seq {order} LIMIT ?2"
        );
        let of = of.map(|of| Value::Blob(of.0.as_bytes().to_vec()));
        let values = [Value::Integer(seq), Value::Integer(limit.into())].into_iter().chain(of);
        let mut statement = self.connection.prepare_cached(&sql).at(&self.path)?;
        let mut rows = statement.query(rusqlite::params_from_iter(values)).at(&self.path)?;
        let mut entries = Vec::new();
        while let Some(row) = rows.next().at(&self.path)? {
            entries.push(self.entry(row)?);
        }
        Ok(entries)
    }

    fn entry(&self, row: &Row<'_>) -> Result<Entry, StoreError> {
        let (slot, kind) = (self.column::<Option<String>>(row, 3)?, self.column::<String>(row, 4)?);
        let slot = slot.map(|slot| slot.parse()).transpose();
        Ok(Entry {
            seq: self.column::<i64>(row, 0)?.cast_unsigned(),
            wall_ms: self.column(row, 1)?,
            service: ServiceId(Uuid::from_bytes(self.column(row, 2)?)),
            slot: slot.map_err(|error| StoreError::corrupt(&self.path, error))?,
            kind: codec::event_kind(&kind).map_err(|error| StoreError::unread(&self.path, error))?,
            text: self.column(row, 5)?,
        })
    }

    pub(super) fn column<T: rusqlite::types::FromSql>(
        &self,
        row: &Row<'_>,
        index: usize,
    ) -> Result<T, StoreError> {
        row.get(index).at(&self.path)
    }
}

fn saturated(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}
