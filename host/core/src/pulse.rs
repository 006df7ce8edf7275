//! How far the executor is with the health of one instance: the check under way, and what came of those before.
//!
//! Memory only. What follows from a check is decided in `attempt::health`.

use crate::id::Millis;
use crate::step::CheckId;

/// What is known of one instance by its checks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pulse {
    /// The check under way: one at a time, also where the instance is started again meanwhile.
    pub asked: Option<CheckId>,
    /// What it finds says nothing: it is about an earlier life of the instance.
    void: bool,
    /// What the last one found; nothing followed from it yet.
    pub found: Option<Result<(), String>>,
    /// None is asked for before.
    pub next: Option<Millis>,
    /// When it passed for the first time, unless it has become unhealthy since.
    pub healthy_since: Option<Millis>,
    /// How many failures counted since it passed last.
    pub failures: u32,
    /// What failed last.
    pub why: Option<String>,
}

impl Pulse {
    /// A check has ended; `None`: nothing can be concluded from it.
    pub fn answered(&mut self, check: CheckId, found: Option<Result<(), String>>) {
        if self.asked != Some(check) {
            return;
        }
        self.asked = None;
        self.found = found.filter(|_| !self.void);
        self.void = false;
        if self.found.is_none() {
            // what nobody knows of is no failure: those before are not in a row with those after
            self.failures = 0;
        }
    }

    /// The instance lives no more: nothing that was found is true of its next life. Returns since when it was healthy.
    pub fn end(&mut self) -> Option<Millis> {
        let before = std::mem::take(self);
        self.asked = before.asked;
        self.void = before.asked.is_some();
        before.healthy_since
    }
}
