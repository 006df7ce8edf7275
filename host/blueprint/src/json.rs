//! JSON (RFC 8259) to a tree. serde_json judges the syntax; the walk after it only finds the places, which serde_json
//! does not tell.

use std::rc::Rc;

use serde::de::IgnoredAny;

use crate::builder::{Builder, Origin, TooMuch};
use crate::diagnostic::DiagnosticKind;
use crate::report::Report;
use crate::tree::{Node, Style};

/// Reads one value. After a syntax error the part before it is returned, so that its mistakes are told too.
pub(crate) fn read<'t>(text: &'t str, report: &mut Report<'t>) -> Option<Rc<Node>> {
    let valid = match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => text,
        Err(_) if text.trim().is_empty() => return None,
        Err(error) => {
            let end = report.lines.offset(error.line(), error.column());
            &text[..text.floor_char_boundary(note(&error, end, text, report))]
        }
    };
    let mut walk = Walk { text: valid, at: 0, cut: valid.len() < text.len(), builder: Builder::new(report) };
    while walk.step().is_ok_and(|more| more) {}
    walk.builder.finish(valid.len())
}

/// Reports the syntax error and gives its offset.
fn note(error: &serde_json::Error, offset: usize, text: &str, report: &mut Report<'_>) -> usize {
    let full = error.to_string();
    let what = match full.rsplit_once(" at line ").map_or(full.as_str(), |(what, _)| what) {
        "expected ident" => "expected a value",
        what => what,
    };
    let advice = match text.as_bytes().get(offset) {
        Some(b'\'') => ": strings need double quotes",
        Some(b'#' | b'/') => ": JSON has no comments",
        _ => "",
    };
    report.add(DiagnosticKind::Syntax, "", offset, format!("not valid JSON: {what}{advice}"));
    offset
}

struct Walk<'r, 't> {
    text: &'t str,
    at: usize,
    /// The text goes on after an error: its last token may be only a part.
    cut: bool,
    builder: Builder<'r, 't>,
}

impl Walk<'_, '_> {
    /// Takes one token; `false` at the end.
    fn step(&mut self) -> Result<bool, TooMuch> {
        let start = self.at;
        let Some(&byte) = self.text.as_bytes().get(start) else { return Ok(false) };
        match byte {
            b'"' => return self.string(start),
            b'{' | b'[' => {
                self.at += 1;
                let origin = Origin { start, end: self.at, anchor: None };
                if byte == b'{' { self.builder.open_map(origin)? } else { self.builder.open_list(origin)? }
            }
            b'}' | b']' => {
                self.at += 1;
                self.builder.close(self.at);
            }
            b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' => self.at += 1,
            _ => return self.bare(start),
        }
        Ok(true)
    }

    fn string(&mut self, start: usize) -> Result<bool, TooMuch> {
        let Some(length) = string_length(&self.text.as_bytes()[start..]) else { return Ok(false) };
        self.at = start + length;
        let origin = Origin { start, end: self.at, anchor: None };
        match serde_json::from_str::<String>(&self.text[start..self.at]) {
            Ok(text) => self.builder.scalar(origin, &text, Style::Quoted)?,
            Err(_) => {
                let message =
                    "not valid JSON: half of a surrogate pair (`\\uD800` to `\\uDFFF`) is no character";
                let path = self.builder.path();
                self.builder.report.add(DiagnosticKind::Syntax, &path, start, message);
                self.builder.broken(origin)?;
            }
        }
        Ok(true)
    }

    fn bare(&mut self, start: usize) -> Result<bool, TooMuch> {
        let rest = &self.text[start..];
        let ends = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | ',' | ':' | '}' | ']' | '{' | '[' | '"');
        let length = match rest.find(ends) {
            Some(length) => length,
            None if self.cut => return Ok(false),
            None => rest.len(),
        };
        self.at = start + length;
        let origin = Origin { start, end: self.at, anchor: None };
        self.builder.scalar(origin, &rest[..length], Style::Bare)?;
        Ok(true)
    }
}

/// Bytes of a string with its quotes; `None` when it does not end.
fn string_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}
