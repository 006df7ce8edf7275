//! A daemon that is killed in the middle of its commits has lost nothing it acknowledged, and kept nothing half.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::*;
use crate::store::Span;

/// The record that every commit of the child writes anew.
const COUNTER: u64 = 0;

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_half_there() {
    if let Some(path) = child() {
        return commit_until_killed(&path);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("motey.db");
    let mut before = 0;
    for round in 1..=8 {
        let acknowledged = kill_after(before + round * 37, &path);
        assert_eq!(integrity(&path), "ok");
        before = check(&path, acknowledged);
    }
}

/// Every commit is a deployment and a new version of the counter, and is told on stderr once it is there.
fn commit_until_killed(path: &Path) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let (mut store, loaded) = open(path);
    let counter = loaded.stored.records.iter().find(|record| record.id == service(COUNTER));
    let first = counter.map_or(0, |record| record.stamp.version) + 1;
    for n in (first..).take_while(|_| Instant::now() < deadline) {
        let mut txn = deployment(n);
        txn.records.insert(service(COUNTER), Arc::new(record(COUNTER, n)));
        if n % 2 == 0 {
            txn.durability = Durability::Process;
        }
        store.commit(&txn).expect("it is written");
        eprintln!("{n}");
    }
    panic!("nobody killed it");
}

/// Runs the child until it has acknowledged that number, kills it, and returns the last number it acknowledged.
fn kill_after(number: u64, path: &Path) -> u64 {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(alone(module_path!(), "nothing_acknowledged_is_lost_and_nothing_is_half_there"))
        .env(CHILD, path)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let mut acknowledged = 0;
    for line in lines {
        let line = line.expect("text");
        acknowledged = line.parse().unwrap_or_else(|_| panic!("the child says: {line}"));
        if acknowledged == number {
            child.kill().expect("it runs");
        }
    }
    child.wait().expect("it ended");
    acknowledged
}

/// What was acknowledged is there, and at most the one commit that was on its way, as a whole.
fn check(path: &Path, acknowledged: u64) -> u64 {
    let (store, loaded) = open(path);
    let version =
        |n| loaded.stored.records.iter().find(|record| record.id == service(n)).map(|r| r.stamp.version);
    let there = version(COUNTER).expect("the counter");
    assert!((acknowledged..=acknowledged + 1).contains(&there), "{acknowledged} acknowledged, {there} there");
    assert!((1..=there).all(|n| version(n) == Some(1)));
    assert_eq!(loaded.stored.records.len() as u64, there + 1);
    assert_eq!(loaded.stored.leases, (1..=there).map(lease).collect::<Vec<_>>());
    let events = store.reader().expect("it opens").read(None, Span::Newest, 1 << 20).expect("it is read");
    assert_eq!(events.len() as u64, 2 * there);
    assert_eq!(events[0].service, service(there));
    there
}
