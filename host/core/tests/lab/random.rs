//! Any order of requests, mishaps, deaths and delays: what must always hold is checked after every step by the lab,
//! what must hold in the end when all mishaps are over.

use motey_core::capability::Supply;
use motey_core::id::ServiceId;
use motey_core::instance::{Exit, Instance, Seen};
use motey_core::record::InstanceKey;
use motey_core::spec::{ImageSpec, Restart};
use motey_core::step::{EngineErrorKind, Input, Request};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::blueprint::{
    capability, deploy, engine_name, image, image_key, restarts, service, taking, times, with,
};
use crate::engine::{Mishap, Verb, exited, is_live};
use crate::node::Lab;

#[derive(Clone, Debug)]
enum Event {
    Deploy(u128, usize),
    Start(u128),
    Stop(u128),
    Restart(u128),
    Scale(u128, u16),
    Delete(u128),
    Call(Index),
    Calls,
    LoseCall(bool),
    Mishap(Verb, Mishap),
    Exits(Index, i32),
    Killed(Index),
    Shows(Index, Seen),
    Vanishes(Index),
    Silently(Index, Seen),
    Again(Index),
    Pass(u64),
    Tick,
    Down,
    Up,
    TakeList,
    LateList,
    Dies { done: bool },
    Full { full: bool, reserve: bool },
    Dongle(bool),
}

fn events() -> impl Strategy<Value = Event> {
    let id = || 1..5_u128;
    let index = any::<Index>;
    let verb = select(vec![Verb::Create, Verb::Start, Verb::Stop, Verb::Destroy, Verb::Inspect]);
    prop_oneof![
        6 => (id(), 0..5_usize).prop_map(|(id, kind)| Event::Deploy(id, kind)),
        2 => id().prop_map(Event::Start),
        2 => id().prop_map(Event::Stop),
        2 => id().prop_map(Event::Restart),
        3 => (id(), 0..4_u16).prop_map(|(id, count)| Event::Scale(id, count)),
        1 => id().prop_map(Event::Delete),
        12 => index().prop_map(Event::Call),
        6 => Just(Event::Calls),
        3 => any::<bool>().prop_map(Event::LoseCall),
        4 => (verb, mishaps()).prop_map(|(verb, mishap)| Event::Mishap(verb, mishap)),
        4 => (index(), 0..2_i32).prop_map(|(at, code)| Event::Exits(at, code)),
        1 => index().prop_map(Event::Killed),
        2 => (index(), select(vec![Seen::Starting, Seen::Running, Seen::Stopping, Seen::Paused]))
            .prop_map(|(at, seen)| Event::Shows(at, seen)),
        1 => index().prop_map(Event::Vanishes),
        1 => (index(), select(vec![exited(1), Seen::Gone])).prop_map(|(at, seen)| Event::Silently(at, seen)),
        2 => index().prop_map(Event::Again),
        4 => (1..40_000_u64).prop_map(Event::Pass),
        1 => Just(Event::Tick),
        1 => Just(Event::Down),
        2 => Just(Event::Up),
        1 => Just(Event::TakeList),
        1 => Just(Event::LateList),
        3 => any::<bool>().prop_map(|done| Event::Dies { done }),
        2 => any::<(bool, bool)>().prop_map(|(full, reserve)| Event::Full { full, reserve }),
        1 => any::<bool>().prop_map(Event::Dongle),
    ]
}

fn mishaps() -> impl Strategy<Value = Mishap> {
    use EngineErrorKind as Kind;
    let kinds = vec![
        Kind::Unsupported,
        Kind::NotFound,
        Kind::Conflict,
        Kind::Invalid,
        Kind::Unavailable,
        Kind::Busy,
        Kind::Failed,
        Kind::TimedOut,
    ];
    prop_oneof![
        select(kinds).prop_map(Mishap::Fails),
        Just(Mishap::DoneAndTimedOut),
        (0..2_i32).prop_map(Mishap::DoneAndExits),
        Just(Mishap::Lies),
    ]
}

fn images(kind: usize) -> Vec<ImageSpec> {
    match kind {
        0 => vec![image("web")],
        1 => vec![times(3, taking("memory", 30, image("web")))],
        2 => vec![with("dongle", image("web")), restarts(Restart::Never, image("job"))],
        3 => vec![times(2, restarts(Restart::OnFailure, image("web"))), taking("memory", 50, image("db"))],
        _ => vec![restarts(Restart::Never, taking("memory", 40, with("dongle", image("web"))))],
    }
}

#[derive(Default)]
struct World {
    list: Vec<Instance>,
}

impl World {
    fn happen(&mut self, lab: &mut Lab, event: &Event) {
        match event {
            Event::Deploy(id, kind) => drop(lab.ask(deploy(service(*id), images(*kind)))),
            Event::Start(id) => drop(lab.ask(Request::Start(service(*id)))),
            Event::Stop(id) => drop(lab.ask(Request::Stop(service(*id)))),
            Event::Restart(id) => drop(lab.ask(Request::Restart(service(*id)))),
            Event::Scale(id, count) => {
                let image = image_key("web");
                drop(lab.ask(Request::Scale { id: service(*id), image, count: *count }));
            }
            Event::Delete(id) => drop(lab.ask(Request::Delete(service(*id)))),
            Event::Call(at) => {
                if !lab.calls.is_empty() {
                    let at = at.index(lab.calls.len());
                    lab.calls.rotate_left(at);
                    lab.one_call();
                }
            }
            Event::Calls => lab.settle(),
            Event::LoseCall(done) => lab.lose_call(*done),
            // the one thing that must be true: that there is none
            Event::Mishap(Verb::Inspect, Mishap::Fails(EngineErrorKind::NotFound)) => {}
            Event::Mishap(verb, mishap) => lab.engine().fails(*verb, *mishap),
            Event::Exits(at, code) => self.becomes(lab, at, exited(*code)),
            Event::Killed(at) => {
                self.becomes(lab, at, Seen::Exited(Exit { signal: Some(9), ..Exit::default() }));
            }
            Event::Shows(at, seen) => self.becomes(lab, at, *seen),
            Event::Vanishes(at) => self.becomes(lab, at, Seen::Gone),
            Event::Silently(at, seen) => {
                if !lab.engine().up
                    && let Some(key) = live(lab, at)
                {
                    lab.silently(&key, *seen);
                }
            }
            Event::Again(at) => {
                let all: Vec<Instance> = lab.instances().cloned().collect();
                if lab.engine().up && !all.is_empty() {
                    lab.input(&Input::Instance(all[at.index(all.len())].clone()));
                }
            }
            Event::Pass(span) => lab.pass(*span),
            Event::Tick => lab.tick(),
            Event::Down => lab.engine_down(),
            Event::Up => lab.list(&engine_name("process")),
            Event::TakeList => self.list = lab.engine().list(),
            Event::LateList => {
                if lab.engine().up {
                    let known = |instance: &Instance| lab.disk.records.contains_key(&instance.key.service);
                    let list = std::mem::take(&mut self.list).into_iter().filter(known).collect();
                    lab.list_as(&engine_name("process"), list);
                }
            }
            Event::Dies { done } => {
                lab.crash(*done);
                lab.boot();
                let offered = lab.capabilities.clone();
                lab.offer(offered);
                if lab.engine().up {
                    lab.list(&engine_name("process"));
                }
            }
            Event::Full { full, reserve } => (lab.disk.full, lab.disk.reserve) = (*full, *reserve),
            Event::Dongle(there) => offer(lab, *there),
        }
    }

    /// An engine that is down tells nothing; what happens meanwhile its next list shows.
    fn becomes(&self, lab: &mut Lab, at: &Index, seen: Seen) {
        let Some(key) = live(lab, at) else { return };
        if lab.engine().up { lab.becomes(&key, seen) } else { drop(lab.silently(&key, seen)) }
    }
}

fn live(lab: &Lab, at: &Index) -> Option<InstanceKey> {
    let live: Vec<InstanceKey> =
        lab.instances().filter(|instance| is_live(instance.seen)).map(|i| i.key.clone()).collect();
    (!live.is_empty()).then(|| live[at.index(live.len())].clone())
}

fn offer(lab: &mut Lab, dongle: bool) {
    let memory = capability("memory", Supply::Amount(100));
    lab.offer([memory].into_iter().chain(dongle.then(|| capability("dongle", Supply::Exclusive))));
}

/// All mishaps are over: the disk has room, the engine answers and tells what it has.
fn calm(lab: &mut Lab) {
    lab.disk.full = false;
    lab.engine().mishaps.clear();
    lab.settle();
    lab.engine_down();
    for instance in lab.engine().instances.values_mut() {
        if matches!(instance.seen, Seen::Starting | Seen::Stopping) {
            instance.seen = Seen::Running;
        }
    }
    lab.list(&engine_name("process"));
    lab.rest();
}

fn delete_all(lab: &mut Lab) {
    let ids: Vec<ServiceId> = lab.disk.records.keys().copied().collect();
    ids.into_iter().for_each(|id| drop(lab.ask(Request::Delete(id))));
    lab.rest();
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_it_comes_to_rest_as_it_should(
        events in proptest::collection::vec(events(), 1..120)
    ) {
        let mut lab = Lab::new();
        let mut world = World::default();
        offer(&mut lab, true);
        for event in &events {
            world.happen(&mut lab, event);
        }
        calm(&mut lab);
        lab.check_rest();
        delete_all(&mut lab);
        lab.check_rest();
        prop_assert_eq!(lab.instances().count(), 0);
        prop_assert!(lab.disk.leases.is_empty());
    }
}
