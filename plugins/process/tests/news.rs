//! What an instance tells while it runs and when it ends: events, logs, statistics, and what its supervisor costs.

mod node;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::thread;

use motey_plugin_api::{Cancel, Code, InstanceState, LogsRequest};
use motey_plugin_process::convert::Settings;
use node::{LONG, Node, PROBE, end, eventually, log_request, reference, unique, watching};

#[test]
fn every_end_is_told_once_whenever_it_comes() {
    let node = Node::new();
    let before = node.run("exit 1");
    node.exited(&before);
    let running = node.run("exec sleep 300");
    watching(&node, 0, |next| {
        let told = end(next).expect("told");
        assert_eq!((told.name.as_str(), told.exit.and_then(|exit| exit.code)), (before.as_str(), Some(1)));
        let started = node.run("exit 2");
        let told = end(next).expect("told");
        assert_eq!((told.name.as_str(), told.exit.and_then(|exit| exit.code)), (started.as_str(), Some(2)));
        node.stop(&running, 2000).expect("stopped");
        let told = end(next).expect("told");
        assert_eq!(
            (told.name.as_str(), told.exit.and_then(|exit| exit.signal)),
            (running.as_str(), Some(15))
        );
        // the same instance again: another run, another end
        node.start(&started).expect("started");
        assert_eq!(end(next).expect("told").name, started);
        let killed = node.run("exec sleep 300");
        node.kill_shim(&killed);
        let told = end(next).expect("told");
        assert_eq!((told.name, told.state), (killed, InstanceState::Exited));
    });
}

/// A host that dies over a start leaves a supervisor that only begins; the next host may list it so, and waits for news.
#[test]
fn who_was_seen_starting_is_told_of_when_it_runs() {
    let node = Node::new();
    let name = unique("i");
    node.engine.create(node.request(&name, "exec sleep 300")).expect("created");
    let begins = node.dir(&name).hold().expect("lock").expect("nobody holds it");
    assert_eq!(node.inspect(&name).state, InstanceState::Starting);
    watching(&node, 0, |next| {
        // once this is told, the other one was looked at
        let other = node.run("exit 2");
        assert_eq!(end(next).expect("told").name, other);
        drop(begins);
        node.start(&name).expect("started");
        let told = std::iter::from_fn(next).find(|told| told.name == name).expect("told");
        assert_eq!(told.state, InstanceState::Running);
    });
}

#[test]
fn a_busy_host_is_told_again() {
    let node = Node::new();
    watching(&node, 3, |next| {
        let name = node.run("exit 2");
        assert_eq!(end(next).expect("told").name, name);
    });
}

#[test]
fn many_ends_at_once_are_all_told() {
    let node = Node::new();
    watching(&node, 0, |next| {
        let mut names: Vec<String> = (0..30).map(|_| node.run("sleep 0.2; exit 0")).collect();
        let mut told: Vec<String> = (0..30).map(|_| end(next).expect("told").name).collect();
        names.sort_unstable();
        told.sort_unstable();
        assert_eq!(told, names);
    });
}

#[test]
fn the_log_is_bounded_under_a_flood() {
    let node = Node::new();
    let name = node.run("head -c 50000000 /dev/zero | tr '\\0' 'x' | fold -w 99; echo; echo last");
    node.exited(&name);
    let dir = node.dir(&name);
    let size = |path| fs::metadata(path).map_or(0, |meta| meta.len());
    let total = size(dir.current_log()) + size(dir.older_log());
    assert!(total <= 10_000_000 && total > 5_000_000, "{total}");
    let text = node.logs(LogsRequest { tail: Some(2), ..log_request(&name) });
    assert_eq!(text, format!("{}\nlast\n", "x".repeat(50_000_000 % 99)), "the end of the flood");
}

#[test]
fn monstrous_and_binary_output_comes_through() {
    let node = Node::new();
    let name = node.run(
        "head -c 100000 /dev/zero | tr '\\0' 'y'; echo; printf 'a\\000\\001b\\n'; echo err >&2; printf end",
    );
    node.exited(&name);
    let text = node.logs(log_request(&name));
    assert_eq!(text.matches('y').count(), 100_000);
    assert!(text.contains("a\0\u{1}b\n") && text.contains("err\n") && text.contains("end\n"));
}

#[test]
fn the_last_lines_and_the_young_ones() {
    let node = Node::new();
    let name = node.run("for i in 1 2 3 4 5 6 7 8 9; do echo $i; done");
    node.exited(&name);
    assert_eq!(node.logs(LogsRequest { tail: Some(3), ..log_request(&name) }), "7\n8\n9\n");
    assert_eq!(node.logs(LogsRequest { since_ms: Some(3_600_000), ..log_request(&name) }).lines().count(), 9);
    eventually("the lines have aged", || {
        node.logs(LogsRequest { since_ms: Some(1), ..log_request(&name) }).is_empty()
    });
    let unknown = node.engine.logs(
        &log_request("unknown"),
        UnixStream::pair().expect("pair").0,
        Cancel::new().expect("cancel").fd(),
    );
    assert_eq!(unknown.expect_err("logs of nobody").code, Code::NotFound);
}

fn following<T>(
    node: &Node,
    request: LogsRequest,
    test: impl FnOnce(&mut dyn FnMut() -> Option<String>, &Cancel) -> T,
) -> T {
    let (reader, writer) = UnixStream::pair().expect("pair");
    reader.set_read_timeout(Some(LONG)).expect("timeout");
    let cancel = Cancel::new().expect("cancel");
    thread::scope(|scope| {
        let logs = scope.spawn(|| node.engine.logs(&request, writer, cancel.fd()));
        let mut lines = BufReader::new(reader).lines();
        let result = test(&mut || lines.next().map(|line| line.expect("a line in time")), &cancel);
        drop(lines);
        logs.join().expect("thread").expect("logs");
        result
    })
}

#[test]
fn following_shows_what_comes_and_ends_with_the_instance() {
    let node = Node::new();
    let go = node.state_dir().join("go");
    let name = node.run(&format!("echo old; echo first; while [ ! -e {} ]; do sleep 0.02; done; echo second; sleep 0.1; echo third >&2", go.display()));
    eventually("it has begun", || node.logs(log_request(&name)) == "old\nfirst\n");
    following(&node, LogsRequest { follow: true, tail: Some(1), ..log_request(&name) }, |next, _| {
        assert_eq!(next().as_deref(), Some("first"));
        fs::write(&go, "").expect("written");
        assert_eq!((next().as_deref(), next().as_deref()), (Some("second"), Some("third")));
        assert_eq!(next(), None, "it goes on after the end");
    });
}

#[test]
fn following_ends_when_nobody_wants_it() {
    let node = Node::new();
    let name = node.run("echo here; exec sleep 300");
    eventually("it has begun", || node.logs(log_request(&name)) == "here\n");
    let request = LogsRequest { follow: true, ..log_request(&name) };
    // cancelled by the host
    following(&node, request.clone(), |next, cancel| {
        assert_eq!(next().as_deref(), Some("here"));
        cancel.cancel();
        assert_eq!(next(), None);
    });
    // hung up by the reader
    following(&node, request, |next, _| assert_eq!(next().as_deref(), Some("here")));
}

#[test]
fn following_stays_in_order_over_the_turns_of_a_small_ring() {
    let node = Node::with(|_| PROBE.into(), Settings { log_bytes: 70_000 });
    let go = node.state_dir().join("go");
    let name = node.run(&format!(
        "while [ ! -e {} ]; do sleep 0.02; done; i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done",
        go.display()
    ));
    following(&node, LogsRequest { follow: true, ..log_request(&name) }, |next, _| {
        fs::write(&go, "").expect("written");
        let numbers: Vec<u32> =
            std::iter::from_fn(next).map(|line| line.parse().expect("a whole line")).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "out of order, or twice");
        assert_eq!(numbers.last(), Some(&19_999));
        // a reader this close behind loses little; one that lost much was not woken
        assert!(numbers.len() > 5_000, "{} of 20000", numbers.len());
    });
}

#[test]
fn statistics_are_of_the_tree() {
    let node = Node::new();
    let name = node.run("sleep 300 & sleep 300 & while :; do :; done");
    let stats = || node.engine.stats(&reference(&name)).expect("stats");
    eventually("it has worked", || stats().cpu_ns > 100_000_000);
    let seen = stats();
    assert_eq!(seen.tasks, 3);
    assert!(seen.memory_bytes > 500_000 && seen.memory_bytes < 100_000_000, "{seen:?}");
    node.stop(&name, 100).expect("stopped");
    assert_eq!(node.engine.stats(&reference(&name)).expect_err("stats").code, Code::Conflict);
}

#[test]
fn a_supervisor_costs_little_memory_even_after_a_flood() {
    let node = Node::new();
    let name =
        node.run("head -c 20000000 /dev/zero | tr '\\0' 'x' | fold -w 99; echo; echo done; exec sleep 300");
    eventually("the flood is over", || {
        node.logs(LogsRequest { tail: Some(1), ..log_request(&name) }) == "done\n"
    });
    let status = fs::read_to_string(format!("/proc/{}/status", node.shim_of(&name).pid())).expect("status");
    let field =
        |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).expect(key).trim().to_owned();
    let anonymous: u64 = field("RssAnon:").trim_end_matches(" kB").parse().expect("number");
    println!("RssAnon of a shim: {anonymous} KiB, threads: {}", field("Threads:"));
    assert!(anonymous <= 307, "{anonymous} KiB");
    assert_eq!(field("Threads:"), "1");
}

#[test]
fn the_engine_is_well_here() {
    let node = Node::new();
    let fingerprint = node.engine.fingerprint();
    assert!(fingerprint.healthy, "{fingerprint:?}");
    assert_eq!(fingerprint.features.len(), 7);
    let sick = Node::with(|root| root.join(unique("no-motey")), Settings::default());
    assert!(!sick.engine.fingerprint().healthy);
}
