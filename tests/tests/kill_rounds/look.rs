//! Compares a node that should be at rest with what it was asked for, through every door there is: its answers, the
//! engine, the leases in its database.

use std::collections::{BTreeMap, BTreeSet};

use motey_tests::{Lease, NodeUnderTest, leases};
use serde_json::Value;

use crate::{
    engine::{self, Running},
    model::{Desired, Engine, Service, Wanted, slots},
};

/// What was found, when all of it is right.
pub struct Rest {
    /// For each service which of the possible things is true.
    pub chosen: Vec<usize>,
    /// What runs, by instance.
    pub running: Running,
    /// The attempts that run: service id, slot, fence.
    pub fences: Vec<(String, String, String)>,
}

/// One slot as the node shows it.
#[derive(Debug)]
struct Slot<'a> {
    service: &'a Service,
    slot: String,
    state: String,
    reason: String,
    name: Option<String>,
    fence: Option<String>,
}

/// # Errors
/// What is not as it should be (yet).
pub fn look(node: &NodeUnderTest, services: &[Service], engine: Engine) -> Result<Rest, String> {
    let listed = node.http().get("/v1/service").expect(200).json();
    let listed: Vec<&Value> = listed.as_array().into_iter().flatten().collect();
    let known: BTreeSet<&str> = services.iter().map(|service| service.id.as_str()).collect();
    if let Some(ghost) = listed.iter().find(|it| !known.contains(it["id"].as_str().unwrap_or_default())) {
        return Err(format!("nothing else is listed; there is {ghost:#}"));
    }
    let mut chosen = Vec::new();
    let mut shown = Vec::new();
    for service in services {
        let found = listed.iter().find(|it| it["id"] == service.id.as_str());
        chosen.push(choose(node, service, found.copied())?);
        shown.extend(found.into_iter().flat_map(|found| slots_of(service, found)));
    }
    let running = engine::running(node, engine)?;
    let names: BTreeSet<&str> = shown.iter().filter_map(|slot| slot.name.as_deref()).collect();
    if names != running.keys().map(String::as_str).collect() {
        return Err(format!("the engine runs what the node shows, {names:?}; it runs {running:#?}"));
    }
    right_leases(node, &shown)?;
    let fence = |slot: &Slot<'_>| Some((slot.service.id.clone(), slot.slot.clone(), slot.fence.clone()?));
    Ok(Rest { chosen, running, fences: shown.iter().filter_map(fence).collect() })
}

/// Which of the things that a service may be is true.
fn choose(node: &NodeUnderTest, service: &Service, found: Option<&Value>) -> Result<usize, String> {
    let mut wrong = Vec::new();
    for (at, wanted) in service.possible.iter().enumerate() {
        match is(node, service, wanted, found) {
            Ok(()) => return Ok(at),
            Err(why) => wrong.push(format!("{:?}: {why}", wanted.desired)),
        }
    }
    let found = found.map_or("not listed".to_owned(), |found| format!("{found:#}"));
    Err(format!("{} is one of {:#?}\n{}\nit is {found}", service.id, service.possible, wrong.join("\n")))
}

fn is(node: &NodeUnderTest, service: &Service, wanted: &Wanted, found: Option<&Value>) -> Result<(), String> {
    let answer = || node.http().get(&format!("/v1/service/{}", service.id)).status;
    let (desired, found) = match (wanted.desired, found) {
        (Desired::Nothing, None) => return expect("GET", &answer(), &404),
        (Desired::Absent, None) => return expect("GET", &answer(), &410),
        (Desired::Nothing | Desired::Absent, Some(_)) => return Err("it is listed".to_owned()),
        (_, None) => return Err("it is lost".to_owned()),
        (Desired::Running, Some(found)) => ("running", found),
        (Desired::Stopped, Some(found)) => ("stopped", found),
    };
    expect("desired", &found["desired"], &desired.into())?;
    let images = found["images"].as_array().cloned().unwrap_or_default();
    let replicas: Vec<Option<u64>> = images.iter().map(|image| image["replicas"].as_u64()).collect();
    expect("replicas", &replicas, &wanted.replicas.iter().map(|count| Some(u64::from(*count))).collect())?;
    let shown = slots_of(service, found);
    let named: Vec<&str> = shown.iter().map(|slot| slot.slot.as_str()).collect();
    expect(
        "slots",
        &named,
        &slots(&service.images, &wanted.replicas).collect::<Vec<_>>().iter().map(String::as_str).collect(),
    )?;
    match wanted.desired {
        Desired::Running => shown.iter().try_for_each(|slot| runs_or_waits(slot, wanted)),
        _ => {
            expect("state", &found["state"], &"TERMINATED".into())?;
            expect("instances", &shown.iter().filter(|slot| slot.name.is_some()).count(), &0)
        }
    }
}

/// A slot whose instance nobody dismissed keeps it; one that was asked for a new instance has a new one.
fn runs_or_waits(slot: &Slot<'_>, wanted: &Wanted) -> Result<(), String> {
    let before = slot.service.fences.get(&slot.slot);
    let keeps = wanted.kept.contains(&slot.slot);
    match (slot.state.as_str(), &slot.fence) {
        ("RUNNING", fence @ Some(_)) if !keeps || before == fence.as_ref() => {
            let old = slot.service.fences.values().find(|old| !keeps && Some(*old) == fence.as_ref());
            old.map_or(Ok(()), |old| Err(format!("{} has a new attempt; it has {old} again", slot.slot)))
        }
        ("INITIAL", None) if !keeps && slot.reason.starts_with("waiting.") => Ok(()),
        _ => Err(format!("the instance of {before:?} (kept: {keeps}); it is {slot:?}")),
    }
}

fn right_leases(node: &NodeUnderTest, shown: &[Slot<'_>]) -> Result<(), String> {
    let lease = |slot: &Slot<'_>| {
        let need = slot.service.image_of(&slot.slot)?.need.clone()?;
        Some(Lease {
            service: slot.service.id.clone(),
            slot: slot.slot.clone(),
            fence: slot.fence.clone()?,
            capability: need.capability.to_owned(),
            amount: need.amount,
        })
    };
    let mut needed: Vec<Lease> = shown.iter().filter_map(lease).collect();
    needed.sort();
    expect("leases", &leases(&node.database()), &needed)?;
    let offers = offers(node);
    for (capability, Offer { amount, leased }) in &offers {
        let held = needed.iter().filter(|lease| lease.capability == *capability).map(|lease| lease.amount);
        expect(&format!("leased of {capability}"), leased, &held.sum())?;
        if leased > amount {
            return Err(format!("at most {amount} of {capability} are leased; {leased} are"));
        }
    }
    let fits = |slot: &&Slot<'_>| {
        let need = slot.service.image_of(&slot.slot).and_then(|image| image.need.as_ref());
        slot.state == "INITIAL"
            && need.is_none_or(|need| {
                offers.get(need.capability).is_some_and(|offer| offer.leased + need.amount <= offer.amount)
            })
    };
    match shown.iter().find(fits) {
        Some(slot) => Err(format!("what fits runs; {slot:?} waits, and there is {offers:?}")),
        None => Ok(()),
    }
}

#[derive(Debug)]
pub struct Offer {
    pub amount: u64,
    pub leased: u64,
}

/// What the node has of what is counted.
pub fn offers(node: &NodeUnderTest) -> BTreeMap<String, Offer> {
    let all = node.http().get("/v1/capabilities").expect(200).json();
    let offer = |it: &Value| {
        let offer = Offer { amount: it["amount"].as_u64()?, leased: it["leased"].as_u64()? };
        Some((it["capability"].as_str()?.to_owned(), offer))
    };
    all.as_array().into_iter().flatten().filter_map(offer).collect()
}

fn slots_of<'a>(service: &'a Service, found: &Value) -> Vec<Slot<'a>> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let images = list(&found["images"]);
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let slot = |it: Value| Slot {
        service,
        slot: text(&it["slot"]).unwrap_or_default(),
        state: text(&it["state"]).unwrap_or_default(),
        reason: text(&it["reason"]).unwrap_or_default(),
        name: text(&it["name"]),
        fence: text(&it["fence"]),
    };
    images.iter().flat_map(|image| list(&image["instances"])).map(slot).collect()
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, wanted: &T) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{what}: {wanted:?} is right, {found:?} was found")) }
}

/// How many services and instances there are.
pub fn left(node: &NodeUnderTest, engine: Engine) -> usize {
    let listed = node.http().get("/v1/service").expect(200).json();
    let running = engine::running(node, engine).map_or(usize::MAX, |running| running.len());
    listed.as_array().map_or(usize::MAX, Vec::len).saturating_add(running)
}
