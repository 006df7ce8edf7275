//! Needs made ready for matching, once for each image: flat, with names that are found by a number.
//!
//! Holds nothing of any node.

use std::collections::BTreeMap;

use crate::capability::{CapId, Capability, Supply};
use crate::spec::{Need, Protocol, Requirement};

/// The source of what every node has without telling: whether it exists is computed, only its leases are stored.
const IMPLIED: &str = "node";

/// What an image needs, together with the form in which it is matched.
#[derive(Clone)]
pub struct Needs {
    need: Need,
    goals: Box<[Goal]>,
}

/// One thing to satisfy; no list of them has another list of all right inside it.
#[derive(Clone, Debug)]
pub(crate) enum Goal {
    Has(Want),
    /// One of these lists.
    Any(Box<[Box<[Goal]>]>),
    /// Not all of these.
    Not(Box<[Goal]>),
}

/// A requirement with what is computed from it alone.
#[derive(Clone, Debug)]
pub(crate) struct Want {
    /// Of its name, see [`mark`].
    pub mark: u64,
    pub requirement: Requirement,
    /// What every node has of it.
    pub implied: Option<Box<Capability>>,
}

/// A number that stands for a capability's name: equal names have equal marks, and different ones nearly always
/// different marks (FNV-1a).
pub(crate) fn mark(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

impl Goal {
    /// A port of the node's own, whatever else it has.
    pub fn port(number: u16, protocol: Protocol) -> Self {
        Self::Has(Want::new(&Requirement::named(&format!("port/{number}/{protocol}"))))
    }

    /// What it wants whatever is chosen.
    pub fn as_want(&self) -> Option<&Want> {
        if let Self::Has(want) = self { Some(want) } else { None }
    }
}

impl Needs {
    /// As it was written.
    pub fn as_need(&self) -> &Need {
        &self.need
    }

    pub(crate) fn goals(&self) -> &[Goal] {
        &self.goals
    }
}

impl From<Need> for Needs {
    fn from(need: Need) -> Self {
        let goals = goals(&need);
        Self { need, goals }
    }
}

impl From<Needs> for Need {
    fn from(needs: Needs) -> Self {
        needs.need
    }
}

impl PartialEq for Needs {
    fn eq(&self, other: &Self) -> bool {
        self.need == other.need
    }
}

impl Eq for Needs {}

impl std::fmt::Debug for Needs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.need.fmt(f)
    }
}

fn goals(need: &Need) -> Box<[Goal]> {
    let mut all = Vec::new();
    flatten(need, &mut all);
    all.into()
}

fn flatten(need: &Need, into: &mut Vec<Goal>) {
    match need {
        Need::All(needs) => needs.iter().for_each(|need| flatten(need, into)),
        Need::Any(needs) => into.push(Goal::Any(needs.iter().map(goals).collect())),
        Need::Not(need) => into.push(Goal::Not(goals(need))),
        Need::Has(requirement) => into.push(Goal::Has(Want::new(requirement))),
    }
}

impl Want {
    fn new(requirement: &Requirement) -> Self {
        let name = &requirement.name;
        Self { mark: mark(name), requirement: requirement.clone(), implied: implied(name).map(Box::new) }
    }

    /// Whether a capability has the wanted name and type.
    pub fn names(&self, capability: &Capability) -> bool {
        let Requirement { name, kind, .. } = &self.requirement;
        capability.id.name == *name && kind.as_ref().is_none_or(|kind| *kind == capability.kind)
    }
}

/// Whether every node has it without telling.
pub(crate) fn is_implied(of: &CapId) -> bool {
    of.source == IMPLIED && implied(&of.name).is_some()
}

/// What every node has under that name: each port of its own, for one instance at a time.
fn implied(name: &str) -> Option<Capability> {
    let (number, protocol) = name.strip_prefix("port/")?.split_once('/')?;
    let plain = number.bytes().all(|byte| byte.is_ascii_digit()) && !number.starts_with('0');
    let is_port = plain && number.parse::<u16>().is_ok() && matches!(protocol, "tcp" | "udp");
    is_port.then(|| Capability {
        id: CapId { source: IMPLIED.into(), name: name.into(), unit: String::new() },
        kind: "port".into(),
        props: BTreeMap::new(),
        supply: Supply::Exclusive,
        binding: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_has_its_ports() {
        for name in ["port/1/tcp", "port/8080/udp", "port/65535/tcp"] {
            assert_eq!(implied(name).map(|port| port.id.name).as_deref(), Some(name));
        }
        for name in
            ["port/0/tcp", "port/080/tcp", "port/65536/tcp", "port/+1/tcp", "port/80", "port/80/sctp", "x"]
        {
            assert_eq!(implied(name), None, "{name}");
        }
    }

    #[test]
    fn lists_of_all_inside_each_other_are_one_list() {
        let has = |name| Need::Has(Requirement::named(name));
        let tree = Need::All(vec![has("a"), Need::All(vec![has("b"), Need::All(vec![])]), Need::Any(vec![])]);
        let needs = Needs::from(tree.clone());
        assert!(matches!(needs.goals(), [Goal::Has(_), Goal::Has(_), Goal::Any(_)]), "{:?}", needs.goals());
        assert_eq!(Need::from(needs), tree);
    }
}
