//! What the program ends with: the exit codes, and which failure has which.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use motey_daemon::RunError;
use motey_daemon::config::ConfigMistakes;

use crate::client::ClientError;
use crate::endpoint::EndpointError;

/// The exit codes, as `motey --help` and docs/cli.md list them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// It is as was asked.
    Ok = 0,
    /// It failed, or what was asked for is wrong.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// No such service, node or plugin.
    NotFound = 3,
    /// No node fits.
    NoNodeFits = 4,
    /// No daemon answers.
    Unreachable = 5,
    /// It did not come about in time; nothing was undone.
    TimedOut = 6,
    /// Ctrl-C, as shells count it; nothing was undone.
    Interrupted = 130,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

/// Ends the process here. The plugins' libraries are not asked: threads of theirs may be at work, and what a library does
/// when a process ends in the ordinary way (exit handlers, destructors) could crash or wait for ever.
pub fn at_once(code: Code) -> ! {
    // standard error has no buffer
    drop(io::stdout().flush());
    signal_hook::low_level::exit(i32::from(code as u8))
}

/// Why a verb did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error(transparent)]
    Config(#[from] ConfigMistakes),
    #[error("{path:?} cannot be read: {source}", path = path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the daemon cannot run: {}", motey_daemon::chain(.0))]
    Daemon(#[from] RunError),
    /// The diagnostics, ready to be shown.
    #[error("{0}")]
    Blueprint(String),
    #[error("no {kind} is called {name:?}; `motey {kind} list` shows them all")]
    NotFound { kind: &'static str, name: String },
    #[error(
        "nobody gave {name} to this node; what plugins report stays as it is: `motey capability list` shows the source of each"
    )]
    NotGiven { name: String },
    /// The daemon's words for what is wrong with it.
    #[error("{0}")]
    Capability(String),
    #[error("{count} services are called {name:?}; give one of their ids instead:\n{ids}", count = ids.len(), ids = lines(ids))]
    Ambiguous { name: String, ids: Vec<String> },
    #[error(
        "whether a change of {name:?} ({id}) can run is only known once it is made: apply it without --must-fit, or \
         deploy it as a service of its own"
    )]
    FitUnknown { name: String, id: String },
    #[error("the service {id} was removed meanwhile")]
    Removed { id: String },
    #[error("the service is in ERROR: {message}")]
    InError { message: String },
    #[error(
        "revision {revision} is no longer the service's, it has {now}: `motey service why {id}` tells whether it was taken back"
    )]
    Superseded { id: String, revision: u64, now: u64 },
    #[error(
        "after {after:?} the service is {state}{message}; it goes on without this command: `motey service show {id}`"
    )]
    TimedOut { after: Duration, state: String, message: String, id: String },
    #[error("no longer waiting; it goes on: `motey service show {id}`")]
    Interrupted { id: String },
    #[error(
        "the service is there already and no node can run it now: {message}; it is kept and waits: `motey service rm {id}` removes it"
    )]
    Waits { id: String, message: String },
    #[error("not all of it would run now: {0}")]
    Incomplete(String),
    #[error("the service has several images; say which one: {}", choices(service, images, *replicas))]
    WhichImage { service: String, images: Vec<String>, replicas: u16 },
    #[error(
        "the node has stopped, or does not answer any more; services go on without it: follow again once it is back"
    )]
    NodeLeft,
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    /// What the program ends with.
    pub fn code(&self) -> Code {
        match self {
            Self::Client(error) => error.code(),
            Self::NotFound { .. } | Self::NotGiven { .. } => Code::NotFound,
            Self::NodeLeft => Code::Unreachable,
            Self::TimedOut { .. } => Code::TimedOut,
            Self::Interrupted { .. } => Code::Interrupted,
            Self::Waits { .. } | Self::Incomplete(_) => Code::NoNodeFits,
            Self::WhichImage { .. } | Self::FitUnknown { .. } => Code::Usage,
            _ => Code::Failed,
        }
    }

    /// The reader of standard output has left, such as `head`: nothing to complain about.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

fn lines(ids: &[String]) -> String {
    ids.iter().map(|id| format!("  {id}")).collect::<Vec<_>>().join("\n")
}

fn choices(service: &str, images: &[String], replicas: u16) -> String {
    let commands = images.iter().map(|image| format!("`motey service scale {service} {image}={replicas}`"));
    commands.collect::<Vec<_>>().join(", ")
}
