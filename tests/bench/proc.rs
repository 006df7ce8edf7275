//! What procfs tells about a process: its memory, its threads, whether it rests.

use std::{
    fs,
    time::{Duration, Instant},
};

use rustix::fs::sync;

/// No node takes longer to come to rest: the watch over deadlines wakes once for the last call's, 35 s after it.
const PATIENCE: Duration = Duration::from_secs(90);

const LOOK: Duration = Duration::from_millis(500);

/// Memory in KiB.
pub struct Memory {
    pub anonymous: u64,
    pub resident: u64,
    pub proportional: u64,
}

impl Memory {
    /// After `sync`: pages that are not yet on the disk count as the process's own.
    pub fn of(pid: u32) -> Self {
        sync();
        let rollup = format!("/proc/{pid}/smaps_rollup");
        Self {
            anonymous: field(&format!("/proc/{pid}/status"), "RssAnon:"),
            resident: field(&rollup, "Rss:"),
            proportional: field(&rollup, "Pss:"),
        }
    }

    pub fn print(&self, what: &str, pid: u32) {
        let mib = |kib: u64| kib as f64 / 1024.0;
        println!(
            "{what:46} anonymous {:6.2}   RSS {:6.2}   PSS {:6.2}   MiB   threads {}",
            mib(self.anonymous),
            mib(self.resident),
            mib(self.proportional),
            threads(pid).len()
        );
    }
}

fn field(file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"));
    let value = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    let number = value.trim().split(' ').next().and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("{file} tells no {name}"))
}

/// The numbers of its threads.
pub fn threads(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the process lives");
    tasks.flatten().filter_map(|task| task.file_name().to_str()?.parse().ok()).collect()
}

/// Waits until no thread has woken up for so long.
pub fn wait_at_rest(pid: u32, calm: Duration) {
    let deadline = Instant::now() + PATIENCE;
    let (mut last, mut since) = (switches(pid), Instant::now());
    while since.elapsed() < calm {
        assert!(Instant::now() < deadline, "process {pid} does not come to rest: {last:?}");
        std::thread::sleep(LOOK);
        let now = switches(pid);
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
}

/// How often each thread has been switched to or from.
fn switches(pid: u32) -> Vec<(u32, u64)> {
    let count = |thread: u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/task/{thread}/status")).unwrap_or_default();
        let lines = status.lines().filter_map(|line| line.split_once("ctxt_switches:"));
        lines.filter_map(|(_, count)| count.trim().parse::<u64>().ok()).sum()
    };
    threads(pid).into_iter().map(|thread| (thread, count(thread))).collect()
}
