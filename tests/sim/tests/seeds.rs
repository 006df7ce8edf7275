//! Ten thousand worlds, none of which breaks a rule. `MOTEY_SIM_SEEDS` makes it more, `MOTEY_SIM_FROM` others.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use motey_sim::plan::{draw, nodes};
use motey_sim::run::{explain, kind, play, try_seed};

const THREADS: u64 = 2;

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

#[test]
fn no_world_breaks_a_rule() {
    let (from, seeds) = (setting("MOTEY_SIM_FROM", 0), setting("MOTEY_SIM_SEEDS", 10_000));
    let first_bad = AtomicU64::new(u64::MAX);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let first_bad = &first_bad;
            scope.spawn(move || {
                for seed in (from..from + seeds).filter(|seed| seed % THREADS == thread) {
                    if seed < first_bad.load(Ordering::Relaxed)
                        && try_seed(seed, nodes(seed)).broken.is_some()
                    {
                        first_bad.fetch_min(seed, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let bad = first_bad.into_inner();
    if bad < u64::MAX {
        panic!("{}", explain(bad, nodes(bad)).expect("what breaks once breaks again"));
    }
}

#[test]
fn a_seed_is_one_run() {
    for seed in 0..40 {
        let scene = draw(seed, nodes(seed));
        let (first, second) = (play(&scene, true), play(&scene, true));
        assert_eq!(first.story, second.story);
        assert_eq!(first.figures, second.figures);
        assert_eq!(play(&scene, false).figures, first.figures, "who listens changes nothing");
    }
}

#[test]
fn everything_that_can_be_planned_is_planned_and_matters() {
    let mut planned: BTreeMap<String, usize> = BTreeMap::new();
    let (mut deaths, mut letters, mut accepted, mut calls) = (0, 0, 0, 0);
    for seed in 0..400 {
        let scene = draw(seed, nodes(seed));
        scene.plan.iter().for_each(|it| *planned.entry(kind(&it.what)).or_default() += 1);
        let figures = play(&scene, false).figures;
        (deaths, letters) = (deaths + figures.deaths, letters + figures.letters);
        (accepted, calls) = (accepted + figures.accepted, calls + figures.calls);
    }
    assert!(planned.len() == 26 && planned.values().all(|times| *times > 20), "{planned:?}");
    assert!(deaths > 400 && letters > 10_000 && accepted > 2_000 && calls > 10_000);
}
