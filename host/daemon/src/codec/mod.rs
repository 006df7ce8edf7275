//! The one serialised form of the domain: versioned JSON, written by the store and, later, between nodes.
//!
//! Every document is an object that opens with its version, `{"v":1,…}`. A reader tolerates fields it does not know
//! and refuses a version it does not know; whoever changes the meaning of a field raises the version. The forms
//! mirror the core's types, which know nothing of serde. Where documents are kept or sent is not known here.

mod capability;
mod lease;
mod need;
mod record;
mod revision;
mod spec;
mod standing;
mod text;

#[cfg(test)]
mod tests;

use motey_core::step::EventKind;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The version this code writes, and the newest it reads. It reads all before it, too.
pub const VERSION: u32 = 2;

/// The version in which an assignment tells the mere number of its revision.
const FIRST: u32 = 1;

/// How deeply needs may be nested: a deeper one could be written, but not read back.
pub const MAX_NEED_DEPTH: usize = 32;

/// Why something has no written form, or a written form could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// Not the JSON that is written for such a thing.
    #[error("this is not a {what} as Motey writes it")]
    Malformed {
        /// What was expected.
        what: &'static str,
        /// Where and why.
        source: serde_json::Error,
    },
    /// A newer Motey wrote it.
    #[error(
        "this {what} is written in form {found}, but this version of Motey reads forms up to {VERSION}: update it"
    )]
    UnknownVersion {
        /// What was expected.
        what: &'static str,
        /// Its version.
        found: u32,
    },
    /// Needs are nested beyond [`MAX_NEED_DEPTH`].
    #[error("the needs of image {image} are nested deeper than {MAX_NEED_DEPTH} levels: flatten them")]
    TooDeep {
        /// Of this image.
        image: String,
    },
    /// A text that stands for no kind of event.
    #[error("{0:?} is not a kind of event this version of Motey knows")]
    UnknownEvent(String),
}

/// What has a written form: records, revisions, leases, given capabilities, the keys of instances, a node's standing.
pub trait Coded: Sized + sealed::Formed {}

impl<T: sealed::Formed> Coded for T {}

mod sealed {
    use super::{CodecError, DeserializeOwned, Serialize};

    pub trait Formed: Sized {
        const WHAT: &'static str;
        type Form: Serialize + DeserializeOwned + Into<Self>;
        /// That of version 1.
        type First: DeserializeOwned + Into<Self>;

        fn form(&self) -> Result<Self::Form, CodecError>;
    }
}

/// The written form of `value`, on one line.
///
/// # Errors
/// When it could not be read back ([`CodecError::TooDeep`]).
pub fn encode<T: Coded>(value: &T) -> Result<String, CodecError> {
    let document = Document { v: VERSION, form: value.form()? };
    serde_json::to_string(&document).map_err(|source| CodecError::Malformed { what: T::WHAT, source })
}

/// The value that [`encode`] wrote; fields that are not known are passed over.
///
/// # Errors
/// When it is not the written form of a `T`, or that of a newer version.
pub fn decode<T: Coded>(text: &[u8]) -> Result<T, CodecError> {
    let malformed = |source| CodecError::Malformed { what: T::WHAT, source };
    let Version { v } = serde_json::from_slice(text).map_err(malformed)?;
    match v {
        FIRST => serde_json::from_slice::<T::First>(text).map(Into::into).map_err(malformed),
        VERSION => serde_json::from_slice::<T::Form>(text).map(Into::into).map_err(malformed),
        found => Err(CodecError::UnknownVersion { what: T::WHAT, found }),
    }
}

/// The kind whose stable text this is: the reverse of [`EventKind::as_str`].
///
/// # Errors
/// When no kind has it.
pub fn event_kind(text: &str) -> Result<EventKind, CodecError> {
    let known = EventKind::ALL.iter().find(|kind| kind.as_str() == text);
    known.copied().ok_or_else(|| CodecError::UnknownEvent(text.into()))
}

#[derive(Serialize)]
struct Document<F> {
    v: u32,
    #[serde(flatten)]
    form: F,
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}
