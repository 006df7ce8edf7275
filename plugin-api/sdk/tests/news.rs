//! News that the host answers with more to say: what runs inside of a call to the host may log, which calls it again.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use motey_plugin_abi::{Answers, Call, Created, Endpoint, LibHeader, Peer, Reply, RootRef, header, serve};
use motey_plugin_api::{
    __private::{Entry, Identity, ValService},
    Cancel, CreateRequest, Error, Fingerprint, Host, Instance, InstanceRef, InstanceState, Labels,
    StopRequest, Val, log, op,
    serde_json::Value,
};

/// Long for a machine under load.
const SOON: Duration = Duration::from_secs(30);

/// Whether the host is still being told something when this is over, and the close has long begun to wait for it.
const GRACE: Duration = Duration::from_millis(50);

static CLOSING: AtomicBool = AtomicBool::new(false);
static HEARD: Mutex<Vec<bool>> = Mutex::new(Vec::new());

struct Teller {
    host: Host,
}

fn gone() -> Instance {
    Instance {
        name: "web".into(),
        labels: Labels::new(),
        state: InstanceState::Exited,
        exit: None,
        message: None,
        pid: None,
        started_at: None,
    }
}

impl Val for Teller {
    fn new(_: Value, host: Host) -> Result<Self, Error> {
        Ok(Self { host })
    }
    fn fingerprint(&self) -> Result<Fingerprint, Error> {
        Err(Error::failed("not asked"))
    }
    fn create(&self, _: CreateRequest) -> Result<Instance, Error> {
        Ok(gone())
    }
    fn start(&self, _: InstanceRef) -> Result<Instance, Error> {
        Ok(gone())
    }
    fn stop(&self, _: StopRequest) -> Result<Instance, Error> {
        Ok(gone())
    }
    fn destroy(&self, _: InstanceRef) -> Result<(), Error> {
        Ok(())
    }
    fn inspect(&self, _: InstanceRef) -> Result<Instance, Error> {
        Ok(gone())
    }
    fn list(&self) -> Result<Vec<Instance>, Error> {
        Ok(Vec::new())
    }
    fn events(&self, _: &Cancel) -> Result<(), Error> {
        HEARD.lock().unwrap().push(self.host.instance(&gone()).is_ok());
        Ok(())
    }
    fn close(&self, _: Duration) {
        CLOSING.store(true, Ordering::Release);
    }
}

struct Id;

impl Identity for Id {
    const ID: &'static str = "teller";
    const MANIFEST: &'static [u8] = b"{}";
}

/// Refuses the news, and logs as long as the plugin is not closed, and a while longer.
struct Chatty;

impl Endpoint for Chatty {
    fn send(&self, call: Call<'_>) {
        if call.op != op::host::INSTANCE {
            return call.reply.answer(0, b"{}");
        }
        let until = Instant::now() + SOON;
        while !CLOSING.load(Ordering::Acquire) && Instant::now() < until {
            log::warn!("not yet");
        }
        let until = Instant::now() + 4 * GRACE;
        while Instant::now() < until {
            log::warn!("still here");
        }
        let (code, body) = Error::busy("too much to do").to_wire();
        call.reply.answer(code, &body);
    }
    fn cancel(&self, _: u64) {}
    fn close(&self, _: Duration) {}
}

struct Ignored;

impl Answers for Ignored {
    fn arrived(_: usize, _: i32, _: &[u8]) {}
}

fn plugin() -> Peer {
    static HEADER: LibHeader = header::<Entry<ValService<Teller>, Id>>();
    let root: RootRef = HEADER.init_root_module().unwrap();
    let body = br#"{"host":{"motey_exe":"/m","state_dir":"/s","run_dir":"/r","node":"n","cluster":"c","plugin_dir":"/p"}}"#;
    match root.create_channel(body.as_slice(), serve(Chatty), Reply::numbered::<Ignored>(1)) {
        Created::Channel(peer) => peer,
        Created::Refused(code) => panic!("refused: {code}"),
    }
}

#[test]
fn a_log_inside_of_news_neither_blocks_the_close_nor_answers_for_the_news() {
    let peer = plugin();
    peer.send(2, op::EVENTS, b"{}", None, Reply::numbered::<Ignored>(2));
    let (closed, closing) = mpsc::sync_channel(1);
    thread::spawn(move || {
        peer.close(GRACE);
        closed.send(()).unwrap();
    });
    closing.recv_timeout(SOON).expect("the close waits for ever");
    let until = Instant::now() + SOON;
    while HEARD.lock().unwrap().is_empty() {
        assert!(Instant::now() < until, "the news never returned");
        thread::yield_now();
    }
    assert_eq!(*HEARD.lock().unwrap(), [false], "the log's answer was taken for the news's");
}
