//! What decisions cost: `cargo run --release -p motey-core --example timing`.
//!
//! Each line is a scene over so many services or slots, with the mean per input. Twice as many must cost twice as
//! much, not four times; where a record of n slots is written n times, its size shows.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use motey_core::capability::{CapId, Capability, Supply};
use motey_core::id::{EngineName, ImageKey, Millis, NodeId, ServiceId, ServiceName};
use motey_core::instance::{Exit, Instance, Seen};
use motey_core::record::{Incarnation, InstanceKey};
use motey_core::spec::{Format, ImageSpec, Need, OnNodeLoss, Replicas, Requirement, Source, Spec, Take};
use motey_core::step::{AskId, Call, Effect, EngineOp, EngineState, Input, Request};
use motey_core::{Core, Identity, Stored, Tuning};
use uuid::Uuid;

struct Node {
    core: Core,
    calls: VecDeque<Call>,
    instances: BTreeMap<InstanceKey, Instance>,
    inputs: u32,
    spent: Duration,
    longest: Duration,
}

impl Node {
    fn new() -> Self {
        let incarnation = Incarnation { count: 1, nonce: 1 };
        let name = "timing".parse().expect("a name");
        let identity = Identity { node: NodeId(Uuid::from_u128(7)), name, incarnation };
        let mut node = Self {
            core: Core::new(identity, Tuning::default(), Stored::default()),
            calls: VecDeque::new(),
            instances: BTreeMap::new(),
            inputs: 0,
            spent: Duration::ZERO,
            longest: Duration::ZERO,
        };
        node.list();
        node
    }

    fn input(&mut self, input: &Input) {
        let began = Instant::now();
        self.core.note(input);
        let step = self.core.decide(input, Millis(1));
        let Ok(committed) = step.commit(|_| Ok::<(), ()>(())) else { return };
        let effects = self.core.apply(committed);
        let spent = began.elapsed();
        self.inputs += 1;
        self.spent += spent;
        self.longest = self.longest.max(spent);
        self.calls.extend(effects.into_iter().filter_map(|effect| match effect {
            Effect::Call(call) => Some(call),
            Effect::Answer(..) | Effect::Check(_) | Effect::Send(..) | Effect::Offer { .. } => None,
        }));
    }

    fn ask(&mut self, request: Request) {
        self.input(&Input::Asked { ask: AskId(0), request });
    }

    fn list(&mut self) {
        let instances = self.instances.values().cloned().collect();
        let state = EngineState::Up { features: BTreeSet::new(), instances };
        self.input(&Input::Engine { name: engine(), state });
    }

    fn offer(&mut self, memory: u64) {
        let other = (0..100).map(|n| capability(&format!("other-{n}"), Supply::Exclusive));
        let all = other.chain([capability("memory", Supply::Amount(memory))]).collect();
        self.input(&Input::Capabilities { source: "timing".into(), all });
    }

    fn settle(&mut self) {
        while let Some(call) = self.calls.pop_front() {
            let key = call.target.key;
            let shown = match call.op {
                EngineOp::Fetch { .. } | EngineOp::Destroy => None,
                EngineOp::Create { .. } => Some(Seen::Created),
                EngineOp::Start | EngineOp::Inspect => Some(Seen::Running),
                EngineOp::Stop { .. } => Some(Seen::Exited(Exit::default())),
            };
            let shown = shown.map(|seen| instance(key.clone(), seen));
            match &shown {
                Some(instance) => drop(self.instances.insert(key.clone(), instance.clone())),
                None => drop(self.instances.remove(&key)),
            }
            self.input(&Input::Answered { call: call.id, key, result: Ok(shown) });
        }
    }

    fn scene(&mut self, name: &str, run: impl FnOnce(&mut Self)) {
        (self.inputs, self.spent, self.longest) = (0, Duration::ZERO, Duration::ZERO);
        run(self);
        self.settle();
        let mean = self.spent / self.inputs.max(1);
        let (total, longest) = (self.spent, self.longest);
        println!(
            "{name:40} {total:>10.1?}, {:6} inputs, {mean:>8.1?} each, longest {longest:>8.1?}",
            self.inputs
        );
    }
}

fn engine() -> EngineName {
    EngineName::new("engine").expect("a name")
}

fn instance(key: InstanceKey, seen: Seen) -> Instance {
    Instance {
        key,
        engine: engine(),
        handle: "handle".into(),
        revision: None,
        seen,
        message: None,
        pid: None,
        devices: Vec::new(),
        at: Millis(1),
    }
}

fn capability(name: &str, supply: Supply) -> Capability {
    let id = CapId { source: "timing".into(), name: name.into(), unit: String::new() };
    Capability { id, kind: "resource".into(), props: BTreeMap::new(), supply, binding: None }
}

fn service(n: u16) -> ServiceId {
    ServiceId(Uuid::from_u128(u128::from(n)))
}

fn deploy(n: u16, slots: u16) -> Request {
    let need = Requirement { take: Take::Amount(1), ..Requirement::named("memory") };
    let image = ImageSpec {
        replicas: Replicas::Count(slots),
        need: Need::Has(need).into(),
        ..ImageSpec::new(ImageKey::new("web").expect("a key"), "/bin/web")
    };
    let source = Source { format: Format::Yaml, text: "timing".into() };
    let spec = Arc::new(Spec { images: vec![Arc::new(image)], on_node_loss: OnNodeLoss::default(), source });
    let name = ServiceName::new("timing").expect("a name");
    Request::Deploy { id: service(n), name, spec, reject_unplaceable: false }
}

fn many_services(count: u16) {
    let mut node = Node::new();
    node.offer(u64::from(count));
    let each = |node: &mut Node, ask: fn(u16) -> Request| {
        for n in 0..count {
            node.ask(ask(n));
            node.settle();
        }
    };
    node.scene(&format!("{count} services: deploy"), |node| each(node, |n| deploy(n, 1)));
    node.scene(&format!("{count} services: list of the engine"), Node::list);
    node.scene(&format!("{count} services: 1000 ticks"), |node| {
        (0..1_000).for_each(|_| node.input(&Input::Tick));
    });
    node.scene(&format!("{count} services: restart"), |node| each(node, |n| Request::Restart(service(n))));
    let began = Instant::now();
    let states = (0..count).filter_map(|n| node.core.status(service(n))).count();
    println!("{:40} {:>10.1?}", format!("{states} services: status of all"), began.elapsed());
    node.scene(&format!("{count} services: delete"), |node| each(node, |n| Request::Delete(service(n))));

    let mut node = Node::new();
    node.scene(&format!("{count} services: deploy, all wait"), |node| each(node, |n| deploy(n, 1)));
    node.scene(&format!("{count} services: room for half of them"), |node| node.offer(u64::from(count / 2)));
    node.scene(&format!("{count} services: half of them deleted"), |node| {
        for n in 0..count / 2 {
            node.ask(Request::Delete(service(n)));
            node.settle();
            node.input(&Input::Tick);
        }
    });
}

fn many_slots(count: u16) {
    let mut node = Node::new();
    node.offer(u64::from(count));
    node.scene(&format!("{count} slots: deploy"), |node| node.ask(deploy(0, count)));
    node.scene(&format!("{count} slots: list of the engine"), Node::list);
    let began = Instant::now();
    let _status = node.core.status(service(0));
    println!("{:40} {:>10.1?}", format!("{count} slots: status"), began.elapsed());
    node.scene(&format!("{count} slots: every one told again"), |node| {
        let all: Vec<Instance> = node.instances.values().cloned().collect();
        all.into_iter().for_each(|instance| node.input(&Input::Instance(instance)));
    });
    node.scene(&format!("{count} slots: restart"), |node| node.ask(Request::Restart(service(0))));
    node.scene(&format!("{count} slots: delete"), |node| node.ask(Request::Delete(service(0))));
}

fn main() {
    for count in [500, 1_000, 2_000] {
        many_services(count);
    }
    for count in [500, 1_000, 2_000] {
        many_slots(count);
    }
}
