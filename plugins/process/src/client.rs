//! The engine: what the VAL's operations do to directories and shims.
//!
//! It keeps nothing in memory that a restart would lose: every answer is read from the instance's directory and procfs. Each step of
//! an operation leaves a state that the next look understands, so that a host may be killed between any two.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use motey_plugin_api::{
    Code, CreateRequest, Error, Fingerprint, HostInfo, Instance, InstanceRef, InstanceState, StopRequest,
    feature,
};
use motey_process_shim::InstanceDir;
use motey_process_shim::cgroup::Cgroup;
use motey_process_shim::process::Handle;
use motey_process_shim::state::{MOST_GRACE_MS, StopOrder};
use rustix::fs::Access;
use rustix::io::Errno;
use rustix::process::Signal;

use crate::convert::{self, Found, Settings, file_error, signal};
use crate::directories::{Directories, Lock};
use crate::events::Wake;
use crate::look::look;
use crate::remains::cleared;
use crate::spawn;

/// From SIGKILL to the last process gone, under load.
const DYING: Duration = Duration::from_secs(20);

/// From the exit file to the end of the shim, which has only its cgroup left to remove.
const LEAVING: Duration = Duration::from_secs(5);

/// The label by which an instance is this node's.
const NODE: &str = "motey.node";

pub struct Engine {
    directories: Directories,
    motey: PathBuf,
    node: String,
    home: String,
    settings: Settings,
    wake: Wake,
}

impl Engine {
    /// Touches nothing on the disk.
    pub fn new(host: &HostInfo, settings: Settings) -> Result<Self, Error> {
        let wake = Wake::new()
            .map_err(|error| Error::unavailable("cannot make an eventfd").engine_text(error.to_string()))?;
        Ok(Self {
            directories: Directories::new(&host.state_dir),
            motey: host.motey_exe.clone(),
            node: host.node.clone(),
            home: std::env::var("HOME").unwrap_or_else(|_| "/".to_owned()),
            settings,
            wake,
        })
    }

    /// The machine itself is the engine: it is well when instances can be written down and supervised.
    pub fn fingerprint(&self) -> Fingerprint {
        let sick = self.directories.ready().err().map(|error| error.to_string()).or_else(|| {
            let missing = rustix::fs::access(&self.motey, Access::EXEC_OK).is_err();
            missing.then(|| format!("the supervisor {} cannot be executed", self.motey.display()))
        });
        Fingerprint {
            healthy: sick.is_none(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            message: sick.or_else(missing_group),
            features: FEATURES.iter().map(|&feature| feature.to_owned()).collect(),
        }
    }

    pub fn create(&self, request: CreateRequest) -> Result<Instance, Error> {
        let description = convert::description(request, &self.home, &self.settings)?;
        self.directories.create(&description)?;
        let found = Found {
            description,
            identity: None,
            state: InstanceState::Created,
            exit: None,
            remark: None,
            orphaned: false,
        };
        Ok(convert::instance(&found))
    }

    /// Answers when the program runs. One that runs already is started.
    pub fn start(&self, request: &InstanceRef) -> Result<Instance, Error> {
        let dir = self.directories.of(&request.name)?;
        let lock = Lock::take(&dir)?.ok_or_else(|| absent(&request.name))?;
        let found = settled(&dir, &lock)?.ok_or_else(|| absent(&request.name))?;
        match found.state {
            InstanceState::Running => return Ok(convert::instance(&found)),
            InstanceState::Created | InstanceState::Exited => {}
            state => {
                return Err(Error::conflict(
                    format!("the instance {} is {state:?}", request.name).to_lowercase(),
                )
                .hint("wait until it has started or stopped")
                .retryable(true));
            }
        }
        let spawned = spawn::shim(&self.motey, &dir, &found.description.image);
        self.wake.wake();
        let found = look(&dir)?.ok_or_else(|| absent(&request.name))?;
        match spawned {
            // a shim of a host that died in its start was quicker
            Err(error) if error.code != Code::Conflict || found.state != InstanceState::Running => Err(error),
            _ => Ok(convert::instance(&found)),
        }
    }

    /// Answers when no process of the tree is alive. The shim does the work; a host that dies meanwhile changes nothing.
    pub fn stop(&self, request: &StopRequest) -> Result<Instance, Error> {
        let dir = self.directories.of(&request.name)?;
        let found = look(&dir)?.ok_or_else(|| absent(&request.name))?;
        let handle = shim_of(&dir, &found)?;
        let handle = match (found.state, handle) {
            (InstanceState::Created | InstanceState::Exited, _) => return Ok(convert::instance(&found)),
            (InstanceState::Starting, None) => {
                return Err(Error::busy(format!("the instance {} is just being started", request.name)));
            }
            (_, None) => return self.stopped(&dir, &request.name),
            (_, Some(handle)) => handle,
        };
        order(&dir, &found, request)?;
        match handle.signal(Signal::TERM) {
            Err(error) if Errno::from_io_error(&error) != Some(Errno::SRCH) => {
                return Err(file_error("signal the supervisor of", dir.path(), &error));
            }
            // one that somebody has suspended would not hear
            _ => drop(handle.signal(Signal::CONT)),
        }
        let grace = Duration::from_millis(request.grace_ms.min(MOST_GRACE_MS));
        let deadline = Instant::now() + grace + DYING;
        handle.wait(deadline).map_err(|error| file_error("wait for", dir.path(), &error))?;
        self.stopped(&dir, &request.name)
    }

    fn stopped(&self, dir: &InstanceDir, name: &str) -> Result<Instance, Error> {
        let mut found = look(dir)?.ok_or_else(|| absent(name))?;
        if found.orphaned {
            let lock = Lock::take(dir)?.ok_or_else(|| absent(name))?;
            found = settled(dir, &lock)?.ok_or_else(|| absent(name))?;
        }
        if found.state == InstanceState::Exited {
            return Ok(convert::instance(&found));
        }
        Err(Error::timed_out(format!("processes of {name} are left after SIGKILL")).hint(
            "a process in state D waits for a device or a file system: see `ps`; the stop goes on by itself",
        ))
    }

    /// Removes what `create` made. An instance that is not there is destroyed.
    pub fn destroy(&self, request: &InstanceRef) -> Result<(), Error> {
        let dir = self.directories.of(&request.name)?;
        let Some(lock) = Lock::take(&dir)? else { return Ok(()) };
        let runs = settled(&dir, &lock)?
            .is_some_and(|found| !matches!(found.state, InstanceState::Created | InstanceState::Exited));
        // the shim's lock too: one that is only about to begin finds nothing to begin with
        let take = || dir.hold().map_err(|error| file_error("lock", dir.path(), &error));
        let held = if runs { None } else { take()? };
        if held.is_none() {
            return Err(Error::conflict(format!("the instance {} runs", request.name)).hint("stop it first"));
        }
        dir.remove().map_err(|error| file_error("remove", dir.path(), &error))
    }

    pub fn inspect(&self, request: &InstanceRef) -> Result<Instance, Error> {
        self.found(&request.name).map(|(_, found)| convert::instance(&found))
    }

    /// This node's instances, all of them or an error: which is not among them is not there. What an interrupted `create` or
    /// `destroy` left behind is removed on the way.
    pub fn list(&self) -> Result<Vec<Instance>, Error> {
        self.looks()?.map(|look| look.map(|(_, found)| convert::instance(&found))).collect()
    }

    /// This node's instances, and what could not be read, which may be one.
    pub(crate) fn looks(&self) -> Result<impl Iterator<Item = Result<(InstanceDir, Found), Error>>, Error> {
        let looks = self.directories.all()?.into_iter().filter_map(|dir| match look(&dir) {
            Ok(None) => {
                self.directories.sweep(&dir);
                None
            }
            Ok(Some(found)) => self.is_own(&found).then_some(Ok((dir, found))),
            Err(error) => Some(Err(error)),
        });
        Ok(looks)
    }

    pub(crate) fn is_own(&self, found: &Found) -> bool {
        found.description.labels.get(NODE) == Some(&self.node)
    }

    pub(crate) fn found(&self, name: &str) -> Result<(InstanceDir, Found), Error> {
        let dir = self.directories.of(name)?;
        let found = look(&dir)?.ok_or_else(|| absent(name))?;
        Ok((dir, found))
    }

    pub(crate) fn wake(&self) -> &Wake {
        &self.wake
    }
}

pub(crate) const FEATURES: [&str; 7] = [
    feature::COMMAND,
    feature::ENVIRONMENT,
    feature::WORKING_DIR,
    feature::STOP_SIGNAL,
    feature::PORTS,
    feature::LOGS,
    feature::STATS,
];

fn absent(name: &str) -> Error {
    Error::not_found(format!("there is no instance {name}"))
}

/// What the next SIGTERM to the shim shall mean. On a full disk it means what `create` said, and a stop still gets through.
fn order(dir: &InstanceDir, found: &Found, request: &StopRequest) -> Result<(), Error> {
    let Some(identity) = &found.identity else { return Ok(()) };
    let default = found.description.stop_signal;
    let signal = request.signal.as_deref().map_or(Ok(default), |text| signal(text).map(Signal::as_raw))?;
    let order = StopOrder { run: identity.run(), signal, grace_ms: request.grace_ms };
    if let Err(error) = dir.write_stop_order(&order) {
        log::warn!("{} is stopped with its own signal and grace: {error}", dir.path().display());
    }
    Ok(())
}

pub(crate) fn shim_of(dir: &InstanceDir, found: &Found) -> Result<Option<Handle>, Error> {
    let handle = found.identity.as_ref().map_or(Ok(None), |identity| identity.shim.handle());
    handle.map_err(|error| file_error("watch the supervisor of", dir.path(), &error))
}

/// A look that waits for what ends by itself: a shim that has told the exit goes at once, and what a killed one left is killed.
fn settled(dir: &InstanceDir, lock: &Lock) -> Result<Option<Found>, Error> {
    let Some(found) = look(dir)? else { return Ok(None) };
    let Some(identity) = found.identity.as_ref().filter(|_| found.state == InstanceState::Stopping) else {
        return Ok(Some(found));
    };
    let exit =
        dir.exit_of(identity).map_err(|error| file_error("read the instance in", dir.path(), &error))?;
    let leaving = if exit.is_some() { shim_of(dir, &found)? } else { None };
    if let Some(shim) = leaving {
        shim.wait(Instant::now() + LEAVING).map_err(|error| file_error("wait for", dir.path(), &error))?;
    }
    look(dir)?.map_or(Ok(None), |found| cleared(dir, lock, found))
}

fn missing_group() -> Option<String> {
    let reason = match Cgroup::own() {
        Ok(own) => rustix::fs::access(own.path(), Access::WRITE_OK)
            .err()
            .map(|error| cannot_write(own.path(), error)),
        Err(error) => Some(error.to_string()),
    };
    reason.map(|reason| format!("instances run without cgroups of their own: {reason}"))
}

fn cannot_write(path: &Path, error: Errno) -> String {
    format!("{}: {error}", path.display())
}
