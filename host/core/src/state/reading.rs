//! What can be read of a core: by clients, and by other nodes as its facts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Core, Engine, EngineView, Identity};
use crate::capability::{CapId, Capability, Lease, Supply};
use crate::id::{Called, EngineName, NodeId, ServiceId};
use crate::instance::Instance;
use crate::membership::Standing;
use crate::peer::{Holder, MOST_HOLDERS, NodeFacts};
use crate::record::{InstanceKey, ServiceRecord};

/// What clients may read.
impl Core {
    /// Who this node is.
    pub fn identity(&self) -> &Identity {
        &self.me
    }

    /// What people call a node: this one by its own name, another one as it told.
    pub fn called(&self, node: NodeId) -> Called {
        let peer = self.membership.peers.get(&node);
        let told = || peer.and_then(|peer| peer.facts.as_ref()).and_then(|facts| facts.name.clone());
        Called { node, name: if node == self.me.node { Some(self.me.name.clone()) } else { told() } }
    }

    /// What it keeps about itself.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Every record, tombstones too, in the order of their ids.
    pub fn records(&self) -> impl Iterator<Item = &Arc<ServiceRecord>> {
        self.records.values()
    }

    /// One record.
    pub fn record(&self, id: ServiceId) -> Option<&Arc<ServiceRecord>> {
        self.records.get(&id)
    }

    /// Everything this node offers, by source.
    pub fn capabilities(&self) -> impl Iterator<Item = &Capability> {
        self.capabilities.values().flatten()
    }

    /// All that one source offers.
    pub fn offers(&self, source: &str) -> &[Capability] {
        self.capabilities.get(source).map_or(&[], Vec::as_slice)
    }

    /// How much of a capability is leased.
    pub fn leased(&self, of: &CapId) -> u64 {
        self.held.get(of).copied().unwrap_or(0)
    }

    /// Every engine that was ever heard of in this life.
    pub fn engines(&self) -> impl Iterator<Item = (&EngineName, EngineView<'_>)> {
        self.engines.iter().map(|(name, engine)| {
            let instances = self.seen.iter().filter(|(_, instance)| instance.engine == *name).count();
            let (down, features) = match engine {
                Engine::Up { features } => (None, Some(features)),
                Engine::Down { message } => (Some(message.as_str()), None),
            };
            (name, EngineView { down, features, instances })
        })
    }

    /// An instance of this node as its engine last showed it.
    pub fn instance(&self, key: &InstanceKey) -> Option<&Instance> {
        self.seen.get(key)
    }

    /// What this node offers, as others are told.
    pub(crate) fn facts(&self) -> NodeFacts {
        let leases = self.leases.iter().flat_map(|(_, leases)| leases);
        let mut holders = self.holders(leases, |service| self.records.get(&service).cloned());
        if let Some((beyond, _)) = holders.iter().nth(MOST_HOLDERS) {
            let beyond = beyond.clone();
            holders.split_off(&beyond);
        }
        NodeFacts {
            name: Some(self.me.name.clone()),
            capabilities: self.capabilities().cloned().collect(),
            engines: self.engines.clone(),
            held: self
                .held
                .iter()
                .filter(|(_, amount)| **amount > 0)
                .map(|(of, n)| (of.clone(), *n))
                .collect(),
            holders,
        }
    }

    /// Who has what one instance alone can have, by its leases.
    pub(crate) fn holders<'l>(
        &self,
        leases: impl Iterator<Item = &'l Lease>,
        record: impl Fn(ServiceId) -> Option<Arc<ServiceRecord>>,
    ) -> BTreeMap<CapId, Holder> {
        let amounts = self.capabilities().filter(|it| matches!(it.supply, Supply::Amount(_)));
        let amounts: BTreeSet<&CapId> = amounts.map(|it| &it.id).collect();
        let holder = |lease: &Lease| {
            let service = record(lease.holder.service)?.name.clone();
            Some((lease.of.clone(), Holder { service, image: lease.holder.slot.image.clone() }))
        };
        leases.filter(|lease| !amounts.contains(&lease.of)).filter_map(holder).collect()
    }

    pub(crate) fn offered(&self) -> Vec<&Capability> {
        self.capabilities().collect()
    }
}
