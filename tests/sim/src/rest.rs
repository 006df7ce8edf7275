//! What must hold when all trouble is over and everything has come to rest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use motey_core::id::ServiceId;
use motey_core::instance::Seen;
use motey_core::project::{SlotStatus, State};
use motey_core::reason::Code;
use motey_core::record::{Desired, Ended, InstanceKey, ServiceRecord};
use motey_core::spec::{ImageSpec, Restart};

use crate::blueprint::{requirements, service_id, supply, takes};
use crate::node::Node;
use crate::plan::SERVICES;
use crate::watch::{Broken, Verdict, holds};
use crate::world::World;

/// Judges the world at rest.
pub fn judge(world: &World) -> Verdict {
    let rest = Rest { world, truth: truth(world) };
    rest.nobody_waits()?;
    (0..SERVICES).try_for_each(|service| rest.promises(service))?;
    rest.truth.values().try_for_each(|record| rest.record(record))?;
    world.nodes.iter().try_for_each(|node| rest.node(node))
}

/// Judges a world in which everything was deleted.
pub fn judge_empty(world: &World) -> Verdict {
    for node in &world.nodes {
        let left = node.engines.iter().flat_map(|engine| engine.bodies.keys()).next();
        holds("nothing is left of what is deleted", left.is_none(), || {
            left.map(|key| world.story.names.key(key)).unwrap_or_default()
        })?;
        holds("leases are what runs", node.disk.now.leases.is_empty(), || {
            format!("{:?} when all is deleted", node.disk.now.leases)
        })?;
    }
    Ok(())
}

/// The greatest version of every record.
fn truth(world: &World) -> BTreeMap<ServiceId, Arc<ServiceRecord>> {
    let mut truth: BTreeMap<ServiceId, Arc<ServiceRecord>> = BTreeMap::new();
    for record in world.nodes.iter().flat_map(|node| node.disk.now.records.values()) {
        let known = truth.entry(record.id).or_insert_with(|| Arc::clone(record));
        if known.stamp < record.stamp {
            *known = Arc::clone(record);
        }
    }
    truth
}

struct Rest<'w> {
    world: &'w World,
    truth: BTreeMap<ServiceId, Arc<ServiceRecord>>,
}

impl Rest<'_> {
    fn nobody_waits(&self) -> Verdict {
        let waiting = self.world.people.waiting().next();
        holds("everybody is answered", waiting.is_none(), || format!("{waiting:?}"))
    }

    fn promises(&self, service: usize) -> Verdict {
        let record = self.truth.get(&service_id(self.world.scene.seed, service));
        let verdict = self.world.people.expected(service).judge(record.map(|record| &**record));
        verdict.map_err(|text| Broken {
            rule: "what was promised holds",
            text: format!("svc-{service}: {text}"),
        })
    }

    fn record(&self, record: &ServiceRecord) -> Verdict {
        let nothing_leaves = record.dismissed.is_empty();
        holds("what is dismissed goes", nothing_leaves, || {
            crate::story::record(record, &self.world.story.names)
        })?;
        match record.desired {
            Desired::Running => self.runs_or_says_why(record),
            Desired::Stopped | Desired::Absent => {
                let left = self.bodies().find(|(_, key, _)| key.service == record.id);
                holds("what is stopped is gone", left.is_none() && record.slots.is_empty(), || {
                    crate::story::record(record, &self.world.story.names)
                })
            }
        }
    }

    fn bodies(&self) -> impl Iterator<Item = (&Node, &InstanceKey, Seen)> {
        self.world.nodes.iter().flat_map(|node| {
            let bodies = node.engines.iter().flat_map(|engine| &engine.bodies);
            bodies.map(move |(key, body)| (node, key, body.seen))
        })
    }

    fn runs_or_says_why(&self, record: &ServiceRecord) -> Verdict {
        let owner = self.world.nodes.iter().find(|node| node.id == record.stamp.owner);
        let core = owner.and_then(|owner| owner.process.as_ref()).map(|process| &process.core);
        let Some(status) = core.and_then(|core| core.status(record.id)) else { return Ok(()) };
        for slot in status.images.iter().flat_map(|image| &image.slots) {
            self.slot(record, slot)?;
        }
        Ok(())
    }

    fn slot(&self, record: &ServiceRecord, slot: &SlotStatus) -> Verdict {
        let name = || self.world.story.names.slot(record.id, &slot.slot);
        let mut running = self.bodies().filter(|(_, key, seen)| {
            (key.service, &key.slot) == (record.id, &slot.slot) && *seen == Seen::Running
        });
        let assigned = record.slots.get(&slot.slot);
        let runs = match (running.next(), running.next()) {
            (None, _) => false,
            (Some((node, key, _)), None) => {
                let named = assigned.is_some_and(|at| at.node == node.id && at.fence == key.fence);
                holds("what runs is assigned", named, name)?;
                true
            }
            _ => return Err(Broken { rule: "one instance lives in a slot", text: name() }),
        };
        let ended = record.ended.get(&slot.slot);
        holds("what ended does not run", !(runs && ended.is_some()), name)?;
        holds("what runs is shown to run", runs == (slot.state == State::Running), || {
            format!("{} is {:?}: {:?}", name(), slot.state, slot.reason)
        })?;
        match ended {
            _ if runs => Ok(()),
            Some(ended) => self.ended(record, slot, ended),
            None if record.has_failed() => Ok(()),
            None => self.waits(record, slot),
        }
    }

    /// Whether so much went wrong that it could be given up.
    fn ended(&self, record: &ServiceRecord, slot: &SlotStatus, ended: &Ended) -> Verdict {
        let harms = self.world.watch.harms(record.id, &slot.slot);
        let rule = record.revision.spec.image(&slot.slot.image).map(|image| image.restart);
        let final_at_once = match ended {
            Ended::Succeeded => rule != Some(Restart::Always),
            Ended::GaveUp(reason) => {
                rule == Some(Restart::Never)
                    || matches!(reason.code, Code::EngineInvalid | Code::EngineUnsupported)
            }
        };
        let enough = if final_at_once { 1 } else { motey_core::Tuning::default().restart_attempts };
        holds("what is given up was tried", harms >= enough, || {
            format!("{} {ended:?} after {harms} mishaps", self.world.story.names.slot(record.id, &slot.slot))
        })
    }

    /// Whether what keeps it from running is true.
    fn waits(&self, record: &ServiceRecord, slot: &SlotStatus) -> Verdict {
        let name = || self.world.story.names.slot(record.id, &slot.slot);
        let frozen = self.bodies().any(|(_, key, seen)| {
            (key.service, &key.slot) == (record.id, &slot.slot) && seen == Seen::Paused
        });
        if frozen {
            return Ok(());
        }
        holds("what does not run says why", slot.reason.is_some(), || {
            format!("{} is {:?}", name(), slot.state)
        })?;
        holds("what does not run has no node", slot.node.is_none(), || {
            format!("{} is {:?}: {:?}", name(), slot.state, slot.reason)
        })?;
        let Some(image) = record.revision.spec.image(&slot.slot.image) else { return Ok(()) };
        let fits = self
            .world
            .nodes
            .iter()
            .find(|node| self.is_open(record, node) && fits(node, image, self.world.now));
        holds("what waits fits nowhere", fits.is_none(), || {
            let at = fits.map(|node| crate::blueprint::node_name(node.number)).unwrap_or_default();
            format!("{} fits on {at}, and waits: {:?}", name(), slot.reason)
        })
    }

    /// Whether the owner of a record may give this node something.
    fn is_open(&self, record: &ServiceRecord, node: &Node) -> bool {
        node.id == record.stamp.owner
    }

    fn node(&self, node: &Node) -> Verdict {
        let names = &self.world.story.names;
        let mut wanted = BTreeSet::new();
        for (key, body) in node.engines.iter().flat_map(|engine| &engine.bodies) {
            let record = self.truth.get(&key.service);
            let assigned = record.and_then(|record| record.slots.get(&key.slot));
            let named = assigned.is_some_and(|at| at.node == node.id && at.fence == key.fence);
            holds("nothing strays", named, || {
                format!("{} {} on {}", names.key(key), crate::story::seen(body.seen), names.node(node.id))
            })?;
            if body.lives() {
                wanted.insert(key);
            }
        }
        for key in &wanted {
            self.leases_of(node, key)?;
        }
        let idle = node.disk.now.leases.iter().find(|lease| !wanted.contains(&lease.holder));
        holds("leases are what runs", idle.is_none(), || format!("{idle:?} is held for nothing"))?;
        self.memory(node)
    }

    /// What runs holds what it needs.
    fn leases_of(&self, node: &Node, key: &InstanceKey) -> Verdict {
        let Some(body) = node.engines.iter().find_map(|engine| engine.bodies.get(key)) else { return Ok(()) };
        for requirement in requirements(&body.image.need) {
            let device = node.devices.iter().find(|device| device.capability.id.name == requirement.name);
            let needs = device.and_then(|device| takes(requirement, &device.capability)).unwrap_or(0);
            let mut leases = node.disk.now.leases.iter();
            let held =
                leases.any(|it| it.holder == *key && it.of.name == requirement.name && it.amount == needs);
            holds("leases are what runs", held || needs == 0, || {
                format!("{} has no lease of {}", self.world.story.names.key(key), requirement.name)
            })?;
        }
        Ok(())
    }

    fn memory(&self, node: &Node) -> Verdict {
        let Some(process) = &node.process else { return Ok(()) };
        let memory = process.core.records();
        let same = memory.eq(node.disk.now.records.values());
        holds("memory is what is on the disk", same, || "at rest".into())
    }
}

/// Whether an image could run on a node beside all that holds something there.
fn fits(node: &Node, image: &ImageSpec, now: u64) -> bool {
    let runs = |name: &motey_core::id::EngineName| image.engines.is_empty() || image.engines.contains(name);
    let held = node.disk.now.held();
    node.engines.iter().any(|engine| engine.up && runs(&engine.name))
        && requirements(&image.need).into_iter().all(|requirement| {
            node.offers(now).any(|it| {
                let used = held.get(&it.id).copied().unwrap_or(0);
                takes(requirement, it).is_some_and(|amount| used + amount <= supply(it))
            })
        })
}
