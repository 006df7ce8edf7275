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
    /// Asks until the node is dead, and returns what the services may be then.
    pub fn run(mut self, dead: &AtomicBool) -> Vec<Service> {
        while !dead.load(Ordering::Acquire) {
            let act = self.choose();
            let answer = self.ask(act.0, act.1);
            match answer {
                Ok(status) => self.services[act.0].learn(act.1, Outcome::Answered(status)),
                // the node is not there yet, or not any more: it has read nothing
                Err(error) if was_not_sent(&error) => {
                    self.forget_undeployed();
                    thread::yield_now();
                    continue;
                }
                Err(_) => {
                    self.services[act.0].learn(act.1, Outcome::Lost);
                    break;
                }
            }
            if self.random.chance(60) {
                self.settle(act.0, dead);
            }
            self.forget_undeployed();
        }
        self.forget_undeployed();
        self.services
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
                Act::Scale { image, replicas: 1 + self.random.below(3) as u16 }
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

    fn forget_undeployed(&mut self) {
        self.services.retain(|service| !service.is(Desired::Nothing));
    }
}

/// Asks once more what was lost, as a client does that brings its own ids.
pub fn deploy_again(http: &Http, service: &mut Service) {
    let path = format!("/v1/service?id={}", service.id);
    let answer = http.post(&path, "application/x-yaml", service.blueprint.as_bytes()).expect(201);
    assert_eq!(answer.json()["id"], service.id.as_str());
    service.learn(Act::Deploy, Outcome::Answered(answer.status));
}

fn was_not_sent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound)
}

impl World {
    fn draw(&self, random: &mut Random) -> Service {
        let number = self.drawn.fetch_add(1, Ordering::Relaxed);
        let mut image = |key| Image {
            key,
            need: if random.chance(75) { random.pick(&self.needs).cloned() } else { None },
            replicas: 1 + random.below(3) as u16,
            program: *random.pick(&[Program::Sleep, Program::Sleep, Program::Tree, Program::Stubborn]).unwrap_or(&Program::Sleep),
        };
        let mut images = vec![image("one")];
        if random.chance(40) {
            images = vec![image("one"), image("two")];
        }
        let id = format!("{:08x}-0000-4000-8000-{:012x}", random.below(1 << 32), number);
        Service::new(id, format!("{}-{number}", self.prefix), images, self.engine, &self.mark)
    }
}
