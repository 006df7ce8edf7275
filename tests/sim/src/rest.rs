//! What must hold when all trouble is over and everything has come to rest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use motey_core::Core;
use motey_core::id::{NodeId, ServiceId};
use motey_core::instance::Seen;
use motey_core::peer::Duty;
use motey_core::phase::Phase;
use motey_core::project::{SlotStatus, State};
use motey_core::reason::Code;
use motey_core::record::{Desired, Ended, InstanceKey, Place, ServiceRecord, SlotId};
use motey_core::spec::{ImageSpec, OnLoss, Restart, Run};

use crate::blueprint::{requirements, service_id, supply, takes};
use crate::engine::Body;
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
        let mut left = node.engines.iter().flat_map(|engine| engine.bodies.keys());
        let forgotten = |key: &&InstanceKey| {
            let known = world.nodes.iter().any(|node| node.disk.now.records.contains_key(&key.service));
            !known && world.excused.contains(&key.service)
        };
        let left = left.find(|key| !forgotten(key));
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
    let there = world.nodes.iter().filter(|node| node.process.is_some());
    for record in there.flat_map(|node| node.disk.now.records.values()) {
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
        let verdict = self.world.people.judge(service, record.map(|record| &**record));
        verdict.map_err(|text| Broken {
            rule: "what was promised holds",
            text: format!("svc-{service}: {text}"),
        })
    }

    fn record(&self, record: &ServiceRecord) -> Verdict {
        let mut leaving = record.dismissed.iter();
        let nothing_leaves = leaving.all(|it| self.is_waited_for(it.node, true));
        holds("what is dismissed goes", nothing_leaves, || {
            crate::story::record(record, &self.world.story.names)
        })?;
        match record.desired {
            Desired::Running => self.runs_or_says_why(record),
            Desired::Stopped | Desired::Absent => {
                let left = self.bodies().find(|(_, key, _)| key.service == record.id);
                let mut slots = record.slots.values();
                let over = slots.all(|at| self.is_waited_for(at.node, true));
                holds("what is stopped is gone", left.is_none() && over, || {
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
        let Some(core) = core else { return self.orphaned(record) };
        let Some(status) = core.status(record.id) else { return Ok(()) };
        holds("every epoch is proven", !record.unproven || self.lost_known(), || self.told(record))?;
        let heirs = self.world.nodes.iter().any(|node| self.takes_on(node) && node.id != record.stamp.owner);
        holds("an heir takes over", record.heir.is_none() || !heirs, || self.told(record))?;
        for slot in status.images.iter().flat_map(|image| &image.slots) {
            self.slot(record, slot)?;
        }
        self.everywhere(record)?;
        self.endpoints(core, record)?;
        self.held_by_all(record)
    }

    /// Each port is where its image runs, as its owner was told.
    fn endpoints(&self, core: &Core, record: &ServiceRecord) -> Verdict {
        let over = |slot: &SlotId| record.has_failed() || record.ended.contains_key(slot);
        let serves = |key: &InstanceKey, seen: Seen| {
            let assigned = record.slots.get(&key.slot).filter(|_| key.service == record.id);
            seen == Seen::Running && !over(&key.slot) && assigned.is_some_and(|it| it.fence == key.fence)
        };
        for endpoint in core.endpoints(record.id).into_iter().flat_map(|(_, all)| all) {
            let of_image = self.bodies().filter(|(_, key, _)| key.slot.image == endpoint.image.key);
            let there = of_image.filter(|(node, key, seen)| node.process.is_some() && serves(key, *seen));
            let nodes: BTreeSet<NodeId> = there.map(|(node, _, _)| node.id).collect();
            let named: BTreeSet<NodeId> = endpoint.nodes.iter().copied().collect();
            holds("endpoints are where it runs", nodes == named, || {
                format!(
                    "{} of {}: {named:?}, and it runs on {nodes:?}",
                    endpoint.port.name,
                    self.told(record)
                )
            })?;
        }
        Ok(())
    }

    fn told(&self, record: &ServiceRecord) -> String {
        crate::story::record(record, &self.world.story.names)
    }

    /// Its owner is lost: somebody took over, unless nobody may.
    fn orphaned(&self, record: &ServiceRecord) -> Verdict {
        let heirs = self.world.nodes.iter().any(|node| self.takes_on(node));
        holds("a lost owner is succeeded", !self.may_act() || !heirs, || self.told(record))
    }

    /// Every holder that is there has the record as it is.
    fn held_by_all(&self, record: &ServiceRecord) -> Verdict {
        let there = self.world.nodes.iter().filter(|node| node.process.is_some());
        let mut concerned = there.filter(|node| record.audience().contains(&node.id));
        let behind = concerned
            .find(|node| node.disk.now.records.get(&record.id).is_none_or(|held| held.stamp != record.stamp));
        holds("all holders hold the same", behind.is_none(), || {
            let name = behind.map(|node| crate::blueprint::node_name(node.number)).unwrap_or_default();
            format!("{name} does not hold {}", self.told(record))
        })
    }

    /// An image with a slot on every node has one wherever it fits.
    fn everywhere(&self, record: &ServiceRecord) -> Verdict {
        if record.has_failed() {
            return Ok(());
        }
        for image in record.everywhere() {
            let without = self.world.nodes.iter().filter(|node| self.takes_on(node)).find(|node| {
                let slot = SlotId { image: image.key.clone(), place: Place::On(node.id) };
                let known = record.slots.contains_key(&slot) || record.ended.contains_key(&slot);
                !known && fits(node, image, self.world.now)
            });
            holds("every node that fits has its slot", without.is_none(), || {
                let name = without.map(|node| crate::blueprint::node_name(node.number)).unwrap_or_default();
                format!("none of {} on {name}: {}", image.key, self.told(record))
            })?;
        }
        Ok(())
    }

    /// A node that is gone for ever, and not forgotten.
    fn lost_known(&self) -> bool {
        self.world.nodes.iter().any(|node| node.process.is_none() && !self.forgotten(node))
    }

    fn forgotten(&self, node: &Node) -> bool {
        self.world.nodes.iter().any(|by| by.disk.now.standing.forgotten.contains(node.id))
    }

    /// Whether it is there, and takes on what is new.
    fn takes_on(&self, node: &Node) -> bool {
        node.process.is_some() && node.disk.now.standing.duty == Duty::Operate && !self.forgotten(node)
    }

    /// Whether what a node is to give away has nowhere to go.
    fn is_stuck(&self, node: &Node) -> bool {
        let others = self.world.nodes.iter().any(|other| self.takes_on(other));
        node.disk.now.standing.duty == Duty::Drain && !others
    }

    /// Whether those who are left may act for one that is gone.
    fn may_act(&self) -> bool {
        let known = self.world.nodes.iter().filter(|node| !self.forgotten(node)).count();
        let there = self.world.nodes.iter().filter(|node| node.process.is_some()).count();
        let drains = |node: &Node| node.disk.now.standing.duty == Duty::Drain;
        let can = self.world.nodes.iter().filter(|node| node.process.is_some() && !drains(node));
        let can: Vec<&Node> = can.collect();
        !self.lost_known()
            || (2 * there > known && !can.is_empty())
            || (2 * there == known && can.iter().any(|node| self.world.has_session(node.number)))
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
                let named = assigned.is_some_and(|at| at.names(key.fence)) || self.is_stuck(node);
                holds("what runs is assigned", named, name)?;
                true
            }
            _ => return Err(Broken { rule: "one instance lives in a slot", text: name() }),
        };
        let leaving = record.dismissed.iter().filter(|it| it.slot == slot.slot);
        let on_lost = leaving.map(|it| it.node).any(|node| self.is_waited_for(node, true))
            || assigned.is_some_and(|at| self.is_waited_for(at.node, at.pinned));
        if !runs && on_lost {
            return Ok(());
        }
        let ended = record.ended.get(&slot.slot);
        holds("what ended does not run", !(runs && ended.is_some()), name)?;
        // amid a move the slot's own instance may be frozen, and the one before it goes on
        let frozen = self.is_frozen(record, &slot.slot) && slot.reason.is_some();
        holds("what runs is shown to run", frozen || runs == (slot.state == State::Running), || {
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
        let image = record.revision.spec.image(&slot.slot.image);
        let job = image.is_some_and(|image| image.run == Run::Job);
        let final_at_once = match ended {
            Ended::Succeeded => rule != Some(Restart::Always) || job,
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

    fn is_frozen(&self, record: &ServiceRecord, slot: &SlotId) -> bool {
        let mut of_slot = self.bodies().filter(|(_, key, _)| (key.service, &key.slot) == (record.id, slot));
        of_slot.any(|(_, _, seen)| seen == Seen::Paused)
    }

    /// Whether what keeps it from running is true.
    fn waits(&self, record: &ServiceRecord, slot: &SlotStatus) -> Verdict {
        let name = || self.world.story.names.slot(record.id, &slot.slot);
        if self.is_frozen(record, &slot.slot) {
            return Ok(());
        }
        holds("what does not run says why", slot.reason.is_some(), || {
            format!("{} is {:?}", name(), slot.state)
        })?;
        if self.is_stopped_for_want(record, slot) {
            return Ok(());
        }
        holds("what does not run has no node", slot.node.is_none(), || {
            format!("{} is {:?}: {:?}", name(), slot.state, slot.reason)
        })?;
        let Some(image) = record.revision.spec.image(&slot.slot.image) else { return Ok(()) };
        if record.unproven || self.awaits(record, image) {
            return Ok(());
        }
        let mut open = self.world.nodes.iter().filter(|node| self.takes_on(node));
        let fits = open.find(|node| fits(node, image, self.world.now));
        holds("what waits fits nowhere", fits.is_none(), || {
            let at = fits.map(|node| crate::blueprint::node_name(node.number)).unwrap_or_default();
            format!("{} fits on {at}, and waits: {:?}", name(), slot.reason)
        })
    }

    /// Whether it waits on its node for what that lost.
    fn is_stopped_for_want(&self, record: &ServiceRecord, slot: &SlotStatus) -> bool {
        let Some(image) = record.revision.spec.image(&slot.slot.image) else { return false };
        let at = self.world.nodes.iter().find(|node| Some(node.id) == slot.node);
        let fence = slot.fence.map(|fence| record.key(&slot.slot, fence));
        image.on_loss == OnLoss::Stop
            && at.zip(fence).is_some_and(|(node, key)| node.lacks(&key, image, &node.supply(self.world.now)))
    }

    /// What lives where something is gone is what is kept, or has nowhere else to go.
    fn has_what_it_needs(&self, node: &Node, key: &InstanceKey, record: &ServiceRecord) -> Verdict {
        let owned =
            self.world.nodes.iter().any(|node| node.id == record.stamp.owner && node.process.is_some());
        let image = record.revision.spec.image(&key.slot.image);
        let supply = node.supply(self.world.now);
        let Some(image) = image.filter(|image| owned && node.lacks(key, image, &supply)) else {
            return Ok(());
        };
        let mut others = self.world.nodes.iter().filter(|other| self.takes_on(other));
        let stays = match (image.on_loss, key.slot.place) {
            (OnLoss::Keep, _) => true,
            (OnLoss::Stop, _) | (OnLoss::Move, Place::On(_)) => false,
            (OnLoss::Move, Place::Ordinal(_)) => !others.any(|other| fits(other, image, self.world.now)),
        };
        holds("what lost what it needs is stopped, or moves", stays, || {
            format!("{} on {}", self.world.story.names.key(key), self.world.story.names.node(node.id))
        })
    }

    /// A lost node may come back: what must not run twice, or what nobody may act for, waits for it.
    fn is_waited_for(&self, node: NodeId, pinned: bool) -> bool {
        let at = self.world.nodes.iter().find(|at| at.id == node);
        let gone = at.is_some_and(|at| at.process.is_none() && !self.forgotten(at));
        let nobody = !self.world.nodes.iter().any(|node| self.takes_on(node));
        gone && (pinned || !self.may_act()) || at.is_some_and(|at| at.lost) && nobody
    }

    /// Whether an image waits for another one that does not run either.
    fn awaits(&self, record: &ServiceRecord, image: &ImageSpec) -> bool {
        image.after.iter().any(|(first, _)| {
            record.wanted_of(first).any(|slot| {
                !self.bodies().any(|(_, key, seen)| {
                    (key.service, &key.slot) == (record.id, &slot) && seen == Seen::Running
                })
            })
        })
    }

    fn node(&self, node: &Node) -> Verdict {
        let names = &self.world.story.names;
        let mut wanted = BTreeSet::new();
        for (key, body) in node.engines.iter().flat_map(|engine| &engine.bodies) {
            let record = self.truth.get(&key.service);
            if record.is_none() && self.world.excused.contains(&key.service) {
                continue;
            }
            let assigned = record.and_then(|record| record.slots.get(&key.slot));
            let named = assigned.is_some_and(|at| at.names(key.fence)) || self.is_stuck(node);
            holds("nothing strays", named, || {
                format!("{} {} on {}", names.key(key), crate::story::seen(body.seen), names.node(node.id))
            })?;
            let well = body.sick_until == 0 || body.image.health.is_none() || body.seen != Seen::Running;
            holds("what does not do its work does not stay", well, || names.key(key))?;
            if body.lives() {
                self.devices_of(node, key, body)?;
                record.map_or(Ok(()), |record| self.has_what_it_needs(node, key, record))?;
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

    /// What runs has its devices as they are.
    fn devices_of(&self, node: &Node, key: &InstanceKey, body: &Body) -> Verdict {
        let offered = node.offers(self.world.now).filter_map(|it| Some((it.id.clone(), it.binding.clone()?)));
        let bound = node.bound(key, &offered.collect());
        let frozen = body.seen == Seen::Paused;
        let fits = frozen || bound.as_ref().is_none_or(|bound| *bound == body.devices);
        holds("what runs has its devices as they are", fits, || {
            format!("{} has {:?} of {bound:?}", self.world.story.names.key(key), body.devices)
        })
    }

    /// What runs holds what it needs.
    fn leases_of(&self, node: &Node, key: &InstanceKey) -> Verdict {
        let Some(body) = node.engines.iter().find_map(|engine| engine.bodies.get(key)) else { return Ok(()) };
        for requirement in requirements(&body.image) {
            let has = node.has().find(|it| it.id.name == requirement.name);
            let needs = has.and_then(|it| takes(&requirement, it)).unwrap_or(0);
            let mut leases = node.disk.now.leases.iter();
            let held =
                leases.any(|it| it.holder == *key && it.of.name == requirement.name && it.amount == needs);
            holds(
                "leases are what runs",
                held || needs == 0 || self.world.misled.contains(&key.service),
                || format!("{} has no lease of {}", self.world.story.names.key(key), requirement.name),
            )?;
        }
        Ok(())
    }

    fn memory(&self, node: &Node) -> Verdict {
        let Some(process) = &node.process else { return Ok(()) };
        let (condition, gone) = (process.core.condition(), self.forgotten(node));
        let phase = match node.disk.now.standing.duty {
            Duty::Operate | Duty::Cordon if !gone => Phase::Operate,
            _ => Phase::Decommission,
        };
        holds("who is well operates", condition.phase() == phase, || {
            format!("{} is {condition:?}", self.world.story.names.node(node.id))
        })?;
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
        && requirements(image).into_iter().all(|requirement| {
            node.offers(now).any(|it| {
                let used = held.get(&it.id).copied().unwrap_or(0);
                takes(&requirement, it).is_some_and(|amount| used + amount <= supply(it))
            })
        })
}
