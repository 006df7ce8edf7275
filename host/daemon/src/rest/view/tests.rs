//! The JSON of services, from statuses made by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use motey_core::id::{Millis, NodeId, ServiceId};
use motey_core::project::State;
use motey_core::reason::Code;
use motey_core::record::{Ended, Fence, Incarnation, Revision, RevisionOrder, SlotId, Stamp};
use motey_core::spec::{Format, Need, OnNodeLoss, Replicas, Requirement, Source, Spec, StopRule, Take};
use uuid::Uuid;

use super::*;

const NODE: NodeId = NodeId(Uuid::from_u128(1));
const WRITER: Incarnation = Incarnation { count: 3, nonce: 0xbeef };

fn record(desired: Desired) -> ServiceRecord {
    let image = ImageSpec {
        engines: vec!["process".parse().expect("a name")],
        replicas: Replicas::Count(2),
        need: Need::All(vec![
            Need::Has(Requirement::named("zigbee")),
            Need::Has(Requirement {
                kind: Some("resource".into()),
                take: Take::Amount(512),
                ..Requirement::named("memory")
            }),
        ])
        .into(),
        params: Params {
            command: vec!["-f".into()],
            environment: BTreeMap::from([("MODE".to_owned(), "fast".to_owned())]),
            working_dir: None,
            stop: StopRule { signal: Some("SIGINT".into()), grace: 2_000 },
            ports: vec![spec::Port {
                name: "http".parse().expect("a name"),
                container: 80,
                host: 8080,
                protocol: spec::Protocol::Tcp,
            }]
            .into(),
            ..Params::default()
        },
        uses: vec![spec::Use {
            image: "broker".parse().expect("a key"),
            port: "mqtt".parse().expect("a name"),
            number: 21_883,
        }],
        ..ImageSpec::new("web".parse().expect("a key"), "/usr/bin/httpd")
    };
    let source = Source { format: Format::Yaml, text: "".into() };
    let order = RevisionOrder { number: 1, epoch: 1, owner: NODE, writer: WRITER };
    ServiceRecord {
        id: ServiceId(Uuid::from_u128(7)),
        name: "cell-7".parse().expect("a name"),
        desired,
        stamp: Stamp { absent: false, epoch: 1, owner: NODE, writer: WRITER, version: 1 },
        revision: Revision {
            order,
            since: vec![order],
            spec: Arc::new(Spec {
                images: vec![Arc::new(image)],
                on_node_loss: OnNodeLoss::default(),
                source,
            }),
            scaled: BTreeMap::new(),
        },
        previous: None,
        slots: BTreeMap::new(),
        dismissed: BTreeSet::new(),
        homes: BTreeMap::new(),
        holders: vec![NODE],
        heir: None,
        unproven: false,
        ended: BTreeMap::new(),
    }
}

fn slot(ordinal: u16) -> SlotId {
    SlotId { image: "web".parse().expect("a key"), place: Place::Ordinal(ordinal) }
}

fn running() -> SlotStatus {
    SlotStatus {
        slot: slot(0),
        state: State::Running,
        reason: None,
        node: Some(NODE),
        engine: "process".parse().ok(),
        handle: Some("cell-7-web-0-3f9a81c04e".into()),
        pid: Some(4711),
        fence: Some(Fence { epoch: 1, owner: NODE, writer: WRITER, n: 42 }),
        restarts: 1,
        observed_at: Some(Millis(1234)),
    }
}

fn waiting() -> SlotStatus {
    let reason = Reason::new(Code::WaitingCapability, "no node has zigbee left");
    SlotStatus {
        slot: slot(1),
        state: State::Initial,
        reason: Some(reason),
        node: None,
        engine: None,
        handle: None,
        pid: None,
        fence: None,
        restarts: 0,
        observed_at: None,
    }
}

fn status() -> ServiceStatus {
    let reason = waiting().reason;
    let image = ImageStatus {
        key: "web".parse().expect("a key"),
        state: State::Initial,
        reason: reason.clone(),
        wanted: 2,
        running: 1,
        slots: vec![running(), waiting()],
    };
    ServiceStatus { state: State::Initial, reason, images: vec![image] }
}

#[test]
fn a_service_as_clients_see_it() {
    let view = Service::new(&record(Desired::Running), &status());
    insta::assert_snapshot!(serde_json::to_string_pretty(&view).expect("JSON"), @r#"
    {
      "id": "00000000-0000-0000-0000-000000000007",
      "service_name": "cell-7",
      "desired": "running",
      "state": "INITIAL",
      "state_message": "no node has zigbee left",
      "reason": "waiting.capability",
      "revision": 1,
      "proven": true,
      "durability": "1 of 1 holder",
      "images": [
        {
          "id": "web",
          "key": "web",
          "name": "/usr/bin/httpd",
          "engine": "process",
          "parameters": {
            "command": [
              "-f"
            ],
            "environment": {
              "MODE": "fast"
            },
            "stop_signal": "SIGINT",
            "stop_grace": "2s",
            "ports": {
              "http": {
                "container": 80,
                "host": 8080,
                "protocol": "tcp"
              }
            }
          },
          "capabilities": [
            "zigbee",
            {
              "capability": "memory",
              "type": "resource",
              "amount": 512
            }
          ],
          "uses": [
            "broker.mqtt"
          ],
          "node": "00000000-0000-0000-0000-000000000001",
          "state": "INITIAL",
          "state_message": "no node has zigbee left",
          "reason": "waiting.capability",
          "replicas": 2,
          "running": 1,
          "instances": [
            {
              "slot": "web-0",
              "name": "cell-7-web-0-3f9a81c04e",
              "state": "RUNNING",
              "state_message": null,
              "reason": null,
              "node": "00000000-0000-0000-0000-000000000001",
              "engine": "process",
              "pid": 4711,
              "fence": "1.00000000-0000-0000-0000-000000000001.3-0000beef.42",
              "restarts": 1,
              "observed_at": 1234,
              "_links": {
                "logs": {
                  "href": "/v1/service/00000000-0000-0000-0000-000000000007/logs?image=web&slot=0"
                },
                "node": {
                  "href": "/v1/nodes/00000000-0000-0000-0000-000000000001"
                }
              }
            },
            {
              "slot": "web-1",
              "name": null,
              "state": "INITIAL",
              "state_message": "no node has zigbee left",
              "reason": "waiting.capability",
              "node": null,
              "engine": null,
              "pid": null,
              "fence": null,
              "restarts": 0,
              "observed_at": null,
              "_links": {
                "logs": {
                  "href": "/v1/service/00000000-0000-0000-0000-000000000007/logs?image=web&slot=1"
                }
              }
            }
          ],
          "_links": {
            "logs": {
              "href": "/v1/service/00000000-0000-0000-0000-000000000007/logs?image=web"
            },
            "service": {
              "href": "/v1/service/00000000-0000-0000-0000-000000000007"
            }
          }
        }
      ],
      "_links": {
        "blueprint": {
          "href": "/v1/service/00000000-0000-0000-0000-000000000007/blueprint"
        },
        "collection": {
          "href": "/v1/service"
        },
        "delete": {
          "href": "/v1/service/00000000-0000-0000-0000-000000000007",
          "method": "DELETE"
        },
        "events": {
          "href": "/v1/service/00000000-0000-0000-0000-000000000007/events"
        },
        "logs": {
          "href": "/v1/service/00000000-0000-0000-0000-000000000007/logs"
        },
        "restart": {
          "href": "/v1/service/00000000-0000-0000-0000-000000000007/restart",
          "method": "POST"
        },
        "revisions": {
          "href": "/v1/service/00000000-0000-0000-0000-000000000007/revisions"
        },
        "rollback": {
          "href": "/v1/service/00000000-0000-0000-0000-000000000007/rollback",
          "method": "POST"
        },
        "scale": {
          "href": "/v1/service/00000000-0000-0000-0000-000000000007/scale",
          "method": "POST"
        },
        "self": {
          "href": "/v1/service/00000000-0000-0000-0000-000000000007"
        },
        "stop": {
          "href": "/v1/service/00000000-0000-0000-0000-000000000007/stop",
          "method": "POST"
        },
        "update": {
          "href": "/v1/service/00000000-0000-0000-0000-000000000007",
          "method": "PUT"
        },
        "why": {
          "href": "/v1/service/00000000-0000-0000-0000-000000000007/why"
        }
      }
    }
    "#);
}

#[test]
fn only_what_can_be_done_is_linked() {
    let rels_of = |record: &ServiceRecord| {
        let json = serde_json::to_value(Service::new(record, &status())).expect("JSON");
        json["_links"].as_object().expect("links").keys().cloned().collect::<BTreeSet<_>>()
    };
    let rels = |desired| rels_of(&record(desired));
    assert!(rels(Desired::Running).contains("stop") && !rels(Desired::Running).contains("start"));
    assert!(rels(Desired::Stopped).contains("start") && !rels(Desired::Stopped).contains("stop"));
    assert!(
        rels(Desired::Absent)
            .is_disjoint(&["start", "stop", "scale", "update", "delete"].map(String::from).into())
    );
    for end in [Ended::Succeeded, Ended::GaveUp(Reason::new(Code::EngineFailed, "no such image"))] {
        let ended = ServiceRecord { ended: [(slot(0), end)].into(), ..record(Desired::Running) };
        assert!(rels_of(&ended).is_superset(&["start", "stop"].map(String::from).into()));
    }
}
