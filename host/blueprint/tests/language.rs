//! What a blueprint means when nothing is wrong with it.

use motey_blueprint::{Blueprint, parse};
use motey_core::id::ImageKey;
use motey_core::spec::{
    Comparison, Format, Health, ImageSpec, Literal, Mount, MountSource, Need, Neighbours, OnLoss, OnNodeLoss,
    Params, Port, Probe, Protocol, Ready, Replicas, Requirement, Restart, Run, StopRule, Take, Test,
};

fn yaml(text: &str) -> Blueprint {
    parse(Format::Yaml, text.as_bytes()).unwrap_or_else(|refused| panic!("{refused}"))
}

fn json(text: &str) -> Blueprint {
    parse(Format::Json, text.as_bytes()).unwrap_or_else(|refused| panic!("{refused}"))
}

/// The only image of a service with these lines in it.
fn image(lines: &str) -> ImageSpec {
    let blueprint = yaml(&format!("service_name: x\nimages:\n  - name: a\n{lines}"));
    let [image] = blueprint.spec.images.as_slice() else { panic!("one image") };
    image.as_ref().clone()
}

fn keys(blueprint: &Blueprint) -> Vec<&str> {
    blueprint.spec.images.iter().map(|image| image.key.as_str()).collect()
}

fn has(name: &str, kind: Option<&str>, take: Take) -> Need {
    Need::Has(Requirement { kind: kind.map(Into::into), take, ..Requirement::named(name) })
}

#[test]
fn everything_that_works_now() {
    let text = r#"
service_name: cell-7 quality
images:
  - name: registry.local/vision:2.1
    key: eyes
    engine: [docker, podman]
    replicas: 3
    capabilities:
      - zigbee
      - { capability: memory, type: resource, amount: 512 MB }
      - { capability: cpu, amount: 0.5 }
      - { capability: license, amount: 2 }
    parameters:
      command: [/bin/serve, --port, 80]
      environment: { MODE: fast, RATIO: 010 }
      working_dir: /srv
      stop_signal: SIGINT
      stop_grace: 2m
    run: service
    restart: on-failure
    on_capability_loss: stop
"#;
    let Blueprint { name, spec } = yaml(text);
    assert_eq!(name.as_str(), "cell-7 quality");
    assert_eq!((spec.source.format, &*spec.source.text), (Format::Yaml, text));
    let expected = ImageSpec {
        engines: vec!["docker".parse().expect("a name"), "podman".parse().expect("a name")],
        replicas: Replicas::Count(3),
        need: Need::All(vec![
            has("zigbee", None, Take::One),
            has("memory", Some("resource"), Take::Amount(512_000_000)),
            has("cpu", None, Take::Amount(500)),
            has("license", None, Take::Amount(2)),
        ])
        .into(),
        params: Params {
            command: ["/bin/serve", "--port", "80"].map(Into::into).into(),
            environment: [("MODE", "fast"), ("RATIO", "010")].map(|(k, v)| (k.into(), v.into())).into(),
            working_dir: Some("/srv".into()),
            stop: StopRule { signal: Some("SIGINT".into()), grace: 120_000 },
            ..Params::default()
        },
        restart: Restart::OnFailure,
        on_loss: OnLoss::Stop,
        ..ImageSpec::new("eyes".parse().expect("a key"), "registry.local/vision:2.1")
    };
    assert_eq!(spec.images.iter().map(AsRef::as_ref).collect::<Vec<_>>(), [&expected]);
}

fn value(text: &str, number: Option<i64>) -> Literal {
    Literal { text: text.into(), number }
}

fn tested<const N: usize>(name: &str, tests: [(&str, Test); N]) -> Need {
    let tests = tests.map(|(prop, test)| (prop.to_owned(), test)).into();
    Need::Has(Requirement { tests, ..Requirement::named(name) })
}

/// What these entries of `capabilities` ask for.
fn needs(lines: &str) -> Vec<Need> {
    match Need::from(image(&format!("    capabilities:\n{lines}")).need) {
        Need::All(needs) => needs,
        other => panic!("{other:?}"),
    }
}

#[test]
fn properties_are_compared() {
    use Comparison::{AtLeast, Different, Equal, Less};
    let read = needs(
        r#"
      - { capability: memory, size: { ge: 512 MB } }
      - { capability: cpu, size: { ge: 1.5 } }
      - { capability: camera, width: { ge: 1920, lt: 4096 }, vendor: { in: [acme, 7] } }
      - { capability: camera, zoom: { range: [-1, 2 kB] }, model: { matches: "cc2?*" } }
      - { capability: camera, night: { eq: true }, lens: { ne: "010" } }
      - { capability: docker, version: ">=2.4, != 2.5, <3" }
      - { capability: kernel, release: { version: 6 } }
"#,
    );
    let at_least = |text: &str, number| Test::Compares(AtLeast, value(text, Some(number)));
    let expected = [
        tested("memory", [("size", at_least("512 MB", 512_000_000))]),
        tested("cpu", [("size", at_least("1.5", 1_500))]),
        tested(
            "camera",
            [
                ("width", Test::Compares(Less, value("4096", Some(4096)))),
                ("width", at_least("1920", 1920)),
                ("vendor", Test::OneOf(vec![value("acme", None), value("7", Some(7))])),
            ],
        ),
        tested(
            "camera",
            [
                ("zoom", Test::Between(value("-1", Some(-1)), value("2 kB", Some(2000)))),
                ("model", Test::Matches("cc2?*".into())),
            ],
        ),
        tested(
            "camera",
            [
                ("night", Test::Compares(Equal, value("true", None))),
                ("lens", Test::Compares(Different, value("010", None))),
            ],
        ),
        tested(
            "docker",
            [(
                "version",
                Test::Version(vec![(AtLeast, "2.4".into()), (Different, "2.5".into()), (Less, "3".into())]),
            )],
        ),
        tested("kernel", [("release", Test::Version(vec![(Equal, "6".into())]))]),
    ];
    assert_eq!(read, expected);
}

#[test]
fn needs_are_chosen_between_nested_and_forbidden() {
    let read = needs(
        r#"
      - { capability: gpu, not: true }
      - { capability: zigbee, not: false }
      - { label: line, is: "7" }
      - { label: line, is: [7, 8], not: true }
      - { label: north }
      - any:
          - zigbee
          - all: [zwave, { capability: memory, amount: 1 kB }]
          - { any: [thread], not: true }
"#,
    );
    let name = |name: &str| Need::Has(Requirement::named(name));
    let label = |name: &str, tests: Vec<Test>| {
        let tests = tests.into_iter().map(|test| ("is".to_owned(), test)).collect();
        Need::Has(Requirement { kind: Some("label".into()), tests, ..Requirement::named(name) })
    };
    let not = |need| Need::Not(Box::new(need));
    let seven = || value("7", Some(7));
    let expected = [
        not(name("gpu")),
        name("zigbee"),
        label("line", vec![Test::Compares(Comparison::Equal, seven())]),
        not(label("line", vec![Test::OneOf(vec![seven(), value("8", Some(8))])])),
        label("north", vec![]),
        Need::Any(vec![
            name("zigbee"),
            Need::All(vec![name("zwave"), has("memory", None, Take::Amount(1000))]),
            not(Need::Any(vec![name("thread")])),
        ]),
    ];
    assert_eq!(read, expected);
}

#[test]
fn neighbours_are_named_by_their_keys() {
    let text = "service_name: x\nimages:\n  - {name: r/web:1, near: log, apart: [web, db]}\n  - {name: a, key: log}\n  - \
                {name: db}\n";
    let images = yaml(text).spec.images;
    let keys = |keys: &[&str]| keys.iter().map(|key| key.parse().expect("a key")).collect();
    assert_eq!(images[0].neighbours, Neighbours { near: keys(&["log"]), apart: keys(&["db", "web"]) });
    assert_eq!(images[1].neighbours, Neighbours::default());
}

#[test]
fn what_is_left_out() {
    let image = image("");
    assert_eq!(image.key.as_str(), "a");
    assert!(image.engines.is_empty());
    assert_eq!(image.replicas, Replicas::Count(1));
    assert_eq!(image.need, Need::nothing().into());
    assert_eq!(image.params, Params::default());
    assert_eq!(image.restart, Restart::Always);
}

#[test]
fn a_scalar_means_what_its_key_says() {
    let image = image(
        "    parameters:\n      environment: { A: 010, B: yes, C: 22:22, D: 1e3, E: 0x1F, F: 1_000, G: 2024-01-01, \
         H: '~', I: !!str 7, J: .inf, K: 'null', L: 0.10 }\n",
    );
    let read: Vec<_> = image.params.environment.values().map(String::as_str).collect();
    let written =
        ["010", "yes", "22:22", "1e3", "0x1F", "1_000", "2024-01-01", "~", "7", ".inf", "null", "0.10"];
    assert_eq!(read, written);
    assert_eq!(yaml("service_name: 0777\nimages: [{name: no}]\n").name.as_str(), "0777");
}

#[test]
fn a_command_line_is_split_and_not_expanded() {
    let command =
        image("    parameters: { command: \"sh -c 'echo $$ $HOME > /dev/null'\" }\n").params.command;
    assert_eq!(command, ["sh", "-c", "echo $$ $HOME > /dev/null"]);
    assert!(image("    parameters: { command: [] }\n").params.command.is_empty());
}

#[test]
fn two_dollars_and_a_brace_are_one_dollar_and_a_brace() {
    let command =
        image("    parameters: { command: [\"a$${b}\", \"$$${c}\", \"$d {e} $\"] }\n").params.command;
    assert_eq!(command, ["a${b}", "$${c}", "$d {e} $"]);
}

#[test]
fn environment_as_docker_lists_it() {
    let image = image("    parameters: { environment: [A=1, 'B=c=d', E=] }\n");
    let expected = [("A", "1"), ("B", "c=d"), ("E", "")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    assert_eq!(image.params.environment, expected.into());
}

#[test]
fn keys_come_from_names_and_step_aside_for_chosen_ones() {
    let text = "service_name: x\nimages: [{name: r/a:1}, {name: a}, {name: b, key: a-2}, {name: A}, {name: /bin/a}]\n";
    assert_eq!(keys(&yaml(text)), ["a", "a-3", "a-2", "a-4", "a-5"]);
    let named = "service_name: x\nimages: [{name: a, parameters: {name: My_Web}}, {name: a, key: k, parameters: {name: n}}]\n";
    assert_eq!(keys(&yaml(named)), ["my-web", "k"]);
}

#[test]
fn aliases_stand_for_whole_values() {
    let text = "service_name: x\nimages:\n  - {name: a, parameters: &p {command: [run]}}\n  - {name: b, parameters: *p}\n";
    let images = yaml(text).spec.images;
    assert_eq!(images[0].params, images[1].params);
}

#[test]
fn the_words_of_2017_that_change_nothing() {
    let plain = image("    engine: docker\n");
    let dressed = image(
        "    engine: docker\n    parameters: { detach: true, stream: false, stdout: true, stderr: true, remove: true, \
         auto_remove: false }\n",
    );
    assert_eq!(plain, dressed);
    assert_eq!(yaml("service_name: x\nnode_type: master\nimages: [{name: a}]\n").spec.images.len(), 1);
    let need = image("    capabilities: [{ capability: z, capability_type: hardware }]\n").need;
    assert_eq!(need, Need::All(vec![has("z", Some("hardware"), Take::One)]).into());
}

#[test]
fn json_says_the_same() {
    let from_yaml = yaml(
        "service_name: x\nimages:\n  - name: a\n    replicas: 2\n    capabilities: [{capability: cpu, amount: 1.5}]\n    \
         parameters: {command: [serve, 80], environment: {A: true, B: \"\\u00e4\"}}\n",
    );
    let text = "\u{FEFF}{\"service_name\": \"x\",\n\t\"images\":\r\n[{\"name\":\"\\u0061\", \"replicas\": 2, \"capabilities\"\n:\
                [{\"capability\": \"cpu\", \"amount\": 1.5}], \"parameters\":\
                {\"command\": [\"serve\", 80], \"environment\": {\"A\": true, \"B\": \"\\u00e4\"}}}]}";
    let from_json = json(text);
    assert_eq!(from_yaml.spec.images, from_json.spec.images);
    assert_eq!((from_json.spec.source.format, &*from_json.spec.source.text), (Format::Json, text));
}

#[test]
fn a_byte_order_mark_and_foreign_line_ends_change_nothing_but_the_source() {
    let plain = yaml("service_name: x\nimages:\n  - name: a\n");
    let windows = yaml("\u{FEFF}service_name: x\r\nimages:\r\n  - name: a\r\n");
    assert_eq!(plain.spec.images, windows.spec.images);
    assert!(windows.spec.source.text.starts_with('\u{FEFF}'));
}

#[test]
fn jobs_order_and_every_node() {
    let spec = yaml(
        "
service_name: x
images:
  - {name: web, depends_on: {db: healthy, fill: completed, agent: started}}
  - {name: db, run: service}
  - {name: fill, run: job, depends_on: [db]}
  - {name: once, run: job, restart: never}
  - {name: agent, replicas: every-node}
",
    )
    .spec;
    let key = |text: &str| text.parse::<ImageKey>().expect("a key");
    let after =
        [(key("db"), Ready::Healthy), (key("fill"), Ready::Completed), (key("agent"), Ready::Started)];
    assert_eq!(spec.images[0].after, after);
    assert_eq!(spec.images[2].after, [(key("db"), Ready::Started)]);
    let lives: Vec<_> = spec.images.iter().map(|image| (image.run, image.restart)).collect();
    let service = (Run::Service, Restart::Always);
    assert_eq!(
        lives,
        [service, service, (Run::Job, Restart::OnFailure), (Run::Job, Restart::Never), service]
    );
    assert_eq!(spec.images[4].replicas, Replicas::EveryNode);
}

/// The order is found without going deep.
#[test]
fn a_long_line_of_images_is_read() {
    let image = |n: usize| match n {
        0 => "  - {name: i0}\n".to_owned(),
        n => format!("  - {{name: i{n}, depends_on: [i{}]}}\n", n - 1),
    };
    let images: String = (0..5_000).rev().map(image).collect();
    assert_eq!(yaml(&format!("service_name: x\nimages:\n{images}")).spec.images.len(), 5_000);
}

#[test]
fn a_check_has_its_usual_figures_where_nobody_says_otherwise() {
    let spec = yaml(
        "
service_name: x
images:
  - {name: a, health: {tcp: 80}}
  - {name: b, health: {http: {port: 8080, path: /ready}, interval: 1m, timeout: 500ms, retries: 1, start: 0s}}
  - {name: c, health: {http: {port: 80}}}
  - {name: d}
",
    )
    .spec;
    let usual = Health {
        probe: Probe::Tcp { port: 80 },
        interval: 10_000,
        timeout: 2_000,
        retries: 3,
        start: 30_000,
    };
    assert_eq!(spec.images[0].health, Some(usual));
    let probe = Probe::Http { port: 8080, path: "/ready".into() };
    let own = Health { probe, interval: 60_000, timeout: 500, retries: 1, start: 0 };
    assert_eq!(spec.images[1].health, Some(own));
    assert_eq!(spec.images[2].health, Some(Health::of(Probe::Http { port: 80, path: "/".into() })));
    assert_eq!(spec.images[3].health, None);
}

#[test]
fn volumes_in_the_words_of_docker_of_docker_py_and_our_own() {
    let text = r#"
service_name: x
on_node_loss: wait
images:
  - name: list
    parameters: { volumes: ["data:/var/data/", "/srv/in:/in:ro"] }
  - name: map
    parameters: { volumes: { data: /var/data, /srv/in: "/in:ro" } }
  - name: docker-py
    parameters: { volumes: { data: { bind: /var/data }, /srv/in: { bind: /in, mode: ro } } }
"#;
    let spec = yaml(text).spec;
    let source = MountSource::Volume("data".parse().expect("a name"));
    let data = Mount { source, target: "/var/data".into(), read_only: false };
    let bind = Mount { source: MountSource::Path("/srv/in".into()), target: "/in".into(), read_only: true };
    let mounts = [data, bind];
    assert!(spec.images.iter().all(|image| image.params.mounts == mounts), "{:?}", spec.images);
    assert_eq!(spec.on_node_loss, OnNodeLoss::Wait);
}

#[test]
fn ports_are_written_long_or_short() {
    let port = |name: &str, host, container, protocol| Port {
        name: name.parse().expect("a name"),
        container,
        host,
        protocol,
    };
    let ports = |written: &str| -> Vec<Port> {
        let image = image(&format!("    parameters: {{ ports: {written} }}"));
        image.params.ports.iter().cloned().collect()
    };
    let (tcp, udp) = (Protocol::Tcp, Protocol::Udp);
    let named = [port("http", 8080, 80, tcp), port("dns", 5353, 53, udp)];
    let long = "{ http: { container: 80, host: 8080 }, dns: { container: 53, host: 5353, protocol: udp } }";
    for written in [long, r#"{ http: "8080:80", dns: "5353:53/udp" }"#] {
        assert_eq!(ports(written), named, "{written}");
    }
    let unnamed = [port("80", 8080, 80, tcp), port("80-udp", 8080, 80, udp), port("22", 22, 22, tcp)];
    for written in [r#"["8080:80", 8080:80/udp, 22]"#, r#"{ 80/tcp: 8080, 80/udp: 8080, "22": "22" }"#] {
        assert_eq!(ports(written), unnamed, "{written}");
    }
    assert_eq!(ports("{ ssh: 22 }"), [port("ssh", 22, 22, tcp)]);
    assert_eq!(ports("[]"), []);
    let text = r#"{"service_name": "x", "images": [{"name": "a", "parameters": {"ports": [22, "23:24"]}}]}"#;
    let hosts: Vec<u16> = json(text).spec.images[0].params.ports.iter().map(|port| port.host).collect();
    assert_eq!(hosts, [22, 23]);
}

#[test]
fn what_uses_another_image_is_told_where_it_is() {
    let blueprint = yaml(
        "
service_name: x
images:
  - { name: web, uses: [broker.mqtt, log] }
  - { name: broker, parameters: { ports: { mqtt: { container: 1883, host: 21883 }, ws: 9001 } } }
  - { name: log, uses: [log], parameters: { ports: [514/udp] } }
",
    );
    let told = |image: usize| Vec::from_iter(blueprint.spec.images[image].environment());
    let variables =
        [("MOTEY_ENDPOINT_BROKER_MQTT", "broker:21883"), ("MOTEY_ENDPOINT_LOG_514_UDP", "log:514")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!((told(0), told(1), told(2)), (variables.to_vec(), vec![], variables[1..].to_vec()));
    assert!(blueprint.spec.images.iter().all(|image| image.after.is_empty()), "nobody waits for the other");
}
