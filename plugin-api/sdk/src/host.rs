//! The plugin's way to its host: who the host is, and the news it takes.

use std::{
    cell::Cell,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use motey_plugin_abi::{Answers, Peer, Reply};
use motey_plugin_ops::{CapabilitiesNews, Capability, Error, HostInfo, Instance, LogRecord, op};
use serde::Serialize;

/// A handle to the host; clones are the same. It never blocks. The plugin's log goes through the `log` crate.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

struct Inner {
    info: HostInfo,
    line: RwLock<Line>,
}

enum Line {
    Open(Peer),
    /// Leads nowhere: a plugin's unit tests.
    Detached,
    Closed,
}

/// The host did not take the news: it has too much to do, or the plugin has been closed. Tell it again later, in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unheard;

impl fmt::Display for Unheard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the host takes no news now, because it is busy or the plugin is closed; tell it again later",
        )
    }
}

impl std::error::Error for Unheard {}

impl From<Unheard> for Error {
    fn from(unheard: Unheard) -> Self {
        Self::busy(unheard.to_string())
    }
}

impl Host {
    pub(crate) fn new(info: HostInfo, peer: Peer) -> Self {
        Self(Arc::new(Inner { info, line: RwLock::new(Line::Open(peer)) }))
    }

    /// A host that is not there: it takes every news and forgets it. For a plugin's unit tests.
    pub fn detached(info: HostInfo) -> Self {
        Self(Arc::new(Inner { info, line: RwLock::new(Line::Detached) }))
    }

    pub fn info(&self) -> &HostInfo {
        &self.0.info
    }

    /// An instance is like this now.
    pub fn instance(&self, instance: &Instance) -> Result<(), Unheard> {
        self.tell(op::host::INSTANCE, instance)
    }

    /// The node offers this: the **full** set of this plugin.
    pub fn capabilities(&self, capabilities: &[Capability]) -> Result<(), Unheard> {
        self.tell(op::host::CAPABILITIES, &CapabilitiesNews { capabilities: capabilities.to_vec() })
    }

    pub(crate) fn log(&self, record: &LogRecord) {
        // a record that the host has no room for is lost
        let _ = self.tell(op::host::LOG, record);
    }

    /// From the return on, no thread calls the host.
    pub(crate) fn close(&self) {
        *self.0.line.write().unwrap_or_else(PoisonError::into_inner) = Line::Closed;
    }

    fn tell(&self, op: &str, news: &impl Serialize) -> Result<(), Unheard> {
        let body = serde_json::to_vec(news).map_err(|_| Unheard)?;
        // held over the call, so that `close` waits for it
        match &*self.0.line.read().unwrap_or_else(PoisonError::into_inner) {
            Line::Open(peer) => News::send(peer, op, &body),
            Line::Detached => Ok(()),
            Line::Closed => Err(Unheard),
        }
    }
}

/// The host answers news before its `send` returns, on the same thread; an answer that came otherwise counts as heard.
struct News;

thread_local! {
    static SENT: Cell<usize> = const { Cell::new(0) };
    static ANSWER: Cell<Option<i32>> = const { Cell::new(None) };
}

impl News {
    fn send(peer: &Peer, op: &str, body: &[u8]) -> Result<(), Unheard> {
        let number = SENT.get().wrapping_add(1);
        SENT.set(number);
        ANSWER.set(None);
        peer.send(number as u64, op, body, None, Reply::numbered::<Self>(number));
        match ANSWER.get() {
            None | Some(0) => Ok(()),
            Some(_) => Err(Unheard),
        }
    }
}

impl Answers for News {
    fn arrived(number: usize, code: i32, _: &[u8]) {
        if number == SENT.get() {
            ANSWER.set(Some(code));
        }
    }
}
