//! What a service was made of, and the way back to it.

use serde_json::{Value, json};

use super::client::Reply;
use super::fixture::Fixture;

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

fn yaml(image: &str) -> Vec<u8> {
    format!("service_name: cell-7\nimages:\n  - {{ name: {image}, key: app, engine: process }}\n")
        .into_bytes()
}

fn path(rest: &str) -> String {
    format!("/v1/service/{ID}{rest}")
}

/// A service of one revision for each image.
async fn made_of(images: &[&str]) -> Fixture {
    let fixture = Fixture::start().await;
    let [first, others @ ..] = images else { panic!("a service is made of something") };
    assert_eq!(fixture.post_yaml(&format!("/v1/service?id={ID}"), &yaml(first)).await.status, 201);
    for image in others {
        assert_eq!(
            fixture.ask("PUT", &path(""), "Content-Type: application/yaml\r\n", &yaml(image)).await.status,
            202
        );
    }
    fixture
}

async fn roll_back(fixture: &Fixture, wish: &Value) -> Reply {
    let body = if wish.is_null() { String::new() } else { wish.to_string() };
    fixture.ask("POST", &path("/rollback"), "Content-Type: application/json\r\n", body.as_bytes()).await
}

/// Number and image of each, the newest first.
async fn revisions(fixture: &Fixture) -> Vec<(u64, String)> {
    let all = fixture.get(&path("/revisions")).await.json();
    let all = all.as_array().expect("revisions").clone();
    let current: Vec<_> = all.iter().map(|it| it["current"] == true).collect();
    assert!(current[0] && !current[1..].contains(&true), "{all:#?}");
    let each = all.iter().map(|it| (it["revision"].as_u64(), it["images"][0]["name"].as_str()));
    each.map(|(number, image)| (number.expect("a number"), image.expect("an image").to_owned())).collect()
}

fn named(all: &[(u64, &str)]) -> Vec<(u64, String)> {
    all.iter().map(|(number, image)| (*number, (*image).to_owned())).collect()
}

#[tokio::test]
async fn a_rollback_is_a_new_revision_with_the_old_blueprint() {
    let fixture = made_of(&["/a", "/b"]).await;
    assert_eq!(revisions(&fixture).await, named(&[(2, "/b"), (1, "/a")]));
    let reply = roll_back(&fixture, &Value::Null).await;
    assert_eq!((reply.status, &reply.json()["revision"]), (202, &json!(3)));
    assert_eq!(fixture.get(&path("/blueprint")).await.body, yaml("/a"));
    assert_eq!(revisions(&fixture).await, named(&[(3, "/a"), (2, "/b"), (1, "/a")]));
    let reply = roll_back(&fixture, &json!({"revision": 2})).await;
    assert_eq!((reply.status, &reply.json()["images"][0]["name"]), (202, &json!("/b")));
    let again = roll_back(&fixture, &json!({"revision": 4})).await;
    assert_eq!((again.status, &again.json()["revision"]), (202, &json!(4)), "it is so already");
}

#[tokio::test]
async fn another_number_of_slots_is_no_other_blueprint() {
    let fixture = made_of(&["/a", "/b"]).await;
    let scale = br#"{"image": "app", "replicas": 3}"#;
    assert_eq!(
        fixture.ask("POST", &path("/scale"), "Content-Type: application/json\r\n", scale).await.status,
        202
    );
    let all = fixture.get(&path("/revisions")).await.json();
    assert_eq!((&all[0]["scaled"], &all[1]["scaled"]), (&json!({"app": 3}), &Value::Null));
    let reply = roll_back(&fixture, &json!({})).await;
    assert_eq!(reply.json()["images"][0]["name"], "/a");
    assert_eq!(reply.json()["images"][0]["replicas"], 1);
}

#[tokio::test]
async fn what_is_not_kept_cannot_come_back() {
    let images: Vec<_> = (0..12).map(|n| format!("/bin/v{n}")).collect();
    let fixture = made_of(&images.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(revisions(&fixture).await.len(), 10);
    for revision in [0, 2, 13] {
        let refused = roll_back(&fixture, &json!({ "revision": revision })).await;
        assert_eq!(refused.problem(), (404, "unknown-revision".into()), "{revision}");
    }
    assert_eq!(roll_back(&fixture, &json!({"revision": 3})).await.status, 202);
    for wrong in [json!({"to": 3}), json!({"revision": "3"}), json!([])] {
        assert_eq!(roll_back(&fixture, &wrong).await.problem(), (400, "body".into()), "{wrong}");
    }

    let only = made_of(&["/a"]).await;
    assert_eq!(roll_back(&only, &Value::Null).await.problem(), (404, "unknown-revision".into()));
    assert_eq!(only.ask("DELETE", &path(""), "", b"").await.status, 202);
    assert_eq!(roll_back(&only, &Value::Null).await.problem(), (410, "deleted".into()));
    assert_eq!(only.get(&path("/revisions")).await.problem(), (410, "deleted".into()));
}
