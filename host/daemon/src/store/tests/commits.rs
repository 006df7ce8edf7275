//! What was committed is there after the next start, and nothing else.

use super::*;

#[test]
fn what_was_committed_is_loaded_at_the_next_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("motey.db");
    let mut memory = Memory::default();

    let (mut store, loaded) = open(&path);
    assert_eq!(loaded.incarnation, Incarnation { count: 1, nonce: 7 });
    assert_eq!(Memory::from(loaded), memory);
    let update = Txn { records: BTreeMap::from([(service(2), Arc::new(record(2, 9)))]), ..Txn::default() };
    for txn in [deployment(1), deployment(2), deployment(3), update, removal(1)] {
        store.commit(&txn).expect("it is written");
        memory.apply(&txn);
    }
    drop(store);

    let (store, loaded) = open(&path);
    assert_eq!(loaded.incarnation.count, 2);
    assert_eq!(
        loaded.stored.records.iter().map(|record| record.id).collect::<Vec<_>>(),
        [1, 2, 3].map(service)
    );
    assert_eq!(Memory::from(loaded), memory);
    drop(store);
    assert_eq!(open(&path).1.incarnation.count, 3);
    assert_eq!(integrity(&path), "ok");
}

#[test]
fn a_lease_is_freed_before_others_are_taken_and_may_be_held_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("motey.db");
    let mut memory = Memory::default();

    let (mut store, _) = open(&path);
    let again = Txn { taken: vec![lease(1), lease(1)], freed: BTreeSet::from([key(1)]), ..Txn::default() };
    for txn in [deployment(1), deployment(2), again] {
        store.commit(&txn).expect("it is written");
        memory.apply(&txn);
    }
    drop(store);

    let loaded = open(&path).1;
    assert_eq!(loaded.stored.leases.len(), 3);
    assert_eq!(Memory::from(loaded), memory);
}

fn revision(n: u64, number: u32) -> Arc<Revision> {
    let mut revision = record(n, 1).revision;
    revision.order.number = number;
    Arc::new(revision)
}

#[test]
fn what_the_node_must_not_forget_about_attempts_revisions_and_itself_is_loaded_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("motey.db");
    let mut memory = Memory::default();
    let (mut store, loaded) = open(&path);
    assert_eq!(loaded.stored.standing, Standing::default());

    let kept = |n, revision| Txn { kept: BTreeMap::from([(service(n), revision)]), ..Txn::default() };
    let dead = |keys: &[u64]| Txn { dead: keys.iter().map(|n| key(*n)).collect(), ..Txn::default() };
    let forgotten = Forgotten::from_counts([(NodeId(Uuid::from_u128(2)), 1)]);
    let standing = [Duty::Drain, Duty::Cordon].map(|duty| Txn {
        standing: Some(Arc::new(Standing { duty, forgotten: forgotten.clone(), ..Standing::default() })),
        ..Txn::default()
    });
    let outlived = Txn { outlived: [key(2)].into(), ..dead(&[4]) };
    let txns = [
        dead(&[1, 2]),
        dead(&[1, 3]),
        outlived,
        kept(1, Some(revision(1, 2))),
        kept(1, Some(revision(1, 3))),
    ];
    let more = [kept(2, Some(revision(2, 2))), kept(3, Some(revision(3, 2))), kept(3, None)];
    for txn in txns.into_iter().chain(more).chain(standing) {
        store.commit(&txn).expect("it is written");
        memory.apply(&txn);
    }
    drop(store);

    let loaded = open(&path).1;
    assert_eq!((loaded.stored.dead.len(), loaded.stored.kept.len()), (3, 2));
    assert_eq!(loaded.stored.standing.duty, Duty::Cordon);
    assert_eq!(Memory::from(loaded), memory);
}

#[test]
fn a_tombstone_ends_with_all_that_there_is_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("motey.db");
    let (mut store, _) = open(&path);
    for txn in [deployment(1), deployment(2), removal(1)] {
        store.commit(&txn).expect("it is written");
    }
    let graves = Arc::new([(service(1), 7)].into());
    let standing = Some(Arc::new(Standing { graves, ran: 9, ..Standing::default() }));
    store.commit(&Txn { standing: standing.clone(), ..Txn::default() }).expect("it is written");
    drop(store);
    let (mut store, loaded) = open(&path);
    assert_eq!((loaded.stored.records.len(), Some(Arc::new(loaded.stored.standing))), (2, standing));
    store.commit(&Txn { erased: [service(1)].into(), ..Txn::default() }).expect("it is written");
    drop(store);
    let left = open(&path).1.stored.records;
    assert_eq!(left.iter().map(|record| record.id).collect::<Vec<_>>(), [service(2)]);
}

#[test]
fn nothing_is_kept_against_a_tombstone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("motey.db");
    let mut memory = Memory::default();
    let (mut store, _) = open(&path);
    let both = |n| Txn {
        dead: BTreeSet::from([key(n)]),
        kept: BTreeMap::from([(service(n), Some(revision(n, 2)))]),
        ..deployment(n)
    };
    let removal_of_both = Txn { records: removal(2).records, ..both(2) };
    for txn in [both(1), both(2), both(3), removal(1), removal_of_both] {
        store.commit(&txn).expect("it is written");
        memory.apply(&txn);
    }
    drop(store);

    let loaded = open(&path).1;
    assert_eq!(loaded.stored.dead, [key(3)]);
    assert_eq!(loaded.stored.kept, [(service(3), Revision::clone(&revision(3, 2)))]);
    assert_eq!(Memory::from(loaded), memory);
}

#[test]
fn the_next_life_counts_on_from_a_raised_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("motey.db");
    let (mut store, _) = open(&path);
    let raised = Incarnation { count: 41, ..WRITER };
    store.commit(&Txn { incarnation: Some(raised), ..Txn::default() }).expect("it is written");
    drop(store);
    assert_eq!(open(&path).1.incarnation.count, 42);
}

#[test]
fn a_source_offers_what_it_was_last_told_to_and_no_other_source_is_touched() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("motey.db");
    let mut memory = Memory::default();

    let (mut store, _) = open(&path);
    let sets = [offers("a", &["zigbee", "gps"]), offers("b", &["zigbee"]), offers("a", &["lidar", "gps"])];
    for txn in sets {
        store.commit(&txn).expect("it is written");
        memory.apply(&txn);
    }
    drop(store);
    let (mut store, loaded) = open(&path);
    assert_eq!(loaded.offers.len(), 3);
    assert_eq!(Memory::from(loaded), memory);

    store.commit(&offers("a", &[])).expect("it is written");
    memory.apply(&offers("a", &[]));
    drop(store);
    assert_eq!(Memory::from(open(&path).1), memory);
}

#[test]
fn a_decision_without_a_written_form_leaves_the_store_usable() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("motey.db");
    let (mut store, _) = open(&path);

    let mut deep = record(1, 1);
    let mut image = ImageSpec::clone(&deep.revision.spec.images[0]);
    for _ in 0..crate::codec::MAX_NEED_DEPTH {
        image.need = Need::All(vec![image.need.into()]).into();
    }
    let source = deep.revision.spec.source.clone();
    deep.revision.spec =
        Arc::new(Spec { images: vec![Arc::new(image)], on_node_loss: Default::default(), source });
    let mut both = deployment(0);
    both.records.insert(service(1), Arc::new(deep));
    assert!(matches!(store.commit(&both), Err(StoreError::Unwritable { .. })));
    store.commit(&deployment(2)).expect("it is written");
    drop(store);

    let loaded = open(&path).1;
    assert_eq!(loaded.stored.records, [record(2, 1)]);
    assert_eq!(loaded.stored.leases, [lease(2)]);
}

#[test]
fn another_program_that_writes_is_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("motey.db");
    let (mut store, _) = open(&path);

    let other = Connection::open(&path).expect("it opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("it takes the lock");
    let error = store.commit(&deployment(1)).expect_err("the lock is held");
    assert!(matches!(error, StoreError::Busy { .. }), "{error:?}");
    other.execute_batch("ROLLBACK").expect("it gives the lock back");
    store.commit(&deployment(1)).expect("it is written");
}
