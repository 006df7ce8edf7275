//! `motey node list | show`: the nodes that the daemon knows.

use std::io::Write;

use serde_json::Value;

use crate::api::{Engine, Node};
use crate::args::{Format, NodeShow, Shown};
use crate::exit::Failure;
use crate::output::{self, Row};
use crate::session::Session;

pub const PATH: &str = "/v1/nodes";

pub async fn list(session: &mut Session, shown: Shown) -> Result<(), Failure> {
    let answer = session.client.get(PATH).await?;
    output::list::<Node>(&mut session.out, shown.output, PATH, &answer)
}

/// The named node, or the one that answers: it is the first.
pub async fn show(session: &mut Session, args: &NodeShow) -> Result<(), Failure> {
    let answer = session.client.get(PATH).await?;
    let nodes = answer.as_array().map(Vec::as_slice).unwrap_or_default();
    let wanted =
        |node: &&Value| args.node.as_ref().is_none_or(|name| node["id"] == **name || node["name"] == **name);
    let Some(node) = nodes.iter().find(wanted) else {
        return Err(Failure::NotFound { kind: "node", name: args.node.clone().unwrap_or_default() });
    };
    match args.shown.output {
        Format::Json | Format::Yaml => output::plain(&mut session.out, args.shown.output, node),
        Format::Name => Ok(writeln!(session.out, "{}", output::clean(&output::cell(&node["name"])))?),
        format => Ok(describe(&mut session.out, &output::read(PATH, node)?, format == Format::Wide)?),
    }
}

fn describe(out: &mut dyn Write, node: &Node, wide: bool) -> std::io::Result<()> {
    output::fields(
        out,
        &[
            ("name", node.name.clone()),
            ("id", node.id.clone()),
            ("cluster", node.cluster.clone()),
            ("version", node.version.clone()),
            ("started", node.started.clone()),
        ],
    )?;
    if node.engines.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    output::table(out, &node.engines, wide)
}

impl Row for Node {
    const HEAD: &'static [&'static str] = &["NAME", "VERSION", "ENGINES", "ID"];
    const WIDE: &'static [&'static str] = &["CLUSTER", "STARTED"];

    fn cells(&self) -> Vec<String> {
        let engines = self.engines.iter().map(|engine| {
            let Engine { name, up, .. } = engine;
            if *up { name.clone() } else { format!("{name} (down)") }
        });
        vec![self.name.clone(), self.version.clone(), engines.collect::<Vec<_>>().join(","), self.id.clone()]
    }

    fn more(&self) -> Vec<String> {
        vec![self.cluster.clone(), self.started.clone()]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

impl Row for Engine {
    const HEAD: &'static [&'static str] = &["ENGINE", "UP", "INSTANCES", "MESSAGE"];
    const WIDE: &'static [&'static str] = &["FEATURES"];

    fn cells(&self) -> Vec<String> {
        let up = if self.up { "yes" } else { "no" };
        let message = self.message.clone().unwrap_or_default();
        vec![self.name.clone(), up.to_owned(), self.instances.to_string(), message]
    }

    fn more(&self) -> Vec<String> {
        vec![self.features.join(" ")]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}
