//! Colours on standard error: on a terminal only, and never with NO_COLOR.

use std::env;
use std::io::{self, IsTerminal};

/// Whether to colour, decided once.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    on: bool,
}

impl Paint {
    /// For standard error as it is.
    pub fn stderr() -> Self {
        let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { on: !refused && !dumb && io::stderr().is_terminal() }
    }

    /// Never.
    #[cfg(test)]
    pub fn off() -> Self {
        Self { on: false }
    }

    pub fn error(self, text: &str) -> String {
        self.with("1;31", text)
    }

    /// A state's name, in its colour.
    pub fn state(self, state: &str) -> String {
        match state {
            "RUNNING" => self.with("32", state),
            "ERROR" => self.with("31", state),
            "TERMINATED" => self.with("2", state),
            _ => self.with("33", state),
        }
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_there_are_no_codes() {
        assert_eq!(Paint::off().state("RUNNING"), "RUNNING");
        assert_eq!(Paint { on: true }.state("RUNNING"), "\u{1b}[32mRUNNING\u{1b}[0m");
    }
}
