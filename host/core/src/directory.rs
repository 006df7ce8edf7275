//! Which nodes there are and what they offer, as an owner knows it: finds the best node for an image without looking
//! at every one.
//!
//! A guess from facts: admission knows. Holds no service and no decision. Who counts as there, and which node takes
//! nothing new, is told from outside. For each name that any node offers it keeps the set of nodes that offer it; an
//! image's needs are an intersection of such sets first, and only what is left is looked at closely, the freest nodes
//! before the others.

mod choice;
mod entry;
mod set;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::id::{EngineName, NodeId};
use crate::peer::NodeFacts;
use crate::reason::Reason;

pub use choice::{Ask, Choice, Crowd, NoneFits};
pub use verdict::{Verdict, summary};

use entry::{Entry, LEVELS};
use set::{Bits, Set};

/// The nodes, in the order of their ids, and the sets of their places in that order.
#[derive(Debug)]
pub struct Directory {
    nodes: Vec<Entry>,
    names: BTreeMap<Box<str>, Offering>,
    engines: BTreeMap<EngineName, Set>,
    images: BTreeMap<Box<str>, Set>,
    /// Those that take what is new.
    open: Bits,
    /// Those of each level of room, see [`entry`].
    levels: [Bits; LEVELS],
}

/// Who has a capability of one name.
#[derive(Debug, Default)]
struct Offering {
    /// In use or not.
    has: Set,
    /// With a unit that is not another's alone.
    spare: Set,
}

impl Default for Directory {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            names: BTreeMap::new(),
            engines: BTreeMap::new(),
            images: BTreeMap::new(),
            open: Bits::default(),
            levels: std::array::from_fn(|_| Bits::default()),
        }
    }
}

/// What an owner learns of nodes.
impl Directory {
    /// Takes in a node's facts, in full. One that was not there takes what is new.
    pub fn update(&mut self, node: NodeId, facts: Arc<NodeFacts>) {
        let place = match self.find(node) {
            Ok(place) => {
                self.levels[self.nodes[place].level()].remove(place);
                if self.nodes[place].offers_the_same(&facts) {
                    self.nodes[place].hold(facts);
                    return self.sort_in(place, false);
                }
                self.unlist(place);
                place
            }
            Err(place) => {
                self.each_set(|set| set.open(place), |bits| bits.open(place));
                self.nodes.insert(place, Entry::new(node));
                self.open.insert(place);
                place
            }
        };
        self.nodes[place].offer(facts);
        self.sort_in(place, true);
    }

    /// Forgets a node.
    pub fn remove(&mut self, node: NodeId) {
        let Ok(place) = self.find(node) else { return };
        self.keep_images(node, BTreeSet::new());
        self.unlist(place);
        self.nodes.remove(place);
        self.each_set(|set| set.close(place), |bits| bits.close(place));
    }

    /// Has a node take nothing new for that reason, or whatever fits again.
    pub fn close(&mut self, node: NodeId, why: Option<Reason>) {
        let Ok(place) = self.find(node) else { return };
        match why {
            None => self.open.insert(place),
            Some(_) => self.open.remove(place),
        }
        self.nodes[place].closed = why;
    }

    /// Takes in which images a node need not fetch first, by the names that specs have for them.
    pub fn keep_images(&mut self, node: NodeId, images: BTreeSet<Box<str>>) {
        let Ok(place) = self.find(node) else { return };
        for image in &self.nodes[place].images {
            take_out(&mut self.images, image, place);
        }
        for image in &images {
            self.images.entry(image.clone()).or_default().insert(place);
        }
        self.nodes[place].images = images;
    }

    /// Every node that it knows.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.nodes.iter().map(|entry| entry.node)
    }

    fn find(&self, node: NodeId) -> Result<usize, usize> {
        self.nodes.binary_search_by_key(&node, |entry| entry.node)
    }

    /// Puts a node's place into the sets that its facts belong to; those of names alone where nothing else is new.
    fn sort_in(&mut self, place: usize, all: bool) {
        let entry = &self.nodes[place];
        self.levels[entry.level()].insert(place);
        for (name, spare) in entry.names() {
            if !self.names.contains_key(name) {
                self.names.insert(name.into(), Offering::default());
            }
            let Some(offering) = self.names.get_mut(name) else { continue };
            offering.has.insert(place);
            if spare { offering.spare.insert(place) } else { offering.spare.remove(place) }
        }
        for name in entry.engines().filter(|_| all) {
            self.engines.entry(name.clone()).or_default().insert(place);
        }
    }

    /// Takes a node's place out of the sets that its facts belong to.
    fn unlist(&mut self, place: usize) {
        let entry = &self.nodes[place];
        self.levels[entry.level()].remove(place);
        for (name, _) in entry.names() {
            let Some(offering) = self.names.get_mut(name) else { continue };
            offering.has.remove(place);
            offering.spare.remove(place);
            if offering.has.is_empty() {
                self.names.remove(name);
            }
        }
        for name in entry.engines() {
            take_out(&mut self.engines, name, place);
        }
    }

    fn each_set(&mut self, set: impl Fn(&mut Set), bits: impl Fn(&mut Bits)) {
        for offering in self.names.values_mut() {
            set(&mut offering.has);
            set(&mut offering.spare);
        }
        self.engines.values_mut().chain(self.images.values_mut()).for_each(set);
        self.levels.iter_mut().chain([&mut self.open]).for_each(bits);
    }
}

fn take_out<K: Ord + Clone>(sets: &mut BTreeMap<K, Set>, key: &K, place: usize) {
    let Some(set) = sets.get_mut(key) else { return };
    set.remove(place);
    if set.is_empty() {
        sets.remove(key);
    }
}

#[cfg(test)]
mod tests;
