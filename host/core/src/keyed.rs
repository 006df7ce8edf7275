//! A map over instance keys that can be asked for all entries of one service.

use std::collections::BTreeMap;

use crate::id::ServiceId;
use crate::record::{Fence, InstanceKey, SlotId};

/// Entries by instance, grouped by service.
#[derive(Debug)]
pub(crate) struct Keyed<T>(BTreeMap<ServiceId, BTreeMap<(SlotId, Fence), T>>);

impl<T> Default for Keyed<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Keyed<T> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, key: &InstanceKey) -> Option<&T> {
        self.0.get(&key.service)?.get(&within(key))
    }

    pub fn get_mut(&mut self, key: &InstanceKey) -> Option<&mut T> {
        self.0.get_mut(&key.service)?.get_mut(&within(key))
    }

    pub fn get_or_insert(&mut self, key: &InstanceKey) -> &mut T
    where
        T: Default,
    {
        self.0.entry(key.service).or_default().entry(within(key)).or_default()
    }

    pub fn insert(&mut self, key: &InstanceKey, value: T) {
        self.0.entry(key.service).or_default().insert(within(key), value);
    }

    pub fn remove(&mut self, key: &InstanceKey) -> Option<T> {
        let entries = self.0.get_mut(&key.service)?;
        let removed = entries.remove(&within(key));
        if entries.is_empty() {
            self.0.remove(&key.service);
        }
        removed
    }

    /// The entries of one service, in the order of their slots.
    pub fn of(&self, service: ServiceId) -> impl Iterator<Item = (InstanceKey, &T)> {
        self.0.get(&service).into_iter().flatten().map(move |((slot, fence), value)| {
            (InstanceKey { service, slot: slot.clone(), fence: *fence }, value)
        })
    }

    /// The entries of one slot of a service.
    pub fn of_slot<'a>(
        &'a self,
        service: ServiceId,
        slot: &'a SlotId,
    ) -> impl Iterator<Item = (Fence, &'a T)> {
        self.0
            .get(&service)
            .into_iter()
            .flat_map(move |entries| entries.range((slot.clone(), Fence::LEAST)..))
            .take_while(move |((at, _), _)| at == slot)
            .map(|((_, fence), value)| (*fence, value))
    }

    /// Every entry.
    pub fn iter(&self) -> impl Iterator<Item = (InstanceKey, &T)> {
        self.0.keys().flat_map(|service| self.of(*service))
    }

    /// Every entry, by value.
    pub fn into_iter(self) -> impl Iterator<Item = (InstanceKey, T)> {
        self.0.into_iter().flat_map(|(service, entries)| {
            let key = move |slot, fence| InstanceKey { service, slot, fence };
            entries.into_iter().map(move |((slot, fence), value)| (key(slot, fence), value))
        })
    }
}

fn within(key: &InstanceKey) -> (SlotId, Fence) {
    (key.slot.clone(), key.fence)
}
