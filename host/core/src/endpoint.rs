//! Where the ports of services are: on which nodes somebody answers under them, as far as this one knows.
//!
//! An endpoint follows what runs: after a move it is on the new node. By which address a node is reached is not known here.

use std::collections::BTreeSet;

use crate::id::{NodeId, ServiceId};
use crate::record::{Assignment, Desired, ServiceRecord, SlotId};
use crate::spec::{ImageSpec, Port};
use crate::state::Core;

/// One port of an image, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint<'a> {
    /// Whose port it is.
    pub image: &'a ImageSpec,
    /// The port; its number is the same on all nodes.
    pub port: &'a Port,
    /// The nodes with an instance that does its work; none: nobody answers now.
    pub nodes: Vec<NodeId>,
}

/// How it is known where the ports of a service are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Their executors told this node, which owns the service.
    Told,
    /// This node holds what the owner decided: whether an instance does its work is not known here.
    Decided,
}

impl Core {
    /// The endpoints of a service, in the order of its blueprint; `None` when it is not known here.
    pub fn endpoints(&self, id: ServiceId) -> Option<(Known, Vec<Endpoint<'_>>)> {
        let record = self.record(id)?;
        let known = if record.stamp.owner == self.me.node { Known::Told } else { Known::Decided };
        let mut endpoints = Vec::new();
        for image in record.revision.spec.images.iter().filter(|image| !image.params.ports.is_empty()) {
            let slots = record.slots.iter().filter(|(slot, _)| slot.image == image.key);
            let nodes =
                slots.filter_map(|(slot, assigned)| self.answers(record, image, slot, assigned, known));
            let nodes: Vec<NodeId> = nodes.collect::<BTreeSet<_>>().into_iter().collect();
            let of_port = |port| Endpoint { image, port, nodes: nodes.clone() };
            endpoints.extend(image.params.ports.iter().map(of_port));
        }
        Some((known, endpoints))
    }

    /// The node on which a slot does its work. While it moves, that is its predecessor's until the successor does.
    fn answers(
        &self,
        record: &ServiceRecord,
        image: &ImageSpec,
        slot: &SlotId,
        assigned: &Assignment,
        known: Known,
    ) -> Option<NodeId> {
        if record.desired != Desired::Running || record.has_failed() || record.ended.contains_key(slot) {
            return None;
        }
        let former = assigned.from.as_ref().map(|former| (former.node, former.fence));
        let outlook = &self.membership.watch.outlook;
        let attempts = [Some((assigned.node, assigned.fence)), former].into_iter().flatten();
        let mut attempts = attempts.filter(|(node, _)| !outlook.is_silent(*node));
        let serves = |fence| {
            let heard = self.heard.get(&record.key(slot, fence));
            heard.is_some_and(|heard| heard.observed.serves(Some(image)))
        };
        let found = match known {
            Known::Told => attempts.find(|(_, fence)| serves(*fence)),
            Known::Decided => attempts.next_back(),
        };
        found.map(|(node, _)| node)
    }
}
