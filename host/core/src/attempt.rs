//! One instance under the executor's eyes: compares what it should be with what its engine shows, and takes the one
//! next step. Does not judge what it should be; that is the record's.
//!
//! One call at a time is under way for an instance; after a failed or overtaken call it looks before it acts again.

mod health;
mod image;

use std::sync::Arc;

use crate::admission::{Bound, admit, lacks};
use crate::draft::Draft;
use crate::executor::Wish;
use crate::id::EngineName;
use crate::instance::{Exit, Instance, Observed, Report, Seen};
use crate::mutant::{self, Mutant};
use crate::reason::{Code, Reason};
use crate::record::{Ended, InstanceKey, ServiceRecord};
use crate::run::{Admission, Lack, Run, Verb, Wait};
use crate::spec::{self, ImageSpec, OnLoss, Restart, StopRule};
use crate::state::Engine;
use crate::step::{EngineError, EngineErrorKind, EngineOp, EventKind, Target};

pub(crate) struct Attempt<'s, 'a> {
    pub draft: &'s mut Draft<'a>,
    pub record: &'s Arc<ServiceRecord>,
    pub key: &'s InstanceKey,
    pub engine: EngineName,
    /// An older attempt of the same slot is still on its way out, and goes first.
    pub is_behind: bool,
    pub report: &'s mut Report,
}

impl<'a> Attempt<'_, 'a> {
    pub fn advance(mut self, wish: Wish, before: Option<Run>) {
        let mut run = before.clone().unwrap_or_default();
        let wish = self.temper(wish, &mut run);
        run.engine = Some(self.engine.clone());
        if run.wish != Some(wish) {
            // what this very step began on another wish was never begun
            run.call = run.call.filter(|(call, _)| !self.draft.take_back(*call));
            run.forget_fetch();
        }
        let stays = run.call.is_some() || self.act(wish, &mut run);
        // whether there is such an instance at all is being asked
        let is_rumour = wish == Wish::Leave && run.call.is_some();
        if stays && !is_rumour {
            self.tell_end(wish, &run, before.as_ref());
            self.observe(&mut run);
        }
        let after = stays.then_some(run);
        if after != before {
            self.draft.set_run(self.key, after);
        }
    }

    /// Returns whether there is still something to remember of it.
    fn act(&mut self, wish: Wish, run: &mut Run) -> bool {
        run.turn_to(wish);
        match wish {
            Wish::Run => self.run(run),
            Wish::Halt => {
                self.halt(run);
                true
            }
            Wish::End => self.end(run),
            Wish::Leave => self.leave(run),
        }
    }

    /// What lacks something for long enough is stopped, where its image wants that.
    fn temper(&mut self, wish: Wish, run: &mut Run) -> Wish {
        let image = self.image().filter(|_| wish == Wish::Run);
        let short = || run.admission.as_ref().and_then(Admission::lacks).cloned();
        let what = image.as_ref().and_then(|image| lacks(self.draft, self.key, image).or_else(short));
        let (Some(image), Some(what)) = (image, what) else {
            run.lack = None;
            return wish;
        };
        let before = run.lack.take();
        let since = before.as_ref().map_or(self.draft.now, |lack| lack.since);
        let until = since.after(self.draft.core.tuning.lost_after);
        let counts = self.draft.now >= until;
        if !counts {
            self.draft.wake(self.key.service, until);
        } else if before.is_none_or(|lack| !lack.counts) {
            self.tell(EventKind::CapabilityLost, what.clone());
        }
        run.lack = Some(Lack { since, what, counts });
        if counts && image.on_loss == OnLoss::Stop { Wish::Halt } else { wish }
    }

    // Wish::Run

    fn run(&mut self, run: &mut Run) -> bool {
        if let Some((verb, error)) = run.failed.take() {
            self.after_failure(run, verb, &error);
        }
        if run.ended.is_some() || !self.may_act(run) {
            return true;
        }
        if self.is_behind {
            // what is to follow is got ready
            let _there = self.has_image(run);
            return true;
        }
        if run.admission != Some(Admission::Whole) {
            match self.admit(run) {
                Ok(admission) => run.admission = Some(admission),
                Err(reasons) => {
                    self.draft.bury(self.key);
                    self.report.refused.push((self.key.clone(), reasons));
                    return false;
                }
            }
        }
        let live = self.seen().is_some_and(Seen::is_live);
        match self.forbidden().filter(|_| !live) {
            Some(reason) => run.reason = Some(reason),
            None => self.towards_running(run),
        }
        true
    }

    /// Why nothing is started here, although it may stay.
    fn forbidden(&self) -> Option<Reason> {
        let outlook = self.draft.outlook();
        let pinned = || self.record.slots.get(&self.key.slot).is_some_and(|assigned| assigned.pinned);
        let why = if outlook.disputed {
            "has a twin with the same id; nothing is started until `motey node reset-id` on one of them"
        } else if outlook.leaving && pinned() {
            "was forgotten; what must not run twice is not started there"
        } else {
            return None;
        };
        let text = format!("{} {why}", self.draft.called(self.draft.me()));
        Some(Reason::new(Code::WaitingAdmission, text))
    }

    /// What runs here already, or holds its leases, is never refused, unless it was ended here; nor, for what is lost, what
    /// is to be kept then.
    fn admit(&mut self, run: &mut Run) -> Result<Admission, Vec<Reason>> {
        if self.draft.is_dead(self.key) {
            let text = "this attempt was refused or ended here before; it needs a new one";
            return Err(vec![Reason::new(Code::WaitingAdmission, text)]);
        }
        if self.draft.has_leases(self.key) {
            return Ok(Admission::Whole);
        }
        let Some(image) = self.image() else { return Ok(Admission::Whole) };
        match admit(self.draft, self.key, &image) {
            Ok(leases) => {
                self.draft.take(self.key, leases);
                run.lack = None;
                Ok(Admission::Whole)
            }
            Err(reasons) if self.seen().is_some_and(Seen::has_process) || self.is_kept(&image) => {
                Ok(Admission::Short(Reason::together(reasons).text))
            }
            Err(reasons) => Err(reasons),
        }
    }

    /// Whether it was made here, and is to stay although what it needs is gone; what another one holds is not gone.
    fn is_kept(&self, image: &ImageSpec) -> bool {
        let stays = self.instance().is_some() && image.on_loss == OnLoss::Keep;
        stays && lacks(self.draft, self.key, image).is_some()
    }

    fn towards_running(&mut self, run: &mut Run) {
        match self.seen() {
            None | Some(Seen::Gone) if run.shown => self.vanished(run),
            None | Some(Seen::Gone) => {
                if self.has_image(run) {
                    self.create(run);
                }
            }
            Some(seen) => {
                run.shown = true;
                match seen {
                    _ if self.has_moved(run) => self.remake(run, seen),
                    Seen::Exited(exit) => self.after_exit(run, exit),
                    Seen::Running | Seen::Paused if run.unwell.is_some() => self.stop(run),
                    Seen::Running | Seen::Paused => self.runs(run),
                    Seen::Starting | Seen::Stopping => self.linger(run),
                    Seen::Created | Seen::Gone => self.start(run),
                }
            }
        }
    }

    /// Not before it is told where that is which it holds.
    fn create(&mut self, run: &mut Run) {
        let Bound { devices, untold, .. } = Bound::of(self.draft, self.key);
        if let Some(of) = untold {
            let text = format!("the node started, and has not heard of its {of} yet");
            run.reason = Some(Reason::new(Code::WaitingCapability, text));
        } else if let Some(image) = self.image() {
            let revision = self.record.revision.since(&image.key);
            self.call(run, Verb::Create, EngineOp::Create { image, revision, devices });
        }
    }

    /// Whether something that it was made with is elsewhere on its node by now.
    fn has_moved(&mut self, run: &mut Run) -> bool {
        let Some(instance) = self.instance() else { return false };
        let bound = Bound::of(self.draft, self.key);
        let Some(device) = bound.moved(&instance.devices) else { return false };
        let text = format!("{} is {} now: made again with that", device.name, device.path);
        let reason = Reason::new(Code::CapabilityMoved, text);
        if run.reason.as_ref() != Some(&reason) {
            self.tell(EventKind::CapabilityMoved, reason.text.clone());
            run.reason = Some(reason);
        }
        true
    }

    /// An instance is given its devices when it is made: it goes, and is made again under its own fence. No end of its own.
    fn remake(&mut self, run: &mut Run, seen: Seen) {
        match seen {
            Seen::Starting | Seen::Running | Seen::Paused => self.stop(run),
            Seen::Stopping => self.linger(run),
            Seen::Created | Seen::Exited(_) | Seen::Gone => {
                run.shown = false;
                run.restarts += u32::from(seen != Seen::Created);
                self.call(run, Verb::Destroy, EngineOp::Destroy);
            }
        }
    }

    fn start(&mut self, run: &mut Run) {
        run.running_since = None;
        run.pulse.end();
        run.unwell = None;
        run.fresh = true;
        run.ordered = false;
        self.call(run, Verb::Start, EngineOp::Start);
    }

    fn runs(&mut self, run: &mut Run) {
        run.reason = None;
        run.exit_noted = false;
        let since = *run.running_since.get_or_insert(self.draft.now);
        if std::mem::take(&mut run.fresh) {
            self.tell(EventKind::Started, format!("runs on {}", self.engine));
        }
        if let Some(health) = self.health() {
            if self.seen() == Some(Seen::Running) {
                self.check(run, &health, since);
            }
            return;
        }
        let awaited = self.record.previous.is_some()
            || self.record.revision.spec.awaits_health_of(&self.key.slot.image);
        if awaited && !self.draft.core.tuning.is_healthy(Some(since), self.draft.now) {
            // its owner waits for that
            self.draft.wake(self.key.service, since.after(self.draft.core.tuning.healthy_after));
        }
    }

    fn after_exit(&mut self, run: &mut Run, exit: Exit) {
        let was_ordered = std::mem::take(&mut run.ordered);
        if let Some(unwell) = run.unwell.take() {
            run.exit_noted = true;
            return self.after_end(run, unwell, false);
        }
        if run.exit_noted || (was_ordered && !exit.success()) {
            run.restarts += 1;
            return self.start(run);
        }
        run.exit_noted = true;
        let mut reason = exit.reason();
        if let Some(remark) = self.instance().and_then(|it| it.message.as_ref()).filter(|_| exit.is_unknown())
        {
            reason.text = format!("{}: {remark}", reason.text);
        }
        self.tell(EventKind::Exited, reason.text.clone());
        self.after_end(run, reason, exit.success());
    }

    /// Somebody removed it, or this node did, on an order that was taken back.
    fn vanished(&mut self, run: &mut Run) {
        run.shown = false;
        if std::mem::take(&mut run.ordered) {
            return self.create(run);
        }
        let reason = Reason::new(Code::EngineFailed, "it vanished from its engine");
        self.tell(EventKind::Exited, reason.text.clone());
        self.after_end(run, reason, false);
    }

    /// It ended by itself, or for its health: start it again after a while, or call it the end.
    fn after_end(&mut self, run: &mut Run, reason: Reason, success: bool) {
        let (since, healthy_since) = (run.running_since.take(), run.pulse.end());
        let worked_since = if self.is_checked() { healthy_since } else { since };
        if self.draft.core.tuning.was_stable(worked_since, self.draft.now) {
            run.attempts = 0;
        }
        let rule = self.image().map_or(Restart::Never, |image| match image.run {
            spec::Run::Job if image.restart == Restart::Always => Restart::OnFailure,
            spec::Run::Job | spec::Run::Service => image.restart,
        });
        match (rule, success) {
            (Restart::Never | Restart::OnFailure, true) => run.ended = Some(Ended::Succeeded),
            (Restart::Never, false) => run.ended = Some(Ended::GaveUp(reason)),
            (Restart::Always, _) | (Restart::OnFailure, false) => {
                self.again(run, Verb::Start, reason.code, Code::RestartBackoff, &reason.text);
            }
        }
    }

    fn after_failure(&mut self, run: &mut Run, verb: Verb, error: &EngineError) {
        use EngineErrorKind as Kind;
        run.look = verb != Verb::Fetch && !mutant::is(Mutant::BelieveFailure);
        match (verb, error.kind) {
            (Verb::Create, Kind::Conflict) if run.attempts == 0 => run.attempts = 1,
            (_, Kind::Unavailable) => self.later(run, Code::EngineDown, &error.message),
            (_, Kind::Busy) | (Verb::Inspect, _) => self.later(run, Code::EngineFailed, &error.message),
            (_, Kind::Invalid) => run.ended = Some(gave_up(Code::EngineInvalid, verb, error)),
            (_, Kind::Unsupported) => run.ended = Some(gave_up(Code::EngineUnsupported, verb, error)),
            (Verb::Fetch, kind) => self.not_fetched(run, kind, error),
            (Verb::Create, Kind::NotFound) => {
                // it may have been removed since it was fetched
                run.fetched = false;
                self.failed(run, Code::ImageNotFound, verb, error);
            }
            _ => self.failed(run, Code::EngineFailed, verb, error),
        }
    }

    fn failed(&mut self, run: &mut Run, code: Code, verb: Verb, error: &EngineError) {
        let text = failure(verb, error);
        self.tell(EventKind::CallFailed, text.clone());
        self.again(run, verb, code, code, &text);
    }

    /// One more attempt after a wait, or the end of them: why it would be over, and why it waits.
    fn again(&mut self, run: &mut Run, verb: Verb, over: Code, waits: Code, text: &str) {
        let tuning = self.draft.core.tuning;
        let tries = run.tries(verb);
        if *tries >= tuning.restart_attempts {
            let text = format!("{text}; given up after {tries} attempts");
            run.ended = Some(Ended::GaveUp(Reason::new(over, text)));
            return;
        }
        *tries += 1;
        let (text, delay) =
            (format!("{text}; attempt {tries} of {} follows", tuning.restart_attempts), tuning.delay(*tries));
        run.reason = Some(Reason::new(waits, text));
        self.wait(run, delay, false);
    }

    /// Nothing was tried; look again after a while.
    fn later(&mut self, run: &mut Run, code: Code, text: &str) {
        run.reason = Some(Reason::new(code, text));
        self.wait(run, self.draft.core.tuning.delay(1), false);
    }

    // Wish::Halt

    fn halt(&mut self, run: &mut Run) {
        self.note_failed(run);
        if !self.may_act(run) {
            return;
        }
        match self.seen() {
            Some(Seen::Stopping) if run.stop_asked => self.linger(run),
            Some(seen) if seen.is_live() || seen == Seen::Stopping => self.stop(run),
            Some(_) | None => {
                run.reason = None;
                run.admission = None;
                // an end on order is none that counts
                run.exit_noted = true;
                self.draft.free(self.key);
                let image = self.image().filter(|_| run.lack.is_some());
                if image.is_some_and(|image| lacks(self.draft, self.key, &image).is_none()) {
                    // what is gone was its own alone: another one does
                    self.draft.wake(self.key.service, self.draft.now);
                }
            }
        }
    }

    // Wish::End

    fn end(&mut self, run: &mut Run) -> bool {
        let failed = run.failed.as_ref().is_some_and(|(verb, _)| *verb == Verb::Destroy);
        if failed && mutant::is(Mutant::GoneUnseen) {
            self.gone();
            return false;
        }
        self.note_failed(run);
        if !self.may_act(run) {
            return true;
        }
        match self.seen() {
            None | Some(Seen::Gone) => {
                self.draft.bury(self.key);
                self.gone();
                return false;
            }
            Some(Seen::Created | Seen::Exited(_)) => self.call(run, Verb::Destroy, EngineOp::Destroy),
            Some(Seen::Stopping) if run.stop_asked => self.linger(run),
            Some(Seen::Starting | Seen::Running | Seen::Paused | Seen::Stopping) => self.stop(run),
        }
        true
    }

    // Wish::Leave

    fn leave(&mut self, run: &mut Run) -> bool {
        self.note_failed(run);
        if !self.may_act(run) {
            return true;
        }
        let stays = self.instance().is_some();
        if !stays {
            self.gone();
        }
        stays
    }

    fn gone(&mut self) {
        self.draft.free(self.key);
        self.report.gone.push(self.key.clone());
    }

    /// Also what is stopping already: whoever asked for that, in an earlier life, may have died over it.
    fn stop(&mut self, run: &mut Run) {
        (run.stop_asked, run.ordered) = (true, true);
        if mutant::is(Mutant::FreeEarly) {
            self.draft.free(self.key);
        }
        let StopRule { signal, grace } =
            self.image().map(|image| image.params.stop.clone()).unwrap_or_default();
        self.call(run, Verb::Stop, EngineOp::Stop { signal, grace });
    }

    /// What has to stop, or is asked after, is tried for ever: there is nothing else to be done about it.
    fn note_failed(&mut self, run: &mut Run) {
        let Some((verb, error)) = run.failed.take() else { return };
        run.look = true;
        if error.kind == EngineErrorKind::NotFound {
            return;
        }
        run.attempts = run.attempts.saturating_add(1);
        let text = failure(verb, &error);
        if matches!(verb, Verb::Stop | Verb::Destroy) {
            self.tell(EventKind::CallFailed, text.clone());
        }
        run.reason = Some(Reason::new(Code::EngineFailed, text));
        self.wait(run, self.draft.core.tuning.delay(run.attempts), false);
    }

    // for every wish

    /// Whether the engine may be called now. Looks first where what is known is doubtful.
    fn may_act(&mut self, run: &mut Run) -> bool {
        if self.engine_answers().is_err() {
            return false;
        }
        if let Some(wait) = run.wait {
            let is_over = wait.until <= self.draft.now;
            // who only waits to be told asks at once when what was told is doubtful
            let asks_now = wait.look && run.look;
            if !is_over && wait.seen == self.seen() && !asks_now {
                return false;
            }
            run.wait = None;
            if is_over && wait.look {
                run.look = true;
                run.stop_asked = false;
            }
        }
        if std::mem::take(&mut run.look) {
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

    /// It is on its way; should nothing be heard of its arrival, ask.
    fn linger(&mut self, run: &mut Run) {
        self.wait(run, self.draft.core.tuning.restart_delay_most, true);
    }

    fn wait(&self, run: &mut Run, span: u64, look: bool) {
        run.wait = Some(Wait { until: self.draft.now.after(span), seen: self.seen(), look });
    }

    fn call(&mut self, run: &mut Run, verb: Verb, op: EngineOp) {
        let handle = self.instance().map(|instance| instance.handle.clone());
        let target = Target { key: self.key.clone(), service_name: self.record.name.clone(), handle };
        run.call = Some((self.draft.call(&self.engine, target, op), verb));
    }

    /// Its end is told when it comes, and with everything that is told again.
    fn tell_end(&mut self, wish: Wish, run: &Run, before: Option<&Run>) {
        let is_told = run.told.is_some() && before.is_some_and(|before| before.ended == run.ended);
        if let Some(ended) = run.ended.as_ref().filter(|_| wish == Wish::Run && !is_told) {
            self.report.ended.push((self.key.clone(), ended.clone()));
        }
    }

    fn observe(&mut self, run: &mut Run) {
        let lost = self.lost(run);
        let now = Observed {
            key: self.key.clone(),
            node: self.draft.me(),
            engine: self.engine.clone(),
            handle: self.instance().map(|instance| instance.handle.clone()).unwrap_or_default(),
            takes: self.draft.leases(self.key),
            revision: self.instance().and_then(|instance| instance.revision),
            seen: self.seen(),
            healthy: self.is_healthy(run),
            lacks: lost.is_some(),
            reason: self.engine_answers().err().or_else(|| run.reason.clone()).or(lost),
            restarts: run.restarts,
            at: run.told.as_ref().map_or(self.draft.now, |told| told.at),
        };
        if run.told.as_ref() != Some(&now) {
            let now = Observed { at: self.draft.now, ..now };
            run.told = Some(now.clone());
            self.report.instances.push(now);
        }
    }

    /// What it lacks, and what is done about it.
    fn lost(&self, run: &Run) -> Option<Reason> {
        let lack = run.lack.as_ref().filter(|lack| lack.counts)?;
        let then = match self.image()?.on_loss {
            OnLoss::Keep => "it runs on",
            OnLoss::Stop => "it is stopped until that is back",
            OnLoss::Move => "it runs on until another node can have it",
        };
        Some(Reason::new(Code::CapabilityLost, format!("{}; {then}", lack.what)))
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

fn failure(verb: Verb, error: &EngineError) -> String {
    format!("{} failed: {}", verb.as_str(), error.message)
}

fn gave_up(code: Code, verb: Verb, error: &EngineError) -> Ended {
    Ended::GaveUp(Reason::new(code, failure(verb, error)))
}
