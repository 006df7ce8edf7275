//! The route table: documented, linked, and strict about methods.

use motey_core::reason::Code;
use motey_core::step::EventKind;

use super::client::Reply;
use super::fixture::{Fixture, request};
use crate::rest::ROUTES;

fn filled(path: &str) -> String {
    path.replace("{id}", "01890a5d-ac96-774b-bcce-b302099a8057")
}

#[test]
fn every_route_is_in_the_documentation() {
    let documentation = include_str!("../../../../../docs/rest.md");
    for route in ROUTES {
        for method in route.methods {
            let line = format!("`{method} {}`", route.path);
            assert!(documentation.contains(&line), "docs/rest.md does not name {line}");
        }
    }
}

#[test]
fn every_problem_is_in_the_documentation() {
    let documentation = include_str!("../../../../../docs/rest.md");
    let source = include_str!("../error.rs");
    let names =
        source.lines().filter(|line| line.contains("StatusCode::")).filter_map(|line| line.split('"').nth(1));
    let names: Vec<_> = names.collect();
    assert!(names.len() > 20, "the table of problems has moved");
    for name in names {
        assert!(
            documentation.contains(&format!("`{name}`")),
            "docs/rest.md does not name the problem {name}"
        );
    }
}

#[test]
fn every_reason_and_every_kind_of_event_is_in_the_documentation() {
    let documentation = include_str!("../../../../../docs/rest.md");
    let reasons = Code::ALL.iter().map(|code| code.as_str());
    let kinds = EventKind::ALL.iter().map(|kind| kind.as_str());
    for name in reasons.chain(kinds) {
        assert!(documentation.contains(&format!("`{name}`")), "docs/rest.md does not name {name}");
    }
}

#[tokio::test]
async fn the_root_links_to_every_route() {
    let root = Fixture::start().await.get("/v1").await;
    assert_eq!(root.status, 200);
    let links = root.json()["_links"].as_object().expect("links").clone();
    for route in ROUTES {
        assert_eq!(links[route.rel]["href"], route.path);
        assert_eq!(links[route.rel]["templated"].as_bool().unwrap_or(false), route.path.contains('{'));
    }
    assert_eq!(links.len(), ROUTES.len(), "two routes have one relation");
}

#[tokio::test]
async fn every_route_answers_its_methods_and_names_them_for_others() {
    let fixture = Fixture::start().await;
    for route in ROUTES {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            let path = filled(route.path);
            let reply = fixture.ask(method, &path, "", b"").await;
            let allowed = route.methods.contains(&method);
            assert_eq!(reply.status != 405, allowed, "{method} {path}: {reply:?}");
            if !allowed {
                assert_eq!(reply.problem().1, "method");
                assert_eq!(reply.header("allow"), Some(route.allow().as_str()), "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn a_head_is_answered_as_its_get_is_and_has_no_body() {
    let fixture = Fixture::start().await;
    let mut connection = fixture.connect_unix().await;
    for route in ROUTES.iter().filter(|route| !route.path.ends_with("nodestatus")) {
        let path = filled(route.path);
        connection.send(&request("HEAD", &path, "", b"")).await;
        let head = connection.receive_head().await;
        let get = fixture.get(&path).await;
        let length = |reply: &Reply| reply.header("content-length").map(str::to_owned);
        let methods = [head.status, get.status];
        assert!(
            methods == [405, 405] || (methods[0] == methods[1] && length(&head) == length(&get)),
            "{path}"
        );
    }
}

#[tokio::test]
async fn what_is_nowhere_is_not_found() {
    let fixture = Fixture::start().await;
    for path in ["/", "/v2", "/v1/", "/v1/services", "/v1/service/x/y", "/v1//service", "/v1/nodes/a/b"] {
        let reply = fixture.get(path).await;
        if path == "/v1/" {
            assert_eq!(reply.status, 200);
        } else {
            assert_eq!(reply.problem(), (404, "no-route".into()), "{path}");
            assert_eq!(reply.json()["instance"], path);
        }
    }
}

#[tokio::test]
async fn the_reading_routes_read() {
    let fixture = Fixture::start().await;
    let node = format!("/v1/nodes/{}", super::fixture::NODE);
    for path in ["/healthz", "/readyz", "/v1/nodestatus", node.as_str()] {
        let reply = fixture.get(path).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.json()["_links"]["self"]["href"], path);
    }
    for path in ["/v1/service", "/v1/capabilities", "/v1/nodes", "/v1/plugins", "/v1/events"] {
        let reply = fixture.get(path).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert!(reply.json().is_array(), "{path}");
    }
    assert_eq!(fixture.get("/v1/nodes/x").await.problem(), (404, "unknown-node".into()));
    assert_eq!(fixture.get("/v1/events?limt=3").await.problem(), (400, "query".into()));
    assert_eq!(fixture.get("/v1/events?after=x").await.problem(), (400, "query".into()));
}
