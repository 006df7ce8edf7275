//! Where a configuration comes from: files, the environment, flags. Read here into one tree; what the values mean is decided elsewhere.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ::config::builder::DefaultState;
use ::config::{ConfigBuilder, ConfigError, File, FileFormat, Map, Source, Value, ValueKind};

use super::mistake::{Fault, Mistake};

/// A flag of the command line that stands for a key.
#[derive(Clone, Debug)]
pub struct Flag {
    /// As typed, such as `--port`: named when its value is wrong.
    pub name: String,
    /// The key's path, such as `webserver.port`.
    pub key: String,
    /// The value as text.
    pub value: String,
}

/// One file, one variable or one flag.
#[derive(Clone, Debug)]
struct Layer {
    origin: String,
    /// Values are text, whatever they mean: the environment and flags have no types.
    textual: bool,
    values: Map<String, Value>,
}

/// All sources, the later over the earlier.
#[derive(Clone, Debug, Default)]
pub(super) struct Layers(Vec<Layer>);

impl Layers {
    /// Reads every file; those that cannot be read are told in `mistakes`.
    pub(super) fn add_files(&mut self, files: &[PathBuf], mistakes: &mut Vec<Mistake>) {
        for file in files {
            let origin = file.display().to_string();
            match read_toml(file) {
                Ok(values) => self.0.push(Layer { origin, textual: false, values }),
                Err(fault) => mistakes.push(Mistake { origin, key: String::new(), fault }),
            }
        }
    }

    /// Takes the variables that are configuration: `MOTEY_` and a name with `__` in it. `MOTEY_SOCKET` and its like are not.
    pub(super) fn add_environment(
        &mut self,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        mistakes: &mut Vec<Mistake>,
    ) {
        let mut named: Vec<(String, OsString)> = variables
            .into_iter()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .collect();
        named.sort();
        for (name, value) in named {
            let Some(rest) = name.strip_prefix("MOTEY_").filter(|rest| rest.contains("__")) else { continue };
            let path: Vec<String> = rest.split("__").map(str::to_lowercase).collect();
            match value.into_string() {
                Ok(text) => self.add_text(name.clone(), &path, text),
                Err(_) => mistakes.push(Mistake {
                    origin: name.clone(),
                    key: path.join("."),
                    fault: Fault::NotUtf8,
                }),
            }
        }
    }

    pub(super) fn add_flags(&mut self, flags: &[Flag]) {
        for flag in flags {
            let path: Vec<String> = flag.key.split('.').map(str::to_owned).collect();
            self.add_text(flag.name.clone(), &path, flag.value.clone());
        }
    }

    fn add_text(&mut self, origin: String, path: &[String], text: String) {
        let Some((last, parents)) = path.split_last() else { return };
        let leaf = Map::from_iter([(last.clone(), Value::new(None, ValueKind::String(text)))]);
        let values = parents.iter().rev().fold(leaf, |inner, key| {
            Map::from_iter([(key.clone(), Value::new(None, ValueKind::Table(inner)))])
        });
        self.0.push(Layer { origin, textual: true, values });
    }

    /// All layers as one tree.
    ///
    /// # Errors
    /// None that a layer made here can cause; the builder's own are passed on.
    pub(super) fn merged(&self) -> Result<Map<String, Value>, ConfigError> {
        let builder = self
            .0
            .iter()
            .cloned()
            .fold(ConfigBuilder::<DefaultState>::default(), ConfigBuilder::<DefaultState>::add_source);
        builder.build()?.collect()
    }

    /// The source whose value stands at `path` in the merged tree.
    pub(super) fn origin(&self, path: &[String]) -> Option<&str> {
        self.layer(path).map(|layer| layer.origin.as_str())
    }

    pub(super) fn is_textual(&self, path: &[String]) -> bool {
        self.layer(path).is_some_and(|layer| layer.textual)
    }

    fn layer(&self, path: &[String]) -> Option<&Layer> {
        self.0.iter().rev().find(|layer| layer.has(path))
    }
}

impl Layer {
    fn has(&self, path: &[String]) -> bool {
        let Some((first, rest)) = path.split_first() else { return false };
        let Some(top) = self.values.get(first) else { return false };
        let found = rest.iter().try_fold(top, |value, key| match &value.kind {
            ValueKind::Table(table) => table.get(key),
            _ => None,
        });
        found.is_some()
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.values.clone())
    }
}

fn read_toml(file: &Path) -> Result<Map<String, Value>, Fault> {
    let text = fs::read_to_string(file).map_err(Fault::Unreadable)?;
    File::from_str(&text, FileFormat::Toml).collect().map_err(Fault::Syntax)
}

/// The files to read: the given one alone, or `motey.toml` and then `conf.d/*.toml` by name, as far as they exist in `directory`.
///
/// # Errors
/// When `conf.d` is there and cannot be listed.
pub(super) fn files(given: Option<&Path>, directory: &Path) -> io::Result<Vec<PathBuf>> {
    if let Some(file) = given {
        return Ok(vec![file.to_owned()]);
    }
    let main = directory.join("motey.toml");
    let mut files: Vec<PathBuf> = main.exists().then_some(main).into_iter().collect();
    let entries = match fs::read_dir(directory.join("conf.d")) {
        Ok(entries) => entries.collect::<io::Result<Vec<_>>>()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(files),
        Err(error) => return Err(error),
    };
    let mut more: Vec<PathBuf> =
        entries.into_iter().map(|entry| entry.path()).filter(|path| is_toml(path)).collect();
    more.sort();
    files.append(&mut more);
    Ok(files)
}

fn is_toml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "toml")
}
