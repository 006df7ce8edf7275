//! The calls that are not answered yet. Each answer is given once, whoever gives it: the method that ran, a
//! cancel before it ran, or the close.

use std::{
    collections::HashMap,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use motey_plugin_abi::ReplyOnce;
use motey_plugin_ops::Error;

use crate::{Cancel, Stream};

pub(crate) type Answer = Result<Vec<u8>, Error>;

/// How long a close waits for answers that are on their way while the host takes them.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(crate) struct Calls {
    state: Mutex<State>,
    settled: Condvar,
}

#[derive(Default)]
struct State {
    closed: bool,
    waiting: HashMap<u64, Waiting>,
    /// Taken out of `waiting`, the host not yet told.
    answering: usize,
}

struct Waiting {
    reply: ReplyOnce,
    progress: Progress,
}

enum Progress {
    Queued,
    Running,
    Open(Wish),
}

/// How an open call is told to end: the wish, and the hang-up that frees a blocked read or write.
pub(crate) struct Wish {
    pub(crate) cancel: Cancel,
    pub(crate) stream: Option<Stream>,
}

impl Wish {
    fn tell(&self) {
        self.cancel.cancel();
        if let Some(stream) = &self.stream {
            stream.hang_up();
        }
    }
}

impl Calls {
    /// Takes up a call for the pool. False when it has been answered already.
    pub(crate) fn queue(&self, id: u64, reply: ReplyOnce) -> bool {
        self.take_up(id, reply, Progress::Queued)
    }

    /// Takes up an open call. False when it has been answered already.
    pub(crate) fn open(&self, id: u64, reply: ReplyOnce, wish: Wish) -> bool {
        self.take_up(id, reply, Progress::Open(wish))
    }

    fn take_up(&self, id: u64, reply: ReplyOnce, progress: Progress) -> bool {
        let mut state = self.state();
        let refused = match () {
            () if state.closed => closed(),
            () if state.waiting.contains_key(&id) => Error::invalid(format!("call {id} is still running")),
            () => {
                state.waiting.insert(id, Waiting { reply, progress });
                return true;
            }
        };
        drop(state);
        give(reply, &Err(refused));
        false
    }

    /// False when the call has been answered while it was queued.
    pub(crate) fn start(&self, id: u64) -> bool {
        let mut state = self.state();
        let waiting = state.waiting.get_mut(&id);
        waiting.map(|call| call.progress = Progress::Running).is_some()
    }

    /// Answers, unless the call has been answered.
    pub(crate) fn settle(&self, id: u64, answer: &Answer) {
        let mut state = self.state();
        if let Some(call) = state.waiting.remove(&id) {
            self.answer(state, vec![call], answer);
        }
    }

    /// A queued call is answered at once, an open one is told, one that runs in the pool runs on.
    pub(crate) fn cancel(&self, id: u64) {
        let mut state = self.state();
        match state.waiting.get(&id).map(|call| &call.progress) {
            Some(Progress::Open(wish)) => wish.tell(),
            Some(Progress::Queued) => {
                let call = state.waiting.remove(&id).into_iter().collect();
                self.answer(state, call, &Err(Error::cancelled("cancelled before it began")));
            }
            Some(Progress::Running) | None => {}
        }
    }

    /// No more calls. What is queued is answered, what is open is told to end. False when it was closed before.
    pub(crate) fn close(&self) -> bool {
        let mut state = self.state();
        if std::mem::replace(&mut state.closed, true) {
            return false;
        }
        for call in state.waiting.values() {
            if let Progress::Open(wish) = &call.progress {
                wish.tell();
            }
        }
        let queued = state.waiting.extract_if(|_, call| matches!(call.progress, Progress::Queued));
        let queued = queued.map(|(_, call)| call).collect();
        self.answer(state, queued, &Err(closed()));
        true
    }

    /// Waits until every call is answered; at `until` answers what is left itself.
    pub(crate) fn drain(&self, until: Instant) {
        let state =
            self.wait_until(self.state(), until, |state| state.waiting.is_empty() && state.answering == 0);
        let mut state = state;
        let left = state.waiting.drain().map(|(_, call)| call).collect();
        self.answer(state, left, &Err(closed()));
        let last = Instant::now() + LAST_ANSWERS;
        drop(self.wait_until(self.state(), last, |state| state.answering == 0));
    }

    /// The host is told without the lock, since it may call back; `drain` waits for it all the same.
    fn answer(&self, mut state: MutexGuard<'_, State>, calls: Vec<Waiting>, answer: &Answer) {
        let count = calls.len();
        state.answering += count;
        drop(state);
        for call in calls {
            give(call.reply, answer);
        }
        self.state().answering -= count;
        self.settled.notify_all();
    }

    fn wait_until<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        until: Instant,
        done: impl Fn(&State) -> bool,
    ) -> MutexGuard<'a, State> {
        while !done(&state) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.settled.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the host.
pub(crate) fn give(reply: ReplyOnce, answer: &Answer) {
    match answer {
        Ok(body) => reply.answer(0, body),
        Err(error) => {
            let (code, body) = error.to_wire();
            reply.answer(code, &body);
        }
    }
}

fn closed() -> Error {
    Error::closed("the plugin has been closed")
}
