//! Which images of a service come after others, and whether their turn has come.

use crate::draft::Draft;
use crate::id::ImageKey;
use crate::instance::Observed;
use crate::reason::{Code, Reason};
use crate::record::{Ended, ServiceRecord, SlotId};
use crate::spec::{ImageSpec, Ready};

/// The first image that must come before this one and is not so far.
pub(super) fn awaits(draft: &Draft<'_>, record: &ServiceRecord, image: &ImageSpec) -> Option<Reason> {
    let (first, ready) = image.after.iter().find(|(first, ready)| !is_ready(draft, record, first, *ready))?;
    let far = match ready {
        Ready::Started => "has started",
        Ready::Healthy if is_checked(record, first) => "passes its check",
        Ready::Healthy => "has been running for a while",
        Ready::Completed => "has done its work",
    };
    Some(Reason::new(Code::WaitingDependency, format!("it comes after {first}: waits until that {far}")))
}

fn is_checked(record: &ServiceRecord, image: &ImageKey) -> bool {
    record.revision.spec.image(image).is_some_and(|image| image.health.is_some())
}

fn is_ready(draft: &Draft<'_>, record: &ServiceRecord, image: &ImageKey, ready: Ready) -> bool {
    let mut slots = record.wanted_of(image).peekable();
    let is = |slot: SlotId| {
        let assigned = record.slots.get(&slot);
        let observed = assigned.and_then(|assigned| draft.heard(&record.key(&slot, assigned.fence)));
        let done = record.ended.get(&slot) == Some(&Ended::Succeeded);
        done || match ready {
            Ready::Started => observed.is_some_and(Observed::runs),
            Ready::Healthy => observed.is_some_and(|observed| observed.runs() && observed.healthy),
            Ready::Completed => false,
        }
    };
    slots.peek().is_some() && slots.all(is)
}
