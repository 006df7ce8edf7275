//! Whether this node really runs what it is offered: the last word, spoken in the commit that takes the leases.

use crate::capability::Lease;
use crate::draft::Draft;
use crate::mutant::{self, Mutant};
use crate::needs::{Host, Offer, Taken, satisfy};
use crate::reason::Reason;
use crate::record::InstanceKey;
use crate::spec::ImageSpec;

/// The leases that running `key` takes here, beside all that is held. What its own slot holds counts as free.
///
/// # Errors
/// Every need that this node cannot meet now.
pub(crate) fn admit(
    draft: &Draft<'_>,
    key: &InstanceKey,
    image: &ImageSpec,
) -> Result<Vec<Lease>, Vec<Reason>> {
    let capabilities = draft.core.offered();
    let credit = draft.held_by_slot(key.service, &key.slot);
    let nothing = Taken::new();
    let held = if mutant::is(Mutant::GrantTwice) { &nothing } else { draft.held() };
    let offer = Offer { capabilities: &capabilities, held, credit: &credit };
    let host = Host { called: draft.called(draft.me()), holder: &|of| draft.holder(of) };
    let taken = satisfy(&image.need, &offer, &host)?;
    let lease = |(of, amount)| Lease { of, amount, holder: key.clone() };
    Ok(taken.into_iter().map(lease).collect())
}
