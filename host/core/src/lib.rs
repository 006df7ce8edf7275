//! The domain of Motey: who owns a service, which node runs which slot of it, and what is to be done about it now.
//!
//! Pure: no I/O, no clock, no threads, no serialised form. Everything that happens to a node is an
//! [`Input`](step::Input); the node's loop lets the core [`note`](Core::note) it, [`decide`](Core::decide) on a
//! [`Step`](step::Step), commits that step, lets the core [`apply`](Core::apply) it, and only then holds its effects.
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
mod executor;
mod group;
pub mod id;
pub mod instance;
mod keyed;
mod needs;
mod owner;
mod placement;
pub mod project;
pub mod reason;
pub mod record;
mod restart;
mod run;
pub mod spec;
mod state;
pub mod step;

pub use restart::Tuning;
pub use state::{Core, Engine, EngineView, Identity};
