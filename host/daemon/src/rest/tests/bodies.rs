//! Bodies that are wrong: each has its problem, nothing is stored, and the node goes on.

use std::time::Duration;

use super::fixture::{Fixture, request};
use crate::rest::Limits;

const YAML: &str = "Content-Type: application/x-yaml\r\n";
const JSON: &str = "Content-Type: application/json\r\n";

#[tokio::test]
async fn wrong_blueprints_are_refused_with_places() {
    let fixture = Fixture::start().await;
    let cases: &[(&str, &[u8])] = &[
        (YAML, b""),
        (YAML, b"\n\n"),
        (YAML, b"- a\n- b\n"),
        (YAML, b"service_name: [\n"),
        (YAML, b"service_name: \xff\n"),
        (YAML, b"service_name: a\nimages: 7\n"),
        (JSON, b"{"),
        (JSON, b"service_name: a\n"),
        (JSON, b"null"),
    ];
    for (headers, body) in cases {
        let reply = fixture.ask("POST", "/v1/service", headers, body).await;
        assert_eq!(reply.problem(), (400, "blueprint".into()), "{:?}", String::from_utf8_lossy(body));
        let errors = reply.json()["errors"].as_array().expect("errors").clone();
        assert!(!errors.is_empty());
        for error in errors {
            assert!(error["line"].as_u64() >= Some(1) && error["column"].as_u64() >= Some(1), "{error}");
            assert!(error["message"].is_string() && error["path"].is_string());
        }
    }
    assert_eq!(fixture.get("/v1/service").await.json(), serde_json::json!([]));
}

#[tokio::test]
async fn every_mistake_is_told_at_once() {
    let fixture = Fixture::start().await;
    let reply =
        fixture.post_yaml("/v1/service", b"service_nam: a\nimages:\n  - nam: b\n    engine: process\n").await;
    let errors = reply.json()["errors"].as_array().expect("errors").clone();
    assert!(errors.len() >= 2, "{errors:?}");
    assert_eq!((&errors[0]["line"], &errors[0]["column"]), (&1.into(), &1.into()));
}

#[tokio::test]
async fn a_large_blueprint_is_read_apart_and_judged_alike() {
    let fixture = Fixture::start().await;
    let mut body = b"service_name: a\nimages:\n  - { name: /bin/true, engine: process }\n".to_vec();
    body.extend(std::iter::repeat_n(b"# padding\n", 10_000).flatten());
    let reply = fixture.post_yaml("/v1/service", &body).await;
    assert_eq!(reply.status, 201, "{reply:?}");
}

#[tokio::test]
async fn content_types_are_told_apart() {
    let fixture = Fixture::start().await;
    let body = b"{\"service_name\": \"a\", \"images\": [{\"name\": \"/bin/true\", \"engine\": \"process\"}]}";
    for content_type in
        ["application/x-yaml", "application/yaml; charset=UTF-8", "text/yaml", "application/json"]
    {
        let header = format!("Content-Type: {content_type}\r\n");
        let reply = fixture.ask("POST", "/v1/service", &header, body).await;
        assert_eq!(reply.status, 201, "{content_type}: {reply:?}");
    }
    for header in [
        "",
        "Content-Type: text/plain\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "Content-Type: application/x-yaml; charset=latin1\r\n",
        "Content-Type: \u{e4}\r\n",
    ] {
        let reply = fixture.ask("POST", "/v1/service", header, body).await;
        assert_eq!(reply.problem(), (415, "media-type".into()), "{header}");
        assert!(reply.header("accept").is_some_and(|accept| accept.contains("application/x-yaml")));
    }
}

#[tokio::test]
async fn ten_megabytes_are_too_much_and_the_client_learns_it() {
    let fixture = Fixture::start().await;
    let body = vec![b'#'; 10 << 20];
    let mut connection = fixture.connect_unix().await;
    connection.send(&request("POST", "/v1/service", YAML, &body)).await;
    assert_eq!(connection.receive().await.problem(), (413, "large-body".into()));
    // the body was read away, so the connection is good for more
    connection.send(&request("GET", "/healthz", "", b"")).await;
    assert_eq!(connection.receive().await.status, 200);
}

#[tokio::test]
async fn a_stream_without_a_length_is_cut_at_the_limit() {
    let limits = Limits { body: 1000, ..Limits::default() };
    let fixture = Fixture::with(limits).await;
    let mut connection = fixture.connect_unix().await;
    let head =
        format!("POST /v1/service HTTP/1.1\r\nHost: localhost\r\n{YAML}Transfer-Encoding: chunked\r\n\r\n");
    connection.send(head.as_bytes()).await;
    for _ in 0..20 {
        connection.send(format!("64\r\n{}\r\n", "#".repeat(100)).as_bytes()).await;
    }
    connection.send(b"0\r\n\r\n").await;
    assert_eq!(connection.receive().await.problem(), (413, "large-body".into()));
}

#[tokio::test]
async fn who_asks_before_sending_is_told_before_sending() {
    let fixture = Fixture::start().await;
    let mut connection = fixture.connect_unix().await;
    let head = "POST /v1/service HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 10485760\r\n\r\n";
    connection.send(head.as_bytes()).await;
    assert_eq!(connection.receive().await.problem(), (413, "large-body".into()));
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_given_up() {
    let limits = Limits { body_time: Duration::from_millis(200), ..Limits::default() };
    let fixture = Fixture::with(limits).await;
    let mut connection = fixture.connect_unix().await;
    let head =
        format!("POST /v1/service HTTP/1.1\r\nHost: localhost\r\n{YAML}Content-Length: 100\r\n\r\nservice_");
    connection.send(head.as_bytes()).await;
    let reply = connection.receive().await;
    assert_eq!(reply.problem(), (408, "slow-body".into()));
    assert_eq!(reply.header("connection"), Some("close"));
    assert_eq!(connection.rest().await, b"");
    assert_eq!(fixture.get("/v1/service").await.json(), serde_json::json!([]));
}

#[tokio::test]
async fn a_client_that_goes_in_the_middle_of_a_body_leaves_nothing() {
    let fixture = Fixture::start().await;
    let mut connection = fixture.connect_unix().await;
    let body = "service_name: a\nimages:\n  - { name: /bin/true, engine: process }\n";
    let length = body.len() + 1;
    let head = format!(
        "POST /v1/service HTTP/1.1\r\nHost: localhost\r\n{YAML}Content-Length: {length}\r\n\r\n{body}"
    );
    connection.send(head.as_bytes()).await;
    drop(connection);
    // whatever came of it is decided before the loop answers this
    assert_eq!(fixture.get("/readyz").await.status, 200);
    assert_eq!(fixture.get("/v1/service").await.json(), serde_json::json!([]));
}
