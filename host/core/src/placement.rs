//! Which node, and which of its engines, a slot is offered to. A guess from facts: admission knows.

use std::collections::BTreeMap;

use crate::capability::Capability;
use crate::id::{EngineName, NodeId};
use crate::needs::{Offer, Taken, satisfy};
use crate::reason::{Code, Reason};
use crate::spec::ImageSpec;
use crate::state::Engine;

/// What is known of a node that could run something.
pub(crate) struct Facts<'a> {
    pub node: NodeId,
    pub capabilities: Vec<&'a Capability>,
    pub engines: &'a BTreeMap<EngineName, Engine>,
    /// What is held of its capabilities, with what this placement has given away already.
    pub held: Taken,
}

/// A node that fits, and what running the slot there would take.
#[derive(Debug)]
pub(crate) struct Choice {
    pub node: NodeId,
    pub engine: EngineName,
}

/// The first node of `candidates` that satisfies the image; beside each is what the image's slot holds there already.
/// What it takes beyond that is put down in that node's facts, so that the next slot is placed beside it.
///
/// # Errors
/// Why none of them fits.
pub(crate) fn choose<'f, 'a: 'f>(
    image: &ImageSpec,
    candidates: impl IntoIterator<Item = (&'f mut Facts<'a>, Taken)>,
) -> Result<Choice, Vec<Reason>> {
    let mut why_not = Vec::new();
    for (facts, credit) in candidates {
        match examine(image, facts, &credit) {
            Ok((engine, taken)) => {
                for (of, amount) in taken {
                    let own = credit.get(&of).copied().unwrap_or(0);
                    *facts.held.entry(of).or_default() += amount.saturating_sub(own);
                }
                return Ok(Choice { node: facts.node, engine });
            }
            Err(reasons) => why_not.extend(reasons),
        }
    }
    Err(why_not)
}

fn examine(image: &ImageSpec, facts: &Facts<'_>, credit: &Taken) -> Result<(EngineName, Taken), Vec<Reason>> {
    let offer = Offer { capabilities: &facts.capabilities, held: &facts.held, credit };
    match (engine_for(image, facts.engines), satisfy(&image.need, &offer)) {
        (Ok(engine), Ok(taken)) => Ok((engine, taken)),
        (engine, taken) => {
            let mut reasons: Vec<Reason> = engine.err().into_iter().collect();
            reasons.extend(taken.err().into_iter().flatten());
            Err(reasons)
        }
    }
}

/// The first engine of the image's list, or any, that answers and honours every key the image uses.
pub(crate) fn engine_of<'e>(
    image: &ImageSpec,
    engines: &'e BTreeMap<EngineName, Engine>,
) -> Option<&'e EngineName> {
    let named = image.engines.iter().filter_map(|name| engines.get_key_value(name));
    let any = engines.iter().filter(|_| image.engines.is_empty());
    named.chain(any).find(|(_, engine)| honours(image, engine)).map(|(name, _)| name)
}

/// Whether the engine answers and can honour every key that the image uses.
fn honours(image: &ImageSpec, engine: &Engine) -> bool {
    let Engine::Up { features } = engine else { return false };
    image.params.features().all(|feature| features.contains(feature.0))
}

/// That engine.
///
/// # Errors
/// Why there is none, about the first that was looked at.
pub(crate) fn engine_for(
    image: &ImageSpec,
    engines: &BTreeMap<EngineName, Engine>,
) -> Result<EngineName, Reason> {
    if let Some(name) = engine_of(image, engines) {
        return Ok(name.clone());
    }
    let first = image.engines.first().or(engines.keys().next());
    Err(first.and_then(|name| able(image, name, engines.get(name)).err()).unwrap_or_else(|| {
        Reason::new(Code::WaitingEngine, "no engine is here; install a VAL plugin such as process")
    }))
}

fn able(image: &ImageSpec, name: &EngineName, engine: Option<&Engine>) -> Result<(), Reason> {
    let features = match engine {
        None => return Err(Reason::new(Code::WaitingEngine, format!("the engine {name} is not here"))),
        Some(Engine::Down { message }) => {
            let text = format!("the engine {name} does not answer: {message}");
            return Err(Reason::new(Code::EngineDown, text));
        }
        Some(Engine::Up { features }) => features,
    };
    let missing: Vec<&str> =
        image.params.features().map(|feature| feature.0).filter(|name| !features.contains(*name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let text = format!("the engine {name} cannot honour {}", missing.join(", "));
    Err(Reason::new(Code::EngineUnsupported, text))
}
