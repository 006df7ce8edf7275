//! Keys that are missing, and values that are not possible.

use insta::assert_snapshot;

use crate::{json, yaml};

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
    value 3:25 images[0].replicas: 0 replicas are not possible: write 1 to 1000, or `every-node`
    value 4:25 images[1].replicas: 1001 replicas are not possible: write 1 to 1000, or `every-node`
    type 5:25 images[2].replicas: "010" could be read as octal: write `10`
    type 6:25 images[3].replicas: "1e3" is not a whole number such as `3`
    type 7:25 images[4].replicas: must be a whole number, is the text "3": take the quotes off
    type 8:25 images[5].replicas: "-1" is not a whole number such as `3`
    type 9:25 images[6].replicas: must be a whole number, is a list
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
  - name: d
    parameters: { stop_signal: SIGRTMIN+3 }
"), @r#"
    value 4:32 images[0].parameters.working_dir: "tmp" is not absolute: begin it with `/`
    value 4:50 images[0].parameters.stop_signal: "TERM" is not a signal that stops a program: write a name such as `SIGTERM`
    value 4:68 images[0].parameters.stop_grace: "10" is not a time with its unit such as `10s`, `500ms`, `2m` or `1h`
    value 6:32 images[1].parameters.stop_signal: "SIGTREM" is not a signal that stops a program: write a name such as `SIGTERM`
    value 6:53 images[1].parameters.stop_grace: "2h" is more than the hour that is allowed
    value 8:32 images[2].parameters.stop_signal: "9" is not a signal that stops a program: write a name such as `SIGTERM`
    value 8:47 images[2].parameters.stop_grace: "1 minute" is not a time with its unit such as `10s`, `500ms`, `2m` or `1h`
    value 10:32 images[3].parameters.stop_signal: "SIGRTMIN+3" is not a signal that stops a program: write a name such as `SIGTERM`
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
fn what_cannot_be_mounted() {
    assert_snapshot!(yaml(r#"
service_name: x
images:
  - name: a
    parameters:
      volumes: [data, "./in:/in", "a b:/x", "data:in", "data:/", "data:/a/../b", "data:/var:z", "v:/x", "w:/x/"]
  - name: b
    parameters:
      volumes: { data: { bind: /x, mode: rx }, in: { mode: ro }, /srv: { bind: /y, target: /z } }
  - name: c
    parameters: { volumes: "data:/x" }
"#), @r#"
    value 5:17 images[0].parameters.volumes[0]: "data" is no mount: write `name:/path/inside` or `/path:/path/inside`
    value 5:23 images[0].parameters.volumes[1]: "./in" is not absolute, and no volume is called so: begin a path with `/`
    value 5:35 images[0].parameters.volumes[2]: "a b" is not a valid volume name: 1 to 64 of a-z, A-Z, 0-9, -, _ and ., the first a letter or digit
    value 5:45 images[0].parameters.volumes[3]: "in" is not absolute: begin it with `/`
    value 5:56 images[0].parameters.volumes[4]: "/" cannot be mounted over: name a directory in it
    value 5:66 images[0].parameters.volumes[5]: "/a/../b" leads upwards: write where it leads
    value 5:82 images[0].parameters.volumes[6]: "z" is no way to mount: write `ro` for read-only, or nothing
    duplicate 5:105 images[0].parameters.volumes[8]: something is mounted at "/x" already: keep one
    value 8:42 images[1].parameters.volumes.data.mode: "rx" is not possible (did you mean `rw`?): write `rw` or `ro`
    missing 8:52 images[1].parameters.volumes.in.bind: `bind` is missing: add it
    unknown 8:84 images[1].parameters.volumes./srv.target: the key "target" is not known: under a volume there may be `bind` or `mode`
    type 10:28 images[2].parameters.volumes: must be a list of `name:/path/inside`, or a map such as `{ data: /path/inside }`, is the text "data:/x"
    "#);
}

#[test]
fn data_does_not_move_and_is_in_one_place() {
    assert_snapshot!(yaml(r#"
service_name: x
images:
  - name: db
    parameters: { volumes: ["data:/var/data"] }
on_node_loss: reschedule
"#), @"value 5:15 on_node_loss: `db` has a volume, whose data is on one node: it waits for that node; write `wait`, or leave this out");
    assert_snapshot!(yaml(r#"
service_name: x
images:
  - name: db
    parameters: { volumes: ["data:/var/data"] }
  - name: probe
    replicas: every-node
    parameters: { volumes: { data: /in } }
"#), @r#"value 3:3 images: the volume "data" is one on each node for one of `db` and `probe`, and one alone for the other: give each its own"#);
}

#[test]
fn what_cannot_be_published() {
    assert_snapshot!(yaml(r#"
service_name: x
images:
  - name: a
    parameters:
      ports: [http, "80:", "8080:80/sctp", "127.0.0.1:8080:80", 0, +80, 65536, "8000-8010:80", "auto:80", "81:80", "82:80", "81:90", "81:91/udp", [80]]
  - name: b
    parameters:
      ports:
        http: { container: 80, host: auto }
        HTTP: { container: 80, host: 81 }
        a: { container: 0, host: "82", protocol: tpc }
        b: { container: 80 }
        c: { host: 80, published: 80 }
        80/tcp: 8080
        80/icmp: 8081
        81: [8082]
        82/udp: { container: 82, host: 82 }
        d: 8080
        e:
  - name: c
    parameters: { ports: 80 }
"#), @r#"
    value 5:15 images[0].parameters.ports[0]: "http" is not a port: write 1 to 65535
    value 5:21 images[0].parameters.ports[1]: "" is not a port: write 1 to 65535
    value 5:28 images[0].parameters.ports[2]: "sctp" is no protocol of a port: write `tcp` or `udp`
    value 5:44 images[0].parameters.ports[3]: "127.0.0.1:8080:80" names an address: a port is one of its whole node, write `8080:80` or the like
    value 5:65 images[0].parameters.ports[4]: "0" is not a port: write 1 to 65535
    value 5:68 images[0].parameters.ports[5]: "+80" is not a port: write 1 to 65535
    value 5:73 images[0].parameters.ports[6]: "65536" is not a port: write 1 to 65535
    value 5:80 images[0].parameters.ports[7]: "8000-8010" is not a port: write 1 to 65535
    unsupported 5:96 images[0].parameters.ports[8]: `auto` is not built yet: this version cannot choose a port, write its number
    duplicate 5:116 images[0].parameters.ports[10]: two ports are called `80`: give them names, as in `{ http: { container: 80, host: 8080 } }`
    duplicate 5:125 images[0].parameters.ports[11]: 81/tcp of the node is published already: keep one
    type 5:147 images[0].parameters.ports[13]: must be text, is a list
    unsupported 9:38 images[1].parameters.ports.http.host: `auto` is not built yet: this version cannot choose a port, write its number
    value 10:9 images[1].parameters.ports.HTTP: "HTTP" is not a valid port name: 1 to 40 of a-z, 0-9 and -
    value 11:25 images[1].parameters.ports.a.container: 0 is not a port: write 1 to 65535
    type 11:34 images[1].parameters.ports.a.host: must be a whole number, is the text "82": take the quotes off
    value 11:50 images[1].parameters.ports.a.protocol: "tpc" is not possible (did you mean `tcp`?): write `tcp` or `udp`
    missing 12:12 images[1].parameters.ports.b.host: `host` is missing: add it
    missing 13:12 images[1].parameters.ports.c.container: `container` is missing: add it
    unknown 13:24 images[1].parameters.ports.c.published: the key "published" is not known: under a port there may be `container`, `host` or `protocol`
    value 15:18 images[1].parameters.ports.80/icmp: "icmp" is no protocol of a port: write `tcp` or `udp`
    type 16:13 images[1].parameters.ports.81: must be text, is a list
    value 17:9 images[1].parameters.ports.82/udp: "82/udp" is not a valid port name: 1 to 40 of a-z, 0-9 and -
    duplicate 18:12 images[1].parameters.ports.d: 8080/tcp of the node is published already: keep one
    type 19:9 images[1].parameters.ports.e: must be text, is empty
    type 21:26 images[2].parameters.ports: must be a map such as `{ http: { container: 80, host: 8080 } }`, or a list of `8080:80`, is 80
    "#);
    let many: Vec<String> = (1..=129).map(|port| port.to_string()).collect();
    let many =
        format!("service_name: x\nimages: [{{ name: a, parameters: {{ ports: [{}] }} }}]", many.join(", "));
    assert_snapshot!(yaml(&many), @"limit 2:42 images[0].parameters.ports: these are 129 ports and 128 are allowed: split the image");
}

#[test]
fn what_cannot_be_used() {
    assert_snapshot!(yaml(r#"
service_name: x
images:
  - name: web
    uses: [broker.mqtt, broker, broker.mqt, broker.ssh, brokr, db, db.http, broker.mqtt, a-b.c, a.b-c, log]
    parameters: { environment: { MOTEY_ENDPOINT_LOG_80: x } }
  - { name: broker, parameters: { ports: { mqtt: 1883, web-socket: 9001 } } }
  - { name: db }
  - { name: a-b, parameters: { ports: { c: 1 } } }
  - { name: a, parameters: { ports: { b-c: 2 } } }
  - { name: log, parameters: { ports: [80] } }
"#), @r#"
    unknown 4:25 images[0].uses[1]: `broker` has several ports: write `broker.mqtt` or `broker.web-socket`
    unknown 4:33 images[0].uses[2]: `broker` has no port `mqt`: did you mean `broker.mqtt`?
    unknown 4:45 images[0].uses[3]: `broker` has no port `ssh`: write `broker.mqtt` or `broker.web-socket`
    unknown 4:57 images[0].uses[4]: the service has no image `brokr`: did you mean `broker`?
    unknown 4:64 images[0].uses[5]: `db` has no port: give it one, as in `ports: { http: { container: 80, host: 8080 } }`
    unknown 4:68 images[0].uses[6]: `db` has no port: give it one, as in `ports: { http: { container: 80, host: 8080 } }`
    duplicate 4:77 images[0].uses[7]: `broker.mqtt` is here twice: keep one
    duplicate 4:97 images[0].uses[9]: `a.b-c` and `a-b.c` would both be told in MOTEY_ENDPOINT_A_B_C: rename one of them
    duplicate 4:104 images[0].uses[10]: the variable "MOTEY_ENDPOINT_LOG_80" is under `environment`, too: drop one of them
    "#);
    assert_snapshot!(yaml("
service_name: x
images:
  - { name: a, uses: [Broker.mqtt, broker., a.b.c, [x]] }
  - { name: b, uses: { broker: mqtt } }
"), @r#"
    value 3:23 images[0].uses[0]: "Broker" is not a valid image key: 1 to 40 of a-z, 0-9 and -
    value 3:36 images[0].uses[1]: "" is not a valid port name: 1 to 40 of a-z, 0-9 and -
    value 3:45 images[0].uses[2]: "b.c" is not a valid port name: 1 to 40 of a-z, 0-9 and -
    type 3:52 images[0].uses[3]: must be text, is a list
    type 4:22 images[1].uses: must be a list, is a map
    "#);
}
