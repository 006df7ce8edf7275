//! How tombstones come to their end.

use motey_core::id::ServiceId;
use motey_core::step::{Answer, Refusal, Request};
use motey_core::{Sizes, Tuning};

use crate::blueprint::{deploy, image, node, service};
use crate::cluster::{Cluster, LONG};
use crate::node::Lab;

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

/// Ten minutes instead of thirty days.
const KEEP: u64 = 600_000;

fn buried() -> (Lab, ServiceId) {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [image("web")]));
    lab.rest();
    lab.ask(Request::Delete(id));
    lab.rest();
    (lab, id)
}

#[test]
fn a_tombstone_ends_after_thirty_days_of_running() {
    let (mut lab, id) = buried();
    let writes = lab.disk.writes;
    lab.pass(30 * DAY);
    assert_eq!(lab.ask(deploy(id, [image("web")])), Some(Answer::Refused(Refusal::Deleted(id))));
    lab.pass(2 * DAY);
    assert_eq!(lab.ask(Request::Delete(id)), Some(Answer::Refused(Refusal::Unknown(id))));
    assert!(lab.disk.records.is_empty() && lab.disk.standing.graves.is_empty());
    assert!((30..40).contains(&(lab.disk.writes - writes)), "a write a day: {}", lab.disk.writes - writes);
    assert_eq!(lab.core.sizes(), Sizes::default());
    assert_eq!(lab.core.next_due(), None, "nothing is left to wait for");
}

#[test]
fn what_a_node_did_not_run_does_not_count_and_short_lives_add_up() {
    let (mut lab, id) = buried();
    for _ in 0..60 {
        lab.pass(7 * HOUR);
        lab.now = lab.now.after(100 * DAY);
        lab.restart();
    }
    assert!(lab.disk.records.contains_key(&id), "it ran 17 days");
    for _ in 0..180 {
        lab.pass(9 * HOUR);
        lab.restart();
    }
    assert!(lab.disk.records.is_empty(), "and 67 more");
}

#[test]
fn a_tombstone_stays_while_the_disk_is_full() {
    let (mut lab, _) = buried();
    lab.disk.full = true;
    let tried = lab.tried;
    lab.pass(2 * HOUR);
    assert!((10..2_000).contains(&(lab.tried - tried)), "every other second: {}", lab.tried - tried);
    lab.disk.full = false;
    lab.pass(2 * HOUR);
    assert_eq!((lab.disk.records.len(), lab.disk.standing.graves.len()), (1, 1));
}

/// A cluster of three, one service of which was deleted.
fn mourning() -> (Cluster, ServiceId) {
    let tuning = Tuning { keep_deleted: KEEP, ..Tuning::default() };
    let (mut cluster, id) = (Cluster::tuned(3, tuning), service(1));
    cluster.lab(node(1)).ask(deploy(id, [image("web")]));
    cluster.pass(LONG);
    (cluster, id)
}

fn known(cluster: &Cluster, id: ServiceId) -> Vec<bool> {
    cluster.labs.iter().map(|lab| lab.disk.records.contains_key(&id)).collect()
}

#[test]
fn every_node_lets_go_by_itself() {
    let (mut cluster, id) = mourning();
    cluster.lab(node(1)).ask(Request::Delete(id));
    cluster.pass(KEEP / 2);
    assert!(cluster.labs.iter().all(|lab| lab.disk.standing.graves.contains_key(&id)), "all know of all");
    cluster.lab(node(3)).crash(false);
    cluster.pass(KEEP / 2 + LONG);
    assert_eq!(known(&cluster, id), [false, false, true], "it has not run so long");
    // what it has it does not tell to those who have let go of it
    for n in [3, 1] {
        cluster.boot(node(n));
        cluster.pass(LONG);
        assert_eq!(known(&cluster, id), [false, false, true]);
    }
    cluster.pass(KEEP);
    assert_eq!(known(&cluster, id), [false; 3]);
}

#[test]
fn a_tombstone_waits_for_a_node_that_may_not_know_of_it() {
    let (mut cluster, id) = mourning();
    cluster.cut.insert(node(3));
    cluster.lab(node(1)).ask(Request::Delete(id));
    cluster.pass(2 * KEEP);
    assert_eq!(known(&cluster, id), [true; 3]);
    cluster.cut.clear();
    cluster.pass(2 * KEEP);
    assert_eq!(known(&cluster, id), [false; 3], "it has it now, and nobody has a living record");
}

/// Who forgets a node that may hold a living record does not wait for it.
#[test]
fn a_forgotten_node_that_returns_after_the_end_brings_the_service_back() {
    let (mut cluster, id) = mourning();
    cluster.lab(node(3)).crash(false);
    cluster.lab(node(1)).ask(Request::Delete(id));
    cluster.pass(LONG);
    cluster.lab(node(1)).ask(Request::Forget { node: node(3), forgotten: true });
    cluster.pass(2 * KEEP);
    assert_eq!(known(&cluster, id), [false, false, true]);
    cluster.boot(node(3));
    cluster.pass(2 * LONG);
    assert!(!cluster.lab(node(1)).record(id).is_absent());
    cluster.lab(node(1)).ask(Request::Delete(id));
    cluster.pass(LONG);
    assert!(cluster.labs.iter().all(|lab| lab.record(id).is_over() && lab.live(id).is_empty()));
}
