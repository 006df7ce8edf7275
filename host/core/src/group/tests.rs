//! Which slots are together, and what keeps them from a node.

use std::sync::Arc;

use uuid::Uuid;

use super::*;
use crate::id::{EngineName, Millis, NodeName, ServiceId, ServiceName};
use crate::record::{Assignment, Desired, Fence, RevisionOrder, Stamp};
use crate::restart::Tuning;
use crate::spec::{Format, ImageSpec, Neighbours, OnNodeLoss, Replicas, Source};
use crate::state::{Core, Identity, Stored};

fn key(text: &str) -> ImageKey {
    text.parse().expect("an image key")
}

fn slot(text: &str) -> SlotId {
    text.parse().expect("a slot")
}

fn node(n: u128) -> NodeId {
    NodeId(Uuid::from_u128(n))
}

/// Images with their counts, those near them and those apart from them.
fn record(images: &[(&str, u16, &[&str], &[&str])]) -> ServiceRecord {
    let keys = |keys: &[&str]| keys.iter().map(|text| key(text)).collect();
    let image = |(name, count, near, apart): &(&str, u16, &[&str], &[&str])| ImageSpec {
        replicas: Replicas::Count(*count),
        neighbours: Neighbours { near: keys(near), apart: keys(apart) },
        ..ImageSpec::new(key(name), *name)
    };
    let Fence { epoch, owner, writer, n: version } = Fence::LEAST;
    let source = Source { format: Format::Yaml, text: "".into() };
    let spec = Arc::new(Spec {
        images: images.iter().map(image).map(Arc::new).collect(),
        on_node_loss: OnNodeLoss::default(),
        source,
    });
    ServiceRecord {
        id: ServiceId(Uuid::nil()),
        name: ServiceName::new("group").expect("a name"),
        desired: Desired::Running,
        stamp: Stamp { absent: false, epoch, owner, writer, version },
        revision: Revision {
            order: RevisionOrder { number: 1, epoch, owner, writer },
            spec,
            scaled: BTreeMap::new(),
            since: Vec::new(),
        },
        previous: None,
        slots: BTreeMap::new(),
        dismissed: BTreeSet::new(),
        homes: BTreeMap::new(),
        holders: vec![owner],
        heir: None,
        unproven: false,
        ended: BTreeMap::new(),
    }
}

fn placed(mut record: ServiceRecord, slots: &[(&str, u128)]) -> ServiceRecord {
    let engine: EngineName = "process".parse().expect("a name");
    for (name, n) in slots {
        let order = record.revision.order;
        let assignment = Assignment {
            node: node(*n),
            engine: engine.clone(),
            fence: Fence::LEAST,
            revision: order,
            pinned: false,
            from: None,
        };
        record.slots.insert(slot(name), assignment);
    }
    record
}

/// What is asked of a node that knows no other.
fn bounds(record: &ServiceRecord, unit: &[SlotId]) -> Result<Bounds, Reason> {
    let name = NodeName::new("fog-1").expect("a name");
    let me = Identity { node: node(1), name, incarnation: Fence::LEAST.writer };
    let core = Core::new(me, Tuning::default(), Stored::default());
    super::bounds(&Draft::new(&core, Millis(0)), record, unit)
}

fn told(record: &ServiceRecord) -> Vec<String> {
    let unit = |unit: &Vec<SlotId>| unit.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    units(&record.revision).iter().map(unit).collect()
}

#[test]
fn every_slot_is_with_one_of_each_image_of_its_group() {
    let alone = record(&[("a", 2, &[], &[]), ("b", 1, &[], &[])]);
    assert_eq!(told(&alone), ["a-0", "a-1", "b-0"]);
    let pairs = record(&[("web", 3, &[], &[]), ("log", 3, &["web"], &[])]);
    assert_eq!(told(&pairs), ["web-0 log-0", "web-1 log-1", "web-2 log-2"]);
    let one = record(&[("web", 3, &["db"], &[]), ("x", 1, &[], &[]), ("db", 1, &[], &[])]);
    assert_eq!(told(&one), ["web-0 web-1 web-2 db-0", "x-0"]);
    let chain =
        record(&[("a", 2, &[], &[]), ("b", 5, &["a"], &[]), ("c", 3, &["b"], &[]), ("d", 0, &["c"], &[])]);
    assert_eq!(told(&chain), ["a-0 b-0 b-2 b-4 c-0 c-2", "a-1 b-1 b-3 c-1"]);
}

#[test]
fn a_count_that_was_scaled_deals_out_anew() {
    let mut pairs = record(&[("web", 3, &[], &[]), ("log", 3, &["web"], &[])]);
    pairs.revision.scaled.insert(key("log"), 1);
    assert_eq!(told(&pairs), ["web-0 web-1 web-2 log-0"]);
    pairs.revision.scaled.insert(key("log"), 0);
    assert_eq!(told(&pairs), ["web-0", "web-1", "web-2"]);
}

#[test]
fn a_unit_goes_where_the_first_of_it_is_and_not_where_others_keep_it_away() {
    let images: [(&str, u16, &[&str], &[&str]); 3] =
        [("web", 2, &[], &["web"]), ("log", 2, &["web"], &[]), ("batch", 1, &[], &["log"])];
    let record = placed(record(&images), &[("web-0", 1), ("batch-0", 2)]);
    let units = units(&record.revision);
    let why = |text: &str| Reason::new(Code::WaitingAdmission, text);
    let away = [(node(2), why("log keeps apart from batch-0, which is on 00000000"))];
    let first = Bounds { only: Some(node(1)), home: None, apart: away.clone().into() };
    assert_eq!(bounds(&record, &units[0]), Ok(first));
    let [away] = away;
    let both = [(node(1), why("web keeps apart from web-0, which is on fog-1")), away];
    assert_eq!(bounds(&record, &units[1]), Ok(Bounds { only: None, home: None, apart: both.into() }));
    let last = bounds(&placed(record, &[("log-1", 3)]), &units[2]);
    assert_eq!(last.expect("possible").apart.into_keys().collect::<Vec<_>>(), [node(3)]);
}

#[test]
fn what_must_be_together_and_must_not_is_said() {
    let twice = record(&[("web", 2, &["db"], &["web"]), ("db", 1, &[], &[])]);
    let said = bounds(&twice, &units(&twice.revision)[0]).expect_err("impossible").text;
    assert_eq!(said, "web and web-1 have to be on one node and to keep apart: scale one of them");
    let enough = record(&[("web", 2, &["db"], &["web"]), ("db", 2, &[], &[])]);
    assert!(units(&enough.revision).iter().all(|unit| bounds(&enough, unit).is_ok()));
}
