//! The script: what goes wrong, and when. Its shape is described in `docs/testing.md`.
//!
//! Deliberately no effects: a rule is chosen here and carried out by the engine.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use motey_plugin_api::{Error, Exit};
use serde::{Deserialize, Serialize};

use crate::glob;

/// The operations that a rule may name and that the journal tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    Fingerprint,
    Pull,
    Create,
    Start,
    Stop,
    Destroy,
    Inspect,
    List,
    Logs,
    Stats,
    Events,
}

/// Which instance a call is about; empty where it is about none.
#[derive(Debug, Clone, Default)]
pub struct Subject {
    pub name: String,
    pub image: String,
    pub fence: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Script {
    rules: Vec<Rule>,
    deaths: Vec<DeathRule>,
}

/// One thing that happens to a call. The first rule that fits and is not used up is taken, and no other.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Absent: any operation.
    op: Option<Op>,
    image: Option<String>,
    name: Option<String>,
    /// How often it applies; absent: always.
    times: Option<u32>,
    #[serde(default)]
    pub when: When,
    #[serde(default)]
    pub delay_ms: u64,
    pub error: Option<ScriptedError>,
    #[serde(default)]
    pub panic: bool,
    /// The call is not answered before the plugin is closed.
    #[serde(default)]
    pub hang: bool,
    /// The host is killed as by `kill -9`.
    #[serde(default)]
    pub exit_host: bool,
}

/// Whether the operation is carried out first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// An error, a panic, a hang or a death of the host then means: it was not carried out.
    #[default]
    Before,
    /// It was, and the answer is what suffers.
    After,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptedError {
    code: ErrorCode,
    message: String,
    hint: Option<String>,
    retryable: Option<bool>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ErrorCode {
    Unsupported,
    NotFound,
    Conflict,
    Invalid,
    Unavailable,
    Busy,
    Failed,
    TimedOut,
    Cancelled,
    Closed,
    Denied,
    Unreachable,
}

/// An instance that dies by itself. Decided when it starts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeathRule {
    image: Option<String>,
    name: Option<String>,
    times: Option<u32>,
    after_ms: u64,
    code: Option<i32>,
    signal: Option<i32>,
    #[serde(default)]
    oom: bool,
}

impl Rule {
    /// Whether the caller gets something else than the operation's own answer.
    pub fn cuts_short(&self) -> bool {
        self.exit_host || self.hang || self.panic || self.error.is_some()
    }

    /// The journal's word for it.
    pub fn outcome(&self) -> &'static str {
        match &self.error {
            _ if self.exit_host => "exit_host",
            _ if self.hang => "hang",
            _ if self.panic => "panic",
            Some(error) => error.to_error().code.as_str(),
            None => "ok",
        }
    }
}

impl Script {
    /// Uses up one application of the rule it returns.
    pub fn rule(&mut self, op: Op, about: &Subject) -> Option<Rule> {
        let fits = |rule: &Rule| {
            rule.op.is_none_or(|wanted| wanted == op)
                && named(rule.image.as_deref(), &about.image)
                && named(rule.name.as_deref(), &about.name)
        };
        let rule = self.rules.iter_mut().find(|rule| rule.times != Some(0) && fits(rule))?;
        use_up(&mut rule.times);
        Some(rule.clone())
    }

    /// After how many milliseconds an instance that starts now dies, and how.
    pub fn death(&mut self, about: &Subject) -> Option<(u64, Exit)> {
        let fits = |rule: &DeathRule| {
            named(rule.image.as_deref(), &about.image) && named(rule.name.as_deref(), &about.name)
        };
        let rule = self.deaths.iter_mut().find(|rule| rule.times != Some(0) && fits(rule))?;
        use_up(&mut rule.times);
        let code = rule.code.or(rule.signal.is_none().then_some(0));
        Some((rule.after_ms, Exit { code, signal: rule.signal, oom: rule.oom }))
    }
}

fn named(pattern: Option<&str>, name: &str) -> bool {
    pattern.is_none_or(|pattern| glob::matches(pattern, name))
}

fn use_up(times: &mut Option<u32>) {
    if let Some(left) = times {
        *left -= 1;
    }
}

impl ScriptedError {
    pub fn to_error(&self) -> Error {
        let message = self.message.as_str();
        let error = match self.code {
            ErrorCode::Unsupported => Error::unsupported(message),
            ErrorCode::NotFound => Error::not_found(message),
            ErrorCode::Conflict => Error::conflict(message),
            ErrorCode::Invalid => Error::invalid(message),
            ErrorCode::Unavailable => Error::unavailable(message),
            ErrorCode::Busy => Error::busy(message),
            ErrorCode::Failed => Error::failed(message),
            ErrorCode::TimedOut => Error::timed_out(message),
            ErrorCode::Cancelled => Error::cancelled(message),
            ErrorCode::Closed => Error::closed(message),
            ErrorCode::Denied => Error::denied(message),
            ErrorCode::Unreachable => Error::unreachable(message),
        };
        let error = match &self.hint {
            Some(hint) => error.hint(hint),
            None => error,
        };
        match self.retryable {
            Some(retryable) => error.retryable(retryable),
            None => error,
        }
    }
}

/// The script's file, read again when it is another one. A missing file is an empty script.
#[derive(Debug)]
pub struct ScriptFile {
    path: PathBuf,
    seen: Option<Version>,
    script: Script,
}

/// Enough to notice a file that was replaced or written anew.
#[derive(Debug, PartialEq, Eq)]
struct Version {
    inode: u64,
    size: u64,
    modified_ns: i64,
    modified_s: i64,
}

impl ScriptFile {
    pub fn open(path: PathBuf) -> Result<Self, Error> {
        let mut file = Self { path, seen: None, script: Script::default() };
        file.current()?;
        Ok(file)
    }

    /// The script as it stands in the file now. A changed file starts with all its `times` anew.
    pub fn current(&mut self) -> Result<&mut Script, Error> {
        let version = Version::of(&self.path).map_err(|error| unreadable(&self.path, &error))?;
        if version != self.seen {
            self.script = match &version {
                Some(_) => read(&self.path)?,
                None => Script::default(),
            };
            self.seen = version;
        }
        Ok(&mut self.script)
    }
}

impl Version {
    fn of(path: &Path) -> io::Result<Option<Self>> {
        match fs::metadata(path) {
            Ok(meta) => Ok(Some(Self {
                inode: meta.ino(),
                size: meta.size(),
                modified_s: meta.mtime(),
                modified_ns: meta.mtime_nsec(),
            })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn read(path: &Path) -> Result<Script, Error> {
    let text = fs::read(path).map_err(|error| unreadable(path, &error))?;
    serde_json::from_slice(&text).map_err(|error| {
        Error::invalid(format!("the script {} is wrong: {error}", path.display())).hint(
            "docs/testing.md describes its shape; replace the file by rename, so that no half of it is read",
        )
    })
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::failed(format!("the script {} cannot be read: {error}", path.display()))
}
