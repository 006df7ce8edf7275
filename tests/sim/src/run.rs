//! One run: a scene, trouble, calm, rest; and what came of it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::plan::{Happening, Planned, Scene, Wish, draw};
use crate::queue::Time;
use crate::rest;
use crate::shrink::shrink;
use crate::watch::{Broken, Verdict};
use crate::world::{Event, Figures, World};

/// Within so long everything is at rest.
const REST: Time = 3 * 3_600_000;

/// Longer than any wait: where nothing was done for so long, nothing will be.
const QUIET: Time = 150_000;

/// After so long all nodes have heard each other, and nobody who is gone.
const GATHER: Time = 60_000;

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The rule that did not hold, and when.
    pub broken: Option<(Time, Broken)>,
    pub story: Vec<String>,
    pub figures: Figures,
}

/// Plays a scene; `listens` writes the story down.
pub fn play(scene: &Scene, listens: bool) -> Outcome {
    let mut world = World::new(scene.clone(), listens);
    let verdict = catch_unwind(AssertUnwindSafe(|| whole(&mut world)));
    let verdict = verdict.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("?");
        Err(Broken { rule: "the core does not panic", text: text.into() })
    });
    let broken = verdict.err().map(|broken| (world.now, broken));
    if let Some((at, Broken { rule, text })) = &broken {
        world.story.tell(*at, None, |_| format!("BROKEN: {rule}: {text}"));
    }
    world.figures.accepted = world.people.accepted() as u64;
    Outcome { broken, figures: world.figures, story: world.story.into_lines() }
}

fn whole(world: &mut World) -> Verdict {
    world.until(world.scene.calm_at)?;
    world.calm()?;
    world.until(world.now + GATHER)?;
    world.take_back()?;
    come_to_rest(world)?;
    rest::judge(world)?;
    if let Some(lost) = world.lose() {
        if world.scene.seed.is_multiple_of(2) {
            forget_lost(world, lost)?;
        }
        come_to_rest(world)?;
        rest::judge(world)?;
    }
    delete_all(world)?;
    come_to_rest(world)?;
    rest::judge_empty(world)
}

/// Somebody gives up the lost node, as soon as that is not refused.
fn forget_lost(world: &mut World, lost: usize) -> Verdict {
    world.until(world.now + GATHER)?;
    let by = (0..world.nodes.len()).find(|node| *node != lost).unwrap_or(0);
    world.ask(by, None, Wish::Forget { node: lost, forgotten: true })
}

fn come_to_rest(world: &mut World) -> Verdict {
    let end = world.now + REST;
    while world.now < end {
        let before = world.figures.work();
        world.until(world.now + QUIET)?;
        if world.figures.work() == before {
            return Ok(());
        }
    }
    Err(restless(world))
}

fn restless(world: &World) -> Broken {
    let next = world.queue.iter().find(|event| !matches!(event, Event::FuseEnds { .. }));
    Broken { rule: "it comes to rest", text: format!("{next:?} after {} h", REST / 3_600_000) }
}

fn delete_all(world: &mut World) -> Verdict {
    world.story.tell(world.now, None, |_| "everything is deleted".into());
    for service in 0..crate::plan::SERVICES {
        for node in 0..world.nodes.len() {
            world.ask(node, Some(service), Wish::Delete)?;
        }
    }
    Ok(())
}

/// A run that went wrong, told with as little as it takes.
#[derive(Debug)]
pub struct Failure {
    pub seed: u64,
    pub nodes: usize,
    pub broken: Broken,
    pub plan: Vec<Planned>,
    pub story: Vec<String>,
}

/// Runs one seed.
pub fn try_seed(seed: u64, nodes: usize) -> Outcome {
    play(&draw(seed, nodes), false)
}

/// The shortest way to the same broken rule that a seed led to; `None` when it does not go wrong.
pub fn explain(seed: u64, nodes: usize) -> Option<Failure> {
    let mut scene = draw(seed, nodes);
    let (_, broken) = play(&scene, false).broken?;
    scene.plan = shrink(&scene, broken.rule);
    let outcome = play(&scene, true);
    let (_, broken) = outcome.broken?;
    Some(Failure { seed, nodes, broken, plan: scene.plan, story: outcome.story })
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { seed, nodes, broken, plan, story } = self;
        writeln!(f, "seed {seed} with {nodes} nodes: {}: {}", broken.rule, broken.text)?;
        writeln!(f, "it takes {} events:", plan.len())?;
        for Planned { at, what } in plan {
            writeln!(f, "{:>9}.{:03}  {what:?}", at / 1_000, at % 1_000)?;
        }
        writeln!(f, "and this is what happens:")?;
        story.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        write!(f, "again: motey-sim --nodes {nodes} --seed {seed} --story")
    }
}

/// The kinds of entries of a plan, to see that all are drawn.
pub fn kind(what: &Happening) -> String {
    format!("{what:?}").split([' ', '{']).next().unwrap_or_default().to_owned()
}
