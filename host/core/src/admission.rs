//! Whether this node really runs what it is given: the last word, spoken in the commit that takes the leases. And whether
//! it still has what the image needs that it runs.

use std::borrow::Cow;

use crate::capability::{CapId, Capability, Device, Lease};
use crate::draft::Draft;
use crate::mutant::{self, Mutant};
use crate::needs::{Host, Offer, Taken, is_implied, missing, satisfy};
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
    let mut held = Cow::Borrowed(draft.held());
    if mutant::is(Mutant::GrantTwice) || mutant::is(Mutant::SharePort) {
        held.to_mut().retain(|of, _| mutant::is(Mutant::SharePort) && !is_implied(of));
    }
    let offer = Offer { capabilities: &capabilities, held: &held, credit: &credit };
    let host = Host { called: draft.called(draft.me()), holder: &|of| draft.holder(of) };
    let taken = satisfy(&image.goals(), &offer, &host)?;
    let lease = |(of, amount)| Lease { of, amount, holder: key.clone() };
    Ok(taken.into_iter().map(lease).collect())
}

/// What `key` holds, or its image needs, and this node does not have any more, in use or not. A source that has not told
/// its set in this life of the node may have it.
pub(crate) fn lacks(draft: &Draft<'_>, key: &InstanceKey, image: &ImageSpec) -> Option<String> {
    if image.need.goals().is_empty() || mutant::is(Mutant::IgnoreLoss) {
        return None;
    }
    let known = &draft.core.capabilities;
    let is_gone = |of: &CapId| known.get(&of.source).is_some_and(|all| all.iter().all(|it| it.id != *of));
    let mut leases = draft.leases(key);
    leases.retain(|(of, _)| !is_implied(of));
    if let Some((of, _)) = leases.iter().find(|(of, _)| is_gone(of)) {
        return Some(format!("{of} is gone"));
    }
    if leases.iter().any(|(of, _)| !known.contains_key(&of.source)) {
        return None;
    }
    let capabilities = draft.core.offered();
    let nothing = Taken::new();
    let offer = Offer { capabilities: &capabilities, held: &nothing, credit: &nothing };
    missing(&image.need, &offer, || Host { called: draft.called(draft.me()), holder: &|_| None })
}

/// Where that is now which an instance holds.
#[derive(Debug, Default)]
pub(crate) struct Bound {
    /// In the order of names.
    pub devices: Vec<Device>,
    /// Something of it is away.
    pub is_away: bool,
    /// Whose source has not told in this life of the node, and may yet.
    pub untold: Option<CapId>,
}

impl Bound {
    /// What `key` holds, as it is now.
    pub fn of(draft: &Draft<'_>, key: &InstanceKey) -> Self {
        let mut bound = Self::default();
        for (of, _) in draft.leases(key).into_iter().filter(|(of, _)| !is_implied(of)) {
            let told = draft.core.capabilities.get(&of.source);
            match told.map(|all| all.iter().find(|it| it.id == of)) {
                Some(Some(Capability { binding: Some(path), .. })) => {
                    bound.devices.push(Device { name: of.name, unit: of.unit, path: path.clone() });
                }
                Some(Some(_)) => {}
                None if draft.core.is_incomplete() => bound.untold = Some(of),
                Some(None) | None => bound.is_away = true,
            }
        }
        bound.devices.sort();
        bound
    }

    /// The first of them that is elsewhere than it was when an instance was made with those paths.
    pub fn moved(&self, paths: &[String]) -> Option<&Device> {
        if self.is_away || self.untold.is_some() || mutant::is(Mutant::KeepBinding) {
            return None;
        }
        let same = |(device, path): (&Device, Option<&String>)| Some(&device.path) == path;
        let paths = paths.iter().map(Some).chain(std::iter::repeat(None));
        self.devices.iter().zip(paths).find(|it| !same(*it)).map(|(device, _)| device)
    }
}
