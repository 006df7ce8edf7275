//! What the client verbs do: one file a noun. Each asks the daemon, shows the answer, and decides nothing about services itself.

mod apply;
mod blueprint;
mod capability;
mod change;
mod config;
mod events;
mod find;
mod logs;
mod node;
mod plugin;
mod ps;
mod service;
mod status;
mod watch;

use crate::args::{self, Global, Verb};
use crate::client::Client;
use crate::exit::Failure;
use crate::session::Session;

/// Does what the command line says.
///
/// # Errors
/// When it could not be done, with the exit code that says how.
pub fn act(global: &Global, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Blueprint(args::Blueprint::Validate(args)) => blueprint::validate(&args),
        Verb::Config(args::Config::Show(shown)) => config::show(global, shown),
        Verb::Config(args::Config::Check) => config::check(global),
        verb => {
            let session = Session::new(Client::new(global.endpoint()?));
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(ask(session, verb))
        }
    }
}

async fn ask(mut session: Session, verb: Verb) -> Result<(), Failure> {
    let session = &mut session;
    match verb {
        Verb::Apply(args) => apply::apply(session, &args).await,
        Verb::Ps(shown) => ps::list(session, shown).await,
        Verb::Service(service) => of_service(session, service).await,
        Verb::Capability(args::Capability::List(shown)) => capability::list(session, shown).await,
        Verb::Node(args::Node::List(shown)) => node::list(session, shown).await,
        Verb::Node(args::Node::Show(args)) => node::show(session, &args).await,
        Verb::Plugin(args::Plugin::List(shown)) => plugin::list(session, shown).await,
        Verb::Plugin(args::Plugin::Show(args)) => plugin::show(session, &args).await,
        Verb::Status(shown) => status::show(session, shown).await,
        Verb::Events(args) => events::all(session, &args).await,
        // these need no daemon
        Verb::Run(_) | Verb::Blueprint(_) | Verb::Config(_) => Ok(()),
    }
}

async fn of_service(session: &mut Session, service: args::Service) -> Result<(), Failure> {
    match service {
        args::Service::List(shown) => service::list(session, shown).await,
        args::Service::Show(args) => service::show(session, &args).await,
        args::Service::Logs(args) => logs::print(session, &args).await,
        args::Service::Events(args) => events::of_service(session, &args).await,
        args::Service::Blueprint(named) => service::blueprint(session, &named).await,
        args::Service::Stop(args) => change::stop(session, &args).await,
        args::Service::Start(args) => change::start(session, &args).await,
        args::Service::Restart(args) => change::restart(session, &args).await,
        args::Service::Scale(args) => change::scale(session, &args).await,
        args::Service::Rm(args) => change::remove(session, &args).await,
    }
}
