//! `motey capability list`: what the node offers to services, and what of it is taken.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::args::Shown;
use crate::exit::Failure;
use crate::output::{self, Row};
use crate::session::Session;

const PATH: &str = "/v1/capabilities";

#[derive(Default, Deserialize)]
#[serde(default)]
struct Capability {
    capability: String,
    capability_type: String,
    source: String,
    unit: Option<String>,
    properties: BTreeMap<String, Value>,
    supply: String,
    amount: Option<u64>,
    leased: u64,
}

pub async fn list(session: &mut Session, shown: Shown) -> Result<(), Failure> {
    let answer = session.client.get(PATH).await?;
    output::list::<Capability>(&mut session.out, shown.output, PATH, &answer)
}

impl Capability {
    /// An amount for people, where its base unit is known.
    fn counted(&self, amount: u64) -> String {
        match self.capability.as_str() {
            "memory" | "disk" => output::bytes(amount),
            "cpu" => format!("{}.{:03} cores", amount / 1000, amount % 1000),
            _ => amount.to_string(),
        }
    }

    /// What is left: of an amount so much, of an exclusive one all or nothing.
    fn left(&self) -> String {
        match (self.supply.as_str(), self.amount) {
            ("amount", Some(amount)) => self.counted(amount.saturating_sub(self.leased)),
            ("exclusive", _) => if self.leased == 0 { "free" } else { "taken" }.to_owned(),
            (other, _) => other.to_owned(),
        }
    }
}

impl Row for Capability {
    const HEAD: &'static [&'static str] = &["CAPABILITY", "TYPE", "LEFT", "OF", "UNIT", "SOURCE"];
    const WIDE: &'static [&'static str] = &["PROPERTIES"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.capability.clone(),
            self.capability_type.clone(),
            self.left(),
            self.amount.map(|amount| self.counted(amount)).unwrap_or_default(),
            self.unit.clone().unwrap_or_default(),
            self.source.clone(),
        ]
    }

    fn more(&self) -> Vec<String> {
        let properties =
            self.properties.iter().map(|(name, value)| format!("{name}={}", output::cell(value)));
        vec![properties.collect::<Vec<_>>().join(" ")]
    }

    fn name(&self) -> String {
        self.capability.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Format;

    #[test]
    fn what_is_left_is_told_for_every_kind_of_supply() {
        let answer = serde_json::json!([
            {"capability": "memory", "capability_type": "resource", "source": "host-facts", "unit": null,
             "properties": {}, "supply": "amount", "amount": 2048, "leased": 512},
            {"capability": "cpu", "capability_type": "resource", "source": "host-facts", "supply": "amount",
             "amount": 4000, "leased": 250},
            {"capability": "zigbee", "capability_type": "hardware", "source": "usb", "unit": "A1",
             "properties": {"vendor": "x", "usb": 3}, "supply": "exclusive", "amount": null, "leased": 1},
            {"capability": "linux", "capability_type": "software", "source": "host-facts", "supply": "shared"},
        ]);
        let mut out = Vec::new();
        output::list::<Capability>(&mut out, Format::Wide, PATH, &answer).expect("shown");
        insta::assert_snapshot!(String::from_utf8(out).expect("text"), @r"
        CAPABILITY  TYPE      LEFT         OF           UNIT  SOURCE      PROPERTIES
        memory      resource  1.5 KiB      2.0 KiB      -     host-facts  -
        cpu         resource  3.750 cores  4.000 cores  -     host-facts  -
        zigbee      hardware  taken        -            A1    usb         usb=3 vendor=x
        linux       software  shared       -            -     host-facts  -
        ");
    }
}
