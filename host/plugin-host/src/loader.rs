//! Loads a plugin's library into this process, for good. The only unsafe of the host: running foreign code cannot be
//! made safe, only be preceded by every check there is.
//!
//! The caller has preflighted the very file. Libraries are never unloaded, since threads, thread-locals and
//! `'static` references of a plugin may outlive any use of it.

#![allow(unsafe_code)]

use std::{error::Error, mem::ManuallyDrop, path::Path};

use abi_stable::library::{AbiHeaderRef, LibHeader, LibraryError};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use motey_plugin_abi::{EXPORT_SYMBOL, RootRef};

use crate::reason::{Reason, code};

/// Loads the library and checks that its code speaks this table and says what its manifest section says.
pub(crate) fn load(path: &Path, manifest_section: &[u8]) -> Result<RootRef, Reason> {
    let named = |code, text: String| Reason::new(code, format!("{} {text}", path.display()));
    let header = header(path).map_err(|(code, text)| named(code, text))?;
    if header.layout().is_none() {
        let text = "was built without the layout of its types, which cannot be checked then".to_owned();
        return Err(named(code::ABI_UNCHECKED, text));
    }
    let root = header.init_root_module::<RootRef>().map_err(|e| named(code::ABI_LAYOUT, useful(&e)))?;
    if root.manifest_bytes() != manifest_section {
        let text = "says something else in its code than in its manifest section: do not trust it".to_owned();
        return Err(named(code::MANIFEST_MISMATCH, text));
    }
    Ok(root)
}

fn header(path: &Path) -> Result<&'static LibHeader, (&'static str, String)> {
    // SAFETY: the file is whole and for this machine; that its initialisers behave is what the trust policy is for
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) };
    let library = ManuallyDrop::new(library.map_err(|e| (code::LOAD_FAILED, linker_text(&e)))?);
    // SAFETY: the symbol's name is abi_stable's own; what it points to is judged by `upgrade`
    let header = unsafe { library.get::<AbiHeaderRef>(EXPORT_SYMBOL.as_bytes()) };
    let header = *header.map_err(|_| (code::LOAD_SYMBOL, format!("does not export `{EXPORT_SYMBOL}`")))?;
    header.upgrade().map_err(|e| (code::ABI_HEADER, useful(&e)))
}

/// The linker's own words are in the source of libloading's error.
fn linker_text(error: &libloading::Error) -> String {
    let words = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    format!("cannot be loaded: {words}")
}

/// Of abi_stable's kilobytes of explanation only the last few `Error:` lines say what differs.
fn useful(error: &LibraryError) -> String {
    let text = error.to_string();
    format!("was built for another table: {}", last_errors(&text))
}

fn last_errors(text: &str) -> String {
    const LINES: usize = 3;
    const LONGEST: usize = 300;
    let is_error = |line: &&str| line.trim_start().starts_with("Error:");
    let mut lines: Vec<_> = text.lines().rev().filter(is_error).take(LINES).collect();
    if lines.is_empty() {
        lines = text.lines().filter(|line| !line.trim().is_empty()).take(LINES).collect();
    } else {
        lines.reverse();
    }
    let joined = lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join("; ");
    joined.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_explanation_is_cut_to_what_it_says() {
        let lines = (0..900).map(|n| format!("layout line {n}\n")).collect::<String>();
        let text = format!("{lines}Error:first\n{lines}\n  Error:too many fields\n{lines}");
        assert_eq!(last_errors(&text), "Error:first; Error:too many fields");
        assert_eq!(last_errors("\nthe header differs\n\n"), "the header differs");
        assert!(last_errors(&"Error:x".repeat(500)).len() <= 300);
    }
}
