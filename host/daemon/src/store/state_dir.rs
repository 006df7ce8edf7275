//! The directory that holds everything a node writes: claimed by one daemon at a time.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::claim::claim;
use super::draft::private;

/// A state directory that nobody else uses for as long as this lives.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    lock: File,
}

/// Why a state directory could not be claimed.
#[derive(Debug, thiserror::Error)]
pub enum StateDirError {
    /// Another daemon has it.
    #[error(
        "the state directory {} is in use by another motey (process {pid}): stop it, or give this one another \
         state_dir",
        path.display()
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// What the other one wrote into the lock.
        pid: String,
    },
    /// It cannot be made or written to.
    #[error("cannot use the state directory {}: it must be a directory this user can write to", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl StateDir {
    /// Claims the directory, which is made where it is missing, by a lock on the file `lock` in it.
    ///
    /// # Errors
    /// When another process has it and keeps it, or it cannot be used at all. Blocks for a second to know that.
    pub fn lock(path: &Path) -> Result<Self, StateDirError> {
        let unusable = |source| StateDirError::Io { path: path.into(), source };
        fs::create_dir_all(path).map_err(unusable)?;
        let lock =
            private().read(true).create(true).truncate(false).open(path.join("lock")).map_err(unusable)?;
        match claim(&lock) {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(StateDirError::InUse { path: path.into(), pid: owner(&lock) });
            }
            Err(fs::TryLockError::Error(source)) => return Err(unusable(source)),
        }
        if let Err(error) = sign(&lock) {
            // a full disk must not keep a node from starting
            log::warn!("{} does not say who holds it: {error}", path.join("lock").display());
        }
        Ok(Self { path: path.into(), lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for StateDir {
    fn drop(&mut self) {
        // closing is not enough while a child that was just forked shares the descriptor
        let _ = self.lock.unlock();
    }
}

fn sign(mut lock: &File) -> io::Result<()> {
    lock.set_len(0)?;
    writeln!(lock, "{}", std::process::id())
}

fn owner(lock: &File) -> String {
    let mut text = String::new();
    let read = lock.take(32).read_to_string(&mut text);
    let pid = text.trim();
    if read.is_err() || pid.is_empty() { "unknown".into() } else { pid.into() }
}
