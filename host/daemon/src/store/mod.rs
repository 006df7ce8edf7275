//! What a node remembers for good: one SQLite file with its records and their last revisions, its leases, its own
//! standing, what people gave it, and its journal.
//!
//! A transaction of the core is written as a whole or not at all, also on a full disk, so that store and memory
//! never differ. Nothing is decided here, and nothing that was only observed is kept. An idle store writes nothing
//! and wakes nobody up.
//!
//! Opening a store and committing to it block: both belong on the thread that drives the core.

mod bounds;
mod claim;
mod draft;
mod error;
mod file;
mod identity;
mod journal;
mod reserve;
mod revisions;
mod schema;
mod state_dir;
mod writing;

#[cfg(test)]
mod tests;

pub use error::StoreError;
pub use identity::{IdentityError, node_id};
pub use journal::{Entry, Span, StoreReader};
pub use revisions::Past;
pub use state_dir::{StateDir, StateDirError};

use std::path::{Path, PathBuf};

use motey_core::Stored;
use motey_core::capability::Capability;
use motey_core::record::Incarnation;
use motey_core::step::{Durability, Txn};
use rusqlite::Connection;

use crate::cause::chain;
use bounds::{Bounds, Change};
use error::At;
use reserve::Reserve;
use writing::Writing;

/// Tells the wall time in milliseconds since 1970: for people, who read it in the journal, and for nothing else.
type WallClock = Box<dyn Fn() -> i64 + Send>;

/// Everything a store held when it was opened.
#[derive(Debug)]
pub struct Loaded {
    /// What the core begins with: the records, tombstones too, in the order of their ids; the leases in the order they
    /// were taken.
    pub stored: Stored,
    /// The capabilities that people gave, in the order they came.
    pub offers: Vec<Capability>,
    /// This life: its count is durable, and above that of every earlier life.
    pub incarnation: Incarnation,
}

/// The store of one node: one file, with its `-wal`, `-shm` and `.reserve` beside it.
///
/// One at a time per file. When it is dropped, everything is folded into the one file.
pub struct SqliteStore {
    path: PathBuf,
    connection: Connection,
    _claim: file::Claim,
    durability: Durability,
    /// A commit failed at its very end, and a crash could bring it back: nothing is written before that is mended.
    unsettled: bool,
    bounds: Bounds,
    reserve: Reserve,
    clock: WallClock,
}

impl SqliteStore {
    /// Opens the store at `path`, makes it where there is none, and begins a new life of the node.
    ///
    /// A file of an older Motey is brought up to date; a copy of it is kept beside it as `<path>.v<version>`.
    ///
    /// # Errors
    /// When the file cannot be used. It then holds what it held.
    pub fn open(
        path: &Path,
        nonce: u32,
        clock: impl Fn() -> i64 + Send + 'static,
    ) -> Result<(Self, Loaded), StoreError> {
        let mut reserve = Reserve::beside(path);
        let file::Opened { connection, claim, count } = match file::open(path) {
            Err(StoreError::Full { .. }) if reserve.spend() => file::open(path)?,
            opened => opened?,
        };
        let incarnation = Incarnation { count, nonce };
        let stored = file::load(&connection, path)?;
        let offers = file::offers(&connection, path)?;
        let bounds = Bounds::count(&connection).at(path)?;
        reserve.refill()?;
        let store = Self {
            path: path.into(),
            connection,
            _claim: claim,
            durability: Durability::Process,
            unsettled: false,
            bounds,
            reserve,
            clock: Box::new(clock),
        };
        Ok((store, Loaded { stored, offers, incarnation }))
    }

    /// Writes `txn`; once this returns, it survives what its durability says.
    ///
    /// # Errors
    /// When it could not be written: then nothing of it is, and the store can be used as before. Where the disk failed
    /// only at making it durable, it is taken back, and nothing else is written before that has succeeded; a crash in
    /// between can still bring it back. A full disk is [`StoreError::Full`]. It lets through what only removes, for as long as the reserve lasts, and nothing else
    /// until there is room for the reserve again.
    pub fn commit(&mut self, txn: &Txn) -> Result<(), StoreError> {
        let removes = txn.adds_nothing();
        if !self.reserve.refill()? && !removes {
            return Err(StoreError::Full { path: self.path.clone(), source: None });
        }
        let mut written = self.write(txn);
        if is_full(&written) {
            file::reuse_wal(&self.connection);
            written = self.write(txn);
        }
        if is_full(&written) && removes && self.reserve.spend() {
            file::reuse_wal(&self.connection);
            written = self.write(txn);
        }
        self.bounds.keep(written?);
        Ok(())
    }

    /// A handle for reading what is kept for people, on any thread, while this store commits.
    ///
    /// # Errors
    /// When the file cannot be opened once more.
    pub fn reader(&self) -> Result<StoreReader, StoreError> {
        StoreReader::open(&self.path)
    }

    fn write(&mut self, txn: &Txn) -> Result<Change, StoreError> {
        self.settle()?;
        self.sync_for(txn.durability)?;
        let now = (self.clock)();
        let writing = Writing::begin(&mut self.connection, &self.path)?;
        writing.records(txn)?;
        writing.leases(txn)?;
        writing.memories(txn)?;
        writing.revisions(txn, now)?;
        writing.node(txn)?;
        writing.offers(txn)?;
        let change = writing.journal(&txn.journal, now, &self.bounds)?;
        let committed = writing.commit();
        if committed.as_ref().is_err_and(file::is_unsynced) {
            self.unsettled = true;
            if let Err(error) = self.settle() {
                log::warn!("{}", chain(&error));
            }
        }
        committed.at(&self.path)?;
        Ok(change)
    }

    fn settle(&mut self) -> Result<(), StoreError> {
        if self.unsettled {
            file::cut_off(&self.connection, &self.path)?;
            self.unsettled = false;
        }
        Ok(())
    }

    fn sync_for(&mut self, durability: Durability) -> Result<(), StoreError> {
        if self.durability != durability {
            file::sync(&self.connection, durability).at(&self.path)?;
            self.durability = durability;
        }
        Ok(())
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        if let Err(error) = file::fold(&self.connection) {
            log::warn!(
                "what {} holds stays in its -wal file until the next start: {error}",
                self.path.display()
            );
        }
    }
}

fn is_full(written: &Result<Change, StoreError>) -> bool {
    matches!(written, Err(StoreError::Full { .. }))
}
