//! Output on its way from engines to a client, over real streams.

use std::sync::Arc;
use std::time::Duration;

use motey_core::id::NodeId;
use motey_core::record::{Fence, Incarnation};
use motey_core::step::EngineErrorKind;
use tokio::io::AsyncWriteExt;
use tokio::sync::Barrier;
use tokio::time::timeout;
use uuid::Uuid;

use super::*;

fn source(label: Option<&str>) -> (UnixStream, Source) {
    let (engine, stream) = UnixStream::pair().expect("a pair");
    (engine, Source { output: Ok(stream), label: label.map(str::to_owned) })
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), future).await.expect("within 20 s")
}

async fn all(mut output: mpsc::Receiver<Bytes>) -> String {
    let mut all = Vec::new();
    while let Some(piece) = soon(output.recv()).await {
        all.extend_from_slice(&piece);
    }
    String::from_utf8(all).expect("text")
}

#[tokio::test]
async fn what_ends_is_sent_one_after_another() {
    let ((mut first, one), (mut second, two)) = (source(Some("a-0 | ")), source(Some("a-1 | ")));
    let (to, output) = mpsc::channel(PIECES);
    let (_open, closing) = watch::channel(false);
    tokio::spawn(pump(vec![one, two], to, closing));
    second.write_all(b"later\nhalf").await.expect("written");
    drop(second);
    first.write_all(b"early\n").await.expect("written");
    drop(first);
    assert_eq!(all(output).await, "a-0 | early\na-1 | later\na-1 | half\n");
}

#[tokio::test]
async fn one_instance_is_sent_as_it_is() {
    let (mut engine, source) = source(None);
    let (to, output) = mpsc::channel(PIECES);
    let (_open, closing) = watch::channel(false);
    tokio::spawn(pump(vec![source], to, closing));
    engine.write_all(b"no line \x00 end").await.expect("written");
    drop(engine);
    assert_eq!(all(output).await, "no line \0 end");
}

#[tokio::test]
async fn what_is_followed_ends_with_the_node() {
    let (mut engine, source) = source(None);
    let (to, mut output) = mpsc::channel(PIECES);
    let (close, closing) = watch::channel(false);
    tokio::spawn(pump(vec![source], to, closing));
    engine.write_all(b"a line\n").await.expect("written");
    assert_eq!(soon(output.recv()).await.as_deref(), Some(&b"a line\n"[..]));
    close.send_replace(true);
    assert_eq!(soon(output.recv()).await, None);
}

#[tokio::test]
async fn an_engine_learns_that_the_client_went() {
    let (mut engine, source) = source(None);
    let (to, output) = mpsc::channel(PIECES);
    let (_open, closing) = watch::channel(false);
    let pumping = tokio::spawn(pump(vec![source], to, closing));
    drop(output);
    soon(pumping).await.expect("ended");
    assert!(engine.write_all(b"to nobody\n").await.is_err());
}

fn key(slot: &str) -> InstanceKey {
    let node = NodeId(Uuid::from_u128(1));
    let fence = Fence { epoch: 1, owner: node, writer: Incarnation { count: 1, nonce: 7 }, n: 1 };
    InstanceKey { service: ServiceId(Uuid::from_u128(7)), slot: slot.parse().expect("a slot"), fence }
}

fn refusal(message: &str) -> EngineError {
    EngineError { kind: EngineErrorKind::Unavailable, message: message.into() }
}

#[tokio::test]
async fn one_of_several_that_cannot_be_read_says_so_in_its_place() {
    let keys = ["web-0", "web-1", "web-2"].map(key).into();
    let sources = open(keys, |key| async move {
        match key.slot.to_string().as_str() {
            "web-1" => Err(refusal("too many streams\nare open")),
            slot => {
                let (mut engine, stream) = UnixStream::pair().expect("a pair");
                engine.write_all(format!("from {slot}\n").as_bytes()).await.expect("written");
                Ok(stream)
            }
        }
    });
    let sources = soon(sources).await.expect("two can be read");
    let (to, output) = mpsc::channel(PIECES);
    let (_open, closing) = watch::channel(false);
    tokio::spawn(pump(sources, to, closing));
    assert_eq!(
        all(output).await,
        "web-0 | from web-0\n\
         web-1 | -- its output cannot be read: too many streams\n\
         web-1 | are open\n\
         web-2 | from web-2\n"
    );
}

#[tokio::test]
async fn all_are_opened_at_the_same_time() {
    let meeting = Arc::new(Barrier::new(3));
    let opening = open(["a-0", "a-1", "a-2"].map(key).into(), move |_| {
        let meeting = Arc::clone(&meeting);
        async move {
            meeting.wait().await;
            Ok(UnixStream::pair().expect("a pair").0)
        }
    });
    assert_eq!(soon(opening).await.map(|sources| sources.len()).ok(), Some(3));
}

#[tokio::test]
async fn it_is_a_problem_when_none_can_be_read() {
    for slots in [&["a-0"][..], &["a-0", "a-1"]] {
        let keys = slots.iter().map(|slot| key(slot)).collect();
        let opened = soon(open(keys, |_| async { Err(refusal("gone")) })).await;
        assert!(matches!(opened, Err(Problem::Engine(error)) if error.message == "gone"), "{slots:?}");
    }
}

#[test]
fn only_whole_lines_are_labelled_until_the_output_ends() {
    let mut read = BytesMut::from("one\ntwo\nthr");
    assert_eq!(labelled("web-0 | ", &mut read, false), "web-0 | one\nweb-0 | two\n");
    assert_eq!(labelled("web-0 | ", &mut read, false), "");
    read.extend_from_slice(b"ee");
    assert_eq!(labelled("web-0 | ", &mut read, true), "web-0 | three\n");
    assert_eq!(labelled("web-0 | ", &mut read, true), "");
}

#[test]
fn an_endless_line_is_cut() {
    let mut read = BytesMut::from(vec![b'x'; PIECE].as_slice());
    assert_eq!(labelled("a ", &mut read, false).len(), PIECE + 3);
    assert!(read.is_empty());
}
