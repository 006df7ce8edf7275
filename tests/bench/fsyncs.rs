//! How often a deployment makes the disk write: counted by strace, over the whole host, its plugins included.

use motey_tests::{Connection, NodeUnderTest, SOON, wait_until};

use crate::{
    prototype_run::Prototype,
    strace::Strace,
    subject::{blueprint, deploy, node},
};

/// Every way to ask for it.
const CALLS: &str = "fsync,fdatasync,sync,syncfs,msync,sync_file_range";

pub fn print() {
    let prototype = Prototype::start();
    let mut connection = prototype.http().keep_alive().expect("a connection");
    let strace = Strace::attach(prototype.pid(), CALLS);
    deploy_all(&mut connection, 0..1);
    let before = strace.count();
    deploy_all(&mut connection, 0..20);
    let few = strace.count() - before;
    deploy_all(&mut connection, 20..1_000);
    println!("prototype: fsyncs of 20 deployments, of 1000: {few}, {}", strace.count() - before);
    drop(strace);

    let node = node(&["mock"]).start();
    node.wait_engine("mock");
    let mut connection = node.tcp().keep_alive().expect("a connection");
    // the first commit of a life begins the log anew
    deploy_all(&mut connection, 0..1);
    wait_created(&node, 1);
    let strace = Strace::attach(node.pid(), CALLS);
    deploy_all(&mut connection, 1..21);
    wait_created(&node, 21);
    let few = strace.count();
    deploy_all(&mut connection, 21..1_001);
    wait_created(&node, 1_001);
    let all = strace.count();
    println!("motey: fsyncs of 20 deployments, of 1000: {few}, {all}");
    assert_eq!(few, 20, "one deployment is one fsync");
    assert!(all <= 1_010, "at most one in a hundred is for the log");
}

fn deploy_all(connection: &mut Connection, numbers: std::ops::Range<usize>) {
    for number in numbers {
        deploy(connection, &blueprint(number));
    }
}

/// Waits until that many run: what a deployment still costs after its 201 is counted, too.
fn wait_created(node: &NodeUnderTest, count: usize) {
    wait_until(SOON, "all instances run", || node.mock().running().len() == count);
}
