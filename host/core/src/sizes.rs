//! How much a core keeps in memory: for those who watch that it does not grow with what happened.

use std::collections::BTreeSet;

use crate::state::Core;

/// So many entries of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Records, tombstones too.
    pub records: usize,
    /// Instances that engines show.
    pub seen: usize,
    /// Instances that the executor deals with.
    pub runs: usize,
    /// Those of them that go on without what they take.
    pub short: usize,
    /// Instances that the owner was told of.
    pub heard: usize,
    /// Those of them that lost what they need.
    pub lacking: usize,
    /// Attempts that must not live again.
    pub dead: usize,
    /// Leases.
    pub leases: usize,
    /// Revisions that lost their record.
    pub kept: usize,
    /// Tombstones that are kept for a while only.
    pub graves: usize,
    /// Nodes about which a word was said.
    pub words: usize,
    /// Versions of records that other nodes were heard holding.
    pub holds: usize,
    /// Nodes of which something was given away since they told their facts.
    pub given: usize,
    /// Instances that engines told of before they listed what they have.
    pub early: usize,
    /// Refusals that are remembered.
    pub refused: usize,
    /// Timers.
    pub due: usize,
}

impl Core {
    /// How much it keeps now.
    pub fn sizes(&self) -> Sizes {
        Sizes {
            records: self.records.len(),
            seen: self.seen.len(),
            runs: self.runs.len(),
            short: self.short.len(),
            heard: self.heard.len(),
            lacking: self.lacking.len(),
            dead: self.dead.len(),
            leases: self.leases.len(),
            kept: self.kept.len(),
            graves: self.standing.graves.len(),
            words: self.standing.forgotten.counts().count(),
            holds: self.holds.len(),
            given: self.given.len(),
            early: self.early.values().map(BTreeSet::len).sum(),
            refused: self.refused.len(),
            due: self.due.len(),
        }
    }
}
