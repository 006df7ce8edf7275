//! A step in the making: the state with the transaction so far laid over it.
//!
//! Owner and executor read and write through it, so that both halves of a decision on one node are one commit.

mod dead;
mod heard;
mod leases;
mod others;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::capability::{CapId, Capability, Lease};
use crate::grave::Age;
use crate::id::{Called, EngineName, Millis, NodeId, ServiceId};
use crate::instance::{Heard, Instance, Seen};
use crate::keyed::Keyed;
use crate::membership::{Peer, Standing, Watch};
use crate::mutant::{self, Mutant};
use crate::needs::Taken;
use crate::peer::{Holder, Letter, PeerMessage};
use crate::record::{Fence, Incarnation, InstanceKey, Place, Revision, ServiceRecord, SlotId, Stamp};
use crate::run::Run;
use crate::spec::Health;
use crate::state::{Core, Engine};
use crate::step::{
    Answer, AskId, Call, CallId, Check, CheckId, Durability, Effect, EngineOp, Event, EventKind, Mark, Step,
    Target, Txn,
};

pub(crate) struct Draft<'a> {
    pub core: &'a Core,
    pub now: Millis,
    records: BTreeMap<ServiceId, Arc<ServiceRecord>>,
    /// The stamps under which records came in this step.
    received: BTreeMap<ServiceId, Stamp>,
    taken: Keyed<Vec<Lease>>,
    freed: BTreeSet<InstanceKey>,
    dead: BTreeSet<InstanceKey>,
    outlived: BTreeSet<InstanceKey>,
    kept: BTreeMap<ServiceId, Option<Arc<Revision>>>,
    erased: BTreeSet<ServiceId>,
    incarnation: Incarnation,
    standing: Arc<Standing>,
    /// Memory is ahead of the disk.
    writes_standing: bool,
    offers: BTreeMap<String, Vec<Capability>>,
    journal: Vec<Event>,
    durability: Durability,
    runs: Keyed<Option<Run>>,
    heard: Keyed<Option<Heard>>,
    holds: BTreeMap<(ServiceId, NodeId), Stamp>,
    peers: BTreeMap<NodeId, Peer>,
    given: Option<BTreeMap<NodeId, Taken>>,
    watch: Option<Watch>,
    refused: BTreeSet<(ServiceId, SlotId, NodeId)>,
    marks: Vec<Mark>,
    effects: Vec<Effect>,
    inbox: VecDeque<(NodeId, PeerMessage)>,
    /// Which other nodes hear which record: as it is when the step is whole.
    audience: BTreeSet<(ServiceId, NodeId)>,
    touched: BTreeSet<ServiceId>,
    held: OnceCell<Taken>,
    holders: OnceCell<BTreeMap<CapId, Holder>>,
    fences: u64,
    calls: u64,
    /// Something that another slot may wait for was given back.
    pub room: bool,
    reopened: bool,
}

impl<'a> Draft<'a> {
    pub fn new(core: &'a Core, now: Millis) -> Self {
        Self {
            core,
            now,
            records: BTreeMap::new(),
            received: BTreeMap::new(),
            taken: Keyed::default(),
            freed: BTreeSet::new(),
            dead: BTreeSet::new(),
            outlived: BTreeSet::new(),
            kept: BTreeMap::new(),
            erased: BTreeSet::new(),
            incarnation: core.me.incarnation,
            standing: Arc::clone(&core.standing),
            writes_standing: false,
            offers: BTreeMap::new(),
            journal: Vec::new(),
            durability: Durability::default(),
            runs: Keyed::default(),
            heard: Keyed::default(),
            holds: BTreeMap::new(),
            peers: BTreeMap::new(),
            given: None,
            watch: None,
            refused: BTreeSet::new(),
            marks: Vec::new(),
            effects: Vec::new(),
            inbox: VecDeque::new(),
            audience: BTreeSet::new(),
            touched: BTreeSet::new(),
            held: OnceCell::new(),
            holders: OnceCell::new(),
            fences: core.fences,
            calls: core.calls,
            room: false,
            reopened: false,
        }
    }

    pub fn finish(mut self) -> Step {
        for (service, node) in std::mem::take(&mut self.audience) {
            if let Some(record) = self.record(service) {
                self.post(node, PeerMessage::Record(record));
            }
        }
        let incarnation = Some(self.incarnation).filter(|now| *now != self.core.me.incarnation);
        let changed = self.writes_standing || self.standing != self.core.standing;
        let standing = changed.then(|| Arc::clone(&self.standing));
        if incarnation.is_some() || standing.is_some() || !self.kept.is_empty() {
            self.durability = Durability::Power;
        }
        self.collect_marks();
        if mutant::is(Mutant::AnswerUnsynced) {
            self.durability = Durability::Process;
        }
        let txn = Txn {
            records: self.records,
            taken: self.taken.into_iter().flat_map(|(_, leases)| leases).collect(),
            freed: self.freed,
            dead: self.dead,
            outlived: self.outlived,
            kept: self.kept,
            erased: self.erased,
            incarnation,
            standing,
            offers: self.offers,
            tries: self.writes_standing && self.core.cannot_write,
            journal: self.journal,
            durability: self.durability,
        };
        Step { txn, marks: self.marks, effects: self.effects, touched: self.touched }
    }

    fn collect_marks(&mut self) {
        let runs = std::mem::take(&mut self.runs).into_iter();
        self.marks.extend(runs.map(|(key, run)| Mark::Run(key, run.map(Box::new))));
        let heard = std::mem::take(&mut self.heard).into_iter();
        self.marks.extend(heard.map(|(key, heard)| Mark::Heard(key, heard.map(Box::new))));
        let holds = std::mem::take(&mut self.holds).into_iter();
        self.marks.extend(holds.map(|((service, node), stamp)| Mark::Holds(service, node, stamp)));
        let peers = std::mem::take(&mut self.peers).into_iter();
        self.marks.extend(peers.map(|(node, peer)| Mark::Peer(node, Box::new(peer))));
        self.marks.extend(self.given.take().map(Mark::Given));
        self.marks.extend(self.watch.take().map(|watch| Mark::Watch(Box::new(watch))));
        if self.fences > self.core.fences {
            self.marks.push(Mark::Fences(self.fences));
        }
        if self.calls > self.core.calls {
            self.marks.push(Mark::Calls(self.calls));
        }
    }

    pub fn me(&self) -> NodeId {
        self.core.me.node
    }

    /// What people call a node.
    pub fn called(&self, node: NodeId) -> Called {
        self.core.called(node)
    }

    /// What people call a slot.
    pub fn slot_called(&self, slot: &SlotId) -> String {
        match slot.place {
            Place::Ordinal(_) => slot.to_string(),
            Place::On(node) => format!("{}@{}", slot.image, self.called(node)),
        }
    }

    /// The service is looked at again, should this step not be written.
    pub fn touch(&mut self, service: ServiceId) {
        self.touched.insert(service);
    }

    // records

    pub fn record(&self, id: ServiceId) -> Option<Arc<ServiceRecord>> {
        self.records.get(&id).or_else(|| self.core.records.get(&id)).map(Arc::clone)
    }

    /// Puts a record in the transaction under the stamp that follows what is known of its epoch.
    pub fn write(&mut self, mut record: ServiceRecord, durability: Durability) -> Arc<ServiceRecord> {
        let received = self.received.get(&record.id).copied();
        let before = self.core.records.get(&record.id).map(|record| record.stamp);
        let same_epoch =
            |stamp: &Stamp| (stamp.epoch, stamp.owner) == (record.stamp.epoch, record.stamp.owner);
        let versions = received.into_iter().chain(before).filter(same_epoch).map(|stamp| stamp.version);
        record.stamp.version = versions.max().unwrap_or(0) + 1;
        record.stamp.writer = self.incarnation;
        record.stamp.absent = record.is_absent();
        let record = Arc::new(record);
        self.put(Arc::clone(&record), durability);
        record
    }

    /// Puts a record in the transaction as another node wrote it.
    pub fn store(&mut self, record: Arc<ServiceRecord>, durability: Durability) {
        self.received.insert(record.id, record.stamp);
        self.put(record, durability);
    }

    fn put(&mut self, record: Arc<ServiceRecord>, durability: Durability) {
        self.touch(record.id);
        self.durability = self.durability.max(durability);
        self.records.insert(record.id, record);
    }

    pub fn tell(
        &mut self,
        service: ServiceId,
        slot: Option<&SlotId>,
        kind: EventKind,
        text: impl Into<String>,
    ) {
        self.journal.push(Event { service, slot: slot.cloned(), kind, text: text.into() });
    }

    /// How many attempts were named so far.
    pub fn attempts(&self) -> u64 {
        self.fences
    }

    /// The source's full set from now on.
    pub fn offer(&mut self, source: &str, all: Vec<Capability>) {
        self.durability = Durability::Power;
        self.effects.push(Effect::Offer { source: source.to_owned(), all: all.clone() });
        self.offers.insert(source.to_owned(), all);
    }

    pub fn draw_fence(&mut self, epoch: u64) -> Fence {
        self.fences += u64::from(!mutant::is(Mutant::ReuseFence));
        let without = mutant::is(Mutant::FenceWithoutLife);
        let writer = if without { Incarnation { count: 0, nonce: 0 } } else { self.incarnation };
        Fence { epoch, owner: self.me(), writer, n: self.fences }
    }

    /// The acknowledged revision that is newer than the record's own.
    pub fn kept(&self, service: ServiceId) -> Option<Arc<Revision>> {
        match self.kept.get(&service) {
            Some(drafted) => drafted.clone(),
            None => self.core.kept.get(&service).cloned(),
        }
    }

    pub fn keep(&mut self, service: ServiceId, revision: Option<Arc<Revision>>) {
        if self.kept(service) != revision {
            self.touch(service);
            self.kept.insert(service, revision);
        }
    }

    /// Running time is counted so far.
    pub fn set_age(&mut self, age: Age) {
        self.marks.push(Mark::Age(age));
    }

    /// Nothing of the service is kept.
    pub fn erase(&mut self, service: ServiceId) {
        self.erased.insert(service);
    }

    /// Whether the step so far is what a full disk must still let through.
    pub fn makes_room(&self) -> bool {
        let mut records = self.records.values();
        let removes = !self.records.is_empty() || !self.freed.is_empty();
        removes && self.taken.is_empty() && records.all(|record| record.is_absent())
    }

    // the executor's memory

    pub fn run(&self, key: &InstanceKey) -> Option<Run> {
        match self.runs.get(key) {
            Some(drafted) => drafted.clone(),
            None => self.core.runs.get(key).cloned(),
        }
    }

    pub fn set_run(&mut self, key: &InstanceKey, run: Option<Run>) {
        if let Some(wait) = run.as_ref().and_then(|run| run.wait) {
            self.wake(key.service, wait.until);
        }
        self.runs.insert(key, run);
    }

    pub fn seen(&self, key: &InstanceKey) -> Option<&'a Instance> {
        self.core.seen.get(key)
    }

    /// Whether its engine has it, running or not.
    pub fn is_made(&self, key: &InstanceKey) -> bool {
        self.seen(key).is_some_and(|instance| instance.seen != Seen::Gone)
    }

    pub fn engine(&self, name: &EngineName) -> Option<&'a Engine> {
        self.core.engines.get(name)
    }

    /// Every instance of a service that this executor remembers, sees or drafted.
    pub fn known(&self, service: ServiceId) -> BTreeSet<InstanceKey> {
        let mut known: BTreeSet<InstanceKey> =
            self.core.runs.of(service).map(|(key, _)| key.clone()).collect();
        known.extend(self.core.seen.of(service).map(|(key, _)| key.clone()));
        known.extend(self.core.leases.of(service).map(|(key, _)| key.clone()));
        known.extend(self.runs.of(service).map(|(key, _)| key.clone()));
        known.retain(|key| !matches!(self.runs.get(key), Some(None)));
        known
    }

    /// Those of them in one slot.
    pub fn known_in(&self, service: ServiceId, slot: &SlotId) -> BTreeSet<InstanceKey> {
        let key = |fence| InstanceKey { service, slot: slot.clone(), fence };
        let remembered = self.core.runs.of_slot(service, slot).map(|(fence, _)| fence);
        let seen = self.core.seen.of_slot(service, slot).map(|(fence, _)| fence);
        let drafted = self.runs.of_slot(service, slot).map(|(fence, _)| fence);
        let leased = self.core.leases.of_slot(service, slot).map(|(fence, _)| fence);
        let known = remembered.chain(seen).chain(leased).chain(drafted).map(key);
        known.filter(|key| !matches!(self.runs.get(key), Some(None))).collect()
    }

    // time and effects

    pub fn wake(&mut self, service: ServiceId, at: Millis) {
        self.marks.push(Mark::Due(at, service));
    }

    pub fn fired(&mut self) {
        self.marks.push(Mark::Fired(self.now));
    }

    pub fn answer(&mut self, ask: AskId, answer: Answer) {
        self.effects.push(Effect::Answer(ask, answer));
    }

    pub fn call(&mut self, engine: &EngineName, target: Target, op: EngineOp) -> CallId {
        self.calls += 1;
        let id = CallId(self.calls);
        self.effects.push(Effect::Call(Call { id, engine: engine.clone(), target, op }));
        id
    }

    /// A call of this very step is not made after all. Returns whether it was one.
    pub fn take_back(&mut self, call: CallId) -> bool {
        let before = self.effects.len();
        self.effects.retain(|effect| !matches!(effect, Effect::Call(it) if it.id == call));
        self.effects.len() < before
    }

    pub fn check(&mut self, engine: &EngineName, key: &InstanceKey, health: &Health) -> CheckId {
        self.calls += 1;
        let id = CheckId(self.calls);
        let (engine, key, probe) = (engine.clone(), key.clone(), health.probe.clone());
        self.effects.push(Effect::Check(Check { id, engine, key, probe, timeout: health.timeout }));
        id
    }

    /// Says something to a node. What this node says to itself is heard in the same step; a record goes out once, as
    /// it is when the step is whole.
    pub fn send(&mut self, to: NodeId, message: PeerMessage) {
        match message {
            _ if to == self.me() => self.inbox.push_back((to, message)),
            PeerMessage::Record(record) => self.send_record(record.id, to),
            _ => self.post(to, message),
        }
    }

    /// Sends the record of a service as it is when the step is whole.
    pub fn send_record(&mut self, service: ServiceId, to: NodeId) {
        if to != self.me() {
            self.audience.insert((service, to));
        }
    }

    /// Who is not authorised is told nothing.
    fn post(&mut self, to: NodeId, message: PeerMessage) {
        let incarnation = self.incarnation;
        let number = match message {
            _ if !self.core.membership.peers.contains_key(&to) => return,
            PeerMessage::Beat(_) | PeerMessage::Resync | PeerMessage::Stale { .. } => 0,
            _ => self.next_number(to),
        };
        self.effects.push(Effect::Send(to, Letter { incarnation, number, message }));
    }

    fn next_number(&mut self, to: NodeId) -> u64 {
        let Some(peer) = self.peer(to) else { return 0 };
        peer.posted += 1;
        peer.posted
    }

    pub fn next_message(&mut self) -> Option<(NodeId, PeerMessage)> {
        self.inbox.pop_front()
    }
}
