//! What engines show: observed, never stored.

use crate::capability::CapId;
use crate::id::{EngineName, Millis, NodeId, ServiceId};
use crate::reason::{Code, Reason};
use crate::record::{Ended, InstanceKey, RevisionOrder, Stamp};
use crate::spec::ImageSpec;

/// What an engine really runs for a slot, as last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Which one, read from its labels.
    pub key: InstanceKey,
    /// Where.
    pub engine: EngineName,
    /// What the engine calls it.
    pub handle: String,
    /// What it was made from, read from its labels; `None` where nobody wrote it there.
    pub revision: Option<RevisionOrder>,
    /// The paths of the [devices](crate::capability::Device) that it was made with, read from its labels.
    pub devices: Vec<String>,
    /// Its state.
    pub seen: Seen,
    /// What the engine says about it, for people.
    pub message: Option<String>,
    /// Its main process, where the engine tells one: for people, nothing is decided by it.
    pub pid: Option<u32>,
    /// When it was seen so.
    pub at: Millis,
}

/// The state an engine shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Made, never started.
    Created,
    /// On its way up.
    Starting,
    /// Its main process runs.
    Running,
    /// Frozen by somebody.
    Paused,
    /// On its way down.
    Stopping,
    /// Its main process ended.
    Exited(Exit),
    /// The engine does not have it any more.
    Gone,
}

/// How a main process ended. At most one of `code` and `signal` is set; neither when nobody saw it end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exit {
    /// The exit code.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// The kernel ended it for its use of memory.
    pub oom: bool,
}

impl Seen {
    /// Whether there is a process of it that would have to be stopped.
    pub(crate) fn is_live(self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Paused)
    }

    /// Whether its main process lives.
    pub(crate) fn has_process(self) -> bool {
        self.is_live() || self == Self::Stopping
    }
}

impl Exit {
    /// What it means, in words.
    pub(crate) fn reason(self) -> Reason {
        match self {
            Self { oom: true, .. } => Reason::new(Code::ExitOom, "killed: it used more memory than it may"),
            Self { signal: Some(signal), .. } => {
                Reason::new(Code::ExitSignal, format!("ended by signal {signal}"))
            }
            Self { code: Some(code), .. } => Reason::new(Code::ExitCode, format!("exited with code {code}")),
            Self { .. } => {
                let text = "ended while nobody watched; its exit code is not known";
                Reason::new(Code::ExitCode, text)
            }
        }
    }

    /// Whether nobody saw how it ended; what the engine says of it is all there is then.
    pub(crate) fn is_unknown(self) -> bool {
        self == Self::default()
    }

    /// Whether it did what it was started for.
    pub fn success(self) -> bool {
        self.code == Some(0)
    }
}

/// What an executor tells the owner of a service: what it sees, and what it decided. Only changes are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Of this service.
    pub service: ServiceId,
    /// The version of its record that this node holds.
    pub holds: Option<Stamp>,
    /// Instances as they are now.
    pub instances: Vec<Observed>,
    /// Attempts this node will not run, and why.
    pub refused: Vec<(InstanceKey, Vec<Reason>)>,
    /// Attempts that are no more and never will be again on this node.
    pub gone: Vec<InstanceKey>,
    /// Attempts whose end is final.
    pub ended: Vec<(InstanceKey, Ended)>,
}

/// One instance as its owner knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Which one.
    pub key: InstanceKey,
    /// On this node.
    pub node: NodeId,
    /// On this engine.
    pub engine: EngineName,
    /// What the engine calls it; empty while there is none.
    pub handle: String,
    /// What it holds of its node's capabilities.
    pub takes: Vec<(CapId, u64)>,
    /// What it was made from, where its engine has it.
    pub revision: Option<RevisionOrder>,
    /// In this state; `None` while the engine has not shown it yet.
    pub seen: Option<Seen>,
    /// It passes its check; without one, it has been running for a while.
    pub healthy: bool,
    /// Its node no longer has what it needs.
    pub lacks: bool,
    /// Why it is not as wanted, where it is not.
    pub reason: Option<Reason>,
    /// How often it was started again.
    pub restarts: u32,
    /// When the executor saw it so, on the executor's clock.
    pub at: Millis,
}

/// What an owner heard of an instance, and in which of its node's letters: 0 where it is this node's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub observed: Observed,
    pub letter: u64,
}

impl Report {
    /// That a version of a record is held, and nothing else yet.
    pub(crate) fn of(service: ServiceId, holds: Option<Stamp>) -> Self {
        let (instances, refused, gone, ended) = Default::default();
        Self { service, holds, instances, refused, gone, ended }
    }

    /// Whether it tells of no instance.
    pub fn is_empty(&self) -> bool {
        let Self { service: _, holds: _, instances, refused, gone, ended } = self;
        instances.is_empty() && refused.is_empty() && gone.is_empty() && ended.is_empty()
    }
}

impl Observed {
    /// Whether it does its work, as far as its engine shows.
    pub(crate) fn runs(&self) -> bool {
        self.seen == Some(Seen::Running)
    }

    /// Whether somebody froze it: it does no work, and is nobody's to end.
    pub(crate) fn is_frozen(&self) -> bool {
        self.seen == Some(Seen::Paused)
    }

    /// Whether it does its work: where its image says how that is found out, by that.
    pub(crate) fn serves(&self, image: Option<&ImageSpec>) -> bool {
        let is_checked = image.is_some_and(|image| image.health.is_some());
        self.runs() && (self.healthy || !is_checked)
    }

    /// Whether there is, or may be, a process of it.
    pub(crate) fn may_live(&self) -> bool {
        self.seen.is_none_or(|seen| seen.is_live() || seen == Seen::Stopping)
    }
}
