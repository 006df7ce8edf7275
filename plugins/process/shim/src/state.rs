//! What the files of an instance's directory say, and how it is written down ([`crate::record`]).
//!
//! A run is one life of the program, named by its shim ([`Identity::run`]): exits and stop orders carry that name, so that what an
//! earlier run left behind is never taken for news of this one. Unknown lines are skipped: a newer build may have written them.

use std::collections::BTreeMap;

use crate::process::Process;
use crate::record::{self, Writer};

/// What `create` asked for, complete: nothing else decides how the program is started.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Description {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub image: String,
    pub command: Vec<String>,
    /// Exactly the program's environment, the two marks of [`Identity::marks`] apart.
    pub environment: BTreeMap<String, String>,
    pub working_dir: String,
    /// A signal's number.
    pub stop_signal: i32,
    pub stop_grace_ms: u64,
    /// Both segments of the log together.
    pub log_bytes: u64,
}

/// Who runs the instance. Believed only in the boot it was written in, and only while pid and start time agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub boot: String,
    pub shim: Process,
    /// Absent until the program runs.
    pub main: Option<Process>,
    pub cgroup: Option<String>,
    /// Unix milliseconds, for people.
    pub started_at: u64,
    /// What this machine could not give, for people.
    pub note: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exit {
    pub run: String,
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub oom: bool,
    /// Unix milliseconds, for people.
    pub at: u64,
    /// Why there is neither code nor signal.
    pub note: Option<String>,
}

/// A day: a grace is meant for people's patience, and no clock may overflow by it. More is taken for this much.
pub const MOST_GRACE_MS: u64 = 24 * 60 * 60 * 1000;

/// How the SIGTERM that follows is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopOrder {
    pub run: String,
    pub signal: i32,
    pub grace_ms: u64,
}

impl Description {
    pub fn encode(&self) -> String {
        let mut out = Writer::default()
            .line(&["name", &self.name])
            .line(&["image", &self.image])
            .line(&["working_dir", &self.working_dir])
            .line(&["stop_signal", &self.stop_signal.to_string()])
            .line(&["stop_grace_ms", &self.stop_grace_ms.to_string()])
            .line(&["log_bytes", &self.log_bytes.to_string()]);
        for argument in &self.command {
            out = out.line(&["argument", argument]);
        }
        for (key, value) in &self.environment {
            out = out.line(&["environment", key, value]);
        }
        for (key, value) in &self.labels {
            out = out.line(&["label", key, value]);
        }
        out.finish()
    }

    pub fn decode(text: &str) -> Option<Self> {
        let mut it = Self::default();
        for line in record::read(text)? {
            match fields(&line).as_slice() {
                ["name", value] => it.name = (*value).to_owned(),
                ["image", value] => it.image = (*value).to_owned(),
                ["working_dir", value] => it.working_dir = (*value).to_owned(),
                ["stop_signal", value] => it.stop_signal = value.parse().ok()?,
                ["stop_grace_ms", value] => it.stop_grace_ms = value.parse().ok()?,
                ["log_bytes", value] => it.log_bytes = value.parse().ok()?,
                ["argument", value] => it.command.push((*value).to_owned()),
                ["environment", key, value] => {
                    drop(it.environment.insert((*key).to_owned(), (*value).to_owned()));
                }
                ["label", key, value] => drop(it.labels.insert((*key).to_owned(), (*value).to_owned())),
                _ => {}
            }
        }
        (!it.name.is_empty() && !it.image.is_empty()).then_some(it)
    }
}

impl Identity {
    /// The run's name: unique within a boot, and with the boot's id ever.
    pub fn run(&self) -> String {
        format!("{}.{}.{}", self.boot, self.shim.pid(), self.shim.start())
    }

    /// Environment variables that mark every process of the tree, by which it is found again where there is no cgroup.
    pub fn marks(&self, name: &str) -> [(&'static str, String); 2] {
        [("MOTEY_INSTANCE", name.to_owned()), ("MOTEY_RUN", self.run())]
    }

    pub fn encode(&self) -> String {
        let mut out = Writer::default()
            .line(&["boot", &self.boot])
            .line(&["shim", &self.shim.pid().to_string(), &self.shim.start().to_string()])
            .line(&["started_at", &self.started_at.to_string()]);
        if let Some(main) = self.main {
            out = out.line(&["main", &main.pid().to_string(), &main.start().to_string()]);
        }
        for (key, value) in [("cgroup", &self.cgroup), ("note", &self.note)] {
            if let Some(value) = value {
                out = out.line(&[key, value]);
            }
        }
        out.finish()
    }

    pub fn decode(text: &str) -> Option<Self> {
        let (mut boot, mut shim, mut main, mut cgroup, mut started_at, mut note) =
            (None, None, None, None, 0, None);
        for line in record::read(text)? {
            match fields(&line).as_slice() {
                ["boot", value] => boot = Some((*value).to_owned()),
                ["shim", pid, start] => shim = Some(Process::from_parts(pid, start)?),
                ["main", pid, start] => main = Some(Process::from_parts(pid, start)?),
                ["cgroup", value] => cgroup = Some((*value).to_owned()),
                ["started_at", value] => started_at = value.parse().ok()?,
                ["note", value] => note = Some((*value).to_owned()),
                _ => {}
            }
        }
        Some(Self { boot: boot?, shim: shim?, main, cgroup, started_at, note })
    }
}

impl Exit {
    pub fn encode(&self) -> String {
        let mut out = Writer::default().line(&["run", &self.run]).line(&["at", &self.at.to_string()]);
        if let Some(code) = self.code {
            out = out.line(&["code", &code.to_string()]);
        }
        if let Some(signal) = self.signal {
            out = out.line(&["signal", &signal.to_string()]);
        }
        if self.oom {
            out = out.line(&["oom"]);
        }
        if let Some(note) = &self.note {
            out = out.line(&["note", note]);
        }
        out.finish()
    }

    pub fn decode(text: &str) -> Option<Self> {
        let mut it = Self::default();
        for line in record::read(text)? {
            match fields(&line).as_slice() {
                ["run", value] => it.run = (*value).to_owned(),
                ["at", value] => it.at = value.parse().ok()?,
                ["code", value] => it.code = Some(value.parse().ok()?),
                ["signal", value] => it.signal = Some(value.parse().ok()?),
                ["oom"] => it.oom = true,
                ["note", value] => it.note = Some((*value).to_owned()),
                _ => {}
            }
        }
        (!it.run.is_empty()).then_some(it)
    }
}

impl StopOrder {
    pub fn encode(&self) -> String {
        Writer::default()
            .line(&["run", &self.run])
            .line(&["signal", &self.signal.to_string()])
            .line(&["grace_ms", &self.grace_ms.to_string()])
            .finish()
    }

    pub fn decode(text: &str) -> Option<Self> {
        let (mut run, mut signal, mut grace_ms) = (None, None, None);
        for line in record::read(text)? {
            match fields(&line).as_slice() {
                ["run", value] => run = Some((*value).to_owned()),
                ["signal", value] => signal = Some(value.parse().ok()?),
                ["grace_ms", value] => grace_ms = Some(value.parse().ok()?),
                _ => {}
            }
        }
        Some(Self { run: run?, signal: signal?, grace_ms: grace_ms? })
    }
}

fn fields(line: &[String]) -> Vec<&str> {
    line.iter().map(String::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity {
            boot: "5f0c".into(),
            shim: Process::from_parts("41", "1000").expect("parts"),
            main: Process::from_parts("42", "1001"),
            cgroup: Some("/sys/fs/cgroup/motey/x.41".into()),
            started_at: 7,
            note: Some("tab\there".into()),
        }
    }

    #[test]
    fn every_file_reads_as_it_was_written() {
        let description = Description {
            name: "web-0".into(),
            labels: [("motey.node".to_owned(), "n=1\t".to_owned())].into(),
            image: "/bin/sh".into(),
            command: vec!["-c".into(), "echo 'a\nb'\\".into(), String::new()],
            environment: [("A=B".to_owned(), "x\ty".to_owned()), ("EMPTY".to_owned(), String::new())].into(),
            working_dir: "/".into(),
            stop_signal: 15,
            stop_grace_ms: 10_000,
            log_bytes: 10_000_000,
        };
        assert_eq!(Description::decode(&description.encode()), Some(description));
        assert_eq!(Identity::decode(&identity().encode()), Some(identity()));
        let exit = Exit {
            run: identity().run(),
            code: Some(3),
            signal: None,
            oom: true,
            at: 9,
            note: Some("n".into()),
        };
        assert_eq!(Exit::decode(&exit.encode()), Some(exit));
        let order = StopOrder { run: identity().run(), signal: 2, grace_ms: 0 };
        assert_eq!(StopOrder::decode(&order.encode()), Some(order));
    }

    #[test]
    fn lines_of_a_newer_build_are_skipped() {
        let text = identity().encode().replacen("boot", "colour\tblue\nboot", 1);
        assert_eq!(Identity::decode(&text), Some(identity()));
    }

    #[test]
    fn a_wrong_number_is_damage() {
        let text = identity().encode().replacen("1000", "10x0", 1);
        assert_eq!(Identity::decode(&text), None);
    }
}
