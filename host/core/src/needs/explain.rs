//! Says in words what of an image's needs a node does not meet. For people: nothing is decided by it.

use super::plan::{Goal, Want};
use super::search::{Stock, exists};
use super::test::{Value, holds, property};
use super::{Host, Offer, Taken, amount_in};
use crate::capability::{CapId, Capability, Supply, amount_text};
use crate::reason::{Code, Reason};
use crate::spec::{Literal, Requirement, Take, Test};

/// Every goal that is not met, in words.
pub(crate) fn unmet(lists: &[&[Goal]], offer: &Offer<'_>, host: &Host<'_>) -> Vec<Reason> {
    let mut walk = Walk { offer, host, taken: Taken::new(), unmet: Vec::new() };
    lists.iter().for_each(|goals| walk.all(goals));
    walk.unmet
}

struct Walk<'o, 'a, 'h> {
    offer: &'o Offer<'a>,
    host: &'o Host<'h>,
    taken: Taken,
    unmet: Vec<Reason>,
}

impl Walk<'_, '_, '_> {
    fn all(&mut self, goals: &[Goal]) {
        goals.iter().for_each(|goal| self.one(goal));
    }

    fn one(&mut self, goal: &Goal) {
        match goal {
            Goal::Has(want) => match self.pick(want) {
                Ok(None) => {}
                Ok(Some((of, amount))) => *self.taken.entry(of).or_default() += amount,
                Err(reason) => self.unmet.push(reason),
            },
            Goal::Any(lists) => self.any(lists),
            Goal::Not(goals) if exists(goals, self.offer) => {
                self.unmet.push(lacking(format!("{} is there and must not be", described(goals))));
            }
            Goal::Not(_) => {}
        }
    }

    fn any(&mut self, lists: &[Box<[Goal]>]) {
        let mut why_not = Vec::new();
        for goals in lists {
            let mut trial =
                Self { offer: self.offer, host: self.host, taken: self.taken.clone(), unmet: Vec::new() };
            trial.all(goals);
            if trial.unmet.is_empty() {
                self.taken = trial.taken;
                return;
            }
            why_not.extend(trial.unmet.into_iter().map(|reason| reason.text));
        }
        let text = format!("none of {} choices is met: {}", lists.len(), why_not.join(", and "));
        self.unmet.push(lacking(text));
    }

    /// The unit that satisfies a want, and how much of it is used up; `None` where nothing is.
    fn pick(&self, want: &Want) -> Result<Option<(CapId, u64)>, Reason> {
        let mut nearest = None;
        for (unit, used) in self.offer.units(want) {
            let used = used.saturating_add(amount_in(&self.taken, &unit.id));
            match self.fits(want, unit, used) {
                Ok(0) => return Ok(None),
                Ok(amount) => return Ok(Some((unit.id.clone(), amount))),
                Err(why_not) => nearest = nearest.max(Some(why_not)),
            }
        }
        let Requirement { name, kind, .. } = &want.requirement;
        Err(nearest.map_or_else(
            || match kind {
                Some(kind) => lacking(format!("nothing offers the {kind} capability {name}")),
                None => lacking(format!("nothing offers the capability {name}")),
            },
            |WhyNot { reason, .. }| reason,
        ))
    }

    /// How much of one unit a want uses up, when it fits beside what is used already.
    fn fits(&self, want: &Want, unit: &Capability, used: u64) -> Result<u64, WhyNot> {
        let Requirement { name, tests, take, .. } = &want.requirement;
        if let Some((prop, test)) = tests.iter().find(|(prop, test)| !passes(unit, prop, test)) {
            return Err(WhyNot { has_all: false, reason: lacking(self.other(unit, prop, test)) });
        }
        match (*take, unit.supply) {
            (Take::One, Supply::Shared | Supply::Amount(_)) => Ok(0),
            (Take::One, Supply::Exclusive) if used == 0 => Ok(1),
            (Take::One, Supply::Exclusive) => {
                let (code, name) = match name.strip_prefix("port/") {
                    Some(port) => (Code::WaitingPort, port),
                    None => (Code::WaitingCapability, name.as_str()),
                };
                let text = match (self.host.holder)(&unit.id) {
                    Some(holder) => format!("{}: {name} is held by {holder}", self.host.called),
                    None => format!("{}: {name} is taken by another instance", self.host.called),
                };
                Err(WhyNot { has_all: true, reason: Reason::new(code, text) })
            }
            (Take::Amount(wanted), Supply::Amount(all)) if all.saturating_sub(used) >= wanted => Ok(wanted),
            (Take::Amount(wanted), Supply::Amount(all)) => {
                let [wanted, free, all] =
                    [wanted, all.saturating_sub(used), all].map(|amount| amount_text(name, amount));
                let text = format!("{wanted} of {name} are wanted, {free} of {all} are free");
                Err(WhyNot { has_all: true, reason: lacking(text) })
            }
            (Take::Amount(_), Supply::Shared | Supply::Exclusive) => {
                Err(WhyNot { has_all: false, reason: lacking(format!("{name} has no amount")) })
            }
        }
    }

    /// A property that is not as wanted.
    fn other(&self, unit: &Capability, prop: &str, test: &Test) -> String {
        let name = &unit.id.name;
        let found = match property(unit, prop) {
            Some(value) => format!("{} has {}", self.host.called, shown(name, prop, test, value)),
            None => format!("{} does not tell", self.host.called),
        };
        match prop {
            "size" | "is" => format!("{name}: {test} is wanted, {found}"),
            _ => format!("{name}: {prop} {test} is wanted, {found}"),
        }
    }
}

/// Why a unit will not do; what is nearer to doing is greater.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct WhyNot {
    /// It is what is wanted, and lacks room only.
    has_all: bool,
    reason: Reason,
}

fn lacking(text: String) -> Reason {
    Reason::new(Code::WaitingCapability, text)
}

fn passes(unit: &Capability, prop: &str, test: &Test) -> bool {
    property(unit, prop).is_some_and(|value| holds(test, value))
}

/// What some goals ask for.
fn described(goals: &[Goal]) -> String {
    let texts = goals.iter().map(|goal| match goal {
        Goal::Has(want) => {
            let Requirement { name, tests, .. } = &want.requirement;
            let tests: Vec<String> = tests.iter().map(|(prop, test)| format!("{prop} {test}")).collect();
            if tests.is_empty() { name.clone() } else { format!("{name} ({})", tests.join(", ")) }
        }
        Goal::Any(lists) => lists.iter().map(|goals| described(goals)).collect::<Vec<_>>().join(" or "),
        Goal::Not(goals) => format!("no {}", described(goals)),
    });
    texts.collect::<Vec<_>>().join(" and ")
}

/// A value in the unit in which it was asked for.
fn shown(capability: &str, prop: &str, test: &Test, value: Value<'_>) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Text(text) => text.to_owned(),
        Value::Integer(number) => match u64::try_from(number) {
            Ok(amount) if prop == "size" => amount_text(capability, amount),
            Ok(amount) if has_unit(test) => amount_text("memory", amount),
            _ => number.to_string(),
        },
    }
}

/// Only bytes have units in a test.
fn has_unit(test: &Test) -> bool {
    let unit = |literal: &Literal| literal.number.is_some() && literal.text.ends_with('B');
    match test {
        Test::Compares(_, literal) | Test::Between(literal, _) => unit(literal),
        Test::OneOf(literals) => literals.iter().any(unit),
        Test::Matches(_) | Test::Version(_) => false,
    }
}
