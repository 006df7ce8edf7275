//! Decides for the services this node owns: which node runs which slot, what is dismissed, what is over.
//! Knows nodes by their facts and reports alone. There is one node yet, whose facts it reads where they are noted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::draft::Draft;
use crate::group::bounds_of;
use crate::id::{ImageKey, NodeId, ServiceId, ServiceName};
use crate::instance::Report;
use crate::placement::{Facts, choose};
use crate::reason::{Code, Reason};
use crate::record::{
    Assignment, Desired, Dismissed, Ended, InstanceKey, Revision, RevisionOrder, ServiceRecord, SlotId, Stamp,
};
use crate::spec::{MAX_REPLICAS, MAX_SLOTS, Spec};
use crate::step::{Answer, Durability, EventKind, PeerMessage, Refusal, Request};

/// How long a node that refused a slot is not asked again, in milliseconds.
const REFUSAL_LASTS: u64 = 10_000;

/// The epoch that the first owner of a service opens.
const FIRST_EPOCH: u64 = 1;

/// Does what a client asks.
///
/// # Errors
/// Why it is not done; the draft is to be thrown away then.
pub(crate) fn answer(draft: &mut Draft<'_>, request: &Request) -> Result<Answer, Refusal> {
    match request {
        Request::Deploy { id, name, spec, reject_unplaceable } => {
            deploy(draft, *id, name, spec, *reject_unplaceable)
        }
        Request::Start(id) => start(draft, *id),
        Request::Stop(id) => stop(draft, *id),
        Request::Restart(id) => restart(draft, *id),
        Request::Scale { id, image, count } => scale(draft, *id, image, *count),
        Request::Delete(id) => delete(draft, *id),
    }
}

fn deploy(
    draft: &mut Draft<'_>,
    id: ServiceId,
    name: &ServiceName,
    spec: &Arc<Spec>,
    reject_unplaceable: bool,
) -> Result<Answer, Refusal> {
    if let Some(record) = draft.record(id) {
        return match record.revision.spec.source == spec.source {
            _ if record.is_absent() => Err(Refusal::Deleted(id)),
            true => Ok(Answer::Unchanged(id)),
            false => Err(Refusal::Conflict(id)),
        };
    }
    let mut record = first_record(draft, id, name, spec);
    draft.tell(id, None, EventKind::Deployed, format!("deployed as {name}"));
    let unmet = place(draft, &mut record, &mut draft.facts());
    if reject_unplaceable && !unmet.is_empty() {
        return Err(Refusal::Unplaceable(unmet));
    }
    publish(draft, record, Durability::Power);
    Ok(Answer::Accepted(id))
}

fn first_record(draft: &Draft<'_>, id: ServiceId, name: &ServiceName, spec: &Arc<Spec>) -> ServiceRecord {
    let (owner, writer) = (draft.me(), draft.core.me.incarnation);
    let order = RevisionOrder { number: 1, epoch: FIRST_EPOCH, owner, writer };
    ServiceRecord {
        id,
        name: name.clone(),
        desired: Desired::Running,
        stamp: Stamp { absent: false, epoch: FIRST_EPOCH, owner, writer, version: 0 },
        revision: Revision { order, spec: Arc::clone(spec), scaled: BTreeMap::new() },
        slots: BTreeMap::new(),
        dismissed: BTreeSet::new(),
        holders: vec![owner],
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
    place(draft, &mut record, &mut draft.facts());
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
    place(draft, &mut record, &mut draft.facts());
    publish(draft, record, Durability::Power);
    Ok(Answer::Accepted(id))
}

fn scale(draft: &mut Draft<'_>, id: ServiceId, image: &ImageKey, count: u16) -> Result<Answer, Refusal> {
    let mut record = living(draft, id)?;
    if record.revision.spec.image(image).is_none() {
        return Err(Refusal::UnknownImage(image.clone()));
    }
    let before = record.revision.replicas(image);
    if before == count {
        return Ok(Answer::Unchanged(id));
    }
    let had_failed = record.has_failed();
    let mut revision = record.revision.clone();
    revision.scaled.insert(image.clone(), count);
    revision.order = RevisionOrder {
        number: revision.order.number + 1,
        epoch: record.stamp.epoch,
        owner: draft.me(),
        writer: draft.core.me.incarnation,
    };
    record.revision = revision;
    bounded(&record, image, count)?;
    let wanted: BTreeSet<SlotId> = record.wanted_slots().collect();
    record.ended.retain(|slot, _| wanted.contains(slot));
    let resumes = had_failed && !record.has_failed();
    for slot in slots_of(&record) {
        if !wanted.contains(&slot) || (resumes && !record.ended.contains_key(&slot)) {
            dismiss(&mut record, &slot);
        }
    }
    draft.tell(id, None, EventKind::Scaled, format!("{image} scaled from {before} to {count}"));
    place(draft, &mut record, &mut draft.facts());
    publish(draft, record, Durability::Power);
    Ok(Answer::Accepted(id))
}

fn delete(draft: &mut Draft<'_>, id: ServiceId) -> Result<Answer, Refusal> {
    let record = owned(draft, id).ok_or(Refusal::Unknown(id))?;
    if record.is_absent() {
        return Ok(Answer::Unchanged(id));
    }
    let mut record = ServiceRecord::clone(&record);
    record.desired = Desired::Absent;
    record.ended.clear();
    draft.tell(id, None, EventKind::Deleted, "deleted");
    conclude(draft, &mut record);
    publish(draft, record, Durability::Power);
    Ok(Answer::Accepted(id))
}

fn bounded(record: &ServiceRecord, image: &ImageKey, count: u16) -> Result<(), Refusal> {
    if count > MAX_REPLICAS || record.wanted_slots().nth(MAX_SLOTS).is_some() {
        return Err(Refusal::TooManySlots(image.clone(), count));
    }
    Ok(())
}

/// A record that this node may write: in an epoch only the owner does.
fn living(draft: &Draft<'_>, id: ServiceId) -> Result<ServiceRecord, Refusal> {
    let record = owned(draft, id).ok_or(Refusal::Unknown(id))?;
    if record.is_absent() { Err(Refusal::Deleted(id)) } else { Ok(ServiceRecord::clone(&record)) }
}

fn slots_of(record: &ServiceRecord) -> Vec<SlotId> {
    record.slots.keys().cloned().collect()
}

/// Allows the slot's instance to stop; the slot has no node then.
fn dismiss(record: &mut ServiceRecord, slot: &SlotId) {
    if let Some(Assignment { node, engine, fence, .. }) = record.slots.remove(slot) {
        record.dismissed.insert(Dismissed { slot: slot.clone(), fence, node, engine });
    }
}

/// Gives a node to every slot of the record that waits for one and finds one, and says why the others wait.
fn place(draft: &mut Draft<'_>, record: &mut ServiceRecord, facts: &mut [Facts<'_>]) -> Vec<Reason> {
    if !record.waits() {
        return Vec::new();
    }
    let mut unmet = BTreeSet::new();
    for slot in record.unassigned().collect::<Vec<_>>() {
        if let Err(reasons) = place_slot(draft, record, &slot, facts) {
            unmet.extend(reasons);
        }
    }
    unmet.into_iter().collect()
}

fn place_slot(
    draft: &mut Draft<'_>,
    record: &mut ServiceRecord,
    slot: &SlotId,
    facts: &mut [Facts<'_>],
) -> Result<(), Vec<Reason>> {
    let Some(image) = record.revision.spec.image(&slot.image).map(Arc::clone) else { return Ok(()) };
    let credit = draft.held_by_slot(record.id, slot);
    let bounds = bounds_of(record, slot).map_err(|reason| vec![reason])?;
    let open = facts.iter_mut().filter(|facts| !draft.refuses(record.id, slot, facts.node));
    let (open, away): (Vec<_>, Vec<_>) = open.partition(|facts| bounds.allows(facts.node));
    if open.is_empty() && !away.is_empty() {
        return Err(bounds.reasons());
    }
    let choice = choose(&image, open, &credit)?;
    let fence = draft.draw_fence(record.stamp.epoch);
    let text = format!("assigned to {} on {}", choice.engine, choice.node);
    draft.tell(record.id, Some(slot), EventKind::Assigned, text);
    let revision = record.revision.order.number;
    let assignment = Assignment { node: choice.node, engine: choice.engine, fence, revision };
    record.slots.insert(slot.clone(), assignment);
    Ok(())
}

/// Why a slot that waits has no node now.
pub(crate) fn why_waiting(
    draft: &Draft<'_>,
    record: &ServiceRecord,
    slot: &SlotId,
    facts: &mut [Facts<'_>],
) -> Option<Reason> {
    let image = record.revision.spec.image(&slot.image)?;
    let credit = draft.held_by_slot(record.id, slot);
    let mut open = facts.iter_mut().filter(|facts| !draft.refuses(record.id, slot, facts.node)).peekable();
    if open.peek().is_none() {
        let text = "every node that fits refused it a moment ago; it is offered again soon";
        return Some(Reason::new(Code::WaitingAdmission, text));
    }
    let bounds = match bounds_of(record, slot) {
        Ok(bounds) => bounds,
        Err(reason) => return Some(reason),
    };
    let open: Vec<_> = open.filter(|facts| bounds.allows(facts.node)).collect();
    if open.is_empty() {
        return Some(together(bounds.reasons()));
    }
    choose(image, open, &credit).err().map(together)
}

/// Several reasons as one: the first one's code, all texts.
fn together(reasons: Vec<Reason>) -> Reason {
    let code = reasons.first().map_or(Code::WaitingCapability, |reason| reason.code);
    let texts: Vec<String> = reasons.into_iter().map(|reason| reason.text).collect();
    Reason::new(code, texts.join("; "))
}

/// Tries again to place what waits: something became free, or came.
pub(crate) fn place_waiting(draft: &mut Draft<'_>, services: impl IntoIterator<Item = ServiceId>) {
    let mut facts = draft.facts();
    for service in services {
        let Some(record) = draft.record(service) else { continue };
        if record.stamp.owner != draft.me() || !record.waits() {
            continue;
        }
        let mut placed = ServiceRecord::clone(&record);
        place(draft, &mut placed, &mut facts);
        if placed.slots != record.slots {
            publish(draft, placed, Durability::Power);
        }
    }
}

/// Writes the record and tells every node it concerns.
fn publish(draft: &mut Draft<'_>, record: ServiceRecord, durability: Durability) {
    let before = draft.record(record.id);
    let record = draft.write(record, durability);
    let mut nodes = concerned(&record);
    nodes.extend(before.iter().flat_map(|before| concerned(before)));
    for node in nodes {
        draft.send(node, PeerMessage::Record(Arc::clone(&record)));
    }
}

fn concerned(record: &ServiceRecord) -> BTreeSet<NodeId> {
    let assigned = record.slots.values().map(|assignment| assignment.node);
    assigned.chain(record.dismissed.iter().map(|dismissed| dismissed.node)).collect()
}

/// Takes in what an executor tells of the services that this node owns.
pub(crate) fn hear(draft: &mut Draft<'_>, from: NodeId, mut report: Report) {
    for service in services_of(&report) {
        if let Some(record) = owned(draft, service) {
            hear_of(draft, from, &record, &report);
        }
    }
    report.instances.retain(|observed| {
        owned(draft, observed.key.service).is_some_and(|record| names(&record, from, &observed.key))
    });
    draft.mark_reported(report);
}

fn owned(draft: &Draft<'_>, service: ServiceId) -> Option<Arc<ServiceRecord>> {
    draft.record(service).filter(|record| record.stamp.owner == draft.me())
}

fn services_of(report: &Report) -> BTreeSet<ServiceId> {
    let Report { instances: _, refused, gone, ended } = report;
    let refused = refused.iter().map(|(key, _)| key.service);
    let ended = ended.iter().map(|(key, _)| key.service);
    refused.chain(ended).chain(gone.iter().map(|key| key.service)).collect()
}

fn hear_of(draft: &mut Draft<'_>, from: NodeId, before: &Arc<ServiceRecord>, report: &Report) {
    let mut record = ServiceRecord::clone(before);
    let mut durability = Durability::Process;
    for (key, reasons) in report.refused.iter().filter(|(key, _)| names(before, from, key)) {
        record.slots.remove(&key.slot);
        draft.mark_refused(key, from, draft.now.after(REFUSAL_LASTS));
        let text = together(reasons.clone()).text;
        draft.tell(record.id, Some(&key.slot), EventKind::Refused, text);
        durability = Durability::Power;
    }
    for (key, ended) in report.ended.iter().filter(|(key, _)| names(before, from, key)) {
        let (kind, text) = match ended {
            Ended::Succeeded => (EventKind::Succeeded, "did its work".to_owned()),
            Ended::GaveUp(reason) => (EventKind::GaveUp, reason.text.clone()),
        };
        draft.tell(record.id, Some(&key.slot), kind, text);
        record.ended.insert(key.slot.clone(), ended.clone());
        durability = Durability::Power;
    }
    for key in report.gone.iter().filter(|key| key.service == record.id) {
        record.dismissed.retain(|d| (d.node, &d.slot, d.fence) != (from, &key.slot, key.fence));
        if names(&record, from, key) {
            record.slots.remove(&key.slot);
        }
    }
    if record == **before {
        return;
    }
    conclude(draft, &mut record);
    if record.waits() {
        place(draft, &mut record, &mut draft.facts());
        durability = Durability::Power;
    }
    publish(draft, record, durability);
}

fn names(record: &ServiceRecord, node: NodeId, key: &InstanceKey) -> bool {
    let assigned = record.slots.get(&key.slot).filter(|_| key.service == record.id);
    assigned.is_some_and(|assigned| assigned.node == node && assigned.fence == key.fence)
}

/// Says so when the last instance of a stopped service is gone; a tombstone keeps no spec then.
fn conclude(draft: &mut Draft<'_>, record: &mut ServiceRecord) {
    if record.desired == Desired::Running || !record.slots.is_empty() || !record.dismissed.is_empty() {
        return;
    }
    draft.tell(record.id, None, EventKind::Terminated, "nothing of it is left");
    if record.is_absent() {
        let source = crate::spec::Source { text: "".into(), ..record.revision.spec.source.clone() };
        record.revision.spec = Arc::new(Spec { images: Vec::new(), source });
        record.revision.scaled.clear();
    }
}
