//! The seam to the core: the only file that knows how a core is made and what nodes say to each other.
//!
//! To the rest of the world a letter is opaque: it is carried, lost, doubled and printed, never read.

use motey_core::id::NodeId;
use motey_core::step::{Input, PeerMessage, Request};
use motey_core::{Core, Identity, Tuning};

use crate::blueprint::{Names, service_id, service_name, spec};
use crate::disk::Stored;
use crate::people::scaled_image;
use crate::plan::Wish;

/// What one node sends another.
pub type Letter = PeerMessage;

/// A core that knows what its disk holds.
pub fn core(me: Identity, tuning: Tuning, stored: &Stored) -> Core {
    let records = stored.records.values().map(|record| (**record).clone());
    Core::new(me, tuning, records, stored.leases.iter().cloned())
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
    }
}

/// A letter arrives.
pub fn arrives(from: NodeId, letter: Letter) -> Input {
    Input::Peer { from, message: letter }
}

/// What a letter says, in a few words.
pub fn describe(letter: &Letter, names: &Names) -> String {
    match letter {
        PeerMessage::Record(record) => crate::story::record(record, names),
        PeerMessage::Report(report) => format!("report of {} instances", report.instances.len()),
    }
}
