//! A simulator of Motey's core: up to ten nodes in one process, on a made-up network, with made-up engines, disks and
//! clocks. No socket, no thread, no wall time: one seed is one run, bit for bit.
//!
//! The cores are the real ones. What a run does to them is drawn as a list before it begins ([`plan`]), so that a run
//! that breaks a rule can be told with the fewest entries it takes ([`run::explain`]). The rules that are watched
//! at every step are in [`watch`] and `owners`, those for the end in [`rest`].
//!
//! Deliberately not here: what the daemon does around the core (bytes, sockets, SQLite); `tests/tests` tries that.
#![forbid(unsafe_code)]

pub mod blueprint;
pub mod broker;
mod check;
mod clock;
mod dice;
mod disk;
mod drive;
mod engine;
mod happen;
mod network;
mod node;
mod owners;
mod people;
pub mod plan;
mod queue;
pub mod rest;
pub mod run;
mod shrink;
pub mod stage;
mod story;
pub mod watch;
mod wire;
pub mod world;
