//! What waits for the loop: a bounded queue with one reader.
//!
//! Clients are told `busy` when it is full, and so are plugins that report events. Answers of calls, what checks found and
//! news of engines always get in: there is at most one of each for each instance, and one at a time for each engine.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use motey_core::id::EngineName;
use motey_core::step::{Answer, Input, Request};
use tokio::sync::oneshot;

/// How many requests of clients may wait.
const MOST_ASKS: usize = 1_024;

/// How many events of plugins may wait.
const MOST_EVENTS: usize = 4_096;

/// Where the answer to a request goes.
pub(crate) type AnswerTo = oneshot::Sender<Result<Answer, Unwritten>>;

/// Why a request was not decided on, although it was read.
#[derive(Debug, Clone)]
pub(crate) enum Unwritten {
    Full,
    Store(String),
}

/// One thing for the loop to do.
#[derive(Debug)]
pub(crate) enum Message {
    /// Somebody asks and waits.
    Ask(Request, AnswerTo),
    /// Something happened.
    Input(Box<Input>),
    /// Somebody asks whether the loop still works.
    Ping(oneshot::Sender<()>),
    /// Events of this engine were lost: ask it for everything it has.
    Relist(EngineName),
    /// No more.
    Stop,
}

/// The queue is full; what was to be put in is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Busy;

/// Why somebody who wanted an answer is not in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turned {
    /// Too many wait already.
    Busy,
    /// The node stops.
    Closed,
}

#[derive(Debug, Default)]
pub(crate) struct Inbox {
    queue: Mutex<Queue>,
    filled: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    messages: VecDeque<Message>,
    asks: usize,
    events: usize,
    relist: BTreeSet<EngineName>,
    stopped: bool,
}

impl Inbox {
    pub fn ask(&self, request: Request, to: AnswerTo) -> Result<(), Turned> {
        self.wait_in_line(Message::Ask(request, to))
    }

    pub fn ping(&self, to: oneshot::Sender<()>) -> Result<(), Turned> {
        self.wait_in_line(Message::Ping(to))
    }

    /// For whoever waits for an answer.
    fn wait_in_line(&self, message: Message) -> Result<(), Turned> {
        let mut queue = self.lock();
        if queue.stopped {
            return Err(Turned::Closed);
        }
        if queue.asks >= MOST_ASKS {
            return Err(Turned::Busy);
        }
        queue.asks += 1;
        self.put(queue, message);
        Ok(())
    }

    /// An event that may be lost: `engine` is asked for everything it has when that happens.
    pub fn event(&self, engine: Option<&EngineName>, input: Input) -> Result<(), Busy> {
        let mut queue = self.lock();
        if queue.events >= MOST_EVENTS {
            queue.relist.extend(engine.cloned());
            return Err(Busy);
        }
        queue.events += 1;
        self.put(queue, Message::Input(Box::new(input)));
        Ok(())
    }

    /// The answer of a call or a check, which must not be lost.
    pub fn answer(&self, input: Input) {
        let mut queue = self.lock();
        queue.events += 1;
        self.put(queue, Message::Input(Box::new(input)));
    }

    pub fn stop(&self) {
        let mut queue = self.lock();
        queue.stopped = true;
        self.put(queue, Message::Stop);
    }

    fn put(&self, mut queue: MutexGuard<'_, Queue>, message: Message) {
        queue.messages.push_back(message);
        drop(queue);
        self.filled.notify_one();
    }

    /// The next message; `None` when `wait` has passed without one. Without a `wait` it waits for ever.
    pub fn next(&self, wait: Option<Duration>) -> Option<Message> {
        let mut queue = self.lock();
        if queue.is_empty() {
            queue = match wait {
                None => self
                    .filled
                    .wait_while(queue, |queue| queue.is_empty())
                    .unwrap_or_else(PoisonError::into_inner),
                Some(wait) => {
                    self.filled
                        .wait_timeout_while(queue, wait, |queue| queue.is_empty())
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
        queue.take()
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.relist.is_empty()
    }

    fn take(&mut self) -> Option<Message> {
        if let Some(engine) = self.relist.pop_first() {
            return Some(Message::Relist(engine));
        }
        let message = self.messages.pop_front();
        match &message {
            Some(Message::Ask(..) | Message::Ping(_)) => self.asks -= 1,
            Some(Message::Input(_)) => self.events -= 1,
            Some(Message::Relist(_) | Message::Stop) | None => {}
        }
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_says_busy_and_remembers_which_engine_to_ask() {
        let inbox = Inbox::default();
        let engine = EngineName::new("mock").expect("a name");
        for _ in 0..MOST_EVENTS {
            inbox.event(Some(&engine), Input::Tick).expect("there is room");
        }
        assert_eq!(inbox.event(Some(&engine), Input::Tick), Err(Busy));
        inbox.answer(Input::Tick);
        assert!(matches!(inbox.next(None), Some(Message::Relist(name)) if name == engine));
        for _ in 0..=MOST_EVENTS {
            assert!(matches!(inbox.next(None), Some(Message::Input(input)) if matches!(*input, Input::Tick)));
        }
        assert!(inbox.next(Some(Duration::ZERO)).is_none());
    }
}
