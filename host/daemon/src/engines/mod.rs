//! Between the core and the plugins: calls go out, answers and news come in. Decides nothing.
//!
//! An engine is *up* once its VAL listens for events, has shown its fingerprint and listed what it has; when one of
//! these fails it is *down*, and is tried again. Its instances are not touched by that.

mod convert;
mod line;
mod link;
mod name;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use motey_core::id::EngineName;
use motey_core::instance::Instance;
use motey_core::step::{Call, EngineError, EngineErrorKind, EngineOp, EngineState, Input, Target};
use motey_plugin_host::{Plugin, PluginManager, stream_pair};
use motey_plugin_ops as ops;
use rustix::net::RecvFlags;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::sync::oneshot;

use crate::clock::boot_time;
use convert::{create_request, engine_error, instance, own_instance};
use line::{Line, Place};
pub(crate) use link::Link;
use name::{instance_name, labels};

/// What a fingerprint, a list or an inspection may take.
const QUICK: Duration = Duration::from_secs(5);

/// What creating, starting or stopping may take beyond the grace.
const WORK: Duration = Duration::from_secs(30);

/// How long an engine that is down is left alone.
const RETRY: Duration = Duration::from_secs(5);

/// How long a stream may be silent before it is taken for a quiet one.
const SILENCE: Duration = Duration::from_secs(1);

/// Which part of an instance's output is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogsWish {
    /// Stay, and send what comes.
    pub follow: bool,
    /// Only so many of the last lines.
    pub tail: Option<u32>,
    /// Only lines younger than so many milliseconds.
    pub since_ms: Option<u64>,
}

/// The engines of a node, by their VAL plugins.
#[derive(Clone)]
pub(crate) struct Engines {
    plugins: Arc<PluginManager>,
    link: Arc<Link>,
    lines: Arc<Mutex<Lines>>,
}

type Lines = BTreeMap<(EngineName, Kind), Arc<Line>>;

/// What kind of call it is, by how long it may take.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Look,
    Work,
    Stop,
}

impl Kind {
    /// How many calls of this kind one engine gets at once.
    const fn most(self) -> usize {
        match self {
            Self::Look | Self::Work => 32,
            Self::Stop => 128,
        }
    }
}

impl Engines {
    pub fn new(plugins: Arc<PluginManager>, link: Arc<Link>) -> Self {
        Self { plugins, link, lines: Arc::default() }
    }

    pub fn plugins(&self) -> &Arc<PluginManager> {
        &self.plugins
    }

    /// Takes an engine into use: listens first and lists then, so that nothing falls between.
    pub fn activate(&self, engine: &EngineName) {
        let Some(plugin) = self.plugins.get(engine.as_str()) else { return };
        let (engines, name) = (self.clone(), engine.clone());
        plugin.call(ops::op::EVENTS, NOTHING, None, None, move |ended| {
            let message = match ended {
                Ok(_) => "its event stream ended".to_owned(),
                Err(error) => error.message,
            };
            engines.down(&name, message);
        });
        self.list(engine);
    }

    /// Asks an engine what it is able to do and what it has.
    pub fn list(&self, engine: &EngineName) {
        let (engines, name) = (self.clone(), engine.clone());
        self.ask(engine, ops::op::FINGERPRINT, Ok(NOTHING.to_vec()), QUICK, move |answer| {
            match answer.and_then(|body| read::<ops::Fingerprint>(&body)) {
                Ok(print) if print.healthy => engines.list_with(&name, print),
                Ok(print) => engines.down(&name, print.message.unwrap_or_else(|| "it is not healthy".into())),
                Err(error) => engines.down(&name, error.message),
            }
        });
    }

    fn list_with(&self, engine: &EngineName, print: ops::Fingerprint) {
        let (engines, name) = (self.clone(), engine.clone());
        self.ask(engine, ops::op::LIST, Ok(NOTHING.to_vec()), QUICK, move |answer| {
            match answer.and_then(|body| read::<ops::ListAnswer>(&body)) {
                Ok(list) => engines.up(&name, print, list),
                Err(error) => engines.down(&name, error.message),
            }
        });
    }

    fn up(&self, engine: &EngineName, print: ops::Fingerprint, list: ops::ListAnswer) {
        let now = boot_time();
        let own = |shown| own_instance(self.link.node, engine, shown, now);
        let state = EngineState::Up {
            features: print.features,
            instances: list.instances.into_iter().filter_map(own).collect(),
        };
        self.link.inbox.answer(Input::Engine { name: engine.clone(), state });
    }

    /// Says that an engine does not answer, and tries it again later.
    fn down(&self, engine: &EngineName, message: String) {
        if self.link.is_closing() {
            return;
        }
        log::warn!("the engine {engine} is down: {message}");
        let state = EngineState::Down { message };
        self.link.inbox.answer(Input::Engine { name: engine.clone(), state });
        let (engines, name) = (self.clone(), engine.clone());
        let again = thread::Builder::new().name("engine-retry".into()).spawn(move || {
            thread::sleep(RETRY);
            engines.activate(&name);
        });
        if let Err(error) = again {
            log::error!("the engine {engine} is not tried again: {error}");
        }
    }

    /// Makes a call of the core, at once or in its turn; it is answered by [`Input::Answered`] exactly once.
    pub fn call(&self, call: Call) {
        let kind = match call.op {
            EngineOp::Inspect => Kind::Look,
            EngineOp::Create { .. } | EngineOp::Start | EngineOp::Destroy => Kind::Work,
            EngineOp::Stop { .. } => Kind::Stop,
        };
        let engines = self.clone();
        self.line(&call.engine, kind).enter(Box::new(move |place| engines.call_now(call, place)));
    }

    fn call_now(&self, call: Call, place: Place) {
        let Call { id, engine, target, op } = call;
        let destroys = matches!(op, EngineOp::Destroy);
        let (verb, body, deadline) = self.request(&target, op);
        let (inbox, key, name) = (Arc::clone(&self.link.inbox), target.key, engine.clone());
        self.ask(&engine, verb, body, deadline, move |answer| {
            let shown = answer.and_then(|body| if destroys { Ok(None) } else { read(&body).map(Some) });
            let result = shown
                .map(|shown| shown.map(|shown| instance(key.clone(), name, shown, boot_time())))
                .map_err(engine_error);
            inbox.answer(Input::Answered { call: id, key, result });
            drop(place);
        });
    }

    fn line(&self, engine: &EngineName, kind: Kind) -> Arc<Line> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(lines.entry((engine.clone(), kind)).or_insert_with(|| Line::of(kind.most())))
    }

    /// An operation in the boundary's words, and how long it may take.
    fn request(&self, target: &Target, op: EngineOp) -> (&'static str, Body, Duration) {
        let name = target.handle.clone().unwrap_or_else(|| instance_name(target));
        match op {
            EngineOp::Create { image, revision } => {
                let labels = labels(&target.key, &self.link.cluster, self.link.node, revision);
                (ops::op::CREATE, write(&create_request(name, labels, &image)), WORK)
            }
            EngineOp::Start => (ops::op::START, write(&ops::InstanceRef { name }), WORK),
            EngineOp::Stop { signal, grace } => {
                let request = ops::StopRequest { name, grace_ms: grace, signal };
                (ops::op::STOP, write(&request), WORK + Duration::from_millis(grace))
            }
            EngineOp::Destroy => (ops::op::DESTROY, write(&ops::InstanceRef { name }), WORK),
            EngineOp::Inspect => (ops::op::INSPECT, write(&ops::InstanceRef { name }), QUICK),
        }
    }

    /// An instance's output, as a stream of lines.
    pub async fn logs(&self, instance: Option<Instance>, wish: LogsWish) -> Result<UnixStream, EngineError> {
        let instance = instance.ok_or_else(|| EngineError {
            kind: EngineErrorKind::NotFound,
            message: "no engine shows this instance; it may not be made yet".into(),
        })?;
        let plugin = self.plugin(&instance.engine).map_err(engine_error)?;
        let (ours, theirs) = stream_pair().map_err(io_error)?;
        let LogsWish { follow, tail, since_ms } = wish;
        let request = ops::LogsRequest { name: instance.handle, follow, tail, since_ms };
        let (end, ended) = oneshot::channel();
        let body = write(&request).map_err(engine_error)?;
        plugin.call(ops::op::LOGS, &body, Some(theirs), None, move |ended| {
            let _nobody_waits = end.send(ended);
        });
        ours.set_nonblocking(true).map_err(io_error)?;
        let stream = UnixStream::from_std(ours).map_err(io_error)?;
        first_sign(&stream, ended).await?;
        Ok(stream)
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

fn io_error(error: std::io::Error) -> EngineError {
    EngineError { kind: EngineErrorKind::Failed, message: format!("the stream cannot be opened: {error}") }
}

/// Waits for the first sign of a stream: output, silence, or the refusal that came instead.
async fn first_sign(
    stream: &UnixStream,
    ended: oneshot::Receiver<Result<Vec<u8>, ops::Error>>,
) -> Result<(), EngineError> {
    let ended = async { ended.await.unwrap_or(Ok(Vec::new())).map(drop).map_err(engine_error) };
    tokio::pin!(ended);
    tokio::select! {
        biased;
        ended = &mut ended => return ended,
        _ = stream.readable() => {}
        () = tokio::time::sleep(SILENCE) => return Ok(()),
    }
    let hung_up = matches!(rustix::net::recv(stream, &mut [0_u8; 1][..], RecvFlags::PEEK), Ok((_, 0)));
    if !hung_up {
        return Ok(());
    }
    tokio::time::timeout(QUICK, ended).await.unwrap_or(Ok(()))
}
