//! Ports: who has which number of a node, who waits for it, and that it binds nobody to that node.

use motey_core::peer::Duty;
use motey_core::project::State;
use motey_core::spec::{ImageSpec, Port, Protocol};
use motey_core::step::Request;

use crate::blueprint::{deploy, engine_name, image, image_key, node, publishing, service, spec, times};
use crate::cluster::{Cluster, LONG, spread};
use crate::node::Lab;

/// Its port has another number on the node, or is another protocol's.
fn as_port(change: impl Fn(&mut Port), mut image: ImageSpec) -> ImageSpec {
    let mut ports: Vec<Port> = image.params.ports.iter().cloned().collect();
    ports.iter_mut().for_each(change);
    image.params.ports = ports.into();
    image
}

fn newer(image: ImageSpec) -> ImageSpec {
    ImageSpec { image: "/bin/newer".into(), ..image }
}

#[test]
fn a_port_of_a_node_has_one_holder() {
    let (mut lab, first, second) = (Lab::new(), service(1), service(2));
    lab.ask(deploy(first, [publishing(8080, image("web"))]));
    lab.ask(deploy(second, [publishing(8080, image("web"))]));
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.state(first), lab.state(second)), (State::Running, State::Initial));
    assert_eq!(lab.said(second), "waiting.port: fog-1: 8080/tcp is held by lab/web");
    let udp = as_port(|port| port.protocol = Protocol::Udp, publishing(8080, image("web")));
    lab.ask(deploy(service(3), [udp, publishing(8081, image("api"))]));
    lab.rest();
    assert_eq!(lab.state(service(3)), State::Running);
    for request in [Request::Restart(first), Request::Update { id: first, spec: renewed() }] {
        lab.ask(request);
        lab.rest();
        lab.check_rest();
        assert_eq!((lab.state(first), lab.state(second)), (State::Running, State::Initial));
    }
    lab.crash(false);
    lab.boot();
    lab.list(&engine_name("process"));
    lab.rest();
    assert_eq!((lab.live(first).len(), lab.live(second).len()), (1, 0), "what is leased is stored");
    lab.ask(Request::Delete(first));
    assert_eq!(lab.state(second), State::Initial, "not before its holder is seen gone");
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.state(first), lab.state(second)), (State::Terminated, State::Running));
}

fn renewed() -> std::sync::Arc<motey_core::spec::Spec> {
    spec([newer(publishing(8080, image("web")))])
}

#[test]
fn what_changes_its_port_waits_for_the_new_one() {
    let (mut lab, first, second) = (Lab::new(), service(1), service(2));
    lab.ask(deploy(first, [publishing(8080, image("web"))]));
    lab.ask(deploy(second, [publishing(8081, image("web")), publishing(8082, image("api"))]));
    lab.rest();
    let swapped = spec([publishing(8082, image("web")), publishing(8081, image("api"))]);
    lab.ask(Request::Update { id: second, spec: swapped });
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.state(second), lab.live(second).len()), (State::Running, 2));
    let taken = spec([publishing(8080, image("web")), publishing(8081, image("api"))]);
    lab.ask(Request::Update { id: second, spec: taken });
    lab.rest();
    lab.check_rest();
    assert_eq!(lab.said(second), "waiting.port: fog-1: 8080/tcp is held by lab/web");
    lab.ask(Request::Delete(first));
    lab.rest();
    lab.check_rest();
    assert_eq!(lab.state(second), State::Running);
}

#[test]
fn replicas_go_to_nodes_that_have_their_port_to_spare() {
    let (mut cluster, id) = (Cluster::of(3), service(1));
    cluster.lab(node(2)).ask(deploy(service(2), [publishing(80, image("other"))]));
    cluster.pass(LONG);
    assert_eq!(spread(&mut cluster, id, times(4, publishing(80, image("web")))), [1, 0, 1]);
    let waits = "fog-1: 80/tcp is held by lab/web; fog-2: 80/tcp is held by lab/other; \
                 fog-3: 80/tcp is held by lab/web";
    assert_eq!(cluster.lab(node(1)).said(id), format!("waiting.port: degraded 2/4: {waits}"));
    cluster.lab(node(2)).ask(Request::Delete(service(2)));
    cluster.pass(LONG);
    assert_eq!(cluster.running(id), [1, 1, 1]);
    cluster.lab(node(1)).ask(Request::Scale { id, image: image_key("web"), count: 3 });
    cluster.pass(LONG);
    assert_eq!((cluster.running(id), cluster.lab(node(1)).state(id)), (vec![1, 1, 1], State::Running));
}

#[test]
fn a_port_binds_nobody_to_its_node() {
    let (mut cluster, id) = (Cluster::of(3), service(1));
    assert_eq!(spread(&mut cluster, id, publishing(80, image("web"))), [1, 0, 0]);
    cluster.lab(node(1)).ask(Request::Duty(Duty::Drain));
    for _ in 0..20 {
        cluster.pass(LONG / 20);
        assert!(cluster.running(id).iter().sum::<usize>() > 0, "its successor comes first");
    }
    let at = cluster.running(id).iter().position(|count| *count == 1).expect("it runs");
    assert_ne!(at, 0);
    cluster.labs[at].crash(false);
    cluster.lab(node(1)).ask(Request::Duty(Duty::Operate));
    cluster.pass(2 * LONG);
    let elsewhere = cluster.labs.iter().filter(|lab| !lab.dead).map(|lab| lab.live(id).len());
    assert_eq!(elsewhere.sum::<usize>(), 1, "nobody waits for a silent node's port");
}

#[test]
fn what_must_be_together_and_has_one_port_says_so() {
    let (mut lab, id) = (Lab::new(), service(1));
    let mut web = publishing(80, image("web"));
    web.neighbours.near = [image_key("api")].into();
    lab.ask(deploy(id, [web, publishing(80, image("api"))]));
    lab.rest();
    assert_eq!(lab.said(id), "waiting.port: fog-1: 80/tcp is taken by another instance");
}

#[test]
fn another_number_than_the_instance_s_own_is_the_engine_s_to_give() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.engine().features.remove("ports.map");
    lab.list(&engine_name("process"));
    let mapped = as_port(|port| port.container = 80, publishing(8080, image("web")));
    lab.ask(deploy(id, [mapped]));
    assert_eq!(lab.said(id), "engine.unsupported: the engine process cannot honour ports.map");
    lab.ask(deploy(service(2), [publishing(8080, image("web"))]));
    lab.rest();
    assert_eq!(lab.state(service(2)), State::Running);
}
