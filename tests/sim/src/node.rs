//! One node: a process around a core, between a disk, engines and devices that outlive it.
//!
//! [`Node::take`] is the loop that every node has (note, decide, commit, apply, effects), cut short where it dies.
//! What its effects lead to is the world's.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use motey_core::capability::{CapId, Capability};
use motey_core::id::{Millis, NodeId};
use motey_core::record::{Incarnation, InstanceKey};
use motey_core::spec::{ImageSpec, Requirement, Take};
use motey_core::step::{AskId, Effect, Input, Txn};
use motey_core::{Core, Identity, Tuning};

use crate::blueprint::{
    PODMAN, PROCESS, dongle, engine_name, memory, node_id, node_name, ports, requirements, supply,
};
use crate::clock::Clock;
use crate::dice::{Dice, mix};
use crate::disk::Disk;
use crate::engine::Engine;
use crate::owners::Vigil;
use crate::queue::Time;
use crate::watch::{Broken, Verdict};
use crate::wire;

/// Later than every end.
pub const NEVER: Time = Time::MAX;

/// Who tells what it offers.
pub const SOURCES: [&str; 2] = ["host", "usb"];

/// How long a decision that could not be written is put off.
const COMMIT_RETRY: u64 = 2_000;

#[derive(Debug)]
pub struct Node {
    pub number: usize,
    pub id: NodeId,
    pub clock: Clock,
    pub disk: Disk,
    pub engines: Vec<Engine>,
    pub devices: Vec<Device>,
    ports: [Capability; 2],
    /// `None`: it is dead.
    pub process: Option<Process>,
    pub fuse: Option<Fuse>,
    pub paused_until: Time,
    /// A loss of power leaves the remains of its instances in their engines.
    pub leaves_remains: bool,
    /// It will be lost when all is calm,
    pub to_be_lost: bool,
    /// and now it is: it will never start again, and its disk is gone.
    pub lost: bool,
    tuning: Tuning,
    lives: u64,
}

/// One life of it.
#[derive(Debug)]
pub struct Process {
    pub core: Core,
    pub life: u64,
    /// What came while it was paused.
    pub inbox: VecDeque<Input>,
    pub wakes_at: Option<Time>,
    /// What it was told of its devices last.
    pub supply: BTreeMap<CapId, u64>,
    /// And where they are.
    pub bindings: BTreeMap<CapId, String>,
    /// Whom it meets at the broker, as it was told last.
    pub met: Option<BTreeSet<NodeId>>,
    /// What it may know of the others by what it read.
    pub vigil: Vigil,
}

/// Something that is offered, and can be away, or be less.
#[derive(Debug)]
pub struct Device {
    pub capability: Capability,
    pub away_until: Time,
    /// In its place meanwhile.
    pub instead: Option<Capability>,
    /// How often it became another device.
    pub moves: u32,
}

/// How it is to die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Death {
    pub power: bool,
    pub kept: usize,
    pub calls_done: bool,
    pub down: Time,
}

/// It dies after so many more points.
#[derive(Clone, Copy, Debug)]
pub struct Fuse {
    pub left: u16,
    pub death: Death,
}

/// What came of one input.
#[derive(Debug, Default)]
pub struct Taken {
    /// What was committed.
    pub txn: Option<Txn>,
    /// Who is told that it could not be written.
    pub unwritten: Option<Vec<AskId>>,
    /// What was done before it died.
    pub effects: Vec<Effect>,
    pub died: Option<Death>,
}

impl Node {
    pub fn new(seed: u64, number: usize, tuning: Tuning) -> Self {
        let mut dice = Dice::new(mix(&[seed, 3, number as u64]));
        let clock = Clock::new(0, dice.below(1 << 32), dice.between(900, 1_100));
        let mut engines = vec![Engine::new(engine_name(PROCESS))];
        if dice.percent(60) {
            engines.push(Engine::new(engine_name(PODMAN)));
        }
        let mut offered = vec![memory(100)];
        if dice.percent(80) {
            offered.push(dongle("a"));
        }
        if dice.percent(25) {
            offered.push(dongle("b"));
        }
        let device = |capability| Device { capability, away_until: 0, instead: None, moves: 0 };
        Self {
            number,
            id: node_id(seed, number),
            clock,
            disk: Disk::default(),
            engines,
            devices: offered.into_iter().map(device).collect(),
            ports: ports(),
            process: None,
            fuse: None,
            paused_until: 0,
            leaves_remains: dice.percent(50),
            to_be_lost: false,
            lost: false,
            tuning,
            lives: 0,
        }
    }

    /// A new life from the disk; it knows nothing of the world yet.
    pub fn boot(&mut self, seed: u64, members: &BTreeSet<NodeId>, now: Time) -> u64 {
        self.lives += 1;
        let life = self.lives;
        let nonce = u32::try_from(mix(&[seed, 4, self.number as u64, life]) >> 32).unwrap_or(0);
        let count = self.disk.next_count();
        let name = node_name(self.number).parse().expect("a name");
        let me = Identity { node: self.id, name, incarnation: Incarnation { count, nonce } };
        let core = wire::core(me, self.tuning, &self.disk.now, members.clone());
        let vigil = Vigil::of(members.clone(), self.clock.at(now));
        let (inbox, bindings) = (VecDeque::new(), BTreeMap::new());
        let supply = self.ports.iter().map(|port| (port.id.clone(), supply(port))).collect();
        let (wakes_at, met) = (None, None);
        self.process = Some(Process { core, life, inbox, wakes_at, supply, bindings, met, vigil });
        life
    }

    pub fn life(&self) -> Option<u64> {
        self.process.as_ref().map(|process| process.life)
    }

    pub fn boot_time(&self, now: Time) -> Millis {
        self.clock.at(now)
    }

    /// What it has at that moment.
    pub fn offers(&self, now: Time) -> impl Iterator<Item = &Capability> {
        let devices = self.devices.iter().filter_map(move |device| {
            let away = now < device.away_until;
            if away { device.instead.as_ref() } else { Some(&device.capability) }
        });
        devices.chain(&self.ports)
    }

    /// What it has while nothing is away.
    pub fn has(&self) -> impl Iterator<Item = &Capability> {
        self.devices.iter().map(|device| &device.capability).chain(&self.ports)
    }

    /// How much of what it offers then.
    pub fn supply(&self, now: Time) -> BTreeMap<CapId, u64> {
        self.offers(now).map(|it| (it.id.clone(), supply(it))).collect()
    }

    /// Whether something that an instance holds, or its image needs, is not among that; or it holds nothing of it.
    pub fn lacks(&self, key: &InstanceKey, image: &ImageSpec, supply: &BTreeMap<CapId, u64>) -> bool {
        let mut held = self.disk.now.leases.iter().filter(|lease| lease.holder == *key).peekable();
        if held.peek().is_none() && !requirements(image).is_empty() {
            return true;
        }
        let is_there = |wanted: &Requirement| {
            let least = if let Take::Amount(amount) = wanted.take { amount } else { 1 };
            supply.iter().any(|(of, all)| of.name == wanted.name && *all >= least)
        };
        held.any(|lease| !supply.contains_key(&lease.of))
            || !requirements(image).iter().all(|wanted| is_there(wanted))
    }

    /// Where that is which an instance holds, in the order of names; `None`: something of it is not there.
    pub fn bound(&self, key: &InstanceKey, bindings: &BTreeMap<CapId, String>) -> Option<Vec<String>> {
        let held: BTreeSet<&CapId> =
            self.disk.now.leases.iter().filter(|it| it.holder == *key).map(|it| &it.of).collect();
        let sticks = held.into_iter().filter(|of| of.source == SOURCES[1]);
        sticks.map(|of| bindings.get(of).cloned()).collect()
    }

    /// Nothing goes wrong with it any more; what is away for good stays away.
    pub fn calm(&mut self, now: Time) {
        self.fuse = None;
        self.disk.full_until = 0;
        self.paused_until = self.paused_until.min(now);
        for device in &mut self.devices {
            device.away_until = if device.away_until == NEVER { NEVER } else { 0 };
        }
        self.engines.iter_mut().for_each(|engine| engine.calm(NEVER));
    }

    /// One input, as far as it gets; `judge` sees what is about to be written.
    ///
    /// # Errors
    /// What `judge` says.
    pub fn take(
        &mut self,
        input: &Input,
        now: Time,
        judge: impl FnOnce(&Self, &Txn) -> Verdict,
    ) -> Result<Taken, Broken> {
        let boot_time = self.clock.at(now);
        let mut taken = Taken::default();
        let Some(process) = &mut self.process else { return Ok(taken) };
        process.note(input);
        process.vigil.hear(input, boot_time);
        let step = process.core.decide(input, boot_time);
        if burns(&mut self.fuse, &mut taken) {
            return Ok(taken);
        }
        let txn = step.txn().clone();
        judge(self, &txn)?;
        let Some(process) = &mut self.process else { return Ok(taken) };
        match step.commit(|txn| self.disk.write(txn, now)) {
            Ok(committed) => {
                taken.txn = Some(txn.clone());
                if burns(&mut self.fuse, &mut taken) {
                    return Ok(taken);
                }
                process.vigil.wrote(self.id, &txn, boot_time);
                let effects = process.core.apply(committed);
                if effects.iter().any(wire::is_sign_of_life) {
                    process.vigil.beat(self.id, process.core.standing(), boot_time);
                }
                for effect in effects {
                    taken.effects.push(effect);
                    if burns(&mut self.fuse, &mut taken) {
                        return Ok(taken);
                    }
                }
            }
            Err((dropped, _full)) => {
                process.vigil.failed();
                process.core.postpone(&dropped, boot_time.after(COMMIT_RETRY));
                taken.unwritten = Some(dropped.asks);
            }
        }
        Ok(taken)
    }
}

impl Process {
    fn note(&mut self, input: &Input) {
        if let Input::Capabilities { source, all } = input {
            self.supply.retain(|of, _| of.source != *source);
            self.supply.extend(all.iter().map(|it| (it.id.clone(), supply(it))));
            self.bindings.retain(|of, _| of.source != *source);
            self.bindings.extend(all.iter().filter_map(|it| Some((it.id.clone(), it.binding.clone()?))));
        }
        self.core.note(input);
    }
}

/// One point at which it could die is passed, or not.
fn burns(fuse: &mut Option<Fuse>, taken: &mut Taken) -> bool {
    match fuse {
        Some(Fuse { left: 0, death }) => {
            taken.died = Some(*death);
            *fuse = None;
            true
        }
        Some(fuse) => {
            fuse.left -= 1;
            false
        }
        None => false,
    }
}
