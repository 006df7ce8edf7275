//! What each node lacks for what is to be placed, in words. For people: it looks at every node.

use super::Directory;
use super::choice::Ask;
use super::entry::Entry;
use crate::id::{Called, NodeId};
use crate::needs::{Host, Offer, Search, Taken, unmet};
use crate::placement::engine_for;
use crate::reason::{Code, Reason};

/// More reasons than that are not read.
const MOST_SAID: usize = 8;

/// What is to be said of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The node.
    pub node: NodeId,
    /// Why it cannot take what is asked; empty: it can.
    pub unmet: Vec<Reason>,
}

impl Directory {
    /// A verdict on every node, in the order of their ids.
    pub fn verdicts(&self, ask: &Ask<'_>, called: impl Fn(NodeId) -> Called) -> Vec<Verdict> {
        let verdict = |entry: &Entry| Verdict { node: entry.node, unmet: why_not(entry, ask, &called) };
        self.nodes.iter().map(verdict).collect()
    }
}

/// What is to be said when no node will do: what is missing where least is missing, each text once, at most
/// [`MOST_SAID`] of them.
pub fn summary(verdicts: &[Verdict]) -> Vec<Reason> {
    let fewest = verdicts.iter().map(|verdict| verdict.unmet.len()).min().unwrap_or_default();
    let nearest = verdicts.iter().filter(|verdict| verdict.unmet.len() == fewest);
    let mut said: Vec<Reason> = Vec::new();
    for reason in nearest.flat_map(|verdict| &verdict.unmet) {
        if said.len() < MOST_SAID && !said.contains(reason) {
            said.push(reason.clone());
        }
    }
    said
}

fn why_not(entry: &Entry, ask: &Ask<'_>, called: impl Fn(NodeId) -> Called) -> Vec<Reason> {
    if let Some(only) = ask.only.filter(|only| *only != entry.node) {
        let text = format!("it has to run on {}", called(only));
        return vec![Reason::new(Code::WaitingAdmission, text)];
    }
    let mut reasons: Vec<Reason> = entry.closed.iter().chain(ask.refused.get(&entry.node)).cloned().collect();
    let engines = ask.images.iter().map(|image| engine_for(image, &entry.facts.engines));
    reasons.extend(engines.filter_map(Result::err));
    let host = Host { called: called(entry.node), holder: &|of| entry.facts.holders.get(of) };
    reasons.extend(needs(entry, ask, &host));
    reasons.sort();
    reasons.dedup();
    reasons
}

fn needs(entry: &Entry, ask: &Ask<'_>, host: &Host<'_>) -> Vec<Reason> {
    let capabilities: Vec<_> = entry.facts.capabilities.iter().collect();
    let held = used(entry, ask);
    let offer = Offer { capabilities: &capabilities, held: &held, credit: &Taken::new() };
    let lists: Vec<_> = ask.images.iter().flat_map(|image| image.goals()).collect();
    if Search::default().fits(&lists, &offer) { Vec::new() } else { unmet(&lists, &offer, host) }
}

/// What is used there as the asker sees it: what he holds is free, what he gave away since is not.
fn used(entry: &Entry, ask: &Ask<'_>) -> Taken {
    let mut used = entry.facts.held.clone();
    for (of, own) in ask.credit.get(&entry.node).into_iter().flatten() {
        used.entry(of.clone()).and_modify(|used| *used = used.saturating_sub(*own));
    }
    for (of, given) in ask.given.get(&entry.node).into_iter().flatten() {
        let used = used.entry(of.clone()).or_default();
        *used = used.saturating_add(*given);
    }
    used
}
