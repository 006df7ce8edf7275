//! Finds out which units of a node an image, or several together, would take: a way to satisfy all their goals is
//! found whenever there is one.
//!
//! What must be chosen is chosen in the order of the blueprint and taken back when it leads nowhere; among exclusive
//! units nothing has to be chosen, since whoever sits on one moves over when another will do for it. Says only
//! whether it works; why it does not is `explain`'s.

use std::ptr;

use super::Taken;
use super::plan::{Goal, Want};
use super::test::all_hold;
use crate::capability::{Capability, Supply};
use crate::spec::Take;

/// So many units and choices are looked at on one node, well below a millisecond. What is more intertwined counts as
/// impossible there.
const MOST_STEPS: u32 = 20_000;

/// So many choices may rest on each other.
const DEEPEST: u32 = 256;

/// A node's capabilities, with how much of each is used.
pub(crate) trait Stock<'a> {
    /// The units of the wanted name and type; not yet tested.
    fn units(&self, want: &'a Want) -> impl Iterator<Item = (&'a Capability, u64)>;
}

/// What one node has to give up for what is placed there. Keeps its memory from node to node.
#[derive(Debug, Default)]
pub(crate) struct Search<'a> {
    seats: Vec<Seat<'a>>,
    /// Seats as they were before each choice that is not sure yet.
    before: Vec<Seat<'a>>,
    /// Which units were offered to whoever is being seated.
    visited: Vec<&'a Capability>,
    steps: u32,
    depth: u32,
}

/// What one want takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat<'a> {
    pub want: &'a Want,
    pub unit: &'a Capability,
    pub amount: u64,
}

/// Goals that are still to be satisfied: a list, then those after it.
#[derive(Clone, Copy)]
struct Agenda<'g, 'a> {
    goals: &'a [Goal],
    rest: Option<&'g Agenda<'g, 'a>>,
}

impl<'a> Search<'a> {
    /// Whether all goals of all lists can be satisfied together; [`Self::seats`] tells how.
    pub fn fits(&mut self, lists: &[&'a [Goal]], stock: &impl Stock<'a>) -> bool {
        self.seats.clear();
        self.before.clear();
        (self.steps, self.depth) = (0, 0);
        self.chain(lists, None, stock)
    }

    /// What the last one that fitted takes.
    pub fn seats(&self) -> &[Seat<'a>] {
        &self.seats
    }

    /// Their amounts by capability.
    pub fn taken(&self) -> Taken {
        let mut taken = Taken::new();
        self.seats.iter().for_each(|seat| *taken.entry(seat.unit.id.clone()).or_default() += seat.amount);
        taken
    }

    fn chain(&mut self, lists: &[&'a [Goal]], rest: Option<&Agenda<'_, 'a>>, stock: &impl Stock<'a>) -> bool {
        match lists.split_last() {
            None => self.solve(Agenda { goals: &[], rest }, stock),
            Some((goals, [])) => self.solve(Agenda { goals, rest }, stock),
            Some((goals, before)) => self.chain(before, Some(&Agenda { goals, rest }), stock),
        }
    }

    fn solve(&mut self, mut agenda: Agenda<'_, 'a>, stock: &impl Stock<'a>) -> bool {
        loop {
            let Some((goal, goals)) = agenda.goals.split_first() else {
                let Some(rest) = agenda.rest else { return true };
                agenda = *rest;
                continue;
            };
            agenda.goals = goals;
            match goal {
                Goal::Not(goals) if exists(goals, stock) => return false,
                Goal::Not(_) => {}
                Goal::Has(want) => match want.requirement.take {
                    Take::One if is_free(want, stock) || self.seat(want, stock) => {}
                    Take::One => return false,
                    Take::Amount(amount) => match self.only_room(want, amount, stock) {
                        Room::None => return false,
                        Room::One(unit) => self.seats.push(Seat { want, unit, amount }),
                        Room::Several => return self.choose_room(want, amount, agenda, stock),
                    },
                },
                Goal::Any(lists) => return self.choose_list(lists, agenda, stock),
            }
        }
    }

    fn choose_list(
        &mut self,
        lists: &'a [Box<[Goal]>],
        rest: Agenda<'_, 'a>,
        stock: &impl Stock<'a>,
    ) -> bool {
        let mut lists = lists.iter();
        lists.any(|goals| self.attempt(|search| search.solve(Agenda { goals, rest: Some(&rest) }, stock)))
    }

    fn choose_room(
        &mut self,
        want: &'a Want,
        amount: u64,
        rest: Agenda<'_, 'a>,
        stock: &impl Stock<'a>,
    ) -> bool {
        stock.units(want).any(|(unit, used)| {
            self.goes_on()
                && self.has_room(want, amount, unit, used)
                && self.attempt(|search| {
                    search.seats.push(Seat { want, unit, amount });
                    search.solve(rest, stock)
                })
        })
    }

    /// Does something that is taken back when it fails.
    fn attempt(&mut self, run: impl FnOnce(&mut Self) -> bool) -> bool {
        if !self.goes_on() || self.depth >= DEEPEST {
            return false;
        }
        self.depth += 1;
        let start = self.before.len();
        self.before.extend_from_slice(&self.seats);
        let done = run(self);
        if !done {
            self.seats.clear();
            self.seats.extend_from_slice(&self.before[start..]);
        }
        self.before.truncate(start);
        self.depth -= 1;
        done
    }

    // amounts

    fn only_room(&self, want: &'a Want, amount: u64, stock: &impl Stock<'a>) -> Room<'a> {
        let mut fitting = stock.units(want).filter(|(unit, used)| self.has_room(want, amount, unit, *used));
        match (fitting.next(), fitting.next()) {
            (None, _) => Room::None,
            (Some((unit, _)), None) => Room::One(unit),
            (Some(_), Some(_)) => Room::Several,
        }
    }

    fn has_room(&self, want: &Want, amount: u64, unit: &Capability, used: u64) -> bool {
        let Supply::Amount(all) = unit.supply else { return false };
        let taken: u64 =
            self.seats.iter().filter(|seat| is_same(seat.unit, unit)).map(|seat| seat.amount).sum();
        let left = all.saturating_sub(used).saturating_sub(taken);
        left >= amount && all_hold(&want.requirement.tests, unit)
    }

    // exclusive units

    /// Finds an exclusive unit for `want`; others move over where that helps.
    fn seat(&mut self, want: &'a Want, stock: &impl Stock<'a>) -> bool {
        self.visited.clear();
        self.place(want, stock)
    }

    /// A free unit before one that is given up.
    fn place(&mut self, want: &'a Want, stock: &impl Stock<'a>) -> bool {
        for moving in [false, true] {
            for (unit, used) in stock.units(want) {
                if !self.goes_on() {
                    return false;
                }
                let open = unit.supply == Supply::Exclusive && used == 0;
                if !open || self.was_visited(unit) || !all_hold(&want.requirement.tests, unit) {
                    continue;
                }
                let holder = self.seats.iter().position(|seat| is_same(seat.unit, unit));
                if holder.is_some() != moving {
                    continue;
                }
                self.visited.push(unit);
                if holder.is_none_or(|n| self.moves(n, stock)) {
                    self.seats.push(Seat { want, unit, amount: 1 });
                    return true;
                }
            }
        }
        false
    }

    fn was_visited(&self, unit: &Capability) -> bool {
        self.visited.iter().any(|visited| is_same(visited, unit))
    }

    fn goes_on(&mut self) -> bool {
        self.steps += 1;
        self.steps <= MOST_STEPS
    }

    /// Finds another unit for whoever sits there; the old seat is gone then.
    fn moves(&mut self, n: usize, stock: &impl Stock<'a>) -> bool {
        let seat = self.seats[n];
        let moved = self.place(seat.want, stock);
        if moved {
            let old = self
                .seats
                .iter()
                .position(|other| ptr::eq(other.want, seat.want) && is_same(other.unit, seat.unit));
            old.map(|n| self.seats.swap_remove(n));
        }
        moved
    }
}

enum Room<'a> {
    None,
    One(&'a Capability),
    Several,
}

fn is_same(one: &Capability, other: &Capability) -> bool {
    ptr::eq(one, other) || one.id == other.id
}

/// Whether it can be had without taking anything: one that can be shared will do.
fn is_free<'a>(want: &'a Want, stock: &impl Stock<'a>) -> bool {
    let mut units = stock.units(want);
    units.any(|(unit, _)| unit.supply != Supply::Exclusive && all_hold(&want.requirement.tests, unit))
}

/// Whether the node has all of this at all, in use or not.
pub(crate) fn exists<'a>(goals: &'a [Goal], stock: &impl Stock<'a>) -> bool {
    goals.iter().all(|goal| match goal {
        Goal::Has(want) => stock.units(want).any(|(unit, _)| is_there(want, unit)),
        Goal::Any(lists) => lists.iter().any(|goals| exists(goals, stock)),
        Goal::Not(goals) => !exists(goals, stock),
    })
}

fn is_there(want: &Want, unit: &Capability) -> bool {
    let enough = match (want.requirement.take, unit.supply) {
        (Take::One, _) => true,
        (Take::Amount(wanted), Supply::Amount(all)) => wanted <= all,
        (Take::Amount(_), Supply::Shared | Supply::Exclusive) => false,
    };
    enough && all_hold(&want.requirement.tests, unit)
}
