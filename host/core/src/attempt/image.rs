//! The image of an instance: fetched before the instance is made, and before another one is stopped for it. What is held
//! back meanwhile is the executor's affair.

use super::{Attempt, failure};
use crate::reason::{Code, Reason};
use crate::run::{Run, Verb};
use crate::state::Engine;
use crate::step::{EngineError, EngineErrorKind, EngineOp, EventKind};

impl Attempt<'_, '_> {
    /// Whether there is nothing to be fetched; asks for the image where there is.
    pub(super) fn has_image(&mut self, run: &mut Run) -> bool {
        let fetches = self.draft.engine(&self.engine).is_some_and(Engine::may_fetch);
        let Some(image) = self.image().filter(|_| fetches && !run.fetched && !self.draft.is_made(self.key))
        else {
            return true;
        };
        if run.fetches == 0 {
            let text = format!("its image {} is being fetched", image.image);
            run.reason = Some(Reason::new(Code::PullWaiting, text));
        }
        self.call(run, Verb::Fetch, EngineOp::Fetch { image: image.image.clone() });
        false
    }

    /// Where there is something to go back to, that comes back in the end; else it is tried for ever.
    pub(super) fn not_fetched(&mut self, run: &mut Run, kind: EngineErrorKind, error: &EngineError) {
        let code = match kind {
            EngineErrorKind::NotFound => Code::ImageNotFound,
            EngineErrorKind::Denied => Code::PullAuth,
            EngineErrorKind::Unreachable => Code::PullNetwork,
            _ => Code::PullFailed,
        };
        if self.has_before() {
            return self.failed(run, code, Verb::Fetch, error);
        }
        let text = failure(Verb::Fetch, error);
        let tuning = self.draft.core.tuning;
        if run.fetches < tuning.restart_attempts {
            self.tell(EventKind::CallFailed, text.clone());
        }
        run.fetches = run.fetches.saturating_add(1);
        run.reason = Some(Reason::new(code, format!("{text}; it is tried again")));
        self.wait(run, tuning.delay(run.fetches), false);
    }

    /// Whether another attempt, or another revision, can take the slot back.
    fn has_before(&self) -> bool {
        let (record, slot) = (self.record, &self.key.slot);
        let moves = record.slots.get(slot).is_some_and(|assigned| assigned.from.is_some());
        let since = record.revision.since(&slot.image);
        let unproven = record.previous.as_ref().is_some_and(|before| since > before.order);
        let lives = |fence| self.draft.seen(&record.key(slot, fence)).is_some_and(|it| it.seen.is_live());
        let replaces = || record.dismissed.iter().any(|it| it.slot == *slot && lives(it.fence));
        moves || unproven || replaces()
    }
}
