//! The calls of this process that have no answer yet, and the one thread that ends them at their deadline.
//!
//! A call is known by its number. Whatever ends it first takes it out, so that it ends once: the answer, the
//! deadline, or the plugin's close. An answer to a number that is gone is dropped.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

use motey_plugin_abi::Answers;

/// How a call ended.
pub(crate) enum Outcome {
    Answered { code: i32, body: Vec<u8> },
    Missed,
    Abandoned,
}

/// Told once how the call with this number ended; must not block.
pub(crate) type Done = Box<dyn FnOnce(usize, Outcome) + Send>;

pub(crate) static CALLS: Calls = Calls {
    state: Mutex::new(State {
        last: 0,
        open: BTreeMap::new(),
        deadlines: BTreeSet::new(),
        watched: false,
        looks: None,
    }),
    sooner: Condvar::new(),
};

pub(crate) struct Calls {
    state: Mutex<State>,
    /// A deadline has come that is before the watch's next look.
    sooner: Condvar,
}

struct State {
    last: usize,
    open: BTreeMap<usize, Open>,
    deadlines: BTreeSet<(Instant, usize)>,
    watched: bool,
    /// When the watch looks next, told or not. Most calls end long before: that is no reason to wake it.
    looks: Option<Instant>,
}

struct Open {
    owner: usize,
    deadline: Option<Instant>,
    done: Done,
}

impl State {
    /// Numbers come round on a 32-bit machine; one that is in use is passed over. 0 is no call.
    fn next_number(&mut self) -> usize {
        loop {
            self.last = self.last.wrapping_add(1);
            if self.last != 0 && !self.open.contains_key(&self.last) {
                return self.last;
            }
        }
    }

    fn take(&mut self, number: usize) -> Option<Done> {
        let open = self.open.remove(&number)?;
        if let Some(deadline) = open.deadline {
            self.deadlines.remove(&(deadline, number));
        }
        Some(open.done)
    }
}

impl Calls {
    /// Takes up a call. The error, and `done` unused: there is no thread to watch its deadline.
    pub(crate) fn open(
        &'static self,
        owner: usize,
        deadline: Option<Instant>,
        done: Done,
    ) -> Result<usize, (Done, io::Error)> {
        let mut state = self.state();
        if deadline.is_some() && !state.watched {
            let watch = thread::Builder::new().name("plugin-deadline".into()).spawn(|| self.watch());
            match watch {
                Ok(_) => state.watched = true,
                Err(e) => return Err((done, e)),
            }
        }
        let number = state.next_number();
        state.open.insert(number, Open { owner, deadline, done });
        if let Some(deadline) = deadline {
            state.deadlines.insert((deadline, number));
            if state.looks.is_none_or(|looks| deadline < looks) {
                self.sooner.notify_one();
            }
        }
        Ok(number)
    }

    /// Ends the call, unless it has ended.
    pub(crate) fn end(&self, number: usize, outcome: Outcome) {
        let done = self.state().take(number);
        if let Some(done) = done {
            tell(done, number, outcome);
        }
    }

    pub(crate) fn is_open(&self, number: usize) -> bool {
        self.state().open.contains_key(&number)
    }

    /// Ends every call of this owner.
    pub(crate) fn abandon(&self, owner: usize) {
        let mut state = self.state();
        let numbers: Vec<_> =
            state.open.iter().filter(|(_, open)| open.owner == owner).map(|(n, _)| *n).collect();
        let calls: Vec<_> = numbers.into_iter().filter_map(|n| Some((n, state.take(n)?))).collect();
        drop(state);
        for (number, done) in calls {
            tell(done, number, Outcome::Abandoned);
        }
    }

    fn watch(&self) {
        let mut state = self.state();
        loop {
            let now = Instant::now();
            state.looks = state.deadlines.first().map(|(deadline, _)| *deadline);
            state = match state.deadlines.first().copied() {
                None => self.sooner.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some((deadline, _)) if deadline > now => {
                    self.sooner.wait_timeout(state, deadline - now).unwrap_or_else(PoisonError::into_inner).0
                }
                Some((_, number)) => {
                    let done = state.take(number);
                    drop(state);
                    if let Some(done) = done {
                        tell(done, number, Outcome::Missed);
                    }
                    self.state()
                }
            };
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps the panic of whoever waited from the thread that tells it, a plugin's or the one for all deadlines.
fn tell(done: Done, number: usize, outcome: Outcome) {
    if catch_unwind(AssertUnwindSafe(|| done(number, outcome))).is_err() {
        log::error!("what waited for the answer to plugin call {number} panicked");
    }
}

/// Where plugins answer.
pub(crate) struct Arrivals;

impl Answers for Arrivals {
    fn arrived(number: usize, code: i32, body: &[u8]) {
        CALLS.end(number, Outcome::Answered { code, body: body.to_vec() });
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    #[test]
    fn a_deadline_is_kept_whatever_the_watch_waits_for() {
        let (told, hear) = mpsc::sync_channel(4);
        let open = |wait: Duration| {
            let told = told.clone();
            let missed = move |number, outcome| {
                if matches!(outcome, Outcome::Missed) {
                    told.send(number).expect("the test listens");
                }
            };
            let opened = CALLS.open(0, Some(Instant::now() + wait), Box::new(missed));
            opened.map_err(|(_, error)| error).expect("a watch")
        };
        let last = open(2 * SOON);
        let second = open(Duration::from_millis(80));
        let first = open(Duration::from_millis(20));
        assert_eq!(hear.recv_timeout(SOON), Ok(first));
        assert_eq!(hear.recv_timeout(SOON), Ok(second));
        // the watch waits for the last one now
        let later = open(Duration::from_millis(20));
        assert_eq!(hear.recv_timeout(SOON), Ok(later));
        CALLS.end(last, Outcome::Abandoned);
    }
}
