//! Every lane of the boundary, through a real shared object: answers, errors, panics, streams, cancel, news, busy,
//! deadlines, close.

mod nest;

use std::{
    io::{Read, Write},
    net::Shutdown,
    sync::{Arc, Barrier, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use motey_plugin_host::{
    CallId, Plugin, State, code,
    ops::{
        Code, CreateRequest, Error, Fingerprint, Instance, InstanceRef, InstanceState, Labels, LogLevel,
        LogsRequest, StopRequest, op,
    },
    stream_pair,
};
use nest::{Nest, SOON, eventually};
use serde_json::json;

fn named(name: &str) -> InstanceRef {
    InstanceRef { name: name.into() }
}

fn stop(name: &str) -> Vec<u8> {
    serde_json::to_vec(&StopRequest { name: name.into(), grace_ms: 0, signal: None }).unwrap()
}

/// A look that waits, as it never should.
fn held_look() -> Vec<u8> {
    serde_json::to_vec(&named("held")).unwrap()
}

fn logs(name: &str) -> Vec<u8> {
    serde_json::to_vec(&LogsRequest { name: name.into(), follow: false, tail: None, since_ms: None }).unwrap()
}

/// Lets every held call go on.
fn release(plugin: &Plugin) {
    let (ours, theirs) = stream_pair().unwrap();
    drop(ours);
    plugin.call_wait(op::LOGS, &logs("release"), Some(theirs), SOON).unwrap();
}

/// Makes a call whose answers, however many, are remembered.
fn remembered(plugin: &Plugin, op: &str, body: &[u8], deadline: Option<Duration>) -> (CallId, Answers) {
    let answers = Answers::default();
    let kept = answers.clone();
    let call = plugin.call(op, body, None, deadline, move |answer| kept.0.lock().unwrap().push(answer));
    (call, answers)
}

type Answer = Result<Vec<u8>, Error>;

#[derive(Clone, Default)]
struct Answers(Arc<Mutex<Vec<Answer>>>);

impl Answers {
    fn codes(&self) -> Vec<Option<Code>> {
        self.0.lock().unwrap().iter().map(|answer| answer.as_ref().err().map(|error| error.code)).collect()
    }

    fn wait(&self) -> Vec<Option<Code>> {
        eventually("an answer", || !self.codes().is_empty());
        self.codes()
    }
}

#[test]
fn a_call_brings_its_answer_or_its_error_whole() {
    let nest = Nest::with_echo();
    let plugin = nest.echo();
    let labels = Labels::from([("motey.service".to_owned(), "§ \"quoted\" ".repeat(10_000))]);
    let request = CreateRequest {
        name: "web".into(),
        labels: labels.clone(),
        image: "sleep".into(),
        command: vec!["5".into()],
        environment: Labels::new(),
        working_dir: None,
        stop_signal: None,
        stop_grace_ms: 0,
        mounts: vec![],
        ports: vec![],
        devices: vec![],
    };
    let made: Instance = plugin.call_wait_json(op::CREATE, &request, SOON).unwrap();
    assert_eq!((made.name.as_str(), made.state, made.labels), ("web", InstanceState::Running, labels));

    let missing = plugin.call_wait_json::<_, Instance>(op::INSPECT, &named("missing"), SOON).unwrap_err();
    assert_eq!(missing, Error::not_found("there is no `missing`").engine_text("404"));

    let refused = plugin.call_wait(op::INSPECT, br#"{"name":"a","limits":1}"#, None, SOON).unwrap_err();
    assert_eq!(refused.code, Code::Invalid);
    assert!(refused.message.contains("limits"), "{refused}");

    for unknown in [op::STATS, op::EXEC, "val.start/2", ""] {
        assert_eq!(
            plugin.call_wait(unknown, br#"{"name":"a"}"#, None, SOON).unwrap_err().code,
            Code::Unsupported
        );
    }
    assert_eq!(plugin.call_wait(op::PING, b"{}", None, SOON).unwrap(), b"{}");
    assert_eq!((plugin.calls(), plugin.failures()), (8, 6));
}

#[test]
fn the_plugin_is_told_where_it_lives_and_its_log_is_heard() {
    let nest = Nest::with_echo();
    let manager = nest.manager(motey_plugin_host::Trust::Any, &[("echo", json!({"colour": "blue"}))]);
    manager.start(|_| {});
    let print: Fingerprint =
        manager.get("echo").unwrap().call_wait_json(op::FINGERPRINT, &json!({}), SOON).unwrap();
    assert_eq!(print.message.as_deref(), nest.place.path().to_str());
    let log = nest.heard.log.lock().unwrap();
    let record = log.iter().find(|record| record.message == r#"created with {"colour":"blue"}"#).unwrap();
    assert_eq!((record.level, record.target.as_str()), (LogLevel::Info, "echo"));
}

#[test]
fn a_panic_costs_one_call_and_is_told() {
    let nest = Nest::with_echo();
    let plugin = nest.echo();
    let failed = plugin.call_wait_json::<_, Instance>(op::START, &named("web"), SOON).unwrap_err();
    assert_eq!(failed.code, Code::Failed);
    assert!(failed.message.contains("web on purpose"), "{failed}");
    assert!(nest.heard.said("web on purpose"));
    plugin.call_wait(op::LIST, b"{}", None, SOON).unwrap();
    assert_eq!(plugin.state(), State::Active);
}

#[test]
fn a_stream_carries_megabytes_both_ways() {
    const LENGTH: usize = 3 << 20;
    let nest = Nest::with_echo();
    let plugin = nest.echo();
    let (ours, theirs) = stream_pair().unwrap();
    let (ended, end) = mpsc::sync_channel(1);
    plugin.call(op::LOGS, &logs("web"), Some(theirs), None, move |answer| ended.send(answer).unwrap());

    let sent: Vec<u8> = (0..LENGTH).map(|at| (at * 31 % 251) as u8).collect();
    let (mut writing, bytes) = (ours.try_clone().unwrap(), sent.clone());
    let writer = thread::spawn(move || {
        writing.write_all(&bytes).unwrap();
        writing.shutdown(Shutdown::Write).unwrap();
    });
    let mut reading = ours;
    let mut heard = Vec::new();
    reading.read_to_end(&mut heard).unwrap();
    writer.join().unwrap();
    assert!(heard == sent, "{} of {LENGTH} bytes came back", heard.len());
    assert_eq!(end.recv_timeout(SOON).unwrap(), Ok(b"{}".to_vec()));

    assert_eq!(plugin.call_wait(op::LOGS, &logs("web"), None, SOON).unwrap_err().code, Code::Invalid);
}

#[test]
fn a_cancel_frees_a_writer_whose_reader_does_not_read() {
    let nest = Nest::with_echo();
    let plugin = nest.echo();
    let (mut ours, theirs) = stream_pair().unwrap();
    let (ended, end) = mpsc::sync_channel(1);
    let call = plugin
        .call(op::LOGS, &logs("endless"), Some(theirs), None, move |answer| ended.send(answer).unwrap());
    ours.read_exact(&mut [0]).unwrap();
    plugin.cancel(call);
    assert_eq!(end.recv_timeout(SOON).unwrap().unwrap_err().code, Code::Cancelled);
}

#[test]
fn events_stay_open_until_cancelled_and_bring_news() {
    let nest = Nest::with_echo();
    let plugin = nest.echo();
    let (call, answers) = remembered(&plugin, op::EVENTS, b"{}", None);
    eventually("news", || !nest.heard.instances.lock().unwrap().is_empty());
    assert_eq!(nest.heard.instances.lock().unwrap()[0].name, "watched");
    assert_eq!(answers.codes(), []);
    plugin.cancel(call);
    assert_eq!(answers.wait(), [None]);
    plugin.cancel(call);

    *nest.heard.busy.lock().unwrap() = true;
    assert_eq!(plugin.call_wait(op::EVENTS, b"{}", None, SOON).unwrap_err().code, Code::Busy);
}

#[test]
fn beyond_its_queue_a_plugin_is_busy() {
    const CALLS: usize = 1100;
    let nest = Nest::with_echo();
    let plugin = nest.echo();
    let answers: Vec<_> = (0..CALLS).map(|_| remembered(&plugin, op::INSPECT, &held_look(), None)).collect();
    let busy = || answers.iter().filter(|(_, answers)| answers.codes() == [Some(Code::Busy)]).count();
    assert!((CALLS - 1028..=CALLS - 1024).contains(&busy()), "{} of {CALLS} were refused", busy());

    // one that has not begun is given up at once
    let (last, given_up) = answers.iter().rfind(|(_, answers)| answers.codes().is_empty()).unwrap();
    plugin.cancel(*last);
    assert_eq!(given_up.codes(), [Some(Code::Cancelled)]);

    release(&plugin);
    eventually("all answers", || answers.iter().all(|(_, answers)| answers.codes().len() == 1));
    let done = answers.iter().filter(|(_, answers)| answers.codes() == [None]).count();
    assert_eq!(done, CALLS - busy() - 1);
}

/// The plugin's bound on each kind of call that has a thread of its own.
const OWN_THREADS: usize = 256;

#[test]
fn a_stop_gets_through_whatever_is_open() {
    allow_many_descriptors();
    let nest = Nest::with_echo();
    let plugin = nest.echo();
    let (streams, readers): (Vec<_>, Vec<_>) = (0..=OWN_THREADS)
        .map(|_| {
            let (ours, theirs) = stream_pair().unwrap();
            let answers = Answers::default();
            let kept = answers.clone();
            plugin.call(op::LOGS, &logs("web"), Some(theirs), None, move |answer| {
                kept.0.lock().unwrap().push(answer);
            });
            (ours, answers)
        })
        .unzip();
    let watches: Vec<_> = (0..=OWN_THREADS).map(|_| remembered(&plugin, op::EVENTS, b"{}", None).1).collect();
    let open = |calls: &[Answers]| calls.iter().filter(|answers| answers.codes().is_empty()).count();
    assert_eq!((open(&readers), open(&watches)), (OWN_THREADS, OWN_THREADS));

    plugin.call_wait(op::STOP, &stop("free"), None, SOON).unwrap();
    let stops: Vec<_> =
        (0..OWN_THREADS).map(|_| remembered(&plugin, op::STOP, &stop("held"), None).1).collect();
    assert_eq!(open(&stops), OWN_THREADS);
    assert_eq!(plugin.call_wait(op::STOP, &stop("free"), None, SOON).unwrap_err().code, Code::Busy);
    drop(streams);
}

fn allow_many_descriptors() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, rustix::process::Rlimit { current: limit.maximum, ..limit }).unwrap();
}

#[test]
fn a_missed_deadline_makes_it_unresponsive_until_it_answers_a_ping() {
    let nest = Nest::with_echo();
    let plugin = nest.echo();
    let held: Vec<_> = (0..4).map(|_| remembered(&plugin, op::INSPECT, &held_look(), None).1).collect();
    let began = Instant::now();
    let missed = plugin.call_wait(op::INSPECT, &held_look(), None, Duration::from_millis(50)).unwrap_err();
    assert_eq!(missed.code, Code::TimedOut);
    assert!((50..10_000).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    // all four threads are held: nobody takes up the ping
    assert_eq!((plugin.state(), plugin.reason().unwrap().code), (State::Unresponsive, code::CALL_TIMED_OUT));
    let refused = plugin.call_wait(op::LIST, b"{}", None, SOON).unwrap_err();
    assert_eq!((refused.code, refused.retryable), (Code::Unavailable, true));
    assert_eq!(held.iter().flat_map(Answers::codes).count(), 0);

    // what opens the gate is refused too, so the close ends it here
    plugin.close(Duration::from_millis(50));
    assert_eq!(plugin.state(), State::Inactive);
    assert!(held.iter().all(|answers| answers.codes() == [Some(Code::Closed)]));
}

#[test]
fn a_late_answer_is_dropped_and_a_ping_ends_the_silence() {
    let nest = Nest::with_echo();
    let plugin = nest.echo();
    let (ours, theirs) = stream_pair().unwrap();
    let late: Vec<_> = (0..4)
        .map(|_| remembered(&plugin, op::INSPECT, &held_look(), Some(Duration::from_millis(500))).1)
        .collect();
    let (ended, end) = mpsc::sync_channel(1);
    plugin.call(op::LOGS, &logs("release"), Some(theirs), None, move |answer| ended.send(answer).unwrap());
    assert!(late.iter().all(|answers| answers.wait() == [Some(Code::TimedOut)]));
    assert_eq!(plugin.state(), State::Unresponsive);
    drop(ours);
    end.recv_timeout(SOON).unwrap().unwrap();
    eventually("the ping's answer", || plugin.state() == State::Active);
    assert!(late.iter().all(|answers| answers.codes() == [Some(Code::TimedOut)]));
    plugin.call_wait(op::LIST, b"{}", None, SOON).unwrap();
}

#[test]
fn a_close_answers_everything_and_silences_the_plugin() {
    let nest = Nest::with_echo();
    let plugin = nest.echo();
    let (_, running) = remembered(&plugin, op::STOP, &stop("held"), None);
    let queued: Vec<_> = (0..20).map(|_| remembered(&plugin, op::STOP, &stop("held"), None).1).collect();
    let (_, events) = remembered(&plugin, op::EVENTS, b"{}", None);
    let (_ours, theirs) = stream_pair().unwrap();
    let (ended, end) = mpsc::sync_channel(1);
    plugin.call(op::LOGS, &logs("web"), Some(theirs), None, move |answer| ended.send(answer).unwrap());

    // returns, though one that runs never answers
    plugin.close(Duration::from_millis(200));
    assert_eq!(running.codes(), [Some(Code::Closed)]);
    assert!(queued.iter().all(|answers| answers.codes() == [Some(Code::Closed)]));
    assert_eq!(events.codes(), [None]);
    // its reader was hung up on: an end or an error, but an answer
    drop(end.try_recv().unwrap());
    assert!(nest.heard.said("closing") && nest.heard.said("events ended"));

    assert_eq!(plugin.call_wait(op::PING, b"{}", None, SOON).unwrap_err().code, Code::Closed);
    plugin.close(SOON);
    assert_eq!(plugin.state(), State::Inactive);
}

#[test]
fn a_deactivated_plugin_can_be_activated_again() {
    let nest = Nest::with_echo();
    let manager = nest.manager(motey_plugin_host::Trust::Any, &[]);
    manager.start(|_| {});
    manager.deactivate("echo", SOON);
    assert_eq!(manager.plugins()[0].state, State::Inactive);
    assert!(manager.activate("echo"));
    manager.get("echo").unwrap().call_wait(op::PING, b"{}", None, SOON).unwrap();
    nest.heard.log.lock().unwrap().clear();
    manager.close_all(SOON);
    assert!(nest.heard.said("closing"));
    assert!(!manager.activate("nobody"));
}

#[test]
fn eight_threads_are_answered_exactly_once_each() {
    const THREADS: usize = 8;
    const CALLS: usize = 1000;
    let nest = Nest::with_echo();
    let plugin = nest.echo();
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for worker in 0..THREADS {
            let (plugin, start) = (&plugin, &start);
            scope.spawn(move || {
                start.wait();
                // fewer at a time than the plugin's queue has room for
                (0..CALLS / 100).for_each(|batch| ask_a_hundred(plugin, &format!("{worker}-{batch}")));
            });
        }
    });
    assert_eq!((plugin.calls(), plugin.failures()), ((THREADS * CALLS) as u64, 0));
}

fn ask_a_hundred(plugin: &Plugin, prefix: &str) {
    let asked: Vec<_> = (0..100)
        .map(|call| {
            let name = format!("{prefix}-{call}");
            let body = serde_json::to_vec(&named(&name)).unwrap();
            (name, remembered(plugin, op::INSPECT, &body, Some(SOON)).1)
        })
        .collect();
    for (name, answers) in asked {
        assert_eq!(answers.wait(), [None]);
        let answers = answers.0.lock().unwrap();
        assert_eq!(serde_json::from_slice::<Instance>(answers[0].as_ref().unwrap()).unwrap().name, name);
    }
}
