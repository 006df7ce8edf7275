//! Append-only files of JSON lines: one `write` a line, so that a killed host leaves no half of one.
//!
//! Deliberately no fsync: what is kept here outlives the host, not the machine.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use motey_plugin_api::Error;
use serde::Serialize;

use crate::{
    clock,
    script::{Op, Subject},
};

#[derive(Debug)]
pub struct Lines {
    path: PathBuf,
    file: File,
    /// Reused from line to line.
    line: Vec<u8>,
}

impl Lines {
    pub fn append_to(path: PathBuf) -> Result<Self, Error> {
        let file = open(&path).map_err(|error| unwritable(&path, &error))?;
        Ok(Self { path, file, line: Vec::with_capacity(512) })
    }

    pub fn push(&mut self, entry: &impl Serialize) -> Result<(), Error> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, entry)
            .map_err(io::Error::from)
            .and_then(|()| {
                self.line.push(b'\n');
                self.file.write_all(&self.line)
            })
            .map_err(|error| unwritable(&self.path, &error))
    }
}

/// A full disk may have cut the last line: it is closed, so that the next one stands alone.
fn open(path: &Path) -> io::Result<File> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    if file.seek(SeekFrom::End(0))? > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    Ok(file)
}

pub fn unwritable(path: &Path, error: &io::Error) -> Error {
    Error::failed(format!("cannot write {}: {error}", path.display()))
}

/// A call as it came in.
pub struct Called<'a> {
    op: Op,
    about: &'a Subject,
    us: u64,
}

impl<'a> Called<'a> {
    pub fn now(op: Op, about: &'a Subject) -> Self {
        Self { op, about, us: clock::boot_us() }
    }

    pub fn op(&self) -> Op {
        self.op
    }

    pub fn about(&self) -> &'a Subject {
        self.about
    }

    /// Its line, as of now.
    pub fn ended(&self, outcome: &'a str, then: Option<&'a str>) -> Call<'a> {
        let Subject { name, image, fence } = self.about;
        Call { op: self.op, name, image, fence, outcome, then, at: clock::boot_ms(), called_us: self.us }
    }
}

/// One line of `calls.jsonl`.
#[derive(Serialize)]
pub struct Call<'a> {
    pub op: Op,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub image: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub fence: &'a str,
    /// `ok`, an error's code, or `panic`, `hang`, `exit_host` for a call that was cut short on purpose.
    pub outcome: &'a str,
    /// What the script did to the answer of a call that was carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub then: Option<&'a str>,
    /// Milliseconds since boot.
    pub at: u64,
    /// When the call came in, in microseconds since boot.
    pub called_us: u64,
}
