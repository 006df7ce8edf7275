//! Gives nodes to slots that wait, and says why the others wait.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::homes;
use super::market::{Market, Placing};
use super::order::awaits;
use super::publish;
use crate::directory::{Choice, Verdict};
use crate::draft::Draft;
use crate::group::{Bounds, binds, bounds, is_kept, units};
use crate::id::{EngineName, NodeId, ServiceId};
use crate::reason::{Code, Reason};
use crate::record::{Assignment, Place, ServiceRecord, SlotId};
use crate::spec::{ImageSpec, MAX_SLOTS};
use crate::step::{Durability, EventKind};

/// Gives a node to every slot of the record that waits for one and finds one.
pub(super) fn place(draft: &mut Draft<'_>, record: &mut ServiceRecord) {
    place_in(draft, record, &mut Market::of(draft));
}

/// Does so with nodes of which something may be given away already.
pub(crate) fn place_in(draft: &mut Draft<'_>, record: &mut ServiceRecord, market: &mut Market<'_>) {
    if !record.waits() || !draft.outlook().decides() {
        return;
    }
    market.turn_to(record);
    for unit in waiting_units(record) {
        place_unit(draft, record, &unit, market);
    }
    for image in record.everywhere().cloned().collect::<Vec<_>>() {
        if awaits(draft, record, &image).is_none() {
            place_everywhere(draft, record, &image, market);
        }
    }
}

/// Slots that wait, with those that belong on the same node.
fn waiting_units(record: &ServiceRecord) -> Vec<Vec<SlotId>> {
    if binds(&record.revision.spec) {
        let waits = |slot: &SlotId| !record.slots.contains_key(slot) && !record.ended.contains_key(slot);
        let mut units = units(&record.revision);
        units.retain(|unit| unit.iter().any(waits));
        return units;
    }
    record.unassigned().map(|slot| vec![slot]).collect()
}

/// The one of [`waiting_units`] that has the slot.
fn waiting_unit(record: &ServiceRecord, slot: &SlotId) -> Option<Vec<SlotId>> {
    if binds(&record.revision.spec) {
        return waiting_units(record).into_iter().find(|unit| unit.contains(slot));
    }
    // of thousands of slots each asks: the others are not to be looked at
    let waits = !record.slots.contains_key(slot) && !record.ended.contains_key(slot);
    waits.then(|| vec![slot.clone()])
}

fn place_unit(draft: &mut Draft<'_>, record: &mut ServiceRecord, unit: &[SlotId], market: &mut Market<'_>) {
    let lot = lot(draft, record, unit);
    if lot.is_empty() {
        return;
    }
    if let Ok((choice, pinned)) = choose(draft, record, unit, &lot, market) {
        market.give(draft, record, &lot, &choice);
        let Choice { node, engines, .. } = choice;
        for (Placing { slot, .. }, engine) in lot.into_iter().zip(engines) {
            assign(draft, record, slot, node, engine, pinned);
        }
    }
}

/// What of a unit waits, and for nothing but a node.
fn lot(draft: &Draft<'_>, record: &ServiceRecord, unit: &[SlotId]) -> Vec<Placing> {
    let waits = |slot: &&SlotId| !record.slots.contains_key(*slot) && !record.ended.contains_key(*slot);
    let placing = |slot: &SlotId| {
        let image = record.revision.spec.image(&slot.image)?;
        let turn = awaits(draft, record, image).is_none();
        turn.then(|| Placing { slot: slot.clone(), image: Arc::clone(image) })
    };
    unit.iter().filter(waits).filter_map(placing).collect()
}

/// A slot on each node that fits and has none. What belongs to its node waits for it.
fn place_everywhere(
    draft: &mut Draft<'_>,
    record: &mut ServiceRecord,
    image: &Arc<ImageSpec>,
    market: &mut Market<'_>,
) {
    for node in draft.outlook().usable.clone() {
        let slot = SlotId { image: image.key.clone(), place: Place::On(node) };
        let known = record.slots.contains_key(&slot) || record.ended.contains_key(&slot);
        if known || record.slots.len() >= MAX_SLOTS {
            continue;
        }
        let lot = [Placing { slot, image: Arc::clone(image) }];
        let bounds = Bounds { only: Some(node), ..Bounds::default() };
        if let Some(choice) = market.choose(draft, record, &lot, &bounds) {
            market.give(draft, record, &lot, &choice);
            let [Placing { slot, .. }] = lot;
            for engine in choice.engines {
                assign(draft, record, slot.clone(), node, engine, true);
            }
        }
    }
}

/// A node for slots that belong together, and whether they are pinned there. Those that are must not be placed beside
/// what may still run of them; on the same node they may, which runs them one after the other.
///
/// # Errors
/// Why there is none now; nothing, where no node fits.
fn choose(
    draft: &Draft<'_>,
    record: &ServiceRecord,
    unit: &[SlotId],
    lot: &[Placing],
    market: &Market<'_>,
) -> Result<(Choice, bool), Option<Reason>> {
    let mut bounds = bounds_of(draft, record, unit)?;
    let choice = market.choose(draft, record, lot, &bounds).ok_or(None)?;
    let kept = unit.first().is_some_and(|slot| is_kept(&record.revision.spec, &slot.image));
    if !kept && !draft.is_exclusive(choice.node, choice.taken.keys()) {
        return Ok((choice, false));
    }
    for it in lot {
        let Some(only) = held_back(draft, record, &it.slot)? else { continue };
        if bounds.only.replace(only).is_some_and(|other| other != only) {
            let text = "it must not run twice, and earlier instances of it and its neighbours are elsewhere";
            return Err(Some(Reason::new(Code::WaitingNode, text)));
        }
    }
    match bounds.only {
        Some(only) if only != choice.node => {
            let there = market.choose(draft, record, lot, &bounds);
            let why = || {
                let only = draft.called(only);
                let text = format!("it must not run twice, and an earlier instance of it is still on {only}");
                Some(Reason::new(Code::WaitingNode, text))
            };
            Ok((there.ok_or_else(why)?, true))
        }
        _ => Ok((choice, true)),
    }
}

/// What binds slots that belong together.
fn bounds_of(draft: &Draft<'_>, record: &ServiceRecord, unit: &[SlotId]) -> Result<Bounds, Option<Reason>> {
    if binds(&record.revision.spec) {
        bounds(draft, record, unit).map_err(Some)
    } else {
        Ok(Bounds::default())
    }
}

fn assign(
    draft: &mut Draft<'_>,
    record: &mut ServiceRecord,
    slot: SlotId,
    node: NodeId,
    engine: EngineName,
    pinned: bool,
) {
    let fence = draft.draw_fence(record.stamp.epoch);
    let text = format!("assigned to {engine} on {}", draft.called(node));
    draft.tell(record.id, Some(&slot), EventKind::Assigned, text);
    let revision = record.revision.since(&slot.image);
    homes::settle(record, &slot, node, fence);
    record.slots.insert(slot, Assignment { node, engine, fence, revision, pinned, from: None });
}

/// What must not run twice waits until nothing else of its slot can be alive: for every known node after a take-over,
/// and for an attempt that is on its way out. Beside the latter it may be placed on the same node, which runs them one
/// after the other.
fn held_back(
    draft: &Draft<'_>,
    record: &ServiceRecord,
    slot: &SlotId,
) -> Result<Option<NodeId>, Option<Reason>> {
    if record.unproven {
        let known = draft.outlook().known.iter();
        let missing = known.filter(|node| !confirms(draft, record, **node));
        let missing = missing.map(|node| draft.called(*node).to_string()).collect::<Vec<_>>().join(", ");
        let text = format!(
            "it must not run twice, and it may still run on {missing}: waits until heard or forgotten"
        );
        return Err(Some(Reason::new(Code::WaitingNode, text)));
    }
    let leaving: BTreeSet<NodeId> =
        record.dismissed.iter().filter(|d| d.slot == *slot).map(|d| d.node).collect();
    let alive = draft
        .heard_in(record.id, slot)
        .into_iter()
        .filter(|observed| observed.may_live() && !draft.outlook().is_forgotten(observed.node));
    let nodes: BTreeSet<NodeId> = leaving.into_iter().chain(alive.map(|observed| observed.node)).collect();
    match nodes.len() {
        0 => Ok(None),
        1 => Ok(nodes.first().copied()),
        _ => {
            let text = "it must not run twice, and earlier instances of it are still on their way out";
            Err(Some(Reason::new(Code::WaitingNode, text)))
        }
    }
}

/// Whether a new attempt of a slot that must not run twice may follow those before it on that node.
pub(super) fn may_follow(draft: &Draft<'_>, record: &ServiceRecord, slot: &SlotId, node: NodeId) -> bool {
    matches!(slot.place, Place::On(_))
        || held_back(draft, record, slot).is_ok_and(|only| only.is_none_or(|only| only == node))
}

/// Whether a node is known to hold the record's epoch, and nothing that it told is missed.
pub(super) fn confirms(draft: &Draft<'_>, record: &ServiceRecord, node: NodeId) -> bool {
    let epoch = (record.stamp.epoch, record.stamp.owner);
    let holds = || draft.holds(record.id, node);
    node == draft.me()
        || (!draft.is_behind(node)
            && holds().is_some_and(|held| held.absent || (held.epoch, held.owner) >= epoch))
}

/// Why an image that has a slot on every node has none at all.
pub(crate) fn why_nowhere(
    draft: &Draft<'_>,
    record: &ServiceRecord,
    image: &Arc<ImageSpec>,
    market: &Market<'_>,
) -> Option<Reason> {
    let slot = SlotId { image: image.key.clone(), place: Place::On(draft.me()) };
    let lot = [Placing { slot, image: Arc::clone(image) }];
    let nowhere = || Reason::together(market.why_not(draft, record, &lot, &Bounds::default()));
    Some(awaits(draft, record, image).unwrap_or_else(nowhere))
}

/// Why a slot that waits has no node now.
pub(crate) fn why_waiting(
    draft: &Draft<'_>,
    record: &ServiceRecord,
    slot: &SlotId,
    market: &mut Market<'_>,
) -> Option<Reason> {
    let image = record.revision.spec.image(&slot.image)?;
    if let Some(reason) = awaits(draft, record, image) {
        return Some(reason);
    }
    market.turn_to(record);
    let unit = waiting_unit(record, slot)?;
    let lot = lot(draft, record, &unit);
    match choose(draft, record, &unit, &lot, market) {
        Ok(_) => {
            let text = "what it needs is free, and promised to another slot that is about to take it";
            Some(Reason::new(Code::WaitingAdmission, text))
        }
        Err(Some(reason)) => Some(reason),
        Err(None) => {
            let bounds = bounds_of(draft, record, &unit).unwrap_or_default();
            Some(
                why_not_home(draft, record, &lot, &bounds, market)
                    .unwrap_or_else(|| Reason::together(market.why_not(draft, record, &lot, &bounds))),
            )
        }
    }
}

/// Why what has its data on one node does not run there.
fn why_not_home(
    draft: &Draft<'_>,
    record: &ServiceRecord,
    lot: &[Placing],
    bounds: &Bounds,
    market: &Market<'_>,
) -> Option<Reason> {
    let node = bounds.only.filter(|_| bounds.home.is_some())?;
    if draft.outlook().is_silent(node) {
        return Some(waits_for_data(draft, node));
    }
    let there = market.verdicts(draft, record, lot, bounds).into_iter().find(|verdict| verdict.node == node);
    let Reason { code, text } = Reason::together(there?.unmet);
    Some(Reason::new(code, format!("its volume data is on {}: {text}", draft.called(node))))
}

/// That nothing but its node, or the word that it is given up, helps a slot that has its data there.
pub(crate) fn waits_for_data(draft: &Draft<'_>, node: NodeId) -> Reason {
    let text = format!(
        "its volume data is on {}, which is silent: it waits for that node, or until it is forgotten",
        draft.called(node)
    );
    Reason::new(Code::WaitingNode, text)
}

/// What each node lacks for a slot, and for those that belong with it.
pub(crate) fn verdicts(
    draft: &Draft<'_>,
    record: &ServiceRecord,
    slot: &SlotId,
    market: &Market<'_>,
) -> Vec<Verdict> {
    let unit = waiting_unit(record, slot).unwrap_or_else(|| vec![slot.clone()]);
    let bounds = bounds_of(draft, record, &unit).unwrap_or_default();
    market.verdicts(draft, record, &lot(draft, record, &unit), &bounds)
}

/// Tries again to place what waits: something became free, or came.
pub(crate) fn place_waiting(draft: &mut Draft<'_>, services: impl IntoIterator<Item = ServiceId>) {
    if !draft.outlook().decides() {
        return;
    }
    let mut market = Market::of(draft);
    for service in services {
        let Some(record) = draft.record(service) else { continue };
        if record.stamp.owner != draft.me() || record.awaits_heir() || !record.waits() {
            continue;
        }
        let mut placed = ServiceRecord::clone(&record);
        place_in(draft, &mut placed, &mut market);
        if placed.slots != record.slots {
            publish(draft, placed, Durability::Power);
        }
    }
}
