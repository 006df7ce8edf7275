//! What the tests share: the echo plugin's file, a place of their own, and a listener that remembers.

#![allow(dead_code, reason = "each test file uses its part")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant, SystemTime},
};

use motey_plugin_host::{
    Busy, Listener, Places, Plugin, PluginManager, Trust,
    ops::{Capability, HostInfo, Instance, LogRecord},
};
use serde_json::Value;
use tempfile::TempDir;

/// Long for a machine under load, short for a person.
pub const SOON: Duration = Duration::from_secs(30);

/// The echo plugin as `cargo test` has built it. Panics when it is missing or older than what it is made of.
pub fn echo() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let so = test.parent().and_then(Path::parent).unwrap().join("examples/libecho.so");
    let hint = "run `cargo test -p motey-plugin-host`, or build the example `echo` first";
    let built = fs::metadata(&so).and_then(|so| so.modified());
    let built = built.unwrap_or_else(|e| panic!("{}: {e}: {hint}", so.display()));
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for sources in
        ["tests/echo", "../../plugin-api/abi/src", "../../plugin-api/ops/src", "../../plugin-api/sdk/src"]
    {
        let newest = newest(&here.join(sources));
        assert!(newest <= built, "{} is older than {sources}: {hint}", so.display());
    }
    so
}

fn newest(directory: &Path) -> SystemTime {
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().metadata().unwrap());
    files.filter(fs::Metadata::is_file).map(|file| file.modified().unwrap()).max().unwrap()
}

#[derive(Default)]
pub struct Heard {
    pub log: Mutex<Vec<LogRecord>>,
    pub instances: Mutex<Vec<Instance>>,
    pub capabilities: Mutex<Vec<Capability>>,
    pub busy: Mutex<bool>,
}

impl Heard {
    pub fn said(&self, text: &str) -> bool {
        self.log.lock().unwrap().iter().any(|record| record.message.contains(text))
    }
}

impl Listener for Heard {
    fn log(&self, _: &str, record: LogRecord) {
        self.log.lock().unwrap().push(record);
    }

    fn capabilities(&self, _: &str, all: Vec<Capability>) -> Result<(), Busy> {
        *self.capabilities.lock().unwrap() = all;
        Ok(())
    }

    fn instance(&self, plugin: &str, instance: Instance) -> Result<(), Busy> {
        assert_eq!(plugin, "echo");
        if *self.busy.lock().unwrap() {
            return Err(Busy);
        }
        self.instances.lock().unwrap().push(instance);
        Ok(())
    }
}

/// A place with files, and a manager over it that is not started.
pub struct Nest {
    pub place: TempDir,
    pub heard: Arc<Heard>,
}

impl Nest {
    pub fn empty() -> Self {
        // plugins are told the host's level, which is off in a test
        log::set_max_level(log::LevelFilter::Info);
        Self { place: tempfile::tempdir().unwrap(), heard: Arc::default() }
    }

    pub fn with_echo() -> Self {
        let nest = Self::empty();
        fs::copy(echo(), nest.path("echo.so")).unwrap();
        nest
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    pub fn manager(&self, trust: Trust, configs: &[(&str, Value)]) -> PluginManager {
        let places = Places {
            directories: vec![self.place.path().to_path_buf()],
            disabled: vec!["unwanted".into()],
            trust,
        };
        let configs: BTreeMap<_, _> =
            configs.iter().map(|(id, config)| ((*id).to_owned(), config.clone())).collect();
        PluginManager::new(places, HostInfo::default(), configs, self.heard.clone())
    }

    /// The echo plugin, active.
    pub fn echo(&self) -> Arc<Plugin> {
        let manager = self.manager(Trust::Any, &[]);
        manager.start(|_| {});
        manager.get("echo").unwrap_or_else(|| panic!("{:#?}", manager.plugins()))
    }
}

/// Waits for a condition, and panics when it does not come.
pub fn eventually(what: &str, condition: impl Fn() -> bool) {
    let until = Instant::now() + SOON;
    while !condition() {
        assert!(Instant::now() < until, "in vain: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}
