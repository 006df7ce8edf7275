//! The plugin boundary: a handful of `repr(C)` types and the safe way to use them from either side.
//!
//! All that is unsafe about a running plugin is here, so that the SDK and the host need none of it. The tables are
//! private memory layouts with a public meaning: a side offers an [`Endpoint`], which becomes a [`Channel`]; it
//! speaks to the other side through a [`Peer`]; an answer arrives at the [`Answers`] that the call was sent with.
//!
//! Deliberately no operations, no JSON, no threads, no loading: bodies are bytes here. Opening a library is the
//! host's `loader.rs`.
//!
//! # The contract
//! - Nothing allocated on one side is freed on the other. Bytes are borrowed until the call returns.
//! - Any call may come from any thread, and none may block, except `close`, up to its grace.
//! - Every [`Reply`] is called exactly once, from any thread.
//! - A stream is one end of a socket pair and belongs to the callee; -1 is none.

#![allow(unsafe_code)]

mod peer;
mod root;
mod serve;
mod table;

pub use peer::{Answers, Peer};
pub use root::{Created, EXPORT_SYMBOL, PANICKED, Plugin, Root, RootRef, header};
pub use serve::{Call, Endpoint, ReplyOnce, serve};
pub use table::{Bytes, Channel, Reply};

/// The library header that a Rust plugin exports.
pub use abi_stable::library::LibHeader;

/// The boundary's number. 0 until every lane has been used by plugins in two languages, then 1 for ever.
pub const ABI: u32 = 0;

/// The ELF section that holds the manifest, readable without running the plugin.
pub const MANIFEST_SECTION: &str = ".motey.manifest";
