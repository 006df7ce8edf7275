//! The engine's directory: which instances there are, who may change one, and what is half made.
//!
//! One directory an instance, `state_dir/process/<name>/`. Changing one takes its lock (`flock` on the directory): several hosts may
//! share a state directory, and the kernel takes the lock back from a host that dies. Reading takes none.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use motey_plugin_api::Error;
use motey_process_shim::InstanceDir;
use motey_process_shim::state::Description;
use rustix::fs::FlockOperation;

use crate::convert::{check_name, file_error};

#[derive(Debug, Clone)]
pub struct Directories(PathBuf);

impl Directories {
    pub fn new(state_dir: &Path) -> Self {
        Self(state_dir.join("process"))
    }

    /// Of an instance that may or may not exist.
    pub fn of(&self, name: &str) -> Result<InstanceDir, Error> {
        check_name(name)?;
        Ok(InstanceDir::new(self.0.join(name)))
    }

    /// Every directory, half-made ones too. All or an error: whatever is not among them does not exist.
    pub fn all(&self) -> Result<Vec<InstanceDir>, Error> {
        let entries = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| file_error("read", &self.0, &error))?,
        };
        let read = |entry: io::Result<fs::DirEntry>| {
            let entry = entry?;
            Ok(entry.file_type()?.is_dir().then(|| InstanceDir::new(entry.path())))
        };
        let directories: io::Result<Vec<_>> = entries.map(read).filter_map(Result::transpose).collect();
        directories.map_err(|error| file_error("read", &self.0, &error))
    }

    /// Makes the directory complete, or leaves it counting as nothing. Takes over one that an interrupted `create` left.
    pub fn create(&self, description: &Description) -> Result<(), Error> {
        let dir = self.of(&description.name)?;
        self.ready()?;
        let lock = loop {
            match dir.make() {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(file_error("make", dir.path(), &error));
                }
                _ => {}
            }
            // none: it was swept away as half made, between the two steps
            if let Some(lock) = Lock::take(&dir)? {
                break lock;
            }
        };
        if is_taken(&dir).map_err(|error| file_error("read the instance in", dir.path(), &error))? {
            return Err(Error::conflict(format!("the instance {} exists already", description.name)));
        }
        dir.forget_run();
        let written =
            dir.write_description(description).map_err(|error| file_error("write in", dir.path(), &error));
        if written.is_err() {
            let _ = dir.remove();
        }
        drop(lock);
        written
    }

    /// Makes the directory of the directories.
    pub fn ready(&self) -> Result<(), Error> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0);
        made.map_err(|error| file_error("make", &self.0, &error))
    }

    /// Removes a directory that counts as nothing, unless somebody is at work on it.
    pub fn sweep(&self, dir: &InstanceDir) {
        let Ok(Some(_lock)) = Lock::take(dir) else { return };
        let swept = match dir.description() {
            Ok(Some(_)) => return,
            Ok(None) => dir.is_held(),
            Err(error) => Err(error),
        };
        let swept = swept.and_then(|held| if held { Ok(false) } else { dir.remove().map(|()| true) });
        match swept {
            Ok(true) => log::info!("removed {}, which was never completed", dir.path().display()),
            Ok(false) => {
                log::warn!("{} is damaged, and something runs in it: it is left", dir.path().display());
            }
            Err(error) => log::warn!("cannot remove {}: {error}", dir.path().display()),
        }
    }
}

fn is_taken(dir: &InstanceDir) -> io::Result<bool> {
    Ok(dir.description()?.is_some() || dir.is_held()?)
}

/// The right to change one instance.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// `None`: there is no such directory (any more). Busy: somebody else changes it.
    pub fn take(dir: &InstanceDir) -> Result<Option<Self>, Error> {
        let file = match File::open(dir.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(|error| file_error("open", dir.path(), &error))?,
        };
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::AGAIN) => {
                return Err(Error::busy(format!("another operation changes {} now", dir.path().display())));
            }
            Err(error) => return Err(file_error("lock", dir.path(), &error.into())),
        }
        let lock = Self(file);
        Ok(lock.is_of(dir).then_some(lock))
    }

    /// Whether the path still leads to what was locked.
    fn is_of(&self, dir: &InstanceDir) -> bool {
        let Ok(locked) = self.0.metadata() else { return false };
        fs::metadata(dir.path()).is_ok_and(|found| found.ino() == locked.ino() && found.dev() == locked.dev())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // closing is not enough while a process that is being spawned has a copy of the descriptor
        let _ = rustix::fs::flock(&self.0, FlockOperation::Unlock);
    }
}
