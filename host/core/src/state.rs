//! What a node knows, and the two ways it changes: an observation is noted, a committed decision is applied.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::capability::{CapId, Capability, Lease};
use crate::id::{EngineName, Millis, NodeId, ServiceId};
use crate::instance::{Instance, Observed, Report, Seen};
use crate::keyed::Keyed;
use crate::needs::Taken;
use crate::record::{Incarnation, InstanceKey, ServiceRecord, SlotId};
use crate::restart::Tuning;
use crate::run::Run;
use crate::step::{Committed, Dropped, Effect, EngineError, EngineState, Input, Mark, Txn};

/// Who this node is in this life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// For ever.
    pub node: NodeId,
    /// This life.
    pub incarnation: Incarnation,
}

/// One node's domain state. Changed by [`Core::note`] and [`Core::apply`] alone.
#[derive(Debug)]
pub struct Core {
    pub(crate) me: Identity,
    pub(crate) tuning: Tuning,

    // by decision: equal to the store
    pub(crate) records: BTreeMap<ServiceId, Arc<ServiceRecord>>,
    pub(crate) leases: Keyed<Vec<Lease>>,

    // observed here
    pub(crate) capabilities: BTreeMap<String, Vec<Capability>>,
    pub(crate) engines: BTreeMap<EngineName, Engine>,
    pub(crate) seen: Keyed<Instance>,
    /// Whom engines told of before they listed what they have: the list may be the older of the two.
    early: BTreeMap<EngineName, BTreeSet<InstanceKey>>,

    // how far the executor is
    pub(crate) runs: Keyed<Run>,

    // what the owner heard
    pub(crate) heard: Keyed<Observed>,
    pub(crate) refused: BTreeMap<(ServiceId, SlotId, NodeId), Millis>,

    // derived from the above
    pub(crate) held: Taken,
    pub(crate) waiting: BTreeSet<ServiceId>,

    due: BTreeSet<(Millis, ServiceId)>,
    pub(crate) fences: u64,
    pub(crate) calls: u64,
}

/// What is known of an engine.
#[derive(Clone, Debug)]
pub(crate) enum Engine {
    Up { features: BTreeSet<String> },
    Down { message: String },
}

/// An engine as clients see it.
#[derive(Clone, Copy, Debug)]
pub struct EngineView<'a> {
    /// Why it does not answer; `None` while it does.
    pub down: Option<&'a str>,
    /// What it is able to do.
    pub features: Option<&'a BTreeSet<String>>,
    /// How many instances of this node it shows.
    pub instances: usize,
}

impl Core {
    /// A core that knows what its store holds, and nothing of the world yet. A tick is due at once: all that lives
    /// is looked at, also where no engine ever comes.
    pub fn new(
        me: Identity,
        tuning: Tuning,
        records: impl IntoIterator<Item = ServiceRecord>,
        leases: impl IntoIterator<Item = Lease>,
    ) -> Self {
        let mut core = Self {
            me,
            tuning,
            records: BTreeMap::new(),
            leases: Keyed::default(),
            capabilities: BTreeMap::new(),
            engines: BTreeMap::new(),
            seen: Keyed::default(),
            early: BTreeMap::new(),
            runs: Keyed::default(),
            heard: Keyed::default(),
            refused: BTreeMap::new(),
            held: Taken::new(),
            waiting: BTreeSet::new(),
            due: BTreeSet::new(),
            fences: 0,
            calls: 0,
        };
        records.into_iter().for_each(|record| core.remember(&Arc::new(record)));
        let living = core.records.values().filter(|record| !record.is_over());
        core.due = living.map(|record| (Millis(0), record.id)).collect();
        leases.into_iter().for_each(|lease| core.take(&lease));
        core
    }

    /// Takes in what was observed. Volatile: a step that is dropped later takes nothing of it back.
    pub fn note(&mut self, input: &Input) {
        match input {
            Input::Capabilities { source, all } => {
                self.capabilities.insert(source.clone(), all.clone());
            }
            Input::Engine { name, state } => self.note_engine(name, state),
            Input::Instance(instance) => {
                if !matches!(self.engines.get(&instance.engine), Some(Engine::Up { .. })) {
                    self.early.entry(instance.engine.clone()).or_default().insert(instance.key.clone());
                }
                self.note_instance(instance);
            }
            Input::Answered { key, call, result } => {
                if self.runs.get(key).and_then(Run::call_id) == Some(*call) {
                    self.note_answer(key, result);
                }
            }
            Input::Asked { .. } | Input::Peer { .. } | Input::Tick => {}
        }
    }

    fn note_engine(&mut self, name: &EngineName, state: &EngineState) {
        let engine = match state {
            EngineState::Up { features, instances } => {
                self.note_list(name, instances);
                Engine::Up { features: features.clone() }
            }
            EngineState::Down { message } => Engine::Down { message: message.clone() },
        };
        self.engines.insert(name.clone(), engine);
    }

    /// The first list of an engine that came (back) is the truth about everything that it has not told of since. Any
    /// other may be older than the last event: where it contradicts what is known, or a call is under way, the
    /// engine is asked.
    fn note_list(&mut self, name: &EngineName, listed: &[Instance]) {
        let was_up = matches!(self.engines.get(name), Some(Engine::Up { .. }));
        let early = self.early.remove(name).unwrap_or_default();
        let doubtful = |key: &InstanceKey| was_up || early.contains(key);
        let now: BTreeSet<&InstanceKey> = listed.iter().map(|instance| &instance.key).collect();
        let here = self.seen.iter().filter(|(_, instance)| instance.engine == *name);
        let missing: Vec<InstanceKey> = here.map(|(key, _)| key).filter(|key| !now.contains(key)).collect();
        for key in &missing {
            match self.runs.get_mut(key) {
                Some(run) if doubtful(key) || run.call.is_some() => run.look = true,
                _ => drop(self.seen.remove(key)),
            }
        }
        for instance in listed {
            let differs = self.seen.get(&instance.key).is_none_or(|known| known.seen != instance.seen);
            match self.runs.get_mut(&instance.key) {
                Some(run) if doubtful(&instance.key) && differs && run.call.is_none() => run.look = true,
                _ => self.note_instance(instance),
            }
        }
    }

    fn note_instance(&mut self, instance: &Instance) {
        match self.runs.get_mut(&instance.key) {
            Some(run) if run.call.is_some() => run.rumour = Some(instance.seen),
            _ => self.see(instance),
        }
    }

    fn note_answer(&mut self, key: &InstanceKey, result: &Result<Option<Instance>, EngineError>) {
        let Some(run) = self.runs.get_mut(key) else { return };
        let gone = run.answered(result);
        match result {
            Ok(Some(instance)) => self.see(instance),
            _ if gone => drop(self.seen.remove(key)),
            _ => {}
        }
    }

    fn see(&mut self, instance: &Instance) {
        if instance.seen == Seen::Gone {
            self.seen.remove(&instance.key);
        } else {
            self.seen.insert(&instance.key, instance.clone());
        }
    }

    /// Makes a committed decision the state, and hands out its effects.
    pub fn apply(&mut self, Committed(step): Committed) -> Vec<Effect> {
        self.apply_txn(&step.txn);
        step.marks.into_iter().for_each(|mark| self.apply_mark(mark));
        step.effects
    }

    fn apply_txn(&mut self, txn: &Txn) {
        txn.freed.iter().for_each(|key| self.free(key));
        txn.taken.iter().for_each(|lease| self.take(lease));
        txn.records.values().for_each(|record| self.remember(record));
    }

    fn apply_mark(&mut self, mark: Mark) {
        match mark {
            Mark::Run(key, Some(run)) => self.runs.insert(&key, *run),
            Mark::Run(key, None) => drop(self.runs.remove(&key)),
            Mark::Reported(report) => self.hear(report),
            Mark::Fences(n) => self.fences = n,
            Mark::Calls(n) => self.calls = n,
            Mark::Refused(service, slot, node, until) => {
                self.refused.insert((service, slot, node), until);
                self.due.insert((until, service));
            }
            Mark::Reopened => {
                let me = self.me.node;
                self.refused.retain(|(_, _, node), _| *node != me);
            }
            Mark::Due(at, service) => drop(self.due.insert((at, service))),
            Mark::Fired(until) => {
                self.due.retain(|(at, _)| *at > until);
                self.refused.retain(|_, at| *at > until);
            }
        }
    }

    fn hear(&mut self, report: Report) {
        for observed in report.instances {
            let key = observed.key.clone();
            self.heard.insert(&key, observed);
        }
        let refused = report.refused.iter().map(|(key, _)| key);
        refused.chain(&report.gone).for_each(|key| drop(self.heard.remove(key)));
    }

    fn remember(&mut self, record: &Arc<ServiceRecord>) {
        if record.waits() {
            self.waiting.insert(record.id);
        } else {
            self.waiting.remove(&record.id);
        }
        self.records.insert(record.id, Arc::clone(record));
    }

    fn take(&mut self, lease: &Lease) {
        *self.held.entry(lease.of.clone()).or_default() += lease.amount;
        match self.leases.get_mut(&lease.holder) {
            Some(leases) => leases.push(lease.clone()),
            None => self.leases.insert(&lease.holder, vec![lease.clone()]),
        }
    }

    fn free(&mut self, key: &InstanceKey) {
        for lease in self.leases.remove(key).into_iter().flatten() {
            if let Some(held) = self.held.get_mut(&lease.of) {
                *held = held.saturating_sub(lease.amount);
            }
        }
    }

    /// Puts a decision that could not be written off until `at`: its services are looked at again then.
    pub fn postpone(&mut self, dropped: &Dropped, at: Millis) {
        let mut late: BTreeSet<ServiceId> = dropped.touched.clone();
        if let Some(now) = dropped.fired {
            late.extend(self.due_until(now));
            self.due.retain(|(at, _)| *at > now);
        }
        self.due.extend(late.into_iter().map(|service| (at, service)));
    }

    /// When the next [`Input::Tick`] has something to do; `None` while nothing waits for time.
    pub fn next_due(&self) -> Option<Millis> {
        self.due.first().map(|(at, _)| *at)
    }

    pub(crate) fn due_until(&self, now: Millis) -> BTreeSet<ServiceId> {
        self.due.iter().take_while(|(at, _)| *at <= now).map(|(_, service)| *service).collect()
    }
}

/// What clients may read.
impl Core {
    /// Who this node is.
    pub fn identity(&self) -> Identity {
        self.me
    }

    /// Every record, tombstones too, in the order of their ids.
    pub fn records(&self) -> impl Iterator<Item = &Arc<ServiceRecord>> {
        self.records.values()
    }

    /// One record.
    pub fn record(&self, id: ServiceId) -> Option<&Arc<ServiceRecord>> {
        self.records.get(&id)
    }

    /// Everything this node offers, by source.
    pub fn capabilities(&self) -> impl Iterator<Item = &Capability> {
        self.capabilities.values().flatten()
    }

    /// All that one source offers.
    pub fn offers(&self, source: &str) -> &[Capability] {
        self.capabilities.get(source).map_or(&[], Vec::as_slice)
    }

    /// How much of a capability is leased.
    pub fn leased(&self, of: &CapId) -> u64 {
        self.held.get(of).copied().unwrap_or(0)
    }

    /// Every engine that was ever heard of in this life.
    pub fn engines(&self) -> impl Iterator<Item = (&EngineName, EngineView<'_>)> {
        self.engines.iter().map(|(name, engine)| {
            let instances = self.seen.iter().filter(|(_, instance)| instance.engine == *name).count();
            let (down, features) = match engine {
                Engine::Up { features } => (None, Some(features)),
                Engine::Down { message } => (Some(message.as_str()), None),
            };
            (name, EngineView { down, features, instances })
        })
    }

    /// An instance of this node as its engine last showed it.
    pub fn instance(&self, key: &InstanceKey) -> Option<&Instance> {
        self.seen.get(key)
    }

    pub(crate) fn offered(&self) -> Vec<&Capability> {
        self.capabilities().collect()
    }
}
