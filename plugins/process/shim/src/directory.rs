//! One instance's directory: the names of its files, and how they are written (mode 0600, a temporary file and a rename) and locked.
//!
//! | file | written by | says |
//! |---|---|---|
//! | `instance` | the VAL, once | what to run; without it the directory is half made and counts as nothing |
//! | `identity` | the shim, at each start | which processes run it, in which boot |
//! | `exit` | the shim, or the VAL for a killed shim | how that run ended |
//! | `stop` | the VAL | the signal and the grace of the stop that SIGTERM to the shim asks for |
//! | `log`, `log.1` | the shim | what the program printed |
//! | `lock` | nobody | locked by the shim as long as it lives |
//!
//! Nothing is flushed to the disk: after a power loss no process is left, and a damaged description counts as no instance. A file
//! that is not there or holds nonsense says nothing; one that cannot be read is an error, since it may say anything.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::fs::FlockOperation;

use crate::state::{Description, Exit, Identity, StopOrder};

/// Whoever only asks whether the lock is held takes it for a moment: [`InstanceDir::hold`] tries again after such a one.
const QUESTION: Duration = Duration::from_millis(2);
const QUESTIONS: u32 = 50;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceDir(PathBuf);

impl InstanceDir {
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn make(&self) -> io::Result<()> {
        fs::DirBuilder::new().mode(0o700).create(&self.0)
    }

    /// `None`: there is none, or it is damaged.
    pub fn description(&self) -> io::Result<Option<Description>> {
        self.read("instance", Description::decode)
    }

    pub fn identity(&self) -> io::Result<Option<Identity>> {
        self.read("identity", Identity::decode)
    }

    /// The exit of the run that `identity` tells of; one left by an earlier run is not believed.
    pub fn exit_of(&self, identity: &Identity) -> io::Result<Option<Exit>> {
        Ok(self.read("exit", Exit::decode)?.filter(|exit| exit.run == identity.run()))
    }

    pub fn stop_order(&self, identity: &Identity) -> io::Result<Option<StopOrder>> {
        Ok(self.read("stop", StopOrder::decode)?.filter(|order| order.run == identity.run()))
    }

    pub fn write_description(&self, description: &Description) -> io::Result<()> {
        self.write("instance", &description.encode())
    }

    pub fn write_identity(&self, identity: &Identity) -> io::Result<()> {
        self.write("identity", &identity.encode())
    }

    /// On a full disk the exit is worth more than the older half of the log.
    pub fn write_exit(&self, exit: &Exit) -> io::Result<()> {
        match self.write("exit", &exit.encode()) {
            Err(error)
                if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) =>
            {
                fs::remove_file(self.older_log())?;
                self.write("exit", &exit.encode())
            }
            written => written,
        }
    }

    pub fn write_stop_order(&self, order: &StopOrder) -> io::Result<()> {
        self.write("stop", &order.encode())
    }

    /// Back to "never started": what a start leaves that could not run the program.
    pub fn forget_run(&self) {
        for file in ["identity", "exit", "stop"] {
            let _ = fs::remove_file(self.0.join(file));
        }
    }

    pub fn forget_stop_order(&self) {
        let _ = fs::remove_file(self.0.join("stop"));
    }

    /// Removes everything, the description first: whatever stops it half-way leaves a directory that counts as nothing.
    pub fn remove(&self) -> io::Result<()> {
        match fs::remove_file(self.0.join("instance")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => fs::remove_dir_all(&self.0),
        }
    }

    pub fn current_log(&self) -> PathBuf {
        self.0.join("log")
    }

    pub fn older_log(&self) -> PathBuf {
        self.0.join("log.1")
    }

    /// Taken by the shim for its whole life, and by whoever removes the directory; the kernel gives it back however the holder dies.
    /// `None`: somebody else has it.
    pub fn hold(&self) -> io::Result<Option<File>> {
        let file =
            open_private(&self.0.join("lock"), OpenOptions::new().write(true).create(true).truncate(false))?;
        for _ in 0..QUESTIONS {
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Some(file)),
                Err(rustix::io::Errno::AGAIN) => std::thread::sleep(QUESTION),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    /// Whether a shim lives, before it has even said who it is.
    pub fn is_held(&self) -> io::Result<bool> {
        let file = match File::open(self.0.join("lock")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            file => file?,
        };
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
            Err(rustix::io::Errno::AGAIN) => return Ok(true),
            locked => locked?,
        }
        // closing is not enough while a process that is being spawned has a copy of the descriptor
        let _ = rustix::fs::flock(&file, FlockOperation::Unlock);
        Ok(false)
    }

    fn read<T>(&self, file: &str, decode: impl FnOnce(&str) -> Option<T>) -> io::Result<Option<T>> {
        match fs::read_to_string(self.0.join(file)) {
            Ok(text) => Ok(decode(&text)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn write(&self, file: &str, text: &str) -> io::Result<()> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let temporary = self.0.join(format!(".{file}.{}.{count}", std::process::id()));
        let written = open_private(&temporary, OpenOptions::new().write(true).create(true).truncate(true))
            .and_then(|mut out| out.write_all(text.as_bytes()))
            .and_then(|()| fs::rename(&temporary, self.0.join(file)));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }
}

pub(crate) fn open_private(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.mode(0o600).open(path)
}
