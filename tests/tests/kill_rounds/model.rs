//! What a node was asked for and what it said to that: everything a correct node may be, and nothing else.
//!
//! A request whose answer was lost with the node was carried out as a whole or not at all; until the node is looked at,
//! both are possible.

use std::collections::{BTreeMap, BTreeSet};

/// How long the shell trees that do not listen may take to end.
const STUBBORN_GRACE: &str = "100ms";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Mock,
    Process,
}

impl Engine {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mock => "mock",
            Self::Process => "process",
        }
    }
}

/// So much of a capability, for each instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    pub capability: &'static str,
    pub amount: u64,
}

/// What a program of the `process` VAL does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    Sleep,
    Tree,
    Stubborn,
}

#[derive(Debug, Clone)]
pub struct Image {
    pub key: &'static str,
    pub need: Option<Need>,
    pub replicas: u16,
    pub program: Program,
}

/// What is asked of one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Deploy,
    Scale { image: usize, replicas: u16 },
    Start,
    Stop,
    Restart,
    Delete,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Desired {
    /// It was never deployed.
    Nothing,
    Running,
    Stopped,
    Absent,
}

/// One thing that may be wanted of a service now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub desired: Desired,
    /// By image, in the blueprint's order.
    pub replicas: Vec<u16>,
    /// The slots whose instance of the last rest is still the right one.
    pub kept: BTreeSet<String>,
}

#[derive(Debug)]
pub struct Service {
    pub id: String,
    pub name: String,
    pub images: Vec<Image>,
    pub blueprint: String,
    /// Never empty.
    pub possible: Vec<Wanted>,
    /// The attempts that ran at the last rest, by slot.
    pub fences: BTreeMap<String, String>,
}

/// What a request came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// This answer.
    Answered(u16),
    /// The node died over it.
    Lost,
}

impl Service {
    pub fn new(id: String, name: String, images: Vec<Image>, engine: Engine, mark: &str) -> Self {
        let replicas = images.iter().map(|image| image.replicas).collect();
        let nothing = Wanted { desired: Desired::Nothing, replicas, kept: BTreeSet::new() };
        let blueprint = blueprint(&name, &images, engine, mark);
        Self { id, name, images, blueprint, possible: vec![nothing], fences: BTreeMap::new() }
    }

    pub fn is(&self, desired: Desired) -> bool {
        self.possible.iter().all(|wanted| wanted.desired == desired)
    }

    pub fn may_be(&self, desired: Desired) -> bool {
        self.possible.iter().any(|wanted| wanted.desired == desired)
    }

    /// Narrows what is possible by what a request came to. Panics when nothing correct is left.
    pub fn learn(&mut self, act: Act, outcome: Outcome) {
        let images = &self.images;
        let lives = |wanted: &&Wanted| matches!(wanted.desired, Desired::Running | Desired::Stopped);
        let done = |wanted: &Wanted| wanted.after(act, images);
        let before = self.possible.clone();
        self.possible = match (act, outcome) {
            // the same id with the same bytes is the same request
            (Act::Deploy, Outcome::Answered(201)) => before
                .iter()
                .map(|w| if w.desired == Desired::Nothing { done(w) } else { w.clone() })
                .collect(),
            (Act::Delete, Outcome::Answered(202)) => {
                before.iter().filter(|w| w.desired != Desired::Nothing).map(done).collect()
            }
            (_, Outcome::Answered(202)) => before.iter().filter(lives).map(done).collect(),
            (_, Outcome::Answered(404)) => {
                before.iter().filter(|w| w.desired == Desired::Nothing).cloned().collect()
            }
            (_, Outcome::Answered(410)) => {
                before.iter().filter(|w| w.desired == Desired::Absent).cloned().collect()
            }
            (_, Outcome::Answered(_)) => Vec::new(),
            (_, Outcome::Lost) => {
                let may = |w: &&Wanted| act == Act::Deploy || lives(w);
                before.iter().cloned().chain(before.iter().filter(may).map(done)).collect()
            }
        };
        self.possible.dedup();
        assert!(
            !self.possible.is_empty(),
            "{act:?} of {} came to {outcome:?}; it was {before:#?}",
            self.name
        );
    }

    /// Whose instances a slot's are.
    pub fn image_of(&self, slot: &str) -> Option<&Image> {
        let (key, _) = slot.rsplit_once('-')?;
        self.images.iter().find(|image| image.key == key)
    }
}

impl Wanted {
    fn after(&self, act: Act, images: &[Image]) -> Self {
        let mut after = self.clone();
        match act {
            Act::Deploy | Act::Start => after.desired = Desired::Running,
            Act::Restart => {
                after.desired = Desired::Running;
                after.kept.clear();
            }
            Act::Stop => {
                after.desired = Desired::Stopped;
                after.kept.clear();
            }
            Act::Delete => {
                after.desired = Desired::Absent;
                after.kept.clear();
            }
            Act::Scale { image, replicas } => {
                after.replicas[image] = replicas;
                let kept: BTreeSet<String> = slots(images, &after.replicas).collect();
                after.kept.retain(|slot| kept.contains(slot));
            }
        }
        after
    }
}

pub fn slots<'a>(images: &'a [Image], replicas: &'a [u16]) -> impl Iterator<Item = String> + 'a {
    images.iter().zip(replicas).flat_map(|(image, count)| (0..*count).map(|n| format!("{}-{n}", image.key)))
}

fn blueprint(name: &str, images: &[Image], engine: Engine, mark: &str) -> String {
    let images: Vec<String> = images.iter().map(|image| image_text(image, engine, mark)).collect();
    format!("service_name: {name}\nimages:\n{}", images.concat())
}

fn image_text(image: &Image, engine: Engine, mark: &str) -> String {
    let Image { key, need, replicas, program } = image;
    let (name, command, grace) = match program {
        Program::Sleep => ("sleep", r#"["86400"]"#, "10s"),
        Program::Tree => ("/bin/sh", r#"[-c, "sleep 86401 & wait"]"#, "10s"),
        Program::Stubborn => ("/bin/sh", r#"[-c, "trap '' TERM; sleep 86402 & wait"]"#, STUBBORN_GRACE),
    };
    let mut text = format!(
        "  - name: {name}\n    key: {key}\n    engine: {engine}\n    replicas: {replicas}\n",
        engine = engine.as_str(),
    );
    if let Some(Need { capability, amount }) = need {
        // a blueprint counts processors in cores, a node in thousandths
        let unit = if *capability == "cpu" { "m" } else { "" };
        text += &format!("    capabilities: [{{ capability: {capability}, amount: {amount}{unit} }}]\n");
    }
    if engine == Engine::Process {
        text += &format!(
            "    parameters:\n      command: {command}\n      stop_grace: {grace}\n      environment: {{ MARK: {mark:?} }}\n"
        );
    }
    text
}
