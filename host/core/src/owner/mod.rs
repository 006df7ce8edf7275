//! Decides for the services this node owns: which node runs which slot, what is dismissed, what is over.
//! Knows nodes by their facts and reports alone, this one too.
//!
//! What clients ask is done here; what follows from the state of the world in `tending`, level-triggered.

mod hearing;
mod homes;
mod market;
mod order;
mod placing;
mod tending;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::draft::Draft;
use crate::group::is_kept;
use crate::id::{ImageKey, NodeId, ServiceId, ServiceName};
use crate::mail;
use crate::mutant::{self, Mutant};
use crate::offer;
use crate::peer::{Duty, PeerMessage};
use crate::reason::Reason;
use crate::record::{
    Assignment, Desired, Dismissed, Ended, Place, Revision, RevisionOrder, ServiceRecord, SlotId, Stamp,
};
use crate::spec::{ImageSpec, MAX_REPLICAS, MAX_SLOTS, Replicas, Spec};
use crate::step::{Answer, Durability, EventKind, Refusal, Request};
use crate::succession::fill_line;

pub(crate) use hearing::{hear, hear_all};
pub(crate) use market::Market;
use placing::{may_follow, place};
pub(crate) use placing::{place_in, place_waiting, verdicts, waits_for_data, why_nowhere, why_waiting};
pub(crate) use tending::{catch_up_with, let_go, tend, tend_whole};

/// The epoch that the first owner of a service opens.
const FIRST_EPOCH: u64 = 1;

/// Does what a client asks.
///
/// # Errors
/// Why it is not done; the draft is to be thrown away then.
pub(crate) fn answer(draft: &mut Draft<'_>, request: &Request) -> Result<Answer, Refusal> {
    if request.is_about_a_service() {
        may_change(draft)?;
    }
    match request {
        Request::Deploy { id, name, spec, reject_unplaceable } => {
            deploy(draft, *id, name, spec, *reject_unplaceable)
        }
        Request::Start(id) => start(draft, *id),
        Request::Stop(id) => stop(draft, *id),
        Request::Restart(id) => restart(draft, *id),
        Request::Scale { id, image, count } => scale(draft, *id, image, *count),
        Request::Update { id, spec } => update(draft, *id, spec),
        Request::Delete(id) => delete(draft, *id),
        Request::Duty(duty) => Ok(take_on(draft, *duty)),
        Request::Forget { node, forgotten } => forget(draft, *node, *forgotten),
        Request::Offer { source, more } => offer::offer(draft, source, more),
        Request::Withdraw { source, less } => Ok(offer::withdraw(draft, source, less)),
    }
}

/// Whether records may be changed here at all.
fn may_change(draft: &Draft<'_>) -> Result<(), Refusal> {
    match draft.outlook() {
        outlook if outlook.disputed => Err(Refusal::Twin(draft.called(draft.me()))),
        outlook if outlook.removed => Err(Refusal::Removed(draft.called(draft.me()))),
        _ => Ok(()),
    }
}

fn deploy(
    draft: &mut Draft<'_>,
    id: ServiceId,
    name: &ServiceName,
    spec: &Arc<Spec>,
    reject_unplaceable: bool,
) -> Result<Answer, Refusal> {
    let known = draft.record(id);
    if let Some(record) = known.filter(|it| !(it.is_absent() && mutant::is(Mutant::ReviveDeleted))) {
        return match record.revision.spec.source == spec.source {
            _ if record.is_absent() => Err(Refusal::Deleted(id)),
            true => Ok(Answer::Unchanged(id)),
            false => Err(Refusal::Conflict(id)),
        };
    }
    let mut record = first_record(draft, id, name, spec);
    fill_line(draft, &mut record);
    draft.tell(id, None, EventKind::Deployed, format!("deployed as {name}"));
    let mut market = Market::of(draft);
    place_in(draft, &mut record, &mut market);
    if reject_unplaceable {
        all_placed(draft, &record, &mut market)?;
    }
    publish(draft, record, Durability::Power);
    Ok(Answer::Accepted(id))
}

fn all_placed(draft: &Draft<'_>, record: &ServiceRecord, market: &mut Market<'_>) -> Result<(), Refusal> {
    let waiting = record.unassigned().filter_map(|slot| why_waiting(draft, record, &slot, market));
    let mut unmet: BTreeSet<Reason> = waiting.collect();
    let nowhere = record.everywhere().filter(|image| record.wanted_of(&image.key).next().is_none());
    unmet.extend(nowhere.filter_map(|image| why_nowhere(draft, record, image, market)));
    if unmet.is_empty() { Ok(()) } else { Err(Refusal::Unplaceable(unmet.into_iter().collect())) }
}

pub(crate) fn first_record(
    draft: &Draft<'_>,
    id: ServiceId,
    name: &ServiceName,
    spec: &Arc<Spec>,
) -> ServiceRecord {
    let (owner, writer) = (draft.me(), draft.incarnation());
    let order = RevisionOrder { number: 1, epoch: FIRST_EPOCH, owner, writer };
    ServiceRecord {
        id,
        name: name.clone(),
        desired: Desired::Running,
        stamp: Stamp { absent: false, epoch: FIRST_EPOCH, owner, writer, version: 0 },
        revision: Revision {
            order,
            spec: Arc::clone(spec),
            scaled: BTreeMap::new(),
            since: vec![order; spec.images.len()],
        },
        previous: None,
        slots: BTreeMap::new(),
        dismissed: BTreeSet::new(),
        homes: BTreeMap::new(),
        holders: vec![owner],
        heir: None,
        unproven: false,
        ended: BTreeMap::new(),
    }
}

fn start(draft: &mut Draft<'_>, id: ServiceId) -> Result<Answer, Refusal> {
    let mut record = living(draft, id)?;
    let resumes = record.desired == Desired::Stopped || record.has_failed();
    if !resumes && record.ended.is_empty() {
        return Ok(Answer::Unchanged(id));
    }
    let again: Vec<SlotId> = if resumes { slots_of(&record) } else { record.ended.keys().cloned().collect() };
    again.iter().for_each(|slot| dismiss(&mut record, slot));
    record.desired = Desired::Running;
    record.ended.clear();
    draft.tell(id, None, EventKind::StartAsked, "asked to run");
    place(draft, &mut record);
    publish(draft, record, Durability::Power);
    Ok(Answer::Accepted(id))
}

fn stop(draft: &mut Draft<'_>, id: ServiceId) -> Result<Answer, Refusal> {
    let mut record = living(draft, id)?;
    if record.desired == Desired::Stopped {
        return Ok(Answer::Unchanged(id));
    }
    record.desired = Desired::Stopped;
    record.ended.clear();
    draft.tell(id, None, EventKind::StopAsked, "asked to stop");
    conclude(draft, &mut record);
    publish(draft, record, Durability::Power);
    Ok(Answer::Accepted(id))
}

fn restart(draft: &mut Draft<'_>, id: ServiceId) -> Result<Answer, Refusal> {
    let mut record = living(draft, id)?;
    slots_of(&record).iter().for_each(|slot| dismiss(&mut record, slot));
    record.desired = Desired::Running;
    record.ended.clear();
    draft.tell(id, None, EventKind::RestartAsked, "asked for new instances");
    place(draft, &mut record);
    publish(draft, record, Durability::Power);
    Ok(Answer::Accepted(id))
}

fn scale(draft: &mut Draft<'_>, id: ServiceId, image: &ImageKey, count: u16) -> Result<Answer, Refusal> {
    let mut record = living(draft, id)?;
    match record.revision.spec.image(image).map(|spec| spec.replicas) {
        None => return Err(Refusal::UnknownImage(image.clone())),
        Some(Replicas::EveryNode) => return Err(Refusal::NotCounted(image.clone())),
        Some(Replicas::Count(_)) => {}
    }
    let before = record.revision.replicas(image);
    if before == count {
        return Ok(Answer::Unchanged(id));
    }
    let had_failed = record.has_failed();
    record.revision.order = next_order(draft, &record);
    record.revision.scaled.insert(image.clone(), count);
    bounded(&record, image, count)?;
    draft.tell(id, None, EventKind::Scaled, format!("{image} scaled from {before} to {count}"));
    revise(draft, record, had_failed);
    Ok(Answer::Accepted(id))
}

fn update(draft: &mut Draft<'_>, id: ServiceId, spec: &Arc<Spec>) -> Result<Answer, Refusal> {
    let mut record = living(draft, id)?;
    if record.revision.spec.source == spec.source && record.revision.scaled.is_empty() {
        return Ok(Answer::Unchanged(id));
    }
    let had_failed = record.has_failed();
    let order = next_order(draft, &record);
    let next = record.revision.followed_by(spec, order);
    let before = turn_to(&mut record, next);
    record.previous.get_or_insert_with(|| Arc::new(before));
    draft.tell(id, None, EventKind::Updated, format!("revision {}", order.number));
    revise(draft, record, had_failed);
    Ok(Answer::Accepted(id))
}

/// The place of a revision that follows the record's.
fn next_order(draft: &Draft<'_>, record: &ServiceRecord) -> RevisionOrder {
    RevisionOrder {
        number: record.revision.order.number + 1,
        epoch: record.stamp.epoch,
        owner: draft.me(),
        writer: draft.incarnation(),
    }
}

/// Gives a record another revision. What has ended is over as long as it is wanted, and made of the same.
fn turn_to(record: &mut ServiceRecord, next: Revision) -> Revision {
    let before = std::mem::replace(&mut record.revision, next);
    let wanted: BTreeSet<SlotId> = record.wanted_slots().collect();
    let ServiceRecord { revision, ended, .. } = record;
    let is_same = |slot: &SlotId| revision.since(&slot.image) == before.since(&slot.image);
    ended.retain(|slot, _| wanted.contains(slot) && is_same(slot));
    before
}

/// Publishes a record whose revision is a new one: slots that are no longer wanted go, those of changed images get new
/// instances, and what another image's failure had stopped gets its turn again.
fn revise(draft: &mut Draft<'_>, mut record: ServiceRecord, had_failed: bool) {
    let wanted: BTreeSet<SlotId> = record.wanted_slots().collect();
    record.ended.retain(|slot, _| wanted.contains(slot));
    let resumes = had_failed && !record.has_failed();
    for slot in slots_of(&record) {
        if !wanted.contains(&slot) || (resumes && !record.ended.contains_key(&slot)) {
            dismiss(&mut record, &slot);
        }
    }
    draft.keep(record.id, None);
    reissue_outdated(draft, &mut record);
    place(draft, &mut record);
    publish(draft, record, Durability::Power);
}

/// A revision is proven once every slot whose image changed since the last proven one has come to run, or has done its
/// work; from then on nothing comes back. When one of them gives up before, the last proven one does.
fn prove_revision(draft: &mut Draft<'_>, record: &mut ServiceRecord) {
    let Some(previous) = record.previous.clone().filter(|_| record.desired == Desired::Running) else {
        return;
    };
    let changed = |image: &ImageKey| record.revision.since(image) > previous.order;
    let failed = record.ended.iter().find_map(|(slot, ended)| match ended {
        Ended::GaveUp(reason) if changed(&slot.image) => Some((slot.clone(), reason.text.clone())),
        _ => None,
    });
    if let Some((slot, why)) = failed {
        let why = format!("{} did not come to run: {why}", draft.slot_called(&slot));
        return revert(draft, record, &previous, &why);
    }
    let runs = |slot: &SlotId| {
        let assigned = record.slots.get(slot).filter(|assigned| assigned.from.is_none());
        let observed = assigned.and_then(|assigned| draft.heard(&record.key(slot, assigned.fence)));
        observed.is_some_and(|observed| observed.runs() && observed.healthy)
            || record.ended.get(slot) == Some(&Ended::Succeeded)
    };
    // one that has a slot on every node, and none yet, has not shown anything
    let none = |image: &Arc<ImageSpec>| record.wanted_of(&image.key).next().is_none();
    let none_yet = record.everywhere().any(|image| changed(&image.key) && none(image));
    if !none_yet && record.wanted_slots().filter(|slot| changed(&slot.image)).all(|slot| runs(&slot)) {
        record.previous = None;
    }
}

/// The revision before comes back, as a new one.
fn revert(draft: &mut Draft<'_>, record: &mut ServiceRecord, previous: &Revision, why: &str) {
    let order = next_order(draft, record);
    let failed = record.revision.order.number;
    // what was made of it is of it again
    let mut back = Revision { order, ..previous.clone() };
    let scaled = record.revision.scaled.iter().filter(|(image, _)| previous.spec.image(image).is_some());
    // what was scaled since was acknowledged
    back.scaled.extend(scaled.map(|(image, count)| (image.clone(), *count)));
    turn_to(record, back);
    record.previous = None;
    for slot in slots_of(record) {
        if !record.wants(&slot) {
            dismiss(record, &slot);
        }
    }
    let text = format!("revision {failed} is taken back as revision {}: {why}", order.number);
    draft.tell(record.id, None, EventKind::Reverted, text);
    reissue_outdated(draft, record);
}

/// New attempts, where they are, for the slots whose image was changed since theirs was made; one that may no longer
/// run on its engine, or that must not run twice and may still do so elsewhere, is to be placed anew.
fn reissue_outdated(draft: &mut Draft<'_>, record: &mut ServiceRecord) {
    for slot in slots_of(record) {
        let since = record.revision.since(&slot.image);
        let assigned = record.slots.get(&slot).filter(|assigned| assigned.revision != since).cloned();
        let Some(assigned) = assigned else { continue };
        record.ended.remove(&slot);
        if tending::take_back(draft, record, &slot) {
            continue;
        }
        dismiss(record, &slot);
        let image = record.revision.spec.image(&slot.image);
        if image.is_some_and(|image| !image.engines.is_empty() && !image.engines.contains(&assigned.engine)) {
            continue;
        }
        if !homes::allow(record, &slot, assigned.node) {
            continue;
        }
        let pinned = pins(draft, record, &slot, assigned.node);
        if pinned && !may_follow(draft, record, &slot, assigned.node) {
            continue;
        }
        let fence = draft.draw_fence(record.stamp.epoch);
        homes::settle(record, &slot, assigned.node, fence);
        record.slots.insert(slot, Assignment { fence, revision: since, pinned, from: None, ..assigned });
    }
}

/// Whether an attempt of the slot, made on that node now, must not run twice.
fn pins(draft: &Draft<'_>, record: &ServiceRecord, slot: &SlotId, node: NodeId) -> bool {
    let image = record.revision.spec.image(&slot.image);
    image.is_some_and(|image| draft.may_take_alone(node, image))
        || matches!(slot.place, Place::On(_))
        || is_kept(&record.revision.spec, &slot.image)
}

/// Whoever holds the record may delete it: absence beats every number.
fn delete(draft: &mut Draft<'_>, id: ServiceId) -> Result<Answer, Refusal> {
    let record = draft.record(id).ok_or(Refusal::Unknown(id))?;
    if record.is_absent() {
        return Ok(Answer::Unchanged(id));
    }
    let mut record = ServiceRecord::clone(&record);
    record.desired = Desired::Absent;
    record.heir = None;
    record.ended.clear();
    draft.tell(id, None, EventKind::Deleted, "deleted");
    if record.stamp.owner == draft.me() {
        conclude(draft, &mut record);
        publish(draft, record, Durability::Power);
    } else {
        // the version stays: those that follow are the owner's to count
        record.stamp.absent = true;
        announce(draft, &Arc::new(record), Durability::Power);
    }
    Ok(Answer::Accepted(id))
}

fn take_on(draft: &mut Draft<'_>, duty: Duty) -> Answer {
    draft.change_standing(|standing| standing.duty = duty);
    mail::beat_soon(draft);
    // decided one step later, when the new duty is part of the outlook
    draft.core.waiting.iter().for_each(|service| draft.wake(*service, draft.now));
    Answer::Done
}

/// A word of an operator about a node that is gone: also the permission for all that it owned or ran.
fn forget(draft: &mut Draft<'_>, node: NodeId, forgotten: bool) -> Result<Answer, Refusal> {
    if node == draft.me() || !draft.core.membership.members.contains(&node) {
        return Err(Refusal::NoSuchNode(draft.called(node)));
    }
    if forgotten && !draft.outlook().is_silent(node) {
        return Err(Refusal::Heard(draft.called(node)));
    }
    draft.change_standing(|standing| {
        standing.forgotten.set(node, forgotten);
    });
    mail::beat_soon(draft);
    Ok(Answer::Done)
}

fn bounded(record: &ServiceRecord, image: &ImageKey, count: u16) -> Result<(), Refusal> {
    if count > MAX_REPLICAS || record.wanted_slots().nth(MAX_SLOTS).is_some() {
        return Err(Refusal::TooManySlots(image.clone(), count));
    }
    Ok(())
}

/// A record that this node may write: in an epoch only the owner does.
fn living(draft: &Draft<'_>, id: ServiceId) -> Result<ServiceRecord, Refusal> {
    let record = draft.record(id).ok_or(Refusal::Unknown(id))?;
    match record.heir {
        _ if record.is_absent() => Err(Refusal::Deleted(id)),
        _ if record.stamp.owner != draft.me() => {
            Err(Refusal::Elsewhere(id, draft.called(record.stamp.owner)))
        }
        Some(heir) => Err(Refusal::HandedOver(id, draft.called(heir))),
        None => Ok(ServiceRecord::clone(&record)),
    }
}

fn owned(draft: &Draft<'_>, service: ServiceId) -> Option<Arc<ServiceRecord>> {
    draft.record(service).filter(|record| record.stamp.owner == draft.me())
}

fn slots_of(record: &ServiceRecord) -> Vec<SlotId> {
    record.slots.keys().cloned().collect()
}

/// Allows the slot's instance to stop, and the one that it was to take over from; the slot has no node then.
fn dismiss(record: &mut ServiceRecord, slot: &SlotId) {
    tending::end_move(record, slot);
    if let Some(Assignment { node, engine, fence, .. }) = record.slots.remove(slot)
        && !mutant::is(Mutant::OmitDismissed)
    {
        record.dismissed.insert(Dismissed { slot: slot.clone(), fence, node, engine });
    }
}

/// Writes the record and tells every node it concerns.
pub(crate) fn publish(draft: &mut Draft<'_>, record: ServiceRecord, durability: Durability) {
    let before = draft.record(record.id);
    let record = draft.write(record, durability);
    tell(draft, before.as_deref(), &record);
}

/// A tombstone that another node made of an earlier version: this owner's own comes after all that it wrote.
pub(crate) fn outrun(draft: &mut Draft<'_>, tombstone: &ServiceRecord) {
    let written = draft.core.records.get(&tombstone.id).map(|record| record.stamp);
    let epoch = |stamp: Stamp| (stamp.epoch, stamp.owner);
    let is_later =
        |stamp: Stamp| epoch(stamp) == epoch(tombstone.stamp) && stamp.version > tombstone.stamp.version;
    if tombstone.stamp.owner == draft.me() && written.is_some_and(is_later) {
        publish(draft, tombstone.clone(), Durability::Power);
    }
}

/// Stores a record under its own stamp and tells every node it concerns.
fn announce(draft: &mut Draft<'_>, record: &Arc<ServiceRecord>, durability: Durability) {
    let before = draft.record(record.id);
    draft.store(Arc::clone(record), durability);
    tell(draft, before.as_deref(), record);
}

/// A record concerns also whoever has an instance that it does not name. A tombstone concerns every node, and so does
/// an epoch that all are to confirm.
fn tell(draft: &mut Draft<'_>, before: Option<&ServiceRecord>, record: &Arc<ServiceRecord>) {
    draft.send(draft.me(), PeerMessage::Record(Arc::clone(record)));
    if !draft.outlook().cluster {
        return;
    }
    let mut nodes = record.audience();
    nodes.extend(before.into_iter().flat_map(ServiceRecord::audience));
    nodes.extend(draft.heard_nodes(record.id));
    if record.is_absent() || record.unproven {
        nodes.extend(&draft.core.membership.members);
    }
    for node in nodes.into_iter().filter(|node| *node != draft.core.me.node) {
        draft.send(node, PeerMessage::Record(Arc::clone(record)));
    }
}

/// Says so when the last instance of a stopped service is gone; a tombstone keeps no spec then.
fn conclude(draft: &mut Draft<'_>, record: &mut ServiceRecord) {
    if record.desired == Desired::Running || !record.slots.is_empty() || !record.dismissed.is_empty() {
        return;
    }
    draft.tell(record.id, None, EventKind::Terminated, "nothing of it is left");
    if record.is_absent() {
        let source = crate::spec::Source { text: "".into(), ..record.revision.spec.source.clone() };
        record.revision.spec =
            Arc::new(Spec { images: Vec::new(), source, ..Spec::clone(&record.revision.spec) });
        record.homes.clear();
        record.revision.scaled.clear();
        record.revision.since.clear();
        record.previous = None;
    }
}
