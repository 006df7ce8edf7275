//! REST over HTTP/1.1: the one route table, and what every request passes on its way to a handler.
//!
//! Handlers are grouped by resource; they ask the [`Node`] and show what it knows. No decision about a service is
//! made here, nothing is kept here, and a GET never leaves the node. Status codes are known to `error.rs` alone.

mod apart;
mod auth;
mod body;
mod capability;
mod endpoint;
mod error;
mod event;
mod health;
mod links;
mod logs;
mod node;
mod patient;
mod plan;
mod plugin;
mod query;
mod remedy;
mod revision;
mod root;
mod seats;
mod server;
mod service;
mod socket;
mod status;
mod view;
mod why;

use std::convert::Infallible;
use std::future::ready;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use warp::filters::BoxedFilter;
use warp::http::{HeaderMap, Method};
use warp::reply::Response;
use warp::{Filter, Rejection};

pub use auth::{Auth, Token, TokenError};
pub use server::{Limits, serve};
pub use socket::{BindError, bind_tcp, bind_unix};

use crate::node::Node;
use apart::Apart;
use error::Problem;
use query::Query;

/// What the adapter is made of.
pub struct Rest {
    /// Who answers.
    pub node: Node,
    /// What TCP clients have to show.
    pub auth: Auth,
    /// The file system whose room `/v1/nodestatus` tells.
    pub state_dir: PathBuf,
    /// What a client may take of the node.
    pub limits: Limits,
}

/// What handlers share.
struct Api {
    node: Node,
    auth: Auth,
    limits: Limits,
    gauge: Arc<status::Gauge>,
    apart: Works,
    /// Turns true when the server drains: endless answers end then.
    closing: watch::Receiver<bool>,
}

/// The kinds of blocking work. None must be able to starve another.
struct Works {
    journal: Apart,
    revisions: Apart,
    blueprints: Apart,
    plans: Apart,
    gauges: Apart,
}

impl Works {
    fn new() -> Self {
        Self {
            journal: Apart::new("the journal", 2, Duration::from_secs(30)),
            revisions: Apart::new("the revisions", 1, Duration::from_secs(30)),
            blueprints: Apart::new("the blueprint", 2, Duration::from_secs(30)),
            // each keeps the node from deciding while it looks
            plans: Apart::new("the plan", 1, Duration::from_secs(30)),
            gauges: Apart::new("the machine's state", 1, Duration::from_secs(5)),
        }
    }
}

/// One request as a handler gets it.
struct Call {
    api: Arc<Api>,
    headers: HeaderMap,
    query: Query,
    body: Result<Bytes, Problem>,
}

/// What a handler makes of it.
type Outcome = Result<Response, Problem>;

/// One line of the route table.
struct Route {
    /// The relation under which `/v1` links to it.
    rel: &'static str,
    /// As in the documentation: `{id}` stands for one segment.
    path: &'static str,
    methods: &'static [&'static str],
}

macro_rules! path_text {
    ($($segment:tt)/+) => { concat!($(path_text!(@ $segment)),+) };
    (@ String) => { "/{id}" };
    (@ $name:literal) => { concat!("/", $name) };
}

/// Makes the documented table and the filters of the same lines, so that they cannot differ.
macro_rules! routes {
    ($($rel:literal $path:tt { $($method:ident $handler:path),+ })+) => {
        const ROUTES: &[Route] = &[$(
            Route { rel: $rel, path: path_text! $path, methods: &[$(stringify!($method)),+] }
        ),+];

        fn table(api: &Arc<Api>) -> BoxedFilter<(Outcome,)> {
            let all = warp::any().and_then(|| ready(Err(warp::reject::not_found()))).boxed();
            $($(
                let all = warp::path! $path
                    .and(verb(Method::$method))
                    .and(call(api))
                    .then($handler)
                    .or(all)
                    .unify()
                    .boxed();
            )+)+
            all
        }
    };
}

// the last line is tried first
routes! {
    "self" ("v1") { GET root::show }
    "health" ("healthz") { GET health::alive }
    "ready" ("readyz") { GET health::ready }
    "plugins" ("v1" / "plugins") { GET plugin::list }
    "node-status" ("v1" / "nodestatus") { GET status::show }
    "node-forget" ("v1" / "nodes" / String / "forget") { POST node::forget }
    "node-drain" ("v1" / "nodes" / String / "drain") { POST node::drain }
    "node-uncordon" ("v1" / "nodes" / String / "uncordon") { POST node::uncordon }
    "node-cordon" ("v1" / "nodes" / String / "cordon") { POST node::cordon }
    "node" ("v1" / "nodes" / String) { GET node::show }
    "nodes" ("v1" / "nodes") { GET node::list }
    "capabilities" ("v1" / "capabilities") { DELETE capability::withdraw, GET capability::list, PUT capability::offer }
    "plan" ("v1" / "plan") { POST plan::make }
    "endpoints" ("v1" / "endpoints") { GET endpoint::list }
    "events" ("v1" / "events") { GET event::list }
    "service-events" ("v1" / "service" / String / "events") { GET event::of_service }
    "service-why" ("v1" / "service" / String / "why") { GET why::tell }
    "service-blueprint" ("v1" / "service" / String / "blueprint") { GET service::blueprint }
    "service-logs" ("v1" / "service" / String / "logs") { GET logs::read }
    "service-rollback" ("v1" / "service" / String / "rollback") { POST revision::roll_back }
    "service-revisions" ("v1" / "service" / String / "revisions") { GET revision::list }
    "service-scale" ("v1" / "service" / String / "scale") { POST service::scale }
    "service-restart" ("v1" / "service" / String / "restart") { POST service::restart }
    "service-stop" ("v1" / "service" / String / "stop") { POST service::stop }
    "service-start" ("v1" / "service" / String / "start") { POST service::start }
    "service" ("v1" / "service" / String) { GET service::show, DELETE service::delete, PUT service::update }
    "services" ("v1" / "service") { GET service::list, DELETE service::delete_named, POST service::deploy }
}

/// Everything that is served. A request passes the gate, then finds its line of the table.
fn routes(api: &Arc<Api>) -> BoxedFilter<(Response,)> {
    let served = auth::gate(Arc::clone(api)).and(table(api)).or_else(|rejection: Rejection| {
        let problem = rejection.find::<error::Turned>().map_or(Problem::NoRoute, error::Turned::problem);
        ready(Ok::<(Outcome,), Infallible>((Err(problem),)))
    });
    warp::method()
        .and(warp::path::full())
        .and(served)
        .map(|method: Method, path: warp::path::FullPath, outcome: Outcome| match outcome {
            Ok(response) => response,
            Err(Problem::NoRoute) => no_route(&method, path.as_str()).into_response(path.as_str()),
            Err(problem) => problem.into_response(path.as_str()),
        })
        .boxed()
}

/// The line of the table for that path exists with other methods, or it does not exist.
fn no_route(method: &Method, path: &str) -> Problem {
    match ROUTES.iter().find(|route| route.covers(path)) {
        Some(route) => Problem::Method { method: method.clone(), allow: route.allow() },
        None => Problem::NoRoute,
    }
}

impl Route {
    fn covers(&self, path: &str) -> bool {
        let wanted = self.path.split('/');
        let given = path.strip_suffix('/').unwrap_or(path).split('/');
        wanted.clone().count() == given.clone().count()
            && wanted.zip(given).all(|(wanted, given)| wanted == given || wanted.starts_with('{'))
    }

    /// The value of the header `Allow`.
    fn allow(&self) -> String {
        let head = self.methods.contains(&"GET").then_some("HEAD");
        self.methods.iter().copied().chain(head).collect::<Vec<_>>().join(", ")
    }
}

/// Lets a method pass; GET stands for HEAD, too.
fn verb(wanted: Method) -> impl Filter<Extract = (), Error = Rejection> + Clone {
    warp::method()
        .and_then(move |given: Method| {
            let fits = given == wanted || (wanted == Method::GET && given == Method::HEAD);
            ready(if fits { Ok(()) } else { Err(warp::reject::not_found()) })
        })
        .untuple_one()
}

fn call(api: &Arc<Api>) -> impl Filter<Extract = (Call,), Error = Rejection> + Clone + use<> {
    let api = Arc::clone(api);
    warp::header::headers_cloned().and(warp::query::<Vec<(String, String)>>()).and(warp::body::stream()).then(
        move |headers: HeaderMap, query, stream| {
            let api = Arc::clone(&api);
            async move {
                let body = body::collect(stream, &headers, &api.limits).await;
                Call { api, headers, query: Query::new(query), body }
            }
        },
    )
}

#[cfg(test)]
mod tests;
