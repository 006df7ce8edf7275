//! What a node that stands alone takes on, as its operator wishes.

use super::client::Reply;
use super::fixture::{Fixture, NODE};

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
