//! Blueprints: bytes in, a core [`Spec`] or every mistake with its path, line and column out.
//!
//! Owns the language (its keys, its units, the 2017 spellings) and the bounds on what is read at all. Pure: it opens
//! no file, knows no engine and keeps nothing. What a VAL can do with `parameters` is not judged here, nor is
//! whether any node satisfies a need.
//!
//! A blueprint passes three steps. `encoding` makes text of bytes; `yaml` and `json` make a bounded [`tree`] of text,
//! the same for both; `native` reads that tree by the tables of [`schema`] and [`alias`]. A scalar gets its type from
//! the key it stands under, never from its looks: `010`, `yes` and `22:22` mean what the reader of the file sees.

#![forbid(unsafe_code)]

mod alias;
mod bounds;
mod builder;
mod diagnostic;
mod encoding;
mod fields;
mod health;
mod json;
mod key;
mod mounts;
mod native;
mod nearest;
mod need;
mod neighbours;
mod offer;
mod order;
mod parameters;
mod path;
mod ports;
mod position;
mod property;
mod read;
mod report;
mod schema;
mod shell;
mod tree;
mod units;
mod uses;
mod yaml;

use motey_core::id::ServiceName;
use motey_core::spec::{Source, Spec};

pub use bounds::MAX_BYTES;
pub use diagnostic::{Diagnostic, DiagnosticKind, Diagnostics};
pub use motey_core::spec::Format;
pub use need::read_amount;
pub use offer::{MAX_PROPERTIES, MAX_PROPERTY, offers, withdrawals};
pub use parameters::STOP_SIGNALS;

use report::Report;

/// A service as its user describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blueprint {
    /// `service_name`.
    pub name: ServiceName,
    /// What it is made of; `source` is the text as sent.
    pub spec: Spec,
}

/// Reads a blueprint.
///
/// Never panics and never recurses deeper than the bound on nesting, whatever the bytes are.
///
/// # Errors
/// All mistakes at once, in order of their position. A key that this version does not build yet is one of them.
pub fn parse(format: Format, bytes: &[u8]) -> Result<Blueprint, Diagnostics> {
    let sent = encoding::decode(bytes)?;
    let text = encoding::without_mark(sent);
    let mut report = Report::new(text);
    let root = match format {
        Format::Yaml => yaml::read(text, &mut report),
        Format::Json => json::read(text, &mut report),
    };
    let read = native::service(root.as_deref(), &mut report);
    report.finish()?;
    let native::Service { name, images, on_node_loss } = read.ok_or_else(Diagnostics::nothing_read)?;
    let source = Source { format, text: sent.into() };
    Ok(Blueprint { name, spec: Spec { images, on_node_loss, source } })
}
