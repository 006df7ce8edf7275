//! `/v1/service`: deploy, look, update, stop, start, restart, scale, delete.

use std::fmt::Display;
use std::sync::Arc;

use bytes::Bytes;
use motey_blueprint::{Blueprint, Diagnostics};
use motey_core::id::{ImageKey, ServiceId};
use motey_core::project::{ServiceStatus, State};
use motey_core::record::ServiceRecord;
use motey_core::spec::Format;
use motey_core::step::{Answer, Refusal, Request};
use serde::Deserialize;
use tokio::task::yield_now;
use uuid::Uuid;
use warp::http::HeaderValue;
use warp::http::header::CONTENT_TYPE;
use warp::reply::Response;

use super::error::{self, Problem};
use super::links;
use super::{Api, Call, Outcome, body, view};

/// A blueprint of this many bytes or more is not read on a worker, where it would keep others waiting.
pub(super) const INLINE: usize = 64 << 10;

/// So many services are looked at before others get their turn.
const TURN: usize = 16;

/// `GET /v1/service`
pub(super) async fn list(call: Call) -> Outcome {
    call.query.end("")?;
    let left = |record: &&Arc<ServiceRecord>| !record.is_over();
    let ids = call.api.node.read(|core| core.records().filter(left).map(|record| record.id).collect());
    let look = |id| call.api.service(id).ok().map(|(record, status)| view::Service::new(&record, &status));
    Ok(error::ok(&in_turns(ids, look).await))
}

/// What `look` sees of each. Everybody else, the loop of the node and other clients, gets a turn every now and then.
async fn in_turns<V>(ids: Vec<ServiceId>, mut look: impl FnMut(ServiceId) -> Option<V>) -> Vec<V> {
    let mut seen = Vec::with_capacity(ids.len());
    for some in ids.chunks(TURN) {
        seen.extend(some.iter().filter_map(|id| look(*id)));
        yield_now().await;
    }
    seen
}

/// `POST /v1/service?id=UUID&unplaceable=reject`
pub(super) async fn deploy(mut call: Call) -> Outcome {
    let body = call.body?;
    let format = body::blueprint_format(&call.headers)?;
    let id = wished_id(call.query.text("id")?)?;
    let reject_unplaceable = rejects(call.query.text("unplaceable")?.as_deref())?;
    call.query.end("`id` and `unplaceable`")?;
    let Blueprint { name, spec } = call.api.blueprint(format, body).await?;
    let request = Request::Deploy { id, name, spec: Arc::new(spec), reject_unplaceable };
    call.api.ask(request).await?;
    let (record, status) = call.api.service(id)?;
    Ok(error::created(&links::service(id), &view::Service::new(&record, &status)))
}

fn wished_id(id: Option<String>) -> Result<ServiceId, Problem> {
    let Some(text) = id else { return Ok(ServiceId(Uuid::now_v7())) };
    match text.parse::<ServiceId>() {
        Ok(id) if !id.0.is_nil() => Ok(id),
        _ => Err(Problem::Query(format!("`id` wants a UUID of the client's own, not {text:?}"))),
    }
}

fn rejects(unplaceable: Option<&str>) -> Result<bool, Problem> {
    match unplaceable {
        None | Some("wait") => Ok(false),
        Some("reject") => Ok(true),
        Some(other) => Err(Problem::Query(format!("`unplaceable` wants wait or reject, not {other:?}"))),
    }
}

/// `GET /v1/service/{id}`
pub(super) async fn show(id: String, call: Call) -> Outcome {
    call.query.end("")?;
    let (record, status) = call.api.service(service_id(&id)?)?;
    Ok(error::ok(&view::Service::new(&record, &status)))
}

/// `GET /v1/service/{id}/blueprint`: byte for byte what was sent.
pub(super) async fn blueprint(id: String, call: Call) -> Outcome {
    call.query.end("")?;
    let (record, _) = call.api.service(service_id(&id)?)?;
    let source = &record.revision.spec.source;
    let mut response = Response::new(source.text.as_bytes().to_vec().into());
    let content_type = match source.format {
        Format::Yaml => "application/yaml",
        Format::Json => "application/json",
    };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    Ok(response)
}

/// `POST /v1/service/{id}/start`
pub(super) async fn start(id: String, call: Call) -> Outcome {
    act(&id, call, Request::Start).await
}

/// `POST /v1/service/{id}/stop`
pub(super) async fn stop(id: String, call: Call) -> Outcome {
    act(&id, call, Request::Stop).await
}

/// `POST /v1/service/{id}/restart`
pub(super) async fn restart(id: String, call: Call) -> Outcome {
    act(&id, call, Request::Restart).await
}

/// `PUT /v1/service/{id}`: a new revision, of which unchanged images keep their instances.
pub(super) async fn update(id: String, call: Call) -> Outcome {
    let id = service_id(&id)?;
    call.query.end("")?;
    let body = call.body?;
    let format = body::blueprint_format(&call.headers)?;
    let (record, _) = call.api.service(id)?;
    let Blueprint { name, spec } = call.api.blueprint(format, body).await?;
    if name != record.name {
        return Err(Problem::Renamed { is: record.name.clone(), to: name });
    }
    call.api.change(Request::Update { id, spec: Arc::new(spec) }, id).await
}

/// `DELETE /v1/service/{id}`
pub(super) async fn delete(id: String, call: Call) -> Outcome {
    let id = service_id(&id)?;
    call.query.end("")?;
    body::nothing(&call.body?)?;
    call.api.remove(id).await
}

/// The body of `POST /v1/service/{id}/scale`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scale {
    image: String,
    replicas: u16,
}

/// `POST /v1/service/{id}/scale`
pub(super) async fn scale(id: String, call: Call) -> Outcome {
    let id = service_id(&id)?;
    call.query.end("")?;
    let Scale { image, replicas: count } = body::json(&call.headers, &call.body?)?;
    let image = image.parse::<ImageKey>().map_err(|error| Problem::Body(error.to_string()))?;
    call.api.change(Request::Scale { id, image, count }, id).await
}

/// `DELETE /v1/service` with a body that names the service, as in the thesis: `{"id": "…"}`, or the bare id.
pub(super) async fn delete_named(call: Call) -> Outcome {
    call.query.end("")?;
    let id = named(&call.body?)?;
    call.api.remove(id).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    id: String,
}

fn named(body: &[u8]) -> Result<ServiceId, Problem> {
    let wants = |why: &dyn Display| {
        Problem::Body(format!(r#"{why}; send {{"id": "UUID"}} or the bare id of a service"#))
    };
    let text = std::str::from_utf8(body).map_err(|error| wants(&error))?.trim();
    match text.as_bytes().first() {
        None => Err(wants(&"it is empty")),
        Some(b'{') => service_id(&serde_json::from_str::<Named>(text).map_err(|error| wants(&error))?.id),
        Some(b'"') => service_id(&serde_json::from_str::<String>(text).map_err(|error| wants(&error))?),
        Some(_) => service_id(text.strip_prefix("id:").unwrap_or(text).trim()),
    }
}

async fn act(id: &str, call: Call, request: fn(ServiceId) -> Request) -> Outcome {
    let id = service_id(id)?;
    call.query.end("")?;
    body::nothing(&call.body?)?;
    call.api.change(request(id), id).await
}

/// An id is a UUID; a name is no id, since names need not be unique.
pub(super) fn service_id(text: &str) -> Result<ServiceId, Problem> {
    text.parse().map_err(|_| Problem::NotAnId(text.chars().take(80).collect()))
}

impl Api {
    async fn blueprint(&self, format: Format, body: Bytes) -> Result<Blueprint, Problem> {
        let parsed = if body.len() < INLINE {
            motey_blueprint::parse(format, &body)
        } else {
            self.apart.blueprints.run(move || motey_blueprint::parse(format, &body)).await?
        };
        parsed.map_err(|mistakes: Diagnostics| Problem::Blueprint(mistakes))
    }

    /// Asks the node and turns its refusals into problems.
    pub(super) async fn ask(&self, request: Request) -> Result<(), Problem> {
        match self.node.ask(request).await? {
            Answer::Accepted(_) | Answer::Unchanged(_) | Answer::Done | Answer::Offers { .. } => Ok(()),
            Answer::Refused(Refusal::Deleted(id)) => Err(self.deleted(id)),
            Answer::Refused(refusal) => Err(Problem::Refused(refusal)),
        }
    }

    /// Asks for a change and shows what the service is then.
    pub(super) async fn change(&self, request: Request, id: ServiceId) -> Outcome {
        self.ask(request).await?;
        let (record, status) = self.known(id).ok_or_else(|| Problem::unknown(id))?;
        Ok(error::accepted(&view::Service::new(&record, &status)))
    }

    /// Deletes a service of which something is left; what is on its way already stays so.
    async fn remove(&self, id: ServiceId) -> Outcome {
        self.service(id)?;
        self.change(Request::Delete(id), id).await
    }

    /// A service of which something is left.
    pub(super) fn service(&self, id: ServiceId) -> Result<(Arc<ServiceRecord>, ServiceStatus), Problem> {
        match self.known(id) {
            Some((record, _)) if record.is_over() => Err(self.deleted(id)),
            Some(known) => Ok(known),
            None => Err(Problem::unknown(id)),
        }
    }

    /// Also one that was deleted, while its tombstone is here.
    pub(super) fn known(&self, id: ServiceId) -> Option<(Arc<ServiceRecord>, ServiceStatus)> {
        self.node.read(|core| Some((Arc::clone(core.record(id)?), core.status(id)?)))
    }

    pub(super) fn deleted(&self, id: ServiceId) -> Problem {
        let state = self.node.read(|core| core.status(id)).map_or(State::Terminated, |status| status.state);
        Problem::Deleted { id, state }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn the_body_of_a_delete_names_a_service() {
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        for body in
            [format!(r#"{{"id": "{id}"}}"#), format!(r#""{id}""#), format!("{id}\n"), format!("id: {id}")]
        {
            assert_eq!(named(body.as_bytes()).map(|id| id.to_string()).ok().as_deref(), Some(id), "{body}");
        }
        for body in ["", "{}", "[]", r#"{"id": 7}"#, "\u{0}"] {
            assert!(named(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn a_delete_with_a_key_that_means_nothing_is_refused_by_that_key() {
        let body = br#"{"id": "01890a5d-ac96-774b-bcce-b302099a8057", "grace": 5}"#;
        let problem = named(body).expect_err("nobody knows grace");
        assert!(problem.to_string().contains("`grace`"), "{problem}");
    }

    #[tokio::test]
    async fn a_long_list_lets_others_have_their_turn() {
        let turns = Cell::new(0);
        let ids: Vec<_> = (0..1000).map(|n| ServiceId(Uuid::from_u128(n))).collect();
        let others = async {
            loop {
                turns.set(turns.get() + 1);
                yield_now().await;
            }
        };
        let seen = tokio::select! {
            seen = in_turns(ids.clone(), Some) => seen,
            () = others => unreachable!(),
        };
        assert!(seen == ids && turns.get() > 1000 / TURN / 2, "{} turns", turns.get());
    }

    #[test]
    fn a_client_may_bring_its_own_id() {
        assert!(wished_id(None).is_ok());
        assert!(wished_id(Some("01890a5d-ac96-774b-bcce-b302099a8057".into())).is_ok());
        assert!(wished_id(Some("00000000-0000-0000-0000-000000000000".into())).is_err());
        assert!(wished_id(Some("web".into())).is_err());
    }
}
