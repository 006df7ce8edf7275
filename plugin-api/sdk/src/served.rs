//! The plugin's endpoint: sorts calls into their lanes, runs them, and closes.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use motey_plugin_abi::{Call, Endpoint};
use motey_plugin_ops::{Error, op};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    Cancel, Host, Stream,
    calls::{Answer, Calls, Wish, give},
    pool::{Full, Job, Pool},
};

/// So many slow calls, so many streams or so many subscriptions at once are a leak, not a use.
const OWN_THREADS: usize = 256;

/// What [`Val`](crate::Val) and [`Provider`](crate::Provider) have in common.
pub trait Service: Send + Sync + Sized + 'static {
    fn new(config: Value, host: Host) -> Result<Self, Error>;
    /// `None`: there is no such operation.
    fn lane(op: &str) -> Option<Lane>;
    fn call(&self, op: &str, body: &[u8]) -> Result<Vec<u8>, Error>;
    fn open_call(&self, op: &str, body: &[u8], stream: Option<Stream>, cancel: &Cancel) -> Result<(), Error>;
    fn close(&self, grace: Duration);
}

/// Where an operation runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// A look: it ends at once, and waits for no work.
    Quick,
    /// Work: it ends soon.
    Work,
    /// It ends by itself, and may take its time: nothing waits behind it.
    Slow,
    /// It ends when it is told to.
    Open,
}

pub(crate) fn answer(answer: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(answer).map_err(|e| Error::failed(format!("the answer cannot be written: {e}")))
}

pub(crate) fn request<Q: DeserializeOwned>(op: &str, body: &[u8]) -> Result<Q, Error> {
    serde_json::from_slice(body).map_err(|e| {
        Error::invalid(format!("the request of `{op}` cannot be read: {e}"))
            .hint("the plugin may be older than the host: update it")
    })
}

pub(crate) fn unsupported(op: &str) -> Error {
    Error::unsupported(format!("the plugin has no operation `{op}`"))
}

/// Runs what the vendor wrote; its panic becomes an error like any other.
pub(crate) fn guarded<T>(what: &str, run: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    caught(what, run).and_then(|result| result)
}

/// Runs what the vendor wrote; the error is its panic.
pub(crate) fn caught<T>(what: &str, run: impl FnOnce() -> T) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let text = panic_text(panic.as_ref());
        // dropping the payload may panic again
        std::mem::forget(panic);
        Error::failed(format!("`{what}` panicked: {text}")).hint("this is a fault of the plugin: report it")
    })
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a text".to_owned())
}

pub(crate) struct Served<S>(Arc<Inner<S>>);

struct Inner<S> {
    host: Host,
    /// `None` once closed, so that the vendor's `Drop` runs.
    service: RwLock<Option<Arc<S>>>,
    calls: Calls,
    quick: Arc<Pool>,
    work: Arc<Pool>,
    slow: Arc<Threads>,
    streams: Arc<Threads>,
    subscriptions: Arc<Threads>,
}

impl<S: Service> Served<S> {
    pub(crate) fn new(id: &'static str, service: S, host: Host) -> Self {
        Self(Arc::new(Inner {
            host,
            service: RwLock::new(Some(Arc::new(service))),
            calls: Calls::default(),
            quick: Pool::new(format!("{id}-look")),
            work: Pool::new(format!("{id}-work")),
            slow: Threads::new(format!("{id}-slow")),
            streams: Threads::new(format!("{id}-stream")),
            subscriptions: Threads::new(format!("{id}-watch")),
        }))
    }
}

impl<S: Service> Endpoint for Served<S> {
    fn send(&self, call: Call<'_>) {
        match S::lane(call.op) {
            _ if call.op == op::PING => self.0.pool_call(&self.0.quick, call),
            Some(Lane::Quick) => self.0.pool_call(&self.0.quick, call),
            Some(Lane::Work) => self.0.pool_call(&self.0.work, call),
            Some(Lane::Slow) => self.0.slow_call(call),
            Some(Lane::Open) => self.0.open_call(call),
            None => give(call.reply, &Err(unsupported(call.op))),
        }
    }

    fn cancel(&self, id: u64) {
        self.0.calls.cancel(id);
    }

    fn close(&self, grace: Duration) {
        let now = Instant::now();
        let until = now.checked_add(grace).unwrap_or(now);
        if !self.0.calls.close() {
            return;
        }
        if let Ok(service) = self.0.service() {
            // the panic hook has told the host
            let _ = caught("close", || service.close(grace));
        }
        self.0.calls.drain(until);
        self.0.quick.close();
        self.0.work.close();
        let service = self.0.service.write().unwrap_or_else(PoisonError::into_inner).take();
        let _ = caught("drop", || drop(service));
        self.0.host.close();
    }
}

impl<S: Service> Inner<S> {
    fn service(&self) -> Result<Arc<S>, Error> {
        let service = self.service.read().unwrap_or_else(PoisonError::into_inner);
        service.clone().ok_or_else(|| Error::closed("the plugin has been closed"))
    }

    fn pool_call(self: &Arc<Self>, pool: &Arc<Pool>, call: Call<'_>) {
        let (id, job) = self.job(&call);
        if self.calls.queue(id, call.reply) && pool.submit(job).is_err() {
            self.calls.settle(id, &Err(Error::busy("too many calls are waiting in the plugin")));
        }
    }

    fn slow_call(self: &Arc<Self>, call: Call<'_>) {
        let (id, job) = self.job(&call);
        if self.calls.queue(id, call.reply) {
            self.run_apart(&self.slow, id, job);
        }
    }

    /// Runs the call, unless it was cancelled before it began.
    fn job(self: &Arc<Self>, call: &Call<'_>) -> (u64, Job) {
        let (id, op, body) = (call.id, call.op.to_owned(), call.body.to_vec());
        let inner = Arc::clone(self);
        let job = move || {
            if inner.calls.start(id) {
                inner.calls.settle(id, &inner.run(&op, &body));
            }
        };
        (id, Box::new(job))
    }

    fn run(&self, op: &str, body: &[u8]) -> Answer {
        match op {
            op::PING => Ok(b"{}".to_vec()),
            _ => {
                let service = self.service()?;
                guarded(op, || service.call(op, body))
            }
        }
    }

    fn open_call(self: &Arc<Self>, call: Call<'_>) {
        let (id, op, body) = (call.id, call.op.to_owned(), call.body.to_vec());
        let stream = call.stream.map(Stream::from);
        let Some((cancel, hang_up)) = handles(stream.as_ref()) else {
            return give(call.reply, &Err(Error::busy("the plugin's process has no descriptors left")));
        };
        if !self.calls.open(id, call.reply, Wish { cancel: cancel.clone(), stream: hang_up }) {
            return;
        }
        let threads = if stream.is_some() { &self.streams } else { &self.subscriptions };
        let inner = Arc::clone(self);
        let run = move || inner.calls.settle(id, &inner.run_open(&op, &body, stream, &cancel));
        self.run_apart(threads, id, run);
    }

    fn run_apart(&self, threads: &Arc<Threads>, id: u64, run: impl FnOnce() + Send + 'static) {
        if threads.start(run).is_err() {
            self.calls.settle(id, &Err(Error::busy("too many calls are open in the plugin")));
        }
    }

    /// An error after the cancel is the cancel's: its hang-up makes reads and writes fail.
    fn run_open(&self, op: &str, body: &[u8], stream: Option<Stream>, cancel: &Cancel) -> Answer {
        let service = self.service()?;
        match guarded(op, || service.open_call(op, body, stream, cancel)) {
            Ok(()) => Ok(b"{}".to_vec()),
            Err(error) if cancel.is_cancelled() => Err(Error::cancelled(error.message)),
            Err(error) => Err(error),
        }
    }
}

/// Calls that have a thread each. Every kind has its own count, so that readers of logs never keep a stop waiting.
struct Threads {
    name: String,
    running: AtomicUsize,
}

impl Threads {
    fn new(name: String) -> Arc<Self> {
        Arc::new(Self { name, running: AtomicUsize::new(0) })
    }

    /// Never blocks.
    fn start(self: &Arc<Self>, run: impl FnOnce() + Send + 'static) -> Result<(), Full> {
        let counted = Counted::of(self);
        if counted.before >= OWN_THREADS {
            return Err(Full);
        }
        let run = move || {
            run();
            drop(counted);
        };
        thread::Builder::new().name(self.name.clone()).spawn(run).map(drop).map_err(|_| Full)
    }
}

/// One thread in the count, for as long as this lives.
struct Counted {
    threads: Arc<Threads>,
    before: usize,
}

impl Counted {
    fn of(threads: &Arc<Threads>) -> Self {
        let before = threads.running.fetch_add(1, Ordering::Relaxed);
        Self { threads: Arc::clone(threads), before }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.threads.running.fetch_sub(1, Ordering::Relaxed);
    }
}

fn handles(stream: Option<&Stream>) -> Option<(Cancel, Option<Stream>)> {
    let cancel = Cancel::new().ok()?;
    let hang_up = stream.map(Stream::try_clone).transpose().ok()?;
    Some((cancel, hang_up))
}
