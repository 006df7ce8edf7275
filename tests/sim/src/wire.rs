//! The seam to the core: the only file that knows how a core is made and what nodes say to each other.
//!
//! To the rest of the world a letter is opaque: it is carried, lost, doubled and printed, never read.

use std::collections::BTreeSet;
use std::sync::Arc;

use motey_core::id::NodeId;
use motey_core::peer::{Duty, PeerMessage};
use motey_core::phase::{Parts, Phase};
use motey_core::record::{Incarnation, ServiceRecord};
use motey_core::step::{Effect, Input, Request};
use motey_core::{Core, Identity, Stored, Tuning};

use crate::blueprint::{Names, node_id, service_id, service_name, spec};
use crate::disk::Contents;
use crate::node::{Node, SOURCES};
use crate::people::scaled_image;
use crate::plan::Wish;

/// What one node sends another.
pub use motey_core::peer::Letter;

/// A core that knows what its disk holds, and who belongs to the cluster.
pub fn core(me: Identity, tuning: Tuning, disk: &Contents, members: BTreeSet<NodeId>) -> Core {
    let stored = Stored {
        records: disk.records.values().map(|record| (**record).clone()).collect(),
        leases: disk.leases.clone(),
        dead: disk.dead.iter().cloned().collect(),
        kept: disk.kept.iter().map(|(id, revision)| (*id, (**revision).clone())).collect(),
        standing: disk.standing.clone(),
        members,
    };
    Core::new(me, tuning, stored)
}

/// Who belongs to the cluster.
pub fn members(all: BTreeSet<NodeId>) -> Input {
    Input::Members(all)
}

/// What a node is made of.
pub fn parts(node: &Node) -> Input {
    let engines = node.engines.iter().map(|engine| engine.name.clone()).collect();
    Input::Parts(Parts { engines, sources: SOURCES.map(str::to_owned).into() })
}

/// Who is present at the first broker.
pub fn broker(present: Option<BTreeSet<NodeId>>) -> Input {
    Input::Broker(present)
}

/// Whether a letter only says that its sender lives.
pub fn is_beat(letter: &Letter) -> bool {
    matches!(letter.message, PeerMessage::Beat(_))
}

/// Whether what is done is only to say so.
pub fn is_sign_of_life(effect: &Effect) -> bool {
    matches!(effect, Effect::Send(_, letter) if is_beat(letter))
}

/// A wish in the core's words.
pub fn request(seed: u64, service: usize, wish: Wish) -> Request {
    let id = service_id(seed, service);
    match wish {
        Wish::Deploy { kind, reject } => {
            let (name, spec) = (service_name(service), spec(kind));
            Request::Deploy { id, name, spec, reject_unplaceable: reject }
        }
        Wish::Scale { count } => Request::Scale { id, image: scaled_image(), count },
        Wish::Stop => Request::Stop(id),
        Wish::Start => Request::Start(id),
        Wish::Restart => Request::Restart(id),
        Wish::Delete => Request::Delete(id),
        Wish::Update { kind } => Request::Update { id, spec: spec(kind) },
        Wish::Duty(duty) => Request::Duty(duty),
        Wish::Forget { node, forgotten } => Request::Forget { node: node_id(seed, node), forgotten },
    }
}

/// A letter arrives.
pub fn arrives(from: NodeId, letter: Letter) -> Input {
    Input::Peer { from, letter }
}

/// Whether whoever wrote a letter takes on what is new, and which life of it says so, if the letter says that at all.
pub fn takes_on(letter: &Letter) -> Option<(Incarnation, bool)> {
    let PeerMessage::Beat(beat) = &letter.message else { return None };
    let takes_on = beat.duty == Duty::Operate && beat.condition.phase() == Phase::Operate;
    Some((letter.incarnation, takes_on))
}

/// The record that a letter brings, if that is what it is.
pub fn record_in(input: &Input) -> Option<&Arc<ServiceRecord>> {
    match input {
        Input::Peer { letter: Letter { message: PeerMessage::Record(record), .. }, .. } => Some(record),
        _ => None,
    }
}

/// What a letter says, in a few words.
pub fn describe(letter: &Letter, names: &Names) -> String {
    let what = match &letter.message {
        PeerMessage::Beat(beat) => {
            let hears: Vec<&str> = beat.hears.iter().map(|node| names.node(*node)).collect();
            format!("beat, {:?}, hears {}", beat.condition, hears.join(" "))
        }
        PeerMessage::Facts(_) => "facts".into(),
        PeerMessage::Record(record) => format!("record {}", crate::story::record(record, names)),
        PeerMessage::Report(report) => crate::story::report(report, names),
        PeerMessage::Revision(service, revision) => {
            format!("revision {} of {}", revision.order.number, names.service(*service))
        }
        PeerMessage::Digest(stamps) => format!("digest of {}", stamps.len()),
        PeerMessage::Resync => "resync".into(),
        PeerMessage::Told(since) => format!("that was all, from no. {since} on"),
        PeerMessage::Stale { known, .. } => format!("stale: I know life {}", known.count),
    };
    format!("no. {} {what}", letter.number)
}
