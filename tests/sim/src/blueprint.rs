//! What is deployed, what nodes offer, and what all of it is called.

use std::borrow::Cow;
use std::sync::Arc;

use motey_core::capability::{CapId, Capability, Supply};
use motey_core::id::{EngineName, ImageKey, NodeId, PortName, ServiceId, ServiceName};
use motey_core::record::{Fence, InstanceKey, SlotId};
use motey_core::spec::{
    Format, Health, ImageSpec, Need, OnLoss, OnNodeLoss, Port, Probe, Protocol, Ready, Replicas, Requirement,
    Restart, Run, Source, Spec, Take,
};
use uuid::Uuid;

use crate::dice::mix;

/// So many kinds of blueprints there are.
pub const KINDS: u8 = 19;

/// The engine that every node has.
pub const PROCESS: &str = "process";
/// The engine that some nodes have.
pub const PODMAN: &str = "podman";

const NAMES: [&str; 10] = ["ash", "birch", "cedar", "elder", "fir", "hazel", "larch", "maple", "oak", "pine"];

/// What people call the `n`-th node.
pub fn node_name(n: usize) -> &'static str {
    NAMES.get(n).copied().unwrap_or("nobody")
}

/// The `n`-th node of that seed: the order of ids is not that of names.
pub fn node_id(seed: u64, n: usize) -> NodeId {
    NodeId(uuid(seed, 1, n))
}

/// The `n`-th service of that seed.
pub fn service_id(seed: u64, n: usize) -> ServiceId {
    ServiceId(uuid(seed, 2, n))
}

fn uuid(seed: u64, what: u64, n: usize) -> Uuid {
    Uuid::from_u64_pair(mix(&[seed, what, n as u64]), n as u64)
}

/// Which node, service or fence an id belongs to, in words.
#[derive(Debug)]
pub struct Names {
    seed: u64,
}

impl Names {
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The number of a node.
    pub fn number(&self, id: NodeId) -> usize {
        (0..NAMES.len()).find(|n| node_id(self.seed, *n) == id).unwrap_or(NAMES.len())
    }

    pub fn node(&self, id: NodeId) -> &'static str {
        node_name(self.number(id))
    }

    /// The number of a service.
    pub fn service_number(&self, id: ServiceId) -> usize {
        usize::try_from(id.0.as_u64_pair().1).unwrap_or(usize::MAX)
    }

    pub fn service(&self, id: ServiceId) -> String {
        format!("svc-{}", self.service_number(id))
    }

    /// `ash.2.7`: the seventh that ash drew in its second life; with the epoch when it is not the first.
    pub fn fence(&self, fence: Fence) -> String {
        let (owner, life, n) = (self.node(fence.owner), fence.writer.count, fence.n);
        let epoch = if fence.epoch == 1 { String::new() } else { format!("e{}.", fence.epoch) };
        format!("{epoch}{owner}.{life}.{n}")
    }

    pub fn slot(&self, service: ServiceId, slot: &SlotId) -> String {
        format!("{}/{slot}", self.service(service))
    }

    pub fn key(&self, key: &InstanceKey) -> String {
        format!("{}#{}", self.slot(key.service, &key.slot), self.fence(key.fence))
    }
}

pub fn service_name(n: usize) -> ServiceName {
    ServiceName::new(&format!("svc-{n}")).expect("a service name")
}

pub fn image_key(key: &str) -> ImageKey {
    ImageKey::new(key).expect("an image key")
}

pub fn engine_name(name: &str) -> EngineName {
    EngineName::new(name).expect("an engine name")
}

/// The blueprint of that kind.
pub fn spec(kind: u8) -> Arc<Spec> {
    let images: Vec<Arc<ImageSpec>> =
        images(kind).into_iter().map(|image| Arc::new(version(kind % 2, image))).collect();
    let source = Source { format: Format::Yaml, text: format!("kind: {kind}").into() };
    Arc::new(Spec { images, on_node_loss: OnNodeLoss::default(), source })
}

fn images(kind: u8) -> Vec<ImageSpec> {
    match kind % KINDS {
        0 => vec![image("web")],
        1 => vec![times(3, taking(30, image("web")))],
        2 => vec![with_dongle(image("web")), restarts(Restart::Never, image("job"))],
        3 => vec![
            publishing(81, times(2, restarts(Restart::OnFailure, image("web")))),
            taking(50, publishing(80, image("db"))),
        ],
        4 => vec![restarts(Restart::Never, taking(40, with_dongle(image("web"))))],
        5 => vec![with_dongle(image("web"))],
        6 => vec![on(PODMAN, taking(20, image("web")))],
        7 => vec![times(5, image("web")), image("db")],
        8 => vec![times(2, with_dongle(image("web")))],
        9 => vec![image("web"), everywhere(publishing(81, image("probe")))],
        10 => vec![everywhere(taking(30, image("probe"))), times(2, publishing(80, image("web")))],
        11 => vec![publishing(80, image("web")), ImageSpec { run: Run::Job, ..image("job") }],
        12 => vec![after("db", Ready::Started, publishing(80, image("web"))), image("db")],
        13 => vec![on_loss(OnLoss::Stop, with_dongle(image("web"))), image("db")],
        14 => vec![times(2, on_loss(OnLoss::Move, with_dongle(taking(20, image("web")))))],
        15 => vec![on_loss(OnLoss::Stop, taking(50, image("web"))), everywhere(with_dongle(image("probe")))],
        16 => vec![checked(image("web"))],
        17 => vec![after("db", Ready::Healthy, times(2, checked(image("web")))), checked(image("db"))],
        _ => vec![restarts(Restart::OnFailure, checked(with_dongle(image("web"))))],
    }
}

/// One slot, any engine, no needs, always started again.
fn image(key: &str) -> ImageSpec {
    ImageSpec::new(image_key(key), format!("/bin/{key}"))
}

/// Of another version another image is to be fetched.
fn version(of: u8, image: ImageSpec) -> ImageSpec {
    ImageSpec { image: format!("{}:{of}", image.image), ..image }
}

fn times(count: u16, image: ImageSpec) -> ImageSpec {
    ImageSpec { replicas: Replicas::Count(count), ..image }
}

/// It ends where its node does not have what it needs.
fn everywhere(image: ImageSpec) -> ImageSpec {
    ImageSpec { replicas: Replicas::EveryNode, on_loss: OnLoss::Move, ..image }
}

fn after(first: &str, ready: Ready, image: ImageSpec) -> ImageSpec {
    ImageSpec { after: vec![(image_key(first), ready)], ..image }
}

fn on_loss(on_loss: OnLoss, image: ImageSpec) -> ImageSpec {
    ImageSpec { on_loss, ..image }
}

/// Somebody looks whether it does its work.
fn checked(image: ImageSpec) -> ImageSpec {
    ImageSpec { health: Some(Health::of(Probe::Tcp { port: 80 })), ..image }
}

fn restarts(restart: Restart, image: ImageSpec) -> ImageSpec {
    ImageSpec { restart, ..image }
}

fn on(engine: &str, image: ImageSpec) -> ImageSpec {
    ImageSpec { engines: vec![engine_name(engine)], ..image }
}

fn taking(amount: u64, image: ImageSpec) -> ImageSpec {
    needing("memory", Take::Amount(amount), image)
}

fn with_dongle(image: ImageSpec) -> ImageSpec {
    needing("dongle", Take::One, image)
}

/// It listens, under the same number, on its node.
fn publishing(number: u16, mut image: ImageSpec) -> ImageSpec {
    let name = PortName::new("http").expect("a port name");
    image.params.ports = vec![Port { name, container: number, host: number, protocol: Protocol::Tcp }].into();
    image
}

fn needing(name: &str, take: Take, image: ImageSpec) -> ImageSpec {
    let has = Need::Has(Requirement { take, ..Requirement::named(name) });
    ImageSpec { need: Need::All(vec![image.need.into(), has]).into(), ..image }
}

/// What an image asks of its node, its ports too; the blueprints here ask for all of it.
pub fn requirements(image: &ImageSpec) -> Vec<Cow<'_, Requirement>> {
    fn walk(need: &Need) -> Vec<Cow<'_, Requirement>> {
        match need {
            Need::All(all) => all.iter().flat_map(walk).collect(),
            Need::Has(requirement) => vec![Cow::Borrowed(requirement)],
            Need::Any(_) | Need::Not(_) => Vec::new(),
        }
    }
    let ports = image.params.ports.iter().map(|port| Cow::Owned(Requirement::named(&port_name(port.host))));
    walk(image.need.as_need()).into_iter().chain(ports).collect()
}

/// What every node has and none tells of.
pub fn ports() -> [Capability; 2] {
    [80, 81].map(|number| offered("node", &port_name(number), "", "port", Supply::Exclusive))
}

fn port_name(number: u16) -> String {
    format!("port/{number}/tcp")
}

/// How much there is of a capability.
pub fn supply(capability: &Capability) -> u64 {
    match capability.supply {
        Supply::Shared => u64::MAX,
        Supply::Exclusive => 1,
        Supply::Amount(all) => all,
    }
}

/// How much of `capability` a requirement uses up, and whether it is about it at all.
pub fn takes(requirement: &Requirement, capability: &Capability) -> Option<u64> {
    (requirement.name == capability.id.name).then_some(match (requirement.take, capability.supply) {
        (_, Supply::Shared) => 0,
        (Take::Amount(amount), _) => amount,
        (Take::One, _) => 1,
    })
}

/// Memory, in parts.
pub fn memory(amount: u64) -> Capability {
    offered("host", "memory", "", "resource", Supply::Amount(amount))
}

/// A stick that one instance uses at a time.
pub fn dongle(unit: &str) -> Capability {
    let binding = Some(device(unit, 0));
    Capability { binding, ..offered("usb", "dongle", unit, "hardware", Supply::Exclusive) }
}

/// Where a stick is after it became another device so often.
pub fn device(unit: &str, moves: u32) -> String {
    format!("/dev/{unit}{moves}")
}

fn offered(source: &str, name: &str, unit: &str, kind: &str, supply: Supply) -> Capability {
    let id = CapId { source: source.into(), name: name.into(), unit: unit.into() };
    Capability { id, kind: kind.into(), props: Default::default(), supply, binding: None }
}
