//! Processes as procfs shows them, found by a mark: a text in their arguments, environment or working directory that
//! nothing else on the machine has, such as the test's own directory.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::wait::wait_until;

/// One live process; zombies are none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    pub pid: i32,
    /// In clock ticks since boot: tells two processes of one number apart.
    pub start: u64,
    pub parent: i32,
    pub arguments: Vec<String>,
    environment: Vec<String>,
    directory: String,
}

/// Every live process with one of the marks, this one apart.
pub fn marked(marks: &[&str]) -> Vec<Process> {
    let own = std::process::id().cast_signed();
    let mut found: Vec<Process> = numbers().filter(|pid| *pid != own).filter_map(Process::read).collect();
    found.retain(|process| process.has_any(marks));
    found.sort();
    found
}

fn numbers() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").expect("procfs is mounted");
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Kills everything with one of the marks, and waits until it is gone. What it starts meanwhile is killed too.
pub fn end_all(marks: &[&str]) {
    const PATIENCE: Duration = Duration::from_secs(10);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = marked(marks);
        if left.is_empty() {
            return;
        }
        for process in &left {
            process.signal(Signal::KILL);
        }
        if Instant::now() > deadline {
            eprintln!("cannot end {left:#?}");
            return;
        }
        std::thread::yield_now();
    }
}

impl Process {
    /// `None`: there is none, it is a zombie, or it ended while it was looked at.
    pub fn read(pid: i32) -> Option<Self> {
        let place = Path::new("/proc").join(pid.to_string());
        let stat = fs::read_to_string(place.join("stat")).ok()?;
        // the name before it may contain anything, brackets too
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        if matches!(*fields.first()?, "Z" | "X") {
            return None;
        }
        let strings = |file: &str| -> Vec<String> {
            let bytes = fs::read(place.join(file)).unwrap_or_default();
            let parts = bytes.split(|byte| *byte == 0).filter(|part| !part.is_empty());
            parts.map(|part| String::from_utf8_lossy(part).into_owned()).collect()
        };
        let directory = fs::read_link(place.join("cwd")).unwrap_or_default();
        Some(Self {
            pid,
            parent: fields.get(1)?.parse().ok()?,
            start: fields.get(19)?.parse().ok()?,
            arguments: strings("cmdline"),
            environment: strings("environ"),
            directory: directory.to_string_lossy().into_owned(),
        })
    }

    /// Whether the same process lives, not another one of its number.
    pub fn lives(&self) -> bool {
        Self::read(self.pid).is_some_and(|now| now.start == self.start)
    }

    /// The value of a variable of its environment.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment.iter().find_map(|entry| entry.strip_prefix(name)?.strip_prefix('='))
    }

    /// The instance it belongs to, as the `process` VAL marked it.
    pub fn instance(&self) -> Option<&str> {
        self.variable("MOTEY_INSTANCE")
    }

    /// Never reaches another process that took over the number.
    pub fn signal(&self, signal: Signal) {
        let Some(pid) = Pid::from_raw(self.pid) else { return };
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return };
        if self.lives() {
            // it may have ended since
            let _ = pidfd_send_signal(handle, signal);
        }
    }

    #[track_caller]
    pub fn kill(&self) {
        self.signal(Signal::KILL);
        wait_until(Duration::from_secs(10), "the killed process is gone", || !self.lives());
    }

    fn has_any(&self, marks: &[&str]) -> bool {
        let texts = || self.arguments.iter().chain(&self.environment).chain([&self.directory]);
        marks.iter().any(|mark| texts().any(|text| text.contains(mark)))
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_marked_process_is_found_read_and_ended_with_its_children() {
        let mark = format!("mark-of-{}", std::process::id());
        let script = "sleep 86400 & exec sleep 86399";
        let mut child =
            Command::new("sh").args(["-c", script]).env("MOTEY_INSTANCE", &mark).spawn().expect("a shell");
        wait_until(Duration::from_secs(10), "both sleep", || {
            marked(&[&mark]).iter().filter(|it| it.arguments[0] == "sleep").count() == 2
        });
        let found = marked(&[&mark]);
        assert!(found.iter().all(|it| it.instance() == Some(mark.as_str()) && it.lives()), "{found:#?}");
        let own =
            found.iter().find(|it| it.pid == child.id().cast_signed()).expect("the child is among them");
        assert_eq!(own.parent, std::process::id().cast_signed());

        end_all(&[&mark]);
        // its memory, and the mark with it, is gone a moment before the process is
        wait_until(Duration::from_secs(10), "a zombie does not live", || !own.lives());
        assert!(marked(&[&mark]).is_empty());
        child.wait().expect("it has ended");
    }
}
