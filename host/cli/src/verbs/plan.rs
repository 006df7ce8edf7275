//! `motey plan`: what would become of a blueprint, as the daemon tells it, laid out for a terminal. Nothing is deployed.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Deserialize;
use serde_json::Value;

use super::blueprint::{self, Text};
use super::node;
use super::remedy::{self, Remedy};
use crate::api::Node;
use crate::args;
use crate::args::Format;
use crate::exit::Failure;
use crate::output::{self, Row};
use crate::session::Session;

const PATH: &str = "/v1/plan";

/// What is said of a node that lacks nothing where a slot waits all the same.
const TAKEN: &str = "nothing, until other slots of the blueprint are placed";

#[derive(Default, Deserialize)]
#[serde(default)]
struct Plan {
    complete: bool,
    slots: Vec<Slot>,
    /// Images that would have no slot.
    nowhere: Vec<Slot>,
}

/// A slot; slots of one image that are alike are one line.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Slot {
    image: String,
    slot: String,
    node: Option<String>,
    engine: Option<String>,
    reason: Option<String>,
    state_message: Option<String>,
    remedy: Option<String>,
    nodes: Vec<Verdict>,
    /// How many more are like it.
    #[serde(skip)]
    more: usize,
    /// What people call its node.
    #[serde(skip)]
    called: String,
}

#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Verdict {
    node: String,
    unmet: Vec<Unmet>,
}

#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Unmet {
    reason: String,
    message: String,
    remedy: Option<String>,
}

/// What one node lacks for a slot.
#[derive(Deserialize)]
struct Lack {
    slot: String,
    node: String,
    reason: String,
    lacks: String,
}

/// Ends with the exit code for what fits nowhere when not all of it would run.
pub async fn make(session: &mut Session, args: &args::Plan) -> Result<(), Failure> {
    let text = Text::read(&args.file)?;
    blueprint::check(&text)?;
    let answer = session.client.post(PATH, Some(text.sent())).await;
    let answer = answer.map_err(|error| blueprint::refused(error, &text))?;
    let plan: Plan = output::read(PATH, &answer)?;
    match args.shown.output {
        Format::Json | Format::Yaml => output::plain(&mut session.out, args.shown.output, &answer)?,
        Format::Name => {
            plan.slots.iter().try_for_each(|slot| writeln!(session.out, "{}", output::clean(&slot.slot)))?;
        }
        format => {
            let names = names(&session.client.get(node::PATH).await?)?;
            lay_out(&mut session.out, &plan, &names, format == Format::Wide)?;
        }
    }
    session.out.flush()?;
    if plan.complete { Ok(()) } else { Err(Failure::Incomplete(plan.shortfall())) }
}

/// What people call the nodes, by their ids.
fn names(nodes: &Value) -> Result<BTreeMap<String, String>, Failure> {
    let nodes: Vec<Node> = output::read(node::PATH, nodes)?;
    Ok(nodes.into_iter().map(|node| (node.id, node.name)).collect())
}

fn lay_out(out: &mut dyn Write, plan: &Plan, names: &BTreeMap<String, String>, wide: bool) -> io::Result<()> {
    let called = |node: &str| names.get(node).map_or(node, String::as_str).to_owned();
    let mut lines = alike(&plan.slots);
    lines.extend(plan.nowhere.iter().cloned());
    for line in &mut lines {
        line.called = line.node.as_deref().map(called).unwrap_or_default();
    }
    output::table(out, &lines, wide)?;
    lines.retain(|line| line.node.is_none());
    let lacks: Vec<Lack> = lines.iter().flat_map(|line| line.lacks(called)).collect();
    if !lacks.is_empty() {
        writeln!(out)?;
        output::table(out, &lacks, wide)?;
    }
    remedy::lay_out(out, &remedies(&lines))
}

fn alike(slots: &[Slot]) -> Vec<Slot> {
    let mut lines: Vec<Slot> = Vec::new();
    for slot in slots {
        match lines.last_mut().filter(|line| line.is_like(slot)) {
            Some(line) => line.more += 1,
            None => lines.push(slot.clone()),
        }
    }
    lines
}

/// Each once, in the order of the slots that want them.
fn remedies(waiting: &[Slot]) -> Vec<Remedy> {
    let mut remedies = Vec::new();
    for (reason, text) in waiting.iter().flat_map(Slot::remedies) {
        let remedy = Remedy { reason: reason.to_owned(), text: text.to_owned() };
        if !remedies.contains(&remedy) {
            remedies.push(remedy);
        }
    }
    remedies
}

impl Plan {
    /// How much of it would not run.
    fn shortfall(&self) -> String {
        let waiting = self.slots.iter().filter(|slot| slot.node.is_none()).count();
        let waiting = (waiting > 0).then(|| match self.slots.len() {
            1 => "its slot would wait".to_owned(),
            all => format!("{waiting} of {all} slots would wait"),
        });
        let nowhere =
            self.nowhere.iter().map(|image| format!("no node satisfies {}", output::clean(&image.image)));
        waiting.into_iter().chain(nowhere).collect::<Vec<_>>().join(", ")
    }
}

impl Slot {
    fn is_like(&self, other: &Self) -> bool {
        let of = |slot: &Self| {
            let Self { image, node, engine, state_message, .. } = slot.clone();
            (image, node, engine, state_message)
        };
        of(self) == of(other) && self.nodes == other.nodes
    }

    /// What each node lacks for it.
    fn lacks(&self, called: impl Fn(&str) -> String) -> Vec<Lack> {
        let lack = |node: &str, reason: &str, lacks: &str| Lack {
            slot: self.label(),
            node: called(node),
            reason: reason.to_owned(),
            lacks: lacks.to_owned(),
        };
        let of_node = |verdict: &Verdict| match &verdict.unmet[..] {
            [] => vec![lack(&verdict.node, "", TAKEN)],
            unmet => unmet.iter().map(|unmet| lack(&verdict.node, &unmet.reason, &unmet.message)).collect(),
        };
        self.nodes.iter().flat_map(of_node).collect()
    }

    /// Its own first, then those of what nodes lack.
    fn remedies(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = self.reason.as_deref().zip(self.remedy.as_deref());
        let unmet = self.nodes.iter().flat_map(|node| &node.unmet);
        own.into_iter()
            .chain(unmet.filter_map(|unmet| Some((unmet.reason.as_str(), unmet.remedy.as_deref()?))))
    }

    fn label(&self) -> String {
        let label = if self.slot.is_empty() { &self.image } else { &self.slot };
        if self.more > 0 { format!("{label} and {} more", self.more) } else { label.clone() }
    }

    fn place(&self) -> String {
        match &self.engine {
            Some(engine) => format!("{engine} on {}", self.called),
            None if self.slot.is_empty() => "nowhere".to_owned(),
            None => "waits".to_owned(),
        }
    }
}

impl Row for Slot {
    const HEAD: &'static [&'static str] = &["SLOT", "WHERE", "WHY"];
    const WIDE: &'static [&'static str] = &["NODE", "REASON"];

    fn cells(&self) -> Vec<String> {
        vec![self.label(), self.place(), self.state_message.clone().unwrap_or_default()]
    }

    fn more(&self) -> Vec<String> {
        [&self.node, &self.reason].map(|value| value.clone().unwrap_or_default()).into()
    }

    fn name(&self) -> String {
        self.slot.clone()
    }
}

impl Row for Lack {
    const HEAD: &'static [&'static str] = &["SLOT", "NODE", "REASON", "LACKS"];
    const WIDE: &'static [&'static str] = &[];

    fn cells(&self) -> Vec<String> {
        vec![self.slot.clone(), self.node.clone(), self.reason.clone(), self.lacks.clone()]
    }

    fn more(&self) -> Vec<String> {
        Vec::new()
    }

    fn name(&self) -> String {
        self.slot.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn planned() -> Plan {
        let needs = "a node has to offer it";
        let missing =
            json!({"reason": "waiting.capability", "message": "nothing offers zigbee", "remedy": needs});
        let waits = |slot: &str| {
            json!({"image": "web", "slot": slot, "reason": "waiting.capability",
                "state_message": "nothing offers\u{1b} zigbee", "remedy": needs, "nodes": [
                    {"node": "01", "fits": false, "unmet": [missing]},
                    {"node": "02", "fits": true, "unmet": []}]})
        };
        let plan = json!({
            "complete": false,
            "slots": [
                {"image": "db", "slot": "db-0", "node": "01", "engine": "process",
                 "nodes": [{"node": "01", "fits": true, "unmet": []}]},
                waits("web-0"), waits("web-1"),
            ],
            "nowhere": [{"image": "agent", "reason": "waiting.engine", "state_message": "the engine x is not here",
                "remedy": "a plugin has to bring it"}],
        });
        output::read(PATH, &plan).expect("a plan")
    }

    #[test]
    fn a_plan_is_laid_out_for_people() {
        let names = [("01".to_owned(), "line-7".to_owned())].into();
        let mut out = Vec::new();
        lay_out(&mut out, &planned(), &names, false).expect("written");
        insta::assert_snapshot!(String::from_utf8(out).expect("text"), @r"
        SLOT              WHERE              WHY
        db-0              process on line-7  -
        web-0 and 1 more  waits              nothing offers  zigbee
        agent             nowhere            the engine x is not here

        SLOT              NODE    REASON              LACKS
        web-0 and 1 more  line-7  waiting.capability  nothing offers zigbee
        web-0 and 1 more  02      -                   nothing, until other slots of the blueprint are placed

        What would mend it:
          waiting.capability: a node has to offer it
          waiting.engine: a plugin has to bring it
        ");
    }

    #[test]
    fn what_is_missing_of_a_plan_is_one_line() {
        assert_eq!(planned().shortfall(), "2 of 3 slots would wait, no node satisfies agent");
    }
}
