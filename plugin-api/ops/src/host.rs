//! What the host tells a plugin at its creation, and the log records that come back.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The body of the boundary's `create`. Not strict: it informs, it asks for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateBody {
    /// `[plugins.config.<id>]`; judged by the plugin alone. `null` when there is none.
    #[serde(default)]
    pub config: serde_json::Value,
    pub host: HostInfo,
    /// Records more verbose than this are not wanted.
    #[serde(default)]
    pub log_level: LogLevel,
}

/// Where a plugin lives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostInfo {
    /// The running `motey` binary, for plugins that need its subcommands.
    pub motey_exe: PathBuf,
    pub state_dir: PathBuf,
    pub run_dir: PathBuf,
    /// The node's id.
    pub node: String,
    /// The cluster's name.
    pub cluster: String,
    /// Where the plugin's file was found: what lies beside it is the vendor's.
    pub plugin_dir: PathBuf,
}

/// One line of a plugin's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRecord {
    pub level: LogLevel,
    pub target: String,
    pub message: String,
}

/// From the gravest on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}
