//! The life of a service as a client sees it, on a node that cannot run anything.

use super::fixture::Fixture;

const YAML: &[u8] = b"service_name: cell-7\nimages:\n  - name: /bin/sleep\n    engine: process\n    parameters: { command: [\"60\"] }\n";
const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

fn path(rest: &str) -> String {
    format!("/v1/service/{ID}{rest}")
}

async fn deployed() -> Fixture {
    let fixture = Fixture::start().await;
    let reply = fixture.post_yaml(&format!("/v1/service?id={ID}"), YAML).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    fixture
}

#[tokio::test]
async fn a_deployed_service_is_where_the_answer_says() {
    let fixture = Fixture::start().await;
    let reply = fixture.post_yaml("/v1/service", YAML).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let location = reply.header("location").expect("a location").to_owned();
    let made = reply.json();
    assert_eq!(location, format!("/v1/service/{}", made["id"].as_str().expect("an id")));
    assert_eq!((&made["service_name"], &made["state"]), (&"cell-7".into(), &"INITIAL".into()));
    assert_eq!(made["durability"], "1 of 1 holder");
    assert!(made["state_message"].is_string(), "what it waits for: {made}");
    assert_eq!(fixture.get(&location).await.json(), made);
    assert_eq!(fixture.get("/v1/service").await.json(), serde_json::json!([made]));
}

#[tokio::test]
async fn the_id_makes_a_request_repeatable() {
    let fixture = deployed().await;
    let again = fixture.post_yaml(&format!("/v1/service?id={ID}"), YAML).await;
    assert_eq!(again.status, 201);
    assert_eq!(again.header("location"), Some(path("").as_str()));
    let other = [YAML, b"# another\n"].concat();
    let other = fixture.post_yaml(&format!("/v1/service?id={ID}"), &other).await;
    assert_eq!(other.problem(), (409, "conflict".into()));
    assert_eq!(fixture.post_yaml("/v1/service?id=web", YAML).await.problem(), (400, "query".into()));
}

#[tokio::test]
async fn a_client_may_refuse_to_wait() {
    let fixture = Fixture::start().await;
    let reply = fixture.post_yaml("/v1/service?unplaceable=reject", YAML).await;
    assert_eq!(reply.problem(), (409, "unplaceable".into()));
    assert_eq!(fixture.get("/v1/service").await.json(), serde_json::json!([]));
    let reply = fixture.post_yaml("/v1/service?unplaceable=maybe", YAML).await;
    assert_eq!(reply.problem(), (400, "query".into()));
}

#[tokio::test]
async fn the_blueprint_comes_back_byte_for_byte() {
    let fixture = deployed().await;
    let reply = fixture.get(&path("/blueprint")).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/yaml")));
    assert_eq!(reply.body, YAML);
}

#[tokio::test]
async fn verbs_change_what_is_desired() {
    let fixture = deployed().await;
    for (verb, desired, next) in [("stop", "stopped", "start"), ("start", "running", "stop")] {
        let reply = fixture.ask("POST", &path(&format!("/{verb}")), "", b"").await;
        assert_eq!(reply.status, 202, "{reply:?}");
        let service = reply.json();
        assert_eq!(service["desired"], desired);
        assert_eq!(service["_links"][next]["method"], "POST");
    }
    assert_eq!(fixture.ask("POST", &path("/restart"), "", b"{}").await.status, 202);
    let reply = fixture.ask("POST", &path("/stop"), "", b"now!").await;
    assert_eq!(reply.problem(), (400, "body".into()));
}

#[tokio::test]
async fn an_image_is_scaled_by_its_key() {
    let fixture = deployed().await;
    let json = "Content-Type: application/json\r\n";
    let key = fixture.get(&path("")).await.json()["images"][0]["key"].as_str().expect("a key").to_owned();
    let body = format!(r#"{{"image": "{key}", "replicas": 3}}"#);
    let reply = fixture.ask("POST", &path("/scale"), json, body.as_bytes()).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    assert_eq!(reply.json()["images"][0]["replicas"], 3);
    assert_eq!(reply.json()["images"][0]["instances"].as_array().map(Vec::len), Some(3));
    for (body, problem) in [
        (r#"{"image": "nope", "replicas": 3}"#, (404, "unknown-image")),
        (&format!(r#"{{"image": "{key}", "replicas": 1001}}"#), (400, "too-many-slots")),
        (r#"{"image": "nope"}"#, (400, "body")),
        (r#"{"image": "NOPE", "replicas": 1}"#, (400, "body")),
        (r#"{"image": "nope", "replicas": 70000}"#, (400, "body")),
        (r#"{"image": "nope", "replicas": 1, "x": 1}"#, (400, "body")),
    ] {
        let reply = fixture.ask("POST", &path("/scale"), json, body.as_bytes()).await;
        assert_eq!(reply.problem(), (problem.0, problem.1.into()), "{body}");
    }
    let reply = fixture.ask("POST", &path("/scale"), "", body.as_bytes()).await;
    assert_eq!(reply.problem(), (415, "media-type".into()));
}

async fn put(fixture: &Fixture, path: &str, body: &[u8]) -> super::client::Reply {
    fixture.ask("PUT", path, "Content-Type: application/x-yaml\r\n", body).await
}

#[tokio::test]
async fn a_new_blueprint_is_a_new_revision_and_the_same_bytes_are_none() {
    let fixture = deployed().await;
    let before = fixture.get(&path("")).await.json();
    let same = put(&fixture, &path(""), YAML).await;
    assert_eq!((same.status, same.json()), (202, before));
    let other = [YAML, b"  - { name: /bin/true, engine: process }\n"].concat();
    for _ in 0..2 {
        let updated = put(&fixture, &path(""), &other).await;
        assert_eq!((updated.status, &updated.json()["revision"]), (202, &2.into()), "{updated:?}");
        assert_eq!(updated.json()["images"].as_array().map(Vec::len), Some(2));
        assert_eq!(fixture.get(&path("/blueprint")).await.body, other);
    }
    let kinds = fixture.get(&path("/events")).await.json();
    let updates = kinds.as_array().expect("events").iter().filter(|event| event["kind"] == "updated");
    assert_eq!(updates.count(), 1, "{kinds}");
}

#[tokio::test]
async fn an_update_is_refused_by_what_is_wrong_with_it() {
    let fixture = deployed().await;
    let unknown = "/v1/service/01890a5d-ac96-774b-bcce-b302099a8058";
    assert_eq!(put(&fixture, unknown, YAML).await.problem(), (404, "unknown-service".into()));
    assert_eq!(put(&fixture, "/v1/service/cell-7", YAML).await.problem(), (404, "unknown-service".into()));
    assert_eq!(put(&fixture, &path("?unplaceable=reject"), YAML).await.problem(), (400, "query".into()));
    let mistake = put(&fixture, &path(""), b"service_name: cell-7\nimages: 7\n").await;
    assert_eq!(mistake.problem(), (400, "blueprint".into()));
    assert_eq!(mistake.json()["errors"][0]["line"], 2);
    let untyped = fixture.ask("PUT", &path(""), "", YAML).await;
    assert_eq!(untyped.problem(), (415, "media-type".into()));
    let renamed = put(&fixture, &path(""), b"service_name: cell-8\nimages: [{ name: x }]\n").await;
    assert_eq!(renamed.problem(), (409, "renamed".into()));
    assert_eq!(fixture.get(&path("")).await.json()["revision"], 1);

    fixture.ask("DELETE", &path(""), "", b"").await;
    assert_eq!(put(&fixture, &path(""), YAML).await.problem(), (410, "deleted".into()));
}

#[tokio::test]
async fn what_is_on_its_way_out_is_not_updated() {
    let fixture = Fixture::start().await;
    fixture.believe_in("process");
    fixture.post_yaml(&format!("/v1/service?id={ID}"), YAML).await;
    assert_eq!(fixture.ask("DELETE", &path(""), "", b"").await.status, 202);
    let refused = put(&fixture, &path(""), &[YAML, b"# another\n"].concat()).await;
    assert_eq!(refused.problem(), (410, "deleted".into()));
    assert_eq!(refused.json()["state"], "STOPPING");
}

#[tokio::test]
async fn a_deleted_service_leaves_the_list_and_says_so_for_ever() {
    let fixture = deployed().await;
    let reply = fixture.ask("DELETE", &path(""), "", b"").await;
    assert_eq!(reply.status, 202, "{reply:?}");
    for path in [path(""), path("/blueprint"), path("/logs")] {
        let gone = fixture.get(&path).await;
        assert_eq!(gone.problem(), (410, "deleted".into()));
        assert_eq!((&gone.json()["state"], &gone.json()["id"]), (&"TERMINATED".into(), &ID.into()));
    }
    assert_eq!(fixture.get("/v1/service").await.json(), serde_json::json!([]));
    let again = fixture.post_yaml(&format!("/v1/service?id={ID}"), YAML).await;
    assert_eq!(again.problem(), (410, "deleted".into()));
    assert_eq!(fixture.ask("POST", &path("/start"), "", b"").await.problem(), (410, "deleted".into()));
    assert_eq!(fixture.ask("DELETE", &path(""), "", b"").await.problem(), (410, "deleted".into()));
    let story = fixture.get(&path("/events")).await.json();
    assert_eq!(story[0]["kind"], "deployed", "{story}");
}

#[tokio::test]
async fn what_may_have_left_something_behind_stops_until_its_engine_says_it_is_gone() {
    let fixture = Fixture::start().await;
    fixture.believe_in("process");
    let made = fixture.post_yaml(&format!("/v1/service?id={ID}"), YAML).await;
    let instance = &made.json()["images"][0]["instances"][0];
    assert_eq!((made.status, &made.json()["state"]), (201, &"INSTANTIATING".into()));
    assert!(instance["fence"].is_string() && instance["engine"] == "process", "{instance}");
    assert_eq!(fixture.get(&path("/logs")).await.problem(), (404, "no-instance".into()));
    assert_eq!(fixture.get(&path("/logs?slot=1")).await.problem(), (404, "no-instance".into()));
    for _ in 0..2 {
        let deleted = fixture.ask("DELETE", &path(""), "", b"").await;
        assert_eq!((deleted.status, &deleted.json()["state"]), (202, &"STOPPING".into()));
        let seen = fixture.get(&path("")).await;
        assert_eq!((seen.status, &seen.json()["state"]), (200, &"STOPPING".into()));
        assert!(seen.json()["_links"]["start"].is_null());
    }
    assert_eq!(fixture.get("/v1/service").await.json().as_array().map(Vec::len), Some(1));
    assert_eq!(fixture.ask("POST", &path("/start"), "", b"").await.problem(), (410, "deleted".into()));
}

#[tokio::test]
async fn the_body_of_a_delete_names_the_service_as_in_the_thesis() {
    let fixture = deployed().await;
    let wrong = fixture.ask("DELETE", "/v1/service", "", b"{}").await;
    assert_eq!(wrong.problem(), (400, "body".into()));
    let body = format!(r#"{{"id": "{ID}"}}"#);
    let reply =
        fixture.ask("DELETE", "/v1/service", "Content-Type: application/json\r\n", body.as_bytes()).await;
    assert_eq!((reply.status, &reply.json()["desired"]), (202, &"absent".into()));
}

#[tokio::test]
async fn what_is_not_there_is_said_so() {
    let fixture = deployed().await;
    for path in ["/v1/service/web", "/v1/service/0", "/v1/service/01890a5d-ac96-774b-bcce-b302099a8058"] {
        assert_eq!(fixture.get(path).await.problem(), (404, "unknown-service".into()), "{path}");
        let events = fixture.get(&format!("{path}/events")).await;
        assert_eq!(events.problem(), (404, "unknown-service".into()), "{path}");
    }
    assert_eq!(fixture.get(&path("/logs")).await.problem(), (404, "no-instance".into()));
    assert_eq!(fixture.get(&path("/logs?slot=1&tail=x")).await.problem(), (400, "query".into()));
    for since in ["1", "-1s", "1y", "soon"] {
        let refused = fixture.get(&path(&format!("/logs?since={since}"))).await;
        assert_eq!(refused.problem(), (400, "query".into()), "{since}");
    }
    assert_eq!(fixture.get(&path("/logs?since=1d")).await.problem(), (404, "no-instance".into()));
}

#[tokio::test]
async fn events_go_on_where_the_link_says() {
    let fixture = deployed().await;
    fixture.ask("POST", &path("/stop"), "", b"").await;
    let all = fixture.get("/v1/events").await.json();
    let seqs: Vec<_> = all.as_array().expect("events").iter().map(|event| event["seq"].as_u64()).collect();
    assert!(seqs.len() >= 2 && seqs.is_sorted(), "{all}");
    let first = fixture.get("/v1/events?after=0&limit=1").await;
    assert_eq!(first.json()[0], all[0]);
    let link = first.header("link").expect("a link");
    let next = link.strip_prefix('<').and_then(|link| link.split_once('>')).expect("a target").0;
    assert_eq!(fixture.get(next).await.json()[0], all[1]);
    let before = format!("/v1/events?before={}&limit=1", seqs[1].expect("a number"));
    assert_eq!(fixture.get(&before).await.json()[0], all[0]);
    for limit in ["0", "1001", "-1", "x"] {
        let refused = fixture.get(&format!("/v1/events?limit={limit}")).await;
        assert_eq!(refused.problem(), (400, "query".into()), "{limit}");
    }
    let end = fixture.get("/v1/events?after=1000000").await;
    assert!(
        end.json() == serde_json::json!([])
            && end.header("link").is_some_and(|link| link.contains("1000000"))
    );
}
