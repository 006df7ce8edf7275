//! A step in the making: the state with the transaction so far laid over it.
//!
//! Owner and executor read and write through it, so that both halves of a decision on one node are one commit.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::capability::Lease;
use crate::executor::Run;
use crate::id::{EngineName, Millis, NodeId, ServiceId};
use crate::instance::{Instance, Report};
use crate::needs::Taken;
use crate::placement::Facts;
use crate::record::{Fence, InstanceKey, ServiceRecord, SlotId};
use crate::state::{Core, Engine};
use crate::step::{
    Answer, AskId, Call, CallId, Durability, Effect, EngineOp, Event, EventKind, Mark, PeerMessage, Step,
    Target, Txn,
};

pub(crate) struct Draft<'a> {
    pub core: &'a Core,
    pub now: Millis,
    txn: Txn,
    marks: Vec<Mark>,
    effects: Vec<Effect>,
    runs: BTreeMap<InstanceKey, Option<Run>>,
    inbox: VecDeque<(NodeId, PeerMessage)>,
    touched: BTreeSet<ServiceId>,
    fences: u64,
    calls: u64,
    /// Something that another slot may wait for was given back.
    pub room: bool,
}

impl<'a> Draft<'a> {
    pub fn new(core: &'a Core, now: Millis) -> Self {
        Self {
            core,
            now,
            txn: Txn::default(),
            marks: Vec::new(),
            effects: Vec::new(),
            runs: BTreeMap::new(),
            inbox: VecDeque::new(),
            touched: BTreeSet::new(),
            fences: core.fences,
            calls: core.calls,
            room: false,
        }
    }

    pub fn finish(mut self) -> Step {
        let runs = self.runs.into_iter().map(|(key, run)| Mark::Run(key, run.map(Box::new)));
        self.marks.extend(runs);
        if self.fences > self.core.fences {
            self.marks.push(Mark::Fences(self.fences));
        }
        if self.calls > self.core.calls {
            self.marks.push(Mark::Calls(self.calls));
        }
        Step { txn: self.txn, marks: self.marks, effects: self.effects, touched: self.touched }
    }

    pub fn me(&self) -> NodeId {
        self.core.me.node
    }

    // records

    pub fn record(&self, id: ServiceId) -> Option<Arc<ServiceRecord>> {
        self.txn.records.get(&id).or_else(|| self.core.records.get(&id)).map(Arc::clone)
    }

    /// Puts a record in the transaction under the stamp that follows what was committed.
    pub fn write(&mut self, mut record: ServiceRecord, durability: Durability) -> Arc<ServiceRecord> {
        let committed = self.core.records.get(&record.id);
        record.stamp.version = committed.map_or(1, |before| before.stamp.version + 1);
        record.stamp.writer = self.core.me.incarnation;
        record.stamp.absent = record.is_absent();
        self.store(Arc::new(record), durability)
    }

    /// Puts a record in the transaction as another node wrote it.
    pub fn store(&mut self, record: Arc<ServiceRecord>, durability: Durability) -> Arc<ServiceRecord> {
        self.touched.insert(record.id);
        self.txn.durability = self.txn.durability.max(durability);
        self.txn.records.insert(record.id, Arc::clone(&record));
        record
    }

    pub fn tell(
        &mut self,
        service: ServiceId,
        slot: Option<&SlotId>,
        kind: EventKind,
        text: impl Into<String>,
    ) {
        self.txn.journal.push(Event { service, slot: slot.cloned(), kind, text: text.into() });
    }

    pub fn draw_fence(&mut self, epoch: u64) -> Fence {
        self.fences += 1;
        Fence { epoch, owner: self.me(), writer: self.core.me.incarnation, n: self.fences }
    }

    // leases

    pub fn held(&self) -> Taken {
        let mut held = self.core.held.clone();
        for lease in self.txn.freed.iter().filter_map(|key| self.core.leases.get(key)).flatten() {
            if let Some(held) = held.get_mut(&lease.of) {
                *held = held.saturating_sub(lease.amount);
            }
        }
        for lease in &self.txn.taken {
            *held.entry(lease.of.clone()).or_default() += lease.amount;
        }
        held
    }

    /// What all attempts of one slot hold together.
    pub fn held_by_slot(&self, service: ServiceId, slot: &SlotId) -> Taken {
        let committed = self.core.leases.of_slot(service, slot).filter_map(|(fence, leases)| {
            let key = InstanceKey { service, slot: slot.clone(), fence };
            (!self.txn.freed.contains(&key)).then_some(leases)
        });
        let drafted = self
            .txn
            .taken
            .iter()
            .filter(|lease| lease.holder.service == service && lease.holder.slot == *slot);
        let mut held = Taken::new();
        for lease in committed.flatten().chain(drafted) {
            *held.entry(lease.of.clone()).or_default() += lease.amount;
        }
        held
    }

    pub fn has_leases(&self, key: &InstanceKey) -> bool {
        let committed = self.core.leases.get(key).is_some() && !self.txn.freed.contains(key);
        committed || self.txn.taken.iter().any(|lease| lease.holder == *key)
    }

    pub fn take(&mut self, leases: Vec<Lease>) {
        if !leases.is_empty() {
            self.txn.durability = Durability::Power;
            self.txn.taken.extend(leases);
        }
    }

    pub fn free(&mut self, key: &InstanceKey) {
        if self.has_leases(key) {
            self.room = true;
            self.txn.taken.retain(|lease| lease.holder != *key);
            if self.core.leases.get(key).is_some() {
                self.txn.freed.insert(key.clone());
            }
        }
    }

    // the executor's memory

    pub fn run(&self, key: &InstanceKey) -> Run {
        match self.runs.get(key) {
            Some(drafted) => drafted.clone().unwrap_or_default(),
            None => self.core.runs.get(key).cloned().unwrap_or_default(),
        }
    }

    pub fn set_run(&mut self, key: &InstanceKey, run: Option<Run>) {
        if let Some(at) = run.as_ref().and_then(|run| run.next) {
            self.wake(key.service, at);
        }
        self.runs.insert(key.clone(), run);
    }

    pub fn seen(&self, key: &InstanceKey) -> Option<&'a Instance> {
        self.core.seen.get(key)
    }

    pub fn engine(&self, name: &EngineName) -> Option<&'a Engine> {
        self.core.engines.get(name)
    }

    /// Every instance of a service that this executor remembers, sees or drafted.
    pub fn known(&self, service: ServiceId) -> BTreeSet<InstanceKey> {
        let drafted = self.runs.iter().filter(|(key, run)| key.service == service && run.is_some());
        let mut known: BTreeSet<InstanceKey> = drafted.map(|(key, _)| key.clone()).collect();
        known.extend(self.core.runs.of(service).map(|(key, _)| key));
        known.extend(self.core.seen.of(service).map(|(key, _)| key));
        known.retain(|key| !matches!(self.runs.get(key), Some(None)));
        known
    }

    // the owner's memory

    pub fn facts(&self) -> Vec<Facts<'a>> {
        vec![Facts {
            node: self.me(),
            capabilities: self.core.offered(),
            engines: &self.core.engines,
            held: self.held(),
        }]
    }

    pub fn refuses(&self, service: ServiceId, slot: &SlotId, node: NodeId) -> bool {
        let before = self.core.refused.get(&(service, slot.clone(), node));
        let drafted = self.marks.iter().any(
            |mark| matches!(mark, Mark::Refused(s, at, n, _) if *s == service && at == slot && *n == node),
        );
        drafted || before.is_some_and(|until| *until > self.now)
    }

    pub fn mark_refused(&mut self, key: &InstanceKey, node: NodeId, until: Millis) {
        self.marks.push(Mark::Refused(key.service, key.slot.clone(), node, until));
    }

    pub fn mark_reported(&mut self, report: Report) {
        self.marks.push(Mark::Reported(report));
    }

    // time and effects

    pub fn wake(&mut self, service: ServiceId, at: Millis) {
        if at > self.now {
            self.marks.push(Mark::Due(at, service));
        }
    }

    pub fn fired(&mut self) {
        self.marks.push(Mark::Fired(self.now));
    }

    pub fn answer(&mut self, ask: AskId, answer: Answer) {
        self.effects.push(Effect::Answer(ask, answer));
    }

    pub fn call(&mut self, engine: &EngineName, target: Target, op: EngineOp) -> CallId {
        self.touched.insert(target.key.service);
        self.calls += 1;
        let id = CallId(self.calls);
        self.effects.push(Effect::Call(Call { id, engine: engine.clone(), target, op }));
        id
    }

    /// Says something to a node. What this node says to itself is heard in the same step.
    pub fn send(&mut self, to: NodeId, message: PeerMessage) {
        if to == self.me() {
            self.inbox.push_back((to, message));
        } else {
            self.effects.push(Effect::Send(to, message));
        }
    }

    pub fn next_message(&mut self) -> Option<(NodeId, PeerMessage)> {
        self.inbox.pop_front()
    }
}
