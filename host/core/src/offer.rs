//! What people give a node and take back: the capabilities of a source that is told what changes, not what is.
//!
//! The source's full set is decided here and made durable; it becomes what the node offers the way every other
//! source's set does, by [`Input::Capabilities`](crate::step::Input::Capabilities). What follows from that for services
//! is not known here.

use crate::capability::{Capability, MAX_OFFERS, Named};
use crate::draft::Draft;
use crate::step::{Answer, Refusal};

/// Adds to what the source offers. One of the same name and unit is replaced.
///
/// # Errors
/// When the source would offer more than [`MAX_OFFERS`].
pub(crate) fn offer(draft: &mut Draft<'_>, source: &str, more: &[Capability]) -> Result<Answer, Refusal> {
    let mut all = draft.core.offers(source).to_vec();
    for given in more {
        match all.iter_mut().find(|known| known.id == given.id) {
            Some(known) => known.clone_from(given),
            None => all.push(given.clone()),
        }
    }
    if all.len() > MAX_OFFERS {
        return Err(Refusal::TooManyOffers(all.len()));
    }
    Ok(settle(draft, source, all))
}

/// Takes away from what the source offers. What it does not offer is passed over.
pub(crate) fn withdraw(draft: &mut Draft<'_>, source: &str, less: &[Named]) -> Answer {
    let mut all = draft.core.offers(source).to_vec();
    all.retain(|known| !less.iter().any(|named| named.is(known)));
    settle(draft, source, all)
}

fn settle(draft: &mut Draft<'_>, source: &str, all: Vec<Capability>) -> Answer {
    let changed = all != draft.core.offers(source);
    if changed {
        draft.offer(source, all);
    }
    Answer::Offers { changed }
}
