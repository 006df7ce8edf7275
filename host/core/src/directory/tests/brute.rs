//! Whatever brute force finds, the directory finds; and nothing else, nothing twice, and nothing worse.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::world::{self, Knowledge, called, node};
use crate::capability::{CapId, Capability, Supply};
use crate::directory::{Ask, Choice, Directory, NodeFacts};
use crate::id::NodeId;
use crate::needs::{Host, Needs, Offer, Taken, all_hold, satisfy};
use crate::reason::{Code, Reason};
use crate::spec::{ImageSpec, Need, Port, Requirement, Take};
use crate::state::Engine;

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_best_node_is_found_whenever_there_is_one(
        facts in vec(world::facts(), 1..=6),
        older in vec((0..6_u128, world::facts()), 0..=4),
        images in world::images(),
        knowledge in world::knowledge(),
    ) {
        let facts: BTreeMap<NodeId, NodeFacts> = (0..).map(node).zip(facts).collect();
        let directory = directory(&facts, older, &knowledge);
        Trial::new(&facts, &images, &knowledge).check(&directory)?;
    }

    #[test]
    fn one_node_satisfies_what_brute_force_says(
        (facts, need) in prop_oneof![(world::facts(), world::need()), world::tight()],
    ) {
        let capabilities: Vec<&Capability> = facts.capabilities.iter().collect();
        let offer = Offer { capabilities: &capabilities, held: &facts.held, credit: &Taken::new() };
        let host = Host { called: called(node(1)), holder: &|_| None };
        let ways = ways(&[&need], &facts.capabilities, &facts.held);
        match satisfy(&[Needs::from(need).goals()], &offer, &host) {
            Ok(taken) => prop_assert!(ways.contains(&taken), "{:?} is none of {:?}", taken, ways),
            Err(unmet) => prop_assert!(ways.is_empty() && !unmet.is_empty(), "{:?} but {:?}", unmet, ways),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn so_it_is_among_many_nodes(
        facts in vec(world::facts(), 8),
        drawn in vec(0..8_usize, 150),
        older in vec((0..200_u128, world::facts()), 0..=50),
        images in world::images(),
        knowledge in world::knowledge(),
    ) {
        let drawn = drawn.into_iter().map(|n| facts[n].clone());
        let facts: BTreeMap<NodeId, NodeFacts> = (0..).map(node).zip(drawn).collect();
        let directory = directory(&facts, older, &knowledge);
        Trial::new(&facts, &images, &knowledge).check(&directory)?;
    }
}

/// The directory as it is after it heard of older facts and of nodes that are gone.
fn directory(
    facts: &BTreeMap<NodeId, NodeFacts>,
    older: Vec<(u128, NodeFacts)>,
    knowledge: &Knowledge,
) -> Directory {
    let mut directory = Directory::default();
    for (n, facts) in older {
        directory.update(node(n), Arc::new(facts));
    }
    let known: Vec<NodeId> = directory.nodes().collect();
    known.iter().filter(|node| !facts.contains_key(node)).for_each(|node| directory.remove(*node));
    for (node, facts) in facts.iter().rev() {
        let unused = NodeFacts { held: Taken::new(), ..facts.clone() };
        directory.update(*node, Arc::new(unused));
        directory.update(*node, Arc::new(facts.clone()));
        let closed = knowledge.closed.contains(node).then(|| Reason::new(Code::WaitingAdmission, "cordoned"));
        directory.close(*node, closed);
    }
    directory
}

struct Trial<'a> {
    facts: &'a BTreeMap<NodeId, NodeFacts>,
    images: Vec<&'a ImageSpec>,
    knowledge: &'a Knowledge,
    refused: BTreeMap<NodeId, Reason>,
    credit: BTreeMap<NodeId, Taken>,
    given: BTreeMap<NodeId, Taken>,
}

impl<'a> Trial<'a> {
    fn new(
        facts: &'a BTreeMap<NodeId, NodeFacts>,
        images: &'a [ImageSpec],
        knowledge: &'a Knowledge,
    ) -> Self {
        let why = |node: &NodeId| (*node, Reason::new(Code::WaitingAdmission, "refused"));
        let of_units = |amounts: &[(NodeId, usize, u64)]| {
            let mut by_node: BTreeMap<NodeId, Taken> = BTreeMap::new();
            for (node, unit, amount) in amounts {
                let Some(facts) = facts.get(node) else { continue };
                let unit = facts.capabilities.iter().cloned().chain(world::ports()).nth(*unit);
                let Some(unit) = unit.filter(|unit| unit.supply != Supply::Shared) else { continue };
                *by_node.entry(*node).or_default().entry(unit.id).or_default() += amount;
            }
            by_node
        };
        Self {
            facts,
            images: images.iter().collect(),
            knowledge,
            refused: knowledge.refused.iter().map(why).collect(),
            credit: of_units(&knowledge.credit),
            given: of_units(&knowledge.given),
        }
    }

    fn ask(&self) -> Ask<'_> {
        Ask {
            only: self.knowledge.only,
            spread: &self.knowledge.spread,
            refused: &self.refused,
            credit: &self.credit,
            given: &self.given,
            ..Ask::new(&self.images)
        }
    }

    fn check(&self, directory: &Directory) -> Result<(), TestCaseError> {
        let fitting: BTreeMap<NodeId, BTreeSet<Taken>> = self
            .facts
            .keys()
            .map(|node| (*node, self.ways_on(*node)))
            .filter(|(_, ways)| !ways.is_empty())
            .collect();
        let verdicts = directory.verdicts(&self.ask(), called);
        let fit: BTreeSet<NodeId> =
            verdicts.iter().filter(|it| it.unmet.is_empty()).map(|it| it.node).collect();
        prop_assert_eq!(&fit, &fitting.keys().copied().collect());
        let Ok(choice) = directory.choose(&self.ask()) else {
            prop_assert!(fitting.is_empty(), "brute force finds {:?}", fitting);
            return Ok(());
        };
        let ways = fitting.get(&choice.node);
        prop_assert!(ways.is_some_and(|ways| ways.contains(&choice.taken)), "{:?}: {:?}", choice, ways);
        prop_assert_eq!(&choice.engines, &self.engines(choice.node));
        let alone = |node: &NodeId| {
            let choice = directory.choose(&Ask { only: Some(*node), ..self.ask() });
            choice.map(|choice| (self.rank(&choice), choice.node)).ok()
        };
        let best = fitting.keys().filter_map(alone).min();
        prop_assert_eq!(Some((self.rank(&choice), choice.node)), best, "{:?}", fitting);
        Ok(())
    }

    /// Every way to place all images there.
    fn ways_on(&self, node: NodeId) -> BTreeSet<Taken> {
        let facts = &self.facts[&node];
        let Knowledge { only, refused, closed, .. } = self.knowledge;
        let possible =
            only.is_none_or(|only| only == node) && !refused.contains(&node) && !closed.contains(&node);
        if !possible || self.engines(node).len() < self.images.len() {
            return BTreeSet::new();
        }
        let needs: Vec<Need> = self.images.iter().map(|image| with_ports(image)).collect();
        ways(&needs.iter().collect::<Vec<_>>(), &facts.capabilities, &self.used(node))
    }

    fn used(&self, node: NodeId) -> Taken {
        let mut used = self.facts[&node].held.clone();
        for (of, amount) in self.credit.get(&node).into_iter().flatten() {
            used.entry(of.clone()).and_modify(|used| *used = used.saturating_sub(*amount));
        }
        for (of, amount) in self.given.get(&node).into_iter().flatten() {
            *used.entry(of.clone()).or_default() += amount;
        }
        used
    }

    /// One for each image, where there is one for each.
    fn engines(&self, node: NodeId) -> Vec<crate::id::EngineName> {
        let up = |name: &&crate::id::EngineName| {
            matches!(self.facts[&node].engines.get(*name), Some(Engine::Up { .. }))
        };
        let all: Vec<_> = self.facts[&node].engines.keys().collect();
        let first = |image: &&ImageSpec| match image.engines.is_empty() {
            true => all.iter().copied().find(up).cloned(),
            false => image.engines.iter().find(up).cloned(),
        };
        self.images.iter().filter_map(first).collect()
    }

    /// As the documentation of `choice` says it.
    fn rank(&self, choice: &Choice) -> (Reverse<u64>, u32, u32) {
        let node = choice.node;
        let used = self.used(node);
        let left = self.facts[&node].capabilities.iter().filter_map(|unit| {
            let Supply::Amount(all) = unit.supply else { return None };
            let taken = amount(&used, &unit.id) + amount(&choice.taken, &unit.id);
            Some((16 * all.saturating_sub(taken)).checked_div(all).unwrap_or(16))
        });
        let crowd = self.knowledge.spread.get(&node).copied().unwrap_or_default();
        (Reverse(left.min().unwrap_or(16)), crowd.image, crowd.service)
    }
}

fn amount(taken: &Taken, id: &CapId) -> u64 {
    taken.get(id).copied().unwrap_or(0)
}

/// What an image asks for, its ports by their names.
fn with_ports(image: &ImageSpec) -> Need {
    let port = |port: &Port| Need::Has(Requirement::named(&format!("port/{}/{}", port.host, port.protocol)));
    let ports = image.params.ports.iter().map(port);
    Need::All([image.need.as_need().clone()].into_iter().chain(ports).collect())
}

/// All that can be taken to satisfy all needs, found by trying everything.
fn ways(needs: &[&Need], capabilities: &[Capability], used: &Taken) -> BTreeSet<Taken> {
    let mut all = capabilities.to_vec();
    all.extend(world::ports());
    let mut found = BTreeSet::new();
    try_all(needs, &all, used, &Taken::new(), &mut found);
    found
}

fn try_all(needs: &[&Need], all: &[Capability], used: &Taken, taken: &Taken, found: &mut BTreeSet<Taken>) {
    let Some((first, rest)) = needs.split_first() else {
        found.insert(taken.clone());
        return;
    };
    match first {
        Need::All(needs) => {
            let needs: Vec<&Need> = needs.iter().chain(rest.iter().copied()).collect();
            try_all(&needs, all, used, taken, found);
        }
        Need::Any(needs) => {
            for need in needs {
                let needs: Vec<&Need> = [need].into_iter().chain(rest.iter().copied()).collect();
                try_all(&needs, all, used, taken, found);
            }
        }
        Need::Not(need) if is_there(need, all) => {}
        Need::Not(_) => try_all(rest, all, used, taken, found),
        Need::Has(requirement) => {
            for unit in all.iter().filter(|unit| is_such(requirement, unit)) {
                let in_use = amount(used, &unit.id) + amount(taken, &unit.id);
                let more = match (requirement.take, unit.supply) {
                    (Take::One, Supply::Shared | Supply::Amount(_)) => 0,
                    (Take::One, Supply::Exclusive) if in_use == 0 => 1,
                    (Take::Amount(amount), Supply::Amount(all)) if in_use + amount <= all => amount,
                    _ => continue,
                };
                let mut taken = taken.clone();
                if more > 0 {
                    *taken.entry(unit.id.clone()).or_default() += more;
                }
                try_all(rest, all, used, &taken, found);
            }
        }
    }
}

fn is_such(requirement: &Requirement, unit: &Capability) -> bool {
    unit.id.name == requirement.name
        && requirement.kind.as_ref().is_none_or(|kind| *kind == unit.kind)
        && all_hold(&requirement.tests, unit)
}

fn is_there(need: &Need, all: &[Capability]) -> bool {
    match need {
        Need::All(needs) => needs.iter().all(|need| is_there(need, all)),
        Need::Any(needs) => needs.iter().any(|need| is_there(need, all)),
        Need::Not(need) => !is_there(need, all),
        Need::Has(requirement) => all.iter().any(|unit| {
            let enough = match (requirement.take, unit.supply) {
                (Take::One, _) => true,
                (Take::Amount(wanted), Supply::Amount(all)) => wanted <= all,
                _ => false,
            };
            enough && is_such(requirement, unit)
        }),
    }
}
