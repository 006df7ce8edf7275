//! What a node knows, and the two ways it changes: an observation is noted, a committed decision is applied.

mod engine;
mod reading;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::capability::{Capability, Lease};
use crate::directory::Directory;
use crate::grave::Age;
use crate::id::{Called, EngineName, Millis, NodeId, NodeName, ServiceId};
use crate::instance::{Heard, Instance, Seen};
use crate::keyed::Keyed;
use crate::membership::{BEATS, Membership, Outlook, Peer, Standing, Survey, Watch};
use crate::mutant::{self, Mutant};
use crate::needs::Taken;
use crate::peer::{Duty, NodeFacts};
use crate::phase::Parts;
use crate::reason::{Code, Reason};
use crate::record::{Incarnation, InstanceKey, Revision, ServiceRecord, SlotId, Stamp};
use crate::restart::Tuning;
use crate::run::Run;
use crate::step::{CheckId, Committed, Dropped, Effect, EngineError, EngineState, Input, Mark, Txn};

pub use engine::{Engine, EngineView};

/// Of so many instances an engine may tell before it lists what it has; of more, and all that it lists is doubtful.
const MOST_EARLY: usize = 10_000;

/// Who this node is in this life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// For ever.
    pub node: NodeId,
    /// What people call it, here and on the other nodes.
    pub name: NodeName,
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
    pub(crate) dead: Keyed<()>,
    pub(crate) kept: BTreeMap<ServiceId, Arc<Revision>>,
    pub(crate) standing: Arc<Standing>,
    /// When what was heard about forgotten nodes, and counts already, is to be written; or it is tried whether anything can.
    pub(crate) unwritten: Option<Millis>,
    /// The last decision that adds anything could not be written.
    pub(crate) cannot_write: bool,

    /// What it is made of, as it was told; what did not speak in time is left out.
    pub(crate) parts: Option<Parts>,
    /// Until then the rest of it is waited for; `None`: nothing was looked at in this life.
    pub(crate) patience: Option<Millis>,

    // observed here
    pub(crate) capabilities: BTreeMap<String, Vec<Capability>>,
    pub(crate) engines: BTreeMap<EngineName, Engine>,
    pub(crate) seen: Keyed<Instance>,
    /// Whom engines told of before they listed what they have: the list may be the older of the two.
    pub(crate) early: BTreeMap<EngineName, BTreeSet<InstanceKey>>,

    // how far the executor is
    pub(crate) runs: Keyed<Run>,

    // what the owner heard
    pub(crate) heard: Keyed<Heard>,
    pub(crate) refused: BTreeMap<(ServiceId, SlotId, NodeId), Millis>,
    pub(crate) holds: BTreeMap<(ServiceId, NodeId), Stamp>,
    pub(crate) membership: Membership,
    pub(crate) given: BTreeMap<NodeId, Taken>,
    /// Since when an heir is waited for, as far as this life knows.
    pub(crate) awaited: BTreeMap<ServiceId, Millis>,

    // derived from the above
    pub(crate) held: Taken,
    /// The other nodes by what they offer.
    pub(crate) directory: Directory,
    pub(crate) waiting: BTreeSet<ServiceId>,
    /// Instances of this node's own services that lost what they need.
    pub(crate) lacking: BTreeSet<InstanceKey>,
    /// Instances here that go on without what they take.
    pub(crate) short: BTreeSet<InstanceKey>,
    /// The tombstones that have nothing left to stop.
    pub(crate) over: BTreeSet<ServiceId>,

    pub(crate) age: Age,
    pub(crate) due: BTreeSet<(Millis, ServiceId)>,
    pub(crate) fences: u64,
    pub(crate) calls: u64,
}

/// What a core begins with: what its store gives back, and whom its node is told to belong to.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Stored {
    pub records: Vec<ServiceRecord>,
    pub leases: Vec<Lease>,
    pub dead: Vec<InstanceKey>,
    pub kept: Vec<(ServiceId, Revision)>,
    pub standing: Standing,
    /// See [`Input::Members`].
    pub members: BTreeSet<NodeId>,
}

/// Why a node that nothing else is wrong with is given nothing new.
pub(crate) fn cordoned(node: &Called) -> String {
    format!("{node} is cordoned")
}

impl Core {
    /// A core that knows what its store holds, and nothing of the world yet. A tick is due at once: all that lives
    /// is looked at, also where no engine ever comes.
    pub fn new(me: Identity, tuning: Tuning, stored: Stored) -> Self {
        let mut core = Self {
            me,
            tuning,
            records: BTreeMap::new(),
            leases: Keyed::default(),
            dead: Keyed::default(),
            kept: stored.kept.into_iter().map(|(service, revision)| (service, Arc::new(revision))).collect(),
            standing: Arc::new(stored.standing),
            unwritten: None,
            cannot_write: false,
            parts: None,
            patience: None,
            capabilities: BTreeMap::new(),
            engines: BTreeMap::new(),
            seen: Keyed::default(),
            early: BTreeMap::new(),
            runs: Keyed::default(),
            heard: Keyed::default(),
            refused: BTreeMap::new(),
            holds: BTreeMap::new(),
            membership: Membership::default(),
            given: BTreeMap::new(),
            awaited: BTreeMap::new(),
            directory: Directory::default(),
            held: Taken::new(),
            waiting: BTreeSet::new(),
            lacking: BTreeSet::new(),
            short: BTreeSet::new(),
            over: BTreeSet::new(),
            age: Age::default(),
            due: BTreeSet::new(),
            fences: 0,
            calls: 0,
        };
        stored.records.into_iter().for_each(|record| core.remember(&Arc::new(record)));
        let living = core.records.values().filter(|record| !record.is_over());
        core.due = living.map(|record| (Millis(0), record.id)).collect();
        stored.leases.into_iter().for_each(|lease| core.take(&lease));
        stored.dead.iter().for_each(|key| core.dead.insert(key, ()));
        core.note_members(&stored.members);
        if core.is_in_cluster() {
            let outlook = core.survey(Millis(0), &core.membership.peers).first();
            core.membership.watch.outlook = Arc::new(outlook);
        }
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
                    let early = self.early.entry(instance.engine.clone()).or_default();
                    if early.len() < MOST_EARLY {
                        early.insert(instance.key.clone());
                    }
                }
                self.note_instance(instance);
            }
            Input::Answered { key, call, result } => {
                if self.runs.get(key).and_then(Run::call_id) == Some(*call) {
                    self.note_answer(key, result);
                }
            }
            Input::Checked { check, key, result } => self.note_check(key, *check, result),
            Input::Members(all) => self.note_members(all),
            Input::Parts(parts) => self.parts = Some(parts.clone()),
            Input::Broker(present) => self.membership.broker.clone_from(present),
            Input::Asked { .. } | Input::Peer { .. } | Input::Tick => {}
        }
    }

    /// Whoever is no longer authorised is as if it had never spoken. The numbers of what is written to it go on, with
    /// one left out: taken back, it finds that something is missing, and asks for all that concerns it.
    fn note_members(&mut self, all: &BTreeSet<NodeId>) {
        let alone = all.iter().all(|node| *node == self.me.node);
        self.membership.members = if alone { BTreeSet::new() } else { all.clone() };
        let removed = self.membership.peers.extract_if(.., |node, _| !all.contains(node));
        self.membership.posted.extend(removed.map(|(node, peer)| (node, peer.posted + 1)));
        self.holds.retain(|(_, node), _| all.contains(node));
        self.given.retain(|node, _| all.contains(node));
        for node in self.directory.nodes().filter(|node| !all.contains(node)).collect::<Vec<_>>() {
            self.directory.remove(node);
        }
        for node in self.membership.members.iter().filter(|node| **node != self.me.node) {
            let posted = self.membership.posted.get(node).copied().unwrap_or(0);
            self.membership.peers.entry(*node).or_insert_with(|| Peer { posted, ..Peer::default() });
        }
        if alone {
            self.membership.watch.outlook = Arc::new(self.alone());
        }
    }

    /// How a node looks at the world that stands alone.
    fn alone(&self) -> Outlook {
        let me = BTreeSet::from([self.me.node]);
        let usable = if self.standing.duty == Duty::Operate { me.clone() } else { BTreeSet::new() };
        Outlook {
            known: me.clone(),
            live: me.clone(),
            heard: me,
            usable,
            settled: true,
            ..Outlook::default()
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
        let doubtful = |key: &InstanceKey| was_up || early.len() >= MOST_EARLY || early.contains(key);
        let now: BTreeSet<&InstanceKey> = listed.iter().map(|instance| &instance.key).collect();
        let here = self.seen.iter().filter(|(_, instance)| instance.engine == *name);
        let missing: Vec<InstanceKey> =
            here.map(|(key, _)| key).filter(|key| !now.contains(key)).cloned().collect();
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

    /// What an engine told before the last answer may be heard after it. Nothing becomes as new again, and what is
    /// gone, or was made with other devices, may have been made again since: all are a reason to ask.
    fn note_instance(&mut self, instance: &Instance) {
        let before = self.seen.get(&instance.key);
        let is_another = before.is_some_and(|before| before.devices != instance.devices);
        let known = before.map(|known| known.seen);
        let is_old = is_another
            || known.is_some_and(|known| match instance.seen {
                Seen::Created => known != Seen::Created,
                told => told == Seen::Gone,
            });
        let is_unexpected = self.is_unexpected(instance);
        let run = self.runs.get_mut(&instance.key);
        let is_late = run.is_some_and(|run| run.told_late(instance.seen, known));
        match self.runs.get_mut(&instance.key) {
            Some(run) if run.call.is_some() => run.rumour = Some(instance.seen),
            Some(run) if is_old || is_late => run.look = true,
            None if is_unexpected => {
                self.see(instance);
                self.runs.insert(&instance.key, Run { look: true, ..Run::default() });
            }
            _ => self.see(instance),
        }
    }

    /// An engine tells of an instance that it did not list and nobody made: it may be one that is gone long since.
    fn is_unexpected(&self, instance: &Instance) -> bool {
        let key = &instance.key;
        instance.seen != Seen::Gone
            && self.seen.get(key).is_none()
            && self.records.contains_key(&key.service)
            && matches!(self.engines.get(&instance.engine), Some(Engine::Up { .. }))
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

    /// Of what does not run, or is not known to, a check says nothing.
    fn note_check(&mut self, key: &InstanceKey, check: CheckId, result: &Result<(), String>) {
        let seen = self.seen.get(key).filter(|instance| instance.seen == Seen::Running);
        let engine = seen.and_then(|instance| self.engines.get(&instance.engine));
        let is_true = matches!(engine, Some(Engine::Up { .. }));
        if let Some(run) = self.runs.get_mut(key) {
            run.pulse.answered(check, Some(result.clone()).filter(|_| is_true));
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
        if self.cannot_write && !step.txn.is_empty() && !step.txn.adds_nothing() {
            self.cannot_write = false;
            // nothing was placed here meanwhile
            self.due.extend(self.waiting.iter().map(|service| (Millis(0), *service)));
        }
        step.effects
    }

    fn apply_txn(&mut self, txn: &Txn) {
        if let Some(incarnation) = txn.incarnation {
            self.me.incarnation = incarnation;
        }
        if let Some(standing) = &txn.standing {
            self.standing = Arc::clone(standing);
            // written from a reserve, it says nothing of the disk
            self.unwritten = self.unwritten.filter(|_| self.cannot_write && !txn.tries);
            if !self.is_in_cluster() {
                self.membership.watch.outlook = Arc::new(self.alone());
            }
        }
        for (service, revision) in &txn.kept {
            match revision {
                Some(revision) => drop(self.kept.insert(*service, Arc::clone(revision))),
                None => drop(self.kept.remove(service)),
            }
        }
        for key in &txn.outlived {
            self.dead.remove(key);
        }
        txn.dead.iter().for_each(|key| self.dead.insert(key, ()));
        txn.freed.iter().for_each(|key| self.free(key));
        txn.taken.iter().for_each(|lease| self.take(lease));
        txn.records.values().for_each(|record| self.remember(record));
        txn.erased.iter().for_each(|service| self.erase(*service));
    }

    /// As if it had never been.
    fn erase(&mut self, service: ServiceId) {
        self.records.remove(&service);
        self.over.remove(&service);
        self.waiting.remove(&service);
        self.heard.remove_all(service);
        self.lacking.retain(|key| key.service != service);
        self.holds.retain(|(of, _), _| *of != service);
        self.refused.retain(|(of, _, _), _| *of != service);
        self.due.retain(|(_, of)| *of != service);
    }

    fn apply_mark(&mut self, mark: Mark) {
        match mark {
            Mark::Run(key, Some(run)) => {
                if run.is_short() {
                    self.short.insert(key.clone());
                } else {
                    self.short.remove(&key);
                }
                self.runs.insert(&key, *run);
            }
            Mark::Run(key, None) => {
                self.short.remove(&key);
                self.runs.remove(&key);
            }
            Mark::Heard(key, heard) => self.hear(&key, heard.map(|heard| *heard)),
            Mark::Holds(service, node, stamp) => drop(self.holds.insert((service, node), stamp)),
            Mark::Peer(node, peer) => self.know(node, *peer),
            Mark::Given(given) => self.given = given,
            Mark::Watch(watch) => self.look_out(*watch),
            Mark::Words(words, now) => {
                Arc::make_mut(&mut self.standing).forgotten.merge(&words, &self.membership.members);
                self.unwritten = Some(now);
            }
            Mark::Awaited(service, now) => drop(self.awaited.insert(service, now)),
            Mark::Fences(n) => self.fences = n,
            Mark::Calls(n) => self.calls = n,
            Mark::Age(age) => self.age = age,
            Mark::Patience(Some(until)) => self.patience = Some(until),
            Mark::Patience(None) => self.parts = Some(Parts::default()),
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

    fn hear(&mut self, key: &InstanceKey, heard: Option<Heard>) {
        if heard.as_ref().is_some_and(|heard| heard.observed.lacks) {
            self.lacking.insert(key.clone());
        } else {
            self.lacking.remove(key);
        }
        match heard {
            Some(heard) => self.heard.insert(key, heard),
            None => drop(self.heard.remove(key)),
        }
    }

    fn know(&mut self, node: NodeId, peer: Peer) {
        let (facts, duty, condition) = (peer.facts.clone(), peer.duty, peer.condition.clone());
        let before = self.membership.peers.insert(node, peer).unwrap_or_default();
        let is_other = |facts: &Arc<NodeFacts>| before.facts.is_none_or(|it| !Arc::ptr_eq(&it, facts));
        let says_otherwise = (before.duty, before.condition) != (duty, condition);
        let facts = facts.filter(is_other);
        if facts.is_none() && !says_otherwise {
            return;
        }
        if let Some(facts) = facts {
            self.directory.update(node, facts);
            self.given.remove(&node);
        }
        self.directory.close(node, self.closed(node));
    }

    fn look_out(&mut self, watch: Watch) {
        let changed = watch.outlook != self.membership.watch.outlook;
        self.membership.watch = watch;
        if changed {
            for node in self.directory.nodes().collect::<Vec<_>>() {
                self.directory.close(node, self.closed(node));
            }
        }
    }

    /// Why another node gets nothing new: it said so since, or the outlook has it so.
    fn closed(&self, node: NodeId) -> Option<Reason> {
        let (outlook, called) = (&self.membership.watch.outlook, self.called(node));
        let peer = self.membership.peers.get(&node);
        let why = match peer.map(|peer| (peer, &peer.condition)) {
            _ if outlook.is_forgotten(node) => format!("{called} was forgotten"),
            None => format!("{called} is not heard"),
            Some(_) if !outlook.heard.contains(&node) => format!("{called} is not heard"),
            Some((peer, _)) if peer.takes_on() && outlook.usable.contains(&node) => return None,
            // between two beats an outlook knows nothing of it
            Some((peer, _)) if peer.takes_on() => {
                format!("{called} operates again, and is asked in a moment")
            }
            Some((_, None)) => format!("{called} has not said yet how it is"),
            Some((_, Some(condition))) => condition.why(&called).unwrap_or_else(|| cordoned(&called)),
        };
        Some(Reason::new(Code::WaitingNode, why))
    }

    /// Why it is not known yet what another node has: what it told so far is not all.
    pub(crate) fn unknown_yet(&self, node: NodeId) -> Option<Reason> {
        let condition = self.membership.peers.get(&node)?.condition.as_ref()?;
        self.closed(node).filter(|_| condition.is_incomplete())
    }

    fn remember(&mut self, record: &Arc<ServiceRecord>) {
        if record.waits() {
            self.waiting.insert(record.id);
        } else {
            self.waiting.remove(&record.id);
        }
        if record.is_over() {
            self.over.insert(record.id);
        }
        if record.stamp.owner != self.me.node {
            // its owner is told, and nobody else
            self.heard.remove_all(record.id);
            self.lacking.retain(|key| key.service != record.id);
        }
        if record.stamp.owner != self.me.node || !record.awaits_heir() {
            self.awaited.remove(&record.id);
        }
        if record.is_absent() {
            self.dead.remove_all(record.id);
            self.kept.remove(&record.id);
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
        self.cannot_write = true;
        if mutant::is(Mutant::LoseDropped) {
            self.due.retain(|(due, _)| dropped.fired.is_none_or(|fired| *due > fired));
            return;
        }
        self.age.not_before = at;
        self.unwritten = Some(at);
        let mut late: BTreeSet<ServiceId> = dropped.touched.clone();
        if let Some(now) = dropped.fired {
            late.extend(self.due_until(now));
            self.due.retain(|(at, _)| *at > now);
        }
        for service in late {
            // however many steps fail meanwhile, one look is enough
            if !self.due.iter().any(|(due, other)| *due <= at && *other == service) {
                self.due.insert((at, service));
            }
        }
    }

    /// When the next [`Input::Tick`] has something to do; `None` while nothing waits for time.
    pub fn next_due(&self) -> Option<Millis> {
        let service = self.due.first().map(|(at, _)| *at);
        let others = [self.beat_due(), self.unwritten, self.count_due(), self.patience_due()];
        service.into_iter().chain(others.into_iter().flatten()).min()
    }

    /// What this node sees when it looks about.
    pub(crate) fn survey<'a>(&'a self, now: Millis, peers: &'a BTreeMap<NodeId, Peer>) -> Survey<'a> {
        let Self { me, tuning, standing, membership, .. } = self;
        Survey { me: me.node, now, tuning, standing, membership, peers }
    }

    /// When the next sign of life is due; `None` on a node that stands alone.
    pub(crate) fn beat_due(&self) -> Option<Millis> {
        let Watch { last_beat, in_haste, said, .. } = &self.membership.watch;
        let last = last_beat.filter(|_| !in_haste && *said == self.condition());
        let next = last.map_or(Millis(0), |last| last.after(self.tuning.dead_after / BEATS));
        self.is_in_cluster().then_some(next)
    }

    /// When what this node is made of is waited for no longer; at once, where that was not set yet.
    pub(crate) fn patience_due(&self) -> Option<Millis> {
        self.is_incomplete().then(|| self.patience.unwrap_or(Millis(0)))
    }

    pub(crate) fn is_in_cluster(&self) -> bool {
        !self.membership.members.is_empty()
    }

    pub(crate) fn due_until(&self, now: Millis) -> BTreeSet<ServiceId> {
        self.due.iter().take_while(|(at, _)| *at <= now).map(|(_, service)| *service).collect()
    }
}
