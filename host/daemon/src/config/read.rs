//! From the merged tree to typed sections: one function a section, which names every key it has.

use std::collections::BTreeMap;
use std::time::Duration;

use log::LevelFilter;
use motey_blueprint::MAX_BYTES;

use super::later;
use super::mistake::Fault;
use super::model::{Auth, Database, General, Logger, Node, Plugins, Trust, Webserver};
use super::section::Section;
use super::setting::{Absolute, Setting, Size, Span, Written, word};
use super::{Config, Notice, SOCKET};

/// What a Unix socket's path may be long: `sun_path` less its terminator.
const SOCKET_PATH_MOST: usize = 107;

/// Reads everything; what is wrong is noted in the section's mistakes and replaced by its default.
pub(super) fn config(mut root: Section<'_>) -> Config {
    let mut notices = Vec::new();
    let config = Config {
        general: general(root.section("general"), &mut notices),
        logger: logger(root.section("logger")),
        webserver: webserver(root.section("webserver"), &mut notices),
        database: database(root.section("database")),
        plugins: plugins(root.section("plugins"), &mut notices),
        node: node(root.section("node")),
        ..Config::default()
    };
    later::sections(&mut root, &mut notices);
    root.done();
    Config { notices, ..config }
}

fn general(mut section: Section<'_>, notices: &mut Vec<Notice>) -> General {
    let default = General::default();
    let general = General {
        node_name: section.get("node_name"),
        state_dir: section.get("state_dir").map_or(default.state_dir, |Absolute(path)| path),
        run_dir: section.get("run_dir").map_or(default.run_dir, |Absolute(path)| path),
    };
    let socket = general.run_dir.join(SOCKET);
    if socket.as_os_str().len() > SOCKET_PATH_MOST {
        section.fault("run_dir", Fault::SocketPath { socket, most: SOCKET_PATH_MOST });
    }
    later::general(&mut section, notices);
    section.done();
    general
}

fn logger(mut section: Section<'_>) -> Logger {
    let logger = Logger { level: section.get("level").unwrap_or(Logger::default().level) };
    section.done();
    logger
}

fn webserver(mut section: Section<'_>, notices: &mut Vec<Notice>) -> Webserver {
    let default = Webserver::default();
    // nothing larger than a blueprint is ever taken
    let limits = Size(1 << 10)..=Size(MAX_BYTES as u64);
    let webserver = Webserver {
        address: section.get("address").unwrap_or(default.address),
        port: section.get("port").unwrap_or(default.port),
        auth: section.get("auth").unwrap_or(default.auth),
        body_limit: section
            .get_if("body_limit", "a size from \"1 KiB\" to \"1 MiB\"", |size| limits.contains(size))
            .unwrap_or(default.body_limit),
    };
    if !webserver.address.is_loopback() {
        section.fault("address", Fault::NotLoopback { address: webserver.address });
        if webserver.auth == Auth::None {
            section.fault("auth", Fault::OpenToAll);
        }
    }
    later::webserver(&mut section, notices);
    section.done();
    webserver
}

fn database(mut section: Section<'_>) -> Database {
    let database = Database { path: section.get("path").map(|Absolute(path)| path) };
    section.done();
    database
}

fn plugins(mut section: Section<'_>, notices: &mut Vec<Notice>) -> Plugins {
    let default = Plugins::default();
    let paths = |all: Vec<Absolute>| all.into_iter().map(|Absolute(path)| path).collect();
    let mut plugins = Plugins {
        directories: section.get("directories").map_or(default.directories, paths),
        disabled: section.get("disabled").unwrap_or_default(),
        trust: section.get("trust").unwrap_or(default.trust),
        config: BTreeMap::new(),
    };
    section.each_section("config", |mut own| {
        let id = own.name().to_owned();
        plugins.config.insert(id, own.everything());
    });
    later::plugins(&mut section, notices);
    section.done();
    plugins
}

fn node(mut section: Section<'_>) -> Node {
    let default = Node::default();
    let delays = Span(Duration::from_millis(10))..=Span(Duration::from_secs(60));
    let node = Node {
        labels: section.section("labels").entries(),
        reserved: reserved(section.section("reserved")),
        restart_attempts: section.get("restart_attempts").unwrap_or(default.restart_attempts),
        restart_delay: section
            .get_if("restart_delay", "a duration from \"10ms\" to \"60s\"", |delay| delays.contains(delay))
            .unwrap_or(default.restart_delay),
    };
    section.done();
    node
}

/// What an amount is depends on the capability, as in blueprints.
fn reserved(mut section: Section<'_>) -> BTreeMap<String, u64> {
    let written: BTreeMap<String, Written> = section.entries();
    let mut reserved = BTreeMap::new();
    for (name, Written(text)) in written {
        match motey_blueprint::read_amount(&name, &text) {
            Ok(amount) => drop(reserved.insert(name, amount)),
            Err(why) => section.fault(&name, Fault::Amount(why)),
        }
    }
    reserved
}

impl Setting for LevelFilter {
    const EXPECTED: &'static str = "\"off\", \"error\", \"warn\", \"info\", \"debug\" or \"trace\"";

    fn read(value: &::config::Value, _: bool) -> Option<Self> {
        let words = Self::iter().map(|level| (level.as_str().to_lowercase(), level));
        let words: Vec<(String, Self)> = words.collect();
        word(value, &words.iter().map(|(text, level)| (text.as_str(), *level)).collect::<Vec<_>>())
    }
}

impl Setting for Auth {
    const EXPECTED: &'static str = "\"token\" or \"none\"";

    fn read(value: &::config::Value, _: bool) -> Option<Self> {
        word(value, &[("token", Self::Token), ("none", Self::None)])
    }
}

impl Setting for Trust {
    const EXPECTED: &'static str = "\"root\" or \"any\"";

    fn read(value: &::config::Value, _: bool) -> Option<Self> {
        word(value, &[("root", Self::Root), ("any", Self::Any)])
    }
}
