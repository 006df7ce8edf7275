//! `/v1/events` and `/v1/service/{id}/events`: the journal, as far as it reaches back.

use std::collections::HashMap;

use jiff::Timestamp;
use motey_core::id::ServiceId;
use serde::Serialize;
use warp::http::HeaderValue;
use warp::http::header::LINK;

use super::error::{self, Problem};
use super::links::{self, Links};
use super::query::Query;
use super::service::service_id;
use super::{Api, Call, Outcome};
use crate::cause::chain;
use crate::store::{Entry, Span};

const DEFAULT_LIMIT: u32 = 100;
const MOST: u32 = 1000;

/// One line of the journal.
#[derive(Debug, Serialize)]
struct Event {
    seq: u64,
    /// By a clock that may have been wrong; `seq` tells the order.
    at: String,
    service: String,
    /// Also of a deleted one, for as long as its tombstone is here.
    service_name: Option<String>,
    slot: Option<String>,
    kind: &'static str,
    text: String,
    _links: Links,
}

/// `GET /v1/events?after=&before=&limit=`
pub(super) async fn list(call: Call) -> Outcome {
    page(call.api.as_ref(), call.query, None, links::EVENTS).await
}

/// `GET /v1/service/{id}/events`: also of a service that was deleted, while the journal remembers it.
pub(super) async fn of_service(id: String, call: Call) -> Outcome {
    let id = service_id(&id)?;
    if call.api.node.read(|core| core.record(id).is_none()) {
        return Err(Problem::unknown(id));
    }
    page(call.api.as_ref(), call.query, Some(id), &format!("{}/events", links::service(id))).await
}

/// Always the oldest first. Without `after` and `before`, the newest; the header `Link` says where it goes on.
async fn page(api: &Api, mut query: Query, of: Option<ServiceId>, path: &str) -> Outcome {
    let limit = limit(&mut query)?;
    let span = span(&mut query)?;
    query.end("`after`, `before` and `limit`")?;
    let node = api.node.clone();
    let read = api.apart.journal.run(move || node.history(of, span, limit)).await?;
    let mut entries = read.map_err(|error| Problem::Journal(chain(&error)))?;
    if !matches!(span, Span::After(_)) {
        entries.reverse();
    }
    let last = entries.last().map(|entry| entry.seq);
    let mut names = Names::default();
    let event = |entry: Entry| {
        let name = names.of(api, entry.service);
        Event::new(entry, name)
    };
    let mut response = error::ok(&entries.into_iter().map(event).collect::<Vec<_>>());
    if let Some(next) = last.or(if let Span::After(seq) = span { Some(seq) } else { None }) {
        let next = format!("<{path}?after={next}&limit={limit}>; rel=\"next\"");
        response.headers_mut().extend(HeaderValue::from_str(&next).ok().map(|next| (LINK, next)));
    }
    Ok(response)
}

fn limit(query: &mut Query) -> Result<u32, Problem> {
    match query.value("limit", "a number of events")?.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MOST => Ok(limit),
        other => Err(Problem::Query(format!("`limit` wants a number from 1 to {MOST}, not {other}"))),
    }
}

fn span(query: &mut Query) -> Result<Span, Problem> {
    let after = query.value("after", "the number of an event")?;
    let before = query.value("before", "the number of an event")?;
    match (after, before) {
        (None, None) => Ok(Span::Newest),
        (Some(after), None) => Ok(Span::After(after)),
        (None, Some(before)) => Ok(Span::Before(before)),
        (Some(_), Some(_)) => Err(Problem::Query("`after` and `before` exclude each other".into())),
    }
}

/// What services are called, each looked up once.
#[derive(Default)]
struct Names(HashMap<ServiceId, Option<String>>);

impl Names {
    fn of(&mut self, api: &Api, service: ServiceId) -> Option<String> {
        let name = || api.node.read(|core| core.record(service).map(|record| record.name.to_string()));
        self.0.entry(service).or_insert_with(name).clone()
    }
}

impl Event {
    fn new(entry: Entry, service_name: Option<String>) -> Self {
        let service = entry.service.to_string();
        let at = Timestamp::from_millisecond(entry.wall_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        Self {
            seq: entry.seq,
            at: format!("{at:.3}"),
            _links: Links::default().to("service", links::service(&service)).to("collection", links::EVENTS),
            service,
            service_name,
            slot: entry.slot.map(|slot| slot.to_string()),
            kind: entry.kind.as_str(),
            text: entry.text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use motey_core::step::EventKind;
    use uuid::Uuid;

    #[test]
    fn an_event_as_clients_see_it() {
        let entry = Entry {
            seq: 42,
            wall_ms: 1_764_000_000_123,
            service: ServiceId(Uuid::from_u128(7)),
            slot: "web-0".parse().ok(),
            kind: EventKind::Started,
            text: "web-0 runs on process".into(),
        };
        let event = Event::new(entry, Some("cell-7".into()));
        insta::assert_snapshot!(serde_json::to_string_pretty(&event).expect("JSON"), @r#"
        {
          "seq": 42,
          "at": "2025-11-24T16:00:00.123Z",
          "service": "00000000-0000-0000-0000-000000000007",
          "service_name": "cell-7",
          "slot": "web-0",
          "kind": "started",
          "text": "web-0 runs on process",
          "_links": {
            "collection": {
              "href": "/v1/events"
            },
            "service": {
              "href": "/v1/service/00000000-0000-0000-0000-000000000007"
            }
          }
        }
        "#);
    }
}
