//! `/v1/nodes`: the nodes that this one knows, and what they take on. So far it knows itself.

use jiff::Timestamp;
use motey_core::EngineView;
use motey_core::id::{Called, EngineName, NodeId};
use motey_core::peer::Duty;
use motey_core::phase::Condition;
use motey_core::step::Request;
use serde::Serialize;

use super::error::{self, Problem};
use super::links::{self, Links};
use super::{Api, Call, Outcome, body};
use crate::node::Identity;

#[derive(Debug, Serialize)]
struct Node {
    id: String,
    name: String,
    cluster: String,
    version: &'static str,
    /// When its present life began, by its wall clock.
    started: String,
    phase: &'static str,
    /// Why it is in no other, where it is given nothing new.
    phase_message: Option<String>,
    cordoned: bool,
    engines: Vec<Engine>,
    _links: Links,
}

#[derive(Debug, Serialize)]
struct Engine {
    name: String,
    up: bool,
    /// Why it is down.
    message: Option<String>,
    features: Vec<String>,
    instances: usize,
}

/// `GET /v1/nodes`
pub(super) async fn list(call: Call) -> Outcome {
    call.query.end("")?;
    Ok(error::ok(&[own(&call.api)]))
}

/// `GET /v1/nodes/{id}`
pub(super) async fn show(id: String, call: Call) -> Outcome {
    call.query.end("")?;
    itself(&call.api, &id)?;
    Ok(error::ok(&own(&call.api)))
}

/// `POST /v1/nodes/{id}/cordon`
pub(super) async fn cordon(id: String, call: Call) -> Outcome {
    take_on(&id, call, Duty::Cordon).await
}

/// `POST /v1/nodes/{id}/uncordon`
pub(super) async fn uncordon(id: String, call: Call) -> Outcome {
    take_on(&id, call, Duty::Operate).await
}

/// `POST /v1/nodes/{id}/drain`
pub(super) async fn drain(id: String, call: Call) -> Outcome {
    take_on(&id, call, Duty::Drain).await
}

/// A node is told by its own operator what it takes on.
async fn take_on(id: &str, call: Call, duty: Duty) -> Outcome {
    call.query.end("")?;
    body::nothing(&call.body?)?;
    itself(&call.api, id)?;
    call.api.ask(Request::Duty(duty)).await?;
    Ok(error::accepted(&own(&call.api)))
}

/// `POST /v1/nodes/{id}/forget`: about another node, to this one.
pub(super) async fn forget(id: String, call: Call) -> Outcome {
    call.query.end("")?;
    body::nothing(&call.body?)?;
    let node = id.parse::<NodeId>().map_err(|_| unknown(&id))?;
    call.api.ask(Request::Forget { node, forgotten: true }).await?;
    Ok(error::accepted(&own(&call.api)))
}

fn itself(api: &Api, id: &str) -> Result<(), Problem> {
    if id.parse() == Ok(api.node.identity().id) { Ok(()) } else { Err(unknown(id)) }
}

fn unknown(id: &str) -> Problem {
    Problem::UnknownNode(id.chars().take(80).collect())
}

fn own(api: &Api) -> Node {
    api.node.read(|core| {
        let engines = core.engines().map(|(name, view)| Engine::new(name, view)).collect();
        let cordoned = core.standing().duty == Duty::Cordon;
        Node::new(api.node.identity(), &core.condition(), cordoned, engines)
    })
}

impl Node {
    fn new(identity: &Identity, condition: &Condition, cordoned: bool, engines: Vec<Engine>) -> Self {
        let called = Called { node: identity.id, name: Some(identity.name.clone()) };
        let started = Timestamp::from_millisecond(identity.started).unwrap_or(Timestamp::UNIX_EPOCH);
        let path = links::node(identity.id);
        Self {
            id: identity.id.to_string(),
            name: identity.name.to_string(),
            cluster: identity.cluster.clone(),
            version: identity.version,
            started: format!("{started:.3}"),
            phase: condition.phase().as_str(),
            phase_message: condition.why(&called),
            cordoned,
            engines,
            _links: Links::of(&path)
                .to("collection", links::NODES)
                .to("status", links::NODE_STATUS)
                .to("capabilities", links::CAPABILITIES)
                .to("plugins", links::PLUGINS)
                .act("cordon", "POST", format_args!("{path}/cordon"))
                .act("uncordon", "POST", format_args!("{path}/uncordon"))
                .act("drain", "POST", format_args!("{path}/drain")),
        }
    }
}

impl Engine {
    fn new(name: &EngineName, view: EngineView<'_>) -> Self {
        Self {
            name: name.to_string(),
            up: view.down.is_none(),
            message: view.down.map(ToOwned::to_owned),
            features: view.features.into_iter().flatten().cloned().collect(),
            instances: view.instances,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use motey_core::id::NodeId;
    use motey_core::phase::Part;
    use std::collections::BTreeSet;
    use uuid::Uuid;

    #[test]
    fn a_node_as_clients_see_it() {
        let features = BTreeSet::from(["command".to_owned(), "logs".to_owned()]);
        let up = EngineView { down: None, features: Some(&features), instances: 2 };
        let down = EngineView { down: Some("it does not answer"), features: None, instances: 0 };
        let named = |name: &str| name.parse().expect("a name");
        let identity = Identity {
            id: NodeId(Uuid::from_u128(1)),
            name: "cell-7".parse().expect("a name"),
            cluster: "motey".into(),
            version: "0.1.0",
            started: 1_764_000_000_000,
        };
        let engines = vec![Engine::new(&named("process"), up), Engine::new(&named("mock"), down)];
        let condition = Condition::Misses(Part::Engine(named("docker")));
        let view = Node::new(&identity, &condition, true, engines);
        insta::assert_snapshot!(serde_json::to_string_pretty(&view).expect("JSON"), @r#"
        {
          "id": "00000000-0000-0000-0000-000000000001",
          "name": "cell-7",
          "cluster": "motey",
          "version": "0.1.0",
          "started": "2025-11-24T16:00:00.000Z",
          "phase": "RECOVER",
          "phase_message": "cell-7 recovers: it has not heard its engine docker since its start",
          "cordoned": true,
          "engines": [
            {
              "name": "process",
              "up": true,
              "message": null,
              "features": [
                "command",
                "logs"
              ],
              "instances": 2
            },
            {
              "name": "mock",
              "up": false,
              "message": "it does not answer",
              "features": [],
              "instances": 0
            }
          ],
          "_links": {
            "capabilities": {
              "href": "/v1/capabilities"
            },
            "collection": {
              "href": "/v1/nodes"
            },
            "cordon": {
              "href": "/v1/nodes/00000000-0000-0000-0000-000000000001/cordon",
              "method": "POST"
            },
            "drain": {
              "href": "/v1/nodes/00000000-0000-0000-0000-000000000001/drain",
              "method": "POST"
            },
            "plugins": {
              "href": "/v1/plugins"
            },
            "self": {
              "href": "/v1/nodes/00000000-0000-0000-0000-000000000001"
            },
            "status": {
              "href": "/v1/nodestatus"
            },
            "uncordon": {
              "href": "/v1/nodes/00000000-0000-0000-0000-000000000001/uncordon",
              "method": "POST"
            }
          }
        }
        "#);
    }
}
