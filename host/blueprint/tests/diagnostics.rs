//! What people are told about blueprints that are wrong: one table of bad inputs and every answer to them.

use insta::assert_snapshot;
use motey_blueprint::parse;
use motey_core::spec::Format;

/// `kind line:column path: message` of every mistake. The line break that a raw string begins with is no part of it.
fn told(format: Format, text: &str) -> String {
    let text = text.strip_prefix('\n').unwrap_or(text);
    let refused = parse(format, text.as_bytes()).expect_err("a mistake");
    let lines: Vec<String> = refused.iter().map(|told| format!("{} {told}", told.kind)).collect();
    lines.join("\n")
}

fn yaml(text: &str) -> String {
    told(Format::Yaml, text)
}

fn json(text: &str) -> String {
    told(Format::Json, text)
}

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
    unknown 4:19 images[0].parameters.colour: the key "colour" is not known: under `parameters` there may be `command`, `environment`, `working_dir`, `stop_signal` or `stop_grace`
    unknown 5:1 phase: the key "phase" is not known: at the top level there may be `service_name` or `images`
    "#);
}

#[test]
fn a_key_far_too_long() {
    assert_snapshot!(yaml("
service_name: x
images: [{name: a}]
kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk: 1
"), @r#"unknown 3:1 ["kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk…"]: the key "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk…" is not known: at the top level there may be `service_name` or `images`"#);
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
fn missing_keys() {
    assert_snapshot!(yaml("
images:
  - engine: docker
"), @r"
    missing 1:1 service_name: `service_name` is missing: add it
    missing 2:5 images[0].name: `name` is missing: add it
    ");
    assert_snapshot!(yaml("
service_name: x
images: []
"), @"missing 2:9 images: a service needs at least one image: add one");
    assert_snapshot!(yaml("
service_name:
images:
"), @r"
    type 1:1 service_name: must be text, is empty
    type 2:1 images: must be a list, is empty
    ");
}

#[test]
fn names() {
    assert_snapshot!(yaml(r#"
service_name: "a\tb"
images:
  - name: " a"
    key: Vision
    engine: Docker
  - name: ""
    key: kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk
    engine: [docker, docker, 3 4]
  - name: b
    engine: []
  - name: c
    engine: {docker: 1}
"#), @r#"
    value 1:15 service_name: "a\tb" is not a valid service name: 1 to 128 characters, not all blank, none of them a control character
    value 3:11 images[0].name: " a" is not a valid image name: 1 to 1024 characters, no control characters, no spaces around it
    value 4:10 images[0].key: "Vision" is not a valid image key: 1 to 40 of a-z, 0-9 and -
    value 5:13 images[0].engine: "Docker" is not a valid engine name: 1 to 64 of a-z, 0-9, -, _ and .
    value 6:11 images[1].name: "" is not a valid image name: 1 to 1024 characters, no control characters, no spaces around it
    value 7:10 images[1].key: "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk" is not a valid image key: 1 to 40 of a-z, 0-9 and -
    duplicate 8:22 images[1].engine[1]: the engine `docker` is here twice: keep the first
    value 8:30 images[1].engine[2]: "3 4" is not a valid engine name: 1 to 64 of a-z, 0-9, -, _ and .
    value 10:13 images[2].engine: names no engine: name one, or leave `engine` out for any that can
    type 12:13 images[3].engine: must be an engine's name or a list of them, is a map
    "#);
}

#[test]
fn keys_are_unique() {
    assert_snapshot!(yaml("
service_name: x
images:
  - {name: a, key: k}
  - {name: b}
  - {name: c, key: k}
"), @"duplicate 5:20 images[2].key: images[0] has the key `k` too: give each image its own");
}

#[test]
fn replicas() {
    assert_snapshot!(yaml(r#"
service_name: x
images:
  - {name: a, replicas: 0}
  - {name: b, replicas: 1001}
  - {name: c, replicas: 010}
  - {name: d, replicas: 1e3}
  - {name: e, replicas: "3"}
  - {name: f, replicas: -1}
  - {name: g, replicas: [1]}
  - {name: h, replicas: every-node}
  - {name: i, replicas: evry-node}
  - {name: j, replicas: 0x10}
"#), @r#"
    value 3:25 images[0].replicas: 0 replicas are not possible: write 1 to 1000
    value 4:25 images[1].replicas: 1001 replicas are not possible: write 1 to 1000
    type 5:25 images[2].replicas: "010" could be read as octal: write `10`
    type 6:25 images[3].replicas: "1e3" is not a whole number such as `3`
    type 7:25 images[4].replicas: must be a whole number, is the text "3": take the quotes off
    type 8:25 images[5].replicas: "-1" is not a whole number such as `3`
    type 9:25 images[6].replicas: must be a whole number, is a list
    unsupported 10:25 images[7].replicas: `every-node` is not built yet: this version cannot run an image on each node, only a number
    type 11:25 images[8].replicas: "evry-node" is not a whole number such as `3`
    type 12:25 images[9].replicas: "0x10" is not a whole number such as `3`
    "#);
}

#[test]
fn too_many_slots() {
    assert_snapshot!(yaml(&format!("service_name: x\nimages: [{}]\n", ["{name: a, replicas: 1000}"; 11].join(", "))), @"limit 2:9 images: the images have 11000 replicas together and 10000 are allowed: split the service");
}

#[test]
fn restart() {
    assert_snapshot!(yaml("
service_name: x
images:
  - {name: a, restart: no}
  - {name: b, restart: onfailure}
  - {name: c, restart: true}
"), @r#"
    value 3:24 images[0].restart: "no" is not possible: write `always`, `on-failure` or `never`
    value 4:24 images[1].restart: "onfailure" is not possible (did you mean `on-failure`?): write `always`, `on-failure` or `never`
    value 5:24 images[2].restart: "true" is not possible: write `always`, `on-failure` or `never`
    "#);
}

#[test]
fn json_types_are_meant() {
    assert_snapshot!(json(r#"{"service_name": 7, "images": [{"name": true, "replicas": "2", "engine": null}]}"#), @r#"
    type 1:18 service_name: must be text, is 7: put it in double quotes
    type 1:41 images[0].name: must be text, is true: put it in double quotes
    type 1:59 images[0].replicas: must be a whole number, is the text "2": take the quotes off
    type 1:74 images[0].engine: must be text, is empty
    "#);
}

#[test]
fn the_reserved_dollar_brace() {
    assert_snapshot!(yaml(r#"
service_name: x ${NODE}
images:
  - name: a
    parameters:
      command: [sh, -c, "echo $${A} ${B}"]
      environment: { P: "${secret:db}", "${Q}": 1 }
      working_dir: "/\x24{x}"
"#), @r#"
    value 1:17 service_name: "${NODE}": `${` is reserved, nothing is replaced yet: write `$${` for the characters `${`
    value 5:37 images[0].parameters.command[2]: "${B}": `${` is reserved, nothing is replaced yet: write `$${` for the characters `${`
    value 6:26 images[0].parameters.environment.P: "${secret:db}": `${` is reserved, nothing is replaced yet: write `$${` for the characters `${`
    value 6:41 images[0].parameters.environment["${Q}"]: "${Q}" cannot be a variable's name: 1 to 255 bytes without `=`, NUL and `${`
    value 7:20 images[0].parameters.working_dir: "${x}": `${` is reserved, nothing is replaced yet: write `$${` for the characters `${`
    "#);
}

#[test]
fn commands() {
    assert_snapshot!(yaml(r#"
service_name: x
images:
  - {name: a, parameters: {command: "sh -c 'echo"}}
  - {name: b, parameters: {command: {run: sh}}}
  - {name: c, parameters: {command: [sh, [a], ~, "a\0b"]}}
  - {name: d, parameters: {command: }}
"#), @r"
    value 3:37 images[0].parameters.command: a single quote is opened and not closed: close it, or write the command as a list
    type 4:37 images[1].parameters.command: must be a list of arguments or a command line, is a map
    type 5:42 images[2].parameters.command[1]: must be text, is a list
    type 5:47 images[2].parameters.command[2]: must be text, is empty
    value 5:50 images[2].parameters.command[3]: contains a NUL character, which no program can be given: remove it
    type 6:28 images[3].parameters.command: must be text, is empty
    ");
}

#[test]
fn environments() {
    assert_snapshot!(yaml(r#"
service_name: x
images:
  - {name: a, parameters: {environment: {A: , B: [1], "C=": x}}}
  - {name: b, parameters: {environment: [A=1, B, =c, A=2, {D: 1}]}}
  - {name: c, parameters: {environment: A=1}}
"#), @r#"
    type 3:42 images[0].parameters.environment.A: must be text, is empty
    type 3:50 images[0].parameters.environment.B: must be text, is a list
    value 3:55 images[0].parameters.environment["C="]: "C=" cannot be a variable's name: 1 to 255 bytes without `=`, NUL and `${`
    value 4:47 images[1].parameters.environment[1]: "B" has no value: write `NAME=value`; nothing is taken from the node
    value 4:50 images[1].parameters.environment[2]: "" cannot be a variable's name: 1 to 255 bytes without `=`, NUL and `${`
    duplicate 4:54 images[1].parameters.environment[3]: the variable "A" is here twice: keep one
    type 4:59 images[1].parameters.environment[4]: must be text, is a map
    type 5:41 images[2].parameters.environment: must be a map of variables or a list of `NAME=value`, is A=1
    "#);
}

#[test]
fn the_way_to_stop() {
    assert_snapshot!(yaml("
service_name: x
images:
  - name: a
    parameters: { working_dir: tmp, stop_signal: TERM, stop_grace: 10 }
  - name: b
    parameters: { stop_signal: SIGTREM, stop_grace: 2h }
  - name: c
    parameters: { stop_signal: 9, stop_grace: 1 minute }
"), @r#"
    value 4:32 images[0].parameters.working_dir: "tmp" is not absolute: begin it with `/`
    value 4:50 images[0].parameters.stop_signal: "TERM" is not a signal that stops a program: write a name such as `SIGTERM`
    value 4:68 images[0].parameters.stop_grace: "10" is not a time with its unit such as `10s`, `500ms`, `2m` or `1h`
    value 6:32 images[1].parameters.stop_signal: "SIGTREM" is not a signal that stops a program: write a name such as `SIGTERM`
    value 6:53 images[1].parameters.stop_grace: "2h" is more than the hour that is allowed
    value 8:32 images[2].parameters.stop_signal: "9" is not a signal that stops a program: write a name such as `SIGTERM`
    value 8:47 images[2].parameters.stop_grace: "1 minute" is not a time with its unit such as `10s`, `500ms`, `2m` or `1h`
    "#);
}

#[test]
fn capabilities() {
    assert_snapshot!(yaml(r#"
service_name: x
images:
  - name: a
    capabilities:
      - zigbee
      - zigbee
      - " "
      - [x]
      - {}
      - { capability: memory, amount: 512m }
      - { capability: disk, amount: 0 }
      - { capability: cpu, amount: 0.0001 }
      - { capability: gpu, amount: 1 GB }
      - { capability: gpu, type: [], amont: 3 }
  - name: b
    capabilities: zigbee
"#), @r#"
    duplicate 6:9 images[0].capabilities[1]: the capability "zigbee" is here twice: keep one
    value 7:9 images[0].capabilities[2]: " " is not a valid capability or type: 1 to 128 characters, no control characters, no spaces around it
    type 8:9 images[0].capabilities[3]: must be a capability's name or a map with `capability`, is a list
    missing 9:9 images[0].capabilities[4].capability: `capability` is missing: add it
    value 10:39 images[0].capabilities[5].amount: the unit "m" is ambiguous: write MB (10⁶) or MiB (2²⁰)
    value 11:37 images[0].capabilities[6].amount: an amount of nothing: write more, or leave `amount` out to ask for one
    value 12:36 images[0].capabilities[7].amount: "0.0001" is not a whole number of millicores
    value 13:36 images[0].capabilities[8].amount: "1 GB" is not a whole number such as `3`
    type 14:34 images[0].capabilities[9].type: must be text, is a list
    unknown 14:38 images[0].capabilities[9].amont: the key "amont" is not known: did you mean `amount`?
    type 16:19 images[1].capabilities: must be a list, is zigbee
    "#);
}

#[test]
fn constraints_are_refused_by_name() {
    assert_snapshot!(yaml(r#"
service_name: x
images:
  - name: a
    capabilities:
      - { capability: memory, size: { ge: 512 MB } }
      - { capability: gpu, not: true }
      - { label: line, is: "7" }
      - { any: [zigbee, zwave] }
      - { capability: camera, width: { ge: 1920, le: 4096 } }
      - { capability: lens, width: { above: 1920 } }
"#), @r#"
    unsupported 5:31 images[0].capabilities[0].size: `size` is not built yet: this version cannot compare properties of a capability, only ask by name, `type` and `amount`
    unsupported 6:28 images[0].capabilities[1].not: `not` is not built yet: this version cannot ask for the absence of a capability
    unsupported 7:11 images[0].capabilities[2].label: `label` is not built yet: this version cannot ask for a node's labels
    unsupported 7:24 images[0].capabilities[2].is: `is` is not built yet: this version cannot ask for a node's labels
    unsupported 8:11 images[0].capabilities[3].any: `any` is not built yet: this version cannot choose between needs
    unsupported 9:31 images[0].capabilities[4].width: `width` is not built yet: this version cannot compare properties of a capability, only ask by name, `type` and `amount`
    unknown 10:29 images[0].capabilities[5].width: the key "width" is not known: in an entry of `capabilities` there may be `capability`, `type` or `amount`
    "#);
}

#[test]
fn orchestration_is_refused_by_name() {
    assert_snapshot!(yaml("
service_name: x
images:
  - name: a
    uses: [broker.mqtt]
    depends_on: [broker]
    health: { tcp: 80 }
    run: job
    on_capability_loss: stop
    near: b
    apart: [c]
on_node_loss: wait
"), @r"
    unsupported 4:5 images[0].uses: `uses` is not built yet: this version cannot connect images with each other
    unsupported 5:5 images[0].depends_on: `depends_on` is not built yet: this version cannot start images in an order
    unsupported 6:5 images[0].health: `health` is not built yet: this version cannot check whether an instance is healthy
    unsupported 7:5 images[0].run: `run: job` is not built yet: this version cannot run an image to its end; `restart: on-failure` comes closest
    unsupported 8:5 images[0].on_capability_loss: `on_capability_loss: stop` is not built yet: this version cannot act when a capability goes
    unsupported 9:5 images[0].near: `near` is not built yet: this version cannot place images by each other
    unsupported 10:5 images[0].apart: `apart` is not built yet: this version cannot place images by each other
    unsupported 11:1 on_node_loss: `on_node_loss: wait` is not built yet: this version cannot place a service on other nodes
    ");
}

#[test]
fn parameters_are_refused_by_name() {
    assert_snapshot!(yaml(r#"
service_name: x
images:
  - name: a
    parameters:
      ports: { http: { container: 80, host: 8080 } }
      volumes: ["data:/var/data"]
      devices: [/dev/ttyUSB0]
      files: { /etc/app.toml: "a = 3" }
      limits: { memory: 128 MB }
      user: nobody
      hostname: h
      entrypoint: [/bin/sh]
      tmpfs: [/tmp]
      read_only: true
      cap_add: [NET_ADMIN]
      cap_drop: [ALL]
      init: true
      log: { size: 1 MB }
      labels: { a: b }
      pull: always
"#), @r"
    unsupported 5:7 images[0].parameters.ports: `ports` is not built yet: this version cannot publish ports
    unsupported 6:7 images[0].parameters.volumes: `volumes` is not built yet: this version cannot mount volumes
    unsupported 7:7 images[0].parameters.devices: `devices` is not built yet: this version cannot hand devices to an instance
    unsupported 8:7 images[0].parameters.files: `files` is not built yet: this version cannot bring files into an instance
    unsupported 9:7 images[0].parameters.limits: `limits` is not built yet: this version cannot limit what an instance uses
    unsupported 10:7 images[0].parameters.user: `user` is not built yet: this version cannot start an instance as another user
    unsupported 11:7 images[0].parameters.hostname: `hostname` is not built yet: this version cannot set a host name
    unsupported 12:7 images[0].parameters.entrypoint: `entrypoint` is not built yet: this version cannot replace an image's entry point: only its `command`
    unsupported 13:7 images[0].parameters.tmpfs: `tmpfs` is not built yet: this version cannot mount memory file systems
    unsupported 14:7 images[0].parameters.read_only: `read_only` is not built yet: this version cannot make an instance's file system read-only
    unsupported 15:7 images[0].parameters.cap_add: `cap_add` is not built yet: this version cannot add kernel capabilities
    unsupported 16:7 images[0].parameters.cap_drop: `cap_drop` is not built yet: this version cannot drop kernel capabilities
    unsupported 17:7 images[0].parameters.init: `init` is not built yet: this version cannot put an init process into an instance
    unsupported 18:7 images[0].parameters.log: `log` is not built yet: this version cannot configure an instance's log
    unsupported 19:7 images[0].parameters.labels: `labels` is not built yet: this version cannot set labels of your own
    unsupported 20:7 images[0].parameters.pull: `pull` is not built yet: this version cannot choose when an image is pulled
    ");
}

#[test]
fn what_is_refused_is_checked_for_shape() {
    assert_snapshot!(yaml(r#"
service_name: x
images:
  - name: a
    uses: broker
    health: 3
    run: forever
    on_capability_loss: kep
    parameters: { ports: 80, user: [x], read_only: "yes", labels: , entrypoint: {} }
on_node_loss: never
"#), @r#"
    unsupported 4:5 images[0].uses: `uses` is not built yet: this version cannot connect images with each other
    type 4:11 images[0].uses: must be a list, is broker
    unsupported 5:5 images[0].health: `health` is not built yet: this version cannot check whether an instance is healthy
    type 5:13 images[0].health: must be a map, is 3
    value 6:10 images[0].run: "forever" is not possible: write `service` or `job`
    value 7:25 images[0].on_capability_loss: "kep" is not possible (did you mean `keep`?): write `keep`, `stop` or `move`
    unsupported 8:19 images[0].parameters.ports: `ports` is not built yet: this version cannot publish ports
    type 8:26 images[0].parameters.ports: must be a list or a map, is 80
    unsupported 8:30 images[0].parameters.user: `user` is not built yet: this version cannot start an instance as another user
    type 8:36 images[0].parameters.user: must be text, is a list
    unsupported 8:41 images[0].parameters.read_only: `read_only` is not built yet: this version cannot make an instance's file system read-only
    type 8:52 images[0].parameters.read_only: must be `true` or `false`, is the text "yes"
    unsupported 8:59 images[0].parameters.labels: `labels` is not built yet: this version cannot set labels of your own
    type 8:59 images[0].parameters.labels: must be a list or a map, is empty
    unsupported 8:69 images[0].parameters.entrypoint: `entrypoint` is not built yet: this version cannot replace an image's entry point: only its `command`
    type 8:81 images[0].parameters.entrypoint: must be text or a list, is a map
    value 9:15 on_node_loss: "never" is not possible: write `reschedule` or `wait`
    "#);
}

#[test]
fn keywords_of_2017_that_are_not_built() {
    assert_snapshot!(yaml("
service_name: x
images:
  - name: a
    engine: docker
    parameters:
      ports: { 80/tcp: 8080 }
      mem_limit: 128m
      restart_policy: { Name: always }
      network_mode: host
      privileged: true
      tty: true
      detach: false
      remove: maybe
      image: b
"), @r"
    unsupported 6:7 images[0].parameters.ports: `ports` is not built yet: this version cannot publish ports
    unsupported 7:7 images[0].parameters.mem_limit: `mem_limit` is not built yet: this version cannot limit what an instance uses (`limits` will)
    unsupported 8:7 images[0].parameters.restart_policy: `restart_policy` is not read: write `restart: always`, `on-failure` or `never` beside `parameters`
    unsupported 9:7 images[0].parameters.network_mode: `network_mode` is not built yet: this version cannot configure an instance's network (`ports` and `uses` will)
    unsupported 10:7 images[0].parameters.privileged: `privileged` is not built yet: this version cannot change an instance's rights and isolation
    unsupported 11:7 images[0].parameters.tty: `tty` is not built yet: this version cannot attach a terminal or an input to an instance
    type 12:15 images[0].parameters.detach: must be `true` (Motey starts everything in the background), is false
    type 13:15 images[0].parameters.remove: must be `true` or `false`, is maybe
    unsupported 14:7 images[0].parameters.image: `image` is not read: write the image as `name` beside `parameters`
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
    unknown 1:1 fabrik: the key "fabrik" is not known: at the top level there may be `service_name` or `images`
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
