//! The one place that knows every part of a node: builds them, starts them, and ends them in the right order.
//!
//! Everything that can fail fails before a port is open. Ready means: the store is open, the loop works, both doors
//! are open; plugins come in after that.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, RwLock};
use std::thread;
use std::time::Duration;

use motey_core::capability::{CapId, Capability, Scalar, Supply};
use motey_core::id::{EngineName, NodeName};
use motey_core::phase;
use motey_core::step::Input;
use motey_core::{Core, Tuning};
use motey_plugin_host::{Places, PluginManager, State, Trust};
use motey_plugin_ops::{Category, HostInfo};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use uuid::Uuid;

use crate::clock::wall_time;
use crate::config::{self, Config};
use crate::engines::{Engines, Link};
use crate::inbox::Inbox;
use crate::node::{Identity, Loop, Node, Shared, Stage};
use crate::probes::Probes;
use crate::providers::Providers;
use crate::rest::{self, BindError, Limits, Rest, Token, TokenError};
use crate::store::{IdentityError, Loaded, SqliteStore, StateDir, StateDirError, StoreError, node_id};

/// How long plugins may take to end their calls when the node stops.
const PLUGIN_GRACE: Duration = Duration::from_secs(5);

/// How long the loop may take to end: a commit on a slow disk takes a fraction of it.
const LOOP_GRACE: Duration = Duration::from_secs(10);

/// The cluster of a node that has none configured.
const DEFAULT_CLUSTER: &str = "motey";

/// The source of what the node itself offers.
const NODE_SOURCE: &str = "node";

/// Is told of every stage of every decision, in the loop's thread.
pub type Watcher = Box<dyn FnMut(Stage) + Send>;

/// Why a node cannot work.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum RunError {
    #[error(transparent)]
    StateDir(#[from] StateDirError),
    #[error(transparent)]
    NodeId(#[from] IdentityError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error("the runtime directory {path} cannot be used: {source}")]
    RunDir { path: String, source: io::Error },
    #[error("this program's own path cannot be found, plugins need it: {0}")]
    Executable(io::Error),
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
    #[error("a thread cannot be started: {0}")]
    Thread(io::Error),
    #[error("the node's loop panicked; what it had committed stands, start the node again")]
    LoopPanicked,
    #[error("the node's loop did not end within {} s; what it had committed stands", .0.as_secs())]
    LoopStuck(Duration),
}

/// Runs a node until `shutdown`.
///
/// # Errors
/// Why it could not start. Once it is ready it ends without one.
pub fn run(config: &Config, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
    run_watched(config, shutdown, Box::new(|_| {}))
}

/// Runs a node as [`run`] does, and tells `watcher` how far its decisions are.
///
/// # Errors
/// As [`run`].
pub fn run_watched(
    config: &Config,
    shutdown: impl Future<Output = ()>,
    watcher: Watcher,
) -> Result<(), RunError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RunError::Thread)?;
    let ended = runtime.block_on(async {
        let parts = Parts::build(config)?;
        let doors = Doors::open(config).await?;
        let running = parts.start(watcher)?;
        doors.serve(config, &running, shutdown).await?;
        running.end().await
    });
    // what still blocks there, such as a file system that hangs, must not hold the node back
    runtime.shutdown_background();
    ended
}

/// A node that is built and does not work yet.
struct Parts {
    node: Node,
    store: SqliteStore,
    link: Arc<Link>,
    /// Held as long as the node lives: no second node may use its state.
    state_dir: StateDir,
    /// What is offered from the beginning, by source.
    offers: BTreeMap<String, Vec<Capability>>,
}

impl Parts {
    fn build(config: &Config) -> Result<Self, RunError> {
        let state_dir = StateDir::lock(&config.general.state_dir)?;
        let nonce = getrandom::u32().map_err(RunError::Random)?;
        let (store, mut loaded) = SqliteStore::open(&config.database_path(), nonce, wall_time)?;
        let mut offers = by_source(std::mem::take(&mut loaded.offers));
        offers.insert(NODE_SOURCE.to_owned(), labels(config));
        let owner = loaded.stored.records.first().map(|record| record.stamp.owner);
        let id = node_id(&state_dir, owner, Uuid::now_v7)?;
        let reader = Mutex::new(store.reader()?);
        let identity = Identity {
            id,
            name: config.node_name(),
            cluster: DEFAULT_CLUSTER.to_owned(),
            version: env!("CARGO_PKG_VERSION"),
            started: wall_time(),
        };
        let inbox = Arc::new(Inbox::default());
        let reserved = config.node.reserved.clone();
        let link = Arc::new(Link::new(id, identity.cluster.clone(), reserved, Arc::clone(&inbox)));
        let plugins = Arc::new(plugin_manager(config, &identity, &link)?);
        let probes = Probes::new(tokio::runtime::Handle::current(), Arc::clone(&inbox));
        let node = Node::new(Shared {
            core: RwLock::new(core(config, id, &identity.name, loaded)),
            engines: Engines::new(plugins, Arc::clone(&link), state_dir.path().join("volumes")),
            probes,
            identity,
            inbox,
            reader,
        });
        Ok(Self { node, store, link, state_dir, offers })
    }

    fn start(self, watcher: Watcher) -> Result<Running, RunError> {
        let Self { node, store, link, state_dir, offers } = self;
        for (source, all) in offers {
            link.inbox.answer(Input::Capabilities { source, all });
        }
        let work = Loop::new(node.clone(), store).watched_by(watcher);
        let (working, worker) = watch::channel(false);
        named("motey-loop", move || {
            work.run();
            // a panic drops it unsaid
            working.send_replace(true);
        })?;
        Ok(Running { node, link, worker, state_dir })
    }
}

fn core(config: &Config, node: motey_core::id::NodeId, name: &NodeName, loaded: Loaded) -> Core {
    let me = motey_core::Identity { node, name: name.clone(), incarnation: loaded.incarnation };
    let delay = u64::try_from(config.node.restart_delay.0.as_millis()).unwrap_or(u64::MAX);
    let tuning =
        Tuning { restart_attempts: config.node.restart_attempts, restart_delay: delay, ..Tuning::default() };
    // it is given no members: a node of this version stands alone
    Core::new(me, tuning, loaded.stored)
}

fn plugin_manager(config: &Config, identity: &Identity, link: &Arc<Link>) -> Result<PluginManager, RunError> {
    let places = Places {
        directories: config.plugins.directories.clone(),
        disabled: config.plugins.disabled.clone(),
        trust: match config.plugins.trust {
            config::Trust::Root => Trust::Root,
            config::Trust::Any => Trust::Any,
        },
    };
    let host = HostInfo {
        motey_exe: std::env::current_exe().map_err(RunError::Executable)?,
        state_dir: config.general.state_dir.clone(),
        run_dir: config.general.run_dir.clone(),
        node: identity.id.to_string(),
        cluster: identity.cluster.clone(),
        plugin_dir: std::path::PathBuf::new(),
    };
    Ok(PluginManager::new(places, host, config.plugins.config.clone(), Arc::clone(link) as _))
}

fn by_source(offers: Vec<Capability>) -> BTreeMap<String, Vec<Capability>> {
    let mut all = BTreeMap::<String, Vec<Capability>>::new();
    for offered in offers {
        all.entry(offered.id.source.clone()).or_default().push(offered);
    }
    all
}

/// A node's labels are capabilities of type `label`.
fn labels(config: &Config) -> Vec<Capability> {
    let label = |(name, value): (&String, &String)| Capability {
        id: CapId { source: NODE_SOURCE.to_owned(), name: name.clone(), unit: String::new() },
        kind: "label".to_owned(),
        props: BTreeMap::from([("is".to_owned(), Scalar::Text(value.clone()))]),
        supply: Supply::Shared,
        binding: None,
    };
    config.node.labels.iter().map(label).collect()
}

/// A node at work.
struct Running {
    node: Node,
    link: Arc<Link>,
    /// True once the loop is done; closed without it when the loop panicked.
    worker: watch::Receiver<bool>,
    state_dir: StateDir,
}

impl Running {
    /// Brings the plugins in; takes the engines and the providers among them into use.
    fn bring_in_plugins(&self) -> Result<(), RunError> {
        let plugins = Arc::clone(self.node.plugins());
        let engines = self.node.engines().clone();
        let providers = Providers::new(Arc::clone(&plugins), Arc::clone(&self.link));
        let link = Arc::clone(&self.link);
        named("motey-plugins", move || {
            plugins.start(|plugin| match (plugin.manifest().category, EngineName::new(plugin.id())) {
                (Category::Capability, _) => providers.watch(plugin.id()),
                (Category::Val, Ok(engine)) => engines.activate(&engine),
                (Category::Val, Err(error)) => log::warn!("the plugin {} is not used: {error}", plugin.id()),
            });
            link.inbox.answer(Input::Parts(parts(&plugins)));
            plugins.remarks().iter().for_each(|remark| log::warn!("{remark}"));
            tell_plugins(&plugins);
        })?;
        Ok(())
    }

    /// Plugins first, so that what they still answer is taken in; the loop, and with it the store, last.
    async fn end(mut self) -> Result<(), RunError> {
        self.link.close();
        self.node.plugins().close_all(PLUGIN_GRACE);
        self.link.inbox.stop();
        let ended = match tokio::time::timeout(LOOP_GRACE, self.worker.wait_for(|done| *done)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(RunError::LoopPanicked),
            Err(_) => Err(RunError::LoopStuck(LOOP_GRACE)),
        };
        drop(self.state_dir);
        ended
    }
}

/// What the node is made of: each of these speaks soon, or is told to be down.
fn parts(plugins: &PluginManager) -> phase::Parts {
    let ids = |category| {
        let active = plugins.by_category(category).into_iter().filter(|it| it.state() == State::Active);
        active.map(|plugin| plugin.id().to_owned())
    };
    let engines = ids(Category::Val).filter_map(|id| EngineName::new(&id).ok());
    phase::Parts { engines: engines.collect(), sources: ids(Category::Capability).collect() }
}

fn tell_plugins(plugins: &PluginManager) {
    let all = plugins.plugins();
    let active = all.iter().filter(|plugin| plugin.state == State::Active);
    let ids: Vec<_> = active.filter_map(|plugin| Some(plugin.manifest.as_ref()?.id.as_str())).collect();
    log::info!("plugins in use: {}", if ids.is_empty() { "none".to_owned() } else { ids.join(", ") });
}

fn named(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), RunError> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map(drop).map_err(RunError::Thread)
}

/// Where clients come in.
struct Doors {
    tcp: TcpListener,
    unix: UnixListener,
    auth: rest::Auth,
}

impl Doors {
    async fn open(config: &Config) -> Result<Self, RunError> {
        let run_dir = &config.general.run_dir;
        std::fs::create_dir_all(run_dir)
            .map_err(|source| RunError::RunDir { path: run_dir.display().to_string(), source })?;
        let address = SocketAddr::new(config.webserver.address, config.webserver.port);
        let tcp = rest::bind_tcp(address).await?;
        let unix = rest::bind_unix(&config.socket())?;
        let auth = match config.webserver.auth {
            config::Auth::Token => rest::Auth::Token(Token::load_or_create(&config.token_file())?),
            config::Auth::None => rest::Auth::None,
        };
        Ok(Self { tcp, unix, auth })
    }

    async fn serve(
        self,
        config: &Config,
        running: &Running,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), RunError> {
        let Identity { id, name, version, .. } = running.node.identity();
        log::info!("motey {version}, node {name} ({id})");
        match self.tcp.local_addr() {
            Ok(address) => log::info!("REST on http://{address} and {}", config.socket().display()),
            Err(error) => {
                log::warn!("REST on {}, and on a TCP port nobody knows: {error}", config.socket().display());
            }
        }
        let body = usize::try_from(config.webserver.body_limit.0).unwrap_or(usize::MAX);
        let rest = Rest {
            node: running.node.clone(),
            auth: self.auth,
            state_dir: config.general.state_dir.clone(),
            limits: Limits { body, ..Limits::default() },
        };
        running.bring_in_plugins()?;
        tell_service_manager(&[sd_notify::NotifyState::Ready]);
        // a node whose loop is gone must not look alive
        let mut worker = running.worker.clone();
        let end = async {
            tokio::select! {
                () = shutdown => {}
                _ = worker.wait_for(|done| *done) => log::error!("the node's loop has ended; the node stops, services go on"),
            }
        };
        rest::serve(Some(self.tcp), Some(self.unix), rest, end).await;
        tell_service_manager(&[sd_notify::NotifyState::Stopping]);
        Ok(())
    }
}

/// Without a service manager there is nobody to tell.
fn tell_service_manager(news: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(news) {
        log::debug!("the service manager was not told: {error}");
    }
}
