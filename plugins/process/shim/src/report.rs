//! The one line by which a shim tells the VAL that spawned it how the start went, over its standard output.
//!
//! The line is news, not state: a host that died meanwhile misses nothing, the directory says the same.

use std::io::Write;

use crate::record::{self, Writer};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// The program runs: its `exec` succeeded.
    Started,
    Failed {
        kind: Kind,
        text: String,
    },
}

/// What to do about a failed start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The program is not there.
    NotFound,
    /// It cannot be run as asked.
    Invalid,
    /// The machine cannot now: no memory, no space, no processes.
    Unavailable,
    /// The instance runs already.
    Conflict,
}

const KINDS: [(Kind, &str); 4] = [
    (Kind::NotFound, "not_found"),
    (Kind::Invalid, "invalid"),
    (Kind::Unavailable, "unavailable"),
    (Kind::Conflict, "conflict"),
];

impl Report {
    pub fn encode(&self) -> String {
        let out = Writer::default();
        match self {
            Self::Started => out.line(&["started"]).finish(),
            Self::Failed { kind, text } => {
                let word = KINDS.iter().find(|(k, _)| k == kind).map_or("", |(_, word)| word);
                out.line(&["failed", word, text]).finish()
            }
        }
    }

    pub fn decode(text: &str) -> Option<Self> {
        let records = record::read(text)?;
        let fields: Vec<&str> = records.first()?.iter().map(String::as_str).collect();
        match fields.as_slice() {
            ["started"] => Some(Self::Started),
            ["failed", word, text] => {
                let (kind, _) = KINDS.iter().find(|(_, w)| w == word)?;
                Some(Self::Failed { kind: *kind, text: (*text).to_owned() })
            }
            _ => None,
        }
    }
}

/// Tells the report and lets go of the pipe, so that the reader sees the end of file. A reader that is gone is no matter.
pub(crate) fn tell(report: &Report) {
    let _ = std::io::stdout().write_all(report.encode().as_bytes());
    let _ = std::io::stdout().flush();
    if let Ok(null) = std::fs::OpenOptions::new().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(null);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_read_as_they_were_told() {
        for (kind, _) in KINDS {
            let report = Report::Failed { kind, text: "no\nsuch".into() };
            assert_eq!(Report::decode(&report.encode()), Some(report));
        }
        assert_eq!(Report::decode(&Report::Started.encode()), Some(Report::Started));
        assert_eq!(Report::decode(""), None);
        assert_eq!(Report::decode("failed\tstrange\tx\nend\n"), None);
    }
}
