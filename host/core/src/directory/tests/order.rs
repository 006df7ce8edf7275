//! Which of several nodes is preferred, and what is said of those that do not fit.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::world::{called, image, node};
use crate::capability::{CapId, Capability, Supply};
use crate::directory::{Ask, Choice, Crowd, Directory, NodeFacts, NoneFits, summary};
use crate::id::NodeId;
use crate::reason::{Code, Reason};
use crate::spec::{Need, Requirement, Take};
use crate::state::Engine;

fn memory(all: u64, held: u64) -> NodeFacts {
    let id = CapId { source: "test".into(), name: "memory".into(), unit: String::new() };
    let unit = Capability {
        id: id.clone(),
        kind: "resource".into(),
        props: BTreeMap::new(),
        supply: Supply::Amount(all),
        binding: None,
    };
    let engine = Engine::Up { features: Default::default() };
    NodeFacts {
        capabilities: vec![unit],
        engines: [("process".parse().expect("a name"), engine)].into(),
        held: [(id, held)].into(),
        ..NodeFacts::default()
    }
}

fn directory(facts: impl IntoIterator<Item = NodeFacts>) -> Directory {
    let mut directory = Directory::default();
    (1..).map(node).zip(facts).for_each(|(node, facts)| directory.update(node, Arc::new(facts)));
    directory
}

fn taking(amount: u64) -> Need {
    Need::Has(Requirement { take: Take::Amount(amount), ..Requirement::named("memory") })
}

fn chosen(choice: Result<Choice, NoneFits>) -> Option<NodeId> {
    choice.map(|choice| choice.node).ok()
}

#[test]
fn room_is_what_is_left_afterwards() {
    let directory = directory([memory(160, 0), memory(16_000, 1_600)]);
    let choose = |amount| chosen(directory.choose(&Ask::new(&[&image(taking(amount), &[])])));
    assert_eq!(choose(1), Some(node(1)), "15 of 16 parts, against 14");
    assert_eq!(choose(100), Some(node(2)), "6 of 16 parts, against 14");
}

#[test]
fn among_equal_room_the_even_spread_then_the_id_decide() {
    let directory = directory([memory(160, 1), memory(160, 2), memory(160, 3), memory(160, 20)]);
    let image = image(Need::nothing(), &[]);
    let choose = |directory: &Directory, spread: &[(u128, u32, u32)]| {
        let crowd =
            |(n, image, service): &(u128, u32, u32)| (node(*n), Crowd { image: *image, service: *service });
        let spread = spread.iter().map(crowd).collect();
        chosen(directory.choose(&Ask { spread: &spread, ..Ask::new(&[&image]) }))
    };
    assert_eq!(choose(&directory, &[]), Some(node(1)));
    assert_eq!(choose(&directory, &[(1, 0, 1)]), Some(node(2)));
    assert_eq!(choose(&directory, &[(1, 1, 1), (2, 0, 5), (3, 0, 4)]), Some(node(3)));
    assert_eq!(choose(&directory, &[(1, 2, 2), (2, 1, 2), (3, 1, 2)]), Some(node(2)));
    let crowded = [(1, 9, 9), (2, 9, 9), (3, 8, 9)];
    assert_eq!(choose(&directory, &crowded), Some(node(3)), "room counts more than an even spread");
}

#[test]
fn the_order_of_ids_does_not_depend_on_who_came_first() {
    let mut directory = Directory::default();
    let image = image(Need::nothing(), &[]);
    for n in (1..=200).rev() {
        directory.update(node(n), Arc::new(memory(16, 0)));
        assert_eq!(chosen(directory.choose(&Ask::new(&[&image]))), Some(node(n)));
    }
    for n in 1..200 {
        directory.remove(node(n));
        assert_eq!(chosen(directory.choose(&Ask::new(&[&image]))), Some(node(n + 1)));
    }
}

#[test]
fn every_node_is_judged_in_words() {
    let mut directory = directory([memory(100, 0), memory(100, 90), memory(100, 0), memory(10, 0)]);
    directory.close(node(3), Some(Reason::new(Code::WaitingAdmission, "it is cordoned")));
    let image = image(taking(20), &["docker"]);
    let verdicts = directory.verdicts(&Ask::new(&[&image]), called);
    let told: Vec<Vec<&str>> =
        verdicts.iter().map(|it| it.unmet.iter().map(|reason| reason.text.as_str()).collect()).collect();
    let engine = "the engine docker is not here";
    assert_eq!(
        told,
        [
            vec![engine],
            vec!["20 B of memory are wanted, 10 B of 100 B are free", engine],
            vec![engine, "it is cordoned"],
            vec!["20 B of memory are wanted, 10 B of 10 B are free", engine],
        ]
    );
}

#[test]
fn of_all_that_is_missing_the_least_is_said_once() {
    let directory = directory((0..50).map(|n| memory(100, if n < 2 { 0 } else { 95 })));
    let both = |name| Need::All(vec![taking(10), Need::Has(Requirement::named(name))]);
    let ask = |name| {
        let verdicts = directory.verdicts(&Ask::new(&[&image(both(name), &[])]), called);
        summary(&verdicts).into_iter().map(|reason| reason.text).collect::<Vec<_>>()
    };
    assert_eq!(ask("zigbee"), ["nothing offers the capability zigbee"]);
    assert_eq!(ask("memory"), Vec::<String>::new());
}
