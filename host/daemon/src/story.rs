//! The journal of one service as a story: what happened again and again, and what happened to many slots at once, is
//! one line. Pure; who tells it, and how times are written, is not known here.

use std::collections::HashMap;

use motey_core::record::SlotId;
use motey_core::step::EventKind;

use crate::store::Entry;

/// Something that happened, once or over and over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The wall clock at the first time, in milliseconds since 1970.
    pub from: i64,
    /// And at the last.
    pub to: i64,
    /// How often.
    pub times: u32,
    /// To which slots; none: to the service as a whole.
    pub slots: Vec<SlotId>,
    pub kind: EventKind,
    pub text: String,
}

/// Tells `entries`, which come in their order.
pub(crate) fn tell(entries: impl IntoIterator<Item = Entry>) -> Vec<Line> {
    let mut story = Story::default();
    entries.into_iter().for_each(|entry| story.hear(entry));
    story.lines
}

#[derive(Default)]
struct Story {
    lines: Vec<Line>,
    /// The line of the trouble that a slot is in: the same again belongs to it, and so does each new start.
    trouble: HashMap<SlotId, usize>,
}

impl Story {
    fn hear(&mut self, entry: Entry) {
        match &entry.slot {
            None => self.trouble.clear(),
            Some(slot) => match entry.kind {
                EventKind::Started | EventKind::Healthy if self.trouble.contains_key(slot) => return,
                EventKind::Exited | EventKind::Unhealthy | EventKind::CallFailed => {
                    return self.suffer(slot.clone(), entry);
                }
                _ => drop(self.trouble.remove(slot)),
            },
        }
        self.say(entry);
    }

    fn suffer(&mut self, slot: SlotId, entry: Entry) {
        let same = self.trouble.get(&slot).and_then(|at| self.lines.get_mut(*at));
        if let Some(line) = same.filter(|line| line.text == entry.text) {
            line.times += 1;
            line.to = entry.wall_ms;
            return;
        }
        self.trouble.insert(slot, self.lines.len());
        self.lines.push(Line::of(entry));
    }

    /// The same of another slot, told right after, is told with it.
    fn say(&mut self, entry: Entry) {
        let same = |line: &&mut Line| {
            let alike = (line.kind, &line.text, line.times) == (entry.kind, &entry.text, 1);
            alike
                && !line.slots.is_empty()
                && entry.slot.as_ref().is_some_and(|slot| !line.slots.contains(slot))
        };
        match self.lines.last_mut().filter(same) {
            Some(line) => {
                line.to = entry.wall_ms;
                line.slots.extend(entry.slot);
            }
            None => self.lines.push(Line::of(entry)),
        }
    }
}

impl Line {
    fn of(entry: Entry) -> Self {
        let Entry { wall_ms, slot, kind, text, .. } = entry;
        Self { from: wall_ms, to: wall_ms, times: 1, slots: slot.into_iter().collect(), kind, text }
    }

    /// With how often, and in which time: `exited with code 3, 7 times in 2 min`.
    pub fn told(&self) -> String {
        let Self { text, times, .. } = self;
        match (times, span(self.to - self.from)) {
            (1, _) => text.clone(),
            (_, Some(span)) => format!("{text}, {times} times in {span}"),
            (_, None) => format!("{text}, {times} times"),
        }
    }
}

/// When it was last told of a service's slots, by the wall clock.
#[derive(Default)]
pub(crate) struct Moments {
    started: HashMap<SlotId, Moment>,
    /// Anything that is told of one slot alone.
    told: HashMap<SlotId, Moment>,
    /// By the image.
    scaled: HashMap<String, Moment>,
    /// Anything else that is told of the service as a whole.
    asked: Option<Moment>,
}

/// Ordered by the journal's numbers, not by the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Moment {
    seq: u64,
    wall_ms: i64,
}

impl Moments {
    /// Of `entries` in their order.
    pub fn of(entries: &[Entry]) -> Self {
        let mut moments = Self::default();
        for entry in entries {
            let moment = Moment { seq: entry.seq, wall_ms: entry.wall_ms };
            match &entry.slot {
                Some(slot) => {
                    moments.told.insert(slot.clone(), moment);
                    if entry.kind == EventKind::Started {
                        moments.started.insert(slot.clone(), moment);
                    }
                }
                None if entry.kind == EventKind::Scaled => {
                    // its text begins with the image's key; the other images go on as they were
                    let image = entry.text.split(' ').next().unwrap_or_default();
                    moments.scaled.insert(image.to_owned(), moment);
                }
                None => moments.asked = Some(moment),
            }
        }
        moments
    }

    /// Since when a slot is as it is. One that `runs` has been since its last start; nothing else changes that.
    pub fn since(&self, slot: &SlotId, runs: bool) -> Option<i64> {
        let moment = if runs {
            self.started.get(slot).copied()
        } else {
            let own = self.told.get(slot).copied();
            own.max(self.scaled.get(slot.image.as_str()).copied()).max(self.asked)
        };
        moment.map(|moment| moment.wall_ms)
    }
}

/// A span of milliseconds for people; `None` when the clock went back meanwhile.
pub(crate) fn span(milliseconds: i64) -> Option<String> {
    let seconds = u64::try_from(milliseconds).ok()? / 1000;
    Some(match seconds {
        0..=1 => "a second".to_owned(),
        2..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use EventKind as Kind;
    use motey_core::id::ServiceId;
    use uuid::Uuid;

    /// Each a second after the other.
    fn entries(told: &[(&str, EventKind, &str)]) -> Vec<Entry> {
        let entry = |(n, (slot, kind, text)): (u64, &(&str, EventKind, &str))| Entry {
            seq: n,
            wall_ms: i64::try_from(n).expect("few") * 1000,
            service: ServiceId(Uuid::nil()),
            slot: slot.parse().ok(),
            kind: *kind,
            text: (*text).to_owned(),
        };
        (0..).zip(told).map(entry).collect()
    }

    fn told(told: &[(&str, EventKind, &str)]) -> Vec<String> {
        let line = |line: Line| {
            let slots: Vec<String> = line.slots.iter().map(ToString::to_string).collect();
            format!("{}-{} [{}] {}", line.from / 1000, line.to / 1000, slots.join(" "), line.told())
        };
        tell(entries(told)).into_iter().map(line).collect()
    }

    #[test]
    fn one_that_fails_over_and_over_is_one_line() {
        let mut life = vec![("", Kind::Deployed, "deployed as a"), ("web-0", Kind::Started, "runs on x")];
        for _ in 0..70 {
            life.push(("web-0", Kind::Exited, "exited with code 3"));
            life.push(("db-0", Kind::Exited, "exited with code 1"));
            life.push(("web-0", Kind::Started, "runs on x"));
        }
        life.push(("web-0", Kind::Exited, "ended by signal 9"));
        life.push(("web-0", Kind::GaveUp, "ended by signal 9; given up after 71 attempts"));
        assert_eq!(
            told(&life),
            [
                "0-0 [] deployed as a",
                "1-1 [web-0] runs on x",
                "2-209 [web-0] exited with code 3, 70 times in 3 min",
                "3-210 [db-0] exited with code 1, 70 times in 3 min",
                "212-212 [web-0] ended by signal 9",
                "213-213 [web-0] ended by signal 9; given up after 71 attempts",
            ]
        );
    }

    #[test]
    fn what_happens_to_many_slots_at_once_is_one_line() {
        let slots: Vec<String> = (0..4).map(|n| format!("web-{n}")).collect();
        let mut life: Vec<_> =
            slots.iter().map(|slot| (slot.as_str(), Kind::Assigned, "assigned to x")).collect();
        life.push(("web-0", Kind::Started, "runs on x"));
        life.push(("web-0", Kind::Assigned, "assigned to x"));
        assert_eq!(
            told(&life),
            [
                "0-3 [web-0 web-1 web-2 web-3] assigned to x",
                "4-4 [web-0] runs on x",
                "5-5 [web-0] assigned to x",
            ]
        );
    }

    #[test]
    fn what_somebody_asked_for_begins_a_new_chapter() {
        let life = [
            ("web-0", Kind::Exited, "exited with code 3"),
            ("", Kind::RestartAsked, "asked for new instances"),
            ("web-0", Kind::Started, "runs on x"),
            ("web-0", Kind::Exited, "exited with code 3"),
        ];
        assert_eq!(tell(entries(&life)).len(), 4);
    }

    #[test]
    fn a_slot_is_as_it_is_since_it_was_last_told_of() {
        let life = entries(&[
            ("", Kind::Deployed, "deployed as a"),
            ("web-0", Kind::Started, "runs on x"),
            ("", Kind::Scaled, "db scaled from 1 to 2"),
            ("web-1", Kind::Exited, "exited with code 3"),
            ("", Kind::StopAsked, "asked to stop"),
        ]);
        let slot = |text: &str| text.parse::<SlotId>().expect("a slot");
        let moments = Moments::of(&life);
        assert_eq!(moments.since(&slot("web-0"), true), Some(1000));
        assert_eq!(moments.since(&slot("web-0"), false), Some(4000));
        assert_eq!(moments.since(&slot("db-0"), true), None);
        let before_the_stop = Moments::of(&life[..4]);
        let of = |text: &str| before_the_stop.since(&slot(text), false);
        assert_eq!([of("web-0"), of("web-1"), of("db-0"), of("gps-0")], [1000, 3000, 2000, 0].map(Some));
    }

    #[test]
    fn spans_are_for_people_and_clocks_go_back() {
        let spans =
            [999, 60_000, 150_000, 7_200_000, 200_000_000].map(|span_of| span(span_of).expect("a span"));
        assert_eq!(spans, ["a second", "60 s", "2 min", "2 h", "2 days"]);
        assert_eq!(span(-1), None);
    }
}
