//! What people give a node and take back: durable first, then offered; it starts what waits and stops nothing.

use motey_core::capability::{CapId, Capability, MAX_OFFERS, Named, Supply};
use motey_core::project::State;
use motey_core::step::{Answer, Refusal, Request};

use crate::blueprint::{capability, deploy, image, service, taking, with};
use crate::node::Lab;

const SOURCE: &str = "people";

fn given(name: &str, supply: Supply) -> Capability {
    let other = capability(name, supply);
    Capability { id: CapId { source: SOURCE.into(), ..other.id }, ..other }
}

fn offer(more: impl IntoIterator<Item = Capability>) -> Request {
    Request::Offer { source: SOURCE.into(), more: more.into_iter().collect() }
}

fn withdraw(name: &str) -> Request {
    let named = Named { name: name.into(), unit: String::new(), kind: None };
    Request::Withdraw { source: SOURCE.into(), less: vec![named] }
}

const CHANGED: Option<Answer> = Some(Answer::Offers { changed: true });
const UNCHANGED: Option<Answer> = Some(Answer::Offers { changed: false });

#[test]
fn what_waits_starts_with_the_answer_and_goes_on_without_it() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(deploy(id, [with("zigbee", image("web"))]));
    lab.rest();
    assert_eq!(lab.state(id), State::Initial);

    assert_eq!(lab.ask(offer([given("zigbee", Supply::Exclusive)])), CHANGED);
    assert_eq!(lab.calls.len(), 1, "its instance is made already");
    lab.rest();
    lab.check_rest();
    let live = lab.live(id);
    assert_eq!((live.len(), lab.state(id)), (1, State::Running));

    assert_eq!(lab.ask(withdraw("zigbee")), CHANGED);
    lab.rest();
    lab.restart();
    lab.rest();
    lab.check_rest();
    assert_eq!((lab.live(id), lab.state(id)), (live, State::Running));
}

#[test]
fn asking_twice_writes_once() {
    let mut lab = Lab::new();
    assert_eq!(lab.ask(offer([given("zigbee", Supply::Exclusive)])), CHANGED);
    let writes = lab.disk.writes;
    assert_eq!(lab.ask(offer([given("zigbee", Supply::Exclusive)])), UNCHANGED);
    assert_eq!(lab.ask(withdraw("gps")), UNCHANGED);
    assert_eq!(lab.ask(offer([])), UNCHANGED);
    let other_kind = Named { name: "zigbee".into(), unit: String::new(), kind: Some("label".into()) };
    assert_eq!(lab.ask(Request::Withdraw { source: SOURCE.into(), less: vec![other_kind] }), UNCHANGED);
    assert_eq!(lab.disk.writes, writes);

    assert_eq!(lab.ask(offer([given("zigbee", Supply::Shared)])), CHANGED, "it is shared from now on");
    assert_eq!(lab.core.offers(SOURCE), [given("zigbee", Supply::Shared)]);
}

#[test]
fn the_next_life_offers_what_was_answered_for() {
    let (mut lab, id) = (Lab::new(), service(1));
    lab.ask(offer([given("zigbee", Supply::Shared), given("seats", Supply::Amount(3))]));
    lab.ask(withdraw("zigbee"));
    lab.restart();
    assert_eq!(lab.core.offers(SOURCE), [given("seats", Supply::Amount(3))]);
    lab.ask(deploy(id, [taking("seats", 3, image("web"))]));
    lab.rest();
    lab.check_rest();
    assert_eq!(lab.state(id), State::Running);
}

#[test]
fn what_is_not_stored_is_not_offered() {
    let mut lab = Lab::new();
    lab.disk.full = true;
    lab.disk.reserve = true;
    assert_eq!(lab.ask(offer([given("zigbee", Supply::Shared)])), None);
    assert!(lab.core.offers(SOURCE).is_empty());
    lab.disk.full = false;
    assert_eq!(lab.ask(offer([given("zigbee", Supply::Shared)])), CHANGED);
}

/// At every point at which it can die: before the answer it may be so or not, after it, it is.
#[test]
fn what_was_answered_survives_a_crash_at_every_point() {
    for fuse in 0..4 {
        let (mut lab, id) = (Lab::new(), service(1));
        lab.ask(deploy(id, [with("zigbee", image("web"))]));
        lab.rest();
        lab.points = 0;
        lab.fuse = Some(fuse);
        let answered = lab.ask(offer([given("zigbee", Supply::Exclusive)]));
        lab.restart();
        lab.rest();
        lab.check_rest();
        let stored = !lab.disk.offers.is_empty();
        assert_eq!(lab.core.offers(SOURCE).len(), usize::from(stored));
        let expected = if stored { State::Running } else { State::Initial };
        assert_eq!(lab.state(id), expected, "killed at point {fuse}");
        assert!(stored || answered.is_none());
    }
}

#[test]
fn there_is_a_most_of_it() {
    let mut lab = Lab::new();
    let many = |count: usize| offer((0..count).map(|n| given(&format!("c-{n}"), Supply::Shared)));
    let refused = Some(Answer::Refused(Refusal::TooManyOffers(MAX_OFFERS + 1)));
    assert_eq!(lab.ask(many(MAX_OFFERS + 1)), refused);
    assert!(lab.core.offers(SOURCE).is_empty());
    assert_eq!(lab.ask(many(MAX_OFFERS)), CHANGED);
    assert_eq!(lab.ask(offer([given("one-more", Supply::Shared)])), refused);
    assert_eq!(lab.ask(many(MAX_OFFERS)), UNCHANGED);
}
