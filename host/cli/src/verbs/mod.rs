//! What the client verbs do: one file a noun. Each asks the daemon, shows the answer, and decides nothing about services itself.

mod apply;
pub mod blueprint;
mod capability;
mod change;
pub mod config;
mod events;
mod find;
mod logs;
mod node;
mod plugin;
mod ps;
mod revision;
mod service;
mod status;
mod watch;
mod why;

use crate::args::{self, Global};
use crate::client::Client;
use crate::exit::Failure;
use crate::session::Session;

/// Does what the command line says, with the daemon that it means.
///
/// # Errors
/// When it could not be done, with the exit code that says how.
pub fn ask(global: &Global, verb: args::Client) -> Result<(), Failure> {
    let session = Session::new(Client::new(global.endpoint()?));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(act(session, verb))
}

async fn act(mut session: Session, verb: args::Client) -> Result<(), Failure> {
    let session = &mut session;
    match verb {
        args::Client::Apply(args) => apply::apply(session, &args).await,
        args::Client::Ps(shown) => ps::list(session, shown).await,
        args::Client::Service(service) => of_service(session, service).await,
        args::Client::Capability(args::Capability::List(shown)) => capability::list(session, shown).await,
        args::Client::Capability(args::Capability::Add(args)) => capability::add(session, &args).await,
        args::Client::Capability(args::Capability::Remove(args)) => capability::remove(session, &args).await,
        args::Client::Node(node) => of_node(session, node).await,
        args::Client::Plugin(args::Plugin::List(shown)) => plugin::list(session, shown).await,
        args::Client::Plugin(args::Plugin::Show(args)) => plugin::show(session, &args).await,
        args::Client::Status(shown) => status::show(session, shown).await,
        args::Client::Events(args) => events::all(session, &args).await,
    }
}

async fn of_node(session: &mut Session, node: args::Node) -> Result<(), Failure> {
    match node {
        args::Node::List(shown) => node::list(session, shown).await,
        args::Node::Show(args) => node::show(session, &args).await,
        args::Node::Cordon(named) => node::take_on(session, &named, "cordon").await,
        args::Node::Uncordon(named) => node::take_on(session, &named, "uncordon").await,
        args::Node::Drain(named) => node::take_on(session, &named, "drain").await,
        args::Node::Forget(gone) => node::forget(session, &gone).await,
    }
}

async fn of_service(session: &mut Session, service: args::Service) -> Result<(), Failure> {
    match service {
        args::Service::List(shown) => service::list(session, shown).await,
        args::Service::Show(args) => service::show(session, &args).await,
        args::Service::Why(args) => why::tell(session, &args).await,
        args::Service::Logs(args) => logs::print(session, &args).await,
        args::Service::Events(args) => events::of_service(session, &args).await,
        args::Service::Blueprint(named) => service::blueprint(session, &named).await,
        args::Service::Revisions(args) => revision::list(session, &args).await,
        args::Service::Rollback(args) => revision::roll_back(session, &args).await,
        args::Service::Stop(args) => change::stop(session, &args).await,
        args::Service::Start(args) => change::start(session, &args).await,
        args::Service::Restart(args) => change::restart(session, &args).await,
        args::Service::Scale(args) => change::scale(session, &args).await,
        args::Service::Rm(args) => change::remove(session, &args).await,
    }
}
