//! The database file itself: how it is made, opened, made durable and folded together again.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use motey_core::capability::Capability;
use motey_core::id::ServiceId;
use motey_core::record::Revision;
use motey_core::step::Durability;
use motey_core::{Standing, Stored};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use uuid::Uuid;

use super::claim::claim;
use super::draft::{Draft, beside, sync_folder};
use super::error::{At, StoreError};
use super::schema;
use crate::codec::{self, Coded};

/// How long another program, such as a person's `sqlite3`, is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Pages in the write-ahead log before they are folded into the file: that costs three fsyncs, and must be rare
/// enough to be lost among those of a thousand deployments. Its index then still fits into one of its 32 KiB blocks.
const CHECKPOINT_PAGES: u32 = 4000;

/// Negative: in KiB. What is read often is in the core's memory.
const CACHE: i32 = -512;

/// What is dropped first stands first.
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) claim: Claim,
    /// The count of the life that began.
    pub(super) count: u64,
}

/// Keeps other daemons from the file. Must outlive the connection: to close any descriptor of a file gives away the
/// locks that SQLite holds on it.
pub(super) struct Claim {
    file: File,
}

impl Claim {
    fn on(path: &Path) -> Result<Self, StoreError> {
        let file = File::open(path).at(path)?;
        match claim(&file) {
            Ok(()) => Ok(Self { file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: path.into() }),
            Err(TryLockError::Error(error)) => Err(error).at(path),
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // closing is not enough while a child that was just forked shares the descriptor
        let _ = self.file.unlock();
    }
}

/// Opens the file at `path`, makes it where there is none, and durably begins a new life in it.
pub(super) fn open(path: &Path) -> Result<Opened, StoreError> {
    let fresh = !path.try_exists().at(path)?;
    if fresh {
        create(path)?;
    }
    let claim = Claim::on(path)?;
    let wal_known = beside(path, "-wal").try_exists().at(path)?;
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).at(path)?;
    schema::bring_up_to_date(&mut connection, path)?;
    keep_wal(&connection).at(path)?;
    if !fresh {
        begin_life(&connection, path, wal_known)?;
    }
    sync(&connection, Durability::Process).at(path)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES).at(path)?;
    let count = connection.query_row("SELECT count FROM life", [], |row| row.get::<_, i64>(0)).at(path)?;
    Ok(Opened { connection, claim, count: count.cast_unsigned() })
}

/// A connection that never folds the log by itself.
pub(super) fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, rusqlite::Error> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "cache_size", CACHE)?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    Ok(connection)
}

/// All that the core keeps by decision.
pub(super) fn load(connection: &Connection, path: &Path) -> Result<Stored, StoreError> {
    let standing = all::<Standing>(connection, path, "SELECT body FROM standing")?.pop();
    Ok(Stored {
        records: all(connection, path, "SELECT body FROM record ORDER BY service")?,
        leases: all(connection, path, "SELECT body FROM lease ORDER BY rowid")?,
        dead: all(connection, path, "SELECT body FROM dead ORDER BY rowid")?,
        kept: kept(connection, path)?,
        standing: standing.unwrap_or_default(),
        ..Stored::default()
    })
}

/// The capabilities that people gave, in the order they came.
pub(super) fn offers(connection: &Connection, path: &Path) -> Result<Vec<Capability>, StoreError> {
    all(connection, path, "SELECT body FROM capability ORDER BY rowid")
}

fn kept(connection: &Connection, path: &Path) -> Result<Vec<(ServiceId, Revision)>, StoreError> {
    let services = "SELECT service FROM kept ORDER BY service";
    let mut statement = connection.prepare(services).at(path)?;
    let services = statement.query_map([], |row| row.get(0)).at(path)?;
    let services = services.collect::<Result<Vec<[u8; 16]>, _>>().at(path)?;
    let revisions = all::<Revision>(connection, path, "SELECT body FROM kept ORDER BY service")?;
    let service = |bytes| ServiceId(Uuid::from_bytes(bytes));
    Ok(services.into_iter().map(service).zip(revisions).collect())
}

/// Sets what the commits from now on survive.
pub(super) fn sync(connection: &Connection, durability: Durability) -> Result<(), rusqlite::Error> {
    let synchronous = match durability {
        Durability::Process => "NORMAL",
        Durability::Power => "FULL",
    };
    connection.pragma_update(None, "synchronous", synchronous)
}

/// Folds the log into the file and lets the next commit begin it anew, in the room it has already. A disk that is
/// too full even for that says so again at the next commit.
pub(super) fn reuse_wal(connection: &Connection) {
    if let Err(error) = checkpoint(connection, "RESTART") {
        log::debug!("the write-ahead log cannot be used anew yet: {error}");
    }
}

/// Folds the log into the file and leaves it empty, but there: making it durable again would cost an fsync more.
pub(super) fn fold(connection: &Connection) -> Result<(), rusqlite::Error> {
    checkpoint(connection, "TRUNCATE").map(drop)
}

/// Whether a commit failed when all of it was in the log already: then a crash could bring it back.
pub(super) fn is_unsynced(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_FSYNC)
}

/// Folds what holds into the file and cuts off what does not: afterwards a failed commit cannot come back.
pub(super) fn cut_off(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    match checkpoint(connection, "TRUNCATE").at(path)? {
        Checkpoint::Complete => Ok(()),
        Checkpoint::Hindered => Err(StoreError::Unsettled { path: path.into() }),
    }
}

enum Checkpoint {
    Complete,
    /// By somebody who reads.
    Hindered,
}

fn checkpoint(connection: &Connection, how: &str) -> Result<Checkpoint, rusqlite::Error> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({how})"), [], |row| {
        Ok(if row.get::<_, bool>(0)? { Checkpoint::Hindered } else { Checkpoint::Complete })
    })
}

/// Without a single fsync until all is in it: a file that is not complete is not there.
fn create(path: &Path) -> Result<(), StoreError> {
    let draft = Draft::of(path).at(path)?;
    let mut connection =
        Connection::open_with_flags(draft.path(), OpenFlags::SQLITE_OPEN_READ_WRITE).at(path)?;
    connection.pragma_update(None, "synchronous", "OFF").at(path)?;
    schema::take_steps(&mut connection).at(path)?;
    keep_wal(&connection).at(path)?;
    connection.close().map_err(|(_, error)| error).at(path)?;
    draft.publish().at(path)
}

fn keep_wal(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))
}

/// One fsync, where SQLite's own way takes three for the first commit after a start: nothing else is in flight yet.
fn begin_life(connection: &Connection, path: &Path, wal_known: bool) -> Result<(), StoreError> {
    connection.pragma_update(None, "synchronous", "OFF").at(path)?;
    connection.execute("UPDATE life SET count = count + 1", []).at(path)?;
    let wal = beside(path, "-wal");
    File::open(&wal).and_then(|wal| wal.sync_data()).at(&wal)?;
    if wal_known { Ok(()) } else { sync_folder(path).at(path) }
}

fn all<T: Coded>(connection: &Connection, path: &Path, sql: &str) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare(sql).at(path)?;
    let mut rows = statement.query([]).at(path)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next().at(path)? {
        let body: String = row.get(0).at(path)?;
        all.push(codec::decode(body.as_bytes()).map_err(|source| StoreError::unread(path, source))?);
    }
    Ok(all)
}
