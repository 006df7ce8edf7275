//! The trait of a capability provider: one method.

use std::time::Duration;

use serde_json::Value;

use crate::{
    Cancel, Error, Host, Stream, op,
    served::{Lane, Service, unsupported},
};

/// Finds out what the node offers.
pub trait Provider: Send + Sync + Sized + 'static {
    /// Cheap and without side effects. `config` is `[plugins.config.<id>]` or null; a mistake in it is
    /// [`Error::invalid`] that names the key.
    fn new(config: Value, host: Host) -> Result<Self, Error>;

    /// Tells the **full** set by [`Host::capabilities`], now and on every change, and returns when cancelled. Waits
    /// without waking up: [`Cancel::wait`], or [`Cancel::fd`] in a poll.
    fn watch(&self, cancel: &Cancel) -> Result<(), Error>;
}

#[doc(hidden)]
pub struct ProviderService<P>(P);

impl<P: Provider> Service for ProviderService<P> {
    fn new(config: Value, host: Host) -> Result<Self, Error> {
        P::new(config, host).map(Self)
    }

    fn lane(op: &str) -> Option<Lane> {
        (op == op::WATCH).then_some(Lane::Open)
    }

    fn call(&self, op: &str, _: &[u8]) -> Result<Vec<u8>, Error> {
        Err(unsupported(op))
    }

    fn open_call(&self, op: &str, _: &[u8], _: Option<Stream>, cancel: &Cancel) -> Result<(), Error> {
        match op {
            op::WATCH => self.0.watch(cancel),
            _ => Err(unsupported(op)),
        }
    }

    fn close(&self, _: Duration) {}
}
