//! `capabilities`: what an image asks of a node.
//!
//! Reads the tree of needs; what a property must be is read by `property`.

use std::collections::BTreeSet;

use motey_core::spec::{Comparison, Need, Requirement, Take, Test};

use crate::diagnostic::DiagnosticKind as Kind;
use crate::fields::Fields;
use crate::path::quoted;
use crate::property;
use crate::read::At;
use crate::report::Report;
use crate::schema::Level;
use crate::tree::{Style, Value};
use crate::units;

/// Characters of a name, a type or a property.
const LONGEST: usize = 128;

/// What such a name is.
pub(crate) const WORD: &str = "1 to 128 characters, no control characters, no spaces around it";

/// Lists of needs inside one another.
const DEEPEST: usize = 8;

/// Names in the needs of one image.
const MOST: usize = 256;

/// What an entry may ask for: one of these.
const HEADS: &[&str] = &["capability", "label", "any", "all"];

/// The type of what `label` asks for, and the property that `is` compares.
const LABEL: &str = "label";
const IS: &str = "is";

/// All of a list of names (the thesis's form) and requirements.
pub(crate) fn read(at: &At<'_>, report: &mut Report<'_>) -> Option<Need> {
    let mut reader = Reader { report, names: 0 };
    let needs = reader.list(at, 1)?;
    if reader.names > MOST {
        let message =
            format!("{} capabilities are named here and {MOST} are allowed: ask for fewer", reader.names);
        report.refuse(Kind::Limit, at, message);
        return None;
    }
    Some(Need::All(needs))
}

struct Reader<'r, 't> {
    report: &'r mut Report<'t>,
    names: usize,
}

impl Reader<'_, '_> {
    fn list(&mut self, at: &At<'_>, depth: usize) -> Option<Vec<Need>> {
        let list = self.report.list(at)?;
        if depth > DEEPEST {
            let message = format!("needs stand inside each other more than {DEEPEST} deep: flatten them");
            self.report.refuse(Kind::Limit, at, message);
            return None;
        }
        let mut seen = BTreeSet::new();
        let mut needs = Vec::new();
        for at in at.each(list) {
            let Some(need) = self.entry(at.clone(), depth) else { continue };
            if let Need::Has(requirement) = &need
                && !seen.insert(requirement.clone())
            {
                let message = format!("the capability {} is here twice: keep one", quoted(&requirement.name));
                self.report.refuse(Kind::Duplicate, &at, message);
            }
            needs.push(need);
        }
        Some(needs)
    }

    fn entry(&mut self, at: At<'_>, depth: usize) -> Option<Need> {
        match &at.node.value {
            Value::Scalar(_) => Some(Need::Has(Requirement::named(&self.name(&at)?))),
            Value::Map(_) => self.described(at, depth),
            _ => self.report.wrong_type(&at, "a capability's name or a map with `capability`"),
        }
    }

    fn described(&mut self, at: At<'_>, depth: usize) -> Option<Need> {
        let fields = Fields::of(at, Level::Capability, self.report)?;
        let absent = fields.get("not").map_or(Some(false), |at| self.flag(at));
        let head = fields.first(HEADS);
        let found = match head {
            Some(("any", at)) => self.choice(at, depth).map(Need::Any),
            Some(("all", at)) => self.choice(at, depth).map(Need::All),
            Some(("label", at)) => self.label(at, &fields).map(Need::Has),
            _ => self.capability(&fields).map(Need::Has),
        };
        let fits = self.nothing_else(head.map_or("capability", |(name, _)| name), &fields);
        if let (Some(true), Some(at)) = (absent, fields.get("amount")) {
            let message = "`amount` takes something, and `not` wants nothing to be there: drop one of them";
            self.report.refuse(Kind::Value, at, message);
            return None;
        }
        let found = found.filter(|_| fits)?;
        Some(if absent? { Need::Not(Box::new(found)) } else { found })
    }

    /// Whether no key is here that says nothing beside what the entry asks for.
    fn nothing_else(&mut self, head: &str, fields: &Fields<'_>) -> bool {
        let beside: &[&str] = match head {
            "capability" => &["label", "any", "all", "is"],
            "label" => &["any", "all", "type", "amount", "size", "version"],
            "any" => &["all", "type", "amount", "is", "size", "version"],
            _ => &["type", "amount", "is", "size", "version"],
        };
        let mut fits = true;
        let wrong = beside.iter().filter_map(|key| Some((*key, fields.get(key)?)));
        let own = fields.named().iter().filter(|_| head != "capability").map(|(key, at)| (*key, at));
        for (key, at) in wrong.chain(own) {
            fits = false;
            let message = match key {
                IS => {
                    "`is` compares a `label`; a property is compared as in `width: { eq: 1920 }`".to_owned()
                }
                _ => format!("{} says nothing beside `{head}`: make it an entry of its own", quoted(key)),
            };
            self.report.refuse(Kind::Value, at, message);
        }
        fits
    }

    fn choice(&mut self, at: &At<'_>, depth: usize) -> Option<Vec<Need>> {
        let needs = self.list(at, depth + 1)?;
        if at.as_list().is_some_and(|list| list.items.is_empty() && list.whole) {
            self.report.refuse(Kind::Value, at, "asks for nothing: name what is needed, or leave it out");
            return None;
        }
        Some(needs)
    }

    fn label(&mut self, at: &At<'_>, fields: &Fields<'_>) -> Option<Requirement> {
        let name = self.name(at);
        let tests = match fields.get(IS) {
            Some(at) if at.as_list().is_some() => {
                Some(vec![Test::OneOf(property::literals(at, self.report)?)])
            }
            Some(at) => {
                property::literal(at, self.report).map(|it| vec![Test::Compares(Comparison::Equal, it)])
            }
            None => Some(Vec::new()),
        };
        let tests = tests?.into_iter().map(|test| (IS.to_owned(), test)).collect();
        Some(Requirement { kind: Some(LABEL.into()), tests, ..Requirement::named(&name?) })
    }

    fn capability(&mut self, fields: &Fields<'_>) -> Option<Requirement> {
        let name = fields.required("capability", self.report).and_then(|at| self.name(at));
        let kind = fields.get("type").map_or(Some(None), |at| word(at, self.report).map(Some));
        let take = match (fields.get("amount"), &name) {
            (Some(at), Some(name)) => amount(at, name, self.report).map(Take::Amount),
            _ => Some(Take::One),
        };
        let tests = self.tests(name.as_deref().unwrap_or_default(), fields);
        Some(Requirement { name: name?, kind: kind?, tests: tests?, take: take? })
    }

    fn tests(&mut self, capability: &str, fields: &Fields<'_>) -> Option<Vec<(String, Test)>> {
        let known = ["size", "version"].into_iter().filter_map(|key| Some((key, fields.get(key)?)));
        let own = fields.named().iter().map(|(key, at)| (*key, at));
        let mut tests = Some(Vec::new());
        for (prop, at) in known.chain(own) {
            let read = property::read(capability, prop, at, self.report);
            match (&mut tests, read) {
                (Some(tests), Some(read)) => {
                    tests.extend(read.into_iter().map(|test| (prop.to_owned(), test)));
                }
                _ => tests = None,
            }
        }
        tests
    }

    fn name(&mut self, at: &At<'_>) -> Option<String> {
        self.names += 1;
        word(at, self.report)
    }

    fn flag(&mut self, at: &At<'_>) -> Option<bool> {
        match &at.node.value {
            Value::Scalar(scalar) if scalar.style != Style::Quoted && scalar.text == "true" => Some(true),
            Value::Scalar(scalar) if scalar.style != Style::Quoted && scalar.text == "false" => Some(false),
            _ => self.report.wrong_type(at, "`true` or `false`"),
        }
    }
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
