//! `motey plugin list | show`: every plugin file that was found, and why one is not in use.

use std::io::Write;

use serde_json::Value;

use crate::api::Plugin;
use crate::args::{Format, PluginShow, Shown};
use crate::exit::Failure;
use crate::output::{self, Row};
use crate::session::Session;

pub const PATH: &str = "/v1/plugins";

pub async fn list(session: &mut Session, shown: Shown) -> Result<(), Failure> {
    let answer = session.client.get(PATH).await?;
    output::list::<Plugin>(&mut session.out, shown.output, PATH, &answer)
}

/// A file that was refused may have no id: its path names it then.
pub async fn show(session: &mut Session, args: &PluginShow) -> Result<(), Failure> {
    let answer = session.client.get(PATH).await?;
    let plugins = answer.as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(plugin) = named(plugins, &args.plugin) else {
        return Err(Failure::NotFound { kind: "plugin", name: args.plugin.clone() });
    };
    match args.shown.output {
        Format::Json | Format::Yaml => output::plain(&mut session.out, args.shown.output, plugin),
        Format::Name => Ok(writeln!(session.out, "{}", output::clean(&args.plugin))?),
        _ => Ok(describe(&mut session.out, &output::read(PATH, plugin)?)?),
    }
}

/// The file of that path; of those of that id the one that is used, or says why none is.
fn named<'p>(plugins: &'p [Value], name: &str) -> Option<&'p Value> {
    let rank = |plugin: &&Value| match plugin["state"].as_str() {
        Some("active") => 0,
        Some("unresponsive" | "inactive" | "loaded") => 1,
        Some("shadowed") => 3,
        _ => 2,
    };
    let of_path = plugins.iter().find(|plugin| plugin["path"] == *name);
    of_path.or_else(|| plugins.iter().filter(|plugin| plugin["id"] == *name).min_by_key(rank))
}

fn describe(out: &mut dyn Write, plugin: &Plugin) -> std::io::Result<()> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    output::fields(
        out,
        &[
            ("id", text(&plugin.id)),
            ("name", text(&plugin.name)),
            ("state", plugin.state.clone()),
            ("because", text(&plugin.state_message)),
            ("reason", text(&plugin.reason)),
            ("category", text(&plugin.category)),
            ("version", text(&plugin.version)),
            ("author", text(&plugin.author)),
            ("website", text(&plugin.website)),
            ("description", text(&plugin.description)),
            ("features", plugin.features.join(" ")),
            ("calls", plugin.calls.to_string()),
            ("failures", plugin.failures.to_string()),
            ("file", plugin.path.clone()),
        ],
    )
}

impl Row for Plugin {
    const HEAD: &'static [&'static str] = &["PLUGIN", "CATEGORY", "VERSION", "STATE", "MESSAGE"];
    const WIDE: &'static [&'static str] = &["REASON", "CALLS", "FAILURES", "FILE"];

    fn cells(&self) -> Vec<String> {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        vec![
            self.name(),
            text(&self.category),
            text(&self.version),
            self.state.clone(),
            text(&self.state_message),
        ]
    }

    fn more(&self) -> Vec<String> {
        let reason = self.reason.clone().unwrap_or_default();
        vec![reason, self.calls.to_string(), self.failures.to_string(), self.path.clone()]
    }

    fn name(&self) -> String {
        self.id.clone().unwrap_or_else(|| self.path.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_files_of_one_id_the_one_in_use_is_shown() {
        let file = |path: &str, state: &str| serde_json::json!({"id": "echo", "path": path, "state": state});
        let plugins = [file("/a", "shadowed"), file("/b", "failed"), file("/c", "active")];
        let shown = |plugins: &[Value], name: &str| Some(named(plugins, name)?["path"].clone());
        assert_eq!(shown(&plugins, "echo"), Some("/c".into()));
        assert_eq!(shown(&plugins[..2], "echo"), Some("/b".into()), "why there is none");
        assert_eq!(shown(&plugins, "/a"), Some("/a".into()));
        assert_eq!(shown(&plugins, "other"), None);
    }
}
