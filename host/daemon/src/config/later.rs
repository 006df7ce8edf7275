//! The settings of features that this version does not have yet: checked for their form, so that a file written today stays valid, and
//! said to have no effect.

use std::fmt;

use super::section::Section;
use super::setting::{Absolute, Setting, Span, word};

/// Says that something which was configured does nothing yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The file, the variable or the flag that sets it.
    pub origin: String,
    /// The section or key.
    pub what: String,
    /// What comes instead.
    pub why: &'static str,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} has no effect yet: {}", self.origin, self.what, self.why)
    }
}

/// What a value must look like.
enum Form {
    Text,
    Path,
    Port,
    Texts,
    Duration,
    Security,
    Isolation,
}

#[derive(Clone, Copy)]
struct Security;
#[derive(Clone, Copy)]
struct Isolation;

impl Setting for Security {
    const EXPECTED: &'static str = "\"curve\" or \"plain\"";

    fn read(value: &::config::Value, _: bool) -> Option<Self> {
        word(value, &[("curve", Self), ("plain", Self)])
    }
}

impl Setting for Isolation {
    const EXPECTED: &'static str = "\"foreign\", \"all\" or \"none\"";

    fn read(value: &::config::Value, _: bool) -> Option<Self> {
        word(value, &[("foreign", Self), ("all", Self), ("none", Self)])
    }
}

const MQTT: &[(&str, Form)] = &[
    ("brokers", Form::Texts),
    ("keepalive", Form::Duration),
    ("username", Form::Text),
    ("password_file", Form::Path),
    ("ca", Form::Path),
    ("cert", Form::Path),
    ("key", Form::Path),
];

const ZEROMQ: &[(&str, Form)] = &[
    ("address", Form::Text),
    ("security", Form::Security),
    ("capability_engine", Form::Texts),
    ("capabilities_replier", Form::Port),
    ("deploy_image_replier", Form::Port),
    ("image_status_replier", Form::Port),
    ("image_terminate_replier", Form::Port),
];

const CLUSTER: &[(&str, Form)] = &[
    ("name", Form::Text),
    ("advertise", Form::Text),
    ("nodes", Form::Texts),
    ("dead_after", Form::Duration),
    ("witness", Form::Text),
];

const REGISTRY: &[(&str, Form)] =
    &[("username", Form::Text), ("password_file", Form::Path), ("ca_file", Form::Path)];

const ALONE: &str = "this version runs one node by itself";

/// Checks the sections that nothing reads yet.
pub(super) fn sections(root: &mut Section<'_>, notices: &mut Vec<Notice>) {
    for (name, keys) in [("mqtt", MQTT), ("zeromq", ZEROMQ), ("cluster", CLUSTER)] {
        let mut section = root.section(name);
        note(&section, None, format!("[{name}]"), ALONE, notices);
        keys.iter().for_each(|(key, form)| check(&mut section, key, form));
        section.done();
    }
    note(
        root,
        Some("registries"),
        "[registries]".to_owned(),
        "no engine of this version pulls images",
        notices,
    );
    root.each_section("registries", |mut registry| {
        REGISTRY.iter().for_each(|(key, form)| check(&mut registry, key, form));
        registry.done();
    });
}

pub(super) fn general(section: &mut Section<'_>, notices: &mut Vec<Notice>) {
    key(section, "pid_file", &Form::Path, "the init system keeps the process id", notices);
}

pub(super) fn webserver(section: &mut Section<'_>, notices: &mut Vec<Notice>) {
    key(section, "tls_cert", &Form::Path, "only loopback is served, without TLS", notices);
    key(section, "tls_key", &Form::Path, "only loopback is served, without TLS", notices);
}

pub(super) fn plugins(section: &mut Section<'_>, notices: &mut Vec<Notice>) {
    key(section, "isolation", &Form::Isolation, "every plugin runs in the host", notices);
}

fn key(
    section: &mut Section<'_>,
    name: &'static str,
    form: &Form,
    why: &'static str,
    notices: &mut Vec<Notice>,
) {
    check(section, name, form);
    note(section, Some(name), format!("{}.{name}", section.name()), why, notices);
}

fn note(
    section: &Section<'_>,
    key: Option<&str>,
    what: String,
    why: &'static str,
    notices: &mut Vec<Notice>,
) {
    if let Some(origin) = section.origin(key) {
        notices.push(Notice { origin: origin.to_owned(), what, why });
    }
}

fn check(section: &mut Section<'_>, key: &'static str, form: &Form) {
    match form {
        Form::Text => drop(section.get::<String>(key)),
        Form::Path => drop(section.get::<Absolute>(key)),
        Form::Port => drop(section.get::<u16>(key)),
        Form::Texts => drop(section.get::<Vec<String>>(key)),
        Form::Duration => drop(section.get::<Span>(key)),
        Form::Security => drop(section.get::<Security>(key)),
        Form::Isolation => drop(section.get::<Isolation>(key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_without_effect_is_documented() {
        let page = include_str!("../../../../docs/configuration.md");
        for (section, keys) in
            [("mqtt", MQTT), ("zeromq", ZEROMQ), ("cluster", CLUSTER), ("registries.\"HOST\"", REGISTRY)]
        {
            let line =
                page.lines().find(|line| line.starts_with(&format!("| `[{section}]` |"))).expect(section);
            for (key, _) in keys {
                assert!(line.contains(&format!("`{key}`")), "{section}.{key}");
            }
        }
    }
}
