//! The JSON shapes as vendors in other languages see them: a change here is a change of the contract.

use std::collections::BTreeMap;

use motey_plugin_ops::{
    Capability, Category, Code, CreateBody, CreateRequest, Error, Exit, Instance, InstanceState, LogLevel,
    Manifest, Port, Protocol, Scalar, Supply,
};
use serde_json::json;

#[test]
fn codes_count_from_one_in_the_agreed_order() {
    let names: Vec<_> = (1..=12).map(|n| Code::from_number(n).unwrap().as_str()).collect();
    assert_eq!(
        names,
        [
            "unsupported",
            "not_found",
            "conflict",
            "invalid",
            "unavailable",
            "busy",
            "failed",
            "timed_out",
            "cancelled",
            "closed",
            "denied",
            "unreachable"
        ]
    );
    assert_eq!((Code::from_number(0), Code::from_number(13)), (None, None));
}

#[test]
fn an_error_survives_the_wire() {
    let error = Error::conflict("web exists").hint("adopt it").engine_text("409").retryable(true);
    let (number, body) = error.to_wire();
    assert_eq!(number, 3);
    assert_eq!(Error::from_wire(number, &body), error);
    assert!(!String::from_utf8(body).unwrap().contains("code"));
}

#[test]
fn a_careless_plugin_is_still_understood() {
    let bare = Error::from_wire(2, br#"{"message":"no such thing","extra":1}"#);
    assert_eq!((bare.code, bare.message.as_str()), (Code::NotFound, "no such thing"));
    let text = Error::from_wire(99, b"engine exploded\n");
    assert_eq!((text.code, text.message.as_str()), (Code::Failed, "engine exploded"));
    assert_eq!(Error::from_wire(7, b"").message, "the plugin answered `failed` without a word");
}

#[test]
fn requests_refuse_what_they_do_not_know() {
    let mut request = json!({"name": "a", "labels": {}, "image": "sleep", "stop_grace_ms": 1000});
    serde_json::from_value::<CreateRequest>(request.clone()).unwrap();
    request["limits"] = json!({"memory": 1});
    let refused = serde_json::from_value::<CreateRequest>(request).unwrap_err().to_string();
    assert!(refused.contains("limits"), "{refused}");
}

#[test]
fn a_port_is_tcp_s_unless_it_says_otherwise() {
    let text = json!({"name": "a", "labels": {}, "image": "sleep", "stop_grace_ms": 1000, "ports":
        [{"container": 80, "host": 8080}, {"container": 53, "host": 53, "protocol": "udp"}]});
    let request: CreateRequest = serde_json::from_value(text).unwrap();
    let port = |container, host, protocol| Port { container, host, protocol };
    assert_eq!(request.ports, [port(80, 8080, Protocol::Tcp), port(53, 53, Protocol::Udp)]);
    let written = serde_json::to_value(&request).unwrap();
    assert_eq!(written["ports"][1], json!({"container": 53, "host": 53, "protocol": "udp"}));
}

#[test]
fn answers_ignore_what_they_do_not_know() {
    let answer = json!({"name": "a", "state": "exited", "exit": {"code": 3, "core": true}, "health": "good"});
    let instance: Instance = serde_json::from_value(answer).unwrap();
    assert_eq!(instance.state, InstanceState::Exited);
    assert_eq!(instance.exit, Some(Exit { code: Some(3), signal: None, oom: false }));
}

#[test]
fn a_capability_is_written_in_natural_json() {
    let props = BTreeMap::from([
        ("arm".to_owned(), Scalar::from(true)),
        ("cores".to_owned(), Scalar::from(4)),
        ("name".to_owned(), Scalar::from("x86_64")),
    ]);
    let cpu = Capability {
        name: "cpu".into(),
        kind: "resource".into(),
        unit: None,
        props,
        supply: Supply::Amount(4000),
        binding: None,
    };
    let text = json!({"name": "cpu", "kind": "resource", "props": {"arm": true, "cores": 4, "name": "x86_64"}, "supply": {"amount": 4000}});
    assert_eq!(serde_json::to_value(&cpu).unwrap(), text);
    assert_eq!(serde_json::from_value::<Capability>(text).unwrap(), cpu);
    assert_eq!(serde_json::to_value(Supply::Shared).unwrap(), json!("shared"));
}

#[test]
fn a_manifest_needs_little() {
    let least = json!({"id": "x", "name": "X", "version": "1.0.0", "abi": 0, "category": "capability"});
    let manifest: Manifest = serde_json::from_value(least).unwrap();
    assert_eq!(manifest.category, Category::Capability);
    assert!(
        Category::ALL
            .iter()
            .all(|category| serde_json::to_value(category).unwrap() == json!(category.as_str()))
    );
}

#[test]
fn a_create_body_of_an_older_host_is_readable() {
    let body = json!({"host": {"motey_exe": "/usr/bin/motey", "state_dir": "/s", "run_dir": "/r", "node": "n", "cluster": "c", "plugin_dir": "/p"}});
    let body: CreateBody = serde_json::from_value(body).unwrap();
    assert_eq!((body.config.is_null(), body.log_level), (true, LogLevel::Info));
}
