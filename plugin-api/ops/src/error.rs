//! The one error that crosses the boundary: a code for programs, a sentence for people.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why an operation failed. The number on the wire; 0 is success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum Code {
    /// The plugin does not know this operation.
    Unsupported = 1,
    NotFound,
    /// It exists already; with our labels: adopt it.
    Conflict,
    /// The request cannot be carried out as it stands, today or ever.
    Invalid,
    /// The engine is not there, or the plugin does not respond.
    Unavailable,
    /// Too much to do; nothing was started.
    Busy,
    Failed,
    TimedOut,
    Cancelled,
    /// The plugin has been closed.
    Closed,
    /// Somebody whom the engine asks wants other credentials.
    Denied,
    /// Somebody whom the engine asks is not reached; the engine itself answers.
    Unreachable,
}

impl Code {
    pub const ALL: [Self; 12] = [
        Self::Unsupported,
        Self::NotFound,
        Self::Conflict,
        Self::Invalid,
        Self::Unavailable,
        Self::Busy,
        Self::Failed,
        Self::TimedOut,
        Self::Cancelled,
        Self::Closed,
        Self::Denied,
        Self::Unreachable,
    ];

    /// The number on the wire, from 1.
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// `None` for 0 and for numbers that this version does not know.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unsupported => "unsupported",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Invalid => "invalid",
            Self::Unavailable => "unavailable",
            Self::Busy => "busy",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::Closed => "closed",
            Self::Denied => "denied",
            Self::Unreachable => "unreachable",
        }
    }

    const fn usually_retryable(self) -> bool {
        matches!(self, Self::Unavailable | Self::Busy | Self::TimedOut | Self::Unreachable)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failed operation. The code travels beside the body, the rest is the body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Error {
    #[serde(skip)]
    pub code: Code,
    /// What failed and why, in one sentence.
    pub message: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The engine's own words, untouched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine_text: Option<String>,
    /// The same request may succeed later.
    pub retryable: bool,
}

/// The body as it may come from any plugin: everything but the message may be missing.
#[derive(Deserialize)]
struct Body {
    message: String,
    #[serde(default)]
    hint: Option<String>,
    #[serde(default)]
    engine_text: Option<String>,
    #[serde(default)]
    retryable: bool,
}

impl Error {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let retryable = code.usually_retryable();
        Self { code, message: message.into(), hint: None, engine_text: None, retryable }
    }

    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(Code::Unsupported, message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Code::NotFound, message)
    }

    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(Code::Conflict, message)
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::Invalid, message)
    }

    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Code::Unavailable, message)
    }

    pub fn busy(message: impl Into<String>) -> Self {
        Self::new(Code::Busy, message)
    }

    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Code::Failed, message)
    }

    pub fn timed_out(message: impl Into<String>) -> Self {
        Self::new(Code::TimedOut, message)
    }

    pub fn cancelled(message: impl Into<String>) -> Self {
        Self::new(Code::Cancelled, message)
    }

    pub fn closed(message: impl Into<String>) -> Self {
        Self::new(Code::Closed, message)
    }

    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(Code::Denied, message)
    }

    pub fn unreachable(message: impl Into<String>) -> Self {
        Self::new(Code::Unreachable, message)
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn engine_text(mut self, text: impl Into<String>) -> Self {
        self.engine_text = Some(text.into());
        self
    }

    /// `unavailable`, `busy`, `timed_out` and `unreachable` are retryable unless said otherwise, the others are not.
    #[must_use]
    pub fn retryable(mut self, retryable: bool) -> Self {
        self.retryable = retryable;
        self
    }

    /// The code's number and the JSON body.
    pub fn to_wire(&self) -> (i32, Vec<u8>) {
        (self.code.number(), serde_json::to_vec(self).unwrap_or_default())
    }

    /// Reads any peer's error: an unknown code is `failed`, a body that is no such JSON becomes the message.
    pub fn from_wire(number: i32, body: &[u8]) -> Self {
        let code = Code::from_number(number).unwrap_or(Code::Failed);
        match serde_json::from_slice::<Body>(body) {
            Ok(Body { message, hint, engine_text, retryable }) => {
                Self { code, message, hint, engine_text, retryable }
            }
            Err(_) => Self::new(code, readable(code, body)),
        }
    }
}

fn readable(code: Code, body: &[u8]) -> String {
    const LONGEST: usize = 400;
    match String::from_utf8_lossy(body).trim() {
        "" => format!("the plugin answered `{code}` without a word"),
        text => text.chars().take(LONGEST).collect(),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(text) = &self.engine_text {
            write!(f, ": {text}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "; {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
