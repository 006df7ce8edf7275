//! `mock`: a VAL without an engine. It does what it is told, fails as its script says, and remembers every call.
//!
//! What it owns lives in one directory (`mock` in the node's state directory, or `state` of its configuration):
//! - `instances.jsonl`: its instances, so that they outlive the host as a real engine's do;
//! - `calls.jsonl`: one line for every call, written before the call is answered;
//! - `script.json`: delays, errors, panics, hangs and deaths, read again whenever the file is another one.
//!
//! `docs/testing.md` describes the three. Deliberately nothing runs here, and nothing is isolated or limited: this is
//! the plugin to test a host with, not an engine to deploy to.

#![forbid(unsafe_code)]

mod clock;
mod config;
mod engine;
mod glob;
mod instances;
mod journal;
mod output;
mod script;
mod signal;
#[cfg(test)]
mod tests;

use std::time::Duration;

use motey_plugin_api::{
    Cancel, CreateRequest, Error, Fingerprint, Host, Instance, InstanceRef, LogsRequest, PullRequest, Stats,
    StopRequest, Stream, Val, feature, serde_json::Value,
};

use crate::{
    config::Config,
    engine::Engine,
    instances::subject_of,
    script::{Op, Subject},
};

/// What core knows of: a mock has it all, because it does none of it.
const FEATURES: [&str; 11] = [
    feature::PULL,
    feature::COMMAND,
    feature::ENVIRONMENT,
    feature::WORKING_DIR,
    feature::STOP_SIGNAL,
    feature::LOGS,
    feature::STATS,
    feature::VOLUMES,
    feature::BINDS,
    feature::PORTS,
    feature::PORTS_MAP,
];

pub struct Mock {
    engine: Engine,
    host: Host,
}

impl Val for Mock {
    fn new(config: Value, host: Host) -> Result<Self, Error> {
        let engine = Engine::open(&Config::read(config)?, &host.info().state_dir)?;
        Ok(Self { engine, host })
    }

    fn fingerprint(&self) -> Result<Fingerprint, Error> {
        self.engine.call(Op::Fingerprint, "", |_| {
            Ok(Fingerprint {
                healthy: true,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                message: None,
                features: FEATURES.map(str::to_owned).into(),
            })
        })
    }

    /// There is nowhere to fetch it from: it is there at once, unless the script says otherwise.
    fn pull(&self, request: PullRequest, _progress: Stream, _cancel: &Cancel) -> Result<(), Error> {
        let subject = Subject { image: request.image, ..Subject::default() };
        self.engine.call_about(Op::Pull, &subject, |_| Ok(()))
    }

    fn create(&self, request: CreateRequest) -> Result<Instance, Error> {
        let subject = subject_of(&request);
        self.engine.call_about(Op::Create, &subject, |state| state.instances.create(request))
    }

    fn start(&self, request: InstanceRef) -> Result<Instance, Error> {
        self.engine.call(Op::Start, &request.name, |state| state.start(&request.name))
    }

    fn stop(&self, request: StopRequest) -> Result<Instance, Error> {
        self.engine.call(Op::Stop, &request.name, |state| state.instances.stop(&request))
    }

    fn destroy(&self, request: InstanceRef) -> Result<(), Error> {
        self.engine.call(Op::Destroy, &request.name, |state| state.instances.destroy(&request.name))
    }

    fn inspect(&self, request: InstanceRef) -> Result<Instance, Error> {
        self.engine.call(Op::Inspect, &request.name, |state| state.instances.inspect(&request.name))
    }

    fn list(&self) -> Result<Vec<Instance>, Error> {
        self.engine.call(Op::List, "", |state| Ok(state.instances.list()))
    }

    fn logs(&self, request: LogsRequest, out: Stream, cancel: &Cancel) -> Result<(), Error> {
        let instance =
            self.engine.call(Op::Logs, &request.name, |state| state.instances.inspect(&request.name))?;
        output::write(&instance, &request, out)?;
        if request.follow {
            cancel.wait(None);
        }
        Ok(())
    }

    fn stats(&self, request: InstanceRef) -> Result<Stats, Error> {
        self.engine.call(Op::Stats, &request.name, |state| state.instances.stats(&request.name))
    }

    fn events(&self, cancel: &Cancel) -> Result<(), Error> {
        self.engine.call(Op::Events, "", |_| Ok(()))?;
        self.engine.tell_deaths(cancel.fd(), |instance| self.host.instance(instance).is_ok())
    }

    fn close(&self, _grace: Duration) {
        self.engine.close();
    }
}

motey_plugin_api::plugin! {
    val: Mock,
    id: "mock",
    name: "Mock",
    description: "scripted answers, delays, errors and deaths, for tests",
    features: [
        feature::PULL,
        feature::COMMAND,
        feature::ENVIRONMENT,
        feature::WORKING_DIR,
        feature::STOP_SIGNAL,
        feature::LOGS,
        feature::STATS,
        feature::VOLUMES,
        feature::BINDS,
        feature::PORTS,
        feature::PORTS_MAP,
    ],
}
