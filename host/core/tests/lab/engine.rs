//! An engine as a plain struct: instances by key, and mishaps on order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use motey_core::id::{EngineName, Millis};
use motey_core::instance::{Exit, Instance, Seen};
use motey_core::record::{InstanceKey, RevisionOrder};
use motey_core::step::{Call, EngineError, EngineErrorKind, EngineOp, FETCHES};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    Fetch,
    Create,
    Start,
    Stop,
    Destroy,
    Inspect,
}

/// What goes wrong with the next call of a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// It fails and does nothing.
    Fails(EngineErrorKind),
    /// It is done, and nobody hears of it.
    DoneAndTimedOut,
    /// It is done, and what it led to ends at once.
    DoneAndExits(i32),
    /// It says that it is done, and does nothing.
    Lies,
}

const FEATURES: [&str; 8] =
    ["command", "environment", "working_dir", "stop_signal", "volumes", "binds", "ports", "ports.map"];

#[derive(Debug)]
pub struct Engine {
    pub name: EngineName,
    pub up: bool,
    pub features: BTreeSet<String>,
    /// What it fetched.
    pub images: BTreeSet<String>,
    pub instances: BTreeMap<InstanceKey, Instance>,
    pub mishaps: BTreeMap<Verb, VecDeque<Mishap>>,
    /// Everything it was asked.
    pub calls: Vec<(Verb, InstanceKey)>,
}

impl Engine {
    pub fn new(name: EngineName) -> Self {
        let features = FEATURES.map(String::from).into();
        Self {
            name,
            up: true,
            features,
            images: BTreeSet::new(),
            instances: BTreeMap::new(),
            mishaps: BTreeMap::new(),
            calls: Vec::new(),
        }
    }

    pub fn fails(&mut self, verb: Verb, mishap: Mishap) {
        self.mishaps.entry(verb).or_default().push_back(mishap);
    }

    pub fn asked(&self, verb: Verb) -> usize {
        self.calls.iter().filter(|(asked, _)| *asked == verb).count()
    }

    pub fn list(&self) -> Vec<Instance> {
        self.instances.values().cloned().collect()
    }

    /// Does what a call asks, and shows the instance afterwards.
    pub fn execute(&mut self, call: &Call, now: Millis) -> Result<Option<Instance>, EngineError> {
        let (key, verb) = (&call.target.key, verb(&call.op));
        self.calls.push((verb, key.clone()));
        if !self.up {
            return Err(error(EngineErrorKind::Unavailable));
        }
        let mishap = self.mishaps.get_mut(&verb).and_then(VecDeque::pop_front);
        match mishap {
            Some(Mishap::Fails(kind)) => return Err(error(kind)),
            Some(Mishap::Lies) => return Ok(self.instances.get(key).cloned()),
            Some(Mishap::DoneAndTimedOut) => {
                self.perform(call, now)?;
                return Err(error(EngineErrorKind::TimedOut));
            }
            Some(Mishap::DoneAndExits(code)) => {
                self.perform(call, now)?;
                self.show(key, exited(code));
            }
            None => self.perform(call, now)?,
        }
        Ok(self.instances.get(key).cloned())
    }

    fn perform(&mut self, call: &Call, now: Millis) -> Result<(), EngineError> {
        let (verb, key) = (verb(&call.op), &call.target.key);
        let known = self.instances.get(key).map(|instance| instance.seen);
        match (verb, known) {
            (Verb::Fetch, _) => {
                if let EngineOp::Fetch { image } = &call.op {
                    self.images.insert(image.clone());
                }
            }
            (Verb::Create, Some(_)) => return Err(error(EngineErrorKind::Conflict)),
            (Verb::Create, None) => {
                if let EngineOp::Create { revision, image, devices } = &call.op {
                    if self.features.contains(FETCHES) && !self.images.contains(&image.image) {
                        return Err(error(EngineErrorKind::NotFound));
                    }
                    let devices = devices.iter().map(|device| device.path.clone()).collect();
                    self.instances
                        .insert(key.clone(), Instance { devices, ..self.made(key, *revision, now) });
                }
            }
            (_, None) => return Err(error(EngineErrorKind::NotFound)),
            (Verb::Start, Some(_)) => self.show(key, Seen::Running),
            (Verb::Stop, Some(Seen::Running | Seen::Starting | Seen::Paused)) => {
                self.show(key, Seen::Exited(Exit { signal: Some(15), ..Exit::default() }));
            }
            (Verb::Destroy, Some(_)) => drop(self.instances.remove(key)),
            (Verb::Stop | Verb::Inspect, Some(_)) => {}
        }
        Ok(())
    }

    fn made(&self, key: &InstanceKey, revision: RevisionOrder, at: Millis) -> Instance {
        let handle = format!("{}-{}", key.slot, key.fence.n);
        let (key, engine) = (key.clone(), self.name.clone());
        let revision = Some(revision);
        let devices = Vec::new();
        Instance { key, engine, handle, revision, devices, seen: Seen::Created, message: None, pid: None, at }
    }

    /// Changes what it shows, by itself.
    pub fn show(&mut self, key: &InstanceKey, seen: Seen) {
        if let Some(instance) = self.instances.get_mut(key) {
            instance.seen = seen;
        }
    }
}

pub fn exited(code: i32) -> Seen {
    Seen::Exited(Exit { code: Some(code), ..Exit::default() })
}

pub fn is_live(seen: Seen) -> bool {
    matches!(seen, Seen::Starting | Seen::Running | Seen::Paused | Seen::Stopping)
}

pub fn error(kind: EngineErrorKind) -> EngineError {
    EngineError { kind, message: format!("{kind:?}") }
}

fn verb(op: &EngineOp) -> Verb {
    match op {
        EngineOp::Fetch { .. } => Verb::Fetch,
        EngineOp::Create { .. } => Verb::Create,
        EngineOp::Start => Verb::Start,
        EngineOp::Stop { .. } => Verb::Stop,
        EngineOp::Destroy => Verb::Destroy,
        EngineOp::Inspect => Verb::Inspect,
    }
}
