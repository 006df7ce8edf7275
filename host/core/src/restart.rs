//! The figures an operator may set: how long to wait before the next try, when to give up, when a node counts as dead.

use crate::id::Millis;
use crate::mutant::{self, Mutant};

/// The figures that an operator may set. All spans are milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// How often an instance is started again before its slot is given up.
    pub restart_attempts: u32,
    /// The wait before the first new start; it doubles with every further one.
    pub restart_delay: u64,
    /// No wait is longer.
    pub restart_delay_most: u64,
    /// An instance that ran so long is healthy: its earlier ends no longer count.
    pub stable_after: u64,
    /// Where nothing checks its health, an instance that ran so long is one that came to run.
    pub healthy_after: u64,
    /// What an instance needs and its node does not have is lost after so long: what is plugged in again at once, or told a
    /// little later than an engine, is not.
    pub lost_after: u64,
    /// An engine that did not come in so long after its node's start is not waited for: what no record names does not live
    /// there.
    pub engines_within: u64,
    /// A node that nobody heard for so long counts as dead.
    pub dead_after: u64,
    /// Who must be heard before this node acts for others.
    pub witness: Witness,
    /// A tombstone that every known node has is kept for so long of this node's running time.
    pub keep_deleted: u64,
}

/// What gives a node permission to act for a silent one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Witness {
    /// It hears more than half of the known nodes; at exactly half, it has a session with the first broker.
    #[default]
    Majority,
    /// Nothing: less is down, more runs twice during a split.
    None,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            restart_attempts: 10,
            restart_delay: 1_000,
            restart_delay_most: 60_000,
            stable_after: 60_000,
            healthy_after: 10_000,
            lost_after: 5_000,
            engines_within: 100_000,
            dead_after: 20_000,
            witness: Witness::Majority,
            keep_deleted: 30 * 24 * 3_600_000,
        }
    }
}

impl Tuning {
    /// The wait before the `attempt`-th new try, counted from 1.
    pub(crate) fn delay(&self, attempt: u32) -> u64 {
        if mutant::is(Mutant::NoBackoff) {
            return 0;
        }
        let doublings = attempt.saturating_sub(1).min(32);
        self.restart_delay.saturating_mul(1 << doublings).min(self.restart_delay_most)
    }

    /// Whether an instance that runs since `since` has come to run.
    pub(crate) fn is_healthy(&self, since: Option<Millis>, now: Millis) -> bool {
        since.is_some_and(|since| now >= since.after(self.healthy_after))
    }

    /// Whether an instance that ran from `since` to `now` is forgiven its earlier ends.
    pub(crate) fn was_stable(&self, since: Option<Millis>, now: Millis) -> bool {
        since.is_some_and(|since| now >= since.after(self.stable_after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_most() {
        let tuning = Tuning::default();
        let delays: Vec<u64> = [1, 2, 3, 7, 8, u32::MAX].map(|n| tuning.delay(n)).into();
        assert_eq!(delays, [1_000, 2_000, 4_000, 60_000, 60_000, 60_000]);
    }
}
