//! The story of a service, as a client is told it.

use serde_json::json;

use super::fixture::Fixture;

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const YAML: &[u8] = b"service_name: cell-7\nimages:\n  - { name: /bin/sleep, key: web, capabilities: [zigbee], replicas: 2 }\n";

async fn why(fixture: &Fixture) -> serde_json::Value {
    let reply = fixture.get(&format!("/v1/service/{ID}/why")).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

async fn deployed() -> Fixture {
    let fixture = Fixture::start().await;
    fixture.believe_in("process");
    let reply = fixture.post_yaml(&format!("/v1/service?id={ID}"), YAML).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    fixture
}

#[tokio::test]
async fn what_waits_says_for_what_since_when_and_what_would_mend_it() {
    let fixture = deployed().await;
    insta::assert_snapshot!(serde_json::to_string_pretty(&why(&fixture).await).expect("JSON"), @r#"{
  "_links": {
    "events": {
      "href": "/v1/service/01890a5d-ac96-774b-bcce-b302099a8057/events"
    },
    "logs": {
      "href": "/v1/service/01890a5d-ac96-774b-bcce-b302099a8057/logs"
    },
    "self": {
      "href": "/v1/service/01890a5d-ac96-774b-bcce-b302099a8057/why"
    },
    "service": {
      "href": "/v1/service/01890a5d-ac96-774b-bcce-b302099a8057"
    }
  },
  "desired": "running",
  "earlier": 0,
  "id": "01890a5d-ac96-774b-bcce-b302099a8057",
  "remedies": [
    {
      "reason": "waiting.capability",
      "text": "a node has to offer what is missing: plug it in, install the plugin that reports it, or `motey capability add NAME`; `motey capability list` shows what there is, and what is left of it"
    }
  ],
  "service_name": "cell-7",
  "slots": [
    {
      "reason": "waiting.capability",
      "restarts": 0,
      "since": "2025-11-24T16:00:00.000Z",
      "slot": "web-0",
      "state": "INITIAL",
      "text": "nothing offers the capability zigbee"
    },
    {
      "reason": "waiting.capability",
      "restarts": 0,
      "since": "2025-11-24T16:00:00.000Z",
      "slot": "web-1",
      "state": "INITIAL",
      "text": "nothing offers the capability zigbee"
    }
  ],
  "state": "INITIAL",
  "story": [
    {
      "from": "2025-11-24T16:00:00.000Z",
      "kind": "deployed",
      "slots": [],
      "text": "deployed as cell-7",
      "times": 1,
      "to": "2025-11-24T16:00:00.000Z"
    }
  ],
  "summary": "cell-7 is INITIAL: nothing offers the capability zigbee",
  "wanted": "that 2 of web run"
}"#);
    assert_eq!(
        fixture.get("/v1/service").await.json()[0]["_links"]["why"]["href"],
        format!("/v1/service/{ID}/why")
    );
}

#[tokio::test]
async fn nodes_are_called_by_their_names() {
    let fixture = deployed().await;
    let zigbee = br#"[{"capability": "zigbee", "capability_type": "hardware"}]"#;
    let reply = fixture.ask("PUT", "/v1/capabilities", "Content-Type: application/json\r\n", zigbee).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let story = why(&fixture).await["story"].clone();
    let assigned = &story[1];
    assert_eq!(assigned["text"], "assigned to process on cell-7", "{story}");
    assert_eq!(assigned["slots"], json!(["web-0", "web-1"]));
}

#[tokio::test]
async fn a_deleted_service_has_its_story_and_its_name() {
    let fixture = deployed().await;
    assert_eq!(fixture.ask("DELETE", &format!("/v1/service/{ID}"), "", b"").await.status, 202);
    let told = why(&fixture).await;
    assert_eq!(told["summary"], "cell-7 is TERMINATED: it was removed, and nothing of it is left");
    let texts: Vec<_> = told["story"].as_array().expect("lines").iter().map(|line| &line["text"]).collect();
    assert_eq!(texts, ["deployed as cell-7", "deleted", "nothing of it is left"]);
    assert_eq!((&told["slots"], &told["remedies"]), (&json!([]), &json!([])));
    let events = fixture.get("/v1/events").await.json();
    assert!(
        events.as_array().expect("events").iter().all(|event| event["service_name"] == "cell-7"),
        "{events}"
    );
    let unknown = fixture.get("/v1/service/01890a5d-ac96-774b-bcce-b302099a8058/why").await;
    assert_eq!(unknown.problem(), (404, "unknown-service".into()));
}

#[tokio::test]
async fn a_stopped_service_is_as_wanted() {
    let fixture = deployed().await;
    assert_eq!(fixture.ask("POST", &format!("/v1/service/{ID}/stop"), "", b"").await.status, 202);
    let told = why(&fixture).await;
    assert_eq!(told["wanted"], "that nothing of it runs");
    assert_eq!(told["summary"], "cell-7 is TERMINATED: it was asked to stop, and nothing of it runs");
    assert_eq!(
        (&told["slots"][0]["text"], &told["remedies"]),
        (&json!("does not run, as wanted"), &json!([]))
    );
}
