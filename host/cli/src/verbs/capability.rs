//! `motey capability`: what the node offers to services, and what of it is taken; what people give it and take back.

use std::collections::BTreeMap;

use bytes::Bytes;
use hyper::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::args::{CapabilityAdd, CapabilityRemove, Shown};
use crate::client::{ClientError, Sent};
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
    binding: Option<String>,
}

pub async fn list(session: &mut Session, shown: Shown) -> Result<(), Failure> {
    let answer = session.client.get(PATH).await?;
    output::list::<Capability>(&mut session.out, shown.output, PATH, &answer)
}

pub async fn add(session: &mut Session, args: &CapabilityAdd) -> Result<(), Failure> {
    let CapabilityAdd { name, kind, unit, exclusive, amount, binding, properties } = args;
    let mut entry = json!({ "capability": name, "capability_type": kind });
    if let Value::Object(entry) = &mut entry {
        entry.extend(unit.as_ref().map(|unit| ("unit".to_owned(), unit.as_str().into())));
        entry.extend(exclusive.then(|| ("exclusive".to_owned(), true.into())));
        entry.extend(amount.as_ref().map(|amount| ("amount".to_owned(), amount.as_str().into())));
        entry.extend(binding.as_ref().map(|path| ("binding".to_owned(), path.as_str().into())));
        let properties: Map<String, Value> =
            properties.iter().map(|property| (property.name.clone(), property.value.clone())).collect();
        entry.extend((!properties.is_empty()).then(|| ("properties".to_owned(), properties.into())));
    }
    let so = if change(session, Method::PUT, entry).await? { "added" } else { "unchanged" };
    session.say(&format!("{}: {so}", output::clean(name)));
    Ok(())
}

pub async fn remove(session: &mut Session, args: &CapabilityRemove) -> Result<(), Failure> {
    let CapabilityRemove { name, unit } = args;
    let entry = match unit {
        Some(unit) => json!({ "capability": name, "unit": unit }),
        None => json!({ "capability": name }),
    };
    if !change(session, Method::DELETE, entry).await? {
        let unit = unit.as_ref().map_or_else(String::new, |unit| format!(" ({unit})"));
        return Err(Failure::NotGiven { name: format!("{name}{unit}") });
    }
    session.say(&format!("{}: removed", output::clean(name)));
    Ok(())
}

/// Whether anything changed.
async fn change(session: &Session, method: Method, entry: Value) -> Result<bool, Failure> {
    let body = Value::Array(vec![entry]).to_string();
    let sent = Sent { content_type: "application/json", bytes: Bytes::from(body) };
    match session.client.change(method, PATH, sent).await {
        Ok(answer) => Ok(answer.is_some()),
        Err(ClientError::Problem(problem)) if problem.kind() == "capabilities" => {
            // the body is this program's own: its lines and columns say nothing to a person
            let mistakes: Vec<&str> = problem.errors.iter().map(|mistake| mistake.message.as_str()).collect();
            Err(Failure::Capability(mistakes.join("; ")))
        }
        Err(error) => Err(error.into()),
    }
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
    const WIDE: &'static [&'static str] = &["BINDING", "PROPERTIES"];

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
        let binding = self.binding.clone().unwrap_or_default();
        vec![binding, properties.collect::<Vec<_>>().join(" ")]
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
             "properties": {"vendor": "x", "usb": 3}, "supply": "exclusive", "amount": null, "leased": 1,
             "binding": "/dev/ttyUSB0"},
            {"capability": "linux", "capability_type": "software", "source": "host-facts", "supply": "shared"},
        ]);
        let mut out = Vec::new();
        output::list::<Capability>(&mut out, Format::Wide, PATH, &answer).expect("shown");
        insta::assert_snapshot!(String::from_utf8(out).expect("text"), @r"
        CAPABILITY  TYPE      LEFT         OF           UNIT  SOURCE      BINDING       PROPERTIES
        memory      resource  1.5 KiB      2.0 KiB      -     host-facts  -             -
        cpu         resource  3.750 cores  4.000 cores  -     host-facts  -             -
        zigbee      hardware  taken        -            A1    usb         /dev/ttyUSB0  usb=3 vendor=x
        linux       software  shared       -            -     host-facts  -             -
        ");
    }
}
