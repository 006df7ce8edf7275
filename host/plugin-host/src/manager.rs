//! The plugin manager, after Yapsy: locate, preflight, choose, load, activate and deactivate are separate steps, and
//! whatever is found stays listed with what became of it.
//!
//! It decides which plugins run, never what they are asked.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use motey_plugin_abi::RootRef;
use motey_plugin_ops::{Category, CreateBody, HostInfo, LogLevel, Manifest};
use serde_json::Value;

use crate::{
    create::{CREATE_WITHIN, Seed, create},
    host_end::Listener,
    loader,
    places::{Located, Places, locate},
    plugin::{Plugin, State},
    preflight::preflight,
    reason::{Reason, code},
    version::Version,
};

/// One file that was found.
#[derive(Debug, Clone)]
pub struct PluginInfo {
    /// Known once the file has passed its preflight.
    pub manifest: Option<Manifest>,
    pub path: PathBuf,
    pub state: State,
    /// Why it is not active.
    pub reason: Option<Reason>,
    pub calls: u64,
    pub failures: u64,
}

pub struct PluginManager {
    places: Places,
    host: HostInfo,
    configs: BTreeMap<String, Value>,
    listener: Arc<dyn Listener>,
    create_within: Duration,
    /// Only ever grows, so that an index stays good.
    entries: Mutex<Vec<Entry>>,
}

struct Entry {
    path: PathBuf,
    file: PathBuf,
    manifest: Option<Manifest>,
    section: Vec<u8>,
    root: Option<RootRef>,
    plugin: Option<Arc<Plugin>>,
    state: State,
    reason: Option<Reason>,
}

impl PluginManager {
    /// `configs` are the `[plugins.config.<id>]`; `host.plugin_dir` is filled in for each plugin.
    pub fn new(
        places: Places,
        host: HostInfo,
        configs: BTreeMap<String, Value>,
        listener: Arc<dyn Listener>,
    ) -> Self {
        Self { places, host, configs, listener, create_within: CREATE_WITHIN, entries: Mutex::default() }
    }

    /// How long a constructor may take before its plugin is refused; 10 s unless said otherwise.
    #[must_use]
    pub fn create_within(self, time: Duration) -> Self {
        Self { create_within: time, ..self }
    }

    /// Lists the places' files, good and bad. Reads no content.
    pub fn locate(places: &Places) -> Vec<Located> {
        locate(places)
    }

    /// Every step for every plugin. Bad files are passed over, with their reason; constructors run side by side.
    pub fn start(&self) {
        self.discover();
        self.load_all();
        self.activate_all();
    }

    /// Looks into files that were not known yet and chooses among the good ones: of one id the newest version.
    pub fn discover(&self) {
        for located in locate(&self.places) {
            if !self.entries().iter().any(|entry| entry.path == located.path) {
                let entry = Entry::inspect(located);
                self.entries().push(entry);
            }
        }
        choose(&mut self.entries(), &self.places.disabled);
    }

    /// Loads what was discovered.
    pub fn load_all(&self) {
        for index in self.in_state(State::Discovered) {
            self.load(index);
        }
    }

    /// Creates what is loaded or inactive.
    pub fn activate_all(&self) {
        let mut indices = self.in_state(State::Loaded);
        indices.extend(self.in_state(State::Inactive));
        thread::scope(|scope| {
            for index in indices {
                scope.spawn(move || self.activate_entry(index));
            }
        });
    }

    /// Creates the plugin of this id, if it is loaded or inactive. True when it is active then.
    pub fn activate(&self, id: &str) -> bool {
        let chosen = self.chosen(id);
        let can = |index: &usize| matches!(self.entries()[*index].state(), State::Loaded | State::Inactive);
        if let Some(index) = chosen.filter(can) {
            self.activate_entry(index);
        }
        self.get(id).is_some_and(|plugin| plugin.state() == State::Active)
    }

    /// Closes the plugin of this id; it can be activated again. Blocks, about the grace at most.
    pub fn deactivate(&self, id: &str, grace: Duration) {
        if let Some(plugin) = self.get(id) {
            plugin.close(grace);
        }
    }

    /// Everything that was found, in the order of its places.
    pub fn plugins(&self) -> Vec<PluginInfo> {
        self.entries().iter().map(Entry::info).collect()
    }

    /// The plugins of this category that were created, whatever their state is now.
    pub fn by_category(&self, category: Category) -> Vec<Arc<Plugin>> {
        let entries = self.entries();
        let created = entries.iter().filter_map(|entry| entry.plugin.clone());
        created.filter(|plugin| plugin.manifest().category == category).collect()
    }

    /// The plugin of this id, if it was created.
    pub fn get(&self, id: &str) -> Option<Arc<Plugin>> {
        self.entries().iter().filter_map(|entry| entry.plugin.clone()).find(|plugin| plugin.id() == id)
    }

    /// Closes all plugins side by side. Blocks, about the grace at most.
    pub fn close_all(&self, grace: Duration) {
        let plugins: Vec<_> = self.entries().iter().filter_map(|entry| entry.plugin.clone()).collect();
        thread::scope(|scope| {
            for plugin in &plugins {
                scope.spawn(move || plugin.close(grace));
            }
        });
    }

    fn load(&self, index: usize) {
        let (file, section) = {
            let entry = &self.entries()[index];
            (entry.file.clone(), entry.section.clone())
        };
        let loaded = loader::load(&file, &section);
        let entry = &mut self.entries()[index];
        match loaded {
            Ok(root) => {
                entry.root = Some(root);
                entry.state = State::Loaded;
            }
            Err(reason) => entry.refuse(State::Failed, reason),
        }
    }

    fn activate_entry(&self, index: usize) {
        let (path, seed) = {
            let entry = &mut self.entries()[index];
            // taken while the constructor runs, so that it runs once
            let (Some(manifest), Some(root)) = (entry.manifest.clone(), entry.root.take()) else {
                return;
            };
            let body = self.body(&manifest.id, &entry.path);
            (entry.path.clone(), Seed { root, manifest, body, listener: Arc::clone(&self.listener) })
        };
        let root = seed.root;
        let created = create(&path, seed, self.create_within);
        let entry = &mut self.entries()[index];
        entry.root = Some(root);
        match created {
            Ok(plugin) => entry.plugin = Some(Arc::new(plugin)),
            Err(reason) => {
                entry.plugin = None;
                entry.refuse(State::Failed, reason);
            }
        }
    }

    fn body(&self, id: &str, path: &Path) -> CreateBody {
        let plugin_dir = path.parent().unwrap_or(Path::new("/")).to_path_buf();
        CreateBody {
            config: self.configs.get(id).cloned().unwrap_or_default(),
            host: HostInfo { plugin_dir, ..self.host.clone() },
            log_level: log_level(),
        }
    }

    fn chosen(&self, id: &str) -> Option<usize> {
        self.entries().iter().position(|entry| entry.root.is_some() && entry.is(id))
    }

    fn in_state(&self, state: State) -> Vec<usize> {
        let entries = self.entries();
        entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.state() == state)
            .map(|(index, _)| index)
            .collect()
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn inspect(located: Located) -> Self {
        let Located { path, file, refused } = located;
        let inspected = refused.map_or_else(|| preflight(&file), Err);
        let (manifest, section, state, reason) = match inspected {
            Ok(found) => (Some(found.manifest), found.section, State::Discovered, None),
            Err(reason) => (None, Vec::new(), State::Rejected, Some(reason)),
        };
        Self { path, file, manifest, section, root: None, plugin: None, state, reason }
    }

    fn is(&self, id: &str) -> bool {
        self.manifest.as_ref().is_some_and(|manifest| manifest.id == id)
    }

    fn version(&self) -> Option<Version> {
        Version::parse(&self.manifest.as_ref()?.version)
    }

    fn refuse(&mut self, state: State, reason: Reason) {
        self.state = state;
        self.reason = Some(reason);
    }

    fn state(&self) -> State {
        self.plugin.as_ref().map_or(self.state, |plugin| plugin.state())
    }

    fn info(&self) -> PluginInfo {
        let plugin = self.plugin.as_deref();
        PluginInfo {
            manifest: self.manifest.clone(),
            path: self.path.clone(),
            state: self.state(),
            reason: plugin.map_or_else(|| self.reason.clone(), Plugin::reason),
            calls: plugin.map_or(0, Plugin::calls),
            failures: plugin.map_or(0, Plugin::failures),
        }
    }
}

/// Disables what the configuration names, then leaves of each id one: what runs already, or else the newest version,
/// the first found of equal ones.
fn choose(entries: &mut [Entry], disabled: &[String]) {
    for index in 0..entries.len() {
        if entries[index].state() != State::Discovered {
            continue;
        }
        let Some(id) = entries[index].manifest.as_ref().map(|manifest| manifest.id.clone()) else {
            continue;
        };
        if disabled.contains(&id) {
            let reason =
                Reason::new(code::DISABLED, format!("plugin `{id}` is disabled in the configuration"));
            entries[index].refuse(State::Disabled, reason);
        } else if let Some(winner) = winner_over(entries, index, &id) {
            let text = format!("plugin `{id}` is taken from {}", entries[winner].path.display());
            entries[index].refuse(State::Shadowed, Reason::new(code::VERSION_SHADOWED, text));
        }
    }
}

/// The best of those that come before this one.
fn winner_over(entries: &[Entry], index: usize, id: &str) -> Option<usize> {
    let rank = |(index, entry): (usize, &Entry)| {
        let runs = match entry.state() {
            State::Discovered => false,
            State::Loaded | State::Active | State::Inactive | State::Unresponsive => true,
            State::Rejected | State::Shadowed | State::Disabled | State::Failed => return None,
        };
        entry.is(id).then(|| (runs, entry.version(), Reverse(index)))
    };
    let (_, _, Reverse(best)) = entries.iter().enumerate().filter_map(rank).max()?;
    (best != index).then_some(best)
}

fn log_level() -> LogLevel {
    match log::max_level() {
        log::LevelFilter::Off | log::LevelFilter::Error => LogLevel::Error,
        log::LevelFilter::Warn => LogLevel::Warn,
        log::LevelFilter::Info => LogLevel::Info,
        log::LevelFilter::Debug => LogLevel::Debug,
        log::LevelFilter::Trace => LogLevel::Trace,
    }
}
