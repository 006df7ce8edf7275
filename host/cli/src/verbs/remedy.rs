//! What would mend what is in the way of a service, as the daemon says it, laid out for a terminal.

use std::io::{self, Write};

use serde::Deserialize;

use crate::output;

/// What would mend a reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Remedy {
    pub reason: String,
    pub text: String,
}

/// A line for each, where there are any.
pub fn lay_out(out: &mut dyn Write, remedies: &[Remedy]) -> io::Result<()> {
    if !remedies.is_empty() {
        writeln!(out, "\nWhat would mend it:")?;
    }
    remedies.iter().try_for_each(|remedy| {
        writeln!(out, "  {}: {}", output::clean(&remedy.reason), output::clean(&remedy.text))
    })
}
