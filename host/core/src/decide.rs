//! One input, one step: which services it concerns, and who has to look at them.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::draft::Draft;
use crate::id::{Millis, NodeId, ServiceId};
use crate::instance::Report;
use crate::mutant::{self, Mutant};
use crate::peer::{Letter, PeerMessage};
use crate::record::{Revision, ServiceRecord, Stamp};
use crate::state::Core;
use crate::step::{Answer, AskId, Durability, Input, Request, Step};
use crate::{executor, grave, mail, owner, succession};

impl Core {
    /// Decides what follows from an input that was [noted](Core::note). Changes nothing.
    pub fn decide(&self, input: &Input, now: Millis) -> Step {
        let mut draft = Draft::new(self, now);
        match input {
            Input::Asked { ask, request } => return self.answer(*ask, request, now),
            Input::Peer { from, letter } => read(&mut draft, *from, letter),
            Input::Members(_) if self.is_in_cluster() => {
                mail::drop_words(&mut draft);
                mail::beat(&mut draft);
            }
            Input::Members(_) => mail::look_again(&mut draft),
            Input::Broker(_) => {}
            Input::Capabilities { .. } => self.have_other_capabilities(&mut draft),
            Input::Engine { .. } | Input::Parts(_) => {
                draft.room = true;
                self.records.keys().for_each(|service| executor::reconcile(&mut draft, *service));
            }
            Input::Instance(instance) => executor::attend(&mut draft, &instance.key),
            Input::Answered { key, .. } | Input::Checked { key, .. } => executor::attend(&mut draft, key),
            Input::Tick => self.wake(&mut draft, now),
        }
        settle(&mut draft);
        draft.finish()
    }

    /// What waits may find what it needs, and what runs may have lost it.
    fn have_other_capabilities(&self, draft: &mut Draft<'_>) {
        draft.room = true;
        let here: BTreeSet<ServiceId> = self.runs.iter().map(|(key, _)| key.service).collect();
        here.into_iter().for_each(|service| executor::reconcile(draft, service));
        draft.wake_lacking();
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

    /// A beat is a step of its own: it writes nothing, so that a full disk does not make this node silent. So is what
    /// others said about forgotten nodes, and what follows for tombstones.
    fn wake(&self, draft: &mut Draft<'_>, now: Millis) {
        if self.patience_due().is_some_and(|due| due <= now) {
            return draft.wait_for_parts();
        }
        if mail::is_due(draft, now) {
            return mail::beat(draft);
        }
        if self.unwritten.is_some_and(|due| due <= now) {
            return draft.write_standing();
        }
        if self.count_due().is_some_and(|due| due <= now) {
            return grave::count(draft);
        }
        draft.fired();
        let due = self.due_until(now);
        for service in &due {
            succession::consider(draft, *service);
            owner::tend(draft, *service);
            // last: it starts nothing that is dismissed in this very step
            executor::reconcile(draft, *service);
        }
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
        let core = draft.core;
        core.short.iter().for_each(|key| draft.wake(key.service, draft.now));
        let waiting = core.waiting.iter().copied();
        if draft.makes_room() {
            waiting.for_each(|service| draft.wake(service, draft.now));
        } else {
            owner::place_waiting(draft, waiting);
        }
    }
}

fn read(draft: &mut Draft<'_>, from: NodeId, letter: &Letter) {
    if let Some(message) = mail::open(draft, from, letter) {
        deliver(draft, from, message);
    }
}

fn deliver(draft: &mut Draft<'_>, from: NodeId, message: PeerMessage) {
    match message {
        PeerMessage::Record(record) => receive(draft, from, &record),
        PeerMessage::Report(report) => owner::hear(draft, from, report),
        PeerMessage::Revision(service, revision) => {
            if draft.record(service).is_some_and(|known| known.revision.order >= revision.order) {
                // who keeps it does not know yet that it was taken over
                draft.send_record(service, from);
            }
            owner::catch_up_with(draft, service, revision);
        }
        PeerMessage::Beat(_)
        | PeerMessage::Facts(_)
        | PeerMessage::Digest(_)
        | PeerMessage::Resync
        | PeerMessage::Told(_)
        | PeerMessage::Stale { .. } => {}
    }
}

/// Everyone keeps the greatest stamp; who has a greater one than the sender tells it.
fn receive(draft: &mut Draft<'_>, from: NodeId, record: &Arc<ServiceRecord>) {
    let (me, service) = (draft.me(), record.id);
    if from == me {
        return executor::follow(draft, service);
    }
    draft.mark_holds(service, from, record.stamp);
    if record.stamp.owner == me {
        mail::outdo(draft, record.stamp.writer);
    }
    match draft.record(service) {
        Some(known) if greater(known.stamp, record.stamp) => {
            keep_newer(draft, &record.revision, &known);
            draft.send_record(service, from);
        }
        Some(known) if known.stamp == record.stamp => confirm(draft, from, record),
        known => {
            draft.store(Arc::clone(record), Durability::Power);
            owner::let_go(draft, record);
            if record.stamp.owner == me {
                // this node's own, from before its disk was restored: what was told of it meanwhile is lost
                mail::ask_all_again(draft);
                record.audience().into_iter().for_each(|node| draft.send_record(service, node));
            }
            if let Some(known) = known {
                keep_newer(draft, &known.revision, record);
            }
            if record.is_absent() {
                owner::outrun(draft, record);
            }
            succession::consider(draft, service);
            owner::tend(draft, service);
            executor::follow(draft, service);
            confirm(draft, from, record);
        }
    }
}

/// Which of two versions counts.
fn greater(one: Stamp, other: Stamp) -> bool {
    if mutant::is(Mutant::AbsentLoses) && one.absent != other.absent {
        return other.absent;
    }
    one > other
}

/// Says which version is held now: to whoever sent it, and to the owner.
fn confirm(draft: &mut Draft<'_>, from: NodeId, record: &ServiceRecord) {
    for to in [from, record.stamp.owner].into_iter().collect::<BTreeSet<_>>() {
        draft.send(to, PeerMessage::Report(Report::of(record.id, Some(record.stamp))));
    }
}

/// A revision was acknowledged, and the record that won does not have it: it is kept until it has.
fn keep_newer(draft: &mut Draft<'_>, revision: &Revision, winner: &ServiceRecord) {
    if mutant::is(Mutant::DropRevision) {
        return;
    }
    owner::catch_up_with(draft, winner.id, Arc::new(revision.clone()));
}
