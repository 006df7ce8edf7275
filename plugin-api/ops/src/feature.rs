//! What a VAL may be able to do. The host derives from a spec which of these it uses and refuses, by name and before
//! calling, what a VAL does not have.

/// [`PULL`](crate::op::PULL) works: an image is fetched before anything is made of it, or stopped for it.
pub const PULL: &str = "pull";
/// A command with arguments other than the image's own.
pub const COMMAND: &str = "command";
/// Environment variables.
pub const ENVIRONMENT: &str = "environment";
/// A working directory.
pub const WORKING_DIR: &str = "working_dir";
/// A stop signal other than the engine's own.
pub const STOP_SIGNAL: &str = "stop_signal";
/// Directories that Motey makes for a service, inside its instances.
pub const VOLUMES: &str = "volumes";
/// Any other path of the node inside an instance.
pub const BINDS: &str = "binds";
/// An instance is reached through its node, under the number that it listens to itself.
pub const PORTS: &str = "ports";
/// It is reached under any other number, too.
pub const PORTS_MAP: &str = "ports.map";
/// [`LOGS`](crate::op::LOGS) works.
pub const LOGS: &str = "logs";
/// [`STATS`](crate::op::STATS) works.
pub const STATS: &str = "stats";
