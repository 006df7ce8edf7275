//! Takes in what executors tell of the services that this node owns.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::placing::place;
use super::{conclude, homes, prove_revision, publish, tending};
use crate::draft::Draft;
use crate::id::NodeId;
use crate::instance::Report;
use crate::mail;
use crate::mutant::{self, Mutant};
use crate::reason::Reason;
use crate::record::{Ended, Fence, InstanceKey, ServiceRecord, SlotId};
use crate::step::{Durability, EventKind};

/// How long a node that refused a slot is not asked again, in milliseconds.
pub(super) const REFUSAL_LASTS: u64 = 10_000;

/// Takes in a report. One about an older version of the record tells that its sender has to hear of this one; one about
/// a newer version is asked for again, with that version: what it says follows from what is not known here.
pub(crate) fn hear(draft: &mut Draft<'_>, from: NodeId, report: Report) {
    let Some(record) = draft.record(report.service) else { return };
    if let Some(held) = report.holds {
        draft.mark_holds(record.id, from, held);
    }
    if report.holds.is_some_and(|held| held < record.stamp) {
        draft.send_record(record.id, from);
    }
    if report.holds.is_some_and(|held| held > record.stamp) {
        return mail::want(draft, from, record.id);
    }
    if record.stamp.owner != draft.me() {
        return;
    }
    take_in(draft, from, &report);
    if draft.outlook().decides() && !record.awaits_heir() {
        hear_of(draft, from, &record, &report);
    }
}

/// A node has told all that it has, from that letter on: what it told of before, and no record names, is no more. What
/// becomes of the others can be decided now.
pub(crate) fn hear_all(draft: &mut Draft<'_>, from: NodeId, since: u64) {
    for (key, letter) in draft.told_by(from) {
        if draft.record(key.service).is_some_and(|record| record.judges(key)) {
            continue;
        }
        if letter < since {
            draft.unhear(key);
        }
        draft.wake(key.service, draft.now);
    }
}

fn take_in(draft: &mut Draft<'_>, from: NodeId, report: &Report) {
    for observed in report.instances.iter().filter(|observed| observed.node == from) {
        draft.hear(observed);
    }
    let refused = report.refused.iter().map(|(key, _)| key);
    for key in refused.chain(&report.gone) {
        if draft.heard(key).is_some_and(|observed| observed.node == from) {
            draft.unhear(key);
        }
    }
}

fn hear_of(draft: &mut Draft<'_>, from: NodeId, before: &Arc<ServiceRecord>, report: &Report) {
    let slots = concerned(draft, before, report);
    if is_no_news(draft, before, report, &slots) {
        return;
    }
    let mut record = ServiceRecord::clone(before);
    let mut durability = hear_ends(draft, from, &mut record, report);
    for key in report.gone.iter().filter(|key| key.service == before.id) {
        record.dismissed.retain(|d| (d.node, &d.slot, d.fence) != (from, &key.slot, key.fence));
        if names(draft, &record, from, key) {
            tending::fall_back(draft, &mut record, &key.slot);
        }
        tending::drop_former(&mut record, from, key);
    }
    let attempts = draft.attempts();
    let decides = tending::mind(draft, &mut record, slots);
    tending::prove(draft, &mut record);
    prove_revision(draft, &mut record);
    conclude(draft, &mut record);
    let news = record != **before || has_sequel(before);
    if news && record.waits() && draft.outlook().decides() {
        place(draft, &mut record);
    }
    if decides || draft.attempts() > attempts {
        durability = Durability::Power;
    }
    if record != **before {
        publish(draft, record, durability);
    }
}

/// The slots a report is about; where a node is being emptied, the end of one move is the beginning of the next.
fn concerned(draft: &Draft<'_>, record: &ServiceRecord, report: &Report) -> BTreeSet<SlotId> {
    let mut slots: BTreeSet<SlotId> = match draft.outlook().draining.is_empty() {
        true => BTreeSet::new(),
        false => record.slots.keys().cloned().collect(),
    };
    slots.extend(report.instances.iter().map(|observed| observed.key.slot.clone()));
    slots
}

/// Most reports say that an instance is as it should be.
fn is_no_news(draft: &Draft<'_>, record: &ServiceRecord, report: &Report, slots: &BTreeSet<SlotId>) -> bool {
    let Report { refused, gone, ended, .. } = report;
    refused.is_empty()
        && gone.is_empty()
        && ended.is_empty()
        && !record.unproven
        && record.previous.is_none()
        && slots.iter().all(|slot| tending::is_well(draft, record, slot))
        && !(has_sequel(record) && record.waits())
}

/// Whether an image of it waits for another one.
fn has_sequel(record: &ServiceRecord) -> bool {
    record.revision.spec.images.iter().any(|image| !image.after.is_empty())
}

/// What executors said no to, and what came to its end.
fn hear_ends(draft: &mut Draft<'_>, from: NodeId, record: &mut ServiceRecord, report: &Report) -> Durability {
    let mut durability = Durability::Process;
    for (key, reasons) in &report.refused {
        if names(draft, record, from, key) {
            tending::fall_back(draft, record, &key.slot);
            homes::leave(record, key.fence);
            draft.mark_refused(key, from, draft.now.after(REFUSAL_LASTS));
            let text = Reason::together(reasons.clone()).text;
            draft.tell(record.id, Some(&key.slot), EventKind::Refused, text);
            durability = Durability::Power;
        }
    }
    for (key, ended) in &report.ended {
        if names(draft, record, from, key) && record.ended.get(&key.slot) != Some(ended) {
            hear_end(draft, record, key, ended);
            durability = Durability::Power;
        }
    }
    durability
}

/// A successor that gives up leaves the slot to the one that it was to take over from.
fn hear_end(draft: &mut Draft<'_>, record: &mut ServiceRecord, key: &InstanceKey, ended: &Ended) {
    let (kind, text) = match ended {
        Ended::Succeeded => (EventKind::Succeeded, "did its work".to_owned()),
        Ended::GaveUp(reason) => (EventKind::GaveUp, reason.text.clone()),
    };
    draft.tell(record.id, Some(&key.slot), kind, text);
    match ended {
        Ended::GaveUp(_) if tending::give_back(draft, record, &key.slot) => {}
        Ended::GaveUp(_) | Ended::Succeeded => {
            tending::end_move(record, &key.slot);
            record.ended.insert(key.slot.clone(), ended.clone());
        }
    }
}

fn names(draft: &Draft<'_>, record: &ServiceRecord, node: NodeId, key: &InstanceKey) -> bool {
    let assigned = record.slots.get(&key.slot).filter(|_| key.service == record.id);
    // of an attempt of this very step nothing can be told yet, even by that
    let by_slot = |fence: Fence| mutant::is(Mutant::ReportBySlot) && fence.n <= draft.core.fences;
    assigned.is_some_and(|it| it.node == node && (it.fence == key.fence || by_slot(it.fence)))
}
