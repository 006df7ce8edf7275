//! What is wrong with a blueprint, in the form that clients get.

use std::fmt;

/// One mistake in a blueprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where in the structure, such as `images[1].parameters.command`; empty for the blueprint as a whole.
    pub path: String,
    /// From 1.
    pub line: u32,
    /// From 1, in characters; a byte order mark is not counted.
    pub column: u32,
    /// What is wrong and what to do about it.
    pub message: String,
    /// Which sort of mistake.
    pub kind: DiagnosticKind,
}

/// Sorts of mistakes, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DiagnosticKind {
    /// Not YAML, or not JSON.
    Syntax,
    /// Not UTF-8.
    Encoding,
    /// Too much: bytes, nesting, nodes, slots.
    Limit,
    /// A key or a reference that nobody knows.
    Unknown,
    /// A list where a text should be, and the like.
    Type,
    /// The right type, but not a possible value.
    Value,
    /// Something required is not there.
    Missing,
    /// Twice what may be there once.
    Duplicate,
    /// Understood, but not built in this version.
    Unsupported,
}

/// All mistakes of one blueprint: at least one, in order of position, a bounded number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// `None` when there is nothing to tell. The caller sorts and bounds.
    pub(crate) fn new(found: Vec<Diagnostic>) -> Option<Self> {
        (!found.is_empty()).then_some(Self(found))
    }

    /// The answer should a blueprint be neither read nor found wanting, so that `parse` needs no panic for it.
    pub(crate) fn nothing_read() -> Self {
        let message = "the blueprint says nothing: it needs `service_name` and `images`".to_owned();
        Self(vec![Diagnostic {
            path: String::new(),
            line: 1,
            column: 1,
            message,
            kind: DiagnosticKind::Missing,
        }])
    }

    /// In order of position.
    pub fn as_slice(&self) -> &[Diagnostic] {
        &self.0
    }

    /// In order of position.
    pub fn into_vec(self) -> Vec<Diagnostic> {
        self.0
    }

    /// In order of position.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl DiagnosticKind {
    /// A stable name for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::Encoding => "encoding",
            Self::Limit => "limit",
            Self::Unknown => "unknown",
            Self::Type => "type",
            Self::Value => "value",
            Self::Missing => "missing",
            Self::Duplicate => "duplicate",
            Self::Unsupported => "unsupported",
        }
    }
}

impl fmt::Display for DiagnosticKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// `3:5 images[0].name: message`, one line.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} ", self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// One diagnostic a line, without a line break at the end.
impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, diagnostic) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            diagnostic.fmt(f)?;
        }
        Ok(())
    }
}
