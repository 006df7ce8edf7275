//! The plugin manager, after Yapsy: locate, preflight, choose, load, activate and deactivate are separate steps, and
//! whatever is found stays listed with what became of it.
//!
//! It decides which plugins run, never what they are asked.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use motey_plugin_ops::{Category, CreateBody, HostInfo, LogLevel};
use serde_json::Value;

use crate::{
    choice::{choose, choose_again},
    create::{CREATE_WITHIN, Seed, create},
    entry::{Entry, PluginInfo},
    host_end::Listener,
    loader,
    places::{Located, Places, locate},
    plugin::{Plugin, State},
    reason::Reason,
};

pub struct PluginManager {
    places: Places,
    host: HostInfo,
    configs: BTreeMap<String, Value>,
    listener: Arc<dyn Listener>,
    create_within: Duration,
    /// Only ever grows, so that an index stays good.
    entries: Mutex<Vec<Entry>>,
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

    /// Every step for every plugin. Bad files are passed over, with their reason; where the newest version of a plugin
    /// fails, the next older one that works takes its place. Constructors run side by side, and `on_active` is told of
    /// each plugin as soon as it takes calls, on that plugin's own thread: none waits for another. Blocks until all
    /// are told.
    pub fn start(&self, on_active: impl Fn(&Arc<Plugin>) + Sync) {
        self.discover();
        self.load_all();
        self.activate_all(on_active);
    }

    /// Looks into files that were not known yet and chooses among the good ones: of one id the newest version.
    pub fn discover(&self) {
        for located in locate(&self.places) {
            if !self.entries().iter().any(|entry| entry.path == located.path) {
                let entry = Entry::inspect(located);
                if let Some(reason) = &entry.reason {
                    log::warn!("{reason}");
                }
                self.entries().push(entry);
            }
        }
        choose(&mut self.entries(), &self.places.disabled);
    }

    /// Loads what was discovered.
    pub fn load_all(&self) {
        for index in self.in_state(State::Discovered) {
            if !self.load(index) {
                self.successor(index);
            }
        }
    }

    /// Creates what is loaded or inactive, as [`start`](Self::start) does.
    pub fn activate_all(&self, on_active: impl Fn(&Arc<Plugin>) + Sync) {
        let mut indices = self.in_state(State::Loaded);
        indices.extend(self.in_state(State::Inactive));
        let on_active = &on_active;
        thread::scope(|scope| {
            for index in indices {
                scope.spawn(move || self.activate_entry(index, on_active));
            }
        });
    }

    /// Creates the plugin of this id, if it is loaded or inactive. True when it is active then.
    pub fn activate(&self, id: &str) -> bool {
        let can = |entry: &Entry| entry.is(id) && matches!(entry.state(), State::Loaded | State::Inactive);
        let index = self.entries().iter().position(can);
        if let Some(index) = index {
            self.activate_entry(index, &|_: &Arc<Plugin>| {});
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

    /// What the configuration says of plugins that were not found, for people. Meaningful once all were looked for.
    pub fn remarks(&self) -> Vec<String> {
        let entries = self.entries();
        if entries.is_empty() {
            return vec![self.places.nothing_found()];
        }
        let disabled = self.places.disabled.iter().map(|id| (id, "plugins.disabled".to_owned()));
        let configured = self.configs.keys().map(|id| (id, format!("[plugins.config.{id}]")));
        let strays = disabled.chain(configured).filter(|(id, _)| !entries.iter().any(|entry| entry.is(id)));
        strays.map(|(id, place)| format!("{place}: no plugin with the id `{id}` was found")).collect()
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

    /// True when it is loaded then.
    fn load(&self, index: usize) -> bool {
        let (file, section, name) = {
            let entry = &self.entries()[index];
            (entry.file.clone(), entry.section.clone(), entry.name())
        };
        // before, so that a crash has a name
        log::info!("loading plugin {name} from {}", file.display());
        match loader::load(&file, &section) {
            Ok(root) => {
                let entry = &mut self.entries()[index];
                entry.root = Some(root);
                entry.state = State::Loaded;
                true
            }
            Err(reason) => {
                self.fail(index, reason);
                false
            }
        }
    }

    fn activate_entry(&self, index: usize, on_active: &(impl Fn(&Arc<Plugin>) + Sync)) {
        let mut next = Some(index);
        while let Some(index) = next {
            // nothing: somebody else is creating it
            let Some((path, seed, name)) = self.seed(index) else { return };
            log::info!("starting plugin {name}");
            let root = seed.root;
            let created = create(&path, seed, self.create_within);
            self.entries()[index].root = Some(root);
            match created {
                Ok(plugin) => {
                    log::info!("plugin {name} is active");
                    let plugin = Arc::new(plugin);
                    self.entries()[index].plugin = Some(Arc::clone(&plugin));
                    return on_active(&plugin);
                }
                Err(reason) => {
                    self.fail(index, reason);
                    next = self.successor(index);
                }
            }
        }
    }

    /// Takes its code for as long as its constructor runs, so that it runs once.
    fn seed(&self, index: usize) -> Option<(PathBuf, Seed, String)> {
        let entry = &mut self.entries()[index];
        let (manifest, root) = (entry.manifest.clone()?, entry.root.take()?);
        let body = self.body(&manifest.id, &entry.path);
        let seed = Seed { root, manifest, body, listener: Arc::clone(&self.listener) };
        Some((entry.path.clone(), seed, entry.name()))
    }

    fn fail(&self, index: usize, reason: Reason) {
        log::warn!("{reason}");
        let entry = &mut self.entries()[index];
        entry.plugin = None;
        entry.refuse(State::Failed, reason);
    }

    /// What takes the place of a file that failed, loaded: the next best of its id.
    fn successor(&self, failed: usize) -> Option<usize> {
        let id = self.entries()[failed].manifest.as_ref()?.id.clone();
        loop {
            choose_again(&mut self.entries(), &id, &self.places.disabled);
            let chosen = |entry: &Entry| entry.is(&id) && entry.state() == State::Discovered;
            let index = self.entries().iter().position(chosen)?;
            if self.load(index) {
                return Some(index);
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

fn log_level() -> LogLevel {
    match log::max_level() {
        log::LevelFilter::Off | log::LevelFilter::Error => LogLevel::Error,
        log::LevelFilter::Warn => LogLevel::Warn,
        log::LevelFilter::Info => LogLevel::Info,
        log::LevelFilter::Debug => LogLevel::Debug,
        log::LevelFilter::Trace => LogLevel::Trace,
    }
}
