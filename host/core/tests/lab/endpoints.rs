//! Where the ports of a service are, and what those who use them are told.

use motey_core::endpoint::Known;
use motey_core::id::{NodeId, ServiceId};
use motey_core::peer::Duty;
use motey_core::project::State;
use motey_core::spec::{ImageSpec, Use};
use motey_core::step::Request;

use crate::blueprint::{deploy, engine_name, image, image_key, node, publishing, service, spec, times};
use crate::cluster::{Cluster, LONG, spread};
use crate::engine::exited;
use crate::node::Lab;

/// The nodes of each port, as a node knows them.
fn endpoints(lab: &Lab, id: ServiceId) -> (Known, Vec<(u16, Vec<NodeId>)>) {
    let (known, all) = lab.core.endpoints(id).expect("it knows the service");
    (known, all.into_iter().map(|it| (it.port.host, it.nodes)).collect())
}

fn using(number: u16, image: ImageSpec) -> ImageSpec {
    let port = number.to_string().parse().expect("a port name");
    ImageSpec { uses: vec![Use { image: image_key("broker"), port, number }], ..image }
}

#[test]
fn an_endpoint_is_where_its_instance_does_its_work() {
    let (mut lab, id, me) = (Lab::new(), service(1), node(1));
    let ports = publishing(81, publishing(80, image("web")));
    lab.ask(deploy(id, [ports, image("db")]));
    assert_eq!(endpoints(&lab, id), (Known::Told, vec![(80, vec![]), (81, vec![])]), "it does not run yet");
    lab.rest();
    assert_eq!(endpoints(&lab, id), (Known::Told, vec![(80, vec![me]), (81, vec![me])]));
    let web = lab.at(id, "web-0");
    lab.becomes(&web, exited(1));
    assert_eq!(endpoints(&lab, id).1, [(80, vec![]), (81, vec![])]);
    lab.rest();
    assert_eq!(endpoints(&lab, id).1[0], (80, vec![me]));
    lab.ask(Request::Stop(id));
    assert_eq!(endpoints(&lab, id).1[0], (80, vec![]), "what is to stop is looked for by nobody");
    lab.ask(Request::Delete(id));
    lab.rest();
    assert_eq!(endpoints(&lab, id).1, []);
    assert_eq!(lab.core.endpoints(service(2)), None);
}

#[test]
fn endpoints_follow_what_moves_and_are_not_where_nobody_speaks() {
    let (mut cluster, id) = (Cluster::of(3), service(1));
    assert_eq!(spread(&mut cluster, id, times(2, publishing(80, image("web")))), [1, 1, 0]);
    let [one, two, three] = [1, 2, 3].map(node);
    assert_eq!(endpoints(cluster.lab(one), id), (Known::Told, vec![(80, vec![one, two])]));
    for other in [two, three] {
        assert_eq!(endpoints(cluster.lab(other), id), (Known::Decided, vec![(80, vec![one, two])]));
    }
    cluster.lab(two).ask(Request::Duty(Duty::Drain));
    for _ in 0..200 {
        cluster.pass(LONG / 200);
        let (_, all) = endpoints(cluster.lab(one), id);
        assert_eq!(all[0].1.len(), 2, "it always answers somewhere: {all:?}");
    }
    assert_eq!(endpoints(cluster.lab(one), id).1, [(80, vec![one, three])]);
    cluster.lab(three).crash(false);
    cluster.pass(LONG);
    for known in [one, two] {
        assert_eq!(endpoints(cluster.lab(known), id).1, [(80, vec![one])]);
    }
}

#[test]
fn who_is_told_of_another_number_is_started_anew() {
    let (mut lab, id) = (Lab::new(), service(1));
    let broker = |number| publishing(number, image("broker"));
    lab.ask(deploy(id, [broker(1883), using(1883, image("web")), image("db")]));
    lab.rest();
    let before = ["web-0", "db-0"].map(|slot| lab.at(id, slot));
    let web = lab.record(id).revision.spec.image(&image_key("web")).expect("an image").environment();
    assert_eq!(Vec::from_iter(web), [("MOTEY_ENDPOINT_BROKER_1883".into(), "broker:1883".into())]);
    let next = spec([broker(21883), using(21883, image("web")), image("db")]);
    lab.ask(Request::Update { id, spec: next });
    lab.rest();
    assert_eq!(lab.state(id), State::Running);
    let after = ["web-0", "db-0"].map(|slot| lab.at(id, slot));
    assert!(before[0] != after[0] && before[1] == after[1]);
    lab.check_rest();
}

#[test]
fn whoever_is_told_something_needs_an_engine_that_can_tell() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.engine().features.remove("environment");
    lab.list(&engine_name("process"));
    lab.ask(deploy(id, [publishing(80, image("broker")), using(80, image("web"))]));
    lab.rest();
    assert_eq!(lab.said(id), "engine.unsupported: the engine process cannot honour environment");
}
