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
    /// Where it is on its node, such as `/dev/ttyUSB0`: whoever holds it is given that. It is the same capability wherever it
    /// comes back.
    pub binding: Option<String>,
}

/// A capability as an instance is given it: where it was when the instance was made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Device {
    /// What blueprints call it.
    pub name: String,
    /// Which of several it is.
    pub unit: String,
    /// On its node.
    pub path: String,
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

/// The most that one source may be told to offer: it is stored and told as a whole.
pub const MAX_OFFERS: usize = 256;

/// A capability of some source, as people call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// What blueprints call it.
    pub name: String,
    /// Empty for the one without.
    pub unit: String,
    /// Its type, where that must fit, too.
    pub kind: Option<String>,
}

impl Named {
    /// Whether it is that one.
    pub fn is(&self, capability: &Capability) -> bool {
        let CapId { source: _, name, unit } = &capability.id;
        let fits = self.kind.as_ref().is_none_or(|kind| *kind == capability.kind);
        self.name == *name && self.unit == *unit && fits
    }
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

/// An amount of the capability `name` as people write it: bytes of memory and disk, millicores of cpu, else a number.
pub(crate) fn amount_text(name: &str, amount: u64) -> String {
    const BYTES: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match name {
        "memory" | "disk" => {
            let unit = BYTES.iter().find(|(size, _)| amount >= *size);
            unit.map_or_else(
                || format!("{amount} B"),
                |(size, unit)| format!("{} {unit}", tenths(amount, *size)),
            )
        }
        "cpu" => format!("{} cores", tenths(amount, 1_000)),
        _ => amount.to_string(),
    }
}

/// `amount` in units of `size`, rounded down to tenths, without a fraction of zero.
fn tenths(amount: u64, size: u64) -> String {
    match (amount / size, amount % size / (size / 10)) {
        (whole, 0) => whole.to_string(),
        (whole, tenth) => format!("{whole}.{tenth}"),
    }
}

impl fmt::Display for CapId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, unit, .. } = self;
        if unit.is_empty() { f.write_str(name) } else { write!(f, "{name} ({unit})") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_their_units() {
        let texts =
            [("memory", 25_276_510_208), ("disk", 512), ("cpu", 1_500), ("cpu", 4_000), ("seats", 12)]
                .map(|(name, amount)| amount_text(name, amount));
        assert_eq!(texts, ["25.2 GB", "512 B", "1.5 cores", "4 cores", "12"]);
    }
}
