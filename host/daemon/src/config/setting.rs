//! The types a setting can have, and the texts they are written as. No setting is named here.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use ::config::{Value, ValueKind};
use jiff::{SignedDuration, SpanRelativeTo};
use motey_core::id::NodeName;
use serde::{Serialize, Serializer};

/// Something that a value of the configuration can be read as.
pub(super) trait Setting: Sized {
    /// What may stand there, for the error: "a port number, 0 to 65535".
    const EXPECTED: &'static str;

    /// `None` when it is not one. `textual`: the source has no types, so a number comes as text.
    fn read(value: &Value, textual: bool) -> Option<Self>;
}

/// An absolute path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct Absolute(pub(super) PathBuf);

/// A number of bytes, written as `1 MiB`, `512 kB` or a plain number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// A span of time, written as `500ms`, `1s`, `1m 30s` or `1d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// How much of something, as it is written: what that means is decided elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written(pub(super) String);

const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

fn text(value: &Value) -> Option<&str> {
    match &value.kind {
        ValueKind::String(text) => Some(text),
        _ => None,
    }
}

/// What one of the listed words stands for.
pub(super) fn word<T: Copy>(value: &Value, words: &[(&str, T)]) -> Option<T> {
    let text = text(value)?;
    words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning)
}

/// A whole number, or its text where the source has no types.
fn whole(value: &Value, textual: bool) -> Option<u64> {
    match &value.kind {
        ValueKind::I64(number) => u64::try_from(*number).ok(),
        ValueKind::U64(number) => Some(*number),
        ValueKind::String(text) if textual => text.trim().parse().ok(),
        _ => None,
    }
}

impl Setting for String {
    const EXPECTED: &'static str = "a text";

    fn read(value: &Value, _: bool) -> Option<Self> {
        text(value).map(str::to_owned)
    }
}

impl Setting for NodeName {
    const EXPECTED: &'static str =
        "a name of 1 to 128 characters, not all blank, none of them a control character";

    fn read(value: &Value, _: bool) -> Option<Self> {
        Self::new(text(value)?).ok()
    }
}

impl Setting for u16 {
    const EXPECTED: &'static str = "a port number, 0 to 65535";

    fn read(value: &Value, textual: bool) -> Option<Self> {
        whole(value, textual)?.try_into().ok()
    }
}

impl Setting for u32 {
    const EXPECTED: &'static str = "a whole number, 0 or more";

    fn read(value: &Value, textual: bool) -> Option<Self> {
        whole(value, textual)?.try_into().ok()
    }
}

impl Setting for IpAddr {
    const EXPECTED: &'static str = "an IP address such as \"127.0.0.1\"";

    fn read(value: &Value, _: bool) -> Option<Self> {
        text(value)?.parse().ok()
    }
}

impl Setting for Absolute {
    const EXPECTED: &'static str = "an absolute path";

    fn read(value: &Value, _: bool) -> Option<Self> {
        let path = Path::new(text(value)?);
        path.is_absolute().then(|| Self(path.to_owned()))
    }
}

impl Setting for Vec<Absolute> {
    const EXPECTED: &'static str = "a list of absolute paths";

    fn read(value: &Value, textual: bool) -> Option<Self> {
        list(value, textual)
    }
}

impl Setting for Vec<String> {
    const EXPECTED: &'static str = "a list of texts";

    fn read(value: &Value, textual: bool) -> Option<Self> {
        list(value, textual)
    }
}

/// A list, or its entries with commas between them where the source has no types.
fn list<T: Setting>(value: &Value, textual: bool) -> Option<Vec<T>> {
    match &value.kind {
        ValueKind::Array(entries) => entries.iter().map(|entry| T::read(entry, textual)).collect(),
        ValueKind::String(text) if textual => text
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(|entry| T::read(&Value::new(None, entry.to_owned()), textual))
            .collect(),
        _ => None,
    }
}

impl Setting for Span {
    const EXPECTED: &'static str = "a duration such as \"500ms\" or \"1s\"";

    fn read(value: &Value, _: bool) -> Option<Self> {
        text(value)?.parse().ok()
    }
}

/// A text that is no span of time, or a negative one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a span of time such as 90s, 5m, 2h or 1d")]
pub struct NotASpan;

impl FromStr for Span {
    type Err = NotASpan;

    fn from_str(text: &str) -> Result<Self, NotASpan> {
        let span: jiff::Span = text.parse().map_err(|_| NotASpan)?;
        let span = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| NotASpan)?;
        Duration::try_from(span).map(Self).map_err(|_| NotASpan)
    }
}

impl Setting for Size {
    const EXPECTED: &'static str = "a size such as \"1 MiB\" or a number of bytes";

    fn read(value: &Value, textual: bool) -> Option<Self> {
        whole(value, textual).or_else(|| size(text(value)?)).map(Self)
    }
}

impl Setting for Written {
    const EXPECTED: &'static str = "an amount such as 2 or \"256 MB\"";

    fn read(value: &Value, _: bool) -> Option<Self> {
        match &value.kind {
            ValueKind::I64(_) | ValueKind::U64(_) | ValueKind::Float(_) => Some(Self(value.to_string())),
            ValueKind::String(text) => Some(Self(text.trim().to_owned())),
            _ => None,
        }
    }
}

fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let (number, factor) =
        UNITS.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))?;
    number.trim().parse::<u64>().ok()?.checked_mul(*factor)
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fits = |&&(_, factor): &&(&str, u64)| self.0 >= factor && self.0.is_multiple_of(factor);
        match UNITS.iter().filter(fits).max_by_key(|(_, factor)| factor) {
            Some((unit, factor)) => write!(f, "{} {unit}", self.0 / factor),
            None => write!(f, "{} B", self.0),
        }
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match SignedDuration::try_from(self.0) {
            Ok(span) => write!(f, "{span:#}"),
            Err(_) => write!(f, "{}s", self.0.as_secs()),
        }
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<T: Setting>(text: &str) -> Option<T> {
        T::read(&Value::new(None, text.to_owned()), false)
    }

    #[test]
    fn sizes_are_read_and_written_back() {
        for (text, bytes) in [("1 MiB", 1 << 20), ("512kB", 512_000), ("3 GB", 3_000_000_000), ("7 B", 7)] {
            assert_eq!(of::<Size>(text), Some(Size(bytes)), "{text}");
        }
        for text in ["", "MiB", "1", "1 mb", "-1 B", "1.5 MiB", "99999999999 TiB"] {
            assert_eq!(of::<Size>(text), None, "{text}");
        }
        assert_eq!(Size(1 << 20).to_string(), "1 MiB");
        assert_eq!(Size(256_000_000).to_string(), "256 MB");
        assert_eq!(Size(1_500).to_string(), "1500 B");
        assert_eq!(Size(0).to_string(), "0 B");
    }

    #[test]
    fn durations_are_text_with_a_unit_and_never_negative() {
        assert_eq!(of("500ms"), Some(Span(Duration::from_millis(500))));
        assert_eq!(of("1m 30s"), Some(Span(Duration::from_secs(90))));
        assert_eq!(of("1d"), Some(Span(Duration::from_secs(86_400))));
        for text in ["", "1", "s", "-1s", "1s ago", "1y", "soon", "99999999999999999d"] {
            assert_eq!(of::<Span>(text), None, "{text}");
        }
        assert_eq!(Span(Duration::from_millis(1_500)).to_string(), "1s 500ms");
    }

    #[test]
    fn a_number_is_text_only_where_the_source_has_no_types() {
        let quoted = Value::new(None, "5023");
        assert_eq!(u16::read(&quoted, true), Some(5023));
        assert_eq!(u16::read(&quoted, false), None);
        assert_eq!(u16::read(&Value::new(None, 70_000_i64), false), None);
        let listed = Value::new(None, "/a, /b,");
        assert_eq!(
            Vec::<Absolute>::read(&listed, true),
            Some(vec![Absolute("/a".into()), Absolute("/b".into())])
        );
        assert_eq!(Vec::<Absolute>::read(&listed, false), None);
    }
}
