//! One plugin file that was found, and what became of it. It is told what to become; which one runs is not decided here.

use std::{path::PathBuf, sync::Arc};

use motey_plugin_abi::RootRef;
use motey_plugin_ops::Manifest;

use crate::{
    places::Located,
    plugin::{Plugin, State},
    preflight::preflight,
    reason::Reason,
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

/// One file, with what is needed to run it.
pub(crate) struct Entry {
    pub(crate) path: PathBuf,
    pub(crate) file: PathBuf,
    pub(crate) manifest: Option<Manifest>,
    pub(crate) section: Vec<u8>,
    pub(crate) root: Option<RootRef>,
    pub(crate) plugin: Option<Arc<Plugin>>,
    pub(crate) state: State,
    pub(crate) reason: Option<Reason>,
}

impl Entry {
    pub(crate) fn inspect(located: Located) -> Self {
        let Located { path, file, refused } = located;
        let inspected = refused.map_or_else(|| preflight(&file), Err);
        let (manifest, section, state, reason) = match inspected {
            Ok(found) => (Some(found.manifest), found.section, State::Discovered, None),
            Err(reason) => (None, Vec::new(), State::Rejected, Some(reason)),
        };
        Self { path, file, manifest, section, root: None, plugin: None, state, reason }
    }

    /// The id and the version, as logs have them.
    pub(crate) fn name(&self) -> String {
        let manifest = self.manifest.as_ref();
        manifest.map_or_else(|| self.path.display().to_string(), |it| format!("`{}` {}", it.id, it.version))
    }

    pub(crate) fn is(&self, id: &str) -> bool {
        self.manifest.as_ref().is_some_and(|manifest| manifest.id == id)
    }

    pub(crate) fn version(&self) -> Option<Version> {
        Version::parse(&self.manifest.as_ref()?.version)
    }

    pub(crate) fn refuse(&mut self, state: State, reason: Reason) {
        self.state = state;
        self.reason = Some(reason);
    }

    pub(crate) fn state(&self) -> State {
        self.plugin.as_ref().map_or(self.state, |plugin| plugin.state())
    }

    pub(crate) fn info(&self) -> PluginInfo {
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
