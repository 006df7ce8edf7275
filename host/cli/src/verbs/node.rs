//! `motey node list | show | cordon | uncordon | drain | forget`: the nodes that the daemon knows, and what they take on.

use std::io::Write;

use serde_json::Value;
use uuid::Uuid;

use crate::api::{Engine, Node};
use crate::args::{Format, NodeGone, NodeNamed, NodeShow, Shown};
use crate::exit::Failure;
use crate::output::{self, Row};
use crate::session::Session;

pub const PATH: &str = "/v1/nodes";

pub async fn list(session: &mut Session, shown: Shown) -> Result<(), Failure> {
    let answer = session.client.get(PATH).await?;
    output::list::<Node>(&mut session.out, shown.output, PATH, &answer)
}

/// The named node, or the one that answers.
pub async fn show(session: &mut Session, args: &NodeShow) -> Result<(), Failure> {
    let answer = session.client.get(PATH).await?;
    let node = one(&answer, args.node.as_deref())?;
    match args.shown.output {
        Format::Json | Format::Yaml => output::plain(&mut session.out, args.shown.output, node),
        Format::Name => Ok(writeln!(session.out, "{}", output::clean(&output::cell(&node["name"])))?),
        format => Ok(describe(&mut session.out, &output::read(PATH, node)?, format == Format::Wide)?),
    }
}

/// Tells the named node, or the one that answers, what to take on from now on.
pub async fn take_on(session: &mut Session, named: &NodeNamed, verb: &str) -> Result<(), Failure> {
    let nodes = session.client.get(PATH).await?;
    let Node { id, .. } = output::read(PATH, one(&nodes, named.node.as_deref())?)?;
    let path = format!("{PATH}/{id}/{verb}");
    let node: Node = output::read(&path, &session.client.post(&path, None).await?)?;
    let so = match verb {
        "uncordon" => "takes on whatever fits",
        "drain" => "takes on nothing new; what it runs goes elsewhere where it can",
        _ => "takes on nothing new",
    };
    session.say(&format!("{}: {so}", output::clean(&node.name)));
    Ok(())
}

/// An id is taken at its word: the daemon may know a node that it does not list.
pub async fn forget(session: &mut Session, gone: &NodeGone) -> Result<(), Failure> {
    let id = match Uuid::try_parse(&gone.node) {
        Ok(id) => id.to_string(),
        Err(_) => {
            let nodes = session.client.get(PATH).await?;
            output::read::<Node>(PATH, one(&nodes, Some(&gone.node))?)?.id
        }
    };
    session.client.post(&format!("{PATH}/{id}/forget"), None).await?;
    session.say(&format!("{}: forgotten", gone.node));
    Ok(())
}

/// The node of that name or id; without one, that which answers: it is the first.
fn one<'a>(nodes: &'a Value, name: Option<&str>) -> Result<&'a Value, Failure> {
    let mut nodes = nodes.as_array().map(Vec::as_slice).unwrap_or_default().iter();
    let found = nodes.find(|node| name.is_none_or(|name| node["id"] == name || node["name"] == name));
    found.ok_or_else(|| Failure::NotFound { kind: "node", name: name.unwrap_or_default().to_owned() })
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
            ("phase", phase(node)),
            ("why", node.phase_message.clone().unwrap_or_default()),
        ],
    )?;
    if node.engines.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    output::table(out, &node.engines, wide)
}

fn phase(node: &Node) -> String {
    if node.cordoned { format!("{} (cordoned)", node.phase) } else { node.phase.clone() }
}

impl Row for Node {
    const HEAD: &'static [&'static str] = &["NAME", "PHASE", "VERSION", "ENGINES", "ID"];
    const WIDE: &'static [&'static str] = &["CLUSTER", "STARTED"];

    fn cells(&self) -> Vec<String> {
        let engines = self.engines.iter().map(|engine| {
            let Engine { name, up, .. } = engine;
            if *up { name.clone() } else { format!("{name} (down)") }
        });
        let engines = engines.collect::<Vec<_>>().join(",");
        vec![self.name.clone(), phase(self), self.version.clone(), engines, self.id.clone()]
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
