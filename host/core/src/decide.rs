//! One input, one step: which services it concerns, and who has to look at them.

use std::sync::Arc;

use crate::draft::Draft;
use crate::id::{Millis, NodeId};
use crate::record::ServiceRecord;
use crate::state::Core;
use crate::step::{Answer, AskId, Durability, Input, PeerMessage, Request, Step};
use crate::{executor, owner};

impl Core {
    /// Decides what follows from an input that was [noted](Core::note). Changes nothing.
    pub fn decide(&self, input: &Input, now: Millis) -> Step {
        let mut draft = Draft::new(self, now);
        match input {
            Input::Asked { ask, request } => return self.answer(*ask, request, now),
            Input::Peer { from, message } => deliver(&mut draft, *from, message.clone()),
            Input::Capabilities { .. } => draft.room = true,
            Input::Engine { .. } => {
                draft.room = true;
                self.records.keys().for_each(|service| executor::reconcile(&mut draft, *service));
            }
            Input::Instance(instance) => executor::attend(&mut draft, &instance.key),
            Input::Answered { key, .. } => executor::attend(&mut draft, key),
            Input::Tick => self.wake(&mut draft, now),
        }
        settle(&mut draft);
        draft.finish()
    }

    /// A refusal leaves nothing of what led to it.
    fn answer(&self, ask: AskId, request: &Request, now: Millis) -> Step {
        let mut draft = Draft::new(self, now);
        let answer = match owner::answer(&mut draft, request) {
            Ok(answer) => {
                settle(&mut draft);
                answer
            }
            Err(refusal) => {
                draft = Draft::new(self, now);
                Answer::Refused(refusal)
            }
        };
        draft.answer(ask, answer);
        draft.finish()
    }

    fn wake(&self, draft: &mut Draft<'_>, now: Millis) {
        draft.fired();
        let due = self.due_until(now);
        due.iter().for_each(|service| executor::reconcile(draft, *service));
        owner::place_waiting(draft, due);
    }
}

/// Until nobody on this node has anything more to say, and nobody waits for what was given back. A step that only
/// removes stays one, so that a full disk lets it through: who waits has a turn of its own then.
fn settle(draft: &mut Draft<'_>) {
    loop {
        while let Some((from, message)) = draft.next_message() {
            deliver(draft, from, message);
        }
        if !draft.reopen() {
            return;
        }
        let waiting = draft.core.waiting.iter().copied();
        if draft.only_removes() {
            waiting.for_each(|service| draft.wake(service, draft.now));
        } else {
            owner::place_waiting(draft, waiting);
        }
    }
}

fn deliver(draft: &mut Draft<'_>, from: NodeId, message: PeerMessage) {
    match message {
        PeerMessage::Record(record) => receive(draft, record),
        PeerMessage::Report(report) => owner::hear(draft, from, report),
    }
}

/// Everyone keeps the greatest stamp.
fn receive(draft: &mut Draft<'_>, record: Arc<ServiceRecord>) {
    let known = draft.record(record.id);
    let service = record.id;
    if known.is_none_or(|known| known.stamp < record.stamp) {
        draft.store(record, Durability::Power);
    }
    executor::follow(draft, service);
}
