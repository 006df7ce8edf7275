//! Typed readers over the tree: what a value is, is decided by the key it stands under. Each reader notes what is
//! wrong and gives `None`; the caller reads on, so that every mistake is told at once.

use std::rc::Rc;

use crate::diagnostic::DiagnosticKind as Kind;
use crate::nearest::nearest;
use crate::path::{quoted, with_index, with_key};
use crate::report::Report;
use crate::tree::{Entry, Items, Node, Scalar, Style, Value};
use crate::units;

/// A node and how messages call its place.
#[derive(Clone)]
pub(crate) struct At<'n> {
    pub(crate) node: &'n Node,
    pub(crate) path: String,
}

impl<'n> At<'n> {
    pub(crate) fn root(node: &'n Node) -> Self {
        Self { node, path: String::new() }
    }

    pub(crate) fn value_of(&self, entry: &'n Entry) -> Self {
        Self { node: &entry.value, path: with_key(&self.path, &entry.key) }
    }

    pub(crate) fn is_broken(&self) -> bool {
        matches!(self.node.value, Value::Broken)
    }

    /// The entries, when this is a list.
    pub(crate) fn as_list(&self) -> Option<&'n Items<Rc<Node>>> {
        if let Value::List(list) = &self.node.value { Some(list) } else { None }
    }

    /// The entries, when this is a map.
    pub(crate) fn as_map(&self) -> Option<&'n Items<Entry>> {
        if let Value::Map(map) = &self.node.value { Some(map) } else { None }
    }

    /// The entries of a list, with their places.
    pub(crate) fn each(&self, list: &'n Items<Rc<Node>>) -> impl Iterator<Item = Self> + use<'n, '_> {
        list.items.iter().enumerate().map(|(n, node)| Self { node, path: with_index(&self.path, n) })
    }
}

impl Report<'_> {
    /// Notes that the value is wrong.
    pub(crate) fn refuse(&mut self, kind: Kind, at: &At<'_>, message: impl Into<String>) {
        self.add(kind, &at.path, at.node.start, message);
    }

    /// Text: anything written, as it is written; in JSON a string.
    pub(crate) fn text(&mut self, at: &At<'_>) -> Option<String> {
        match &at.node.value {
            Value::Scalar(scalar) if scalar.style == Style::Bare && !is_null(scalar) => {
                let message =
                    format!("must be text, is {}: put it in double quotes", described(&at.node.value));
                self.refuse(Kind::Type, at, message);
                None
            }
            _ => self.written(at),
        }
    }

    /// Text, or a number or truth value of JSON in its spelling there.
    pub(crate) fn written(&mut self, at: &At<'_>) -> Option<String> {
        match &at.node.value {
            Value::Scalar(scalar) if !is_null(scalar) => self.literal(at, &scalar.text),
            _ => self.wrong_type(at, "text"),
        }
    }

    /// A whole number, without quotes.
    pub(crate) fn whole(&mut self, at: &At<'_>) -> Option<u64> {
        match &at.node.value {
            Value::Scalar(Scalar { text, style: Style::Quoted }) => {
                let message =
                    format!("must be a whole number, is the text {}: take the quotes off", quoted(text));
                self.refuse(Kind::Type, at, message);
                None
            }
            Value::Scalar(scalar) if !is_null(scalar) => {
                self.checked(at, Kind::Type, units::whole(&scalar.text))
            }
            _ => self.wrong_type(at, "a whole number"),
        }
    }

    /// One of a few words.
    pub(crate) fn choice<T: Copy>(&mut self, at: &At<'_>, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(at)?;
        if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == text) {
            return Some(*choice);
        }
        let names = choices.iter().map(|(name, _)| *name);
        let meant = nearest(&text, names.clone()).map(|name| format!(" (did you mean `{name}`?)"));
        let message = format!(
            "{} is not possible{}: write {}",
            quoted(&text),
            meant.unwrap_or_default(),
            alternatives(names)
        );
        self.refuse(Kind::Value, at, message);
        None
    }

    /// A list.
    pub(crate) fn list<'n>(&mut self, at: &At<'n>) -> Option<&'n Items<Rc<Node>>> {
        at.as_list().or_else(|| self.wrong_type(at, "a list"))
    }

    /// A map.
    pub(crate) fn map<'n>(&mut self, at: &At<'n>) -> Option<&'n Items<Entry>> {
        at.as_map().or_else(|| self.wrong_type(at, "a map"))
    }

    /// Passes a value on, or notes why there is none.
    pub(crate) fn checked<T>(
        &mut self,
        at: &At<'_>,
        kind: Kind,
        value: Result<T, impl ToString>,
    ) -> Option<T> {
        value.map_err(|error| self.refuse(kind, at, error.to_string())).ok()
    }

    /// Notes that the value should be something else.
    pub(crate) fn wrong_type<T>(&mut self, at: &At<'_>, wanted: &str) -> Option<T> {
        if !at.is_broken() {
            self.refuse(Kind::Type, at, format!("must be {wanted}, is {}", described(&at.node.value)));
        }
        None
    }

    /// `$${` is `${`; `${` alone is kept for values that come later.
    fn literal(&mut self, at: &At<'_>, text: &str) -> Option<String> {
        let mut result = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(found) = rest.find("${") {
            let Some(before) = rest[..found].strip_suffix('$') else {
                self.reserved(at, &rest[found..]);
                return None;
            };
            result.push_str(before);
            result.push_str("${");
            rest = &rest[found + 2..];
        }
        result.push_str(rest);
        Some(result)
    }

    fn reserved(&mut self, at: &At<'_>, found: &str) {
        let end = found.find('}').map_or(found.len(), |end| end + 1);
        let shown = quoted(&found[..end]);
        let message = format!(
            "{shown}: `${{` is reserved, nothing is replaced yet: write `$${{` for the characters `${{`"
        );
        let written = self.written_between(at);
        let unescaped = |(n, _): &(usize, &str)| !written[..*n].ends_with('$');
        let offset = written.match_indices("${").find(unescaped).map_or(0, |(n, _)| n);
        self.add(Kind::Value, &at.path, at.node.start + offset, message);
    }

    fn written_between(&self, at: &At<'_>) -> &str {
        self.written_text(at.node.start, at.node.end)
    }
}

/// What a value is, for messages.
pub(crate) fn described(value: &Value) -> String {
    match value {
        Value::List(_) => "a list".into(),
        Value::Map(_) => "a map".into(),
        Value::Broken => "unreadable".into(),
        Value::Scalar(scalar) if is_null(scalar) => "empty".into(),
        Value::Scalar(Scalar { text, style: Style::Quoted }) => format!("the text {}", quoted(text)),
        Value::Scalar(Scalar { text, .. }) => quoted(text).trim_matches('"').to_owned(),
    }
}

/// Nothing, written as one of YAML's core schema or JSON writes it.
pub(crate) fn is_null(scalar: &Scalar) -> bool {
    match scalar.style {
        Style::Plain => matches!(scalar.text.as_str(), "" | "~" | "null" | "Null" | "NULL"),
        Style::Bare => scalar.text == "null",
        Style::Quoted => false,
    }
}

/// "`a`, `b` or `c`".
pub(crate) fn alternatives<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}
