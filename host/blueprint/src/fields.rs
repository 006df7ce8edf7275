//! The keys of one map, judged by the tables of `schema` and `alias`: what is left is what its level reads.

use crate::diagnostic::DiagnosticKind as Kind;
use crate::nearest::nearest;
use crate::path::{quoted, with_key};
use crate::read::{At, alternatives, described};
use crate::report::Report;
use crate::schema::{Cannot, Level, Meaning, Shape};
use crate::tree::{Entry, Scalar, Style, Value};

/// The values of one map that this version reads, by native key.
pub(crate) struct Fields<'n> {
    map: At<'n>,
    whole: bool,
    read: Vec<(&'static str, At<'n>)>,
    /// Maps under keys of their own, where a level has such.
    named: Vec<(&'n str, At<'n>)>,
    /// Keys that unknown ones were probably meant to be: nobody needs to hear that they are missing too.
    meant: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// Sorts out a map: refuses what is unknown or not built.
    pub(crate) fn of(map: At<'n>, level: Level, report: &mut Report<'_>) -> Option<Self> {
        let entries = report.map(&map)?;
        let mut fields =
            Self { map, whole: entries.whole, read: Vec::new(), named: Vec::new(), meant: Vec::new() };
        for entry in &entries.items {
            let at = fields.map.value_of(entry);
            match level.meaning(&entry.key) {
                Some(meaning) => fields.known(entry, at, meaning, level, report),
                None if level == Level::Capability && at.as_map().is_some() => {
                    fields.named.push((&entry.key, at));
                }
                None => fields.meant.extend(unknown(entry, &at, level, report)),
            }
        }
        Some(fields)
    }

    /// The value of a key, when it is there.
    pub(crate) fn get(&self, key: &str) -> Option<&At<'n>> {
        self.read.iter().find(|(name, _)| *name == key).map(|(_, at)| at)
    }

    /// The first of these keys that is there.
    pub(crate) fn first(&self, keys: &[&'static str]) -> Option<(&'static str, &At<'n>)> {
        keys.iter().find_map(|key| Some((*key, self.get(key)?)))
    }

    /// The maps that stand under keys of their own.
    pub(crate) fn named(&self) -> &[(&'n str, At<'n>)] {
        &self.named
    }

    /// The value of a key that must be there.
    pub(crate) fn required(&self, key: &str, report: &mut Report<'_>) -> Option<&At<'n>> {
        let found = self.get(key);
        if found.is_none() && self.whole && !self.meant.contains(&key) {
            let path = with_key(&self.map.path, key);
            report.add(Kind::Missing, &path, self.map.node.start, format!("`{key}` is missing: add it"));
        }
        found
    }

    fn known(
        &mut self,
        entry: &'n Entry,
        at: At<'n>,
        meaning: Meaning,
        level: Level,
        report: &mut Report<'_>,
    ) {
        let refuse = |report: &mut Report<'_>, kind, message: String| {
            report.add(kind, &at.path, entry.key_start, message);
        };
        let key = &entry.key;
        match meaning {
            Meaning::Now => {
                let native = level.words().iter().find(|word| word.name == key).map(|word| word.name);
                self.keep(native.unwrap_or_default(), entry, at, report);
            }
            Meaning::As(native) => self.keep(native, entry, at, report),
            Meaning::NoEffect(shape) => report.shape(&at, shape),
            Meaning::Later(shape, cannot) => {
                refuse(report, Kind::Unsupported, not_built(key, cannot));
                report.shape(&at, shape);
            }
            Meaning::Instead(what) => {
                refuse(report, Kind::Unsupported, format!("`{key}` is not read: write {what}"));
            }
        }
    }

    /// Two spellings of one key are a duplicate.
    fn keep(&mut self, native: &'static str, entry: &Entry, at: At<'n>, report: &mut Report<'_>) {
        if self.get(native).is_some() {
            let message = format!("`{}` says the same as another key here: keep `{native}`", entry.key);
            report.add(Kind::Duplicate, &at.path, entry.key_start, message);
            return;
        }
        self.read.push((native, at));
    }
}

fn not_built(key: &str, cannot: Cannot) -> String {
    format!("`{key}` is not built yet: this version cannot {cannot}")
}

/// Refuses a key, and gives the one that it was probably meant to be.
fn unknown(entry: &Entry, at: &At<'_>, level: Level, report: &mut Report<'_>) -> Option<&'static str> {
    let key = &entry.key;
    if report.is_full() {
        report.add(Kind::Unknown, &at.path, entry.key_start, String::new());
        return None;
    }
    let known = level.words().iter().map(|word| word.name);
    let home = level.home_of(key);
    let meant = if home.is_none() { nearest(key, known) } else { None };
    let advice = if let Some(home) = home {
        format!("it belongs {}", home.place())
    } else if let Some(meant) = meant {
        format!("did you mean `{meant}`?")
    } else {
        let now =
            level.words().iter().filter(|word| matches!(word.meaning, Meaning::Now)).map(|word| word.name);
        format!("{} there may be {}", level.place(), alternatives(now))
    };
    report.add(
        Kind::Unknown,
        &at.path,
        entry.key_start,
        format!("the key {} is not known: {advice}", quoted(key)),
    );
    meant
}

impl Report<'_> {
    /// Checks what can be checked of a value that is not read.
    fn shape(&mut self, at: &At<'_>, shape: Shape) {
        let value = &at.node.value;
        let (is_list, is_map) = (matches!(value, Value::List(_)), matches!(value, Value::Map(_)));
        let is_text = matches!(value, Value::Scalar(_)) && described(value) != "empty";
        let (fits, wanted) = match shape {
            Shape::Any => (true, ""),
            Shape::Text => (is_text, "text"),
            Shape::Flag => (is_flag(value, &["true", "false"]), "`true` or `false`"),
            Shape::Yes => (is_flag(value, &["true"]), "`true` (Motey starts everything in the background)"),
            Shape::List => (is_list, "a list"),
            Shape::Map => (is_map, "a map"),
            Shape::TextOrList => (is_text || is_list, "text or a list"),
            Shape::ListOrMap => (is_list || is_map, "a list or a map"),
        };
        if !fits {
            self.wrong_type::<()>(at, wanted);
        }
    }
}

fn is_flag(value: &Value, spellings: &[&str]) -> bool {
    matches!(value, Value::Scalar(Scalar { text, style }) if *style != Style::Quoted && spellings.contains(&text.as_str()))
}
