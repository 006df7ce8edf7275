//! How answers are shown: tables for people, JSON and YAML as the daemon said it, names for scripts.
//!
//! Data goes to the writer that is passed in (standard output); nothing here writes progress. What a daemon, an engine or a program said
//! is shown without its control characters.

use std::io::{self, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::args::Format;
use crate::client::ClientError;
use crate::exit::Failure;

/// One line of a table.
pub trait Row: DeserializeOwned {
    /// The heads of the columns.
    const HEAD: &'static [&'static str];
    /// The heads of the columns that `-o wide` adds.
    const WIDE: &'static [&'static str];

    fn cells(&self) -> Vec<String>;
    fn more(&self) -> Vec<String>;
    /// What `-o name` prints.
    fn name(&self) -> String;
}

/// Shows an array.
pub fn list<T: Row>(out: &mut dyn Write, format: Format, what: &str, answer: &Value) -> Result<(), Failure> {
    match format {
        Format::Json | Format::Yaml => plain(out, format, answer),
        Format::Name => {
            let rows: Vec<T> = read(what, answer)?;
            rows.iter().try_for_each(|row| writeln!(out, "{}", clean(&row.name())))?;
            Ok(())
        }
        Format::Table | Format::Wide => {
            let rows: Vec<T> = read(what, answer)?;
            table(out, &rows, format == Format::Wide)?;
            Ok(())
        }
    }
}

/// Shows JSON as JSON or as YAML.
pub fn plain(out: &mut dyn Write, format: Format, answer: &Value) -> Result<(), Failure> {
    match format {
        Format::Yaml => {
            let text = serde_yaml::to_string(answer).map_err(io::Error::other)?;
            out.write_all(text.as_bytes())?;
        }
        _ => {
            serde_json::to_writer_pretty(&mut *out, answer).map_err(io::Error::from)?;
            writeln!(out)?;
        }
    }
    Ok(())
}

/// The head and a line for each row.
pub fn table<T: Row>(out: &mut dyn Write, rows: &[T], wide: bool) -> io::Result<()> {
    let head =
        T::HEAD.iter().chain(if wide { T::WIDE } else { &[] }).map(|head| (*head).to_owned()).collect();
    let cells = |row: &T| row.cells().into_iter().chain(if wide { row.more() } else { Vec::new() }).collect();
    columns(out, std::iter::once(head).chain(rows.iter().map(cells)).collect())
}

/// Names and values, one a line; those without a value are left out.
pub fn fields(out: &mut dyn Write, fields: &[(&str, String)]) -> io::Result<()> {
    let said = fields.iter().filter(|(_, value)| !value.is_empty());
    columns(out, said.map(|(name, value)| vec![format!("{name}:"), value.clone()]).collect())
}

fn columns(out: &mut dyn Write, rows: Vec<Vec<String>>) -> io::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    for row in rows {
        table.add_row(row.iter().map(|cell| if cell.is_empty() { "-".to_owned() } else { clean(cell) }));
    }
    table.column_iter_mut().for_each(|column| {
        column.set_padding((0, 2));
    });
    writeln!(out, "{}", table.trim_fmt())
}

/// Reads an answer of the daemon.
pub fn read<T: DeserializeOwned>(what: &str, answer: &Value) -> Result<T, ClientError> {
    T::deserialize(answer)
        .map_err(|error| ClientError::NotUnderstood { what: what.to_owned(), why: error.to_string() })
}

/// On one line and without anything that a terminal would obey.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A JSON value as a cell: a text without its quotes, nothing for null.
pub fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Bytes for people, in powers of 1024.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    // at most 63 bits wide: the quotient's decimals are for people
    let mut size = count as f64 / 1024.0;
    let mut units = UNITS.iter();
    let mut unit = units.next().unwrap_or(&"KiB");
    while size >= 1024.0 {
        let Some(next) = units.next() else { break };
        (size, unit) = (size / 1024.0, next);
    }
    format!("{size:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Animal {
        name: String,
        legs: u8,
        note: Option<String>,
    }

    impl Row for Animal {
        const HEAD: &'static [&'static str] = &["NAME", "LEGS"];
        const WIDE: &'static [&'static str] = &["NOTE"];

        fn cells(&self) -> Vec<String> {
            vec![self.name.clone(), self.legs.to_string()]
        }

        fn more(&self) -> Vec<String> {
            vec![self.note.clone().unwrap_or_default()]
        }

        fn name(&self) -> String {
            self.name.clone()
        }
    }

    fn shown(format: Format) -> String {
        let answer = serde_json::json!([
            {"name": "spider", "legs": 8, "note": "webs\n\u{1b}[31mred", "unknown": {"to": "us"}},
            {"name": "cat", "legs": 4},
        ]);
        let mut out = Vec::new();
        list::<Animal>(&mut out, format, "GET /v1/animals", &answer).expect("shown");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn tables_are_aligned_and_obey_no_terminal_codes() {
        insta::assert_snapshot!(shown(Format::Table), @r"
        NAME    LEGS
        spider  8
        cat     4
        ");
        insta::assert_snapshot!(shown(Format::Wide), @r"
        NAME    LEGS  NOTE
        spider  8     webs  [31mred
        cat     4     -
        ");
    }

    #[test]
    fn json_and_yaml_are_what_the_daemon_said_also_what_we_do_not_know() {
        insta::assert_snapshot!(shown(Format::Yaml), @r#"
        - legs: 8
          name: spider
          note: "webs\n\e[31mred"
          unknown:
            to: us
        - legs: 4
          name: cat
        "#);
        let json: Value = serde_json::from_str(&shown(Format::Json)).expect("json");
        assert_eq!(json[0]["unknown"]["to"], "us");
    }

    #[test]
    fn names_stand_alone() {
        assert_eq!(shown(Format::Name), "spider\ncat\n");
    }

    #[test]
    fn an_answer_of_another_shape_is_told_with_its_request() {
        let error = list::<Animal>(
            &mut Vec::new(),
            Format::Table,
            "GET /v1/animals",
            &serde_json::json!([{"name": 3}]),
        )
        .expect_err("a number is no name");
        assert!(
            error.to_string().starts_with("the daemon's answer to GET /v1/animals cannot be read: "),
            "{error}"
        );
    }

    #[test]
    fn sizes_are_for_people() {
        assert_eq!([bytes(0), bytes(1536), bytes(u64::MAX)].join(" "), "0 B 1.5 KiB 16384.0 PiB");
    }

    #[test]
    fn a_field_without_a_value_is_left_out() {
        let mut out = Vec::new();
        fields(&mut out, &[("name", "x".into()), ("message", String::new())]).expect("written");
        assert_eq!(String::from_utf8(out).expect("text"), "name:  x\n");
    }
}
