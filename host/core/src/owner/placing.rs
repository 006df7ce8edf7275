//! Gives nodes to slots that wait, and says why the others wait.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::publish;
use crate::capability::Supply;
use crate::draft::Draft;
use crate::id::{ImageKey, NodeId, ServiceId};
use crate::instance::Observed;
use crate::needs::Taken;
use crate::placement::{Choice, Facts, choose};
use crate::reason::{Code, Reason};
use crate::record::{Assignment, Ended, Place, ServiceRecord, SlotId};
use crate::spec::{ImageSpec, MAX_SLOTS, Need, Ready, Requirement, Take};
use crate::step::{Durability, EventKind};

/// Gives a node to every slot of the record that waits for one and finds one, and says why the others wait.
pub(super) fn place(
    draft: &mut Draft<'_>,
    record: &mut ServiceRecord,
    facts: &mut [Facts<'_>],
) -> Vec<Reason> {
    if !record.waits() {
        return Vec::new();
    }
    let mut unmet = BTreeSet::new();
    for slot in record.unassigned().collect::<Vec<_>>() {
        if let Err(reasons) = place_slot(draft, record, &slot, facts) {
            unmet.extend(reasons);
        }
    }
    for image in record.everywhere().cloned().collect::<Vec<_>>() {
        unmet.extend(place_everywhere(draft, record, &image, facts));
    }
    unmet.into_iter().collect()
}

/// A slot on each node that fits and has none. Returns why there is not a single one, if so.
fn place_everywhere(
    draft: &mut Draft<'_>,
    record: &mut ServiceRecord,
    image: &Arc<ImageSpec>,
    facts: &mut [Facts<'_>],
) -> Vec<Reason> {
    if let Some(reason) = awaits(draft, record, image) {
        return vec![reason];
    }
    let mut unmet = Vec::new();
    for facts in facts {
        let slot = SlotId { image: image.key.clone(), place: Place::On(facts.node) };
        let known = record.slots.contains_key(&slot) || record.ended.contains_key(&slot);
        if known || draft.refuses(record.id, &slot, facts.node) || record.slots.len() >= MAX_SLOTS {
            continue;
        }
        let credit = draft.credit(record.id, &slot, facts.node);
        match choose(image, [(facts, credit)]) {
            // what belongs to its node waits for it
            Ok(choice) => assign(draft, record, &slot, choice, true),
            Err(reasons) => unmet.extend(reasons),
        }
    }
    if record.wanted_of(&image.key).next().is_none() { unmet } else { Vec::new() }
}

fn place_slot(
    draft: &mut Draft<'_>,
    record: &mut ServiceRecord,
    slot: &SlotId,
    facts: &mut [Facts<'_>],
) -> Result<(), Vec<Reason>> {
    let Some(image) = record.revision.spec.image(&slot.image).map(Arc::clone) else { return Ok(()) };
    if let Some(reason) = awaits(draft, record, &image) {
        return Err(vec![reason]);
    }
    let pinned = is_pinned(&image, facts);
    let only = if pinned { held_back(draft, record, slot)? } else { None };
    let open = open_to(draft, record.id, slot, facts);
    let choice = choose(&image, open.filter(|(facts, _)| only.is_none_or(|only| only == facts.node)))?;
    assign(draft, record, slot, choice, pinned);
    Ok(())
}

fn assign(draft: &mut Draft<'_>, record: &mut ServiceRecord, slot: &SlotId, choice: Choice, pinned: bool) {
    let fence = draft.draw_fence(record.stamp.epoch);
    let text = format!("assigned to {} on {}", choice.engine, choice.node);
    draft.tell(record.id, Some(slot), EventKind::Assigned, text);
    let revision = record.revision.since(&slot.image);
    let Choice { node, engine } = choice;
    let assignment = Assignment { node, engine, fence, revision, pinned, from: None };
    record.slots.insert(slot.clone(), assignment);
}

/// The first image that must come before this one and is not so far.
fn awaits(draft: &Draft<'_>, record: &ServiceRecord, image: &ImageSpec) -> Option<Reason> {
    let (first, ready) = image.after.iter().find(|(first, ready)| !is_ready(draft, record, first, *ready))?;
    let far = match ready {
        Ready::Started => "has started",
        Ready::Healthy => "has been running for a while",
        Ready::Completed => "has done its work",
    };
    Some(Reason::new(Code::WaitingDependency, format!("it comes after {first}: waits until that {far}")))
}

fn is_ready(draft: &Draft<'_>, record: &ServiceRecord, image: &ImageKey, ready: Ready) -> bool {
    let mut slots = record.wanted_of(image).peekable();
    let is = |slot: SlotId| {
        let assigned = record.slots.get(&slot);
        let observed = assigned.and_then(|assigned| draft.heard(&record.key(&slot, assigned.fence)));
        let done = record.ended.get(&slot) == Some(&Ended::Succeeded);
        done || match ready {
            Ready::Started => observed.is_some_and(Observed::runs),
            Ready::Healthy => observed.is_some_and(|observed| observed.runs() && observed.healthy),
            Ready::Completed => false,
        }
    };
    slots.peek().is_some() && slots.all(is)
}

/// Why an image that has a slot on every node has none at all.
pub(crate) fn why_nowhere(
    draft: &Draft<'_>,
    record: &ServiceRecord,
    image: &ImageSpec,
    facts: &mut [Facts<'_>],
) -> Option<Reason> {
    if let Some(reason) = awaits(draft, record, image) {
        return Some(reason);
    }
    if facts.is_empty() {
        return Some(Reason::new(Code::WaitingNode, NOBODY));
    }
    choose(image, facts.iter_mut().map(|facts| (facts, Taken::new()))).err().map(together)
}

const NOBODY: &str = "no node takes on anything new: cordoned, draining or out of reach";

/// The nodes that did not just refuse a slot, each with what the slot holds there.
pub(super) fn open_to<'f, 'a>(
    draft: &'f Draft<'_>,
    service: ServiceId,
    slot: &'f SlotId,
    facts: &'f mut [Facts<'a>],
) -> impl Iterator<Item = (&'f mut Facts<'a>, Taken)> {
    let open = facts.iter_mut().filter(move |facts| !draft.refuses(service, slot, facts.node));
    open.map(move |facts| {
        let credit = draft.credit(service, slot, facts.node);
        (facts, credit)
    })
}

/// Whether running the image takes what one instance alone can have, on any of these nodes.
pub(super) fn is_pinned(image: &ImageSpec, facts: &[Facts<'_>]) -> bool {
    fn takes(need: &Need, facts: &[Facts<'_>]) -> bool {
        match need {
            Need::All(needs) | Need::Any(needs) => needs.iter().any(|need| takes(need, facts)),
            Need::Not(_) => false,
            Need::Has(Requirement { take: Take::Amount(_), .. }) => false,
            Need::Has(Requirement { name, .. }) => facts.iter().any(|facts| {
                let offers = facts.capabilities.iter();
                offers.clone().any(|it| it.id.name == *name && it.supply == Supply::Exclusive)
            }),
        }
    }
    takes(image.need.as_need(), facts)
}

/// What must not run twice waits until nothing else of its slot can be alive: for every known node after a take-over,
/// and for an attempt that is on its way out. Beside the latter it may be placed on the same node, which runs them one
/// after the other.
fn held_back(
    draft: &Draft<'_>,
    record: &ServiceRecord,
    slot: &SlotId,
) -> Result<Option<NodeId>, Vec<Reason>> {
    if record.unproven {
        let known = draft.outlook().known.iter();
        let missing = known.filter(|node| !confirms(draft, record, **node)).map(NodeId::to_string);
        let missing = missing.collect::<Vec<_>>().join(", ");
        let text = format!(
            "it must not run twice, and it may still run on {missing}: waits until heard or forgotten"
        );
        return Err(vec![Reason::new(Code::WaitingNode, text)]);
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
            Err(vec![Reason::new(Code::WaitingNode, text)])
        }
    }
}

/// Whether a node is known to hold the record's epoch.
pub(super) fn confirms(draft: &Draft<'_>, record: &ServiceRecord, node: NodeId) -> bool {
    let epoch = (record.stamp.epoch, record.stamp.owner);
    let holds = || draft.holds(record.id, node);
    node == draft.me() || holds().is_some_and(|held| held.absent || (held.epoch, held.owner) >= epoch)
}

/// Why a slot that waits has no node now.
pub(crate) fn why_waiting(
    draft: &Draft<'_>,
    record: &ServiceRecord,
    slot: &SlotId,
    facts: &mut [Facts<'_>],
) -> Option<Reason> {
    let image = record.revision.spec.image(&slot.image)?;
    if let Some(reason) = awaits(draft, record, image) {
        return Some(reason);
    }
    if is_pinned(image, facts)
        && let Err(reasons) = held_back(draft, record, slot)
    {
        return Some(together(reasons));
    }
    let facts_are_empty = facts.is_empty();
    let mut open = open_to(draft, record.id, slot, facts).peekable();
    if open.peek().is_none() {
        let text = match facts_are_empty {
            true => NOBODY,
            false => "every node that fits refused it a moment ago; it is offered again soon",
        };
        return Some(Reason::new(Code::WaitingAdmission, text));
    }
    match choose(image, open) {
        Err(reasons) => Some(together(reasons)),
        Ok(_) => {
            let text = "what it needs is free, and promised to another slot that is about to take it";
            Some(Reason::new(Code::WaitingAdmission, text))
        }
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
    let mut facts = draft.facts();
    for service in services {
        let Some(record) = draft.record(service) else { continue };
        if record.stamp.owner != draft.me() || record.heir.is_some() || !record.waits() {
            continue;
        }
        let mut placed = ServiceRecord::clone(&record);
        place(draft, &mut placed, &mut facts);
        if placed.slots != record.slots {
            publish(draft, placed, Durability::Power);
        }
    }
}
