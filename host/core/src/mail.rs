//! The traffic with other nodes: whether a letter counts, whether one was missed, and how what was missed is made up
//! for. Decides nothing about services.
//!
//! A receiver that finds a gap in the numbers asks for a *resync*: the other tells its facts, reports all that it runs
//! for the receiver, and sends a *digest* of the versions that concern it; that this was all is *told* last, and counts
//! only when nothing in between was missed again. Who sees an older version in a digest sends
//! its own; who sees a newer one asks for it. So all that concerns two nodes is the same on both after one exchange,
//! whatever was lost before.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::draft::Draft;
use crate::executor;
use crate::id::{Millis, NodeId, ServiceId};
use crate::membership::{BEATS, Peer, Watch};
use crate::mutant::{self, Mutant};
use crate::owner;
use crate::peer::{Beat, Letter, NodeFacts, PeerMessage};
use crate::record::{Incarnation, ServiceRecord, Stamp};

/// The most versions that one digest tells of.
const DIGEST: usize = 1_000;

/// No node has had so many lives: who says so is not believed.
const MOST_LIVES: u64 = 1 << 48;

/// So many raises of its own incarnation within so many times `dead_after` mean that there are two with one id.
const RAISES: usize = 3;
const RAISES_WITHIN: u64 = 4;

/// What a letter has to say about services, when it counts; what it says about its sender is taken in here.
pub(crate) fn open(draft: &mut Draft<'_>, from: NodeId, letter: &Letter) -> Option<PeerMessage> {
    if from == draft.me() {
        hear_oneself(draft, letter);
        return None;
    }
    let news = arrive(draft, from, letter)?;
    match &letter.message {
        PeerMessage::Beat(beat) => hear_beat(draft, from, beat, news),
        PeerMessage::Facts(facts) if news.is_fresh => hear_facts(draft, from, facts),
        PeerMessage::Resync => answer_resync(draft, from),
        PeerMessage::Digest(stamps) => {
            let wants = compare(draft, from, stamps);
            if let Some(peer) = draft.peer(from).filter(|_| wants) {
                // the question may be lost, and its answer: only a digest that leaves nothing to ask for is the end of it
                (peer.behind, peer.since) = (true, peer.since.max(letter.number + 1));
            }
        }
        PeerMessage::Told(since) => {
            // what makes up for the missed was read, all of it, and in its order
            let whole = |peer: &&mut Peer| peer.behind && news.is_fresh && peer.since <= *since;
            if let Some(peer) = draft.peer(from).filter(whole) {
                peer.behind = false;
                owner::hear_all(draft, from, *since);
                let me = draft.me();
                let unproven = draft.core.records.values().filter(|it| it.unproven && it.stamp.owner == me);
                unproven.for_each(|record| draft.wake(record.id, draft.now));
            }
        }
        PeerMessage::Stale { you, known } => hear_stale(draft, *you, *known),
        PeerMessage::Report(_) if !news.is_fresh => {}
        PeerMessage::Report(_) | PeerMessage::Record(_) | PeerMessage::Revision(..) => {
            ask_for_missed(draft, from, news);
            return Some(letter.message.clone());
        }
        PeerMessage::Facts(_) => {}
    }
    ask_for_missed(draft, from, news);
    None
}

/// What the number of a letter tells.
#[derive(Clone, Copy, Debug, Default)]
struct News {
    /// None that was written later was read before.
    is_fresh: bool,
    /// One that was written before was not read, and it was not known yet that anything is missed.
    missed: bool,
}

/// `None`: the sender is not authorised, or speaks as a life that is over.
fn arrive(draft: &mut Draft<'_>, from: NodeId, letter: &Letter) -> Option<News> {
    let now = draft.now;
    let peer = draft.peer(from)?;
    peer.heard = Some(now);
    let begins = match peer.incarnation {
        Some(known) if known.nonce == letter.incarnation.nonce => false,
        Some(known) if known.count >= letter.incarnation.count => {
            draft.send(from, PeerMessage::Stale { you: letter.incarnation, known });
            return None;
        }
        _ => true,
    };
    if begins {
        peer.got = 0;
        peer.behind = false;
        peer.condition = None;
    }
    peer.incarnation = peer.incarnation.max(Some(letter.incarnation));
    let before = match &letter.message {
        PeerMessage::Beat(beat) => beat.posted,
        PeerMessage::Resync | PeerMessage::Stale { .. } => peer.got,
        _ => letter.number.saturating_sub(1),
    };
    let gap = begins || before > peer.got;
    let missed = gap && !peer.behind;
    peer.behind |= gap;
    if gap {
        peer.since = before + 1;
    }
    let is_fresh = letter.number > peer.got;
    peer.got = peer.got.max(before).max(letter.number);
    Some(News { is_fresh, missed })
}

fn ask_for_missed(draft: &mut Draft<'_>, from: NodeId, news: News) {
    let (now, pause) = (draft.now, draft.core.tuning.dead_after / BEATS);
    if mutant::is(Mutant::AskEveryTime) && draft.peer(from).is_some_and(|peer| peer.behind) {
        return draft.send(from, PeerMessage::Resync);
    }
    let Some(peer) = draft.peer(from).filter(|_| news.missed) else { return };
    // a node that cannot store what it gets misses it again and again: the next beat reminds it
    if peer.asked.is_none_or(|at| now >= at.after(pause)) {
        peer.asked = Some(now);
        draft.send(from, PeerMessage::Resync);
    }
}

fn hear_beat(draft: &mut Draft<'_>, from: NodeId, beat: &Beat, news: News) {
    let Some(peer) = draft.peer(from) else { return };
    peer.hears.clone_from(&beat.hears);
    peer.duty = beat.duty;
    peer.condition = Some(beat.condition.clone());
    let still_behind = peer.behind && !news.missed;
    if still_behind {
        draft.send(from, PeerMessage::Resync);
    }
    draft.learn(&beat.forgotten);
}

fn hear_facts(draft: &mut Draft<'_>, from: NodeId, facts: &Arc<NodeFacts>) {
    if let Some(peer) = draft.peer(from) {
        peer.facts = Some(Arc::clone(facts));
        // the directory has them once this step is done
        draft.wake_waiting();
    }
}

/// Somebody else with this node's id, or this node itself, before it was restored.
fn hear_oneself(draft: &mut Draft<'_>, letter: &Letter) {
    if letter.incarnation.nonce != draft.incarnation().nonce {
        dispute(draft);
    }
}

/// Others know a later life: it is this node's own, from before its disk was restored, or another node has its id.
fn hear_stale(draft: &mut Draft<'_>, you: Incarnation, known: Incarnation) {
    if you.nonce == draft.incarnation().nonce {
        outdo(draft, known);
    }
}

/// Counts above what was written or told in this node's name by another life.
pub(crate) fn outdo(draft: &mut Draft<'_>, other: Incarnation) {
    if mutant::is(Mutant::StayBehind) {
        return;
    }
    let own = draft.incarnation();
    if other.nonce == own.nonce || other.count < own.count || other.count >= MOST_LIVES {
        return;
    }
    draft.raise(other.count.saturating_add(1));
    let (now, span) = (draft.now, RAISES_WITHIN * draft.core.tuning.dead_after);
    let mut watch = Watch { in_haste: true, ..draft.watch().clone() };
    watch.raises.retain(|at| now <= at.after(span));
    watch.raises.push(now);
    let repeated = watch.raises.len() >= RAISES;
    draft.set_watch(watch);
    if repeated {
        dispute(draft);
    }
}

fn dispute(draft: &mut Draft<'_>) {
    let mut watch = draft.watch().clone();
    watch.disputed_until = Some(draft.now.after(RAISES_WITHIN * draft.core.tuning.dead_after));
    draft.set_watch(watch);
}

fn answer_resync(draft: &mut Draft<'_>, to: NodeId) {
    let Some(since) = draft.peer(to).map(|peer| peer.posted + 1) else { return };
    tell_facts(draft, to);
    let owned = draft.core.records.values().filter(|record| record.stamp.owner == to);
    let owned: Vec<ServiceId> = owned.map(|record| record.id).collect();
    owned.into_iter().for_each(|service| executor::retell(draft, service));
    send_kept(draft, Some(to));
    let concerned = draft.core.records.values().filter(|record| concerns(draft, record, to));
    let mut stamps: Vec<_> = concerned.map(|record| (record.id, Some(record.stamp))).collect();
    loop {
        let rest = stamps.split_off(stamps.len().min(DIGEST));
        draft.send(to, PeerMessage::Digest(stamps));
        if rest.is_empty() {
            return draft.send(to, PeerMessage::Told(since));
        }
        stamps = rest;
    }
}

/// What one node alone is told, between two beats, the others are not: with the next beat all are told again, also when
/// everything is by then as it was.
fn tell_facts(draft: &mut Draft<'_>, to: NodeId) {
    let facts = Arc::new(draft.core.facts());
    if draft.watch().told.as_ref().is_some_and(|told| *told != facts) {
        let watch = Watch { told: None, ..draft.watch().clone() };
        draft.set_watch(watch);
    }
    draft.send(to, PeerMessage::Facts(facts));
}

/// A tombstone concerns everybody until everybody has it, and then nobody: some may have let go of it. Any record
/// concerns whoever was heard holding an older version.
fn concerns(draft: &Draft<'_>, record: &ServiceRecord, node: NodeId) -> bool {
    let holds = draft.holds(record.id, node);
    if holds.is_some_and(|stamp| stamp < record.stamp) {
        return true;
    }
    let for_all = record.is_absent() || record.unproven;
    !draft.standing().graves.contains_key(&record.id)
        && ((for_all && holds.is_none()) || record.audience().contains(&node))
}

/// Returns whether the other has something newer, which it is asked for.
fn compare(draft: &mut Draft<'_>, from: NodeId, stamps: &[(ServiceId, Option<Stamp>)]) -> bool {
    let mut wanted = Vec::new();
    for (service, theirs) in stamps {
        let known = draft.record(*service);
        if let (Some(theirs), Some(record)) = (theirs, &known) {
            draft.mark_holds(*service, from, *theirs);
            if record.unproven && record.stamp.owner == draft.me() {
                // this may have been the last one that the epoch waited for
                draft.wake(*service, draft.now);
            }
        }
        let mine = known.map(|record| record.stamp);
        if mine > *theirs {
            draft.send_record(*service, from);
        } else if mine < *theirs {
            wanted.push((*service, mine));
        }
    }
    let wants = !wanted.is_empty();
    if wants {
        draft.send(from, PeerMessage::Digest(wanted));
    }
    wants
}

/// Asks a node for its version of a record, and for all that it told on the strength of that.
pub(crate) fn want(draft: &mut Draft<'_>, from: NodeId, service: ServiceId) {
    let mine = draft.record(service).map(|record| record.stamp);
    draft.send(from, PeerMessage::Digest(vec![(service, mine)]));
    miss(draft, from);
}

/// What every other node told counts as missed: each is asked for all that concerns this one, until it has said it.
pub(crate) fn ask_all_again(draft: &mut Draft<'_>) {
    for node in draft.peer_ids() {
        miss(draft, node);
        draft.send(node, PeerMessage::Resync);
    }
}

/// What a node told so far is not known here.
fn miss(draft: &mut Draft<'_>, node: NodeId) {
    if let Some(peer) = draft.peer(node) {
        (peer.behind, peer.since) = (true, peer.got + 1);
    }
}

/// Tells the owners of services, or one of them, the newer revisions that this node keeps for them.
fn send_kept(draft: &mut Draft<'_>, only: Option<NodeId>) {
    for (service, revision) in &draft.core.kept {
        let owner = draft.record(*service).map(|record| record.stamp.owner);
        if let Some(owner) = owner.filter(|owner| only.is_none_or(|only| only == *owner)) {
            draft.send(owner, PeerMessage::Revision(*service, Arc::clone(revision)));
        }
    }
}

/// Tells everybody that this node lives, and looks about: with another outlook than before every service is looked at
/// again, one step later, so that a beat writes nothing and a full disk cannot stop it.
pub(crate) fn beat(draft: &mut Draft<'_>) {
    let peers = draft.peers();
    let survey = draft.core.survey(draft.now, &peers);
    let (mut watch, hears) = (survey.watch(), survey.hears());
    let before = &draft.core.membership.watch.outlook;
    let (changed, begins) = (watch.outlook != *before, !before.decides() && watch.outlook.decides());
    let facts = draft.core.facts();
    let news = watch.told.as_deref() != Some(&facts);
    let facts = Arc::new(facts);
    if news {
        watch.told = Some(Arc::clone(&facts));
    }
    draft.set_watch(watch);
    for to in draft.peer_ids().filter(|_| news) {
        draft.send(to, PeerMessage::Facts(Arc::clone(&facts)));
    }
    draft.clear_given();
    send_kept(draft, None);
    say_beat(draft, hears);
    if begins {
        // nothing was decided on what was told meanwhile
        executor::retell_all(draft);
        ask_all_again(draft);
    }
    if !draft.outlook().draining.is_empty() {
        // what found no other node before may find one now
        let draining = draft.outlook().draining.clone();
        let leaves = |record: &&Arc<ServiceRecord>| {
            record.slots.values().any(|assigned| draining.contains(&assigned.node))
        };
        let own = draft.core.records.values().filter(|record| record.stamp.owner == draft.core.me.node);
        own.filter(leaves).for_each(|record| draft.wake(record.id, draft.now));
    }
    if changed {
        look_again(draft);
    }
}

/// Words about nodes that are no members any more count no more.
pub(crate) fn drop_words(draft: &mut Draft<'_>) {
    let members = &draft.core.membership.members;
    draft.change_standing(|standing| standing.forgotten.retain(members));
}

/// Every service is looked at in a step of its own.
pub(crate) fn look_again(draft: &mut Draft<'_>) {
    let living = draft.core.records.values().filter(|record| !record.is_over());
    living.for_each(|record| draft.wake(record.id, draft.now));
}

/// What changed about this node is told, and looked at, at once. A node that stands alone has nobody to tell.
pub(crate) fn beat_soon(draft: &mut Draft<'_>) {
    if !draft.core.is_in_cluster() {
        return;
    }
    let watch = Watch { in_haste: true, ..draft.watch().clone() };
    draft.set_watch(watch);
}

fn say_beat(draft: &mut Draft<'_>, hears: BTreeSet<NodeId>) {
    let (condition, standing) = (draft.condition(), draft.standing().clone());
    let watch = Watch { said: condition.clone(), ..draft.watch().clone() };
    draft.set_watch(watch);
    for to in draft.peer_ids() {
        let beat = Beat {
            posted: draft.posted(to),
            hears: hears.clone(),
            duty: standing.duty,
            condition: condition.clone(),
            forgotten: standing.forgotten.clone(),
        };
        draft.send(to, PeerMessage::Beat(beat));
    }
}

/// When a beat is due by `now`.
pub(crate) fn is_due(draft: &Draft<'_>, now: Millis) -> bool {
    draft.core.beat_due().is_some_and(|due| due <= now)
}
