//! `/v1/capabilities`: what this node offers, and how much of it is taken; what people give it and take back.

use std::collections::BTreeMap;

use bytes::Bytes;
use motey_blueprint::Diagnostics;
use motey_core::capability::{self, Scalar, Supply};
use motey_core::step::{Answer, Request};
use serde::Serialize;

use super::error::{self, Problem};
use super::links::{self, Links};
use super::service::INLINE;
use super::{Api, Call, Outcome, body};

/// The source of what people give to a node.
const SOURCE: &str = "rest";

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
    /// Where it is on the node.
    binding: Option<String>,
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
    Ok(error::ok(&call.api.capabilities(|_| true)))
}

/// `PUT /v1/capabilities`: more, or otherwise; what is not in the body stays as it is.
pub(super) async fn offer(call: Call) -> Outcome {
    let more = call.entries(|body| motey_blueprint::offers(SOURCE, body)).await?;
    call.api.offers(Request::Offer { source: SOURCE.into(), more }).await
}

/// `DELETE /v1/capabilities`: those that the body names are taken back.
pub(super) async fn withdraw(call: Call) -> Outcome {
    let less = call.entries(motey_blueprint::withdrawals).await?;
    call.api.offers(Request::Withdraw { source: SOURCE.into(), less }).await
}

impl Call {
    /// What the body lists. A large one is not read on a worker, where it would keep others waiting.
    async fn entries<T, R>(&self, read: R) -> Result<Vec<T>, Problem>
    where
        T: Send + 'static,
        R: FnOnce(&[u8]) -> Result<Vec<T>, Diagnostics> + Send + 'static,
    {
        self.query.end("")?;
        body::is_json(&self.headers)?;
        let body: Bytes = self.body.clone()?;
        let read = if body.len() < INLINE {
            read(&body)
        } else {
            self.api.apart.blueprints.run(move || read(&body)).await?
        };
        read.map_err(Problem::Capabilities)
    }
}

impl Api {
    /// Asks for a change of what people gave, and shows all of it then.
    async fn offers(&self, request: Request) -> Outcome {
        match self.node.ask(request).await? {
            Answer::Offers { changed: false } => Ok(error::unchanged()),
            Answer::Refused(refusal) => Err(Problem::Refused(refusal)),
            _ => Ok(error::changed(&self.capabilities(|source| source == SOURCE))),
        }
    }

    fn capabilities(&self, of: impl Fn(&str) -> bool) -> Vec<Capability> {
        let node = self.node.identity().id;
        self.node.read(|core| {
            let view = |offered: &capability::Capability| {
                let links =
                    Links::default().to("collection", links::CAPABILITIES).to("node", links::node(node));
                let links = match offered.id.source.as_str() {
                    SOURCE => links.act("withdraw", "DELETE", links::CAPABILITIES),
                    _ => links,
                };
                Capability::new(offered, core.leased(&offered.id), links)
            };
            core.capabilities().filter(|offered| of(&offered.id.source)).map(view).collect()
        })
    }
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
            binding: offered.binding.clone(),
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
        let offered = capability::Capability {
            id,
            kind: "resource".into(),
            props,
            supply: Supply::Amount(512),
            binding: None,
        };
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
          "binding": null,
          "_links": {
            "collection": {
              "href": "/v1/capabilities"
            }
          }
        }
        "#);
    }
}
