//! A process that dies: at every point of every scene, with the calls under way done or not.

use motey_core::capability::Supply;
use motey_core::id::ServiceId;
use motey_core::project::State;
use motey_core::record::Desired;
use motey_core::step::{EventKind, Request};

use crate::blueprint::{capability, deploy, image, image_key, service, taking, times};
use crate::engine::{Verb, exited};
use crate::node::Lab;

const ID: ServiceId = ServiceId(uuid::Uuid::from_u128(1));

fn scene(lab: &mut Lab) {
    lab.offer([capability("memory", Supply::Amount(100))]);
    let requests = [
        deploy(ID, [times(2, taking("memory", 40, image("web"))), image("db")]),
        Request::Scale { id: ID, image: image_key("web"), count: 1 },
        Request::Restart(ID),
        Request::Stop(ID),
        Request::Start(ID),
        Request::Delete(ID),
    ];
    for request in requests {
        lab.ask(request);
        lab.settle();
    }
}

/// Every prefix of the scene: each commit with nothing after it, each effect handed out and not done, each call done
/// and not heard of.
#[test]
fn whatever_was_committed_comes_true() {
    let mut whole = Lab::new();
    scene(&mut whole);
    assert!(whole.points > 50, "the scene is too short to show anything: {}", whole.points);
    for fuse in 0..=whole.points {
        for done in [true, false] {
            let mut lab = Lab::new();
            lab.fuse = Some(fuse);
            scene(&mut lab);
            lab.crash(done);
            lab.boot();
            let offered = lab.capabilities.clone();
            lab.offer(offered);
            lab.list(&crate::blueprint::engine_name("process"));
            lab.rest();
            lab.check_rest();
            comes_true(&lab, fuse);
        }
    }
}

fn comes_true(lab: &Lab, fuse: usize) {
    let Some(record) = lab.core.record(ID) else {
        assert_eq!(lab.instances().count(), 0, "something runs that nobody deployed");
        return;
    };
    match record.desired {
        Desired::Running => {
            let wanted = record.wanted_slots().count();
            assert_eq!((lab.live(ID).len(), lab.state(ID)), (wanted, State::Running), "after point {fuse}");
        }
        Desired::Stopped | Desired::Absent => {
            assert_eq!((lab.instances().count(), lab.disk.leases.len()), (0, 0), "after point {fuse}");
        }
    }
}

#[test]
fn what_runs_is_adopted_not_restarted_not_doubled() {
    let mut lab = Lab::new();
    lab.ask(deploy(ID, [times(3, image("web"))]));
    lab.rest();
    let (live, calls) = (lab.live(ID), lab.engine().calls.len());
    let started = lab.disk.count(EventKind::Started);
    lab.restart();
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.live(ID), lab.engine().calls.len(), lab.state(ID)), (live, calls, State::Running));
    assert_eq!(lab.disk.count(EventKind::Started), started);
}

#[test]
fn what_died_meanwhile_is_started_again() {
    let mut lab = Lab::new();
    lab.ask(deploy(ID, [times(3, image("web"))]));
    lab.rest();
    let keys = lab.live(ID);
    lab.crash(false);
    lab.silently(&keys[0], exited(0));
    lab.silently(&keys[1], motey_core::instance::Seen::Gone);
    lab.restart();
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.live(ID), lab.state(ID)), (keys, State::Running));
    assert_eq!((lab.engine().asked(Verb::Create), lab.engine().asked(Verb::Start)), (4, 5));
}

#[test]
fn before_its_engine_is_there_it_waits_and_says_so() {
    let mut lab = Lab::new();
    lab.ask(deploy(ID, [image("web")]));
    lab.rest();
    lab.crash(false);
    lab.boot();
    lab.rest();
    assert_eq!(lab.said(ID), "engine.down: the engine process is not here yet");
    assert_eq!(lab.state(ID), State::Instantiating);
    let second = service(2);
    lab.ask(deploy(second, [image("web")]));
    assert_eq!(lab.said(second), "waiting.engine: no engine is here; install a VAL plugin such as process");
    lab.list(&crate::blueprint::engine_name("process"));
    lab.rest();
    lab.check_rest();
    assert_eq!([ID, second].map(|id| lab.state(id)), [State::Running; 2]);
}
