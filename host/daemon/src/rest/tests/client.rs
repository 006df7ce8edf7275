//! An HTTP client that says exactly the bytes it is told to.

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::fixture::soon;

pub(super) struct Connection<T>(pub T);

/// An answer, head and body apart.
#[derive(Debug)]
pub(super) struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Connection<T> {
    pub(super) async fn send(&mut self, bytes: &[u8]) {
        soon("sending", self.0.write_all(bytes)).await.expect("sent");
    }

    /// The next answer; its length must be announced.
    pub(super) async fn receive(&mut self) -> Reply {
        soon("an answer", async {
            let mut reply = self.head().await;
            let length = reply.header("content-length").expect("a length").parse().expect("a number");
            reply.body.resize(length, 0);
            self.0.read_exact(&mut reply.body).await.expect("a body");
            reply
        })
        .await
    }

    /// The head of the next answer, to a HEAD: nothing follows it.
    pub(super) async fn receive_head(&mut self) -> Reply {
        soon("a head", self.head()).await
    }

    async fn head(&mut self) -> Reply {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.expect("a head"));
        }
        let head = String::from_utf8(head).expect("text");
        let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
        Reply { status, head, body: Vec::new() }
    }

    /// Everything until the server closes the connection.
    pub(super) async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // a reset is a close, too
        let _read = soon("a close", self.0.read_to_end(&mut rest)).await;
        rest
    }
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Status and the end of the problem's type.
    pub(super) fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let json = self.json();
        assert_eq!(json["status"], self.status);
        assert!(json["title"].is_string() && json["detail"].is_string() && json["instance"].is_string());
        let kind = json["type"].as_str().and_then(|kind| kind.strip_prefix("urn:motey:problem:"));
        (self.status, kind.expect("a type of ours").to_owned())
    }
}
