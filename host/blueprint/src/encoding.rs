//! Bytes to text: the size limit, UTF-8, the byte order mark.

use crate::bounds::{MAX_BYTES, MAX_DIAGNOSTICS};
use crate::diagnostic::{Diagnostic, DiagnosticKind, Diagnostics};
use crate::report;

/// The text that `bytes` are, byte for byte.
///
/// # Errors
/// One diagnostic when there are too many, or one for each place that is not UTF-8.
pub(crate) fn decode(bytes: &[u8]) -> Result<&str, Diagnostics> {
    let refused = if bytes.len() > MAX_BYTES {
        vec![too_long(bytes.len())]
    } else if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
        vec![at(1, 1, DiagnosticKind::Encoding, "the blueprint is in UTF-16: save it as UTF-8".to_owned())]
    } else {
        return std::str::from_utf8(bytes).map_err(|_| invalid_bytes(bytes));
    };
    Err(Diagnostics::new(refused).unwrap_or_else(Diagnostics::nothing_read))
}

/// Without the mark that some editors put first.
pub(crate) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{FEFF}').unwrap_or(text)
}

fn too_long(length: usize) -> Diagnostic {
    let message = format!(
        "the blueprint is {length} bytes long and {MAX_BYTES} are allowed: keep data out of it, in images or volumes"
    );
    at(1, 1, DiagnosticKind::Limit, message)
}

fn invalid_bytes(bytes: &[u8]) -> Diagnostics {
    let bytes = bytes.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(bytes);
    let (mut line, mut column, mut unlisted) = (1, 1, 0);
    let mut found = Vec::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            (line, column) = if c == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        match chunk.invalid() {
            [] => continue,
            _ if found.len() == MAX_DIAGNOSTICS => unlisted += 1,
            [first, ..] => found.push(at(line, column, DiagnosticKind::Encoding, not_utf8(*first))),
        }
        column += 1;
    }
    report::note_unlisted(&mut found, unlisted);
    Diagnostics::new(found).unwrap_or_else(Diagnostics::nothing_read)
}

fn not_utf8(byte: u8) -> String {
    format!("the byte 0x{byte:02X} is not UTF-8: save the blueprint as UTF-8")
}

fn at(line: u32, column: u32, kind: DiagnosticKind, message: String) -> Diagnostic {
    Diagnostic { path: String::new(), line, column, message, kind }
}
