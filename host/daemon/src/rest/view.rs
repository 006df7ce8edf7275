//! What clients see, as JSON: the thesis's shapes, with ours beside them.
//!
//! A view is made of a record and its projection, holds nothing else, and decides nothing.

mod need;

use std::collections::BTreeMap;

use motey_core::id::NodeId;
use motey_core::project::{ImageStatus, ServiceStatus, SlotStatus};
use motey_core::reason::Reason;
use motey_core::record::{Desired, Place, ServiceRecord};
use motey_core::spec::{self, ImageSpec, Mount, MountSource, Params};
use serde::Serialize;

use super::links::{self, Links};
use need::Capability;

/// A service.
#[derive(Debug, Serialize)]
pub(super) struct Service {
    id: String,
    service_name: String,
    desired: &'static str,
    state: &'static str,
    #[serde(flatten)]
    why: Why,
    revision: u32,
    /// It came to run: the one before does not come back any more.
    proven: bool,
    durability: String,
    images: Vec<Image>,
    /// The node that has the data of each volume.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    volumes: BTreeMap<String, String>,
    _links: Links,
}

/// Why something is not as wanted; both are null where there is nothing to say.
#[derive(Debug, Serialize)]
struct Why {
    /// For people.
    state_message: Option<String>,
    /// For programs.
    reason: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Image {
    id: String,
    key: String,
    name: String,
    engine: Option<String>,
    parameters: Parameters,
    capabilities: Vec<Capability>,
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<Health>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    near: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    apart: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    uses: Vec<String>,
    node: Option<String>,
    state: &'static str,
    #[serde(flatten)]
    why: Why,
    replicas: Replicas,
    running: u16,
    instances: Vec<Instance>,
    _links: Links,
}

/// As a blueprint would say it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Replicas {
    Count(u16),
    Everywhere(&'static str),
}

#[derive(Debug, Serialize)]
struct Instance {
    slot: String,
    name: Option<String>,
    state: &'static str,
    #[serde(flatten)]
    why: Why,
    node: Option<String>,
    engine: Option<String>,
    /// Of its main process, while it has one, where its engine tells.
    pid: Option<u32>,
    fence: Option<String>,
    restarts: u32,
    /// Milliseconds since the boot of its node.
    observed_at: Option<u64>,
    _links: Links,
}

/// The keys of a blueprint's `parameters`, as far as they are set.
#[derive(Debug, Serialize)]
struct Parameters {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    command: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    environment: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    working_dir: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_signal: Option<String>,
    stop_grace: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    volumes: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    ports: BTreeMap<String, Port>,
}

/// One of a blueprint's `ports`.
#[derive(Debug, Serialize)]
struct Port {
    container: u16,
    host: u16,
    protocol: &'static str,
}

/// The keys of a blueprint's `health`, all of them.
#[derive(Debug, Serialize)]
struct Health {
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<Http>,
    interval: String,
    timeout: String,
    retries: u32,
    start: String,
}

#[derive(Debug, Serialize)]
struct Http {
    port: u16,
    path: String,
}

impl Service {
    pub(super) fn new(record: &ServiceRecord, status: &ServiceStatus) -> Self {
        let path = links::service(record.id);
        let images = record.revision.spec.images.iter().zip(&status.images);
        Self {
            id: record.id.to_string(),
            service_name: record.name.to_string(),
            desired: desired(record.desired),
            state: status.state.as_str(),
            why: Why::new(status.reason.as_ref()),
            revision: record.revision.order.number,
            proven: record.previous.is_none(),
            durability: durability(record),
            images: images.map(|(spec, status)| Image::new(&path, spec, status)).collect(),
            volumes: record.homes.iter().map(|(name, at)| (name.to_string(), at.node.to_string())).collect(),
            _links: service_links(record, &path),
        }
    }
}

pub(super) fn desired(desired: Desired) -> &'static str {
    match desired {
        Desired::Running => "running",
        Desired::Stopped => "stopped",
        Desired::Absent => "absent",
    }
}

/// So far no other node is given the record, and this one has it on its disk.
fn durability(record: &ServiceRecord) -> String {
    format!("1 of {} holder{}", record.holders.len(), if record.holders.len() == 1 { "" } else { "s" })
}

/// Only what can be done now is offered.
fn service_links(record: &ServiceRecord, path: &str) -> Links {
    let mut links = Links::of(path)
        .to("collection", links::SERVICES)
        .to("logs", format_args!("{path}/logs"))
        .to("blueprint", format_args!("{path}/blueprint"))
        .to("events", format_args!("{path}/events"))
        .to("revisions", format_args!("{path}/revisions"))
        .to("why", format_args!("{path}/why"));
    if record.desired == Desired::Absent {
        return links;
    }
    if record.desired == Desired::Running {
        links = links.act("stop", "POST", format_args!("{path}/stop"));
    }
    if record.desired == Desired::Stopped || !record.ended.is_empty() {
        links = links.act("start", "POST", format_args!("{path}/start"));
    }
    links
        .act("restart", "POST", format_args!("{path}/restart"))
        .act("scale", "POST", format_args!("{path}/scale"))
        .act("update", "PUT", path)
        .act("rollback", "POST", format_args!("{path}/rollback"))
        .act("delete", "DELETE", path)
}

impl Why {
    fn new(reason: Option<&Reason>) -> Self {
        Self {
            state_message: reason.map(|reason| reason.text.clone()),
            reason: reason.map(|reason| reason.code.as_str()),
        }
    }
}

impl Image {
    fn new(service: &str, spec: &ImageSpec, status: &ImageStatus) -> Self {
        let key = spec.key.to_string();
        let placed = status.slots.iter().find(|slot| slot.node.is_some());
        let engine = placed.and_then(|slot| slot.engine.as_ref()).or(spec.engines.first());
        let logs = format!("{service}/logs?image={key}");
        Self {
            id: key.clone(),
            name: spec.image.clone(),
            engine: engine.map(ToString::to_string),
            parameters: Parameters::new(&spec.params),
            capabilities: need::capabilities(spec.need.as_need()),
            health: spec.health.as_ref().map(Health::new),
            near: spec.neighbours.near.iter().map(ToString::to_string).collect(),
            apart: spec.neighbours.apart.iter().map(ToString::to_string).collect(),
            uses: spec.uses.iter().map(ToString::to_string).collect(),
            node: placed.and_then(|slot| slot.node).map(|node| node.to_string()),
            state: status.state.as_str(),
            why: Why::new(status.reason.as_ref()),
            replicas: Replicas::new(spec, status),
            running: status.running,
            instances: status.slots.iter().map(|slot| Instance::new(&logs, slot)).collect(),
            _links: Links::default().to("service", service).to("logs", logs),
            key,
        }
    }
}

impl Replicas {
    fn new(spec: &ImageSpec, status: &ImageStatus) -> Self {
        match spec.replicas {
            spec::Replicas::Count(_) => Self::Count(status.wanted),
            spec::Replicas::EveryNode => Self::Everywhere("every-node"),
        }
    }
}

impl Instance {
    fn new(logs: &str, status: &SlotStatus) -> Self {
        let links = Links::default();
        let links = match status.slot.place {
            Place::Ordinal(ordinal) => links.to("logs", format_args!("{logs}&slot={ordinal}")),
            Place::On(node) => links.to("logs", format_args!("{logs}&slot={node}")),
        };
        Self {
            slot: status.slot.to_string(),
            name: status.handle.clone(),
            state: status.state.as_str(),
            why: Why::new(status.reason.as_ref()),
            node: status.node.map(|node| node.to_string()),
            engine: status.engine.as_ref().map(ToString::to_string),
            pid: status.pid,
            fence: status.fence.map(|fence| fence.to_string()),
            restarts: status.restarts,
            observed_at: status.observed_at.map(|at| at.0),
            _links: status.node.map_or(links.clone(), |node: NodeId| links.to("node", links::node(node))),
        }
    }
}

impl Parameters {
    fn new(params: &Params) -> Self {
        let Params { command, environment, working_dir, stop, mounts, ports } = params;
        Self {
            command: command.clone(),
            environment: environment.clone(),
            working_dir: working_dir.clone(),
            stop_signal: stop.signal.clone(),
            stop_grace: span(stop.grace),
            volumes: mounts.iter().map(mount).collect(),
            ports: ports.iter().map(|port| (port.name.to_string(), Port::new(port))).collect(),
        }
    }
}

impl Port {
    fn new(port: &spec::Port) -> Self {
        let spec::Port { name: _, container, host, protocol } = port;
        Self { container: *container, host: *host, protocol: protocol.as_str() }
    }
}

impl Health {
    fn new(health: &spec::Health) -> Self {
        let spec::Health { probe, interval, timeout, retries, start } = health;
        let (tcp, http) = match probe {
            spec::Probe::Tcp { port } => (Some(*port), None),
            spec::Probe::Http { port, path } => (None, Some(Http { port: *port, path: path.clone() })),
        };
        let (interval, timeout, start) = (span(*interval), span(*timeout), span(*start));
        Self { tcp, http, interval, timeout, retries: *retries, start }
    }
}

/// As a blueprint would say it.
fn mount(mount: &Mount) -> String {
    let Mount { source, target, read_only } = mount;
    let source = match source {
        MountSource::Volume(name) => name.as_str(),
        MountSource::Path(path) => path,
    };
    format!("{source}:{target}{}", if *read_only { ":ro" } else { "" })
}

/// As a blueprint would say it.
fn span(milliseconds: u64) -> String {
    match milliseconds % 1000 {
        0 => format!("{}s", milliseconds / 1000),
        _ => format!("{milliseconds}ms"),
    }
}

#[cfg(test)]
mod tests;
