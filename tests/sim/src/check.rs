//! What nodes find out about their instances: whether they do their work.

use motey_core::instance::Seen;
use motey_core::step::{Check, Input};

use crate::engine::Body;
use crate::watch::Verdict;
use crate::world::{Event, World};

impl World {
    /// A node finds out whether an instance of it does its work.
    pub fn check(&mut self, n: usize, check: Check) -> Verdict {
        let life = self.nodes[n].life().unwrap_or(0);
        self.watch.checks(n, life, &check.key, &self.story.names)?;
        // who is sick may answer, or let the other wait
        let takes =
            self.lag(n, 60 + check.id.0, if check.id.0.is_multiple_of(2) { 50 } else { check.timeout });
        self.queue.push(self.now + takes, Event::Check { node: n, life, check });
        Ok(())
    }

    pub fn checked(&mut self, n: usize, life: u64, check: Check) -> Verdict {
        let now = self.now;
        self.watch.checked(&check.key);
        let mut bodies = self.nodes[n].engines.iter_mut().map(|engine| &mut engine.bodies);
        let result = match bodies.find_map(|bodies| bodies.get_mut(&check.key)) {
            Some(body) if body.seen == Seen::Running && body.sick_until <= now => {
                body.failures = 0;
                Ok(())
            }
            Some(body) => {
                body.failures += 1;
                if fails(body) {
                    self.watch.harm(&check.key);
                }
                Err("answered 500".into())
            }
            None => Err("nobody is there".into()),
        };
        let input = Input::Checked { check: check.id, key: check.key, result };
        self.queue.push(now, Event::Input { node: n, life, input });
        Ok(())
    }
}

/// Whether this failure is the one that makes it unhealthy.
fn fails(body: &Body) -> bool {
    body.image.health.as_ref().is_some_and(|health| body.failures == health.retries)
}
