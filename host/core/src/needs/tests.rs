//! What a node satisfies, what that takes, and in which words it does not.

use super::*;
use crate::capability::{Scalar, Supply};
use crate::id::NodeId;
use crate::spec::{Comparison, Literal, Need, Protocol, Requirement, Take, Test};

fn capability(name: &str, unit: &str, supply: Supply) -> Capability {
    let id = CapId { source: "test".into(), name: name.into(), unit: unit.into() };
    Capability { id, kind: "hardware".into(), props: BTreeMap::new(), supply, binding: None }
}

fn with<const N: usize>(capability: Capability, props: [(&str, Scalar); N]) -> Capability {
    Capability { props: props.map(|(name, value)| (name.to_owned(), value)).into(), ..capability }
}

fn text(text: &str) -> Scalar {
    Scalar::Text(text.into())
}

fn host() -> Host<'static> {
    let name = "fog-1".parse().ok();
    Host { called: Called { node: NodeId(uuid::Uuid::nil()), name }, holder: &|_| None }
}

fn has(name: &str, take: Take) -> Need {
    Need::Has(Requirement { take, ..Requirement::named(name) })
}

fn name(name: &str) -> Need {
    has(name, Take::One)
}

fn not(need: Need) -> Need {
    Need::Not(Box::new(need))
}

fn tested(name: &str, prop: &str, test: Test) -> Need {
    Need::Has(Requirement { tests: vec![(prop.into(), test)], ..Requirement::named(name) })
}

fn compared(how: Comparison, text: &str, number: impl Into<Option<i64>>) -> Test {
    Test::Compares(how, Literal { text: text.into(), number: number.into() })
}

fn version(bounds: &[(Comparison, &str)]) -> Test {
    Test::Version(bounds.iter().map(|(how, version)| (*how, (*version).to_owned())).collect())
}

/// What a need takes of a node of which that much is held, or what is wrong, in words.
fn told(need: Need, capabilities: &[Capability], held: &[(&Capability, u64)]) -> Result<Taken, Vec<String>> {
    let capabilities: Vec<&Capability> = capabilities.iter().collect();
    let held: Taken = held.iter().map(|(of, amount)| (of.id.clone(), *amount)).collect();
    let offer = Offer { capabilities: &capabilities, held: &held, credit: &Taken::new() };
    let unmet = |unmet: Vec<Reason>| unmet.into_iter().map(|reason| reason.text).collect();
    satisfy(&[Needs::from(need).goals()], &offer, &host()).map_err(unmet)
}

fn taken<const N: usize>(units: [(&Capability, u64); N]) -> Result<Taken, Vec<String>> {
    Ok(units.map(|(of, amount)| (of.id.clone(), amount)).into())
}

fn refused<const N: usize>(texts: [&str; N]) -> Result<Taken, Vec<String>> {
    Err(texts.map(str::to_owned).into())
}

#[test]
fn two_needs_of_one_kind_take_two_units() {
    let [a, b] = ["a", "b"].map(|unit| capability("zigbee", unit, Supply::Exclusive));
    let twice = Need::All(vec![name("zigbee"), name("zigbee")]);
    let both = [a.clone(), b.clone()];
    assert_eq!(told(twice.clone(), &both, &[]), taken([(&a, 1), (&b, 1)]));
    assert_eq!(told(twice, &both, &[(&a, 1)]), refused(["fog-1: zigbee is taken by another instance"]));
}

#[test]
fn whoever_has_another_choice_moves_over() {
    let [a, b, c] = ["a", "b", "c"].map(|unit| capability("camera", unit, Supply::Exclusive));
    let all = [
        with(a, [("wide", Scalar::Bool(true)), ("night", Scalar::Bool(true))]),
        with(b, [("wide", Scalar::Bool(true)), ("night", Scalar::Bool(false))]),
        with(c, [("wide", Scalar::Bool(false)), ("night", Scalar::Bool(true))]),
    ];
    let yes = |prop| tested("camera", prop, compared(Comparison::Equal, "true", None));
    let any_two_and_b = Need::All(vec![yes("wide"), yes("night"), yes("wide")]);
    assert_eq!(told(any_two_and_b, &all, &[]), taken([(&all[0], 1), (&all[1], 1), (&all[2], 1)]));
    let three_wide = Need::All(vec![yes("wide"), yes("wide"), yes("wide")]);
    assert_eq!(told(three_wide, &all, &[]), refused(["fog-1: camera is taken by another instance"]));
}

#[test]
fn an_earlier_choice_is_taken_back_when_it_leads_nowhere() {
    let [gpu, npu] = ["gpu", "npu"].map(|name| capability(name, "", Supply::Exclusive));
    let either = Need::Any(vec![name("gpu"), name("npu")]);
    let offered = [gpu.clone(), npu.clone()];
    assert_eq!(told(either.clone(), &offered, &[]), taken([(&gpu, 1)]), "the first that works");
    let both = Need::All(vec![either.clone(), name("gpu")]);
    assert_eq!(told(both, &offered, &[]), taken([(&gpu, 1), (&npu, 1)]));
    let all = Need::All(vec![either.clone(), either.clone(), either.clone()]);
    assert!(told(all, &offered, &[]).is_err());
    let why = "none of 2 choices is met: fog-1: gpu is taken by another instance, and nothing offers the capability npu";
    assert_eq!(told(either, std::slice::from_ref(&gpu), &[(&gpu, 1)]), refused([why]));
    assert_eq!(told(Need::Any(vec![]), &offered, &[]), refused(["none of 0 choices is met: "]));
}

#[test]
fn amounts_are_spread_over_units_where_they_fit() {
    let [small, large] =
        [("small", 60), ("large", 100)].map(|(unit, all)| capability("disk", unit, Supply::Amount(all)));
    let offered = [large.clone(), small.clone()];
    let three = |amounts: [u64; 3]| Need::All(amounts.map(|amount| has("disk", Take::Amount(amount))).into());
    assert_eq!(told(three([60, 50, 50]), &offered, &[]), taken([(&large, 100), (&small, 60)]));
    assert!(told(three([60, 51, 50]), &offered, &[]).is_err());
    let two = Need::All(vec![has("disk", Take::Amount(60)), has("disk", Take::Amount(90))]);
    assert_eq!(told(two.clone(), &offered, &[(&large, 10)]), taken([(&large, 90), (&small, 60)]));
    assert!(told(two, &offered, &[(&small, 1)]).is_err());
}

#[test]
fn what_is_used_is_still_there() {
    let gpu = capability("gpu", "", Supply::Exclusive);
    let memory = capability("memory", "", Supply::Amount(100));
    let (gpus, memories) = ([gpu.clone()], [memory.clone()]);
    assert_eq!(told(not(name("gpu")), &[], &[]), taken([]));
    assert_eq!(told(not(name("gpu")), &gpus, &[(&gpu, 1)]), refused(["gpu is there and must not be"]));
    assert_eq!(told(not(not(name("gpu"))), &gpus, &[(&gpu, 1)]), taken([]));
    let much = not(has("memory", Take::Amount(101)));
    assert_eq!(told(much, &memories, &[(&memory, 100)]), taken([]));
    let both = not(Need::All(vec![name("gpu"), Need::Any(vec![name("memory"), name("disk")])]));
    let offered = [gpu, memory];
    assert_eq!(
        told(both.clone(), &offered, &[]),
        refused(["gpu and memory or disk is there and must not be"])
    );
    assert_eq!(told(both, &gpus, &[]), taken([]));
}

#[test]
fn every_unmet_need_is_said() {
    let memory = capability("memory", "", Supply::Amount(100));
    let need = Need::All(vec![has("memory", Take::Amount(71)), name("zigbee")]);
    let why = ["71 B of memory are wanted, 70 B of 100 B are free", "nothing offers the capability zigbee"];
    assert_eq!(told(need, std::slice::from_ref(&memory), &[(&memory, 30)]), refused(why));
    assert_eq!(told(name("memory"), std::slice::from_ref(&memory), &[(&memory, 100)]), taken([]));
    let typed = Need::Has(Requirement { kind: Some("radio".into()), ..Requirement::named("memory") });
    assert_eq!(told(typed, &[memory], &[]), refused(["nothing offers the radio capability memory"]));
}

#[test]
fn properties_that_are_not_as_wanted_are_said_in_their_units() {
    use Comparison::{AtLeast, Different, Equal, Less};
    let memory = capability("memory", "", Supply::Amount(256_000_000));
    let camera = with(
        capability("camera", "", Supply::Shared),
        [("width", Scalar::Integer(1280)), ("vendor", text("acme")), ("buffer", Scalar::Integer(2_500_000))],
    );
    let docker = with(capability("docker", "", Supply::Shared), [("version", text("20.10.5"))]);
    let line = with(capability("line", "", Supply::Shared), [("is", text("8"))]);
    let offered = [memory, camera, docker, line];
    for (need, why) in [
        (
            tested("memory", "size", compared(AtLeast, "512 MB", 512_000_000)),
            "memory: 512 MB or more is wanted, fog-1 has 256 MB",
        ),
        (
            tested("camera", "width", compared(AtLeast, "1920", 1920)),
            "camera: width 1920 or more is wanted, fog-1 has 1280",
        ),
        (
            tested("camera", "buffer", compared(Less, "1 MB", 1_000_000)),
            "camera: buffer less than 1 MB is wanted, fog-1 has 2.5 MB",
        ),
        (
            tested("camera", "vendor", compared(Different, "acme", None)),
            "camera: vendor anything but acme is wanted, fog-1 has acme",
        ),
        (
            tested("camera", "colour", compared(Different, "acme", None)),
            "camera: colour anything but acme is wanted, fog-1 does not tell",
        ),
        (
            tested("docker", "version", version(&[(AtLeast, "24"), (Less, "28")])),
            "docker: version >= 24, < 28 is wanted, fog-1 has 20.10.5",
        ),
        (tested("line", "is", compared(Equal, "7", 7)), "line: 7 is wanted, fog-1 has 8"),
        (not(tested("line", "is", compared(Equal, "8", 8))), "line (is 8) is there and must not be"),
        (has("camera", Take::Amount(3)), "camera has no amount"),
    ] {
        assert_eq!(told(need, &offered, &[]), refused([why]));
    }
}

#[test]
fn tests_hold_by_what_the_property_is() {
    use Comparison::{AtMost, Different, Equal, Less, More};
    let literal = |text: &str, number| Literal { text: text.into(), number };
    let of = |name: &str| tested("x", name, compared(Equal, "7", 7));
    let props = [
        ("int", Scalar::Integer(7)),
        ("text", text("7")),
        ("other", text("07")),
        ("bool", Scalar::Bool(true)),
        ("model", text("cc2531-rev4")),
    ];
    let offered = [with(capability("x", "", Supply::Shared), props)];
    let fits = |need| told(need, &offered, &[]).is_ok();
    assert!(fits(of("int")) && fits(of("text")) && !fits(of("other")) && !fits(of("bool")));
    assert!(!fits(tested("x", "text", compared(AtMost, "8", 8))), "a text is no number");
    assert!(
        fits(tested("x", "int", compared(Less, "8", 8))) && !fits(tested("x", "int", compared(More, "7", 7)))
    );
    assert!(fits(tested("x", "bool", compared(Equal, "true", None))));
    assert!(fits(tested("x", "bool", compared(Different, "false", None))));
    assert!(!fits(tested("x", "none", compared(Different, "false", None))));
    let one_of = Test::OneOf(vec![literal("9", Some(9)), literal("7", Some(7))]);
    assert!(fits(tested("x", "int", one_of.clone())) && !fits(tested("x", "other", one_of)));
    let between = |least, most| Test::Between(literal("", Some(least)), literal("", Some(most)));
    assert!(fits(tested("x", "int", between(7, 7))) && !fits(tested("x", "int", between(8, 9))));
    assert!(fits(tested("x", "model", Test::Matches("cc2?3*".into()))));
    assert!(!fits(tested("x", "int", Test::Matches("*".into()))));
    assert!(fits(tested("x", "int", version(&[(AtMost, "7.0"), (More, "6.9.9")]))));
    assert!(
        fits(tested("x", "other", version(&[(Equal, "7")])))
            && !fits(tested("x", "bool", version(&[(More, "0")])))
    );
}

#[test]
fn a_port_is_taken_like_anything_else() {
    let held = CapId { source: "node".into(), name: "port/8080/tcp".into(), unit: String::new() };
    let [first, second] = [8080, 8081].map(|number| [Goal::port(number, Protocol::Tcp)]);
    let offer =
        |taken: &'static Taken| Offer { capabilities: &[], held: taken, credit: const { &Taken::new() } };
    let taken = satisfy(&[&first, &second], &offer(const { &Taken::new() }), &host()).expect("two ports");
    assert_eq!(taken.get(&held), Some(&1));
    let taken: &'static Taken = Box::leak(Box::new(taken));
    let web = Holder { service: "cell-3".parse().expect("a name"), image: "web".parse().expect("a key") };
    let host = Host { holder: &|of| (*of == held).then_some(&web), ..host() };
    let unmet = satisfy(&[&first], &offer(taken), &host).expect_err("it is taken");
    assert_eq!(unmet, [Reason::new(Code::WaitingPort, "fog-1: 8080/tcp is held by cell-3/web")]);
    let other = [Goal::port(8080, Protocol::Udp)];
    assert!(satisfy(&[&other], &offer(taken), &host).is_ok(), "another protocol is another port");
    let by_name = Needs::from(name("port/8080/tcp"));
    assert_eq!(satisfy(&[by_name.goals()], &offer(taken), &host), Err(unmet));
}

#[test]
fn hostile_needs_take_no_time() {
    let units: Vec<Capability> =
        (0..40).map(|n| capability("zigbee", &n.to_string(), Supply::Exclusive)).collect();
    let disks: Vec<Capability> =
        (0..8).map(|n| capability("disk", &n.to_string(), Supply::Amount(10))).collect();
    let either = Need::Any(vec![name("zigbee"), Need::All(vec![name("zigbee"), name("zigbee")])]);
    assert!(told(Need::All(vec![either; 41]), &units, &[]).is_err());
    assert!(told(Need::All(vec![has("disk", Take::Amount(6)); 9]), &disks, &[]).is_err());
    assert!(told(Need::All(vec![name("zigbee"); 40]), &units, &[]).is_ok());
    let wide = Need::All(vec![name("zigbee"); 100_000]);
    assert!(told(wide, &units, &[]).is_err());
    let any = Need::Any(vec![Need::nothing()]);
    assert!(told(Need::All(vec![any; 100_000]), &units, &[]).is_err(), "more choices than are tried");
}
