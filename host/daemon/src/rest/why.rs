//! `/v1/service/{id}/why`: the story of a service in words: what is wanted, what each slot does or waits for and since
//! when, what happened, and what would mend it. Told from the journal and from what is known now; decides nothing.

use jiff::Timestamp;
use motey_core::id::ServiceId;
use motey_core::project::{ServiceStatus, SlotStatus, State};
use motey_core::reason::Reason;
use motey_core::record::{Desired, ServiceRecord};
use serde::Serialize;

use super::error::{self, Problem};
use super::links::{self, Links};
use super::remedy::{Of, remedy};
use super::service::service_id;
use super::view::desired;
use super::{Api, Call, Outcome};
use crate::cause::chain;
use crate::store::{Entry, Span};
use crate::story::{self, Line, Moments};

/// As far back as the journal reaches for one service.
const MOST_EVENTS: u32 = 1_000;

/// Of a long story, the end.
const MOST_LINES: usize = 100;

/// A service and its story.
#[derive(Debug, Serialize)]
struct Why {
    id: String,
    service_name: String,
    desired: &'static str,
    state: &'static str,
    /// One sentence.
    summary: String,
    wanted: String,
    slots: Vec<Slot>,
    /// How many lines come before those that are told.
    earlier: usize,
    story: Vec<Told>,
    remedies: Vec<Remedy>,
    _links: Links,
}

#[derive(Debug, Serialize)]
struct Slot {
    slot: String,
    state: &'static str,
    /// By a clock that may have been wrong; null where the journal does not reach back so far.
    since: Option<String>,
    text: String,
    reason: Option<&'static str>,
    restarts: u32,
}

#[derive(Debug, Serialize)]
struct Told {
    from: String,
    to: String,
    times: u32,
    slots: Vec<String>,
    kind: &'static str,
    text: String,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Remedy {
    /// What it is for.
    reason: &'static str,
    text: String,
}

/// `GET /v1/service/{id}/why`: also of a service that was deleted, while the journal remembers it.
pub(super) async fn tell(id: String, call: Call) -> Outcome {
    let id = service_id(&id)?;
    call.query.end("")?;
    let api = call.api.as_ref();
    let (record, status) = api.known(id).ok_or_else(|| Problem::unknown(id))?;
    let node = api.node.clone();
    let read = api.apart.journal.run(move || node.history(Some(id), Span::Newest, MOST_EVENTS)).await?;
    let mut entries = read.map_err(|error| Problem::Journal(chain(&error)))?;
    entries.reverse();
    let handle = api.handle(id, record.name.as_str());
    Ok(error::ok(&Why::new(&record, &status, entries, &handle)))
}

impl Api {
    /// What a person types for the service: its name, where a shell takes it and no other service has it.
    fn handle(&self, id: ServiceId, name: &str) -> String {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let is_plain = name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(plain);
        let others =
            |record: &ServiceRecord| record.id != id && !record.is_over() && record.name.as_str() == name;
        let is_taken = || self.node.read(|core| core.records().any(|record| others(record)));
        if is_plain && !is_taken() { name.to_owned() } else { id.to_string() }
    }
}

impl Why {
    fn new(record: &ServiceRecord, status: &ServiceStatus, entries: Vec<Entry>, handle: &str) -> Self {
        let moments = Moments::of(&entries);
        let mut lines = story::tell(entries);
        let story = lines.split_off(lines.len().saturating_sub(MOST_LINES));
        let slots = || status.images.iter().flat_map(|image| &image.slots);
        let path = links::service(record.id);
        Self {
            id: record.id.to_string(),
            service_name: record.name.to_string(),
            desired: desired(record.desired),
            state: status.state.as_str(),
            summary: summary(record, status),
            wanted: wanted(record, status),
            slots: slots().map(|slot| Slot::new(slot, &moments)).collect(),
            earlier: lines.len(),
            story: story.into_iter().map(Told::new).collect(),
            remedies: remedies(slots(), handle),
            _links: Links::of(format_args!("{path}/why"))
                .to("service", &path)
                .to("events", format_args!("{path}/events"))
                .to("logs", format_args!("{path}/logs")),
        }
    }
}

fn summary(record: &ServiceRecord, status: &ServiceStatus) -> String {
    let (name, state) = (&record.name, status.state.as_str());
    let said = status.reason.as_ref().map(|reason| reason.text.as_str());
    let said = said.unwrap_or(match (record.desired, status.state) {
        (Desired::Absent, State::Terminated) => "it was removed, and nothing of it is left",
        (Desired::Absent, _) => "it was removed, and its last instances are on their way out",
        (Desired::Stopped, State::Terminated) => "it was asked to stop, and nothing of it runs",
        (Desired::Stopped, _) => "it was asked to stop, and its last instances are on their way out",
        (Desired::Running, State::Running) => "it runs, as wanted",
        (Desired::Running, State::Terminated) => "it did its work, or has nothing to run",
        (Desired::Running, _) => "it is on its way",
    });
    format!("{name} is {state}: {said}")
}

fn wanted(record: &ServiceRecord, status: &ServiceStatus) -> String {
    match record.desired {
        Desired::Absent => "that it is gone".to_owned(),
        Desired::Stopped => "that nothing of it runs".to_owned(),
        Desired::Running => {
            let images = status.images.iter().map(|image| format!("{} of {}", image.wanted, image.key));
            format!("that {} run", images.collect::<Vec<_>>().join(", "))
        }
    }
}

impl Slot {
    fn new(status: &SlotStatus, moments: &Moments) -> Self {
        let runs = status.state == State::Running;
        let reason = status.reason.as_ref();
        Self {
            slot: status.slot.to_string(),
            state: status.state.as_str(),
            since: moments.since(&status.slot, runs).map(at),
            text: reason.map_or_else(|| plainly(status), |reason| reason.text.clone()),
            reason: reason.map(|reason| reason.code.as_str()),
            restarts: status.restarts,
        }
    }
}

/// What a slot does that has nothing to complain about.
fn plainly(status: &SlotStatus) -> String {
    match (status.state, &status.engine) {
        (State::Running, Some(engine)) => format!("runs on {engine}"),
        (State::Running, None) => "runs".to_owned(),
        (State::Initial, _) => "waits for a node".to_owned(),
        (State::Instantiating, _) => "is being started".to_owned(),
        (State::Stopping, _) => "is being stopped".to_owned(),
        (State::Terminated, _) => "does not run, as wanted".to_owned(),
        (State::Error, _) => "gave up".to_owned(),
    }
}

impl Told {
    fn new(line: Line) -> Self {
        Self {
            from: at(line.from),
            to: at(line.to),
            times: line.times,
            text: line.told(),
            slots: line.slots.iter().map(ToString::to_string).collect(),
            kind: line.kind.as_str(),
        }
    }
}

fn at(wall_ms: i64) -> String {
    let at = Timestamp::from_millisecond(wall_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{at:.3}")
}

/// Each once, in the order of the slots that want them.
fn remedies<'a>(slots: impl Iterator<Item = &'a SlotStatus>, handle: &str) -> Vec<Remedy> {
    let mut remedies = Vec::new();
    for slot in slots {
        let Some(Reason { code, .. }) = &slot.reason else { continue };
        let Some(mut text) = remedy(*code, Of::Service(handle)) else { continue };
        if slot.state == State::Error {
            text = format!("{text}. Then `motey service start {handle}` tries again");
        }
        let remedy = Remedy { reason: code.as_str(), text };
        if !remedies.contains(&remedy) {
            remedies.push(remedy);
        }
    }
    remedies
}
