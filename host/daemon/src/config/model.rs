//! The sections as the rest of the daemon sees them, with their defaults.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use log::LevelFilter;
use motey_core::id::NodeName;
use serde::{Serialize, Serializer};

use super::setting::{Size, Span};

/// `[general]`
#[derive(Clone, Debug, Serialize)]
pub struct General {
    /// What people call the node; the host's name when absent: ask [`Config::node_name`].
    #[serde(serialize_with = "optional_text")]
    pub node_name: Option<NodeName>,
    /// Everything that must survive a restart of the machine.
    pub state_dir: PathBuf,
    /// Everything that need not: sockets, locks.
    pub run_dir: PathBuf,
}

/// `[logger]`
#[derive(Clone, Debug, Serialize)]
pub struct Logger {
    /// The most talkative level that is logged.
    #[serde(serialize_with = "level_text")]
    pub level: LevelFilter,
}

/// `[webserver]`
#[derive(Clone, Debug, Serialize)]
pub struct Webserver {
    /// A loopback address.
    pub address: IpAddr,
    /// 0: one that is free.
    pub port: u16,
    /// What a request over TCP must show.
    pub auth: Auth,
    /// The largest body that is read.
    pub body_limit: Size,
}

/// What a request over TCP must show. The Unix socket is guarded by its mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    /// The token in `state_dir/token`.
    Token,
    /// Nothing.
    None,
}

/// `[database]`
#[derive(Clone, Debug, Default, Serialize)]
pub struct Database {
    /// The file of the state; below `state_dir` when absent: ask [`Config::database_path`].
    pub path: Option<PathBuf>,
}

/// `[plugins]`
#[derive(Clone, Debug, Serialize)]
pub struct Plugins {
    /// Where `*.so` files are looked for, in this order.
    pub directories: Vec<PathBuf>,
    /// Ids of plugins that are listed and not loaded.
    pub disabled: Vec<String>,
    /// Whose files are loaded.
    pub trust: Trust,
    /// Handed to the plugin of that id as it is.
    pub config: BTreeMap<String, serde_json::Value>,
}

/// Whose plugin files are loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// Root's, in directories that only root can write.
    Root,
    /// Anybody's: for tests and development.
    Any,
}

/// `[node]`
#[derive(Clone, Debug, Serialize)]
pub struct Node {
    /// Labels that blueprints can ask for.
    pub labels: BTreeMap<String, String>,
    /// How much of a capability is kept back from services, in its base unit.
    #[serde(serialize_with = "amounts")]
    pub reserved: BTreeMap<String, u64>,
    /// How often an instance is started again before it is given up.
    pub restart_attempts: u32,
    /// The pause before the first of them; it doubles with each, up to a minute.
    pub restart_delay: Span,
}

impl Default for General {
    fn default() -> Self {
        Self { node_name: None, state_dir: "/var/lib/motey".into(), run_dir: "/run/motey".into() }
    }
}

impl Default for Logger {
    fn default() -> Self {
        Self { level: LevelFilter::Info }
    }
}

impl Default for Webserver {
    fn default() -> Self {
        Self { address: Ipv4Addr::LOCALHOST.into(), port: 5023, auth: Auth::Token, body_limit: Size(1 << 20) }
    }
}

impl Default for Plugins {
    fn default() -> Self {
        let directories = vec!["/usr/lib/motey/plugins".into(), "/var/lib/motey/plugins".into()];
        Self { directories, disabled: Vec::new(), trust: Trust::Root, config: BTreeMap::new() }
    }
}

impl Default for Node {
    fn default() -> Self {
        let restart_delay = Span(Duration::from_secs(1));
        Self { labels: BTreeMap::new(), reserved: BTreeMap::new(), restart_attempts: 10, restart_delay }
    }
}

fn level_text<S: Serializer>(level: &LevelFilter, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&level.as_str().to_lowercase())
}

fn optional_text<S: Serializer>(name: &Option<NodeName>, serializer: S) -> Result<S::Ok, S::Error> {
    name.as_ref().map(NodeName::as_str).serialize(serializer)
}

/// As they may be written.
fn amounts<S: Serializer>(reserved: &BTreeMap<String, u64>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(reserved.iter().map(|(name, amount)| (name, amount_text(name, *amount))))
}

fn amount_text(capability: &str, amount: u64) -> String {
    match (capability, amount / 1000, amount % 1000) {
        ("memory" | "disk", ..) => Size(amount).to_string(),
        ("cpu", cores, 0) => cores.to_string(),
        ("cpu", ..) => format!("{amount}m"),
        _ => amount.to_string(),
    }
}
