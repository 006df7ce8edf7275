//! A made-up engine: instances that live and die, and calls that go wrong on order. Outlives its node's process.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use motey_core::id::{EngineName, Millis};
use motey_core::instance::{Exit, Instance, Seen};
use motey_core::record::{InstanceKey, RevisionOrder};
use motey_core::spec::ImageSpec;
use motey_core::step::{Call, EngineError, EngineErrorKind, EngineOp, EngineState, FETCHES};

use crate::blueprint::PODMAN;
use crate::queue::Time;

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    Fetch,
    Create,
    Start,
    Stop,
    Destroy,
    Inspect,
}

impl Verb {
    /// Those that are about an instance.
    pub const ALL: [Self; 5] = [Self::Create, Self::Start, Self::Stop, Self::Destroy, Self::Inspect];

    pub fn of(op: &EngineOp) -> Self {
        match op {
            EngineOp::Fetch { .. } => Self::Fetch,
            EngineOp::Create { .. } => Self::Create,
            EngineOp::Start => Self::Start,
            EngineOp::Stop { .. } => Self::Stop,
            EngineOp::Destroy => Self::Destroy,
            EngineOp::Inspect => Self::Inspect,
        }
    }
}

/// What goes wrong with the next call of a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// It fails, and nothing was done.
    Fails(EngineErrorKind),
    /// It is done, and an error is answered.
    DoneButFails(EngineErrorKind),
    /// It is done, and nobody answers before the deadline.
    DoneInSilence,
    /// It hangs until the deadline, and is never done.
    Hangs,
    /// It is done so long after its deadline.
    Late(Time),
    /// It is answered only after so long.
    Slow(Time),
    /// It says that it is done, and shows that it is not.
    Idle,
    /// It says that it is done, shows what is expected, and did nothing.
    Lies,
    /// It is done, and what it led to ends at once.
    DoneAndExits(i32),
}

/// One instance.
#[derive(Clone, Debug)]
pub struct Body {
    pub seen: Seen,
    pub image: Arc<ImageSpec>,
    pub revision: RevisionOrder,
    /// Somebody else had a hand in it.
    pub meddled: bool,
    /// Until then it runs and does not do its work, unless it is started again.
    pub sick_until: Time,
    /// So many of its checks failed since one did not.
    pub failures: u32,
    /// The devices that it was made with.
    pub devices: Vec<String>,
    handle: String,
}

impl Body {
    /// Whether a process of it lives.
    pub fn lives(&self) -> bool {
        is_live(self.seen)
    }
}

#[derive(Debug)]
pub struct Engine {
    pub name: EngineName,
    /// It answers.
    pub up: bool,
    /// Until then it is kept down.
    pub down_until: Time,
    /// Until then what it tells is lost.
    pub mute_until: Time,
    /// Until then what it tells comes late.
    pub late_until: Time,
    /// What it told last arrives then; nothing that it tells later arrives earlier.
    pub told: Time,
    /// The same for whether it is there.
    pub stated: Time,
    pub bodies: BTreeMap<InstanceKey, Body>,
    /// It makes instances only of images that it fetched.
    fetches: bool,
    images: BTreeSet<String>,
    /// Images that it said to have, and does not.
    claims: BTreeSet<String>,
    mishaps: BTreeMap<Verb, VecDeque<Mishap>>,
    /// Until then it is at work on an instance; what is asked of it meanwhile waits.
    busy: BTreeMap<InstanceKey, Time>,
}

/// The features that every engine here has.
const FEATURES: [&str; 7] =
    ["command", "environment", "working_dir", "stop_signal", "volumes", "binds", "ports"];

impl Engine {
    pub fn new(name: EngineName) -> Self {
        Self {
            fetches: name.as_str() == PODMAN,
            images: BTreeSet::new(),
            claims: BTreeSet::new(),
            name,
            up: true,
            down_until: 0,
            mute_until: 0,
            late_until: 0,
            told: 0,
            stated: 0,
            bodies: BTreeMap::new(),
            mishaps: BTreeMap::new(),
            busy: BTreeMap::new(),
        }
    }

    /// The next call of that verb goes wrong.
    pub fn spoil(&mut self, verb: Verb, mishap: Mishap) {
        self.mishaps.entry(verb).or_default().push_back(mishap);
    }

    /// What goes wrong with this call.
    pub fn mishap(&mut self, verb: Verb) -> Option<Mishap> {
        self.mishaps.get_mut(&verb).and_then(VecDeque::pop_front)
    }

    /// Nothing goes wrong any more; who is to be sick until `never` waits to be started again.
    pub fn calm(&mut self, never: Time) {
        self.bodies.values_mut().filter(|body| body.sick_until < never).for_each(|body| body.sick_until = 0);
        self.mishaps.clear();
        (self.down_until, self.mute_until, self.late_until) = (0, 0, 0);
    }

    /// When it is done with a call that it would do at `at`: one after the other for each instance.
    pub fn slot(&mut self, key: &InstanceKey, at: Time) -> Time {
        let done = self.busy.get(key).map_or(at, |busy| at.max(busy + 1));
        self.busy.insert(key.clone(), done);
        done
    }

    /// Does what is asked. Returns whether anything changed.
    ///
    /// # Errors
    /// What a sound engine would answer.
    pub fn perform(&mut self, call: &Call) -> Result<bool, EngineError> {
        let key = &call.target.key;
        let seen = self.bodies.get(key).map(|body| body.seen);
        match (&call.op, seen) {
            (EngineOp::Fetch { image }, _) => {
                self.images.insert(image.clone());
                return Ok(false);
            }
            (EngineOp::Create { .. }, Some(_)) => return Err(error(EngineErrorKind::Conflict)),
            (EngineOp::Create { image, .. }, None) if !self.has(&image.image) => {
                return Err(error(EngineErrorKind::NotFound));
            }
            (EngineOp::Create { image, revision, devices }, None) => {
                let handle = format!("{}-{}", key.slot, key.fence.n);
                let (image, revision) = (Arc::clone(image), *revision);
                let body = Body {
                    seen: Seen::Created,
                    image,
                    revision,
                    meddled: false,
                    sick_until: 0,
                    failures: 0,
                    devices: devices.iter().map(|device| device.path.clone()).collect(),
                    handle,
                };
                self.bodies.insert(key.clone(), body);
            }
            (_, None) => return Err(error(EngineErrorKind::NotFound)),
            (EngineOp::Start, Some(Seen::Running)) => return Ok(false),
            (EngineOp::Start, Some(_)) => {
                self.show(key, Seen::Running);
                self.bodies.entry(key.clone()).and_modify(|body| (body.sick_until, body.failures) = (0, 0));
            }
            (EngineOp::Stop { .. }, Some(seen)) if is_live(seen) => {
                self.show(key, Seen::Exited(Exit { signal: Some(15), ..Exit::default() }));
            }
            (EngineOp::Destroy, Some(seen)) if is_live(seen) => return Err(error(EngineErrorKind::Conflict)),
            (EngineOp::Destroy, Some(_)) => drop(self.bodies.remove(key)),
            (EngineOp::Stop { .. } | EngineOp::Inspect, Some(_)) => return Ok(false),
        }
        Ok(true)
    }

    /// Whether an instance can be made of an image.
    pub fn has(&self, image: &str) -> bool {
        !self.fetches || self.images.contains(image)
    }

    /// It says that it has what a call asks it to fetch.
    pub fn claim(&mut self, call: &Call) {
        if let EngineOp::Fetch { image } = &call.op {
            self.claims.insert(image.clone());
        }
    }

    /// Whether it said that it has an image.
    pub fn claims(&self, image: &str) -> bool {
        self.has(image) || self.claims.contains(image)
    }

    /// An instance is something else from now on.
    pub fn show(&mut self, key: &InstanceKey, seen: Seen) {
        if let Some(body) = self.bodies.get_mut(key) {
            body.seen = seen;
        }
    }

    /// What it says of an instance; `None` when it has none.
    pub fn view(&self, key: &InstanceKey, at: Millis) -> Option<Instance> {
        self.bodies.get(key).map(|body| self.instance(key, body, at))
    }

    /// What it would say had it done what was asked.
    pub fn pretend(&self, call: &Call, at: Millis) -> Option<Instance> {
        let mut other = Self { fetches: false, ..Self::new(self.name.clone()) };
        other.bodies.extend(self.bodies.get_key_value(&call.target.key).map(|(k, b)| (k.clone(), b.clone())));
        other.perform(call).ok().and_then(|_| other.view(&call.target.key, at))
    }

    /// Everything it has.
    pub fn state(&self, at: Millis) -> EngineState {
        let instances = self.bodies.iter().map(|(key, body)| self.instance(key, body, at)).collect();
        let fetches = self.fetches.then_some(FETCHES);
        let features = FEATURES.into_iter().chain(fetches).map(String::from).collect();
        EngineState::Up { features, instances }
    }

    /// What it tells of one that it lost.
    pub fn gone(&self, key: &InstanceKey, at: Millis) -> Instance {
        let (key, engine) = (key.clone(), self.name.clone());
        Instance {
            key,
            engine,
            handle: String::new(),
            revision: None,
            seen: Seen::Gone,
            message: None,
            pid: None,
            devices: Vec::new(),
            at,
        }
    }

    fn instance(&self, key: &InstanceKey, body: &Body, at: Millis) -> Instance {
        let (engine, handle) = (self.name.clone(), body.handle.clone());
        let (revision, seen, devices) = (Some(body.revision), body.seen, body.devices.clone());
        Instance { key: key.clone(), engine, handle, revision, devices, seen, message: None, pid: None, at }
    }
}

pub fn is_live(seen: Seen) -> bool {
    matches!(seen, Seen::Starting | Seen::Running | Seen::Paused | Seen::Stopping)
}

pub fn exited(code: i32) -> Seen {
    Seen::Exited(Exit { code: Some(code), ..Exit::default() })
}

pub fn error(kind: EngineErrorKind) -> EngineError {
    EngineError { kind, message: format!("{kind:?}") }
}
