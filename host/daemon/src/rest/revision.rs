//! `/v1/service/{id}/revisions` and `/v1/service/{id}/rollback`: what a service was made of, and the way back to it.
//!
//! A rollback is an update: the old spec as a new revision. Nothing else of the past comes back.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use motey_core::id::ServiceId;
use motey_core::record::{Revision, RevisionOrder};
use motey_core::step::Request;
use serde::{Deserialize, Serialize};
use warp::http::HeaderMap;

use super::error::{self, Problem};
use super::links::{self, Links};
use super::service::service_id;
use super::{Api, Call, Outcome, body};
use crate::cause::chain;
use crate::store::Past;

/// A revision as clients see it.
#[derive(Debug, Serialize)]
struct View {
    revision: u32,
    /// By a clock that may have been wrong.
    at: String,
    /// It is what the service is made of now.
    current: bool,
    images: Vec<Image>,
    /// Numbers of slots that were set since the blueprint was written.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    scaled: BTreeMap<String, u16>,
    _links: Links,
}

#[derive(Debug, Serialize)]
struct Image {
    key: String,
    name: String,
}

/// The body of `POST /v1/service/{id}/rollback`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    revision: Option<u32>,
}

/// `GET /v1/service/{id}/revisions`: the newest first.
pub(super) async fn list(id: String, call: Call) -> Outcome {
    let id = service_id(&id)?;
    call.query.end("")?;
    let (record, _) = call.api.service(id)?;
    let kept = call.api.revisions(id).await?;
    let view = |past: &Past| View::new(id, past, record.revision.order);
    Ok(error::ok(&kept.iter().map(view).collect::<Vec<_>>()))
}

/// `POST /v1/service/{id}/rollback`: to the revision that the body names, or to the last one with another blueprint.
pub(super) async fn roll_back(id: String, call: Call) -> Outcome {
    let id = service_id(&id)?;
    call.query.end("")?;
    let Wish { revision } = wish(&call.headers, &call.body?)?;
    let (record, _) = call.api.service(id)?;
    if record.is_absent() {
        return Err(call.api.deleted(id));
    }
    let kept = call.api.revisions(id).await?;
    let spec = &chosen(&kept, &record.revision, revision)?.spec;
    call.api.change(Request::Update { id, spec: Arc::clone(spec) }, id).await
}

fn wish(headers: &HeaderMap, body: &[u8]) -> Result<Wish, Problem> {
    match body.trim_ascii() {
        b"" | b"{}" => Ok(Wish::default()),
        _ => body::json(headers, body),
    }
}

fn chosen<'k>(kept: &'k [Past], current: &Revision, number: Option<u32>) -> Result<&'k Revision, Problem> {
    let mut revisions = kept.iter().map(|past| &past.revision);
    let found = match number {
        Some(number) => revisions.find(|it| it.order.number == number),
        None => {
            let older = |it: &&Revision| it.order < current.order;
            revisions.filter(older).find(|it| it.spec.source != current.spec.source)
        }
    };
    found.ok_or(Problem::NoRevision(number))
}

impl View {
    fn new(id: ServiceId, past: &Past, current: RevisionOrder) -> Self {
        let Past { wall_ms, revision: Revision { order, spec, scaled, .. } } = past;
        let at = Timestamp::from_millisecond(*wall_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        let service = links::service(id);
        let images = spec.images.iter();
        Self {
            revision: order.number,
            at: format!("{at:.3}"),
            current: *order == current,
            images: images.map(|it| Image { key: it.key.to_string(), name: it.image.clone() }).collect(),
            scaled: scaled.iter().map(|(image, count)| (image.to_string(), *count)).collect(),
            _links: Links::default().to("service", &service).act(
                "rollback",
                "POST",
                format_args!("{service}/rollback"),
            ),
        }
    }
}

impl Api {
    async fn revisions(&self, id: ServiceId) -> Result<Vec<Past>, Problem> {
        let node = self.node.clone();
        let read = self.apart.revisions.run(move || node.revisions(id)).await?;
        read.map_err(|error| Problem::System("the revisions", chain(&error)))
    }
}
