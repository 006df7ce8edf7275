//! What would become of a blueprint if it were deployed now: where each slot would go, and what every node lacks. Changes
//! nothing, and promises nothing: facts are guesses, admission knows.

use std::sync::Arc;

use crate::directory::Verdict;
use crate::draft::Draft;
use crate::id::{EngineName, Millis, NodeId, ServiceId, ServiceName};
use crate::owner::{Market, first_record, place_in, verdicts, why_nowhere, why_waiting};
use crate::reason::Reason;
use crate::record::{ServiceRecord, SlotId};
use crate::spec::{ImageSpec, Replicas, Spec};
use crate::state::Core;

/// What would become of each slot, in the order of the blueprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The slots.
    pub slots: Vec<SlotPlan>,
    /// Images that would have no slot at all, since no node fits, and why.
    pub nowhere: Vec<(Arc<ImageSpec>, Reason)>,
}

/// What would become of one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotPlan {
    /// Which one.
    pub slot: SlotId,
    /// Where it would run, or why it would wait.
    pub outcome: Result<(NodeId, EngineName), Reason>,
    /// What each node lacks for it while nothing of the service is placed; nothing: it fits.
    pub verdicts: Vec<Verdict>,
}

impl Plan {
    /// Whether every image would run.
    pub fn is_complete(&self) -> bool {
        self.nowhere.is_empty() && self.slots.iter().all(|slot| slot.outcome.is_ok())
    }
}

impl Core {
    /// Plans a service of that spec. That images come after others is left out: in the end all are placed.
    pub fn plan(&self, name: &ServiceName, spec: &Spec) -> Plan {
        let mut draft = Draft::new(self, Millis(0));
        let at_once = |image: &Arc<ImageSpec>| Arc::new(ImageSpec { after: Vec::new(), ..(**image).clone() });
        let spec = Spec { images: spec.images.iter().map(at_once).collect(), ..spec.clone() };
        let blank = first_record(&draft, ServiceId(uuid::Uuid::nil()), name, &Arc::new(spec));
        let mut placed = blank.clone();
        let mut market = Market::of(&draft);
        let before = Draft::new(self, Millis(0));
        let untouched = Market::of(&before);
        place_in(&mut draft, &mut placed, &mut market);
        let slots = placed.wanted_slots().map(|slot| {
            let outcome = outcome(&draft, &placed, &slot, &mut market);
            let verdicts = verdicts(&before, &blank, &slot, &untouched);
            SlotPlan { slot, outcome, verdicts }
        });
        let slots = slots.collect();
        let none = |image: &&Arc<ImageSpec>| {
            image.replicas == Replicas::EveryNode && placed.wanted_of(&image.key).next().is_none()
        };
        let nowhere = placed.revision.spec.images.iter().filter(none);
        let why = |image: &Arc<ImageSpec>| {
            let reason = why_nowhere(&before, &blank, image, &untouched)?;
            Some((Arc::clone(image), reason))
        };
        Plan { slots, nowhere: nowhere.filter_map(why).collect() }
    }
}

fn outcome(
    draft: &Draft<'_>,
    placed: &ServiceRecord,
    slot: &SlotId,
    market: &mut Market<'_>,
) -> Result<(NodeId, EngineName), Reason> {
    if let Some(assigned) = placed.slots.get(slot) {
        return Ok((assigned.node, assigned.engine.clone()));
    }
    Err(why_waiting(draft, placed, slot, market).unwrap_or_else(Reason::unknown))
}
