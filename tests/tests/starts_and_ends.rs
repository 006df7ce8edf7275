//! How a node begins and ends: alone on its state, killed before it is ready, asked to end in the middle of work.

use std::{
    fs,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use motey_tests::{NodeUnderTest, Process, Random, SOON, motey, wait_for, wait_until};
use rustix::process::Signal;

/// How long a clean end may take while engines have work.
const END: Duration = Duration::from_secs(15);

fn sleepers(node: &NodeUnderTest, name: &str, replicas: u16) -> String {
    format!(
        "service_name: {name}\nimages:\n  - name: sleep\n    key: app\n    engine: process\n    \
         replicas: {replicas}\n    parameters: {{ command: [\"86400\"], environment: {{ MARK: {:?} }} }}\n",
        node.mark(),
    )
}

fn deploy(node: &NodeUnderTest, blueprint: &str) -> String {
    let service = node.http().deploy(blueprint).expect(201).json();
    service["id"].as_str().expect("a service has an id").to_owned()
}

#[test]
fn a_second_node_on_the_same_state_is_refused_and_the_first_goes_on() {
    let node = NodeUnderTest::builder().plugins(&["process"]).start();
    let id = deploy(&node, &sleepers(&node, &node.unique("alone"), 2));
    node.wait_state(&id, "RUNNING");
    let before = node.programs();

    // its own socket and port: only the state is shared
    let second = Command::new(motey())
        .args(["run", "--config"])
        .arg(node.config_file())
        .arg("--run-dir")
        .arg(node.root().join("run-of-the-second"))
        .args(["--port", "0"])
        .stdin(Stdio::null())
        .output()
        .expect("the second one starts");
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(!second.status.success(), "{said}");
    let state = node.state_dir().display().to_string();
    for word in [state.as_str(), "in use", &node.pid().to_string()] {
        assert!(said.contains(word), "it says {word:?}: {said}");
    }
    assert!(!node.root().join("run-of-the-second/motey.sock").exists(), "it has opened no door");

    assert_eq!(node.programs(), before, "instances are not touched");
    node.wait_state(&id, "RUNNING");
    deploy(&node, &sleepers(&node, &node.unique("still"), 1));
}

/// A library that ends the process with 77 from its destructor, as one whose threads are still at work may crash there.
const LAST_WORD: &str =
    "#include <unistd.h>\n__attribute__((destructor)) static void last(void) { _exit(77); }\n";

#[test]
fn a_node_ends_without_what_foreign_libraries_do_at_an_exit() {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, library) = (folder.path().join("last.c"), folder.path().join("liblast.so"));
    fs::write(&source, LAST_WORD).expect("a file");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status();
    assert!(built.expect("a C compiler, which the node's own database needs as well").success());
    let preload = library.to_str().expect("text");
    let ordinary = Command::new("true").env("LD_PRELOAD", preload).status().expect("it starts");
    assert_eq!(ordinary.code(), Some(77), "the library has the last word in other programs");

    let mut node = NodeUnderTest::builder().plugins(&["mock"]).variable("LD_PRELOAD", preload).start();
    node.wait_engine("mock");
    let id = deploy(
        &node,
        &format!("service_name: {}\nimages: [{{ name: any, engine: mock }}]\n", node.unique("kept")),
    );
    node.wait_state(&id, "RUNNING");
    assert_eq!(node.stop().code(), Some(0));
    assert!(
        !node.state_dir().join("motey.db-wal").metadata().is_ok_and(|wal| wal.len() > 0),
        "all is in one file"
    );
    node.start();
    node.wait_state(&id, "RUNNING");
}

#[test]
fn a_node_killed_before_it_is_ready_starts_the_next_time() {
    let mut node = NodeUnderTest::builder().plugins(&["process"]).prepare();
    let mut random = Random::new(Random::seed());
    let begin = Instant::now();
    node.start();
    let mut most = begin.elapsed();
    let id = deploy(&node, &sleepers(&node, &node.unique("early"), 3));
    node.wait_state(&id, "RUNNING");
    let before = node.programs();
    node.kill9();

    let mut unready = 0;
    for _ in 0..100 {
        node.launch();
        let moment = Duration::from_micros(random.below(u64::try_from(most.as_micros()).unwrap_or(1).max(1)));
        thread::sleep(moment);
        if node.http().send("GET", "/readyz", None, b"").is_ok_and(|answer| answer.status == 200) {
            // later than this there is nothing to be tried
            most = moment;
        } else {
            unready += 1;
        }
        node.kill9();
        assert_eq!(node.programs(), before, "killed after {moment:?}");
        if unready == 20 {
            break;
        }
    }
    assert_eq!(unready, 20, "most were ready before they were killed; at last within {most:?}");
    node.start();
    let service = node.wait_state(&id, "RUNNING");
    assert_eq!(node.programs(), before);
    assert_eq!(service["images"][0]["instances"][0]["restarts"], 0, "{service:#}");
    // what an interrupted first start leaves is no obstacle either
    assert_eq!(node.tcp().get("/v1/service").status, 200);
}

#[test]
fn a_first_start_that_is_killed_leaves_a_state_that_works() {
    let mut random = Random::new(Random::seed());
    for _ in 0..10 {
        let mut node = NodeUnderTest::builder().plugins(&["mock"]).prepare();
        node.launch();
        thread::sleep(Duration::from_micros(random.below(60_000)));
        node.kill9();
        node.start();
        let token = fs::read_to_string(node.state_dir().join("token")).expect("a token");
        assert!(token.trim().len() >= 16, "a whole token: {token:?}");
        node.tcp().get("/v1/service").expect(200);
    }
}

#[test]
fn a_node_asked_to_end_amid_deployments_ends_in_order_and_touches_no_instance() {
    let mut node = NodeUnderTest::builder().plugins(&["process"]).start();
    let steady = deploy(&node, &sleepers(&node, &node.unique("steady"), 3));
    node.wait_state(&steady, "RUNNING");
    let before: Vec<Process> = node.programs();

    let stop = AtomicBool::new(false);
    let prefix = node.unique("amid");
    let (accepted, asked) = thread::scope(|scope| {
        let client = |client: usize| {
            let (http, stop, prefix, node) = (node.http(), &stop, &prefix, &node);
            scope.spawn(move || {
                let mut accepted = Vec::new();
                for number in 0.. {
                    let blueprint = sleepers(node, &format!("{prefix}-{client}-{number}"), 2);
                    let kind = Some("application/x-yaml");
                    match http.send("POST", "/v1/service", kind, blueprint.as_bytes()) {
                        Ok(answer) if answer.status == 201 => accepted
                            .push(answer.json()["id"].as_str().expect("a service has an id").to_owned()),
                        // "closing", or the door is shut
                        _ if stop.load(Ordering::Acquire) => break,
                        other => panic!("a node at work refuses: {other:?}"),
                    }
                    if number == 12 {
                        break;
                    }
                }
                accepted
            })
        };
        let clients: Vec<_> = (0..3).map(client).collect();
        wait_until(SOON, "some are on their way", || node.programs().len() >= before.len() + 4);
        stop.store(true, Ordering::Release);
        node.signal(Signal::TERM);
        let asked = Instant::now();
        let accepted: Vec<String> =
            clients.into_iter().flat_map(|client| client.join().expect("a client ends well")).collect();
        (accepted, asked)
    });
    let ended = node.wait_ended();
    assert!(ended.success(), "{ended}");
    assert!(asked.elapsed() < END, "it took {:?}", asked.elapsed());
    assert!(before.iter().all(Process::lives), "instances are not touched");
    assert!(!node.socket().exists(), "the socket is gone");

    node.start();
    for id in accepted.iter().chain([&steady]) {
        node.wait_state(id, "RUNNING");
    }
    assert!(before.iter().all(Process::lives));
    wait_for(SOON, || match node.programs().len() {
        count if count == before.len() + 2 * accepted.len() => Ok(()),
        count => Err(format!("{} services run twice each, and three of old: {count} do", accepted.len())),
    });
}
