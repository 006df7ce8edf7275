//! Who owns a service when its owner cannot or will not: the line of succession, the heir, and the take-over.
//!
//! An epoch is opened by its owner alone: whoever takes over writes the next epoch in its own name, and whoever hands
//! over only asks. So no node ever writes in another one's name, and two that open the same epoch at once differ in
//! their stamps.

use std::collections::BTreeSet;

use crate::draft::Draft;
use crate::id::{NodeId, ServiceId};
use crate::membership::Outlook;
use crate::mutant::{self, Mutant};
use crate::owner::{publish, tend_whole};
use crate::record::ServiceRecord;
use crate::step::{Durability, EventKind};

/// How many nodes keep a record, the owner among them.
pub(crate) const HOLDERS: usize = 3;

/// An heir is waited for so many times `dead_after`.
const HEIR_AWAITED: u64 = 2;

/// One that did not come is passed over for so many times `dead_after`.
const PASSED_OVER: u64 = 4;

/// Opens the next epoch of a service, hands it on, or leaves it as it is.
pub(crate) fn consider(draft: &mut Draft<'_>, service: ServiceId) {
    let Some(record) = draft.record(service).filter(|record| !record.is_over()) else { return };
    let outlook = draft.outlook();
    if !outlook.decides() {
        return;
    }
    if record.stamp.owner == draft.me() {
        if !record.is_absent() {
            hand_over(draft, &record);
        }
    } else if inherits(outlook, draft.me(), &record) {
        open_epoch(draft, &record, "took over from its owner, as its heir");
    } else if succeeds(draft, &record) {
        open_epoch(draft, &record, "took over from its owner, who is silent or was forgotten");
    } else {
        tell_successor(draft, &record);
    }
}

/// The first of the line may not have the record, or not the last version of it: its owner's letter may be lost for good.
fn tell_successor(draft: &mut Draft<'_>, record: &ServiceRecord) {
    let (outlook, owner) = (draft.outlook(), record.stamp.owner);
    if !outlook.is_silent(owner) && !outlook.is_forgotten(owner) {
        return;
    }
    let Some(first) = line(outlook, record).first().copied() else { return };
    if draft.holds(record.id, first) < Some(record.stamp) {
        draft.send_record(record.id, first);
    }
}

fn inherits(outlook: &Outlook, me: NodeId, record: &ServiceRecord) -> bool {
    record.awaits_heir() && record.heir == Some(me) && !outlook.leaving
}

/// The first live one of the line takes over from an owner that is gone.
fn succeeds(draft: &Draft<'_>, record: &ServiceRecord) -> bool {
    let (outlook, owner) = (draft.outlook(), record.stamp.owner);
    let given_up = outlook.is_forgotten(owner) && !outlook.hands_over(draft.me());
    let gone = outlook.is_silent(owner) && outlook.permitted && !draft.heard_lately(owner);
    (given_up || gone) && line(outlook, record).first() == Some(&draft.me())
}

/// Who may succeed the owner: the holders in their order, or else anyone that runs some of it.
fn line(outlook: &Outlook, record: &ServiceRecord) -> Vec<NodeId> {
    let can = |node: &NodeId| {
        *node != record.stamp.owner
            && !outlook.is_silent(*node)
            && !outlook.is_forgotten(*node)
            && !outlook.draining.contains(node)
    };
    let holders: Vec<NodeId> = record.holders.iter().copied().filter(can).collect();
    if holders.is_empty() { record.audience().into_iter().filter(can).collect() } else { holders }
}

/// A pinned slot that the former owner may have placed meanwhile is not placed before all known nodes have spoken.
fn open_epoch(draft: &mut Draft<'_>, before: &ServiceRecord, why: &str) {
    let mut record = before.clone();
    record.stamp.epoch += 1;
    record.stamp.owner = draft.me();
    record.heir = None;
    record.unproven = !record.is_absent() && !mutant::is(Mutant::TrustEpoch);
    record.holders.retain(|node| *node != draft.me());
    record.holders.insert(0, draft.me());
    draft.tell(record.id, None, EventKind::TakenOver, format!("{} {why}", draft.called(draft.me())));
    publish(draft, record, Durability::Power);
    tend_whole(draft, before.id);
}

/// An owner on its way out asks another node to open the next epoch, and writes nothing more in its own. That is not
/// taken back: when its heir is forgotten, or has not come in time, the owner opens the next epoch itself. Should the heir
/// come after all, there are two of that epoch, and the greater stamp decides.
fn hand_over(draft: &mut Draft<'_>, record: &ServiceRecord) {
    let outlook = draft.outlook();
    match record.heir {
        Some(heir) if outlook.is_forgotten(heir) => reclaim(draft, record, "its heir was forgotten"),
        Some(heir) => await_heir(draft, record, heir),
        None if outlook.hands_over(draft.me()) => name_heir(draft, record),
        None => {}
    }
}

/// An heir may live and never answer: it cannot write, or does not hear this node. A node that started again does not
/// know since when it waits.
fn await_heir(draft: &mut Draft<'_>, record: &ServiceRecord, heir: NodeId) {
    let (now, dead_after) = (draft.now, draft.core.tuning.dead_after);
    let span = HEIR_AWAITED * dead_after;
    let Some(since) = draft.awaited_since(record.id) else {
        return draft.mark_awaited(record.id, now.after(span));
    };
    if now < since.after(span) && !mutant::is(Mutant::RecallHeir) {
        return;
    }
    if let Some(peer) = draft.peer(heir) {
        peer.passed_over = Some(now.after(PASSED_OVER * dead_after));
    }
    if mutant::is(Mutant::SecondHeir) {
        return name_heir(draft, record);
    }
    reclaim(draft, record, "its heir did not take it over in time");
}

/// The next epoch is this node's again; in it another heir may be named, one step later.
fn reclaim(draft: &mut Draft<'_>, record: &ServiceRecord, why: &str) {
    open_epoch(draft, record, &format!("owns it again: {why}"));
    draft.wake(record.id, draft.now);
}

fn name_heir(draft: &mut Draft<'_>, record: &ServiceRecord) {
    let usable = draft.outlook().usable.iter().copied().filter(|node| *node != draft.me());
    let usable: BTreeSet<NodeId> = usable.collect();
    let passed_over = draft.passed_over();
    let can = |node: &NodeId| usable.contains(node) && !passed_over.contains_key(node);
    let heir = record.holders.iter().chain(&usable).copied().find(can);
    let Some(heir) = heir else {
        return passed_over.values().for_each(|until| draft.wake(record.id, *until));
    };
    let mut record = record.clone();
    record.heir = Some(heir);
    draft.tell(record.id, None, EventKind::HandedOver, format!("handed over to {}", draft.called(heir)));
    draft.mark_awaited(record.id, draft.now.after(HEIR_AWAITED * draft.core.tuning.dead_after));
    publish(draft, record, Durability::Power);
}

/// Completes the line of succession with the nodes that rendezvous hashing gives this service; drops who is silent once
/// there are enough others.
pub(crate) fn fill_line(draft: &Draft<'_>, record: &mut ServiceRecord) {
    let outlook = draft.outlook();
    if record.is_absent() {
        return;
    }
    let mut line: Vec<NodeId> = vec![record.stamp.owner];
    let rest = record.holders.iter().copied().filter(|node| *node != record.stamp.owner);
    let (live, silent): (Vec<_>, Vec<_>) = rest
        .filter(|node| !outlook.is_forgotten(*node))
        .partition(|node| !outlook.is_silent(*node) && !outlook.draining.contains(node));
    line.extend(live);
    line.truncate(HOLDERS);
    let known: BTreeSet<NodeId> = line.iter().copied().collect();
    let mut others: Vec<NodeId> = outlook.usable.difference(&known).copied().collect();
    others.sort_by_key(|node| std::cmp::Reverse(weight(record.id, *node)));
    line.extend(others.into_iter().take(HOLDERS.saturating_sub(line.len())));
    line.extend(silent.into_iter().take(HOLDERS.saturating_sub(line.len())));
    record.holders = line;
}

/// Each node's claim on a service: the same on every node, and even over many services.
fn weight(service: ServiceId, node: NodeId) -> u64 {
    let words = [service.0.as_u128(), node.0.as_u128()];
    let halves = words.iter().flat_map(|word| [*word as u64, (*word >> 64) as u64]);
    halves.fold(0x9e37_79b9_7f4a_7c15, |hash, half| mix(hash ^ half))
}

/// The finaliser of splitmix64: every bit of the result depends on every bit of the argument.
const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn services_spread_evenly_over_the_nodes() {
        let nodes: Vec<NodeId> = (1..=5).map(|n| NodeId(Uuid::from_u128(n))).collect();
        let mut counts = [0; 5];
        for n in 0..10_000 {
            let service = ServiceId(Uuid::from_u128(n));
            let first = (0..5).max_by_key(|at| weight(service, nodes[*at])).expect("five nodes");
            counts[first] += 1;
        }
        assert!(counts.iter().all(|count| (1_800..2_200).contains(count)), "{counts:?}");
    }
}
