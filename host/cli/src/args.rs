//! The command line: verbs, their arguments, their help. What they do is in `verbs/`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use motey_daemon::config::{NotASpan, Span};
use serde_json::Value;
use uuid::Uuid;

/// Runs services on the nodes of a fog: this one binary is the daemon and its client.
#[derive(Debug, Parser)]
#[command(name = "motey", version, after_help = AFTER_HELP)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub verb: Verb,
}

const AFTER_HELP: &str = "\
Exit codes:
  0  it is as was asked
  1  it failed, or what was asked for is wrong
  2  the command line is wrong
  3  no such service, node, plugin or added capability
  4  no node fits (apply --must-fit, plan)
  5  no daemon answers
  6  it did not come about in time; nothing was undone
  130  Ctrl-C ended the waiting; nothing was undone

Examples:
  motey apply -f examples/blueprints/hello.yaml
  motey ps
  motey service logs hello -f";

const RUN_HELP: &str = "\
The configuration is read from --config, or from /etc/motey/motey.toml and /etc/motey/conf.d/*.toml; then from
variables such as MOTEY_WEBSERVER__PORT; then from these flags. SIGTERM, SIGINT and SIGHUP end it; services go on.
It can run nothing without plugins: it looks for them in /usr/lib/motey/plugins and /var/lib/motey/plugins.

Example, a node of its own for trying things out, with the plugins of a build:
  motey run --state-dir /tmp/motey/state --run-dir /tmp/motey/run --port 0 \\
    --set plugins.directories=$PWD/target/release --set plugins.trust=any
  motey ps --socket /tmp/motey/run/motey.sock";

const APPLY_HELP: &str = "\
Where a service of that name is there already, it is updated: its changed images are replaced, the others are left
alone. Waits until every image is RUNNING, and an update has shown that it stays so; tells on standard error what each
is doing. Exit code 1: the update was taken back. Ctrl-C stops waiting (exit code 130), the service goes on. Applying
the same file again changes nothing.

Examples:
  motey apply -f quality.yaml
  sed s/LINE/7/ template.yaml | motey apply -f - --timeout 5m";

const PLAN_HELP: &str = "\
Nothing is deployed, and nothing is promised: it is what the node knows now. Exit code 4: not all of it would run.

Example:
  motey plan -f quality.yaml && motey apply -f quality.yaml";

const ADD_HELP: &str = "\
What waits for it starts at once; the node keeps it over restarts. Adding the same again changes nothing, adding it
otherwise replaces it.

Examples:
  motey capability add zigbee
  motey capability add camera --exclusive --unit 1-4.2 --property resolution=1080
  motey capability add seats --type licence --amount 12";

/// Which daemon is meant, and its configuration.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Which daemon")]
pub struct Global {
    /// The configuration file, in place of those in /etc/motey [env: MOTEY_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The daemon's Unix socket [env: MOTEY_SOCKET] [default: motey.sock in the configured run_dir]
    #[arg(long, global = true, value_name = "PATH", conflicts_with = "url")]
    pub socket: Option<PathBuf>,
    /// The daemon's TCP address, such as http://127.0.0.1:5023 [env: MOTEY_URL]
    #[arg(long, global = true, value_name = "URL")]
    pub url: Option<String>,
    /// The file of the token for --url [env: MOTEY_TOKEN_FILE]
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run the daemon in the foreground
    #[command(after_help = RUN_HELP)]
    Run(Run),
    #[command(flatten)]
    Client(Client),
    /// Check blueprints without a daemon
    #[command(subcommand)]
    Blueprint(Blueprint),
    /// Look at this machine's configuration
    #[command(subcommand)]
    Config(Config),
}

/// The verbs that ask a daemon.
#[derive(Debug, Subcommand)]
pub enum Client {
    /// Deploy a blueprint, or update the service that it is of, and wait until it runs
    #[command(after_help = APPLY_HELP)]
    Apply(Apply),
    /// Tell where each slot of a blueprint would go now, or what it would wait for
    #[command(after_help = PLAN_HELP)]
    Plan(Plan),
    /// List the instances of all services
    Ps(Shown),
    /// Look at services and change what is wanted of them
    #[command(subcommand)]
    Service(Service),
    /// What the node offers to services
    #[command(subcommand)]
    Capability(Capability),
    /// The nodes that are known, and what they take on
    #[command(subcommand)]
    Node(Node),
    /// The plugins that were found, and why one is not in use
    #[command(subcommand)]
    Plugin(Plugin),
    /// Summarise the node: load, services, plugins
    Status(Shown),
    /// Show the journal: what was decided, oldest first
    Events(Events),
}

#[derive(Debug, Args)]
pub struct Run {
    /// Keep what must survive here (general.state_dir)
    #[arg(long, value_name = "PATH")]
    pub state_dir: Option<String>,
    /// Keep the socket here (general.run_dir)
    #[arg(long, value_name = "PATH")]
    pub run_dir: Option<String>,
    /// Listen on this port, 0 for a free one (webserver.port)
    #[arg(long, value_name = "PORT")]
    pub port: Option<String>,
    /// Log as much as this: off, error, warn, info, debug, trace (logger.level)
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// Set any key, such as plugins.trust=any; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = Assignment::from_str)]
    pub set: Vec<Assignment>,
}

/// `KEY=VALUE`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    pub key: String,
    pub value: String,
}

impl FromStr for Assignment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((key, value)) if key.contains('.') => {
                Ok(Self { key: key.to_owned(), value: value.to_owned() })
            }
            _ => Err("it should look like section.key=value"),
        }
    }
}

#[derive(Debug, Args)]
pub struct Apply {
    /// The blueprint; - reads standard input
    #[arg(short, long, value_name = "FILE")]
    pub file: PathBuf,
    /// Update the service with this id, or deploy under it, in place of the one with the blueprint's name
    #[arg(long, value_name = "UUID")]
    pub id: Option<Uuid>,
    /// Refuse with exit code 4 what no node can run now, instead of keeping it until one can
    #[arg(long)]
    pub must_fit: bool,
    #[command(flatten)]
    pub wait: Wait,
}

#[derive(Debug, Args)]
pub struct Plan {
    /// The blueprint; - reads standard input
    #[arg(short, long, value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub shown: Shown,
}

/// Whether and how long to wait.
#[derive(Clone, Copy, Debug, Args)]
pub struct Wait {
    /// Do not wait: it is enough that the daemon has accepted it
    #[arg(long)]
    pub no_wait: bool,
    /// Wait at most this long, such as 90s or 5m
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = span)]
    pub timeout: Duration,
}

/// How to show it.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Shown {
    /// How to show it
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    pub output: Format,
}

/// What `-o` can say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Columns for people
    #[default]
    Table,
    /// More columns
    Wide,
    /// What the daemon said
    Json,
    /// The same as YAML
    Yaml,
    /// Names or ids alone, one a line
    Name,
}

#[derive(Debug, Subcommand)]
pub enum Service {
    /// List services
    List(Shown),
    /// Show one service with its images and instances
    Show(One),
    /// Tell why a service is as it is: what is wanted, what each slot does, what happened, what would mend it
    Why(One),
    /// Print what a service's instances wrote
    Logs(Logs),
    /// Show what was decided about a service
    Events(ServiceEvents),
    /// Print the blueprint as it was sent
    Blueprint(Named),
    /// List what it was made of, the newest first
    Revisions(One),
    /// Update it to what it was made of before
    Rollback(Rollback),
    /// Stop every instance and keep the service
    Stop(Change),
    /// Start a stopped service
    Start(Change),
    /// Replace every instance by a new one
    Restart(Change),
    /// Set how many instances an image has: N, or IMAGE=N where there are several images
    Scale(Scale),
    /// Stop every instance and remove the service for good
    Rm(Change),
}

/// A service by its name or id.
#[derive(Debug, Args)]
pub struct Named {
    /// The name or the id
    #[arg(value_name = "SERVICE")]
    pub service: String,
}

#[derive(Debug, Args)]
pub struct One {
    #[command(flatten)]
    pub named: Named,
    #[command(flatten)]
    pub shown: Shown,
}

#[derive(Debug, Args)]
pub struct Change {
    #[command(flatten)]
    pub named: Named,
    #[command(flatten)]
    pub wait: Wait,
}

#[derive(Debug, Args)]
pub struct Rollback {
    #[command(flatten)]
    pub named: Named,
    /// The revision to go back to, in place of the last one with another blueprint
    #[arg(long, value_name = "N")]
    pub to: Option<u32>,
    #[command(flatten)]
    pub wait: Wait,
}

#[derive(Debug, Args)]
pub struct Scale {
    #[command(flatten)]
    pub named: Named,
    /// N, or IMAGE=N
    #[arg(value_name = "[IMAGE=]N", value_parser = Replicas::from_str)]
    pub replicas: Replicas,
    #[command(flatten)]
    pub wait: Wait,
}

/// `N` or `IMAGE=N`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replicas {
    pub image: Option<String>,
    pub count: u16,
}

impl FromStr for Replicas {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (image, count) = match text.split_once('=') {
            Some((image, count)) => (Some(image.to_owned()), count),
            None => (None, text),
        };
        let count = count.parse().map_err(|_| "it should look like 3 or vision=3")?;
        Ok(Self { image, count })
    }
}

#[derive(Debug, Args)]
pub struct Logs {
    #[command(flatten)]
    pub named: Named,
    /// Only of this image
    #[arg(long, value_name = "KEY")]
    pub image: Option<String>,
    /// Only of the slot with this number, or on the node with this id
    #[arg(long, value_name = "N|NODE")]
    pub slot: Option<String>,
    /// Go on with what is written from now on
    #[arg(short, long)]
    pub follow: bool,
    /// Only the last lines
    #[arg(long, value_name = "LINES")]
    pub tail: Option<u32>,
    /// Only what is not older than this, such as 10m
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub since: Option<Duration>,
}

#[derive(Debug, Args)]
pub struct ServiceEvents {
    #[command(flatten)]
    pub named: Named,
    #[command(flatten)]
    pub events: Events,
}

#[derive(Debug, Args)]
pub struct Events {
    /// Show so many, the newest; at most 1000
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub last: u32,
    /// Only what stands before the event with this number
    #[arg(long, value_name = "SEQ")]
    pub before: Option<u64>,
    #[command(flatten)]
    pub shown: Shown,
}

#[derive(Debug, Subcommand)]
pub enum Capability {
    /// List capabilities and what is left of them
    List(Shown),
    /// Give the node something to offer that no plugin reports
    #[command(after_help = ADD_HELP)]
    Add(CapabilityAdd),
    /// Take back what was given with add; what runs with it goes on
    Remove(CapabilityRemove),
}

#[derive(Debug, Args)]
pub struct CapabilityAdd {
    /// How blueprints ask for it
    #[arg(value_name = "NAME")]
    pub name: String,
    /// What it is: hardware, software, protocol, licence, ...
    #[arg(long = "type", value_name = "TYPE", default_value = "hardware")]
    pub kind: String,
    /// Tells two equal ones apart, such as a serial number
    #[arg(long, value_name = "UNIT")]
    pub unit: Option<String>,
    /// One instance at a time
    #[arg(long, conflicts_with = "amount")]
    pub exclusive: bool,
    /// Taken in parts: bytes of memory and disk such as 512MB, cores of cpu such as 0.5, else a number
    #[arg(long, value_name = "AMOUNT")]
    pub amount: Option<String>,
    /// Where it is on the node, such as /dev/ttyUSB0: what runs with it is given that
    #[arg(long, value_name = "PATH")]
    pub binding: Option<String>,
    /// What can be known of it, such as channels=16; may be repeated
    #[arg(long = "property", value_name = "NAME=VALUE", value_parser = Property::from_str)]
    pub properties: Vec<Property>,
}

#[derive(Debug, Args)]
pub struct CapabilityRemove {
    /// How blueprints ask for it
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The unit it was added with
    #[arg(long, value_name = "UNIT")]
    pub unit: Option<String>,
}

/// `NAME=VALUE`: `true`, `false` and whole numbers are what they look like, everything else and what stands in double
/// quotes is text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    pub name: String,
    pub value: Value,
}

impl FromStr for Property {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once('=').ok_or("it should look like channels=16")?;
        let plain = |value: &Value| value.is_boolean() || value.is_i64() || value.is_string();
        let value = serde_json::from_str(value).ok().filter(plain).unwrap_or_else(|| value.into());
        Ok(Self { name: name.to_owned(), value })
    }
}

#[derive(Debug, Subcommand)]
pub enum Node {
    /// List nodes
    List(Shown),
    /// Show one node
    Show(NodeShow),
    /// Let a node take on nothing new; what it runs stays
    Cordon(NodeNamed),
    /// Let a node take on again whatever fits
    Uncordon(NodeNamed),
    /// Let a node take on nothing new, and what it runs go elsewhere
    Drain(NodeNamed),
    /// Give up a node that is gone for good: it is not waited for any more
    Forget(NodeGone),
}

#[derive(Debug, Args)]
pub struct NodeNamed {
    /// The name or the id; this node when absent
    #[arg(value_name = "NODE")]
    pub node: Option<String>,
}

#[derive(Debug, Args)]
pub struct NodeGone {
    /// The name or the id
    #[arg(value_name = "NODE")]
    pub node: String,
}

#[derive(Debug, Args)]
pub struct NodeShow {
    /// The name or the id; this node when absent
    #[arg(value_name = "NODE")]
    pub node: Option<String>,
    #[command(flatten)]
    pub shown: Shown,
}

#[derive(Debug, Subcommand)]
pub enum Plugin {
    /// List plugins and their states
    List(Shown),
    /// Show one plugin, with the reason for its state
    Show(PluginShow),
}

#[derive(Debug, Args)]
pub struct PluginShow {
    /// The id
    #[arg(value_name = "PLUGIN")]
    pub plugin: String,
    #[command(flatten)]
    pub shown: Shown,
}

#[derive(Debug, Subcommand)]
pub enum Blueprint {
    /// Tell every mistake in a blueprint, with line and column
    Validate(Validate),
}

#[derive(Debug, Args)]
pub struct Validate {
    /// The blueprints; - reads standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Config {
    /// Show every setting and where it comes from
    Show(Shown),
    /// Tell every mistake in the configuration, and what has no effect
    Check,
}

impl Cli {
    /// Refuses the address of a daemon where none is asked, rather than to ignore it.
    ///
    /// # Errors
    /// As clap's own: shown with the usage, exit code 2.
    pub fn checked(self) -> Result<Self, clap::Error> {
        let Global { socket, url, token_file, .. } = &self.global;
        let addressed = socket.is_some() || url.is_some() || token_file.is_some();
        if addressed && !matches!(self.verb, Verb::Client(_)) {
            let text = "--socket, --url and --token-file mean nothing here: this verb asks no daemon";
            return Err(Self::command().error(ErrorKind::ArgumentConflict, text));
        }
        Ok(self)
    }
}

/// `90s`, `5m`, `1h 30m`, as in the configuration.
fn span(text: &str) -> Result<Duration, NotASpan> {
    text.parse().map(|Span(span)| span)
}

#[cfg(test)]
mod tests;
