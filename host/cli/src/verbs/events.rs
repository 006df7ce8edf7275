//! `motey events` and `motey service events`: the journal, oldest first.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::find;
use crate::api::{Event, Service};
use crate::args::{Events, Format, ServiceEvents};
use crate::client::with_query;
use crate::exit::Failure;
use crate::output::{self, Row};
use crate::session::Session;

/// An event and whom it is about.
#[derive(Deserialize)]
struct Named {
    service_name: String,
    #[serde(flatten)]
    event: Event,
}

pub async fn all(session: &mut Session, args: &Events) -> Result<(), Failure> {
    let path = page("/v1/events", args);
    let mut answer = session.client.get(&path).await?;
    if matches!(args.shown.output, Format::Table | Format::Wide) {
        let services: Vec<Service> = output::read("GET /v1/service", &find::services(session).await?)?;
        name(&mut answer, services);
        return output::list::<Named>(&mut session.out, args.shown.output, &path, &answer);
    }
    output::list::<Event>(&mut session.out, args.shown.output, &path, &answer)
}

/// Puts the service's name into each event; its id stands for one that is gone.
fn name(events: &mut Value, services: Vec<Service>) {
    let names: HashMap<_, _> =
        services.into_iter().map(|service| (service.id, service.service_name)).collect();
    for event in events.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        let id = event.get("service").and_then(Value::as_str).unwrap_or_default();
        let name = names.get(id).map_or(id, String::as_str).to_owned();
        event.insert("service_name".to_owned(), name.into());
    }
}

pub async fn of_service(session: &mut Session, args: &ServiceEvents) -> Result<(), Failure> {
    let id = find::id(session, &args.named.service).await?;
    let path = page(&format!("/v1/service/{id}/events"), &args.events);
    let answer = session.client.get(&path).await?;
    output::list::<Event>(&mut session.out, args.events.shown.output, &path, &answer)
}

fn page(path: &str, args: &Events) -> String {
    with_query(
        path,
        &[("limit", Some(args.last.to_string())), ("before", args.before.map(|before| before.to_string()))],
    )
}

impl Row for Named {
    const HEAD: &'static [&'static str] = &["SEQ", "AT", "SERVICE", "EVENT", "SLOT", "TEXT"];
    const WIDE: &'static [&'static str] = &["ID"];

    fn cells(&self) -> Vec<String> {
        let mut cells = self.event.cells();
        cells.insert(2, self.service_name.clone());
        cells
    }

    fn more(&self) -> Vec<String> {
        self.event.more()
    }

    fn name(&self) -> String {
        self.event.name()
    }
}

impl Row for Event {
    const HEAD: &'static [&'static str] = &["SEQ", "AT", "EVENT", "SLOT", "TEXT"];
    const WIDE: &'static [&'static str] = &["SERVICE"];

    fn cells(&self) -> Vec<String> {
        let slot = self.slot.clone().unwrap_or_default();
        vec![self.seq.to_string(), self.at.clone(), self.kind.clone(), slot, self.text.clone()]
    }

    fn more(&self) -> Vec<String> {
        vec![self.service.clone()]
    }

    fn name(&self) -> String {
        self.seq.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_line() {
        let answer = serde_json::json!([
            {"seq": 41, "at": "2026-11-24T10:00:00.000Z", "service": "s", "slot": null, "kind": "deployed", "text": "with 1 image"},
            {"seq": 42, "at": "2026-11-24T10:00:00.120Z", "service": "s", "slot": "web-0", "kind": "started", "text": "on process"},
        ]);
        let mut out = Vec::new();
        output::list::<Event>(&mut out, Format::Wide, "", &answer).expect("shown");
        insta::assert_snapshot!(String::from_utf8(out).expect("text"), @r"
        SEQ  AT                        EVENT     SLOT   TEXT          SERVICE
        41   2026-11-24T10:00:00.000Z  deployed  -      with 1 image  s
        42   2026-11-24T10:00:00.120Z  started   web-0  on process    s
        ");
    }

    #[test]
    fn events_of_all_services_name_theirs() {
        let event = |seq: u64, service: &str| serde_json::json!({"seq": seq, "at": "now", "service": service, "slot": null, "kind": "deployed", "text": "x"});
        let mut answer = Value::Array(vec![event(1, "0198"), event(2, "0197")]);
        let known = Service { id: "0198".into(), service_name: "hello".into(), ..Service::default() };
        name(&mut answer, vec![known]);
        let mut out = Vec::new();
        output::list::<Named>(&mut out, Format::Table, "", &answer).expect("shown");
        insta::assert_snapshot!(String::from_utf8(out).expect("text"), @r"
        SEQ  AT   SERVICE  EVENT     SLOT  TEXT
        1    now  hello    deployed  -     x
        2    now  0197     deployed  -     x
        ");
    }
}
