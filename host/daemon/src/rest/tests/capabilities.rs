//! What people give to a node and take back, as a client sees it.

use serde_json::{Value, json};

use super::client::Reply;
use super::fixture::{Fixture, request};

const JSON: &str = "Content-Type: application/json\r\n";
const PATH: &str = "/v1/capabilities";

async fn ask(fixture: &Fixture, method: &str, body: &Value) -> Reply {
    fixture.ask(method, PATH, JSON, body.to_string().as_bytes()).await
}

/// Asks for what is so already: the answer has no body, and the connection goes on.
async fn nothing_to_do(fixture: &Fixture, method: &str, body: &Value) {
    let mut connection = fixture.connect_unix().await;
    connection.send(&request(method, PATH, JSON, body.to_string().as_bytes())).await;
    assert_eq!(connection.receive_head().await.status, 304, "{method} {body}");
    connection.send(&request("GET", "/healthz", "", b"")).await;
    assert_eq!(connection.receive().await.status, 200);
}

fn names(reply: &Reply) -> Vec<String> {
    let all = reply.json();
    let all = all.as_array().expect("an array");
    all.iter().map(|one| one["capability"].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test]
async fn what_is_given_is_offered_and_what_is_taken_back_is_not() {
    let fixture = Fixture::start().await;
    let zigbee = json!([{"capability": "zigbee", "capability_type": "hardware"}]);
    let reply = ask(&fixture, "PUT", &zigbee).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    assert_eq!(names(&reply), ["zigbee"]);
    assert_eq!(reply.json(), fixture.get(PATH).await.json());
    nothing_to_do(&fixture, "PUT", &zigbee).await;
    nothing_to_do(&fixture, "PUT", &json!([])).await;

    let full = json!([{"capability": "memory", "capability_type": "resource", "unit": "bank-1", "amount": "1 GB",
        "properties": {"ecc": true, "speed": 3200, "maker": "x"}}]);
    let reply = ask(&fixture, "PUT", &full).await;
    assert_eq!((reply.status, names(&reply)), (201, vec!["zigbee".to_owned(), "memory".to_owned()]));
    let memory = &reply.json()[1];
    assert_eq!((&memory["amount"], &memory["supply"]), (&json!(1_000_000_000), &json!("amount")));
    assert_eq!(memory["properties"], full[0]["properties"]);
    assert_eq!(memory["source"], "rest");
    assert_eq!(memory["_links"]["withdraw"], json!({"href": PATH, "method": "DELETE"}));

    nothing_to_do(&fixture, "DELETE", &json!([{"capability": "zigbee", "unit": "A1"}])).await;
    nothing_to_do(&fixture, "DELETE", &json!([{"capability": "zigbee", "capability_type": "label"}])).await;
    let reply = ask(&fixture, "DELETE", &zigbee).await;
    assert_eq!((reply.status, names(&reply)), (201, vec!["memory".to_owned()]));
    nothing_to_do(&fixture, "DELETE", &zigbee).await;
}

#[tokio::test]
async fn a_wrong_list_is_refused_as_a_whole_with_every_place() {
    let fixture = Fixture::start().await;
    let body =
        json!([{"capability": "good", "capability_type": "x"}, {"capability": "zigbee", "amount": "many"}]);
    let reply = ask(&fixture, "PUT", &body).await;
    assert_eq!(reply.problem(), (400, "capabilities".into()));
    let problem = reply.json();
    let paths: Vec<&Value> =
        problem["errors"].as_array().expect("errors").iter().map(|error| &error["path"]).collect();
    assert_eq!(paths, ["[1].capability_type", "[1].amount"]);
    assert_eq!(fixture.get(PATH).await.json(), json!([]), "nothing of it is stored");

    for body in ["", "{}", "[", "null", "[7]", r#"[{"unit": "a"}]"#] {
        let reply = fixture.ask("DELETE", PATH, JSON, body.as_bytes()).await;
        assert_eq!(reply.problem(), (400, "capabilities".into()), "{body}");
    }
    let reply = fixture.ask("PUT", PATH, "Content-Type: text/plain\r\n", b"[]").await;
    assert_eq!(reply.problem(), (415, "media-type".into()));
    let reply = fixture.ask("PUT", "/v1/capabilities?force", JSON, b"[]").await;
    assert_eq!(reply.problem(), (400, "query".into()));
}

#[tokio::test]
async fn there_is_a_most_that_people_can_give() {
    let fixture = Fixture::start().await;
    let many = |count: usize| {
        let one = |n| json!({"capability": format!("c-{n}"), "capability_type": "x", "properties": {"n": "x".repeat(900)}});
        Value::Array((0..count).map(one).collect())
    };
    let reply = ask(&fixture, "PUT", &many(257)).await;
    assert_eq!(reply.problem(), (400, "too-many-capabilities".into()));
    let reply = ask(&fixture, "PUT", &many(256)).await;
    assert_eq!((reply.status, names(&reply).len()), (201, 256));
}

#[tokio::test]
async fn what_waits_is_looked_at_before_the_answer() {
    let fixture = Fixture::start().await;
    fixture.believe_in("process");
    let yaml =
        b"service_name: a\nimages:\n  - { name: /bin/true, engine: process, capabilities: [zigbee] }\n";
    let made = fixture.post_yaml("/v1/service", yaml).await.json();
    assert_eq!(made["state_message"], "nothing offers the capability zigbee");
    let path = format!("/v1/service/{}", made["id"].as_str().expect("an id"));
    ask(
        &fixture,
        "PUT",
        &json!([{"capability": "zigbee", "capability_type": "hardware", "exclusive": true}]),
    )
    .await;
    let service = fixture.get(&path).await.json();
    assert!(service["images"][0]["instances"][0]["fence"].is_string(), "it has its place: {service}");
    assert_eq!(fixture.get(PATH).await.json()[0]["leased"], 1);
}
