//! One instance's life, on real processes: create, start, exit, stop, start again, destroy.

mod node;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use motey_plugin_api::{Code, CreateRequest, Exit, InstanceState, StopRequest};
use node::{LONG, Node, cgroups, eventually, log_request, processes, reference, unique};

/// A grace that no test waits for, in milliseconds.
const HOUR: u64 = 3_600_000;

fn code(code: i32) -> Option<Exit> {
    Some(Exit { code: Some(code), signal: None, oom: false })
}

fn signal(signal: i32) -> Option<Exit> {
    Some(Exit { code: None, signal: Some(signal), oom: false })
}

#[test]
fn an_instance_is_created_runs_exits_and_is_destroyed() {
    let node = Node::new();
    let name = unique("i");
    let created = node.engine.create(node.request(&name, "exit 3")).expect("created");
    assert_eq!((created.state, created.pid), (InstanceState::Created, None));
    assert_eq!(created.labels["motey.node"], node.id);
    assert_eq!(node.inspect(&name), created);
    node.start(&name).expect("started");
    let exited = node.exited(&name);
    assert_eq!((exited.exit, exited.pid, exited.message), (code(3), None, None));
    assert!(exited.started_at.is_some());
    node.destroy(&name).expect("destroyed");
    node.destroy(&name).expect("what is gone is destroyed");
    assert_eq!(node.engine.inspect(&reference(&name)).expect_err("there").code, Code::NotFound);
    assert_eq!(node.stop(&name, 0).expect_err("there").code, Code::NotFound);
    assert_eq!(node.start(&name).expect_err("there").code, Code::NotFound);
    assert!(node.engine.list().expect("list").is_empty() && cgroups(&name).is_empty());
}

#[test]
fn a_signal_death_is_told_as_one() {
    let node = Node::new();
    let name = node.run("kill -SEGV $$");
    assert_eq!(node.exited(&name).exit, signal(11));
}

#[test]
fn a_running_instance_is_running_until_it_is_stopped() {
    let node = Node::new();
    let name = node.run("exec sleep 300");
    let running = node.inspect(&name);
    assert_eq!((running.state, running.exit), (InstanceState::Running, None));
    let pid = running.pid.expect("pid");
    eventually("the shell has become what it was told", || {
        fs::read_to_string(format!("/proc/{pid}/comm")).expect("alive") == "sleep\n"
    });
    assert_eq!(node.start(&name).expect("runs already"), running);
    assert_eq!(node.destroy(&name).expect_err("destroyed").code, Code::Conflict);
    let stopped = node.stop(&name, 5000).expect("stopped");
    assert_eq!((stopped.state, stopped.exit), (InstanceState::Exited, signal(15)));
    assert!(processes(&name).is_empty() && cgroups(&name).is_empty());
    assert_eq!(node.stop(&name, 5000).expect("stopped is stopped"), stopped);
}

#[test]
fn the_name_is_taken_until_it_is_destroyed() {
    let node = Node::new();
    let name = unique("i");
    node.engine.create(node.request(&name, "exit 0")).expect("created");
    assert_eq!(node.engine.create(node.request(&name, "exit 1")).expect_err("twice").code, Code::Conflict);
    node.destroy(&name).expect("destroyed");
    node.engine.create(node.request(&name, "exit 1")).expect("created again");
}

#[test]
fn started_again_it_is_a_new_run_with_the_old_log() {
    let node = Node::new();
    let name = node.run("echo run; if [ -e seen ]; then exit 2; fi; exit 1");
    assert_eq!(node.exited(&name).exit, code(1));
    let second = node.engine.start(&reference(&name)).expect("started again");
    assert!(second.exit.is_none() || second.exit == code(1));
    node.exited(&name);
    eventually("both runs are in the log", || node.logs(log_request(&name)) == "run\nrun\n");
}

#[test]
fn an_exit_of_an_earlier_run_is_not_taken_for_this_ones() {
    let node = Node::new();
    let go = node.state_dir().join("go");
    let name = node.run(&format!("if [ -e {0} ]; then exec sleep 300; fi; exit 9", go.display()));
    assert_eq!(node.exited(&name).exit, code(9));
    fs::write(&go, "").expect("written");
    let running = node.start(&name).expect("started again");
    assert_eq!((running.state, running.exit), (InstanceState::Running, None));
    assert_eq!(node.stop(&name, 5000).expect("stopped").exit, signal(15));
}

#[test]
fn what_cannot_be_executed_says_why_and_leaves_nothing() {
    let node = Node::new();
    let file = node.state_dir().join("file");
    fs::write(&file, "\x7fnot a program").expect("written");
    let text = |path: &std::path::Path| path.to_str().expect("text").to_owned();
    let script = node.state_dir().join("script");
    fs::write(&script, "#!/no/such/interpreter\n").expect("written");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("mode");
    let program = node.state_dir().join("program");
    fs::copy(&file, &program).expect("copied");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("mode");
    let cases = [
        ("no-such-program-anywhere".to_owned(), None, Code::NotFound),
        ("/no/such/program".to_owned(), None, Code::NotFound),
        (text(&script), None, Code::NotFound),
        (text(&file), None, Code::Invalid),
        (text(&program), None, Code::Invalid),
        ("/tmp".to_owned(), None, Code::Invalid),
        ("sub/program".to_owned(), None, Code::Invalid),
        ("sh".to_owned(), Some("/no/such/directory".to_owned()), Code::Invalid),
    ];
    for (image, working_dir, wanted) in cases {
        let name = unique("i");
        let request = CreateRequest { image: image.clone(), working_dir, ..node.request(&name, "exit 0") };
        node.engine.create(request).expect("created");
        let error = node.start(&name).expect_err(&image);
        assert_eq!(error.code, wanted, "{image}: {error}");
        assert!(error.hint.is_some(), "{image}: {error}");
        assert_eq!(node.inspect(&name).state, InstanceState::Created, "{image}");
        assert!(processes(&name).is_empty() && cgroups(&name).is_empty(), "{image}");
        node.destroy(&name).expect("destroyed");
    }
}

#[test]
fn the_environment_is_exact() {
    let node = Node::new();
    let name = unique("i");
    let environment = [("A", "1"), ("EMPTY", ""), ("TEXT", "two words\n= $HOME")]
        .map(|(k, v)| (k.to_owned(), v.to_owned()));
    let request = CreateRequest {
        image: "/usr/bin/env".to_owned(),
        command: vec!["-0".to_owned()],
        environment: environment.into(),
        ..node.request(&name, "")
    };
    node.engine.create(request).expect("created");
    node.start(&name).expect("started");
    node.exited(&name);
    let text = node.logs(log_request(&name));
    let mut found: Vec<(&str, &str)> =
        text.trim_end_matches(['\n', '\0']).split('\0').filter_map(|v| v.split_once('=')).collect();
    found.sort_unstable();
    let keys: Vec<&str> = found.iter().map(|(key, _)| *key).collect();
    assert_eq!(keys, ["A", "EMPTY", "HOME", "MOTEY_INSTANCE", "MOTEY_RUN", "PATH", "TEXT"]);
    assert_eq!(
        (found[0].1, found[1].1, found[3].1, found[6].1),
        ("1", "", name.as_str(), "two words\n= $HOME")
    );
}

#[test]
fn the_program_starts_in_its_directory_with_nothing_of_the_hosts() {
    let node = Node::new();
    let name = unique("i");
    let request = CreateRequest {
        working_dir: Some("/tmp".to_owned()),
        ..node.request(&name, "pwd; umask; readlink /proc/self/fd/0; ls -l /proc/self/fd")
    };
    node.engine.create(request).expect("created");
    node.start(&name).expect("started");
    node.exited(&name);
    let text = node.logs(log_request(&name));
    let descriptors = text.strip_prefix("/tmp\n0022\n/dev/null\n").expect("directory, umask, standard input");
    assert!(descriptors.contains("1 -> pipe:") && descriptors.contains("2 -> pipe:"), "{descriptors}");
    // what the test itself was given by whoever started it goes on to the program; what the engine and the shim opened does not
    let state_dir = node.state_dir().to_str().expect("text");
    assert!(!descriptors.contains(state_dir) && !descriptors.contains("anon_inode"), "{descriptors}");
}

#[test]
fn a_program_that_ignores_the_signal_is_killed_after_its_grace() {
    let node = Node::new();
    let name = node.run("trap '' TERM; echo ready; while :; do sleep 1; done");
    eventually("it is ready", || node.logs(log_request(&name)) == "ready\n");
    let begin = Instant::now();
    let stopped = node.stop(&name, 700).expect("stopped");
    let took = begin.elapsed();
    assert_eq!(stopped.exit, signal(9));
    assert!(took >= Duration::from_millis(700) && took < Duration::from_secs(5), "{took:?}");
    assert!(processes(&name).is_empty());
}

#[test]
fn a_program_that_tidies_up_has_the_time_for_it() {
    let node = Node::new();
    let name = node.run("trap 'sleep 0.3; echo tidy; exit 4' TERM; echo ready; while :; do sleep 0.05; done");
    eventually("it is ready", || node.logs(log_request(&name)) == "ready\n");
    assert_eq!(node.stop(&name, 10_000).expect("stopped").exit, code(4));
    assert!(node.logs(log_request(&name)).ends_with("tidy\n"));
}

#[test]
fn the_rest_of_the_group_has_the_grace_too() {
    let node = Node::new();
    let worker = "(trap 'sleep 0.3; echo tidy; exit' TERM; echo ready; while :; do sleep 0.05; done) &";
    let name = node.run(&format!("{worker} exec sleep 300"));
    eventually("it is ready", || node.logs(log_request(&name)) == "ready\n");
    let (tell, told) = mpsc::sync_channel(1);
    std::thread::scope(|scope| {
        scope.spawn(|| tell.send(node.stop(&name, HOUR)).expect("the test listens"));
        let stopped = told.recv_timeout(LONG);
        // whatever came of it, nobody waits for the hour
        let _ = node.stop(&name, 0);
        let stopped = stopped.expect("the grace of those who are gone is not waited for");
        assert_eq!(stopped.expect("stopped").exit, signal(15));
    });
    assert!(node.logs(log_request(&name)).ends_with("tidy\n"));
}

#[test]
fn a_stop_signal_of_its_own_is_what_arrives() {
    let node = Node::new();
    let script = "trap 'exit 10' INT; trap 'exit 11' USR1; trap 'exit 12' TERM; echo ready; while :; do sleep 0.05; done";
    let run = |request_signal: Option<&str>| {
        let name = unique("i");
        let request = CreateRequest { stop_signal: Some("SIGINT".to_owned()), ..node.request(&name, script) };
        node.engine.create(request).expect("created");
        node.start(&name).expect("started");
        eventually("it is ready", || node.logs(log_request(&name)) == "ready\n");
        let stop = StopRequest { name, grace_ms: 5000, signal: request_signal.map(str::to_owned) };
        node.engine.stop(&stop).expect("stopped").exit
    };
    assert_eq!(run(None), code(10));
    assert_eq!(run(Some("usr1")), code(11));
}

#[test]
fn a_second_stop_may_be_in_more_of_a_hurry() {
    let node = Node::new();
    let name = node.run("trap '' TERM; echo ready; while :; do sleep 1; done");
    eventually("it is ready", || node.logs(log_request(&name)) == "ready\n");
    std::thread::scope(|scope| {
        let patient = scope.spawn(|| node.stop(&name, 60_000));
        eventually("it is being stopped", || node.inspect(&name).state == InstanceState::Stopping);
        assert_eq!(node.stop(&name, 0).expect("stopped").exit, signal(9));
        eventually("the patient one hears of it", || patient.is_finished());
        assert_eq!(patient.join().expect("thread").expect("stopped").exit, signal(9));
    });
}

#[test]
fn a_full_disk_refuses_a_create_and_lets_a_stop_through() {
    if !rustix::process::geteuid().is_root() {
        assert!(
            std::env::var_os("MOTEY_REQUIRE_ENGINES").is_none(),
            "a small file system can be mounted by root only"
        );
        eprintln!("not tried: a small file system can be mounted by root only");
        return;
    }
    let node = Node::new();
    let mount = |arguments: &[&str]| {
        let done = std::process::Command::new(arguments[0]).args(&arguments[1..]).status().expect("run");
        assert!(done.success(), "{arguments:?}");
    };
    let place = node.state_dir().join("process");
    fs::create_dir_all(&place).expect("made");
    let place = place.to_str().expect("text");
    mount(&["mount", "-t", "tmpfs", "-o", "size=256k", "small", place]);
    let unmounted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let name = node.run("trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done");
        eventually("it is ready", || node.logs(log_request(&name)) == "ready\n");
        let filler = node.state_dir().join("process").join("filler");
        let _ = fs::write(&filler, vec![0; 1 << 20]);
        let error =
            node.engine.create(node.request(&unique("i"), "exit 0")).expect_err("created on a full disk");
        assert_eq!(error.code, Code::Unavailable);
        assert!(error.hint.as_deref().unwrap_or_default().contains("full"), "{error}");
        assert_eq!(node.engine.list().expect("list").len(), 1);
        assert_eq!(node.stop(&name, 5000).expect("stopped").state, InstanceState::Exited);
        assert!(processes(&name).is_empty());
        node.destroy(&name).expect("destroyed");
        fs::remove_file(filler).expect("room");
        node.engine.create(node.request(&unique("i"), "exit 0")).expect("works again");
    }));
    mount(&["umount", "-l", place]);
    unmounted.expect("the test");
}

#[test]
fn files_are_private() {
    let node = Node::new();
    let name = node.run("echo x");
    node.exited(&name);
    let mode = |path: &std::path::Path| fs::metadata(path).expect("there").permissions().mode() & 0o7777;
    let dir = node.dir(&name);
    assert_eq!((mode(dir.path()), mode(&node.state_dir().join("process"))), (0o700, 0o700));
    for entry in fs::read_dir(dir.path()).expect("read") {
        let path = entry.expect("entry").path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn a_node_lists_its_own_only() {
    let node = Node::new();
    let (own, other) = (unique("i"), unique("i"));
    node.engine.create(node.request(&own, "exit 0")).expect("created");
    let request = node.request(&other, "exit 0");
    let labels = [("motey.node".to_owned(), "somebody else".to_owned())].into();
    node.engine.create(CreateRequest { labels, ..request }).expect("created");
    let names: Vec<String> =
        node.engine.list().expect("list").into_iter().map(|instance| instance.name).collect();
    assert_eq!(names, [own]);
}
