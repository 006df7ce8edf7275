//! A step in the making: the state with the transaction so far laid over it.
//!
//! Owner and executor read and write through it, so that both halves of a decision on one node are one commit.

mod dead;
mod leases;
mod others;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::capability::{CapId, Capability, Lease, Supply};
use crate::grave::Age;
use crate::id::{Called, EngineName, Millis, NodeId, ServiceId};
use crate::instance::{Instance, Observed};
use crate::keyed::Keyed;
use crate::membership::{Outlook, Peer, Standing, Watch};
use crate::mutant::{self, Mutant};
use crate::needs::Taken;
use crate::peer::{Holder, Letter, PeerMessage};
use crate::placement::Facts;
use crate::reason::{Code, Reason};
use crate::record::{Fence, Incarnation, InstanceKey, Place, Revision, ServiceRecord, SlotId, Stamp};
use crate::run::Run;
use crate::spec::{ImageSpec, Need};
use crate::state::{Core, Engine};
use crate::step::{
    Answer, AskId, Call, CallId, Durability, Effect, EngineOp, Event, EventKind, Mark, Step, Target, Txn,
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
    heard: Keyed<Option<Observed>>,
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
            journal: self.journal,
            durability: self.durability,
        };
        Step { txn, marks: self.marks, effects: self.effects, touched: self.touched }
    }

    fn collect_marks(&mut self) {
        let runs = std::mem::take(&mut self.runs).into_iter();
        self.marks.extend(runs.map(|(key, run)| Mark::Run(key, run.map(Box::new))));
        let heard = std::mem::take(&mut self.heard).into_iter();
        self.marks.extend(heard.map(|(key, observed)| Mark::Heard(key, observed.map(Box::new))));
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
        let before = self.received.get(&record.id).copied();
        let before = before.max(self.core.records.get(&record.id).map(|record| record.stamp));
        let same_epoch =
            |stamp: &Stamp| (stamp.epoch, stamp.owner) == (record.stamp.epoch, record.stamp.owner);
        record.stamp.version = before.filter(same_epoch).map_or(1, |stamp| stamp.version + 1);
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
    pub fn only_removes(&self) -> bool {
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

    pub fn engine(&self, name: &EngineName) -> Option<&'a Engine> {
        self.core.engines.get(name)
    }

    /// Every instance of a service that this executor remembers, sees or drafted.
    pub fn known(&self, service: ServiceId) -> BTreeSet<InstanceKey> {
        let mut known: BTreeSet<InstanceKey> = self.core.runs.of(service).map(|(key, _)| key).collect();
        known.extend(self.core.seen.of(service).map(|(key, _)| key));
        known.extend(self.core.leases.of(service).map(|(key, _)| key));
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
        let leased = self.core.leases.of_slot(service, slot).map(|(fence, _)| fence);
        let known = remembered.chain(seen).chain(leased).chain(drafted).map(key);
        known.filter(|key| !matches!(self.runs.get(key), Some(None))).collect()
    }

    // the owner's memory

    /// What was heard of an instance.
    pub fn heard(&self, key: &InstanceKey) -> Option<&Observed> {
        match self.heard.get(key) {
            Some(drafted) => drafted.as_ref(),
            None => self.core.heard.get(key),
        }
    }

    pub fn hear(&mut self, key: &InstanceKey, observed: Option<Observed>) {
        self.heard.insert(key, observed);
    }

    /// What was heard of the instances of one slot.
    pub fn heard_in(&self, service: ServiceId, slot: &SlotId) -> Vec<Observed> {
        let before = self.core.heard.of_slot(service, slot).map(|(fence, _)| fence);
        let drafted = self.heard.of_slot(service, slot).map(|(fence, _)| fence);
        let fences: BTreeSet<Fence> = before.chain(drafted).collect();
        let key = |fence| InstanceKey { service, slot: slot.clone(), fence };
        fences.into_iter().filter_map(|fence| self.heard(&key(fence)).cloned()).collect()
    }

    /// The slots of a service of which anything was heard.
    pub fn heard_slots(&self, service: ServiceId) -> BTreeSet<SlotId> {
        let before = self.core.heard.of(service).map(|(key, _)| key.slot);
        before.chain(self.heard.of(service).map(|(key, _)| key.slot)).collect()
    }

    /// Which version of a record a node was last heard to hold.
    pub fn holds(&self, service: ServiceId, node: NodeId) -> Option<Stamp> {
        let key = (service, node);
        self.holds.get(&key).or_else(|| self.core.holds.get(&key)).copied()
    }

    pub fn mark_holds(&mut self, service: ServiceId, node: NodeId, stamp: Stamp) {
        if self.holds(service, node) < Some(stamp) {
            self.holds.insert((service, node), stamp);
        }
    }

    /// What this node knows of itself; `None` while it takes on nothing new.
    pub fn own_facts(&self) -> Option<Facts<'a>> {
        self.outlook().usable.contains(&self.me()).then(|| Facts {
            node: self.me(),
            capabilities: self.core.offered(),
            engines: &self.core.engines,
            held: self.held().clone(),
        })
    }

    /// What was given away is in the facts by now, or was not taken.
    pub fn forget_given(&mut self) {
        if !self.given().is_empty() {
            self.given = Some(BTreeMap::new());
            self.wake_waiting();
        }
    }

    /// Those who wait for a node, or for another one, are looked at in a step of their own.
    pub fn wake_waiting(&mut self) {
        let core = self.core;
        core.waiting.iter().for_each(|service| self.wake(*service, self.now));
        self.wake_lacking();
    }

    /// So are those of which an instance lost what it needs.
    pub fn wake_lacking(&mut self) {
        let core = self.core;
        core.lacking.iter().for_each(|key| self.wake(key.service, self.now));
    }

    /// What was given away on other nodes since they told their facts.
    pub fn given(&self) -> &BTreeMap<NodeId, Taken> {
        self.given.as_ref().unwrap_or(&self.core.given)
    }

    pub fn give(&mut self, node: NodeId, taken: &Taken) {
        let given = self.given.get_or_insert_with(|| self.core.given.clone()).entry(node).or_default();
        taken.iter().for_each(|(of, amount)| *given.entry(of.clone()).or_default() += amount);
    }

    /// Whether any of these, on that node, is for one instance alone.
    pub fn is_exclusive<'c>(&self, node: NodeId, mut ids: impl Iterator<Item = &'c CapId>) -> bool {
        let peer = self.core.membership.peers.get(&node).and_then(|peer| peer.facts.as_ref());
        let theirs = || peer.into_iter().flat_map(|facts| &facts.capabilities);
        let is = |id: &CapId, it: &Capability| it.id == *id && it.supply == Supply::Exclusive;
        ids.any(|id| match node == self.me() {
            true => self.core.capabilities().any(|it| is(id, it)),
            false => theirs().any(|it| is(id, it)),
        })
    }

    /// Whether an image may take, on that node, what is for one instance alone; a node that has told nothing may have
    /// anything.
    pub fn may_take_alone(&self, node: NodeId, image: &ImageSpec) -> bool {
        fn names<'n>(need: &'n Need, found: &mut Vec<&'n str>) {
            match need {
                Need::All(all) | Need::Any(all) => all.iter().for_each(|need| names(need, found)),
                Need::Has(requirement) => found.push(&requirement.name),
                Need::Not(_) => {}
            }
        }
        let mut wanted = Vec::new();
        names(image.need.as_need(), &mut wanted);
        let peer = self.core.membership.peers.get(&node).and_then(|peer| peer.facts.as_ref());
        if node != self.me() && peer.is_none() {
            return !wanted.is_empty();
        }
        let theirs = peer.into_iter().flat_map(|facts| &facts.capabilities);
        let own = self.core.capabilities().filter(|_| node == self.me());
        own.chain(theirs).any(|it| it.supply == Supply::Exclusive && wanted.contains(&it.id.name.as_str()))
    }

    /// Why a node does not get a slot, where it refused it a moment ago.
    pub fn refusal(&self, service: ServiceId, slot: &SlotId, node: NodeId) -> Option<Reason> {
        self.refuses(service, slot, node).then(|| {
            let text = format!("{} refused it a moment ago, and is asked again soon", self.called(node));
            Reason::new(Code::WaitingAdmission, text)
        })
    }

    /// The nodes that did so.
    pub fn refusals(&self, service: ServiceId, slot: &SlotId) -> BTreeMap<NodeId, Reason> {
        let least = (service, slot.clone(), NodeId(uuid::Uuid::nil()));
        let of = |key: &&(ServiceId, SlotId, NodeId)| key.0 == service && key.1 == *slot;
        let before = self.core.refused.range(least.clone()..).map(|(key, _)| key).take_while(of);
        let nodes = before.chain(self.refused.range(least..).take_while(of)).map(|(_, _, node)| *node);
        nodes.filter_map(|node| Some((node, self.refusal(service, slot, node)?))).collect()
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

    // the other nodes

    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// This life counts as a later one from now on.
    pub fn raise(&mut self, count: u64) {
        self.incarnation.count = count;
    }

    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    pub fn change_standing(&mut self, change: impl FnOnce(&mut Standing)) {
        change(Arc::make_mut(&mut self.standing));
    }

    pub fn outlook(&self) -> &Outlook {
        match &self.watch {
            Some(watch) => &watch.outlook,
            None => &self.core.membership.watch.outlook,
        }
    }

    pub fn watch(&self) -> &Watch {
        self.watch.as_ref().unwrap_or(&self.core.membership.watch)
    }

    pub fn set_watch(&mut self, watch: Watch) {
        self.watch = Some(watch);
    }

    /// An authorised other node.
    pub fn peer(&mut self, node: NodeId) -> Option<&mut Peer> {
        let known = self.core.membership.peers.get(&node)?;
        Some(self.peers.entry(node).or_insert_with(|| known.clone()))
    }

    /// Whether something that it told was missed.
    pub fn is_behind(&self, node: NodeId) -> bool {
        let peer = self.peers.get(&node).or_else(|| self.core.membership.peers.get(&node));
        peer.is_some_and(|peer| peer.behind)
    }

    /// Whether it spoke within the time after which a silent node counts as dead: an outlook is as old as the last beat.
    pub fn heard_lately(&self, node: NodeId) -> bool {
        let peer = self.peers.get(&node).or_else(|| self.core.membership.peers.get(&node));
        let heard = peer.and_then(|peer| peer.heard);
        heard.is_some_and(|at| self.now <= at.after(self.core.tuning.dead_after))
    }

    /// All of them, as they are after this step.
    pub fn peers(&self) -> BTreeMap<NodeId, Peer> {
        let mut peers = self.core.membership.peers.clone();
        peers.extend(self.peers.iter().map(|(node, peer)| (*node, peer.clone())));
        peers
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
        let Some(peer) = self.peer(to) else { return };
        let number = match message {
            PeerMessage::Beat(_) | PeerMessage::Resync | PeerMessage::Stale { .. } => 0,
            _ => {
                peer.posted += 1;
                peer.posted
            }
        };
        self.effects.push(Effect::Send(to, Letter { incarnation, number, message }));
    }

    pub fn next_message(&mut self) -> Option<(NodeId, PeerMessage)> {
        self.inbox.pop_front()
    }
}
