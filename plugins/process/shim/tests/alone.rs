//! The shim by itself, as the process that it is: usage, refusals before anything runs, a full life without a VAL, and what it does
//! when it cannot write down whom it started.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use motey_process_shim::InstanceDir;
use motey_process_shim::process::Process;
use motey_process_shim::report::{Kind, Report};
use motey_process_shim::state::Description;
use rustix::process::Signal;

const SHIM: &str = env!("CARGO_BIN_EXE_motey-shim-alone");

fn instance(root: &Path, script: &str) -> InstanceDir {
    let dir = InstanceDir::new(root.join("i"));
    dir.make().expect("made");
    let description = Description {
        name: "i".into(),
        image: "sh".into(),
        command: vec!["-c".into(), script.into()],
        working_dir: "/".into(),
        stop_signal: 15,
        stop_grace_ms: 5000,
        log_bytes: 100_000,
        ..Description::default()
    };
    dir.write_description(&description).expect("written");
    dir
}

fn run(dir: &Path) -> Output {
    Command::new(SHIM).arg("shim").arg(dir).arg("/bin/sh").output().expect("shim")
}

fn told(output: &Output) -> Report {
    Report::decode(std::str::from_utf8(&output.stdout).expect("text")).expect("a report")
}

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_person_is_told_that_it_is_not_for_them() {
    let output = Command::new(SHIM).arg("shim").output().expect("shim");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("usage"));
}

#[test]
fn a_directory_without_an_instance_is_refused() {
    let root = tempfile::tempdir().expect("directory");
    for dir in [root.path().join("none"), root.path().to_owned()] {
        let output = run(&dir);
        assert!(!output.status.success());
        assert!(matches!(told(&output), Report::Failed { kind: Kind::NotFound, .. }), "{output:?}");
    }
}

#[test]
fn what_cannot_be_read_is_neither_there_nor_absent() {
    let root = tempfile::tempdir().expect("directory");
    let dir = instance(root.path(), "exit 0");
    assert_eq!(dir.identity().expect("nobody has run"), None);
    run(dir.path());
    let identity = dir.identity().expect("read").expect("identity");
    // for a reader, as an input/output error is: there is something, and it does not come
    for file in ["instance", "identity", "exit", "stop"] {
        let _ = fs::remove_file(dir.path().join(file));
        fs::create_dir(dir.path().join(file)).expect("made");
    }
    assert!(dir.description().is_err() && dir.identity().is_err());
    assert!(dir.exit_of(&identity).is_err() && dir.stop_order(&identity).is_err());
    assert!(matches!(told(&run(dir.path())), Report::Failed { kind: Kind::Unavailable, .. }));
}

#[test]
fn a_life_without_a_val() {
    let root = tempfile::tempdir().expect("directory");
    let dir = instance(root.path(), "echo out; echo err >&2; exit 3");
    let output = run(dir.path());
    assert!(output.status.success());
    assert_eq!(told(&output), Report::Started);
    let identity = dir.identity().expect("read").expect("identity");
    let exit = dir.exit_of(&identity).expect("read").expect("exit");
    assert_eq!((exit.code, exit.signal, exit.note), (Some(3), None, None));
    assert!(!identity.shim.is_alive().expect("procfs") && !dir.is_held().expect("lock"));
    assert!(identity.cgroup.is_none_or(|path| !Path::new(&path).exists()));
    let log = fs::read_to_string(dir.current_log()).expect("log");
    assert!(log.contains(" o out\n") && log.contains(" e err\n"), "{log}");
}

#[test]
fn sigterm_alone_stops_it_as_the_description_says() {
    let root = tempfile::tempdir().expect("directory");
    let dir = instance(root.path(), "trap 'exit 8' TERM; echo ready; while :; do sleep 0.05; done");
    let mut shim = Command::new(SHIM)
        .arg("shim")
        .arg(dir.path())
        .arg("/bin/sh")
        .stdout(Stdio::null())
        .spawn()
        .expect("shim");
    eventually("it is ready", || {
        fs::read_to_string(dir.current_log()).is_ok_and(|log| log.contains("ready"))
    });
    assert!(dir.is_held().expect("lock"));
    let second = run(dir.path());
    assert!(matches!(told(&second), Report::Failed { kind: Kind::Conflict, .. }), "{second:?}");
    let identity = dir.identity().expect("read").expect("identity");
    identity.shim.handle().expect("pidfd").expect("alive").signal(Signal::TERM).expect("signalled");
    assert!(shim.wait().expect("shim").success());
    assert_eq!(dir.exit_of(&identity).expect("read").and_then(|exit| exit.code), Some(8));
}

#[test]
fn a_program_that_nobody_could_find_again_is_not_left_running() {
    let root = tempfile::tempdir().expect("directory");
    // it removes its own directory before the shim can write down who it is, or right after
    let marker = root.path().join("pid");
    let gone = root.path().join("i");
    let script = format!("echo $$ > {}; rm -rf {}; exec sleep 300", marker.display(), gone.display());
    for _ in 0..10 {
        let dir = instance(root.path(), &script);
        let mut shim = Command::new(SHIM)
            .arg("shim")
            .arg(dir.path())
            .arg("/bin/sh")
            .stdout(Stdio::piped())
            .spawn()
            .expect("shim");
        let text = std::io::read_to_string(shim.stdout.take().expect("pipe")).expect("text");
        let report = Report::decode(&text).expect("a report");
        if report == Report::Started {
            Process::of(i32::try_from(shim.id()).expect("pid"))
                .and_then(|shim| shim.expect("alive").handle())
                .expect("pidfd")
                .expect("alive")
                .signal(Signal::TERM)
                .expect("stopped");
        }
        shim.wait().expect("shim");
        let pid = fs::read_to_string(&marker).ok().and_then(|text| text.trim().parse().ok());
        let program = pid.and_then(|pid| Process::of(pid).expect("procfs"));
        assert!(program.is_none_or(|program| !program.is_alive().expect("procfs")), "it runs on");
        let _ = fs::remove_dir_all(&gone);
        let _ = fs::remove_file(&marker);
    }
}
