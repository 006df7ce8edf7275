//! The signals of a shim, as descriptors to wait for.
//!
//! SIGTERM asks for a stop, SIGCHLD says that somebody ended. What else would end a process by default is swallowed: the shim goes
//! when its tree has gone. Handlers, unlike "ignore", are not inherited by the program.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::pipe::{PipeFlags, pipe_with};
use signal_hook::consts::{SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

pub struct Signals {
    pub stop: Arrivals,
    pub child: Arrivals,
}

impl Signals {
    pub fn install() -> io::Result<Self> {
        let swallowed = Arc::new(AtomicBool::new(false));
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGALRM, SIGUSR1, SIGUSR2] {
            signal_hook::flag::register(signal, Arc::clone(&swallowed))?;
        }
        Ok(Self { stop: Arrivals::of(SIGTERM)?, child: Arrivals::of(SIGCHLD)? })
    }
}

/// Readable when the signal has come.
pub struct Arrivals(OwnedFd);

impl Arrivals {
    fn of(signal: i32) -> io::Result<Self> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        signal_hook::low_level::pipe::register(signal, write)?;
        Ok(Self(read))
    }

    /// Whether it has come since the last time this was asked.
    pub fn take(&self) -> bool {
        let mut buffer = [0; 64];
        let mut came = false;
        while rustix::io::read(&self.0, &mut buffer).is_ok_and(|length| length > 0) {
            came = true;
        }
        came
    }
}

impl AsFd for Arrivals {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}
