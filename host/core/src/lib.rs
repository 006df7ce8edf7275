//! The domain of Motey: who owns a service, which node runs which slot of it, and what is to be done about it now.
//!
//! Pure: no I/O, no clock, no threads, no serialised form. Everything that happens to a node is an
//! [`Input`](step::Input); the node's loop lets the core [`note`](Core::note) it, [`decide`](Core::decide) on a
//! [`Step`](step::Step), commits that step, lets the core [`apply`](Core::apply) it, and only then holds its effects.
//!
//! Nodes speak by [`Letter`](peer::Letter)s. What a node knows of the others is its outlook (`membership`); who owns a
//! service when its owner is gone is decided in `succession`.
//!
//! Two roles are kept apart, also on one node: the *owner* of a service (`owner`) decides which node runs which slot;
//! the *executor* (`executor`) runs what is assigned to its node. They speak only by
//! [`ServiceRecord`](record::ServiceRecord) and [`Report`](instance::Report).
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod admission;
mod attempt;
pub mod capability;
mod decide;
pub mod directory;
mod draft;
pub mod endpoint;
mod executor;
mod grave;
mod group;
pub mod id;
pub mod instance;
mod keyed;
mod mail;
mod membership;
#[cfg(feature = "mutants")]
pub mod mutant;
#[cfg(not(feature = "mutants"))]
mod mutant;
mod needs;
mod offer;
mod owner;
pub mod peer;
pub mod phase;
mod placement;
pub mod plan;
pub mod project;
mod pulse;
pub mod reason;
pub mod record;
mod restart;
mod run;
mod sizes;
pub mod spec;
mod state;
pub mod step;
mod succession;

pub use grave::Graves;
pub use membership::Standing;
pub use restart::{Tuning, Witness};
pub use sizes::Sizes;
pub use state::{Core, Engine, EngineView, Identity, Stored};
