//! Whether an engine answers: it is *up* once its VAL listens for events, has shown its fingerprint and listed what it
//! has; when one of these fails it is *down*, and is tried again. Its instances are not touched by that.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use motey_core::id::EngineName;
use motey_core::step::{EngineState, Input};
use motey_plugin_ops as ops;

use super::convert::own_instance;
use super::{Engines, NOTHING, QUICK, locked, read};
use crate::clock::boot_time;

/// How long an engine that is down is left alone.
const RETRY: Duration = Duration::from_secs(5);

/// What is under way to know how engines are: one of a kind for each.
#[derive(Default)]
pub(super) struct Watch {
    /// Their events are listened to.
    listening: Mutex<BTreeSet<EngineName>>,
    /// They are down and will be tried again.
    retrying: Mutex<BTreeSet<EngineName>>,
}

impl Engines {
    /// Takes an engine into use: listens first and lists then, so that nothing falls between.
    pub fn activate(&self, engine: &EngineName) {
        if locked(&self.watch.listening).insert(engine.clone()) {
            self.listen(engine);
        }
        self.list(engine);
    }

    fn listen(&self, engine: &EngineName) {
        let (engines, name) = (self.clone(), engine.clone());
        let ended = move |ended: Result<Vec<u8>, ops::Error>| {
            locked(&engines.watch.listening).remove(&name);
            let message = match ended {
                Ok(_) => "its event stream ended".to_owned(),
                Err(error) => error.message,
            };
            engines.down(&name, message);
        };
        match self.plugin(engine) {
            Ok(plugin) => drop(plugin.call(ops::op::EVENTS, NOTHING, None, None, ended)),
            Err(error) => ended(Err(error)),
        }
    }

    /// Asks an engine what it is able to do and what it has.
    pub fn list(&self, engine: &EngineName) {
        let (engines, name) = (self.clone(), engine.clone());
        self.ask(engine, ops::op::FINGERPRINT, Ok(NOTHING.to_vec()), QUICK, move |answer| {
            match answer.and_then(|body| read::<ops::Fingerprint>(&body)) {
                Ok(print) if print.healthy => engines.list_with(&name, print),
                Ok(print) => engines.down(&name, print.message.unwrap_or_else(|| "it is not healthy".into())),
                Err(error) => engines.down(&name, error.message),
            }
        });
    }

    fn list_with(&self, engine: &EngineName, print: ops::Fingerprint) {
        let (engines, name) = (self.clone(), engine.clone());
        self.ask(engine, ops::op::LIST, Ok(NOTHING.to_vec()), QUICK, move |answer| {
            match answer.and_then(|body| read::<ops::ListAnswer>(&body)) {
                Ok(list) => engines.up(&name, print, list),
                Err(error) => engines.down(&name, error.message),
            }
        });
    }

    fn up(&self, engine: &EngineName, print: ops::Fingerprint, list: ops::ListAnswer) {
        let now = boot_time();
        let own = |shown| own_instance(self.link.node, engine, shown, now);
        let state = EngineState::Up {
            features: print.features,
            instances: list.instances.into_iter().filter_map(own).collect(),
        };
        self.link.inbox.answer(Input::Engine { name: engine.clone(), state });
    }

    /// Says that an engine does not answer, and tries it again later; once, whoever notices it.
    pub(super) fn down(&self, engine: &EngineName, message: String) {
        if self.link.is_closing() || !locked(&self.watch.retrying).insert(engine.clone()) {
            return;
        }
        log::warn!("the engine {engine} is down: {message}");
        let state = EngineState::Down { message };
        self.link.inbox.answer(Input::Engine { name: engine.clone(), state });
        let (engines, name) = (self.clone(), engine.clone());
        let again = thread::Builder::new().name("engine-retry".into()).spawn(move || {
            thread::sleep(RETRY);
            locked(&engines.watch.retrying).remove(&name);
            engines.activate(&name);
        });
        if let Err(error) = again {
            // whoever notices it next tries again
            locked(&self.watch.retrying).remove(engine);
            log::error!("the engine {engine} is not tried again by itself: {error}");
        }
    }
}
