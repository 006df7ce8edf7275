//! The nodes that a slot may be given to: this one by all that it knows of itself, the others by what they told. What is
//! given away in between is remembered, so that the next slot is placed beside it.
//!
//! This node comes first when it satisfies everything, as the thesis wants it; among the others the directory chooses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::directory::{Ask, Choice, Crowd, Verdict, summary};
use crate::draft::Draft;
use crate::group::Bounds;
use crate::id::{ImageKey, NodeId};
use crate::needs::{Host, Taken};
use crate::placement::{Facts, examine};
use crate::reason::{Code, Reason};
use crate::record::{ServiceRecord, SlotId};
use crate::spec::ImageSpec;
use crate::state::cordoned;

pub(crate) struct Market<'a> {
    /// `None`: this node takes on nothing new.
    own: Option<Facts<'a>>,
    /// How many slots of which image of the service in question each node has.
    crowds: BTreeMap<NodeId, BTreeMap<ImageKey, u32>>,
}

impl<'a> Market<'a> {
    pub fn of(draft: &Draft<'a>) -> Self {
        Self { own: draft.own_facts(), crowds: BTreeMap::new() }
    }

    /// From now on it is about that service.
    pub fn turn_to(&mut self, record: &ServiceRecord) {
        self.crowds.clear();
        for (slot, assigned) in &record.slots {
            *self.crowds.entry(assigned.node).or_default().entry(slot.image.clone()).or_default() += 1;
        }
    }

    /// The best node for slots that belong together, within their bounds.
    pub fn choose(
        &self,
        draft: &Draft<'_>,
        record: &ServiceRecord,
        lot: &[Placing],
        bounds: &Bounds,
    ) -> Option<Choice> {
        let me = draft.me();
        if bounds.allows(me)
            && let Some(Ok(choice)) = self.own_choice(draft, record, lot)
        {
            return Some(choice);
        }
        if bounds.only == Some(me) || draft.core.directory.nodes().next().is_none() {
            return None;
        }
        let terms = Terms::of(draft, record, lot, bounds, &self.crowds);
        draft.core.directory.choose(&terms.ask(&images(lot), draft.given())).ok()
    }

    fn own_choice(
        &self,
        draft: &Draft<'_>,
        record: &ServiceRecord,
        lot: &[Placing],
    ) -> Option<Result<Choice, Vec<Reason>>> {
        let own = self.own.as_ref()?;
        if let Some(reason) = lot.iter().find_map(|it| draft.refusal(record.id, &it.slot, own.node)) {
            return Some(Err(vec![reason]));
        }
        let host = Host { called: draft.called(own.node), holder: &|of| draft.holder(of) };
        Some(examine(&images(lot), own, &credit(draft, record, lot, own.node), &host))
    }

    /// What slots take where they were placed is no longer there for the next.
    pub fn give(&mut self, draft: &mut Draft<'_>, record: &ServiceRecord, lot: &[Placing], choice: &Choice) {
        let crowd = self.crowds.entry(choice.node).or_default();
        lot.iter().for_each(|it| *crowd.entry(it.slot.image.clone()).or_default() += 1);
        let credit = credit(draft, record, lot, choice.node);
        let beyond = |of, amount: &u64| amount.saturating_sub(credit.get(of).copied().unwrap_or(0));
        let new: Taken = choice.taken.iter().map(|(of, amount)| (of.clone(), beyond(of, amount))).collect();
        match self.own.as_mut().filter(|own| own.node == choice.node) {
            Some(own) => new.into_iter().for_each(|(of, n)| *own.held.entry(of).or_default() += n),
            None => draft.give(choice.node, &new),
        }
    }

    /// Why no node takes the slots, in words.
    pub fn why_not(
        &self,
        draft: &Draft<'_>,
        record: &ServiceRecord,
        lot: &[Placing],
        bounds: &Bounds,
    ) -> Vec<Reason> {
        let verdicts = self.verdicts(draft, record, lot, bounds);
        match &verdicts[..] {
            [Verdict { unmet, .. }] => unmet.clone(),
            _ => summary(&verdicts),
        }
    }

    /// What each node lacks for the slots, this one first.
    pub fn verdicts(
        &self,
        draft: &Draft<'_>,
        record: &ServiceRecord,
        lot: &[Placing],
        bounds: &Bounds,
    ) -> Vec<Verdict> {
        let unmet = match self.own_choice(draft, record, lot) {
            Some(Err(reasons)) => reasons,
            Some(Ok(_)) => bounds.reasons(draft),
            None => {
                let called = draft.called(draft.me());
                let why = draft.condition().why(&called).unwrap_or_else(|| cordoned(&called));
                vec![Reason::new(Code::WaitingNode, why)]
            }
        };
        let mut verdicts = vec![Verdict { node: draft.me(), unmet }];
        let terms = Terms::of(draft, record, lot, bounds, &self.crowds);
        let images = images(lot);
        let ask = terms.ask(&images, draft.given());
        let others = draft.core.directory.verdicts(&ask, |node| draft.called(node)).into_iter();
        let is_asked = |node| bounds.only.is_none_or(|only| only == node);
        verdicts.extend(others.map(|verdict| match draft.core.unknown_yet(verdict.node) {
            Some(why) if is_asked(verdict.node) => Verdict { unmet: vec![why], ..verdict },
            _ => verdict,
        }));
        verdicts
    }
}

/// One slot that is to be placed.
#[derive(Clone, Debug)]
pub(crate) struct Placing {
    pub slot: SlotId,
    pub image: Arc<ImageSpec>,
}

fn images(lot: &[Placing]) -> Vec<&ImageSpec> {
    lot.iter().map(|it| &*it.image).collect()
}

/// What the slots hold on a node already.
fn credit(draft: &Draft<'_>, record: &ServiceRecord, lot: &[Placing], node: NodeId) -> Taken {
    let mut credit = Taken::new();
    for (of, amount) in lot.iter().flat_map(|it| draft.credit(record.id, &it.slot, node)) {
        *credit.entry(of).or_default() += amount;
    }
    credit
}

/// What the directory is to know beyond the facts.
struct Terms {
    only: Option<NodeId>,
    spread: BTreeMap<NodeId, Crowd>,
    refused: BTreeMap<NodeId, Reason>,
    credit: BTreeMap<NodeId, Taken>,
}

impl Terms {
    fn of(
        draft: &Draft<'_>,
        record: &ServiceRecord,
        lot: &[Placing],
        bounds: &Bounds,
        crowds: &BTreeMap<NodeId, BTreeMap<ImageKey, u32>>,
    ) -> Self {
        let own = |images: &BTreeMap<ImageKey, u32>| {
            lot.iter().filter_map(|it| images.get(&it.slot.image)).copied().max().unwrap_or(0)
        };
        let crowd =
            |images: &BTreeMap<ImageKey, u32>| Crowd { image: own(images), service: images.values().sum() };
        let mut refused = bounds.apart.clone();
        lot.iter().for_each(|it| refused.extend(draft.refusals(record.id, &it.slot)));
        let holders: BTreeSet<NodeId> = lot
            .iter()
            .flat_map(|it| draft.heard_in(record.id, &it.slot))
            .map(|observed| observed.node)
            .collect();
        let credit = holders.into_iter().map(|node| (node, credit(draft, record, lot, node)));
        Self {
            only: bounds.only,
            spread: crowds.iter().map(|(node, images)| (*node, crowd(images))).collect(),
            refused,
            credit: credit.filter(|(_, credit)| !credit.is_empty()).collect(),
        }
    }

    fn ask<'t>(&'t self, images: &'t [&'t ImageSpec], given: &'t BTreeMap<NodeId, Taken>) -> Ask<'t> {
        let Self { only, spread, refused, credit } = self;
        Ask { images, only: *only, spread, refused, credit, given }
    }
}
