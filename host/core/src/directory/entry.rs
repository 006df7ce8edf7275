//! One node of a directory: its facts, sorted so that what has a name is found at once.
//!
//! A node's *room* is the smallest part that is left of anything that comes in amounts, in sixteenths: 16 while all is
//! free, 0 when something is nearly used up. Coarse on purpose: what is about as free as another counts as equal, so
//! that an even spread decides.

use std::sync::Arc;

use crate::capability::{CapId, Capability, Supply};
use crate::id::{EngineName, NodeId};
use crate::needs::{Seat, Stock, Taken, Want, amount_in, mark};
use crate::peer::NodeFacts;
use crate::reason::Reason;
use crate::state::Engine;

/// The room of a node of which nothing is used.
pub(super) const FULL: usize = 16;
pub(super) const LEVELS: usize = FULL + 1;

#[derive(Debug)]
pub(super) struct Entry {
    pub node: NodeId,
    pub facts: Arc<NodeFacts>,
    /// Why it takes nothing new; `None` while it does.
    pub closed: Option<Reason>,
    /// Its capabilities by the marks of their names.
    units: Box<[Unit]>,
    /// Those of them that come in amounts.
    amounts: Box<[Amount]>,
    level: u8,
}

#[derive(Debug)]
struct Unit {
    mark: u64,
    used: u64,
    /// Its place among the facts.
    at: u32,
}

#[derive(Debug)]
struct Amount {
    mark: u64,
    all: u64,
    used: u64,
    at: u32,
    /// No other amount has its name.
    alone: bool,
}

impl Entry {
    pub fn new(node: NodeId) -> Self {
        Self {
            node,
            facts: Arc::default(),
            closed: None,
            units: Box::default(),
            amounts: Box::default(),
            level: FULL as u8,
        }
    }

    /// Takes in facts of any kind.
    pub fn take_in(&mut self, facts: Arc<NodeFacts>) {
        let marked = facts.capabilities.iter().zip(0..);
        let mut units: Vec<Unit> =
            marked.map(|(unit, at)| Unit { mark: mark(&unit.id.name), used: 0, at }).collect();
        units.sort_by_key(|unit| unit.mark);
        self.units = units.into();
        self.hold(facts);
    }

    /// Takes in facts that differ only in how much is held.
    pub fn hold(&mut self, facts: Arc<NodeFacts>) {
        for unit in &mut self.units {
            unit.used = amount_in(&facts.held, &facts.capabilities[unit.at as usize].id);
        }
        let amounts =
            self.units.iter().filter_map(|unit| match facts.capabilities[unit.at as usize].supply {
                Supply::Amount(all) => {
                    Some(Amount { mark: unit.mark, all, used: unit.used, at: unit.at, alone: true })
                }
                Supply::Shared | Supply::Exclusive => None,
            });
        let mut amounts: Vec<Amount> = amounts.collect();
        for n in 1..amounts.len() {
            if amounts[n - 1].mark == amounts[n].mark {
                (amounts[n - 1].alone, amounts[n].alone) = (false, false);
            }
        }
        self.amounts = amounts.into();
        self.level = self.amounts.iter().map(|it| share(it.all, it.used)).min().unwrap_or(FULL as u8);
        self.facts = facts;
    }

    /// Whether these facts differ at most in how much is held.
    pub fn offers_the_same(&self, facts: &NodeFacts) -> bool {
        self.facts.engines == facts.engines && self.facts.capabilities == facts.capabilities
    }

    /// Its room, see above.
    pub fn level(&self) -> usize {
        usize::from(self.level)
    }

    /// At most so much room is left when that much of each of these is taken beside what is used.
    pub fn level_beside(&self, demands: &[(u64, u64)]) -> u8 {
        let mut level = self.level;
        for amount in self.amounts.iter().filter(|amount| amount.alone) {
            if let Some((_, demand)) = demands.iter().find(|(mark, _)| *mark == amount.mark) {
                level = level.min(share(amount.all, amount.used.saturating_add(*demand)));
            }
        }
        level
    }

    /// The names of what it offers, each perhaps more than once, and whether a unit of that name can be had: also
    /// what is used up of an amount can be asked for without taking any of it.
    pub fn names(&self) -> impl Iterator<Item = (&str, bool)> {
        self.units.iter().map(|unit| {
            let same = self.units[self.units.partition_point(|other| other.mark < unit.mark)..].iter();
            let mut same = same.take_while(|other| other.mark == unit.mark);
            let name = &self.capability(unit).id.name;
            (name.as_str(), same.any(|other| self.is_spare(other) && self.capability(other).id.name == *name))
        })
    }

    fn is_spare(&self, unit: &Unit) -> bool {
        self.capability(unit).supply != Supply::Exclusive || unit.used == 0
    }

    /// Its engines that answer.
    pub fn engines(&self) -> impl Iterator<Item = &EngineName> {
        self.facts
            .engines
            .iter()
            .filter(|(_, engine)| matches!(engine, Engine::Up { .. }))
            .map(|(name, _)| name)
    }

    fn capability(&self, unit: &Unit) -> &Capability {
        &self.facts.capabilities[unit.at as usize]
    }
}

/// What is left of something, in sixteenths. Of nothing everything is left.
fn share(all: u64, used: u64) -> u8 {
    let left = all.saturating_sub(used);
    let (left, all) = if all >> 59 == 0 { (left, all) } else { (left >> 5, all >> 5) };
    (left * FULL as u64).checked_div(all).map_or(FULL as u8, |share| share as u8)
}

/// What one node has for somebody: what he holds there counts as free, what was given away since as used.
pub(super) struct Shelf<'a> {
    pub entry: &'a Entry,
    pub credit: Option<&'a Taken>,
    pub given: Option<&'a Taken>,
}

impl Shelf<'_> {
    /// How much room is left when these are taken.
    pub fn level_after(&self, seats: &[Seat<'_>]) -> u8 {
        let left = self.entry.amounts.iter().map(|amount| {
            let id = &self.entry.facts.capabilities[amount.at as usize].id;
            let taken = seats.iter().filter(|seat| seat.unit.id == *id).map(|seat| seat.amount);
            share(amount.all, taken.fold(self.used(id, amount.used), u64::saturating_add))
        });
        left.min().unwrap_or(FULL as u8)
    }

    fn used(&self, id: &CapId, held: u64) -> u64 {
        let own = self.credit.map_or(0, |credit| amount_in(credit, id));
        let given = self.given.map_or(0, |given| amount_in(given, id));
        held.saturating_sub(own).saturating_add(given)
    }
}

impl<'a> Stock<'a> for Shelf<'a> {
    fn units(&self, want: &'a Want) -> impl Iterator<Item = (&'a Capability, u64)> {
        let entry = self.entry;
        let first = entry.units.partition_point(|unit| unit.mark < want.mark);
        let listed = entry.units[first..].iter().take_while(|unit| unit.mark == want.mark);
        let listed = listed.map(|unit| (entry.capability(unit), unit.used));
        let implied = want.implied.as_deref().map(|unit| (unit, amount_in(&entry.facts.held, &unit.id)));
        let named = listed.chain(implied).filter(|(unit, _)| want.names(unit));
        named.map(|(unit, used)| (unit, self.used(&unit.id, used)))
    }
}
