//! Checks of real sockets.

use motey_core::id::{NodeId, ServiceId};
use motey_core::record::{Fence, Incarnation, InstanceKey};
use motey_core::step::CheckId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use uuid::Uuid;

use super::*;
use crate::inbox::Message;

fn check(n: u64, probe: Probe, timeout: u64) -> Check {
    let owner = NodeId(Uuid::from_u128(1));
    let fence = Fence { epoch: 1, owner, writer: Incarnation { count: 1, nonce: 1 }, n };
    let key =
        InstanceKey { service: ServiceId(Uuid::from_u128(2)), slot: "web-0".parse().expect("a slot"), fence };
    Check { id: CheckId(n), engine: "process".parse().expect("a name"), key, probe, timeout }
}

async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
}

/// What a GET finds at a server that answers so, and what it had been asked.
async fn answered(answer: &'static str) -> (Result<(), String>, String) {
    let (listener, port) = listen().await;
    let server = async {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut asked = vec![0; 1024];
        let n = stream.read(&mut asked).await.expect("a request");
        stream.write_all(answer.as_bytes()).await.expect("it is written");
        String::from_utf8_lossy(&asked[..n]).replace(&port.to_string(), "PORT")
    };
    let probe = Probe::Http { port, path: "/ready".into() };
    tokio::join!(async { find_out(&check(1, probe, 10_000)).await }, server)
}

#[tokio::test]
async fn an_answer_that_is_no_error_is_healthy() {
    let (found, asked) = answered("HTTP/1.1 200 OK\r\n\r\n").await;
    assert_eq!(found, Ok(()));
    assert_eq!(
        asked,
        "GET /ready HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nUser-Agent: motey\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(answered("HTTP/1.1 302 Found\r\n\r\n").await.0, Ok(()));
    let (found, _) = answered("HTTP/1.1 500 Internal Server Error\r\n\r\n").await;
    assert_eq!(found, Err("GET /ready was answered by 500".into()));
    assert_eq!(answered("hello\n").await.0, Err("the answer is not HTTP".into()));
    assert_eq!(answered("").await.0, Err("the connection was closed without an answer".into()));
}

#[tokio::test]
async fn a_port_that_accepts_is_healthy_and_one_that_does_not_is_not() {
    let (listener, port) = listen().await;
    assert_eq!(find_out(&check(1, Probe::Tcp { port }, 10_000)).await, Ok(()));
    drop(listener);
    let refused = format!("no connection to 127.0.0.1:{port}: Connection refused");
    assert_eq!(find_out(&check(1, Probe::Tcp { port }, 10_000)).await, Err(refused));
}

#[tokio::test]
async fn who_does_not_answer_fails_by_the_deadline() {
    let (_listener, port) = listen().await;
    let probe = Probe::Http { port, path: "/".into() };
    assert_eq!(find_out(&check(1, probe, 50)).await, Err("nothing within 50 ms".into()));
}

#[tokio::test]
async fn so_many_are_made_at_once_and_each_is_answered() {
    let (listener, port) = listen().await;
    let inbox = Arc::new(Inbox::default());
    let probes = Probes::new(Handle::current(), Arc::clone(&inbox));
    let all = MOST as u64 + 8;
    (0..all).for_each(|n| probes.start(check(n, Probe::Http { port, path: "/".into() }, 60_000)));
    let mut open = Vec::new();
    while open.len() < MOST {
        open.push(listener.accept().await.expect("a client").0);
    }
    let more = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(more.is_err(), "the others wait");
    for n in 0..all {
        if open.is_empty() {
            open.push(listener.accept().await.expect("a client").0);
        }
        let mut stream = open.swap_remove(0);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.expect("it is written");
        let answered = async {
            loop {
                match inbox.next(Some(Duration::ZERO)) {
                    Some(Message::Input(input)) => return input,
                    _ => tokio::time::sleep(Duration::from_millis(1)).await,
                }
            }
        };
        let input =
            tokio::time::timeout(Duration::from_secs(30), answered).await.expect("one more is answered");
        assert!(matches!(*input, Input::Checked { result: Ok(()), .. }), "answer {n}: {input:?}");
    }
}
