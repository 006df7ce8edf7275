//! `/v1/plan`: what would become of a blueprint if it were deployed now, and what would mend what is in its way. Stores
//! nothing, tells nobody, and promises nothing.

use motey_blueprint::Blueprint;
use motey_core::directory::Verdict;
use motey_core::id::{EngineName, NodeId};
use motey_core::plan::{self, SlotPlan};
use motey_core::reason::Reason;
use motey_core::spec::ImageSpec;
use serde::Serialize;

use super::error;
use super::remedy::{Of, remedy};
use super::{Call, Outcome, body};

/// What would become of a blueprint.
#[derive(Debug, Serialize)]
struct Plan {
    service_name: String,
    /// Whether all of it would run.
    complete: bool,
    slots: Vec<Slot>,
    nowhere: Vec<Nowhere>,
}

#[derive(Debug, Serialize)]
struct Slot {
    image: String,
    slot: String,
    #[serde(flatten)]
    outcome: Fate,
    nodes: Vec<Node>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Fate {
    Placed { node: String, engine: String },
    Waits(Why),
}

/// An image that would have no slot at all.
#[derive(Debug, Serialize)]
struct Nowhere {
    image: String,
    #[serde(flatten)]
    why: Why,
}

/// As a service says it that waits.
#[derive(Debug, Serialize)]
struct Why {
    reason: &'static str,
    state_message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

#[derive(Debug, Serialize)]
struct Node {
    node: String,
    fits: bool,
    unmet: Vec<Unmet>,
}

#[derive(Debug, Serialize)]
struct Unmet {
    reason: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

/// `POST /v1/plan`
pub(super) async fn make(call: Call) -> Outcome {
    call.query.end("")?;
    let body = call.body?;
    let format = body::blueprint_format(&call.headers)?;
    let Blueprint { name, spec } = call.api.blueprint(format, body).await?;
    let node = call.api.node.clone();
    let plan = move || Plan::new(name.as_str(), &node.read(|core| core.plan(&name, &spec)));
    Ok(error::ok(&call.api.apart.plans.run(plan).await?))
}

impl Plan {
    fn new(name: &str, plan: &plan::Plan) -> Self {
        Self {
            service_name: name.to_owned(),
            complete: plan.is_complete(),
            slots: plan.slots.iter().map(Slot::new).collect(),
            nowhere: plan.nowhere.iter().map(|(image, reason)| Nowhere::new(image, reason)).collect(),
        }
    }
}

impl Slot {
    fn new(plan: &SlotPlan) -> Self {
        Self {
            image: plan.slot.image.to_string(),
            slot: plan.slot.to_string(),
            outcome: Fate::new(&plan.outcome),
            nodes: plan.verdicts.iter().map(Node::new).collect(),
        }
    }
}

impl Fate {
    fn new(outcome: &Result<(NodeId, EngineName), Reason>) -> Self {
        match outcome {
            Ok((node, engine)) => Self::Placed { node: node.to_string(), engine: engine.to_string() },
            Err(reason) => Self::Waits(Why::new(reason)),
        }
    }
}

impl Nowhere {
    fn new(image: &ImageSpec, reason: &Reason) -> Self {
        Self { image: image.key.to_string(), why: Why::new(reason) }
    }
}

impl Why {
    fn new(reason: &Reason) -> Self {
        Self {
            reason: reason.code.as_str(),
            state_message: reason.text.clone(),
            remedy: remedy(reason.code, Of::Blueprint),
        }
    }
}

impl Node {
    fn new(verdict: &Verdict) -> Self {
        let unmet: Vec<_> = verdict.unmet.iter().map(Unmet::new).collect();
        Self { node: verdict.node.to_string(), fits: unmet.is_empty(), unmet }
    }
}

impl Unmet {
    fn new(reason: &Reason) -> Self {
        Self {
            reason: reason.code.as_str(),
            message: reason.text.clone(),
            remedy: remedy(reason.code, Of::Blueprint),
        }
    }
}
