//! Write-ahead by construction: what goes into a decision, and what comes out of it.
//!
//! [`Core::decide`](crate::Core::decide) makes a [`Step`]. Its effects are sealed in it: the only way to them is
//! [`Step::commit`], which writes the transaction, and then [`Core::apply`](crate::Core::apply), which makes the
//! core remember it. An effect without its commit does not compile:
//!
//! ```compile_fail,E0616
//! # fn f(core: &motey_core::Core, input: &motey_core::step::Input, now: motey_core::id::Millis) {
//! let step = core.decide(input, now);
//! let effects = step.effects; // private: nothing may happen before it is written
//! # }
//! ```
//!
//! ```compile_fail,E0308
//! # fn f(core: &mut motey_core::Core, input: &motey_core::step::Input, now: motey_core::id::Millis) {
//! let step = core.decide(input, now);
//! let effects = core.apply(step); // a Step is not Committed
//! # }
//! ```
//!
//! With its commit it does:
//!
//! ```
//! # fn f(core: &mut motey_core::Core, input: &motey_core::step::Input, now: motey_core::id::Millis) {
//! let step = core.decide(input, now);
//! if let Ok(committed) = step.commit(|_txn| Ok::<(), ()>(())) {
//!     let effects = core.apply(committed);
//! }
//! # }
//! ```

mod engine;
mod event;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::capability::{Capability, Lease, MAX_OFFERS, Named};
use crate::grave::Age;
use crate::id::{Called, EngineName, ImageKey, Millis, NodeId, ServiceId, ServiceName};
use crate::instance::{Heard, Instance};
use crate::membership::{Peer, Standing, Watch};
use crate::mutant::{self, Mutant};
use crate::needs::Taken;
use crate::peer::{Duty, Forgotten, Letter};
use crate::phase::Parts;
use crate::reason::Reason;
use crate::record::{Incarnation, InstanceKey, Revision, ServiceRecord, SlotId, Stamp};
use crate::run::Run;
use crate::spec::{MAX_REPLICAS, MAX_SLOTS, Probe, Spec};

pub use engine::{Call, EngineError, EngineErrorKind, EngineOp, EngineState, FETCHES, Target};
pub use event::{Event, EventKind};

/// Everything that can happen to a node. Ids in it were drawn outside.
#[derive(Clone, Debug)]
pub enum Input {
    /// Somebody asks for a change and waits for the answer.
    Asked {
        /// Names the answer.
        ask: AskId,
        /// What is asked.
        request: Request,
    },
    /// A message of another node.
    Peer {
        /// Who sent it, as the transport has proved.
        from: NodeId,
        /// What it says.
        letter: Letter,
    },
    /// The authorised nodes, all of them, this one too. A node that was told of no other, or of nobody at all, stands
    /// alone: whoever else there was is as forgotten. One that is not among them itself was removed: it keeps what it
    /// runs and decides nothing.
    Members(BTreeSet<NodeId>),
    /// Who is present at the first broker; `None` while there is no session with it.
    Broker(Option<BTreeSet<NodeId>>),
    /// What this node is made of. What of it has not spoken in this life of the node is waited for, before anything new
    /// is placed here; told anew, it replaces what was told before.
    Parts(Parts),
    /// A source's full set of capabilities; what is missing in it is no longer offered.
    Capabilities {
        /// Who reports.
        source: String,
        /// All it offers now.
        all: Vec<Capability>,
    },
    /// An engine came, went, or lists everything it has.
    Engine {
        /// Which one.
        name: EngineName,
        /// Its state.
        state: EngineState,
    },
    /// An engine tells that an instance of this node changed.
    Instance(Instance),
    /// A call has ended. Every call is answered exactly once, by its deadline at the latest.
    Answered {
        /// Which one.
        call: CallId,
        /// About this instance.
        key: InstanceKey,
        /// What the engine shows afterwards (`None`: nothing is left), or why it failed.
        result: Result<Option<Instance>, EngineError>,
    },
    /// A check has ended. Every check is answered exactly once, by its deadline at the latest.
    Checked {
        /// Which one.
        check: CheckId,
        /// Of this instance.
        key: InstanceKey,
        /// Why it was not passed, for people.
        result: Result<(), String>,
    },
    /// Time has passed: see [`Core::next_due`](crate::Core::next_due).
    Tick,
}

/// Names one question from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u64);

/// Names one call of an engine within one life of the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// Names one check within one life of the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckId(pub u64);

/// What a client can ask for.
#[derive(Clone, Debug)]
pub enum Request {
    /// Take over responsibility for a new service. The same id with the same bytes is the same request.
    Deploy {
        /// Drawn by the client, or for it.
        id: ServiceId,
        /// A label.
        name: ServiceName,
        /// What it is made of.
        spec: Arc<Spec>,
        /// Refuse it when a slot would have to wait.
        reject_unplaceable: bool,
    },
    /// Run what is stopped or gave up.
    Start(ServiceId),
    /// Stop all, keep the record.
    Stop(ServiceId),
    /// New instances for all slots.
    Restart(ServiceId),
    /// Another number of slots.
    Scale {
        /// Of this service,
        id: ServiceId,
        /// this image,
        image: ImageKey,
        /// that many.
        count: u16,
    },
    /// Another spec for a service that lives: images that are not the same get new instances.
    Update {
        /// Of this service,
        id: ServiceId,
        /// its new spec.
        spec: Arc<Spec>,
    },
    /// Stop all and delete it; a tombstone remains. Any node that holds the record may be asked.
    Delete(ServiceId),
    /// What this node takes on from now on.
    Duty(Duty),
    /// A node that is gone for good is given up, or taken back.
    Forget {
        /// Which one.
        node: NodeId,
        /// False: it is taken back.
        forgotten: bool,
    },
    /// A source offers more, or offers it otherwise. Nothing that runs is touched.
    Offer {
        /// Whose set it is: durable, and given to the core anew at every start.
        source: String,
        /// All of that source; each of them once.
        more: Vec<Capability>,
    },
    /// A source offers less. What runs with it is kept.
    Withdraw {
        /// Whose set it is.
        source: String,
        /// What it does not offer any more.
        less: Vec<Named>,
    },
}

impl Request {
    /// Whether it would change a record; the others are about this node, or about what it offers.
    pub(crate) fn is_about_a_service(&self) -> bool {
        match self {
            Self::Deploy { .. }
            | Self::Start(_)
            | Self::Stop(_)
            | Self::Restart(_)
            | Self::Scale { .. }
            | Self::Update { .. }
            | Self::Delete(_) => true,
            Self::Duty(_) | Self::Forget { .. } | Self::Offer { .. } | Self::Withdraw { .. } => false,
        }
    }
}

/// What is answered to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is committed: this node answers for it from now on.
    Accepted(ServiceId),
    /// It was so already; nothing was written.
    Unchanged(ServiceId),
    /// What was asked of this node itself is committed.
    Done,
    /// The source offers what was asked for.
    Offers {
        /// Whether it did not before. It is committed then, and nothing was written else.
        changed: bool,
    },
    /// It is not done, and why.
    Refused(Refusal),
}

/// Why a request is refused. Nothing of it is stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody deployed it here: this node does not own it.
    #[error("no service has the id {0}")]
    Unknown(ServiceId),
    /// Another node answers for it: in an epoch only the owner writes.
    #[error("the service {0} is owned by {1}; ask there")]
    Elsewhere(ServiceId, Called),
    /// It is on its way to another owner.
    #[error("the service {0} is being handed over to {1}; ask again in a moment")]
    HandedOver(ServiceId, Called),
    /// Whoever else has this node's id would change it otherwise.
    #[error(
        "{0} has a twin with the same id, and nothing is changed here: `motey node reset-id` on one of them"
    )]
    Twin(Called),
    /// Its services are others' by now.
    #[error("{0} is no longer a member of its cluster; ask another node, or make it a member again")]
    Removed(Called),
    /// A node that lives is not given up.
    #[error("{0} is heard; switch it off first, or drain it")]
    Heard(Called),
    /// Nobody is forgotten who was never there, and nobody forgets itself.
    #[error("{0} is no other node of this cluster")]
    NoSuchNode(Called),
    /// Ids are never reused.
    #[error("the service {0} was deleted; ids are never reused")]
    Deleted(ServiceId),
    /// The id is taken by another blueprint.
    #[error("the service {0} exists with another blueprint; send it under a new id")]
    Conflict(ServiceId),
    /// The spec has no such image.
    #[error("the service has no image {0}")]
    UnknownImage(ImageKey),
    /// It has a slot on every node, and no number of them.
    #[error("{0} has one slot on every node; it cannot be scaled")]
    NotCounted(ImageKey),
    /// More slots than a node can keep account of.
    #[error(
        "{0} cannot have {1} slots: an image has at most {MAX_REPLICAS}, a service at most {MAX_SLOTS} in all"
    )]
    TooManySlots(ImageKey, u16),
    /// More than one source may offer.
    #[error("that would make {0} capabilities; this node takes {MAX_OFFERS} at most: take others back first")]
    TooManyOffers(usize),
    /// Some slots would have to wait, and the client did not want that.
    #[error("no node can run every image now: {}", join(.0))]
    Unplaceable(Vec<Reason>),
}

fn join(reasons: &[Reason]) -> String {
    reasons.iter().map(|reason| reason.text.as_str()).collect::<Vec<_>>().join("; ")
}

/// What must be written before anything of the step is visible. Written as a whole or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Txn {
    /// Records as they are now.
    pub records: BTreeMap<ServiceId, Arc<ServiceRecord>>,
    /// Leases taken.
    pub taken: Vec<Lease>,
    /// Instances whose leases, all of them, are freed.
    pub freed: BTreeSet<InstanceKey>,
    /// Attempts that will never live (again) on this node, whatever a record says. Those of a deleted service need no
    /// keeping: nothing follows a tombstone.
    pub dead: BTreeSet<InstanceKey>,
    /// Dead attempts that are remembered no more, since many have followed them.
    pub outlived: BTreeSet<InstanceKey>,
    /// Acknowledged revisions newer than the one in the record that won; `None`: the record has caught up.
    pub kept: BTreeMap<ServiceId, Option<Arc<Revision>>>,
    /// Services of which nothing is kept any more: tombstones that came to their end.
    pub erased: BTreeSet<ServiceId>,
    /// This life's incarnation, when it was raised.
    pub incarnation: Option<Incarnation>,
    /// What the node keeps about itself, when it changed.
    pub standing: Option<Arc<Standing>>,
    /// All that a source offers from now on, by its name.
    pub offers: BTreeMap<String, Vec<Capability>>,
    /// It is written to find out whether the disk takes anything again: no reserve is to be spent on it.
    pub tries: bool,
    /// The story, for people.
    pub journal: Vec<Event>,
    /// Whether any of it must survive the loss of power.
    pub durability: Durability,
}

/// What a transaction must survive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// The death of the process: what would be decided again from what engines show.
    #[default]
    Process,
    /// The loss of power: what was acknowledged or acted upon.
    Power,
}

impl Txn {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.only_tells() && self.journal.is_empty()
    }

    /// Whether there is nothing in it but its story.
    pub fn only_tells(&self) -> bool {
        let Self {
            records,
            taken,
            freed,
            dead,
            outlived,
            kept,
            erased,
            incarnation,
            standing,
            offers,
            tries: _,
            journal: _,
            durability: _,
        } = self;
        let services = records.is_empty() && taken.is_empty() && freed.is_empty();
        services
            && dead.is_empty()
            && outlived.is_empty()
            && kept.is_empty()
            && erased.is_empty()
            && incarnation.is_none()
            && standing.is_none()
            && offers.is_empty()
    }

    /// Whether it deletes or frees and adds nothing but its story: what a full disk must still let through.
    pub fn adds_nothing(&self) -> bool {
        let lets_go = self.records.values().all(|record| record.stamp.absent)
            && self.kept.values().all(Option::is_none);
        self.taken.is_empty() && self.offers.is_empty() && lets_go && !self.tries
    }
}

/// What only memory keeps: lost with the process, found again from what engines show.
#[derive(Clone, Debug)]
pub(crate) enum Mark {
    /// How far the executor is with an instance; `None` once it is gone.
    Run(InstanceKey, Option<Box<Run>>),
    /// What an executor told the owner of an instance; `None` once it is gone.
    Heard(InstanceKey, Option<Box<Heard>>),
    /// Which version of a record a node holds.
    Holds(ServiceId, NodeId, Stamp),
    /// What is known of another node.
    Peer(NodeId, Box<Peer>),
    /// What was given away on other nodes since they told their facts.
    Given(BTreeMap<NodeId, Taken>),
    /// How this node watches the others.
    Watch(Box<Watch>),
    /// What was heard about forgotten nodes, and when.
    Words(Forgotten, Millis),
    /// An heir is waited for since then.
    Awaited(ServiceId, Millis),
    /// Numbers up to this are used in fences.
    Fences(u64),
    /// Ids up to this are used by calls and checks.
    Calls(u64),
    /// How far running time is counted.
    Age(Age),
    /// Until then what this node is made of is waited for; `None`: no longer.
    Patience(Option<Millis>),
    /// A node refuses a slot until then.
    Refused(ServiceId, SlotId, NodeId, Millis),
    /// This node has room again: it takes its refusals back.
    Reopened,
    /// The service wants to be looked at then.
    Due(Millis, ServiceId),
    /// All timers up to then have fired.
    Fired(Millis),
}

/// What is done once the step is committed.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Tell the one who asked.
    Answer(AskId, Answer),
    /// Tell another node.
    Send(NodeId, Letter),
    /// Call an engine; it answers by [`Input::Answered`].
    Call(Call),
    /// Find out whether an instance does its work; answered by [`Input::Checked`].
    Check(Check),
    /// The source's full set is stored: it is to be given back at once, as [`Input::Capabilities`].
    Offer {
        /// Whose set it is.
        source: String,
        /// All of it.
        all: Vec<Capability>,
    },
}

/// One check of an instance that runs.
#[derive(Clone, Debug)]
pub struct Check {
    /// Names the answer.
    pub id: CheckId,
    /// Where it runs.
    pub engine: EngineName,
    /// Which one.
    pub key: InstanceKey,
    /// What is tried.
    pub probe: Probe,
    /// Milliseconds after which it has failed.
    pub timeout: u64,
}

/// A decision: what to write, what to remember, what to do then. Changes nothing by itself.
#[derive(Debug)]
#[must_use = "a decision that is not committed never happened"]
pub struct Step {
    pub(crate) txn: Txn,
    pub(crate) marks: Vec<Mark>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) touched: BTreeSet<ServiceId>,
}

/// A decision that is written: the only thing that [`Core::apply`](crate::Core::apply) takes.
#[derive(Debug)]
#[must_use = "a committed decision must be applied"]
pub struct Committed(pub(crate) Step);

/// A decision that could not be written, and therefore never happened.
#[derive(Debug)]
pub struct Dropped {
    /// Who waits for an answer that will not come from this step.
    pub asks: Vec<AskId>,
    pub(crate) touched: BTreeSet<ServiceId>,
    /// The timers up to then were to fire in it.
    pub(crate) fired: Option<Millis>,
}

impl Step {
    /// What [`Step::commit`] would write.
    pub fn txn(&self) -> &Txn {
        &self.txn
    }

    /// Writes the transaction, unless it is empty, and unseals the effects. A mere story that cannot be written is
    /// lost: nothing is ever decided by it, and a full disk must not keep from a restart what ended.
    ///
    /// # Errors
    /// What `write` returned, and with it what is left to be done about the step: answer those who asked, and
    /// [`Core::postpone`](crate::Core::postpone) the rest.
    pub fn commit<E>(self, write: impl FnOnce(&Txn) -> Result<(), E>) -> Result<Committed, (Dropped, E)> {
        if self.txn.is_empty() || mutant::is(Mutant::SkipCommit) {
            return Ok(Committed(self));
        }
        match write(&self.txn) {
            Err(error) if !self.txn.only_tells() && !mutant::is(Mutant::IgnoreFullDisk) => {
                Err((self.drop_it(), error))
            }
            Ok(()) | Err(_) => Ok(Committed(self)),
        }
    }

    fn drop_it(self) -> Dropped {
        let asks = self.effects.iter().filter_map(|effect| match effect {
            Effect::Answer(ask, _) => Some(*ask),
            Effect::Send(..) | Effect::Call(_) | Effect::Check(_) | Effect::Offer { .. } => None,
        });
        let fired = self.marks.iter().find_map(|mark| match mark {
            Mark::Fired(until) => Some(*until),
            _ => None,
        });
        Dropped { asks: asks.collect(), touched: self.touched, fired }
    }
}
