//! A map over instance keys that can be asked for all entries of one service.
//!
//! One tree for all: a tree for each service would keep eleven places for the one instance that most services have.

use std::collections::BTreeMap;

use crate::id::{ImageKey, ServiceId};
use crate::record::{Fence, InstanceKey, Place, SlotId};

/// Entries by instance; those of a service stand together.
#[derive(Debug)]
pub(crate) struct Keyed<T>(BTreeMap<InstanceKey, T>);

impl<T> Default for Keyed<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Keyed<T> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn get(&self, key: &InstanceKey) -> Option<&T> {
        self.0.get(key)
    }

    pub fn get_mut(&mut self, key: &InstanceKey) -> Option<&mut T> {
        self.0.get_mut(key)
    }

    pub fn get_or_insert(&mut self, key: &InstanceKey) -> &mut T
    where
        T: Default,
    {
        self.0.entry(key.clone()).or_default()
    }

    pub fn insert(&mut self, key: &InstanceKey, value: T) {
        self.0.insert(key.clone(), value);
    }

    pub fn remove(&mut self, key: &InstanceKey) -> Option<T> {
        self.0.remove(key)
    }

    /// Removes the entries of one service.
    pub fn remove_all(&mut self, service: ServiceId) {
        let keys: Vec<InstanceKey> = self.of(service).map(|(key, _)| key.clone()).collect();
        keys.iter().for_each(|key| drop(self.0.remove(key)));
    }

    /// The entries of one service, in the order of their slots.
    pub fn of(&self, service: ServiceId) -> impl Iterator<Item = (&InstanceKey, &T)> {
        let least = SlotId { image: ImageKey::least(), place: Place::Ordinal(0) };
        self.0
            .range(InstanceKey { service, slot: least, fence: Fence::LEAST }..)
            .take_while(move |(key, _)| key.service == service)
    }

    /// The entries of one slot of a service.
    pub fn of_slot<'a>(
        &'a self,
        service: ServiceId,
        slot: &'a SlotId,
    ) -> impl Iterator<Item = (Fence, &'a T)> {
        self.0
            .range(InstanceKey { service, slot: slot.clone(), fence: Fence::LEAST }..)
            .take_while(move |(key, _)| key.service == service && key.slot == *slot)
            .map(|(key, value)| (key.fence, value))
    }

    /// Every entry.
    pub fn iter(&self) -> impl Iterator<Item = (&InstanceKey, &T)> {
        self.0.iter()
    }

    /// Every entry, by value.
    pub fn into_iter(self) -> impl Iterator<Item = (InstanceKey, T)> {
        self.0.into_iter()
    }
}
