//! The six states: a pure projection of what is desired and what was reported. Nothing here is ever stored.
//!
//! One table for slots, one for what holds several of them (an image over its slots, a service over its images),
//! after figures 16 and 17 and listing 5.8 of the thesis.

use std::sync::Arc;

use crate::draft::Draft;
use crate::group::is_kept;
use crate::id::{EngineName, ImageKey, Millis, NodeId, ServiceId};
use crate::instance::{Observed, Seen};
use crate::owner::{Market, waits_for_data, why_nowhere, why_waiting};
use crate::reason::{Code, Reason};
use crate::record::{Assignment, Desired, Ended, Fence, ServiceRecord, SlotId};
use crate::spec::{ImageSpec, OnNodeLoss};
use crate::state::Core;

/// The state of a service, an image or a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Accepted; no node runs it yet.
    Initial,
    /// On its way to what is wanted.
    Instantiating,
    /// As wanted.
    Running,
    /// On its way down.
    Stopping,
    /// Nothing of it runs, as wanted.
    Terminated,
    /// It gave up; the reason says why.
    Error,
}

impl State {
    /// The thesis's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Initial => "INITIAL",
            Self::Instantiating => "INSTANTIATING",
            Self::Running => "RUNNING",
            Self::Stopping => "STOPPING",
            Self::Terminated => "TERMINATED",
            Self::Error => "ERROR",
        }
    }
}

/// How a service is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceStatus {
    /// Mapped from its images.
    pub state: State,
    /// Why it is not RUNNING, where there is something to say.
    pub reason: Option<Reason>,
    /// In the order of the blueprint.
    pub images: Vec<ImageStatus>,
}

/// How an image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageStatus {
    /// Which one.
    pub key: ImageKey,
    /// Mapped from its slots.
    pub state: State,
    /// Why it is not RUNNING, or what of it does not run.
    pub reason: Option<Reason>,
    /// How many slots it has.
    pub wanted: u16,
    /// How many of them run.
    pub running: u16,
    /// Every slot, in order.
    pub slots: Vec<SlotStatus>,
}

/// How a slot is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotStatus {
    /// Which one.
    pub slot: SlotId,
    /// From the table.
    pub state: State,
    /// Why it is so, where there is something to say.
    pub reason: Option<Reason>,
    /// Where it is assigned to.
    pub node: Option<NodeId>,
    /// On which engine.
    pub engine: Option<EngineName>,
    /// What that engine calls its instance.
    pub handle: Option<String>,
    /// Its main process, while it has one, where its engine tells and is this node's.
    pub pid: Option<u32>,
    /// Which attempt it is.
    pub fence: Option<Fence>,
    /// How often it was started again.
    pub restarts: u32,
    /// When its executor saw it so, on that node's clock.
    pub observed_at: Option<Millis>,
}

impl Core {
    /// How a service is, as far as its owner has heard; `None` when nobody deployed it here.
    pub fn status(&self, id: ServiceId) -> Option<ServiceStatus> {
        let record = self.record(id)?;
        let mut view = View::new(self, record);
        let images: Vec<ImageStatus> =
            record.revision.spec.images.iter().map(|image| view.image(&image.key)).collect();
        let (state, reason) = match over_all(record) {
            Some(state) => (state, None),
            None => map(images.iter().map(|image| (image.state, image.reason.clone())).collect()),
        };
        Some(ServiceStatus { state, reason, images })
    }
}

/// A record under projection, with what is looked up once for all its slots.
struct View<'a> {
    core: &'a Core,
    record: &'a ServiceRecord,
    has_failed: bool,
    draft: Draft<'a>,
    market: Option<Market<'a>>,
}

impl<'a> View<'a> {
    fn new(core: &'a Core, record: &'a ServiceRecord) -> Self {
        let draft = Draft::new(core, Millis(0));
        Self { core, record, has_failed: record.has_failed(), draft, market: None }
    }

    fn image(&mut self, key: &ImageKey) -> ImageStatus {
        let record = self.record;
        let slots: Vec<SlotStatus> = record.wanted_of(key).map(|slot| self.slot(slot)).collect();
        let (state, reason) = match record.everywhere().find(|image| image.key == *key) {
            Some(image) if slots.is_empty() && record.desired == Desired::Running => {
                (State::Initial, self.why_nowhere(image))
            }
            _ => map_slots(&slots),
        };
        let running = slots.iter().filter(|slot| slot.state == State::Running).count();
        let wanted = slots.len();
        let reason = match reason {
            Some(Reason { code, text }) if (1..wanted).contains(&running) => {
                Some(Reason::new(code, format!("degraded {running}/{wanted}: {text}")))
            }
            reason => reason,
        };
        let count = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
        ImageStatus { key: key.clone(), state, reason, wanted: count(wanted), running: count(running), slots }
    }

    fn slot(&mut self, slot: SlotId) -> SlotStatus {
        let assigned = self.record.slots.get(&slot);
        let key = assigned.map(|assigned| self.record.key(&slot, assigned.fence));
        let heard = key.as_ref().and_then(|key| self.core.heard.get(key)).map(|heard| &heard.observed);
        let shown = key.as_ref().and_then(|key| self.core.instance(key));
        let (state, reason) = slot_state(self.record, self.has_failed, &slot, heard);
        let (state, reason) = match assigned.and_then(|assigned| self.why_unheard(&slot, assigned)) {
            Some(why) if matches!(state, State::Running | State::Instantiating) => {
                (State::Instantiating, Some(why))
            }
            _ if state == State::Initial => (state, self.why_waiting(&slot)),
            _ if state == State::Running => (state, reason.or_else(|| self.why_it_stays(&slot, assigned?))),
            _ => (state, reason),
        };
        SlotStatus {
            state,
            reason,
            node: assigned.map(|assigned| assigned.node),
            engine: assigned.map(|assigned| assigned.engine.clone()),
            handle: heard.map(|heard| heard.handle.clone()).filter(|handle| !handle.is_empty()),
            pid: shown.filter(|shown| shown.seen.has_process()).and_then(|shown| shown.pid),
            fence: assigned.map(|assigned| assigned.fence),
            restarts: heard.map_or(0, |heard| heard.restarts),
            observed_at: heard.map(|heard| heard.at),
            slot,
        }
    }

    /// Whether a slot's node is silent, and what is waited for then: what was heard last says nothing about now.
    fn why_unheard(&self, slot: &SlotId, assigned: &Assignment) -> Option<Reason> {
        let (outlook, node) = (self.draft.outlook(), assigned.node);
        if !outlook.is_silent(node) {
            return None;
        }
        let called = self.draft.called(node);
        let spec = &self.record.revision.spec;
        if is_kept(spec, &slot.image) {
            return Some(waits_for_data(&self.draft, node));
        }
        let text = if spec.on_node_loss == OnNodeLoss::Wait {
            format!(
                "{called} is silent; as its service wants it, it waits for that node, or until it is forgotten"
            )
        } else if assigned.pinned {
            format!(
                "{called} is silent; it must not run twice: it waits for that node, or until it is forgotten"
            )
        } else if outlook.permitted {
            format!("{called} is silent; another node is sought")
        } else {
            let (fresh, known) = (outlook.fresh, outlook.known.len());
            format!(
                "{called} is silent, and there is no permission to act for it: {fresh} of {known} nodes are heard"
            )
        };
        Some(Reason::new(Code::WaitingNode, text))
    }

    /// Why a slot does not leave a node that is to be empty.
    fn why_it_stays(&self, slot: &SlotId, assigned: &Assignment) -> Option<Reason> {
        let leaves = self.draft.outlook().draining.contains(&assigned.node);
        let kept = leaves && is_kept(&self.record.revision.spec, &slot.image);
        kept.then(|| {
            let node = self.draft.called(assigned.node);
            let text = format!("its volume data is on {node}, which is drained: it stays there");
            Reason::new(Code::WaitingNode, text)
        })
    }

    fn why_nowhere(&mut self, image: &Arc<ImageSpec>) -> Option<Reason> {
        let market = self.market.get_or_insert_with(|| Market::of(&self.draft));
        why_nowhere(&self.draft, self.record, image, market)
    }

    fn why_waiting(&mut self, slot: &SlotId) -> Option<Reason> {
        let market = self.market.get_or_insert_with(|| Market::of(&self.draft));
        why_waiting(&self.draft, self.record, slot, market)
    }
}

/// What the whole service is by what is desired, whatever its images are.
fn over_all(record: &ServiceRecord) -> Option<State> {
    let nothing_left = record.slots.is_empty() && record.dismissed.is_empty();
    match record.desired {
        Desired::Running => None,
        Desired::Stopped | Desired::Absent if nothing_left => Some(State::Terminated),
        Desired::Stopped | Desired::Absent => Some(State::Stopping),
    }
}

/// The table for one slot: what is desired and decided against what was reported.
fn slot_state(
    record: &ServiceRecord,
    has_failed: bool,
    slot: &SlotId,
    heard: Option<&Observed>,
) -> (State, Option<Reason>) {
    let seen = heard.and_then(|heard| heard.seen);
    let reason = || heard.and_then(|heard| heard.reason.clone());
    let assigned = record.slots.contains_key(slot);
    match (record.desired, record.ended.get(slot)) {
        (Desired::Stopped | Desired::Absent, _) if assigned => (State::Stopping, reason()),
        (Desired::Stopped | Desired::Absent, _) => (State::Terminated, None),
        (Desired::Running, Some(Ended::GaveUp(reason))) => (State::Error, Some(reason.clone())),
        (Desired::Running, Some(Ended::Succeeded)) => (State::Terminated, None),
        (Desired::Running, None) if has_failed => after_sibling(seen),
        (Desired::Running, None) if !assigned => (State::Initial, None),
        (Desired::Running, None) => match seen {
            Some(Seen::Running) if serves(record, slot, heard) => (State::Running, reason()),
            Some(Seen::Paused) => {
                let text = "it is paused, and not by Motey; unpause it in its engine";
                (State::Instantiating, Some(Reason::new(Code::EngineFailed, text)))
            }
            Some(Seen::Exited(exit)) => (State::Instantiating, reason().or_else(|| Some(exit.reason()))),
            _ => (State::Instantiating, reason()),
        },
    }
}

/// Whether what runs does its work, where its image says how that is found out.
fn serves(record: &ServiceRecord, slot: &SlotId, heard: Option<&Observed>) -> bool {
    let image = record.revision.spec.image(&slot.image);
    heard.is_some_and(|heard| heard.serves(image.map(|image| &**image)))
}

fn after_sibling(seen: Option<Seen>) -> (State, Option<Reason>) {
    let reason = Reason::new(Code::SiblingFailed, "stopped, since another image of the service gave up");
    match seen {
        Some(Seen::Starting | Seen::Running | Seen::Paused | Seen::Stopping) => {
            (State::Stopping, Some(reason))
        }
        _ => (State::Terminated, Some(reason)),
    }
}

/// The order of listing 5.8: the first of these that a part is in is the state of the whole, with its reason.
const PRECEDENCE: [State; 5] =
    [State::Error, State::Terminated, State::Stopping, State::Instantiating, State::Initial];

/// Slots that gave up leave the mapping while another one is on its way or runs: the image is degraded then.
fn map_slots(slots: &[SlotStatus]) -> (State, Option<Reason>) {
    let part = |slot: &SlotStatus| (slot.state, slot.reason.clone());
    let alive = |slot: &&SlotStatus| !matches!(slot.state, State::Error | State::Terminated);
    let lost = slots.iter().find(|slot| slot.state == State::Error);
    match (lost, slots.iter().any(|slot| alive(&slot))) {
        (Some(lost), true) => {
            let (state, reason) = map(slots.iter().filter(alive).map(part).collect());
            (state, reason.or_else(|| lost.reason.clone()))
        }
        _ => map(slots.iter().map(part).collect()),
    }
}

/// The table for a whole of several parts. Parts that did their work are left out while any other remains.
fn map(mut parts: Vec<(State, Option<Reason>)>) -> (State, Option<Reason>) {
    let succeeded = |part: &(State, Option<Reason>)| *part == (State::Terminated, None);
    if !parts.iter().all(succeeded) {
        parts.retain(|part| !succeeded(part));
    }
    for state in PRECEDENCE {
        if let Some(at) = parts.iter().position(|(is, _)| *is == state) {
            return parts.swap_remove(at);
        }
    }
    let state = if parts.is_empty() { State::Terminated } else { State::Running };
    (state, parts.into_iter().find_map(|(_, reason)| reason))
}
