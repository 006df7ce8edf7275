//! The situations of docs/reliability.md, as the protocol page tells them: played by the real cores on a stage where
//! nothing else goes wrong. What chance adds is the part of `seeds.rs`.

mod hall;

use motey_core::peer::Duty;
use motey_sim::blueprint::{node_id, service_id};
use motey_sim::broker::APART;
use motey_sim::plan::{Happening, Wish};

use hall::{DEAD_AFTER, GLANCE, Hall, LONG, Lives};

/// Each story is told with so many different orders of ids and delays.
const SEEDS: u64 = 8;

/// One plain slot that needs nothing.
const PLAIN: u8 = 0;
/// One plain slot that takes memory.
const HEAVY: u8 = 6;
/// Three plain slots that take memory.
const HEAVIES: u8 = 1;
/// One slot that takes the dongle.
const PINNED: u8 = 5;
/// A slot that takes the dongle, and a plain one.
const BOTH: u8 = 2;
/// Six plain slots of two images.
const MANY: u8 = 7;

fn for_all_seeds(story: impl Fn(u64)) {
    (0..SEEDS).for_each(story);
}

#[test]
fn one_an_owner_dies_and_the_line_takes_over() {
    for_all_seeds(|seed| {
        let mut hall = Hall::of(seed, 3, None);
        hall.deploy(0, 0, HEAVY, 1);
        let before = hall.lives(0);
        hall.dies(0);
        let took = hall.until(2 * DEAD_AFTER, "it has another owner", |hall| {
            [1, 2].into_iter().all(|by| hall.owner_by(by, 0) != Some(0))
        });
        assert!(took >= DEAD_AFTER - DEAD_AFTER / 4, "not before it is silent: {took}");
        hall.pass(LONG);
        assert_ne!(hall.owner(0), 0);
        assert_eq!(hall.lives(0), before, "nothing that runs is touched");
    });
}

#[test]
fn two_an_executor_dies_and_comes_back() {
    for_all_seeds(|seed| {
        let mut hall = Hall::of(seed, 3, None);
        hall.deploy(0, 0, HEAVY, 1);
        hall.dies(1);
        hall.until(2 * DEAD_AFTER, "it runs elsewhere", |hall| hall.runs(0) == 1);
        hall.pass(LONG);
        let after = hall.lives(0);
        assert_eq!((after.len(), hall.owner(0)), (1, 0));
        hall.world.power_on(1, 0);
        hall.pass(LONG);
        assert_eq!(hall.lives(0), after, "the new attempt stays, the old one goes");
    });
}

#[test]
fn three_a_pinned_slot_waits_until_its_node_is_forgotten() {
    for_all_seeds(|seed| {
        let mut hall = Hall::of(seed, 3, None);
        hall.deploy(0, 0, PINNED, 1);
        assert!(!hall.forget(2, 1), "it is heard");
        hall.dies(1);
        hall.all_along(10 * DEAD_AFTER, "it runs nowhere", |hall| hall.runs(0) == 0);
        assert_eq!(hall.missed(0), [1].into(), "the status names the node");
        assert!(hall.says_it_waits_for(1, 0), "{:?}", hall.status(hall.owner(0), 0));
        assert!(hall.forget(2, 1));
        hall.until(DEAD_AFTER, "it runs elsewhere", |hall| hall.runs(0) == 1);
        let after = hall.lives(0);
        hall.world.power_on(1, 0);
        hall.pass(LONG);
        assert_eq!((hall.lives(0), hall.owner(0)), (after, 0));
        for node in [0, 2] {
            hall.world.strip(node, true);
        }
        hall.pass(DEAD_AFTER);
        hall.asks(0, 1, Wish::Deploy { kind: HEAVY, reject: false });
        hall.pass(LONG);
        assert_eq!(hall.runs(1), 0, "a forgotten node gets nothing new");
    });
}

#[test]
fn four_two_nodes_need_a_broker_or_a_word() {
    for_all_seeds(|seed| {
        let mut hall = Hall::of(seed, 2, None);
        hall.deploy(0, 0, HEAVY, 1);
        hall.dies(1);
        hall.all_along(10 * DEAD_AFTER, "it runs nowhere", |hall| hall.runs(0) == 0);
        assert!(hall.says_it_waits_for(1, 0), "{:?}", hall.status(0, 0));
        assert!(hall.forget(0, 1));
        hall.until(DEAD_AFTER, "it runs here", |hall| hall.nodes(0) == [0].into());

        let mut hall = Hall::of(seed, 2, Some(APART));
        hall.deploy(0, 0, HEAVY, 1);
        hall.dies(1);
        hall.until(2 * DEAD_AFTER, "it runs here", |hall| hall.nodes(0) == [0].into());
        hall.pass(LONG);
        assert_eq!((hall.runs(0), hall.owner(0)), (1, 0));
    });
}

#[test]
fn five_a_half_split_is_the_broker_s_to_decide() {
    for_all_seeds(|seed| {
        let mut hall = Hall::of(seed, 4, Some(APART));
        hall.deploy(0, 0, HEAVY, 2);
        hall.deploy(2, 1, HEAVY, 1);
        hall.deploy(3, 2, HEAVY, 3);
        let before = [0, 1, 2].map(|service| hall.lives(service));
        hall.split(0b1100, LONG);
        hall.until(2 * DEAD_AFTER, "the broker's side acts", |hall| {
            let here = |service| hall.nodes(service).iter().any(|node| *node < 2);
            let taken =
                |service: usize| [0, 1].iter().all(|by| hall.owner_by(*by, service).is_none_or(|it| it < 2));
            here(0) && here(2) && taken(1) && taken(2)
        });
        hall.pass(DEAD_AFTER);
        assert_eq!([0, 1, 2].map(|service| hall.runs(service)), [2, 1, 2]);
        for (service, was) in [(0, 0), (1, 2), (2, 3)] {
            let others = [2, 3].map(|by| hall.owner_by(by, service));
            assert!(others.iter().flatten().all(|owner| *owner == was), "{others:?}: they decide nothing");
        }
        assert_eq!(hall.lives(1), before[1], "nothing that runs is touched");
        hall.pass(2 * LONG);
        for service in 0..3 {
            assert_eq!(hall.runs(service), 1);
            assert!(hall.lives(service)[0].node < 2 && hall.owner(service) < 2);
        }
    });
}

#[test]
fn six_a_drained_node_keeps_what_fits_nowhere_else() {
    for_all_seeds(|seed| {
        let mut hall = Hall::of(seed, 3, None);
        [0, 1].into_iter().for_each(|node| hall.world.nodes[node].devices.truncate(1));
        hall.deploy(0, 0, HEAVY, 2);
        hall.deploy(0, 1, PINNED, 2);
        hall.deploy(2, 2, PLAIN, 2);
        let pinned = hall.lives(1);
        assert!(hall.accepts(2, None, Wish::Duty(Duty::Drain)));
        hall.all_along(LONG, "all of it runs", |hall| (0..3).all(|service| hall.runs(service) >= 1));
        assert_eq!(hall.lives(1), pinned, "it stays, for it fits nowhere else");
        for service in [0, 2] {
            assert!(!hall.nodes(service).contains(&2), "{service} is still there");
            assert_eq!(hall.runs(service), 1);
            assert_ne!(hall.owner(service), 2);
        }
    });
}

#[test]
fn six_again_with_a_second_device() {
    for_all_seeds(|seed| {
        let mut hall = Hall::of(seed, 3, None);
        hall.deploy(0, 0, PINNED, 2);
        assert!(hall.accepts(2, None, Wish::Duty(Duty::Drain)));
        hall.until(DEAD_AFTER, "it runs where it fits too", |hall| {
            hall.nodes(0).iter().any(|node| *node != 2)
        });
        hall.pass(LONG);
        assert_eq!(hall.runs(0), 1);
    });
}

#[test]
fn six_again_with_room_that_comes_later() {
    for kind in [HEAVY, PINNED] {
        for_all_seeds(|seed| {
            let mut hall = Hall::of(seed, 2, None);
            let bare = std::mem::take(&mut hall.world.nodes[0].devices);
            hall.deploy(0, 0, kind, 1);
            assert!(hall.accepts(1, None, Wish::Duty(Duty::Drain)));
            hall.pass(LONG);
            assert_eq!(hall.nodes(0), [1].into(), "it fits nowhere else");
            hall.world.nodes[0].devices = bare;
            hall.world.offer(0);
            hall.until(LONG, "it moves where it fits", |hall| hall.nodes(0) == [0].into());
        });
    }
}

#[test]
fn seven_a_holder_deletes_while_the_owner_is_away() {
    for_all_seeds(|seed| {
        for (wait, off) in [(0, true), (3 * DEAD_AFTER, true), (0, false), (3 * DEAD_AFTER, false)] {
            let mut hall = Hall::of(seed, 3, None);
            hall.deploy(0, 0, PLAIN, 0);
            if off {
                hall.world.power_off(0);
            } else {
                hall.split(0b001, LONG);
            }
            hall.pass(wait);
            if !off {
                hall.asks(0, 0, Wish::Update { kind: HEAVY });
            }
            hall.asks(1, 0, Wish::Delete);
            hall.pass(DEAD_AFTER);
            assert!(!hall.nodes(0).contains(&1) && !hall.nodes(0).contains(&2));
            if off {
                hall.world.power_on(0, 0);
            }
            hall.pass(2 * LONG);
            assert_eq!(hall.runs(0), 0);
            let gone = |node: &usize| {
                let records = &hall.world.nodes[*node].disk.now.records;
                records.get(&service_id(seed, 0)).is_some_and(|record| record.is_absent())
            };
            assert!((0..3).all(|node| gone(&node)), "everybody knows that it is deleted");
            assert!(
                !hall.accepts(0, Some(0), Wish::Deploy { kind: PLAIN, reject: false }),
                "its id is used up"
            );
        }
    });
}

#[test]
fn eight_an_update_on_the_small_side_survives() {
    for_all_seeds(|seed| {
        let mut hall = Hall::of(seed, 3, None);
        hall.deploy(0, 0, PLAIN, 0);
        hall.split(0b001, LONG);
        hall.asks(0, 0, Wish::Update { kind: HEAVY });
        hall.until(2 * DEAD_AFTER, "the others run it too", |hall| hall.nodes(0).len() == 2);
        hall.pass(DEAD_AFTER);
        let lives = hall.lives(0);
        let revisions: Vec<(bool, u32)> = lives.iter().map(|it| (it.node == 0, it.revision)).collect();
        assert_eq!(revisions, [(true, 2), (false, 1)]);
        let owner = hall.owner_by(1, 0).expect("an owner");
        assert_eq!((hall.owner_by(0, 0), owner == 0), (Some(0), false));
        hall.pass(2 * LONG);
        let after = hall.lives(0);
        assert_eq!((after.len(), after[0].revision, hall.owner(0)), (1, 2, owner));
    });
}

/// Nobody is silent who is present at the broker.
#[test]
fn five_again_with_a_broker_that_both_halves_reach() {
    for_all_seeds(|seed| {
        let mut hall = Hall::of(seed, 4, Some(APART));
        hall.deploy(0, 0, HEAVY, 2);
        hall.deploy(2, 1, HEAVY, 1);
        let before = [0, 1].map(|service| hall.lives(service));
        for (from, to) in [(0, 2), (0, 3), (1, 2), (1, 3)] {
            for (from, to) in [(from, to), (to, from)] {
                let deaf = Happening::Deaf { from, to, span: 10 * DEAD_AFTER };
                hall.world.planned(deaf).expect("every rule holds");
            }
        }
        hall.pass(9 * DEAD_AFTER);
        assert_eq!(
            [0, 1].map(|service| (hall.lives(service), hall.owner(service))),
            [(before[0].clone(), 0), (before[1].clone(), 2)]
        );
    });
}

/// A hall of three whose last node runs a slot of each kind.
fn powerless(seed: u64, back: [u64; 3]) -> (Hall, [Vec<Lives>; 3]) {
    let mut hall = Hall::of(seed, 3, None);
    hall.deploy(0, 0, HEAVY, 2);
    hall.deploy(1, 1, PINNED, 2);
    hall.deploy(2, 2, PLAIN, 2);
    let before = [0, 1, 2].map(|service| hall.lives(service));
    (0..3).for_each(|node| hall.world.power_off(node));
    hall.pass(DEAD_AFTER);
    back.into_iter().enumerate().for_each(|(node, after)| hall.world.power_on(node, after));
    (hall, before)
}

#[test]
fn nine_a_hall_without_power_is_what_it_was() {
    for_all_seeds(|seed| {
        let (mut hall, before) = powerless(seed, [0, 15_000, 35_000]);
        hall.pass(LONG);
        assert_eq!([0, 1, 2].map(|service| hall.lives(service)), before);
        assert_eq!([0, 1, 2].map(|service| hall.owner(service)), [0, 1, 2]);

        let (mut hall, before) = powerless(seed, [0, 15_000, 4 * DEAD_AFTER]);
        hall.pass(4 * DEAD_AFTER - GLANCE);
        assert_eq!([0, 1, 2].map(|service| hall.runs(service)), [1, 0, 1], "the pinned one waits");
        hall.pass(LONG);
        assert_eq!([0, 1, 2].map(|service| hall.runs(service)), [1; 3]);
        assert_eq!(hall.lives(1), before[1]);
        assert!(!hall.nodes(0).contains(&2) && !hall.nodes(2).contains(&2));
        assert_eq!((hall.owner(0), hall.owner(1), hall.owner(2) == 2), (0, 1, false));
    });
}

#[test]
fn nine_again_with_one_that_stays_alone() {
    for_all_seeds(|seed| {
        let (mut hall, before) = powerless(seed, [10 * LONG, 10 * LONG, 0]);
        hall.pass(DEAD_AFTER);
        hall.all_along(LONG, "it runs what it ran", |hall| {
            [0, 1, 2].map(|service| hall.lives(service)) == before
        });
    });
}

#[test]
fn ten_a_disk_put_back_learns_what_it_lost() {
    for_all_seeds(|seed| {
        let mut hall = Hall::of(seed, 3, None);
        hall.deploy(0, 0, PLAIN, 0);
        hall.world.planned(Happening::Restores { node: 0, span: LONG }).expect("every rule holds");
        hall.asks(0, 0, Wish::Update { kind: HEAVY });
        hall.deploy(0, 1, PLAIN, 0);
        hall.pass(2 * LONG);
        assert_eq!([0, 1].map(|service| (hall.runs(service), hall.owner(service))), [(1, 0); 2]);
        assert_eq!(hall.lives(0)[0].revision, 2);
    });
}

/// The sizes of clusters that decide by themselves, with where the broker stands.
const SIZES: [(usize, Option<usize>); 4] = [(2, Some(APART)), (3, None), (5, None), (10, None)];

#[test]
fn what_a_dead_node_ran_runs_elsewhere_in_time() {
    for_all_seeds(|seed| {
        for (size, broker) in SIZES {
            // the owner dies with all of it; or only its executor does
            for (owner, kind) in [(1, MANY), (0, HEAVIES)] {
                let mut hall = Hall::of(seed, size, broker);
                hall.deploy(owner, 0, kind, 1);
                let wanted = hall.runs(0);
                hall.dies(1);
                hall.until(2 * DEAD_AFTER, "all of it runs elsewhere", |hall| hall.runs(0) == wanted);
                hall.pass(LONG);
                assert_eq!(hall.runs(0), wanted);
                assert!(!hall.nodes(0).contains(&1));
            }
        }
    });
}

#[test]
fn what_is_pinned_to_a_dead_node_waits_and_says_for_whom() {
    for_all_seeds(|seed| {
        for (size, broker) in SIZES {
            for (owner, kind, plain) in [(0, PINNED, 0), (1, PINNED, 0), (1, BOTH, 1)] {
                let mut hall = Hall::of(seed, size, broker);
                hall.deploy(owner, 0, kind, 1);
                hall.dies(1);
                hall.until(2 * DEAD_AFTER, "what is not pinned runs elsewhere", |hall| hall.runs(0) == plain);
                hall.all_along(LONG, "the pinned one waits", |hall| hall.runs(0) == plain);
                assert_eq!(hall.missed(0), [1].into(), "the status names the node");
                assert!(hall.says_it_waits_for(1, 0), "{:?}", hall.status(hall.owner(0), 0));
            }
        }
    });
}

/// A holder that dies is replaced, so that a service is not lost with the three that had it first.
#[test]
fn the_line_is_filled_again() {
    for_all_seeds(|seed| {
        let mut hall = Hall::of(seed, 7, None);
        hall.deploy(0, 0, PLAIN, 0);
        let id = service_id(seed, 0);
        let holders = hall.world.nodes[0].disk.now.records[&id].holders.clone();
        for node in (1..7).filter(|node| holders.contains(&node_id(seed, *node))) {
            hall.dies(node);
            hall.pass(2 * LONG);
        }
        hall.dies(0);
        hall.pass(LONG);
        assert_eq!(hall.runs(0), 1, "the fourth knows of it");
    });
}
