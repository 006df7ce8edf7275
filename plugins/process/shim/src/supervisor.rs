//! The life of a shim: wait, read, reap, stop, and at the end tell how it ended.
//!
//! The instance lasts as long as its main process. When that ends, whatever is left of the tree is killed at once, as an init's tree
//! is; when a stop was asked for, the rest of its process group has the remaining grace. The exit is told when no process is left.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions};

use crate::cgroup::Cgroup;
use crate::directory::InstanceDir;
use crate::process::{self, until};
use crate::ring::{More, Output, Ring, now_ms};
use crate::signals::Signals;
use crate::state::{Description, Exit, Identity, MOST_GRACE_MS, StopOrder};

/// How long to wait before what is left of a killed tree is killed again: it may have forked meanwhile.
const KILL_AGAIN: Duration = Duration::from_millis(50);

/// Layers of a dying tree that are taken off in a row.
const PEELS: u32 = 64;

/// Reads from one output in a row, so that a program that never stops printing does not keep a stop waiting.
const READS_IN_A_ROW: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Running,
    /// Asked to end, until then.
    Stopping(Instant),
    /// No longer asked; the next kill is due then.
    Killing(Instant),
}

pub(crate) struct Supervisor {
    pub dir: InstanceDir,
    /// Kept for the shim's life: closing it gives the instance free.
    pub _lock: File,
    pub description: Description,
    pub identity: Identity,
    pub signals: Signals,
    pub ring: Ring,
    pub outputs: Vec<Output>,
    pub group: Option<Cgroup>,
    pub phase: Phase,
    pub status: Option<ExitStatus>,
}

impl Supervisor {
    pub fn run(mut self) {
        while self.reap() {
            self.advance();
            self.wait();
            self.read();
            if self.signals.stop.take() {
                self.begin_stop();
            }
            self.signals.child.take();
        }
        self.finish();
    }

    /// Takes every zombie; false when there is no descendant any more.
    fn reap(&mut self) -> bool {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    if self.identity.main.is_some_and(|main| main.pid() == pid.as_raw_pid()) {
                        self.status = Some(ExitStatus::from_raw(status.as_raw()));
                    }
                }
                Ok(None) => return true,
                Err(Errno::INTR) => {}
                Err(_) => return false,
            }
        }
    }

    fn advance(&mut self) {
        let now = Instant::now();
        let due = match self.phase {
            Phase::Running => self.status.is_some(),
            Phase::Stopping(deadline) => now >= deadline || (self.status.is_some() && !self.group_lives()),
            Phase::Killing(again) => now >= again,
        };
        if due {
            kill_tree(self.identity.shim.pid(), self.group.as_ref());
            self.peel();
            self.phase = Phase::Killing(Instant::now() + KILL_AGAIN);
        }
    }

    /// Kills the children, whose children become the shim's and are killed next: so fast that one who only forks and goes, and is
    /// somebody else before a walk through procfs has come to it, is caught.
    fn peel(&mut self) {
        for _ in 0..PEELS {
            // not reaped in between, so that no number can be somebody else's
            for child in process::children() {
                let _ = rustix::process::kill_process(child, Signal::KILL);
            }
            if !self.reap() {
                return;
            }
        }
    }

    fn wait(&self) {
        let mut fds = vec![
            PollFd::new(&self.signals.stop, PollFlags::IN),
            PollFd::new(&self.signals.child, PollFlags::IN),
        ];
        fds.extend(self.outputs.iter().map(|output| PollFd::new(output, PollFlags::IN)));
        let timeout = match self.phase {
            Phase::Running => None,
            Phase::Stopping(deadline) | Phase::Killing(deadline) => Some(until(deadline)),
        };
        // an interruption is a signal, which the next round looks at
        let _ = rustix::event::poll(&mut fds, timeout.as_ref());
    }

    fn read(&mut self) {
        let ring = &mut self.ring;
        self.outputs.retain_mut(|output| {
            for _ in 0..READS_IN_A_ROW {
                match output.read(ring) {
                    More::Now => {}
                    More::Later => return true,
                    More::Never => {
                        output.finish(ring);
                        return false;
                    }
                }
            }
            true
        });
    }

    /// A later order replaces an earlier one: "now" after "in ten seconds" means now.
    fn begin_stop(&mut self) {
        if matches!(self.phase, Phase::Killing(_)) {
            return;
        }
        let order = self.dir.stop_order(&self.identity).ok().flatten().unwrap_or_else(|| StopOrder {
            run: self.identity.run(),
            signal: self.description.stop_signal,
            grace_ms: self.description.stop_grace_ms,
        });
        let signal = Signal::from_named_raw(order.signal).unwrap_or(Signal::TERM);
        self.signal_group(signal);
        if signal != Signal::KILL {
            // whoever is stopped cannot hear
            self.signal_group(Signal::CONT);
        }
        self.phase =
            Phase::Stopping(Instant::now() + Duration::from_millis(order.grace_ms.min(MOST_GRACE_MS)));
    }

    /// The group cannot be somebody else's: its number is not given away while the main process is not reaped or members live.
    fn signal_group(&self, signal: Signal) {
        if let Some(main) = self.main().filter(|_| self.status.is_none() || self.group_lives()) {
            let _ = rustix::process::kill_process_group(main, signal);
        }
    }

    fn group_lives(&self) -> bool {
        self.main().is_some_and(|main| rustix::process::test_kill_process_group(main).is_ok())
    }

    fn main(&self) -> Option<Pid> {
        self.identity.main.and_then(|main| Pid::from_raw(main.pid()))
    }

    fn finish(mut self) {
        for output in &mut self.outputs {
            // a descriptor that was handed out of the tree keeps the pipe open: take what is there, wait for nothing
            while output.read(&mut self.ring) == More::Now {}
            output.finish(&mut self.ring);
        }
        self.ring.flush();
        let oom = self.group.as_ref().is_some_and(Cgroup::had_oom_kill);
        let exit = Exit {
            run: self.identity.run(),
            code: self.status.and_then(|status| status.code()),
            signal: self.status.and_then(|status| status.signal()),
            oom: oom && self.status.is_some_and(|status| status.signal() == Some(Signal::KILL.as_raw())),
            at: now_ms(),
            note: None,
        };
        // nobody is left to be told that it cannot be written
        let _ = self.dir.write_exit(&exit);
        self.dir.forget_stop_order();
        if let Some(group) = &self.group {
            group.remove();
        }
    }
}

/// Kills until there is no descendant any more.
pub(crate) fn end_tree(shim: i32, group: Option<&Cgroup>) {
    loop {
        kill_tree(shim, group);
        if matches!(rustix::process::wait(WaitOptions::empty()), Err(Errno::CHILD)) {
            return;
        }
    }
}

/// One round of SIGKILL for everything in the group and everything below the shim: a process may have left the one, not both.
fn kill_tree(shim: i32, group: Option<&Cgroup>) {
    if let Some(group) = group {
        group.kill();
    }
    // whom this round does not find the next one will
    for stat in process::descendants(shim).unwrap_or_default() {
        if let Ok(Some(handle)) = stat.process().handle() {
            let _ = handle.signal(Signal::KILL);
        }
    }
}
