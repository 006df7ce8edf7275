//! Collects mistakes while a blueprint is read, then puts them in order.

use crate::bounds::MAX_DIAGNOSTICS;
use crate::diagnostic::{Diagnostic, DiagnosticKind, Diagnostics};
use crate::position::Lines;

/// Mistakes that are kept until the end; more are only counted. The answer lists fewer, after sorting.
const KEPT: usize = 10 * MAX_DIAGNOSTICS;

/// The mistakes found so far in one text.
pub(crate) struct Report<'t> {
    pub(crate) lines: Lines<'t>,
    text: &'t str,
    found: Vec<Found>,
    unkept: usize,
}

struct Found {
    offset: usize,
    path: String,
    message: String,
    kind: DiagnosticKind,
}

impl<'t> Report<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { lines: Lines::of(text), text, found: Vec::new(), unkept: 0 }
    }

    /// Notes a mistake at a byte offset of the text.
    pub(crate) fn add(
        &mut self,
        kind: DiagnosticKind,
        path: &str,
        offset: usize,
        message: impl Into<String>,
    ) {
        if self.is_full() {
            self.unkept += 1;
            return;
        }
        self.found.push(Found { offset, path: path.to_owned(), message: message.into(), kind });
    }

    /// Whether more mistakes are only counted, so that their messages need not be made.
    pub(crate) fn is_full(&self) -> bool {
        self.found.len() == KEPT
    }

    /// Whether nothing was noted yet.
    pub(crate) fn is_clean(&self) -> bool {
        self.found.is_empty()
    }

    /// The text between two offsets, as the user wrote it.
    pub(crate) fn written_text(&self, from: usize, to: usize) -> &'t str {
        self.text.get(from..to).unwrap_or_default()
    }

    /// # Errors
    /// Everything that was noted, in order of position.
    pub(crate) fn finish(mut self) -> Result<(), Diagnostics> {
        self.found.sort_by_key(|found| found.offset);
        let unlisted = self.unkept + self.found.len().saturating_sub(MAX_DIAGNOSTICS);
        let lines = self.lines;
        let place = |found: Found| {
            let (line, column) = lines.place(found.offset);
            Diagnostic { path: found.path, line, column, message: found.message, kind: found.kind }
        };
        let mut listed: Vec<_> = self.found.into_iter().take(MAX_DIAGNOSTICS).map(place).collect();
        note_unlisted(&mut listed, unlisted);
        Diagnostics::new(listed).map_or(Ok(()), Err)
    }
}

/// Says at the end how many mistakes are not listed.
pub(crate) fn note_unlisted(listed: &mut Vec<Diagnostic>, unlisted: usize) {
    let Some(last) = listed.last().filter(|_| unlisted > 0) else { return };
    let message = format!("{unlisted} more mistakes are not listed: mend these first");
    let (line, column, kind) = (last.line, last.column, DiagnosticKind::Limit);
    listed.push(Diagnostic { path: String::new(), line, column, message, kind });
}
