//! A step in the making: the state with the transaction so far laid over it.
//!
//! Owner and executor read and write through it, so that both halves of a decision on one node are one commit.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::capability::{Capability, Lease};
use crate::id::{EngineName, Millis, NodeId, ServiceId};
use crate::instance::{Instance, Report};
use crate::keyed::Keyed;
use crate::needs::Taken;
use crate::placement::Facts;
use crate::record::{Fence, InstanceKey, ServiceRecord, SlotId};
use crate::run::Run;
use crate::state::{Core, Engine};
use crate::step::{
    Answer, AskId, Call, CallId, Durability, Effect, EngineOp, Event, EventKind, Mark, PeerMessage, Step,
    Target, Txn,
};

pub(crate) struct Draft<'a> {
    pub core: &'a Core,
    pub now: Millis,
    records: BTreeMap<ServiceId, Arc<ServiceRecord>>,
    taken: Keyed<Vec<Lease>>,
    freed: BTreeSet<InstanceKey>,
    offers: BTreeMap<String, Vec<Capability>>,
    journal: Vec<Event>,
    durability: Durability,
    runs: Keyed<Option<Run>>,
    refused: BTreeSet<(ServiceId, SlotId, NodeId)>,
    marks: Vec<Mark>,
    effects: Vec<Effect>,
    inbox: VecDeque<(NodeId, PeerMessage)>,
    /// Which other nodes hear which record: as it is when the step is whole.
    audience: BTreeSet<(ServiceId, NodeId)>,
    touched: BTreeSet<ServiceId>,
    held: OnceCell<Taken>,
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
            taken: Keyed::default(),
            freed: BTreeSet::new(),
            offers: BTreeMap::new(),
            journal: Vec::new(),
            durability: Durability::default(),
            runs: Keyed::default(),
            refused: BTreeSet::new(),
            marks: Vec::new(),
            effects: Vec::new(),
            inbox: VecDeque::new(),
            audience: BTreeSet::new(),
            touched: BTreeSet::new(),
            held: OnceCell::new(),
            fences: core.fences,
            calls: core.calls,
            room: false,
            reopened: false,
        }
    }

    pub fn finish(mut self) -> Step {
        let runs = self.runs.into_iter();
        self.marks.extend(runs.map(|(key, run)| Mark::Run(key, run.map(Box::new))));
        if self.fences > self.core.fences {
            self.marks.push(Mark::Fences(self.fences));
        }
        if self.calls > self.core.calls {
            self.marks.push(Mark::Calls(self.calls));
        }
        let told = self.audience.iter().filter_map(|(service, node)| {
            let record = self.records.get(service)?;
            Some(Effect::Send(*node, PeerMessage::Record(Arc::clone(record))))
        });
        self.effects.extend(told);
        let txn = Txn {
            records: self.records,
            taken: self.taken.into_iter().flat_map(|(_, leases)| leases).collect(),
            freed: self.freed,
            offers: self.offers,
            journal: self.journal,
            durability: self.durability,
        };
        Step { txn, marks: self.marks, effects: self.effects, touched: self.touched }
    }

    pub fn me(&self) -> NodeId {
        self.core.me.node
    }

    /// The service is looked at again, should this step not be written.
    pub fn touch(&mut self, service: ServiceId) {
        self.touched.insert(service);
    }

    // records

    pub fn record(&self, id: ServiceId) -> Option<Arc<ServiceRecord>> {
        self.records.get(&id).or_else(|| self.core.records.get(&id)).map(Arc::clone)
    }

    /// Puts a record in the transaction under the stamp that follows what was committed.
    pub fn write(&mut self, mut record: ServiceRecord, durability: Durability) -> Arc<ServiceRecord> {
        let committed = self.core.records.get(&record.id);
        record.stamp.version = committed.map_or(1, |before| before.stamp.version + 1);
        record.stamp.writer = self.core.me.incarnation;
        record.stamp.absent = record.is_absent();
        let record = Arc::new(record);
        self.store(Arc::clone(&record), durability);
        record
    }

    /// Puts a record in the transaction as another node wrote it.
    pub fn store(&mut self, record: Arc<ServiceRecord>, durability: Durability) {
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

    /// The source's full set from now on.
    pub fn offer(&mut self, source: &str, all: Vec<Capability>) {
        self.durability = Durability::Power;
        self.effects.push(Effect::Offer { source: source.to_owned(), all: all.clone() });
        self.offers.insert(source.to_owned(), all);
    }

    pub fn draw_fence(&mut self, epoch: u64) -> Fence {
        self.fences += 1;
        Fence { epoch, owner: self.me(), writer: self.core.me.incarnation, n: self.fences }
    }

    /// Whether the step so far is what a full disk must still let through.
    pub fn only_removes(&self) -> bool {
        let mut records = self.records.values();
        let removes = !self.records.is_empty() || !self.freed.is_empty();
        removes && self.taken.is_empty() && records.all(|record| record.is_absent())
    }

    // leases

    pub fn held(&self) -> &Taken {
        self.held.get_or_init(|| {
            let mut held = self.core.held.clone();
            let freed = self.freed.iter().filter_map(|key| self.core.leases.get(key));
            freed.flatten().for_each(|lease| give_back(&mut held, lease));
            let taken = self.taken.iter().flat_map(|(_, leases)| leases);
            taken.for_each(|lease| *held.entry(lease.of.clone()).or_default() += lease.amount);
            held
        })
    }

    /// What all attempts of one slot hold together.
    pub fn held_by_slot(&self, service: ServiceId, slot: &SlotId) -> Taken {
        let committed = self.core.leases.of_slot(service, slot).filter(|(fence, _)| {
            let key = InstanceKey { service, slot: slot.clone(), fence: *fence };
            !self.freed.contains(&key)
        });
        let leases = committed.chain(self.taken.of_slot(service, slot)).flat_map(|(_, leases)| leases);
        let mut held = Taken::new();
        leases.for_each(|lease| *held.entry(lease.of.clone()).or_default() += lease.amount);
        held
    }

    pub fn has_leases(&self, key: &InstanceKey) -> bool {
        let committed = self.core.leases.get(key).is_some() && !self.freed.contains(key);
        committed || self.taken.get(key).is_some()
    }

    pub fn take(&mut self, key: &InstanceKey, leases: Vec<Lease>) {
        if leases.is_empty() {
            return;
        }
        self.durability = Durability::Power;
        if let Some(held) = self.held.get_mut() {
            leases.iter().for_each(|lease| *held.entry(lease.of.clone()).or_default() += lease.amount);
        }
        self.taken.get_or_insert(key).extend(leases);
    }

    pub fn free(&mut self, key: &InstanceKey) {
        let drafted = self.taken.remove(key);
        let committed = self.core.leases.get(key).filter(|_| !self.freed.contains(key));
        let leases = drafted.iter().chain(committed).flatten();
        if let Some(held) = self.held.get_mut() {
            leases.for_each(|lease| give_back(held, lease));
        }
        if committed.is_some() {
            self.freed.insert(key.clone());
        }
        self.room |= committed.is_some() || drafted.is_some();
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

    pub fn engine(&self, name: &EngineName) -> Option<&'a Engine> {
        self.core.engines.get(name)
    }

    /// Every instance of a service that this executor remembers, sees or drafted.
    pub fn known(&self, service: ServiceId) -> BTreeSet<InstanceKey> {
        let mut known: BTreeSet<InstanceKey> = self.core.runs.of(service).map(|(key, _)| key).collect();
        known.extend(self.core.seen.of(service).map(|(key, _)| key));
        known.extend(self.runs.of(service).map(|(key, _)| key));
        known.retain(|key| !matches!(self.runs.get(key), Some(None)));
        known
    }

    /// Those of them in one slot.
    pub fn known_in(&self, service: ServiceId, slot: &SlotId) -> BTreeSet<InstanceKey> {
        let key = |fence| InstanceKey { service, slot: slot.clone(), fence };
        let remembered = self.core.runs.of_slot(service, slot).map(|(fence, _)| fence);
        let seen = self.core.seen.of_slot(service, slot).map(|(fence, _)| fence);
        let drafted = self.runs.of_slot(service, slot).map(|(fence, _)| fence);
        let known = remembered.chain(seen).chain(drafted).map(key);
        known.filter(|key| !matches!(self.runs.get(key), Some(None))).collect()
    }

    // the owner's memory

    pub fn facts(&self) -> Vec<Facts<'a>> {
        vec![Facts {
            node: self.me(),
            capabilities: self.core.offered(),
            engines: &self.core.engines,
            held: self.held().clone(),
        }]
    }

    pub fn refuses(&self, service: ServiceId, slot: &SlotId, node: NodeId) -> bool {
        let key = (service, slot.clone(), node);
        let before = self.core.refused.get(&key).filter(|_| !(self.reopened && node == self.me()));
        self.refused.contains(&key) || before.is_some_and(|until| *until > self.now)
    }

    /// Whether something was given back since the last time; what this node refused for want of it is offered again.
    pub fn reopen(&mut self) -> bool {
        let room = std::mem::take(&mut self.room);
        if room && !self.reopened {
            self.reopened = true;
            self.marks.push(Mark::Reopened);
        }
        room
    }

    pub fn mark_refused(&mut self, key: &InstanceKey, node: NodeId, until: Millis) {
        self.refused.insert((key.service, key.slot.clone(), node));
        self.marks.push(Mark::Refused(key.service, key.slot.clone(), node, until));
    }

    pub fn mark_reported(&mut self, report: Report) {
        self.marks.push(Mark::Reported(report));
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

    /// Says something to a node. What this node says to itself is heard in the same step.
    pub fn send(&mut self, to: NodeId, message: PeerMessage) {
        match message {
            _ if to == self.me() => self.inbox.push_back((to, message)),
            PeerMessage::Record(record) => drop(self.audience.insert((record.id, to))),
            PeerMessage::Report(_) => self.effects.push(Effect::Send(to, message)),
        }
    }

    pub fn next_message(&mut self) -> Option<(NodeId, PeerMessage)> {
        self.inbox.pop_front()
    }
}

fn give_back(held: &mut Taken, lease: &Lease) {
    if let Some(held) = held.get_mut(&lease.of) {
        *held = held.saturating_sub(lease.amount);
    }
}
