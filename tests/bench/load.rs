//! A thousand deployments, one after another and many at a time: how fast, and whether each is there once.

use std::{
    collections::BTreeSet,
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use motey_tests::{Connection, Http, NodeUnderTest, SOON, wait_until};

use crate::{
    prototype_run::Prototype,
    sample::{Sample, compare, print as line},
    subject::{blueprint, deploy, node},
};

const ROUNDS: usize = 20;
const IN_A_ROUND: usize = 50;
const DEPLOYMENTS: usize = ROUNDS * IN_A_ROUND;
const MANY: usize = 32;

pub fn print() {
    one_or_many(1);
    one_or_many(MANY);
}

fn one_or_many(clients: usize) {
    let prototype = Prototype::start();
    let node = node(&["mock"]).start();
    node.wait_engine("mock");
    let mut theirs = connections(&prototype.http(), clients);
    let mut ours = connections(&node.tcp(), clients);

    let (mut bare, mut own) = (Sample::default(), Sample::default());
    for round in 0..ROUNDS {
        let numbers = round * IN_A_ROUND..(round + 1) * IN_A_ROUND;
        let mut bare = || rate(&mut bare, || deploy_all(&mut theirs, numbers.clone()));
        let mut own = || {
            rate(&mut own, || deploy_all(&mut ours, numbers.clone()));
            // nothing is left for the next round
            wait_until(SOON, "all instances run", || node.mock().running().len() == numbers.end);
        };
        // each goes first as often as the other: a disk remembers who came before
        match round % 2 {
            0 => (bare(), own()),
            _ => (own(), bare()),
        };
    }
    check(&node);
    line(&format!("prototype, {clients} at a time"), "/s", &bare);
    line(&format!("motey, {clients} at a time"), "/s", &own);
    compare("motey / prototype", &own, &bare);
    println!(
        "{DEPLOYMENTS} deployments made {DEPLOYMENTS} instances by as many `create` calls, each with its own fence"
    );
}

fn connections(http: &Http, count: usize) -> Vec<Connection> {
    (0..count).map(|_| http.keep_alive().expect("a connection")).collect()
}

fn rate(sample: &mut Sample, round: impl FnOnce()) {
    let began = Instant::now();
    round();
    sample.push(IN_A_ROUND as f64 / began.elapsed().as_secs_f64());
}

/// Every connection takes numbers until there are no more.
fn deploy_all(connections: &mut [Connection], numbers: Range<usize>) {
    let next = AtomicUsize::new(numbers.start);
    let take = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|number| numbers.contains(number));
    thread::scope(|scope| {
        for connection in connections {
            scope.spawn(|| {
                while let Some(number) = take() {
                    deploy(connection, &blueprint(number));
                }
            });
        }
    });
}

fn check(node: &NodeUnderTest) {
    let creates = node.mock().calls_of("create");
    let fences: BTreeSet<_> = creates.iter().map(|call| &call.fence).collect();
    assert_eq!(node.mock().instances().len(), DEPLOYMENTS, "as many instances as deployments");
    assert_eq!(creates.len(), DEPLOYMENTS, "as many `create` calls as deployments");
    assert_eq!(fences.len(), DEPLOYMENTS, "a fence for each");
    assert!(creates.iter().all(|call| call.outcome == "ok"), "every `create` succeeded");
}
