//! Brings plugins in and speaks to them: places, preflight, loading, calls with deadlines, and a manager that keeps
//! every plugin it has seen with what became of it and why.
//!
//! Deliberately no meaning: which operation is called when, and what an answer tells, is the daemon's. Plugins run in
//! this process; copies of their own, a probe in a child and isolation are not built yet and will sit between
//! [`preflight`] and loading, and behind [`Plugin`].
//!
//! Nothing here runs on an executor: calls return at once, their answers arrive on a plugin's thread or on the one
//! thread that watches the deadlines.

mod calls;
mod choice;
mod create;
mod entry;
mod host_end;
mod loader;
mod manager;
mod places;
mod plugin;
mod preflight;
mod reason;
mod version;

pub use entry::PluginInfo;
pub use host_end::{Busy, Listener};
pub use manager::PluginManager;
pub use places::{Located, Places, Trust, locate};
pub use plugin::{CallId, Plugin, State, stream_pair};
pub use preflight::{Preflight, preflight};
pub use reason::{Reason, code};

pub use motey_plugin_ops as ops;
