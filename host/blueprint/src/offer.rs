//! What people give to a node, and take back: lists of capabilities in JSON, with the thesis's two keys and ours beside
//! them. The counterpart of `need`: names, amounts and values are written here as they are there.
//!
//! Whether the node has a capability already, and what follows from it, is not judged here.

use std::collections::{BTreeMap, BTreeSet};

use motey_core::capability::{CapId, Capability, Named, Scalar, Supply};

use crate::diagnostic::{DiagnosticKind as Kind, Diagnostics};
use crate::fields::Fields;
use crate::need::{WORD, is_word, read_amount, word};
use crate::path::quoted;
use crate::read::{At, described};
use crate::report::Report;
use crate::schema::Level;
use crate::tree::{Node, Style, Value};
use crate::{encoding, json, units};

/// Properties of one capability.
pub const MAX_PROPERTIES: usize = 32;

/// Characters of a property that is text.
pub const MAX_PROPERTY: usize = 1024;

/// Bytes of the path of one capability: as many as Linux takes.
pub const MAX_BINDING: usize = 4095;

/// Reads the capabilities that `source` offers: each name and unit once.
///
/// # Errors
/// All mistakes at once, in order of their position.
pub fn offers(source: &str, bytes: &[u8]) -> Result<Vec<Capability>, Diagnostics> {
    entries(bytes, |at, report| capability(source, at, report))
}

/// Reads which capabilities are taken back: what gave one names it, too. What else such an entry says is not looked at.
///
/// # Errors
/// All mistakes at once, in order of their position.
pub fn withdrawals(bytes: &[u8]) -> Result<Vec<Named>, Diagnostics> {
    entries(bytes, named)
}

fn entries<T>(
    bytes: &[u8],
    mut entry: impl FnMut(At<'_>, &mut Report<'_>) -> Option<T>,
) -> Result<Vec<T>, Diagnostics>
where
    T: Identified,
{
    let text = encoding::without_mark(encoding::decode(bytes)?);
    let mut report = Report::new(text);
    let root = json::read(text, &mut report);
    let mut read = Vec::new();
    let mut seen = BTreeSet::new();
    for at in each(root.as_deref(), &mut report) {
        let Some(one) = entry(at.clone(), &mut report) else { continue };
        if !seen.insert(one.identity()) {
            report.refuse(
                Kind::Duplicate,
                &at,
                "this capability is here twice: keep one, or give each a `unit`",
            );
        }
        read.push(one);
    }
    report.finish()?;
    Ok(read)
}

/// What tells two entries apart: name and unit.
trait Identified {
    fn identity(&self) -> (String, String);
}

impl Identified for Capability {
    fn identity(&self) -> (String, String) {
        (self.id.name.clone(), self.id.unit.clone())
    }
}

impl Identified for Named {
    fn identity(&self) -> (String, String) {
        (self.name.clone(), self.unit.clone())
    }
}

fn each<'n>(root: Option<&'n Node>, report: &mut Report<'_>) -> Vec<At<'n>> {
    let wanted = r#"a list such as [{"capability": "zigbee", "capability_type": "hardware"}]"#;
    let root = root.map(At::root);
    match root.as_ref().and_then(|at| Some((at, at.as_list()?))) {
        Some((at, list)) => at.each(list).collect(),
        None => {
            match &root {
                Some(at) => report.wrong_type::<()>(at, wanted),
                None if report.is_clean() => {
                    report.add(Kind::Missing, "", 0, format!("there is nothing here: send {wanted}"));
                    None
                }
                None => None,
            };
            Vec::new()
        }
    }
}

fn capability(source: &str, at: At<'_>, report: &mut Report<'_>) -> Option<Capability> {
    let fields = Fields::of(at, Level::Offer, report)?;
    let name = fields.required("capability", report).and_then(|at| word(at, report));
    let kind = fields.required("capability_type", report).and_then(|at| word(at, report));
    let unit = fields.get("unit").map_or(Some(String::new()), |at| word(at, report));
    let supply = supply(&fields, name.as_deref(), report);
    let props = fields.get("properties").map_or(Some(BTreeMap::new()), |at| properties(at, report));
    let binding = fields.get("binding").map_or(Some(None), |at| path(at, report).map(Some));
    let id = CapId { source: source.to_owned(), name: name?, unit: unit? };
    Some(Capability { id, kind: kind?, props: props?, supply: supply?, binding: binding? })
}

fn named(at: At<'_>, report: &mut Report<'_>) -> Option<Named> {
    let fields = Fields::of(at, Level::Offer, report)?;
    let name = fields.required("capability", report).and_then(|at| word(at, report));
    let unit = fields.get("unit").map_or(Some(String::new()), |at| word(at, report));
    let kind = fields.get("capability_type").map_or(Some(None), |at| word(at, report).map(Some));
    Some(Named { name: name?, unit: unit?, kind: kind? })
}

fn supply(fields: &Fields<'_>, name: Option<&str>, report: &mut Report<'_>) -> Option<Supply> {
    let exclusive = fields.get("exclusive").map_or(Some(false), |at| flag(at, report));
    match fields.get("amount") {
        None => Some(if exclusive? { Supply::Exclusive } else { Supply::Shared }),
        Some(at) if exclusive == Some(true) => {
            report.refuse(Kind::Value, at, "what is exclusive has no amount: keep one of the two");
            None
        }
        Some(at) => amount(at, name?, report).map(Supply::Amount),
    }
}

fn amount(at: &At<'_>, name: &str, report: &mut Report<'_>) -> Option<u64> {
    let text = report.written(at)?;
    let amount = report.checked(at, Kind::Value, read_amount(name, &text))?;
    if amount == 0 {
        report.refuse(Kind::Value, at, "an amount of nothing: write more, or take the capability back");
        return None;
    }
    Some(amount)
}

fn flag(at: &At<'_>, report: &mut Report<'_>) -> Option<bool> {
    match bare(at) {
        Some("true") => Some(true),
        Some("false") => Some(false),
        _ => report.wrong_type(at, "`true` or `false`, without quotes"),
    }
}

fn properties(at: &At<'_>, report: &mut Report<'_>) -> Option<BTreeMap<String, Scalar>> {
    let map = report.map(at)?;
    if map.items.len() > MAX_PROPERTIES {
        let count = map.items.len();
        report.refuse(Kind::Limit, at, format!("{count} properties are too many: at most {MAX_PROPERTIES}"));
        return None;
    }
    let mut read = Vec::new();
    for entry in &map.items {
        let at = at.value_of(entry);
        if !is_word(&entry.key) {
            let message = format!("{} is not a valid name of a property: {WORD}", quoted(&entry.key));
            report.add(Kind::Value, &at.path, entry.key_start, message);
        }
        read.push(property(&at, report).map(|value| (entry.key.clone(), value)));
    }
    read.into_iter().collect()
}

/// A truth value, a whole number, or text; text that is a number of bytes is that number.
fn property(at: &At<'_>, report: &mut Report<'_>) -> Option<Scalar> {
    match bare(at) {
        Some("true") => return Some(Scalar::Bool(true)),
        Some("false") => return Some(Scalar::Bool(false)),
        Some("null") | None => {}
        Some(number) => {
            let wrong = || {
                format!(
                    "{} is no whole number of 64 bits: put it in double quotes",
                    described(&at.node.value)
                )
            };
            let number = number.parse().map(Scalar::Integer).map_err(|_| wrong());
            return report.checked(at, Kind::Value, number);
        }
    }
    let text = report.text(at)?;
    if text.chars().count() > MAX_PROPERTY {
        report.refuse(Kind::Limit, at, format!("{} is longer than {MAX_PROPERTY} characters", quoted(&text)));
        return None;
    }
    Some(measured(text))
}

/// `512 MB` is so many bytes, wherever it stands.
fn measured(text: String) -> Scalar {
    let has_unit = text.ends_with('B') && text.starts_with(|c: char| c.is_ascii_digit());
    let bytes = units::bytes(&text).ok().filter(|_| has_unit);
    match bytes.and_then(|bytes| i64::try_from(bytes).ok()) {
        Some(bytes) => Scalar::Integer(bytes),
        None => Scalar::Text(text),
    }
}

/// Where something is on its node.
fn path(at: &At<'_>, report: &mut Report<'_>) -> Option<String> {
    let text = report.text(at)?;
    let fits = text.starts_with('/') && text.len() <= MAX_BINDING && !text.chars().any(char::is_control);
    if !fits {
        let message = format!(
            "{} is no path such as /dev/ttyUSB0: write it from the root on, in at most {MAX_BINDING} bytes",
            quoted(&text)
        );
        report.refuse(Kind::Value, at, message);
    }
    fits.then_some(text)
}

/// A number, `true`, `false` or `null`.
fn bare<'n>(at: &At<'n>) -> Option<&'n str> {
    match &at.node.value {
        Value::Scalar(scalar) if scalar.style == Style::Bare => Some(&scalar.text),
        _ => None,
    }
}
