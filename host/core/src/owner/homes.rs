//! Where the data of volumes is: whoever first runs with one decides it for all who use it, until its node is forgotten.
//!
//! What follows for placement is said by `group`; nothing is known here of what is in a volume.

use crate::draft::Draft;
use crate::group::volumes;
use crate::id::{NodeId, VolumeName};
use crate::record::{Fence, Home, ServiceRecord, SlotId};
use crate::step::EventKind;

/// An attempt of the slot may write to its volumes on that node from now on.
pub(super) fn settle(record: &mut ServiceRecord, slot: &SlotId, node: NodeId, fence: Fence) {
    for volume in volumes_of(record, slot) {
        let first = Home { node, only: Some(fence) };
        let home = record.homes.entry(volume).or_insert(first);
        home.only = home.only.filter(|only| *only == fence);
    }
}

/// An instance that nobody ordered has volumes there, in whatever state it is.
pub(super) fn learn(record: &mut ServiceRecord, slot: &SlotId, node: NodeId) {
    for volume in volumes_of(record, slot) {
        record.homes.entry(volume).or_insert(Home { node, only: None });
    }
}

/// A refused attempt wrote nothing: where it was the only one, the volume has no data yet.
pub(super) fn leave(record: &mut ServiceRecord, refused: Fence) {
    record.homes.retain(|_, home| home.only != Some(refused));
}

/// The word that a node is given up is also the permission to start anew without the data that it has.
pub(super) fn abandon(draft: &mut Draft<'_>, record: &mut ServiceRecord) {
    let given_up = |home: &Home| draft.outlook().is_forgotten(home.node);
    let lost: Vec<(VolumeName, NodeId)> = record
        .homes
        .iter()
        .filter(|(_, home)| given_up(home))
        .map(|(volume, home)| (volume.clone(), home.node))
        .collect();
    for (volume, node) in lost {
        record.homes.remove(&volume);
        let text = format!(
            "the data of volume {volume} is on {}, which was forgotten: it starts anew, empty",
            draft.called(node)
        );
        draft.tell(record.id, None, EventKind::NodeLost, text);
    }
}

/// Whether a slot may run on a node by where its volumes are.
pub(super) fn allow(record: &ServiceRecord, slot: &SlotId, node: NodeId) -> bool {
    let mut homes = volumes_of(record, slot).into_iter().filter_map(|volume| record.homes.get(&volume));
    homes.all(|home| home.node == node)
}

fn volumes_of(record: &ServiceRecord, slot: &SlotId) -> Vec<VolumeName> {
    let image = record.revision.spec.image(&slot.image);
    image.into_iter().flat_map(|image| volumes(image)).cloned().collect()
}
