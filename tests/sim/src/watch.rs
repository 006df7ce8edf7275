//! What must hold at every step, whatever goes wrong.

use std::collections::{BTreeMap, BTreeSet};

use motey_core::id::{Millis, NodeId, ServiceId};
use motey_core::project::State;
use motey_core::record::{Desired, Fence, Incarnation, InstanceKey, ServiceRecord, SlotId};
use motey_core::spec::OnLoss;
use motey_core::step::{Call, Txn};

use crate::blueprint::{Names, requirements, takes};
use crate::disk::Contents;
use crate::engine::{Body, Verb};
use crate::node::Node;
use crate::queue::Time;

const MINUTE: Time = 60_000;

/// An instance that is started again and again costs less.
const CALLS_A_MINUTE: usize = 40;

/// A slot that finds no rest is given to a node less often.
const ATTEMPTS_A_MINUTE: usize = 10;

/// Two nodes that agree on nothing write each other less, beats apart.
const LETTERS_A_MINUTE: u32 = 800;

/// No more is heard in one moment.
const INPUTS_AT_ONCE: u32 = 10_000;

/// A start may reach its engine so much earlier than the one before it.
const CALL_TAKES: u64 = 150;

/// A rule that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which one.
    pub rule: &'static str,
    /// What shows it.
    pub text: String,
}

pub type Verdict = Result<(), Broken>;

/// Holds, or says what does not.
pub fn holds(rule: &'static str, is_so: bool, text: impl FnOnce() -> String) -> Verdict {
    if is_so { Ok(()) } else { Err(Broken { rule, text: text() }) }
}

/// What is remembered for judging what comes.
#[derive(Debug, Default)]
pub struct Watch {
    /// Which attempt each fence names, and on which node.
    fences: BTreeMap<Fence, (ServiceId, SlotId, usize)>,
    accounts: BTreeMap<InstanceKey, Account>,
    /// When a slot got a new attempt, in the last minute.
    attempts: BTreeMap<(ServiceId, SlotId), Vec<Time>>,
    /// What one node wrote to another, in the minute that began then.
    letters: BTreeMap<(usize, usize), (Time, u32)>,
    /// The present moment, and how much was heard in it.
    moment: (Time, u32),
    /// So much went wrong with the instances of a slot.
    harms: BTreeMap<(ServiceId, SlotId), u32>,
    /// The epoch of each record, and its owner's life, as a node last wrote it.
    epochs: BTreeMap<(usize, ServiceId), (u64, NodeId, Incarnation)>,
    /// Instances that are being checked, and the life of the node that asked.
    checking: BTreeMap<InstanceKey, (usize, u64)>,
    /// Tombstones of which nothing was left.
    over: BTreeSet<(usize, ServiceId)>,
}

/// Why an instance may be started, and when it last was.
#[derive(Debug, Default)]
struct Account {
    life: u64,
    causes: u32,
    starts: u32,
    /// The last start, and the one before it.
    last: [Option<Millis>; 2],
    /// Of the last minute.
    calls: Vec<Time>,
}

impl Watch {
    /// Something went wrong with an instance: a reason to start it again.
    pub fn harm(&mut self, key: &InstanceKey) {
        self.accounts.entry(key.clone()).or_default().causes += 1;
        *self.harms.entry((key.service, key.slot.clone())).or_default() += 1;
    }

    /// What a node wrote last may be lost.
    pub fn power_cut(&mut self, node: usize) {
        self.over.retain(|(at, _)| *at != node);
    }

    pub fn harms(&self, service: ServiceId, slot: &SlotId) -> u32 {
        self.harms.get(&(service, slot.clone())).copied().unwrap_or(0)
    }

    /// Whether some node has written that fence.
    pub fn knows(&self, fence: Fence) -> bool {
        self.fences.contains_key(&fence)
    }

    /// What a node is about to write, before it does.
    pub fn before(&self, node: &Node, txn: &Txn, names: &Names) -> Verdict {
        for record in txn.records.values() {
            let old = node.disk.now.records.get(&record.id);
            holds("stamps grow", old.is_none_or(|old| old.stamp < record.stamp), || {
                format!("{} over {:?}", crate::story::record(record, names), old.map(|old| old.stamp))
            })?;
        }
        for lease in &txn.taken {
            let mut of_disk = node.disk.now.leases.iter();
            let twice = of_disk.any(|it| it.holder == lease.holder && it.of == lease.of)
                && !txn.freed.contains(&lease.holder);
            holds("no lease is granted twice", !twice, || {
                format!("{} for {}", lease.of, names.key(&lease.holder))
            })?;
        }
        Ok(())
    }

    /// What a node has written, whether or not it lived to know.
    pub fn written(&mut self, node: usize, txn: &Txn, now: Time, names: &Names) -> Verdict {
        for record in txn.records.values() {
            let epoch = (record.stamp.epoch, record.stamp.owner, record.stamp.writer);
            if self.epochs.insert((node, record.id), epoch).is_some_and(|before| before != epoch) {
                // another owner, or another life of it, may know less, and want what was halted to run
                let of = self.accounts.iter_mut().filter(|(key, _)| key.service == record.id);
                of.for_each(|(_, account)| account.causes += 1);
            }
        }
        txn.records.values().try_for_each(|record| self.fences(record, now, names))
    }

    fn fences(&mut self, record: &ServiceRecord, now: Time, names: &Names) -> Verdict {
        for (slot, assigned) in &record.slots {
            let attempt = (record.id, slot.clone(), names.number(assigned.node));
            let Some(before) = self.fences.get(&assigned.fence) else {
                self.fences.insert(assigned.fence, attempt);
                self.attempted(record.id, slot, now, names)?;
                continue;
            };
            holds("a fence names one attempt", *before == attempt, || {
                let (service, slot, node) = before;
                format!(
                    "{} was {} on node {node}, and is {} on {}",
                    names.fence(assigned.fence),
                    names.slot(*service, slot),
                    names.slot(record.id, &attempt.1),
                    names.node(assigned.node),
                )
            })?;
        }
        Ok(())
    }

    fn attempted(&mut self, service: ServiceId, slot: &SlotId, now: Time, names: &Names) -> Verdict {
        let attempts = self.attempts.entry((service, slot.clone())).or_default();
        attempts.retain(|at| at + MINUTE > now);
        attempts.push(now);
        holds("nothing flaps", attempts.len() <= ATTEMPTS_A_MINUTE, || {
            format!("{} attempts of {} in a minute", attempts.len(), names.slot(service, slot))
        })
    }

    /// A node hears something: one word must not lead to another for ever.
    pub fn hears(&mut self, now: Time) -> Verdict {
        let (moment, count) = &mut self.moment;
        if *moment != now {
            (*moment, *count) = (now, 0);
        }
        *count += 1;
        holds("time goes on", *count <= INPUTS_AT_ONCE, || format!("{count} inputs in one moment"))
    }

    /// A node writes to another one.
    pub fn letter(&mut self, from: usize, to: usize, now: Time) -> Verdict {
        let (since, count) = self.letters.entry((from, to)).or_insert((now, 0));
        if *since + MINUTE <= now {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        holds("letters are few", *count <= LETTERS_A_MINUTE, || {
            format!("{count} letters in a minute from node {from} to node {to}")
        })
    }

    /// What a node is after a step that wrote something.
    pub fn after(&mut self, node: &Node, txn: &Txn, names: &Names) -> Verdict {
        let Some(process) = &node.process else { return Ok(()) };
        let stored = &node.disk.now;
        for (id, record) in &txn.records {
            let (memory, disk) = (process.core.record(*id), stored.records.get(id));
            holds("memory is what is on the disk", memory.is_some() && memory == disk, || {
                format!("{}: the disk has {:?}", names.service(*id), disk.map(|disk| disk.stamp))
            })?;
            self.shows(node, record, names)?;
        }
        if !txn.taken.is_empty() || !txn.freed.is_empty() {
            leases(node, stored, txn)?;
        }
        Ok(())
    }

    /// What clients are shown of a record.
    fn shows(&mut self, node: &Node, record: &ServiceRecord, names: &Names) -> Verdict {
        let status = node.process.as_ref().and_then(|process| process.core.status(record.id));
        let Some(status) = status.filter(|_| record.stamp.owner == node.id) else { return Ok(()) };
        let said = || format!("{} is {:?}: {:?}", names.service(record.id), status.state, status.reason);
        let legal = match record.desired {
            Desired::Running => true,
            Desired::Stopped | Desired::Absent => {
                matches!(status.state, State::Stopping | State::Terminated)
            }
        };
        holds("what is shown is legal", legal, said)?;
        let key = (node.number, record.id);
        if record.is_absent() && record.stamp.epoch == 1 && status.state == State::Terminated {
            self.over.insert(key);
        }
        let stays = !self.over.contains(&key) || status.state == State::Terminated;
        holds("what is gone stays gone", stays, said)?;
        let slots = status.images.iter().flat_map(|image| &image.slots);
        for slot in slots.filter(|slot| matches!(slot.state, State::Initial | State::Error)) {
            holds("what does not run says why", slot.reason.is_some(), || {
                format!("{} is {:?}", names.slot(record.id, &slot.slot), slot.state)
            })?;
        }
        Ok(())
    }

    /// What an engine is asked to do.
    pub fn calls(&mut self, node: &Node, call: &Call, now: Time, names: &Names) -> Verdict {
        let key = &call.target.key;
        let verb = Verb::of(&call.op);
        let record = node.disk.synced.records.get(&key.service);
        let justified = record.is_some_and(|record| match verb {
            Verb::Fetch | Verb::Create | Verb::Start => runs(record, key, node),
            Verb::Stop | Verb::Destroy if node.disk.now.dead.contains(key) => true,
            Verb::Stop if stops_for_want(record, key, node) => {
                // what it lacks may come back
                self.accounts.entry(key.clone()).or_default().causes += 1;
                true
            }
            Verb::Stop if fails_its_checks(node, key) => true,
            Verb::Stop | Verb::Destroy if runs(record, key, node) && has_moved(node, key) => {
                // it is started anew, or again should the device be as it was by then: at once, and for no fault of its own
                let account = self.accounts.entry(key.clone()).or_default();
                account.causes += 1;
                account.last = [None; 2];
                true
            }
            Verb::Stop | Verb::Destroy => {
                // the order may be taken back
                let account = self.accounts.entry(key.clone()).or_default();
                account.causes = account.causes.max(account.starts + 1);
                record.judges(key) && (!runs(record, key, node) || stops(record, key))
            }
            Verb::Inspect => true,
        });
        let buried = matches!(verb, Verb::Create | Verb::Start) && node.disk.now.dead.contains(key);
        let has_body = node.engines.iter().any(|engine| engine.bodies.contains_key(key));
        holds("what was ended is not begun again", !buried || has_body, || names.key(key))?;
        holds("what is done is on the disk first", justified, || {
            format!("{} for {:?}", crate::story::call_text(call, names), record.map(|record| record.stamp))
        })?;
        let follows =
            node.disk.now.records.get(&key.service).and_then(|record| next_image(record, key, node));
        holds(
            "images are fetched before anything is stopped",
            verb != Verb::Stop || follows.is_none(),
            || format!("{} is stopped, and {} is not there", names.key(key), follows.unwrap_or_default()),
        )?;
        self.rate(key, now, names)
    }

    /// However much goes wrong, an engine is not flooded.
    fn rate(&mut self, key: &InstanceKey, now: Time, names: &Names) -> Verdict {
        let account = self.accounts.entry(key.clone()).or_default();
        account.calls.retain(|at| at + MINUTE > now);
        account.calls.push(now);
        holds("an engine is not flooded", account.calls.len() <= CALLS_A_MINUTE, || {
            format!("{} calls in a minute about {}", account.calls.len(), names.key(key))
        })
    }

    /// A node begins to find out whether an instance does its work.
    pub fn checks(&mut self, node: usize, life: u64, key: &InstanceKey, names: &Names) -> Verdict {
        let before = self.checking.insert(key.clone(), (node, life));
        holds("one check at a time", before != Some((node, life)), || names.key(key))
    }

    /// It found out.
    pub fn checked(&mut self, key: &InstanceKey) {
        self.checking.remove(key);
    }

    /// An instance that did not run was started.
    pub fn starts(&mut self, node: &Node, life: u64, key: &InstanceKey, now: Time, names: &Names) -> Verdict {
        let now = node.boot_time(now);
        let account = self.accounts.entry(key.clone()).or_default();
        if account.life != life {
            (account.life, account.last) = (life, [None; 2]);
            account.causes += 1;
        }
        account.starts += 1;
        holds("every start has its cause", account.starts <= account.causes, || {
            format!("start {} of {}, with {} causes", account.starts, names.key(key), account.causes)
        })?;
        let delay = motey_core::Tuning::default().restart_delay - CALL_TAKES;
        let [last, before] = account.last;
        account.last = [Some(now), last];
        // what an engine told before the last start, and is heard after it, may lead to one more at once
        holds("starts keep a distance", before.is_none_or(|before| now >= before.after(delay)), || {
            format!("{} is started at {before:?}, {last:?} and {now:?}", names.key(key))
        })
    }

    /// What takes an exclusive device lives once, wherever.
    pub fn lives_once(&self, nodes: &[Node], misled: &BTreeSet<ServiceId>, names: &Names) -> Verdict {
        let mut slots = BTreeSet::new();
        let bodies = nodes.iter().flat_map(|node| &node.engines).flat_map(|engine| &engine.bodies);
        let pinned = |body: &Body| requirements(&body.image).iter().any(|it| it.name == "dongle");
        let bodies =
            bodies.filter(|(key, body)| body.lives() && !body.meddled && !misled.contains(&key.service));
        for (key, _) in bodies.filter(|(_, body)| pinned(body)) {
            holds("what must not run twice lives once", slots.insert((key.service, &key.slot)), || {
                names.key(key)
            })?;
        }
        Ok(())
    }

    /// What lives on a node, after its engines changed something. What no record names is not known of while its engine
    /// is away.
    pub fn lives(&self, node: &Node, now: Time, names: &Names) -> Verdict {
        let mut slots = BTreeSet::new();
        let named =
            |key: &InstanceKey| node.disk.now.records.get(&key.service).is_some_and(|it| it.judges(key));
        let engines = node.engines.iter();
        let bodies = engines.flat_map(|engine| engine.bodies.iter().map(move |body| (engine, body)));
        let known = bodies.filter(|(engine, (key, _))| engine.down_until <= now || named(key));
        let mut live = known.map(|(_, body)| body).filter(|(_, body)| body.lives());
        live.try_for_each(|(key, _)| {
            holds("one instance lives in a slot", slots.insert((key.service, &key.slot)), || names.key(key))
        })
    }

    /// What lives on a node uses no more than there is.
    pub fn uses(&self, node: &Node) -> Verdict {
        let mut used: BTreeMap<String, u64> = BTreeMap::new();
        let live = node.engines.iter().flat_map(|engine| engine.bodies.values()).filter(|body| body.lives());
        for requirement in live.filter(|body| !body.meddled).flat_map(|body| requirements(&body.image)) {
            let amount = node.has().find_map(|it| takes(&requirement, it));
            *used.entry(requirement.into_owned().name).or_default() += amount.unwrap_or(0);
        }
        for (name, amount) in used {
            let all: u64 = node.has().filter(|it| it.id.name == name).map(crate::blueprint::supply).sum();
            holds("nothing is used beyond what there is", amount <= all, || {
                format!("{amount} of {all} {name}")
            })?;
        }
        Ok(())
    }
}

/// Whether the record lets that instance run to run on that node.
fn runs(record: &ServiceRecord, key: &InstanceKey, node: &Node) -> bool {
    let assigned = record.slots.get(&key.slot);
    record.desired == Desired::Running
        && assigned.is_some_and(|assigned| {
            let own = (assigned.node, assigned.fence) == (node.id, key.fence);
            own || assigned.from.as_ref().is_some_and(|from| (from.node, from.fence) == (node.id, key.fence))
        })
}

/// The image of what is to run on the node in place of a living instance, where its engine never said to have it.
fn next_image<'r>(record: &'r ServiceRecord, key: &InstanceKey, node: &Node) -> Option<&'r str> {
    let lives = node.engines.iter().filter_map(|it| it.bodies.get(key)).any(Body::lives);
    let ends = lives && record.dismissed.iter().any(|it| (&it.slot, it.fence) == (&key.slot, key.fence));
    let assigned = record.slots.get(&key.slot).filter(|it| ends && it.node == node.id)?;
    let next = record.key(&key.slot, assigned.fence);
    let engine = node.engines.iter().find(|engine| engine.name == assigned.engine)?;
    let is_made = engine.bodies.contains_key(&next);
    let waits = stops(record, key) || !runs(record, &next, node) || stops_for_want(record, &next, node);
    let image = &record.revision.spec.image(&key.slot.image)?.image;
    (!is_made && !waits && !engine.claims(image)).then_some(image)
}

/// Whether an instance failed as many checks in a row as make it unhealthy; one that is not there fails them all.
fn fails_its_checks(node: &Node, key: &InstanceKey) -> bool {
    let body = node.engines.iter().find_map(|engine| engine.bodies.get(key));
    let fails = |body: &Body| body.image.health.as_ref().is_some_and(|it| body.failures >= it.retries);
    body.is_none_or(fails)
}

/// Whether it was made with what is another device by now, as its node was told last; one that is not there may have been.
fn has_moved(node: &Node, key: &InstanceKey) -> bool {
    let body = node.engines.iter().find_map(|engine| engine.bodies.get(key));
    let bound = node.process.as_ref().and_then(|process| node.bound(key, &process.bindings));
    bound.is_some_and(|bound| body.is_none_or(|body| body.devices != bound))
}

/// Whether it is to stay down though its slot is assigned.
fn stops(record: &ServiceRecord, key: &InstanceKey) -> bool {
    record.has_failed() || record.ended.contains_key(&key.slot)
}

/// Whether it runs here, and its image wants it stopped while its node lacks something: as the node was told last.
fn stops_for_want(record: &ServiceRecord, key: &InstanceKey, node: &Node) -> bool {
    let image = record.revision.spec.image(&key.slot.image).filter(|image| image.on_loss == OnLoss::Stop);
    let told = node.process.as_ref().map(|process| &process.supply);
    runs(record, key, node) && image.zip(told).is_some_and(|(image, supply)| node.lacks(key, image, supply))
}

/// Leases in memory and on the disk are the same, and not more than there is.
fn leases(node: &Node, stored: &Contents, txn: &Txn) -> Verdict {
    let Some(process) = &node.process else { return Ok(()) };
    for (of, amount) in stored.held() {
        let memory = process.core.leased(of);
        holds("memory is what is on the disk", memory == amount, || {
            format!("{memory} of {of} is leased in memory, {amount} on the disk")
        })?;
        let grows = txn.taken.iter().any(|lease| lease.of == *of && lease.amount > 0);
        let supply = process.supply.get(of).copied().unwrap_or(0);
        holds("no lease is granted beyond the supply", !grows || amount <= supply, || {
            format!("{amount} of {of} is leased, and there is {supply}")
        })?;
    }
    Ok(())
}
