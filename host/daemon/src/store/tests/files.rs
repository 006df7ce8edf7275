//! The files around the store: who may read them, what is refused, and how an old one is brought up to date.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;

use super::*;
use crate::cause::chain;
use crate::store::Span;
use crate::store::{IdentityError, StateDir, StateDirError, node_id, schema};

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("UTF-8");
    let mut names: Vec<_> = entries.map(|entry| name(entry.expect("an entry"))).collect();
    names.sort();
    names
}

fn shown(error: &dyn std::error::Error, folder: &Path) -> String {
    error.to_string().replace(&folder.display().to_string(), "<state>")
}

#[test]
fn only_the_owner_may_read_any_of_them_and_no_drafts_are_left() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = StateDir::lock(folder.path()).expect("it is free");
    node_id(&state, None, || Uuid::from_u128(5)).expect("it is kept");
    let path = folder.path().join("motey.db");
    let (mut store, _) = open(&path);
    store.commit(&deployment(1)).expect("it is written");

    let expected = ["lock", "motey.db", "motey.db-shm", "motey.db-wal", "motey.db.reserve", "node-id"];
    assert_eq!(names(folder.path()), expected);
    for name in expected {
        let file = fs::metadata(folder.path().join(name)).expect("it is there");
        assert_eq!(file.permissions().mode() & 0o777, 0o600, "{name}");
    }
    assert_eq!(fs::metadata(beside(&path, ".reserve")).expect("it is there").len(), 256 * 1024);
}

#[test]
fn a_draft_that_was_never_finished_is_made_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("motey.db");
    fs::write(beside(&path, ".new"), "half of a database").expect("it is written");
    fs::write(beside(&path, ".new-wal"), "half of a log").expect("it is written");
    open(&path).0.commit(&deployment(1)).expect("it is written");
    assert_eq!(integrity(&path), "ok");
    assert!(names(folder.path()).iter().all(|name| !name.contains(".new")));
}

#[test]
fn a_file_that_is_no_store_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("motey.db");
    fs::write(&path, "not a database".repeat(100)).expect("it is written");
    let error = refusal(&path);
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    assert_snapshot!(shown(&error, folder.path()), @"<state>/motey.db is damaged or no store of Motey: move it away together with <state>/motey.db-wal, then put a copy in its place or deploy the services again");
    assert_eq!(fs::read_to_string(&path).expect("it is there"), "not a database".repeat(100));
}

#[test]
fn damaged_pages_and_damaged_records_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("motey.db");
    let (mut store, _) = open(&path);
    (0..50).for_each(|n| store.commit(&deployment(n)).expect("it is written"));
    drop(store);
    let sound = fs::read(&path).expect("it is there");

    let mut torn = sound.clone();
    torn[4096..].fill(0x5a);
    fs::write(&path, torn).expect("it is written");
    assert!(matches!(refusal(&path), StoreError::Corrupt { .. }));

    fs::write(&path, sound).expect("it is written");
    let _ = fs::remove_file(beside(&path, "-wal"));
    let other = Connection::open(&path).expect("it opens");
    other.execute("UPDATE record SET body = '{\"v\":1}' WHERE rowid = 7", []).expect("it is written");
    drop(other);
    let error = refusal(&path);
    let StoreError::Corrupt { source, .. } = error else { panic!("{error:?}") };
    assert_snapshot!(source, @"this is not a service record as Motey writes it");
}

#[test]
fn a_newer_file_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("motey.db");
    drop(open(&path));
    let other = Connection::open(&path).expect("it opens");
    other.pragma_update(None, "user_version", 99).expect("it is written");
    drop(other);
    let error = refusal(&path);
    assert!(matches!(error, StoreError::Newer { found: 99, known: schema::NEWEST, .. }), "{error:?}");
    assert_snapshot!(shown(&error, folder.path()), @"<state>/motey.db was written by a newer Motey (schema 99, this one knows up to 2): run that version, or put the copy <state>/motey.db.v2 in its place if there is one");
}

#[test]
fn an_older_file_is_copied_before_it_is_brought_up_to_date() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("motey.db");
    let old = Connection::open(&path).expect("it opens");
    old.execute_batch(
        "PRAGMA journal_mode = WAL; CREATE TABLE note (text TEXT); INSERT INTO note VALUES ('of old');",
    )
    .expect("it is written");
    // its write-ahead log still holds everything
    std::mem::forget(old);

    let (mut store, loaded) = open(&path);
    assert_eq!(loaded.incarnation.count, 2);
    store.commit(&deployment(1)).expect("it is written");
    drop(store);
    assert_eq!(open(&path).1.stored.records.len(), 1);

    let copy = beside(&path, ".v0");
    assert_eq!(fs::metadata(&copy).expect("it is there").permissions().mode() & 0o777, 0o600);
    let copied = Connection::open(&copy).expect("it opens");
    let text: String = copied.query_row("SELECT text FROM note", [], |row| row.get(0)).expect("it is there");
    let version: i64 = copied.pragma_query_value(None, "user_version", |row| row.get(0)).expect("a version");
    assert_eq!((text.as_str(), version), ("of old", 0));
    assert!(names(folder.path()).iter().all(|name| !name.contains(".new")));
}

/// As the first release left it, with a service that waits.
#[test]
fn a_file_of_the_first_schema_is_read_and_goes_on_in_the_newest() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("motey.db");
    let body = r#"{"v":1,"id":"01900000-0001-7000-0000-000000000001","name":"vision","desired":"running","stamp":{"epoch":1,"owner":"00000000-0000-0000-0000-000000000001","writer":{"count":1,"nonce":7},"version":1},"revision":{"number":1,"epoch":1,"owner":"00000000-0000-0000-0000-000000000001","writer":{"count":1,"nonce":7},"spec":{"images":[{"key":"vision","image":"/usr/bin/vision","replicas":1,"need":{"all":[]},"params":{"stop":{"grace_ms":10000}},"restart":"always"}],"source":{"format":"yaml","text":""}}},"slots":{"vision-0":{"node":"00000000-0000-0000-0000-000000000001","engine":"process","fence":"1.00000000-0000-0000-0000-000000000001.1-00000007.1","revision":1}},"holders":["00000000-0000-0000-0000-000000000001"]}"#;
    let old = Connection::open(&path).expect("it opens");
    old.execute_batch(schema::STEPS[0]).expect("it is made");
    old.execute_batch("PRAGMA user_version = 1; UPDATE life SET count = 8").expect("it is written");
    let row = (service(1).0.as_bytes().to_vec(), body);
    old.execute("INSERT INTO record (service, body) VALUES (?1, ?2)", row).expect("it is written");
    drop(old);

    let (mut store, loaded) = open(&path);
    assert_eq!(loaded.incarnation.count, 9);
    let Stored { records, leases, dead, kept, standing, .. } = loaded.stored;
    assert_eq!((leases.len(), dead.len(), kept.len(), standing), (0, 0, 0, Standing::default()));
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!(record.revision.since, [record.revision.order]);
    assert_eq!(record.slots[&slot()].revision, record.revision.order);
    assert!(loaded.offers.is_empty());
    store.commit(&Txn { dead: BTreeSet::from([key(1)]), ..deployment(2) }).expect("it is written");
    store.commit(&offers("rest", &["zigbee"])).expect("it is written");
    drop(store);
    let loaded = open(&path).1;
    assert_eq!((loaded.stored.records.len(), loaded.stored.dead.len(), loaded.offers.len()), (2, 1, 1));
    assert!(names(folder.path()).contains(&"motey.db.v1".to_owned()));
}

#[test]
fn a_store_that_is_up_to_date_is_not_copied() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("motey.db");
    (0..3).for_each(|_| drop(open(&path)));
    assert!(names(folder.path()).iter().all(|name| !name.contains(".v")));
}

#[test]
fn a_store_is_opened_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("motey.db");
    let (mut store, _) = open(&path);
    let error = refusal(&path);
    assert!(matches!(error, StoreError::InUse { .. }), "{error:?}");
    assert_snapshot!(shown(&error, folder.path()), @"<state>/motey.db is in use by another motey: stop it, or give this one another file");
    store.commit(&deployment(1)).expect("it is written");
    drop(store);
    assert_eq!(open(&path).1.incarnation.count, 2);
}

/// After going back to an older version: the advice to move a damaged file away would lose the state.
#[test]
fn what_a_newer_version_wrote_is_not_damaged() {
    for (sql, what) in [
        (r#"UPDATE record SET body = '{"v":99}'"#, "service record"),
        (r#"UPDATE lease SET body = '{"v":99}'"#, "lease"),
        (r#"INSERT INTO standing VALUES (1, '{"v":99}')"#, "standing of a node"),
        (r#"INSERT INTO kept SELECT service, '{"v":99}' FROM record"#, "revision"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("motey.db");
        open(&path).0.commit(&deployment(1)).expect("it is written");
        Connection::open(&path).expect("it opens").execute(sql, []).expect("it is changed");
        let error = refusal(&path);
        let text = shown(&error, folder.path());
        assert_eq!(
            text,
            "<state>/motey.db holds what a newer Motey wrote: run that version again, nothing in the file is lost"
        );
        assert!(chain(&error).contains(&format!("this {what} is written in form 99")), "{error:?}");
    }
}

#[test]
fn an_event_of_a_newer_version_is_not_damaged() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("motey.db");
    let (mut store, _) = open(&path);
    store.commit(&deployment(1)).expect("it is written");
    let changed =
        Connection::open(&path).expect("it opens").execute("UPDATE journal SET kind = 'danced'", []);
    assert_eq!(changed, Ok(2));
    let read = store.reader().expect("it opens").read(None, Span::Newest, 9);
    assert!(matches!(read, Err(StoreError::NewerContent { .. })), "{read:?}");
}

#[test]
fn a_state_directory_is_claimed_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("made/on/the/way");
    let first = StateDir::lock(&path).expect("it is free");
    let error = StateDir::lock(&path).expect_err("it is taken");
    let StateDirError::InUse { pid, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*pid, std::process::id().to_string());
    let text = shown(&error, folder.path()).replace(pid, "<pid>");
    assert_snapshot!(text, @"the state directory <state>/made/on/the/way is in use by another motey (process <pid>): stop it, or give this one another state_dir");
    drop(first);
    StateDir::lock(&path).expect("it is free again");

    let file = folder.path().join("a-file");
    fs::write(&file, "").expect("it is written");
    assert!(matches!(StateDir::lock(&file), Err(StateDirError::Io { .. })));
}

#[test]
fn a_nodes_id_is_drawn_once_and_never_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = StateDir::lock(folder.path()).expect("it is free");
    let id = node_id(&state, None, || Uuid::from_u128(5)).expect("it is kept");
    assert_eq!(id, NodeId(Uuid::from_u128(5)));
    assert_eq!(node_id(&state, None, || panic!("it is there already")).expect("it is read"), id);

    let path = folder.path().join("node-id");
    fs::write(&path, "five").expect("it is written");
    let error = node_id(&state, None, || panic!("the file is there")).expect_err("it is no id");
    assert!(matches!(error, IdentityError::NotAnId { .. }));
    assert_snapshot!(shown(&error, folder.path()), @"<state>/node-id holds no node id: put the node's UUID back into it; remove it only if this node shall be a new one");
    assert_eq!(fs::read_to_string(&path).expect("it is there"), "five");
    std::fs::remove_file(state.path().join("node-id")).expect("it is removed");
    let lost = node_id(&state, Some(id), || panic!("the state is somebody's")).expect_err("it is lost");
    assert!(lost.to_string().ends_with(&format!("which is {id} by the services' records")), "{lost}");
}
