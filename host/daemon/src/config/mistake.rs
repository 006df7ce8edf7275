//! What can be wrong with a configuration, and how it is told. Nothing here decides what is right.

use std::fmt;
use std::io;

/// Everything that is wrong with a configuration, in the order of the sections; never empty.
#[derive(Debug, thiserror::Error)]
pub struct ConfigMistakes(pub Vec<Mistake>);

/// One thing that is wrong, and where.
#[derive(Debug)]
pub struct Mistake {
    /// The file, the environment variable or the flag it was found in.
    pub origin: String,
    /// The key's path, such as `webserver.port`; empty where a whole file is meant.
    pub key: String,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a key or a file.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// No such key.
    #[error("unknown key{}", hint(nearest.as_deref()))]
    Unknown {
        /// The known key that looks most like it.
        nearest: Option<String>,
    },
    /// A value of the wrong type or form.
    #[error("expected {expected}, found {found}")]
    Form {
        /// What may stand there.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// Not an amount of that capability. The words of the language of blueprints.
    #[error("{0}")]
    Amount(String),
    /// An address that other machines can reach.
    #[error(
        "{address} is not a loopback address; this version has no TLS, so a token and every answer would cross the network readable: \
         use \"127.0.0.1\" or \"::1\""
    )]
    NotLoopback {
        /// What was asked for.
        address: std::net::IpAddr,
    },
    /// `auth = "none"` where others can reach the node.
    #[error("\"none\" is allowed on a loopback address only: use \"token\"")]
    OpenToAll,
    /// A socket below `run_dir` would have a name that the system refuses.
    #[error(
        "{socket:?} is longer than the {most} bytes that a socket's path may have: use a shorter run_dir"
    )]
    SocketPath {
        /// The path that is too long.
        socket: std::path::PathBuf,
        /// How long it may be.
        most: usize,
    },
    /// A file that cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[source] io::Error),
    /// A file that is not TOML. The parser's words, with line and column.
    #[error("is not valid TOML: {0}")]
    Syntax(#[source] ::config::ConfigError),
    /// A variable or flag whose value is not UTF-8.
    #[error("the value is not UTF-8")]
    NotUtf8,
}

impl fmt::Display for ConfigMistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0.len() == 1 { "" } else { "s" };
        write!(f, "the configuration has {} mistake{plural}", self.0.len())?;
        self.0.iter().try_for_each(|mistake| {
            write!(f, "\n  {}", mistake.to_string().trim_end().replace('\n', "\n    "))
        })
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, key, fault } = self;
        if key.is_empty() { write!(f, "{origin}: {fault}") } else { write!(f, "{origin}: {key}: {fault}") }
    }
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |key| format!("; did you mean \"{key}\"?"))
}

/// The one of `known` that `text` was probably meant to be: at most a third of it, rounded up, mistyped.
pub(super) fn nearest<'k>(text: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let most = text.chars().count().div_ceil(3);
    known
        .into_iter()
        .map(|key| (distance(text, key), key))
        .filter(|(far, _)| *far <= most)
        .min()
        .map(|(_, key)| key)
}

/// Levenshtein's distance, in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_found_and_a_far_one_is_not_offered() {
        let known = ["address", "port", "auth", "body_limit"];
        assert_eq!(nearest("adress", known), Some("address"));
        assert_eq!(nearest("prot", known), Some("port"));
        assert_eq!(nearest("bodylimit", known), Some("body_limit"));
        assert_eq!(nearest("zzz", known), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
