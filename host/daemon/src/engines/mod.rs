//! Between the core and the plugins: calls go out, answers and news come in. Decides nothing about services.

mod convert;
mod fetch;
mod health;
mod line;
mod link;
mod logs;
mod name;
mod volumes;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use motey_core::id::EngineName;
use motey_core::instance::Instance;
use motey_core::record::InstanceKey;
use motey_core::step::{Call, EngineError, EngineErrorKind, EngineOp, Input, Target};
use motey_plugin_host::{Plugin, PluginManager};
use motey_plugin_ops as ops;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clock::boot_time;
use convert::{create_request, engine_error, own_instance};
use health::Watch;
use line::{Line, Place};
pub(crate) use link::Link;
pub use logs::LogsWish;
use name::{instance_name, labels};
use volumes::Volumes;

/// What a fingerprint, a list or an inspection may take.
const QUICK: Duration = Duration::from_secs(5);

/// What creating, starting or stopping may take beyond the grace.
const WORK: Duration = Duration::from_secs(30);

/// The engines of a node, by their VAL plugins.
#[derive(Clone)]
pub(crate) struct Engines {
    plugins: Arc<PluginManager>,
    link: Arc<Link>,
    lines: Arc<Mutex<Lines>>,
    watch: Arc<Watch>,
    volumes: Arc<Volumes>,
}

type Lines = BTreeMap<(EngineName, Kind), Arc<Line>>;

/// What kind of call it is, by how long it may take.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Look,
    Work,
    Stop,
    Fetch,
}

impl Kind {
    /// How many calls of this kind one engine gets at once: as many as a plugin works on, so that a deadline runs only
    /// while something is done about the call.
    const fn most(self) -> usize {
        match self {
            Self::Look | Self::Work | Self::Fetch => 4,
            Self::Stop => 128,
        }
    }
}

impl Engines {
    /// The directories of volumes are made below `volumes`.
    pub fn new(plugins: Arc<PluginManager>, link: Arc<Link>, volumes: PathBuf) -> Self {
        let volumes = Arc::new(Volumes(volumes));
        Self { plugins, link, lines: Arc::default(), watch: Arc::default(), volumes }
    }

    pub fn plugins(&self) -> &Arc<PluginManager> {
        &self.plugins
    }

    /// Makes a call of the core, at once or in its turn; it is answered by [`Input::Answered`] exactly once.
    pub fn call(&self, call: Call) {
        let kind = match call.op {
            EngineOp::Inspect => Kind::Look,
            EngineOp::Create { .. } | EngineOp::Start | EngineOp::Destroy => Kind::Work,
            EngineOp::Stop { .. } => Kind::Stop,
            EngineOp::Fetch { .. } => Kind::Fetch,
        };
        let engines = self.clone();
        self.line(&call.engine, kind).enter(Box::new(move |place| engines.call_now(call, place)));
    }

    fn call_now(&self, call: Call, place: Place) {
        let Call { id, engine, target, op } = call;
        let shows_none = matches!(op, EngineOp::Destroy | EngineOp::Fetch { .. });
        let (verb, body, deadline) = self.request(&target, op);
        let (engines, key, name) = (self.clone(), target.key, engine.clone());
        let done = move |answer: Result<Vec<u8>, ops::Error>| {
            if let Err(error) = &answer
                && matches!(error.code, ops::Code::Unavailable | ops::Code::Closed)
            {
                engines.down(&name, error.message.clone());
            }
            let shown = answer.and_then(|body| if shows_none { Ok(None) } else { read(&body).map(Some) });
            let result = match shown {
                Ok(Some(shown)) => engines.own(&key, &name, shown).map(Some),
                Ok(None) => Ok(None),
                Err(error) => Err(engine_error(error)),
            };
            engines.link.inbox.answer(Input::Answered { call: id, key, result });
            drop(place);
        };
        match deadline {
            Some(deadline) => self.ask(&engine, verb, body, deadline, done),
            None => self.ask_at_length(&engine, verb, body, done),
        }
    }

    /// A name is not enough: only an instance with this instance's labels is it.
    fn own(
        &self,
        key: &InstanceKey,
        engine: &EngineName,
        shown: ops::Instance,
    ) -> Result<Instance, EngineError> {
        let name = shown.name.clone();
        match own_instance(self.link.node, engine, shown, boot_time()) {
            Some(instance) if instance.key == *key => Ok(instance),
            _ => Err(EngineError {
                kind: EngineErrorKind::Conflict,
                message: format!("{name} is there and is somebody else's: remove it, or rename the service"),
            }),
        }
    }

    fn line(&self, engine: &EngineName, kind: Kind) -> Arc<Line> {
        let mut lines = locked(&self.lines);
        Arc::clone(lines.entry((engine.clone(), kind)).or_insert_with(|| Line::of(kind.most())))
    }

    /// An operation in the boundary's words, and how long it may take; `None`: as long as it goes on.
    fn request(&self, target: &Target, op: EngineOp) -> (&'static str, Body, Option<Duration>) {
        let name = target.handle.clone().unwrap_or_else(|| instance_name(target));
        match op {
            EngineOp::Fetch { image } => (ops::op::PULL, write(&ops::PullRequest { image }), None),
            EngineOp::Create { image, revision, devices } => {
                let labels = labels(&target.key, &self.link.cluster, self.link.node, revision, &devices);
                let mounts = self.volumes.prepare(target.key.service, &image.params.mounts);
                let request = mounts.map(|mounts| create_request(name, labels, &image, mounts, &devices));
                (ops::op::CREATE, request.and_then(|request| write(&request)), Some(WORK))
            }
            EngineOp::Start => (ops::op::START, write(&ops::InstanceRef { name }), Some(WORK)),
            EngineOp::Stop { signal, grace } => {
                let request = ops::StopRequest { name, grace_ms: grace, signal };
                (ops::op::STOP, write(&request), Some(WORK + Duration::from_millis(grace)))
            }
            EngineOp::Destroy => (ops::op::DESTROY, write(&ops::InstanceRef { name }), Some(WORK)),
            EngineOp::Inspect => (ops::op::INSPECT, write(&ops::InstanceRef { name }), Some(QUICK)),
        }
    }

    fn ask(
        &self,
        engine: &EngineName,
        op: &str,
        body: Body,
        deadline: Duration,
        done: impl FnOnce(Result<Vec<u8>, ops::Error>) + Send + 'static,
    ) {
        match self.plugin(engine).and_then(|plugin| Ok((plugin, body?))) {
            Ok((plugin, body)) => {
                plugin.call(op, &body, None, Some(deadline), done);
            }
            Err(error) => done(Err(error)),
        }
    }

    fn plugin(&self, engine: &EngineName) -> Result<Arc<Plugin>, ops::Error> {
        let plugin = self.plugins.get(engine.as_str());
        plugin.ok_or_else(|| ops::Error::unavailable(format!("no active plugin drives the engine {engine}")))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The written body of a request.
type Body = Result<Vec<u8>, ops::Error>;

/// The request of operations without parameters.
const NOTHING: &[u8] = b"{}";

fn write(request: &impl Serialize) -> Body {
    serde_json::to_vec(request).map_err(|error| ops::Error::invalid(error.to_string()))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ops::Error> {
    serde_json::from_slice(body)
        .map_err(|error| ops::Error::failed(format!("the plugin's answer cannot be read: {error}")))
}
