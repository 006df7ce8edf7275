//! News: which instances ended, by one thread that sleeps until a shim does.
//!
//! A shim is watched by its pidfd, whoever started it. A look at the whole list comes first and after every start; what has ended in
//! between is told as well, so that nothing falls into the gap. A host too busy to listen is told again later.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use motey_plugin_api::{Error, Instance, InstanceState};
use motey_process_shim::process::{Handle, until};
use rustix::event::{EventfdFlags, PollFd, PollFlags};

use crate::client::Engine;
use crate::convert::{self, Found};

/// Until a busy host is told again, or a shim that has not yet said who it is is looked at again.
const AGAIN: Duration = Duration::from_millis(100);

/// Ends the sleep of the watching thread.
pub struct Wake(OwnedFd);

impl Wake {
    pub fn new() -> io::Result<Self> {
        Ok(Self(rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    pub fn wake(&self) {
        // it fails only when 2^64 - 1 wishes are waiting, and then the sleep has ended
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    fn take(&self) -> bool {
        rustix::io::read(&self.0, &mut [0_u8; 8]).is_ok()
    }
}

impl Engine {
    /// Runs until `cancel` is readable. `tell` says whether the host has heard.
    pub fn watch(
        &self,
        cancel: BorrowedFd<'_>,
        mut tell: impl FnMut(&Instance) -> bool,
    ) -> Result<(), Error> {
        let mut watch = Watch::default();
        watch.look_at_all(self)?;
        loop {
            watch.untold.retain(|instance| !tell(instance));
            let woken = watch.sleep(cancel, self.wake().as_fd()).map_err(cannot_wait)?;
            if woken.cancelled {
                return Ok(());
            }
            for name in woken.ended {
                watch.running.remove(&name);
                if let Ok((_, found)) = self.found(&name) {
                    watch.note(self, &found);
                }
            }
            if self.wake().take() || watch.unclear {
                watch.look_at_all(self)?;
            }
        }
    }
}

fn cannot_wait(error: io::Error) -> Error {
    Error::failed("cannot wait for the ends of instances").engine_text(error.to_string())
}

#[derive(Default)]
struct Watch {
    running: BTreeMap<String, Watched>,
    /// The run whose end was told, by instance.
    told: BTreeMap<String, String>,
    untold: Vec<Instance>,
    /// Somebody starts, and cannot be watched yet.
    unclear: bool,
}

struct Watched {
    run: String,
    shim: Handle,
}

#[derive(Default)]
struct Woken {
    cancelled: bool,
    ended: Vec<String>,
}

impl Watch {
    fn look_at_all(&mut self, engine: &Engine) -> Result<(), Error> {
        self.unclear = false;
        let own = engine.own()?;
        for (_, found) in &own {
            self.note(engine, found);
        }
        let exists = |name: &String| own.iter().any(|(_, found)| found.description.name == *name);
        self.told.retain(|name, _| exists(name));
        Ok(())
    }

    fn note(&mut self, engine: &Engine, found: &Found) {
        let name = &found.description.name;
        let Some(identity) = found.identity.as_ref().filter(|_| engine.is_own(found)) else {
            self.unclear |= found.state == InstanceState::Starting;
            return;
        };
        let run = identity.run();
        if found.state == InstanceState::Exited {
            if self.told.get(name) != Some(&run) {
                self.untold.push(convert::instance(found));
                self.told.insert(name.clone(), run);
            }
            return;
        }
        if self.running.get(name).is_some_and(|watched| watched.run == run) {
            return;
        }
        match identity.shim.handle() {
            Some(shim) => drop(self.running.insert(name.clone(), Watched { run, shim })),
            // it went between the look and now
            None => self.unclear = true,
        }
    }

    fn sleep(&self, cancel: BorrowedFd<'_>, wake: BorrowedFd<'_>) -> io::Result<Woken> {
        let mut fds = vec![
            PollFd::from_borrowed_fd(cancel, PollFlags::IN),
            PollFd::from_borrowed_fd(wake, PollFlags::IN),
        ];
        fds.extend(self.running.values().map(|watched| PollFd::new(&watched.shim, PollFlags::IN)));
        let again = (self.unclear || !self.untold.is_empty()).then(|| until(Instant::now() + AGAIN));
        match rustix::event::poll(&mut fds, again.as_ref()) {
            Err(rustix::io::Errno::INTR) => return Ok(Woken::default()),
            result => result?,
        };
        let ready = |fd: &PollFd<'_>| !fd.revents().is_empty();
        let ended =
            self.running.keys().zip(&fds[2..]).filter(|(_, fd)| ready(fd)).map(|(name, _)| name.clone());
        Ok(Woken { cancelled: ready(&fds[0]), ended: ended.collect() })
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
