//! The store on real files, real disks and under a real SIGKILL.

mod commits;
mod failing;
mod files;
mod fsyncs;
mod full;
mod journal;
mod killed;
mod revisions;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use motey_core::capability::{CapId, Capability, Lease, Scalar, Supply};
use motey_core::id::{NodeId, ServiceId};
use motey_core::peer::{Duty, Forgotten};
use motey_core::record::{
    Assignment, Desired, Fence, Incarnation, InstanceKey, Revision, RevisionOrder, ServiceRecord, SlotId,
    Stamp,
};
use motey_core::spec::{Format, ImageSpec, Need, OnNodeLoss, Params, Requirement, Source, Spec, Take};
use motey_core::step::{Durability, Event, EventKind, Txn};
use motey_core::{Standing, Stored};
use rusqlite::Connection;
use uuid::Uuid;

use super::{Loaded, SqliteStore, StoreError};

const WRITER: Incarnation = Incarnation { count: 1, nonce: 7 };

fn node() -> NodeId {
    NodeId(Uuid::from_u128(1))
}

/// As a version 7 UUID is: later ones are greater.
fn service(n: u64) -> ServiceId {
    ServiceId(Uuid::from_u128((0x0190_0000_0000 + u128::from(n)) << 80 | 0x7000 << 64 | u128::from(n)))
}

fn slot() -> SlotId {
    "vision-0".parse().expect("a slot")
}

fn fence(n: u64) -> Fence {
    Fence { epoch: 1, owner: node(), writer: WRITER, n }
}

fn key(n: u64) -> InstanceKey {
    InstanceKey { service: service(n), slot: slot(), fence: fence(n) }
}

fn lease(n: u64) -> Lease {
    let of = CapId { source: "host-facts".into(), name: "memory".into(), unit: String::new() };
    Lease { of, amount: 64_000_000, holder: key(n) }
}

fn event(n: u64, kind: EventKind) -> Event {
    Event { service: service(n), slot: Some(slot()), kind, text: format!("{} of {n}", kind.as_str()) }
}

/// One of everyday size, in the version `version`.
fn record(n: u64, version: u64) -> ServiceRecord {
    let engine = || "process".parse().expect("an engine");
    let image = ImageSpec {
        engines: vec![engine()],
        need: Need::Has(Requirement { take: Take::Amount(64_000_000), ..Requirement::named("memory") })
            .into(),
        params: Params {
            command: vec!["--camera".into(), "0".into()],
            environment: BTreeMap::from([("MODE".into(), "day".into())]),
            working_dir: None,
            ..Params::default()
        },
        ..ImageSpec::new("vision".parse().expect("a key"), "/usr/bin/vision")
    };
    let text = "service_name: vision\nimages:\n  - image: /usr/bin/vision\n".repeat(8);
    let spec = Spec {
        images: vec![Arc::new(image)],
        on_node_loss: OnNodeLoss::default(),
        source: Source { format: Format::Yaml, text: text.into() },
    };
    let order = RevisionOrder { number: 1, epoch: 1, owner: node(), writer: WRITER };
    let (engine, fence) = (engine(), fence(n));
    let assignment = Assignment { node: node(), engine, fence, revision: order, pinned: false, from: None };
    ServiceRecord {
        id: service(n),
        name: format!("vision {n}").parse().expect("a name"),
        desired: Desired::Running,
        stamp: Stamp { absent: false, epoch: 1, owner: node(), writer: WRITER, version },
        revision: Revision { order, spec: Arc::new(spec), scaled: BTreeMap::new(), since: vec![order] },
        previous: None,
        slots: BTreeMap::from([(slot(), assignment)]),
        dismissed: BTreeSet::new(),
        homes: BTreeMap::new(),
        holders: vec![node()],
        heir: None,
        unproven: false,
        ended: BTreeMap::new(),
    }
}

/// What a deployment on its own node writes.
fn deployment(n: u64) -> Txn {
    Txn {
        records: BTreeMap::from([(service(n), Arc::new(record(n, 1)))]),
        taken: vec![lease(n)],
        journal: vec![event(n, EventKind::Deployed), event(n, EventKind::Assigned)],
        durability: Durability::Power,
        ..Txn::default()
    }
}

/// A source with that full set.
fn offers(source: &str, names: &[&str]) -> Txn {
    let capability = |name: &&str| Capability {
        id: CapId { source: source.into(), name: (*name).into(), unit: "A1".into() },
        kind: "hardware".into(),
        props: BTreeMap::from([
            ("count".into(), Scalar::Integer(-1)),
            ("looks-like-one".into(), Scalar::Text("1".into())),
            ("usb".into(), Scalar::Bool(true)),
        ]),
        supply: Supply::Amount(u64::MAX),
        binding: None,
    };
    let all = names.iter().map(capability).collect();
    let offers = BTreeMap::from([(source.to_owned(), all)]);
    Txn { offers, durability: Durability::Power, ..Txn::default() }
}

/// What is written when a service is deleted and its instance is gone.
fn removal(n: u64) -> Txn {
    let mut record = record(n, 2);
    record.desired = Desired::Absent;
    record.stamp.absent = true;
    record.slots.clear();
    record.revision.spec = Arc::new(Spec {
        images: vec![],
        on_node_loss: OnNodeLoss::default(),
        source: record.revision.spec.source.clone(),
    });
    Txn {
        records: BTreeMap::from([(service(n), Arc::new(record))]),
        freed: BTreeSet::from([key(n)]),
        journal: vec![event(n, EventKind::Deleted), event(n, EventKind::Terminated)],
        durability: Durability::Power,
        ..Txn::default()
    }
}

fn story(events: Vec<Event>) -> Txn {
    Txn { journal: events, ..Txn::default() }
}

fn open(path: &Path) -> (SqliteStore, Loaded) {
    SqliteStore::open(path, 7, || 1_700_000_000_000).expect("the store opens")
}

fn refusal(path: &Path) -> StoreError {
    SqliteStore::open(path, 7, || 0).map(drop).expect_err("it must not open")
}

/// What the core holds: changed by what was committed, and nothing else.
#[derive(Debug, Default, PartialEq, Eq)]
struct Memory {
    records: BTreeMap<ServiceId, Arc<ServiceRecord>>,
    leases: BTreeMap<String, Vec<Lease>>,
    dead: BTreeSet<InstanceKey>,
    kept: BTreeMap<ServiceId, Arc<Revision>>,
    standing: Standing,
    offers: BTreeMap<String, Vec<Capability>>,
}

impl Memory {
    fn apply(&mut self, txn: &Txn) {
        txn.freed.iter().for_each(|key| drop(self.leases.remove(&format!("{key:?}"))));
        txn.taken.iter().for_each(|lease| self.take(lease.clone()));
        self.dead.retain(|key| !txn.outlived.contains(key));
        self.dead.extend(txn.dead.iter().cloned());
        for (id, revision) in &txn.kept {
            self.kept.remove(id);
            self.kept.extend(revision.as_ref().map(|revision| (*id, Arc::clone(revision))));
        }
        if let Some(standing) = &txn.standing {
            self.standing = Standing::clone(standing);
        }
        for (id, record) in &txn.records {
            self.records.insert(*id, Arc::clone(record));
            if record.is_absent() {
                self.dead.retain(|key| key.service != *id);
                self.kept.remove(id);
            }
        }
        txn.erased.iter().for_each(|id| drop(self.records.remove(id)));
        self.offers.extend(txn.offers.clone());
        self.offers.retain(|_, all| !all.is_empty());
    }

    fn take(&mut self, lease: Lease) {
        self.leases.entry(format!("{:?}", lease.holder)).or_default().push(lease);
    }
}

impl From<Loaded> for Memory {
    fn from(loaded: Loaded) -> Self {
        let Stored { records, leases, dead, kept, standing, .. } = loaded.stored;
        let mut memory = Self {
            records: records.into_iter().map(|record| (record.id, Arc::new(record))).collect(),
            dead: dead.into_iter().collect(),
            kept: kept.into_iter().map(|(id, revision)| (id, Arc::new(revision))).collect(),
            standing,
            ..Self::default()
        };
        leases.into_iter().for_each(|lease| memory.take(lease));
        for offered in loaded.offers {
            memory.offers.entry(offered.id.source.clone()).or_default().push(offered);
        }
        memory
    }
}

/// What SQLite itself thinks of the file.
fn integrity(path: &Path) -> String {
    let connection = Connection::open(path).expect("it opens");
    connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("it answers")
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    super::draft::beside(path, suffix)
}

/// The path that makes a test the child of another one.
const CHILD: &str = "MOTEY_STORE_TEST_CHILD";

/// The path this process was started with, if it is a child.
fn child() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(Into::into)
}

/// Arguments that make this very program run `test` alone.
fn alone(module: &str, test: &str) -> [String; 4] {
    let (_, module) = module.split_once("::").expect("a path inside the crate");
    [format!("{module}::{test}"), "--exact".into(), "--nocapture".into(), "--test-threads=1".into()]
}

/// Whether a test may not do without what it needs of the machine.
fn required() -> bool {
    std::env::var_os("MOTEY_REQUIRE_ENGINES").is_some_and(|value| value == "1")
}

/// Runs `command`, or tells why this test proves nothing here, which is a failure where it is required.
fn ran(command: &mut Command, why: &str) -> bool {
    let failure = match command.output() {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    assert!(!required(), "{why}: {failure}");
    eprintln!("NOT TESTED: {why}: {failure}");
    false
}
