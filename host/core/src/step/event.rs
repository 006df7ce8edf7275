//! What a journal tells: a story for people. Nothing is ever decided by it.

use crate::id::ServiceId;
use crate::record::SlotId;

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Whose story.
    pub service: ServiceId,
    /// Of which slot, where it is one's.
    pub slot: Option<SlotId>,
    /// What happened.
    pub kind: EventKind,
    /// For people.
    pub text: String,
}

/// The closed list of what a journal tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// The service was deployed.
    Deployed,
    /// It was asked to run.
    StartAsked,
    /// It was asked to stop.
    StopAsked,
    /// It was asked for new instances.
    RestartAsked,
    /// The number of its slots changed.
    Scaled,
    /// It has a new revision.
    Updated,
    /// A revision that did not come to run was taken back.
    Reverted,
    /// It was deleted.
    Deleted,
    /// It has another owner.
    TakenOver,
    /// Its owner asked another node to own it.
    HandedOver,
    /// A slot got a node.
    Assigned,
    /// A node refused a slot.
    Refused,
    /// The node of a slot is gone.
    NodeLost,
    /// A slot leaves a node that is to be empty, or that lacks what it needs.
    Moved,
    /// The node of an instance no longer has what it needs.
    CapabilityLost,
    /// A device that an instance uses is elsewhere on its node by now.
    CapabilityMoved,
    /// A slot has got an instance that ran already.
    Adopted,
    /// An instance runs.
    Started,
    /// It passes its check.
    Healthy,
    /// It does not, and is stopped.
    Unhealthy,
    /// An instance ended.
    Exited,
    /// A call of an engine failed.
    CallFailed,
    /// A slot is given up.
    GaveUp,
    /// A slot did its work.
    Succeeded,
    /// Nothing of the service is left.
    Terminated,
}

impl EventKind {
    /// All of them, for documentation and for reading one back.
    pub const ALL: &'static [Self] = &[
        Self::Deployed,
        Self::StartAsked,
        Self::StopAsked,
        Self::RestartAsked,
        Self::Scaled,
        Self::Updated,
        Self::Reverted,
        Self::Deleted,
        Self::TakenOver,
        Self::HandedOver,
        Self::Assigned,
        Self::Refused,
        Self::NodeLost,
        Self::Moved,
        Self::CapabilityLost,
        Self::CapabilityMoved,
        Self::Adopted,
        Self::Started,
        Self::Healthy,
        Self::Unhealthy,
        Self::Exited,
        Self::CallFailed,
        Self::GaveUp,
        Self::Succeeded,
        Self::Terminated,
    ];

    /// The stable text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deployed => "deployed",
            Self::StartAsked => "start-asked",
            Self::StopAsked => "stop-asked",
            Self::RestartAsked => "restart-asked",
            Self::Scaled => "scaled",
            Self::Updated => "updated",
            Self::Reverted => "reverted",
            Self::Deleted => "deleted",
            Self::TakenOver => "taken-over",
            Self::HandedOver => "handed-over",
            Self::Assigned => "assigned",
            Self::Refused => "refused",
            Self::NodeLost => "node-lost",
            Self::Moved => "moved",
            Self::CapabilityLost => "capability-lost",
            Self::CapabilityMoved => "capability-moved",
            Self::Adopted => "adopted",
            Self::Started => "started",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Exited => "exited",
            Self::CallFailed => "call-failed",
            Self::GaveUp => "gave-up",
            Self::Succeeded => "succeeded",
            Self::Terminated => "terminated",
        }
    }
}
