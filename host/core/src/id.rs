//! Identities and names: newtypes, so that no two of them can be mixed up.
//!
//! Ids are UUIDs drawn outside (the core draws nothing); names are checked when they are made.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use uuid::Uuid;

/// Milliseconds of CLOCK_BOOTTIME. Orders events of one boot of one node; says nothing about the wall clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Millis {
    /// The moment `span` milliseconds later.
    #[must_use]
    pub fn after(self, span: u64) -> Self {
        Self(self.0.saturating_add(span))
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

uuid_id!(
    /// A service, for its whole life and for ever after: never reused.
    ServiceId
);
uuid_id!(
    /// A node: kept in its state directory, never its address.
    NodeId
);

/// Why a text is not a name of the wanted kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a valid {what}: {rule}")]
pub struct InvalidName {
    what: &'static str,
    text: String,
    rule: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `text` and makes it a name.
            ///
            /// # Errors
            /// When the text breaks the rule for this kind of name; the error says the rule.
            pub fn new(text: &str) -> Result<Self, InvalidName> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    return Ok(Self(text.into()));
                }
                let shown: String = text.chars().take(80).collect();
                Err(InvalidName { what: $what, text: shown, rule: $rule })
            }

            #[allow(missing_docs)]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }
    };
}

fn slug(text: &str, most: usize, also: &[u8]) -> bool {
    (1..=most).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || also.contains(&b))
}

/// Something that can be seen, on one line.
fn is_label(text: &str, most: usize) -> bool {
    text.chars().count() <= most && !text.trim().is_empty() && !text.chars().any(char::is_control)
}

name!(
    /// What people call a service. A label, never a key: nobody can make it unique without a server.
    ServiceName, "service name", "1 to 128 characters, not all blank, none of them a control character",
    |text| is_label(text, 128)
);
name!(
    /// Names one image inside its service.
    ImageKey, "image key", "1 to 40 of a-z, 0-9 and -",
    |text| slug(text, 40, b"-")
);

impl ImageKey {
    /// Below every key, and none itself: where a search begins.
    pub(crate) fn least() -> Self {
        Self(Arc::default())
    }
}

name!(
    /// An engine: the manifest id of the VAL plugin that drives it.
    EngineName, "engine name", "1 to 64 of a-z, 0-9, -, _ and .",
    |text| slug(text, 64, b"-_.")
);
name!(
    /// Names one port inside its image.
    PortName, "port name", "1 to 40 of a-z, 0-9 and -",
    |text| slug(text, 40, b"-")
);
name!(
    /// A volume of a service.
    VolumeName, "volume name", "1 to 64 of a-z, A-Z, 0-9, -, _ and ., the first a letter or digit",
    |text| {
        (1..=64).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    }
);
name!(
    /// What a node is called by people; need not be unique.
    NodeName, "node name", "1 to 128 characters, not all blank, none of them a control character",
    |text| is_label(text, 128)
);

/// A node with what people call it: its name, or where that is not known the first digits of its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    /// The node.
    pub node: NodeId,
    /// Its name, where it is known.
    pub name: Option<NodeName>,
}

impl fmt::Display for Called {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => name.fmt(f),
            None => write!(f, "{:.8}", self.node.0.simple().to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_without_a_name_is_called_by_its_first_digits() {
        let node = NodeId(Uuid::from_u128(0x0199_8a3f << 96));
        assert_eq!(Called { node, name: None }.to_string(), "01998a3f");
        let name = NodeName::new("fog-2").ok();
        assert_eq!(Called { node, name }.to_string(), "fog-2");
    }

    #[test]
    fn a_name_is_refused_with_its_rule() {
        let error = ImageKey::new("Vision").expect_err("upper case");
        assert_eq!(error.to_string(), r#""Vision" is not a valid image key: 1 to 40 of a-z, 0-9 and -"#);
        assert!(ServiceName::new("").is_err());
        assert!(ServiceName::new(" \u{a0}\u{3000} ").is_err() && NodeName::new(" ").is_err());
        assert!(ServiceName::new(&"ä".repeat(129)).is_err());
        assert!(ServiceName::new(&"ä".repeat(128)).is_ok());
        assert!(ServiceName::new("a\nb").is_err());
    }
}
