//! A plan: what would become of a blueprint, told in the words of the service that it would be, and nothing of it kept.

use serde_json::{Value, json};

use super::client::Reply;
use super::fixture::{Fixture, NODE};

const YAML: &[u8] =
    b"service_name: cell-7\nimages:\n  - { name: /bin/sleep, key: web, capabilities: [zigbee], replicas: 2 }\n";

/// A node that believes in an engine: a plan reads what is known, and does not wait for what is about to be.
async fn with_engine() -> Fixture {
    let fixture = Fixture::start().await;
    fixture.believe_in("process");
    // what was told before is known before the loop answers this
    assert_eq!(fixture.get("/readyz").await.status, 200);
    fixture
}

async fn planned(fixture: &Fixture, blueprint: &[u8]) -> Value {
    let reply = fixture.post_yaml("/v1/plan", blueprint).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

async fn give(fixture: &Fixture, capabilities: &[u8]) -> Reply {
    fixture.ask("PUT", "/v1/capabilities", "Content-Type: application/json\r\n", capabilities).await
}

#[tokio::test]
async fn what_would_wait_says_what_every_node_lacks_and_what_would_mend_it() {
    let fixture = with_engine().await;
    let plan = planned(&fixture, YAML).await;
    insta::assert_snapshot!(serde_json::to_string_pretty(&plan["slots"][0]).expect("JSON"), @r#"
    {
      "image": "web",
      "nodes": [
        {
          "fits": false,
          "node": "00000000-0000-0000-0000-000000000001",
          "unmet": [
            {
              "message": "nothing offers the capability zigbee",
              "reason": "waiting.capability",
              "remedy": "a node has to offer what is missing: plug it in, install the plugin that reports it, or `motey capability add NAME`; `motey capability list` shows what there is, and what is left of it"
            }
          ]
        }
      ],
      "reason": "waiting.capability",
      "remedy": "a node has to offer what is missing: plug it in, install the plugin that reports it, or `motey capability add NAME`; `motey capability list` shows what there is, and what is left of it",
      "slot": "web-0",
      "state_message": "nothing offers the capability zigbee"
    }
    "#);
    assert_eq!((&plan["complete"], &plan["nowhere"]), (&json!(false), &json!([])), "{plan:#}");
    assert_eq!(plan["slots"][1]["slot"], "web-1", "{plan:#}");

    let service = fixture.post_yaml("/v1/service", YAML).await.json();
    let waiting = &service["images"][0]["instances"][0];
    for key in ["slot", "reason", "state_message"] {
        assert_eq!(plan["slots"][0][key], waiting[key], "{service:#}");
    }
}

#[tokio::test]
async fn what_is_given_is_planned_with_until_it_is_used_up() {
    let fixture = with_engine().await;
    let zigbee = br#"[{"capability": "zigbee", "capability_type": "hardware", "exclusive": true}]"#;
    assert_eq!(give(&fixture, zigbee).await.status, 201);
    let plan = planned(&fixture, YAML).await;
    let placed = &plan["slots"][0];
    assert_eq!(
        (&placed["node"], &placed["engine"]),
        (&json!(NODE.to_string()), &json!("process")),
        "{plan:#}"
    );
    assert_eq!(placed["nodes"], json!([{"node": NODE.to_string(), "fits": true, "unmet": []}]));
    assert_eq!(plan["slots"][1]["reason"], "waiting.capability", "{plan:#}");
    assert_eq!(plan["complete"], false);

    let one = String::from_utf8_lossy(YAML).replace("replicas: 2", "replicas: 1");
    assert_eq!(planned(&fixture, one.as_bytes()).await["complete"], true);
}

#[tokio::test]
async fn an_image_for_every_node_that_fits_none_is_nowhere() {
    let fixture = with_engine().await;
    let everywhere = String::from_utf8_lossy(YAML).replace("replicas: 2", "replicas: every-node");
    let plan = planned(&fixture, everywhere.as_bytes()).await;
    let nowhere = &plan["nowhere"][0];
    assert_eq!(
        (&nowhere["image"], &nowhere["reason"]),
        (&json!("web"), &json!("waiting.capability")),
        "{plan:#}"
    );
    assert_eq!((&plan["complete"], &plan["slots"]), (&json!(false), &json!([])));
}

#[tokio::test]
async fn nothing_of_a_plan_is_kept() {
    let fixture = with_engine().await;
    planned(&fixture, YAML).await;
    for path in ["/v1/service", "/v1/events"] {
        assert_eq!(fixture.get(path).await.json(), json!([]), "{path}");
    }
}

#[tokio::test]
async fn a_wrong_blueprint_is_refused_as_a_deployment_of_it_is() {
    let fixture = Fixture::start().await;
    let wrong = b"service_nam: a\nimages:\n  - nam: b\n";
    let (plan, deployment) =
        (fixture.post_yaml("/v1/plan", wrong).await, fixture.post_yaml("/v1/service", wrong).await);
    assert_eq!(plan.problem(), (400, "blueprint".into()));
    assert_eq!(plan.json()["errors"], deployment.json()["errors"]);
    assert_eq!(fixture.ask("POST", "/v1/plan", "", YAML).await.problem(), (415, "media-type".into()));
    assert_eq!(fixture.post_yaml("/v1/plan?id=1", YAML).await.problem(), (400, "query".into()));
}
