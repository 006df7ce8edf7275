//! Why the store could not do what it was asked, sorted by what is to be done about it.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::codec::{self, CodecError};

/// Less room than this is none: SQLite's shared index alone takes as much.
const NO_ROOM: u64 = 32 * 1024;

/// Why a store could not be opened, written or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no room. Nothing of what was asked is written.
    #[error("no room on the disk that holds {}: free some; until then services can only be deleted", path.display())]
    Full {
        /// The store's file.
        path: PathBuf,
        /// What was told; `None` when nothing was tried because the reserve is spent.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The file is no store, or damaged.
    #[error(
        "{path} is damaged or no store of Motey: move it away together with {path}-wal, then put a copy in its place \
         or deploy the services again",
        path = path.display()
    )]
    Corrupt {
        /// The store's file.
        path: PathBuf,
        /// What was found.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A newer Motey wrote the file.
    #[error(
        "{path} was written by a newer Motey (schema {found}, this one knows up to {known}): run that version, or \
         put the copy {path}.v{known} in its place if there is one",
        path = path.display()
    )]
    Newer {
        /// The store's file.
        path: PathBuf,
        /// The schema it has.
        found: i64,
        /// The newest one that is known here.
        known: i64,
    },
    /// A newer Motey wrote something that is in the file.
    #[error(
        "{} holds what a newer Motey wrote: run that version again, nothing in the file is lost",
        path.display()
    )]
    NewerContent {
        /// The store's file.
        path: PathBuf,
        /// What it is.
        source: CodecError,
    },
    /// An earlier commit failed when it was made durable, and could not be taken back yet.
    #[error(
        "the disk that holds {} failed, and what it was not to keep cannot be taken back yet: nothing more is stored \
         before that",
        path.display()
    )]
    Unsettled {
        /// The store's file.
        path: PathBuf,
    },
    /// Another daemon has the file open.
    #[error("{} is in use by another motey: stop it, or give this one another file", path.display())]
    InUse {
        /// The store's file.
        path: PathBuf,
    },
    /// Another program writes to the file.
    #[error("{} is held by another program: end it and try again", path.display())]
    Busy {
        /// The store's file.
        path: PathBuf,
        /// What was told.
        source: rusqlite::Error,
    },
    /// A decision has no written form.
    #[error("a decision cannot be stored")]
    Unwritable {
        /// Why.
        source: CodecError,
    },
    /// A file beside the store, or the store's own, could not be used.
    #[error("cannot use {}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Anything else SQLite told.
    #[error("cannot use {}", path.display())]
    Sqlite {
        /// The store's file.
        path: PathBuf,
        /// What was told.
        source: rusqlite::Error,
    },
}

impl StoreError {
    pub(super) fn corrupt(path: &Path, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Corrupt { path: path.into(), source: Box::new(source) }
    }

    /// What cannot be read because it is newer is not damaged.
    pub(super) fn unread(path: &Path, source: CodecError) -> Self {
        match source {
            CodecError::UnknownVersion { found, .. } if found > codec::VERSION => {
                Self::NewerContent { path: path.into(), source }
            }
            CodecError::UnknownEvent(_) => Self::NewerContent { path: path.into(), source },
            _ => Self::corrupt(path, source),
        }
    }
}

/// Says which store an error is about, and sorts it.
pub(super) trait At<T> {
    fn at(self, path: &Path) -> Result<T, StoreError>;
}

impl<T> At<T> for Result<T, rusqlite::Error> {
    fn at(self, path: &Path) -> Result<T, StoreError> {
        self.map_err(|source| sort(source, path.into()))
    }
}

impl<T> At<T> for Result<T, io::Error> {
    fn at(self, path: &Path) -> Result<T, StoreError> {
        self.map_err(|source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                StoreError::Full { path: path.into(), source: Some(Box::new(source)) }
            }
            _ => StoreError::Io { path: path.into(), source },
        })
    }
}

/// A full disk is `SQLITE_FULL` only where a write met it; a file that could not be made or grown for the same
/// reason is told as any other failure of the disk.
fn sort(source: rusqlite::Error, path: PathBuf) -> StoreError {
    match source.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full { path, source: Some(Box::new(source)) },
        Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) if !has_room(&path) => {
            StoreError::Full { path, source: Some(Box::new(source)) }
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::corrupt(&path, source),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy { path, source },
        _ => StoreError::Sqlite { path, source },
    }
}

fn has_room(path: &Path) -> bool {
    rustix::fs::statvfs(path).is_ok_and(|disk| {
        let inodes = disk.f_files == 0 || disk.f_favail > 0;
        inodes && disk.f_bavail.saturating_mul(disk.f_frsize) >= NO_ROOM
    })
}
