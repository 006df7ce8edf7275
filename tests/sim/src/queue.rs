//! What is going to happen, in the order of time; what happens at the same time, in the order in which it was put in.

use std::collections::BTreeMap;

/// True milliseconds since the world began. No node knows them.
pub type Time = u64;

/// Events to come.
#[derive(Debug)]
pub struct Queue<E> {
    events: BTreeMap<(Time, u64), E>,
    number: u64,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self { events: BTreeMap::new(), number: 0 }
    }
}

impl<E> Queue<E> {
    /// `event` happens at `at`.
    pub fn push(&mut self, at: Time, event: E) {
        self.number += 1;
        self.events.insert((at, self.number), event);
    }

    /// The next one, when it happens until `end`.
    pub fn pop(&mut self, end: Time) -> Option<(Time, E)> {
        let due = self.events.first_key_value().is_some_and(|((at, _), _)| *at <= end);
        due.then(|| self.events.pop_first()).flatten().map(|((at, _), event)| (at, event))
    }

    /// Takes back what does not pass.
    pub fn retain(&mut self, mut pass: impl FnMut(Time, &E) -> bool) {
        self.events.retain(|(at, _), event| pass(*at, event));
    }

    /// Everything that is still to come.
    pub fn iter(&self) -> impl Iterator<Item = &E> {
        self.events.values()
    }
}
