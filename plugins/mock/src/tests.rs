//! The plugin as the SDK drives it, against real files; across the boundary it is driven by the whole-node tests.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read},
    os::{
        fd::OwnedFd,
        unix::{fs::PermissionsExt, net::UnixStream},
    },
    path::Path,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use motey_plugin_api::{
    Cancel, Code, CreateRequest, Exit, Host, HostInfo, InstanceRef, InstanceState, LogsRequest, StopRequest,
    Stream, Val,
    serde_json::{Value, json},
};

use crate::{
    Mock,
    script::{Op, Script, Subject},
};

const SOON: Duration = Duration::from_secs(10);

fn mock(dir: &Path) -> Mock {
    let info = HostInfo { state_dir: dir.to_owned(), ..HostInfo::default() };
    Mock::new(Value::Null, Host::detached(info)).expect("a mock on an empty directory")
}

fn script(dir: &Path, script: &Value) {
    fs::create_dir_all(dir.join("mock")).unwrap();
    let fresh = dir.join("mock/script.json.new");
    fs::write(&fresh, script.to_string()).unwrap();
    fs::rename(fresh, dir.join("mock/script.json")).unwrap();
}

fn request(name: &str, image: &str) -> CreateRequest {
    let labels = BTreeMap::from([("motey.fence".to_owned(), format!("fence-of-{name}"))]);
    CreateRequest {
        name: name.to_owned(),
        labels,
        image: image.to_owned(),
        command: vec![],
        environment: BTreeMap::new(),
        working_dir: None,
        stop_signal: None,
        stop_grace_ms: 1_000,
        mounts: vec![],
        ports: vec![],
        devices: vec![],
    }
}

fn named(name: &str) -> InstanceRef {
    InstanceRef { name: name.to_owned() }
}

fn calls(dir: &Path) -> Vec<(String, String, String)> {
    let text = fs::read_to_string(dir.join("mock/calls.jsonl")).unwrap();
    let word = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    let line = |line: &str| {
        let line: Value = motey_plugin_api::serde_json::from_str(line).unwrap();
        (word(&line, "op"), word(&line, "name"), word(&line, "outcome"))
    };
    text.lines().map(line).collect()
}

fn wait_until(what: &str, mut there: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !there() {
        assert!(Instant::now() < deadline, "not within {SOON:?}: {what}");
        thread::yield_now();
    }
}

#[test]
fn an_instance_lives_through_its_states_and_outlives_the_plugin() {
    let dir = tempfile::tempdir().unwrap();
    let val = mock(dir.path());
    assert_eq!(val.create(request("a", "img:1")).unwrap().state, InstanceState::Created);
    assert_eq!(val.create(request("a", "img:1")).unwrap_err().code, Code::Conflict);
    assert_eq!(val.start(named("a")).unwrap().state, InstanceState::Running);
    val.create(request("b", "img:1")).unwrap();
    val.destroy(named("b")).unwrap();
    val.destroy(named("b")).expect("what is gone is destroyed");
    drop(val);

    let val = mock(dir.path());
    let left = val.list().unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].name.as_str(), left[0].state), ("a", InstanceState::Running));
    assert_eq!(left[0].labels["motey.fence"], "fence-of-a");
    for file in ["instances.jsonl", "calls.jsonl"] {
        let mode = fs::metadata(dir.path().join("mock").join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file} is nobody else's");
    }
    let stop = StopRequest { name: "a".to_owned(), grace_ms: 0, signal: Some("SIGINT".to_owned()) };
    let stopped = val.stop(stop.clone()).unwrap();
    assert_eq!(stopped.exit, Some(Exit { code: None, signal: Some(2), oom: false }));
    assert_eq!(val.stop(stop).unwrap(), stopped);
    assert_eq!(val.start(named("a")).unwrap().exit, None);
    assert_eq!(val.inspect(named("b")).unwrap_err().code, Code::NotFound);
}

#[test]
fn every_call_leaves_one_line() {
    let dir = tempfile::tempdir().unwrap();
    script(
        dir.path(),
        &json!({"rules": [{"op": "start", "times": 1, "error": {"code": "busy", "message": "x"}}]}),
    );
    let val = mock(dir.path());
    val.create(request("a", "img")).unwrap();
    val.create(request("a", "img")).unwrap_err();
    assert!(val.start(named("a")).unwrap_err().retryable);
    val.start(named("a")).unwrap();
    val.list().unwrap();
    let seen = calls(dir.path());
    let seen: Vec<_> =
        seen.iter().map(|(op, name, outcome)| (op.as_str(), name.as_str(), outcome.as_str())).collect();
    let wanted = [
        ("create", "a", "ok"),
        ("create", "a", "conflict"),
        ("start", "a", "busy"),
        ("start", "a", "ok"),
        ("list", "", "ok"),
    ];
    assert_eq!(seen, wanted);
    let text = fs::read_to_string(dir.path().join("mock/calls.jsonl")).unwrap();
    assert!(text.lines().take(4).all(|line| line.contains(r#""fence":"fence-of-a""#)), "{text}");
}

#[test]
fn an_error_after_the_operation_does_not_undo_it() {
    let dir = tempfile::tempdir().unwrap();
    let error = json!({"code": "timed_out", "message": "lost", "hint": "look again"});
    script(dir.path(), &json!({"rules": [{"op": "create", "name": "a*", "when": "after", "error": error}]}));
    let val = mock(dir.path());
    let answer = val.create(request("a1", "img")).unwrap_err();
    assert_eq!((answer.code, answer.hint.as_deref()), (Code::TimedOut, Some("look again")));
    val.create(request("b1", "img")).expect("the rule is not about b1");
    assert_eq!(val.list().unwrap().len(), 2);
    let text = fs::read_to_string(dir.path().join("mock/calls.jsonl")).unwrap();
    assert!(text.lines().next().unwrap().contains(r#""outcome":"ok","then":"timed_out""#), "{text}");
}

#[test]
fn a_new_script_holds_from_the_next_call_on() {
    let dir = tempfile::tempdir().unwrap();
    let val = mock(dir.path());
    val.list().unwrap();
    script(
        dir.path(),
        &json!({"rules": [{"op": "list", "error": {"code": "unavailable", "message": "down"}}]}),
    );
    assert_eq!(val.list().unwrap_err().code, Code::Unavailable);
    fs::remove_file(dir.path().join("mock/script.json")).unwrap();
    val.list().expect("no script, no errors");
    script(dir.path(), &json!({"rulse": []}));
    let error = val.list().unwrap_err();
    assert_eq!(error.code, Code::Invalid);
    assert!(error.message.contains("rulse"), "{error}");
}

#[test]
fn a_death_is_told_once_and_found_after_the_plugin_was_away() {
    let dir = tempfile::tempdir().unwrap();
    script(dir.path(), &json!({"deaths": [{"image": "frail:*", "times": 2, "after_ms": 20, "code": 7}]}));
    let val = mock(dir.path());
    val.create(request("a", "frail:1")).unwrap();
    let (told, tells) = mpsc::sync_channel(8);
    let cancel = Cancel::new().unwrap();
    thread::scope(|scope| {
        let watching = scope
            .spawn(|| val.engine.tell_deaths(cancel.fd(), |instance| told.send(instance.clone()).is_ok()));
        val.start(named("a")).unwrap();
        let dead = tells.recv_timeout(SOON).expect("the death is told");
        assert_eq!((dead.name.as_str(), dead.state), ("a", InstanceState::Exited));
        assert_eq!(dead.exit, Some(Exit { code: Some(7), signal: None, oom: false }));
        cancel.cancel();
        watching.join().unwrap().unwrap();
    });
    assert!(tells.try_recv().is_err(), "one death, one piece of news");

    val.start(named("a")).unwrap();
    drop(val);
    let val = mock(dir.path());
    wait_until("the second death", || val.inspect(named("a")).unwrap().state == InstanceState::Exited);
}

#[test]
fn news_that_the_host_did_not_take_is_offered_again() {
    let dir = tempfile::tempdir().unwrap();
    script(dir.path(), &json!({"deaths": [{"after_ms": 0, "signal": 9, "oom": true}]}));
    let val = mock(dir.path());
    val.create(request("a", "img")).unwrap();
    val.start(named("a")).unwrap();
    let cancel = Cancel::new().unwrap();
    let mut offers = 0;
    let tell = |_: &_| {
        offers += 1;
        if offers == 3 {
            cancel.cancel();
        }
        offers == 3
    };
    val.engine.tell_deaths(cancel.fd(), tell).unwrap();
    assert_eq!(offers, 3);
}

#[test]
fn closing_ends_a_hang_and_a_delay() {
    let dir = tempfile::tempdir().unwrap();
    script(
        dir.path(),
        &json!({"rules": [{"op": "create", "hang": true}, {"op": "list", "delay_ms": 3_600_000}]}),
    );
    let val = mock(dir.path());
    thread::scope(|scope| {
        let hanging = scope.spawn(|| val.create(request("a", "img")).unwrap_err());
        let waiting = scope.spawn(|| val.list().unwrap());
        wait_until("the hang is journalled", || !calls(dir.path()).is_empty());
        assert!(!hanging.is_finished() && !waiting.is_finished());
        val.close(Duration::ZERO);
        assert_eq!(hanging.join().unwrap().code, Code::Closed);
        assert!(waiting.join().unwrap().is_empty());
    });
    assert_eq!(calls(dir.path())[0], ("create".to_owned(), "a".to_owned(), "hang".to_owned()));
}

#[test]
fn a_scripted_panic_leaves_the_plugin_usable() {
    let dir = tempfile::tempdir().unwrap();
    script(dir.path(), &json!({"rules": [{"op": "create", "times": 1, "panic": true}]}));
    let val = mock(dir.path());
    thread::scope(|scope| scope.spawn(|| val.create(request("a", "img"))).join().expect_err("it panics"));
    val.create(request("a", "img")).unwrap();
}

#[test]
fn a_line_cut_short_by_a_full_disk_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let val = mock(dir.path());
    val.create(request("a", "img")).unwrap();
    drop(val);
    for file in ["instances.jsonl", "calls.jsonl"] {
        let path = dir.path().join("mock").join(file);
        let mut text = fs::read_to_string(&path).unwrap();
        text.push_str(r#"{"put":{"requ"#);
        fs::write(&path, text).unwrap();
    }
    let val = mock(dir.path());
    assert_eq!(val.list().unwrap().len(), 1);
    let text = fs::read_to_string(dir.path().join("mock/calls.jsonl")).unwrap();
    assert_eq!(text.lines().count(), 3, "{text}");
}

#[test]
fn logs_write_the_last_lines_and_follow_until_cancelled() {
    let dir = tempfile::tempdir().unwrap();
    let val = mock(dir.path());
    val.create(request("a", "img")).unwrap();
    let (mut reader, plugin_end) = UnixStream::pair().unwrap();
    let request = LogsRequest { name: "a".to_owned(), follow: true, tail: Some(2), since_ms: None };
    let cancel = Cancel::new().unwrap();
    thread::scope(|scope| {
        let logging = scope.spawn(|| val.logs(request, Stream::from(OwnedFd::from(plugin_end)), &cancel));
        let wanted = "a says line 4 of 5\na says line 5 of 5\n";
        let mut text = vec![0; wanted.len()];
        reader.read_exact(&mut text).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), wanted);
        assert!(!logging.is_finished());
        cancel.cancel();
        logging.join().unwrap().unwrap();
    });
    assert_eq!(io::read_to_string(reader).unwrap(), "");
}

#[test]
fn the_first_rule_that_fits_and_is_not_used_up_is_taken() {
    let mut script: Script = motey_plugin_api::serde_json::from_value(json!({"rules": [
        {"op": "create", "image": "a*", "times": 1, "delay_ms": 1},
        {"op": "create", "delay_ms": 2},
        {"name": "x", "delay_ms": 3},
    ]}))
    .unwrap();
    let about =
        |name: &str, image: &str| Subject { name: name.into(), image: image.into(), fence: String::new() };
    let mut delay = |op, about: &Subject| script.rule(op, about).map(|rule| rule.delay_ms);
    assert_eq!(delay(Op::Create, &about("x", "b")), Some(2));
    assert_eq!(delay(Op::Create, &about("x", "ab")), Some(1));
    assert_eq!(delay(Op::Create, &about("x", "ab")), Some(2));
    assert_eq!(delay(Op::Start, &about("x", "ab")), Some(3));
    assert_eq!(delay(Op::Start, &about("y", "ab")), None);
}

#[test]
fn a_call_costs_less_than_fifty_microseconds() {
    const CALLS: u32 = 2_000;
    let dir = tempfile::tempdir().unwrap();
    script(dir.path(), &json!({"rules": [{"op": "create", "image": "never", "delay_ms": 1}]}));
    let val = mock(dir.path());
    // the median, because the machine has other things to do
    let mut times: Vec<Duration> = (0..CALLS)
        .map(|n| {
            let began = Instant::now();
            val.create(request(&format!("svc-{n}"), "img")).unwrap();
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    let median = times[times.len() / 2];
    // the unoptimised build is allowed the fivefold
    let limit = Duration::from_micros(if cfg!(debug_assertions) { 250 } else { 50 });
    assert!(median <= limit, "the median call took {median:?}, the limit is {limit:?}");
    println!("median call: {median:?}");
}
