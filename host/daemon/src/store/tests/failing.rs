//! A disk that fails to make a commit durable: what was refused stays so, also when the daemon dies next.

use super::*;

/// The fsync that fails: well after the store is made and its log is begun.
const FAILS: u64 = 12;

#[test]
fn a_commit_that_was_refused_does_not_come_back() {
    if let Some(path) = child() {
        let (store, _) = commit_until_refused(&path);
        die(store);
    }
    check("a_commit_that_was_refused_does_not_come_back", FAILS, |refused| (0..refused).collect());
}

#[test]
fn a_store_that_could_not_take_it_back_at_once_does_so_before_it_goes_on() {
    if let Some(path) = child() {
        let (mut store, refused) = commit_until_refused(&path);
        store.commit(&deployment(refused + 1)).expect("the disk works again");
        die(store);
    }
    let test = "a_store_that_could_not_take_it_back_at_once_does_so_before_it_goes_on";
    check(test, FAILS + 1, |refused| (0..refused).chain([refused + 1]).collect());
}

/// Lets `test` run as a child whose fsyncs fail from [`FAILS`] to `last`, and compares what is left.
fn check(test: &str, last: u64, left: impl Fn(u64) -> Vec<u64>) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("motey.db");
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-qq", "-e", "trace=fsync,fdatasync", "-o"])
        .arg(folder.path().join("trace"))
        .args(["-e", &format!("inject=fsync,fdatasync:error=EIO:when={FAILS}..{last}")])
        .arg(std::env::current_exe().expect("this program"))
        .args(alone(module_path!(), test))
        .env(CHILD, &path);
    if !ran(&mut strace, "the store on a disk that fails (it needs strace)") {
        return;
    }
    let refused = std::fs::read_to_string(beside(&path, ".refused")).expect("the child met the failure");
    let expected = left(refused.parse().expect("a number")).into_iter().map(service);
    let (_store, loaded) = open(&path);
    let ids: Vec<ServiceId> = loaded.stored.records.iter().map(|record| record.id).collect();
    assert_eq!(ids, expected.collect::<Vec<_>>(), "{refused} was refused");
    assert_eq!(integrity(&path), "ok");
}

fn commit_until_refused(path: &Path) -> (SqliteStore, u64) {
    let (mut store, _) = open(path);
    for n in 0..2 * FAILS {
        if let Err(error) = store.commit(&deployment(n)) {
            assert!(matches!(error, StoreError::Sqlite { .. }), "{error:?}");
            std::fs::write(beside(path, ".refused"), n.to_string()).expect("it is written");
            return (store, n);
        }
    }
    panic!("no fsync failed");
}

/// As if it were killed: the store is not closed.
fn die(store: SqliteStore) -> ! {
    std::mem::forget(store);
    std::process::exit(0);
}
