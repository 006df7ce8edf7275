//! The written form, letter by letter: a change here is a change for every file and every peer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use insta::assert_snapshot;
use motey_core::Standing;
use motey_core::capability::{CapId, Capability, Lease, Scalar, Supply};
use motey_core::id::{NodeId, ServiceId, ServiceName, VolumeName};
use motey_core::peer::{Duty, Forgotten};
use motey_core::reason::{Code, Reason};
use motey_core::record::{
    Assignment, Desired, Dismissed, Ended, Fence, Former, Home, Incarnation, InstanceKey, Place, Revision,
    RevisionOrder, ServiceRecord, SlotId, Stamp,
};
use motey_core::spec::{
    Comparison, Format, ImageSpec, Literal, Mount, MountSource, Need, OnNodeLoss, Params, Port, Protocol,
    Ready, Replicas, Requirement, Restart, Run, Source, Spec, StopRule, Take, Test, Use,
};
use motey_core::step::EventKind;
use uuid::Uuid;

use crate::codec::{CodecError, Coded, MAX_NEED_DEPTH, decode, encode, event_kind};

const WRITER: Incarnation = Incarnation { count: 3, nonce: 0xbeef };

fn node() -> NodeId {
    NodeId(Uuid::from_u128(7))
}

fn fence(n: u64) -> Fence {
    Fence { epoch: 1, owner: node(), writer: WRITER, n }
}

fn key() -> InstanceKey {
    let slot = "vision-0".parse().expect("a slot");
    InstanceKey { service: ServiceId(Uuid::from_u128(0xabc)), slot, fence: fence(1) }
}

fn vision() -> ImageSpec {
    let has = |name: &str, kind: Option<&str>, take| {
        Need::Has(Requirement { kind: kind.map(Into::into), take, ..Requirement::named(name) })
    };
    ImageSpec {
        engines: vec!["process".parse().expect("an engine")],
        replicas: Replicas::Count(2),
        need: Need::All(vec![
            has("camera", Some("hardware"), Take::One),
            has("memory", None, Take::Amount(u64::MAX)),
        ])
        .into(),
        params: Params {
            command: vec!["--fast".into()],
            environment: BTreeMap::from([("MODE".into(), "day\nnight".into())]),
            working_dir: Some("/srv".into()),
            stop: StopRule { signal: Some("SIGINT".into()), grace: 500 },
            ..Params::default()
        },
        run: Run::Job,
        after: vec![("plain".parse().expect("a key"), Ready::Completed)],
        restart: Restart::OnFailure,
        ..ImageSpec::new("vision".parse().expect("a key"), "/usr/bin/vision")
    }
}

fn plain() -> ImageSpec {
    ImageSpec { restart: Restart::Never, ..ImageSpec::new("plain".parse().expect("a key"), "true") }
}

fn order(number: u32) -> RevisionOrder {
    RevisionOrder { number, epoch: 1, owner: node(), writer: WRITER }
}

fn revision(number: u32, images: Vec<ImageSpec>) -> Revision {
    let images: Vec<_> = images.into_iter().map(Arc::new).collect();
    Revision {
        order: order(number),
        since: vec![order(number); images.len()],
        spec: Arc::new(Spec {
            images,
            on_node_loss: OnNodeLoss::default(),
            source: Source { format: Format::Yaml, text: "images: []\n".into() },
        }),
        scaled: BTreeMap::new(),
    }
}

fn record() -> ServiceRecord {
    let slot = |text: &str| text.parse().expect("a slot");
    let engine = || "process".parse().expect("an engine");
    let mut now = revision(2, vec![vision(), plain()]);
    now.scaled.insert("vision".parse().expect("a key"), 3);
    now.since[1] = order(1);
    ServiceRecord {
        id: ServiceId(Uuid::from_u128(0xabc)),
        name: ServiceName::new("Zelle 7").expect("a name"),
        desired: Desired::Running,
        stamp: Stamp { absent: false, epoch: 1, owner: node(), writer: WRITER, version: 5 },
        revision: now,
        previous: None,
        slots: BTreeMap::from([(
            slot("vision-0"),
            Assignment {
                node: node(),
                engine: engine(),
                fence: fence(1),
                revision: order(2),
                pinned: false,
                from: None,
            },
        )]),
        dismissed: BTreeSet::from([Dismissed {
            slot: slot("vision-1"),
            fence: fence(2),
            node: node(),
            engine: engine(),
        }]),
        homes: BTreeMap::new(),
        holders: vec![node()],
        heir: None,
        unproven: false,
        ended: BTreeMap::from([
            (slot("plain-0"), Ended::Succeeded),
            (slot("vision-2"), Ended::GaveUp(Reason::new(Code::ExitCode, "exited with 3, five times"))),
        ]),
    }
}

fn slot_on(node: u128) -> SlotId {
    SlotId { image: "plain".parse().expect("a key"), place: Place::On(NodeId(Uuid::from_u128(node))) }
}

fn written<T: Coded + PartialEq + std::fmt::Debug>(value: &T) -> String {
    let text = encode(value).expect("it can be written");
    assert_eq!(decode::<T>(text.as_bytes()).expect("it can be read"), *value);
    text
}

#[test]
fn a_record() {
    assert_snapshot!(written(&record()), @r#"{"v":2,"id":"00000000-0000-0000-0000-000000000abc","name":"Zelle 7","desired":"running","stamp":{"epoch":1,"owner":"00000000-0000-0000-0000-000000000007","writer":{"count":3,"nonce":48879},"version":5},"revision":{"number":2,"epoch":1,"owner":"00000000-0000-0000-0000-000000000007","writer":{"count":3,"nonce":48879},"spec":{"images":[{"key":"vision","image":"/usr/bin/vision","engines":["process"],"replicas":2,"need":{"all":[{"has":{"name":"camera","kind":"hardware","take":"one"}},{"has":{"name":"memory","take":{"amount":18446744073709551615}}}]},"params":{"command":["--fast"],"environment":{"MODE":"day\nnight"},"working_dir":"/srv","stop":{"signal":"SIGINT","grace_ms":500}},"run":"job","after":[["plain","completed"]],"restart":"on_failure"},{"key":"plain","image":"true","replicas":1,"need":{"all":[]},"params":{"stop":{"grace_ms":10000}},"restart":"never"}],"source":{"format":"yaml","text":"images: []\n"}},"scaled":{"vision":3},"since":["2.1.00000000-0000-0000-0000-000000000007.3-0000beef","1.1.00000000-0000-0000-0000-000000000007.3-0000beef"]},"slots":{"vision-0":{"node":"00000000-0000-0000-0000-000000000007","engine":"process","fence":"1.00000000-0000-0000-0000-000000000007.3-0000beef.1","revision":"2.1.00000000-0000-0000-0000-000000000007.3-0000beef"}},"dismissed":[{"slot":"vision-1","fence":"1.00000000-0000-0000-0000-000000000007.3-0000beef.2","node":"00000000-0000-0000-0000-000000000007","engine":"process"}],"holders":["00000000-0000-0000-0000-000000000007"],"ended":{"plain-0":"succeeded","vision-2":{"gave_up":{"code":"exit.code","text":"exited with 3, five times"}}}}"#);
}

/// What a record of a single node at rest does not show.
#[test]
fn a_record_in_a_cluster() {
    let mut record = record();
    let volume = |name: &str| VolumeName::new(name).expect("a volume name");
    let mount = |source| Mount { source, target: "/var/data".into(), read_only: true };
    let mut image = plain();
    image.params.mounts =
        vec![mount(MountSource::Volume(volume("data"))), mount(MountSource::Path("/srv/in".into()))];
    let port = |name: &str, protocol| Port {
        name: name.parse().expect("a name"),
        container: 80,
        host: 8080,
        protocol,
    };
    image.params.ports = vec![port("http", Protocol::Tcp), port("dns", Protocol::Udp)].into();
    image.uses = vec![Use {
        image: "plain".parse().expect("a key"),
        port: "http".parse().expect("a name"),
        number: 8080,
    }];
    record.revision = revision(2, vec![image]);
    let waits = Spec { on_node_loss: OnNodeLoss::Wait, ..Spec::clone(&record.revision.spec) };
    record.revision.spec = Arc::new(waits);
    record.homes = BTreeMap::from([
        (volume("data"), Home { node: node(), only: None }),
        (volume("new"), Home { node: node(), only: Some(fence(7)) }),
    ]);
    record.ended.clear();
    record.dismissed.clear();
    record.heir = Some(NodeId(Uuid::from_u128(8)));
    record.unproven = true;
    let everywhere = ImageSpec { replicas: Replicas::EveryNode, ..plain() };
    record.previous = Some(Arc::new(revision(1, vec![everywhere])));
    record.ended = BTreeMap::from([(slot_on(8), Ended::Succeeded)]);
    for assigned in record.slots.values_mut() {
        let Assignment { node, engine, fence, .. } = assigned.clone();
        assigned.from = Some(Box::new(Former { node, engine, fence, revision: order(1) }));
        assigned.fence = self::fence(7);
        assigned.pinned = true;
    }
    assert_snapshot!(written(&record), @r#"{"v":2,"id":"00000000-0000-0000-0000-000000000abc","name":"Zelle 7","desired":"running","stamp":{"epoch":1,"owner":"00000000-0000-0000-0000-000000000007","writer":{"count":3,"nonce":48879},"version":5},"revision":{"number":2,"epoch":1,"owner":"00000000-0000-0000-0000-000000000007","writer":{"count":3,"nonce":48879},"spec":{"images":[{"key":"plain","image":"true","replicas":1,"need":{"all":[]},"params":{"stop":{"grace_ms":10000},"mounts":[{"source":{"volume":"data"},"target":"/var/data","read_only":true},{"source":{"path":"/srv/in"},"target":"/var/data","read_only":true}],"ports":[{"name":"http","container":80,"host":8080},{"name":"dns","container":80,"host":8080,"protocol":"udp"}]},"uses":[{"image":"plain","port":"http","number":8080}],"restart":"never"}],"on_node_loss":"wait","source":{"format":"yaml","text":"images: []\n"}},"since":["2.1.00000000-0000-0000-0000-000000000007.3-0000beef"]},"previous":{"number":1,"epoch":1,"owner":"00000000-0000-0000-0000-000000000007","writer":{"count":3,"nonce":48879},"spec":{"images":[{"key":"plain","image":"true","replicas":"every_node","need":{"all":[]},"params":{"stop":{"grace_ms":10000}},"restart":"never"}],"source":{"format":"yaml","text":"images: []\n"}},"since":["1.1.00000000-0000-0000-0000-000000000007.3-0000beef"]},"slots":{"vision-0":{"node":"00000000-0000-0000-0000-000000000007","engine":"process","fence":"1.00000000-0000-0000-0000-000000000007.3-0000beef.7","revision":"2.1.00000000-0000-0000-0000-000000000007.3-0000beef","pinned":true,"from":{"node":"00000000-0000-0000-0000-000000000007","engine":"process","fence":"1.00000000-0000-0000-0000-000000000007.3-0000beef.1","revision":"1.1.00000000-0000-0000-0000-000000000007.3-0000beef"}}},"homes":{"data":{"node":"00000000-0000-0000-0000-000000000007"},"new":{"node":"00000000-0000-0000-0000-000000000007","only":"1.00000000-0000-0000-0000-000000000007.3-0000beef.7"}},"holders":["00000000-0000-0000-0000-000000000007"],"heir":"00000000-0000-0000-0000-000000000008","unproven":true,"ended":{"plain@00000000-0000-0000-0000-000000000008":"succeeded"}}"#);
}

#[test]
fn a_revision() {
    assert_snapshot!(written(&revision(2, vec![plain()])), @r#"{"v":2,"number":2,"epoch":1,"owner":"00000000-0000-0000-0000-000000000007","writer":{"count":3,"nonce":48879},"spec":{"images":[{"key":"plain","image":"true","replicas":1,"need":{"all":[]},"params":{"stop":{"grace_ms":10000}},"restart":"never"}],"source":{"format":"yaml","text":"images: []\n"}},"since":["2.1.00000000-0000-0000-0000-000000000007.3-0000beef"]}"#);
}

#[test]
fn the_standing_of_a_node() {
    assert_snapshot!(written(&Standing::default()), @r#"{"v":2,"duty":"operate"}"#);
    let forgotten = Forgotten::from_counts([(node(), 3)]);
    assert_snapshot!(written(&Standing { duty: Duty::Drain, forgotten, ..Standing::default() }), @r#"{"v":2,"duty":"drain","forgotten":{"00000000-0000-0000-0000-000000000007":3}}"#);
}

#[test]
fn a_tombstone() {
    let mut record = record();
    record.desired = Desired::Absent;
    record.stamp.absent = true;
    record.revision = revision(2, vec![]);
    record.slots.clear();
    record.dismissed.clear();
    record.ended.clear();
    assert_snapshot!(written(&record), @r#"{"v":2,"id":"00000000-0000-0000-0000-000000000abc","name":"Zelle 7","desired":"absent","stamp":{"epoch":1,"owner":"00000000-0000-0000-0000-000000000007","writer":{"count":3,"nonce":48879},"version":5},"revision":{"number":2,"epoch":1,"owner":"00000000-0000-0000-0000-000000000007","writer":{"count":3,"nonce":48879},"spec":{"images":[],"source":{"format":"yaml","text":"images: []\n"}}},"holders":["00000000-0000-0000-0000-000000000007"]}"#);
}

#[test]
fn a_lease_and_the_key_of_an_instance() {
    let of = CapId { source: "host-facts".into(), name: "dongle".into(), unit: "1-4.2".into() };
    assert_snapshot!(written(&Lease { of, amount: 1, holder: key() }), @r#"{"v":2,"source":"host-facts","name":"dongle","unit":"1-4.2","amount":1,"holder":{"service":"00000000-0000-0000-0000-000000000abc","slot":"vision-0","fence":"1.00000000-0000-0000-0000-000000000007.3-0000beef.1"}}"#);
    let of = CapId { source: "rest".into(), name: "memory".into(), unit: String::new() };
    assert_snapshot!(written(&Lease { of, amount: u64::MAX, holder: key() }), @r#"{"v":2,"source":"rest","name":"memory","amount":18446744073709551615,"holder":{"service":"00000000-0000-0000-0000-000000000abc","slot":"vision-0","fence":"1.00000000-0000-0000-0000-000000000007.3-0000beef.1"}}"#);
    assert_snapshot!(written(&key()), @r#"{"v":2,"service":"00000000-0000-0000-0000-000000000abc","slot":"vision-0","fence":"1.00000000-0000-0000-0000-000000000007.3-0000beef.1"}"#);
}

#[test]
fn needs_of_every_kind() {
    let value = |text: &str, number| Literal { text: text.into(), number };
    let tests = vec![
        ("size".into(), Test::Compares(Comparison::AtLeast, value("512 MB", Some(512_000_000)))),
        ("width".into(), Test::Between(value("1", Some(1)), value("9", Some(9)))),
        ("vendor".into(), Test::OneOf(vec![value("acme", None)])),
        ("model".into(), Test::Matches("cc2*".into())),
        ("version".into(), Test::Version(vec![(Comparison::Less, "3".into())])),
    ];
    let camera = Need::Has(Requirement { tests, ..Requirement::named("camera") });
    let name = |name: &str| Need::Has(Requirement::named(name));
    let mut image = plain();
    image.need =
        Need::Any(vec![camera, Need::Not(Box::new(name("gpu"))), Need::All(vec![name("usb")])]).into();
    let mut record = record();
    record.revision = revision(1, vec![image]);
    let text = written(&record);
    let need = text.split_once(r#""need":"#).and_then(|(_, rest)| rest.split_once(r#","params""#));
    assert_snapshot!(need.expect("a need").0, @r#"{"any":[{"has_where":[{"name":"camera","take":"one"},[{"prop":"size","test":{"compares":["ge",{"text":"512 MB","number":512000000}]}},{"prop":"width","test":{"between":[{"text":"1","number":1},{"text":"9","number":9}]}},{"prop":"vendor","test":{"one_of":[{"text":"acme"}]}},{"prop":"model","test":{"matches":"cc2*"}},{"prop":"version","test":{"version":[["lt","3"]]}}]]},{"not":{"has":{"name":"gpu","take":"one"}}},{"all":[{"has":{"name":"usb","take":"one"}}]}]}"#);
}

#[test]
fn a_given_capability() {
    let id = |name: &str, unit: &str| CapId { source: "rest".into(), name: name.into(), unit: unit.into() };
    let props = BTreeMap::from([
        ("count".into(), Scalar::Integer(-3)),
        ("serial".into(), Scalar::Text("007".into())),
        ("usb".into(), Scalar::Bool(true)),
    ]);
    let zigbee = Capability {
        id: id("zigbee", "A1"),
        kind: "hardware".into(),
        props,
        supply: Supply::Exclusive,
        binding: Some("/dev/ttyUSB0".into()),
    };
    assert_snapshot!(written(&zigbee), @r#"{"v":2,"source":"rest","name":"zigbee","unit":"A1","kind":"hardware","props":{"count":-3,"serial":"007","usb":true},"supply":"exclusive","binding":"/dev/ttyUSB0"}"#);
    let seats = Capability {
        id: id("seats", ""),
        kind: "resource".into(),
        props: BTreeMap::new(),
        supply: Supply::Amount(12),
        binding: None,
    };
    assert_snapshot!(written(&seats), @r#"{"v":2,"source":"rest","name":"seats","kind":"resource","supply":{"amount":12}}"#);
}

#[test]
fn event_kinds_by_their_stable_text() {
    for kind in EventKind::ALL {
        assert_eq!(event_kind(kind.as_str()).expect("a kind"), *kind);
    }
    assert_snapshot!(event_kind("danced").expect_err("unknown"), @r#""danced" is not a kind of event this version of Motey knows"#);
}

#[test]
fn unknown_fields_are_passed_over() {
    let text = written(&record()).replace(r#""desired""#, r#""mood":{"deep":[1,{}]},"desired""#);
    assert!(text.contains("mood"));
    assert_eq!(decode::<ServiceRecord>(text.as_bytes()).expect("readable"), record());
}

#[test]
fn an_unknown_version_is_refused_whatever_else_it_holds() {
    let error = decode::<ServiceRecord>(br#"{"v":3,"something":"else"}"#).expect_err("newer");
    assert!(matches!(error, CodecError::UnknownVersion { found: 3, .. }));
    assert_snapshot!(error, @"this service record is written in form 3, but this version of Motey reads forms up to 2: update it");
}

#[test]
fn what_is_not_such_a_document_is_refused_with_its_place() {
    for (text, why) in [
        ("", "EOF while parsing a value at line 1 column 0"),
        ("{}", "missing field `v` at line 1 column 2"),
        (r#"{"v":1}"#, "missing field `service` at line 1 column 7"),
        (
            r#"{"v":1,"service":"00000000-0000-0000-0000-000000000abc","slot":"vision","fence":""}"#,
            "\"vision\" is not a slot (image-ordinal or image@node) at line 1 column 71",
        ),
    ] {
        let error = decode::<InstanceKey>(text.as_bytes()).expect_err(text);
        assert_eq!(error.to_string(), "this is not a key of an instance as Motey writes it");
        let CodecError::Malformed { source, .. } = error else { panic!("{text}") };
        assert_eq!(source.to_string(), why);
    }
}

#[test]
fn needs_are_written_only_as_deep_as_they_can_be_read() {
    let nested = |levels: usize| {
        let mut image = plain();
        for _ in 1..levels {
            image.need = Need::All(vec![image.need.into()]).into();
        }
        let mut record = record();
        record.revision = revision(2, vec![image]);
        record
    };
    written(&nested(MAX_NEED_DEPTH));
    assert_snapshot!(encode(&nested(MAX_NEED_DEPTH + 1)).expect_err("too deep"), @"the needs of image plain are nested deeper than 32 levels: flatten them");
}
