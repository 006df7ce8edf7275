//! One input, one step: which services it concerns, and who has to look at them.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::draft::Draft;
use crate::id::{Millis, NodeId, ServiceId};
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
            Input::Engine { .. } => self.look_at(&mut draft, self.records.keys().copied()),
            Input::Instance(instance) => executor::reconcile(&mut draft, instance.key.service),
            Input::Answered { key, .. } => executor::reconcile(&mut draft, key.service),
            Input::Tick => {
                draft.fired();
                self.look_at(&mut draft, self.due_until(now));
            }
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

    fn look_at(&self, draft: &mut Draft<'_>, services: impl IntoIterator<Item = ServiceId>) {
        draft.room = true;
        services.into_iter().for_each(|service| executor::reconcile(draft, service));
    }
}

/// Until nobody on this node has anything more to say, and nobody waits for what was given back.
fn settle(draft: &mut Draft<'_>) {
    loop {
        while let Some((from, message)) = draft.next_message() {
            deliver(draft, from, message);
        }
        if !std::mem::take(&mut draft.room) {
            return;
        }
        let waiting: BTreeSet<ServiceId> = draft.core.waiting.clone();
        waiting.into_iter().for_each(|service| owner::place_waiting(draft, service));
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
    executor::reconcile(draft, service);
}
