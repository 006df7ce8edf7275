//! The output that a mock instance would have written: a few lines, always the same ones.

use std::io::{self, Write};

use motey_plugin_api::{Error, Instance, LogsRequest, Stream};

const LINES: u32 = 5;

/// Writes the last lines asked for. A reader that has gone is no failure.
pub fn write(instance: &Instance, request: &LogsRequest, mut out: Stream) -> Result<(), Error> {
    let wanted = request.tail.unwrap_or(LINES).min(LINES);
    let mut text = String::new();
    for number in LINES - wanted + 1..=LINES {
        text.push_str(&format!("{} says line {number} of {LINES}\n", instance.name));
    }
    match out.write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::failed(format!("the lines of `{}` cannot be handed over: {error}", instance.name)))
        }
        _ => Ok(()),
    }
}
