//! Connections: kept alive, bounded, timed, drained.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::client::Connection;
use super::fixture::{Fixture, request, soon};
use crate::rest::Limits;

#[tokio::test]
async fn a_connection_serves_one_request_after_another() {
    let fixture = Fixture::start().await;
    let mut connection = fixture.connect_unix().await;
    for _ in 0..100 {
        connection.send(&request("GET", "/healthz", "", b"")).await;
        assert_eq!(connection.receive().await.status, 200);
    }
    let two = [request("GET", "/healthz", "", b""), request("GET", "/v1/nodes", "", b"")].concat();
    connection.send(&two).await;
    assert_eq!(connection.receive().await.json()["status"], "ok");
    assert!(connection.receive().await.json().is_array());
}

#[tokio::test]
async fn slow_headers_are_not_waited_for() {
    let fixture =
        Fixture::with(Limits { header_time: Duration::from_millis(200), ..Limits::default() }).await;
    let mut half = fixture.connect().await;
    half.send(b"GET /healthz HTTP/1.1\r\nHost: loc").await;
    let said = String::from_utf8(half.rest().await).expect("text");
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
    let mut silent = fixture.connect().await;
    silent.rest().await;
}

#[tokio::test]
async fn three_hundred_who_say_nothing_keep_nobody_out() {
    let limits = Limits { header_time: Duration::from_secs(600), ..Limits::default() };
    let fixture = Fixture::with(limits).await;
    let mut silent = Vec::new();
    for n in 0..300 {
        let mut connection = fixture.connect().await;
        if n % 2 == 0 {
            connection.send(b"GET /healthz HTTP/1.1\r\nHost: loc").await;
        }
        silent.push(connection);
    }
    let mut connection = fixture.connect().await;
    for _ in 0..3 {
        connection.send(&request("GET", "/healthz", "", b"")).await;
        assert_eq!(connection.receive().await.status, 200);
    }
    // the longest idle one gave its seat away, the youngest did not have to
    assert_eq!(silent[0].rest().await, b"");
    silent[299].send(&request("GET", "/healthz", "", b"")).await;
    assert_eq!(silent[299].receive().await.status, 200);
}

/// A request that is being answered: the server has asked for its body of two bytes.
async fn answered(fixture: &Fixture) -> Connection<UnixStream> {
    let mut connection = fixture.connect_unix().await;
    let line = "DELETE /v1/service HTTP/1.1\r\n";
    connection.send(line.as_bytes()).await;
    connection.send(b"Host: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n").await;
    let mut word = [0; 25];
    soon("a word", connection.0.read_exact(&mut word)).await.expect("read");
    assert_eq!(&word, b"HTTP/1.1 100 Continue\r\n\r\n");
    connection
}

#[tokio::test]
async fn whoever_is_being_answered_keeps_the_seat() {
    let fixture = Fixture::with(Limits { connections: 2, ..Limits::default() }).await;
    let working = [answered(&fixture).await, answered(&fixture).await];
    let mut third = fixture.connect_unix().await;
    third.send(&request("GET", "/healthz", "", b"")).await;
    for mut connection in working {
        connection.send(b"{}").await;
        assert_eq!(connection.receive().await.status, 400);
    }
    assert_eq!(third.receive().await.status, 200);
}

/// A client that asked for an answer too large for any socket's buffer, and took its head only.
async fn unread(fixture: &Fixture) -> (Connection<UnixStream>, Vec<u8>) {
    let padding = "# padding\n".repeat(90_000);
    let blueprint =
        format!("service_name: a\nimages:\n  - {{ name: /bin/true, engine: process }}\n{padding}");
    let made = fixture.post_yaml("/v1/service", blueprint.as_bytes()).await;
    let path = format!("{}/blueprint", made.header("location").expect("a location"));
    let mut connection = fixture.connect_unix().await;
    connection.send(&request("GET", &path, "", b"")).await;
    assert_eq!(connection.receive_head().await.status, 200);
    (connection, blueprint.into_bytes())
}

#[tokio::test]
async fn whoever_still_reads_the_answer_keeps_the_seat() {
    let fixture = Fixture::with(Limits { connections: 1, ..Limits::default() }).await;
    let (mut reader, blueprint) = unread(&fixture).await;
    let mut second = fixture.connect_unix().await;
    second.send(&request("GET", "/healthz", "", b"")).await;
    let too_early = timeout(Duration::from_millis(200), second.0.read_u8()).await;
    assert!(too_early.is_err(), "it took the seat of a client that had not read its answer");
    let mut read = vec![0; blueprint.len()];
    soon("the answer", reader.0.read_exact(&mut read)).await.expect("whole");
    assert!(read == blueprint);
    assert_eq!(second.receive().await.status, 200);
}

#[tokio::test]
async fn whoever_does_not_read_the_answer_loses_the_seat() {
    let send_time = Duration::from_millis(300);
    let fixture = Fixture::with(Limits { connections: 2, send_time, ..Limits::default() }).await;
    let _silent = [unread(&fixture).await, unread(&fixture).await];
    assert_eq!(fixture.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_node_that_goes_down_finishes_its_answers() {
    let mut fixture = Fixture::start().await;
    let mut idle = fixture.connect_unix().await;
    idle.send(&request("GET", "/healthz", "", b"")).await;
    assert_eq!(idle.receive().await.status, 200);
    let mut working = answered(&fixture).await;

    fixture.shut_down();
    assert_eq!(idle.rest().await, b"");
    assert!(UnixStream::connect(&fixture.socket).await.is_err());
    working.send(b"{}").await;
    let reply = working.receive().await;
    assert_eq!((reply.status, reply.header("connection")), (400, Some("close")));
    soon("the end of the server", &mut fixture.served).await.expect("ended well");
    assert!(!fixture.socket.exists());
}

#[tokio::test]
async fn a_drain_has_an_end() {
    let mut fixture =
        Fixture::with(Limits { drain_time: Duration::from_millis(200), ..Limits::default() }).await;
    let mut stuck = answered(&fixture).await;
    fixture.shut_down();
    soon("the end of the server", &mut fixture.served).await.expect("ended well");
    assert_eq!(stuck.rest().await, b"");
}

#[tokio::test]
async fn what_is_no_http_is_refused_and_closed() {
    let fixture = Fixture::start().await;
    for bytes in [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"NONSENSE\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"] {
        let mut connection = fixture.connect_unix().await;
        connection.send(bytes).await;
        let said = String::from_utf8(connection.rest().await).expect("text");
        assert!(said.starts_with("HTTP/1.1 400") || said.is_empty(), "{said}");
    }
    let long = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(200_000));
    let mut connection = fixture.connect_unix().await;
    let _refused_on_the_way = connection.0.write_all(long.as_bytes()).await;
    let said = String::from_utf8(connection.rest().await).expect("text");
    assert!(said.starts_with("HTTP/1.1 431") || said.is_empty(), "{said}");
    assert_eq!(fixture.get("/healthz").await.status, 200);
}
