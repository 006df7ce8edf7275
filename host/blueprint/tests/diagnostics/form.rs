//! What is no blueprint at all: syntax, encoding, bounds, and keys that are unknown, misplaced or there twice.

use insta::assert_snapshot;
use motey_blueprint::parse;
use motey_core::spec::Format;

use crate::{json, yaml};

#[test]
fn nothing() {
    assert_snapshot!(yaml(""), @"missing 1:1 the blueprint is empty: a blueprint is a map with `service_name` and `images`");
    assert_snapshot!(yaml("# a comment\n"), @"missing 1:1 the blueprint is empty: a blueprint is a map with `service_name` and `images`");
    assert_snapshot!(yaml("---\n"), @"missing 1:1 the blueprint is empty: a blueprint is a map with `service_name` and `images`");
    assert_snapshot!(yaml("~\n"), @"missing 1:1 the blueprint is empty: a blueprint is a map with `service_name` and `images`");
    assert_snapshot!(yaml("\u{FEFF}\n"), @"missing 1:1 the blueprint is empty: a blueprint is a map with `service_name` and `images`");
}

#[test]
fn the_top_level_is_no_map() {
    assert_snapshot!(yaml("- service_name: x\n"), @"type 1:1 the top level is a list: a blueprint is a map with `service_name` and `images`");
    assert_snapshot!(yaml("service_name\n"), @r#"type 1:1 the top level is the text "service_name": a blueprint is a map with `service_name` and `images`"#);
}

#[test]
fn an_empty_map_lacks_everything() {
    assert_snapshot!(yaml("{}\n"), @r"
    missing 1:1 service_name: `service_name` is missing: add it
    missing 1:1 images: `images` is missing: add it
    ");
}

#[test]
fn nothing_in_json() {
    assert_snapshot!(json(""), @"missing 1:1 the blueprint is empty: a blueprint is a map with `service_name` and `images`");
    assert_snapshot!(json("null"), @"missing 1:1 the blueprint is empty: a blueprint is a map with `service_name` and `images`");
    assert_snapshot!(json("[]"), @"type 1:1 the top level is a list: a blueprint is a map with `service_name` and `images`");
    assert_snapshot!(json(r#""x""#), @r#"type 1:1 the top level is the text "x": a blueprint is a map with `service_name` and `images`"#);
    assert_snapshot!(json("{}"), @r"
    missing 1:1 service_name: `service_name` is missing: add it
    missing 1:1 images: `images` is missing: add it
    ");
}

#[test]
fn a_tab_in_the_indentation() {
    assert_snapshot!(yaml("service_name: x\nimages:\n\t- name: a\n"), @"syntax 3:1 images: not valid YAML: a tab stands where only spaces may: indent with spaces");
}

#[test]
fn a_bracket_that_is_not_closed() {
    assert_snapshot!(yaml("
service_name: x
images: [{name: a}
"), @"syntax 2:9 images[0]: not valid YAML: unclosed bracket '['");
}

#[test]
fn what_is_whole_before_a_syntax_error_is_checked_too() {
    assert_snapshot!(yaml(r#"
service_name: x
images:
  - name: a
    restrat: never
  - name: b
    engine: "docker
"#), @r#"
    unknown 4:5 images[0].restrat: the key "restrat" is not known: did you mean `restart`?
    syntax 6:13 images[1].engine: not valid YAML: unclosed quote
    "#);
}

#[test]
fn a_colon_in_plain_text() {
    assert_snapshot!(yaml("service_name: foo: bar\n"), @"syntax 1:18 not valid YAML: mapping values are not allowed in this context");
}

#[test]
fn json_syntax() {
    assert_snapshot!(json(r#"{"service_name": "x",}"#), @"syntax 1:22 not valid JSON: key must be a string");
    assert_snapshot!(json("{'service_name': 1}"), @"syntax 1:2 not valid JSON: key must be a string: strings need double quotes");
    assert_snapshot!(json(r#"{"service_name": tru}"#), @"syntax 1:21 not valid JSON: expected a value");
    assert_snapshot!(json(r#"
{"service_name": "x" // why
}"#), @"syntax 1:22 not valid JSON: expected `,` or `}`: JSON has no comments");
    assert_snapshot!(json(r#"{"service_name": "x""#), @"syntax 1:20 not valid JSON: EOF while parsing an object");
    assert_snapshot!(json(r#"{"service_name": "x"} {}"#), @r"
    missing 1:1 images: `images` is missing: add it
    syntax 1:23 not valid JSON: trailing characters
    ");
    assert_snapshot!(json(r#"{"service_name": "\ud800", "images": [{"name": "a"}]}"#), @r#"syntax 1:18 service_name: not valid JSON: half of a surrogate pair (`\uD800` to `\uDFFF`) is no character"#);
}

#[test]
fn what_is_whole_before_a_json_error_is_checked_too() {
    assert_snapshot!(json(r#"
{
  "servicename": "x",
  "images": [{"name": 3}],
}"#), @r#"
    unknown 2:3 servicename: the key "servicename" is not known: did you mean `service_name`?
    type 3:23 images[0].name: must be text, is 3: put it in double quotes
    syntax 4:1 not valid JSON: key must be a string
    "#);
}

#[test]
fn a_second_document() {
    assert_snapshot!(yaml("
service_name: x
images: [{name: a}]
---
service_name: y
"), @"unsupported 3:1 a second document starts here: a blueprint is one document, send each by itself");
}

#[test]
fn aliases() {
    assert_snapshot!(yaml("
service_name: &n x
images: [{name: *n, key: *m}]
"), @"unknown 2:26 images[0].key: no anchor `&m` comes before this alias: define it, or quote the text");
    assert_snapshot!(yaml("
service_name: x
images: &i [{name: a, capabilities: *i}]
"), @"value 2:37 images[0].capabilities: this alias stands inside what it stands for: write that part out");
}

#[test]
fn merge_keys() {
    assert_snapshot!(yaml("
service_name: x
images:
  - &a {name: a}
  - {<<: *a, key: b}
"), @r#"unsupported 4:6 images[1]["<<"]: merge keys (`<<`) are not supported: write the keys out"#);
}

#[test]
fn tags() {
    assert_snapshot!(yaml("
service_name: !Ref x
images: !!set [{name: a}]
"), @r#"
    unsupported 1:15 service_name: the tag "!Ref" does not fit here: a blueprint needs no tags, remove it
    unsupported 2:9 images: the tag "!!set" does not fit here: a blueprint needs no tags, remove it
    "#);
}

#[test]
fn keys_that_are_no_text() {
    assert_snapshot!(yaml("
service_name: x
? [a, b]
: 1
? {c: d}
: 2
images: [{name: a, : 1}]
"), @r"
    type 2:3 a list or a map cannot be a key: keys are text
    type 4:3 a list or a map cannot be a key: keys are text
    value 6:20 images[0]: a key is empty: name it or remove it
    ");
}

#[test]
fn duplicate_keys() {
    assert_snapshot!(yaml("
service_name: x
images: [{name: a}]
service_name: y
"), @r#"duplicate 3:1 service_name: the key "service_name" is here again, first on line 1: keep one of them"#);
}

#[test]
fn duplicate_keys_in_json() {
    assert_snapshot!(json(r#"
{"service_name": "x",
 "images": [{"name": "a", "name": "b"}]}"#), @r#"duplicate 2:27 images[0].name: the key "name" is here again, first on line 2: keep one of them"#);
}

#[test]
fn a_mistyped_key_is_one_mistake() {
    assert_snapshot!(yaml("
servicename: x
images: [{nmae: a}]
"), @r#"
    unknown 1:1 servicename: the key "servicename" is not known: did you mean `service_name`?
    unknown 2:11 images[0].nmae: the key "nmae" is not known: did you mean `name`?
    "#);
}

#[test]
fn a_key_in_the_wrong_place() {
    assert_snapshot!(yaml("
service_name: x
images:
  - name: a
    command: [ls]
    service_name: y
restart: never
"), @r#"
    unknown 4:5 images[0].command: the key "command" is not known: it belongs under `parameters`
    unknown 5:5 images[0].service_name: the key "service_name" is not known: it belongs at the top level
    unknown 6:1 restart: the key "restart" is not known: it belongs in an entry of `images`
    "#);
}

#[test]
fn a_key_that_resembles_nothing() {
    assert_snapshot!(yaml("
service_name: x
images:
  - name: a
    parameters: { colour: red }
phase: 2
"), @r#"
    unknown 4:19 images[0].parameters.colour: the key "colour" is not known: under `parameters` there may be `command`, `environment`, `working_dir`, `stop_signal`, `stop_grace`, `volumes` or `ports`
    unknown 5:1 phase: the key "phase" is not known: at the top level there may be `service_name`, `images` or `on_node_loss`
    "#);
}

#[test]
fn a_key_far_too_long() {
    assert_snapshot!(yaml("
service_name: x
images: [{name: a}]
kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk: 1
"), @r#"unknown 3:1 ["kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk…"]: the key "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk…" is not known: at the top level there may be `service_name`, `images` or `on_node_loss`"#);
}

#[test]
fn two_mistakes_are_two_entries() {
    assert_snapshot!(yaml("
service_name: [x]
images: 3
"), @r"
    type 1:15 service_name: must be text, is a list
    type 2:9 images: must be a list, is 3
    ");
}

#[test]
fn two_spellings_of_one_key() {
    assert_snapshot!(yaml("
service_name: x
images:
  - name: a
    capabilities: [{ capability: x, type: y, capability_type: z }]
"), @"duplicate 4:46 images[0].capabilities[0].capability_type: `capability_type` says the same as another key here: keep `type`");
}
#[test]
fn bytes_that_are_no_text() {
    let told = |bytes: &[u8]| parse(Format::Yaml, bytes).expect_err("a mistake").to_string();
    assert_snapshot!(told(b"service_name: \xE4\nimages: [{name: \xC3\x28}]\n"), @r"
    1:15 the byte 0xE4 is not UTF-8: save the blueprint as UTF-8
    2:17 the byte 0xC3 is not UTF-8: save the blueprint as UTF-8
    ");
    assert_snapshot!(told("\u{FEFF}é".as_bytes().iter().chain(b"\xFF").copied().collect::<Vec<_>>().as_slice()), @"1:2 the byte 0xFF is not UTF-8: save the blueprint as UTF-8");
    assert_snapshot!(told(b"\xFF\xFEs\0"), @"1:1 the blueprint is in UTF-16: save it as UTF-8");
}

#[test]
fn columns_count_characters_and_no_byte_order_mark() {
    assert_snapshot!(yaml("\u{FEFF}fabrik: ä\n"), @r#"
    unknown 1:1 fabrik: the key "fabrik" is not known: at the top level there may be `service_name`, `images` or `on_node_loss`
    missing 1:1 service_name: `service_name` is missing: add it
    missing 1:1 images: `images` is missing: add it
    "#);
    assert_snapshot!(yaml("service_name: x\nimages: [{name: ä, kez: ö}]\n"), @r#"unknown 2:20 images[0].kez: the key "kez" is not known: did you mean `key`?"#);
}

#[test]
fn a_hundred_mistakes_are_listed_and_the_rest_counted() {
    let images: String = (0..300).map(|n| format!("  - {{name: a, colour: {n}}}\n")).collect();
    let text = format!("service_name: x\nimages:\n{images}");
    let refused = parse(Format::Yaml, text.as_bytes()).expect_err("a mistake").into_vec();
    assert_eq!(refused.len(), 101);
    assert!(refused.is_sorted_by_key(|told| (told.line, told.column)));
    assert_snapshot!(refused[100], @"102:15 200 more mistakes are not listed: mend these first");
}
