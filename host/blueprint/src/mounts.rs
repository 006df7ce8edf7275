//! `volumes`: what of its node's file systems an instance sees. Where data is, and whether a path is there, is a node's
//! to say.

use motey_core::id::VolumeName;
use motey_core::spec::{Mount, MountSource};

use crate::diagnostic::DiagnosticKind as Kind;
use crate::fields::Fields;
use crate::parameters::passable;
use crate::path::quoted;
use crate::read::At;
use crate::report::Report;
use crate::schema::Level;
use crate::tree::Value;

/// Whether an instance may not write there.
const MODES: &[(&str, bool)] = &[("rw", false), ("ro", true)];

const WANTED: &str = "a list of `name:/path/inside`, or a map such as `{ data: /path/inside }`";

/// Reads the mounts: a list in Docker's words, or a map from what is mounted to where.
pub(crate) fn read(at: &At<'_>, report: &mut Report<'_>) -> Option<Vec<Mount>> {
    let mut mounts = Vec::new();
    let mut add = |at: &At<'_>, mount: Option<Mount>, report: &mut Report<'_>| {
        if let Some(mount) = mount
            && is_free(&mounts, &mount, at, report)
        {
            mounts.push(mount);
        }
    };
    match &at.node.value {
        Value::List(list) => {
            for at in at.each(list) {
                let mount = short(&at, report);
                add(&at, mount, report);
            }
        }
        Value::Map(map) => {
            for entry in &map.items {
                let at = at.value_of(entry);
                let mount = described(&entry.key, &at, report);
                add(&at, mount, report);
            }
        }
        _ => return report.wrong_type(at, WANTED),
    }
    Some(mounts)
}

/// `data:/var/data`, `/srv/in:/in:ro`.
fn short(at: &At<'_>, report: &mut Report<'_>) -> Option<Mount> {
    let text = passable(at, report.text(at)?, report)?;
    match text.split_once(':') {
        Some((from, to)) => mount(from, to, at, report),
        None => {
            let message =
                format!("{} is no mount: write `name:/path/inside` or `/path:/path/inside`", quoted(&text));
            report.refuse(Kind::Value, at, message);
            None
        }
    }
}

/// What stands under a name or path: where it is mounted, or docker-py's `{ bind: /path/inside, mode: ro }`.
fn described(from: &str, at: &At<'_>, report: &mut Report<'_>) -> Option<Mount> {
    if at.as_map().is_none() {
        let to = passable(at, report.text(at)?, report)?;
        return mount(from, &to, at, report);
    }
    let fields = Fields::of(at.clone(), Level::Mount, report)?;
    let target = fields.required("bind", report).and_then(|at| {
        let text = passable(at, report.text(at)?, report)?;
        target(&text, at, report)
    });
    let read_only = fields.get("mode").map_or(Some(false), |at| report.choice(at, MODES));
    Some(Mount { source: source(from, at, report)?, target: target?, read_only: read_only? })
}

/// A source, and its target with perhaps a mode.
fn mount(from: &str, to: &str, at: &At<'_>, report: &mut Report<'_>) -> Option<Mount> {
    let (to, mode) = to.split_once(':').unwrap_or((to, "rw"));
    let Some((_, read_only)) = MODES.iter().find(|(name, _)| *name == mode) else {
        let message = format!("{} is no way to mount: write `ro` for read-only, or nothing", quoted(mode));
        report.refuse(Kind::Value, at, message);
        return None;
    };
    let (source, target) = (source(from, at, report), target(to, at, report));
    Some(Mount { source: source?, target: target?, read_only: *read_only })
}

fn source(text: &str, at: &At<'_>, report: &mut Report<'_>) -> Option<MountSource> {
    if text.starts_with('/') {
        return Some(MountSource::Path(text.to_owned()));
    }
    if text.contains('/') || text.starts_with(['.', '~']) {
        let message =
            format!("{} is not absolute, and no volume is called so: begin a path with `/`", quoted(text));
        report.refuse(Kind::Value, at, message);
        return None;
    }
    report.checked(at, Kind::Value, VolumeName::new(text)).map(MountSource::Volume)
}

fn target(text: &str, at: &At<'_>, report: &mut Report<'_>) -> Option<String> {
    let path = text.trim_end_matches('/');
    let fault = if !text.starts_with('/') {
        "is not absolute: begin it with `/`"
    } else if path.is_empty() {
        "cannot be mounted over: name a directory in it"
    } else if path.split('/').any(|part| part == "..") {
        "leads upwards: write where it leads"
    } else {
        return Some(path.to_owned());
    };
    report.refuse(Kind::Value, at, format!("{} {fault}", quoted(text)));
    None
}

fn is_free(mounts: &[Mount], mount: &Mount, at: &At<'_>, report: &mut Report<'_>) -> bool {
    let twice = mounts.iter().any(|other| other.target == mount.target);
    if twice {
        let message = format!("something is mounted at {} already: keep one", quoted(&mount.target));
        report.refuse(Kind::Duplicate, at, message);
    }
    !twice
}
