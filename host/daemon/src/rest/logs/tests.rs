//! Output on its way from engines to a client, over real streams.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::*;

fn source(label: Option<&str>) -> (UnixStream, Source) {
    let (engine, stream) = UnixStream::pair().expect("a pair");
    (engine, Source { stream, label: label.map(str::to_owned) })
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
