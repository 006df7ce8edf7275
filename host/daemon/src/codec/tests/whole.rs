//! Whatever record the core can hold reads back as it was.

use std::sync::Arc;

use motey_core::Standing;
use motey_core::capability::{CapId, Capability, Lease, Scalar, Supply};
use motey_core::id::{EngineName, ImageKey, NodeId, PortName, ServiceId, ServiceName, VolumeName};
use motey_core::peer::{Duty, Forgotten};
use motey_core::reason::{Code, Reason};
use motey_core::record::{
    Assignment, Desired, Dismissed, Ended, Fence, Former, Home, Incarnation, InstanceKey, Place, Revision,
    RevisionOrder, ServiceRecord, SlotId, Stamp,
};
use motey_core::spec::{
    Comparison, Format, Health, ImageSpec, Literal, Mount, MountSource, Need, Neighbours, OnLoss, OnNodeLoss,
    Params, Port, Probe, Protocol, Ready, Replicas, Requirement, Restart, Run, Source, Spec, StopRule, Take,
    Test, Use,
};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

use crate::codec::{decode, encode};

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn records_read_back_as_they_were(record in record()) {
        let text = encode(&record).expect("it can be written");
        let one_line = text.starts_with(r#"{"v":2,"#) && !text.contains('\n');
        prop_assert!(one_line, "{}", text);
        prop_assert_eq!(decode::<ServiceRecord>(text.as_bytes()).expect("it can be read"), record);
    }

    #[test]
    fn leases_and_keys_read_back_as_they_were(lease in lease()) {
        let text = encode(&lease).expect("it can be written");
        prop_assert_eq!(&decode::<Lease>(text.as_bytes()).expect("it can be read"), &lease);
        let text = encode(&lease.holder).expect("it can be written");
        prop_assert_eq!(decode::<InstanceKey>(text.as_bytes()).expect("it can be read"), lease.holder);
    }

    #[test]
    fn revisions_and_standings_read_back_as_they_were(revision in revision(), standing in standing()) {
        let text = encode(&revision).expect("it can be written");
        prop_assert_eq!(decode::<Revision>(text.as_bytes()).expect("it can be read"), revision);
        let text = encode(&standing).expect("it can be written");
        prop_assert_eq!(decode::<Standing>(text.as_bytes()).expect("it can be read"), standing);
    }

    #[test]
    fn capabilities_read_back_as_they_were(capability in capability()) {
        let text = encode(&capability).expect("it can be written");
        prop_assert_eq!(decode::<Capability>(text.as_bytes()).expect("it can be read"), capability);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in ".*") {
        prop_assert!(decode::<ServiceRecord>(text.as_bytes()).is_err());
    }
}

fn record() -> impl Strategy<Value = ServiceRecord> {
    let who = (any::<u128>(), name(), select(vec![Desired::Running, Desired::Stopped, Desired::Absent]));
    let what = (stamp(), revision(), option::of(revision().prop_map(Arc::new)));
    let home = (node(), option::of(fence())).prop_map(|(node, only)| Home { node, only });
    let slots = (
        (btree_map(slot(), assignment(), 0..3), btree_map(volume(), home, 0..3)),
        btree_set(dismissed(), 0..3),
        (vec(node(), 0..4), option::of(node()), any::<bool>()),
        btree_map(slot(), ended(), 0..3),
    );
    (who, what, slots).prop_map(|((id, name, desired), what, slots)| {
        let (stamp, revision, previous) = what;
        let ((slots, homes), dismissed, (holders, heir, unproven), ended) = slots;
        let stamp = Stamp { absent: desired == Desired::Absent, ..stamp };
        let id = ServiceId(Uuid::from_u128(id));
        ServiceRecord {
            id,
            name,
            desired,
            stamp,
            revision,
            previous,
            slots,
            dismissed,
            homes,
            holders,
            heir,
            unproven,
            ended,
        }
    })
}

fn capability() -> impl Strategy<Value = Capability> {
    let value = prop_oneof![
        any::<bool>().prop_map(Scalar::Bool),
        any::<i64>().prop_map(Scalar::Integer),
        ".*".prop_map(Scalar::Text),
    ];
    let supply =
        prop_oneof![Just(Supply::Shared), Just(Supply::Exclusive), any::<u64>().prop_map(Supply::Amount),];
    let id = (".*", ".*", ".*").prop_map(|(source, name, unit)| CapId { source, name, unit });
    let rest = (".*", btree_map(".*", value, 0..3), supply, option::of(".*"));
    (id, rest).prop_map(|(id, (kind, props, supply, binding))| Capability {
        id,
        kind,
        props,
        supply,
        binding,
    })
}

fn lease() -> impl Strategy<Value = Lease> {
    let of = (".*", ".*", ".*").prop_map(|(source, name, unit)| CapId { source, name, unit });
    let holder = (any::<u128>(), slot(), fence()).prop_map(|(id, slot, fence)| InstanceKey {
        service: ServiceId(Uuid::from_u128(id)),
        slot,
        fence,
    });
    (of, any::<u64>(), holder).prop_map(|(of, amount, holder)| Lease { of, amount, holder })
}

fn name() -> impl Strategy<Value = ServiceName> {
    r"\PC{1,128}".prop_filter_map("a control character", |text| ServiceName::new(&text).ok())
}

fn node() -> impl Strategy<Value = NodeId> {
    any::<u128>().prop_map(|id| NodeId(Uuid::from_u128(id)))
}

fn writer() -> impl Strategy<Value = Incarnation> {
    (any::<u64>(), any::<u32>()).prop_map(|(count, nonce)| Incarnation { count, nonce })
}

fn stamp() -> impl Strategy<Value = Stamp> {
    (any::<u64>(), node(), writer(), any::<u64>()).prop_map(|(epoch, owner, writer, version)| Stamp {
        absent: false,
        epoch,
        owner,
        writer,
        version,
    })
}

fn image_key() -> impl Strategy<Value = ImageKey> {
    "[a-z0-9-]{1,40}".prop_map(|text| text.parse().expect("a key"))
}

fn engine() -> impl Strategy<Value = EngineName> {
    "[a-z0-9_.-]{1,64}".prop_map(|text| text.parse().expect("an engine"))
}

fn slot() -> impl Strategy<Value = SlotId> {
    let place = prop_oneof![any::<u16>().prop_map(Place::Ordinal), node().prop_map(Place::On)];
    (image_key(), place).prop_map(|(image, place)| SlotId { image, place })
}

fn fence() -> impl Strategy<Value = Fence> {
    (any::<u64>(), node(), writer(), any::<u64>()).prop_map(|(epoch, owner, writer, n)| Fence {
        epoch,
        owner,
        writer,
        n,
    })
}

fn assignment() -> impl Strategy<Value = Assignment> {
    (former(), any::<bool>(), option::of(former().prop_map(Box::new))).prop_map(|(now, pinned, from)| {
        let Former { node, engine, fence, revision } = now;
        Assignment { node, engine, fence, revision, pinned, from }
    })
}

fn former() -> impl Strategy<Value = Former> {
    (node(), engine(), fence(), order()).prop_map(|(node, engine, fence, revision)| Former {
        node,
        engine,
        fence,
        revision,
    })
}

fn dismissed() -> impl Strategy<Value = Dismissed> {
    (slot(), fence(), node(), engine()).prop_map(|(slot, fence, node, engine)| Dismissed {
        slot,
        fence,
        node,
        engine,
    })
}

fn ended() -> impl Strategy<Value = Ended> {
    let gave_up = (select(Code::ALL), ".*").prop_map(|(code, text)| Ended::GaveUp(Reason { code, text }));
    prop_oneof![Just(Ended::Succeeded), gave_up]
}

fn order() -> impl Strategy<Value = RevisionOrder> {
    (any::<u32>(), any::<u64>(), node(), writer()).prop_map(|(number, epoch, owner, writer)| RevisionOrder {
        number,
        epoch,
        owner,
        writer,
    })
}

fn revision() -> impl Strategy<Value = Revision> {
    let scaled = btree_map(image_key(), any::<u16>(), 0..3);
    (order(), spec(), scaled, vec(order(), 0..3)).prop_map(|(order, spec, scaled, since)| Revision {
        order,
        spec: Arc::new(spec),
        scaled,
        since,
    })
}

fn standing() -> impl Strategy<Value = Standing> {
    let duty = select(vec![Duty::Operate, Duty::Cordon, Duty::Drain]);
    let graves = btree_map(any::<u128>(), any::<u64>(), 0..4);
    let all = (duty, btree_map(any::<u128>(), any::<u32>(), 0..4), any::<u64>(), graves);
    all.prop_map(|(duty, counts, ran, graves)| {
        let counts = counts.into_iter().map(|(node, words)| (NodeId(Uuid::from_u128(node)), words));
        let graves = graves.into_iter().map(|(service, since)| (ServiceId(Uuid::from_u128(service)), since));
        Standing { duty, forgotten: Forgotten::from_counts(counts), ran, graves: Arc::new(graves.collect()) }
    })
}

fn spec() -> impl Strategy<Value = Spec> {
    let source = (select(vec![Format::Yaml, Format::Json]), "(.|\n)*")
        .prop_map(|(format, text)| Source { format, text: text.into() });
    let loss = select(vec![OnNodeLoss::Reschedule, OnNodeLoss::Wait]);
    (vec(image().prop_map(Arc::new), 0..3), loss, source).prop_map(|(images, on_node_loss, source)| Spec {
        images,
        on_node_loss,
        source,
    })
}

fn image() -> impl Strategy<Value = ImageSpec> {
    let replicas = prop_oneof![any::<u16>().prop_map(Replicas::Count), Just(Replicas::EveryNode)];
    let what = (image_key(), ".*", vec(engine(), 0..3), replicas);
    let ready = select(vec![Ready::Started, Ready::Healthy, Ready::Completed]);
    let life = (
        select(vec![Run::Service, Run::Job]),
        vec((image_key(), ready), 0..3),
        select(vec![Restart::Always, Restart::OnFailure, Restart::Never]),
        option::of(health()),
        select(vec![OnLoss::Keep, OnLoss::Stop, OnLoss::Move]),
    );
    let keys = || btree_set(image_key(), 0..3);
    let neighbours = (keys(), keys()).prop_map(|(near, apart)| Neighbours { near, apart });
    let neighbours = (neighbours, vec(used(), 0..3));
    (what, need(), params(), life, neighbours).prop_map(|(what, need, params, life, (neighbours, uses))| {
        let ((key, image, engines, replicas), (run, after, restart, health, on_loss)) = (what, life);
        let need = need.into();
        ImageSpec {
            key,
            image,
            engines,
            replicas,
            need,
            params,
            uses,
            run,
            after,
            restart,
            health,
            on_loss,
            neighbours,
        }
    })
}

fn used() -> impl Strategy<Value = Use> {
    (image_key(), port_name(), any::<u16>()).prop_map(|(image, port, number)| Use { image, port, number })
}

fn health() -> impl Strategy<Value = Health> {
    let http = (any::<u16>(), ".*").prop_map(|(port, path)| Probe::Http { port, path });
    let probe = prop_oneof![any::<u16>().prop_map(|port| Probe::Tcp { port }), http];
    let spans = (any::<u64>(), any::<u64>(), any::<u64>());
    (probe, spans, any::<u32>()).prop_map(|(probe, (interval, timeout, start), retries)| Health {
        probe,
        interval,
        timeout,
        retries,
        start,
    })
}

fn need() -> impl Strategy<Value = Need> {
    let take = prop_oneof![Just(Take::One), any::<u64>().prop_map(Take::Amount)];
    let has = (".*", option::of(".*"), vec((".*", test()), 0..3), take)
        .prop_map(|(name, kind, tests, take)| Need::Has(Requirement { name, kind, tests, take }));
    has.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Need::All),
            vec(inner.clone(), 0..4).prop_map(Need::Any),
            inner.prop_map(|need| Need::Not(Box::new(need))),
        ]
    })
}

fn test() -> impl Strategy<Value = Test> {
    use Comparison::{AtLeast, AtMost, Different, Equal, Less, More};
    let literal = || (".*", option::of(any::<i64>())).prop_map(|(text, number)| Literal { text, number });
    let how = || select(vec![Equal, Different, Less, AtMost, More, AtLeast]);
    prop_oneof![
        (how(), literal()).prop_map(|(how, value)| Test::Compares(how, value)),
        (literal(), literal()).prop_map(|(least, most)| Test::Between(least, most)),
        vec(literal(), 0..3).prop_map(Test::OneOf),
        ".*".prop_map(Test::Matches),
        vec((how(), ".*"), 0..3).prop_map(Test::Version),
    ]
}

fn params() -> impl Strategy<Value = Params> {
    let stop = (option::of(".*"), any::<u64>()).prop_map(|(signal, grace)| StopRule { signal, grace });
    let source = prop_oneof![volume().prop_map(MountSource::Volume), ".*".prop_map(MountSource::Path)];
    let mount = (source, ".*", any::<bool>()).prop_map(|(source, target, read_only)| Mount {
        source,
        target,
        read_only,
    });
    let what = (vec(".*", 0..3), btree_map(".*", ".*", 0..3), option::of(".*"));
    let seen = (vec(mount, 0..3), vec(port(), 0..3));
    (what, stop, seen).prop_map(|((command, environment, working_dir), stop, (mounts, ports))| Params {
        command,
        environment,
        working_dir,
        stop,
        mounts,
        ports: ports.into(),
    })
}

fn port() -> impl Strategy<Value = Port> {
    let protocol = prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp)];
    (port_name(), any::<u16>(), any::<u16>(), protocol).prop_map(|(name, container, host, protocol)| Port {
        name,
        container,
        host,
        protocol,
    })
}

fn port_name() -> impl Strategy<Value = PortName> {
    "[a-z0-9-]{1,40}".prop_filter_map("a name", |text| PortName::new(&text).ok())
}

fn volume() -> impl Strategy<Value = VolumeName> {
    "[a-zA-Z0-9][a-zA-Z0-9_.-]{0,20}".prop_filter_map("a name", |text| VolumeName::new(&text).ok())
}
