//! Reads one table of the configuration key by key. What was never asked for is unknown; every mistake is kept, none ends the reading.

use std::collections::BTreeMap;

use ::config::{Map, Value, ValueKind};

use super::layer::Layers;
use super::mistake::{Fault, Mistake, nearest};
use super::setting::Setting;

pub(super) struct Section<'l> {
    path: Vec<String>,
    values: Map<String, Value>,
    layers: &'l Layers,
    mistakes: &'l mut Vec<Mistake>,
    known: Vec<&'static str>,
}

impl<'l> Section<'l> {
    pub(super) fn root(
        values: Map<String, Value>,
        layers: &'l Layers,
        mistakes: &'l mut Vec<Mistake>,
    ) -> Self {
        Self { path: Vec::new(), values, layers, mistakes, known: Vec::new() }
    }

    /// The setting under `key`; `None` when it is absent or wrong (which is then noted).
    pub(super) fn get<T: Setting>(&mut self, key: &'static str) -> Option<T> {
        self.get_if(key, T::EXPECTED, |_| true)
    }

    /// The setting under `key` if `fits` accepts it; `expected` says what it accepts.
    pub(super) fn get_if<T: Setting>(
        &mut self,
        key: &'static str,
        expected: &'static str,
        fits: impl Fn(&T) -> bool,
    ) -> Option<T> {
        let value = self.take(key)?;
        let read = T::read(&value, self.layers.is_textual(&self.path_of(key))).filter(fits);
        if read.is_none() {
            self.fault(key, Fault::Form { expected, found: shown(&value) });
        }
        read
    }

    /// Every entry of this table, whatever its name.
    pub(super) fn entries<T: Setting>(&mut self) -> BTreeMap<String, T> {
        let names: Vec<String> = self.values.keys().cloned().collect();
        names.into_iter().filter_map(|name| Some((name.clone(), self.entry(&name)?))).collect()
    }

    fn entry<T: Setting>(&mut self, name: &str) -> Option<T> {
        let value = self.values.remove(name)?;
        let read = T::read(&value, self.layers.is_textual(&self.path_of(name)));
        if read.is_none() {
            self.fault(name, Fault::Form { expected: T::EXPECTED, found: shown(&value) });
        }
        read
    }

    /// The table under `key`; empty when it is absent or no table.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'_> {
        let values = self.take(key).map_or_else(Map::new, |value| self.table(key, value));
        self.child(key, values)
    }

    /// Every table in the table under `key`, by name.
    pub(super) fn each_section(&mut self, key: &'static str, mut read: impl FnMut(Section<'_>)) {
        let mut all = self.section(key);
        for (name, value) in std::mem::take(&mut all.values) {
            let values = all.table(&name, value);
            read(all.child(&name, values));
        }
    }

    /// The last part of this section's path.
    pub(super) fn name(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }

    /// The rest of this table, whatever it holds.
    pub(super) fn everything(&mut self) -> serde_json::Value {
        let values = std::mem::take(&mut self.values);
        values.into_iter().map(|(key, value)| (key.clone(), self.plain(&self.path_of(&key), value))).collect()
    }

    /// Notes that the value under `key` is wrong.
    pub(super) fn fault(&mut self, key: &str, fault: Fault) {
        let path = self.path_of(key);
        let origin = self.layers.origin(&path).unwrap_or("default").to_owned();
        self.mistakes.push(Mistake { origin, key: path.join("."), fault });
    }

    /// Where this section or `key` in it was set; `None` when it was not.
    pub(super) fn origin(&self, key: Option<&str>) -> Option<&str> {
        match key {
            Some(key) => self.layers.origin(&self.path_of(key)),
            None => self.layers.origin(&self.path),
        }
    }

    /// Ends the reading: what was never asked for is a mistake.
    pub(super) fn done(mut self) {
        let mut unknown: Vec<String> = std::mem::take(&mut self.values).into_keys().collect();
        unknown.sort();
        for key in unknown {
            let nearest = nearest(&key, self.known.iter().copied()).map(str::to_owned);
            self.fault(&key, Fault::Unknown { nearest });
        }
    }

    fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.values.remove(key)
    }

    fn child(&mut self, key: &str, values: Map<String, Value>) -> Section<'_> {
        let path = self.path_of(key);
        Section { path, values, layers: self.layers, mistakes: self.mistakes, known: Vec::new() }
    }

    fn table(&mut self, key: &str, value: Value) -> Map<String, Value> {
        match value.kind {
            ValueKind::Table(table) => table,
            _ => {
                self.fault(key, Fault::Form { expected: "a section", found: shown(&value) });
                Map::new()
            }
        }
    }

    fn plain(&self, path: &[String], value: Value) -> serde_json::Value {
        let under = |key: &str| [path, &[key.to_owned()]].concat();
        match value.kind {
            ValueKind::Nil => serde_json::Value::Null,
            ValueKind::Boolean(yes) => yes.into(),
            ValueKind::I64(number) => number.into(),
            ValueKind::U64(number) => number.into(),
            ValueKind::Float(number) => number.into(),
            ValueKind::String(text) if self.layers.is_textual(path) => guessed(text),
            ValueKind::String(text) => text.into(),
            ValueKind::Array(all) => all.into_iter().map(|entry| self.plain(path, entry)).collect(),
            ValueKind::Table(all) => {
                all.into_iter().map(|(key, entry)| (key.clone(), self.plain(&under(&key), entry))).collect()
            }
            // TOML has no whole number beyond 64 bits
            ValueKind::I128(_) | ValueKind::U128(_) => value.to_string().into(),
        }
    }

    fn path_of(&self, key: &str) -> Vec<String> {
        [self.path.as_slice(), &[key.to_owned()]].concat()
    }
}

/// What a text of the environment is, where nobody here knows the type: a plugin's own setting.
fn guessed(text: String) -> serde_json::Value {
    match text.parse::<bool>() {
        Ok(yes) => yes.into(),
        Err(_) => text.parse::<i64>().map_or_else(|_| text.into(), Into::into),
    }
}

/// A value as it is quoted in an error: short, on one line.
fn shown(value: &Value) -> String {
    match &value.kind {
        ValueKind::String(text) => format!("{:?}", text.chars().take(80).collect::<String>()),
        ValueKind::Table(_) => "a section".to_owned(),
        ValueKind::Array(all) => {
            format!("[{}]", all.iter().take(8).map(shown).collect::<Vec<_>>().join(", "))
        }
        ValueKind::Nil => "nothing".to_owned(),
        _ => value.to_string(),
    }
}
