//! Whether a running instance does its work: asks for its checks, one at a time, and decides what follows from them.

use super::Attempt;
use crate::id::Millis;
use crate::mutant::{self, Mutant};
use crate::reason::{Code, Reason};
use crate::run::Run;
use crate::spec::Health;
use crate::step::EventKind;

/// Until it has passed once, it is asked again after so long: nobody should wait a whole interval for what just came up.
const EAGER: u64 = 1_000;

/// Checks are asked for at whole seconds: those of a service wake the node together.
const BEAT: u64 = 1_000;

impl Attempt<'_, '_> {
    /// The check of its image.
    pub(super) fn health(&self) -> Option<Health> {
        self.image().and_then(|image| image.health.clone())
    }

    /// Whether it has one.
    pub(super) fn is_checked(&self) -> bool {
        self.image().is_some_and(|image| image.health.is_some())
    }

    /// Whether it does its work: by its checks, or, where there are none, since it has been running for a while.
    pub(super) fn is_healthy(&self, run: &Run) -> bool {
        match self.is_checked() {
            true => run.pulse.healthy_since.is_some(),
            false => self.draft.core.tuning.is_healthy(run.running_since, self.draft.now),
        }
    }

    /// Takes in what the last check of an instance found that runs `since`, and asks for the next one when it is due.
    pub(super) fn check(&mut self, run: &mut Run, health: &Health, since: Millis) {
        if let Some(found) = run.pulse.found.take() {
            self.take_in(run, health, since, found);
        }
        if run.unwell.is_some() {
            return;
        }
        if run.pulse.healthy_since.is_none() {
            let why = run.pulse.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            run.reason =
                Some(Reason::new(Code::HealthWaiting, format!("it has not passed its check yet{why}")));
        }
        match run.pulse.next {
            _ if run.pulse.asked.is_some() => {}
            Some(next) if next > self.draft.now => self.draft.wake(self.key.service, next),
            _ => run.pulse.asked = Some(self.draft.check(&self.engine, self.key, health)),
        }
    }

    fn take_in(&mut self, run: &mut Run, health: &Health, since: Millis, found: Result<(), String>) {
        let now = self.draft.now;
        let counts = now >= since.after(health.start);
        match found {
            Ok(()) => {
                if run.pulse.healthy_since.is_none() {
                    run.pulse.healthy_since = Some(now);
                    self.tell(EventKind::Healthy, "passes its check".into());
                }
                (run.pulse.failures, run.pulse.why) = (0, None);
            }
            Err(why) => {
                run.pulse.failures += u32::from(counts);
                run.pulse.why = Some(why);
                if run.pulse.failures >= health.retries {
                    self.unwell(run);
                }
            }
        }
        let starts = run.pulse.healthy_since.is_none() && !counts;
        let pause = if starts { health.interval.min(EAGER) } else { health.interval };
        run.pulse.next = Some(Millis(now.after(pause).0.next_multiple_of(BEAT)));
    }

    /// It is stopped, and what follows is what follows from an end; unless nothing may be started here now.
    fn unwell(&mut self, run: &mut Run) {
        if self.forbidden().is_some() || mutant::is(Mutant::KeepUnhealthy) {
            return;
        }
        let (failures, why) = (run.pulse.failures, run.pulse.why.take().unwrap_or_default());
        let times = if failures == 1 { "once".into() } else { format!("{failures} times in a row") };
        let reason = Reason::new(Code::HealthFailed, format!("it did not pass its check {times}: {why}"));
        self.tell(EventKind::Unhealthy, reason.text.clone());
        run.reason = Some(reason.clone());
        run.unwell = Some(reason);
        run.pulse.healthy_since = None;
        self.stop(run);
    }
}
