//! Where the first broker stands, whether it is there, and who meets whom at it.

use std::collections::BTreeSet;

use crate::dice::mix;
use crate::queue::Time;
use crate::watch::Verdict;
use crate::world::{Event, World};

/// Beyond all nodes in the network's masks: the place of a broker that stands apart.
pub const APART: usize = 15;

#[derive(Debug)]
pub struct Broker {
    /// On a node, or apart; `None`: there is none.
    pub place: Option<usize>,
    pub away_until: Time,
}

impl Broker {
    pub fn new(seed: u64, nodes: usize) -> Self {
        let draw = usize::try_from(mix(&[seed, 7]) % 64).unwrap_or(0);
        let place = match draw % 3 {
            0 => None,
            1 => Some(APART),
            _ => Some(draw % nodes),
        };
        Self { place, away_until: 0 }
    }
}

impl World {
    /// Something changed that a session may hang on: it is noticed a little later.
    pub fn meet(&mut self) {
        for node in 0..self.nodes.len() {
            let at = self.now + self.lag(node, 60, 3_000);
            self.queue.push(at, Event::Meet { node });
        }
    }

    /// A node looks who is present.
    pub fn meets(&mut self, n: usize) -> Verdict {
        if self.nodes.len() == 1 {
            return Ok(());
        }
        let sessions = (0..self.nodes.len()).filter(|node| self.has_session(*node));
        let present: BTreeSet<_> = sessions.map(|node| self.nodes[node].id).collect();
        let met = self.has_session(n).then_some(present);
        let Some(process) = &mut self.nodes[n].process else { return Ok(()) };
        if process.met == met {
            return Ok(());
        }
        process.met.clone_from(&met);
        self.input(n, crate::wire::broker(met))
    }

    /// Whether a node has a session with the broker.
    pub fn has_session(&self, n: usize) -> bool {
        let Some(place) = self.broker.place else { return false };
        let up = self.now >= self.broker.away_until
            && (place == APART || self.nodes[place].process.is_some())
            && self.nodes[n].process.is_some();
        up && self.network.reaches(n, place, self.now) && self.network.reaches(place, n, self.now)
    }
}
