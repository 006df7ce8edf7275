//! A node's engine over a directory of its own, with the real shim; what a test started is gone when it ends.

#![allow(dead_code)] // each test file uses its part

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use motey_plugin_api::{
    Cancel, CreateRequest, Error, HostInfo, Instance, InstanceRef, InstanceState, LogsRequest, StopRequest,
};
use motey_plugin_process::client::Engine;
use motey_plugin_process::convert::Settings;
use motey_process_shim::InstanceDir;
use motey_process_shim::process::{self, Process};
use rustix::process::Signal;

pub const PROBE: &str = env!("CARGO_BIN_EXE_motey-process-probe");
pub const LONG: Duration = Duration::from_secs(20);

/// How often this thread went to sleep so far, to wait for somebody: waiting for a turn on a busy machine does not count.
pub fn sleeps() -> u64 {
    let status = fs::read_to_string("/proc/thread-self/status").expect("procfs");
    let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    count.and_then(|count| count.trim().parse().ok()).expect("a count")
}

pub struct Node {
    pub engine: Engine,
    pub id: String,
    root: tempfile::TempDir,
}

impl Node {
    pub fn new() -> Self {
        Self::with(|_| PROBE.into(), Settings::default())
    }

    pub fn with(motey: impl FnOnce(&Path) -> PathBuf, settings: Settings) -> Self {
        let root = tempfile::tempdir().expect("directory");
        let id = unique("node");
        let info = HostInfo {
            motey_exe: motey(root.path()),
            state_dir: root.path().to_owned(),
            node: id.clone(),
            ..HostInfo::default()
        };
        Self { engine: Engine::new(&info, settings).expect("engine"), id, root }
    }

    /// Where the shim finds no cgroup v2 at all: its mounts are taken away in a mount namespace of its own. Without the right to
    /// that, a test process has no right to a cgroup either, and finds itself where it wants to be.
    pub fn without_cgroups() -> Self {
        Self::with(
            |root| {
                let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mounts");
                let unified = mounts.lines().filter(|line| line.contains(" - cgroup2 "));
                let points = unified.filter_map(|line| line.split(' ').nth(4)).collect::<Vec<_>>().join(" ");
                let script = if rustix::process::geteuid().is_root() && !points.is_empty() {
                    format!(
                        "#!/bin/sh\nexec /usr/bin/unshare --mount /bin/sh -c '/bin/umount -l {points} && exec \"$0\" \"$@\"' {PROBE} \"$@\"\n"
                    )
                } else {
                    format!("#!/bin/sh\nexec {PROBE} \"$@\"\n")
                };
                let path = root.join("motey");
                fs::write(&path, script).expect("script");
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
                path
            },
            Settings::default(),
        )
    }

    pub fn state_dir(&self) -> &Path {
        self.root.path()
    }

    pub fn dir(&self, name: &str) -> InstanceDir {
        InstanceDir::new(self.root.path().join("process").join(name))
    }

    pub fn request(&self, name: &str, script: &str) -> CreateRequest {
        CreateRequest {
            name: name.to_owned(),
            labels: [("motey.node".to_owned(), self.id.clone())].into(),
            image: "sh".to_owned(),
            command: vec!["-c".to_owned(), script.to_owned()],
            environment: Default::default(),
            working_dir: None,
            stop_signal: None,
            stop_grace_ms: 5000,
            mounts: Vec::new(),
            ports: Vec::new(),
            devices: Vec::new(),
        }
    }

    /// Creates and starts a shell; its name is unique on the machine.
    pub fn run(&self, script: &str) -> String {
        let name = unique("i");
        self.engine.create(self.request(&name, script)).expect("created");
        self.start(&name).expect("started");
        name
    }

    pub fn start(&self, name: &str) -> Result<Instance, Error> {
        self.engine.start(&reference(name))
    }

    pub fn stop(&self, name: &str, grace_ms: u64) -> Result<Instance, Error> {
        self.engine.stop(&StopRequest { name: name.to_owned(), grace_ms, signal: None })
    }

    pub fn destroy(&self, name: &str) -> Result<(), Error> {
        self.engine.destroy(&reference(name))
    }

    pub fn inspect(&self, name: &str) -> Instance {
        self.engine.inspect(&reference(name)).expect("instance")
    }

    pub fn exited(&self, name: &str) -> Instance {
        eventually(&format!("{name} exits"), || self.inspect(name).state == InstanceState::Exited);
        self.inspect(name)
    }

    pub fn logs(&self, request: LogsRequest) -> String {
        let (reader, writer) = std::os::unix::net::UnixStream::pair().expect("pair");
        thread::scope(|scope| {
            let text = scope.spawn(|| io::read_to_string(reader).expect("text"));
            let cancel = Cancel::new().expect("cancel");
            self.engine.logs(&request, writer, cancel.fd()).expect("logs");
            text.join().expect("read")
        })
    }

    pub fn shim_of(&self, name: &str) -> Process {
        self.dir(name).identity().expect("read").expect("identity").shim
    }

    /// Returns when it is dead.
    pub fn kill_shim(&self, name: &str) {
        let shim = self.shim_of(name).handle().expect("pidfd").expect("alive");
        shim.signal(Signal::KILL).expect("killed");
        assert!(shim.wait(Instant::now() + LONG).expect("poll"), "it lives on");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        for instance in self.engine.list().unwrap_or_default() {
            let _ = self.stop(&instance.name, 0);
            let _ = self.destroy(&instance.name);
        }
    }
}

/// Cancels when it goes, also when a test fails: the watch would be waited for for ever.
struct AtTheEnd<'a>(&'a Cancel);

impl Drop for AtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// The next news of an end. A start that was seen half done is news too, and passed over.
pub fn end(next: &dyn Fn() -> Option<Instance>) -> Option<Instance> {
    std::iter::from_fn(next).find(|told| told.state == InstanceState::Exited)
}

/// Runs `test` while the engine watches; it gets the news. The watch has to end when it is cancelled.
pub fn watching(node: &Node, busy: usize, test: impl FnOnce(&dyn Fn() -> Option<Instance>)) {
    let (send, news) = mpsc::sync_channel(64);
    let cancel = Cancel::new().expect("cancel");
    let refusals = Mutex::new(busy);
    thread::scope(|scope| {
        let watch = thread::Builder::new().name("watch".to_owned()).spawn_scoped(scope, || {
            node.engine.watch(cancel.fd(), |instance| {
                let mut left = refusals.lock().expect("lock");
                if *left > 0 {
                    *left -= 1;
                    return false;
                }
                send.send(instance.clone()).is_ok()
            })
        });
        {
            let _over = AtTheEnd(&cancel);
            test(&|| news.recv_timeout(LONG).ok());
        }
        watch.expect("thread").join().expect("thread").expect("watch");
    });
}

pub fn reference(name: &str) -> InstanceRef {
    InstanceRef { name: name.to_owned() }
}

pub fn log_request(name: &str) -> LogsRequest {
    LogsRequest { name: name.to_owned(), follow: false, tail: None, since_ms: None }
}

pub fn unique(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{prefix}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The living processes of an instance, and its shim: whoever has its name in the environment or on the command line.
pub fn processes(name: &str) -> Vec<i32> {
    let shim = |pid: i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        words.get(1) == Some(&&b"shim"[..])
            && words.get(2).is_some_and(|word| word.ends_with(format!("/{name}").as_bytes()))
    };
    let all = process::all().expect("procfs");
    let shims = all.iter().filter(|stat| !stat.is_zombie() && shim(stat.pid)).map(|stat| stat.pid);
    let marked = process::with_variable("MOTEY_INSTANCE").expect("procfs");
    shims
        .chain(marked.found.iter().filter(|(_, value)| value == name).map(|(process, _)| process.pid()))
        .collect()
}

/// Every cgroup directory with this in its name, anywhere in the unified hierarchy.
pub fn cgroups(part: &str) -> Vec<PathBuf> {
    fn walk(dir: &Path, part: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if entry.file_name().to_string_lossy().contains(part) {
                    found.push(entry.path());
                }
                walk(&entry.path(), part, found);
            }
        }
    }
    let mut found = Vec::new();
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mounts");
    for point in
        mounts.lines().filter(|line| line.contains(" - cgroup2 ")).filter_map(|line| line.split(' ').nth(4))
    {
        walk(Path::new(point), part, &mut found);
    }
    found
}
