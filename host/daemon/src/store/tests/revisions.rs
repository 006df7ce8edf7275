//! The last revisions of a service are kept beside its record, and go with it.

use super::*;
use crate::store::revisions::KEPT;

/// The record of service `n` with that revision, `version` of it.
fn with_revision(n: u64, number: u32, version: u64) -> Txn {
    let mut record = record(n, version);
    let order = RevisionOrder { number, epoch: 1, owner: node(), writer: WRITER };
    record.revision.order = order;
    record.revision.since = vec![order];
    Txn { records: BTreeMap::from([(service(n), Arc::new(record))]), ..deployment(n) }
}

fn numbers(store: &SqliteStore, n: u64) -> Vec<u32> {
    let past = store.reader().expect("it opens").revisions(service(n)).expect("they are read");
    past.iter().map(|past| past.revision.order.number).collect()
}

#[test]
fn a_revision_is_written_once_and_read_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("motey.db");
    let (mut store, _) = open(&path);
    for version in 1..4 {
        store.commit(&with_revision(1, 1, version)).expect("it is written");
    }
    store.commit(&with_revision(1, 2, 4)).expect("it is written");
    store.commit(&with_revision(2, 7, 1)).expect("it is written");
    drop(store);

    let store = open(&path).0;
    assert_eq!((numbers(&store, 1), numbers(&store, 2), numbers(&store, 3)), (vec![2, 1], vec![7], vec![]));
    let past = store.reader().expect("it opens").revisions(service(1)).expect("they are read");
    let written = with_revision(1, 2, 4);
    assert_eq!(past[0].revision, written.records[&service(1)].revision);
    assert_eq!(past[0].wall_ms, 1_700_000_000_000);
}

#[test]
fn the_newest_are_kept_and_none_of_a_tombstone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("motey.db");
    let (mut store, _) = open(&path);
    let most = KEPT + 3;
    for number in 1..=most {
        store.commit(&with_revision(1, number, number.into())).expect("it is written");
        store.commit(&with_revision(2, number, number.into())).expect("it is written");
    }
    let newest: Vec<u32> = (most - KEPT + 1..=most).rev().collect();
    assert_eq!((numbers(&store, 1), numbers(&store, 2)), (newest.clone(), newest.clone()));
    store.commit(&removal(1)).expect("it is written");
    assert_eq!((numbers(&store, 1), numbers(&store, 2)), (vec![], newest));
}

/// Another node wrote it, or an older Motey: the one that would come back is known nevertheless.
#[test]
fn what_would_come_back_is_kept_with_what_replaced_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut store, _) = open(&folder.path().join("motey.db"));
    let mut txn = with_revision(1, 5, 9);
    let record = txn.records.get_mut(&service(1)).expect("it is there");
    let before = with_revision(1, 4, 8).records[&service(1)].revision.clone();
    Arc::make_mut(record).previous = Some(Arc::new(before));
    store.commit(&txn).expect("it is written");
    assert_eq!(numbers(&store, 1), [5, 4]);
}
