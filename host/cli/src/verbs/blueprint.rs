//! `motey blueprint validate`: a blueprint's mistakes, without a daemon. What a node can satisfy is not judged here.

use std::borrow::Cow;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use bytes::Bytes;
use motey_blueprint::{Blueprint, Format, MAX_BYTES};

use crate::api::Mistake;
use crate::args::Validate;
use crate::client::{ClientError, Sent};
use crate::diagnostic;
use crate::exit::Failure;

/// A blueprint as it was read, and what it is called in messages.
pub struct Text {
    pub name: String,
    pub bytes: Bytes,
    format: Format,
}

impl Text {
    /// Reads a file, or standard input where it is called `-`; a little more than a blueprint may have, so that it is refused as one.
    pub fn read(file: &Path) -> Result<Self, Failure> {
        let most = MAX_BYTES as u64 + 1;
        let mut bytes = Vec::new();
        let (name, read) = if file == Path::new("-") {
            ("<stdin>".to_owned(), io::stdin().lock().take(most).read_to_end(&mut bytes))
        } else {
            let read = fs::File::open(file).and_then(|opened| opened.take(most).read_to_end(&mut bytes));
            (file.display().to_string(), read)
        };
        read.map_err(|source| Failure::Unreadable { path: file.to_owned(), source })?;
        let is_json = file.extension().is_some_and(|extension| extension == "json");
        let format = if is_json { Format::Json } else { Format::Yaml };
        Ok(Self { name, bytes: bytes.into(), format })
    }

    /// As the body of a request.
    pub fn sent(&self) -> Sent {
        let content_type = match self.format {
            Format::Yaml => "application/yaml",
            Format::Json => "application/json",
        };
        Sent { content_type, bytes: Bytes::clone(&self.bytes) }
    }

    /// For showing lines of it.
    pub fn lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }
}

/// The blueprint, or its mistakes ready to be shown.
pub fn check(text: &Text) -> Result<Blueprint, Failure> {
    motey_blueprint::parse(text.format, &text.bytes).map_err(|diagnostics| {
        let mistakes: Vec<Mistake> = diagnostics
            .into_iter()
            .map(|found| Mistake {
                path: found.path,
                line: found.line as usize,
                column: found.column as usize,
                message: found.message,
            })
            .collect();
        Failure::Blueprint(diagnostic::render(&text.name, &text.lossy(), &mistakes))
    })
}

/// Mistakes that only the daemon finds are shown as those that are found here.
pub fn refused(error: ClientError, text: &Text) -> Failure {
    match error {
        ClientError::Problem(problem) if !problem.errors.is_empty() => {
            Failure::Blueprint(diagnostic::render(&text.name, &text.lossy(), &problem.errors))
        }
        error => error.into(),
    }
}

/// Checks every file; the mistakes of all are told.
pub fn validate(args: &Validate) -> Result<(), Failure> {
    let mut told = Vec::new();
    for file in &args.files {
        match Text::read(file).and_then(|text| check(&text)) {
            Ok(_) => {}
            Err(Failure::Blueprint(mistakes)) => told.push(mistakes),
            Err(failure) => return Err(failure),
        }
    }
    if told.is_empty() { Ok(()) } else { Err(Failure::Blueprint(told.join("\n"))) }
}
