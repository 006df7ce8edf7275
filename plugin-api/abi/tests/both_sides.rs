//! Both halves of the boundary in one process: what is answered, how often, and what a panic costs.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::Mutex,
    time::Duration,
};

use motey_plugin_abi::{
    Answers, Call, Channel, Created, Endpoint, PANICKED, Peer, Plugin, Reply, ReplyOnce, RootRef, header,
    serve,
};

type Arrived = BTreeMap<usize, Vec<(i32, String)>>;

static ARRIVED: Mutex<Arrived> = Mutex::new(BTreeMap::new());

struct Here;

impl Answers for Here {
    fn arrived(number: usize, code: i32, body: &[u8]) {
        let body = String::from_utf8_lossy(body).into_owned();
        ARRIVED.lock().unwrap().entry(number).or_default().push((code, body));
    }
}

fn answers(number: usize) -> Vec<(i32, String)> {
    ARRIVED.lock().unwrap().remove(&number).unwrap_or_default()
}

struct Echo;

impl Endpoint for Echo {
    fn send(&self, call: Call<'_>) {
        match call.op {
            "echo" => call.reply.answer(0, call.body),
            "stream" => {
                UnixStream::from(call.stream.unwrap()).write_all(call.body).unwrap();
                call.reply.answer(0, b"");
            }
            "panic" => panic!("on purpose"),
            _ => drop(call.reply),
        }
    }
    fn cancel(&self, _: u64) {
        panic!("on purpose");
    }
    fn close(&self, _: Duration) {
        panic!("on purpose");
    }
}

impl Plugin for Echo {
    const MANIFEST: &'static [u8] = b"{}";
    fn create(body: &[u8], host: Peer, reply: ReplyOnce) -> Result<Channel, i32> {
        host.send(0, "echo", body, None, Reply::numbered::<Here>(70));
        match body {
            b"refuse" => {
                reply.answer(4, b"no");
                Err(4)
            }
            b"panic" => panic!("on purpose"),
            _ => {
                reply.answer(0, b"");
                Ok(serve(Self))
            }
        }
    }
}

fn root() -> RootRef {
    static HEADER: motey_plugin_abi::LibHeader = header::<Echo>();
    HEADER.init_root_module::<RootRef>().unwrap()
}

fn peer(number: usize) -> Peer {
    match root().create_channel(b"hello", serve(Echo), Reply::numbered::<Here>(number)) {
        Created::Channel(peer) => peer,
        Created::Refused(code) => panic!("{code}"),
    }
}

#[test]
fn each_call_is_answered_once_and_a_panic_costs_one_call() {
    let peer = peer(1);
    assert_eq!(answers(1), [(0, String::new())]);
    for (number, op, code) in [(2, "echo", 0), (3, "panic", 7), (4, "dropped", 7)] {
        peer.send(9, op, b"body", None, Reply::numbered::<Here>(number));
        let got = answers(number);
        assert_eq!(got.len(), 1);
        assert_eq!(got[0].0, code, "{op}");
    }
    peer.cancel(9);
    peer.close(Duration::ZERO);
    peer.send(9, "echo", b"", None, Reply::numbered::<Here>(5));
    assert_eq!(answers(5), [(0, String::new())]);
}

#[test]
fn a_stream_belongs_to_the_callee() {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    peer(11).send(1, "stream", b"through", Some(OwnedFd::from(theirs)), Reply::numbered::<Here>(12));
    let mut text = String::new();
    ours.read_to_string(&mut text).unwrap();
    assert_eq!(text, "through");
}

#[test]
fn a_create_that_refuses_or_panics_answers_all_the_same() {
    assert_eq!(root().manifest_bytes(), b"{}");
    for (number, body, returned, answered) in [(21, "refuse", 4, 4), (22, "panic", PANICKED, 7)] {
        let created = root().create_channel(body.as_bytes(), serve(Echo), Reply::numbered::<Here>(number));
        assert!(matches!(created, Created::Refused(refused) if refused == returned));
        assert_eq!(answers(number).iter().map(|answer| answer.0).collect::<Vec<_>>(), [answered]);
    }
    assert!(answers(70).contains(&(0, "refuse".to_owned())));
}
