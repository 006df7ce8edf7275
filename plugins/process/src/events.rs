//! News: which instances ended, and which run that somebody has seen starting, by one thread that sleeps until a shim ends.
//!
//! A shim is watched by its pidfd, whoever started it. A look at the whole list comes first and after every start; what has ended in
//! between is told as well, so that nothing falls into the gap. What a killed shim left is killed here too, and its end told when it
//! is one. What cannot be done now, because the host is busy or the machine is short of something, is tried again, ever more rarely.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::mem;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use motey_plugin_api::{Code, Error, Instance, InstanceState};
use motey_process_shim::InstanceDir;
use motey_process_shim::process::{Handle, until};
use rustix::event::{EventfdFlags, PollFd, PollFlags};

use crate::client::{Engine, shim_of};
use crate::convert::{self, Found};
use crate::remains::{self, Dying, Remains};

/// Until what could not be done is tried again: at first, and at most.
const SOON: Duration = Duration::from_millis(100);
const LATEST: Duration = Duration::from_secs(5);

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
        let mut woken = Woken { asked: true, ..Woken::default() };
        loop {
            watch.work(self, &woken);
            watch.untold.retain(|instance| !tell(instance));
            woken = watch.sleep(cancel, self.wake().as_fd()).map_err(cannot_wait)?;
            if woken.cancelled {
                return Ok(());
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
    /// What killed shims left, by instance, and who was seen to die of it.
    dying: BTreeMap<String, Dying>,
    /// The run whose end was told, by instance.
    told: BTreeMap<String, String>,
    untold: Vec<Instance>,
    /// Who starts, for a host that died over it perhaps: whoever has listed it so is told how that went.
    starting: BTreeSet<String>,
    /// Somebody starts and cannot be watched yet, or something could not be read.
    unclear: bool,
    /// Orphans were found since the last round of kills.
    fresh: bool,
    retry: Retry,
    /// What is in the way has been logged.
    in_trouble: bool,
}

struct Watched {
    run: String,
    shim: Handle,
}

#[derive(Default)]
struct Woken {
    cancelled: bool,
    /// Something may have been started.
    asked: bool,
    /// It is time to try again.
    due: bool,
    ended: Vec<String>,
    /// Somebody died of a kill.
    died: bool,
}

impl Watch {
    fn work(&mut self, engine: &Engine, woken: &Woken) {
        for name in &woken.ended {
            self.running.remove(name);
            self.look_at(engine, name);
        }
        if woken.asked {
            engine.wake().take();
            self.retry.soon();
        }
        if woken.asked || (woken.due && self.unclear) {
            self.look_at_all(engine);
        }
        if woken.due || woken.died || self.fresh {
            self.kill_orphans(engine);
        }
        self.in_trouble &= self.unclear;
    }

    fn look_at_all(&mut self, engine: &Engine) {
        self.unclear = false;
        let looks = match engine.looks() {
            Err(error) => return self.trouble(&error),
            Ok(looks) => looks,
        };
        let mut names = BTreeSet::new();
        for look in looks {
            match look {
                Ok((dir, found)) => {
                    self.note(engine, &dir, &found);
                    names.insert(found.description.name);
                }
                Err(error) => self.trouble(&error),
            }
        }
        if !self.unclear {
            self.told.retain(|name, _| names.contains(name));
            self.starting.retain(|name| names.contains(name));
        }
    }

    fn look_at(&mut self, engine: &Engine, name: &str) {
        match engine.found(name) {
            Ok((dir, found)) => self.note(engine, &dir, &found),
            Err(error) if error.code == Code::NotFound => drop(self.dying.remove(name)),
            Err(error) => self.trouble(&error),
        }
    }

    fn note(&mut self, engine: &Engine, dir: &InstanceDir, found: &Found) {
        let name = &found.description.name;
        if !found.orphaned {
            self.dying.remove(name);
        }
        if !engine.is_own(found) {
            return;
        }
        if found.state == InstanceState::Starting {
            self.starting.insert(name.clone());
            self.unclear = true;
        } else if self.starting.remove(name) && found.state != InstanceState::Exited {
            self.untold.push(convert::instance(found));
        }
        let Some(identity) = &found.identity else { return };
        let run = identity.run();
        if found.state == InstanceState::Exited {
            if self.told.get(name) != Some(&run) {
                self.untold.push(convert::instance(found));
                self.told.insert(name.clone(), run);
            }
            return;
        }
        if found.orphaned {
            if !self.dying.contains_key(name) {
                self.dying.insert(name.clone(), Dying::default());
                self.retry.soon();
                self.fresh = true;
            }
            return;
        }
        if self.running.get(name).is_some_and(|watched| watched.run == run) {
            return;
        }
        match shim_of(dir, found) {
            Ok(Some(shim)) => drop(self.running.insert(name.clone(), Watched { run, shim })),
            // it went between the look and now
            Ok(None) => self.unclear = true,
            Err(error) => self.trouble(&error),
        }
    }

    /// A round of kills for what is orphaned still. Whose remains are gone is looked at again, and found to have exited.
    fn kill_orphans(&mut self, engine: &Engine) {
        self.fresh = false;
        let names: Vec<String> = mem::take(&mut self.dying).into_keys().collect();
        let (names, orphans): (Vec<String>, Vec<Remains>) =
            names.into_iter().filter_map(|name| Some((name.clone(), self.orphan(engine, &name)?))).unzip();
        let round = remains::kill(&orphans).unwrap_or_else(|error| {
            self.trouble(
                &Error::unavailable("cannot kill what supervisors have left").engine_text(error.to_string()),
            );
            Vec::new()
        });
        let mut round = round.into_iter();
        for (name, remains) in names.into_iter().zip(orphans) {
            match round.next() {
                Some(dying) if dying.is_over() => {
                    remains.bury();
                    // stays where the exit cannot be written
                    self.dying.insert(name.clone(), dying);
                    self.look_at(engine, &name);
                }
                dying => drop(self.dying.insert(name, dying.unwrap_or_default())),
            }
        }
    }

    fn orphan(&mut self, engine: &Engine, name: &str) -> Option<Remains> {
        match engine.found(name) {
            Ok((dir, found)) if found.orphaned => return Remains::of(&dir, &found),
            Ok((dir, found)) => self.note(engine, &dir, &found),
            Err(error) if error.code == Code::NotFound => {}
            Err(error) => self.trouble(&error),
        }
        None
    }

    /// The next look at all will find out.
    fn trouble(&mut self, error: &Error) {
        self.unclear = true;
        if !mem::replace(&mut self.in_trouble, true) {
            let hint = error.hint.as_deref().unwrap_or("see the state directory");
            log::warn!("ends of instances are noticed late until this is mended: {error} ({hint})");
        }
    }

    fn sleep(&mut self, cancel: BorrowedFd<'_>, wake: BorrowedFd<'_>) -> io::Result<Woken> {
        let pending = self.unclear || !self.untold.is_empty() || !self.dying.is_empty();
        let due = self.retry.due(pending);
        let mut fds = vec![
            PollFd::from_borrowed_fd(cancel, PollFlags::IN),
            PollFd::from_borrowed_fd(wake, PollFlags::IN),
        ];
        fds.extend(self.running.values().map(|watched| PollFd::new(&watched.shim, PollFlags::IN)));
        let kills = fds.len();
        fds.extend(self.dying.values().filter_map(Dying::fd));
        match rustix::event::poll(&mut fds, due.map(until).as_ref()) {
            Err(rustix::io::Errno::INTR) => return Ok(Woken::default()),
            result => result?,
        };
        let ready = |fd: &PollFd<'_>| !fd.revents().is_empty();
        let ended =
            self.running.keys().zip(&fds[2..kills]).filter(|(_, fd)| ready(fd)).map(|(name, _)| name.clone());
        Ok(Woken {
            cancelled: ready(&fds[0]),
            asked: ready(&fds[1]),
            due: due.is_some_and(|due| Instant::now() >= due),
            ended: ended.collect(),
            died: fds[kills..].iter().any(ready),
        })
    }
}

/// When to try again: soon at first, then ever later, so that what lasts costs little.
struct Retry {
    pause: Duration,
    due: Option<Instant>,
}

impl Default for Retry {
    fn default() -> Self {
        Self { pause: SOON, due: None }
    }
}

impl Retry {
    fn soon(&mut self) {
        *self = Self::default();
    }

    fn due(&mut self, pending: bool) -> Option<Instant> {
        let now = Instant::now();
        match self.due {
            _ if !pending => self.soon(),
            Some(due) if now < due => {}
            Some(_) => self.set(now, (self.pause * 2).min(LATEST)),
            None => self.set(now, self.pause),
        }
        self.due
    }

    fn set(&mut self, now: Instant, pause: Duration) {
        *self = Self { pause, due: Some(now + pause) };
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_is_tried_ever_more_rarely() {
        let mut retry = Retry::default();
        let mut pauses = Vec::new();
        for _ in 0..9 {
            let due = retry.due(true).expect("pending");
            assert_eq!(retry.due(true), Some(due), "it is put off");
            pauses.push(retry.pause);
            retry.due = Some(Instant::now());
        }
        assert_eq!((pauses[0], pauses[1], pauses[8]), (SOON, 2 * SOON, LATEST));
        assert_eq!(retry.due(false), None);
        assert!(retry.due(true).is_some() && retry.pause == SOON);
    }
}
