//! Whether a property is what a test wants it to be.

use std::cmp::Ordering;

use super::{pattern, version};
use crate::capability::{Capability, Scalar, Supply};
use crate::spec::{Comparison, Literal, Test};

/// The property of what comes in amounts that tells how much there is in all.
const SIZE: &str = "size";

/// A property's value, where it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Bool(bool),
    Integer(i64),
    Text(&'a str),
}

/// What a capability tells of itself under that name.
pub(crate) fn property<'a>(capability: &'a Capability, name: &str) -> Option<Value<'a>> {
    match (capability.props.get(name), capability.supply) {
        (Some(Scalar::Bool(value)), _) => Some(Value::Bool(*value)),
        (Some(Scalar::Integer(value)), _) => Some(Value::Integer(*value)),
        (Some(Scalar::Text(value)), _) => Some(Value::Text(value)),
        (None, Supply::Amount(all)) if name == SIZE => {
            Some(Value::Integer(i64::try_from(all).unwrap_or(i64::MAX)))
        }
        (None, _) => None,
    }
}

/// Whether every test of a requirement holds for that capability.
pub(crate) fn all_hold(tests: &[(String, Test)], capability: &Capability) -> bool {
    tests.iter().all(|(name, test)| property(capability, name).is_some_and(|value| holds(test, value)))
}

/// Whether a value is what the test wants.
pub(crate) fn holds(test: &Test, value: Value<'_>) -> bool {
    match test {
        Test::Compares(Comparison::Equal, literal) => equals(literal, value),
        Test::Compares(Comparison::Different, literal) => !equals(literal, value),
        Test::Compares(how, literal) => {
            numbers(value, literal).is_some_and(|(value, wanted)| compares(*how, value.cmp(&wanted)))
        }
        Test::Between(least, most) => {
            let least = numbers(value, least).is_some_and(|(value, least)| value >= least);
            least && numbers(value, most).is_some_and(|(value, most)| value <= most)
        }
        Test::OneOf(literals) => literals.iter().any(|literal| equals(literal, value)),
        Test::Matches(shape) => matches!(value, Value::Text(text) if pattern::matches(shape, text)),
        Test::Version(bounds) => bounds.iter().all(|(how, bound)| is_version(*how, bound, value)),
    }
}

fn equals(literal: &Literal, value: Value<'_>) -> bool {
    match value {
        Value::Bool(value) => literal.text == if value { "true" } else { "false" },
        Value::Integer(value) => literal.number == Some(value),
        Value::Text(value) => literal.text == value,
    }
}

fn numbers(value: Value<'_>, literal: &Literal) -> Option<(i64, i64)> {
    match value {
        Value::Integer(value) => Some((value, literal.number?)),
        Value::Bool(_) | Value::Text(_) => None,
    }
}

fn is_version(how: Comparison, bound: &str, value: Value<'_>) -> bool {
    let mut digits = [0; DIGITS];
    let version = match value {
        Value::Bool(_) => return false,
        Value::Integer(number) => written(number, &mut digits),
        Value::Text(version) => version,
    };
    compares(how, version::compare(version, bound))
}

/// The most characters of an `i64`.
const DIGITS: usize = 20;

/// A number as text, in the place given for it; of a negative one without its sign, as in every version.
fn written(number: i64, place: &mut [u8; DIGITS]) -> &str {
    let mut rest = number.unsigned_abs();
    let mut from = DIGITS;
    while from == DIGITS || rest > 0 {
        from -= 1;
        place[from] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    std::str::from_utf8(&place[from..]).unwrap_or_default()
}

fn compares(how: Comparison, order: Ordering) -> bool {
    match how {
        Comparison::Equal => order.is_eq(),
        Comparison::Different => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::AtMost => order.is_le(),
        Comparison::More => order.is_gt(),
        Comparison::AtLeast => order.is_ge(),
    }
}
