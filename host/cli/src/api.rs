//! What the daemon says, as far as this program reads it. Fields it does not know are left alone, and missing ones are empty: an older
//! client and a newer daemon understand each other.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::exit::Code;

/// RFC 9457.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Problem {
    pub r#type: String,
    pub title: String,
    pub status: u16,
    pub detail: String,
    /// The mistakes of a blueprint.
    pub errors: Vec<Mistake>,
    /// What to do about it, as this program sees it.
    #[serde(skip)]
    pub next: Option<String>,
}

/// One mistake of a blueprint.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Mistake {
    pub path: String,
    pub line: usize,
    pub column: usize,
    pub message: String,
}

impl Problem {
    pub fn code(&self) -> Code {
        match (self.kind(), self.status) {
            ("unplaceable", _) => Code::NoNodeFits,
            (
                "unknown-service" | "unknown-node" | "unknown-image" | "unknown-revision" | "no-instance"
                | "deleted",
                _,
            ) => Code::NotFound,
            (_, 408 | 504) => Code::TimedOut,
            _ => Code::Failed,
        }
    }

    /// The last part of the stable `type`.
    pub fn kind(&self) -> &str {
        self.r#type.rsplit(':').next().unwrap_or_default()
    }

    /// For people.
    pub fn told(&self) -> String {
        let next = self.next.as_ref().map_or_else(String::new, |next| format!("\n  {next}"));
        match (self.detail.is_empty(), self.r#type.is_empty()) {
            (false, _) => format!("{}{next}", self.detail),
            (true, false) => format!("{} ({}){next}", self.title, self.status),
            (true, true) => {
                format!("the answer was {} {}; is that a Motey daemon?{next}", self.status, self.title)
            }
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Service {
    pub id: String,
    pub service_name: String,
    pub desired: String,
    pub state: String,
    pub state_message: Option<String>,
    pub reason: Option<String>,
    pub revision: u64,
    /// It came to run: the one before does not come back any more.
    pub proven: bool,
    pub durability: String,
    pub images: Vec<Image>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Image {
    pub key: String,
    pub name: String,
    pub engine: Option<String>,
    pub node: Option<String>,
    pub state: String,
    pub state_message: Option<String>,
    pub reason: Option<String>,
    pub replicas: Replicas,
    pub running: u64,
    pub instances: Vec<Instance>,
    pub parameters: Parameters,
}

/// What of an image's parameters is shown.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Parameters {
    pub ports: BTreeMap<String, Port>,
}

/// A port by the number that it has on its node.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Port {
    pub host: u16,
    pub protocol: String,
}

/// A number, or a word where there is none: `every-node`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Replicas {
    Count(u64),
    Unnumbered(IgnoredAny),
}

impl Default for Replicas {
    fn default() -> Self {
        Self::Count(0)
    }
}

impl Image {
    /// How many slots it has now.
    pub fn slots(&self) -> u64 {
        match self.replicas {
            Replicas::Count(count) => count,
            Replicas::Unnumbered(_) => self.instances.len() as u64,
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Instance {
    pub slot: String,
    pub name: Option<String>,
    pub state: String,
    pub state_message: Option<String>,
    pub reason: Option<String>,
    pub node: Option<String>,
    pub engine: Option<String>,
    pub pid: Option<u32>,
    pub fence: Option<String>,
    pub restarts: u64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Event {
    pub seq: u64,
    pub at: String,
    pub service: String,
    pub service_name: Option<String>,
    pub slot: Option<String>,
    pub kind: String,
    pub text: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Node {
    pub id: String,
    pub name: String,
    pub cluster: String,
    pub version: String,
    pub started: String,
    pub phase: String,
    pub phase_message: Option<String>,
    pub cordoned: bool,
    pub engines: Vec<Engine>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Engine {
    pub name: String,
    pub up: bool,
    pub message: Option<String>,
    pub features: Vec<String>,
    pub instances: u64,
}

/// What is not known of a refused file is absent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Plugin {
    pub id: Option<String>,
    pub name: Option<String>,
    pub version: Option<String>,
    pub author: Option<String>,
    pub website: Option<String>,
    pub description: Option<String>,
    pub category: Option<String>,
    pub features: Vec<String>,
    pub path: String,
    pub state: String,
    pub state_message: Option<String>,
    pub reason: Option<String>,
    pub calls: u64,
    pub failures: u64,
}
