//! Ports that an image publishes: each is a number on whatever node runs it, for one instance at a time.
//!
//! What is published is needed, too: it is kept in the form in which needs are matched. That a node has a port which
//! nobody holds is `needs`' to say.

use std::fmt;

use crate::id::{ImageKey, PortName};
use crate::needs::Goal;

/// One port of an image, and the number it has on its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// What the blueprint calls it; unique in its image.
    pub name: PortName,
    /// Where the instance listens.
    pub container: u16,
    /// Where its node does so for it.
    pub host: u16,
    /// For what.
    pub protocol: Protocol,
}

/// What is spoken through a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Protocol {
    #[default]
    Tcp,
    Udp,
}

impl Protocol {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A port of an image of the same service of which an instance is told where it is reached.
///
/// The number is a part of it: who was told another one is started anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// Whose port it is.
    pub image: ImageKey,
    /// Which one.
    pub port: PortName,
    /// What number it has on every node.
    pub number: u16,
}

impl Use {
    /// In which variable it is told: `MOTEY_ENDPOINT_BROKER_MQTT`.
    pub fn variable(&self) -> String {
        format!("MOTEY_ENDPOINT_{}_{}", self.image, self.port).to_ascii_uppercase().replace('-', "_")
    }

    /// What is told: `broker:21883`.
    pub fn endpoint(&self) -> String {
        format!("{}:{}", self.image, self.number)
    }
}

/// `broker.mqtt`, as it is written.
impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.image, self.port)
    }
}

/// The ports of an image, in the order of the blueprint.
#[derive(Clone, Default)]
pub struct Ports {
    all: Box<[Port]>,
    goals: Box<[Goal]>,
}

impl Ports {
    /// Each of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Port> {
        self.all.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The one of that name.
    pub fn get(&self, name: &PortName) -> Option<&Port> {
        self.iter().find(|port| port.name == *name)
    }

    pub(crate) fn goals(&self) -> &[Goal] {
        &self.goals
    }
}

impl From<Vec<Port>> for Ports {
    fn from(all: Vec<Port>) -> Self {
        let goals = all.iter().map(|port| Goal::port(port.host, port.protocol)).collect();
        Self { all: all.into(), goals }
    }
}

impl<'a> IntoIterator for &'a Ports {
    type Item = &'a Port;
    type IntoIter = std::slice::Iter<'a, Port>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl PartialEq for Ports {
    fn eq(&self, other: &Self) -> bool {
        self.all == other.all
    }
}

impl Eq for Ports {}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.all.fmt(f)
    }
}
