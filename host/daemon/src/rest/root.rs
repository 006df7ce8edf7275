//! `/v1`: where everything is. Its links are the route table itself.

use serde::Serialize;

use super::links::Links;
use super::{Call, Outcome, ROUTES, error};

#[derive(Serialize)]
struct Root {
    node: String,
    name: String,
    version: &'static str,
    _links: Links,
}

/// `GET /v1`
pub(super) async fn show(call: Call) -> Outcome {
    call.query.end("")?;
    let identity = call.api.node.identity();
    Ok(error::ok(&Root {
        node: identity.id.to_string(),
        name: identity.name.to_string(),
        version: identity.version,
        _links: links(),
    }))
}

fn links() -> Links {
    ROUTES.iter().fold(Links::default(), |links, route| match route.methods {
        ["POST"] => links.act(route.rel, "POST", route.path),
        _ => links.to(route.rel, route.path),
    })
}
