//! Clients that ask for anything at any time until the node dies, each of services of its own: so the order of what was
//! asked of a service is known, while the services contend for the same capabilities.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use motey_tests::{Http, Random};

use crate::model::{Act, Desired, Engine, Image, Need, Outcome, Program, Service};

/// How many services one client keeps alive at most.
const MOST_SERVICES: usize = 4;

/// A client that waits for a service to settle loses patience then, and asks for something else.
const PATIENCE: Duration = Duration::from_secs(2);

/// One client, with what it draws from.
pub struct Client {
    pub http: Http,
    pub random: Random,
    pub services: Vec<Service>,
    pub world: Arc<World>,
}

/// What a client did until the node was dead.
pub struct Done {
    /// What they may be now.
    pub services: Vec<Service>,
    /// How many requests were.
    pub answered: u64,
}

/// What all clients share.
pub struct World {
    pub engine: Engine,
    /// The beginning of every service's name.
    pub prefix: String,
    pub mark: String,
    /// What instances need, one of these.
    pub needs: Vec<Need>,
    pub drawn: AtomicU64,
}

impl Client {
    /// Asks until the node is dead.
    pub fn run(mut self, dead: &AtomicBool) -> Done {
        let mut answered = 0;
        while self.finds_the_node(dead) {
            let (at, act) = self.choose();
            match self.ask(at, act) {
                Ok(status) => {
                    answered += 1;
                    self.services[at].learn(act, Outcome::Answered(status));
                    if self.random.chance(60) {
                        self.settle(at, dead);
                    }
                }
                Err(error) if was_not_sent(&error) => {}
                Err(_) => self.services[at].learn(act, Outcome::Lost),
            }
            self.services.retain(|service| !service.is(Desired::Nothing));
        }
        Done { services: self.services, answered }
    }

    /// False once it is dead. Before that it may not be there yet; and what a dying node was just about to start may
    /// still have its socket for a moment, and take a request to nobody.
    fn finds_the_node(&self, dead: &AtomicBool) -> bool {
        while !dead.load(Ordering::Acquire) {
            if self.http.send("GET", "/healthz", None, b"").is_ok() {
                return true;
            }
            thread::sleep(Duration::from_millis(1));
        }
        false
    }

    fn choose(&mut self) -> (usize, Act) {
        let living: Vec<usize> =
            (0..self.services.len()).filter(|at| !self.services[*at].is(Desired::Absent)).collect();
        let dice = self.random.below(100);
        match self.random.pick(&living).copied() {
            Some(at) if dice >= 30 || living.len() >= MOST_SERVICES => (at, self.change(at, dice)),
            _ => {
                self.services.push(self.world.draw(&mut self.random));
                (self.services.len() - 1, Act::Deploy)
            }
        }
    }

    fn change(&mut self, at: usize, dice: u64) -> Act {
        match dice {
            0..30 => Act::Delete,
            30..50 => {
                let count = self.services[at].images.len() as u64;
                let image = usize::try_from(self.random.below(count)).unwrap_or_default();
                Act::Scale { image, replicas: draw_replicas(&mut self.random) }
            }
            50..60 => Act::Stop,
            60..72 => Act::Start,
            72..80 => Act::Restart,
            _ => Act::Delete,
        }
    }

    fn ask(&self, at: usize, act: Act) -> io::Result<u16> {
        let Service { id, images, blueprint, .. } = &self.services[at];
        let http = &self.http;
        let verb = |verb: &str| http.send("POST", &format!("/v1/service/{id}/{verb}"), None, b"");
        let answer = match act {
            Act::Deploy => {
                let path = format!("/v1/service?id={id}");
                http.send("POST", &path, Some("application/x-yaml"), blueprint.as_bytes())
            }
            Act::Scale { image, replicas } => {
                let body = format!(r#"{{"image": "{}", "replicas": {replicas}}}"#, images[image].key);
                let path = format!("/v1/service/{id}/scale");
                http.send("POST", &path, Some("application/json"), body.as_bytes())
            }
            Act::Start => verb("start"),
            Act::Stop => verb("stop"),
            Act::Restart => verb("restart"),
            Act::Delete => http.send("DELETE", &format!("/v1/service/{id}"), None, b""),
        };
        answer.map(|answer| answer.status)
    }

    /// Lets the node come to rest with one service, so that what follows meets all of its states.
    fn settle(&self, at: usize, dead: &AtomicBool) {
        let path = format!("/v1/service/{}", self.services[at].id);
        let until = Instant::now() + PATIENCE;
        while !dead.load(Ordering::Acquire) && Instant::now() < until {
            let Ok(answer) = self.http.send("GET", &path, None, b"") else { return };
            let state = || answer.json()["state"].as_str().unwrap_or_default().to_owned();
            if answer.status != 200 || matches!(state().as_str(), "RUNNING" | "TERMINATED" | "INITIAL") {
                return;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Asks once more what was lost, as a client does that brings its own ids.
pub fn deploy_again(http: &Http, service: &mut Service) {
    let path = format!("/v1/service?id={}", service.id);
    let answer = http.post(&path, "application/x-yaml", service.blueprint.as_bytes());
    assert_eq!(answer.json()["id"], service.id.as_str());
    // a delete may have been lost as well
    service.learn(Act::Deploy, Outcome::Answered(answer.status));
}

fn was_not_sent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound)
}

impl World {
    fn draw(&self, random: &mut Random) -> Service {
        let number = self.drawn.fetch_add(1, Ordering::Relaxed);
        let keys: &[&'static str] = if random.chance(40) { &["one", "two"] } else { &["one"] };
        let programs = [Program::Sleep, Program::Sleep, Program::Tree, Program::Stubborn];
        let image = |key: &&'static str| Image {
            key,
            need: if random.chance(75) { random.pick(&self.needs).cloned() } else { None },
            replicas: draw_replicas(random),
            program: random.pick(&programs).copied().unwrap_or(Program::Sleep),
        };
        let images = keys.iter().map(image).collect();
        let id = format!("{:08x}-0000-4000-8000-{:012x}", random.below(1 << 32), number);
        Service::new(id, format!("{}-{number}", self.prefix), images, self.engine, &self.mark)
    }
}

fn draw_replicas(random: &mut Random) -> u16 {
    *random.pick(&[1, 2, 3]).unwrap_or(&1)
}
