//! The trait of a VAL, and which operation calls which of its methods.

use std::time::Duration;

use serde_json::Value;

use crate::{
    Cancel, CreateRequest, Error, Fingerprint, Host, Instance, InstanceRef, ListAnswer, LogsRequest,
    PullRequest, Stats, StopRequest, Stream, op,
    served::{Lane, Service, answer, request, unsupported},
};

/// Runs instances on one engine. Every method may be called from several threads at once, and may block; a panic
/// fails the call and nothing else.
///
/// All methods but `new` can be called again with the same request: what is done already is done.
pub trait Val: Send + Sync + Sized + 'static {
    /// Cheap and without side effects: the engine need not be there. `config` is `[plugins.config.<id>]` or null;
    /// a mistake in it is [`Error::invalid`] that names the key.
    fn new(config: Value, host: Host) -> Result<Self, Error>;

    /// Whether the engine is there and what it can do. An engine that is down is an unhealthy answer, no error.
    fn fingerprint(&self) -> Result<Fingerprint, Error>;

    /// Has an image be there before an instance is made of it; called where the VAL has the feature
    /// [`PULL`](crate::feature::PULL). Whatever is written to `progress` is a sign of life, and two minutes without one
    /// cancel it. [`Error::not_found`]: nobody has it; [`Error::denied`]: whoever has it wants other credentials;
    /// [`Error::unreachable`]: whoever may have it does not answer; [`Error::invalid`]: there can be no such image.
    fn pull(&self, request: PullRequest, progress: Stream, cancel: &Cancel) -> Result<(), Error> {
        let _ = (request, progress, cancel);
        Err(unsupported(op::PULL))
    }

    /// Makes an instance and does not start it. One of this name there already: [`Error::conflict`].
    fn create(&self, request: CreateRequest) -> Result<Instance, Error>;

    fn start(&self, request: InstanceRef) -> Result<Instance, Error>;

    /// Returns when it has stopped, after the grace and a kill at the latest.
    fn stop(&self, request: StopRequest) -> Result<Instance, Error>;

    /// Leaves nothing behind. One that is not there is destroyed.
    fn destroy(&self, request: InstanceRef) -> Result<(), Error>;

    /// One that is not there: [`Error::not_found`].
    fn inspect(&self, request: InstanceRef) -> Result<Instance, Error>;

    /// Every instance with Motey's labels, whoever made it, however long ago.
    fn list(&self) -> Result<Vec<Instance>, Error>;

    /// Writes text to `out`, one line per line of output, and with `follow` goes on until cancelled. A write fails
    /// once the reader is gone or the call is cancelled.
    fn logs(&self, request: LogsRequest, out: Stream, cancel: &Cancel) -> Result<(), Error> {
        let _ = (request, out, cancel);
        Err(unsupported(op::LOGS))
    }

    fn stats(&self, request: InstanceRef) -> Result<Stats, Error> {
        let _ = request;
        Err(unsupported(op::STATS))
    }

    /// Tells every change by [`Host::instance`] and returns when cancelled. One that lost a change returns an error: the
    /// host asks for the list then, and listens again.
    fn events(&self, cancel: &Cancel) -> Result<(), Error>;

    /// The last call. Running calls have been cancelled; instances go on without the plugin.
    fn close(&self, grace: Duration) {
        let _ = grace;
    }
}

#[doc(hidden)]
pub struct ValService<V>(V);

impl<V: Val> Service for ValService<V> {
    fn new(config: Value, host: Host) -> Result<Self, Error> {
        V::new(config, host).map(Self)
    }

    fn lane(op: &str) -> Option<Lane> {
        match op {
            op::FINGERPRINT | op::INSPECT | op::LIST | op::STATS => Some(Lane::Quick),
            op::CREATE | op::START | op::DESTROY => Some(Lane::Work),
            op::STOP => Some(Lane::Slow),
            op::EVENTS | op::LOGS | op::PULL => Some(Lane::Open),
            _ => None,
        }
    }

    fn call(&self, op: &str, body: &[u8]) -> Result<Vec<u8>, Error> {
        let val = &self.0;
        match op {
            op::FINGERPRINT => answer(&val.fingerprint()?),
            op::CREATE => answer(&val.create(request(op, body)?)?),
            op::START => answer(&val.start(request(op, body)?)?),
            op::STOP => answer(&val.stop(request(op, body)?)?),
            op::DESTROY => val.destroy(request(op, body)?).map(|()| b"{}".to_vec()),
            op::INSPECT => answer(&val.inspect(request(op, body)?)?),
            op::LIST => answer(&ListAnswer { instances: val.list()? }),
            op::STATS => answer(&val.stats(request(op, body)?)?),
            _ => Err(unsupported(op)),
        }
    }

    fn open_call(&self, op: &str, body: &[u8], stream: Option<Stream>, cancel: &Cancel) -> Result<(), Error> {
        match (op, stream) {
            (op::EVENTS, _) => self.0.events(cancel),
            (op::LOGS, Some(out)) => self.0.logs(request(op, body)?, out, cancel),
            (op::PULL, Some(progress)) => self.0.pull(request(op, body)?, progress, cancel),
            (op::LOGS | op::PULL, None) => Err(Error::invalid(format!("`{op}` came without a stream"))),
            _ => Err(unsupported(op)),
        }
    }

    fn close(&self, grace: Duration) {
        self.0.close(grace);
    }
}
