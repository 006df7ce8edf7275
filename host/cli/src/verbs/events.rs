//! `motey events` and `motey service events`: the journal, oldest first.

use serde::Deserialize;

use super::find;
use crate::api::Event;
use crate::args::{Events, ServiceEvents};
use crate::client::with_query;
use crate::exit::Failure;
use crate::output::{self, Row};
use crate::session::Session;

/// An event among those of other services.
#[derive(Deserialize)]
#[serde(transparent)]
struct Named(Event);

pub async fn all(session: &mut Session, args: &Events) -> Result<(), Failure> {
    let path = page("/v1/events", args);
    let answer = session.client.get(&path).await?;
    output::list::<Named>(&mut session.out, args.shown.output, &path, &answer)
}

pub async fn of_service(session: &mut Session, args: &ServiceEvents) -> Result<(), Failure> {
    let id = find::remembered(session, &args.named.service).await?;
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
        let Self(event) = self;
        let mut cells = event.cells();
        cells.insert(2, event.service_name.clone().unwrap_or_else(|| event.service.clone()));
        cells
    }

    fn more(&self) -> Vec<String> {
        self.0.more()
    }

    fn name(&self) -> String {
        self.0.name()
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
    use crate::args::Format;

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
        let event = |seq: u64, name: Option<&str>| serde_json::json!({"seq": seq, "at": "now", "service": "0197", "service_name": name, "slot": null, "kind": "deployed", "text": "x"});
        let answer = serde_json::json!([event(1, Some("hello")), event(2, None)]);
        let mut out = Vec::new();
        output::list::<Named>(&mut out, Format::Table, "", &answer).expect("shown");
        insta::assert_snapshot!(String::from_utf8(out).expect("text"), @r"
        SEQ  AT   SERVICE  EVENT     SLOT  TEXT
        1    now  hello    deployed  -     x
        2    now  0197     deployed  -     x
        ");
    }
}
