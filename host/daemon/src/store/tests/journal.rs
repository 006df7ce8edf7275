//! The journal is read in parts, from any thread, and never grows beyond its bounds.

use super::*;
use crate::store::bounds::{OF_ALL, OF_ONE};
use crate::store::{Entry, Span};

fn texts(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.text.as_str()).collect()
}

#[test]
fn it_is_read_by_service_and_by_number_from_another_thread() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("motey.db");
    let (mut store, _) = open(&path);
    let reader = store.reader().expect("it opens");
    store.commit(&deployment(1)).expect("it is written");
    store.commit(&deployment(2)).expect("it is written");
    let whole = Event { slot: None, ..event(1, EventKind::Deleted) };
    store.commit(&story(vec![whole])).expect("it is written");

    std::thread::spawn(move || {
        let read = |of, span, limit| reader.read(of, span, limit).expect("it is read");
        let newest = read(None, Span::Newest, 2);
        assert_eq!(texts(&newest), ["deleted of 1", "assigned of 2"]);
        let (seq, wall_ms) = (newest[0].seq, 1_700_000_000_000);
        let text = "deleted of 1".into();
        let entry = Entry { seq, wall_ms, service: service(1), slot: None, kind: EventKind::Deleted, text };
        assert_eq!(newest[0], entry);
        assert_eq!(newest[1].slot, Some(slot()));

        let older = read(None, Span::Before(newest[1].seq), 9);
        assert_eq!(texts(&older), ["deployed of 2", "assigned of 1", "deployed of 1"]);
        let later = read(None, Span::After(older[1].seq), 2);
        assert_eq!(texts(&later), ["deployed of 2", "assigned of 2"]);
        assert_eq!(texts(&read(None, Span::After(u64::MAX), 9)), [""; 0]);

        let of = Some(service(1));
        assert_eq!(texts(&read(of, Span::Newest, 2)), ["deleted of 1", "assigned of 1"]);
        assert_eq!(texts(&read(of, Span::After(0), 2)), ["deployed of 1", "assigned of 1"]);
        assert_eq!(texts(&read(Some(service(3)), Span::Newest, 2)), [""; 0]);
    })
    .join()
    .expect("the reader is content");
}

#[test]
fn a_reader_does_not_hold_up_the_store_nor_outlive_its_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("motey.db");
    let (mut store, _) = open(&path);
    let reader = store.reader().expect("it opens");
    store.commit(&deployment(1)).expect("it is written");
    assert_eq!(reader.read(None, Span::Newest, 9).expect("it is read").len(), 2);
    drop(store);
    let (mut store, _) = open(&path);
    store.commit(&deployment(2)).expect("it is written");
    assert_eq!(reader.read(None, Span::Newest, 9).expect("it is read").len(), 4);
}

#[test]
fn a_service_keeps_its_newest_thousand() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("motey.db");
    let (mut store, _) = open(&path);
    store.commit(&deployment(2)).expect("it is written");
    for _ in 0..OF_ONE {
        store.commit(&story(vec![event(1, EventKind::Started)])).expect("it is written");
    }
    store.commit(&story(vec![event(1, EventKind::Exited); 3])).expect("it is written");

    let reader = store.reader().expect("it opens");
    let all = reader.read(Some(service(1)), Span::Newest, 2000).expect("it is read");
    assert_eq!(all.len(), 1000);
    assert!(all[..3].iter().all(|entry| entry.kind == EventKind::Exited));
    assert_eq!(reader.read(Some(service(2)), Span::Newest, 2000).expect("it is read").len(), 2);
}

#[test]
fn all_services_together_keep_the_newest_ten_thousand_also_over_restarts() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("motey.db");
    let (mut store, _) = open(&path);
    for n in 1..=13 {
        store.commit(&story(vec![event(n, EventKind::Started); 900])).expect("it is written");
    }
    drop(store);
    let (mut store, _) = open(&path);
    for n in [1, 14, 14] {
        store.commit(&story(vec![event(n, EventKind::Exited)])).expect("it is written");
    }

    let reader = store.reader().expect("it opens");
    let all = reader.read(None, Span::Newest, 20_000).expect("it is read");
    assert_eq!(all.len(), usize::try_from(OF_ALL).expect("it fits"));
    let of = |n| all.iter().filter(|entry| entry.service == service(n)).count();
    assert_eq!([1, 2, 3, 13, 14].map(of), [1, 97, 900, 900, 2]);
    assert_eq!([1, 2, 3, 13, 14].map(|n| store.bounds.held(service(n))), [1, 97, 900, 900, 2]);
}
