//! A node: a core between its disk, its engines and its clock, driven by the loop that every node has.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use motey_core::capability::{Capability, Lease, Supply};
use motey_core::id::{EngineName, Millis, NodeId, ServiceId};
use motey_core::instance::{Instance, Seen};
use motey_core::peer::Letter;
use motey_core::phase::Parts;
use motey_core::project::{ServiceStatus, State};
use motey_core::reason::Reason;
use motey_core::record::{Desired, Incarnation, InstanceKey, ServiceRecord, SlotId};
use motey_core::step::{
    Answer, AskId, Call, Check, Effect, EngineErrorKind, EngineOp, EngineState, Input, Request,
};
use motey_core::{Core, Identity, Tuning};

use crate::blueprint::{engine_name, name, node};
use crate::disk::Disk;
use crate::engine::{Engine, error, is_live};

/// More steps than any scene needs: whoever takes them runs in circles.
const STORM: usize = 2_000;

pub struct Lab {
    pub core: Core,
    pub disk: Disk,
    pub engines: BTreeMap<EngineName, Engine>,
    pub now: Millis,
    /// Calls that engines did not do yet.
    pub calls: VecDeque<Call>,
    /// Checks that are not answered yet.
    pub checks: VecDeque<Check>,
    /// Instances that run and do not do their work.
    pub sick: BTreeSet<InstanceKey>,
    /// Instances whose leases the disk lost.
    pub robbed: BTreeSet<InstanceKey>,
    pub answers: BTreeMap<AskId, Option<Answer>>,
    pub outbox: Vec<(NodeId, Letter)>,
    pub capabilities: Vec<Capability>,
    /// What it is told to be made of when it starts.
    pub parts: Parts,
    /// So many points at which a process can die are survived; the next one is not.
    pub fuse: Option<usize>,
    pub dead: bool,
    /// Points at which it could have died.
    pub points: usize,
    /// Inputs that were decided on.
    pub tried: usize,
    id: NodeId,
    life: u64,
    asks: u64,
    tuning: Tuning,
}

impl Lab {
    /// A node with the engine `process`, which is up.
    pub fn new() -> Self {
        Self::named(1, Tuning::default(), [])
    }

    pub fn named(n: u128, tuning: Tuning, records: impl IntoIterator<Item = ServiceRecord>) -> Self {
        let mut lab = Self::unborn(n, tuning, records);
        lab.input(&Input::Parts(Parts::default()));
        lab.tick();
        lab.add_engine("process");
        lab
    }

    fn unborn(n: u128, tuning: Tuning, records: impl IntoIterator<Item = ServiceRecord>) -> Self {
        let disk = Disk {
            records: records.into_iter().map(|record| (record.id, record)).collect(),
            ..Disk::default()
        };
        Self {
            core: Core::new(identity(node(n), 1), tuning, disk.stored()),
            disk,
            engines: BTreeMap::new(),
            now: Millis(1_000),
            calls: VecDeque::new(),
            checks: VecDeque::new(),
            sick: BTreeSet::new(),
            robbed: BTreeSet::new(),
            answers: BTreeMap::new(),
            outbox: Vec::new(),
            capabilities: Vec::new(),
            parts: Parts::default(),
            fuse: None,
            dead: false,
            points: 0,
            tried: 0,
            id: node(n),
            life: 1,
            asks: 0,
            tuning,
        }
    }

    /// A node of which nothing has spoken yet, and that was not told what it is made of.
    pub fn bare() -> Self {
        Self::unborn(1, Tuning::default(), [])
    }

    pub fn add_engine(&mut self, name: &str) {
        let name = engine_name(name);
        self.engines.insert(name.clone(), Engine::new(name.clone()));
        self.list(&name);
    }

    pub fn engine(&mut self) -> &mut Engine {
        self.engines.get_mut(&engine_name("process")).expect("the engine process")
    }

    // the loop

    /// One input: note, decide, commit, apply, effects.
    pub fn input(&mut self, input: &Input) {
        if self.dead {
            return;
        }
        self.tried += 1;
        self.core.note(input);
        let step = self.core.decide(input, self.now);
        match step.commit(|txn| self.disk.write(txn)) {
            Ok(committed) => {
                if self.dies() {
                    return;
                }
                let effects = self.core.apply(committed);
                effects.into_iter().for_each(|effect| self.perform(effect));
                if self.dies() {
                    // perhaps within an effect that was an input again
                    return;
                }
            }
            Err((dropped, _full)) => {
                dropped.asks.iter().for_each(|ask| drop(self.answers.insert(*ask, None)));
                self.core.postpone(&dropped, self.now.after(2_000));
            }
        }
        self.check();
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Answer(ask, answer) => drop(self.answers.insert(ask, Some(answer))),
            Effect::Send(to, letter) => self.outbox.push((to, letter)),
            Effect::Offer { source, all } => self.input(&Input::Capabilities { source, all }),
            Effect::Call(call) => {
                // nobody waits for a fetch that is not wanted any more
                let others = self.calls.iter().filter(|other| !matches!(other.op, EngineOp::Fetch { .. }));
                let under_way = others.map(|other| &other.target.key).any(|other| *other == call.target.key);
                assert!(!under_way, "two calls under way for {:?}", call.target.key);
                self.calls.push_back(call);
            }
            Effect::Check(check) => {
                let under_way = self.checks.iter().any(|other| other.key == check.key);
                assert!(!under_way, "two checks under way for {:?}", check.key);
                self.checks.push_back(check);
            }
        }
    }

    fn dies(&mut self) -> bool {
        self.points += 1;
        self.dead |= self.fuse.is_some_and(|fuse| self.points > fuse);
        self.dead
    }

    // what happens to it

    /// `None`: the step that would have answered was not stored.
    pub fn ask(&mut self, request: Request) -> Option<Answer> {
        self.asks += 1;
        let ask = AskId(self.asks);
        self.input(&Input::Asked { ask, request });
        if self.dead { None } else { self.answers.remove(&ask).expect("every ask is answered at once") }
    }

    /// The engine does the oldest call, and its answer is heard.
    pub fn one_call(&mut self) {
        let Some(call) = self.calls.pop_front() else { return };
        let engine = self.engines.get_mut(&call.engine).expect("a known engine");
        let result = engine.execute(&call, self.now);
        if !self.dies() {
            self.input(&Input::Answered { call: call.id, key: call.target.key, result });
        }
    }

    /// The oldest call is answered by its deadline.
    pub fn lose_call(&mut self, done: bool) {
        let Some(call) = self.calls.pop_front() else { return };
        if done {
            let engine = self.engines.get_mut(&call.engine).expect("a known engine");
            let _unheard = engine.execute(&call, self.now);
        }
        let result = Err(error(EngineErrorKind::TimedOut));
        self.input(&Input::Answered { call: call.id, key: call.target.key, result });
    }

    /// The oldest check is answered.
    pub fn one_check(&mut self) {
        let Some(Check { id: check, key, .. }) = self.checks.pop_front() else { return };
        let runs = self.instances().any(|it| it.key == key && it.seen == Seen::Running);
        let result = match self.sick.contains(&key) {
            _ if !runs => Err("connection refused".into()),
            true => Err("answered 500".into()),
            false => Ok(()),
        };
        self.input(&Input::Checked { check, key, result });
    }

    /// Until no call and no check is under way.
    pub fn settle(&mut self) {
        for _ in 0..STORM {
            if self.dead || (self.calls.is_empty() && self.checks.is_empty()) {
                return;
            }
            if self.calls.is_empty() { self.one_check() } else { self.one_call() }
        }
        panic!("a storm of calls: {:?}", self.calls);
    }

    /// Until nothing is under way and nothing waits for time, but for the end of a tombstone.
    pub fn rest(&mut self) {
        for _ in 0..STORM {
            self.settle();
            match self.soon() {
                Some(due) if !self.dead => {
                    self.now = self.now.max(due);
                    self.tick();
                }
                _ => return,
            }
        }
        panic!("it never comes to rest");
    }

    /// What is due, but for the end of a tombstone.
    fn soon(&self) -> Option<Millis> {
        self.core.next_due().filter(|due| *due < self.now.after(LONGEST_WAIT))
    }

    /// Lets `span` milliseconds pass, with all that happens meanwhile.
    pub fn pass(&mut self, span: u64) {
        let until = self.now.after(span);
        for _ in 0..STORM {
            self.settle();
            match self.core.next_due() {
                Some(due) if due <= until && !self.dead => {
                    self.now = self.now.max(due);
                    self.tick();
                }
                _ => {
                    self.now = until;
                    return;
                }
            }
        }
        panic!("a storm of ticks");
    }

    pub fn tick(&mut self) {
        self.input(&Input::Tick);
    }

    pub fn offer(&mut self, all: impl IntoIterator<Item = Capability>) {
        self.capabilities = all.into_iter().collect();
        let all = self.capabilities.clone();
        self.input(&Input::Capabilities { source: "lab".into(), all });
    }

    /// The engine is (again) in reach and tells what it has.
    pub fn list(&mut self, name: &EngineName) {
        let all = self.engines[name].list();
        self.list_as(name, all);
    }

    pub fn list_as(&mut self, name: &EngineName, instances: Vec<Instance>) {
        let engine = self.engines.get_mut(name).expect("a known engine");
        engine.up = true;
        let state = EngineState::Up { features: engine.features.clone(), instances };
        self.input(&Input::Engine { name: name.clone(), state });
    }

    pub fn engine_down(&mut self) {
        self.engine().up = false;
        let state = EngineState::Down { message: "connection refused".into() };
        self.input(&Input::Engine { name: engine_name("process"), state });
    }

    /// An instance changes by itself, and the engine tells.
    pub fn becomes(&mut self, key: &InstanceKey, seen: Seen) {
        if let Some(event) = self.silently(key, seen) {
            self.input(&Input::Instance(event));
        }
    }

    /// An instance changes by itself; the event is not delivered (yet).
    pub fn silently(&mut self, key: &InstanceKey, seen: Seen) -> Option<Instance> {
        let engine = self.engines.values_mut().find(|engine| engine.instances.contains_key(key))?;
        engine.show(key, seen);
        let mut event = engine.instances.get(key).cloned();
        if seen == Seen::Gone {
            event = engine.instances.remove(key);
        }
        event
    }

    /// The process dies, and of an instance's leases nothing is on the disk.
    pub fn rob(&mut self, key: &InstanceKey) {
        self.crash(true);
        self.disk.leases.retain(|lease| lease.holder != *key);
        self.robbed.insert(key.clone());
    }

    /// The process dies; calls under way are done by the engines (`done`) or not. Nothing is heard of them.
    pub fn crash(&mut self, done: bool) {
        for call in std::mem::take(&mut self.calls) {
            if done {
                let engine = self.engines.get_mut(&call.engine).expect("a known engine");
                let _unheard = engine.execute(&call, self.now);
            }
        }
        self.checks.clear();
        self.dead = true;
    }

    /// A new life from the disk: nothing is known of the world yet.
    pub fn boot(&mut self) {
        self.life += 1;
        self.dead = false;
        self.fuse = None;
        self.answers.clear();
        self.life = self.life.max(self.disk.incarnation.map_or(0, |raised| raised.count + 1));
        self.core = Core::new(identity(self.id, self.life), self.tuning, self.disk.stored());
        self.input(&Input::Parts(self.parts.clone()));
        for (source, all) in self.disk.offers.clone() {
            self.input(&Input::Capabilities { source, all });
        }
        self.tick();
        self.check();
    }

    /// A new life that hears of everything again.
    pub fn restart(&mut self) {
        self.crash(false);
        self.boot();
        self.offer(self.capabilities.clone());
        let names: Vec<EngineName> = self.engines.keys().cloned().collect();
        names.iter().for_each(|name| self.list(name));
    }

    // what can be seen of it

    pub fn me(&self) -> NodeId {
        self.id
    }

    pub fn status(&self, id: ServiceId) -> ServiceStatus {
        self.core.status(id).expect("a service that was deployed")
    }

    pub fn state(&self, id: ServiceId) -> State {
        self.status(id).state
    }

    /// What the status says about the service's first image that has something to say.
    pub fn reason(&self, id: ServiceId) -> Option<Reason> {
        self.status(id).images.into_iter().find_map(|image| image.reason)
    }

    pub fn said(&self, id: ServiceId) -> String {
        self.reason(id).map(|reason| format!("{}: {}", reason.code, reason.text)).unwrap_or_default()
    }

    pub fn record(&self, id: ServiceId) -> &ServiceRecord {
        self.core.record(id).expect("a record")
    }

    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.engines.values().flat_map(|engine| engine.instances.values())
    }

    pub fn live(&self, id: ServiceId) -> Vec<InstanceKey> {
        let of = self.instances().filter(|instance| instance.key.service == id && is_live(instance.seen));
        of.map(|instance| instance.key.clone()).collect()
    }

    /// The instance that runs in a slot.
    pub fn at(&self, id: ServiceId, slot: &str) -> InstanceKey {
        let live = self.live(id).into_iter().find(|key| key.slot.to_string() == slot);
        live.unwrap_or_else(|| panic!("nothing runs in {slot}"))
    }

    pub fn exits(&mut self, id: ServiceId, slot: &str, code: i32) {
        let key = self.at(id, slot);
        self.becomes(&key, crate::engine::exited(code));
    }

    // what must always hold

    pub fn check(&self) {
        let memory: BTreeMap<ServiceId, ServiceRecord> =
            self.core.records().map(|record| (record.id, ServiceRecord::clone(record))).collect();
        assert_eq!(memory, self.disk.records, "memory and disk differ");
        let held = self.disk.held();
        for (of, amount) in &held {
            assert_eq!(self.core.leased(of), *amount, "leases of {of} in memory and on disk differ");
        }
        let fixed = self.capabilities.iter().filter(|capability| capability.id.unit.is_empty());
        for Capability { id, supply, .. } in fixed {
            let supply = match supply {
                Supply::Shared => 0,
                Supply::Exclusive => 1,
                Supply::Amount(all) => *all,
            };
            assert!(self.core.leased(id) <= supply, "{id} is leased beyond its supply");
        }
        for (port, held) in held.iter().filter(|(of, _)| of.source == "node") {
            assert!(*held <= 1, "{port} is leased to {held} instances");
        }
        self.one_per_slot();
    }

    fn one_per_slot(&self) {
        let mut live: BTreeSet<(ServiceId, &SlotId)> = BTreeSet::new();
        for instance in self.instances().filter(|instance| is_live(instance.seen)) {
            let key = &instance.key;
            if !self.disk.records.contains_key(&key.service) {
                continue;
            }
            assert!(live.insert((key.service, &key.slot)), "two instances live in {}", key.slot);
            let takes = |lease: &&Lease| lease.holder == *key;
            let needs = self.takes(key);
            assert!(
                !needs || self.robbed.contains(key) || self.disk.leases.iter().any(|lease| takes(&lease)),
                "{} runs without its lease",
                key.slot
            );
        }
    }

    /// Whether the image of an instance uses something up.
    fn takes(&self, key: &InstanceKey) -> bool {
        use motey_core::spec::{Need, Take};
        let Some(image) = self.disk.records[&key.service].revision.spec.image(&key.slot.image) else {
            return false;
        };
        if !image.params.ports.is_empty() {
            return true;
        }
        let Need::All(all) = image.need.as_need() else { return false };
        let exclusive = |name: &str| {
            let mut offered = self.capabilities.iter();
            offered.any(|capability| capability.id.name == name && capability.supply == Supply::Exclusive)
        };
        all.iter().any(|need| match need {
            Need::Has(has) => has.take != Take::One || exclusive(&has.name),
            Need::All(_) | Need::Any(_) | Need::Not(_) => false,
        })
    }

    /// What must hold when nothing is under way and nothing waits for time.
    pub fn check_rest(&mut self) {
        assert!(self.calls.is_empty() && self.soon().is_none(), "it is not at rest");
        let (writes, calls) = (self.disk.writes, self.calls.len());
        self.tick();
        assert_eq!((self.disk.writes, self.calls.len()), (writes, calls), "a tick at rest does something");
        assert!(self.soon().is_none(), "a tick at rest makes more of its kind");
        for record in self.disk.records.values() {
            match record.desired {
                Desired::Running => self.runs_or_says_why(record),
                Desired::Stopped | Desired::Absent => self.has_nothing(record),
            }
        }
    }

    fn runs_or_says_why(&self, record: &ServiceRecord) {
        for slot in self.status(record.id).images.iter().flat_map(|image| &image.slots) {
            let runs = self.instances().any(|instance| {
                let key = &instance.key;
                key.service == record.id
                    && key.slot == slot.slot
                    && Some(key.fence) == slot.fence
                    && instance.seen == Seen::Running
            });
            let ended = record.ended.contains_key(&slot.slot);
            assert!(
                runs == (slot.state == State::Running) && (runs || ended || slot.reason.is_some()),
                "{} neither runs nor says why: {slot:?}",
                slot.slot
            );
        }
        for instance in self.instances().filter(|instance| instance.key.service == record.id) {
            let assigned = record.slots.get(&instance.key.slot);
            let named = assigned.is_some_and(|assigned| assigned.fence == instance.key.fence);
            assert!(named, "a stray: {instance:?}");
        }
        assert!(record.dismissed.is_empty(), "{:?} never went", record.dismissed);
    }

    fn has_nothing(&self, record: &ServiceRecord) {
        assert_eq!(self.state(record.id), State::Terminated);
        let left: Vec<&Instance> =
            self.instances().filter(|instance| instance.key.service == record.id).collect();
        assert!(left.is_empty(), "left of a stopped service: {left:?}");
        let leases = self.disk.leases.iter().filter(|lease| lease.holder.service == record.id);
        assert_eq!(leases.count(), 0, "a stopped service holds leases");
        assert!(record.slots.is_empty() && record.dismissed.is_empty());
        assert!(record.desired == Desired::Stopped || record.revision.spec.images.is_empty());
    }
}

/// No other wait is longer.
const LONGEST_WAIT: u64 = 600_000;

fn identity(node: NodeId, life: u64) -> Identity {
    let nonce = u32::try_from(life).expect("few lives") * 7;
    let incarnation = Incarnation { count: life, nonce };
    Identity { node, name: name(node), incarnation }
}
