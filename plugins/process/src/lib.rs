//! The VAL `process`: an image is a program of this machine, an instance a supervised tree of processes.
//!
//! Each instance is a directory below `state_dir/process` and, while it runs, a shim (`motey-process-shim`) that outlives the host.
//! This crate makes the directories, starts and stops the shims, and reads what they tell. It isolates nothing: a program sees the
//! machine as any other does, with the host's user. `convert` is pure; `client` is the engine, `events` its news.

#![forbid(unsafe_code)]

pub mod client;
pub mod convert;
mod directories;
mod events;
mod logs;
mod look;
mod remains;
mod spawn;
mod stats;

use motey_plugin_api::serde_json::Value;
use motey_plugin_api::{
    Cancel, CreateRequest, Error, Fingerprint, Host, Instance, InstanceRef, LogsRequest, Stats, StopRequest,
    Stream, Val,
};

use crate::client::Engine;
use crate::convert::Settings;

struct ProcessVal {
    engine: Engine,
    host: Host,
}

impl Val for ProcessVal {
    fn new(config: Value, host: Host) -> Result<Self, Error> {
        let engine = Engine::new(host.info(), Settings::read(config)?)?;
        Ok(Self { engine, host })
    }

    fn fingerprint(&self) -> Result<Fingerprint, Error> {
        Ok(self.engine.fingerprint())
    }

    fn create(&self, request: CreateRequest) -> Result<Instance, Error> {
        self.engine.create(request)
    }

    fn start(&self, request: InstanceRef) -> Result<Instance, Error> {
        self.engine.start(&request)
    }

    fn stop(&self, request: StopRequest) -> Result<Instance, Error> {
        self.engine.stop(&request)
    }

    fn destroy(&self, request: InstanceRef) -> Result<(), Error> {
        self.engine.destroy(&request)
    }

    fn inspect(&self, request: InstanceRef) -> Result<Instance, Error> {
        self.engine.inspect(&request)
    }

    fn list(&self) -> Result<Vec<Instance>, Error> {
        self.engine.list()
    }

    fn logs(&self, request: LogsRequest, out: Stream, cancel: &Cancel) -> Result<(), Error> {
        self.engine.logs(&request, out, cancel.fd())
    }

    fn stats(&self, request: InstanceRef) -> Result<Stats, Error> {
        self.engine.stats(&request)
    }

    fn events(&self, cancel: &Cancel) -> Result<(), Error> {
        self.engine.watch(cancel.fd(), |instance| self.host.instance(instance).is_ok())
    }
}

motey_plugin_api::plugin! {
    val: ProcessVal,
    id: "process",
    name: "Processes",
    description: "runs programs of this machine as supervised process trees",
    features: [
        motey_plugin_api::feature::COMMAND,
        motey_plugin_api::feature::ENVIRONMENT,
        motey_plugin_api::feature::WORKING_DIR,
        motey_plugin_api::feature::STOP_SIGNAL,
        motey_plugin_api::feature::PORTS,
        motey_plugin_api::feature::LOGS,
        motey_plugin_api::feature::STATS,
    ],
}
