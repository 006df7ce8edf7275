//! A node whose loop is gone must not look alive.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use motey_daemon::config::{Config, Flag};
use motey_daemon::node::Stage;
use motey_daemon::{RunError, run_watched};

const SOON: Duration = Duration::from_secs(20);

fn config(directory: &Path) -> Config {
    let flag = |key: &str, value: String| Flag { name: "--set".into(), key: key.into(), value };
    let flags = [
        flag("general.state_dir", directory.join("state").display().to_string()),
        flag("general.run_dir", directory.join("run").display().to_string()),
        flag("webserver.port", "0".into()),
    ];
    std::fs::write(directory.join("motey.toml"), "").expect("an empty configuration");
    Config::load(Some(&directory.join("motey.toml")), [], &flags).expect("a valid configuration")
}

/// Asks for a change; what is answered, if anything, does not matter.
fn ask(socket: &Path) {
    let until = Instant::now() + SOON;
    let mut stream = loop {
        match UnixStream::connect(socket) {
            Ok(stream) => break stream,
            Err(error) => assert!(Instant::now() < until, "nobody listens: {error}"),
        }
        thread::yield_now();
    };
    let request = "POST /v1/service/00000000-0000-0000-0000-000000000001/stop HTTP/1.1\r\n\
                   Host: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("it is sent");
    let _answer_or_hang_up = stream.read_to_end(&mut Vec::new());
}

#[test]
fn a_panic_of_the_loop_ends_the_node() {
    let directory = tempfile::tempdir().expect("a directory");
    let config = config(directory.path());
    let socket = config.socket();
    let client = thread::spawn(move || ask(&socket));
    let watcher = Box::new(|stage| assert_ne!(stage, Stage::RequestRead, "the test breaks the loop"));
    let ended = run_watched(&config, std::future::pending(), watcher);
    assert!(matches!(ended, Err(RunError::LoopPanicked)), "{ended:?}");
    client.join().expect("the client got an answer or a hang-up");
}
