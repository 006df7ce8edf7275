//! What people give to a node and take back: what it means, and what is said about mistakes.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use motey_blueprint::{MAX_PROPERTIES, MAX_PROPERTY, offers, withdrawals};
use motey_core::capability::{CapId, Capability, Named, Scalar, Supply};

fn given(text: &str) -> Vec<Capability> {
    offers("rest", text.as_bytes()).unwrap_or_else(|refused| panic!("{refused}"))
}

fn refused(text: &str) -> String {
    offers("rest", text.as_bytes()).expect_err("a mistake").to_string()
}

fn plain(name: &str, kind: &str, supply: Supply) -> Capability {
    let id = CapId { source: "rest".into(), name: name.into(), unit: String::new() };
    Capability { id, kind: kind.into(), props: BTreeMap::new(), supply, binding: None }
}

#[test]
fn the_two_keys_of_the_thesis_are_enough() {
    let text = r#"[{"capability": "zigbee", "capability_type": "hardware"}]"#;
    assert_eq!(given(text), [plain("zigbee", "hardware", Supply::Shared)]);
    assert_eq!(given("[]"), []);
    let named = withdrawals(text.as_bytes()).expect("it is right");
    let kind = Some("hardware".into());
    assert_eq!(named, [Named { name: "zigbee".into(), unit: String::new(), kind }]);
    let text = r#"[{"capability": "zigbee", "unit": "A1", "exclusive": true}]"#;
    let named = withdrawals(text.as_bytes()).expect("it is right");
    assert_eq!(named, [Named { name: "zigbee".into(), unit: "A1".into(), kind: None }]);
}

#[test]
fn everything_that_can_be_said() {
    let text = r#"[
        {"capability": "zigbee", "capability_type": "hardware", "unit": "A1", "exclusive": true,
         "binding": "/dev/ttyUSB0",
         "properties": {"usb": true, "channels": 16, "offset": -3, "firmware": "7.4", "flash": "512 kB",
                        "serial": "007", "range": "30 m"}},
        {"capability": "zigbee", "type": "hardware", "unit": "A2", "exclusive": false},
        {"capability": "memory", "capability_type": "resource", "amount": "1.5 GB"},
        {"capability": "cpu", "capability_type": "resource", "amount": 0.5},
        {"capability": "seats", "capability_type": "licence", "amount": 12}
    ]"#;
    let mut zigbee = plain("zigbee", "hardware", Supply::Exclusive);
    zigbee.id.unit = "A1".into();
    zigbee.binding = Some("/dev/ttyUSB0".into());
    zigbee.props = BTreeMap::from([
        ("usb".into(), Scalar::Bool(true)),
        ("channels".into(), Scalar::Integer(16)),
        ("offset".into(), Scalar::Integer(-3)),
        ("firmware".into(), Scalar::Text("7.4".into())),
        ("flash".into(), Scalar::Integer(512_000)),
        ("serial".into(), Scalar::Text("007".into())),
        ("range".into(), Scalar::Text("30 m".into())),
    ]);
    let mut other = plain("zigbee", "hardware", Supply::Shared);
    other.id.unit = "A2".into();
    let expected = [
        zigbee,
        other,
        plain("memory", "resource", Supply::Amount(1_500_000_000)),
        plain("cpu", "resource", Supply::Amount(500)),
        plain("seats", "licence", Supply::Amount(12)),
    ];
    assert_eq!(given(text), expected);
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let text = r#"[
  {"capability": "zigbee"},
  {"capability": "", "capability_type": 7, "binding": "ttyUSB0"},
  {"capability": "memory", "capability_type": "resource", "amount": "512m"},
  {"capability": "gps", "capability_type": "hardware", "amount": 2, "exclusive": true},
  {"capability": "gps", "capability_type": "hardware", "exclusive": "yes"},
  {"capability": "seats", "capability_type": "licence", "amount": 0, "name": "x", "propertys": {}},
  {"capability": "a", "capability_type": "b", "properties": {"f": 1.5, "n": null, "l": [], " ": 1}},
  {"capability": "twice", "capability_type": "b"},
  {"capability": "twice", "capability_type": "c"},
  "zigbee"
]"#;
    assert_snapshot!(refused(text), @r#"2:3 [0].capability_type: `capability_type` is missing: add it
3:18 [1].capability: "" is not a valid capability or type: 1 to 128 characters, no control characters, no spaces around it
3:41 [1].capability_type: must be text, is 7: put it in double quotes
3:55 [1].binding: "ttyUSB0" is no path such as /dev/ttyUSB0: write it from the root on, in at most 4095 bytes
4:69 [2].amount: the unit "m" is ambiguous: write MB (10⁶) or MiB (2²⁰)
5:66 [3].amount: what is exclusive has no amount: keep one of the two
6:69 [4].exclusive: must be `true` or `false`, without quotes, is the text "yes"
7:67 [5].amount: an amount of nothing: write more, or take the capability back
7:70 [5].name: the key "name" is not known: in an entry there may be `capability`, `capability_type`, `unit`, `exclusive`, `amount`, `properties` or `binding`
7:83 [5].propertys: the key "propertys" is not known: did you mean `properties`?
8:67 [6].properties.f: 1.5 is no whole number of 64 bits: put it in double quotes
8:77 [6].properties.n: must be text, is empty
8:88 [6].properties.l: must be text, is a list
8:92 [6].properties[" "]: " " is not a valid name of a property: 1 to 128 characters, no control characters, no spaces around it
10:3 [8]: this capability is here twice: keep one, or give each a `unit`
11:3 [9]: must be a map, is the text "zigbee""#);
    assert_snapshot!(withdrawals(br#"[{"unit": "a"}]"#).expect_err("a mistake"), @"1:2 [0].capability: `capability` is missing: add it");
}

#[test]
fn what_is_no_list_is_told_what_a_list_looks_like() {
    assert_snapshot!(refused(""), @r#"1:1 there is nothing here: send a list such as [{"capability": "zigbee", "capability_type": "hardware"}]"#);
    assert_snapshot!(refused("{}"), @r#"1:1 must be a list such as [{"capability": "zigbee", "capability_type": "hardware"}], is a map"#);
    assert_snapshot!(refused("null"), @r#"1:1 must be a list such as [{"capability": "zigbee", "capability_type": "hardware"}], is empty"#);
    assert_snapshot!(refused("[{]"), @"1:3 not valid JSON: key must be a string");
}

#[test]
fn there_is_a_most_of_everything() {
    let one = |properties: &str| {
        format!(r#"[{{"capability": "a", "capability_type": "b", "properties": {{{properties}}}}}]"#)
    };
    let many =
        |count: usize| one(&(0..count).map(|n| format!(r#""p{n}": {n}"#)).collect::<Vec<_>>().join(", "));
    assert_eq!(given(&many(MAX_PROPERTIES))[0].props.len(), MAX_PROPERTIES);
    assert!(refused(&many(MAX_PROPERTIES + 1)).contains("33 properties are too many"));
    let long = |length: usize| one(&format!(r#""p": "{}""#, "x".repeat(length)));
    assert_eq!(given(&long(MAX_PROPERTY)).len(), 1);
    assert!(refused(&long(MAX_PROPERTY + 1)).contains("longer than 1024 characters"));
    let name = "x".repeat(129);
    assert!(
        refused(&format!(r#"[{{"capability": "{name}", "capability_type": "b"}}]"#)).contains("1 to 128")
    );
}
