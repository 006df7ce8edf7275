//! What people read: nodes and slots by their names, what is taken with who has it.

use motey_core::capability::Supply;
use motey_core::id::{NodeId, ServiceId};
use motey_core::peer::Duty;
use motey_core::spec::{ImageSpec, Replicas};
use motey_core::step::Request;

use crate::blueprint::{capability, deploy, image, node, service, taking, with};
use crate::cluster::{Cluster, LONG};

/// What is said of each node about a service's first slot, were it deployed once more.
fn verdicts(cluster: &mut Cluster, id: ServiceId) -> Vec<String> {
    let record = cluster.lab(node(1)).record(id).clone();
    let plan = cluster.lab(node(1)).core.plan(&record.name, &record.revision.spec);
    let texts = plan.slots[0].verdicts.iter().map(|verdict| match verdict.unmet.first() {
        Some(reason) => reason.text.clone(),
        None => "fits".to_owned(),
    });
    texts.collect()
}

fn journal(cluster: &mut Cluster, of: NodeId) -> Vec<String> {
    cluster.lab(of).disk.journal.iter().map(|event| event.text.clone()).collect()
}

#[test]
fn whoever_has_it_is_named_on_every_node() {
    let mut cluster = Cluster::of(3);
    for n in 1..=2 {
        cluster.lab(node(n)).offer([capability("dongle", Supply::Exclusive)]);
    }
    cluster.pass(LONG);
    for n in 1..=3 {
        cluster.lab(node(1)).ask(deploy(service(n), [with("dongle", image("web"))]));
        cluster.pass(LONG);
    }
    let held = ["fog-1: dongle is held by lab/web", "fog-2: dongle is held by lab/web"];
    let waits = format!("waiting.capability: {}; nothing offers the capability dongle", held.join("; "));
    assert_eq!(cluster.lab(node(1)).said(service(3)), waits);
    let nothing = "nothing offers the capability dongle";
    assert_eq!(verdicts(&mut cluster, service(3)), [held[0], held[1], nothing]);
}

#[test]
fn nodes_are_called_by_their_names_whatever_happens_to_them() {
    let (mut cluster, id) = (Cluster::of(3), service(1));
    cluster.lab(node(2)).offer([capability("memory", Supply::Amount(100))]);
    cluster.pass(LONG);
    let everywhere = ImageSpec { replicas: Replicas::EveryNode, ..taking("memory", 10, image("log")) };
    cluster.lab(node(1)).ask(deploy(id, [taking("memory", 60, image("web")), everywhere]));
    cluster.pass(LONG);
    cluster.lab(node(3)).offer([capability("memory", Supply::Amount(100))]);
    cluster.lab(node(2)).ask(Request::Duty(Duty::Drain));
    cluster.pass(LONG);
    let told = journal(&mut cluster, node(1));
    for text in ["assigned to process on fog-2", "from fog-2 to fog-3", "leaves fog-2"] {
        assert!(told.iter().any(|it| it == text), "{text}: {told:#?}");
    }
    assert_eq!(verdicts(&mut cluster, id)[1], "fog-2 is being drained");
    cluster.lab(node(3)).dead = true;
    cluster.pass(LONG);
    let said = cluster.lab(node(1)).said(id);
    assert!(said.contains("fog-2 is being drained; fog-3 is not heard"), "{said}");
    let ids = [1, 2, 3].map(|n| node(n).to_string());
    let told = journal(&mut cluster, node(1));
    assert!(!told.iter().any(|text| ids.iter().any(|id| text.contains(id))), "{told:#?}");
}
