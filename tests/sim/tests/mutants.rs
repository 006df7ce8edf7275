//! That the simulator can fail: every rule, broken on order, is noticed; unbroken, the same seeds are clean.

use motey_core::mutant::Mutant;
use motey_sim::plan::nodes;
use motey_sim::run::try_seed;

/// No mutant lives longer.
const MOST: u64 = 4_000;

/// The first seed that goes wrong, and by which rule.
fn first_bad() -> Option<(u64, &'static str)> {
    (0..MOST).find_map(|seed| {
        let broken = try_seed(seed, nodes(seed)).broken;
        broken.map(|(_, broken)| (seed, broken.rule))
    })
}

#[test]
fn every_broken_rule_is_noticed() {
    // what a broken core panics about is a finding like any other
    std::panic::set_hook(Box::new(|_| {}));
    let (mut took, mut alive) = (Vec::new(), Vec::new());
    for mutant in Mutant::ALL {
        Mutant::order(Some(*mutant));
        match first_bad() {
            Some((seed, rule)) => {
                println!("{:<20} {:>6} seeds  {rule}", mutant.name(), seed + 1);
                took.push(seed + 1);
            }
            None => alive.push(mutant.name()),
        }
    }
    Mutant::order(None);
    took.sort_unstable();
    let median = took.get(took.len() / 2).copied().unwrap_or(u64::MAX);
    println!("median of {}: {median} seeds", took.len());
    let clean = (0..took.last().copied().unwrap_or(0)).find_map(|seed| try_seed(seed, nodes(seed)).broken);
    drop(std::panic::take_hook());
    assert!(alive.is_empty(), "never noticed: {alive:?}");
    assert!(median <= 1_000, "noticed too late: {took:?}");
    assert_eq!(clean, None, "the unbroken rules are not clean on the same seeds");
}

#[test]
fn a_failure_is_told_with_what_it_takes_and_no_more() {
    std::panic::set_hook(Box::new(|_| {}));
    Mutant::order(Some(Mutant::KeepLeases));
    let failures: Vec<_> = (0..400).filter_map(|seed| motey_sim::run::explain(seed, 2)).take(5).collect();
    Mutant::order(None);
    drop(std::panic::take_hook());
    assert_eq!(failures.len(), 5);
    let mut lengths: Vec<usize> = failures.iter().map(|failure| failure.plan.len()).collect();
    lengths.sort_unstable();
    assert!(lengths[0] >= 1 && lengths[2] <= 4, "{lengths:?}");
    for failure in failures {
        assert!((1..=8).contains(&failure.plan.len()), "{failure}");
        let last = failure.story.last().expect("a story");
        assert!(last.contains("BROKEN: ") && last.contains(failure.broken.rule), "{failure}");
    }
}
