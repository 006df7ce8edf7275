//! How far the executor is with one instance: what it asked of the engine, what came of it, and what it waits for.
//!
//! Memory only. Lost with the process; the engine's list brings it back.

use crate::executor::Wish;
use crate::id::{EngineName, Millis};
use crate::instance::{Instance, Observed, Seen};
use crate::mutant::{self, Mutant};
use crate::pulse::Pulse;
use crate::reason::Reason;
use crate::record::Ended;
use crate::step::{CallId, EngineError, EngineErrorKind};

/// How far the executor is with one instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Run {
    /// Where it is, or is to be.
    pub engine: Option<EngineName>,
    /// The call under way.
    pub call: Option<(CallId, Verb)>,
    /// What an event said while that call was under way.
    pub rumour: Option<Seen>,
    /// What the engine shows is doubtful: ask before acting.
    pub look: bool,
    /// What all below is about.
    pub wish: Option<Wish>,
    /// A call failed, and nothing followed from it yet.
    pub failed: Option<(Verb, EngineError)>,
    /// Admission said yes.
    pub admission: Option<Admission>,
    /// Ends and failures since it was last healthy.
    pub attempts: u32,
    /// Nothing is done before.
    pub wait: Option<Wait>,
    /// Its image is where its engine looks for it, as far as this life of the node knows.
    pub fetched: bool,
    /// Fetches that failed since then, or at all.
    pub fetches: u32,
    /// The engine has shown it since it was last made.
    pub shown: bool,
    /// A stop was asked for in this life of the node, and may still take its time.
    pub stop_asked: bool,
    /// An answer showed an end that no event has told of yet: it may be told after the next start.
    pub owed: bool,
    /// Its next end was ordered here, and is not its own: the order may have been taken back since.
    pub ordered: bool,
    /// A start was asked for, and it was not seen running since.
    pub fresh: bool,
    /// What follows from the end that is shown was decided.
    pub exit_noted: bool,
    /// Since when it runs, as far as this life of the node knows.
    pub running_since: Option<Millis>,
    /// What its checks found.
    pub pulse: Pulse,
    /// It is stopped, since it did not pass its check; what follows was not decided yet.
    pub unwell: Option<Reason>,
    /// How often it was started again, in this life of the node.
    pub restarts: u32,
    /// What it needs and its node does not have.
    pub lack: Option<Lack>,
    /// Why it is not as wanted.
    pub reason: Option<Reason>,
    /// Its end, as the owner was told; until the owner's record says so, nothing is done.
    pub ended: Option<Ended>,
    /// What the owner was told last.
    pub told: Option<Observed>,
}

/// What an instance needs and its node does not have, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lack {
    /// Since when, in this life of the node.
    pub since: Millis,
    /// In words.
    pub what: String,
    /// It is so long since that it counts.
    pub counts: bool,
}

/// How an instance was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// With all that it takes.
    Whole,
    /// For it was there already: what it takes, in words, was not to be had.
    Short(String),
}

impl Admission {
    /// What it goes on without.
    pub fn lacks(&self) -> Option<&String> {
        match self {
            Self::Whole => None,
            Self::Short(what) => Some(what),
        }
    }
}

/// A wait, given up early when the engine shows something else than when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    pub until: Millis,
    pub seen: Option<Seen>,
    /// Whether its end is a reason to ask the engine.
    pub look: bool,
}

/// What a call does, without its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Fetch,
    Create,
    Start,
    Stop,
    Destroy,
    Inspect,
}

impl Run {
    /// Whether it goes on without what it takes, and asks for it when something became free.
    pub fn is_short(&self) -> bool {
        self.admission.as_ref().is_some_and(|admission| *admission != Admission::Whole)
    }

    pub fn call_id(&self) -> Option<CallId> {
        self.call.map(|(id, _)| id)
    }

    /// An event says how it is now. Returns whether that may be about an end that was followed by a start since.
    pub fn told_late(&mut self, told: Seen, known: Option<Seen>) -> bool {
        let ended = |seen| matches!(seen, Seen::Exited(_));
        let owed = ended(told) && std::mem::take(&mut self.owed);
        owed && !known.is_some_and(ended)
    }

    /// The call under way has ended with `result`. Returns whether the instance is known to be gone.
    pub fn answered(&mut self, result: &Result<Option<Instance>, EngineError>) -> bool {
        let Some((_, verb)) = self.call.take() else { return false };
        let shown = result.as_ref().ok().and_then(Option::as_ref).map(|instance| instance.seen);
        let shown = shown.filter(|seen| *seen != Seen::Gone);
        let rumour = self.rumour.take();
        self.look |= rumour.is_some_and(|rumour| shown.unwrap_or(Seen::Gone) != rumour);
        let absent = verb == Verb::Inspect
            && result.as_ref().is_err_and(|error| error.kind == EngineErrorKind::NotFound);
        self.failed = match result {
            Ok(_) => verb.missed(shown).map(|error| (verb, error)),
            Err(_) if absent => None,
            Err(error) => Some((verb, error.clone())),
        };
        if verb == Verb::Start && self.failed.is_none() {
            self.exit_noted = false;
        }
        if verb == Verb::Fetch {
            self.fetched = result.is_ok();
            if self.fetched {
                (self.fetches, self.reason) = (0, None);
            }
            return false;
        }
        // what vanished may have ended before
        let ended = matches!(shown, Some(Seen::Exited(_))) || (absent && self.shown);
        self.owed |= ended && rumour != shown.or(Some(Seen::Gone));
        absent || (result.is_ok() && shown.is_none())
    }

    /// How often what a call does was tried in vain.
    pub fn tries(&mut self, verb: Verb) -> &mut u32 {
        if verb == Verb::Fetch { &mut self.fetches } else { &mut self.attempts }
    }

    /// A fetch is about no instance: whoever wants something else does not wait for it, and its answer is not heard.
    pub fn forget_fetch(&mut self) {
        self.call = self.call.filter(|(_, verb)| *verb != Verb::Fetch);
    }

    /// Turns to another wish: what was tried and waited for under the former one counts no more.
    pub fn turn_to(&mut self, wish: Wish) {
        if self.wish != Some(wish) {
            self.wish = Some(wish);
            self.look |= self.failed.take().is_some();
            self.wait = None;
            // an end that was asked for is not one by itself, should it come only now
            self.exit_noted |= std::mem::take(&mut self.stop_asked);
            (self.attempts, self.fetches) = (0, 0);
            self.unwell = None;
            self.reason = None;
        }
    }
}

impl Verb {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Create => "create",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Destroy => "destroy",
            Self::Inspect => "inspect",
        }
    }

    /// A call that succeeded and changed nothing has failed: asking again at once would go on for ever.
    fn missed(self, shown: Option<Seen>) -> Option<EngineError> {
        let missed = match (self, shown) {
            (Self::Create, None) | (Self::Start, Some(Seen::Created)) | (Self::Destroy, Some(_)) => true,
            (Self::Stop, Some(seen)) => seen.is_live(),
            _ => false,
        };
        (missed && !mutant::is(Mutant::BelieveSuccess)).then(|| EngineError {
            kind: EngineErrorKind::Failed,
            message: "the engine says that it is done, and shows no change".into(),
        })
    }
}
