//! A process that has run out of file descriptors: nothing is mistaken for what it is not, and little is done in vain.
//!
//! One test alone in its process, whose limit it lowers.

mod node;

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use log::{Log, Metadata, Record};
use motey_plugin_api::{Code, InstanceState};
use node::{Node, end, reference, watching};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};

static WARNINGS: Warnings = Warnings(Mutex::new(Vec::new()));

struct Warnings(Mutex<Vec<String>>);

impl Log for Warnings {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &Record<'_>) {
        self.0.lock().expect("lock").push(record.args().to_string());
    }
    fn flush(&self) {}
}

/// Descriptors of which none is left for anybody else.
fn take_all() -> (Rlimit, Vec<File>) {
    let before = getrlimit(Resource::Nofile);
    let open = fs::read_dir("/proc/self/fd").expect("procfs").count() as u64;
    setrlimit(Resource::Nofile, Rlimit { current: Some(open + 8), ..before }).expect("limit");
    (before, std::iter::from_fn(|| File::open("/dev/null").ok()).collect())
}

/// How often the watching thread has gone to sleep, as the kernel counts it.
fn sleeps_of_the_watch() -> u64 {
    let tasks = fs::read_dir("/proc/self/task").expect("procfs").map(|task| task.expect("task").path());
    let is_watch = |task: &PathBuf| fs::read_to_string(task.join("comm")).is_ok_and(|name| name == "watch\n");
    let watch = tasks.into_iter().find(is_watch).expect("a thread that watches");
    let status = fs::read_to_string(watch.join("status")).expect("status");
    let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).expect("count");
    count.trim().parse().expect("number")
}

#[test]
fn without_descriptors_nobody_is_taken_for_dead_and_the_watch_is_patient() {
    log::set_logger(&WARNINGS).expect("logger");
    log::set_max_level(log::LevelFilter::Warn);
    let node = Node::new();
    let (first, ends, stays) = (node.run("exit 3"), node.run("exec sleep 300"), node.run("exec sleep 300"));
    watching(&node, 0, |next| {
        assert_eq!(end(next).expect("told").name, first, "it does not watch yet");
        let shim = node.shim_of(&ends).handle().expect("pidfd").expect("alive");
        let before = sleeps_of_the_watch();
        let (limit, taken) = take_all();
        shim.signal(Signal::TERM).expect("signalled");
        for error in [
            node.engine.list().expect_err("list"),
            node.engine.inspect(&reference(&stays)).expect_err("inspect"),
            node.stop(&stays, 0).expect_err("stop"),
            node.destroy(&first).expect_err("destroy"),
        ] {
            assert_eq!(error.code, Code::Unavailable);
            assert!(error.hint.is_some_and(|hint| hint.contains("ulimit")), "what to do?");
        }
        // long enough for thirty tries at the first pause
        thread::sleep(Duration::from_secs(3));
        drop(taken);
        let tries = sleeps_of_the_watch() - before;
        setrlimit(Resource::Nofile, limit).expect("limit");
        assert!(tries < 12, "{tries} tries in three seconds");

        let told = end(next).expect("told");
        assert_eq!((told.name, told.exit.and_then(|exit| exit.signal)), (ends.clone(), Some(15)));
        assert_eq!(node.inspect(&stays).state, InstanceState::Running);
        assert_eq!(node.engine.list().expect("list").len(), 3);
    });
    let warnings = WARNINGS.0.lock().expect("lock");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("ulimit"), "{warnings:?}");
}
