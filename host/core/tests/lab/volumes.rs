//! Volumes: whose data is on which node, and who waits for it there.

use motey_core::capability::Supply;
use motey_core::id::{NodeId, ServiceId, VolumeName};
use motey_core::peer::Duty;
use motey_core::project::State;
use motey_core::spec::{ImageSpec, Mount, MountSource, OnNodeLoss, Replicas, Restart, Spec};
use motey_core::step::{Answer, EventKind, Request};

use crate::blueprint::{
    called, capability, deploy, image, image_key, node, restarts, service, spec, taking, times,
};
use crate::cluster::{Cluster, LONG};
use crate::node::Lab;

fn volume(name: &str) -> VolumeName {
    VolumeName::new(name).expect("a volume name")
}

fn on_volume(name: &str, mut image: ImageSpec) -> ImageSpec {
    let target = format!("/var/{name}");
    image.params.mounts.push(Mount { source: MountSource::Volume(volume(name)), target, read_only: false });
    image
}

/// A service of node 1 whose data is on node 2, and node 3 could run it as well.
fn with_data() -> (Cluster, ServiceId) {
    let (mut cluster, id) = (Cluster::of(3), service(1));
    cluster.lab(node(2)).offer([capability("memory", Supply::Amount(100))]);
    cluster.pass(LONG);
    cluster.lab(node(1)).ask(deploy(id, [on_volume("data", taking("memory", 10, image("db")))]));
    cluster.pass(LONG);
    assert_eq!(cluster.running(id), [0, 1, 0]);
    cluster.lab(node(3)).offer([capability("memory", Supply::Amount(100))]);
    cluster.pass(LONG);
    (cluster, id)
}

fn home(cluster: &mut Cluster, id: ServiceId) -> Option<NodeId> {
    cluster.lab(node(1)).record(id).homes.get(&volume("data")).map(|home| home.node)
}

#[test]
fn the_data_stays_where_it_is_through_all_that_is_asked() {
    let (mut cluster, id) = with_data();
    let scale = |count| Request::Scale { id, image: image_key("db"), count };
    for request in [Request::Stop(id), Request::Start(id), Request::Restart(id), scale(0), scale(2)] {
        assert_eq!(cluster.lab(node(1)).ask(request), Some(Answer::Accepted(id)));
        cluster.pass(LONG);
        assert_eq!(home(&mut cluster, id), Some(node(2)));
    }
    assert_eq!(cluster.running(id), [0, 2, 0], "all that use it are together");
    let newer = ImageSpec { image: "/bin/newer".into(), ..image("db") };
    cluster.lab(node(1)).ask(Request::Update { id, spec: spec([on_volume("data", newer)]) });
    cluster.pass(LONG);
    assert_eq!(cluster.running(id), [0, 1, 0], "node 1 would do for it now, and has no data");
}

#[test]
fn a_silent_node_s_data_is_waited_for_until_it_is_forgotten() {
    let (mut cluster, id) = with_data();
    cluster.lab(node(2)).crash(false);
    cluster.pass(2 * LONG);
    let why = format!(
        "waiting.node: its volume data is on {}, which is silent: it waits for that node, or until it is \
         forgotten",
        called(node(2))
    );
    assert_eq!((cluster.running(id)[2], cluster.lab(node(1)).said(id)), (0, why.clone()));
    cluster.lab(node(1)).ask(Request::Restart(id));
    cluster.pass(LONG);
    assert_eq!((cluster.running(id)[2], cluster.lab(node(1)).said(id)), (0, why));
    cluster.lab(node(1)).ask(Request::Forget { node: node(2), forgotten: true });
    cluster.pass(LONG);
    assert_eq!((cluster.running(id)[2], home(&mut cluster, id)), (1, Some(node(3))));
    let journal = &cluster.lab(node(1)).disk.journal;
    let lost = journal.iter().find(|event| event.kind == EventKind::NodeLost && event.slot.is_none());
    let text = format!(
        "the data of volume data is on {}, which was forgotten: it starts anew, empty",
        called(node(2))
    );
    assert_eq!(lost.map(|event| event.text.clone()), Some(text));
}

#[test]
fn a_drained_node_keeps_its_data_and_who_uses_it() {
    let (mut cluster, id) = with_data();
    cluster.lab(node(2)).ask(Request::Duty(Duty::Drain));
    cluster.pass(2 * LONG);
    assert_eq!(cluster.running(id), [0, 1, 0]);
    let text = format!("its volume data is on {}, which is drained: it stays there", called(node(2)));
    assert_eq!(cluster.lab(node(1)).said(id), format!("waiting.node: {text}"));
    assert_eq!(cluster.lab(node(1)).state(id), State::Running);
    cluster.lab(node(1)).ask(Request::Restart(id));
    cluster.pass(LONG);
    let said = cluster.lab(node(1)).said(id);
    assert_eq!(
        (cluster.running(id).iter().sum::<usize>(), said.contains("is being drained")),
        (0, true),
        "{said}"
    );
}

#[test]
fn who_takes_over_knows_where_the_data_is() {
    let (mut cluster, id) = with_data();
    cluster.lab(node(1)).crash(false);
    cluster.pass(2 * LONG);
    assert_eq!(cluster.running(id), [0, 1, 0]);
    let owner = cluster.lab(node(2)).record(id).stamp.owner;
    assert_ne!(owner, node(1));
    cluster.lab(owner).ask(Request::Restart(id));
    cluster.pass(LONG);
    assert_eq!(cluster.running(id), [0, 0, 0], "node 1 may run it");
    cluster.boot(node(1));
    cluster.pass(2 * LONG);
    assert_eq!(cluster.running(id), [0, 1, 0]);
}

/// Images that share a volume are placed as one: where all of them fit.
#[test]
fn those_who_share_a_volume_are_on_one_node() {
    let (mut cluster, id) = (Cluster::of(3), service(1));
    cluster.lab(node(1)).offer([capability("memory", Supply::Amount(25))]);
    cluster.lab(node(3)).offer([capability("memory", Supply::Amount(30))]);
    cluster.pass(LONG);
    let part = |key: &str| on_volume("data", taking("memory", 10, image(key)));
    cluster.lab(node(1)).ask(deploy(id, [times(2, part("writer")), part("reader")]));
    cluster.pass(LONG);
    assert_eq!(cluster.running(id), [0, 0, 3]);
}

#[test]
fn an_update_brings_those_together_who_share_a_volume_now() {
    let (mut cluster, id) = (Cluster::of(2), service(1));
    for n in [1, 2] {
        cluster.lab(node(n)).offer([capability("memory", Supply::Amount(25 * n as u64))]);
    }
    cluster.pass(LONG);
    let alone = || times(2, taking("memory", 20, image("web")));
    cluster.lab(node(1)).ask(deploy(id, [alone()]));
    cluster.pass(LONG);
    assert_eq!(cluster.running(id), [1, 1]);
    cluster.lab(node(1)).ask(Request::Update { id, spec: spec([on_volume("data", alone())]) });
    cluster.pass(LONG);
    let running = cluster.running(id);
    assert!(running == [1, 0] || running == [0, 2], "{running:?}");
}

#[test]
fn what_is_on_every_node_has_its_own_volume_on_each() {
    let (mut cluster, id) = (Cluster::of(3), service(1));
    let probe = ImageSpec { replicas: Replicas::EveryNode, ..on_volume("data", image("probe")) };
    cluster.lab(node(1)).ask(deploy(id, [probe]));
    cluster.pass(LONG);
    assert_eq!((cluster.running(id), home(&mut cluster, id)), (vec![1, 1, 1], None));
}

/// What a node refused never wrote anything: another one may have it.
#[test]
fn a_refused_attempt_leaves_no_data() {
    let (mut cluster, id) = (Cluster::of(3), service(1));
    cluster.lab(node(2)).offer([capability("memory", Supply::Amount(100))]);
    cluster.pass(LONG);
    // node 1 does not hear that the memory is gone
    cluster.cut.insert(node(1));
    cluster.lab(node(2)).offer([]);
    cluster.pass(1_000);
    cluster.lab(node(1)).ask(deploy(id, [on_volume("data", taking("memory", 10, image("db")))]));
    assert_eq!(home(&mut cluster, id), Some(node(2)));
    cluster.cut.clear();
    cluster.pass(LONG);
    assert_eq!(home(&mut cluster, id), None);
    cluster.lab(node(3)).offer([capability("memory", Supply::Amount(100))]);
    cluster.pass(LONG);
    assert_eq!((cluster.running(id), home(&mut cluster, id)), (vec![0, 0, 1], Some(node(3))));
}

#[test]
fn an_engine_without_volumes_is_not_asked_for_any() {
    let mut lab = Lab::new();
    lab.engine().features.remove("volumes");
    lab.list(&"process".parse().expect("a name"));
    lab.ask(deploy(service(1), [on_volume("data", image("db"))]));
    assert_eq!(lab.said(service(1)), "engine.unsupported: the engine process cannot honour volumes");
    assert_eq!(lab.record(service(1)).homes.len(), 0);
}

#[test]
fn plain_slots_wait_for_their_node_where_their_service_wants_it() {
    let (mut cluster, id) = (Cluster::of(3), service(1));
    cluster.lab(node(2)).offer([capability("memory", Supply::Amount(100))]);
    cluster.pass(LONG);
    let image = restarts(Restart::Always, taking("memory", 10, image("web")));
    let Request::Deploy { name, spec, .. } = deploy(id, [image]) else { unreachable!() };
    let spec = Spec { on_node_loss: OnNodeLoss::Wait, ..Spec::clone(&spec) }.into();
    cluster.lab(node(1)).ask(Request::Deploy { id, name, spec, reject_unplaceable: false });
    cluster.pass(LONG);
    cluster.lab(node(3)).offer([capability("memory", Supply::Amount(100))]);
    cluster.lab(node(2)).crash(false);
    cluster.pass(2 * LONG);
    let said = cluster.lab(node(1)).said(id);
    assert_eq!((cluster.running(id)[2], said.contains("as its service wants it")), (0, true), "{said}");
    cluster.lab(node(1)).ask(Request::Forget { node: node(2), forgotten: true });
    cluster.pass(LONG);
    assert_eq!(cluster.running(id)[2], 1);
}
