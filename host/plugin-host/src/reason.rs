//! Why a plugin is not in use: a code out of a closed list for programs, a text for people.

use std::fmt;

/// Every refusal is one of these, and is kept for as long as the host runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// One of [`code`].
    pub code: &'static str,
    /// What is wrong with which file, and what to do.
    pub text: String,
}

impl Reason {
    pub(crate) fn new(code: &'static str, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text, self.code)
    }
}

impl std::error::Error for Reason {}

/// The closed list.
pub mod code {
    pub const PLACE_UNREADABLE: &str = "place.unreadable";
    pub const PLACE_NOT_A_FILE: &str = "place.not_a_file";
    pub const PLACE_SYMLINK: &str = "place.symlink";
    pub const TRUST_WRITABLE: &str = "trust.writable";
    pub const TRUST_OWNER: &str = "trust.owner";
    pub const TRUST_PARENT: &str = "trust.parent";
    pub const FILE_UNREADABLE: &str = "file.unreadable";
    pub const FILE_EMPTY: &str = "file.empty";
    pub const FILE_TOO_LARGE: &str = "file.too_large";
    pub const ELF_MAGIC: &str = "elf.magic";
    pub const ELF_TRUNCATED: &str = "elf.truncated";
    pub const ELF_CLASS: &str = "elf.class";
    pub const ELF_ENDIANNESS: &str = "elf.endianness";
    pub const ELF_MACHINE: &str = "elf.machine";
    pub const ELF_TYPE: &str = "elf.type";
    pub const ELF_MALFORMED: &str = "elf.malformed";
    pub const MANIFEST_MISSING: &str = "manifest.missing";
    pub const MANIFEST_INVALID: &str = "manifest.invalid";
    pub const MANIFEST_CATEGORY: &str = "manifest.category";
    pub const MANIFEST_MISMATCH: &str = "manifest.mismatch";
    pub const ABI_VERSION: &str = "abi.version";
    pub const ABI_HEADER: &str = "abi.header";
    pub const ABI_UNCHECKED: &str = "abi.unchecked";
    pub const ABI_LAYOUT: &str = "abi.layout";
    pub const DISABLED: &str = "disabled";
    pub const VERSION_SHADOWED: &str = "version.shadowed";
    pub const LOAD_FAILED: &str = "load.failed";
    pub const LOAD_SYMBOL: &str = "load.symbol";
    pub const CREATE_PANICKED: &str = "create.panicked";
    pub const CREATE_FAILED: &str = "create.failed";
    pub const CREATE_TIMED_OUT: &str = "create.timed_out";
    pub const CLOSE_OVERRUN: &str = "close.overrun";
    pub const CALL_TIMED_OUT: &str = "call.timed_out";
}
