//! Specs to deploy, made short.

use std::sync::Arc;

use motey_core::capability::{CapId, Capability, Supply};
use motey_core::id::{Called, EngineName, ImageKey, NodeId, NodeName, PortName, ServiceId, ServiceName};
use motey_core::spec::{
    Format, ImageSpec, Need, OnNodeLoss, Port, Protocol, Replicas, Requirement, Restart, Source, Spec, Take,
};
use motey_core::step::Request;
use uuid::Uuid;

pub fn service(n: u128) -> ServiceId {
    ServiceId(Uuid::from_u128(n))
}

pub fn node(n: u128) -> NodeId {
    NodeId(Uuid::from_u128(0xa000 + n))
}

/// What people call it: `fog-n`.
pub fn name(node: NodeId) -> NodeName {
    format!("fog-{}", node.0.as_u128() - 0xa000).parse().expect("a name")
}

/// As others know it.
pub fn called(node: NodeId) -> Called {
    Called { node, name: Some(name(node)) }
}

pub fn image_key(key: &str) -> ImageKey {
    ImageKey::new(key).expect("an image key")
}

pub fn engine_name(name: &str) -> EngineName {
    EngineName::new(name).expect("an engine name")
}

/// One slot, any engine, no needs, always started again.
pub fn image(key: &str) -> ImageSpec {
    ImageSpec::new(image_key(key), format!("/bin/{key}"))
}

pub fn times(count: u16, image: ImageSpec) -> ImageSpec {
    ImageSpec { replicas: Replicas::Count(count), ..image }
}

pub fn restarts(restart: Restart, image: ImageSpec) -> ImageSpec {
    ImageSpec { restart, ..image }
}

pub fn on(engine: &str, image: ImageSpec) -> ImageSpec {
    ImageSpec { engines: vec![engine_name(engine)], ..image }
}

/// Needs so much of an amount.
pub fn taking(name: &str, amount: u64, image: ImageSpec) -> ImageSpec {
    needing(name, Take::Amount(amount), image)
}

/// Has that port, as the node's own and in the instance.
pub fn publishing(number: u16, mut image: ImageSpec) -> ImageSpec {
    let name = PortName::new(&number.to_string()).expect("a port name");
    let port = Port { name, container: number, host: number, protocol: Protocol::Tcp };
    image.params.ports = image.params.ports.iter().cloned().chain([port]).collect::<Vec<_>>().into();
    image
}

/// Needs one unit.
pub fn with(name: &str, image: ImageSpec) -> ImageSpec {
    needing(name, Take::One, image)
}

fn needing(name: &str, take: Take, image: ImageSpec) -> ImageSpec {
    let has = Need::Has(Requirement { take, ..Requirement::named(name) });
    ImageSpec { need: Need::All(vec![image.need.into(), has]).into(), ..image }
}

pub fn spec(images: impl IntoIterator<Item = ImageSpec>) -> Arc<Spec> {
    let images: Vec<Arc<ImageSpec>> = images.into_iter().map(Arc::new).collect();
    let source = Source { format: Format::Yaml, text: format!("{images:?}").into() };
    Arc::new(Spec { images, on_node_loss: OnNodeLoss::default(), source })
}

pub fn deploy(id: ServiceId, images: impl IntoIterator<Item = ImageSpec>) -> Request {
    let name = ServiceName::new("lab").expect("a service name");
    Request::Deploy { id, name, spec: spec(images), reject_unplaceable: false }
}

pub fn capability(name: &str, supply: Supply) -> Capability {
    let id = CapId { source: "lab".into(), name: name.into(), unit: String::new() };
    Capability { id, kind: "hardware".into(), props: Default::default(), supply, binding: None }
}
