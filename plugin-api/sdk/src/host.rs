//! The plugin's way to its host: who the host is, and the news it takes.

use std::{
    cell::Cell,
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use motey_plugin_abi::{Answers, Peer, Reply};
use motey_plugin_ops::{CapabilitiesNews, Capability, Error, HostInfo, Instance, LogRecord, op};
use serde::Serialize;

/// A handle to the host; clones are the same. It never blocks. The plugin's log goes through the `log` crate.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

struct Inner {
    info: HostInfo,
    state: Mutex<State>,
    returned: Condvar,
}

struct State {
    line: Line,
    /// Threads that are in the host now.
    calling: usize,
}

#[derive(Clone, Copy)]
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
        Self::with(info, Line::Open(peer))
    }

    /// A host that is not there: it takes every news and forgets it. For a plugin's unit tests.
    pub fn detached(info: HostInfo) -> Self {
        Self::with(info, Line::Detached)
    }

    fn with(info: HostInfo, line: Line) -> Self {
        let state = Mutex::new(State { line, calling: 0 });
        Self(Arc::new(Inner { info, state, returned: Condvar::new() }))
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
        let mut state = self.0.state();
        state.line = Line::Closed;
        drop(
            self.0
                .returned
                .wait_while(state, |state| state.calling > 0)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    fn tell(&self, op: &str, news: &impl Serialize) -> Result<(), Unheard> {
        let body = serde_json::to_vec(news).map_err(|_| Unheard)?;
        let visit = self.0.visit();
        match visit.line {
            Line::Open(peer) => News::send(&peer, op, &body),
            Line::Detached => Ok(()),
            Line::Closed => Err(Unheard),
        }
    }
}

impl Inner {
    /// No lock is held while the host is called: it may call back, and what runs then may log, which calls the host again.
    fn visit(&self) -> Visit<'_> {
        let mut state = self.state();
        state.calling += 1;
        Visit { line: state.line, inner: self }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread's stay in the host, which `close` waits for.
struct Visit<'a> {
    line: Line,
    inner: &'a Inner,
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.inner.state().calling -= 1;
        self.inner.returned.notify_all();
    }
}

/// The host answers news before its `send` returns, on the same thread; an answer that came otherwise counts as heard.
struct News;

thread_local! {
    static SENT: Cell<usize> = const { Cell::new(0) };
    /// The number of the news that this thread tells now, and its answer.
    static TOLD: Cell<(usize, Option<i32>)> = const { Cell::new((0, None)) };
}

impl News {
    fn send(peer: &Peer, op: &str, body: &[u8]) -> Result<(), Unheard> {
        let number = SENT.get().wrapping_add(1);
        SENT.set(number);
        // what runs in the host may log, which is news inside of news
        let outer = TOLD.replace((number, None));
        peer.send(number as u64, op, body, None, Reply::numbered::<Self>(number));
        match TOLD.replace(outer).1 {
            None | Some(0) => Ok(()),
            Some(_) => Err(Unheard),
        }
    }
}

impl Answers for News {
    fn arrived(number: usize, code: i32, _: &[u8]) {
        if number == TOLD.get().0 {
            TOLD.set((number, Some(code)));
        }
    }
}
