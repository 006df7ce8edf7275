//! Keeps an engine from being flooded: so many calls at once, the others wait here, where no deadline runs.
//!
//! What waits is bounded by what the node runs: the core has one call under way for an instance.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Makes one call. It is given the place it occupies and lets go of it when the call has ended.
pub(super) type Job = Box<dyn FnOnce(Place) + Send>;

/// The calls of one kind on one engine.
pub(super) struct Line {
    most: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    under_way: usize,
    waiting: VecDeque<Job>,
    /// Somebody lets calls go at this moment; calls that end at once do not let go of others in turn.
    advancing: bool,
}

/// One of the calls that may be under way. Dropped, it lets the next one go.
pub(super) struct Place(Arc<Line>);

impl Line {
    /// A line that lets `most` calls go at once.
    pub fn of(most: usize) -> Arc<Self> {
        Arc::new(Self { most, state: Mutex::default() })
    }

    /// Makes the call now, or when it is its turn.
    pub fn enter(self: &Arc<Self>, job: Job) {
        let mut state = self.state();
        state.waiting.push_back(job);
        self.advance(state);
    }

    fn advance<'a>(self: &'a Arc<Self>, mut state: MutexGuard<'a, State>) {
        if std::mem::replace(&mut state.advancing, true) {
            return;
        }
        while state.under_way < self.most
            && let Some(next) = state.waiting.pop_front()
        {
            state.under_way += 1;
            drop(state);
            next(Place(Arc::clone(self)));
            state = self.state();
        }
        state.advancing = false;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.under_way -= 1;
        self.0.advance(state);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    #[test]
    fn the_next_goes_when_one_has_ended() {
        let line = Line::of(2);
        let (gone, order) = sync_channel(4);
        for n in 0..4 {
            let gone = gone.clone();
            line.enter(Box::new(move |place| gone.send((n, place)).expect("the test listens")));
        }
        let (first, place) = order.try_recv().expect("the first goes");
        let (second, _kept) = order.try_recv().expect("the second goes");
        assert_eq!((first, second), (0, 1));
        assert!(order.try_recv().is_err(), "the others wait");
        drop(place);
        let (third, _kept) = order.try_recv().expect("the third goes");
        assert_eq!(third, 2);
        assert!(order.try_recv().is_err());
    }

    #[test]
    fn calls_that_end_at_once_do_not_pile_up() {
        let line = Line::of(1);
        let (gone, order) = sync_channel(1);
        line.enter(Box::new(move |place| gone.send(place).expect("the test listens")));
        let ended = Arc::new(Mutex::new(0));
        for _ in 0..200_000 {
            let ended = Arc::clone(&ended);
            line.enter(Box::new(move |_place| *ended.lock().expect("no panic") += 1));
        }
        drop(order.try_recv());
        assert_eq!(*ended.lock().expect("no panic"), 200_000);
    }
}
