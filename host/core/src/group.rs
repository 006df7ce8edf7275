//! Which slots of a service belong on one node together, and which must not meet on one.
//!
//! Images that are `near` each other, over others too, are a *group*. The slots of a group are dealt out to as many
//! *units* as its smallest image has slots: slot n goes to unit n, and round again. So every slot shares its node with
//! at least one slot of each image of its group; with as many slots of each, the n-th ones are together. A unit is
//! placed as a whole. Whether a node fits is not judged here.

use std::collections::{BTreeMap, BTreeSet};

use crate::draft::Draft;
use crate::id::{ImageKey, NodeId};
use crate::reason::{Code, Reason};
use crate::record::{Place, Revision, ServiceRecord, SlotId};
use crate::spec::Spec;

/// What binds a unit to nodes, by where slots of its service are already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// The node where others of the unit are.
    pub only: Option<NodeId>,
    /// Nodes with slots from which one of the unit keeps apart, and why.
    pub apart: BTreeMap<NodeId, Reason>,
}

impl Bounds {
    /// Whether the unit may go to that node.
    pub fn allows(&self, node: NodeId) -> bool {
        self.only.is_none_or(|only| only == node) && !self.apart.contains_key(&node)
    }

    /// Why it may not go to others.
    pub fn reasons(&self, draft: &Draft<'_>) -> Vec<Reason> {
        let only = self.only.map(|node| {
            let text = format!("it belongs to what runs on {} already", draft.called(node));
            Reason::new(Code::WaitingAdmission, text)
        });
        let reasons: BTreeSet<Reason> = only.into_iter().chain(self.apart.values().cloned()).collect();
        reasons.into_iter().collect()
    }
}

/// Every wanted slot of the revision, with those that belong on the same node.
pub(crate) fn units(revision: &Revision) -> Vec<Vec<SlotId>> {
    groups(&revision.spec).iter().flat_map(|group| units_of(revision, group)).collect()
}

/// Every image with those that are near it, in the order of the blueprint.
fn groups(spec: &Spec) -> Vec<Vec<&ImageKey>> {
    let mut near: BTreeMap<&ImageKey, Vec<&ImageKey>> = BTreeMap::new();
    for image in &spec.images {
        for other in &image.neighbours.near {
            near.entry(&image.key).or_default().push(other);
            near.entry(other).or_default().push(&image.key);
        }
    }
    let places: BTreeMap<&ImageKey, usize> = spec.images.iter().map(|image| &image.key).zip(0..).collect();
    let mut seen = BTreeSet::new();
    let mut groups = Vec::new();
    for image in &spec.images {
        let mut group = BTreeSet::new();
        let mut open = vec![&image.key];
        while let Some(key) = open.pop() {
            if let Some(place) = places.get(key).filter(|_| seen.insert(key)) {
                group.insert((place, key));
                open.extend(near.get(key).into_iter().flatten());
            }
        }
        groups.push(group.into_iter().map(|(_, key)| key).collect());
    }
    groups
}

fn units_of(revision: &Revision, group: &[&ImageKey]) -> Vec<Vec<SlotId>> {
    let counted: Vec<(&ImageKey, u16)> =
        group.iter().map(|image| (*image, revision.replicas(image))).collect();
    let fewest = counted.iter().map(|(_, count)| *count).filter(|count| *count > 0).min().unwrap_or(0);
    let slots = |n: u16| {
        counted.iter().flat_map(move |(image, count)| {
            let ordinals = (n..*count).step_by(usize::from(fewest.max(1)));
            ordinals.map(|n| SlotId { image: (*image).clone(), place: Place::Ordinal(n) })
        })
    };
    (0..fewest).map(|n| slots(n).collect()).collect()
}

/// What binds a unit.
///
/// # Errors
/// When its slots must be together and must not.
pub(crate) fn bounds(draft: &Draft<'_>, record: &ServiceRecord, unit: &[SlotId]) -> Result<Bounds, Reason> {
    let apart = apart_from(&record.revision.spec, unit);
    let mut images = BTreeSet::new();
    for slot in unit {
        let again = !images.insert(&slot.image);
        if let Some(own) = apart.get(&slot.image).filter(|own| **own != &slot.image || again) {
            let slot = draft.slot_called(slot);
            let text =
                format!("{own} and {slot} have to be on one node and to keep apart: scale one of them");
            return Err(Reason::new(Code::WaitingAdmission, text));
        }
    }
    let only = unit.iter().find_map(|slot| record.slots.get(slot)).map(|assigned| assigned.node);
    let mut bounds = Bounds { only, apart: BTreeMap::new() };
    if apart.is_empty() {
        return Ok(bounds);
    }
    let runs = record.slots.iter().map(|(slot, assigned)| (slot, assigned.node));
    let leaves = record.dismissed.iter().map(|dismissed| (&dismissed.slot, dismissed.node));
    for (other, node) in runs.chain(leaves).filter(|(slot, _)| !unit.contains(slot)) {
        let Some(own) = apart.get(&other.image) else { continue };
        bounds.apart.entry(node).or_insert_with(|| {
            let other = draft.slot_called(other);
            let text = format!("{own} keeps apart from {other}, which is on {}", draft.called(node));
            Reason::new(Code::WaitingAdmission, text)
        });
    }
    Ok(bounds)
}

/// The images from which one of the unit's keeps apart, each with that one.
fn apart_from<'s>(spec: &'s Spec, unit: &[SlotId]) -> BTreeMap<&'s ImageKey, &'s ImageKey> {
    let own: BTreeSet<&ImageKey> = unit.iter().map(|slot| &slot.image).collect();
    let mut apart = BTreeMap::new();
    for image in &spec.images {
        for other in &image.neighbours.apart {
            if own.contains(&image.key) {
                apart.insert(other, &image.key);
            }
            if own.contains(other) {
                apart.insert(&image.key, other);
            }
        }
    }
    apart
}

#[cfg(test)]
mod tests;
