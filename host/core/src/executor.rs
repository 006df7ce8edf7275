//! Runs what is assigned to this node: compares what each instance should be with what its engine shows, and takes
//! the one next step. Never looks at another node, never decides where something runs.
//!
//! Level-triggered: every decision is made from the state, so a lost or repeated event changes nothing. One call
//! at a time is under way for an instance; after a failed or overtaken call it looks before it acts again.

use std::sync::Arc;

use crate::admission::admit;
use crate::draft::Draft;
use crate::id::{EngineName, Millis, NodeId, ServiceId};
use crate::instance::{Exit, Instance, Observed, Report, Seen};
use crate::reason::{Code, Reason};
use crate::record::{Desired, Ended, InstanceKey, ServiceRecord};
use crate::spec::{ImageSpec, Restart, StopRule};
use crate::state::Engine;
use crate::step::{CallId, EngineError, EngineErrorKind, EngineOp, EventKind, PeerMessage, Target};

/// How far the executor is with one instance. Lost with the process: the engine's list brings it back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    /// The call under way.
    pub call: Option<(CallId, Verb)>,
    /// What an event said while that call was under way.
    pub rumour: Option<Seen>,
    /// What the engine shows is doubtful: ask before acting.
    pub look: bool,
    /// A call failed, and nothing followed from it yet.
    failed: Option<(Verb, EngineError)>,
    /// Admission said yes.
    admitted: bool,
    /// Ends and failures since it was last healthy.
    attempts: u32,
    /// Nothing is done before.
    pub next: Option<Millis>,
    /// A start succeeded, and nothing followed from it yet.
    fresh: bool,
    /// What follows from the end that is shown was decided.
    exit_noted: bool,
    /// Since when it runs, as far as this life of the node knows.
    running_since: Option<Millis>,
    /// How often it was started again, in this life of the node.
    restarts: u32,
    /// Why it is not as wanted.
    reason: Option<Reason>,
    /// What the owner was told last.
    told: Option<Observed>,
}

/// What a call does, without its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Create,
    Start,
    Stop,
    Destroy,
    Inspect,
}

impl Run {
    pub fn call_id(&self) -> Option<CallId> {
        self.call.map(|(id, _)| id)
    }

    /// The call under way has ended, showing `shown` or failing with `error`.
    pub fn answered(&mut self, shown: Option<Seen>, error: Option<&EngineError>) {
        let Some((_, verb)) = self.call.take() else { return };
        let rumour = self.rumour.take();
        self.look = rumour.is_some_and(|rumour| shown.unwrap_or(Seen::Gone) != rumour);
        self.failed = error.map(|error| (verb, error.clone()));
        if verb == Verb::Start && error.is_none() {
            self.fresh = true;
            self.exit_noted = false;
        }
    }

    /// Whether it is being inspected.
    pub fn is_looking(&self) -> bool {
        matches!(self.call, Some((_, Verb::Inspect)))
    }
}

/// What should become of an instance, as its record says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// It runs.
    Run,
    /// It does not run, but stays for people to look at.
    Halt,
    /// It is no more.
    End,
    /// The record does not judge it; absence is no evidence.
    Leave,
}

fn wish(record: &ServiceRecord, me: NodeId, key: &InstanceKey) -> Wish {
    let dismissed = |d: &crate::record::Dismissed| d.slot == key.slot && d.fence == key.fence && d.node == me;
    if record.desired != Desired::Running || record.dismissed.iter().any(dismissed) {
        return Wish::End;
    }
    match record.slots.get(&key.slot) {
        Some(assigned) if assigned.node == me && assigned.fence == key.fence => {
            let over = record.ended.contains_key(&key.slot) || record.has_failed();
            if over { Wish::Halt } else { Wish::Run }
        }
        _ => Wish::Leave,
    }
}

/// Brings everything this node has of a service one step nearer to its record, and reports what changed.
pub(crate) fn reconcile(draft: &mut Draft<'_>, service: ServiceId) {
    let Some(record) = draft.record(service) else { return };
    let me = draft.me();
    let mut keys = draft.known(service);
    let here = record.slots.iter().filter(|(_, assigned)| assigned.node == me);
    keys.extend(here.map(|(slot, assigned)| record.key(slot, assigned.fence)));
    let leaving = record.dismissed.iter().filter(|dismissed| dismissed.node == me);
    keys.extend(leaving.map(|dismissed| record.key(&dismissed.slot, dismissed.fence)));

    let mut report = Report::default();
    for key in &keys {
        let wish = wish(&record, me, key);
        let Some(engine) = engine_of(draft, &record, key) else { continue };
        Attempt { draft, record: &record, key, engine, report: &mut report }.advance(wish);
    }
    if !report.is_empty() {
        draft.send(record.stamp.owner, PeerMessage::Report(report));
    }
}

fn engine_of(draft: &Draft<'_>, record: &ServiceRecord, key: &InstanceKey) -> Option<EngineName> {
    let seen = draft.seen(key).map(|instance| instance.engine.clone());
    let assigned = || record.slots.get(&key.slot).filter(|assigned| assigned.fence == key.fence);
    let dismissed = || record.dismissed.iter().find(|d| d.slot == key.slot && d.fence == key.fence);
    seen.or_else(|| assigned().map(|assigned| assigned.engine.clone()))
        .or_else(|| dismissed().map(|dismissed| dismissed.engine.clone()))
}

/// One instance under the executor's eyes.
struct Attempt<'s, 'a> {
    draft: &'s mut Draft<'a>,
    record: &'s Arc<ServiceRecord>,
    key: &'s InstanceKey,
    engine: EngineName,
    report: &'s mut Report,
}

impl<'a> Attempt<'_, 'a> {
    fn advance(mut self, wish: Wish) {
        let run = self.draft.run(self.key);
        let run = match wish {
            Wish::Leave => return,
            _ if run.call.is_some() => Some(run),
            Wish::Run => self.run(run),
            Wish::Halt => self.halt(run),
            Wish::End => self.end(run),
        };
        match run {
            Some(mut run) => {
                self.observe(&mut run);
                self.draft.set_run(self.key, Some(run));
            }
            None => self.draft.set_run(self.key, None),
        }
    }

    // Wish::Run

    fn run(&mut self, mut run: Run) -> Option<Run> {
        if let Some((verb, error)) = run.failed.take() {
            self.after_failure(&mut run, verb, &error);
        }
        if run.is_over(self.report, self.key) || !self.may_act(&mut run) {
            return Some(run);
        }
        if self.predecessor_remains() {
            run.reason = None;
            return Some(run);
        }
        if !self.is_admitted(&run) {
            match self.image().map(|image| admit(self.draft, self.key, &image)) {
                Some(Ok(leases)) => self.draft.take(leases),
                Some(Err(reasons)) => {
                    self.report.refused.push((self.key.clone(), reasons));
                    return None;
                }
                None => return None,
            }
        }
        run.admitted = true;
        self.towards_running(&mut run);
        Some(run)
    }

    fn towards_running(&mut self, run: &mut Run) {
        match self.seen() {
            None => {
                if let Some(image) = self.image() {
                    let op = EngineOp::Create { image, revision: self.record.revision.order.number };
                    self.call(run, Verb::Create, op);
                }
            }
            Some(Seen::Created) => self.start(run),
            Some(Seen::Exited(exit)) => self.after_exit(run, exit),
            Some(Seen::Running | Seen::Paused) => self.runs(run),
            Some(Seen::Starting | Seen::Stopping | Seen::Gone) => {}
        }
    }

    fn start(&mut self, run: &mut Run) {
        run.running_since = None;
        self.call(run, Verb::Start, EngineOp::Start);
    }

    fn runs(&mut self, run: &mut Run) {
        run.reason = None;
        run.running_since.get_or_insert(self.draft.now);
        if std::mem::take(&mut run.fresh) {
            self.tell(EventKind::Started, format!("runs on {}", self.engine));
        }
    }

    /// It ended by itself: start it again after a while, or call it the end.
    fn after_exit(&mut self, run: &mut Run, exit: Exit) {
        if run.exit_noted {
            run.restarts += 1;
            return self.start(run);
        }
        run.exit_noted = true;
        let reason = exit_reason(exit);
        self.tell(EventKind::Exited, reason.text.clone());
        if self.draft.core.tuning.was_stable(run.running_since.take(), self.draft.now) {
            run.attempts = 0;
        }
        let rule = self.image().map_or(Restart::Never, |image| image.restart);
        match (rule, exit.success()) {
            (Restart::Never | Restart::OnFailure, true) => self.over(Ended::Succeeded),
            (Restart::Never, false) => self.over(Ended::GaveUp(reason)),
            (Restart::Always, _) | (Restart::OnFailure, false) => {
                self.again(run, reason.code, &reason.text);
            }
        }
    }

    fn after_failure(&mut self, run: &mut Run, verb: Verb, error: &EngineError) {
        use EngineErrorKind as Kind;
        run.look = true;
        match (verb, error.kind) {
            (Verb::Create, Kind::Conflict) => {}
            (_, Kind::Unavailable) => self.later(run, Code::EngineDown, &error.message),
            (_, Kind::Busy) => self.later(run, Code::EngineFailed, &error.message),
            (Verb::Inspect, _) => self.later(run, Code::EngineFailed, &error.message),
            (_, Kind::Invalid) => self.give_up(Code::EngineInvalid, verb, error),
            (_, Kind::Unsupported) => self.give_up(Code::EngineUnsupported, verb, error),
            (Verb::Create, Kind::NotFound) => self.failed(run, Code::ImageNotFound, verb, error),
            (_, Kind::NotFound | Kind::Conflict | Kind::Failed | Kind::TimedOut) => {
                self.failed(run, Code::EngineFailed, verb, error);
            }
        }
    }

    fn failed(&mut self, run: &mut Run, code: Code, verb: Verb, error: &EngineError) {
        let text = format!("{} failed: {}", verb.as_str(), error.message);
        self.tell(EventKind::CallFailed, text.clone());
        self.again(run, code, &text);
    }

    fn give_up(&mut self, code: Code, verb: Verb, error: &EngineError) {
        self.over(Ended::GaveUp(Reason::new(code, format!("{} failed: {}", verb.as_str(), error.message))));
    }

    /// One more attempt after a wait, or the end of them.
    fn again(&mut self, run: &mut Run, code: Code, text: &str) {
        let tuning = self.draft.core.tuning;
        if run.attempts >= tuning.restart_attempts {
            let text = format!("{text}; given up after {} attempts", run.attempts);
            return self.over(Ended::GaveUp(Reason::new(code, text)));
        }
        run.attempts += 1;
        let delay = tuning.delay(run.attempts);
        let text = format!("{text}; attempt {} of {} follows", run.attempts, tuning.restart_attempts);
        run.reason =
            Some(Reason::new(if code == Code::ImageNotFound { code } else { Code::RestartBackoff }, text));
        run.next = Some(self.draft.now.after(delay));
    }

    /// Nothing was tried; look again after a while.
    fn later(&mut self, run: &mut Run, code: Code, text: &str) {
        run.reason = Some(Reason::new(code, text));
        run.next = Some(self.draft.now.after(self.draft.core.tuning.delay(1)));
    }

    fn over(&mut self, ended: Ended) {
        self.report.ended.push((self.key.clone(), ended));
    }

    /// Whether an older attempt of the same slot is still on its way out: it goes first.
    fn predecessor_remains(&self) -> bool {
        let me = self.draft.me();
        let of_slot = |d: &&crate::record::Dismissed| d.slot == self.key.slot && d.node == me;
        self.record.dismissed.iter().any(|d| of_slot(&d))
    }

    fn is_admitted(&self, run: &Run) -> bool {
        run.admitted || self.draft.seen(self.key).is_some() || self.draft.has_leases(self.key)
    }

    // Wish::Halt

    fn halt(&mut self, mut run: Run) -> Option<Run> {
        self.note_failed_stop(&mut run);
        if !self.may_act(&mut run) {
            return Some(run);
        }
        match self.seen() {
            Some(Seen::Starting | Seen::Running | Seen::Paused) => self.stop(&mut run),
            Some(Seen::Created | Seen::Exited(_) | Seen::Gone) | None => self.draft.free(self.key),
            Some(Seen::Stopping) => {}
        }
        Some(run)
    }

    // Wish::End

    fn end(&mut self, mut run: Run) -> Option<Run> {
        self.note_failed_stop(&mut run);
        if !self.may_act(&mut run) {
            return Some(run);
        }
        match self.seen() {
            None | Some(Seen::Gone) => {
                self.draft.free(self.key);
                self.report.gone.push(self.key.clone());
                return None;
            }
            Some(Seen::Created | Seen::Exited(_)) => self.call(&mut run, Verb::Destroy, EngineOp::Destroy),
            Some(Seen::Starting | Seen::Running | Seen::Paused) => self.stop(&mut run),
            Some(Seen::Stopping) => {}
        }
        Some(run)
    }

    fn stop(&mut self, run: &mut Run) {
        let StopRule { signal, grace } =
            self.image().map(|image| image.params.stop.clone()).unwrap_or_default();
        self.call(run, Verb::Stop, EngineOp::Stop { signal, grace });
    }

    /// What has to stop is tried for ever: there is nothing else to be done about it.
    fn note_failed_stop(&mut self, run: &mut Run) {
        let Some((verb, error)) = run.failed.take() else { return };
        run.look = true;
        if error.kind == EngineErrorKind::NotFound {
            return;
        }
        run.attempts = run.attempts.saturating_add(1);
        let text = format!("{} failed: {}", verb.as_str(), error.message);
        if matches!(verb, Verb::Stop | Verb::Destroy) {
            self.tell(EventKind::CallFailed, text.clone());
        }
        run.reason = Some(Reason::new(Code::EngineFailed, text));
        run.next = Some(self.draft.now.after(self.draft.core.tuning.delay(run.attempts)));
    }

    // for every wish

    /// Whether the engine may be called now. Looks first where what is known is doubtful.
    fn may_act(&mut self, run: &mut Run) -> bool {
        if let Err(reason) = self.engine_answers() {
            run.reason = Some(reason);
            return false;
        }
        if run.reason.as_ref().is_some_and(|reason| reason.code == Code::EngineDown) {
            run.reason = None;
        }
        if run.next.is_some_and(|next| next > self.draft.now) {
            return false;
        }
        run.next = None;
        if run.look {
            run.look = false;
            self.call(run, Verb::Inspect, EngineOp::Inspect);
            return false;
        }
        true
    }

    fn engine_answers(&self) -> Result<(), Reason> {
        let text = match self.draft.engine(&self.engine) {
            Some(Engine::Up { .. }) => return Ok(()),
            Some(Engine::Down { message }) => {
                format!("the engine {} does not answer: {message}", self.engine)
            }
            None => format!("the engine {} is not here yet", self.engine),
        };
        Err(Reason::new(Code::EngineDown, text))
    }

    fn call(&mut self, run: &mut Run, verb: Verb, op: EngineOp) {
        let handle = self.instance().map(|instance| instance.handle.clone());
        let target = Target { key: self.key.clone(), service_name: self.record.name.clone(), handle };
        run.call = Some((self.draft.call(&self.engine, target, op), verb));
    }

    fn observe(&mut self, run: &mut Run) {
        let now = Observed {
            key: self.key.clone(),
            node: self.draft.me(),
            engine: self.engine.clone(),
            handle: self.instance().map(|instance| instance.handle.clone()).unwrap_or_default(),
            seen: self.seen(),
            reason: run.reason.clone(),
            restarts: run.restarts,
            at: run.told.as_ref().map_or(self.draft.now, |told| told.at),
        };
        if run.told.as_ref() != Some(&now) {
            let now = Observed { at: self.draft.now, ..now };
            run.told = Some(now.clone());
            self.report.instances.push(now);
        }
    }

    fn instance(&self) -> Option<&'a Instance> {
        self.draft.seen(self.key)
    }

    fn seen(&self) -> Option<Seen> {
        self.instance().map(|instance| instance.seen)
    }

    fn image(&self) -> Option<Arc<ImageSpec>> {
        self.record.revision.spec.image(&self.key.slot.image).map(Arc::clone)
    }

    fn tell(&mut self, kind: EventKind, text: String) {
        self.draft.tell(self.key.service, Some(&self.key.slot), kind, text);
    }
}

impl Run {
    fn is_over(&self, report: &Report, key: &InstanceKey) -> bool {
        report.ended.iter().any(|(ended, _)| ended == key)
    }
}

impl Verb {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Destroy => "destroy",
            Self::Inspect => "inspect",
        }
    }
}

/// What an end means, in words.
pub(crate) fn exit_reason(exit: Exit) -> Reason {
    match exit {
        Exit { oom: true, .. } => Reason::new(Code::ExitOom, "killed: it used more memory than it may"),
        Exit { signal: Some(signal), .. } => {
            Reason::new(Code::ExitSignal, format!("ended by signal {signal}"))
        }
        Exit { code: Some(code), .. } => Reason::new(Code::ExitCode, format!("exited with code {code}")),
        Exit { .. } => Reason::new(Code::ExitCode, "ended while nobody watched; its exit code is not known"),
    }
}
