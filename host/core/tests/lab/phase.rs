//! The phases of a node's life: what it is given in each of them, and what it says.

use motey_core::capability::Supply;
use motey_core::id::ServiceId;
use motey_core::peer::{Beat, Duty, Forgotten, Letter, PeerMessage};
use motey_core::phase::{Condition, Part, Parts, Phase};
use motey_core::project::State;
use motey_core::record::Incarnation;
use motey_core::spec::ImageSpec;
use motey_core::step::{Answer, Input, Refusal, Request};

use crate::blueprint::{capability, deploy, engine_name, image, node, service, taking, with};
use crate::cluster::{Cluster, LONG};
use crate::node::Lab;

/// A node of the engine `process` and the source `lab`.
fn whole() -> Parts {
    Parts { engines: [engine_name("process")].into(), sources: ["lab".to_owned()].into() }
}

fn deployed(lab: &mut Lab, n: u128, image: ImageSpec) -> ServiceId {
    let id = service(n);
    assert_eq!(lab.ask(deploy(id, [image])), Some(Answer::Accepted(id)));
    id
}

fn phase(lab: &Lab) -> Phase {
    lab.core.condition().phase()
}

/// Starts a node again, of which nothing has spoken yet.
fn mute(lab: &mut Lab) {
    lab.parts = whole();
    lab.crash(false);
    lab.boot();
}

#[test]
fn a_new_node_accepts_services_and_runs_them_once_all_of_it_has_spoken() {
    let mut lab = Lab::bare();
    assert_eq!(lab.core.condition(), Condition::New);
    let id = deployed(&mut lab, 1, image("web"));
    assert_eq!(lab.state(id), State::Initial);
    assert_eq!(lab.said(id), "waiting.node: fog-1 is commissioned: it does not know yet what it is made of");
    lab.input(&Input::Parts(whole()));
    assert_eq!(lab.core.condition(), Condition::Awaits(Part::Engine(engine_name("process"))));
    assert_eq!(lab.said(id), "waiting.node: fog-1 is provisioned: it has not heard its engine process yet");
    lab.add_engine("process");
    assert_eq!((phase(&lab), lab.calls.len()), (Phase::Provision, 0));
    let waits = "waiting.node: fog-1 is provisioned: it has not heard what its plugin lab offers yet";
    assert_eq!(lab.said(id), waits);
    let Some(Answer::Refused(Refusal::Unplaceable(unmet))) = lab.ask(Request::Deploy {
        id: service(2),
        name: "cell-2".parse().expect("a name"),
        spec: lab.record(id).revision.spec.clone(),
        reject_unplaceable: true,
    }) else {
        panic!("a service that would have to wait");
    };
    assert_eq!(format!("waiting.node: {}", unmet[0].text), waits);
    lab.offer([]);
    lab.rest();
    assert_eq!((phase(&lab), lab.state(id)), (Phase::Operate, State::Running));
}

#[test]
fn a_node_without_any_engine_operates_and_says_that_it_has_none() {
    let mut lab = Lab::bare();
    lab.input(&Input::Parts(Parts::default()));
    let id = deployed(&mut lab, 1, image("web"));
    assert_eq!((phase(&lab), lab.state(id)), (Phase::Operate, State::Initial));
    assert!(lab.said(id).starts_with("waiting.engine: no engine is here"), "{}", lab.said(id));
}

#[test]
fn an_engine_that_does_not_answer_has_spoken() {
    let mut lab = Lab::new();
    mute(&mut lab);
    lab.offer([]);
    assert_eq!(phase(&lab), Phase::Recover);
    lab.engine_down();
    assert_eq!(phase(&lab), Phase::Operate);
}

#[test]
fn a_node_that_started_again_keeps_what_it_runs_and_is_given_nothing_new_until_all_of_it_has_spoken() {
    let mut lab = Lab::new();
    lab.offer([capability("memory", Supply::Amount(100))]);
    let id = deployed(&mut lab, 1, taking("memory", 10, image("web")));
    lab.rest();
    let runs = lab.at(id, "web-0");
    mute(&mut lab);
    lab.list(&engine_name("process"));
    lab.exits(id, "web-0", 1);
    let other = deployed(&mut lab, 2, taking("memory", 10, image("web")));
    lab.pass(10_000);
    assert_eq!(lab.at(id, "web-0"), runs, "it is started again all the same");
    assert_eq!(lab.state(other), State::Initial);
    let waits = "waiting.node: fog-1 recovers: it has not heard what its plugin lab offers since its start";
    assert_eq!(lab.said(other), waits);
    lab.offer(lab.capabilities.clone());
    lab.rest();
    assert_eq!((phase(&lab), lab.state(other)), (Phase::Operate, State::Running));
}

#[test]
fn a_part_that_never_speaks_is_not_waited_for_for_ever() {
    let mut lab = Lab::new();
    mute(&mut lab);
    lab.list(&engine_name("process"));
    let id = deployed(&mut lab, 1, image("web"));
    lab.pass(39_000);
    assert_eq!((phase(&lab), lab.state(id)), (Phase::Recover, State::Initial));
    lab.pass(1_000);
    assert_eq!((phase(&lab), lab.state(id)), (Phase::Operate, State::Running));
}

#[test]
fn an_owner_gives_nothing_new_to_a_node_that_recovers_and_says_so() {
    let mut cluster = Cluster::of(2);
    let stick = [capability("zigbee", Supply::Exclusive)];
    cluster.lab(node(2)).offer(stick.clone());
    cluster.pass(LONG);
    mute(cluster.lab(node(2)));
    cluster.lab(node(2)).offer(stick);
    cluster.pass(LONG / 3);
    let id = deployed(cluster.lab(node(1)), 1, with("zigbee", image("web")));
    cluster.pass(10_000);
    assert_eq!(cluster.running(id), [0, 0]);
    let said = cluster.lab(node(1)).said(id);
    assert!(said.contains("fog-2 recovers: it has not heard its engine process since its start"), "{said}");
    cluster.lab(node(2)).list(&engine_name("process"));
    cluster.pass(6_000);
    assert_eq!(cluster.running(id), [0, 1]);
}

#[test]
fn a_node_whose_disk_is_full_says_so_and_is_given_something_again_when_it_can_write() {
    let mut cluster = Cluster::of(2);
    for n in [1, 2] {
        let stick = (n == 2).then(|| capability("zigbee", Supply::Exclusive));
        cluster.lab(node(n)).offer(stick);
    }
    cluster.pass(LONG);
    (cluster.lab(node(2)).disk.full, cluster.lab(node(2)).disk.reserve) = (true, true);
    assert_eq!(cluster.lab(node(2)).ask(deploy(service(9), [image("web")])), None);
    cluster.pass(10_000);
    for duty in [Duty::Cordon, Duty::Operate] {
        // written from the reserve, which says nothing of the disk
        assert_eq!(cluster.lab(node(2)).ask(Request::Duty(duty)), Some(Answer::Done));
    }
    cluster.pass(10_000);
    assert_eq!(cluster.lab(node(2)).core.condition(), Condition::CannotWrite);
    let id = deployed(cluster.lab(node(1)), 1, with("zigbee", image("web")));
    cluster.pass(10_000);
    assert!(cluster.lab(node(1)).record(id).slots.is_empty());
    let said = cluster.lab(node(1)).said(id);
    assert!(said.contains("fog-2 recovers: its state cannot be written; make room on its disk"), "{said}");
    cluster.lab(node(2)).disk.full = false;
    cluster.pass(10_000);
    assert_eq!(cluster.running(id), [0, 1]);
}

#[test]
fn a_node_that_starts_among_others_operates_when_it_has_heard_what_it_missed() {
    let mut cluster = Cluster::of(3);
    cluster.cut.insert(node(3));
    cluster.boot(node(2));
    cluster.pass(10_000);
    assert_eq!(cluster.lab(node(2)).core.condition(), Condition::CatchesUp);
    cluster.pass(15_000);
    assert_eq!(
        cluster.lab(node(2)).core.condition(),
        Condition::Sound,
        "it has waited long enough for fog-3"
    );
}

#[test]
fn a_restored_disk_is_one_to_recover_from() {
    let mut cluster = Cluster::of(2);
    let known = Incarnation { count: 7, nonce: 77 };
    let you = cluster.lab(node(2)).core.identity().incarnation;
    let letter = Letter {
        incarnation: cluster.lab(node(1)).core.identity().incarnation,
        number: 0,
        message: PeerMessage::Stale { you, known },
    };
    cluster.lab(node(2)).input(&Input::Peer { from: node(1), letter });
    cluster.pass(1_000);
    assert_eq!(cluster.lab(node(2)).core.condition(), Condition::Restored);
    cluster.pass(LONG / 2);
    assert_eq!(cluster.lab(node(2)).core.condition(), Condition::Sound);
}

#[test]
fn a_drained_node_is_decommissioned_and_a_cordoned_one_operates() {
    let mut lab = Lab::new();
    lab.ask(Request::Duty(Duty::Drain));
    lab.pass(1_000);
    let id = deployed(&mut lab, 1, image("web"));
    assert_eq!(
        (phase(&lab), lab.said(id).as_str()),
        (Phase::Decommission, "waiting.node: fog-1 is being drained")
    );
    lab.ask(Request::Duty(Duty::Cordon));
    lab.pass(1_000);
    assert_eq!((phase(&lab), lab.said(id).as_str()), (Phase::Operate, "waiting.node: fog-1 is cordoned"));
}

#[test]
fn a_node_that_says_what_this_one_does_not_know_is_given_nothing() {
    let mut cluster = Cluster::of(2);
    cluster.lab(node(2)).offer([capability("zigbee", Supply::Exclusive)]);
    cluster.pass(LONG);
    let beat = |condition| {
        let hears = [node(1), node(2)].into();
        PeerMessage::Beat(Beat {
            posted: 0,
            hears,
            duty: Duty::Operate,
            condition,
            forgotten: Forgotten::default(),
        })
    };
    let incarnation = cluster.lab(node(2)).core.identity().incarnation;
    let letter = Letter { incarnation, number: 0, message: beat(Condition::Unknown) };
    cluster.lab(node(1)).input(&Input::Peer { from: node(2), letter });
    let id = deployed(cluster.lab(node(1)), 1, with("zigbee", image("web")));
    assert!(cluster.lab(node(1)).record(id).slots.is_empty());
    let said = cluster.lab(node(1)).said(id);
    assert!(said.contains("fog-2 is in a condition that this node does not know"), "{said}");
}

#[test]
fn a_member_that_was_cordoned_gives_itself_nothing_from_that_moment_on() {
    let mut cluster = Cluster::of(2);
    cluster.lab(node(1)).ask(Request::Duty(Duty::Cordon));
    let id = deployed(cluster.lab(node(1)), 1, image("web"));
    cluster.pass(LONG);
    assert_eq!(cluster.running(id), [0, 1]);
}
