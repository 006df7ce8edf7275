//! A thousand deployments, one after another and many at a time: how fast, and whether each is there once.

use std::{
    collections::BTreeSet,
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use motey_tests::{Http, NodeUnderTest, SOON, wait_until};

use crate::{
    prototype_run::Prototype,
    subject::{blueprint, deploy, node},
};

const DEPLOYMENTS: usize = 1_000;
const CLIENTS: usize = 32;

pub fn print() {
    for clients in [1, CLIENTS] {
        let prototype = Prototype::start();
        let theirs = deployments_a_second(&prototype.http(), clients);
        drop(prototype);

        let node = node(&["mock"]).start();
        node.wait_engine("mock");
        let began = Instant::now();
        let ours = deployments_a_second(&node.tcp(), clients);
        wait_until(SOON, "all instances run", || node.mock().running().len() == DEPLOYMENTS);
        let running = DEPLOYMENTS as f64 / began.elapsed().as_secs_f64();
        check(&node);
        println!(
            "{clients:2} at a time: prototype {theirs:6.0}/s   motey {ours:6.0}/s acknowledged, {running:6.0}/s running   \
             {DEPLOYMENTS} instances, fences and `create` calls"
        );
    }
}

fn deployments_a_second(http: &Http, clients: usize) -> f64 {
    let next = AtomicUsize::new(0);
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| deploy_from(http, &next, 0..DEPLOYMENTS));
        }
    });
    DEPLOYMENTS as f64 / began.elapsed().as_secs_f64()
}

/// Takes numbers until there are no more.
fn deploy_from(http: &Http, next: &AtomicUsize, numbers: Range<usize>) {
    let mut connection = http.keep_alive().expect("a connection");
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if !numbers.contains(&number) {
            return;
        }
        deploy(&mut connection, &blueprint(number));
    }
}

fn check(node: &NodeUnderTest) {
    let creates = node.mock().calls_of("create");
    let fences: BTreeSet<_> = creates.iter().map(|call| &call.fence).collect();
    assert_eq!(node.mock().instances().len(), DEPLOYMENTS, "as many instances as deployments");
    assert_eq!(creates.len(), DEPLOYMENTS, "as many `create` calls as deployments");
    assert_eq!(fences.len(), DEPLOYMENTS, "a fence for each");
    assert!(creates.iter().all(|call| call.outcome == "ok"), "every `create` succeeded");
}
