//! `parameters`: what an instance is started with. Whether a VAL can do it is that VAL's to say.

use std::collections::BTreeMap;

use motey_core::spec::{Params, StopRule};

use crate::bounds::{MAX_ARGUMENT, MAX_GRACE};
use crate::diagnostic::DiagnosticKind as Kind;
use crate::fields::Fields;
use crate::nearest::nearest;
use crate::path::quoted;
use crate::read::At;
use crate::report::Report;
use crate::schema::Level;
use crate::tree::{Entry, Items, Value};
use crate::{mounts, ports, shell, units};

/// Signals that can ask a program to stop. A VAL with the feature `stop_signal` can send every one of them.
///
/// Real-time signals such as `SIGRTMIN+3` are not among them: their numbers are the C library's to give, and `process`
/// could send one only by unsafe code.
pub const STOP_SIGNALS: &[&str] = &[
    "SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGABRT", "SIGALRM",
    "SIGWINCH", "SIGPWR",
];

/// What stands under `parameters`.
#[derive(Default)]
pub(crate) struct Parameters {
    pub(crate) params: Params,
    /// The 2017 `name`.
    pub(crate) container_name: Option<String>,
}

pub(crate) fn read(at: &At<'_>, report: &mut Report<'_>) -> Option<Parameters> {
    let fields = Fields::of(at.clone(), Level::Parameters, report)?;
    let command = fields.get("command").map_or(Some(Vec::new()), |at| command(at, report));
    let environment = fields.get("environment").map_or(Some(BTreeMap::new()), |at| environment(at, report));
    let working_dir = fields.get("working_dir").map(|at| working_dir(at, report));
    let signal = fields.get("stop_signal").map(|at| signal(at, report));
    let grace = fields.get("stop_grace").map_or(Some(StopRule::default().grace), |at| grace(at, report));
    let mounts = fields.get("volumes").map_or(Some(Vec::new()), |at| mounts::read(at, report));
    let ports = fields.get("ports").map_or(Some(Vec::new()), |at| ports::read(at, report));
    let container_name = fields.get("name").and_then(|at| report.text(at));
    let stop = StopRule { signal: signal.flatten(), grace: grace? };
    let params = Params {
        command: command?,
        environment: environment?,
        working_dir: working_dir.flatten(),
        stop,
        mounts: mounts?,
        ports: ports?.into(),
    };
    Some(Parameters { params, container_name })
}

fn command(at: &At<'_>, report: &mut Report<'_>) -> Option<Vec<String>> {
    let Some(list) = at.as_list() else {
        if at.as_map().is_some() {
            return report.wrong_type(at, "a list of arguments or a command line");
        }
        let line = passable(at, report.text(at)?, report)?;
        return report.checked(at, Kind::Value, shell::split(&line));
    };
    let words = at.each(list).map(|at| {
        let word = report.written(&at)?;
        passable(&at, word, report)
    });
    Some(words.collect::<Vec<_>>().into_iter().flatten().collect())
}

fn environment(at: &At<'_>, report: &mut Report<'_>) -> Option<BTreeMap<String, String>> {
    match &at.node.value {
        Value::Map(map) => Some(environment_map(at, map, report)),
        Value::List(list) => {
            let mut variables = BTreeMap::new();
            for at in at.each(list) {
                assignment(&at, &mut variables, report);
            }
            Some(variables)
        }
        _ => report.wrong_type(at, "a map of variables or a list of `NAME=value`"),
    }
}

fn environment_map(at: &At<'_>, map: &Items<Entry>, report: &mut Report<'_>) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    for entry in &map.items {
        let at = at.value_of(entry);
        if !is_variable(&entry.key) {
            report.add(Kind::Value, &at.path, entry.key_start, not_a_variable(&entry.key));
        }
        if let Some(value) = report.written(&at).and_then(|value| passable(&at, value, report)) {
            variables.insert(entry.key.clone(), value);
        }
    }
    variables
}

/// Docker's `NAME=value`.
fn assignment(at: &At<'_>, variables: &mut BTreeMap<String, String>, report: &mut Report<'_>) -> Option<()> {
    let text = report.text(at)?;
    let text = passable(at, text, report)?;
    let Some((name, value)) = text.split_once('=') else {
        let message =
            format!("{} has no value: write `NAME=value`; nothing is taken from the node", quoted(&text));
        report.refuse(Kind::Value, at, message);
        return None;
    };
    if !is_variable(name) {
        report.refuse(Kind::Value, at, not_a_variable(name));
        return None;
    }
    if variables.insert(name.to_owned(), value.to_owned()).is_some() {
        report.refuse(Kind::Duplicate, at, format!("the variable {} is here twice: keep one", quoted(name)));
    }
    Some(())
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.len() <= 255 && !name.contains(['=', '\0']) && !name.contains("${")
}

fn not_a_variable(name: &str) -> String {
    format!("{} cannot be a variable's name: 1 to 255 bytes without `=`, NUL and `${{`", quoted(name))
}

/// Checks that the kernel can hand this text to a program.
pub(crate) fn passable(at: &At<'_>, text: String, report: &mut Report<'_>) -> Option<String> {
    let fault = if text.contains('\0') {
        "contains a NUL character, which no program can be given: remove it".to_owned()
    } else if text.len() > MAX_ARGUMENT {
        format!("is {} bytes long and Linux passes {MAX_ARGUMENT} to a program: use a file", text.len())
    } else {
        return Some(text);
    };
    report.refuse(Kind::Value, at, fault);
    None
}

fn working_dir(at: &At<'_>, report: &mut Report<'_>) -> Option<String> {
    let text = report.text(at)?;
    let dir = passable(at, text, report)?;
    if !dir.starts_with('/') {
        report.refuse(Kind::Value, at, format!("{} is not absolute: begin it with `/`", quoted(&dir)));
        return None;
    }
    Some(dir)
}

fn signal(at: &At<'_>, report: &mut Report<'_>) -> Option<String> {
    let text = report.text(at)?;
    if STOP_SIGNALS.contains(&text.as_str()) {
        return Some(text);
    }
    let with_prefix = format!("SIG{}", text.to_uppercase());
    let meant = STOP_SIGNALS.iter().copied().find(|name| *name == with_prefix);
    let meant = meant.or_else(|| nearest(&text, STOP_SIGNALS.iter().copied())).unwrap_or("SIGTERM");
    let message =
        format!("{} is not a signal that stops a program: write a name such as `{meant}`", quoted(&text));
    report.refuse(Kind::Value, at, message);
    None
}

fn grace(at: &At<'_>, report: &mut Report<'_>) -> Option<u64> {
    let text = report.written(at)?;
    let grace = report.checked(at, Kind::Value, units::duration(&text))?;
    if grace > MAX_GRACE {
        report.refuse(Kind::Value, at, format!("{} is more than the hour that is allowed", quoted(&text)));
        return None;
    }
    Some(grace)
}
