//! Runs what is assigned to this node: says for each instance what its record wants of it, and reports what changed.
//! Never looks at another node, never decides where something runs.
//!
//! Level-triggered: every decision is made from the state, so a lost or repeated event changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::attempt::Attempt;
use crate::draft::Draft;
use crate::id::{EngineName, NodeId, ServiceId};
use crate::instance::Report;
use crate::mutant::{self, Mutant};
use crate::peer::PeerMessage;
use crate::record::{Desired, Dismissed, InstanceKey, ServiceRecord, SlotId};
use crate::run::Run;
use crate::state::Engine;

/// What should become of an instance, as its record says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// It runs.
    Run,
    /// It does not run, but stays for people to look at.
    Halt,
    /// It is no more.
    End,
    /// Nobody judges it: it is left as it is, and its owner is told of it.
    Leave,
}

/// Brings everything this node has of a service one step nearer to its record, and reports what changed.
pub(crate) fn reconcile(draft: &mut Draft<'_>, service: ServiceId) {
    let Some(record) = draft.record(service) else { return };
    let mut keys = draft.known(service);
    keys.extend(record.slots.iter().map(|(slot, assigned)| record.key(slot, assigned.fence)));
    keys.extend(record.dismissed.iter().map(|dismissed| record.key(&dismissed.slot, dismissed.fence)));
    review(draft, &record, keys);
}

/// Does so for what a newer record says otherwise than the one that was committed before it.
pub(crate) fn follow(draft: &mut Draft<'_>, service: ServiceId) {
    let Some(record) = draft.record(service) else { return };
    let epoch = |record: &ServiceRecord| (record.stamp.epoch, record.stamp.owner);
    let wide = |record: &ServiceRecord| (record.desired, record.has_failed());
    match draft.core.records.get(&service) {
        Some(before) if epoch(before) != epoch(&record) => retell(draft, service),
        Some(before) if **before != *record && wide(before) == wide(&record) => {
            let mut keys = BTreeSet::new();
            for slot in changed(before, &record) {
                let known = draft.known_in(service, slot);
                known.iter().filter(|key| !record.judges(key)).for_each(|key| tell_again(draft, key));
                keys.extend(known);
                keys.extend(record.slots.get(slot).map(|assigned| record.key(slot, assigned.fence)));
            }
            keys.extend(record.dismissed.difference(&before.dismissed).map(|d| record.key(&d.slot, d.fence)));
            review(draft, &record, keys);
        }
        _ => reconcile(draft, service),
    }
}

/// Whoever decides about a slot is to know what is there beside its own.
fn tell_again(draft: &mut Draft<'_>, key: &InstanceKey) {
    if let Some(run) = draft.run(key).filter(|run| run.told.is_some()) {
        draft.set_run(key, Some(Run { told: None, ..run }));
    }
}

/// Everything will be told again.
pub(crate) fn retell_all(draft: &mut Draft<'_>) {
    for (key, run) in draft.core.runs.iter() {
        draft.set_run(key, Some(Run { told: None, ..run.clone() }));
    }
}

/// Tells the owner again how everything is that this node has of a service, told before or not.
pub(crate) fn retell(draft: &mut Draft<'_>, service: ServiceId) {
    for key in draft.known(service) {
        tell_again(draft, &key);
    }
    reconcile(draft, service);
}

/// The slots of which two versions of a record do not say the same.
fn changed<'r>(before: &'r ServiceRecord, now: &'r ServiceRecord) -> BTreeSet<&'r SlotId> {
    fn differ<'r, V: PartialEq>(
        one: &'r BTreeMap<SlotId, V>,
        other: &'r BTreeMap<SlotId, V>,
    ) -> impl Iterator<Item = &'r SlotId> {
        let missing = |(slot, value): &(&SlotId, &V)| other.get(*slot) != Some(*value);
        one.iter().filter(missing).map(|(slot, _)| slot)
    }
    let assigned = differ(&before.slots, &now.slots).chain(differ(&now.slots, &before.slots));
    let ended = differ(&before.ended, &now.ended).chain(differ(&now.ended, &before.ended));
    let dismissed = before.dismissed.symmetric_difference(&now.dismissed);
    assigned.chain(ended).chain(dismissed.map(|dismissed| &dismissed.slot)).collect()
}

/// Does so for one instance and the others of its slot, which may wait for it.
pub(crate) fn attend(draft: &mut Draft<'_>, key: &InstanceKey) {
    if let Some(record) = draft.record(key.service) {
        let mut keys = draft.known_in(key.service, &key.slot);
        keys.insert(key.clone());
        review(draft, &record, keys);
    }
}

/// Those that are to run come after those that are not, whose things they may have; last comes what they replace: whether
/// it may end follows from how far they are.
fn review(draft: &mut Draft<'_>, record: &Arc<ServiceRecord>, keys: impl IntoIterator<Item = InstanceKey>) {
    draft.touch(record.id);
    let orders = Orders::of(record, draft.me());
    let mut report = Report::of(record.id, Some(record.stamp));
    let wishes = keys.into_iter().filter_map(|key| Some((orders.wish(draft, &key)?, key)));
    let mut wishes: Vec<(Wish, InstanceKey)> = wishes.collect();
    wishes.sort_by_key(|(wish, key)| (orders.replacement(draft, key).is_some(), *wish == Wish::Run));
    for (wish, key) in wishes {
        let held = orders.replacement(draft, &key).is_some_and(|next| awaits_image(draft, &next));
        let wish = if held && !mutant::is(Mutant::StopBeforeFetch) { Wish::Leave } else { wish };
        let run = draft.run(&key);
        let Some(engine) = engine_of(draft, &orders, &key, run.as_ref()) else {
            if clear(draft, &key) {
                report.gone.push(key);
            }
            continue;
        };
        let is_behind = wish == Wish::Run
            && (orders.leaves(&key.slot) || others_stay(draft, &key))
            && !mutant::is(Mutant::OverlapAttempts);
        let is_down = matches!(draft.core.engines.get(&engine), Some(Engine::Down { .. }));
        if is_down && mutant::is(Mutant::DownIsDead) {
            report.gone.push(key);
            continue;
        }
        Attempt { draft, record, key: &key, engine, is_behind, report: &mut report }.advance(wish, run);
    }
    if !report.is_empty() {
        draft.send(record.stamp.owner, PeerMessage::Report(report));
    }
}

/// What no record and no engine says a word about is gone, with what it held, once every engine has listed what it has; one
/// that has not come yet may have it, for as long as an engine may take.
fn clear(draft: &mut Draft<'_>, key: &InstanceKey) -> bool {
    let since = draft.watch().awake_since.filter(|_| draft.outlook().cluster);
    if let Some(all_here) = since.map(|since| since.after(draft.core.tuning.engines_within))
        && draft.now < all_here
    {
        draft.wake(key.service, all_here);
        return false;
    }
    let engines = &draft.core.engines;
    let is_gone = !engines.is_empty() && engines.values().all(|it| matches!(it, Engine::Up { .. }));
    if is_gone {
        if draft.run(key).is_some() {
            draft.set_run(key, None);
        }
        draft.free(key);
    }
    is_gone
}

/// Whether another attempt of the slot, which nobody ordered to end, still lives here, may live by a call that is under
/// way, or holds what the slot takes: what becomes of it the owner says.
fn others_stay(draft: &Draft<'_>, key: &InstanceKey) -> bool {
    let mut others = draft.known_in(key.service, &key.slot).into_iter().filter(|other| other != key);
    others.any(|other| draft.has_leases(&other) || may_live(draft, &other))
}

/// Whether an attempt is to run here, and for that its image, or an engine that may have to fetch it.
fn awaits_image(draft: &Draft<'_>, key: &InstanceKey) -> bool {
    let awaits = |run: Run| {
        let engine = run.engine.as_ref().and_then(|name| draft.engine(name));
        run.wish == Some(Wish::Run) && !run.fetched && engine.is_none_or(Engine::may_fetch)
    };
    !draft.is_made(key) && draft.run(key).is_some_and(awaits)
}

/// Whether an instance lives here, comes to life by what is under way, or is one of an engine that has not said a word.
fn may_live(draft: &Draft<'_>, key: &InstanceKey) -> bool {
    let run = draft.run(key);
    let answers = |engine: &EngineName| matches!(draft.core.engines.get(engine), Some(Engine::Up { .. }));
    let is_called = run.as_ref().is_some_and(|run| run.call.is_some());
    is_called
        || match draft.seen(key) {
            Some(instance) => instance.seen.is_live(),
            None => run.as_ref().and_then(|run| run.engine.as_ref()).is_some_and(|engine| !answers(engine)),
        }
}

/// Where an instance is, or is to be: as it is seen, as it is assigned, as it was before.
fn engine_of(
    draft: &Draft<'_>,
    orders: &Orders<'_>,
    key: &InstanceKey,
    run: Option<&Run>,
) -> Option<EngineName> {
    let seen = draft.seen(key).map(|instance| &instance.engine);
    let ordered = || orders.engine(key);
    let before = || run.and_then(|run| run.engine.as_ref());
    seen.or_else(ordered).or_else(before).cloned()
}

/// What a record says to this node.
struct Orders<'r> {
    record: &'r ServiceRecord,
    me: NodeId,
    failed: bool,
    /// What of it may stop here, in the order of slots.
    dismissed: Vec<&'r Dismissed>,
}

impl<'r> Orders<'r> {
    fn of(record: &'r ServiceRecord, me: NodeId) -> Self {
        let dismissed = record.dismissed.iter().filter(|dismissed| dismissed.node == me).collect();
        Self { record, me, failed: record.has_failed(), dismissed }
    }

    /// `None`: the record says nothing about it, and there is nothing to tell. What ended here on order ends again,
    /// should it appear once more.
    fn wish(&self, draft: &Draft<'_>, key: &InstanceKey) -> Option<Wish> {
        if self.record.desired != Desired::Running || self.dismissal(key).is_some() {
            return Some(Wish::End);
        }
        if mutant::is(Mutant::DismissBySlot) && draft.seen(key).is_some() && self.leaves(&key.slot) {
            return Some(Wish::End);
        }
        let over = self.failed || self.record.ended.contains_key(&key.slot);
        if self.assigned(key).is_some() {
            return Some(if over { Wish::Halt } else { Wish::Run });
        }
        let wish = if draft.is_dead(key) { Wish::End } else { Wish::Leave };
        let is_here = draft.seen(key).is_some() || draft.run(key).is_some() || draft.has_leases(key);
        is_here.then_some(wish)
    }

    /// The engine on which this node is to run it: for the slot, or until the slot's own attempt runs elsewhere.
    fn assigned(&self, key: &InstanceKey) -> Option<&'r EngineName> {
        let assigned = self.record.slots.get(&key.slot)?;
        if (assigned.node, assigned.fence) == (self.me, key.fence) {
            return Some(&assigned.engine);
        }
        let former = assigned.from.as_ref()?;
        ((former.node, former.fence) == (self.me, key.fence)).then_some(&former.engine)
    }

    fn engine(&self, key: &InstanceKey) -> Option<&'r EngineName> {
        self.assigned(key).or_else(|| self.dismissal(key).map(|dismissed| &dismissed.engine))
    }

    fn dismissal(&self, key: &InstanceKey) -> Option<&'r Dismissed> {
        self.leaving(&key.slot).find(|dismissed| dismissed.fence == key.fence)
    }

    /// The attempt that is to run here in the place of one that lives here and is to end.
    fn replacement(&self, draft: &Draft<'_>, key: &InstanceKey) -> Option<InstanceKey> {
        let assigned = self.record.slots.get(&key.slot).filter(|assigned| assigned.node == self.me)?;
        let lives = draft.seen(key).is_some_and(|instance| instance.seen.is_live());
        let ends = self.record.desired == Desired::Running && lives && self.dismissal(key).is_some();
        ends.then(|| self.record.key(&key.slot, assigned.fence))
    }

    /// Whether an attempt of a slot is on its way out.
    fn leaves(&self, slot: &SlotId) -> bool {
        self.leaving(slot).next().is_some()
    }

    /// Those attempts.
    fn leaving(&self, slot: &SlotId) -> impl Iterator<Item = &'r Dismissed> {
        let first = self.dismissed.partition_point(|dismissed| dismissed.slot < *slot);
        self.dismissed[first..].iter().copied().take_while(move |dismissed| dismissed.slot == *slot)
    }
}
