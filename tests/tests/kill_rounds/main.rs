//! A hundred rounds of `kill -9` while a node deploys, scales, stops, restarts and deletes: nothing acknowledged is
//! lost, nothing is doubled, nothing is left behind. The kills are spread over the windows of a decision's life, and a
//! window with too few of them fails the test.
//!
//! `MOTEY_SEED=N` draws the same kills and requests again; what happens at the same time is the machine's affair.
//! `MOTEY_ROUNDS=N` makes it longer.

mod engine;
mod look;
mod model;
mod workload;

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    os::unix::process::ExitStatusExt,
    panic::resume_unwind,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, ScopedJoinHandle},
    time::{Duration, Instant},
};

use motey_tests::{KillPoint, NodeUnderTest, Random, SOON, Window, difference, wait_for};

use crate::{
    engine::{Needs, Running, judge_history, kill_one},
    look::{Rest, look, offers},
    model::{Desired, Engine, Need, Service, Wanted},
    workload::{Client, World, deploy_again},
};

const ROUNDS: u64 = 100;

/// What every window must have of them.
const FEWEST_KILLS: u64 = 5;

/// A node that does not come to its window in this time under load has lost something: longer than every deadline that
/// it has itself, so that a disk that stood still is not taken for that.
const ROUND: Duration = Duration::from_secs(120);

#[test]
fn kills_on_mock() {
    Rounds::prepare(Engine::Mock).run();
}

#[test]
fn kills_on_process() {
    Rounds::prepare(Engine::Process).run();
}

struct Rounds {
    node: NodeUnderTest,
    engine: Engine,
    seed: u64,
    world: Arc<World>,
    services: Vec<Service>,
    /// Deleted, and found so.
    deleted: Vec<String>,
    needs: Needs,
    capacity: BTreeMap<String, u64>,
    running: Running,
    /// Ended behind the node's back since the last rest.
    victims: BTreeSet<String>,
    kills: BTreeMap<Window, u64>,
    /// Requests that were.
    answered: u64,
    /// Instances at every rest, added up.
    rested: usize,
    /// To come to rest.
    slowest: Duration,
}

impl Rounds {
    fn prepare(engine: Engine) -> Self {
        let seed = Random::seed();
        eprintln!("{}: MOTEY_SEED={seed} draws these rounds again", engine.as_str());
        let config = "[node]\nrestart_delay = \"10ms\"";
        let mut node =
            NodeUnderTest::builder().plugins(&[engine.as_str(), "host-facts"]).config(config).start();
        node.wait_engine(engine.as_str());
        let capacity = wait_for(SOON, || match offers(&node) {
            offers if offers.is_empty() => Err("the node knows what it has".to_owned()),
            offers => Ok(offers),
        });
        let capacity: BTreeMap<String, u64> =
            capacity.into_iter().map(|(name, offer)| (name, offer.amount)).collect();
        assert!(node.stop().success());
        let world = World {
            engine,
            prefix: node.unique("k"),
            mark: node.mark(),
            needs: vec![
                Need { capability: "cpu", amount: capacity["cpu"] / 5 },
                Need { capability: "memory", amount: capacity["memory"] / 8 },
                // all of it: one instance at a time
                Need { capability: "disk", amount: capacity["disk"] },
            ],
            drawn: AtomicU64::new(0),
        };
        Self {
            node,
            engine,
            seed,
            world: Arc::new(world),
            services: Vec::new(),
            deleted: Vec::new(),
            needs: Needs::new(),
            capacity,
            running: Running::new(),
            victims: BTreeSet::new(),
            kills: BTreeMap::new(),
            answered: 0,
            rested: 0,
            slowest: Duration::ZERO,
        }
    }

    fn run(mut self) {
        let before = self.node.snapshot(&[&self.world.prefix]);
        let began = Instant::now();
        let rounds = env::var("MOTEY_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
        for round in 0..rounds {
            self.round(round, &mut Random::new(self.seed).part(round));
        }
        self.end(&before);
        self.tell(rounds, began.elapsed());
        for window in Window::ALL {
            let kills = self.kills.get(&window).copied().unwrap_or(0);
            assert!(kills >= FEWEST_KILLS, "{kills} kills in {}: {:?}", window.as_str(), self.kills);
        }
    }

    fn tell(&self, rounds: u64, took: Duration) {
        eprintln!(
            "{}: {rounds} rounds in {took:.1?}; {} requests answered, {} services deleted, {} instances found at \
             rest, {:.1?} to the slowest rest; killed in",
            self.engine.as_str(),
            self.answered,
            self.deleted.len(),
            self.rested,
            self.slowest,
        );
        for (window, kills) in &self.kills {
            let bar = "#".repeat(usize::try_from(*kills).unwrap_or(0));
            eprintln!("  {:>14} {kills:>3} {bar}", window.as_str());
        }
    }

    /// One life of the node: to rest, into the load, to its end.
    fn round(&mut self, round: u64, random: &mut Random) {
        let windows = Window::ALL.len() as u64;
        let window = Window::ALL[usize::try_from(round % windows).unwrap_or_default()];
        let point = KillPoint { window, count: 1 + random.below(most(window)) };
        // in some rounds the node has no rest before: it may die while it takes up what it finds
        let at_once = random.chance(20);
        let program = Path::new(env!("CARGO_BIN_EXE_motey-watched"));
        let mut orders = self.node.launch_watched(program, at_once.then_some(point));
        if !at_once {
            self.node.wait_ready();
            self.come_to_rest(random);
            orders.kill_at(point);
        }
        let clients = if random.chance(40) { 3 } else { 1 };
        self.load(clients, random, point);
        drop(orders);
        *self.kills.entry(window).or_default() += 1;
        if self.engine == Engine::Mock {
            judge_history(&self.node, &self.needs, &self.capacity);
        }
        if random.chance(25) {
            self.victims.extend(kill_one(&self.node, self.engine, random));
        }
    }

    /// Lets clients ask for things until the node kills itself.
    fn load(&mut self, clients: u64, random: &Random, point: KillPoint) {
        let dead = AtomicBool::new(false);
        let mut hands: Vec<Vec<Service>> = (0..clients).map(|_| Vec::new()).collect();
        for (at, service) in std::mem::take(&mut self.services).into_iter().enumerate() {
            let count = hands.len();
            hands[at % count].push(service);
        }
        let client = |(at, services)| Client {
            http: self.node.http(),
            random: random.part(at),
            services,
            world: Arc::clone(&self.world),
        };
        let clients: Vec<Client> = (1..).zip(hands).map(client).collect();
        thread::scope(|scope| {
            let working: Vec<_> =
                clients.into_iter().map(|client| scope.spawn(|| client.run(&dead))).collect();
            let until = Instant::now() + ROUND;
            // a client ends before the node only by a failed expectation
            while self.node.ended().is_none()
                && Instant::now() < until
                && !working.iter().any(ScopedJoinHandle::is_finished)
            {
                thread::sleep(Duration::from_millis(1));
            }
            if Instant::now() >= until && self.node.ended().is_none() {
                eprintln!("it does not come to {point}; {}", self.node.how_it_is());
            }
            dead.store(true, Ordering::Release);
            for work in working {
                let done = work.join().unwrap_or_else(|panic| resume_unwind(panic));
                self.services.extend(done.services);
                self.answered += done.answered;
            }
        });
        let ended = self.node.ended().unwrap_or_else(|| panic!("it did not come to {point} in {ROUND:?}"));
        self.node.wait_ended();
        assert_eq!(ended.signal(), Some(9), "it should have killed itself at {point}: {ended}");
    }

    /// Waits until everything is as some correct node would have it, and holds the node to that from now on.
    fn come_to_rest(&mut self, random: &mut Random) {
        for service in &mut self.services {
            self.needs.extend(needs(service));
            if service.may_be(Desired::Nothing) && random.chance(50) {
                deploy_again(&self.node.http(), service);
            }
        }
        let (node, services, engine) = (&self.node, &self.services, self.engine);
        let began = Instant::now();
        let rest = wait_for(SOON, || look(node, services, engine));
        self.slowest = self.slowest.max(began.elapsed());
        for (name, life) in &rest.running {
            let before = self.running.get(name).filter(|_| !self.victims.contains(name));
            assert!(before.is_none_or(|before| before == life), "{name} was {before:?} and is {life}");
        }
        if engine == Engine::Mock {
            judge_history(node, &self.needs, &self.capacity);
        }
        self.settle(rest);
    }

    fn settle(&mut self, rest: Rest) {
        for (service, chosen) in self.services.iter_mut().zip(&rest.chosen) {
            let fences = rest.fences.iter().filter(|(id, ..)| *id == service.id);
            service.fences = fences.map(|(_, slot, fence)| (slot.clone(), fence.clone())).collect();
            let kept = service.fences.keys().cloned().collect();
            service.possible = vec![Wanted { kept, ..service.possible.swap_remove(*chosen) }];
        }
        let deleted = self.services.iter().filter(|service| service.is(Desired::Absent));
        self.deleted.extend(deleted.map(|service| service.id.clone()));
        self.services.retain(|service| !service.is(Desired::Absent) && !service.is(Desired::Nothing));
        self.rested += rest.running.len();
        self.running = rest.running;
        self.victims.clear();
    }

    /// The product itself takes over, and gives everything back.
    fn end(&mut self, before: &motey_tests::Snapshot) {
        self.node.start();
        self.come_to_rest(&mut Random::new(self.seed));
        for id in &self.deleted {
            self.node.http().get(&format!("/v1/service/{id}")).expect(410);
        }
        for service in &self.services {
            self.node.http().delete(&format!("/v1/service/{}", service.id)).expect(202);
        }
        let (node, engine) = (&self.node, self.engine);
        wait_for(SOON, || match look::left(node, engine) {
            0 => Ok(()),
            left => Err(format!("nothing is left; {left} services or instances are")),
        });
        assert!(self.node.stop().success());
        let after = self.node.snapshot(&[&self.world.prefix]);
        let tells_of_the_past = |line: &String| {
            ["mock/instances.jsonl", "mock/calls.jsonl", "/lock"].iter().any(|file| line.ends_with(file))
        };
        let left: Vec<String> =
            difference(before, &after).into_iter().filter(|line| !tells_of_the_past(line)).collect();
        assert!(left.is_empty(), "all is as before:\n{}", left.join("\n"));
    }
}

/// How often a window is passed at most before the kill: so that a round is short, and the node has got into all kinds
/// of states.
const fn most(window: Window) -> u64 {
    match window {
        Window::RequestRead => 20,
        Window::LeaseFreed => 12,
        Window::Committed | Window::CallSent | Window::EngineDone | Window::ReportApplied => 50,
    }
}

fn needs(service: &Service) -> impl Iterator<Item = ((String, String), Need)> + '_ {
    service
        .images
        .iter()
        .filter_map(|image| Some(((service.id.clone(), image.key.to_owned()), image.need.clone()?)))
}
