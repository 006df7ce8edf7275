//! The bodies of the plugin boundary's operations: their names, their JSON shapes, error codes and features.
//!
//! Deliberately no runtime, no transport and no engine knowledge: how a body travels is `motey-plugin-abi`'s
//! business, what it means to a node is the daemon's.
//!
//! Unknown fields in an *answer* are ignored, so that answers may grow; unknown fields in a *request* are refused by
//! the plugin, so that nothing a user asked for is silently not done.

#![forbid(unsafe_code)]

mod capability;
mod error;
pub mod feature;
mod host;
mod manifest;
pub mod op;
mod val;

pub use capability::{CapabilitiesNews, Capability, Scalar, Supply};
pub use error::{Code, Error};
pub use host::{CreateBody, HostInfo, LogLevel, LogRecord};
pub use manifest::{Category, Manifest};
pub use val::{
    CreateRequest, Device, Exit, Fingerprint, Instance, InstanceRef, InstanceState, Labels, ListAnswer,
    LogsRequest, Mount, Port, Protocol, PullRequest, Stats, StopRequest,
};
