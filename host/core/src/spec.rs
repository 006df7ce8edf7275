//! What the user wants: the spec of a service, immutable once written.
//!
//! No assignment and no observation is in here. How it is written down (YAML, SQLite, a wire) is not known here.

mod health;
mod need;
mod port;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::id::{EngineName, ImageKey, VolumeName};
use crate::needs::Goal;

pub use crate::needs::Needs;
pub use health::{Health, Probe};
pub use need::{Comparison, Literal, Need, Prop, Requirement, Take, Test};
pub use port::{Port, Ports, Protocol, Use};

/// One version of what a service is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// In the order of the blueprint; keys are unique.
    pub images: Vec<Arc<ImageSpec>>,
    /// What becomes of slots whose node falls silent.
    pub on_node_loss: OnNodeLoss,
    /// The blueprint as it was received: two deployments are the same when these bytes are.
    pub source: Source,
}

/// What becomes of the slots of a silent node. What must not run twice waits, whatever is said here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnNodeLoss {
    /// They are placed anew.
    #[default]
    Reschedule,
    /// They wait until it is back, or forgotten.
    Wait,
}

impl Spec {
    /// Whether an image waits until that one is healthy.
    pub fn awaits_health_of(&self, key: &ImageKey) -> bool {
        let mut after = self.images.iter().flat_map(|image| &image.after);
        after.any(|(image, ready)| image == key && *ready == Ready::Healthy)
    }

    /// The image of that key.
    pub fn image(&self, key: &ImageKey) -> Option<&Arc<ImageSpec>> {
        self.images.iter().find(|image| image.key == *key)
    }
}

/// A blueprint's own text and its language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The language it is written in.
    pub format: Format,
    /// Byte for byte what the client sent.
    pub text: Arc<str>,
}

/// The languages a blueprint may be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// YAML 1.2.
    Yaml,
    /// RFC 8259.
    Json,
}

/// One entry of a spec: what to run, on which engine, with which needs, how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSpec {
    /// Names it inside the service.
    pub key: ImageKey,
    /// What the engine calls it; for `process` a program.
    pub image: String,
    /// The engines it may run on, the preferred first; empty = any that can.
    pub engines: Vec<EngineName>,
    /// How many slots it has.
    pub replicas: Replicas,
    /// What a node must offer.
    pub need: Needs,
    /// What it is started with.
    pub params: Params,
    /// Where it reaches others. Says nothing about who comes first.
    pub uses: Vec<Use>,
    /// Whether it runs for ever, or to its end.
    pub run: Run,
    /// Images of the same service that come first, and how far they must be.
    pub after: Vec<(ImageKey, Ready)>,
    /// When an ended instance is started again.
    pub restart: Restart,
    /// How it is found out whether an instance does its work; where nothing is said, one that has been running for a
    /// while does.
    pub health: Option<Health>,
    /// What becomes of an instance whose node no longer has what it needs.
    pub on_loss: OnLoss,
    /// Where it runs beside other images of its service.
    pub neighbours: Neighbours,
}

/// Which images of one service share a node, and which do not. Each counts in both directions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Neighbours {
    /// Each of its slots is on a node with a slot of these.
    pub near: BTreeSet<ImageKey>,
    /// None of its slots is on a node with a slot of these; of itself: with another of its own.
    pub apart: BTreeSet<ImageKey>,
}

impl ImageSpec {
    /// One slot on any engine, without needs, that is always started again.
    pub fn new(key: ImageKey, image: impl Into<String>) -> Self {
        Self {
            key,
            image: image.into(),
            engines: Vec::new(),
            replicas: Replicas::Count(1),
            need: Need::nothing().into(),
            params: Params::default(),
            uses: Vec::new(),
            run: Run::Service,
            after: Vec::new(),
            restart: Restart::Always,
            health: None,
            on_loss: OnLoss::Keep,
            neighbours: Neighbours::default(),
        }
    }

    /// The variables that its instances are started with: its own, and what it is told of those that it uses.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let mut all = self.params.environment.clone();
        all.extend(self.uses.iter().map(|used| (used.variable(), used.endpoint())));
        all
    }

    /// The features an engine must have to honour all of it.
    pub fn features(&self) -> impl Iterator<Item = Feature> {
        let is_told = !self.uses.is_empty() && self.params.environment.is_empty();
        is_told.then_some(Feature("environment")).into_iter().chain(self.params.features())
    }

    /// All that a node must satisfy: what is asked for, and the ports.
    pub(crate) fn goals(&self) -> [&[Goal]; 2] {
        [self.need.goals(), self.params.ports.goals()]
    }

    /// Whether instances of one are instances of the other: all is the same but how many there are.
    pub fn makes_the_same(&self, other: &Self) -> bool {
        *self == Self { replicas: self.replicas, ..other.clone() }
    }
}

/// The most slots of one image.
pub const MAX_REPLICAS: u16 = 1_000;

/// The most slots of one service: its record is written as a whole.
pub const MAX_SLOTS: usize = 10_000;

/// How many slots an image has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replicas {
    /// That many, placed wherever they fit.
    Count(u16),
    /// One on every node that satisfies its needs.
    EveryNode,
}

/// Whether an image runs for ever, or to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Run {
    /// For ever: an end is an accident, whatever its code.
    #[default]
    Service,
    /// To its end: with code 0 its work is done.
    Job,
}

/// How far an image must be before one that comes after it is placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ready {
    /// Each of its instances runs.
    Started,
    /// Each passes its check; without one, it has been running for a while.
    Healthy,
    /// Each has done its work.
    Completed,
}

/// When an instance that ended by itself is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restart {
    /// However it ended.
    #[default]
    Always,
    /// When it ended with anything but 0.
    OnFailure,
    /// Never: its end is the slot's end.
    Never,
}

/// What becomes of an instance whose node no longer has what it needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnLoss {
    /// It runs on, and its status says what is gone.
    #[default]
    Keep,
    /// It is stopped, and started again when that is back.
    Stop,
    /// It runs on until another node has what it needs, and moves there. One that belongs to its node ends.
    Move,
}

/// What an instance is started with: the same keys in every VAL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params {
    /// The arguments; the image itself is not among them.
    pub command: Vec<String>,
    /// Exactly these variables.
    pub environment: BTreeMap<String, String>,
    /// Absolute; the engine's default when absent.
    pub working_dir: Option<String>,
    /// How it is asked to stop.
    pub stop: StopRule,
    /// What of its node's file systems it sees; no two in the same place.
    pub mounts: Vec<Mount>,
    /// What of it is reached through its node.
    pub ports: Ports,
}

/// A directory or file of the node inside an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// What is mounted.
    pub source: MountSource,
    /// Where: absolute.
    pub target: String,
    /// The instance cannot change it.
    pub read_only: bool,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountSource {
    /// A volume of the service: Motey makes it, empty, and keeps who uses it on one node.
    Volume(VolumeName),
    /// This absolute path of whatever node it runs on.
    Path(String),
}

impl Mount {
    /// The volume, where it is one.
    pub fn volume(&self) -> Option<&VolumeName> {
        match &self.source {
            MountSource::Volume(name) => Some(name),
            MountSource::Path(_) => None,
        }
    }
}

/// How an instance is asked to stop, and how long it may take before it is killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopRule {
    /// A signal's name such as `SIGINT`; the engine's default (SIGTERM) when absent.
    pub signal: Option<String>,
    /// Milliseconds between the signal and the kill.
    pub grace: u64,
}

impl Default for StopRule {
    fn default() -> Self {
        Self { signal: None, grace: 10_000 }
    }
}

/// An ability of an engine that a spec may use. The names are those of the plugin boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Feature(pub &'static str);

impl Params {
    /// The features an engine must have to honour every key that is set.
    fn features(&self) -> impl Iterator<Item = Feature> {
        let volumes = self.mounts.iter().filter(|mount| mount.volume().is_some()).count();
        let mapped = self.ports.iter().filter(|port| port.host != port.container).count();
        [
            (!self.command.is_empty(), "command"),
            (!self.environment.is_empty(), "environment"),
            (self.working_dir.is_some(), "working_dir"),
            (self.stop.signal.is_some(), "stop_signal"),
            (volumes > 0, "volumes"),
            (volumes < self.mounts.len(), "binds"),
            (!self.ports.is_empty(), "ports"),
            (mapped > 0, "ports.map"),
        ]
        .into_iter()
        .filter_map(|(used, name)| used.then_some(Feature(name)))
    }
}
