//! `motey service why`: the story of a service, as the daemon tells it, laid out for a terminal.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Deserialize;

use super::find;
use crate::args::{Format, One};
use crate::exit::Failure;
use crate::output::{self, Row};
use crate::session::Session;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Why {
    id: String,
    service_name: String,
    summary: String,
    wanted: String,
    slots: Vec<Slot>,
    earlier: usize,
    story: Vec<Told>,
    remedies: Vec<Remedy>,
}

/// Slots of one image that are alike are one line.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Slot {
    slot: String,
    state: String,
    since: Option<String>,
    text: String,
    reason: Option<String>,
    restarts: u64,
    /// How many more are like it.
    #[serde(skip)]
    more: usize,
    /// What time it is now.
    #[serde(skip)]
    now: Timestamp,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Told {
    from: String,
    to: String,
    slots: Vec<String>,
    kind: String,
    text: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Remedy {
    reason: String,
    text: String,
}

/// Also of a service that was removed, while the node remembers it.
pub async fn tell(session: &mut Session, args: &One) -> Result<(), Failure> {
    let path = format!("/v1/service/{}/why", find::remembered(session, &args.named.service).await?);
    let answer = session.client.get(&path).await?;
    match args.shown.output {
        Format::Json | Format::Yaml => output::plain(&mut session.out, args.shown.output, &answer),
        format => {
            let why: Why = output::read(&path, &answer)?;
            match format {
                Format::Name => writeln!(session.out, "{}", output::clean(&why.service_name))?,
                _ => lay_out(&mut session.out, why, Timestamp::now(), format == Format::Wide)?,
            }
            Ok(())
        }
    }
}

fn lay_out(out: &mut dyn Write, why: Why, now: Timestamp, wide: bool) -> io::Result<()> {
    writeln!(out, "{}", output::clean(&why.summary))?;
    output::fields(out, &[("wanted", why.wanted), ("id", why.id)])?;
    if !why.slots.is_empty() {
        writeln!(out)?;
        output::table(out, &alike(why.slots, now), wide)?;
    }
    writeln!(out)?;
    if why.earlier > 0 {
        writeln!(out, "({} lines before these: `motey service events`)", why.earlier)?;
    }
    output::table(out, &why.story, wide)?;
    if !why.remedies.is_empty() {
        writeln!(out, "\nWhat would mend it:")?;
    }
    why.remedies.iter().try_for_each(|remedy| {
        writeln!(out, "  {}: {}", output::clean(&remedy.reason), output::clean(&remedy.text))
    })
}

fn alike(slots: Vec<Slot>, now: Timestamp) -> Vec<Slot> {
    let image = |slot: &Slot| slot.slot.rsplit_once('-').map(|(image, _)| image.to_owned());
    let mut lines: Vec<Slot> = Vec::new();
    for slot in slots {
        let same = |line: &&mut Slot| {
            let same = |slot: &Slot| (image(slot), slot.state.clone(), slot.text.clone());
            same(line) == same(&slot)
        };
        match lines.last_mut().filter(same) {
            Some(line) => {
                line.more += 1;
                line.restarts += slot.restarts;
                // the one that is so for the longest time
                line.since = line.since.take().min(slot.since);
            }
            None => lines.push(Slot { now, ..slot }),
        }
    }
    lines
}

/// `2 min ago`, where the clock that told it can be believed.
fn ago(then: &str, now: Timestamp) -> String {
    let Ok(at) = then.parse::<Timestamp>() else { return then.to_owned() };
    let seconds = now.as_second() - at.as_second();
    match seconds {
        0..=119 => format!("{seconds} s ago"),
        120..=7_199 => format!("{} min ago", seconds / 60),
        7_200..=172_799 => format!("{} h ago", seconds / 3_600),
        172_800..=31_535_999 => format!("{} days ago", seconds / 86_400),
        _ => moment(then),
    }
}

fn moment(at: &str) -> String {
    let read = at.parse::<Timestamp>();
    read.map_or_else(|_| at.to_owned(), |read| read.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

impl Row for Slot {
    const HEAD: &'static [&'static str] = &["SLOT", "STATE", "SINCE", "RESTARTS", "BECAUSE"];
    const WIDE: &'static [&'static str] = &["SINCE (UTC)", "REASON"];

    fn cells(&self) -> Vec<String> {
        let Self { slot, state, since, text, restarts, more, now, .. } = self;
        let slot = if *more > 0 { format!("{slot} and {more} more") } else { slot.clone() };
        let since = since.as_ref().map(|since| ago(since, *now)).unwrap_or_default();
        vec![slot, state.clone(), since, restarts.to_string(), text.clone()]
    }

    fn more(&self) -> Vec<String> {
        vec![self.since.as_deref().map(moment).unwrap_or_default(), self.reason.clone().unwrap_or_default()]
    }

    fn name(&self) -> String {
        self.slot.clone()
    }
}

impl Row for Told {
    const HEAD: &'static [&'static str] = &["WHEN (UTC)", "SLOT", "WHAT HAPPENED"];
    const WIDE: &'static [&'static str] = &["UNTIL", "EVENT"];

    fn cells(&self) -> Vec<String> {
        let slots = match self.slots.as_slice() {
            [first, more @ ..] if more.len() > 1 => format!("{first} and {} more", more.len()),
            few => few.join(", "),
        };
        vec![moment(&self.from), slots, self.text.clone()]
    }

    fn more(&self) -> Vec<String> {
        vec![moment(&self.to), self.kind.clone()]
    }

    fn name(&self) -> String {
        self.kind.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(wide: bool) -> String {
        let slot = |slot: &str, state: &str, since: &str, text: &str| {
            serde_json::json!({"slot": slot, "state": state, "since": since, "text": text, "restarts": 1,
                "reason": null})
        };
        let waits = "nothing offers the capability zigbee";
        let why = serde_json::json!({
            "id": "0198", "service_name": "cell-7", "summary": "cell-7 is INITIAL: nothing\u{1b}[31m offers it",
            "wanted": "that 3 of web, 1 of db run", "earlier": 7,
            "slots": [
                slot("web-0", "INITIAL", "2026-11-24T10:00:00.000Z", waits),
                slot("web-1", "INITIAL", "2026-11-24T09:59:00.000Z", waits),
                slot("web-2", "RUNNING", "1970-01-01T00:00:07.000Z", "runs on process"),
                slot("db-0", "INITIAL", "2026-11-24T10:01:30.000Z", waits),
            ],
            "story": [
                {"from": "2026-11-24T09:59:00.000Z", "to": "2026-11-24T09:59:00.000Z", "kind": "assigned",
                 "slots": ["web-0", "web-1", "web-2"], "text": "assigned to process on line-7"},
                {"from": "2026-11-24T10:00:00.000Z", "to": "2026-11-24T10:02:00.000Z", "kind": "exited",
                 "slots": ["db-0"], "text": "exited with code 3, 7 times in 2 min"},
            ],
            "remedies": [{"reason": "waiting.capability", "text": "a node has to offer it"}],
        });
        let why: Why = output::read("", &why).expect("a story");
        let mut out = Vec::new();
        let now = "2026-11-24T10:02:05Z".parse().expect("a moment");
        lay_out(&mut out, why, now, wide).expect("written");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_story_is_laid_out_for_people() {
        insta::assert_snapshot!(shown(false), @"cell-7 is INITIAL: nothing [31m offers it
wanted:  that 3 of web, 1 of db run
id:      0198

SLOT              STATE    SINCE                RESTARTS  BECAUSE
web-0 and 1 more  INITIAL  3 min ago            2         nothing offers the capability zigbee
web-2             RUNNING  1970-01-01 00:00:07  1         runs on process
db-0              INITIAL  35 s ago             1         nothing offers the capability zigbee

(7 lines before these: `motey service events`)
WHEN (UTC)           SLOT              WHAT HAPPENED
2026-11-24 09:59:00  web-0 and 2 more  assigned to process on line-7
2026-11-24 10:00:00  db-0              exited with code 3, 7 times in 2 min

What would mend it:
  waiting.capability: a node has to offer it");
        insta::assert_snapshot!(shown(true), @"cell-7 is INITIAL: nothing [31m offers it
wanted:  that 3 of web, 1 of db run
id:      0198

SLOT              STATE    SINCE                RESTARTS  BECAUSE                               SINCE (UTC)          REASON
web-0 and 1 more  INITIAL  3 min ago            2         nothing offers the capability zigbee  2026-11-24 09:59:00  -
web-2             RUNNING  1970-01-01 00:00:07  1         runs on process                       1970-01-01 00:00:07  -
db-0              INITIAL  35 s ago             1         nothing offers the capability zigbee  2026-11-24 10:01:30  -

(7 lines before these: `motey service events`)
WHEN (UTC)           SLOT              WHAT HAPPENED                         UNTIL                EVENT
2026-11-24 09:59:00  web-0 and 2 more  assigned to process on line-7         2026-11-24 09:59:00  assigned
2026-11-24 10:00:00  db-0              exited with code 3, 7 times in 2 min  2026-11-24 10:02:00  exited

What would mend it:
  waiting.capability: a node has to offer it");
    }
}
