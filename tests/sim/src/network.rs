//! The made-up network: who reaches whom, and what becomes of a letter on its way.

use std::collections::BTreeMap;

use crate::dice::{Dice, mix};
use crate::queue::Time;

/// A letter usually takes so long, at most.
const USUAL: Time = 40;

#[derive(Debug)]
pub struct Network {
    seed: u64,
    /// Inside and outside do not reach each other.
    splits: Vec<(u16, Time)>,
    /// `to` is not reached by `from`.
    deaf: Vec<(usize, usize, Time)>,
    lossy: Vec<(u64, Time)>,
    doubling: Vec<(u64, Time)>,
    slow: Vec<(Time, Time)>,
    /// So many letters went from one to another.
    sent: BTreeMap<(usize, usize), u64>,
    /// When the last one arrives.
    last: BTreeMap<(usize, usize), Time>,
    /// Until then letters overtake each other.
    disorder: Vec<Time>,
}

impl Network {
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            splits: Vec::new(),
            deaf: Vec::new(),
            lossy: Vec::new(),
            doubling: Vec::new(),
            slow: Vec::new(),
            sent: BTreeMap::new(),
            last: BTreeMap::new(),
            disorder: Vec::new(),
        }
    }

    pub fn split(&mut self, mask: u16, until: Time) {
        self.splits.push((mask, until));
    }

    pub fn deafen(&mut self, from: usize, to: usize, until: Time) {
        self.deaf.push((from, to, until));
    }

    pub fn lose(&mut self, percent: u64, until: Time) {
        self.lossy.push((percent, until));
    }

    pub fn double(&mut self, percent: u64, until: Time) {
        self.doubling.push((percent, until));
    }

    pub fn slow_down(&mut self, most: Time, until: Time) {
        self.slow.push((most, until));
    }

    pub fn disorder(&mut self, until: Time) {
        self.disorder.push(until);
    }

    /// Everything is mended.
    pub fn calm(&mut self) {
        self.splits.clear();
        self.deaf.clear();
        self.lossy.clear();
        self.doubling.clear();
        self.slow.clear();
        self.disorder.clear();
    }

    /// Whether a letter gets from one to another at that moment.
    pub fn reaches(&self, from: usize, to: usize, now: Time) -> bool {
        let apart = |mask: u16| (mask >> from & 1) != (mask >> to & 1);
        from == to
            || !(self.splits.iter().any(|(mask, until)| now < *until && apart(*mask))
                || self.deaf.iter().any(|deaf| (deaf.0, deaf.1) == (from, to) && now < deaf.2))
    }

    /// When each copy of the next letter arrives; none does when it is lost. The first comes after all that went before
    /// it, unless order is lost.
    pub fn arrivals(&mut self, from: usize, to: usize, now: Time) -> Vec<Time> {
        let sent = self.sent.entry((from, to)).or_default();
        *sent += 1;
        let mut dice = Dice::new(mix(&[self.seed, 5, from as u64, to as u64, *sent]));
        let now_of = |what: &[(u64, Time)]| {
            what.iter().filter(|(_, until)| now < *until).map(|(value, _)| *value).max().unwrap_or(0)
        };
        let (loss, double) = (dice.below(100), dice.below(100));
        let most = USUAL.max(now_of(&self.slow));
        let times = [dice.between(1, most), dice.between(1, most.max(3_000))];
        if !self.reaches(from, to, now) || loss < now_of(&self.lossy) {
            return Vec::new();
        }
        let last = self.last.entry((from, to)).or_default();
        let mut first = now + times[0];
        if !self.disorder.iter().any(|until| now < *until) {
            first = first.max(*last);
            *last = first;
        }
        if double < now_of(&self.doubling) { vec![first, now + times[1]] } else { vec![first] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_ends_by_itself() {
        let mut network = Network::new(1);
        network.split(0b01, 10);
        network.deafen(1, 2, 20);
        assert!(!network.reaches(0, 1, 9) && network.reaches(1, 0, 10));
        assert!(!network.reaches(1, 2, 19) && network.reaches(2, 1, 19) && network.reaches(1, 2, 20));
    }

    #[test]
    fn letters_are_lost_as_often_as_they_should_be() {
        let mut network = Network::new(1);
        network.lose(20, 100);
        let lost = (0..1_000).filter(|_| network.arrivals(0, 1, 50).is_empty()).count();
        assert!((150..250).contains(&lost), "{lost}");
        assert!((0..1_000).all(|_| network.arrivals(0, 1, 100).len() == 1));
    }
}
