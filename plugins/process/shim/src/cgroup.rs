//! The tree's control group, in the unified hierarchy (cgroup v2, also where it stands beside v1): made, entered, killed, removed.
//!
//! It holds the tree only, never the shim: killing the group must not kill the one who has to tell of it. No controller is switched
//! on here; the group serves to have the tree together. Where the machine gives no group, the tree is killed by walking procfs.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::process::Signal;

use crate::process::Process;

const PARENT: &str = "motey";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroup(PathBuf);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no cgroup v2 hierarchy is mounted")]
    NotMounted,
    #[error("this process's own cgroup lies outside of the mounted hierarchy")]
    Outside,
    #[error("cannot use a cgroup in {path}: {source}")]
    Refused { path: PathBuf, source: io::Error },
}

impl Cgroup {
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The group this process is in: the one that was delegated to it.
    pub fn own() -> Result<Self, Error> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let (root, point) = unified_mount(&mounts).ok_or(Error::NotMounted)?;
        let own = groups.lines().find_map(|line| line.strip_prefix("0::")).ok_or(Error::NotMounted)?;
        let below = Path::new(own).strip_prefix(root).map_err(|_| Error::Outside)?;
        if below.components().any(|part| part.as_os_str() == "..") {
            return Err(Error::Outside);
        }
        Ok(Self(Path::new(point).join(below)))
    }

    /// The place of an instance's group; nothing is made yet.
    #[must_use]
    pub fn for_instance(&self, name: &str, shim: i32) -> Self {
        Self(self.0.join(PARENT).join(format!("{name}.{shim}")))
    }

    pub fn make(&self) -> Result<(), Error> {
        let parent = self.0.parent().unwrap_or(&self.0);
        let refused = |source| Error::Refused { path: parent.to_owned(), source };
        // whoever removes the last group removes the parent with it, perhaps between the two steps here
        for _ in 0..16 {
            match fs::create_dir(parent) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(refused(error)),
                _ => {}
            }
            match fs::create_dir(&self.0) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(refused(error)),
                _ => return Ok(()),
            }
        }
        Err(refused(io::ErrorKind::NotFound.into()))
    }

    /// Moves the calling process here; what it spawns from now on starts here.
    pub fn enter(&self) -> Result<(), Error> {
        fs::write(self.0.join("cgroup.procs"), "0")
            .map_err(|source| Error::Refused { path: self.0.clone(), source })
    }

    pub fn exists(&self) -> io::Result<bool> {
        self.0.join("cgroup.procs").try_exists()
    }

    /// `None`: no process is inside or in a group below, or there is no such group. Otherwise what is ready for `PRI` when that changes.
    pub fn inhabited(&self) -> io::Result<Option<File>> {
        let mut text = String::new();
        let read = File::open(self.0.join("cgroup.events"))
            .and_then(|mut file| file.read_to_string(&mut text).map(|_| file));
        match read {
            // the second: it was removed between the two steps
            Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::NOENT | Errno::NODEV)) => {
                Ok(None)
            }
            file => file.map(|file| text.lines().any(|line| line == "populated 1").then_some(file)),
        }
    }

    /// SIGKILL for everything inside. Kernels before 5.14 have no `cgroup.kill`: there each process is signalled, and whoever wants
    /// the group empty asks again until it is.
    pub fn kill(&self) {
        if fs::write(self.0.join("cgroup.kill"), "1").is_ok() {
            return;
        }
        for handle in self.members().iter().filter_map(|process| process.handle().ok().flatten()) {
            let _ = handle.signal(Signal::KILL);
        }
    }

    /// The processes inside, without those in groups below.
    fn members(&self) -> Vec<Process> {
        let text = fs::read_to_string(self.0.join("cgroup.procs")).unwrap_or_default();
        text.lines().filter_map(|line| Process::of(line.parse().ok()?).ok().flatten()).collect()
    }

    /// Whether the kernel killed something inside for want of memory. Never where the memory controller is not switched on.
    pub fn had_oom_kill(&self) -> bool {
        let events = fs::read_to_string(self.0.join("memory.events")).unwrap_or_default();
        events.lines().filter_map(|line| line.strip_prefix("oom_kill ")).any(|count| count.trim() != "0")
    }

    /// CPU time of everything that ever ran inside, in microseconds.
    pub fn cpu_usec(&self) -> Option<u64> {
        let text = fs::read_to_string(self.0.join("cpu.stat")).ok()?;
        text.lines().find_map(|line| line.strip_prefix("usage_usec "))?.trim().parse().ok()
    }

    /// Bytes, where the memory controller is switched on.
    pub fn memory_bytes(&self) -> Option<u64> {
        fs::read_to_string(self.0.join("memory.current")).ok()?.trim().parse().ok()
    }

    /// Removes the group with those the program made below it, and our parent group when this was the last one.
    pub fn remove(&self) {
        remove_below(&self.0);
        if let Some(parent) = self.0.parent().filter(|parent| parent.ends_with(PARENT)) {
            let _ = fs::remove_dir(parent);
        }
    }
}

fn remove_below(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_below(&entry.path());
        }
    }
    let _ = fs::remove_dir(group);
}

/// Root and mount point of the hierarchy, from proc_pid_mountinfo(5). The last mount hides earlier ones.
fn unified_mount(mountinfo: &str) -> Option<(&str, &str)> {
    let unified = |line: &&str| line.split_once(" - ").is_some_and(|(_, kind)| kind.starts_with("cgroup2 "));
    let mut fields = mountinfo.lines().rfind(unified)?.split(' ').skip(3);
    Some((fields.next()?, fields.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unified_hierarchy_is_found_beside_v1() {
        let hybrid = "24 20 0:22 / /proc rw - proc proc rw\n\
                      31 30 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 cgroup2 rw\n\
                      32 30 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n";
        assert_eq!(unified_mount(hybrid), Some(("/", "/sys/fs/cgroup/unified")));
        let container = "9 8 0:27 /docker/ab /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        assert_eq!(unified_mount(container), Some(("/docker/ab", "/sys/fs/cgroup")));
        assert_eq!(unified_mount("32 30 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"), None);
    }
}
