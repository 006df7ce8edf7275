//! What a shim that was killed left running: killed in its turn, until nothing of it lives.
//!
//! A round of kills waits for nobody, and tells what to wait for. A process is found by its group or by the mark in its environment;
//! where there is no group, one that has cleared its environment is not found. Only when a round finds nobody the exit that the shim
//! could not write is written, so that whoever looks says "exited" and is right.

use std::fs::File;
use std::io;
use std::time::{Duration, Instant};

use motey_plugin_api::{Error, InstanceState};
use motey_process_shim::InstanceDir;
use motey_process_shim::cgroup::Cgroup;
use motey_process_shim::process::{self, Marked, until};
use motey_process_shim::ring::now_ms;
use motey_process_shim::state::{Exit, Identity};
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::process::Signal;

use crate::convert::{Found, file_error};
use crate::directories::Lock;
use crate::look::look;

/// For what was sent SIGKILL to be gone.
const DYING: Duration = Duration::from_secs(5);

/// Until a round of kills is repeated though nobody was seen to go: what was killed may have forked before.
const KILL_AGAIN: Duration = Duration::from_millis(50);

const KILLED: &str =
    "its supervisor was killed, and its processes with it: how the program ended is not known";

pub struct Remains {
    dir: InstanceDir,
    identity: Identity,
    /// The shim was killed between its last word and its end: its group is all that it can have left.
    has_exit: bool,
}

/// What a round of kills has found.
#[derive(Default)]
pub struct Dying {
    /// Or nobody who could be seen, while somebody ended who may have had a child.
    anybody: bool,
    group: Option<File>,
}

impl Remains {
    /// `None`: a shim has the instance, or nothing of it is left.
    pub fn of(dir: &InstanceDir, found: &Found) -> Option<Self> {
        let identity = found.identity.as_ref().filter(|_| found.orphaned)?;
        Some(Self { dir: dir.clone(), identity: identity.clone(), has_exit: found.exit.is_some() })
    }

    /// Kills until nobody is left, then writes the exit. False: at the deadline somebody was.
    fn end(&self, lock: &Lock, deadline: Instant) -> io::Result<bool> {
        loop {
            let Some(dying) = kill(std::slice::from_ref(self))?.pop().filter(|dying| dying.anybody) else {
                self.write_exit(lock);
                return Ok(true);
            };
            let now = Instant::now();
            if now >= deadline {
                return Ok(false);
            }
            dying.wait(deadline.min(now + KILL_AGAIN))?;
        }
    }

    /// To be called when nobody is left: from now on a look finds an instance that has exited. Where that cannot be written it goes
    /// on saying that the instance is stopping. Whoever changes the instance at this moment clears it himself.
    pub fn bury(&self) {
        if let Ok(Some(lock)) = Lock::take(&self.dir) {
            self.write_exit(&lock);
        }
    }

    fn write_exit(&self, _lock: &Lock) {
        let is_still_this_run =
            self.dir.identity().is_ok_and(|identity| identity.as_ref() == Some(&self.identity));
        if self.has_exit || !is_still_this_run {
            return;
        }
        let note = Some(KILLED.to_owned());
        let exit = Exit { run: self.identity.run(), at: now_ms(), note, ..Exit::default() };
        if let Err(error) = self.dir.write_exit(&exit) {
            log::warn!("cannot write down how {} ended: {error}", self.dir.path().display());
        }
    }

    fn kill(&self, marked: &Marked) -> io::Result<Dying> {
        let mut dying = Dying::default();
        if let Some(group) = self.identity.cgroup.as_ref().map(Cgroup::at) {
            dying.group = group.inhabited()?;
            match dying.group {
                Some(_) => group.kill(),
                None => group.remove(),
            }
        }
        let run = self.identity.run();
        for (process, _) in marked.found.iter().filter(|(_, mark)| !self.has_exit && *mark == run) {
            dying.anybody = true;
            if let Some(handle) = process.handle()? {
                let _ = handle.signal(Signal::KILL);
            }
        }
        // a group misses nobody
        let may_miss = self.identity.cgroup.is_none() && !self.has_exit && !marked.complete;
        dying.anybody |= dying.group.is_some() || may_miss;
        Ok(dying)
    }
}

impl Dying {
    /// Nobody was found, and so nobody is left.
    pub fn is_over(&self) -> bool {
        !self.anybody
    }

    /// Ready when the group has become empty. Those without a group are only seen to be gone by another round.
    pub fn fd(&self) -> Option<PollFd<'_>> {
        self.group.as_ref().map(|events| PollFd::new(events, PollFlags::PRI))
    }

    fn wait(&self, deadline: Instant) -> io::Result<()> {
        let mut fds: Vec<PollFd<'_>> = self.fd().into_iter().collect();
        match rustix::event::poll(&mut fds, Some(&until(deadline))) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// One round of SIGKILL, with one walk through procfs for all of them. What it found, in their order.
pub fn kill(remains: &[Remains]) -> io::Result<Vec<Dying>> {
    let need_walk = remains.iter().any(|remains| !remains.has_exit);
    let marked = if need_walk { process::with_variable("MOTEY_RUN")? } else { Marked::default() };
    remains.iter().map(|remains| remains.kill(&marked)).collect()
}

/// Ends what a killed shim has left of the instance. Still stopping: it does not die.
pub fn cleared(dir: &InstanceDir, lock: &Lock, found: Found) -> Result<Option<Found>, Error> {
    let Some(remains) = Remains::of(dir, &found) else { return Ok(Some(found)) };
    let ended = remains.end(lock, Instant::now() + DYING);
    if !ended.map_err(|error| file_error("clean up after the supervisor of", dir.path(), &error))? {
        let remark = Some("its supervisor was killed, and some of its processes do not die".to_owned());
        return Ok(Some(Found { remark, ..found }));
    }
    // the exit may not have been written, on a full disk: it has ended all the same
    let exited = |found| Found {
        state: InstanceState::Exited,
        remark: Some(KILLED.to_owned()),
        orphaned: false,
        ..found
    };
    Ok(look(dir)?.map(|found| if found.orphaned { exited(found) } else { found }))
}
