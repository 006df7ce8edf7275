//! The entries of the plan, done to the world; and the end of all trouble.

use std::collections::BTreeSet;

use motey_core::instance::{Exit, Seen};
use motey_core::peer::Duty;
use motey_core::record::InstanceKey;
use motey_core::step::Input;

use crate::dice::mix;
use crate::disk::Contents;
use crate::engine::{Mishap, exited};
use crate::node::{Death, Device, Fuse, NEVER, Node};
use crate::plan::{Change, Happening, Wish};
use crate::queue::Time;
use crate::watch::Verdict;
use crate::world::{Event, World, down};

/// So many calls are answered without anything being done.
const IDLE: u32 = 50;

/// A node that is to die, and has nothing to do, dies after so long all the same.
const FUSE: Time = 15_000;

impl World {
    /// An entry's time has come.
    pub fn planned(&mut self, what: Happening) -> Verdict {
        let now = self.now;
        match what {
            Happening::Ask { service, wish: wish @ Wish::Deploy { .. }, .. } => {
                // an id is drawn by one client, and brought to one node
                let home = mix(&[self.scene.seed, 9, service as u64]) % self.nodes.len() as u64;
                self.ask(usize::try_from(home).unwrap_or(0), Some(service), wish)?;
            }
            Happening::Ask { node, service, wish } => self.ask(node, Some(service), wish)?,
            Happening::Duty { node, duty, span } => self.duty(node, duty, span)?,
            Happening::Forgets { node, about } => self.forget(node, about)?,
            Happening::Removes { node, span } => self.remove(node, span),
            Happening::Restores { node, span } => self.back_up(node, span),
            Happening::Lost { node } => {
                let first = self.nodes.len() > 1 && self.nodes.iter().all(|node| !node.to_be_lost);
                self.nodes[node].to_be_lost |= first;
            }
            Happening::Dies { node, points, power, kept, calls_done, down } => {
                self.dies_soon(node, points, Death { power, kept, calls_done, down });
            }
            Happening::Pauses { node, span } => self.pause(node, span),
            Happening::DiskFull { node, span, reserve } => {
                self.tell(node, |_| format!("its disk is full for {span} ms"));
                let disk = &mut self.nodes[node].disk;
                (disk.full_until, disk.reserve) = (disk.full_until.max(now + span), reserve);
            }
            Happening::EngineDown { node, engine, span, loses } => {
                self.engine_down(node, engine, span, loses)?;
            }
            Happening::Spoils { node, engine, verb, mishap } => {
                if let Some(engine) = self.nodes[node].engines.get_mut(engine) {
                    // who shirks does so for a while
                    let times = if mishap == Mishap::Idle { IDLE } else { 1 };
                    (0..times).for_each(|_| engine.spoil(verb, mishap));
                }
            }
            Happening::Changes { node, pick, change } => self.change(node, pick, change)?,
            Happening::Sickens { node, pick, span } => self.sicken(node, pick, span),
            Happening::EngineMute { node, engine, span } => self.mute(node, engine, span),
            Happening::EngineLate { node, engine, span } => {
                if let Some(engine) = self.nodes[node].engines.get_mut(engine) {
                    engine.late_until = engine.late_until.max(now + span);
                }
            }
            Happening::Lists { node, engine } => {
                if engine < self.nodes[node].engines.len() {
                    self.list(node, engine);
                }
            }
            Happening::DongleAway { node, unit, span } => self.device_away(node, 1 + unit, None, span),
            Happening::DongleMoves { node, unit, span } => {
                self.device_away(node, 1 + unit, None, Some(span));
                if let Some(Device { capability, moves, .. }) = self.nodes[node].devices.get_mut(1 + unit) {
                    *moves += 1;
                    capability.binding = Some(crate::blueprint::device(&capability.id.unit, *moves));
                }
            }
            Happening::MemoryShrinks { node, to, span } => {
                self.device_away(node, 0, Some(crate::blueprint::memory(to)), span);
            }
            Happening::Splits { .. }
            | Happening::Deaf { .. }
            | Happening::Lossy { .. }
            | Happening::Doubling { .. }
            | Happening::Disorder { .. }
            | Happening::Slow { .. }
            | Happening::BrokerAway { .. } => self.between(what),
        }
        Ok(())
    }

    /// What happens between nodes.
    fn between(&mut self, what: Happening) {
        let now = self.now;
        self.story.tell(now, None, |_| format!("{what:?}"));
        match what {
            Happening::Splits { mask, span } => self.network.split(mask, now + span),
            Happening::Deaf { from, to, span } => self.network.deafen(from, to, now + span),
            Happening::Lossy { percent, span } => self.network.lose(percent, now + span),
            Happening::Doubling { percent, span } => self.network.double(percent, now + span),
            Happening::Disorder { span } => self.network.disorder(now + span),
            Happening::Slow { most, span } => self.network.slow_down(most, now + span),
            Happening::BrokerAway { span } => self.broker.away_until = now + span,
            _ => {}
        }
        if let Happening::Splits { span, .. }
        | Happening::Deaf { span, .. }
        | Happening::BrokerAway { span } = what
        {
            self.meet();
            self.queue.push(now + span, Event::Mended);
        }
    }

    fn duty(&mut self, n: usize, duty: Duty, span: Option<Time>) -> Verdict {
        match span {
            Some(span) => self.queue.push(self.now + span, Event::Duty { node: n }),
            None => drop(self.on_duty.insert(n)),
        }
        self.ask(n, None, Wish::Duty(duty))
    }

    /// A node takes on everything again.
    pub fn back_on_duty(&mut self, n: usize) -> Verdict {
        if self.on_duty.contains(&n) { Ok(()) } else { self.ask(n, None, Wish::Duty(Duty::Operate)) }
    }

    /// Whoever gives up a node that lives, or comes back, is wrong.
    fn forget(&mut self, n: usize, about: usize) -> Verdict {
        self.mislead_all();
        self.ask(n, None, Wish::Forget { node: about, forgotten: true })
    }

    /// Somebody is given up: from now on what is pinned may run twice, until he is taken back and all have met.
    pub fn mislead_all(&mut self) {
        let all = (0..crate::plan::SERVICES).map(|n| crate::blueprint::service_id(self.scene.seed, n));
        self.misled.extend(all);
    }

    /// One member is always left. Whoever is removed goes on with what it runs, as one that is given up and lives.
    fn remove(&mut self, n: usize, span: Time) {
        let id = self.nodes[n].id;
        if self.members.len() > 1 && self.members.remove(&id) {
            self.mislead_all();
            self.tell_members();
            self.queue.push(self.now + span, Event::TakenBack { node: n });
        }
    }

    /// A node is a member again.
    pub fn take_in(&mut self, n: usize) {
        self.members.insert(self.nodes[n].id);
        self.tell_members();
    }

    /// Each node that is up is told a little later.
    fn tell_members(&mut self) {
        for node in 0..self.nodes.len() {
            let at = self.now + self.lag(node, 70, 3_000);
            self.queue.push(at, Event::Members { node });
        }
    }

    fn back_up(&mut self, n: usize, span: Time) {
        let disk = &mut self.nodes[n].disk;
        if disk.backup.is_none() {
            disk.backup = Some(Box::new(disk.now.clone()));
            self.tell(n, |_| "its disk is backed up".into());
            self.queue.push(self.now + span, Event::Restore { node: n });
        }
    }

    /// A node dies and finds its disk as it was when it was backed up.
    pub fn restore(&mut self, n: usize) {
        let death = Death { power: true, kept: 0, calls_done: false, down: 1_000 };
        self.die(n, death);
        let before = self.nodes[n].disk.now.clone();
        if self.nodes[n].disk.restore() {
            self.tell(n, |_| "finds an older disk".into());
            self.watch.power_cut(n);
            self.excuse(n, &before);
            self.mislead(n, &before);
        }
    }

    /// What was on the disk of `n` and is nowhere else now, where somebody could tell of it: nobody can be blamed for its
    /// loss. What is left of a service binds as before.
    pub fn excuse(&mut self, n: usize, before: &Contents) {
        let now = self.now;
        let tells = |node: &&Node| node.number == n || (node.life().is_some() && node.paused_until <= now);
        for id in before.records.keys() {
            let nodes = || self.nodes.iter().filter(tells);
            let copies = || nodes().filter_map(|node| node.disk.now.records.get(id));
            let kept = nodes().filter_map(|node| node.disk.now.kept.get(id));
            let stamp = copies().map(|copy| copy.stamp).max();
            let order = copies().map(|copy| copy.revision.order).chain(kept.map(|kept| kept.order)).max();
            if stamp.is_none() {
                self.excused.insert(*id);
            }
            let service = self.story.names.service_number(*id);
            self.people.void(service, stamp, order);
        }
    }

    /// A node forgot what it had decided, or promised to run: until it has heard of it again, what must not run twice
    /// may do so. Of an end that it ordered it does not know that it was ordered.
    fn mislead(&mut self, n: usize, before: &Contents) {
        let now = &self.nodes[n].disk.now;
        let other = before.records.iter().filter(|(id, record)| now.records.get(id) != Some(record));
        let gone = now.records.keys().filter(|id| !before.records.contains_key(id));
        self.misled.extend(other.map(|(id, _)| *id).chain(gone.copied()));
        let bodies = self.nodes[n].engines.iter().flat_map(|engine| engine.bodies.keys());
        bodies.filter(|key| self.misled.contains(&key.service)).for_each(|key| self.watch.harm(key));
    }

    fn dies_soon(&mut self, n: usize, points: u16, death: Death) {
        if let Some(life) = self.nodes[n].life() {
            self.tell(n, |_| format!("is to die after {points} more points"));
            self.nodes[n].fuse = Some(Fuse { left: points, death });
            self.queue.push(self.now + FUSE, Event::FuseEnds { node: n, life });
        }
    }

    fn pause(&mut self, n: usize, span: Time) {
        if self.nodes[n].process.is_some() {
            self.tell(n, |_| format!("is paused for {span} ms"));
            let until = self.nodes[n].paused_until.max(self.now + span);
            self.nodes[n].paused_until = until;
            self.queue.push(until, Event::Resume { node: n });
        }
    }

    fn engine_down(&mut self, n: usize, e: usize, span: Time, loses: bool) -> Verdict {
        let until = self.now + span;
        let Some(engine) = self.nodes[n].engines.get_mut(e) else { return Ok(()) };
        let name = engine.name.clone();
        engine.up = false;
        engine.down_until = engine.down_until.max(until);
        let back = engine.down_until;
        let live = engine.bodies.iter().filter(|(_, body)| loses && body.lives());
        let lost: Vec<InstanceKey> = live.map(|(key, _)| key.clone()).collect();
        for key in &lost {
            engine.show(key, Seen::Exited(Exit::default()));
            self.watch.harm(key);
        }
        self.tell(n, |_| format!("  {name} goes down for {span} ms and loses {} instances", lost.len()));
        // what it was about to tell is lost with its connection
        self.queue.retain(|_, event| match event {
            Event::Input { node, input: Input::Instance(it), .. } => *node != n || it.engine != name,
            _ => true,
        });
        self.state(n, e, down());
        self.queue.push(back, Event::EngineBack { node: n, engine: e });
        Ok(())
    }

    fn mute(&mut self, n: usize, e: usize, span: Time) {
        let until = self.now + span;
        if let Some(engine) = self.nodes[n].engines.get_mut(e) {
            engine.mute_until = engine.mute_until.max(until);
            self.tell(n, |_| format!("  what engine {e} tells is lost for {span} ms"));
            self.queue.push(until + 1, Event::List { node: n, engine: e });
        }
    }

    fn device_away(
        &mut self,
        n: usize,
        device: usize,
        instead: Option<motey_core::capability::Capability>,
        span: Option<Time>,
    ) {
        let now = self.now;
        let Some(device) = self.nodes[n].devices.get_mut(device) else { return };
        device.away_until = span.map_or(NEVER, |span| now + span);
        device.instead = instead;
        let (until, what) = (device.away_until, device.capability.id.name.clone());
        self.tell(n, |_| format!("its {what} is not what it was"));
        self.offer(n);
        if until < NEVER {
            self.queue.push(until, Event::Offer { node: n });
        }
    }

    /// An instance becomes something else by itself, or by somebody's hand.
    fn change(&mut self, n: usize, pick: u64, change: Change) -> Verdict {
        let Some((e, key)) = self.picked(n, pick, change) else { return Ok(()) };
        let engine = &mut self.nodes[n].engines[e];
        match change {
            Change::Exits(code) => engine.show(&key, exited(code)),
            Change::Killed => engine.show(&key, Seen::Exited(Exit { signal: Some(9), ..Exit::default() })),
            Change::Vanishes => drop(engine.bodies.remove(&key)),
            Change::Freezes => engine.show(&key, Seen::Paused),
            Change::Thaws => engine.show(&key, Seen::Running),
            Change::Started => {
                engine.show(&key, Seen::Running);
                engine.bodies.entry(key.clone()).and_modify(|body| body.meddled = true);
            }
        }
        self.tell(n, |names| format!("  {} {change:?}", names.key(&key)));
        self.watch.harm(&key);
        self.announce(n, e, &key);
        self.lives(n)
    }

    /// An instance runs on and does not do its work.
    fn sicken(&mut self, n: usize, pick: u64, span: Option<Time>) {
        let Some((e, key)) = self.picked(n, pick, Change::Freezes) else { return };
        let until = span.map_or(NEVER, |span| self.now + span);
        let body = self.nodes[n].engines[e].bodies.get_mut(&key);
        body.into_iter().for_each(|body| body.sick_until = until);
        self.tell(n, |names| format!("  {} runs on and does not do its work", names.key(&key)));
    }

    fn picked(&self, n: usize, pick: u64, change: Change) -> Option<(usize, InstanceKey)> {
        let fits = |seen: Seen| match change {
            Change::Thaws => seen == Seen::Paused,
            Change::Started => matches!(seen, Seen::Exited(_)),
            Change::Vanishes => true,
            Change::Exits(_) | Change::Killed | Change::Freezes => seen == Seen::Running,
        };
        let engines = self.nodes[n].engines.iter().enumerate();
        let bodies =
            engines.flat_map(|(e, engine)| engine.bodies.iter().map(move |(key, body)| (e, key, body.seen)));
        let all: Vec<_> = bodies.filter(|(_, _, seen)| fits(*seen)).collect();
        let at = usize::try_from(pick % (all.len() as u64).max(1)).unwrap_or(0);
        all.get(at).map(|(e, key, _)| (*e, (*key).clone()))
    }

    /// Everything that was to end ends now; who is dead starts.
    pub fn calm(&mut self) -> Verdict {
        let now = self.now;
        self.story.tell(now, None, |_| "all trouble is over".into());
        self.network.calm();
        self.broker.away_until = 0;
        self.queue.push(now + 1, Event::Mended);
        self.queue.retain(|_, event| !matches!(event, Event::Restore { .. }));
        self.members = self.nodes.iter().map(|node| node.id).collect();
        self.tell_members();
        for n in 0..self.nodes.len() {
            self.nodes[n].calm(now);
            self.queue.push(now, Event::Resume { node: n });
            for e in 0..self.nodes[n].engines.len() {
                self.queue.push(now, Event::EngineBack { node: n, engine: e });
            }
            self.queue.push(now, Event::Boot { node: n });
            self.queue.push(now + 1, Event::Offer { node: n });
            self.queue.push(now + 60_000, Event::Duty { node: n });
        }
        Ok(())
    }

    /// Who was given up and lives is taken back.
    pub fn take_back(&mut self) -> Verdict {
        let (all, mut given_up) = (0..self.nodes.len(), BTreeSet::new());
        for node in &self.nodes {
            given_up.extend(node.disk.now.standing.forgotten.iter().map(|id| self.story.names.number(id)));
        }
        for by in all {
            for about in given_up.iter().copied().filter(|about| *about != by) {
                self.ask(by, None, Wish::Forget { node: about, forgotten: false })?;
            }
        }
        Ok(())
    }

    /// The node that is to be lost dies, and its disk with it.
    pub fn lose(&mut self) -> Option<usize> {
        let n = self.nodes.iter().position(|node| node.to_be_lost)?;
        self.nodes[n].lost = true;
        self.die(n, Death { power: true, kept: 0, calls_done: false, down: 0 });
        let before = std::mem::take(&mut self.nodes[n].disk).now;
        self.nodes[n].engines.iter_mut().for_each(|engine| engine.bodies.clear());
        self.tell(n, |_| "is lost for ever, its disk too".into());
        self.excuse(n, &before);
        Some(n)
    }
}
