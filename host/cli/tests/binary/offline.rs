//! What the binary does without a daemon: its command line, the configuration, blueprints, and the shim's door.

use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::stub::{motey, ran, text};

#[test]
fn a_wrong_command_line_ends_with_2() {
    for args in [&["fly"] as &[&str], &[], &["service"], &["ps", "-o", "xml"], &["run", "--socket", "/s"]] {
        let (code, out, _) = ran(motey(args));
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}");
    }
}

#[test]
fn help_tells_the_exit_codes_and_examples() {
    let (code, out, _) = ran(motey(&["--help"]));
    assert_eq!(code, 0);
    for told in ["Exit codes:", "6  it did not come about in time", "motey apply -f"] {
        assert!(out.contains(told), "{told}");
    }
    assert_eq!(ran(motey(&["help"])).1, out);
    assert_eq!(ran(motey(&["help", "service", "rm"])).0, 0);
    for verb in ["run", "apply"] {
        assert!(ran(motey(&[verb, "--help"])).1.contains("Example"), "{verb}");
    }
}

#[test]
fn the_shim_is_not_parsed_as_a_verb() {
    let (code, _, err) = ran(motey(&["shim"]));
    assert_eq!(code, 2);
    assert!(err.starts_with("usage: motey shim "), "{err}");
}

#[test]
fn run_and_check_tell_every_mistake_of_the_configuration() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("motey.toml");
    std::fs::write(&file, "[webserver]\nadress = \"127.0.0.1\"\nport = 70000\n").expect("written");
    let wanted = [
        "motey.toml: webserver.adress: unknown key; did you mean \"address\"?",
        "motey.toml: webserver.port: expected a port number, 0 to 65535, found 70000",
        "MOTEY_LOGGER__LEVEL: logger.level: expected \"off\"",
    ];
    for args in [&["run", "--config", text(&file)] as &[&str], &["config", "check", "--config", text(&file)]]
    {
        let mut command = motey(args);
        command.env("MOTEY_LOGGER__LEVEL", "loud").env("MOTEY_INSTANCE", "x");
        let (code, _, err) = ran(command);
        assert_eq!(code, 1, "{err}");
        assert!(wanted.iter().all(|line| err.contains(line)), "{err}");
    }
    let (_, _, err) =
        ran(motey(&["run", "--port", "http", "--set", "webserver.auth=no", "--config", text(&file)]));
    assert!(err.contains("--port: webserver.port: ") && err.contains("--set: webserver.auth: "), "{err}");
}

#[test]
fn a_daemon_that_cannot_start_says_why() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("file");
    std::fs::write(&file, "").expect("written");
    let (state, run) = (file.join("state"), dir.path().join("run"));
    let (code, _, err) =
        ran(motey(&["run", "--state-dir", text(&state), "--run-dir", text(&run), "--port", "0"]));
    assert_eq!(code, 1);
    assert!(err.contains("error: the daemon cannot run: ") && err.contains("Not a directory"), "{err}");
}

#[test]
fn a_hangup_ends_the_daemon_in_order_and_the_log_says_what_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let [state, run, plugins] = ["state", "run", "no-plugins"].map(|name| dir.path().join(name));
    let plugins = format!("plugins.directories={}", plugins.display());
    let mut command = motey(&["run", "--state-dir", text(&state), "--run-dir", text(&run), "--port", "0"]);
    let child =
        command.args(["--set", &plugins, "--set", "plugins.disabled=x"]).stderr(Stdio::piped()).spawn();
    let child = child.expect("it starts");
    let answers = || ran(motey(&["node", "list", "--socket", text(&run.join("motey.sock"))])).0 == 0;
    let until = Instant::now() + Duration::from_secs(30);
    while !answers() {
        assert!(Instant::now() < until, "it does not answer");
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).expect("sent");
    let ended = child.wait_with_output().expect("ended");
    let log = String::from_utf8(ended.stderr).expect("text");
    assert_eq!(ended.status.code(), Some(0), "{log}");
    let version = format!("motey {}, node ", env!("CARGO_PKG_VERSION"));
    for told in [&version, "no-plugins is no directory", "plugins in use: none", "SIGHUP: shutting down"] {
        assert!(log.contains(told), "{told}: {log}");
    }
}

#[test]
fn config_show_tells_where_a_setting_comes_from() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("motey.toml");
    std::fs::write(&file, "[mqtt]\nbrokers = []\n[logger]\nlevel = \"warn\"\n").expect("written");
    let mut command = motey(&["config", "show", "--config", text(&file)]);
    command.env("MOTEY_WEBSERVER__PORT", "0");
    let (code, out, _) = ran(command);
    assert_eq!(code, 0);
    let row = |key: &str| -> Vec<String> {
        let line = out.lines().find(|line| line.starts_with(key)).expect("a row");
        line.split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(row("webserver.port"), ["webserver.port", "0", "MOTEY_WEBSERVER__PORT"]);
    assert_eq!(row("logger.level"), ["logger.level", "warn", text(&file)]);
    assert_eq!(row("plugins.trust"), ["plugins.trust", "root", "default"]);
    let (code, out, err) = ran(motey(&["config", "check", "--config", text(&file)]));
    assert_eq!((code, out.as_str()), (0, ""));
    assert!(err.contains("[mqtt] has no effect yet"), "{err}");
}

#[test]
fn a_blueprint_is_validated_from_standard_input() {
    let mut command = motey(&["blueprint", "validate", "-"]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().expect("piped").write_all(b"service_name: x\nimages: 7\n").expect("written");
    let ended = child.wait_with_output().expect("ended");
    let err = String::from_utf8(ended.stderr).expect("text");
    assert_eq!(ended.status.code(), Some(1));
    assert!(
        err.starts_with("<stdin>:2:9: images: ") && err.contains("    2 | images: 7\n      |         ^"),
        "{err}"
    );
    let (code, _, err) = ran(motey(&["blueprint", "validate", "/nowhere/x.yaml"]));
    assert_eq!(code, 1);
    assert!(err.contains("/nowhere/x.yaml"), "{err}");
}
