//! A hall of nodes in the simulator's world: how a story is put on, and what is seen of it.

use std::collections::BTreeSet;

use motey_core::id::NodeId;
use motey_core::project::{ServiceStatus, State};
use motey_core::record::Fence;
use motey_sim::blueprint::{node_id, node_name, service_id};
use motey_sim::plan::{Happening, Wish};
use motey_sim::world::World;

/// After so long a node that is not heard is silent.
pub const DEAD_AFTER: u64 = 20_000;
/// Longer than everything that is waited for by itself.
pub const LONG: u64 = 6 * DEAD_AFTER;
/// How finely a story is looked at.
pub const GLANCE: u64 = 20;

/// An instance that lives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lives {
    pub node: usize,
    pub slot: String,
    pub fence: Fence,
    pub revision: u32,
}

pub struct Hall {
    pub world: World,
    seed: u64,
}

impl Hall {
    /// Nodes that have known each other for long.
    pub fn of(seed: u64, nodes: usize, broker: Option<usize>) -> Self {
        let mut hall = Self { world: World::stage(seed, nodes, broker), seed };
        hall.pass(LONG);
        hall
    }

    pub fn pass(&mut self, span: u64) {
        let end = self.world.now + span;
        if let Err(broken) = self.world.until(end) {
            panic!("{}: {}", broken.rule, broken.text);
        }
    }

    /// Lets time pass until it is so; how long that took.
    pub fn until(&mut self, most: u64, what: &str, is_so: impl Fn(&Self) -> bool) -> u64 {
        let since = self.world.now;
        while !is_so(self) {
            assert!(self.world.now < since + most, "after {most} ms not so: {what}");
            self.pass(GLANCE);
        }
        self.world.now - since
    }

    /// Looks on for so long: it is so all the time.
    pub fn all_along(&mut self, span: u64, what: &str, is_so: impl Fn(&Self) -> bool) {
        let end = self.world.now + span;
        while self.world.now < end {
            self.pass(GLANCE);
            assert!(is_so(self), "not so at {} ms: {what}", self.world.now);
        }
    }

    /// A machine loses its power, at another moment between two beats in each seed.
    pub fn dies(&mut self, node: usize) {
        self.pass(1 + self.seed * 613);
        self.world.power_off(node);
    }

    pub fn accepts(&mut self, node: usize, service: Option<usize>, wish: Wish) -> bool {
        let before = self.world.people.accepted();
        self.world.ask(node, service, wish).expect("every rule holds");
        self.world.people.accepted() > before
    }

    pub fn asks(&mut self, node: usize, service: usize, wish: Wish) {
        assert!(self.accepts(node, Some(service), wish), "{wish:?} of {}", node_name(node));
    }

    /// A service of that owner, all of whose slots run on that node.
    pub fn deploy(&mut self, owner: usize, service: usize, kind: u8, on: usize) {
        let others = || (0..self.world.nodes.len()).filter(|node| *node != on);
        let others: Vec<usize> = others().collect();
        others.iter().for_each(|node| self.world.strip(*node, true));
        self.pass(DEAD_AFTER);
        self.asks(owner, service, Wish::Deploy { kind, reject: false });
        self.pass(DEAD_AFTER);
        others.iter().for_each(|node| self.world.strip(*node, false));
        self.pass(DEAD_AFTER);
        assert_eq!(self.nodes(service), [on].into(), "it runs where the story wants it");
        assert_eq!(self.owner(service), owner);
    }

    pub fn forget(&mut self, by: usize, about: usize) -> bool {
        self.world.mislead_all();
        self.accepts(by, None, Wish::Forget { node: about, forgotten: true })
    }

    pub fn split(&mut self, mask: u16, span: u64) {
        self.world.planned(Happening::Splits { mask, span }).expect("every rule holds");
    }

    pub fn lives(&self, service: usize) -> Vec<Lives> {
        let id = service_id(self.seed, service);
        let bodies = self.world.nodes.iter().flat_map(|node| {
            let bodies = node.engines.iter().flat_map(|engine| &engine.bodies);
            bodies.map(move |(key, body)| (node.number, key, body))
        });
        let live = bodies.filter(|(_, key, body)| key.service == id && body.lives());
        let told = live.map(|(node, key, body)| Lives {
            node,
            slot: key.slot.to_string(),
            fence: key.fence,
            revision: body.revision.number,
        });
        told.collect()
    }

    /// Where it runs.
    pub fn nodes(&self, service: usize) -> BTreeSet<usize> {
        self.lives(service).into_iter().map(|it| it.node).collect()
    }

    pub fn runs(&self, service: usize) -> usize {
        self.lives(service).len()
    }

    /// Who owns it, as a node has it.
    pub fn owner_by(&self, node: usize, service: usize) -> Option<usize> {
        let record = self.world.nodes[node].disk.now.records.get(&service_id(self.seed, service))?;
        (0..self.world.nodes.len()).find(|n| node_id(self.seed, *n) == record.stamp.owner)
    }

    /// Who owns it, as everyone has it who is there and has it.
    pub fn owner(&self, service: usize) -> usize {
        let there = self.world.nodes.iter().filter(|node| node.process.is_some());
        let owners: BTreeSet<usize> = there.filter_map(|node| self.owner_by(node.number, service)).collect();
        assert_eq!(owners.len(), 1, "all say the same: {owners:?}");
        *owners.first().expect("an owner")
    }

    pub fn status(&self, by: usize, service: usize) -> ServiceStatus {
        let process = self.world.nodes[by].process.as_ref().expect("it is there");
        process.core.status(service_id(self.seed, service)).expect("it has the record")
    }

    /// The nodes that the owner's status names for what does not run there.
    pub fn missed(&self, service: usize) -> BTreeSet<usize> {
        let lives = self.nodes(service);
        let status = self.status(self.owner(service), service);
        let slots = status.images.iter().flat_map(|image| &image.slots);
        let named: BTreeSet<NodeId> = slots.filter_map(|slot| slot.node).collect();
        let numbers = 0..self.world.nodes.len();
        numbers.filter(|n| named.contains(&node_id(self.seed, *n)) && !lives.contains(n)).collect()
    }

    /// Whether the owner's status says that the service does not run, and of which node it waits.
    pub fn says_it_waits_for(&self, node: usize, service: usize) -> bool {
        let status = self.status(self.owner(service), service);
        let said = status.reason.map(|reason| reason.text).unwrap_or_default();
        status.state != State::Running && said.contains(node_name(node))
    }
}
