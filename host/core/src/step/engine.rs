//! What passes between the core and the engines of its node.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::CallId;
use crate::capability::Device;
use crate::id::{EngineName, ServiceName};
use crate::instance::Instance;
use crate::record::{InstanceKey, RevisionOrder};
use crate::spec::ImageSpec;

/// What the node knows of an engine.
#[derive(Clone, Debug)]
pub enum EngineState {
    /// It answers.
    Up {
        /// What it is able to do.
        features: BTreeSet<String>,
        /// Everything it has of this node, running or not.
        instances: Vec<Instance>,
    },
    /// It does not answer. Nothing is concluded about its instances.
    Down {
        /// Why, for people.
        message: String,
    },
}

/// Why a call of an engine failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineError {
    /// What the core decides by.
    pub kind: EngineErrorKind,
    /// What people read.
    pub message: String,
}

/// The classes of engine errors that lead to different decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineErrorKind {
    /// The engine cannot do this at all.
    Unsupported,
    /// The instance or the image does not exist.
    NotFound,
    /// It exists already, or is in a state that forbids it.
    Conflict,
    /// What was asked is wrong and will stay wrong.
    Invalid,
    /// The engine does not answer.
    Unavailable,
    /// The engine has too much to do; nothing was done.
    Busy,
    /// Whoever keeps the image wants other credentials.
    Denied,
    /// Whoever keeps the image is not reached.
    Unreachable,
    /// It tried and failed.
    Failed,
    /// No answer by the deadline; whether it was done is not known.
    TimedOut,
}

/// One call of an engine.
#[derive(Clone, Debug)]
pub struct Call {
    /// Names the answer.
    pub id: CallId,
    /// Who is called.
    pub engine: EngineName,
    /// About this instance.
    pub target: Target,
    /// What it shall do.
    pub op: EngineOp,
}

/// The instance a call is about.
#[derive(Clone, Debug)]
pub struct Target {
    /// Which one.
    pub key: InstanceKey,
    /// Makes its name readable.
    pub service_name: ServiceName,
    /// What the engine calls it, once it is known.
    pub handle: Option<String>,
}

/// The feature of an engine that fetches images.
pub const FETCHES: &str = "pull";

/// What an engine is asked to do. All may be asked twice.
#[derive(Clone, Debug)]
pub enum EngineOp {
    /// Have its image where the engine looks for it. Asked of engines that [fetch](FETCHES), before anything is made of the
    /// image or stopped for it; changes no instance.
    Fetch {
        /// What the engine calls the image.
        image: String,
    },
    /// Make the instance, do not start it.
    Create {
        /// What it runs.
        image: Arc<ImageSpec>,
        /// The revision it is made from.
        revision: RevisionOrder,
        /// What it is given of its node.
        devices: Vec<Device>,
    },
    /// Start it; also after it ended.
    Start,
    /// Ask it to end, then kill it.
    Stop {
        /// The signal's name; the engine's default when absent.
        signal: Option<String>,
        /// Milliseconds until it is killed.
        grace: u64,
    },
    /// Remove it.
    Destroy,
    /// Say how it is.
    Inspect,
}
