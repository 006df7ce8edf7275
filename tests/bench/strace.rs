//! System calls of a running process and all its threads, as `strace` writes them down.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use motey_tests::wait_until;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::proc::threads;

const PATIENCE: Duration = Duration::from_secs(30);

/// Attached as long as it lives.
pub struct Strace {
    child: Child,
    place: TempDir,
}

impl Strace {
    /// `calls`: what is written down, as strace's `-e trace=` has it. Returns when every thread is watched.
    pub fn attach(pid: u32, calls: &str) -> Self {
        let place = tempfile::tempdir().expect("a temporary directory");
        let child = Command::new("strace")
            .args(["-f", "-qq", "-e", "signal=none", "-e", &format!("trace={calls}")])
            .args(["-p", &pid.to_string(), "-o"])
            .arg(place.path().join("trace"))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("strace is installed (apt-get install strace)");
        wait_until(PATIENCE, "strace watches every thread", || {
            threads(pid).iter().all(|thread| is_traced(pid, *thread))
        });
        Self { child, place }
    }

    /// What was written down so far. A call that lasted has two lines, its beginning and its end.
    pub fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(self.file()).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// How many calls began so far.
    pub fn count(&self) -> usize {
        self.lines().iter().filter(|line| !line.contains("resumed>")).count()
    }

    fn file(&self) -> PathBuf {
        self.place.path().join("trace")
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        // it lets go of what it watches; killed, it would take it along
        if let Some(pid) = Pid::from_raw(self.child.id().cast_signed()) {
            let _ = kill_process(pid, Signal::INT);
        }
        let _ = self.child.wait();
    }
}

fn is_traced(pid: u32, thread: u32) -> bool {
    // a thread that is gone by now is not to be waited for
    let Ok(status) = fs::read_to_string(format!("/proc/{pid}/task/{thread}/status")) else { return true };
    status.lines().any(|line| line.strip_prefix("TracerPid:").is_some_and(|tracer| tracer.trim() != "0"))
}
