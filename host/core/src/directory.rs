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

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::id::{EngineName, NodeId};
use crate::peer::NodeFacts;
use crate::reason::Reason;

pub use choice::{Ask, Choice, Crowd, NoneFits};
pub use verdict::{Verdict, summary};

use entry::{Entry, LEVELS};
use set::{Bits, Set};

/// The nodes, in the order of their ids, and the sets of their indices in that order.
#[derive(Debug)]
pub struct Directory {
    nodes: Vec<Entry>,
    names: BTreeMap<Box<str>, Offering>,
    engines: BTreeMap<EngineName, Set>,
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
            open: Bits::default(),
            levels: std::array::from_fn(|_| Bits::default()),
        }
    }
}

/// What an owner learns of nodes.
impl Directory {
    /// Takes in a node's facts, in full. One that was not there takes what is new.
    pub fn update(&mut self, node: NodeId, facts: Arc<NodeFacts>) {
        let index = match self.find(node) {
            Ok(index) => {
                self.levels[self.nodes[index].level()].remove(index);
                if self.nodes[index].offers_the_same(&facts) {
                    self.nodes[index].hold(facts);
                    return self.sort_in(index, false);
                }
                self.unlist(index);
                index
            }
            Err(index) => {
                self.each_set(|set| set.open(index), |bits| bits.open(index));
                self.nodes.insert(index, Entry::new(node));
                self.open.insert(index);
                index
            }
        };
        self.nodes[index].take_in(facts);
        self.sort_in(index, true);
    }

    /// Takes a node out.
    pub fn remove(&mut self, node: NodeId) {
        let Ok(index) = self.find(node) else { return };
        self.unlist(index);
        self.nodes.remove(index);
        self.each_set(|set| set.close(index), |bits| bits.close(index));
    }

    /// Has a node take nothing new for that reason, or whatever fits again.
    pub fn close(&mut self, node: NodeId, why: Option<Reason>) {
        let Ok(index) = self.find(node) else { return };
        match why {
            None => self.open.insert(index),
            Some(_) => self.open.remove(index),
        }
        self.nodes[index].closed = why;
    }

    /// Every node that it knows.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.nodes.iter().map(|entry| entry.node)
    }

    fn find(&self, node: NodeId) -> Result<usize, usize> {
        self.nodes.binary_search_by_key(&node, |entry| entry.node)
    }

    /// Puts a node's index into the sets that its facts belong to; those of names alone where nothing else is new.
    fn sort_in(&mut self, index: usize, all: bool) {
        let entry = &self.nodes[index];
        self.levels[entry.level()].insert(index);
        for (name, spare) in entry.names() {
            if !self.names.contains_key(name) {
                self.names.insert(name.into(), Offering::default());
            }
            let Some(offering) = self.names.get_mut(name) else { continue };
            offering.has.insert(index);
            if spare { offering.spare.insert(index) } else { offering.spare.remove(index) }
        }
        for name in entry.engines().filter(|_| all) {
            self.engines.entry(name.clone()).or_default().insert(index);
        }
    }

    /// Takes a node's index out of the sets that its facts belong to.
    fn unlist(&mut self, index: usize) {
        let entry = &self.nodes[index];
        self.levels[entry.level()].remove(index);
        for (name, _) in entry.names() {
            let Some(offering) = self.names.get_mut(name) else { continue };
            offering.has.remove(index);
            offering.spare.remove(index);
            if offering.has.is_empty() {
                self.names.remove(name);
            }
        }
        for name in entry.engines() {
            take_out(&mut self.engines, name, index);
        }
    }

    fn each_set(&mut self, set: impl Fn(&mut Set), bits: impl Fn(&mut Bits)) {
        for offering in self.names.values_mut() {
            set(&mut offering.has);
            set(&mut offering.spare);
        }
        self.engines.values_mut().for_each(set);
        self.levels.iter_mut().chain([&mut self.open]).for_each(bits);
    }
}

fn take_out<K: Ord + Clone>(sets: &mut BTreeMap<K, Set>, key: &K, index: usize) {
    let Some(set) = sets.get_mut(key) else { return };
    set.remove(index);
    if set.is_empty() {
        sets.remove(key);
    }
}

#[cfg(test)]
mod tests;
