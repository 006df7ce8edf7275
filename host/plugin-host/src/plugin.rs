//! One plugin that runs: calls with deadlines, what a missed one leads to, cancel, close, counters.

use std::{
    io,
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use motey_plugin_abi::{Peer, Reply};
use motey_plugin_ops::{Error, Manifest, op};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    calls::{Arrivals, CALLS, Outcome},
    reason::{Reason, code},
};

/// More calls than this without an answer are not made.
const UNANSWERED: usize = 4096;
/// A plugin too busy to take a ping is asked again after this.
const PING_AGAIN: Duration = Duration::from_secs(1);
/// How much longer than its grace a close may take before the host goes on without it.
const OVERRUN: Duration = Duration::from_secs(1);

/// What became of a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Found and fit to be loaded.
    Discovered,
    /// Unfit; never run.
    Rejected,
    /// A newer version, or the same one in an earlier place, is used instead.
    Shadowed,
    /// The configuration says so.
    Disabled,
    /// In memory, not created.
    Loaded,
    /// Takes calls.
    Active,
    /// Closed, can be activated again.
    Inactive,
    /// Loading, creating or closing went wrong.
    Failed,
    /// Missed a deadline; takes calls again when it has answered a ping.
    Unresponsive,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Discovered => "discovered",
            Self::Rejected => "rejected",
            Self::Shadowed => "shadowed",
            Self::Disabled => "disabled",
            Self::Loaded => "loaded",
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Failed => "failed",
            Self::Unresponsive => "unresponsive",
        }
    }
}

/// Names a call for [`Plugin::cancel`]. Harmless once the call has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallId(usize);

/// A pair for a call's stream: our end, and the one to give to [`Plugin::call`]. Neither survives an exec.
pub fn stream_pair() -> io::Result<(UnixStream, OwnedFd)> {
    let (ours, theirs) = UnixStream::pair()?;
    Ok((ours, theirs.into()))
}

/// A plugin that was created. Methods return at once unless they say otherwise.
pub struct Plugin(Arc<Life>);

struct Life {
    /// Tells this plugin's calls from all others; a plugin created again is another owner.
    owner: usize,
    manifest: Manifest,
    path: PathBuf,
    peer: Peer,
    host_end_closed: Arc<AtomicBool>,
    condition: Mutex<(State, Option<Reason>)>,
    unanswered: AtomicUsize,
    calls: AtomicU64,
    failures: AtomicU64,
}

impl Plugin {
    pub(crate) fn new(
        owner: usize,
        manifest: Manifest,
        path: PathBuf,
        peer: Peer,
        host_end_closed: Arc<AtomicBool>,
    ) -> Self {
        Self(Arc::new(Life {
            owner,
            manifest,
            path,
            peer,
            host_end_closed,
            condition: Mutex::new((State::Active, None)),
            unanswered: AtomicUsize::new(0),
            calls: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        }))
    }

    pub fn id(&self) -> &str {
        &self.0.manifest.id
    }

    pub fn manifest(&self) -> &Manifest {
        &self.0.manifest
    }

    pub fn path(&self) -> &Path {
        &self.0.path
    }

    pub fn state(&self) -> State {
        self.0.condition().0
    }

    /// Why it is not active.
    pub fn reason(&self) -> Option<Reason> {
        self.0.condition().1.clone()
    }

    /// How many calls were made.
    pub fn calls(&self) -> u64 {
        self.0.calls.load(Ordering::Relaxed)
    }

    /// How many of them did not succeed.
    pub fn failures(&self) -> u64 {
        self.0.failures.load(Ordering::Relaxed)
    }

    /// Calls the plugin. `done` is called exactly once, at the deadline at the latest (`timed_out`; what is answered
    /// later is dropped), on any thread, possibly before this returns; it must not block. Without a deadline it may
    /// take as long as the plugin lives.
    pub fn call(
        &self,
        op: &str,
        body: &[u8],
        stream: Option<OwnedFd>,
        deadline: Option<Duration>,
        done: impl FnOnce(Result<Vec<u8>, Error>) + Send + 'static,
    ) -> CallId {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = self.0.admit() {
            self.0.failures.fetch_add(1, Ordering::Relaxed);
            done(Err(error));
            return CallId(0);
        }
        let life = Arc::clone(&self.0);
        let until = deadline.and_then(|time| Instant::now().checked_add(time));
        let opened = CALLS.open(
            self.0.owner,
            until,
            Box::new(move |number, outcome| done(life.ended(number, outcome))),
        );
        match opened {
            Ok(number) => {
                self.0.peer.send(number as u64, op, body, stream, Reply::numbered::<Arrivals>(number));
                self.0.end_if_closed(number);
                CallId(number)
            }
            Err((done, e)) => {
                let error = Error::busy(format!("the host cannot watch the call's deadline: {e}"));
                let (code, body) = error.to_wire();
                done(0, Outcome::Answered { code, body });
                CallId(0)
            }
        }
    }

    /// A call with JSON on both sides. An answer that cannot be read is `failed`.
    pub fn call_json<Q, A>(
        &self,
        op: &str,
        request: &Q,
        deadline: Option<Duration>,
        done: impl FnOnce(Result<A, Error>) + Send + 'static,
    ) -> CallId
    where
        Q: Serialize + ?Sized,
        A: DeserializeOwned,
    {
        let name = op.to_owned();
        match serde_json::to_vec(request) {
            Ok(body) => self.call(op, &body, None, deadline, move |answer| done(read(&name, answer))),
            Err(e) => {
                done(Err(Error::failed(format!("the request of `{op}` cannot be written: {e}"))));
                CallId(0)
            }
        }
    }

    /// Blocks until the answer, the deadline at the latest: for start-up and tests.
    pub fn call_wait(
        &self,
        op: &str,
        body: &[u8],
        stream: Option<OwnedFd>,
        deadline: Duration,
    ) -> Result<Vec<u8>, Error> {
        let (answer, answered) = mpsc::sync_channel(1);
        self.call(op, body, stream, Some(deadline), move |result| {
            let _ = answer.send(result);
        });
        answered.recv().unwrap_or_else(|_| Err(Error::failed(format!("the answer to `{op}` was lost"))))
    }

    /// [`call_wait`](Self::call_wait) with JSON on both sides.
    pub fn call_wait_json<Q, A>(&self, op: &str, request: &Q, deadline: Duration) -> Result<A, Error>
    where
        Q: Serialize + ?Sized,
        A: DeserializeOwned,
    {
        let body = serde_json::to_vec(request)
            .map_err(|e| Error::failed(format!("the request of `{op}` cannot be written: {e}")))?;
        read(op, self.call_wait(op, &body, None, deadline))
    }

    /// Wishes that the call end. Its answer still comes.
    pub fn cancel(&self, call: CallId) {
        if CALLS.is_open(call.0) {
            self.0.peer.cancel(call.0 as u64);
        }
    }

    /// Closes the plugin for good and blocks while it ends its calls, a little longer than the grace at most. Then
    /// every call has ended and the plugin is no longer heard. Nothing happens the second time.
    pub fn close(&self, grace: Duration) {
        if !self.0.leave_service() {
            return;
        }
        let (peer, owner) = (self.0.peer, self.0.owner);
        let (closed, closing) = mpsc::sync_channel(1);
        let close = move || {
            peer.close(grace);
            let _ = closed.send(());
        };
        let started = thread::Builder::new().name("plugin-close".into()).spawn(close).is_ok();
        if !started || closing.recv_timeout(grace.saturating_add(OVERRUN)).is_err() {
            let text = format!("plugin `{}` did not close within its {} ms", self.id(), grace.as_millis());
            *self.0.condition() = (State::Failed, Some(Reason::new(code::CLOSE_OVERRUN, text)));
        }
        self.0.host_end_closed.store(true, Ordering::Release);
        CALLS.abandon(owner);
    }
}

fn read<A: DeserializeOwned>(op: &str, answer: Result<Vec<u8>, Error>) -> Result<A, Error> {
    serde_json::from_slice(&answer?)
        .map_err(|e| Error::failed(format!("the plugin's answer to `{op}` cannot be read: {e}")))
}

impl Life {
    fn admit(&self) -> Result<(), Error> {
        let id = &self.manifest.id;
        match self.condition().0 {
            State::Active => {}
            State::Unresponsive => {
                let error = Error::unavailable(format!("plugin `{id}` has missed a deadline"));
                return Err(error.hint("it takes calls again when it has answered a ping"));
            }
            state => return Err(Error::closed(format!("plugin `{id}` is {}", state.as_str()))),
        }
        let room = |unanswered| (unanswered < UNANSWERED).then_some(unanswered + 1);
        match self.unanswered.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room) {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::busy(format!("plugin `{id}` has {UNANSWERED} calls to answer already"))),
        }
    }

    fn ended(self: &Arc<Self>, number: usize, outcome: Outcome) -> Result<Vec<u8>, Error> {
        self.unanswered.fetch_sub(1, Ordering::Relaxed);
        let id = &self.manifest.id;
        let result = match outcome {
            Outcome::Answered { code: 0, body } => return Ok(body),
            Outcome::Answered { code, body } => Error::from_wire(code, &body),
            Outcome::Abandoned => Error::closed(format!("plugin `{id}` has been closed")),
            Outcome::Missed => {
                self.missed(number);
                Error::timed_out(format!("plugin `{id}` did not answer in time"))
            }
        };
        self.failures.fetch_add(1, Ordering::Relaxed);
        Err(result)
    }

    fn missed(self: &Arc<Self>, number: usize) {
        let mut condition = self.condition();
        let first = condition.0 == State::Active;
        if first {
            let text = format!("plugin `{}` did not answer a call in time", self.manifest.id);
            *condition = (State::Unresponsive, Some(Reason::new(code::CALL_TIMED_OUT, text)));
        }
        drop(condition);
        self.aside(move |life| {
            life.peer.cancel(number as u64);
            if first {
                life.ping();
            }
        });
    }

    /// Asks until a ping is answered with success, or the plugin is closed.
    fn ping(self: &Arc<Self>) {
        let life = Arc::clone(self);
        let answered = move |_: usize, outcome| match outcome {
            Outcome::Answered { code: 0, .. } => life.respond(),
            Outcome::Answered { .. } => life.ping_later(),
            Outcome::Missed | Outcome::Abandoned => {}
        };
        if let Ok(number) = CALLS.open(self.owner, None, Box::new(answered)) {
            self.peer.send(number as u64, op::PING, b"{}", None, Reply::numbered::<Arrivals>(number));
            self.end_if_closed(number);
        }
    }

    fn ping_later(self: &Arc<Self>) {
        let life = Arc::clone(self);
        let rung = move |_: usize, outcome| {
            if matches!(outcome, Outcome::Missed) {
                life.aside(Self::ping);
            }
        };
        // the watch runs: a deadline has been missed
        let _ = CALLS.open(self.owner, Some(Instant::now() + PING_AGAIN), Box::new(rung));
    }

    /// A plugin may break the contract and block: that must cost neither the deadlines' thread nor the caller's.
    fn aside(self: &Arc<Self>, run: impl FnOnce(&Arc<Self>) + Send + 'static) {
        let life = Arc::clone(self);
        if let Err(e) = thread::Builder::new().name("plugin-ping".into()).spawn(move || run(&life)) {
            log::error!("no thread to ask plugin `{}` whether it lives: {e}", self.manifest.id);
            self.ping_later();
        }
    }

    fn respond(&self) {
        let mut condition = self.condition();
        if condition.0 == State::Unresponsive {
            *condition = (State::Active, None);
        }
    }

    /// True for the one that closes.
    fn leave_service(&self) -> bool {
        let mut condition = self.condition();
        let serving = matches!(condition.0, State::Active | State::Unresponsive);
        if serving {
            *condition = (State::Inactive, None);
        }
        serving
    }

    /// A call that was admitted before the close and opened after its end would wait for ever.
    fn end_if_closed(&self, number: usize) {
        if self.host_end_closed.load(Ordering::Acquire) {
            CALLS.end(number, Outcome::Abandoned);
        }
    }

    fn condition(&self) -> std::sync::MutexGuard<'_, (State, Option<Reason>)> {
        self.condition.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
