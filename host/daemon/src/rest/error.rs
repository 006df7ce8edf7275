//! What can go wrong on the way of a request: the only file that knows status codes.
//!
//! Every problem is answered as RFC 9457 says. Its `type` is stable: programs compare it; its texts are for people.

use motey_blueprint::{Diagnostic, Diagnostics};
use motey_core::id::{NodeId, ServiceId, ServiceName};
use motey_core::project::State;
use motey_core::step::{EngineError, EngineErrorKind, Refusal};
use serde::Serialize;
use warp::http::header::{
    ACCEPT, ALLOW, CONNECTION, CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use warp::http::{HeaderValue, Method, StatusCode};
use warp::reply::Response;

use crate::node::AskError;

/// Why a request is not answered as its client hoped.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("nothing is served at this path; GET /v1 links to everything that is")]
    NoRoute,
    #[error("{method} is not possible here, only {allow}")]
    Method { method: Method, allow: String },
    #[error(
        "this node wants `Authorization: Bearer TOKEN`; the token is in the file `token` of its state directory, and \
         its Unix socket needs none"
    )]
    Unauthorized,
    #[error("the request names the host {0:?}; this node answers to localhost, 127.0.0.1 and [::1] only")]
    ForeignHost(String),
    #[error("a page of {0:?} must not drive this node")]
    ForeignOrigin(String),

    #[error("the query is wrong: {0}")]
    Query(String),
    #[error("the body is wrong: {0}")]
    Body(String),
    #[error("the body could not be read to its end: {0}")]
    BrokenBody(String),
    #[error("the body did not arrive within {0} s")]
    SlowBody(u64),
    #[error(
        "the body is larger than the {0} bytes that this node takes; `body_limit` in [webserver] of its configuration \
         says how many, up to 1 MiB"
    )]
    LargeBody(usize),
    #[error("{given} is not taken here; send the body with one of these content types: {accept}")]
    MediaType { given: String, accept: &'static str },
    #[error("{}", told("the blueprint has", .0))]
    Blueprint(Diagnostics),
    #[error("{}", told("the list of capabilities has", .0))]
    Capabilities(Diagnostics),

    #[error("{0:?} is not the id of a service: ids are UUIDs, GET /v1/service lists them")]
    NotAnId(String),
    #[error("no node has the id {0:?}; GET /v1/nodes lists them")]
    UnknownNode(String),
    #[error("the service {id} was deleted; ids are never reused")]
    Deleted { id: ServiceId, state: State },
    #[error(
        "the blueprint is of a service called {to}, and this one is {is}: a service keeps its name; deploy the blueprint \
         as a service of its own, or give it the name {is}"
    )]
    Renamed { is: ServiceName, to: ServiceName },
    #[error(transparent)]
    Refused(Refusal),
    #[error("{}", missing(*.0))]
    NoRevision(Option<u32>),
    #[error("the service has no instance {0} now")]
    NoInstance(String),

    #[error("the engine does not give the output: {}", .0.message)]
    Engine(EngineError),
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error("the journal cannot be read: {0}")]
    Journal(String),
    #[error("the node does not take requests now: {0}")]
    NotReady(String),
    #[error("{0} cannot be read: {1}")]
    System(&'static str, String),
}

/// One mistake of a blueprint, or of a list of capabilities.
#[derive(Serialize)]
struct Mistake<'a> {
    path: &'a str,
    line: u32,
    column: u32,
    message: &'a str,
    kind: &'static str,
}

/// What a Problem says in JSON.
#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: String,
    instance: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Mistake<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    /// Whom to ask instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
}

impl Problem {
    pub(super) fn unknown(id: ServiceId) -> Self {
        Self::Refused(Refusal::Unknown(id))
    }

    /// Status, the name that ends `type`, and the title of each.
    fn class(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::NoRoute => (StatusCode::NOT_FOUND, "no-route", "Nothing is here"),
            Self::Method { .. } => (StatusCode::METHOD_NOT_ALLOWED, "method", "Method not possible here"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", "No valid token"),
            Self::ForeignHost(_) => {
                (StatusCode::MISDIRECTED_REQUEST, "foreign-host", "Not a name of this node")
            }
            Self::ForeignOrigin(_) => (StatusCode::FORBIDDEN, "foreign-origin", "Sent by a foreign page"),
            Self::Query(_) => (StatusCode::BAD_REQUEST, "query", "Wrong query"),
            Self::Body(_) => (StatusCode::BAD_REQUEST, "body", "Wrong body"),
            Self::BrokenBody(_) => (StatusCode::BAD_REQUEST, "broken-body", "Incomplete body"),
            Self::SlowBody(_) => (StatusCode::REQUEST_TIMEOUT, "slow-body", "The body took too long"),
            Self::LargeBody(_) => (StatusCode::PAYLOAD_TOO_LARGE, "large-body", "The body is too large"),
            Self::MediaType { .. } => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", "Content type not taken")
            }
            Self::Blueprint(_) => (StatusCode::BAD_REQUEST, "blueprint", "Wrong blueprint"),
            Self::Capabilities(_) => (StatusCode::BAD_REQUEST, "capabilities", "Wrong capabilities"),
            Self::NotAnId(_) => (StatusCode::NOT_FOUND, "unknown-service", "No such service"),
            Self::UnknownNode(_) => (StatusCode::NOT_FOUND, "unknown-node", "No such node"),
            Self::Deleted { .. } => (StatusCode::GONE, "deleted", "The service was deleted"),
            Self::Renamed { .. } => (StatusCode::CONFLICT, "renamed", "A service keeps its name"),
            Self::Refused(refusal) => refused(refusal),
            Self::NoRevision(_) => (StatusCode::NOT_FOUND, "unknown-revision", "No such revision"),
            Self::NoInstance(_) => (StatusCode::NOT_FOUND, "no-instance", "No such instance"),
            Self::Engine(error) => engine(error.kind),
            Self::Ask(error) => asked(error),
            Self::Journal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "store", "The store failed"),
            Self::NotReady(_) => (StatusCode::SERVICE_UNAVAILABLE, "not-ready", "Not ready"),
            Self::System(..) => (StatusCode::INTERNAL_SERVER_ERROR, "system", "The system failed"),
        }
    }

    /// The answer. `instance` is the path that was asked for.
    pub(super) fn into_response(self, instance: &str) -> Response {
        let (status, name, title) = self.class();
        if status.is_server_error() {
            log::warn!("{instance}: {} {self}", status.as_u16());
        }
        let (id, state) = match &self {
            Self::Deleted { id, state } => (Some(id.to_string()), Some(state.as_str())),
            _ => (None, None),
        };
        let body = Body {
            r#type: format!("urn:motey:problem:{name}"),
            title,
            status: status.as_u16(),
            detail: self.to_string(),
            instance,
            errors: match &self {
                Self::Blueprint(found) | Self::Capabilities(found) => {
                    found.iter().map(Mistake::new).collect()
                }
                _ => vec![],
            },
            id,
            state,
            node: self.owner().map(|node| node.to_string()),
        };
        let mut response = answer(status, &body);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.extend(self.header());
        response
    }

    /// The node that answers for the service instead, now or soon.
    fn owner(&self) -> Option<NodeId> {
        match self {
            Self::Refused(Refusal::Elsewhere(_, owner) | Refusal::HandedOver(_, owner)) => Some(owner.node),
            _ => None,
        }
    }

    /// What a client needs to do better.
    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::Method { allow, .. } => Some((ALLOW, HeaderValue::from_str(allow).ok()?)),
            Self::Unauthorized => {
                Some((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"motey\"")))
            }
            Self::MediaType { accept, .. } => Some((ACCEPT, HeaderValue::from_static(accept))),
            Self::SlowBody(_) | Self::BrokenBody(_) => Some((CONNECTION, HeaderValue::from_static("close"))),
            Self::Ask(_) | Self::NotReady(_) | Self::Refused(Refusal::HandedOver(..)) => {
                Some((RETRY_AFTER, HeaderValue::from_static("1")))
            }
            _ => None,
        }
    }
}

fn missing(revision: Option<u32>) -> String {
    match revision {
        Some(number) => format!(
            "the service has no revision {number}, or has it no more: GET /v1/service/{{id}}/revisions lists the last ones"
        ),
        None => {
            "no earlier revision with another blueprint is kept: there is nothing to go back to".to_owned()
        }
    }
}

fn refused(refusal: &Refusal) -> (StatusCode, &'static str, &'static str) {
    match refusal {
        Refusal::Unknown(_) => (StatusCode::NOT_FOUND, "unknown-service", "No such service"),
        Refusal::Elsewhere(..) => (StatusCode::CONFLICT, "elsewhere", "Another node owns it"),
        Refusal::HandedOver(..) => (StatusCode::SERVICE_UNAVAILABLE, "handed-over", "It changes its owner"),
        Refusal::Twin(_) => (StatusCode::CONFLICT, "twin", "Two nodes have this id"),
        Refusal::Removed(_) => (StatusCode::CONFLICT, "removed", "The node is no member any more"),
        Refusal::Heard(_) => (StatusCode::CONFLICT, "heard", "The node lives"),
        Refusal::NoSuchNode(_) => (StatusCode::NOT_FOUND, "unknown-node", "No such node"),
        Refusal::Deleted(_) => (StatusCode::GONE, "deleted", "The service was deleted"),
        Refusal::Conflict(_) => (StatusCode::CONFLICT, "conflict", "The id is taken"),
        Refusal::UnknownImage(_) => (StatusCode::NOT_FOUND, "unknown-image", "No such image"),
        Refusal::NotCounted(_) => (StatusCode::CONFLICT, "not-counted", "It has no number of slots"),
        Refusal::TooManyOffers(_) => {
            (StatusCode::BAD_REQUEST, "too-many-capabilities", "More capabilities than possible")
        }
        Refusal::TooManySlots(..) => (StatusCode::BAD_REQUEST, "too-many-slots", "More slots than possible"),
        Refusal::Unplaceable(_) => (StatusCode::CONFLICT, "unplaceable", "No node can run it now"),
    }
}

fn engine(kind: EngineErrorKind) -> (StatusCode, &'static str, &'static str) {
    match kind {
        EngineErrorKind::Unsupported => {
            (StatusCode::NOT_IMPLEMENTED, "engine-unsupported", "The engine cannot do it")
        }
        EngineErrorKind::NotFound => (StatusCode::NOT_FOUND, "no-instance", "No such instance"),
        EngineErrorKind::Conflict => (StatusCode::CONFLICT, "engine-conflict", "The engine refuses it now"),
        EngineErrorKind::Invalid => (StatusCode::BAD_REQUEST, "engine-invalid", "The engine refuses it"),
        EngineErrorKind::Unavailable | EngineErrorKind::Busy => {
            (StatusCode::SERVICE_UNAVAILABLE, "engine-unavailable", "The engine does not answer now")
        }
        EngineErrorKind::Failed | EngineErrorKind::Denied | EngineErrorKind::Unreachable => {
            (StatusCode::BAD_GATEWAY, "engine-failed", "The engine failed")
        }
        EngineErrorKind::TimedOut => {
            (StatusCode::GATEWAY_TIMEOUT, "engine-timed-out", "The engine is too slow")
        }
    }
}

fn asked(error: &AskError) -> (StatusCode, &'static str, &'static str) {
    match error {
        AskError::StoreFull => (StatusCode::INSUFFICIENT_STORAGE, "store-full", "No room to store it"),
        AskError::Store(_) => (StatusCode::INTERNAL_SERVER_ERROR, "store", "The store failed"),
        AskError::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy", "Too much to do"),
        AskError::TimedOut => (StatusCode::GATEWAY_TIMEOUT, "timed-out", "No answer in time"),
        AskError::Closed => (StatusCode::SERVICE_UNAVAILABLE, "closing", "The node is going down"),
    }
}

fn told(has: &str, found: &Diagnostics) -> String {
    let count = found.as_slice().len();
    let first = found.iter().next().map_or_else(String::new, ToString::to_string);
    format!("{has} {count} mistake{}; the first: {first}", if count == 1 { "" } else { "s" })
}

impl<'a> Mistake<'a> {
    fn new(found: &'a Diagnostic) -> Self {
        let Diagnostic { path, line, column, message, kind } = found;
        Self { path, line: *line, column: *column, message, kind: kind.as_str() }
    }
}

/// What was asked for is here.
pub(super) fn ok(body: &impl Serialize) -> Response {
    answer(StatusCode::OK, body)
}

/// It is so from now on.
pub(super) fn changed(body: &impl Serialize) -> Response {
    answer(StatusCode::CREATED, body)
}

/// It was so already. Such an answer has no body (RFC 9110, section 15.4.5).
pub(super) fn unchanged() -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response
}

/// It was made, and is at `location`.
pub(super) fn created(location: &str, body: &impl Serialize) -> Response {
    let mut response = answer(StatusCode::CREATED, body);
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// It is decided and stored, and will be done.
pub(super) fn accepted(body: &impl Serialize) -> Response {
    answer(StatusCode::ACCEPTED, body)
}

fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    // our own structs of strings and numbers: they always serialise
    let json = serde_json::to_vec(body).unwrap_or_default();
    let mut response = Response::new(json.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A problem that stops a request before the route table.
#[derive(Debug)]
pub(super) struct Turned(Problem);

impl warp::reject::Reject for Turned {}

impl Turned {
    pub(super) fn away(problem: Problem) -> warp::Rejection {
        warp::reject::custom(Self(problem))
    }

    pub(super) fn problem(&self) -> Problem {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use motey_core::id::{Called, NodeName};
    use uuid::Uuid;

    /// No node stands in a cluster yet, so that these cannot be had by asking.
    #[test]
    fn what_another_node_has_to_do_with_is_told_with_that_node() {
        let (service, other) = (ServiceId(Uuid::from_u128(7)), NodeId(Uuid::from_u128(2)));
        let called = || Called { node: other, name: NodeName::new("fog-2").ok() };
        for (refusal, status, name, owner, again) in [
            (Refusal::Elsewhere(service, called()), 409, "elsewhere", Some(other), false),
            (Refusal::HandedOver(service, called()), 503, "handed-over", Some(other), true),
            (Refusal::Twin(called()), 409, "twin", None, false),
            (Refusal::Removed(called()), 409, "removed", None, false),
            (Refusal::Heard(called()), 409, "heard", None, false),
            (Refusal::NoSuchNode(called()), 404, "unknown-node", None, false),
        ] {
            let problem = Problem::Refused(refusal);
            let (given, kind, _) = problem.class();
            assert_eq!((given.as_u16(), kind, problem.owner()), (status, name, owner));
            assert!(problem.to_string().contains("fog-2"), "{problem}");
            let response = problem.into_response("/v1/x");
            assert_eq!(response.headers().contains_key(RETRY_AFTER), again, "{name}");
        }
    }
}
