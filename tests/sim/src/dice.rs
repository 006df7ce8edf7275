//! Chance without chance: the same seed draws the same numbers, on every machine and in every version.
//!
//! A [`Dice`] is for what is drawn in one go, such as a plan. What must not change when something else is left out
//! (how long one message takes) is drawn by [`mix`] from what it is about.

/// A stream of numbers (SplitMix64).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The stream of that seed.
    pub fn new(seed: u64) -> Self {
        Self(mix(&[seed]))
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        scramble(self.0)
    }

    /// One of `0..end`; 0 when there is none.
    pub fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.any() % end }
    }

    /// One of `from..=to`.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from + 1)
    }

    /// Whether the one of a hundred cases that is drawn is among the first `percent`.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of them.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap_or(0)]
    }

    /// One of them, each as often as its weight says.
    pub fn weighted<T: Copy>(&mut self, from: &[(u64, T)]) -> T {
        let mut at = self.below(from.iter().map(|(weight, _)| weight).sum());
        for (weight, value) in from {
            if at < *weight {
                return *value;
            }
            at -= weight;
        }
        from[0].1
    }
}

/// One number from many: the same parts give the same number.
pub fn mix(parts: &[u64]) -> u64 {
    parts.iter().fold(0x6a09_e667_f3bc_c909, |sum, part| {
        scramble(sum.rotate_left(23) ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    })
}

fn scramble(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_for_ever() {
        let mut dice = Dice::new(1);
        let drawn = [dice.any(), dice.any()];
        let mut again = Dice::new(1);
        assert_eq!([again.any(), again.any()], drawn);
        assert_ne!(Dice::new(2).any(), drawn[0]);
    }

    #[test]
    fn weights_are_kept() {
        let mut dice = Dice::new(3);
        let rare = (0..1_000).filter(|_| dice.weighted(&[(9, false), (1, true)])).count();
        assert!((50..150).contains(&rare), "{rare}");
    }
}
