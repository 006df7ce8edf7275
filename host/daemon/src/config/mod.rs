//! The configuration of a node: typed, checked as a whole before anything starts, every mistake told at once.
//!
//! Sources, the later over the earlier: files (TOML), environment variables (`MOTEY_<SECTION>__<KEY>`), flags. Relative paths, unknown
//! keys and wrong types are refused. Nothing is opened, created or bound here; secrets are named by file and never read here.

mod later;
mod layer;
mod mistake;
mod model;
mod read;
mod section;
mod setting;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use motey_core::id::NodeName;
use serde::Serialize;

use self::layer::Layers;
use self::section::Section;

pub use self::later::Notice;
pub use self::layer::Flag;
pub use self::mistake::{ConfigMistakes, Fault, Mistake};
pub use self::model::{Auth, Database, General, Logger, Node, Plugins, Trust, Webserver};
pub use self::setting::{NotASpan, Size, Span};

/// Where the configuration is looked for when no file is named.
pub const DIRECTORY: &str = "/etc/motey";

/// The Unix socket's name in `run_dir`.
const SOCKET: &str = "motey.sock";

/// A whole, valid configuration.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Config {
    /// Who the node is and where its files are.
    pub general: General,
    /// What is logged.
    pub logger: Logger,
    /// The REST interface.
    pub webserver: Webserver,
    /// Where the state is stored.
    pub database: Database,
    /// Which plugins are loaded.
    pub plugins: Plugins,
    /// What the node offers and how it restarts services.
    pub node: Node,
    #[serde(skip)]
    notices: Vec<Notice>,
    #[serde(skip)]
    layers: Layers,
}

impl Config {
    /// Reads `file` alone, or `motey.toml` and `conf.d/*.toml` in [`DIRECTORY`] as far as they exist; then the environment; then flags.
    ///
    /// # Errors
    /// All mistakes of all sources.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        flags: &[Flag],
    ) -> Result<Self, ConfigMistakes> {
        Self::load_below(Path::new(DIRECTORY), file, environment, flags)
    }

    fn load_below(
        directory: &Path,
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        flags: &[Flag],
    ) -> Result<Self, ConfigMistakes> {
        let whole = |origin: String, fault| Mistake { origin, key: String::new(), fault };
        let mut mistakes = Vec::new();
        let files = layer::files(file, directory).unwrap_or_else(|error| {
            mistakes.push(whole(directory.join("conf.d").display().to_string(), Fault::Unreadable(error)));
            Vec::new()
        });
        let mut layers = Layers::default();
        layers.add_files(&files, &mut mistakes);
        layers.add_environment(environment, &mut mistakes);
        layers.add_flags(flags);
        let config = match layers.merged() {
            Ok(values) => read::config(Section::root(values, &layers, &mut mistakes)),
            Err(error) => {
                mistakes.push(whole("configuration".to_owned(), Fault::Syntax(error)));
                Self::default()
            }
        };
        if mistakes.is_empty() { Ok(Self { layers, ..config }) } else { Err(ConfigMistakes(mistakes)) }
    }

    /// What was set and does nothing in this version.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// The node's name: the configured one, or the host's.
    pub fn node_name(&self) -> NodeName {
        self.general.node_name.clone().unwrap_or_else(host_name)
    }

    /// The Unix socket of the REST interface.
    pub fn socket(&self) -> PathBuf {
        self.general.run_dir.join(SOCKET)
    }

    /// The token that requests over TCP show.
    pub fn token_file(&self) -> PathBuf {
        self.general.state_dir.join("token")
    }

    /// The file of the state.
    pub fn database_path(&self) -> PathBuf {
        self.database.path.clone().unwrap_or_else(|| self.general.state_dir.join("motey.db"))
    }

    /// Every setting as it is in effect, by path, with the source that set it (`None`: the default).
    pub fn settings(&self) -> Vec<(String, serde_json::Value, Option<&str>)> {
        let mut effective = self.clone();
        effective.general.node_name = Some(self.node_name());
        effective.database.path = Some(self.database_path());
        let mut settings = Vec::new();
        // only a map with keys that are no text cannot be serialized, and there is none
        let tree = serde_json::to_value(&effective).unwrap_or_default();
        flatten(&mut Vec::new(), tree, &mut |path, value| {
            settings.push((path.join("."), value, self.layers.origin(path)));
        });
        settings
    }
}

/// The host's name as the kernel has it; `node` where that is no name.
fn host_name() -> NodeName {
    let system = rustix::system::uname();
    let name = system.nodename().to_str().ok().and_then(|name| NodeName::new(name).ok());
    name.unwrap_or_else(|| NodeName::new("node").expect("a valid name"))
}

fn flatten(
    path: &mut Vec<String>,
    value: serde_json::Value,
    leaf: &mut impl FnMut(&[String], serde_json::Value),
) {
    match value {
        serde_json::Value::Object(fields) if !fields.is_empty() => {
            for (key, field) in fields {
                path.push(key);
                flatten(path, field, leaf);
                path.pop();
            }
        }
        value => leaf(path, value),
    }
}
