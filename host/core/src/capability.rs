//! What nodes offer and what is taken of it: devices, memory, engines, labels are all capabilities.

use std::collections::BTreeMap;
use std::fmt;

use crate::record::InstanceKey;

/// One thing a node offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capability {
    /// Which one.
    pub id: CapId,
    /// Its type: `hardware`, `software`, `protocol`, `resource`, `engine`, …
    pub kind: String,
    /// What can be known of it.
    pub props: BTreeMap<String, Scalar>,
    /// How it can be used.
    pub supply: Supply,
}

/// Tells one capability of a node from every other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CapId {
    /// Who reported it: a plugin's id, `rest`, …
    pub source: String,
    /// What blueprints call it.
    pub name: String,
    /// Two equal dongles differ in this (serial number, port); empty where there is one.
    pub unit: String,
}

/// How a capability can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supply {
    /// By any number of instances at once.
    Shared,
    /// By one instance at a time.
    Exclusive,
    /// In parts, up to so much of its base unit (bytes, millicores).
    Amount(u64),
}

/// A property's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// Yes or no.
    Bool(bool),
    /// A whole number in the property's base unit.
    Integer(i64),
    /// Anything else.
    Text(String),
}

/// What one instance uses up of one capability, on the node that executes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Of this capability,
    pub of: CapId,
    /// so much (1 of an exclusive one),
    pub amount: u64,
    /// for this instance.
    pub holder: InstanceKey,
}

impl fmt::Display for CapId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, unit, .. } = self;
        if unit.is_empty() { f.write_str(name) } else { write!(f, "{name} ({unit})") }
    }
}
