//! What an image needs, as a blueprint would say it.

use std::collections::BTreeMap;

use motey_core::spec::{Comparison, Literal, Need, Requirement, Take, Test};
use serde::Serialize;

/// An entry of `capabilities`: a name, as in the thesis, where that says it all.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Capability {
    Name(String),
    Entry(Box<Entry>),
}

/// An entry that says more.
#[derive(Debug, Default, Serialize)]
pub(super) struct Entry {
    #[serde(skip_serializing_if = "Option::is_none")]
    capability: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// In its base unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    any: Option<Vec<Capability>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    all: Option<Vec<Capability>>,
    #[serde(skip_serializing_if = "is_false")]
    not: bool,
    /// What its properties must be: the comparisons of each.
    #[serde(flatten)]
    properties: BTreeMap<String, BTreeMap<&'static str, Operand>>,
}

/// What a property is compared with, as it was written.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Operand {
    One(String),
    Several(Vec<String>),
}

/// The entries of a list of needs.
pub(super) fn capabilities(need: &Need) -> Vec<Capability> {
    match need {
        Need::All(needs) => needs.iter().flat_map(capabilities).collect(),
        other => vec![entry(other)],
    }
}

fn entry(need: &Need) -> Capability {
    let each = |needs: &[Need]| Some(needs.iter().map(entry).collect());
    Capability::Entry(Box::new(match need {
        Need::Has(requirement) => return required(requirement),
        Need::All(needs) => Entry { all: each(needs), ..Entry::default() },
        Need::Any(needs) => Entry { any: each(needs), ..Entry::default() },
        Need::Not(need) => match entry(need) {
            Capability::Name(name) => Entry { capability: Some(name), not: true, ..Entry::default() },
            Capability::Entry(entry) if !entry.not => Entry { not: true, ..*entry },
            twice => Entry { all: Some(vec![twice]), not: true, ..Entry::default() },
        },
    }))
}

fn required(Requirement { name, kind, tests, take }: &Requirement) -> Capability {
    let amount = match take {
        Take::One if kind.is_none() && tests.is_empty() => return Capability::Name(name.clone()),
        Take::One => None,
        Take::Amount(amount) => Some(*amount),
    };
    let mut properties: BTreeMap<String, BTreeMap<&'static str, Operand>> = BTreeMap::new();
    for (prop, test) in tests {
        let (how, operand) = compared(test);
        properties.entry(prop.clone()).or_default().insert(how, operand);
    }
    let (capability, kind) = (Some(name.clone()), kind.clone());
    Capability::Entry(Box::new(Entry { capability, kind, amount, properties, ..Entry::default() }))
}

fn compared(test: &Test) -> (&'static str, Operand) {
    let one = |literal: &Literal| Operand::One(literal.text.clone());
    let text = |literal: &Literal| literal.text.clone();
    match test {
        Test::Compares(how, literal) => (comparison(*how), one(literal)),
        Test::Between(least, most) => ("range", Operand::Several(vec![text(least), text(most)])),
        Test::OneOf(literals) => ("in", Operand::Several(literals.iter().map(text).collect())),
        Test::Matches(shape) => ("matches", Operand::One(shape.clone())),
        Test::Version(bounds) => {
            let bounds = bounds.iter().map(|(how, version)| format!("{} {version}", how.as_str()));
            ("version", Operand::One(bounds.collect::<Vec<_>>().join(", ")))
        }
    }
}

fn comparison(how: Comparison) -> &'static str {
    match how {
        Comparison::Equal => "eq",
        Comparison::Different => "ne",
        Comparison::Less => "lt",
        Comparison::AtMost => "le",
        Comparison::More => "gt",
        Comparison::AtLeast => "ge",
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> Literal {
        Literal { text: text.into(), number: None }
    }

    #[test]
    fn needs_as_a_blueprint_would_say_them() {
        let name = |name: &str| Need::Has(Requirement::named(name));
        let has = |name: &str, tests: Vec<(&str, Test)>| {
            let tests = tests.into_iter().map(|(prop, test)| (prop.to_owned(), test)).collect();
            Need::Has(Requirement { tests, ..Requirement::named(name) })
        };
        let not = |need| Need::Not(Box::new(need));
        let camera = has(
            "camera",
            vec![
                ("width", Test::Compares(Comparison::AtLeast, literal("1920"))),
                ("width", Test::Compares(Comparison::Less, literal("4096"))),
                ("vendor", Test::OneOf(vec![literal("acme"), literal("basler")])),
                ("zoom", Test::Between(literal("1"), literal("8"))),
                ("model", Test::Matches("cc2*".into())),
                ("firmware", Test::Version(vec![(Comparison::More, "2.4".into())])),
            ],
        );
        let choice = Need::Any(vec![name("zigbee"), Need::All(vec![name("zwave"), name("usb")])]);
        let all = vec![name("serial"), not(name("gpu")), camera, not(choice), not(not(name("tpm")))];
        let view = serde_json::to_string_pretty(&capabilities(&Need::All(all))).expect("JSON");
        insta::assert_snapshot!(view, @r#"
    [
      "serial",
      {
        "capability": "gpu",
        "not": true
      },
      {
        "capability": "camera",
        "firmware": {
          "version": "> 2.4"
        },
        "model": {
          "matches": "cc2*"
        },
        "vendor": {
          "in": [
            "acme",
            "basler"
          ]
        },
        "width": {
          "ge": "1920",
          "lt": "4096"
        },
        "zoom": {
          "range": [
            "1",
            "8"
          ]
        }
      },
      {
        "any": [
          "zigbee",
          {
            "all": [
              "zwave",
              "usb"
            ]
          }
        ],
        "not": true
      },
      {
        "all": [
          {
            "capability": "tpm",
            "not": true
          }
        ],
        "not": true
      }
    ]
    "#);
    }
}
