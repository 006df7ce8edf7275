//! Blueprints from nobody's friend: whatever the bytes are, an answer comes soon, with places that exist.

use std::fmt::Write as _;
use std::time::Duration;

use motey_blueprint::{DiagnosticKind, MAX_BYTES, parse};
use motey_core::spec::Format;
use proptest::prelude::*;
use rustix::time::{ClockId, clock_gettime};

/// The work of what is refused for its size alone: time of a processor, of which a busy machine takes no more.
const AT_ONCE: Duration = Duration::from_millis(500);

/// The work of what has to be read to be refused.
const SOON: Duration = Duration::from_secs(5);

/// Parses on a stack far smaller than any deep recursion needs, and gives the kinds of mistakes.
fn kinds(format: Format, bytes: Vec<u8>, within: Duration) -> Vec<DiagnosticKind> {
    let parsing = move || {
        let begun = worked();
        let refused = parse(format, &bytes).expect_err("a mistake");
        let work = worked() - begun;
        assert!(work < within, "took {work:?}");
        check_places(&bytes, &refused.into_vec())
    };
    let thread = std::thread::Builder::new().stack_size(256 * 1024).spawn(parsing).expect("a thread");
    thread.join().expect("an answer")
}

/// How long this thread was at work so far, waiting apart.
fn worked() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("it does not run backwards")
}

fn check_places(bytes: &[u8], told: &[motey_blueprint::Diagnostic]) -> Vec<DiagnosticKind> {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.split('\n').collect();
    assert!((1..=101).contains(&told.len()));
    assert!(told.is_sorted_by_key(|one| (one.line, one.column)));
    for one in told {
        let line = lines.get(one.line as usize - 1).unwrap_or_else(|| panic!("no such line: {one}"));
        let columns = line.chars().count() + 1;
        assert!((1..=columns).contains(&(one.column as usize)), "no such column: {one}");
        assert!(!one.message.is_empty());
        assert!(one.message.len() < 1000 && one.path.len() < 10_000, "{one}");
    }
    told.iter().map(|one| one.kind).collect()
}

fn assert_limited(format: Format, bytes: impl Into<Vec<u8>>) {
    let kinds = kinds(format, bytes.into(), AT_ONCE);
    assert!(kinds.contains(&DiagnosticKind::Limit), "{kinds:?}");
}

#[test]
fn ten_megabytes_are_not_even_read() {
    let big = "a: b\n".repeat(2_000_000);
    assert_eq!(kinds(Format::Yaml, big.clone().into(), AT_ONCE), [DiagnosticKind::Limit]);
    assert_eq!(kinds(Format::Json, big.into(), AT_ONCE), [DiagnosticKind::Limit]);
}

#[test]
fn twenty_thousand_levels() {
    let n = 20_000;
    assert_limited(Format::Yaml, "[".repeat(n) + &"]".repeat(n));
    assert_limited(Format::Yaml, "[".repeat(n));
    assert_limited(Format::Yaml, "{a: ".repeat(n) + &"}".repeat(n));
    assert_limited(Format::Yaml, "- ".repeat(n) + "x");
    assert_limited(Format::Yaml, "? ".repeat(n) + "x");
    assert_limited(Format::Json, "[".repeat(n) + &"]".repeat(n));
    assert_limited(Format::Json, "[".repeat(n));
    assert_limited(Format::Json, "{\"a\":".repeat(n) + "1" + &"}".repeat(n));
    let stairs = (0..1000).fold(String::new(), |mut text, n| {
        let _ = writeln!(text, "{}a:", " ".repeat(n));
        text
    });
    assert_limited(Format::Yaml, stairs);
}

#[test]
fn aliases_of_aliases() {
    let mut nodes = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    let mut levels = String::from("b0: &b0 [x]\n");
    for n in 1..100 {
        let _ = writeln!(nodes, "a{n}: &a{n} [{}]", vec![format!("*a{}", n - 1); 10].join(", "));
        let _ = writeln!(levels, "b{n}: &b{n} [*b{}]", n - 1);
    }
    assert_limited(Format::Yaml, nodes);
    assert_limited(Format::Yaml, levels);
    let text = format!("a: &a \"{}\"\nb: [{}]", "x".repeat(100_000), "*a, ".repeat(20_000));
    assert_limited(Format::Yaml, text);
}

#[test]
fn a_megabyte_of_one_thing() {
    let things = [
        "[", "]", "{", "- ", "? ", ": ", "a: ", "&a ", "*a ", "*a, ", "!a ", "!!str ", "#\n", "\n", " ",
        "\t", "\r", "'", "\"", "\\", "|\n", "a: 1,", "---\n", "%FOO a\n", "${", "<<: ", "{a: 1},",
        "\u{FEFF}", "\0", "\u{85}", "[a, ", "\"a\": ",
    ];
    for thing in things {
        for opening in
            ["", "[", "{", "a: \"", "a: |\n  ", "service_name: x\nimages: [", "service_name: x\nimages:\n"]
        {
            let mut text = opening.to_owned();
            text.push_str(&thing.repeat((MAX_BYTES - text.len()) / thing.len()));
            kinds(Format::Yaml, text.clone().into(), SOON);
            kinds(Format::Json, text.into(), SOON);
        }
    }
    kinds(Format::Yaml, vec![0xFF; MAX_BYTES], SOON);
}

const VALID: &str = r#"# a comment
service_name: cell-7
images:
  - name: registry.local/vision:2.1
    key: &k vision
    engine: [docker, podman]
    replicas: 3
    capabilities:
      - zigbee
      - { capability: memory, type: resource, amount: 512 MB }
    parameters: &p
      command: [/bin/serve, "a\tb", 'it''s']
      environment: { MODE: fast, RATIO: 010, "ä": "$${x}" }
      working_dir: /srv
      stop_grace: 2m
  - name: b
    parameters: *p
    restart: on-failure
  - name: c
    parameters:
      command: >-
        folded
        text
"#;

const VALID_JSON: &str = r#"{"service_name": "cell", "images": [
  {"name": "a", "replicas": 2, "parameters": {"command": ["s", 80], "environment": {"A": "\u00e4\n", "B": true}}}]}"#;

/// What mutations put in.
fn scrap() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(vec![
            "", " ", "\n", "\t", ":", ": ", "- ", "[", "]", "{", "}", "&x ", "*k", "*p", "<<: ", "!t ",
            "!!int ", "---\n", "...\n", "|\n", ">", "\"", "'", "#", "${", "$", "%", "\r\n", "\u{FEFF}", "\0",
            "ä", "~", "@", "`", ",", "?", "\\",
        ])
        .prop_map(str::to_owned),
        ".{0,6}",
    ]
}

/// A valid text with a few stretches replaced.
fn mutated(valid: &'static str) -> impl Strategy<Value = String> {
    let cuts = proptest::collection::vec((any::<proptest::sample::Index>(), 0..12_usize, scrap()), 1..6);
    cuts.prop_map(move |cuts| {
        cuts.into_iter().fold(valid.to_owned(), |text, (place, length, scrap)| {
            let from = text.floor_char_boundary(place.index(text.len() + 1));
            let to = text.floor_char_boundary((from + length).min(text.len())).max(from);
            format!("{}{scrap}{}", &text[..from], &text[to..])
        })
    })
}

fn answer(format: Format, bytes: &[u8]) {
    match parse(format, bytes) {
        Ok(blueprint) => {
            assert!(!blueprint.spec.images.is_empty());
            assert_eq!(blueprint.spec.source.text.as_bytes(), bytes);
        }
        Err(refused) => {
            check_places(bytes, refused.as_slice());
        }
    }
}

#[test]
fn the_texts_that_are_mutated_are_valid() {
    assert!(parse(Format::Yaml, VALID.as_bytes()).is_ok());
    assert!(parse(Format::Json, VALID_JSON.as_bytes()).is_ok());
}

/// At least 2000 cases; `PROPTEST_CASES` asks for more.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { failure_persistence: None, cases: default.cases.max(2000), ..default }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_bytes_get_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        answer(Format::Yaml, &bytes);
        answer(Format::Json, &bytes);
    }

    #[test]
    fn any_text_gets_an_answer(text in "\\PC{0,200}") {
        answer(Format::Yaml, text.as_bytes());
        answer(Format::Json, text.as_bytes());
    }

    #[test]
    fn mutated_yaml_gets_an_answer(text in mutated(VALID)) {
        answer(Format::Yaml, text.as_bytes());
        answer(Format::Json, text.as_bytes());
    }

    #[test]
    fn mutated_json_gets_an_answer(text in mutated(VALID_JSON)) {
        answer(Format::Json, text.as_bytes());
        answer(Format::Yaml, text.as_bytes());
    }

    #[test]
    fn json_brings_any_text_unchanged(text in "[^\\$\0]{0,40}") {
        prop_assert_eq!(brought(Format::Json, &text), text);
    }

    /// JSON is YAML, but for characters that YAML wants escaped.
    #[test]
    fn yaml_brings_printable_text_unchanged(text in "[ -#%-~\n\täß€日𝄞]{0,40}") {
        prop_assert_eq!(brought(Format::Yaml, &text), text);
    }
}

/// What a variable's value is after it went through a document.
fn brought(format: Format, text: &str) -> String {
    let document = serde_json::json!({
        "service_name": "x",
        "images": [{ "name": "a", "parameters": { "environment": { "A": text } } }],
    });
    let blueprint = parse(format, document.to_string().as_bytes()).expect("a blueprint");
    blueprint.spec.images[0].params.environment["A"].clone()
}
