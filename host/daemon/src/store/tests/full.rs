//! A full disk leaves store and memory equal, the handle usable, and a way out by deleting.

use std::fs;
use std::io::Write;

use super::*;
use crate::store::{Span, reserve};

/// More deployments than fit on any of the disks here.
const MANY: u64 = 5000;

/// A disk of its own, small enough to be filled.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    fn mount(size: &str) -> Option<Self> {
        let disk = Self { folder: tempfile::tempdir().expect("a folder") };
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "motey-test"]).arg(disk.folder.path());
        ran(&mut mount, "the store on a full disk (it needs a small tmpfs, and root to mount it)")
            .then_some(disk)
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("motey.db")
    }

    /// Leaves `spare` bytes of room, until the file that is returned is cut.
    fn fill(&self, spare: u64) -> fs::File {
        let mut file = fs::File::create(self.folder.path().join("filler")).expect("it is made");
        while file.write_all(&[7; 4096]).is_ok() {}
        let size = file.metadata().expect("it is there").len();
        file.set_len(size - spare).expect("it is cut");
        file
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.folder.path()).status();
    }
}

/// Commits one after the other while they get through; what got through is in `memory`.
fn commit_while_it_goes(
    store: &mut SqliteStore,
    memory: &mut Memory,
    txns: impl Iterator<Item = Txn>,
) -> u64 {
    let mut done = 0;
    for txn in txns {
        match store.commit(&txn) {
            Ok(()) => memory.apply(&txn),
            Err(StoreError::Full { .. }) => return done,
            Err(error) => panic!("{error:?}"),
        }
        done += 1;
    }
    done
}

#[test]
fn a_full_disk_refuses_what_adds_lets_through_what_removes_and_forgets_nothing() {
    let Some(disk) = SmallDisk::mount("2m") else { return };
    let (path, mut memory) = (disk.store(), Memory::default());
    let (mut store, _) = open(&path);
    let filler = disk.fill(512 * 1024);

    let deployed = commit_while_it_goes(&mut store, &mut memory, (0..MANY).map(deployment));
    assert!(deployed > 10, "only {deployed} deployments");
    assert!(matches!(store.commit(&deployment(deployed)), Err(StoreError::Full { .. })));
    let newest = store.reader().expect("it opens").read(None, Span::Newest, 1).expect("it is read");
    assert_eq!(newest[0].service, service(deployed - 1));

    let looked_at = fs::File::open(beside(&path, ".reserve")).expect("it is there");
    let removed = commit_while_it_goes(&mut store, &mut memory, (0..deployed).map(removal));
    assert_eq!(removed, deployed, "deleting must get through");
    assert!(!beside(&path, ".reserve").exists());
    drop(looked_at);
    assert!(matches!(store.commit(&deployment(deployed)), Err(StoreError::Full { source: None, .. })));

    drop(store);
    assert_eq!(integrity(&path), "ok");
    let (mut store, loaded) = open(&path);
    assert_eq!(Memory::from(loaded), memory);

    filler.set_len(0).expect("it is cut");
    store.commit(&deployment(deployed)).expect("there is room again");
    memory.apply(&deployment(deployed));
    assert_eq!(fs::metadata(beside(&path, ".reserve")).expect("it is back").len(), reserve::SIZE);
    drop(store);
    assert_eq!(Memory::from(open(&path).1), memory);
    assert_eq!(integrity(&path), "ok");
}

#[test]
fn a_handle_that_met_a_full_disk_goes_on_once_there_is_room() {
    let Some(disk) = SmallDisk::mount("2m") else { return };
    let (path, mut memory) = (disk.store(), Memory::default());
    let (mut store, _) = open(&path);
    let mut next = 0;
    for _ in 0..5 {
        let filler = disk.fill(96 * 1024);
        next += commit_while_it_goes(&mut store, &mut memory, (next..MANY).map(deployment));
        assert!(matches!(store.commit(&deployment(next)), Err(StoreError::Full { .. })));
        filler.set_len(0).expect("it is cut");
        store.commit(&deployment(next)).expect("there is room again");
        memory.apply(&deployment(next));
        next += 1;
    }
    drop(store);
    assert_eq!(Memory::from(open(&path).1), memory);
    assert_eq!(integrity(&path), "ok");
}

#[test]
fn a_node_starts_on_a_full_disk_and_can_delete_there() {
    let Some(disk) = SmallDisk::mount("1m") else { return };
    let (path, mut memory) = (disk.store(), Memory::default());
    let (mut store, _) = open(&path);
    (0..10).for_each(|n| store.commit(&deployment(n)).expect("it is written"));
    (0..10).for_each(|n| memory.apply(&deployment(n)));
    drop(store);
    // as after a copy was put in place: not even SQLite's index has its room yet
    for suffix in ["-wal", "-shm"] {
        fs::remove_file(beside(&path, suffix)).expect("it is there");
    }
    disk.fill(0);

    let (mut store, loaded) = open(&path);
    assert_eq!(Memory::from(loaded), memory);
    assert!(matches!(store.commit(&deployment(10)), Err(StoreError::Full { .. })));
    assert_eq!(commit_while_it_goes(&mut store, &mut memory, (0..10).map(removal)), 10);
    drop(store);
    assert_eq!(Memory::from(open(&path).1), memory);
}

#[test]
fn a_store_is_not_made_half_on_a_full_disk() {
    let Some(disk) = SmallDisk::mount("1m") else { return };
    let filler = disk.fill(8 * 1024);
    let error = refusal(&disk.store());
    assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
    let left = fs::read_dir(disk.folder.path()).expect("a folder").count();
    assert_eq!(left, 1, "the filler alone");
    filler.set_len(0).expect("it is cut");
    open(&disk.store());
}
