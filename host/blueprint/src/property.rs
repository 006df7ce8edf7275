//! What a property of a capability must be: `{ ge: 512 MB }`, `">= 2.4, < 3"`.
//!
//! The property that a value meets on a node decides what it is. So a value is kept as it is written, and as the
//! number that it may stand for.

use motey_core::spec::{Comparison, Literal, Test};

use crate::diagnostic::DiagnosticKind as Kind;
use crate::fields::Fields;
use crate::need::read_amount;
use crate::path::quoted;
use crate::read::At;
use crate::report::Report;
use crate::schema::Level;
use crate::units;

/// Characters of a pattern.
const LONGEST_PATTERN: usize = 256;

const COMPARISONS: &[(&str, Comparison)] = &[
    ("eq", Comparison::Equal),
    ("ne", Comparison::Different),
    ("lt", Comparison::Less),
    ("le", Comparison::AtMost),
    ("gt", Comparison::More),
    ("ge", Comparison::AtLeast),
];

/// Longer spellings first: `<` begins two of them.
const SIGNS: &[Comparison] = &[
    Comparison::AtLeast,
    Comparison::AtMost,
    Comparison::Different,
    Comparison::Equal,
    Comparison::More,
    Comparison::Less,
];

/// Everything that is wanted of one property.
pub(crate) fn read(capability: &str, prop: &str, at: &At<'_>, report: &mut Report<'_>) -> Option<Vec<Test>> {
    if at.as_map().is_none() {
        return match prop {
            "version" => version(at, report).map(|test| vec![test]),
            _ => report.wrong_type(at, "a map with comparisons such as `{ ge: 512 MB }`"),
        };
    }
    let fields = Fields::of(at.clone(), Level::Test, report)?;
    let number = |at: &At<'_>, report: &mut Report<'_>| number(capability, prop, at, report);
    let mut tests = Vec::new();
    for (key, how) in COMPARISONS {
        let Some(at) = fields.get(key) else { continue };
        let is_number = !matches!(how, Comparison::Equal | Comparison::Different) || prop == "size";
        let value = if is_number { number(at, report) } else { literal(at, report) };
        tests.push(value.map(|value| Test::Compares(*how, value)));
    }
    tests.extend(fields.get("range").map(|at| range(at, report, number)));
    tests.extend(fields.get("in").map(|at| literals(at, report).map(Test::OneOf)));
    tests.extend(fields.get("matches").map(|at| pattern(at, report).map(Test::Matches)));
    tests.extend(fields.get("version").map(|at| version(at, report)));
    if tests.is_empty() && at.as_map().is_some_and(|map| map.items.is_empty() && map.whole) {
        report.refuse(Kind::Value, at, "compares with nothing: write a comparison such as `{ ge: 512 MB }`");
        return None;
    }
    tests.into_iter().collect()
}

/// A value as it is written, and the number it may be.
pub(crate) fn literal(at: &At<'_>, report: &mut Report<'_>) -> Option<Literal> {
    let text = report.written(at)?;
    let number = read_number(&text).ok();
    Some(Literal { text, number })
}

/// At least one value.
pub(crate) fn literals(at: &At<'_>, report: &mut Report<'_>) -> Option<Vec<Literal>> {
    let list = report.list(at)?;
    if list.items.is_empty() && list.whole {
        report.refuse(Kind::Value, at, "names no value: write those that will do");
        return None;
    }
    let literals: Vec<_> = at.each(list).map(|at| literal(&at, report)).collect();
    literals.into_iter().collect()
}

/// A number, in the unit of its property.
fn number(capability: &str, prop: &str, at: &At<'_>, report: &mut Report<'_>) -> Option<Literal> {
    let text = report.written(at)?;
    let number = match prop {
        "size" if matches!(capability, "memory" | "disk" | "cpu") => {
            read_amount(capability, &text).map(u64::cast_signed)
        }
        _ => read_number(&text),
    };
    let number = report.checked(at, Kind::Value, number)?;
    Some(Literal { text, number: Some(number) })
}

fn range(
    at: &At<'_>,
    report: &mut Report<'_>,
    number: impl Fn(&At<'_>, &mut Report<'_>) -> Option<Literal>,
) -> Option<Test> {
    let list = report.list(at)?;
    let ends: Vec<_> = at.each(list).map(|at| number(&at, report)).collect();
    if ends.len() != 2 && list.whole {
        report.refuse(Kind::Value, at, "must be two numbers, the least and the most: `[1 GB, 4 GB]`");
        return None;
    }
    let ends: Vec<Literal> = ends.into_iter().collect::<Option<_>>()?;
    let [least, most] = <[Literal; 2]>::try_from(ends).ok()?;
    if least.number > most.number {
        let message =
            format!("{} is more than {}: write the least first", quoted(&least.text), quoted(&most.text));
        report.refuse(Kind::Value, at, message);
        return None;
    }
    Some(Test::Between(least, most))
}

fn pattern(at: &At<'_>, report: &mut Report<'_>) -> Option<String> {
    let pattern = report.text(at)?;
    if pattern.chars().count() > LONGEST_PATTERN {
        let message = format!("has more than {LONGEST_PATTERN} characters: shorten it with `*`");
        report.refuse(Kind::Limit, at, message);
        return None;
    }
    Some(pattern)
}

fn version(at: &At<'_>, report: &mut Report<'_>) -> Option<Test> {
    let text = report.written(at)?;
    let bounds: Option<Vec<_>> = text.split(',').map(|bound| read_bound(bound.trim())).collect();
    if bounds.is_none() {
        let message = format!("{} is not a range of versions such as `>= 2.4, < 3`", quoted(&text));
        report.refuse(Kind::Value, at, message);
    }
    bounds.map(Test::Version)
}

/// `>= 2.4`, or `2.4` for `= 2.4`.
fn read_bound(text: &str) -> Option<(Comparison, String)> {
    let signed = SIGNS.iter().find_map(|how| Some((*how, text.strip_prefix(how.as_str())?)));
    let (how, version) = signed.unwrap_or((Comparison::Equal, text));
    let version = version.trim_start_matches(' ');
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '_' | '~');
    let fits = version.chars().all(plain) && version.chars().any(|c| c.is_ascii_digit());
    fits.then(|| (how, version.to_owned()))
}

/// A whole number, perhaps below zero, or one of bytes with its unit.
fn read_number(text: &str) -> Result<i64, String> {
    let (below, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let other = |error: String| match error.starts_with("the unit") {
        true => error,
        false => {
            format!("{} is not a whole number such as `3`, or one of bytes such as `512 MB`", quoted(text))
        }
    };
    let plain = below || digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = if plain { units::whole(digits)? } else { units::bytes(text).map_err(other)? };
    let number = i64::try_from(number).map_err(|_| format!("{} is too large", quoted(text)))?;
    Ok(if below { -number } else { number })
}
