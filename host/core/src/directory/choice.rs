//! Which node is the best for an image, or for several that belong together.
//!
//! Of the nodes that satisfy all of them: the one with the most room left when they have taken what they need; then the
//! one with the fewest slots of the same image, then of the same service; then the one with the lowest id.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::Directory;
use super::entry::{FULL, Shelf};
use super::set::{Bits, Set};
use crate::id::{EngineName, NodeId};
use crate::needs::{Goal, Search, Taken};
use crate::placement::engine_of;
use crate::reason::Reason;
use crate::spec::{ImageSpec, Take};

/// What is to be placed, and what the asker knows beyond the facts.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// These, all on one node: an image, a group of `near`, images that share a volume.
    pub images: &'a [&'a ImageSpec],
    /// The only node that is possible, where something binds them to it.
    pub only: Option<NodeId>,
    /// How many slots run where.
    pub spread: &'a BTreeMap<NodeId, Crowd>,
    /// Nodes that are not possible now, and why.
    pub refused: &'a BTreeMap<NodeId, Reason>,
    /// What the slots hold already: it counts as free for them.
    pub credit: &'a BTreeMap<NodeId, Taken>,
    /// What was given away since the facts.
    pub given: &'a BTreeMap<NodeId, Taken>,
}

impl<'a> Ask<'a> {
    /// Asks for these, with nothing known beyond the facts.
    pub const fn new(images: &'a [&'a ImageSpec]) -> Self {
        const NOTHING: &BTreeMap<NodeId, Taken> = &BTreeMap::new();
        Self {
            images,
            only: None,
            spread: const { &BTreeMap::new() },
            refused: const { &BTreeMap::new() },
            credit: NOTHING,
            given: NOTHING,
        }
    }
}

/// How many slots run on a node already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Crowd {
    /// Of the same image.
    pub image: u32,
    /// Of the same service.
    pub service: u32,
}

/// A node that fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The node.
    pub node: NodeId,
    /// Its engine for each of the images.
    pub engines: Vec<EngineName>,
    /// What they take there together.
    pub taken: Taken,
}

/// No node fits; [`Directory::verdicts`] says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no node fits")]
pub struct NoneFits;

impl Directory {
    /// The best node.
    ///
    /// # Errors
    /// When none fits.
    pub fn choose(&self, ask: &Ask<'_>) -> Result<Choice, NoneFits> {
        let mut round = Round::new(self, ask);
        let best = match ask.only {
            Some(only) => self.possible(only, ask).filter(|only| round.examine(*only).is_some()),
            None => round.best(),
        };
        best.and_then(|index| round.choice(index)).ok_or(NoneFits)
    }

    /// The index of a node that may be asked.
    fn possible(&self, node: NodeId, ask: &Ask<'_>) -> Option<usize> {
        let index = self.find(node).ok().filter(|index| self.open.contains(*index))?;
        let wanted = ask.only.is_none_or(|only| only == node) && !ask.refused.contains_key(&node);
        wanted.then_some(index)
    }

    /// Those that may be asked and could satisfy these: not yet looked at closely. Nodes of which the asker holds
    /// something are not among them.
    fn candidates(&self, ask: &Ask<'_>) -> Bits {
        let mut bits = self.open.clone();
        for image in ask.images {
            image.goals().into_iter().for_each(|goals| self.narrow(goals, &mut bits));
            if !image.engines.is_empty() {
                let mut able = Bits::default();
                image
                    .engines
                    .iter()
                    .filter_map(|name| self.engines.get(name))
                    .for_each(|set| set.add_to(&mut able));
                Set::Many(able).intersect(&mut bits);
            }
        }
        let indices = ask.refused.keys().chain(ask.credit.keys()).filter_map(|node| self.find(*node).ok());
        indices.for_each(|index| bits.remove(index));
        bits
    }

    /// Leaves only nodes that have the names of all goals.
    fn narrow(&self, goals: &[Goal], bits: &mut Bits) {
        for goal in goals {
            match goal {
                Goal::Has(want) if want.implied.is_some() => {}
                Goal::Has(want) => match self.names.get(want.requirement.name.as_str()) {
                    Some(offering) => offering.spare.intersect(bits),
                    None => return bits.clear(),
                },
                Goal::Not(goals) => {
                    if let Some(name) = only_name(goals)
                        && let Some(offering) = self.names.get(name)
                    {
                        offering.has.subtract(bits);
                    }
                }
                Goal::Any(lists) => {
                    let mut any = Bits::default();
                    for goals in lists {
                        let mut one = bits.clone();
                        self.narrow(goals, &mut one);
                        any.union(&one);
                    }
                    *bits = any;
                }
            }
        }
    }
}

/// The name, where goals ask for nothing but that.
fn only_name(goals: &[Goal]) -> Option<&str> {
    let [Goal::Has(want)] = goals else { return None };
    let requirement = &want.requirement;
    let plain = requirement.take == Take::One && requirement.kind.is_none() && requirement.tests.is_empty();
    (plain && want.implied.is_none()).then_some(&requirement.name)
}

/// Orders nodes that fit: the least is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    room: Reverse<u8>,
    image: u32,
    service: u32,
    /// In the order of ids.
    index: usize,
}

/// One search for the best node.
struct Round<'a> {
    directory: &'a Directory,
    ask: &'a Ask<'a>,
    lists: Vec<&'a [Goal]>,
    /// What the images take whatever is chosen, by the marks of names.
    demands: Vec<(u64, u64)>,
    search: Search<'a>,
    best: Option<Rank>,
}

impl<'a> Round<'a> {
    fn new(directory: &'a Directory, ask: &'a Ask<'a>) -> Self {
        let lists: Vec<&[Goal]> = ask.images.iter().flat_map(|image| image.goals()).collect();
        let mut demands: Vec<(u64, u64)> = Vec::new();
        for want in lists.iter().copied().flatten().filter_map(Goal::as_want) {
            let Take::Amount(amount) = want.requirement.take else { continue };
            match demands.iter_mut().find(|(mark, _)| *mark == want.mark) {
                Some((_, demand)) => *demand = demand.saturating_add(amount),
                None => demands.push((want.mark, amount)),
            }
        }
        Self { directory, ask, lists, demands, search: Search::default(), best: None }
    }

    fn shelf(&self, index: usize) -> Shelf<'a> {
        let entry = &self.directory.nodes[index];
        Shelf { entry, credit: self.ask.credit.get(&entry.node), given: self.ask.given.get(&entry.node) }
    }

    /// How good a node is, when it satisfies all.
    fn examine(&mut self, index: usize) -> Option<Rank> {
        let shelf = self.shelf(index);
        let engines = &shelf.entry.facts.engines;
        let fits = self.ask.images.iter().all(|image| engine_of(image, engines).is_some())
            && self.search.fits(&self.lists, &shelf);
        fits.then(|| self.rank(index, shelf.level_after(self.search.seats())))
    }

    fn rank(&self, index: usize, room: u8) -> Rank {
        let node = self.directory.nodes[index].node;
        let Crowd { image, service } = self.ask.spread.get(&node).copied().unwrap_or_default();
        Rank { room: Reverse(room), image, service, index }
    }

    fn best(&mut self) -> Option<usize> {
        let candidates = self.directory.candidates(self.ask);
        let ask = self.ask;
        let credited = ask.credit.keys().filter_map(|node| self.directory.possible(*node, ask));
        for index in credited.collect::<Vec<_>>() {
            let rank = self.examine(index);
            self.propose(rank);
        }
        self.scan(&candidates);
        self.best.map(|best| best.index)
    }

    fn propose(&mut self, rank: Option<Rank>) {
        self.best = self.best.into_iter().chain(rank).min();
    }

    /// From the freest nodes down, as long as a better one can come.
    fn scan(&mut self, candidates: &Bits) {
        let mut crowded = Bits::default();
        let running = self.ask.spread.iter().filter(|(_, crowd)| **crowd != Crowd::default());
        let indices = running.filter_map(|(node, _)| self.directory.find(*node).ok());
        indices.for_each(|index| crowded.insert(index));
        for level in (0..=FULL as u8).rev() {
            let least = Rank { room: Reverse(level), image: 0, service: 0, index: 0 };
            if self.best.is_some_and(|best| best < least) {
                return;
            }
            self.run(&Pass { level, crowd: false }, candidates, &crowded);
            if !crowded.is_empty() {
                self.run(&Pass { level, crowd: true }, candidates, &crowded);
            }
        }
    }

    /// Looks at the nodes of one sort in the order of their ids, as long as a better one can come.
    fn run(&mut self, pass: &Pass, candidates: &Bits, crowded: &Bits) {
        let level = &self.directory.levels[usize::from(pass.level)];
        for (n, word) in candidates.words().iter().enumerate() {
            let crowd = if pass.crowd { crowded.word(n) } else { !crowded.word(n) };
            let mut word = word & level.word(n) & crowd;
            while word != 0 {
                let index = n * 64 + word.trailing_zeros() as usize;
                word &= word - 1;
                if self.best.is_some_and(|best| best < pass.least(index)) {
                    return;
                }
                let room = self.directory.nodes[index].level_beside(&self.demands);
                let hoped = self.rank(index, room);
                if self.best.is_none_or(|best| hoped < best) {
                    let rank = self.examine(index);
                    self.propose(rank);
                }
            }
        }
    }

    fn choice(&mut self, index: usize) -> Option<Choice> {
        self.examine(index)?;
        let entry = &self.directory.nodes[index];
        let engine = |image: &&ImageSpec| engine_of(image, &entry.facts.engines).cloned();
        let engines = self.ask.images.iter().map(engine).collect::<Option<_>>()?;
        Some(Choice { node: entry.node, engines, taken: self.search.taken() })
    }
}

/// Nodes that are equal but for their ids, as far as can be seen from outside.
struct Pass {
    level: u8,
    crowd: bool,
}

impl Pass {
    /// The best that a node of it can be, from that index on.
    fn least(&self, index: usize) -> Rank {
        let service = u32::from(self.crowd);
        Rank { room: Reverse(self.level), image: 0, service, index }
    }
}
