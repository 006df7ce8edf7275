//! `capabilities`: what an image asks of a node.

use std::collections::BTreeSet;

use motey_core::spec::{Need, Requirement, Take};

use crate::diagnostic::DiagnosticKind as Kind;
use crate::fields::Fields;
use crate::path::quoted;
use crate::read::At;
use crate::report::Report;
use crate::schema::Level;
use crate::tree::Value;
use crate::units;

/// Characters of a capability's name or type.
const LONGEST: usize = 128;

/// What such a name is.
pub(crate) const WORD: &str = "1 to 128 characters, no control characters, no spaces around it";

/// Keys that ask for something without naming a capability.
const NAMELESS: &[&str] = &["label", "any", "all"];

/// All of a list of names (the thesis's form) and requirements.
pub(crate) fn read(at: &At<'_>, report: &mut Report<'_>) -> Option<Need> {
    let list = report.list(at)?;
    let mut seen = BTreeSet::new();
    let mut needs = Vec::new();
    for at in at.each(list) {
        let Some(requirement) = requirement(at.clone(), report) else { continue };
        if !seen.insert((requirement.name.clone(), requirement.kind.clone())) {
            let message = format!("the capability {} is here twice: keep one", quoted(&requirement.name));
            report.refuse(Kind::Duplicate, &at, message);
        }
        needs.push(Need::Has(requirement));
    }
    Some(Need::All(needs))
}

fn requirement(at: At<'_>, report: &mut Report<'_>) -> Option<Requirement> {
    match &at.node.value {
        Value::Scalar(_) => Some(Requirement { name: word(&at, report)?, kind: None, take: Take::One }),
        Value::Map(_) => described(at, report),
        _ => report.wrong_type(&at, "a capability's name or a map with `capability`"),
    }
}

fn described(at: At<'_>, report: &mut Report<'_>) -> Option<Requirement> {
    let nameless =
        at.as_map().is_some_and(|map| map.items.iter().any(|e| NAMELESS.contains(&e.key.as_str())));
    let fields = Fields::of(at, Level::Capability, report)?;
    let name = match fields.get("capability") {
        None if nameless => None,
        None => fields.required("capability", report),
        found => found,
    };
    let name = name.and_then(|at| word(at, report));
    let kind = fields.get("type").map_or(Some(None), |at| word(at, report).map(Some));
    let take = match (fields.get("amount"), &name) {
        (Some(at), Some(name)) => amount(at, name, report).map(Take::Amount),
        _ => Some(Take::One),
    };
    Some(Requirement { name: name?, kind: kind?, take: take? })
}

pub(crate) fn word(at: &At<'_>, report: &mut Report<'_>) -> Option<String> {
    let text = report.text(at)?;
    let fits = is_word(&text);
    if !fits {
        report.refuse(
            Kind::Value,
            at,
            format!("{} is not a valid capability or type: {WORD}", quoted(&text)),
        );
    }
    fits.then_some(text)
}

pub(crate) fn is_word(text: &str) -> bool {
    (1..=LONGEST).contains(&text.chars().count())
        && !text.chars().any(char::is_control)
        && text.trim() == text
}

/// An amount of this capability as people write it, in its base unit: bytes, millicores, pieces.
///
/// # Errors
/// What is wrong with the text and what to write instead.
pub fn read_amount(capability: &str, text: &str) -> Result<u64, String> {
    match capability {
        "memory" | "disk" => units::bytes(text),
        "cpu" => units::millicores(text),
        _ => units::whole(text),
    }
}

/// At least one of the base unit.
fn amount(at: &At<'_>, capability: &str, report: &mut Report<'_>) -> Option<u64> {
    let text = report.written(at)?;
    let amount = report.checked(at, Kind::Value, read_amount(capability, &text))?;
    if amount == 0 {
        report.refuse(
            Kind::Value,
            at,
            "an amount of nothing: write more, or leave `amount` out to ask for one",
        );
        return None;
    }
    Some(amount)
}
