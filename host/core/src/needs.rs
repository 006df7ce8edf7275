//! Matches what an image needs against what a node offers, and says in words what is missing.

use std::collections::BTreeMap;

use crate::capability::{CapId, Capability, Supply, amount_text};
use crate::reason::{Code, Reason};
use crate::spec::{Need, Requirement, Take};

/// What would be taken of a node's capabilities.
pub(crate) type Taken = BTreeMap<CapId, u64>;

/// A node's capabilities, with what is left of each.
pub(crate) struct Offer<'a> {
    /// All it has.
    pub capabilities: &'a [&'a Capability],
    /// What of them is held.
    pub held: &'a Taken,
    /// What of that counts as free, since it is held by the one who asks.
    pub credit: &'a Taken,
}

impl Offer<'_> {
    fn used(&self, id: &CapId) -> u64 {
        held(id, self.held).saturating_sub(held(id, self.credit))
    }
}

/// What satisfying `need` would take from `offer`.
///
/// # Errors
/// Every requirement that is not met, in words.
pub(crate) fn satisfy(need: &Need, offer: &Offer<'_>) -> Result<Taken, Vec<Reason>> {
    let mut taken = Taken::new();
    let mut unmet = Vec::new();
    walk(need, offer, &mut taken, &mut unmet);
    if unmet.is_empty() { Ok(taken) } else { Err(unmet) }
}

fn walk(need: &Need, offer: &Offer<'_>, taken: &mut Taken, unmet: &mut Vec<Reason>) {
    match need {
        Need::All(all) => all.iter().for_each(|need| walk(need, offer, taken, unmet)),
        Need::Has(requirement) => match pick(requirement, offer, taken) {
            Ok(None) => {}
            Ok(Some((of, amount))) => *taken.entry(of).or_default() += amount,
            Err(text) => unmet.push(Reason::new(Code::WaitingCapability, text)),
        },
    }
}

/// The unit that satisfies a requirement, and how much of it is used up; `None` where nothing is.
fn pick(requirement: &Requirement, offer: &Offer<'_>, taken: &Taken) -> Result<Option<(CapId, u64)>, String> {
    let mut why_not = None;
    for capability in named(requirement, offer) {
        let used = offer.used(&capability.id) + held(&capability.id, taken);
        match fits(requirement, capability.supply, used) {
            Ok(0) => return Ok(None),
            Ok(amount) => return Ok(Some((capability.id.clone(), amount))),
            Err(text) => why_not = Some(text),
        }
    }
    Err(why_not.unwrap_or_else(|| match &requirement.kind {
        Some(kind) => format!("nothing offers the {kind} capability {}", requirement.name),
        None => format!("nothing offers the capability {}", requirement.name),
    }))
}

fn named<'a>(requirement: &'a Requirement, offer: &Offer<'a>) -> impl Iterator<Item = &'a Capability> {
    offer.capabilities.iter().copied().filter(|capability| {
        capability.id.name == requirement.name
            && requirement.kind.as_ref().is_none_or(|kind| *kind == capability.kind)
    })
}

fn held(id: &CapId, by: &Taken) -> u64 {
    by.get(id).copied().unwrap_or(0)
}

/// How much of one unit a requirement uses up, when it fits beside what is used already.
fn fits(requirement: &Requirement, supply: Supply, used: u64) -> Result<u64, String> {
    let name = &requirement.name;
    match (requirement.take, supply) {
        (Take::One, Supply::Shared | Supply::Amount(_)) => Ok(0),
        (Take::One, Supply::Exclusive) if used == 0 => Ok(1),
        (Take::One, Supply::Exclusive) => Err(format!("{name} is taken by another instance")),
        (Take::Amount(wanted), Supply::Amount(all)) if all.saturating_sub(used) >= wanted => Ok(wanted),
        (Take::Amount(wanted), Supply::Amount(all)) => {
            let [wanted, free, all] =
                [wanted, all.saturating_sub(used), all].map(|amount| amount_text(name, amount));
            Err(format!("{wanted} of {name} are wanted, {free} of {all} are free"))
        }
        (Take::Amount(_), Supply::Shared | Supply::Exclusive) => Err(format!("{name} has no amount")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capability(name: &str, unit: &str, supply: Supply) -> Capability {
        let id = CapId { source: "test".into(), name: name.into(), unit: unit.into() };
        Capability { id, kind: "hardware".into(), props: BTreeMap::new(), supply }
    }

    fn has(name: &str, take: Take) -> Need {
        Need::Has(Requirement { name: name.into(), kind: None, take })
    }

    fn texts(unmet: Vec<Reason>) -> Vec<String> {
        unmet.into_iter().map(|reason| reason.text).collect()
    }

    #[test]
    fn two_needs_of_one_kind_take_two_units() {
        let (a, b) =
            (capability("zigbee", "a", Supply::Exclusive), capability("zigbee", "b", Supply::Exclusive));
        let held = Taken::new();
        let offer = Offer { capabilities: &[&a, &b], held: &held, credit: &Taken::new() };
        let twice = Need::All(vec![has("zigbee", Take::One), has("zigbee", Take::One)]);
        let taken = satisfy(&twice, &offer).expect("two units for two needs");
        assert_eq!(taken.into_iter().collect::<Vec<_>>(), [(a.id.clone(), 1), (b.id.clone(), 1)]);
        let held = Taken::from([(a.id.clone(), 1)]);
        let offer = Offer { capabilities: &[&a, &b], held: &held, credit: &Taken::new() };
        assert_eq!(
            texts(satisfy(&twice, &offer).expect_err("one is left")),
            ["zigbee is taken by another instance"]
        );
    }

    #[test]
    fn every_unmet_need_is_said() {
        let memory = capability("memory", "", Supply::Amount(100));
        let held = Taken::from([(memory.id.clone(), 30)]);
        let offer = Offer { capabilities: &[&memory], held: &held, credit: &Taken::new() };
        let need = Need::All(vec![has("memory", Take::Amount(71)), has("zigbee", Take::One)]);
        assert_eq!(
            texts(satisfy(&need, &offer).expect_err("nothing fits")),
            ["71 B of memory are wanted, 70 B of 100 B are free", "nothing offers the capability zigbee",]
        );
        assert_eq!(satisfy(&has("memory", Take::One), &offer), Ok(Taken::new()));
    }
}
