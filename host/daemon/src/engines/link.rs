//! What plugins tell the node: into the loop's inbox, and into the log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use motey_core::id::{EngineName, NodeId};
use motey_core::step::Input;
use motey_plugin_host::{Busy, Listener};
use motey_plugin_ops as ops;

use super::convert::{capability, own_instance};
use crate::clock::boot_time;
use crate::inbox::Inbox;

/// Hears all plugins of one node.
pub(crate) struct Link {
    pub node: NodeId,
    pub cluster: String,
    pub inbox: Arc<Inbox>,
    /// What of an amount is kept back from services, by the capability's name.
    reserved: BTreeMap<String, u64>,
    closing: AtomicBool,
}

impl Link {
    pub fn new(node: NodeId, cluster: String, reserved: BTreeMap<String, u64>, inbox: Arc<Inbox>) -> Self {
        Self { node, cluster, inbox, reserved, closing: AtomicBool::new(false) }
    }

    /// From now on an engine that goes is expected to.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }
}

impl Listener for Link {
    fn log(&self, plugin: &str, record: ops::LogRecord) {
        let level = match record.level {
            ops::LogLevel::Error => log::Level::Error,
            ops::LogLevel::Warn => log::Level::Warn,
            ops::LogLevel::Info => log::Level::Info,
            ops::LogLevel::Debug => log::Level::Debug,
            _ => log::Level::Trace,
        };
        log::log!(target: &format!("plugin::{plugin}"), level, "{}", record.message);
    }

    fn capabilities(&self, plugin: &str, reported: Vec<ops::Capability>) -> Result<(), Busy> {
        let kept = |name: &str| self.reserved.get(name).copied().unwrap_or(0);
        let offered = |reported: ops::Capability| capability(plugin, kept(&reported.name), reported);
        let all = reported.into_iter().map(offered).collect();
        let news = Input::Capabilities { source: plugin.to_owned(), all };
        self.inbox.event(None, news).map_err(|_| Busy)
    }

    /// An instance of another node, or of nobody, is none of this node's business.
    fn instance(&self, plugin: &str, shown: ops::Instance) -> Result<(), Busy> {
        let Ok(engine) = EngineName::new(plugin) else { return Ok(()) };
        match own_instance(self.node, &engine, shown, boot_time()) {
            Some(instance) => self.inbox.event(Some(&engine), Input::Instance(instance)).map_err(|_| Busy),
            None => Ok(()),
        }
    }
}
