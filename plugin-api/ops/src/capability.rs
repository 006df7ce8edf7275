//! What a provider offers on behalf of its node.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One thing the node offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capability {
    pub name: String,
    /// `resource`, `hardware`, `software`, `protocol`, `label`, …
    pub kind: String,
    /// A serial number or a port: tells two equal ones apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    #[serde(default)]
    pub props: BTreeMap<String, Scalar>,
    pub supply: Supply,
    /// Where it is on the node, such as `/dev/ttyUSB0`: instances that hold it are given that. What is plugged in again may
    /// be elsewhere then; it is the same one by its `unit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<String>,
}

/// How much of it there is. An amount counts whole units: bytes, millicores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Supply {
    /// Anyone may use it at the same time.
    Shared,
    /// One slot at a time.
    Exclusive,
    Amount(u64),
}

/// A property's value, in JSON's natural forms.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    Bool(bool),
    Integer(i64),
    Text(String),
}

impl From<bool> for Scalar {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Scalar {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<&str> for Scalar {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Scalar {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

/// The **full** set of this source: what is missing from it is gone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapabilitiesNews {
    pub capabilities: Vec<Capability>,
}
