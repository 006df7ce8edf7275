//! Bodies of the VAL operations: requests (strict), answers (open to growth).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The `motey.*` labels of an instance. A VAL stores and returns them, it never reads meaning into them.
pub type Labels = BTreeMap<String, String>;

/// Makes an instance without starting it. The same name with the same labels again is `conflict`, and adopted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateRequest {
    /// At most 63 characters of `[a-z0-9-]`, unique on the node.
    pub name: String,
    pub labels: Labels,
    /// What the engine calls it; for `process` a program.
    pub image: String,
    #[serde(default)]
    pub command: Vec<String>,
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    #[serde(default)]
    pub working_dir: Option<String>,
    /// A name such as `SIGTERM`.
    #[serde(default)]
    pub stop_signal: Option<String>,
    pub stop_grace_ms: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<Mount>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<Port>,
    /// What it is given of the node, in the order of names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<Device>,
}

/// A device of the node that an instance holds: it is there at the same path in the instance, which finds that path in the
/// [variable](Device::variable).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// The capability's name; the second of one name is `NAME-2`.
    pub name: String,
    /// Absolute, on the node.
    pub path: String,
}

impl Device {
    /// `MOTEY_DEVICE_` and the name in capitals; what is no letter or digit in it is `_`.
    pub fn variable(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        format!("MOTEY_DEVICE_{}", self.name.chars().map(plain).collect::<String>())
    }
}

/// Has an image be there. One that is there already is not looked for anywhere else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PullRequest {
    /// What the engine calls it.
    pub image: String,
}

/// A directory or file of the node inside an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mount {
    /// Absolute, on the node. A volume's directory is there; any other path is the user's own, and may not be.
    pub source: String,
    /// Absolute, in the instance.
    pub target: String,
    #[serde(default)]
    pub read_only: bool,
}

/// A port of an instance, and where its node opens it. While the instance lives no other one of the node's, on whatever
/// engine, has that number for that protocol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// Where the instance listens.
    pub container: u16,
    /// On every address of the node.
    pub host: u16,
    #[serde(default)]
    pub protocol: Protocol,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    #[default]
    Tcp,
    Udp,
}

/// Names one instance: the request of start, destroy, inspect and stats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceRef {
    pub name: String,
}

/// Asks an instance to end, and makes it end once the grace is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopRequest {
    pub name: String,
    pub grace_ms: u64,
    #[serde(default)]
    pub signal: Option<String>,
}

/// Asks for an instance's output: text, one line of output per line of the stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogsRequest {
    pub name: String,
    /// Stay open, and send what comes.
    #[serde(default)]
    pub follow: bool,
    /// Only the last so many lines of what is there.
    #[serde(default)]
    pub tail: Option<u32>,
    /// Only lines younger than this many milliseconds.
    #[serde(default)]
    pub since_ms: Option<u64>,
}

/// An instance as the engine sees it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    pub name: String,
    #[serde(default)]
    pub labels: Labels,
    pub state: InstanceState,
    /// How it ended; only with [`InstanceState::Exited`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Unix time in milliseconds, for people only: nothing is judged by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstanceState {
    /// Exists, has never run.
    Created,
    Starting,
    Running,
    Paused,
    Stopping,
    /// Ran and ended; `exit` says how.
    Exited,
    /// The engine does not know it (any more).
    Gone,
}

/// How an instance ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    #[serde(default)]
    pub code: Option<i32>,
    #[serde(default)]
    pub signal: Option<i32>,
    /// The kernel killed it for want of memory.
    #[serde(default)]
    pub oom: bool,
}

/// Every instance with Motey's labels, in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListAnswer {
    pub instances: Vec<Instance>,
}

/// What an instance uses now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Processor time since its start, in nanoseconds.
    pub cpu_ns: u64,
    pub memory_bytes: u64,
    pub tasks: u32,
}

/// The engine's health and abilities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    pub healthy: bool,
    /// The engine's own version.
    pub version: String,
    /// Why it is not healthy, or what limits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Of [`feature`](crate::feature), as far as this engine on this node has them.
    #[serde(default)]
    pub features: BTreeSet<String>,
}
