//! Matches what an image needs against what a node offers.
//!
//! `plan` makes needs ready once, `search` finds out whether a node satisfies them and what they take there, without
//! allocating, and `explain` says in words what is missing, for people. Which node is best is not judged here.

mod explain;
mod pattern;
mod plan;
mod search;
mod test;
mod version;

use std::collections::BTreeMap;

use crate::capability::{CapId, Capability};
use crate::id::Called;
use crate::peer::Holder;
use crate::reason::{Code, Reason};

pub use plan::Needs;
pub(crate) use plan::{Goal, Want, is_implied, mark};
use search::exists;
pub(crate) use search::{Search, Seat, Stock};
#[cfg(test)]
pub(crate) use test::all_hold;

/// So much of each of a node's capabilities.
pub type Taken = BTreeMap<CapId, u64>;

/// A node's capabilities, with what is left of each.
pub(crate) struct Offer<'a> {
    /// All it has.
    pub capabilities: &'a [&'a Capability],
    /// What of them is held.
    pub held: &'a Taken,
    /// What of that counts as free, since it is held by the one who asks.
    pub credit: &'a Taken,
}

/// A node as reasons speak of it.
pub(crate) struct Host<'a> {
    pub called: Called,
    /// Who has what one instance alone can have, where that is known.
    pub holder: &'a dyn Fn(&CapId) -> Option<&'a Holder>,
}

/// What satisfying all goals of all lists would take from `offer`, which is `host`'s.
///
/// # Errors
/// Every requirement that is not met, in words.
pub(crate) fn satisfy(lists: &[&[Goal]], offer: &Offer<'_>, host: &Host<'_>) -> Result<Taken, Vec<Reason>> {
    let mut search = Search::default();
    if search.fits(lists, offer) { Ok(search.taken()) } else { Err(unmet(lists, offer, host)) }
}

/// What of the needs a node does not have at all, in use or not, in words.
pub(crate) fn missing<'h>(
    needs: &Needs,
    offer: &Offer<'_>,
    host: impl FnOnce() -> Host<'h>,
) -> Option<String> {
    let is_there = exists(needs.goals(), offer);
    (!is_there).then(|| {
        let reasons = explain::unmet(&[needs.goals()], offer, &host());
        reasons.into_iter().map(|reason| reason.text).collect::<Vec<_>>().join("; ")
    })
}

/// Every requirement that is not met, in words. At least one: to be asked only where [`Search::fits`] found that it
/// does not.
pub(crate) fn unmet(lists: &[&[Goal]], offer: &Offer<'_>, host: &Host<'_>) -> Vec<Reason> {
    let mut reasons = explain::unmet(lists, offer, host);
    if reasons.is_empty() {
        let text = format!("{} has each of what is needed, but not all of it at once", host.called);
        reasons.push(Reason::new(Code::WaitingCapability, text));
    }
    reasons
}

pub(crate) fn amount_in(taken: &Taken, id: &CapId) -> u64 {
    taken.get(id).copied().unwrap_or(0)
}

impl<'a> Stock<'a> for Offer<'a> {
    fn units(&self, want: &'a Want) -> impl Iterator<Item = (&'a Capability, u64)> {
        let listed = self.capabilities.iter().copied().chain(want.implied.as_deref());
        listed.filter(|unit| want.names(unit)).map(|unit| (unit, self.used(&unit.id)))
    }
}

impl Offer<'_> {
    fn used(&self, id: &CapId) -> u64 {
        amount_in(self.held, id).saturating_sub(amount_in(self.credit, id))
    }
}

#[cfg(test)]
mod tests;
