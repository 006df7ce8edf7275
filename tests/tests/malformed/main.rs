//! A node and everything that is no blueprint: each body of `table.txt` is refused with the expected status, problem
//! type and places; nothing is stored, and the node lives on.

use motey_tests::{Http, NodeUnderTest};

const TABLE: &str = include_str!("table.txt");

/// The table is no table with fewer.
const LEAST: usize = 40;

#[derive(Debug, Default)]
struct Case {
    name: String,
    kind: Option<String>,
    status: u16,
    problem: String,
    at: Option<String>,
    body: Vec<u8>,
}

#[test]
fn every_malformed_body_is_refused_with_its_places() {
    let cases = table();
    assert!(cases.len() >= LEAST, "{} cases", cases.len());
    let node = NodeUnderTest::builder().plugins(&["mock"]).start();
    let http = node.http();
    let wrong: Vec<String> = cases.iter().filter_map(|case| judge(&http, case).err()).collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert_eq!(http.get("/v1/service").expect(200).json(), serde_json::json!([]), "nothing is stored");
    assert_eq!(http.get("/v1/events").expect(200).json(), serde_json::json!([]), "nothing is told");
    http.deploy("service_name: good\nimages: [{ name: any, engine: mock }]\n").expect(201);
}

/// What is wrong about the answer.
fn judge(http: &Http, case: &Case) -> Result<(), String> {
    let Case { name, kind, status, problem, at, body } = case;
    let answer = http
        .send("POST", "/v1/service", kind.as_deref(), body)
        .map_err(|error| format!("{name}: no answer: {error}"))?;
    if answer.status != *status {
        return Err(format!("{name}: {} instead of {status}: {}", answer.status, answer.text()));
    }
    let media_type = answer.header("content-type");
    if media_type != Some("application/problem+json") {
        return Err(format!("{name}: the problem has the content type {media_type:?}"));
    }
    let said = answer.json();
    let type_ = said["type"].as_str().unwrap_or_default();
    if type_.rsplit(['/', ':']).next() != Some(problem) {
        return Err(format!("{name}: the type is {type_} instead of {problem}"));
    }
    let places = said["errors"].as_array().map(|errors| {
        let place = |error: &serde_json::Value| format!("{}:{}", error["line"], error["column"]);
        errors.iter().map(place).collect::<Vec<_>>().join(", ")
    });
    if places != *at {
        return Err(format!("{name}: at {places:?} instead of {at:?}: {}", said["errors"]));
    }
    Ok(())
}

fn table() -> Vec<Case> {
    let (_, cases) = TABLE.split_once("\n### ").expect("the table has a case");
    cases.split("\n### ").map(read).collect()
}

fn read(text: &str) -> Case {
    let (head, body) = text.split_once("\n---").expect("--- ends the expectations");
    let mut lines = head.lines();
    let name = lines.next().expect("a name").to_owned();
    let kind = Some("application/x-yaml".to_owned());
    let body = body.strip_prefix('\n').unwrap_or(body).as_bytes().to_vec();
    let mut case = Case { name, kind, body, ..Case::default() };
    for line in lines {
        let (key, value) = line.split_once(": ").unwrap_or_else(|| panic!("{}: {line}", case.name));
        match key {
            "kind" => case.kind = (value != "none").then(|| value.to_owned()),
            "status" => case.status = value.parse().expect("a status"),
            "type" => value.clone_into(&mut case.problem),
            "at" => case.at = Some(value.to_owned()),
            "make" => case.body = make(value),
            _ => panic!("{}: {key} is no expectation", case.name),
        }
    }
    case
}

fn make(how: &str) -> Vec<u8> {
    let (verb, rest) = how.split_once(' ').expect("a verb and what it takes");
    match verb {
        "hex" => rest.split(' ').map(|byte| u8::from_str_radix(byte, 16).expect("a byte")).collect(),
        "nest" => {
            let depth = rest.parse().expect("a depth");
            ("[".repeat(depth) + &"]".repeat(depth)).into_bytes()
        }
        "repeat" => {
            let (times, text) = rest.split_once(' ').expect("a number and a text");
            text.replace("\\s", " ").repeat(times.parse().expect("a number")).into_bytes()
        }
        _ => panic!("{verb} makes no body"),
    }
}
