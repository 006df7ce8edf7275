//! `/healthz` and `/readyz`, for supervisors; open to everybody who reaches the door.

use std::time::Duration;

use motey_core::id::ServiceId;
use motey_core::step::Request;
use serde::Serialize;
use tokio::time::timeout;
use uuid::Uuid;

use super::error::{self, Problem};
use super::links::Links;
use super::{Call, Outcome};

const LOOP_DEADLINE: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct Health {
    status: &'static str,
    _links: Links,
}

/// `GET /healthz`: the process serves.
pub(super) async fn alive(call: Call) -> Outcome {
    call.query.end("")?;
    Ok(error::ok(&Health { status: "ok", _links: Links::of("/healthz") }))
}

/// `GET /readyz`: the store is open and the loop answers. Does not wait for plugins.
pub(super) async fn ready(call: Call) -> Outcome {
    call.query.end("")?;
    // a service that cannot exist: the loop decides about it and has nothing to write
    let nothing = Request::Start(ServiceId(Uuid::nil()));
    match timeout(LOOP_DEADLINE, call.api.node.ask(nothing)).await {
        Ok(Ok(_)) => Ok(error::ok(&Health { status: "ready", _links: Links::of("/readyz") })),
        Ok(Err(error)) => Err(Problem::NotReady(error.to_string())),
        Err(_) => Err(Problem::NotReady(format!("no answer within {} s", LOOP_DEADLINE.as_secs()))),
    }
}
