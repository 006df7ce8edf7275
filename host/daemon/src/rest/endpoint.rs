//! `/v1/endpoints`: where the ports of all services are, as far as this node knows.

use motey_core::Core;
use motey_core::endpoint::{Endpoint, Known};
use motey_core::id::NodeId;
use motey_core::record::ServiceRecord;
use serde::Serialize;

use super::links::{self, Links};
use super::{Call, Outcome, error};

#[derive(Debug, Serialize)]
struct View {
    service: String,
    service_name: String,
    image: String,
    port: String,
    protocol: &'static str,
    /// On every one of the nodes.
    number: u16,
    /// Whether this node was told that they answer, or only knows that they are to.
    known: &'static str,
    nodes: Vec<Node>,
    _links: Links,
}

#[derive(Debug, Serialize)]
struct Node {
    id: String,
    name: String,
}

/// `GET /v1/endpoints`
pub(super) async fn list(call: Call) -> Outcome {
    call.query.end("")?;
    let all: Vec<View> =
        call.api.node.read(|core| core.records().flat_map(|it| of_service(core, it)).collect());
    Ok(error::ok(&all))
}

fn of_service(core: &Core, record: &ServiceRecord) -> Vec<View> {
    let Some((known, endpoints)) = core.endpoints(record.id) else { return Vec::new() };
    endpoints.into_iter().map(|endpoint| View::new(core, record, known, endpoint)).collect()
}

impl View {
    fn new(core: &Core, record: &ServiceRecord, known: Known, endpoint: Endpoint<'_>) -> Self {
        let Endpoint { image, port, nodes } = endpoint;
        let node = |id: NodeId| Node { id: id.to_string(), name: core.called(id).to_string() };
        Self {
            service: record.id.to_string(),
            service_name: record.name.to_string(),
            image: image.key.to_string(),
            port: port.name.to_string(),
            protocol: port.protocol.as_str(),
            number: port.host,
            known: match known {
                Known::Told => "told",
                Known::Decided => "decided",
            },
            nodes: nodes.into_iter().map(node).collect(),
            _links: Links::default().to("service", links::service(record.id)),
        }
    }
}
