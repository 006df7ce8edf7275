//! Many seeds on many threads: each takes the next one, so that all below a certain one have run whenever the run ends.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use motey_sim::run::{explain, try_seed};

use crate::{Wanted, nodes, order};

/// How often it says how far it is.
const EVERY: Duration = Duration::from_secs(60);

/// A run as it stands.
struct Long<'w> {
    wanted: &'w Wanted,
    began: Instant,
    /// The seed that is taken next.
    next: AtomicU64,
    ran: AtomicU64,
    /// What each thread is at; beyond all seeds when it has ended.
    at: Vec<AtomicU64>,
    /// The seeds that went wrong, and by which rule.
    bad: Mutex<BTreeMap<u64, &'static str>>,
    first_bad: AtomicU64,
}

/// Runs all that is wanted; without a survey until the first seed that goes wrong. Returns whether none did.
pub fn many(wanted: &Wanted) -> bool {
    let long = Long {
        wanted,
        began: Instant::now(),
        next: AtomicU64::new(wanted.from),
        ran: AtomicU64::new(0),
        at: (0..wanted.threads).map(|_| AtomicU64::new(wanted.from)).collect(),
        bad: Mutex::default(),
        first_bad: AtomicU64::new(u64::MAX),
    };
    let main = std::thread::current();
    std::thread::scope(|scope| {
        for at in &long.at {
            scope.spawn(|| long.take_turns(at, &main));
        }
        let mut told = long.began;
        while !long.is_over() {
            std::thread::park_timeout(EVERY.saturating_sub(told.elapsed()));
            if told.elapsed() >= EVERY {
                told = Instant::now();
                println!("{}", long.stand());
            }
        }
    });
    println!("{}", long.stand());
    let bad = long.bad.into_inner().unwrap_or_else(PoisonError::into_inner);
    let told = if wanted.survey { bad.len() } else { 1 };
    for failure in bad.keys().take(told).filter_map(|seed| explain(*seed, nodes(*seed, wanted))) {
        println!("\n{failure}");
    }
    bad.is_empty()
}

impl Long<'_> {
    fn take_turns(&self, at: &AtomicU64, main: &Thread) {
        // checked when the program began
        let _ = order(self.wanted.mutant.as_deref());
        let end = self.wanted.from + self.wanted.seeds;
        loop {
            let seed = self.next.fetch_add(1, Ordering::Relaxed);
            let is_late = !self.wanted.survey && seed > self.first_bad.load(Ordering::Relaxed);
            if seed >= end || is_late {
                break;
            }
            at.store(seed, Ordering::Relaxed);
            self.run(seed);
        }
        at.store(u64::MAX, Ordering::Relaxed);
        main.unpark();
    }

    fn run(&self, seed: u64) {
        let outcome = try_seed(seed, nodes(seed, self.wanted));
        self.ran.fetch_add(1, Ordering::Relaxed);
        if let Some((_, broken)) = outcome.broken {
            println!("{seed} with {}: {}", nodes(seed, self.wanted), broken.rule);
            self.first_bad.fetch_min(seed, Ordering::Relaxed);
            self.bad.lock().unwrap_or_else(PoisonError::into_inner).insert(seed, broken.rule);
        }
    }

    fn is_over(&self) -> bool {
        self.at.iter().all(|at| at.load(Ordering::Relaxed) == u64::MAX)
    }

    /// How far it is, and where another run would go on.
    fn stand(&self) -> String {
        let ran = self.ran.load(Ordering::Relaxed);
        let bad = self.bad.lock().unwrap_or_else(PoisonError::into_inner).len();
        let under_way = self.at.iter().map(|at| at.load(Ordering::Relaxed)).min();
        let end = self.wanted.from + self.wanted.seeds;
        let below = under_way.unwrap_or(end).min(self.next.load(Ordering::Relaxed)).min(end);
        let (seconds, left) = (self.began.elapsed().as_secs_f64(), end - below);
        let speed = ran as f64 / seconds.max(0.001);
        format!(
            "{ran} seeds in {seconds:.0} s, {speed:.0} a second; {bad} went wrong; all below {below} ran (--from {below} \
             --seeds {left} goes on)"
        )
    }
}
