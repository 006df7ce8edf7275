//! What every verb works with: the daemon, the data's way out, and progress on the side.

use std::io::{self, Write};

use crate::client::Client;
use crate::paint::Paint;

/// One run of a client verb.
pub struct Session {
    pub client: Client,
    /// Data: standard output.
    pub out: Box<dyn Write>,
    pub paint: Paint,
}

impl Session {
    pub fn new(client: Client) -> Self {
        Self { client, out: Box::new(io::stdout().lock()), paint: Paint::stderr() }
    }

    /// Tells a person what is going on. Nobody listening is no failure.
    pub fn say(&self, text: &str) {
        drop(writeln!(io::stderr(), "{text}"));
    }
}
