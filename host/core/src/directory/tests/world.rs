//! Small made-up clusters: a handful of names, so that everything meets everything.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use uuid::Uuid;

use crate::capability::{CapId, Capability, Scalar, Supply};
use crate::directory::Crowd;
use crate::id::{Called, NodeId};
use crate::needs::Taken;
use crate::peer::NodeFacts;
use crate::spec::{Comparison, ImageSpec, Literal, Need, Port, Ports, Protocol, Requirement, Take, Test};
use crate::state::Engine;

/// What every node has, whatever it tells.
pub const PORTS: [&str; 2] = ["port/80/tcp", "port/81/tcp"];

pub fn node(n: u128) -> NodeId {
    NodeId(Uuid::from_u128(n))
}

pub fn called(node: NodeId) -> Called {
    Called { node, name: None }
}

pub fn ports() -> [Capability; 2] {
    PORTS.map(port)
}

fn port(name: &str) -> Capability {
    let id = CapId { source: "node".into(), name: name.into(), unit: String::new() };
    Capability { id, kind: "port".into(), props: BTreeMap::new(), supply: Supply::Exclusive, binding: None }
}

pub fn image(need: Need, engines: &[&str]) -> ImageSpec {
    ImageSpec {
        engines: engines.iter().map(|name| name.parse().expect("a name")).collect(),
        need: need.into(),
        ..ImageSpec::new("image".parse().expect("a key"), "image")
    }
}

/// Facts of a node, with up to six capabilities of three names.
pub fn facts() -> impl Strategy<Value = NodeFacts> {
    let supply = prop_oneof![
        1 => Just(Supply::Shared),
        4 => Just(Supply::Exclusive),
        4 => (0..=9_u64).prop_map(Supply::Amount),
    ];
    let unit = (select(vec!["a", "b", "c"]), select(vec!["x", "y"]), props(), supply, 0..=9_u64);
    let engines = vec(select(vec!["process", "docker", "down"]), 1..3);
    (vec(unit, 0..=6), engines, 0..=4_u64).prop_map(|(units, engines, port_held)| {
        let mut held = Taken::new();
        let mut capabilities = Vec::new();
        for (n, (name, kind, props, supply, used)) in units.into_iter().enumerate() {
            let id = CapId { source: "test".into(), name: name.into(), unit: n.to_string() };
            let used = match supply {
                Supply::Shared => 0,
                Supply::Exclusive => used / 7,
                Supply::Amount(all) => used.min(all),
            };
            held.insert(id.clone(), used);
            capabilities.push(Capability { id, kind: kind.into(), props, supply, binding: None });
        }
        held.insert(port(PORTS[0]).id, port_held / 4);
        let engine = |name: &str| match name {
            "down" => Engine::Down { message: "it does not answer".into() },
            _ => Engine::Up { features: ["ports", "ports.map"].map(String::from).into() },
        };
        let engines = engines.into_iter().map(|name| (name.parse().expect("a name"), engine(name)));
        NodeFacts { engines: engines.collect(), capabilities, held, ..NodeFacts::default() }
    })
}

fn props() -> impl Strategy<Value = BTreeMap<String, Scalar>> {
    let value = prop_oneof![
        any::<bool>().prop_map(Scalar::Bool),
        (0..4_i64).prop_map(Scalar::Integer),
        select(vec!["1", "2.4", "acme"]).prop_map(|text| Scalar::Text(text.into())),
    ];
    btree_map(select(vec!["p".to_owned(), "size".to_owned()]), value, 0..=2)
}

/// Needs of all kinds, up to three levels of them.
pub fn need() -> impl Strategy<Value = Need> {
    let name = prop_oneof![16 => select(vec!["a", "b", "c"]), 1 => Just("nowhere"), 1 => Just(PORTS[0])];
    let take = prop_oneof![2 => Just(Take::One), 1 => (1..=5_u64).prop_map(Take::Amount)];
    let has = (name, option::weighted(0.15, select(vec!["x", "y"])), vec(test(), 0..=1), take);
    let has = has.prop_map(|(name, kind, tests, take)| {
        Need::Has(Requirement { kind: kind.map(Into::into), tests, take, ..Requirement::named(name) })
    });
    has.prop_recursive(3, 10, 4, |inner| {
        prop_oneof![
            5 => vec(inner.clone(), 0..=4).prop_map(Need::All),
            3 => vec(inner.clone(), 1..=3).prop_map(Need::Any),
            1 => inner.prop_map(|need| Need::Not(Box::new(need))),
        ]
    })
}

/// Facts and a need that fit closely, if at all: who sits where, and what goes into which unit, has to be found.
pub fn tight() -> impl Strategy<Value = (NodeFacts, Need)> {
    let colour = || 0..3_i64;
    let places = vec((colour(), 0..=5_u64), 1..=5);
    let stores = vec((2..=9_u64, 0..=2_u64), 1..=3);
    let facts = (places, stores).prop_map(|(places, stores)| {
        let places =
            places.into_iter().map(|(colour, used)| ("a", Some(colour), Supply::Exclusive, used / 5));
        let stores = stores.into_iter().map(|(all, used)| ("b", None, Supply::Amount(all), used));
        let mut facts = NodeFacts::default();
        for (n, (name, colour, supply, used)) in places.chain(stores).enumerate() {
            let id = CapId { source: "test".into(), name: name.into(), unit: n.to_string() };
            let props = colour.map(|colour| ("p".to_owned(), Scalar::Integer(colour))).into_iter().collect();
            facts.held.insert(id.clone(), used);
            facts.capabilities.push(Capability { id, kind: "x".into(), props, supply, binding: None });
        }
        facts
    });
    let place = vec(colour(), 1..=2).prop_map(|colours| {
        let colours = colours.into_iter().map(|n| Literal { text: String::new(), number: Some(n) }).collect();
        let tests = vec![("p".to_owned(), Test::OneOf(colours))];
        Need::Has(Requirement { tests, ..Requirement::named("a") })
    });
    let store = (1..=5_u64)
        .prop_map(|amount| Need::Has(Requirement { take: Take::Amount(amount), ..Requirement::named("b") }));
    let one = prop_oneof![3 => place, 2 => store];
    let any = vec(one.clone(), 2).prop_map(Need::Any);
    (facts, vec(prop_oneof![5 => one, 1 => any], 2..=5).prop_map(Need::All))
}

fn test() -> impl Strategy<Value = (String, Test)> {
    let literal = |number: i64| Literal { text: number.to_string(), number: Some(number) };
    let how = select(vec![Comparison::Equal, Comparison::Different, Comparison::AtLeast, Comparison::Less]);
    let test = prop_oneof![
        (how, 0..4_i64).prop_map(move |(how, number)| Test::Compares(how, literal(number))),
        (0..3_i64).prop_map(move |least| Test::Between(literal(least), literal(least + 2))),
        Just(Test::Matches("a*".into())),
        Just(Test::Version(vec![(Comparison::AtLeast, "2.0".into())])),
    ];
    (select(vec!["p".to_owned(), "size".to_owned()]), test)
}

pub fn images() -> impl Strategy<Value = Vec<ImageSpec>> {
    let engines = prop_oneof![3 => Just(vec![]), 1 => subsequence(vec!["process", "docker", "down"], 1..=2)];
    let image = (need(), engines, any_ports()).prop_map(|(need, engines, ports)| {
        let mut image = image(need, &engines);
        image.params.ports = ports;
        image
    });
    vec(image, 1..=3)
}

/// Often none; the one that has a name, too, or two of which one is always free.
fn any_ports() -> impl Strategy<Value = Ports> {
    let port = |host: u16| Port {
        name: host.to_string().parse().expect("a name"),
        container: 80,
        host,
        protocol: Protocol::Tcp,
    };
    let hosts = prop_oneof![4 => Just(vec![]), 2 => Just(vec![80]), 1 => Just(vec![81, 80])];
    hosts.prop_map(move |hosts: Vec<u16>| hosts.into_iter().map(port).collect::<Vec<_>>().into())
}

/// What the asker knows, for up to six nodes.
#[derive(Clone, Debug)]
pub struct Knowledge {
    pub only: Option<NodeId>,
    pub refused: Vec<NodeId>,
    pub closed: Vec<NodeId>,
    pub spread: BTreeMap<NodeId, Crowd>,
    /// Of these, by the place of a unit among a node's own and its ports, so much counts as free.
    pub credit: Vec<(NodeId, usize, u64)>,
    /// So much was given away.
    pub given: Vec<(NodeId, usize, u64)>,
}

pub fn knowledge() -> impl Strategy<Value = Knowledge> {
    let ids: Vec<NodeId> = (0..6).map(node).collect();
    let several = |most: usize| subsequence(ids.clone(), 0..=most);
    let crowd = (0..3_u32, 0..3_u32).prop_map(|(image, service)| Crowd { image, service: image + service });
    let spread = btree_map(select(ids.clone()), crowd, 0..=4);
    let amounts = |most: usize| vec((select(ids.clone()), 0..8_usize, 1..4_u64), 0..=most);
    let few = (option::weighted(0.1, select(ids.clone())), several(2), several(2));
    (few, spread, amounts(3), amounts(4)).prop_map(|((only, refused, closed), spread, credit, given)| {
        Knowledge { only, refused, closed, spread, credit, given }
    })
}
