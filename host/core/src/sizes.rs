//! How much a core keeps in memory: for those who watch that it does not grow with what happened.

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
    /// Instances that the owner was told of.
    pub heard: usize,
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
            heard: self.heard.len(),
            refused: self.refused.len(),
            due: self.due.len(),
        }
    }
}
