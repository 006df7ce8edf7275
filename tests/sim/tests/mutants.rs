//! That the simulator can fail: every rule, broken on order, is noticed; unbroken, the same seeds are clean.

use motey_core::mutant::Mutant;
use motey_sim::plan::nodes;
use motey_sim::run::try_seed;

/// No mutant lives longer.
const MOST: u64 = 20_000;

/// The first seed from `from` on that goes wrong, and by which rule.
fn first_bad(from: u64) -> Option<(u64, &'static str)> {
    (from..from + MOST).find_map(|seed| {
        let broken = try_seed(seed, nodes(seed)).broken;
        broken.map(|(_, broken)| (seed, broken.rule))
    })
}

#[test]
fn every_broken_rule_is_noticed() {
    std::panic::set_hook(Box::new(|_| {}));
    let mut took = Vec::new();
    let mut alive = Vec::new();
    let mut worst = 0;
    for mutant in Mutant::ALL {
        Mutant::order(Some(*mutant));
        match first_bad(0) {
            Some((seed, rule)) => {
                println!("{:<20} {:>6} seeds  {rule}", mutant.name(), seed + 1);
                took.push(seed + 1);
                worst = worst.max(seed);
            }
            None => alive.push(mutant.name()),
        }
    }
    Mutant::order(None);
    took.sort_unstable();
    let median = took.get(took.len() / 2).copied().unwrap_or(u64::MAX);
    println!("median: {median} seeds");
    assert!(alive.is_empty(), "never noticed: {alive:?}");
    assert!(median <= 1_000, "noticed too late: {took:?}");
    let clean = (0..=worst).find_map(|seed| try_seed(seed, nodes(seed)).broken);
    assert_eq!(clean, None, "the unbroken rules are not clean on the same seeds");
}
