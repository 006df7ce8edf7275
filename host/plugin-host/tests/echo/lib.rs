//! A plugin for the tests of its host: says back what it hears, and misbehaves when it is asked to.

#![forbid(unsafe_code)]

use std::{
    fs::File,
    io::{self, Write},
    sync::{Condvar, Mutex},
    time::Duration,
};

use motey_plugin_api::{
    Cancel, CreateRequest, Error, Fingerprint, Host, Instance, InstanceRef, InstanceState, Labels,
    LogsRequest, StopRequest, Stream, Val, feature, log, serde_json::Value,
};

struct Echo {
    host: Host,
    /// Opened by `logs` of `release`, at the end of its stream; until then every call about `held` waits.
    gate: Mutex<bool>,
    opened: Condvar,
}

fn instance(name: String, labels: Labels) -> Instance {
    Instance {
        name,
        labels,
        state: InstanceState::Running,
        exit: None,
        message: None,
        pid: None,
        started_at: None,
    }
}

impl Echo {
    fn wait_if_held(&self, name: &str) {
        if name == "held" {
            drop(self.opened.wait_while(self.gate.lock().unwrap(), |open| !*open));
        }
    }
}

/// Refuses the first of all that have the same mark.
fn refuse_first(config: &Value) -> Result<(), Error> {
    let mark = config["mark"].as_str().unwrap_or_default();
    match File::create_new(mark) {
        Ok(_) => Err(Error::invalid("the first is refused")),
        Err(_) => Ok(()),
    }
}

impl Val for Echo {
    fn new(config: Value, host: Host) -> Result<Self, Error> {
        match config["mode"].as_str() {
            Some("panic") => panic!("on purpose"),
            Some("refuse") => return Err(Error::invalid("`mode` must not be `refuse`").hint("remove it")),
            Some("refuse-first") => refuse_first(&config)?,
            Some("hang") => drop(Cancel::new().map(|never| never.wait(None))),
            _ => {}
        }
        log::info!("created with {config}");
        log::debug!("not wanted at this level");
        Ok(Self { host, gate: Mutex::new(false), opened: Condvar::new() })
    }

    fn fingerprint(&self) -> Result<Fingerprint, Error> {
        let message = Some(self.host.info().plugin_dir.display().to_string());
        Ok(Fingerprint {
            healthy: true,
            version: "1".into(),
            message,
            features: [feature::LOGS.to_owned()].into(),
        })
    }

    fn create(&self, request: CreateRequest) -> Result<Instance, Error> {
        Ok(instance(request.name, request.labels))
    }

    fn start(&self, request: InstanceRef) -> Result<Instance, Error> {
        panic!("{} on purpose", request.name);
    }

    fn stop(&self, request: StopRequest) -> Result<Instance, Error> {
        self.wait_if_held(&request.name);
        Ok(instance(request.name, Labels::new()))
    }

    fn destroy(&self, _: InstanceRef) -> Result<(), Error> {
        Ok(())
    }

    fn inspect(&self, request: InstanceRef) -> Result<Instance, Error> {
        self.wait_if_held(&request.name);
        match request.name.as_str() {
            "missing" => Err(Error::not_found("there is no `missing`").engine_text("404")),
            _ => Ok(instance(request.name, Labels::new())),
        }
    }

    fn list(&self) -> Result<Vec<Instance>, Error> {
        Ok(Vec::new())
    }

    fn logs(&self, request: LogsRequest, mut out: Stream, _: &Cancel) -> Result<(), Error> {
        let written = match request.name.as_str() {
            "release" => {
                io::copy(&mut out, &mut io::sink()).map_err(|e| Error::failed(e.to_string()))?;
                *self.gate.lock().unwrap() = true;
                self.opened.notify_all();
                Ok(())
            }
            "endless" => loop {
                if let Err(e) = out.write_all(&[b'x'; 4096]) {
                    break Err(e);
                }
            },
            _ => out.try_clone().and_then(|mut heard| io::copy(&mut heard, &mut out)).map(drop),
        };
        written.map_err(|e| Error::failed("the stream broke").engine_text(e.to_string()))
    }

    fn events(&self, cancel: &Cancel) -> Result<(), Error> {
        self.host.instance(&instance("watched".into(), Labels::new()))?;
        cancel.wait(None);
        log::warn!("events ended");
        Ok(())
    }

    fn close(&self, _: Duration) {
        log::warn!("closing");
    }
}

motey_plugin_api::plugin! {
    val: Echo, id: "echo", name: "Echo", description: "says \"back\" what it hears", features: [feature::LOGS],
}
