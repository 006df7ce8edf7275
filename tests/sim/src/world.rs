//! The world: nodes, what lies between them, and the queue of what is going to happen. Moves from event to event.

use std::collections::BTreeSet;

use motey_core::Tuning;
use motey_core::id::{NodeId, ServiceId};
use motey_core::instance::Seen;
use motey_core::step::{Call, Check, EngineErrorKind, EngineOp, EngineState, Input};

use crate::broker::Broker;
use crate::dice::mix;
use crate::engine::{Body, Mishap, Verb, error};
use crate::network::Network;
use crate::node::{Death, Node, SOURCES};
use crate::people::People;
use crate::plan::Scene;
use crate::queue::{Queue, Time};
use crate::story::Story;
use crate::watch::{Broken, Verdict, Watch};
use crate::wire::{self, Letter};

/// By then a call is answered, whatever the engine does.
const DEADLINE: Time = 30_000;

/// An image may be large.
const FETCH_DEADLINE: Time = 50_000;

/// A call whose caller dies is carried out all the same when it would be done so soon.
const ALMOST_DONE: Time = 100;

/// More events than any run needs: whoever takes them runs in circles.
const STORM: u64 = 200_000;

pub struct World {
    pub scene: Scene,
    pub now: Time,
    pub queue: Queue<Event>,
    pub nodes: Vec<Node>,
    /// Who belongs to the cluster: every node knows when it starts, and is told what changes.
    pub members: BTreeSet<NodeId>,
    pub network: Network,
    pub people: People,
    pub watch: Watch,
    pub story: Story,
    pub figures: Figures,
    pub broker: Broker,
    /// Services whose only copy went with a disk.
    pub excused: BTreeSet<ServiceId>,
    /// Services of which a disk that was set back knew more, or for which somebody was given up who lived: what must not
    /// run twice may do so until they meet.
    pub misled: BTreeSet<ServiceId>,
    /// Nodes whose duty is not what it was when all is calm.
    pub on_duty: BTreeSet<usize>,
}

/// How much of everything happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub events: u64,
    pub steps: u64,
    pub commits: u64,
    pub calls: u64,
    /// Beats apart.
    pub letters: u64,
    pub beats: u64,
    pub deaths: u64,
    pub accepted: u64,
}

impl Figures {
    /// What changes while anything is done.
    pub fn work(&self) -> u64 {
        self.commits + self.calls + self.letters
    }
}

#[derive(Debug)]
pub enum Event {
    /// The n-th entry of the plan.
    Planned(usize),
    Boot {
        node: usize,
    },
    /// Whoever has survived so long dies now.
    FuseEnds {
        node: usize,
        life: u64,
    },
    Wake {
        node: usize,
        life: u64,
    },
    Resume {
        node: usize,
    },
    /// Something arrives at a process; too late when it has died meanwhile.
    Input {
        node: usize,
        life: u64,
        input: Input,
    },
    Letter {
        from: usize,
        to: usize,
        letter: Letter,
    },
    /// An engine does what it was asked.
    Execute {
        node: usize,
        engine: usize,
        life: u64,
        call: Call,
        then: Then,
    },
    /// What a check finds.
    Check {
        node: usize,
        life: u64,
        check: Check,
    },
    /// An engine is asked for all it has.
    List {
        node: usize,
        engine: usize,
    },
    EngineBack {
        node: usize,
        engine: usize,
    },
    /// What a node offers is told again.
    Offer {
        node: usize,
    },
    /// A node looks who is at the broker.
    Meet {
        node: usize,
    },
    /// A fault between nodes is over.
    Mended,
    /// A node takes on everything again.
    Duty {
        node: usize,
    },
    /// A node is told who belongs to the cluster.
    Members {
        node: usize,
    },
    /// It does so again.
    TakenBack {
        node: usize,
    },
    /// A disk is set back.
    Restore {
        node: usize,
    },
}

/// What is heard of a call that was carried out.
#[derive(Clone, Copy, Debug)]
pub enum Then {
    Answer,
    Exit(i32),
    Fail(EngineErrorKind),
    Silence,
}

impl World {
    pub fn new(scene: Scene, listens: bool) -> Self {
        let nodes: Vec<Node> =
            (0..scene.nodes).map(|n| Node::new(scene.seed, n, Tuning::default())).collect();
        let mut world = Self {
            now: 0,
            queue: Queue::default(),
            members: nodes.iter().map(|node| node.id).collect(),
            nodes,
            network: Network::new(scene.seed),
            people: People::default(),
            watch: Watch::default(),
            story: Story::new(scene.seed, listens),
            figures: Figures::default(),
            broker: Broker::new(scene.seed, scene.nodes),
            excused: BTreeSet::new(),
            misled: BTreeSet::new(),
            on_duty: BTreeSet::new(),
            scene,
        };
        (0..world.nodes.len()).for_each(|node| world.queue.push(0, Event::Boot { node }));
        for (n, planned) in world.scene.plan.iter().enumerate() {
            world.queue.push(planned.at, Event::Planned(n));
        }
        world
    }

    /// Everything that happens until `end`.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn until(&mut self, end: Time) -> Verdict {
        while let Some((at, event)) = self.queue.pop(end) {
            self.now = at;
            self.figures.events += 1;
            if self.figures.events > STORM {
                let text = format!("{STORM} events in {} s", self.now / 1_000);
                return Err(Broken { rule: "it comes to rest", text });
            }
            self.happen(event)?;
        }
        // a node that stands alone may have nothing left to do
        self.now = if self.nodes.len() > 1 { end } else { self.now.max(end.min(self.scene.calm_at)) };
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Verdict {
        match event {
            Event::Planned(n) => self.planned(self.scene.plan[n].what),
            Event::Boot { node } => self.boot(node),
            Event::FuseEnds { node, life } => {
                let fuse = self.nodes[node].fuse.take_if(|_| true);
                if let Some(fuse) = fuse
                    && self.nodes[node].life() == Some(life)
                {
                    self.die(node, fuse.death);
                }
                Ok(())
            }
            Event::Wake { node, life } => self.wake(node, life),
            Event::Resume { node } => self.resume(node),
            Event::Input { node, life, input } if self.nodes[node].life() == Some(life) => {
                self.input(node, input)
            }
            Event::Input { .. } => Ok(()),
            Event::Letter { from, to, letter } => self.deliver(from, to, letter),
            Event::Execute { node, engine, life, call, then } => {
                self.execute(node, engine, life, &call, then)
            }
            Event::Check { node, life, check } => self.checked(node, life, check),
            Event::List { node, engine } => {
                self.list(node, engine);
                Ok(())
            }
            Event::EngineBack { node, engine } => {
                self.engine_back(node, engine);
                Ok(())
            }
            Event::Offer { node } => {
                self.offer(node);
                Ok(())
            }
            Event::Meet { node } => self.meets(node),
            Event::Mended => {
                self.meet();
                Ok(())
            }
            Event::Duty { node } => self.back_on_duty(node),
            Event::Members { node } => self.input(node, wire::members(self.members.clone())),
            Event::TakenBack { node } => {
                self.take_in(node);
                Ok(())
            }
            Event::Restore { node } => {
                self.restore(node);
                Ok(())
            }
        }
    }

    /// How long something takes here and now: always the same for the same run.
    pub fn lag(&self, node: usize, what: u64, most: Time) -> Time {
        1 + mix(&[self.scene.seed, 6, self.now, node as u64, what]) % most
    }

    pub fn tell(&mut self, node: usize, text: impl FnOnce(&crate::blueprint::Names) -> String) {
        self.story.tell(self.now, Some(node), text);
    }

    // nodes

    fn boot(&mut self, n: usize) -> Verdict {
        if self.nodes[n].process.is_some() || self.nodes[n].lost {
            return Ok(());
        }
        let life = self.nodes[n].boot(self.scene.seed, &self.members, self.now);
        self.tell(n, |_| format!("starts its life {life}"));
        self.offer(n);
        let parts = Event::Input { node: n, life, input: wire::parts(&self.nodes[n]) };
        self.queue.push(self.now + self.lag(n, 9, 1_000), parts);
        for engine in 0..self.nodes[n].engines.len() {
            if self.nodes[n].engines[engine].up {
                let at = self.now + self.lag(n, 10 + engine as u64, 3_000);
                self.queue.push(at, Event::List { node: n, engine });
            } else {
                self.state(n, engine, down());
            }
        }
        if self.nodes.len() > 1 {
            self.meet();
        }
        self.input(n, Input::Tick)
    }

    /// The process is gone, and perhaps the machine with it.
    pub fn die(&mut self, n: usize, death: Death) {
        let node = &mut self.nodes[n];
        let Some(process) = node.process.take() else { return };
        node.fuse = None;
        node.paused_until = 0;
        self.figures.deaths += 1;
        self.people.lose(n);
        if self.nodes.len() > 1 {
            self.queue.push(self.now, Event::Mended);
        }
        let node = &mut self.nodes[n];
        let how = if death.power { "its power fails" } else { "its process dies" };
        let lost = if death.power { node.disk.lose_power(death.kept) } else { 0 };
        self.story.tell(self.now, Some(n), |_| format!("{how}; {lost} unsynced writes are lost"));
        let calls_done = death.calls_done && !death.power;
        let (life, cut_short) = (process.life, self.now + ALMOST_DONE);
        self.queue.retain(|at, event| match event {
            Event::Execute { node, life: of, .. } => {
                *node != n || *of != life || (calls_done && at < cut_short)
            }
            Event::Input { node, life: of, .. } | Event::Check { node, life: of, .. } => {
                *node != n || *of != life
            }
            _ => true,
        });
        if death.power {
            self.power_cut(n);
        }
        self.queue.push(self.now + death.down, Event::Boot { node: n });
    }

    /// Instances do not outlive their machine.
    fn power_cut(&mut self, n: usize) {
        let now = self.now;
        self.watch.power_cut(n);
        let node = &mut self.nodes[n];
        node.clock = node.clock.rebooted(now);
        for engine in &mut node.engines {
            let all: Vec<_> =
                engine.bodies.iter().filter(|(_, body)| body.lives()).map(|(k, _)| k.clone()).collect();
            for key in all {
                self.watch.harm(&key);
                if node.leaves_remains {
                    engine.show(&key, Seen::Exited(Default::default()));
                } else {
                    engine.bodies.remove(&key);
                }
            }
        }
    }

    fn wake(&mut self, n: usize, life: u64) -> Verdict {
        let Some(process) = &mut self.nodes[n].process else { return Ok(()) };
        if process.life != life || process.wakes_at != Some(self.now) {
            return Ok(());
        }
        process.wakes_at = None;
        self.input(n, Input::Tick)
    }

    /// Puts the next tick where the core wants it.
    pub fn set_alarm(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        let (now, clock) = (self.now, node.clock);
        let Some(process) = &mut node.process else { return };
        let due = process.core.next_due().map(|due| clock.when(due).max(now + 1));
        if due != process.wakes_at {
            process.wakes_at = due;
            let life = process.life;
            if let Some(at) = due {
                self.queue.push(at, Event::Wake { node: n, life });
            }
        }
    }

    fn resume(&mut self, n: usize) -> Verdict {
        if self.now < self.nodes[n].paused_until {
            return Ok(());
        }
        let Some(process) = &mut self.nodes[n].process else { return Ok(()) };
        let inbox = std::mem::take(&mut process.inbox);
        self.tell(n, |_| format!("goes on, with {} things to hear", inbox.len()));
        for input in inbox {
            self.input(n, input)?;
        }
        self.input(n, Input::Tick)
    }

    // letters

    /// A node wrote a letter.
    pub fn post(&mut self, from: usize, to: usize, letter: &Letter) -> Verdict {
        if wire::is_beat(letter) {
            self.figures.beats += 1;
        } else {
            self.figures.letters += 1;
            self.watch.letter(from, to, self.now)?;
        }
        for arrives in self.network.arrivals(from, to, self.now) {
            self.queue.push(arrives, Event::Letter { from, to, letter: letter.clone() });
        }
        Ok(())
    }

    fn deliver(&mut self, from: usize, to: usize, letter: Letter) -> Verdict {
        if self.nodes[to].process.is_none() || !self.network.reaches(from, to, self.now) {
            return Ok(());
        }
        let sender = self.nodes[from].id;
        if !wire::is_beat(&letter) {
            self.tell(to, |names| {
                format!("reads from {}: {}", names.node(sender), wire::describe(&letter, names))
            });
        }
        self.input(to, wire::arrives(sender, letter))
    }

    // engines

    /// A node calls one of its engines.
    pub fn call(&mut self, n: usize, call: Call) -> Verdict {
        self.watch.calls(&self.nodes[n], &call, self.now, &self.story.names)?;
        self.figures.calls += 1;
        let life = self.nodes[n].life().unwrap_or(0);
        let (verb, key) = (Verb::of(&call.op), call.target.key.clone());
        let Some(engine) = self.nodes[n].engines.iter().position(|engine| engine.name == call.engine) else {
            return Err(Broken { rule: "calls go to engines that exist", text: call.engine.to_string() });
        };
        let at = &self.nodes[n].engines[engine];
        let (most, deadline) = match &call.op {
            EngineOp::Fetch { image } if at.has(image) => (80, FETCH_DEADLINE),
            EngineOp::Fetch { .. } => (6_000, FETCH_DEADLINE),
            EngineOp::Create { .. } => (2_000, DEADLINE),
            _ => (80, DEADLINE),
        };
        let takes = self.lag(n, 20 + call.id.0, most);
        let now = self.now;
        let mishap = self.nodes[n].engines[engine].mishap(verb);
        if let Some(mishap) = mishap {
            self.watch.harm(&key);
            self.tell(n, |names| format!("({} will go wrong: {mishap:?})", names.key(&key)));
        }
        let done = match mishap {
            Some(Mishap::Late(late)) => Some((deadline + late, Then::Silence)),
            Some(Mishap::Slow(slow)) => Some((slow, Then::Answer)),
            Some(Mishap::DoneButFails(kind)) => Some((takes, Then::Fail(kind))),
            Some(Mishap::DoneAndExits(code)) => Some((takes, Then::Exit(code))),
            Some(Mishap::DoneInSilence) => Some((takes, Then::Silence)),
            None => Some((takes, Then::Answer)),
            Some(Mishap::Fails(_) | Mishap::Hangs | Mishap::Idle | Mishap::Lies) => None,
        };
        if let Some((takes, then)) = done {
            let at = self.nodes[n].engines[engine].slot(&key, now + takes);
            self.queue.push(at, Event::Execute { node: n, engine, life, call: call.clone(), then });
        }
        let boot_time = self.nodes[n].boot_time(now + takes);
        let at = &self.nodes[n].engines[engine];
        let (takes, result) = match mishap {
            Some(Mishap::Fails(kind)) => (takes, Err(error(kind))),
            Some(Mishap::Idle) => (takes, Ok(at.view(&key, boot_time))),
            Some(Mishap::Lies) => (takes, Ok(at.pretend(&call, boot_time))),
            Some(Mishap::Hangs | Mishap::Late(_) | Mishap::DoneInSilence) => {
                (deadline, Err(error(EngineErrorKind::TimedOut)))
            }
            _ => return Ok(()),
        };
        if matches!(mishap, Some(Mishap::Idle | Mishap::Lies)) {
            self.nodes[n].engines[engine].claim(&call);
        }
        let input = Input::Answered { call: call.id, key, result };
        self.queue.push(now + takes, Event::Input { node: n, life, input });
        if mishap == Some(Mishap::Lies) {
            self.queue.push(now + takes + 5_000, Event::List { node: n, engine });
        }
        Ok(())
    }

    fn execute(&mut self, n: usize, e: usize, life: u64, call: &Call, then: Then) -> Verdict {
        let key = &call.target.key;
        let boot_time = self.nodes[n].boot_time(self.now);
        let engine = &mut self.nodes[n].engines[e];
        let done = if engine.up { engine.perform(call) } else { Err(error(EngineErrorKind::Unavailable)) };
        if done.as_ref().is_err_and(|error| error.kind == EngineErrorKind::Unavailable) {
            self.watch.harm(key);
        }
        let mut changed = matches!(done, Ok(true));
        if let (Ok(_), Then::Exit(code)) = (&done, then)
            && engine.bodies.get(key).is_some_and(Body::lives)
        {
            engine.show(key, crate::engine::exited(code));
            changed = true;
        }
        let view = engine.view(key, boot_time);
        let name = engine.name.clone();
        self.tell(n, |names| {
            let what = crate::story::call_text(call, names);
            match &done {
                Ok(_) => format!("  {name}: {what} -> {}", shown(view.as_ref())),
                Err(error) => format!("  {name}: {what} -> {:?}", error.kind),
            }
        });
        if changed {
            if matches!(done, Ok(true)) && Verb::of(&call.op) == Verb::Start {
                self.watch.starts(&self.nodes[n], life, key, self.now, &self.story.names)?;
            }
            self.announce(n, e, key);
            self.lives(n)?;
        }
        let result = match then {
            Then::Silence => return Ok(()),
            Then::Fail(kind) if done.is_ok() => Err(error(kind)),
            _ => done.map(|_| view),
        };
        let at = self.now + self.lag(n, 30 + call.id.0, 30);
        let input = Input::Answered { call: call.id, key: key.clone(), result };
        self.queue.push(at, Event::Input { node: n, life, input });
        Ok(())
    }

    /// Something may live that did not live before.
    pub fn lives(&mut self, n: usize) -> Verdict {
        self.watch.lives(&self.nodes[n], self.now, &self.story.names)?;
        if self.misled.is_empty() {
            self.watch.uses(&self.nodes[n])?;
        }
        self.watch.lives_once(&self.nodes, &self.misled, &self.story.names)
    }

    /// An engine tells how an instance is now: after what it told before, unless that is lost.
    pub fn announce(&mut self, n: usize, e: usize, key: &motey_core::record::InstanceKey) {
        let Some(life) = self.nodes[n].life() else { return };
        let boot_time = self.nodes[n].boot_time(self.now);
        let late = self.nodes[n].engines[e].late_until > self.now;
        let takes = self.lag(n, 40 + e as u64, if late { 20_000 } else { 60 });
        let engine = &mut self.nodes[n].engines[e];
        if !engine.up || engine.mute_until > self.now {
            return;
        }
        engine.told = engine.told.max(self.now + takes);
        let instance = engine.view(key, boot_time).unwrap_or_else(|| engine.gone(key, boot_time));
        let input = Input::Instance(instance);
        self.queue.push(engine.told, Event::Input { node: n, life, input });
    }

    /// An engine tells all it has.
    pub fn list(&mut self, n: usize, e: usize) {
        let boot_time = self.nodes[n].boot_time(self.now);
        if self.nodes[n].engines[e].up {
            let state = self.nodes[n].engines[e].state(boot_time);
            self.state(n, e, state);
        }
    }

    /// Whether an engine is there is heard in the order in which it came and went.
    pub fn state(&mut self, n: usize, e: usize, state: EngineState) {
        let Some(life) = self.nodes[n].life() else { return };
        let takes = self.lag(n, 50 + e as u64, 200);
        let engine = &mut self.nodes[n].engines[e];
        engine.stated = engine.stated.max(self.now + takes);
        let input = Input::Engine { name: engine.name.clone(), state };
        self.queue.push(engine.stated, Event::Input { node: n, life, input });
    }

    fn engine_back(&mut self, n: usize, e: usize) {
        let engine = &mut self.nodes[n].engines[e];
        if engine.up || self.now < engine.down_until {
            return;
        }
        engine.up = true;
        let name = engine.name.clone();
        self.tell(n, |_| format!("  {name} is back"));
        self.list(n, e);
    }

    // devices

    /// A node is told what it offers, source by source.
    pub fn offer(&mut self, n: usize) {
        let Some(life) = self.nodes[n].life() else { return };
        for source in SOURCES {
            let offers = self.nodes[n].offers(self.now).filter(|it| it.id.source == source);
            let input = Input::Capabilities { source: source.into(), all: offers.cloned().collect() };
            self.queue.push(self.now + 5, Event::Input { node: n, life, input });
        }
    }
}

/// What is heard of an engine that is not there.
pub fn down() -> EngineState {
    EngineState::Down { message: "connection refused".into() }
}

fn shown(instance: Option<&motey_core::instance::Instance>) -> String {
    instance.map_or("nothing".into(), |instance| crate::story::seen(instance.seen))
}
