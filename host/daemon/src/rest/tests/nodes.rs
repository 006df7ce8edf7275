//! What a node that stands alone takes on, as its operator wishes.

use super::client::Reply;
use super::fixture::{Fixture, NODE};

const YAML: &[u8] = b"service_name: cell-7\nimages:\n  - { name: /bin/sleep, engine: process }\n";

async fn post(fixture: &Fixture, node: &str, verb: &str) -> Reply {
    fixture.ask("POST", &format!("/v1/nodes/{node}/{verb}"), "", b"").await
}

#[tokio::test]
async fn a_node_takes_on_what_it_is_told() {
    let fixture = Fixture::start().await;
    for verb in ["cordon", "drain", "drain", "uncordon"] {
        let reply = post(&fixture, &NODE.to_string(), verb).await;
        assert_eq!((reply.status, &reply.json()["id"]), (202, &NODE.to_string().into()), "{verb}");
    }
}

#[tokio::test]
async fn a_cordoned_node_places_nothing_new_says_so_and_goes_on_when_it_may() {
    for (verb, phase, why) in
        [("cordon", "OPERATE", "is cordoned"), ("drain", "DECOMMISSION", "is being drained")]
    {
        let fixture = Fixture::start().await;
        fixture.believe_in("process");
        assert_eq!(post(&fixture, &NODE.to_string(), verb).await.status, 202);
        let waiting = fixture.post_yaml("/v1/service", YAML).await;
        assert_eq!((waiting.status, &waiting.json()["state"]), (201, &"INITIAL".into()));
        assert_eq!(waiting.json()["reason"], "waiting.node");
        let message = waiting.json()["state_message"].as_str().expect("a message").to_owned();
        assert_eq!(message, format!("cell-7 {why}"));
        let node = fixture.get(&format!("/v1/nodes/{NODE}")).await.json();
        assert_eq!((&node["phase"], &node["cordoned"]), (&phase.into(), &(verb == "cordon").into()));

        let kinds = async || {
            let story = fixture.get("/v1/events").await.json();
            let kinds = story.as_array().expect("events").iter().map(|event| event["kind"].clone());
            kinds.collect::<Vec<_>>()
        };
        assert_eq!(kinds().await, ["deployed"]);
        assert_eq!(post(&fixture, &NODE.to_string(), "uncordon").await.status, 202);
        // what follows from it is decided before the loop answers this
        assert_eq!(fixture.get("/readyz").await.status, 200);
        assert_eq!(kinds().await[..2], ["deployed", "assigned"]);
    }
}

#[tokio::test]
async fn what_is_asked_of_a_node_that_is_not_there_is_refused() {
    let fixture = Fixture::start().await;
    for node in ["x", "00000000-0000-0000-0000-000000000002"] {
        for verb in ["cordon", "uncordon", "drain", "forget"] {
            let reply = post(&fixture, node, verb).await;
            assert_eq!(reply.problem(), (404, "unknown-node".into()), "{node} {verb}");
        }
    }
    let itself = post(&fixture, &NODE.to_string(), "forget").await;
    assert_eq!(itself.problem(), (404, "unknown-node".into()), "nobody forgets itself");
    let path = format!("/v1/nodes/{NODE}/cordon");
    assert_eq!(fixture.ask("POST", &path, "", b"now!").await.problem(), (400, "body".into()));
    assert_eq!(fixture.ask("POST", &format!("{path}?x=1"), "", b"").await.problem(), (400, "query".into()));
}
