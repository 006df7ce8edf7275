//! `/v1/capabilities`: what this node offers, and how much of it is taken.

use std::collections::BTreeMap;

use motey_core::capability::{self, Scalar, Supply};
use serde::Serialize;

use super::links::{self, Links};
use super::{Call, Outcome, error};

/// One thing the node offers: the thesis's two keys, with ours beside them.
#[derive(Debug, Serialize)]
struct Capability {
    capability: String,
    capability_type: String,
    /// Who reported it.
    source: String,
    unit: Option<String>,
    properties: BTreeMap<String, Property>,
    supply: &'static str,
    /// In its base unit; null where it is not counted.
    amount: Option<u64>,
    leased: u64,
    _links: Links,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Property {
    Bool(bool),
    Integer(i64),
    Text(String),
}

/// `GET /v1/capabilities`
pub(super) async fn list(call: Call) -> Outcome {
    call.query.end("")?;
    let node = call.api.node.identity().id;
    let all = call.api.node.read(|core| {
        let view = |offered: &capability::Capability| {
            let links = Links::default().to("collection", links::CAPABILITIES).to("node", links::node(node));
            Capability::new(offered, core.leased(&offered.id), links)
        };
        core.capabilities().map(view).collect::<Vec<_>>()
    });
    Ok(error::ok(&all))
}

impl Capability {
    fn new(offered: &capability::Capability, leased: u64, links: Links) -> Self {
        let (supply, amount) = match offered.supply {
            Supply::Shared => ("shared", None),
            Supply::Exclusive => ("exclusive", None),
            Supply::Amount(amount) => ("amount", Some(amount)),
        };
        let properties = offered.props.iter().map(|(name, value)| (name.clone(), Property::new(value)));
        Self {
            capability: offered.id.name.clone(),
            capability_type: offered.kind.clone(),
            source: offered.id.source.clone(),
            unit: Some(offered.id.unit.clone()).filter(|unit| !unit.is_empty()),
            properties: properties.collect(),
            supply,
            amount,
            leased,
            _links: links,
        }
    }
}

impl Property {
    fn new(value: &Scalar) -> Self {
        match value {
            Scalar::Bool(value) => Self::Bool(*value),
            Scalar::Integer(value) => Self::Integer(*value),
            Scalar::Text(value) => Self::Text(value.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use motey_core::capability::CapId;

    #[test]
    fn a_capability_as_clients_see_it() {
        let id = CapId { source: "host-facts".into(), name: "memory".into(), unit: String::new() };
        let props = BTreeMap::from([
            ("swap".to_owned(), Scalar::Bool(false)),
            ("total".to_owned(), Scalar::Integer(512)),
        ]);
        let offered =
            capability::Capability { id, kind: "resource".into(), props, supply: Supply::Amount(512) };
        let view = Capability::new(&offered, 128, Links::default().to("collection", links::CAPABILITIES));
        insta::assert_snapshot!(serde_json::to_string_pretty(&view).expect("JSON"), @r#"
        {
          "capability": "memory",
          "capability_type": "resource",
          "source": "host-facts",
          "unit": null,
          "properties": {
            "swap": false,
            "total": 512
          },
          "supply": "amount",
          "amount": 512,
          "leased": 128,
          "_links": {
            "collection": {
              "href": "/v1/capabilities"
            }
          }
        }
        "#);
    }
}
