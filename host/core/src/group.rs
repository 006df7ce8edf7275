//! Which slots of a service belong on one node together, and which must not meet on one.
//!
//! Images that are `near` each other or use the same volume, over others too, are a *group*. The slots of a group are
//! dealt out to as many *units* as its smallest image has slots: slot n goes to unit n, and round again. So every slot
//! shares its node with at least one slot of each image of its group; with as many slots of each, the n-th ones are
//! together. Where a volume is among them all are one unit, since its data is in one place. A unit is placed as a whole.
//! Whether a node fits is not judged here.

use std::collections::{BTreeMap, BTreeSet};

use crate::draft::Draft;
use crate::id::{ImageKey, NodeId, VolumeName};
use crate::reason::{Code, Reason};
use crate::record::{Place, Revision, ServiceRecord, SlotId};
use crate::spec::{ImageSpec, Mount, Neighbours, Replicas, Spec};

/// What binds a unit to nodes, by where slots of its service are already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// The node where others of the unit are, or its data.
    pub only: Option<NodeId>,
    /// The volume whose data is there.
    pub home: Option<VolumeName>,
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
        let only = self.only.map(|node| match (&self.home, draft.called(node)) {
            (Some(volume), node) => {
                let text = format!("the data of its volume {volume} is on {node}");
                Reason::new(Code::WaitingNode, text)
            }
            (None, node) => {
                let text = format!("it belongs to what runs on {node} already");
                Reason::new(Code::WaitingAdmission, text)
            }
        });
        let reasons: BTreeSet<Reason> = only.into_iter().chain(self.apart.values().cloned()).collect();
        reasons.into_iter().collect()
    }
}

/// Whether one slot of a service has a say in where another one runs.
pub(crate) fn binds(spec: &Spec) -> bool {
    let bound =
        |image: &ImageSpec| image.neighbours != Neighbours::default() || volumes(image).next().is_some();
    spec.images.iter().any(|image| bound(image))
}

/// Whether an image has a say in where another one runs, or another one in where it does.
pub(crate) fn is_bound(spec: &Spec, image: &ImageKey) -> bool {
    let names = |other: &ImageSpec| {
        [&other.neighbours.near, &other.neighbours.apart].iter().any(|it| it.contains(image))
    };
    let own = spec.image(image).is_some_and(|own| own.neighbours != Neighbours::default());
    own || is_kept(spec, image) || spec.images.iter().any(|other| names(other))
}

/// The volumes that bind an image's slots to the node of their data. What has a slot on every node has its own on each.
pub(crate) fn volumes(image: &ImageSpec) -> impl Iterator<Item = &VolumeName> {
    let binds = image.replicas != Replicas::EveryNode;
    image.params.mounts.iter().filter_map(Mount::volume).filter(move |_| binds)
}

/// Whether an image, or one that belongs with it, has its data on one node.
pub(crate) fn is_kept(spec: &Spec, image: &ImageKey) -> bool {
    binds(spec) && groups(spec).iter().any(|group| group.contains(&image) && has_data(spec, group))
}

fn has_data(spec: &Spec, group: &[&ImageKey]) -> bool {
    let mut images = group.iter().filter_map(|key| spec.image(key));
    images.any(|image| volumes(image).next().is_some())
}

/// Every wanted slot of the revision, with those that belong on the same node.
pub(crate) fn units(revision: &Revision) -> Vec<Vec<SlotId>> {
    groups(&revision.spec).iter().flat_map(|group| units_of(revision, group)).collect()
}

/// Every image with those that belong with it, in the order of the blueprint.
fn groups(spec: &Spec) -> Vec<Vec<&ImageKey>> {
    let mut near: BTreeMap<&ImageKey, Vec<&ImageKey>> = BTreeMap::new();
    let mut users: BTreeMap<&VolumeName, &ImageKey> = BTreeMap::new();
    for image in &spec.images {
        for volume in volumes(image) {
            let first = *users.entry(volume).or_insert(&image.key);
            near.entry(first).or_default().push(&image.key);
            near.entry(&image.key).or_default().push(first);
        }
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
    let fewest = if has_data(&revision.spec, group) { fewest.min(1) } else { fewest };
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
/// When its slots must be together and must not, or cannot, since their data is not.
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
    let home = home(draft, record, unit)?;
    let beside = || unit.iter().find_map(|slot| record.slots.get(slot)).map(|assigned| assigned.node);
    let only = home.map(|(_, node)| node).or_else(beside);
    let home = home.map(|(volume, _)| volume.clone());
    let mut bounds = Bounds { only, home, apart: BTreeMap::new() };
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

/// Where the data of a unit is.
fn home<'r>(
    draft: &Draft<'_>,
    record: &'r ServiceRecord,
    unit: &[SlotId],
) -> Result<Option<(&'r VolumeName, NodeId)>, Reason> {
    let images: BTreeSet<&ImageKey> = unit.iter().map(|slot| &slot.image).collect();
    let images = images.into_iter().filter_map(|key| record.revision.spec.image(key));
    let mut homes =
        images.flat_map(|image| volumes(image)).filter_map(|volume| record.homes.get_key_value(volume));
    let Some((first, home)) = homes.next() else { return Ok(None) };
    match homes.find(|(_, other)| other.node != home.node) {
        None => Ok(Some((first, home.node))),
        Some((other, at)) => {
            let text = format!(
                "the data of its volumes is not together: {first} is on {}, {other} on {}",
                draft.called(home.node),
                draft.called(at.node)
            );
            Err(Reason::new(Code::WaitingNode, text))
        }
    }
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
