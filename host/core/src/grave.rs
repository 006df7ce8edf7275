//! How long a tombstone is kept: until every known node was heard holding it, and from then on for a span of this
//! node's own running time. Each node lets it go by itself, and tells nobody.
//!
//! Running time is counted in steps, never by wall clock, and only while a tombstone waits for it. A life counts its
//! first hour (of 30 days), then each time as long as it ran before, at last once a day; what it ran beyond its last
//! count is lost. So all tombstones together cost a write a day, and a node that is switched off every night comes to
//! their end, too.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::draft::Draft;
use crate::id::{Millis, NodeId, ServiceId};
use crate::record::ServiceRecord;
use crate::state::Core;

/// What is counted at least, and at most, at once: so many parts of the whole span.
const FEWEST_PARTS: u64 = 30;
const MOST_PARTS: u64 = 720;

/// The tombstones that every known node has, each with how long this node had run when it noticed that.
pub type Graves = BTreeMap<ServiceId, u64>;

/// How far this life of the node has counted its running time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Age {
    /// Since when it counts; `None`: it has not begun.
    pub began: Option<Millis>,
    /// Up to when it has counted.
    pub counted: Millis,
    /// Nothing is counted before: the last count could not be written.
    pub not_before: Millis,
}

impl Age {
    /// How much is counted next.
    fn span(&self, keep: u64) -> u64 {
        let ran = self.began.map_or(0, |began| self.counted.0 - began.0);
        ran.clamp(keep / MOST_PARTS, keep / FEWEST_PARTS)
    }
}

impl Core {
    /// When running time is counted next; `None` while no tombstone waits for that. What a node slept it did not run.
    pub(crate) fn count_due(&self) -> Option<Millis> {
        let age = self.age;
        let since = self.membership.watch.awake_since.max(Some(age.counted)).unwrap_or(age.counted);
        let next = age.began.map_or(Millis(0), |_| since.after(age.span(self.tuning.keep_deleted)));
        (!self.over.is_empty()).then(|| next.max(age.not_before))
    }
}

/// Counts what was run since the last time, writes down which tombstones every known node has by now, and lets go of
/// those that it had for long enough. Whoever is not known to have one is sent it again.
pub(crate) fn count(draft: &mut Draft<'_>) {
    let (age, keep) = (draft.core.age, draft.core.tuning.keep_deleted);
    let began = Some(age.began.unwrap_or(draft.now));
    draft.set_age(Age { began, counted: draft.now, ..age });
    if age.began.is_none() {
        return;
    }
    let ran = draft.standing().ran + age.span(keep);
    let mut graves = Graves::clone(&draft.standing().graves);
    for service in &draft.core.over {
        let Some(record) = draft.record(*service) else { continue };
        match graves.get(service) {
            Some(since) if ran - since >= keep && draft.known(*service).is_empty() => {
                graves.remove(service);
                draft.erase(*service);
            }
            Some(_) => {}
            None if is_everywhere(draft, &record) => drop(graves.insert(*service, ran)),
            None => {}
        }
    }
    if !graves.is_empty() || !draft.standing().graves.is_empty() {
        draft.change_standing(|standing| (standing.ran, standing.graves) = (ran, Arc::new(graves)));
    }
}

/// Whether every known node was heard holding a tombstone; those that were not are sent it.
fn is_everywhere(draft: &mut Draft<'_>, record: &ServiceRecord) -> bool {
    let known = &draft.outlook().known;
    let missing: Vec<NodeId> = known.iter().copied().filter(|node| !holds(draft, record, *node)).collect();
    let heard = draft.outlook().heard.clone();
    missing.iter().filter(|node| heard.contains(node)).for_each(|node| draft.send_record(record.id, *node));
    missing.is_empty()
}

fn holds(draft: &Draft<'_>, record: &ServiceRecord, node: NodeId) -> bool {
    let held = || draft.holds(record.id, node).is_some_and(|held| held >= record.stamp);
    node == draft.me() || (!draft.is_behind(node) && held())
}
