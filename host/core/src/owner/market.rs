//! The nodes that a slot may be given to: this one by all that it knows of itself, the others by what they told. What is
//! given away in between is remembered, so that the next slot is placed beside it.
//!
//! This node comes first when it satisfies everything, as the thesis wants it; among the others the directory chooses.

use std::collections::BTreeMap;

use crate::directory::{Ask, Crowd};
use crate::draft::Draft;
use crate::id::{ImageKey, NodeId};
use crate::needs::Taken;
use crate::placement::{Choice, Facts, examine};
use crate::reason::{Code, Reason};
use crate::record::{ServiceRecord, SlotId};
use crate::spec::ImageSpec;

/// So many nodes are told of by name when nobody fits.
const NAMED: usize = 4;

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

    /// The best node for a slot, or whether `only` that one fits.
    pub fn choose(
        &mut self,
        draft: &Draft<'_>,
        record: &ServiceRecord,
        slot: &SlotId,
        image: &ImageSpec,
        only: Option<NodeId>,
    ) -> Option<Choice> {
        let me = draft.me();
        if only.is_none_or(|only| only == me)
            && let Some(Ok(choice)) = self.own_choice(draft, record, slot, image)
        {
            return Some(choice);
        }
        if only == Some(me) || draft.core.directory.nodes().next().is_none() {
            return None;
        }
        let terms = Terms::of(draft, record, slot, &self.crowds);
        let images = [image];
        let choice = draft.core.directory.choose(&terms.ask(&images, only, draft.given())).ok()?;
        let engine = choice.engines.into_iter().next()?;
        Some(Choice { node: choice.node, engine, taken: choice.taken })
    }

    fn own_choice(
        &self,
        draft: &Draft<'_>,
        record: &ServiceRecord,
        slot: &SlotId,
        image: &ImageSpec,
    ) -> Option<Result<Choice, Vec<Reason>>> {
        let own = self.own.as_ref()?;
        if let Some(reason) = draft.refusal(record.id, slot, own.node) {
            return Some(Err(vec![reason]));
        }
        Some(examine(image, own, &draft.credit(record.id, slot, own.node)))
    }

    /// What a slot takes where it was placed is no longer there for the next.
    pub fn give(&mut self, draft: &mut Draft<'_>, record: &ServiceRecord, slot: &SlotId, choice: &Choice) {
        *self.crowds.entry(choice.node).or_default().entry(slot.image.clone()).or_default() += 1;
        let credit = draft.credit(record.id, slot, choice.node);
        let beyond = |of, amount: &u64| amount.saturating_sub(credit.get(of).copied().unwrap_or(0));
        let new: Taken = choice.taken.iter().map(|(of, amount)| (of.clone(), beyond(of, amount))).collect();
        match self.own.as_mut().filter(|own| own.node == choice.node) {
            Some(own) => new.into_iter().for_each(|(of, n)| *own.held.entry(of).or_default() += n),
            None => draft.give(choice.node, &new),
        }
    }

    /// Why no node takes a slot, in words.
    pub fn why_not(
        &self,
        draft: &Draft<'_>,
        record: &ServiceRecord,
        slot: &SlotId,
        image: &ImageSpec,
    ) -> Vec<Reason> {
        let own = self.own_choice(draft, record, slot, image).and_then(Result::err);
        if !draft.outlook().cluster {
            return own.unwrap_or_else(|| vec![Reason::new(Code::WaitingNode, CLOSED)]);
        }
        let terms = Terms::of(draft, record, slot, &self.crowds);
        let images = [image];
        let ask = terms.ask(&images, None, draft.given());
        let mut said =
            vec![(draft.me(), own.unwrap_or_else(|| vec![Reason::new(Code::WaitingNode, CLOSED)]))];
        let verdicts = draft.core.directory.verdicts(&ask, |_| "it".to_owned());
        said.extend(verdicts.into_iter().map(|verdict| (verdict.node, verdict.unmet)));
        in_words(said)
    }
}

const CLOSED: &str = "this node takes on nothing new: it is cordoned, drained or forgotten";

/// What all nodes lack is said once, the rest node by node.
fn in_words(said: Vec<(NodeId, Vec<Reason>)>) -> Vec<Reason> {
    let common: Vec<Reason> = match said.first() {
        Some((_, first)) => {
            let all = |reason: &&Reason| said.iter().all(|(_, reasons)| reasons.contains(reason));
            first.iter().filter(all).cloned().collect()
        }
        None => Vec::new(),
    };
    if !common.is_empty() {
        return common;
    }
    let nodes = said.len();
    let mut words: Vec<Reason> = Vec::new();
    for (node, reasons) in said.into_iter().take(NAMED) {
        let code = reasons.first().map_or(Code::WaitingNode, |reason| reason.code);
        let texts: Vec<String> = reasons.into_iter().map(|reason| reason.text).collect();
        words.push(Reason::new(code, format!("node {node}: {}", texts.join(", "))));
    }
    if nodes > NAMED {
        words.push(Reason::new(Code::WaitingNode, format!("and {} nodes more", nodes - NAMED)));
    }
    words
}

/// What the directory is to know beyond the facts.
struct Terms {
    spread: BTreeMap<NodeId, Crowd>,
    refused: BTreeMap<NodeId, Reason>,
    credit: BTreeMap<NodeId, Taken>,
}

impl Terms {
    fn of(
        draft: &Draft<'_>,
        record: &ServiceRecord,
        slot: &SlotId,
        crowds: &BTreeMap<NodeId, BTreeMap<ImageKey, u32>>,
    ) -> Self {
        let crowd = |images: &BTreeMap<ImageKey, u32>| Crowd {
            image: images.get(&slot.image).copied().unwrap_or(0),
            service: images.values().sum(),
        };
        let holders = draft.heard_in(record.id, slot).into_iter().map(|observed| observed.node);
        let credit = holders.map(|node| (node, draft.credit(record.id, slot, node)));
        Self {
            spread: crowds.iter().map(|(node, images)| (*node, crowd(images))).collect(),
            refused: draft.refusals(record.id, slot),
            credit: credit.filter(|(_, credit)| !credit.is_empty()).collect(),
        }
    }

    fn ask<'t>(
        &'t self,
        images: &'t [&'t ImageSpec],
        only: Option<NodeId>,
        given: &'t BTreeMap<NodeId, Taken>,
    ) -> Ask<'t> {
        let Self { spread, refused, credit } = self;
        Ask { images, own: None, only, spread, refused, credit, given }
    }
}
