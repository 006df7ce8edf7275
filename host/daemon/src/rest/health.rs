//! `/healthz` and `/readyz`, for supervisors; open to everybody who reaches the door.

use std::time::Duration;

use serde::Serialize;

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

/// `GET /readyz`: the store is open and the loop answers, and nobody asked it to end. Does not wait for plugins.
pub(super) async fn ready(call: Call) -> Outcome {
    call.query.end("")?;
    if *call.api.closing.borrow() {
        return Err(Problem::NotReady("it is going down".into()));
    }
    match call.api.node.ping(LOOP_DEADLINE).await {
        Ok(()) => Ok(error::ok(&Health { status: "ready", _links: Links::of("/readyz") })),
        Err(error) => Err(Problem::NotReady(error.to_string())),
    }
}
