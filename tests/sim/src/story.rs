//! What happened, for people: one line an event, with the time and the node's name. Costs nothing while nobody listens.

use std::fmt::Write as _;

use motey_core::instance::{Instance, Report, Seen};
use motey_core::record::{Desired, Ended, ServiceRecord};
use motey_core::step::{Answer, Call, Effect, EngineState, Input, Request, Txn};

use crate::blueprint::{Names, node_name};
use crate::engine::Verb;
use crate::queue::Time;
use crate::wire;

/// The lines so far.
#[derive(Debug)]
pub struct Story {
    pub names: Names,
    listens: bool,
    lines: Vec<String>,
}

impl Story {
    pub fn new(seed: u64, listens: bool) -> Self {
        Self { names: Names::new(seed), listens, lines: Vec::new() }
    }

    /// Something happened to a node, or to the world (`None`).
    pub fn tell(&mut self, at: Time, node: Option<usize>, text: impl FnOnce(&Names) -> String) {
        if self.listens {
            let text = text(&self.names);
            let who = node.map_or("", node_name);
            self.lines.push(format!("{:>9}.{:03}  {who:<6} {text}", at / 1_000, at % 1_000));
        }
    }

    pub fn into_lines(self) -> Vec<String> {
        self.lines
    }
}

/// What a node hears.
pub fn input(input: &Input, names: &Names) -> String {
    match input {
        Input::Asked { request, .. } => format!("is asked to {}", request_text(request, names)),
        Input::Peer { .. } => "reads a letter".into(),
        Input::Capabilities { source, all } => {
            let all: Vec<String> = all.iter().map(|it| format!("{} {:?}", it.id.name, it.supply)).collect();
            format!("is offered by {source}: {}", all.join(", "))
        }
        Input::Engine { name, state: EngineState::Up { instances, .. } } => {
            let all: Vec<String> = instances.iter().map(|it| instance(it, names)).collect();
            format!("hears that {name} is up and has [{}]", all.join(", "))
        }
        Input::Engine { name, state: EngineState::Down { .. } } => format!("hears that {name} is down"),
        Input::Instance(it) => format!("hears from {}: {}", it.engine, instance(it, names)),
        Input::Answered { key, result, .. } => match result {
            Ok(Some(it)) => format!("is answered: {}", instance(it, names)),
            Ok(None) => format!("is answered: nothing is left of {}", names.key(key)),
            Err(error) => format!("is answered about {}: {:?}", names.key(key), error.kind),
        },
        Input::Checked { key, result: Ok(()), .. } => format!("finds {} healthy", names.key(key)),
        Input::Checked { key, result: Err(why), .. } => format!("checks {}: {why}", names.key(key)),
        Input::Members(all) => format!("is one of {} nodes", all.len()),
        Input::Parts(parts) => format!("is told that it has {} engines", parts.engines.len()),
        Input::Broker(None) => "has no session with the broker".into(),
        Input::Broker(Some(present)) => {
            let present: Vec<&str> = present.iter().map(|node| names.node(*node)).collect();
            format!("meets at the broker {}", present.join(" "))
        }
        Input::Tick => "wakes".into(),
    }
}

fn request_text(request: &Request, names: &Names) -> String {
    match request {
        Request::Deploy { id, spec, reject_unplaceable, .. } => {
            let now = if *reject_unplaceable { ", now or never" } else { "" };
            format!("deploy {} ({}{now})", names.service(*id), spec.source.text)
        }
        Request::Start(id) => format!("start {}", names.service(*id)),
        Request::Stop(id) => format!("stop {}", names.service(*id)),
        Request::Restart(id) => format!("restart {}", names.service(*id)),
        Request::Scale { id, image, count } => {
            format!("scale {image} of {} to {count}", names.service(*id))
        }
        Request::Delete(id) => format!("delete {}", names.service(*id)),
        Request::Update { id, spec } => format!("update {} to {}", names.service(*id), spec.source.text),
        Request::Duty(duty) => format!("{duty:?}").to_lowercase(),
        Request::Forget { node, forgotten: true } => format!("forget {}", names.node(*node)),
        Request::Forget { node, .. } => format!("take {} back", names.node(*node)),
        Request::Offer { source, more } => format!("offer {} more as {source}", more.len()),
        Request::Withdraw { source, less } => format!("offer {} less as {source}", less.len()),
    }
}

fn instance(it: &Instance, names: &Names) -> String {
    format!("{} {}", names.key(&it.key), seen(it.seen))
}

pub fn seen(seen: Seen) -> String {
    match seen {
        Seen::Exited(exit) => match (exit.code, exit.signal) {
            (Some(code), _) => format!("exited {code}"),
            (_, Some(signal)) => format!("ended by signal {signal}"),
            _ => "ended unseen".into(),
        },
        other => format!("{other:?}").to_lowercase(),
    }
}

/// What was committed.
pub fn txn(txn: &Txn, names: &Names) -> String {
    let mut text = format!("commits ({:?})", txn.durability).to_lowercase();
    for it in txn.records.values() {
        let _ = write!(text, " {};", record(it, names));
    }
    for lease in &txn.taken {
        let _ = write!(text, " takes {} of {} for {};", lease.amount, lease.of, names.key(&lease.holder));
    }
    for key in &txn.freed {
        let _ = write!(text, " frees {};", names.key(key));
    }
    for key in &txn.dead {
        let _ = write!(text, " buries {};", names.key(key));
    }
    for (service, revision) in &txn.kept {
        let number = revision.as_ref().map(|revision| revision.order.number);
        let _ = write!(text, " keeps revision {number:?} of {};", names.service(*service));
    }
    if let Some(raised) = txn.incarnation {
        let _ = write!(text, " is life {};", raised.count);
    }
    if let Some(standing) = &txn.standing {
        let forgotten: Vec<&str> = standing.forgotten.iter().map(|node| names.node(node)).collect();
        let _ = write!(text, " {:?}, forgotten: [{}];", standing.duty, forgotten.join(" "));
    }
    for event in &txn.journal {
        let _ = write!(text, " ({}: {})", event.kind.as_str(), event.text);
    }
    text
}

/// A record on one line.
pub fn record(it: &ServiceRecord, names: &Names) -> String {
    let desired = match it.desired {
        Desired::Running => "",
        Desired::Stopped => " stopped",
        Desired::Absent => " absent",
    };
    let (owner, stamp) = (names.node(it.stamp.owner), it.stamp);
    let mut text = format!(
        "{}{desired} {owner} e{}.{}.{} r{}",
        names.service(it.id),
        stamp.epoch,
        stamp.writer.count,
        stamp.version,
        it.revision.order.number
    );
    if let Some(heir) = it.heir {
        let _ = write!(text, " heir={}", names.node(heir));
    }
    if it.unproven {
        text.push_str(" unproven");
    }
    for (slot, at) in &it.slots {
        let _ = write!(text, " {slot}={}:{}#{}", names.node(at.node), at.engine, names.fence(at.fence));
        if let Some(from) = &at.from {
            let _ = write!(text, "<{}#{}", names.node(from.node), names.fence(from.fence));
        }
    }
    for it in &it.dismissed {
        let _ = write!(text, " -{}={}#{}", it.slot, names.node(it.node), names.fence(it.fence));
    }
    for (slot, ended) in &it.ended {
        let how = match ended {
            Ended::Succeeded => "succeeded".to_owned(),
            Ended::GaveUp(reason) => format!("gave up: {}", reason.code),
        };
        let _ = write!(text, " {slot} {how}");
    }
    text
}

/// A report on one line.
pub fn report(it: &Report, names: &Names) -> String {
    let mut text = format!("report on {}", names.service(it.service));
    if let Some(held) = it.holds {
        let _ = write!(
            text,
            ", holds {} e{}.{}.{}",
            names.node(held.owner),
            held.epoch,
            held.writer.count,
            held.version
        );
    }
    for it in &it.instances {
        let _ = write!(
            text,
            " {}#{} {}",
            it.key.slot,
            names.fence(it.key.fence),
            it.seen.map_or("?".into(), seen)
        );
    }
    for (key, _) in &it.refused {
        let _ = write!(text, " refuses {}#{}", key.slot, names.fence(key.fence));
    }
    for key in &it.gone {
        let _ = write!(text, " {}#{} is gone", key.slot, names.fence(key.fence));
    }
    for (key, _) in &it.ended {
        let _ = write!(text, " {}#{} is over", key.slot, names.fence(key.fence));
    }
    text
}

/// What a node does.
pub fn effect(effect: &Effect, names: &Names) -> String {
    match effect {
        Effect::Answer(_, Answer::Refused(why)) => format!("answers: refused, {why}"),
        Effect::Answer(_, answer) => format!("answers: {answer:?}").split('(').next().unwrap_or("").into(),
        Effect::Send(to, letter) => {
            format!("writes to {}: {}", names.node(*to), wire::describe(letter, names))
        }
        Effect::Call(call) => format!("tells {} to {}", call.engine, call_text(call, names)),
        Effect::Check(check) => format!("checks {}", names.key(&check.key)),
        Effect::Offer { source, all } => format!("offers {} as {source}", all.len()),
    }
}

/// What an engine is asked.
pub fn call_text(call: &Call, names: &Names) -> String {
    format!("{:?} {}", Verb::of(&call.op), names.key(&call.target.key)).to_lowercase()
}
