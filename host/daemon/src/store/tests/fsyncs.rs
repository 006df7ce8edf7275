//! What reaches the disk, counted at the kernel: a deployment costs one fsync, an observation none, a start one.

use super::*;
use crate::store::file;

const DEPLOYMENTS: u64 = 1000;

/// Steps of the child, told apart in its trace by a change to a directory of that name, which does not exist.
const PHASES: [&str; 7] = ["make", "first", "deploy", "fold", "observe", "close", "start"];

#[test]
fn they_are_as_few_as_durability_allows() {
    if let Some(path) = child() {
        return run_phases(&path);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let trace = folder.path().join("trace");
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-e", "trace=fsync,fdatasync,chdir", "-o"])
        .arg(&trace)
        .arg(std::env::current_exe().expect("this program"))
        .args(alone(module_path!(), "they_are_as_few_as_durability_allows"))
        .env(CHILD, folder.path().join("motey.db"));
    if !ran(&mut strace, "how often the store waits for the disk (it needs strace)") {
        return;
    }
    let trace = std::fs::read_to_string(&trace).expect("a trace");
    let counts = count(&trace);
    eprintln!("fsyncs: {counts:?}");
    let [make, first, deploy, _, observe, close, start] = PHASES.map(|phase| counts[phase]);
    assert_eq!(make, 2, "the file, and its name");
    assert!(first <= 3, "the log's header, its name, the commit");
    assert!((DEPLOYMENTS..=DEPLOYMENTS + DEPLOYMENTS / 100).contains(&deploy), "{deploy}");
    assert_eq!(observe, 0);
    assert!(close <= 2, "the log and the file");
    assert_eq!(start, 1);
}

fn run_phases(path: &Path) {
    enter("make");
    let (mut store, _) = open(path);
    enter("first");
    store.commit(&deployment(0)).expect("it is written");
    enter("deploy");
    (1..=DEPLOYMENTS).for_each(|n| store.commit(&deployment(n)).expect("it is written"));
    // so that the log is nowhere near the size at which it is folded by itself
    enter("fold");
    file::reuse_wal(&store.connection);
    store.commit(&deployment(DEPLOYMENTS + 1)).expect("it is written");
    enter("observe");
    (0..100).for_each(|n| store.commit(&story(vec![event(n, EventKind::Started)])).expect("it is written"));
    enter("close");
    drop(store);
    enter("start");
    let (store, _) = open(path);
    enter("end");
    drop(store);
}

fn enter(phase: &str) {
    std::env::set_current_dir(format!("/phase/{phase}")).expect_err("there is no such directory");
}

fn count(trace: &str) -> BTreeMap<&str, u64> {
    let mut counts = BTreeMap::from(PHASES.map(|phase| (phase, 0)));
    let mut phase = "";
    for line in trace.lines() {
        if let Some((_, rest)) = line.split_once("chdir(\"/phase/") {
            phase = rest.split('"').next().expect("a name");
        } else if line.contains("sync(") && !line.contains("resumed") {
            counts.entry(phase).and_modify(|count| *count += 1);
        }
    }
    counts
}
