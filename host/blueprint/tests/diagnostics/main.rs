//! What people are told about blueprints that are wrong: one table of bad inputs and every answer to them.

mod form;
mod health;
mod needs;
mod order;
mod refused;
mod values;

use motey_blueprint::parse;
use motey_core::spec::Format;

/// `kind line:column path: message` of every mistake. The line break that a raw string begins with is no part of it.
fn told(format: Format, text: &str) -> String {
    let text = text.strip_prefix('\n').unwrap_or(text);
    let refused = parse(format, text.as_bytes()).expect_err("a mistake");
    let lines: Vec<String> = refused.iter().map(|told| format!("{} {told}", told.kind)).collect();
    lines.join("\n")
}

fn yaml(text: &str) -> String {
    told(Format::Yaml, text)
}

fn json(text: &str) -> String {
    told(Format::Json, text)
}
