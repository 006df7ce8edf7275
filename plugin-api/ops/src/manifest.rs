//! What a plugin says about itself before it runs: the JSON in its section `.motey.manifest`.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// `[a-z0-9-]{1,40}`; names the plugin in the configuration, in the API and in `engine:`.
    pub id: String,
    /// For people.
    pub name: String,
    /// Dotted numbers, `1.4.0`; the newest of one id wins.
    pub version: String,
    #[serde(default)]
    pub author: String,
    #[serde(default)]
    pub website: String,
    #[serde(default)]
    pub description: String,
    /// The boundary's number that it was built for.
    pub abi: u32,
    pub category: Category,
    /// Of [`feature`](crate::feature); only a VAL has any.
    #[serde(default)]
    pub features: BTreeSet<String>,
}

/// What a plugin is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Runs instances on one engine.
    Val,
    /// Finds out what the node offers.
    Capability,
}

impl Category {
    pub const ALL: [Self; 2] = [Self::Val, Self::Capability];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Val => "val",
            Self::Capability => "capability",
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
