//! A node at work: the loop that takes one input at a time through note, decide, commit, apply and effects, and the
//! handle by which the adapters reach it.
//!
//! The loop has a thread of its own, since a commit blocks. Nothing else changes the core or writes to the store.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use motey_core::Core;
use motey_core::id::{EngineName, Millis, NodeId, NodeName, ServiceId};
use motey_core::instance::Instance;
use motey_core::phase::Condition;
use motey_core::record::InstanceKey;
use motey_core::step::{Answer, AskId, Dropped, Effect, EngineError, EngineState, Input, Request, Txn};
use motey_plugin_host::PluginManager;
use tokio::net::UnixStream;
use tokio::sync::oneshot;

use crate::cause::chain;
use crate::clock::boot_time;
use crate::engines::{Engines, LogsWish};
use crate::inbox::{AnswerTo, Inbox, Message, Turned, Unwritten};
use crate::probes::Probes;
use crate::store::{Entry, Past, Span, SqliteStore, StoreError, StoreReader};

/// How long a client waits for the loop. A commit on a busy disk takes a fraction of it.
const ASK_DEADLINE: Duration = Duration::from_secs(30);

/// How long after a failed commit its services are looked at again, in milliseconds.
const COMMIT_RETRY: u64 = 2_000;

/// What people and programs call this node.
#[derive(Clone, Debug)]
pub struct Identity {
    /// For ever.
    pub id: NodeId,
    /// Changeable, need not be unique.
    pub name: NodeName,
    /// The cluster it belongs to.
    pub cluster: String,
    /// Of the program.
    pub version: &'static str,
    /// When this life began, in milliseconds since 1970.
    pub started: i64,
}

/// Why a request got no answer of the core.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AskError {
    /// Nothing of it is stored.
    #[error("the disk that holds the node's state is full; nothing was stored, make room and ask again")]
    StoreFull,
    /// Nothing of it is stored.
    #[error("the node's state cannot be written: {0}")]
    Store(String),
    /// Nothing of it was looked at.
    #[error("the node has too many requests waiting; ask again in a moment")]
    Busy,
    /// Whether it was done is not known.
    #[error("the node did not answer in time; ask how the service is before asking again")]
    TimedOut,
    /// Whether it was done is not known.
    #[error("the node is stopping")]
    Closed,
}

impl From<Turned> for AskError {
    fn from(turned: Turned) -> Self {
        match turned {
            Turned::Busy => Self::Busy,
            Turned::Closed => Self::Closed,
        }
    }
}

/// A handle to a node at work; cheap to clone.
#[derive(Clone)]
pub struct Node(Arc<Shared>);

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Node").field(&self.0.identity).finish()
    }
}

pub(crate) struct Shared {
    pub identity: Identity,
    pub core: RwLock<Core>,
    pub inbox: Arc<Inbox>,
    pub reader: Mutex<StoreReader>,
    pub engines: Engines,
    pub probes: Probes,
}

impl Node {
    pub(crate) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    /// Asks for a change; answered once it is committed.
    ///
    /// # Errors
    /// When the core never decided on it, or its decision could not be stored.
    pub async fn ask(&self, request: Request) -> Result<Answer, AskError> {
        let (to, answer) = oneshot::channel();
        self.0.inbox.ask(request, to)?;
        match tokio::time::timeout(ASK_DEADLINE, answer).await {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(Unwritten::Full))) => Err(AskError::StoreFull),
            Ok(Ok(Err(Unwritten::Store(text)))) => Err(AskError::Store(text)),
            Ok(Err(_)) => Err(AskError::Closed),
            Err(_) => Err(AskError::TimedOut),
        }
    }

    /// Whether the loop still takes what comes; answers once everything before it is done.
    ///
    /// # Errors
    /// When it does not, or not by `deadline`.
    pub async fn ping(&self, deadline: Duration) -> Result<(), AskError> {
        let (to, answer) = oneshot::channel();
        self.0.inbox.ping(to)?;
        match tokio::time::timeout(deadline, answer).await {
            Ok(answered) => answered.map_err(|_| AskError::Closed),
            Err(_) => Err(AskError::TimedOut),
        }
    }

    /// Reads memory as of the last committed step. The closure holds a lock: it must be short.
    pub fn read<T>(&self, f: impl FnOnce(&Core) -> T) -> T {
        f(&self.0.core.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lines of the journal, of one service or of all. Blocks while it reads the disk.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn history(&self, of: Option<ServiceId>, span: Span, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let reader = self.0.reader.lock().unwrap_or_else(PoisonError::into_inner);
        reader.read(of, span, limit)
    }

    /// The last revisions of a service, the newest first. Blocks while it reads the disk.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn revisions(&self, of: ServiceId) -> Result<Vec<Past>, StoreError> {
        let reader = self.0.reader.lock().unwrap_or_else(PoisonError::into_inner);
        reader.revisions(of)
    }

    /// Every plugin, the refused ones too.
    pub fn plugins(&self) -> &Arc<PluginManager> {
        self.0.engines.plugins()
    }

    pub(crate) fn engines(&self) -> &Engines {
        &self.0.engines
    }

    /// Who this node is.
    pub fn identity(&self) -> &Identity {
        &self.0.identity
    }

    /// An instance's output, as a stream of lines.
    ///
    /// # Errors
    /// When its engine does not know it or cannot do this.
    pub async fn logs(&self, key: &InstanceKey, wish: LogsWish) -> Result<UnixStream, EngineError> {
        let instance = self.read(|core| core.instance(key).cloned());
        self.0.engines.logs(instance, wish).await
    }
}

/// A point in the life of a decision. Who drives the loop may be told; see [`Loop::watched_by`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// A request was read, nothing is decided.
    RequestRead,
    /// A decision is durable, nobody knows of it.
    Committed,
    /// An engine was called.
    CallSent,
    /// An engine answered, nothing followed from it.
    EngineDone,
    /// What an engine showed is part of the state.
    ReportApplied,
    /// A lease was freed in the store.
    LeaseFreed,
}

/// The one writer of core and store.
pub(crate) struct Loop {
    node: Node,
    store: SqliteStore,
    asking: HashMap<AskId, AnswerTo>,
    asked: u64,
    /// How the node was after the last step.
    condition: Condition,
    watcher: Box<dyn FnMut(Stage) + Send>,
}

impl Loop {
    pub fn new(node: Node, store: SqliteStore) -> Self {
        let condition = node.read(Core::condition);
        Self { node, store, asking: HashMap::new(), asked: 0, condition, watcher: Box::new(|_| {}) }
    }

    /// Tells `watcher` of every stage, in the loop's thread.
    pub fn watched_by(mut self, watcher: Box<dyn FnMut(Stage) + Send>) -> Self {
        self.watcher = watcher;
        self
    }

    /// Works until it is told to stop.
    pub fn run(mut self) {
        loop {
            let wait = self.until_due();
            if wait == Some(Duration::ZERO) {
                self.step(&Input::Tick);
            }
            match self.node.0.inbox.next(wait) {
                Some(Message::Stop) => return,
                Some(Message::Ask(request, to)) => self.ask(request, to),
                Some(Message::Input(input)) => self.input(&input),
                Some(Message::Ping(to)) => {
                    let _nobody_waits = to.send(());
                }
                Some(Message::Relist(engine)) => self.node.0.engines.list(&engine),
                None => {}
            }
        }
    }

    /// Zero while something is due: time goes before messages, however many there are.
    fn until_due(&self) -> Option<Duration> {
        let due = self.node.read(Core::next_due)?;
        Some(Duration::from_millis(due.0.saturating_sub(boot_time().0)))
    }

    fn ask(&mut self, request: Request, to: AnswerTo) {
        (self.watcher)(Stage::RequestRead);
        self.asked += 1;
        let ask = AskId(self.asked);
        self.asking.insert(ask, to);
        self.step(&Input::Asked { ask, request });
    }

    fn input(&mut self, input: &Input) {
        let answered = matches!(input, Input::Answered { .. });
        if let Input::Engine { name, state: EngineState::Up { instances, .. } } = input {
            self.tell_strays(name, instances);
        }
        if answered {
            (self.watcher)(Stage::EngineDone);
        }
        self.step(input);
        if answered {
            (self.watcher)(Stage::ReportApplied);
        }
    }

    /// Absence is no evidence: what is of no known service is left alone, and somebody has to know of it. What a record
    /// knows nothing of is its owner's business.
    fn tell_strays(&self, engine: &EngineName, instances: &[Instance]) {
        let strays: Vec<&str> = self.node.read(|core| {
            let strays = instances.iter().filter(|instance| core.record(instance.key.service).is_none());
            strays.map(|instance| instance.handle.as_str()).collect()
        });
        if let Some(first) = strays.first() {
            let count = strays.len();
            log::warn!(
                "{count} instances on {engine} belong to no service that this node knows and are left alone: {first}, …"
            );
        }
    }

    /// One input, from noting it to the effects of what was decided.
    fn step(&mut self, input: &Input) {
        let now = boot_time();
        self.write(|core| core.note(input));
        let step = self.node.read(|core| core.decide(input, now));
        let frees = !step.txn().freed.is_empty();
        let mut written = false;
        match step.commit(|txn| self.store(txn, &mut written)) {
            Ok(committed) => {
                if written {
                    (self.watcher)(Stage::Committed);
                }
                if written && frees {
                    (self.watcher)(Stage::LeaseFreed);
                }
                let effects = self.write(|core| core.apply(committed));
                effects.into_iter().for_each(|effect| self.perform(effect));
            }
            Err((dropped, error)) => self.not_stored(&dropped, &error, now),
        }
        self.tell_condition();
    }

    /// The phases of a node are a story, too.
    fn tell_condition(&mut self) {
        let condition = self.node.read(Core::condition);
        if condition != self.condition {
            let called = self.node.read(|core| core.called(core.identity().node));
            let why = condition.why(&called).unwrap_or_else(|| format!("{called} takes what fits"));
            log::info!("{}: {why}", condition.phase().as_str());
            self.condition = condition;
        }
    }

    /// A mere story that cannot be written is lost, and that is told.
    fn store(&mut self, txn: &Txn, written: &mut bool) -> Result<(), StoreError> {
        let done = self.store.commit(txn);
        *written = done.is_ok();
        if let Err(error) = &done
            && txn.only_tells()
        {
            log::warn!("lines of the journal are lost: {}", chain(error));
        }
        done
    }

    fn write<T>(&self, f: impl FnOnce(&mut Core) -> T) -> T {
        f(&mut self.node.0.core.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Answer(ask, answer) => self.reply(ask, Ok(answer)),
            Effect::Call(call) => {
                self.node.0.engines.call(call);
                (self.watcher)(Stage::CallSent);
            }
            Effect::Check(check) => self.node.0.probes.start(check),
            Effect::Offer { source, all } => self.step(&Input::Capabilities { source, all }),
            Effect::Send(to, _) => log::warn!("nothing can be sent to node {to}: this node stands alone"),
        }
    }

    /// Who asked is told; the rest of the step is decided again later.
    fn not_stored(&mut self, dropped: &Dropped, error: &StoreError, now: Millis) {
        if self.condition != Condition::CannotWrite || !dropped.asks.is_empty() {
            // what is tried again and again is told once
            log::error!("a decision was not stored and is put off: {}", chain(error));
        }
        let why = match error {
            StoreError::Full { .. } => Unwritten::Full,
            error => Unwritten::Store(chain(error)),
        };
        for ask in &dropped.asks {
            self.reply(*ask, Err(why.clone()));
        }
        self.write(|core| core.postpone(dropped, now.after(COMMIT_RETRY)));
    }

    /// A client that does not wait any more misses its answer; what was decided stands.
    fn reply(&mut self, ask: AskId, answer: Result<Answer, Unwritten>) {
        if let Some(to) = self.asking.remove(&ask) {
            let _gone = to.send(answer);
        }
    }
}
