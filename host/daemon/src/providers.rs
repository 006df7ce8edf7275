//! The capability providers among the plugins: each is watched as long as the node lives.
//!
//! What a provider offers is its own full set, told through the [`Link`]. When its watch ends it offers nothing, until
//! the next one tells something else.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use motey_core::step::Input;
use motey_plugin_host::PluginManager;
use motey_plugin_ops::op;

use crate::engines::Link;

/// How long a provider that ended is left alone.
const RETRY: Duration = Duration::from_secs(5);

/// Watches providers by their ids.
#[derive(Clone)]
pub(crate) struct Providers {
    plugins: Arc<PluginManager>,
    link: Arc<Link>,
}

impl Providers {
    pub fn new(plugins: Arc<PluginManager>, link: Arc<Link>) -> Self {
        Self { plugins, link }
    }

    /// Has a provider tell what it offers, now and at every change.
    pub fn watch(&self, id: &str) {
        let Some(provider) = self.plugins.get(id) else { return };
        let (providers, id) = (self.clone(), id.to_owned());
        provider.call(op::WATCH, b"{}", None, None, move |ended| {
            let why = match ended {
                Ok(_) => "its watch returned".to_owned(),
                Err(error) => error.message,
            };
            providers.ended(&id, &why);
        });
    }

    fn ended(&self, id: &str, why: &str) {
        if self.link.is_closing() {
            return;
        }
        log::warn!("the provider {id} offers nothing for now: {why}");
        self.link.inbox.answer(Input::Capabilities { source: id.to_owned(), all: Vec::new() });
        let (providers, id) = (self.clone(), id.to_owned());
        let again = thread::Builder::new().name("provider-retry".into()).spawn(move || {
            thread::sleep(RETRY);
            providers.watch(&id);
        });
        if let Err(error) = again {
            log::error!("a provider is not watched again: {error}");
        }
    }
}
