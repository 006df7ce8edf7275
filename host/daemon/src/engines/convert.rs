//! Between the core's words and the plugin boundary's: pure.

use motey_core::capability::{CapId, Capability, Device, Scalar, Supply};
use motey_core::id::{EngineName, Millis, NodeId};
use motey_core::instance::{Exit, Instance, Seen};
use motey_core::spec::{ImageSpec, Port, Protocol};
use motey_core::step::{EngineError, EngineErrorKind};
use motey_plugin_ops as ops;

use super::name::{devices_of, key_of, revision_of};

/// The request that makes an instance of an image.
pub(super) fn create_request(
    name: String,
    labels: ops::Labels,
    image: &ImageSpec,
    mounts: Vec<ops::Mount>,
    devices: &[Device],
) -> ops::CreateRequest {
    ops::CreateRequest {
        name,
        labels,
        image: image.image.clone(),
        command: image.params.command.clone(),
        environment: image.environment(),
        working_dir: image.params.working_dir.clone(),
        stop_signal: image.params.stop.signal.clone(),
        stop_grace_ms: image.params.stop.grace,
        mounts,
        ports: image.params.ports.iter().map(port).collect(),
        devices: named(devices),
    }
}

fn port(port: &Port) -> ops::Port {
    let protocol = match port.protocol {
        Protocol::Tcp => ops::Protocol::Tcp,
        Protocol::Udp => ops::Protocol::Udp,
    };
    ops::Port { container: port.container, host: port.host, protocol }
}

/// Several of one name are told apart by their numbers.
fn named(devices: &[Device]) -> Vec<ops::Device> {
    let nth = |at: usize| devices[..at].iter().filter(|before| before.name == devices[at].name).count() + 1;
    let name = |at: usize| match nth(at) {
        1 => devices[at].name.clone(),
        n => format!("{}-{n}", devices[at].name),
    };
    devices.iter().enumerate().map(|(at, it)| ops::Device { name: name(at), path: it.path.clone() }).collect()
}

/// What an engine shows, where its labels say that it is this node's.
pub(super) fn own_instance(
    node: NodeId,
    engine: &EngineName,
    shown: ops::Instance,
    at: Millis,
) -> Option<Instance> {
    let key = key_of(&shown.labels, node)?;
    let (engine, seen) = (engine.clone(), seen(&shown));
    let (revision, devices) = (revision_of(&shown.labels), devices_of(&shown.labels));
    Some(Instance {
        key,
        engine,
        handle: shown.name,
        revision,
        devices,
        seen,
        message: shown.message,
        pid: shown.pid,
        at,
    })
}

fn seen(shown: &ops::Instance) -> Seen {
    match shown.state {
        ops::InstanceState::Created => Seen::Created,
        ops::InstanceState::Starting => Seen::Starting,
        ops::InstanceState::Running => Seen::Running,
        ops::InstanceState::Paused => Seen::Paused,
        ops::InstanceState::Stopping => Seen::Stopping,
        ops::InstanceState::Exited => Seen::Exited(shown.exit.map(exit).unwrap_or_default()),
        ops::InstanceState::Gone => Seen::Gone,
    }
}

fn exit(exit: ops::Exit) -> Exit {
    Exit { code: exit.code, signal: exit.signal, oom: exit.oom }
}

/// An engine's error, its own words kept for people.
pub(super) fn engine_error(error: ops::Error) -> EngineError {
    let kind = match error.code {
        ops::Code::Unsupported => EngineErrorKind::Unsupported,
        ops::Code::NotFound => EngineErrorKind::NotFound,
        ops::Code::Conflict => EngineErrorKind::Conflict,
        ops::Code::Invalid => EngineErrorKind::Invalid,
        ops::Code::Unavailable | ops::Code::Closed => EngineErrorKind::Unavailable,
        ops::Code::Busy => EngineErrorKind::Busy,
        ops::Code::Failed | ops::Code::Cancelled => EngineErrorKind::Failed,
        ops::Code::TimedOut => EngineErrorKind::TimedOut,
        ops::Code::Denied => EngineErrorKind::Denied,
        ops::Code::Unreachable => EngineErrorKind::Unreachable,
    };
    let hint = error.hint.map(|hint| format!("; {hint}"));
    let said = error.engine_text.map(|text| format!(" ({text})"));
    let message = format!("{}{}{}", error.message, said.unwrap_or_default(), hint.unwrap_or_default());
    EngineError { kind, message }
}

/// A capability as its source reports it, less what of its amount is `reserved`.
pub(super) fn capability(source: &str, reserved: u64, reported: ops::Capability) -> Capability {
    let unit = reported.unit.unwrap_or_default();
    Capability {
        id: CapId { source: source.to_owned(), name: reported.name, unit },
        kind: reported.kind,
        props: reported.props.into_iter().map(|(name, value)| (name, scalar(value))).collect(),
        supply: match reported.supply {
            ops::Supply::Shared => Supply::Shared,
            ops::Supply::Exclusive => Supply::Exclusive,
            ops::Supply::Amount(amount) => Supply::Amount(amount.saturating_sub(reserved)),
        },
        binding: reported.binding,
    }
}

fn scalar(value: ops::Scalar) -> Scalar {
    match value {
        ops::Scalar::Bool(value) => Scalar::Bool(value),
        ops::Scalar::Integer(value) => Scalar::Integer(value),
        ops::Scalar::Text(value) => Scalar::Text(value),
    }
}
