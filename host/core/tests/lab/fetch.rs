//! Images are there before anything is made of them, and before anything is stopped for them.

use motey_core::capability::Supply;
use motey_core::id::ServiceId;
use motey_core::instance::Seen;
use motey_core::peer::Duty;
use motey_core::project::State;
use motey_core::record::InstanceKey;
use motey_core::spec::ImageSpec;
use motey_core::step::{Call, EngineErrorKind, EngineOp, EventKind, FETCHES, Request};

use crate::blueprint::{capability, deploy, engine_name, image, node, service, spec, with};
use crate::cluster::{Cluster, LONG};
use crate::engine::{Mishap, Verb, exited};
use crate::node::Lab;

const UNREACHABLE: Mishap = Mishap::Fails(EngineErrorKind::Unreachable);

/// More than a fetch is tried before what there was comes back.
const ATTEMPTS: u32 = 11;

/// From now on the engine `process` fetches images.
fn fetching(lab: &mut Lab) {
    lab.engine().features.insert(FETCHES.into());
    lab.list(&engine_name("process"));
}

fn other(path: &str) -> ImageSpec {
    ImageSpec { image: path.into(), ..image("web") }
}

fn update(lab: &mut Lab, id: ServiceId, path: &str) {
    lab.ask(Request::Update { id, spec: spec([other(path)]) });
}

/// A node whose engine fetches images, and a service that runs there; what was asked for that is forgotten.
fn running() -> (Lab, ServiceId, InstanceKey) {
    let (mut lab, id) = (Lab::new(), service(1));
    fetching(&mut lab);
    lab.ask(deploy(id, [image("web")]));
    lab.rest();
    let key = lab.at(id, "web-0");
    lab.engine().calls.clear();
    (lab, id, key)
}

fn asked(lab: &mut Lab) -> Vec<Verb> {
    lab.engine().calls.iter().map(|(verb, _)| *verb).collect()
}

fn is_fetch(call: &Call, path: &str) -> bool {
    matches!(&call.op, EngineOp::Fetch { image } if image == path)
}

#[test]
fn a_fetch_is_the_first_step_of_a_start_where_images_are_fetched() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [image("db")]));
    lab.settle();
    assert_eq!(asked(&mut lab), [Verb::Create, Verb::Start]);
    fetching(&mut lab);
    lab.engine().calls.clear();
    lab.ask(deploy(service(2), [image("web")]));
    assert!(is_fetch(&lab.calls[0], "/bin/web"));
    assert_eq!(lab.said(service(2)), "pull.waiting: its image /bin/web is being fetched");
    lab.settle();
    assert_eq!(asked(&mut lab), [Verb::Fetch, Verb::Create, Verb::Start]);
    lab.rest();
    lab.exits(service(2), "web-0", 1);
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.engine().asked(Verb::Fetch), lab.said(service(2))), (1, String::new()));
}

#[test]
fn the_old_one_runs_until_the_image_of_the_new_one_is_there() {
    let (mut lab, id, old) = running();
    update(&mut lab, id, "/bin/newer");
    assert!(lab.calls.len() == 1 && is_fetch(&lab.calls[0], "/bin/newer"));
    lab.tick();
    assert_eq!((lab.live(id), lab.state(id)), (vec![old.clone()], State::Instantiating));
    assert_eq!(lab.said(id), "pull.waiting: its image /bin/newer is being fetched");
    lab.rest();
    lab.check_rest();
    let all = [Verb::Fetch, Verb::Stop, Verb::Destroy, Verb::Create, Verb::Start];
    assert_eq!(asked(&mut lab), all);
    assert!(lab.state(id) == State::Running && lab.at(id, "web-0") != old);
}

#[test]
fn what_an_instance_alone_can_have_goes_to_the_next_one_when_its_image_is_there() {
    let (mut lab, id) = (Lab::new(), service(1));
    fetching(&mut lab);
    lab.offer([capability("dongle", Supply::Exclusive)]);
    lab.ask(deploy(id, [with("dongle", image("web"))]));
    lab.rest();
    let old = lab.at(id, "web-0");
    lab.ask(Request::Update { id, spec: spec([with("dongle", other("/bin/newer"))]) });
    assert_eq!((lab.live(id), lab.disk.leases[0].holder.clone()), (vec![old.clone()], old));
    lab.rest();
    lab.check_rest();
    assert_eq!(lab.state(id), State::Running);
}

#[test]
fn an_update_whose_image_is_not_to_be_had_is_taken_back_and_nothing_was_stopped() {
    let (mut lab, id, old) = running();
    (0..ATTEMPTS).for_each(|_| lab.engine().fails(Verb::Fetch, UNREACHABLE));
    update(&mut lab, id, "/bin/newer");
    lab.one_call();
    assert_eq!(
        lab.said(id),
        "pull.network: fetch failed: Unreachable; attempt 1 of 10 follows",
        "and the old one runs on"
    );
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.live(id), lab.state(id)), (vec![old], State::Running));
    assert_eq!(asked(&mut lab), [Verb::Fetch; ATTEMPTS as usize]);
    assert_eq!((lab.disk.count(EventKind::Reverted), lab.record(id).revision.order.number), (1, 3));
    // what is wanted again is what there was
    update(&mut lab, id, "/bin/newest");
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.state(id), lab.record(id).revision.order.number), (State::Running, 4));
}

#[test]
fn what_will_never_be_fetched_is_not_tried_again() {
    for kind in [EngineErrorKind::Invalid, EngineErrorKind::Unsupported] {
        let (mut lab, id, old) = running();
        lab.engine().fails(Verb::Fetch, Mishap::Fails(kind));
        update(&mut lab, id, "/bin/newer:?");
        lab.rest();
        assert_eq!((asked(&mut lab), lab.live(id)), (vec![Verb::Fetch], vec![old]));
    }
}

#[test]
fn why_an_image_is_not_there_is_told_apart() {
    use EngineErrorKind as Kind;
    let told = [
        (Kind::NotFound, "image.notfound"),
        (Kind::Denied, "pull.auth"),
        (Kind::Unreachable, "pull.network"),
        (Kind::Failed, "pull.failed"),
        (Kind::TimedOut, "pull.failed"),
        (Kind::Busy, "engine.failed"),
    ];
    for (kind, code) in told {
        let (mut lab, id, old) = running();
        lab.engine().fails(Verb::Fetch, Mishap::Fails(kind));
        update(&mut lab, id, "/bin/newer");
        lab.one_call();
        assert_eq!(lab.reason(id).expect("a reason").code.as_str(), code);
        assert_eq!(lab.live(id), [old]);
        lab.rest();
        let slot = &lab.status(id).images[0].slots[0];
        assert_eq!((slot.state, slot.restarts), (State::Running, 0));
    }
}

#[test]
fn a_first_start_waits_for_its_image_without_end() {
    let (mut lab, id) = (Lab::new(), service(1));
    fetching(&mut lab);
    (0..3 * ATTEMPTS).for_each(|_| lab.engine().fails(Verb::Fetch, UNREACHABLE));
    lab.ask(deploy(id, [image("web")]));
    lab.pass(20 * LONG);
    let text = "pull.network: fetch failed: Unreachable; it is tried again";
    assert_eq!((lab.state(id), lab.said(id)), (State::Instantiating, text.to_owned()));
    let told = lab.disk.count(EventKind::CallFailed);
    lab.rest();
    lab.check_rest();
    assert_eq!(lab.state(id), State::Running);
    assert_eq!(
        (told, lab.disk.count(EventKind::CallFailed)),
        (10, 10),
        "what goes on and on is told so often"
    );
}

#[test]
fn an_order_to_stop_or_delete_waits_for_no_fetch() {
    for request in [Request::Stop(service(1)), Request::Delete(service(1))] {
        let (mut lab, id, _) = running();
        update(&mut lab, id, "/bin/newer");
        let fetch = lab.calls.pop_front().expect("a fetch");
        lab.ask(request);
        lab.rest();
        lab.check_rest();
        lab.calls.push_back(fetch);
        lab.rest();
        lab.check_rest();
    }
}

#[test]
fn another_update_fetches_its_own_image_at_once() {
    let (mut lab, id, old) = running();
    update(&mut lab, id, "/bin/newer");
    let late = lab.calls.pop_front().expect("a fetch");
    update(&mut lab, id, "/bin/newest");
    assert!(lab.calls.len() == 1 && is_fetch(&lab.calls[0], "/bin/newest"));
    lab.calls.push_front(late);
    lab.one_call();
    assert_eq!((lab.live(id), lab.calls.len()), (vec![old], 1), "the first one is nobody's any more");
    lab.rest();
    lab.check_rest();
    assert_eq!(&*lab.record(id).revision.spec.images[0].image, "/bin/newest");
}

#[test]
fn after_a_restart_of_the_node_the_image_is_asked_for_again() {
    let (mut lab, id, old) = running();
    update(&mut lab, id, "/bin/newer");
    lab.restart();
    assert_eq!(lab.live(id), [old]);
    assert!(lab.calls.len() == 1 && is_fetch(&lab.calls[0], "/bin/newer"));
    lab.rest();
    lab.check_rest();
    assert_eq!(lab.state(id), State::Running);
}

#[test]
fn an_engine_that_is_away_is_waited_for() {
    let (mut lab, id, old) = running();
    update(&mut lab, id, "/bin/newer");
    lab.engine_down();
    lab.lose_call(false);
    lab.pass(10 * LONG);
    assert_eq!((lab.live(id), lab.reason(id).expect("a reason").code.as_str()), (vec![old], "engine.down"));
    lab.list(&engine_name("process"));
    lab.rest();
    lab.check_rest();
    assert_eq!(lab.state(id), State::Running);
}

/// Nobody knows whether images are fetched by an engine that has not come yet.
#[test]
fn nothing_is_stopped_for_an_engine_that_has_not_come() {
    let (mut lab, id, old) = running();
    lab.add_engine("crane");
    lab.engines.get_mut(&engine_name("crane")).expect("it").features.insert(FETCHES.into());
    lab.list(&engine_name("crane"));
    let next = ImageSpec { engines: vec![engine_name("crane")], ..other("/bin/newer") };
    lab.ask(Request::Update { id, spec: spec([next]) });
    lab.crash(false);
    lab.boot();
    lab.list(&engine_name("process"));
    assert_eq!((lab.calls.len(), lab.live(id)), (0, vec![old]));
    lab.list(&engine_name("crane"));
    lab.rest();
    lab.check_rest();
    assert_eq!(lab.engines[&engine_name("crane")].list().len(), 1);
}

#[test]
fn what_ends_by_itself_meanwhile_is_not_missed() {
    let (mut lab, id, old) = running();
    update(&mut lab, id, "/bin/newer");
    let fetch = lab.calls.pop_front().expect("a fetch");
    lab.becomes(&old, exited(1));
    lab.settle();
    lab.calls.push_back(fetch);
    lab.rest();
    lab.check_rest();
    assert_eq!(lab.state(id), State::Running);
}

#[test]
fn an_engine_that_only_says_that_it_has_an_image_is_asked_again_and_not_for_ever() {
    let (mut lab, id) = (Lab::new(), service(1));
    fetching(&mut lab);
    lab.engine().fails(Verb::Fetch, Mishap::Lies);
    lab.ask(deploy(id, [image("web")]));
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.engine().asked(Verb::Fetch), lab.state(id)), (2, State::Running));
    (0..2 * ATTEMPTS).for_each(|_| lab.engine().fails(Verb::Fetch, Mishap::Lies));
    lab.ask(deploy(service(2), [image("db")]));
    lab.rest();
    assert_eq!(lab.state(service(2)), State::Error);
    assert_eq!(lab.reason(service(2)).expect("a reason").code.as_str(), "image.notfound");
}

#[test]
fn new_instances_whose_image_is_not_to_be_had_leave_the_old_ones() {
    let (mut lab, id, old) = running();
    (0..ATTEMPTS).for_each(|_| lab.engine().fails(Verb::Fetch, UNREACHABLE));
    lab.ask(Request::Restart(id));
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.live(id), lab.state(id)), (vec![old], State::Running));
    assert_eq!((lab.engine().asked(Verb::Stop), lab.disk.count(EventKind::GaveUp)), (0, 1));
}

#[test]
fn an_image_that_an_update_leaves_alone_is_none_of_its_affair() {
    let (mut lab, id) = (Lab::new(), service(1));
    fetching(&mut lab);
    lab.ask(deploy(id, [image("db"), image("web")]));
    lab.rest();
    let (db, web) = (lab.at(id, "db-0"), lab.at(id, "web-0"));
    (0..ATTEMPTS).for_each(|_| lab.engine().fails(Verb::Fetch, UNREACHABLE));
    lab.ask(Request::Update { id, spec: spec([image("db"), other("/bin/newer")]) });
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.at(id, "db-0"), lab.at(id, "web-0")), (db, web));
}

#[test]
fn what_somebody_froze_is_replaced_like_any_other() {
    let (mut lab, id, old) = running();
    lab.becomes(&old, Seen::Paused);
    update(&mut lab, id, "/bin/newer");
    assert_eq!(lab.live(id), [old]);
    lab.rest();
    lab.check_rest();
    assert_eq!(lab.state(id), State::Running);
}

#[test]
fn a_slot_whose_image_another_node_cannot_fetch_stays_where_it_runs() {
    let (mut cluster, id) = (Cluster::of(2), service(1));
    (1..=2).for_each(|n| fetching(cluster.lab(node(n))));
    cluster.lab(node(1)).ask(deploy(id, [image("web")]));
    cluster.pass(LONG);
    let old = cluster.lab(node(1)).live(id);
    (0..ATTEMPTS).for_each(|_| cluster.lab(node(2)).engine().fails(Verb::Fetch, UNREACHABLE));
    cluster.lab(node(1)).ask(Request::Duty(Duty::Drain));
    cluster.pass(4 * LONG);
    assert_eq!((cluster.lab(node(1)).live(id), cluster.running(id)), (old, vec![1, 0]));
    cluster.pass(10 * LONG);
    assert_eq!(cluster.running(id), [0, 1]);
}
