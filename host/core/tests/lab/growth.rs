//! A thousand of anything leaves no more behind than a few.

use motey_core::Sizes;
use motey_core::capability::Supply;
use motey_core::peer::{Beat, Duty, Forgotten, Letter, PeerMessage};
use motey_core::phase::Condition;
use motey_core::record::Incarnation;
use motey_core::step::{Input, Request};

use crate::blueprint::{capability, deploy, engine_name, image, node, service, spec, taking};
use crate::cluster::{Cluster, LONG};
use crate::node::Lab;

/// Two nodes, each of which can run the service of node 1.
fn two() -> Cluster {
    let mut cluster = Cluster::of(2);
    for n in 1..=2 {
        cluster.lab(node(n)).offer([capability("memory", Supply::Amount(100))]);
    }
    cluster.pass(LONG);
    cluster.lab(node(1)).ask(deploy(service(1), [taking("memory", 60, image("web"))]));
    cluster.pass(LONG);
    cluster
}

fn sizes(cluster: &Cluster) -> Vec<(Sizes, usize)> {
    cluster.labs.iter().map(|lab| (lab.core.sizes(), lab.disk.dead.len())).collect()
}

/// What is there after twenty times and after a thousand is the same.
fn leaves_nothing(cluster: &mut Cluster, mut again: impl FnMut(&mut Cluster, usize)) {
    (0..20).for_each(|n| again(cluster, n));
    cluster.pass(LONG);
    let before = sizes(cluster);
    (20..1_000).for_each(|n| again(cluster, n));
    cluster.pass(LONG);
    assert_eq!(sizes(cluster), before);
}

#[test]
fn restarts_leave_nothing() {
    leaves_nothing(&mut two(), |cluster, _| {
        cluster.lab(node(1)).ask(Request::Restart(service(1)));
        cluster.pass(1_000);
    });
}

#[test]
fn updates_leave_nothing() {
    leaves_nothing(&mut two(), |cluster, n| {
        let mut web = taking("memory", 60, image("web"));
        web.image = format!("/bin/web-{n}");
        cluster.lab(node(1)).ask(Request::Update { id: service(1), spec: spec([web]) });
        cluster.pass(1_000);
    });
}

#[test]
fn moves_leave_nothing() {
    leaves_nothing(&mut two(), |cluster, n| {
        let (from, to) = if n % 2 == 0 { (1, 2) } else { (2, 1) };
        cluster.lab(node(to)).ask(Request::Duty(Duty::Operate));
        cluster.lab(node(from)).ask(Request::Duty(Duty::Cordon));
        cluster.pass(1_000);
        let owner = cluster.lab(node(1)).record(service(1)).stamp.owner;
        cluster.lab(owner).ask(Request::Restart(service(1)));
        cluster.pass(1_000);
    });
}

/// Slots that are wanted no more have a bound of their own.
#[test]
fn images_that_come_and_go_leave_little() {
    let mut cluster = two();
    for n in 0..1_500 {
        let web = taking("memory", 60, image(&format!("web-{n}")));
        cluster.lab(node(1)).ask(Request::Update { id: service(1), spec: spec([web]) });
        cluster.pass(1_000);
    }
    let dead = cluster.labs[0].core.sizes().dead;
    assert!(dead <= 1_001, "{dead}");
    assert_eq!(cluster.labs[0].disk.dead.len(), dead);
}

/// Who left has left nothing: no version that it held, no word about it.
#[test]
fn nodes_that_are_no_members_leave_nothing() {
    let mut cluster = two();
    let before = sizes(&cluster);
    for n in 10..1_000 {
        let all = [node(1), node(2), node(n)];
        for lab in &mut cluster.labs {
            lab.input(&Input::Members(all.into()));
        }
        let beat = Beat {
            posted: 0,
            hears: all.into(),
            duty: Duty::Operate,
            condition: Condition::Sound,
            forgotten: Forgotten::from_counts([(node(n), 2), (node(n + 1), 1)]),
        };
        let incarnation = Incarnation { count: 1, nonce: 99 };
        let digest = vec![(service(1), Some(cluster.labs[0].record(service(1)).stamp))];
        for (number, message) in [(0, PeerMessage::Beat(beat)), (1, PeerMessage::Digest(digest))] {
            let letter = Letter { incarnation, number, message };
            cluster.lab(node(1)).input(&Input::Peer { from: node(n), letter });
        }
        assert_eq!(cluster.labs[0].core.sizes().words, 1);
        // nobody of that name is there to read them
        cluster.labs.iter_mut().for_each(|lab| lab.outbox.clear());
    }
    for lab in &mut cluster.labs {
        lab.input(&Input::Members([node(1), node(2)].into()));
    }
    cluster.pass(LONG);
    assert_eq!(sizes(&cluster), before);
}

/// Of an engine that never lists what it has, so many instances are remembered; more, and its list is doubtful.
#[test]
fn events_before_a_list_have_a_bound() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [image("web")]));
    lab.rest();
    let known = lab.instances().next().expect("it runs").clone();
    lab.engine_down();
    for n in 0..20_000 {
        let mut stranger = known.clone();
        stranger.key.service = service(1_000 + n);
        lab.input(&Input::Instance(stranger));
    }
    assert_eq!(lab.core.sizes().early, 10_000);
    let calls = lab.engine().calls.len();
    lab.list_as(&engine_name("process"), Vec::new());
    lab.rest();
    assert_eq!((lab.core.sizes().early, lab.live(id).len()), (0, 1));
    assert_eq!(lab.engine().calls.len(), calls + 1, "it was asked for, and nothing was made again");
}
