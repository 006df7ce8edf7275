//! Takes in what executors tell of the services that this node owns.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::placing::{place, together};
use super::{conclude, prove_revision, publish, tending};
use crate::draft::Draft;
use crate::id::NodeId;
use crate::instance::Report;
use crate::record::{Ended, InstanceKey, ServiceRecord, SlotId};
use crate::step::{Durability, EventKind};

/// How long a node that refused a slot is not asked again, in milliseconds.
const REFUSAL_LASTS: u64 = 10_000;

/// Takes in a report. One that is about another node's service, or about an older version of the record, tells that
/// its sender has to hear of this one.
pub(crate) fn hear(draft: &mut Draft<'_>, from: NodeId, report: Report) {
    if let Some(held) = report.holds {
        draft.mark_holds(report.service, from, held);
    }
    let Some(record) = draft.record(report.service) else { return };
    if report.holds.is_some_and(|held| held < record.stamp) {
        draft.send_record(record.id, from);
    }
    if record.stamp.owner != draft.me() {
        return;
    }
    take_in(draft, from, &report);
    if !draft.outlook().disputed && record.heir.is_none() {
        hear_of(draft, from, &record, &report);
    }
}

fn take_in(draft: &mut Draft<'_>, from: NodeId, report: &Report) {
    for observed in report.instances.iter().filter(|observed| observed.node == from) {
        draft.hear(&observed.key, Some(observed.clone()));
    }
    let refused = report.refused.iter().map(|(key, _)| key);
    for key in refused.chain(&report.gone) {
        if draft.heard(key).is_some_and(|observed| observed.node == from) {
            draft.hear(key, None);
        }
    }
}

fn hear_of(draft: &mut Draft<'_>, from: NodeId, before: &Arc<ServiceRecord>, report: &Report) {
    let mut record = ServiceRecord::clone(before);
    let mut durability = Durability::Process;
    for (key, reasons) in report.refused.iter().filter(|(key, _)| names(before, from, key)) {
        tending::fall_back(draft, &mut record, &key.slot);
        draft.mark_refused(key, from, draft.now.after(REFUSAL_LASTS));
        let text = together(reasons.clone()).text;
        draft.tell(record.id, Some(&key.slot), EventKind::Refused, text);
        durability = Durability::Power;
    }
    let news = |(key, ended): &&(InstanceKey, Ended)| before.ended.get(&key.slot) != Some(ended);
    for (key, ended) in report.ended.iter().filter(news).filter(|(key, _)| names(before, from, key)) {
        let (kind, text) = match ended {
            Ended::Succeeded => (EventKind::Succeeded, "did its work".to_owned()),
            Ended::GaveUp(reason) => (EventKind::GaveUp, reason.text.clone()),
        };
        draft.tell(record.id, Some(&key.slot), kind, text);
        record.ended.insert(key.slot.clone(), ended.clone());
        durability = Durability::Power;
    }
    for key in report.gone.iter().filter(|key| key.service == before.id) {
        record.dismissed.retain(|d| (d.node, &d.slot, d.fence) != (from, &key.slot, key.fence));
        if names(&record, from, key) {
            tending::fall_back(draft, &mut record, &key.slot);
        }
        tending::forget_former(&mut record, from, key);
    }
    let mut slots: BTreeSet<SlotId> =
        report.instances.iter().map(|observed| observed.key.slot.clone()).collect();
    if !draft.outlook().draining.is_empty() {
        // the end of one move is the beginning of the next
        slots.extend(record.slots.keys().cloned());
    }
    durability = durability.max(tending::mind(draft, &mut record, slots));
    tending::prove(draft, &mut record);
    prove_revision(draft, &mut record);
    let sequel = before.revision.spec.images.iter().any(|image| !image.after.is_empty());
    if record == **before && !(sequel && record.waits()) {
        return;
    }
    conclude(draft, &mut record);
    if record.waits() && draft.outlook().decides() {
        let slots = record.slots.clone();
        place(draft, &mut record, &mut draft.facts());
        if record.slots != slots {
            durability = Durability::Power;
        }
    }
    if record != **before {
        publish(draft, record, durability);
    }
}

fn names(record: &ServiceRecord, node: NodeId, key: &InstanceKey) -> bool {
    let assigned = record.slots.get(&key.slot).filter(|_| key.service == record.id);
    assigned.is_some_and(|assigned| assigned.node == node && assigned.fence == key.fence)
}
