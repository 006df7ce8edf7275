//! A stage for stories that are made by hand: nodes that are all alike, with clocks that are right, and a broker where
//! the story wants one. Nothing happens on it by itself.

use crate::blueprint::{PODMAN, PROCESS, dongle, engine_name, memory};
use crate::clock::Clock;
use crate::engine::Engine;
use crate::node::{Death, Device, NEVER};
use crate::plan::Scene;
use crate::queue::Time;
use crate::world::{Event, World};

/// Longer than any story.
const AGES: Time = 1 << 40;

impl World {
    /// So many nodes with both engines, 100 parts of memory and one dongle each, about to start.
    pub fn stage(seed: u64, nodes: usize, broker: Option<usize>) -> Self {
        let mut world = Self::new(Scene { seed, nodes, calm_at: AGES, plan: Vec::new() }, true);
        world.broker.place = broker;
        for node in &mut world.nodes {
            node.clock = Clock::new(0, 0, 1_000);
            node.engines = [PROCESS, PODMAN].map(|name| Engine::new(engine_name(name))).into();
            let device = |capability| Device { capability, away_until: 0, instead: None, moves: 0 };
            node.devices = [memory(100), dongle("a")].map(device).into();
        }
        world
    }

    /// A machine loses its power, and stays off.
    pub fn power_off(&mut self, n: usize) {
        self.die(n, Death { power: true, kept: 1_000, calls_done: false, down: AGES });
    }

    /// It is switched on after so long.
    pub fn power_on(&mut self, node: usize, after: Time) {
        self.queue.push(self.now + after, Event::Boot { node });
    }

    /// Whether the engines of a node have nothing to offer but themselves.
    pub fn strip(&mut self, n: usize, bare: bool) {
        self.nodes[n].devices.iter_mut().for_each(|device| device.away_until = if bare { NEVER } else { 0 });
        self.offer(n);
    }
}
