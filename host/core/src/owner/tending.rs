//! What follows for a service from what is heard of its instances and of the nodes: instances that are adopted or
//! dismissed, slots that move, come back or are given to another node. Level-triggered: it compares what is decided
//! with what is known, so that a report that was lost and told again changes nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::hearing::REFUSAL_LASTS;
use super::market::{Market, Placing};
use super::placing::{confirms, place};
use super::{
    conclude, dismiss, homes, owned, pins, prove_revision, publish, reissue_outdated, slots_of, turn_to,
};
use crate::draft::Draft;
use crate::group::{Bounds, bounds, is_bound, is_kept, units};
use crate::id::{NodeId, ServiceId};
use crate::instance::Observed;
use crate::mutant::{self, Mutant};
use crate::record::{
    Assignment, Desired, Dismissed, Former, InstanceKey, Place, Revision, ServiceRecord, SlotId,
};
use crate::spec::{OnLoss, OnNodeLoss};
use crate::step::{Durability, EventKind};
use crate::succession::fill_line;

/// Looks after a service of this node's own, and writes what follows.
pub(crate) fn tend(draft: &mut Draft<'_>, service: ServiceId) {
    if draft.outlook().decides() {
        tend_whole(draft, service);
    }
}

/// The same for a record whose epoch was opened in this very step.
pub(crate) fn tend_whole(draft: &mut Draft<'_>, service: ServiceId) {
    let Some(before) = owned(draft, service).filter(|record| !record.awaits_heir()) else { return };
    let mut record = ServiceRecord::clone(&before);
    catch_up(draft, &mut record);
    let mut slots: BTreeSet<SlotId> = slots_of(&record).into_iter().collect();
    slots.extend(draft.heard_slots(service));
    mind(draft, &mut record, slots);
    homes::abandon(draft, &mut record);
    drop_lost(draft, &mut record);
    prove(draft, &mut record);
    prove_revision(draft, &mut record);
    fill_line(draft, &mut record);
    if record != *before {
        conclude(draft, &mut record);
        place(draft, &mut record);
        publish(draft, record, Durability::Power);
    }
}

/// What is dismissed on a forgotten node is not waited for, unless that speaks: then it would be dismissed again.
fn drop_lost(draft: &Draft<'_>, record: &mut ServiceRecord) {
    let outlook = draft.outlook();
    let is_lost = |node: NodeId| outlook.is_forgotten(node) && !outlook.heard.contains(&node);
    record.dismissed.retain(|dismissed| !is_lost(dismissed.node));
}

/// Takes in an acknowledged revision that is newer than the record's: at its owner it becomes the record's, anywhere
/// else it is kept until the owner has it.
pub(crate) fn catch_up_with(draft: &mut Draft<'_>, service: ServiceId, revision: Arc<Revision>) {
    let Some(record) = draft.record(service).filter(|record| !record.is_absent()) else { return };
    let known = draft.kept(service).map(|kept| kept.order).max(Some(record.revision.order));
    if known >= Some(revision.order) {
        return;
    }
    draft.keep(service, Some(revision));
    tend(draft, service);
}

/// A revision that the record has caught up with is kept no longer.
pub(crate) fn let_go(draft: &mut Draft<'_>, record: &ServiceRecord) {
    if draft.kept(record.id).is_some_and(|kept| kept.order <= record.revision.order) {
        draft.keep(record.id, None);
    }
}

fn catch_up(draft: &mut Draft<'_>, record: &mut ServiceRecord) {
    let Some(kept) = draft.kept(record.id) else { return };
    draft.keep(record.id, None);
    if kept.order > record.revision.order && !record.is_absent() {
        let text =
            format!("revision {} was acknowledged by another owner and is taken over", kept.order.number);
        draft.tell(record.id, None, EventKind::Updated, text);
        turn_to(record, Revision::clone(&kept));
        reissue_outdated(draft, record);
    }
}

/// Brings slots into line with what is heard of them. Returns whether there was anything to decide.
pub(super) fn mind(
    draft: &mut Draft<'_>,
    record: &mut ServiceRecord,
    slots: impl IntoIterator<Item = SlotId>,
) -> bool {
    if !draft.outlook().decides() {
        return false;
    }
    let mut decides = false;
    for slot in slots {
        if is_well(draft, record, &slot) {
            continue;
        }
        decides = true;
        if record.desired == Desired::Running && record.wants(&slot) {
            mind_node(draft, record, &slot);
            mind_assigned(draft, record, &slot);
            mind_extras(draft, record, &slot);
        } else {
            leave_slot(draft, record, &slot);
        }
    }
    decides
}

/// Whether there is nothing to be done about a slot: so it is for most of them, most of the time.
pub(super) fn is_well(draft: &Draft<'_>, record: &ServiceRecord, slot: &SlotId) -> bool {
    let Some(assigned) = record.slots.get(slot) else { return false };
    let outlook = draft.outlook();
    record.desired == Desired::Running
        && record.wants(slot)
        && assigned.from.is_none()
        && assigned.revision == record.revision.since(&slot.image)
        && !outlook.is_silent(assigned.node)
        && !outlook.is_forgotten(assigned.node)
        && !leaves_node(draft, record, slot, assigned)
        && !is_pinned_now(draft, record, slot, assigned)
        && extras(draft, record, slot).is_empty()
}

/// Whether an attempt turns out to hold what one alone can have: its node's facts were not known when it was made.
fn is_pinned_now(draft: &Draft<'_>, record: &ServiceRecord, slot: &SlotId, assigned: &Assignment) -> bool {
    let heard = || draft.heard(&record.key(slot, assigned.fence));
    !assigned.pinned && heard().is_some_and(|observed| holds_alone(draft, observed))
}

/// A slot that is not wanted has no instance; one on a forgotten node is not waited for.
fn leave_slot(draft: &mut Draft<'_>, record: &mut ServiceRecord, slot: &SlotId) {
    if record.desired == Desired::Running {
        dismiss(record, slot);
        for extra in extras(draft, record, slot) {
            record.dismissed.insert(dismissal(&extra));
        }
    } else if record.slots.get(slot).is_some_and(|at| draft.outlook().is_forgotten(at.node)) {
        record.slots.remove(slot);
    }
}

/// A slot whose node was forgotten, or is silent and may be acted for, goes back to where it came from or is placed
/// anew. A pinned one waits for its node, and so does one whose service wants it. An owner that was forgotten itself leaves
/// its own slots to whoever takes the service over: where nobody does, they have no other node.
fn mind_node(draft: &mut Draft<'_>, record: &mut ServiceRecord, slot: &SlotId) {
    let waits = record.revision.spec.on_node_loss == OnNodeLoss::Wait;
    let Some(assigned) = record.slots.get_mut(slot) else { return };
    let outlook = draft.outlook();
    if assigned.from.as_ref().is_some_and(|former| outlook.is_forgotten(former.node)) {
        assigned.from = None;
    }
    let forgotten = outlook.is_forgotten(assigned.node) && assigned.node != draft.me();
    let lost = outlook.is_silent(assigned.node)
        && outlook.permitted
        && !waits
        && (!assigned.pinned || mutant::is(Mutant::MovePinned));
    if !forgotten && !lost {
        return;
    }
    let why = if forgotten { "was forgotten" } else { "is silent" };
    let text = format!("{} {why}", draft.called(assigned.node));
    draft.tell(record.id, Some(slot), EventKind::NodeLost, text);
    fall_back(draft, record, slot);
}

/// The slot's attempt is not to be had: the one it was to take over from goes on, if there is one, or the slot waits.
pub(super) fn fall_back(draft: &Draft<'_>, record: &mut ServiceRecord, slot: &SlotId) {
    let Some(assigned) = record.slots.remove(slot) else { return };
    let outlook = draft.outlook();
    let goes_on = |former: &Former| {
        let key = record.key(slot, former.fence);
        !outlook.is_silent(former.node) && draft.heard(&key).is_some_and(Observed::may_live)
    };
    if let Some(former) = assigned.from.filter(|former| goes_on(former)) {
        let Former { node, engine, fence, revision } = *former;
        let pinned = assigned.pinned;
        record.slots.insert(slot.clone(), Assignment { node, engine, fence, revision, pinned, from: None });
    }
}

/// A predecessor that is gone by itself is no longer waited for.
pub(super) fn drop_former(record: &mut ServiceRecord, node: NodeId, key: &InstanceKey) {
    if let Some(assigned) = record.slots.get_mut(&key.slot)
        && assigned.from.as_ref().is_some_and(|former| (former.node, former.fence) == (node, key.fence))
    {
        assigned.from = None;
    }
}

/// Ends a move whose successor runs; renews an instance of an old revision; moves one off a node that is to be empty.
fn mind_assigned(draft: &mut Draft<'_>, record: &mut ServiceRecord, slot: &SlotId) {
    let Some(assigned) = record.slots.get(slot).cloned() else { return };
    if draft.outlook().is_silent(assigned.node) {
        return;
    }
    if is_pinned_now(draft, record, slot, &assigned)
        && let Some(assigned) = record.slots.get_mut(slot)
    {
        assigned.pinned = true;
    }
    let key = record.key(slot, assigned.fence);
    if assigned.from.is_some() {
        if draft.heard(&key).is_some_and(|successor| successor.lacks) && give_back(draft, record, slot) {
            return;
        }
        let image = record.revision.spec.image(&slot.image).map(|image| &**image);
        let serves = draft.heard(&key).is_some_and(|observed| observed.serves(image));
        if serves || record.ended.contains_key(slot) {
            end_move(record, slot);
        }
        return;
    }
    if assigned.revision != record.revision.since(&slot.image) {
        return reissue_outdated(draft, record);
    }
    if leaves_node(draft, record, slot, &assigned) && !record.ended.contains_key(slot) {
        move_off(draft, record, slot, assigned);
    }
}

/// Ends a move whose successor failed, or lost what it needs, when its predecessor still lives: the slot is that one's
/// again, and the node of the successor is not asked for a while.
pub(super) fn give_back(draft: &mut Draft<'_>, record: &mut ServiceRecord, slot: &SlotId) -> bool {
    let Some(failed) = record.slots.get(slot).filter(|assigned| assigned.from.is_some()).cloned() else {
        return take_back(draft, record, slot);
    };
    fall_back(draft, record, slot);
    if !record.slots.contains_key(slot) {
        record.slots.insert(slot.clone(), failed);
        return false;
    }
    draft.mark_refused(&record.key(slot, failed.fence), failed.node, draft.now.after(REFUSAL_LASTS));
    let Assignment { node, engine, fence, .. } = failed;
    record.dismissed.insert(Dismissed { slot: slot.clone(), fence, node, engine });
    true
}

/// Gives a slot back to the attempt that was to stop for its present one, where that still runs on the same node and is of
/// the revision that is wanted.
pub(super) fn take_back(draft: &Draft<'_>, record: &mut ServiceRecord, slot: &SlotId) -> bool {
    let Some(Assignment { node, .. }) = record.slots.get(slot).cloned() else { return false };
    let revision = record.revision.since(&slot.image);
    let runs = |fence| {
        let observed = draft.heard(&record.key(slot, fence));
        observed.is_some_and(|observed| observed.runs() && observed.revision == Some(revision))
    };
    let mut before = record.dismissed.iter().filter(|it| (&it.slot, it.node) == (slot, node));
    let Some(former) = before.rfind(|it| runs(it.fence)).cloned() else { return false };
    dismiss(record, slot);
    record.dismissed.remove(&former);
    let pinned = pins(draft, record, slot, node);
    let Dismissed { engine, fence, .. } = former;
    record.slots.insert(slot.clone(), Assignment { node, engine, fence, revision, pinned, from: None });
    true
}

/// The predecessor is no longer needed.
pub(super) fn end_move(record: &mut ServiceRecord, slot: &SlotId) {
    let Some(assigned) = record.slots.get_mut(slot) else { return };
    if let Some(former) = assigned.from.take() {
        let Former { node, engine, fence, .. } = *former;
        record.dismissed.insert(Dismissed { slot: slot.clone(), fence, node, engine });
    }
}

/// Whether a slot is to have another node: its own is being emptied, or lost what the slot needs.
fn leaves_node(draft: &Draft<'_>, record: &ServiceRecord, slot: &SlotId, assigned: &Assignment) -> bool {
    let moves = || record.revision.spec.image(&slot.image).is_some_and(|image| image.on_loss == OnLoss::Move);
    let lacks = || draft.heard(&record.key(slot, assigned.fence)).is_some_and(|observed| observed.lacks);
    draft.outlook().draining.contains(&assigned.node) || (lacks() && moves())
}

/// One slot of a service at a time. The successor first; what must not run twice stops first, and only when there is
/// another node for it. What has its data there stays.
fn move_off(draft: &mut Draft<'_>, record: &mut ServiceRecord, slot: &SlotId, assigned: Assignment) {
    if let Place::On(_) = slot.place {
        return stop_first(draft, record, slot, assigned.node);
    }
    let moves = record.slots.values().any(|assigned| assigned.from.is_some());
    if moves || record.unassigned().next().is_some() || is_kept(&record.revision.spec, &slot.image) {
        return;
    }
    let Some(image) = record.revision.spec.image(&slot.image).map(Arc::clone) else { return };
    let mut market = Market::of(draft);
    market.turn_to(record);
    if is_bound(&record.revision.spec, &slot.image) {
        return move_unit_off(draft, record, slot, &market);
    }
    let lot = [Placing { slot: slot.clone(), image: Arc::clone(&image) }];
    let Some(choice) = market.choose(draft, record, &lot, &Bounds::default()) else { return };
    let pinned = draft.is_exclusive(choice.node, choice.taken.keys());
    let Some(to) = choice.engines.first().cloned() else { return };
    if choice.node == assigned.node && !assigned.pinned && !pinned {
        // it has what it needs there again, or is about to
        return;
    }
    if assigned.pinned || pinned {
        return stop_first(draft, record, slot, assigned.node);
    }
    let text = format!("from {} to {}", draft.called(assigned.node), draft.called(choice.node));
    draft.tell(record.id, Some(slot), EventKind::Moved, text);
    if mutant::is(Mutant::DropFrom) {
        dismiss(record, slot);
    }
    let Assignment { node, engine, fence, revision, .. } = assigned;
    let former = Former { node, engine, fence, revision };
    let successor = Assignment {
        node: choice.node,
        engine: to,
        fence: draft.draw_fence(record.stamp.epoch),
        revision: record.revision.since(&slot.image),
        pinned,
        from: Some(Box::new(former)).filter(|_| !mutant::is(Mutant::DropFrom)),
    };
    record.slots.insert(slot.clone(), successor);
}

/// The slot leaves its node, and is placed again when that has said that nothing of it is left.
fn stop_first(draft: &mut Draft<'_>, record: &mut ServiceRecord, slot: &SlotId, node: NodeId) {
    let text = format!("leaves {}", draft.called(node));
    draft.tell(record.id, Some(slot), EventKind::Moved, text);
    dismiss(record, slot);
}

/// What belongs together moves together, and stops first: it is placed again as a whole. It stays where no other node has
/// room for all of it.
fn move_unit_off(draft: &mut Draft<'_>, record: &mut ServiceRecord, slot: &SlotId, market: &Market<'_>) {
    let Some(unit) = units(&record.revision).into_iter().find(|unit| unit.contains(slot)) else { return };
    let mut without = record.clone();
    unit.iter().for_each(|slot| drop(without.slots.remove(slot)));
    let placing = |slot: &SlotId| {
        let image = Arc::clone(record.revision.spec.image(&slot.image)?);
        Some(Placing { slot: slot.clone(), image })
    };
    let lot: Vec<Placing> = unit.iter().filter_map(placing).collect();
    let Ok(bounds) = bounds(draft, &without, &unit) else { return };
    if market.choose(draft, &without, &lot, &bounds).is_none() {
        return;
    }
    for slot in &unit {
        draft.tell(record.id, Some(slot), EventKind::Moved, "leaves its node, with what belongs to it");
        dismiss(record, slot);
    }
}

/// An instance that nobody ordered: dismissed where the slot's own one runs, adopted where it does not.
fn mind_extras(draft: &mut Draft<'_>, record: &mut ServiceRecord, slot: &SlotId) {
    for extra in extras(draft, record, slot) {
        let outlook = draft.outlook();
        if !outlook.heard.contains(&extra.node) || draft.is_behind(extra.node) {
            // it may be no more
            continue;
        }
        if !record.slots.contains_key(slot) && !outlook.is_forgotten(extra.node) {
            homes::learn(record, slot, extra.node);
        }
        let assigned = record.slots.get(slot);
        let own = assigned.map(|assigned| record.key(slot, assigned.fence));
        let own = own.as_ref().and_then(|key| draft.heard(key));
        // of two that are frozen, the slot's own one stays
        let own_runs = own.is_some_and(|own| own.runs() || (own.is_frozen() && !extra.runs()));
        let current = extra.revision == Some(record.revision.since(&slot.image));
        let is_drained = outlook.draining.contains(&extra.node);
        // what runs nowhere else goes on where it is, and moves from there when there is another node
        let is_alone = assigned.is_none() || own.is_some_and(Observed::is_frozen);
        let has_none = is_alone && !leaves_for_good(is_drained, slot);
        let is_home = homes::allow(record, slot, extra.node);
        let stays = (!is_drained || has_none) && is_home && !outlook.is_forgotten(extra.node);
        let beside = assigned.is_some_and(|assigned| assigned.node == extra.node);
        let moving = assigned.is_some_and(|assigned| assigned.from.is_some());
        let over = record.has_failed() || record.ended.contains_key(slot);
        if own_runs && mutant::is(Mutant::KeepExtras) {
            continue;
        }
        if own_runs || over || (assigned.is_none() && is_left(record, slot)) {
            record.dismissed.insert(dismissal(&extra));
        } else if current && stays && !moving && (extra.runs() || (assigned.is_none() && extra.is_frozen())) {
            adopt(draft, record, &extra);
        } else if beside
            || !extra.may_live()
            || leaves_for_good(is_drained, slot)
            || (assigned.is_none() && !current)
            || (assigned.is_none() && (!is_home || holds_alone(draft, &extra)))
        {
            record.dismissed.insert(dismissal(&extra));
        }
    }
}

fn adopt(draft: &mut Draft<'_>, record: &mut ServiceRecord, extra: &Observed) {
    if mutant::is(Mutant::AdoptNothing) {
        return;
    }
    let slot = &extra.key.slot;
    let pinned = match record.slots.get(slot) {
        Some(assigned) => assigned.pinned,
        None => is_kept(&record.revision.spec, &slot.image) || holds_alone(draft, extra),
    };
    let revision = record.revision.since(&slot.image);
    let Observed { node, engine, key, .. } = extra;
    let text = format!("runs on {} already", draft.called(*node));
    draft.tell(record.id, Some(slot), EventKind::Adopted, text);
    let (node, engine, fence) = (*node, engine.clone(), key.fence);
    record.slots.insert(slot.clone(), Assignment { node, engine, fence, revision, pinned, from: None });
}

/// A slot of one node alone moves nowhere: when that node is drained, nothing is to come before it ends.
fn leaves_for_good(is_drained: bool, slot: &SlotId) -> bool {
    is_drained && matches!(slot.place, Place::On(_))
}

/// Whether an attempt of the slot is on its way out.
fn is_left(record: &ServiceRecord, slot: &SlotId) -> bool {
    record.dismissed.iter().any(|dismissed| dismissed.slot == *slot)
}

/// Whether an instance holds what one alone can have.
fn holds_alone(draft: &Draft<'_>, observed: &Observed) -> bool {
    draft.is_exclusive(observed.node, observed.takes.iter().map(|(of, _)| of))
}

/// What is heard of a slot beside the attempts that its record names.
fn extras(draft: &Draft<'_>, record: &ServiceRecord, slot: &SlotId) -> Vec<Observed> {
    let named = |key: &InstanceKey| {
        record.slots.get(slot).is_some_and(|assigned| assigned.names(key.fence))
            || record.dismissed.iter().any(|d| d.slot == *slot && d.fence == key.fence)
    };
    let heard = draft.heard_in(record.id, slot).into_iter();
    heard.filter(|observed| !named(&observed.key) && observed.seen.is_some()).collect()
}

fn dismissal(extra: &Observed) -> Dismissed {
    let Observed { key, node, engine, .. } = extra;
    Dismissed { slot: key.slot.clone(), fence: key.fence, node: *node, engine: engine.clone() }
}

/// The epoch is proven once every known node was heard holding it.
pub(super) fn prove(draft: &Draft<'_>, record: &mut ServiceRecord) {
    if record.unproven {
        record.unproven = !draft.outlook().known.iter().all(|node| confirms(draft, record, *node));
    }
}
