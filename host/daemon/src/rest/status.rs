//! `/v1/nodestatus`: processor, memory and disk of the machine, read when somebody asks and never otherwise.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use motey_core::id::NodeId;
use rustix::fs::statvfs;
use serde::Serialize;

use super::error::{self, Problem};
use super::links::{self, Links};
use super::{Call, Outcome};

/// What is needed to read the machine's state.
pub(super) struct Gauge {
    state_dir: PathBuf,
    last: Mutex<Ticks>,
}

/// Processor time since boot, in the kernel's ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ticks {
    all: u64,
    idle: u64,
}

#[derive(Debug, Serialize)]
struct Status {
    node: String,
    cpu: Cpu,
    memory: Room,
    /// Of the file system of the state directory.
    disk: Room,
    uptime_seconds: u64,
    _links: Links,
}

#[derive(Debug, Serialize)]
struct Cpu {
    cores: usize,
    /// Busy since the last such request; since boot for the first one.
    percent: f64,
    /// Mean number of runnable tasks over 1, 5 and 15 minutes.
    load: [f64; 3],
}

/// In bytes.
#[derive(Debug, Serialize)]
struct Room {
    total: u64,
    available: u64,
    used: u64,
    percent: f64,
}

/// `GET /v1/nodestatus`
pub(super) async fn show(call: Call) -> Outcome {
    call.query.end("")?;
    let (gauge, node) = (Arc::clone(&call.api.gauge), call.api.node.identity().id);
    let status = call.api.apart.gauges.run(move || gauge.read(node)).await??;
    Ok(error::ok(&status))
}

impl Gauge {
    pub(super) fn new(state_dir: PathBuf) -> Self {
        Self { state_dir, last: Mutex::default() }
    }

    /// Blocks, for as long as the file system of the state directory does.
    fn read(&self, node: NodeId) -> Result<Status, Problem> {
        Ok(Status {
            node: node.to_string(),
            cpu: self.cpu()?,
            memory: memory(&read("/proc/meminfo")?).ok_or_else(|| odd("/proc/meminfo"))?,
            disk: disk(&self.state_dir)?,
            uptime_seconds: uptime(&read("/proc/uptime")?).ok_or_else(|| odd("/proc/uptime"))?,
            _links: Links::of(links::NODE_STATUS).to("node", links::node(node)),
        })
    }

    fn cpu(&self) -> Result<Cpu, Problem> {
        let stat = read("/proc/stat")?;
        let (now, cores) = ticks(&stat).ok_or_else(|| odd("/proc/stat"))?;
        let load = load(&read("/proc/loadavg")?).ok_or_else(|| odd("/proc/loadavg"))?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *last, now);
        Ok(Cpu { cores, percent: now.busy_since(before), load })
    }
}

impl Ticks {
    fn busy_since(self, before: Self) -> f64 {
        let all = self.all.saturating_sub(before.all);
        percent(all.saturating_sub(self.idle.saturating_sub(before.idle)), all)
    }
}

fn read(path: &'static str) -> Result<String, Problem> {
    fs::read_to_string(path).map_err(|error| Problem::System(path, error.to_string()))
}

fn odd(path: &'static str) -> Problem {
    Problem::System(path, "it is not written as expected".into())
}

/// The line `cpu` (user nice system idle iowait irq softirq steal; what follows is part of these), and how many
/// processors have a line of their own.
fn ticks(stat: &str) -> Option<(Ticks, usize)> {
    let all = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let parts: Vec<u64> = all.split_whitespace().take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
    let idle = parts.get(3)? + parts.get(4)?;
    let cores = stat.lines().filter(|line| line.starts_with("cpu")).count().saturating_sub(1);
    Some((Ticks { all: parts.iter().sum(), idle }, cores))
}

fn load(loadavg: &str) -> Option<[f64; 3]> {
    let mut parts = loadavg.split_whitespace().map(|part| part.parse().ok());
    Some([parts.next()??, parts.next()??, parts.next()??])
}

fn uptime(uptime: &str) -> Option<u64> {
    uptime.split(['.', ' ']).next()?.parse().ok()
}

fn memory(meminfo: &str) -> Option<Room> {
    let bytes = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
    };
    Some(Room::new(bytes("MemTotal:")?, bytes("MemAvailable:")?))
}

/// What the node itself may still use: the superuser's reserve is not available.
fn disk(path: &Path) -> Result<Room, Problem> {
    let stat = statvfs(path).map_err(io::Error::from);
    let stat =
        stat.map_err(|error| Problem::System("the state directory's file system", error.to_string()))?;
    Ok(Room::new(stat.f_blocks * stat.f_frsize, stat.f_bavail * stat.f_frsize))
}

impl Room {
    fn new(total: u64, available: u64) -> Self {
        let used = total.saturating_sub(available);
        Self { total, available, used, percent: percent(used, total) }
    }
}

/// With one digit after the point.
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 * 1000.0 / whole as f64).round() / 10.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_is_busy_between_two_looks() {
        let (before, cores) = ticks("cpu  10 0 10 70 10 0 0 0 5 5\ncpu0 1\ncpu1 1\nintr 5\n").expect("ticks");
        assert_eq!((before, cores), (Ticks { all: 100, idle: 80 }, 2));
        let (now, _) = ticks("cpu  20 0 20 140 20 0 0 0 9 9\n").expect("ticks");
        assert!((now.busy_since(before) - 20.0).abs() < f64::EPSILON);
        assert!(now.busy_since(now).abs() < f64::EPSILON);
    }

    #[test]
    fn memory_is_what_the_kernel_says_is_available() {
        let room =
            memory("MemTotal:        1000 kB\nMemFree: 10 kB\nMemAvailable:     250 kB\n").expect("room");
        assert_eq!((room.total, room.available, room.used), (1_024_000, 256_000, 768_000));
        assert!((room.percent - 75.0).abs() < f64::EPSILON);
        assert!(memory("MemTotal: 1000 kB\n").is_none());
    }

    #[test]
    fn the_real_files_are_understood() {
        let gauge = Gauge::new("/".into());
        let cpu = gauge.cpu().expect("a processor");
        assert!(cpu.cores >= 1 && (0.0..=100.0).contains(&cpu.percent));
        assert!(disk(Path::new("/")).expect("a disk").total > 0);
        assert!(uptime(&read("/proc/uptime").expect("read")).is_some());
    }
}
