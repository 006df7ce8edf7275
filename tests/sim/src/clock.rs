//! A node's clock: counts from its own boot, at its own pace.

use motey_core::id::Millis;

use crate::queue::Time;

/// Relates true time to CLOCK_BOOTTIME of one node.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    since: Time,
    base: u64,
    /// Of its milliseconds, so many pass in a true second.
    pace: u64,
}

impl Clock {
    /// A machine that booted at `since`, and already counts `base` then.
    pub fn new(since: Time, base: u64, pace: u64) -> Self {
        Self { since, base, pace }
    }

    /// What it shows.
    pub fn at(&self, now: Time) -> Millis {
        Millis(self.base + now.saturating_sub(self.since) * self.pace / 1_000)
    }

    /// The first moment at which it shows `then`, or more.
    pub fn when(&self, then: Millis) -> Time {
        self.since + (then.0.saturating_sub(self.base) * 1_000).div_ceil(self.pace)
    }

    /// The same clock after the machine booted again.
    pub fn rebooted(&self, now: Time) -> Self {
        Self { since: now, base: 5_000, pace: self.pace }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_exactly_when_the_clock_shows_it() {
        for pace in [500, 900, 999, 1_000, 1_100, 1_500] {
            let clock = Clock::new(77, 12_345, pace);
            for then in 12_345..12_500 {
                let when = clock.when(Millis(then));
                assert!(clock.at(when) >= Millis(then));
                assert!(when == 77 || clock.at(when - 1) < Millis(then));
            }
        }
    }
}
