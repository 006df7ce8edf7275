//! Chance that can be had again: SplitMix64, from a seed that is printed.

use std::{env, time::SystemTime};

/// A stream of numbers. The same seed gives the same stream.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The seed of `MOTEY_SEED`, or one of this moment.
    pub fn seed() -> u64 {
        match env::var("MOTEY_SEED") {
            Ok(text) => text.parse().unwrap_or_else(|_| panic!("MOTEY_SEED={text:?} is not a number")),
            Err(_) => {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                Self(now.subsec_nanos().into()).next() % 1_000_000_000
            }
        }
    }

    /// A stream of its own for each `part`, whatever is drawn from the others.
    pub fn part(&self, part: u64) -> Self {
        let mut first = Self(self.0 ^ part.wrapping_mul(0xd134_2543_de82_ef95));
        Self(first.next())
    }

    /// Less than `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of them; `None` when there are none.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        let count = u64::try_from(of.len()).ok().filter(|count| *count > 0)?;
        of.get(usize::try_from(self.below(count)).ok()?)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_its_numbers_again() {
        let draw = |seed| {
            let mut random = Random::new(seed);
            (0..8).map(|_| random.below(1_000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        let mut used = Random::new(7);
        let part = Random::new(7).part(3).below(1_000_000);
        assert_eq!(Random::new(7).part(3).below(1_000_000), part);
        used.below(2);
        assert_eq!(used.pick::<u8>(&[]), None);
    }
}
