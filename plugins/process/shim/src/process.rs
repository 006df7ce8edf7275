//! Processes as procfs shows them, told apart from any later process of the same number.
//!
//! A pid alone is never signalled here: a [`Process`] is pid and start time, its [`Handle`] a pidfd that was opened first and compared
//! with the start time after, so that it cannot mean a successor. The boot is the caller's to compare ([`boot_id`]).
//!
//! "It is not there" is an answer, "it cannot be read" an error: a machine short of descriptors must not look like an empty one.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Process {
    pid: i32,
    start: u64,
}

/// One line of `/proc/PID/stat`, as far as it matters here. Times are in clock ticks, memory in pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    pub pid: i32,
    pub state: u8,
    pub parent: i32,
    /// The kernel's `PF_…`.
    flags: u64,
    /// Of itself and of the children it has waited for.
    pub cpu_ticks: u64,
    pub threads: u32,
    pub start: u64,
    pub resident_pages: u64,
}

impl Process {
    pub fn itself() -> io::Result<Self> {
        Self::of(rustix::process::getpid().as_raw_pid())?.ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, "/proc does not show this process: is it mounted?")
        })
    }

    /// The process that has this number now.
    pub fn of(pid: i32) -> io::Result<Option<Self>> {
        Ok(Stat::of(pid)?.map(|stat| stat.process()))
    }

    pub(crate) fn from_parts(pid: &str, start: &str) -> Option<Self> {
        let pid = pid.parse().ok().filter(|pid| *pid > 0)?;
        Some(Self { pid, start: start.parse().ok()? })
    }

    pub fn pid(&self) -> i32 {
        self.pid
    }

    pub fn start(&self) -> u64 {
        self.start
    }

    /// Whether it still runs; a zombie does not.
    pub fn is_alive(&self) -> io::Result<bool> {
        Ok(Stat::of(self.pid)?.is_some_and(|stat| stat.start == self.start && !stat.is_zombie()))
    }

    /// `None` when it is gone, or when its number belongs to another process by now. A zombie has one: it can be reaped by it.
    pub fn handle(&self) -> io::Result<Option<Handle>> {
        let Some(pid) = Pid::from_raw(self.pid) else { return Ok(None) };
        let fd = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
            // the number is nobody's, or a thread's
            Err(Errno::SRCH | Errno::INVAL | Errno::NOENT) => return Ok(None),
            fd => fd?,
        };
        Ok(Stat::of(self.pid)?.filter(|stat| stat.start == self.start).map(|_| Handle(fd)))
    }
}

/// A process that was identified; it can be signalled and awaited without being mistaken.
#[derive(Debug)]
pub struct Handle(OwnedFd);

impl Handle {
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(rustix::process::pidfd_send_signal(&self.0, signal)?)
    }

    /// Waits for its end, at most until `deadline`. False: it lives on.
    pub fn wait(&self, deadline: Instant) -> io::Result<bool> {
        loop {
            let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
            match rustix::event::poll(&mut fds, Some(&until(deadline))) {
                Ok(0) if Instant::now() >= deadline => return Ok(false),
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return Ok(true),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes the zombie away when it is a child of this process; nothing happens otherwise.
    pub fn reap(&self) {
        let _ = rustix::process::waitid(
            WaitId::PidFd(self.0.as_fd()),
            WaitIdOptions::EXITED | WaitIdOptions::NOHANG,
        );
    }
}

/// Readable for `poll` once the process has ended.
impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Stat {
    pub fn of(pid: i32) -> io::Result<Option<Self>> {
        let mut buffer = [0; 1024];
        let read = File::open(format!("/proc/{pid}/stat")).and_then(|mut file| file.read(&mut buffer));
        let Some(length) = unless_gone(read)? else { return Ok(None) };
        let unknown =
            || io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/stat has an unknown form"));
        Self::parse(&buffer[..length]).ok_or_else(unknown).map(Some)
    }

    pub fn process(&self) -> Process {
        Process { pid: self.pid, start: self.start }
    }

    pub fn is_zombie(&self) -> bool {
        matches!(self.state, b'Z' | b'X')
    }

    /// Whether it has gone so far that it has no memory any more, and no children to come.
    fn is_ending(&self) -> bool {
        const PF_EXITING: u64 = 0x4;
        self.is_zombie() || self.flags & PF_EXITING != 0
    }

    /// proc_pid_stat(5). The name is in parentheses and may itself hold any byte, so the fields are counted from the last `)`.
    fn parse(line: &[u8]) -> Option<Self> {
        let end = line.iter().rposition(|byte| *byte == b')')?;
        let pid = std::str::from_utf8(line.split(|byte| *byte == b' ').next()?).ok()?.parse().ok()?;
        let rest = std::str::from_utf8(line.get(end + 2..)?).ok()?;
        let mut fields = [""; 22];
        for (slot, field) in fields.iter_mut().zip(rest.split_ascii_whitespace()) {
            *slot = field;
        }
        // fields[i] is the manual's field i + 3
        let number = |i: usize| fields[i].parse::<u64>().ok();
        Some(Self {
            pid,
            state: *fields[0].as_bytes().first()?,
            parent: fields[1].parse().ok()?,
            flags: number(6)?,
            cpu_ticks: number(11)? + number(12)? + number(13)? + number(14)?,
            threads: fields[17].parse().ok()?,
            start: number(19)?,
            resident_pages: number(21)?,
        })
    }
}

/// Every process there is, as far as this user may see.
pub fn all() -> io::Result<Vec<Stat>> {
    let mut all = Vec::new();
    for pid in pids()? {
        all.extend(visible(Stat::of(pid?))?.flatten());
    }
    Ok(all)
}

fn pids() -> io::Result<impl Iterator<Item = io::Result<i32>>> {
    let pid = |entry: fs::DirEntry| entry.file_name().to_str().and_then(|name| name.parse().ok());
    Ok(fs::read_dir("/proc")?.filter_map(move |entry| entry.map(pid).transpose()))
}

/// `None`: it is another user's, and closed to this one.
fn visible<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(None),
        read => read.map(Some),
    }
}

/// The living processes below `root`, without itself. Not one moment's picture: whoever kills by it asks again.
pub fn descendants(root: i32) -> io::Result<Vec<Stat>> {
    let mut rest = all()?;
    let mut found: Vec<Stat> = Vec::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        rest.retain(|stat| {
            let below = stat.parent == parent && stat.pid != root;
            if below {
                parents.push(stat.pid);
                found.push(*stat);
            }
            !below
        });
    }
    found.retain(|stat| !stat.is_zombie());
    Ok(found)
}

/// The direct children of the calling thread, zombies among them. None where the kernel was built without that list.
pub fn children() -> Vec<Pid> {
    let list = fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    list.split_ascii_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}

/// What a walk past the environments of all processes has met.
#[derive(Debug, Default)]
pub struct Marked {
    /// With the value of the variable.
    pub found: Vec<(Process, String)>,
    /// Nobody ended on the way. Otherwise it may have been one of those looked for, with a child that the walk has missed.
    pub complete: bool,
}

/// The living processes whose environment, as it was at their `exec`, holds this variable. Those of other users are left out where
/// this one may not look into them.
pub fn with_variable(key: &str) -> io::Result<Marked> {
    let ended_before: Vec<Process> =
        all()?.iter().filter(|stat| stat.is_ending()).map(Stat::process).collect();
    let mut marked = Marked { found: Vec::new(), complete: true };
    for pid in pids()? {
        let pid = pid?;
        let Some(stat) = visible(Stat::of(pid))? else { continue };
        let Some(environment) = visible(fs::read(format!("/proc/{pid}/environ")).or_else(empty_if_gone))?
        else {
            continue;
        };
        // without memory there is no environment: a thread of the kernel, or one who has just ended
        let stat = if environment.is_empty() { visible(Stat::of(pid))?.flatten() } else { stat };
        match stat {
            Some(stat) if stat.is_ending() => marked.complete &= ended_before.contains(&stat.process()),
            Some(stat) => {
                let value = environment.split(|byte| *byte == 0).find_map(|entry| value_of(entry, key));
                marked.found.extend(value.map(|value| (stat.process(), value)));
            }
            None => marked.complete = false,
        }
    }
    Ok(marked)
}

fn empty_if_gone(error: io::Error) -> io::Result<Vec<u8>> {
    Ok(unless_gone(Err(error))?.unwrap_or_default())
}

fn value_of(entry: &[u8], key: &str) -> Option<String> {
    let value = entry.strip_prefix(key.as_bytes())?.strip_prefix(b"=")?;
    String::from_utf8(value.to_vec()).ok()
}

/// A process that is gone has no files, and one that goes while they are read gives an error of its own.
fn unless_gone<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::NOENT | Errno::SRCH)) => Ok(None),
        read => read.map(Some),
    }
}

/// Changes with every start of the machine; pids mean nothing across it.
pub fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// The time left until `deadline`, for `poll`.
pub fn until(deadline: Instant) -> Timespec {
    let left = deadline.saturating_duration_since(Instant::now());
    // rounded up: a wait that ends early would spin
    let left = left + Duration::from_micros(500);
    Timespec { tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX), tv_nsec: left.subsec_nanos().into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_whatever_the_name_is() {
        let line = b"4711 (a) b (c\n) S 1 4711 4700 0 -1 4194560 100 0 0 0 7 8 1 2 20 0 3 0 12345 1000000 250 18446744073709551615 1 1";
        let stat = Stat::parse(line).expect("parsed");
        assert_eq!((stat.pid, stat.state, stat.parent), (4711, b'S', 1));
        assert!(!stat.is_ending() && Stat { flags: stat.flags | 4, ..stat }.is_ending());
        assert_eq!((stat.cpu_ticks, stat.threads, stat.start, stat.resident_pages), (18, 3, 12345, 250));
        assert_eq!(Stat::parse(b"4711 (x"), None);
        assert_eq!(Stat::parse(b""), None);
    }

    #[test]
    fn the_same_number_with_another_start_time_is_somebody_else() {
        let me = Process::itself().expect("procfs");
        let known = |process: Process| {
            (process.is_alive().expect("procfs"), process.handle().expect("pidfd").is_some())
        };
        assert_eq!(known(me), (true, true));
        assert_eq!(known(Process { start: me.start + 1, ..me }), (false, false));
    }

    #[test]
    fn descendants_are_found_and_zombies_are_not_among_them() {
        let me = Process::itself().expect("procfs").pid();
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep");
        let pid = i32::try_from(child.id()).expect("pid");
        let is_below = || descendants(me).expect("procfs").iter().any(|stat| stat.pid == pid);
        assert!(is_below());
        let process = Process::of(pid).expect("procfs").expect("alive");
        let handle = process.handle().expect("pidfd").expect("alive");
        handle.signal(Signal::KILL).expect("kill");
        assert!(handle.wait(Instant::now() + Duration::from_secs(5)).expect("poll"));
        assert!(!is_below(), "a zombie counts as living");
        child.wait().expect("reaped");
    }
}
