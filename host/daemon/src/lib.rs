//! A Motey node: the adapters around the core, each named by its technology, and the loop that drives it.
//!
//! Decides nothing about services: that is `motey-core`'s. Touches no container engine: that is the plugins'.
#![forbid(unsafe_code)]

mod cause;
mod clock;
pub mod codec;
pub mod config;
mod engines;
mod inbox;
pub mod node;
mod probes;
mod providers;
pub mod rest;
pub mod store;
mod story;
mod wiring;

pub use cause::chain;
pub use engines::LogsWish;
pub use wiring::{RunError, Watcher, run, run_watched};
