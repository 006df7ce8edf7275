//! What whole-node tests are written with: a real `motey run` in its own directories, a client, and eyes for files,
//! processes and control groups.
//!
//! Deliberately no knowledge of the host's code: a node is seen from outside, as a user and a kernel see it. A broken
//! expectation panics here, with what was seen; nothing is returned as an error that a test would have to unwrap.

#![forbid(unsafe_code)]

mod artifacts;
pub mod cgroup;
mod http;
mod leases;
mod mock;
mod node;
mod process;
mod random;
mod snapshot;
mod wait;
mod watched;

pub use artifacts::{beside_motey, motey, plugin};
pub use http::{Connection, Http, Response};
pub use leases::{Lease, leases};
pub use mock::{MockCall, MockFiles};
pub use node::{Builder, NodeUnderTest, free_port};
pub use process::{Process, end_all, marked};
pub use random::Random;
pub use snapshot::{Files, Snapshot, difference};
pub use wait::{SOON, wait_for, wait_until};
pub use watched::{KillPoint, Orders, Window};
