//! One input of one node, and what its effects lead to; watched at every step.

use motey_core::record::Assignment;
use motey_core::step::{Effect, Input};

use crate::owners;
use crate::plan::Wish;
use crate::watch::{Broken, Verdict, holds};
use crate::wire::is_sign_of_life;
use crate::world::World;

/// What a paused node keeps for later, at most.
const INBOX: usize = 1_000;

/// The core may keep so much more than what it has to keep.
const SLACK: usize = 64;

impl World {
    /// A node takes one input, or puts it aside while it is paused.
    pub fn input(&mut self, n: usize, input: Input) -> Verdict {
        let now = self.now;
        let node = &mut self.nodes[n];
        let Some(process) = &mut node.process else { return Ok(()) };
        if now < node.paused_until {
            if process.inbox.len() < INBOX {
                process.inbox.push_back(input);
            }
            return Ok(());
        }
        self.figures.steps += 1;
        self.watch.hears(now)?;
        if !matches!(input, Input::Peer { .. } | Input::Tick) {
            self.story.tell(now, Some(n), |names| crate::story::input(&input, names));
        }
        let mut grounds = owners::Grounds::new();
        let taken = node.take(&input, now, |node, txn| {
            grounds = owners::grounds(node, &input, txn);
            let is_new = |at: &Assignment| !self.watch.knows(at.fence);
            owners::gives_to_who_operates(node, txn, &grounds, is_new, &self.story.names)?;
            self.watch.before(node, txn, &self.story.names)
        })?;
        let txn = taken.txn.filter(|txn| !txn.is_empty());
        let acts = txn.is_some() || !taken.effects.iter().all(is_sign_of_life);
        if matches!(input, Input::Tick) && acts {
            self.tell(n, |_| "wakes".into());
        }
        if let Some(txn) = &txn {
            self.figures.commits += 1;
            self.tell(n, |names| format!("  {}", crate::story::txn(txn, names)));
            self.watch.written(n, txn, now, &self.story.names)?;
            owners::acts_with_permission(&self.nodes[n], txn, &grounds, &self.story.names)?;
            let at = self.nodes[n].boot_time(now);
            owners::waits_for_its_heir(&self.nodes[n], txn, &grounds, at, &self.story.names)?;
            owners::moves_successor_first(&self.nodes, &input, txn, &grounds, &self.story.names)?;
        }
        for ask in taken.unwritten.into_iter().flatten() {
            self.tell(n, |_| "  answers: the disk is full".into());
            self.people.not_stored(ask);
        }
        for effect in taken.effects {
            self.perform(n, effect)?;
        }
        if let Some(death) = taken.died {
            self.die(n, death);
            return Ok(());
        }
        if let Some(txn) = &txn {
            self.watch.after(&self.nodes[n], txn, &self.story.names)?;
        }
        self.is_bounded(n)?;
        self.set_alarm(n);
        Ok(())
    }

    fn perform(&mut self, n: usize, effect: Effect) -> Verdict {
        if !is_sign_of_life(&effect) {
            self.tell(n, |names| format!("  {}", crate::story::effect(&effect, names)));
        }
        match effect {
            Effect::Answer(ask, answer) => {
                let stored = &self.nodes[n].disk.synced;
                let verdict = self.people.answered(ask, &answer, stored);
                verdict.map_err(|text| Broken { rule: "an answer is the truth", text })
            }
            Effect::Send(to, letter) => {
                let to = self.story.names.number(to);
                holds("letters go to nodes that exist", to < self.nodes.len() && to != n, || to.to_string())?;
                self.post(n, to, &letter)
            }
            Effect::Call(call) => self.call(n, call),
            Effect::Check(check) => self.check(n, check),
            // no operator of this world gives capabilities
            Effect::Offer { .. } => Ok(()),
        }
    }

    /// Memory grows with what there is to know, not with what happened.
    fn is_bounded(&self, n: usize) -> Verdict {
        let node = &self.nodes[n];
        let Some(process) = &node.process else { return Ok(()) };
        let sizes = process.core.sizes();
        let records = node.disk.now.records.values();
        let named: usize = records.map(|record| record.slots.len() + record.dismissed.len()).sum();
        let bodies: usize = node.engines.iter().map(|engine| engine.bodies.len()).sum();
        let known = 2 * (named + bodies) + SLACK;
        let bounded = [sizes.seen, sizes.runs, sizes.heard, sizes.lacking, sizes.refused]
            .iter()
            .all(|size| *size <= known);
        let (records, nodes) = (sizes.records, self.nodes.len());
        let bounded = bounded
            && sizes.due <= 4 * known
            && sizes.dead <= 8 * known
            && sizes.leases <= known
            && sizes.early <= known
            && sizes.kept.max(sizes.graves) <= records
            && sizes.holds <= records * nodes
            && sizes.words.max(sizes.given) <= nodes;
        holds("memory is bounded", bounded, || format!("{sizes:?}, {named} named"))
    }

    /// Somebody asks a node for something.
    pub fn ask(&mut self, n: usize, service: Option<usize>, wish: Wish) -> Verdict {
        if self.nodes[n].process.is_none() {
            self.tell(n, |_| format!("does not hear {wish:?}"));
            return Ok(());
        }
        let ask = self.people.open(n, service, wish);
        let request = crate::wire::request(self.scene.seed, service.unwrap_or(0), wish);
        self.input(n, Input::Asked { ask, request })
    }
}
