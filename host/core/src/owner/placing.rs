//! Gives nodes to slots that wait, and says why the others wait.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::market::Market;
use super::order::awaits;
use super::publish;
use crate::draft::Draft;
use crate::id::{NodeId, ServiceId};
use crate::placement::Choice;
use crate::reason::{Code, Reason};
use crate::record::{Assignment, Place, ServiceRecord, SlotId};
use crate::spec::{ImageSpec, MAX_SLOTS};
use crate::step::{Durability, EventKind};

/// Gives a node to every slot of the record that waits for one and finds one.
pub(super) fn place(draft: &mut Draft<'_>, record: &mut ServiceRecord) {
    place_in(draft, record, &mut Market::of(draft));
}

/// Does so with nodes of which something may be given away already.
pub(super) fn place_in(draft: &mut Draft<'_>, record: &mut ServiceRecord, market: &mut Market<'_>) {
    if !record.waits() {
        return;
    }
    market.turn_to(record);
    for slot in record.unassigned().collect::<Vec<_>>() {
        let Some(image) = record.revision.spec.image(&slot.image).map(Arc::clone) else { continue };
        if awaits(draft, record, &image).is_none()
            && let Ok((choice, pinned)) = choose(draft, record, &slot, &image, market)
        {
            market.give(draft, record, &slot, &choice);
            assign(draft, record, &slot, choice, pinned);
        }
    }
    for image in record.everywhere().cloned().collect::<Vec<_>>() {
        if awaits(draft, record, &image).is_none() {
            place_everywhere(draft, record, &image, market);
        }
    }
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
        if let Some(choice) = market.choose(draft, record, &slot, image, Some(node)) {
            market.give(draft, record, &slot, &choice);
            assign(draft, record, &slot, choice, true);
        }
    }
}

/// A node for a slot, and whether the slot is pinned there. One that is must not be placed beside what may still run of
/// it; on the same node it may, which runs them one after the other.
///
/// # Errors
/// Why there is none now; nothing, where no node fits.
pub(super) fn choose(
    draft: &Draft<'_>,
    record: &ServiceRecord,
    slot: &SlotId,
    image: &ImageSpec,
    market: &mut Market<'_>,
) -> Result<(Choice, bool), Option<Reason>> {
    let choice = market.choose(draft, record, slot, image, None).ok_or(None)?;
    if !draft.is_exclusive(choice.node, choice.taken.keys()) {
        return Ok((choice, false));
    }
    match held_back(draft, record, slot)? {
        Some(only) if only != choice.node => {
            let there = market.choose(draft, record, slot, image, Some(only));
            let text =
                format!("it must not run twice, and an earlier instance of it is still on node {only}");
            Ok((there.ok_or_else(|| Some(Reason::new(Code::WaitingNode, text)))?, true))
        }
        _ => Ok((choice, true)),
    }
}

fn assign(draft: &mut Draft<'_>, record: &mut ServiceRecord, slot: &SlotId, choice: Choice, pinned: bool) {
    let fence = draft.draw_fence(record.stamp.epoch);
    let text = format!("assigned to {} on {}", choice.engine, choice.node);
    draft.tell(record.id, Some(slot), EventKind::Assigned, text);
    let revision = record.revision.since(&slot.image);
    let Choice { node, engine, .. } = choice;
    let assignment = Assignment { node, engine, fence, revision, pinned, from: None };
    record.slots.insert(slot.clone(), assignment);
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
        let missing = known.filter(|node| !confirms(draft, record, **node)).map(NodeId::to_string);
        let missing = missing.collect::<Vec<_>>().join(", ");
        let text = format!(
            "it must not run twice, and it may still run on {missing}: waits until heard or forgotten"
        );
        return Err(Some(Reason::new(Code::WaitingNode, text)));
    }
    let leaving: BTreeSet<NodeId> =
        record.dismissed.iter().filter(|d| d.slot == *slot).map(|d| d.node).collect();
    let alive = draft.heard_in(record.id, slot).into_iter().filter(super::tending::may_live);
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

/// Whether a node is known to hold the record's epoch.
pub(super) fn confirms(draft: &Draft<'_>, record: &ServiceRecord, node: NodeId) -> bool {
    let epoch = (record.stamp.epoch, record.stamp.owner);
    let holds = || draft.holds(record.id, node);
    node == draft.me() || holds().is_some_and(|held| held.absent || (held.epoch, held.owner) >= epoch)
}

/// Why an image that has a slot on every node has none at all.
pub(crate) fn why_nowhere(
    draft: &Draft<'_>,
    record: &ServiceRecord,
    image: &ImageSpec,
    market: &mut Market<'_>,
) -> Option<Reason> {
    let slot = SlotId { image: image.key.clone(), place: Place::On(draft.me()) };
    awaits(draft, record, image).or_else(|| Some(together(market.why_not(draft, record, &slot, image))))
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
    match choose(draft, record, slot, image, market) {
        Ok(_) => {
            let text = "what it needs is free, and promised to another slot that is about to take it";
            Some(Reason::new(Code::WaitingAdmission, text))
        }
        Err(Some(reason)) => Some(reason),
        Err(None) => Some(together(market.why_not(draft, record, slot, image))),
    }
}

/// Several reasons as one: the first one's code, all texts.
pub(super) fn together(reasons: Vec<Reason>) -> Reason {
    let code = reasons.first().map_or(Code::WaitingCapability, |reason| reason.code);
    let texts: Vec<String> = reasons.into_iter().map(|reason| reason.text).collect();
    Reason::new(code, texts.join("; "))
}

/// Tries again to place what waits: something became free, or came.
pub(crate) fn place_waiting(draft: &mut Draft<'_>, services: impl IntoIterator<Item = ServiceId>) {
    if !draft.outlook().decides() {
        return;
    }
    let mut market = Market::of(draft);
    for service in services {
        let Some(record) = draft.record(service) else { continue };
        if record.stamp.owner != draft.me() || record.heir.is_some() || !record.waits() {
            continue;
        }
        let mut placed = ServiceRecord::clone(&record);
        place_in(draft, &mut placed, &mut market);
        if placed.slots != record.slots {
            publish(draft, placed, Durability::Power);
        }
    }
}
