//! Which node, and which of its engines, a slot is given to. A guess from facts: admission knows.

use std::collections::BTreeMap;

use crate::capability::Capability;
use crate::directory::Choice;
use crate::id::{EngineName, NodeId};
use crate::needs::{Host, Offer, Search, Taken, unmet};
use crate::reason::{Code, Reason};
use crate::spec::ImageSpec;
use crate::state::Engine;

/// What a node knows of itself when it could run something.
pub(crate) struct Facts<'a> {
    pub node: NodeId,
    pub capabilities: Vec<&'a Capability>,
    pub engines: &'a BTreeMap<EngineName, Engine>,
    /// What is held of its capabilities, with what this placement has given away already.
    pub held: Taken,
}

/// Whether this node satisfies all of the images together; `credit` is what their slots hold already, `host`
/// what it is called.
///
/// # Errors
/// Why it does not.
pub(crate) fn examine(
    images: &[&ImageSpec],
    facts: &Facts<'_>,
    credit: &Taken,
    host: &Host<'_>,
) -> Result<Choice, Vec<Reason>> {
    let offer = Offer { capabilities: &facts.capabilities, held: &facts.held, credit };
    let lists: Vec<_> = images.iter().flat_map(|image| image.goals()).collect();
    let mut reasons = Vec::new();
    let mut engines = Vec::new();
    for image in images {
        match engine_for(image, facts.engines) {
            Ok(engine) => engines.push(engine),
            Err(reason) => reasons.push(reason),
        }
    }
    let mut search = Search::default();
    if !search.fits(&lists, &offer) {
        reasons.extend(unmet(&lists, &offer, host));
    }
    if reasons.is_empty() {
        Ok(Choice { node: facts.node, engines, taken: search.taken() })
    } else {
        Err(reasons)
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
    image.features().all(|feature| features.contains(feature.0))
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
        image.features().map(|feature| feature.0).filter(|name| !features.contains(*name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let text = format!("the engine {name} cannot honour {}", missing.join(", "));
    Err(Reason::new(Code::EngineUnsupported, text))
}
