//! A node with a store, a loop and both doors, and no plugin: what is deployed on it waits for an engine.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use motey_core::id::{NodeId, NodeName};
use motey_core::phase::Parts;
use motey_core::step::{EngineState, Input};
use motey_core::{Core, Tuning};
use motey_plugin_host::{Places, PluginManager, Trust};
use motey_plugin_ops::HostInfo;
use tempfile::TempDir;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::client::{Connection, Reply};
use crate::engines::{Engines, Link};
use crate::inbox::Inbox;
use crate::node::{Identity, Loop, Node, Shared};
use crate::probes::Probes;
use crate::rest::{Auth, Limits, Rest, Token, bind_tcp, bind_unix, serve};
use crate::store::SqliteStore;

pub(super) const NODE: NodeId = NodeId(Uuid::from_u128(1));

pub(super) struct Fixture {
    pub address: SocketAddr,
    pub socket: PathBuf,
    pub token: String,
    inbox: Arc<Inbox>,
    worker: Option<JoinHandle<()>>,
    shutdown: Option<oneshot::Sender<()>>,
    pub served: tokio::task::JoinHandle<()>,
    _directory: TempDir,
}

impl Fixture {
    pub(super) async fn start() -> Self {
        Self::with(Limits::default()).await
    }

    pub(super) async fn with(limits: Limits) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let token = directory.path().join("token");
        let auth = Auth::Token(Token::load_or_create(&token).expect("a token"));
        let token = std::fs::read_to_string(token).expect("a token file").trim().to_owned();
        let socket = directory.path().join("motey.sock");
        let tcp = bind_tcp(([127, 0, 0, 1], 0).into()).await.expect("a port");
        let unix = bind_unix(&socket).expect("a socket");
        let address = tcp.local_addr().expect("an address");
        let (node, inbox, worker) = node(directory.path().join("motey.db"));
        let rest = Rest { node, auth, state_dir: directory.path().into(), limits };
        let (shutdown, asked) = oneshot::channel::<()>();
        let served = tokio::spawn(serve(Some(tcp), Some(unix), rest, async {
            let _ended_either_way = asked.await;
        }));
        let (worker, shutdown) = (Some(worker), Some(shutdown));
        Self { address, socket, token, inbox, worker, shutdown, served, _directory: directory }
    }

    pub(super) async fn connect(&self) -> Connection<TcpStream> {
        Connection(TcpStream::connect(self.address).await.expect("connected"))
    }

    pub(super) async fn connect_unix(&self) -> Connection<UnixStream> {
        Connection(UnixStream::connect(&self.socket).await.expect("connected"))
    }

    /// One request over the Unix socket.
    pub(super) async fn ask(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Reply {
        let mut connection = self.connect_unix().await;
        connection.send(&request(method, path, headers, body)).await;
        connection.receive().await
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, "", b"").await
    }

    pub(super) async fn post_yaml(&self, path: &str, body: &[u8]) -> Reply {
        self.ask("POST", path, "Content-Type: application/x-yaml\r\n", body).await
    }

    /// The node believes in an engine that it cannot reach: instances are decided on, and their calls fail.
    pub(super) fn believe_in(&self, engine: &str) {
        let name = engine.parse().expect("a name");
        let features = ["command", "logs"].map(str::to_owned).into();
        let state = EngineState::Up { features, instances: Vec::new() };
        self.inbox.answer(Input::Engine { name, state });
    }

    pub(super) fn shut_down(&mut self) {
        drop(self.shutdown.take());
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.served.abort();
        self.inbox.stop();
        let ended = self.worker.take().is_none_or(|worker| worker.join().is_ok());
        assert!(ended || std::thread::panicking(), "the loop panicked");
    }
}

pub(super) fn request(method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

pub(super) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let within = tokio::time::timeout(Duration::from_secs(20), future).await;
    within.unwrap_or_else(|_| panic!("{what} did not happen within 20 s"))
}

fn node(database: PathBuf) -> (Node, Arc<Inbox>, JoinHandle<()>) {
    let (store, loaded) = SqliteStore::open(&database, 7, || 1_764_000_000_000).expect("a store");
    let name: NodeName = "cell-7".parse().expect("a name");
    let me = motey_core::Identity { node: NODE, name: name.clone(), incarnation: loaded.incarnation };
    let inbox = Arc::new(Inbox::default());
    let link = Arc::new(Link::new(NODE, "motey".into(), BTreeMap::new(), Arc::clone(&inbox)));
    let places = Places { directories: Vec::new(), disabled: Vec::new(), trust: Trust::Any };
    let plugins = PluginManager::new(places, HostInfo::default(), BTreeMap::new(), Arc::clone(&link) as _);
    let identity =
        Identity { id: NODE, name, cluster: "motey".into(), version: "0.1.0", started: 1_764_000_000_000 };
    let node = Node::new(Shared {
        identity,
        core: RwLock::new(Core::new(me, Tuning::default(), loaded.stored)),
        inbox: Arc::clone(&inbox),
        reader: Mutex::new(store.reader().expect("a reader")),
        engines: Engines::new(Arc::new(plugins), link, "/nonexistent".into()),
        probes: Probes::new(tokio::runtime::Handle::current(), Arc::clone(&inbox)),
    });
    inbox.answer(Input::Parts(Parts::default()));
    let work = Loop::new(node.clone(), store);
    (node, inbox, std::thread::spawn(move || work.run()))
}
