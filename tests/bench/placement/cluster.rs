//! A made-up cluster of nodes with twenty capabilities each, and the questions that are asked of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use motey_core::Engine;
use motey_core::capability::{CapId, Capability, Scalar, Supply};
use motey_core::directory::Directory;
use motey_core::id::NodeId;
use motey_core::peer::NodeFacts;
use motey_core::spec::{Comparison, ImageSpec, Literal, Need, Params, Requirement, Take, Test};
use motey_tests::Random;

const CAPABILITIES: usize = 20;
const AMOUNTS: [(&str, u64); 3] = [("cpu", 1_000), ("memory", 1 << 30), ("disk", 1 << 34)];

/// Devices and software; each node has some of them, of the first ones more often than of the last.
const NAMES: u64 = 60;

pub struct Cluster {
    pub directory: Directory,
    facts: Vec<NodeFacts>,
    /// Which nodes have which of the names.
    bits: Vec<Vec<u64>>,
}

impl Cluster {
    pub fn new(size: u64, random: &mut Random) -> Self {
        let words = (size as usize).div_ceil(64);
        let mut cluster = Self {
            directory: Directory::default(),
            facts: Vec::new(),
            bits: vec![vec![0; words]; NAMES as usize],
        };
        for n in 0..size as usize {
            cluster.facts.push(facts(random));
            let told = cluster.note(n);
            cluster.directory.update(node(n), told);
        }
        cluster
    }

    /// The new facts of a node: something is taken or given back; one in ten times it offers other things.
    pub fn change(&mut self, random: &mut Random) -> (NodeId, Arc<NodeFacts>) {
        let n = random.below(self.facts.len() as u64) as usize;
        if random.chance(10) {
            self.facts[n] = facts(random);
        } else {
            self.facts[n].held = held(&self.facts[n].capabilities, random);
        }
        (node(n), self.note(n))
    }

    /// The facts of a node as others get them, and its bits as they are now.
    fn note(&mut self, n: usize) -> Arc<NodeFacts> {
        self.bits.iter_mut().for_each(|bits| bits[n / 64] &= !(1 << (n % 64)));
        for unit in &self.facts[n].capabilities {
            if let Some(name) = device(&unit.id.name) {
                self.bits[name][n / 64] |= 1 << (n % 64);
            }
        }
        Arc::new(self.facts[n].clone())
    }

    /// The first node that has all the names of a question.
    pub fn bare(&self, question: &Question) -> Option<usize> {
        let sets: Vec<&[u64]> = question.names().map(|name| self.bits[name as usize].as_slice()).collect();
        let words = self.bits[0].len();
        (0..words).find_map(|n| {
            let word = sets.iter().fold(u64::MAX, |word, set| word & set[n]);
            (word != 0).then(|| n * 64 + word.trailing_zeros() as usize)
        })
    }
}

fn node(n: usize) -> NodeId {
    // as ids are: nothing is known of their order
    let mut random = Random::new(n as u64);
    let text = format!("{:08x}-0000-4000-8000-{n:012x}", random.below(1 << 32));
    text.parse().expect("an id")
}

fn name(n: u64) -> String {
    format!("device-{n}")
}

fn device(name: &str) -> Option<usize> {
    name.strip_prefix("device-")?.parse().ok()
}

fn facts(random: &mut Random) -> NodeFacts {
    let mut capabilities: Vec<Capability> = AMOUNTS
        .iter()
        .map(|(name, unit)| {
            capability(
                (*name).into(),
                "resource",
                Supply::Amount(unit * (1 + random.below(64))),
                BTreeMap::new(),
            )
        })
        .collect();
    while capabilities.len() < CAPABILITIES {
        let drawn = name(random.below(NAMES).min(random.below(NAMES)));
        let supply = if random.chance(40) { Supply::Exclusive } else { Supply::Shared };
        if capabilities.iter().all(|unit| unit.id.name != drawn) {
            capabilities.push(capability(drawn, "hardware", supply, props(random)));
        }
    }
    let up = Engine::Up { features: ["command".to_owned()].into() };
    let engines = [("process".parse().expect("a name"), up.clone()), ("docker".parse().expect("a name"), up)];
    NodeFacts {
        held: held(&capabilities, random),
        capabilities,
        engines: engines.into(),
        ..NodeFacts::default()
    }
}

fn capability(name: String, kind: &str, supply: Supply, props: BTreeMap<String, Scalar>) -> Capability {
    let id = CapId { source: "bench".into(), name, unit: String::new() };
    Capability { id, kind: kind.into(), props, supply, binding: None }
}

fn props(random: &mut Random) -> BTreeMap<String, Scalar> {
    let version = format!("{}.{}.{}", random.below(4), random.below(10), random.below(10));
    let vendor = ["acme", "basler", "cognex", "datalogic"][random.below(4) as usize];
    [
        ("width".to_owned(), Scalar::Integer(640 * (1 + random.below(6) as i64))),
        ("version".to_owned(), Scalar::Text(version)),
        ("vendor".to_owned(), Scalar::Text(vendor.into())),
    ]
    .into()
}

/// Up to three quarters of each amount, and half of what is one instance's alone.
fn held(capabilities: &[Capability], random: &mut Random) -> BTreeMap<CapId, u64> {
    let mut held = BTreeMap::new();
    for unit in capabilities {
        let amount = match unit.supply {
            Supply::Shared => 0,
            Supply::Exclusive => random.below(2),
            Supply::Amount(all) => all / 100 * random.below(75),
        };
        if amount > 0 {
            held.insert(unit.id.clone(), amount);
        }
    }
    held
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Names,
    Typed,
    Choice,
    Amounts,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Names, Self::Typed, Self::Choice, Self::Amounts];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Names => "names",
            Self::Typed => "properties",
            Self::Choice => "NOT and any",
            Self::Amounts => "amounts",
        }
    }
}

#[derive(Debug)]
pub struct Question {
    kind: Kind,
    names: Vec<u64>,
    need: Need,
}

impl Question {
    /// Half of them by name, three of ten by properties, one of ten with NOT and any, one of ten by amounts.
    pub fn draw(random: &mut Random) -> Self {
        let kind = match random.below(10) {
            0..5 => Kind::Names,
            5..8 => Kind::Typed,
            8 => Kind::Choice,
            _ => Kind::Amounts,
        };
        let names: Vec<u64> =
            (0..=random.below(3)).map(|_| random.below(NAMES).min(random.below(NAMES))).collect();
        let has = |name: &u64| Need::Has(Requirement::named(&self::name(*name)));
        let need = match kind {
            Kind::Names => Need::All(names.iter().map(has).collect()),
            Kind::Typed => Need::All(names.iter().map(|name| typed(*name, random)).collect()),
            Kind::Choice => {
                let other = || Need::Has(Requirement::named(&self::name(NAMES / 2)));
                let not = Need::Not(Box::new(Need::Has(Requirement::named(&self::name(0)))));
                Need::All(vec![not, Need::Any(names.iter().map(has).chain([other()]).collect())])
            }
            Kind::Amounts => Need::All(
                AMOUNTS.iter().map(|(name, unit)| amount(name, unit * (1 + random.below(16)))).collect(),
            ),
        };
        let names = if kind == Kind::Names || kind == Kind::Typed { names } else { Vec::new() };
        Self { kind, names, need }
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The names that a node has to have.
    pub fn names(&self) -> impl Iterator<Item = u64> {
        self.names.iter().copied()
    }

    pub fn image(&self) -> ImageSpec {
        ImageSpec {
            engines: vec!["docker".parse().expect("a name")],
            need: self.need.clone().into(),
            params: Params { command: vec!["serve".into()], ..Params::default() },
            ..ImageSpec::new("asked".parse().expect("a key"), "/bin/asked")
        }
    }
}

fn typed(name: u64, random: &mut Random) -> Need {
    let width = 640 * (1 + random.below(6) as i64);
    let (prop, test) = match random.below(3) {
        0 => {
            let width = Literal { text: width.to_string(), number: Some(width) };
            ("width", Test::Compares(Comparison::AtLeast, width))
        }
        1 => {
            let bounds = [(Comparison::AtLeast, "1.2".to_owned()), (Comparison::Less, "3".to_owned())];
            ("version", Test::Version(bounds.into()))
        }
        _ => ("vendor", Test::Matches("c*x".into())),
    };
    Need::Has(Requirement { tests: vec![(prop.into(), test)], ..Requirement::named(&self::name(name)) })
}

fn amount(name: &str, amount: u64) -> Need {
    Need::Has(Requirement { take: Take::Amount(amount), ..Requirement::named(name) })
}
