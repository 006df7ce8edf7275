//! Whole trees, killed supervisors and killed hosts: nothing is lost, doubled, left behind or mistaken for something else.

mod node;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use motey_plugin_api::{Code, Exit, InstanceState};
use motey_process_shim::process::{self, Process};
use node::{
    Node, PROBE, cgroups, end, eventually, log_request, processes, reference, sleeps, unique, watching,
};
use rustix::process::Signal;

/// Children of children in sessions of their own, whose parents have gone; one of them without our mark.
const TREE: &str = "for i in 1 2 3 4 5; do
    setsid sh -c 'setsid sh -c \"trap : TERM; sleep 300 & sleep 300\" & setsid sleep 300 &'
    setsid env -i sleep 300 &
done
echo grown
trap '' TERM
while :; do sleep 1; done";

fn grow(node: &Node) -> (String, Vec<Process>) {
    let name = node.run(TREE);
    eventually("the tree has grown", || node.logs(log_request(&name)) == "grown\n");
    let shim = node.shim_of(&name).pid();
    // the shell, its sleep, and in each round: a shell with two sleeps, a sleep, and one without environment
    let below = || process::descendants(shim).expect("procfs");
    eventually("everybody is there", || below().len() >= 2 + 5 * 5);
    let tree = || below().iter().map(process::Stat::process).collect::<Vec<Process>>();
    eventually("the unmarked are what they will be", || {
        tree().iter().filter(|process| is_unmarked(process)).count() == 5
    });
    (name, tree())
}

fn alive(tree: &[Process]) -> usize {
    tree.iter().filter(|process| process.is_alive().expect("procfs")).count()
}

fn is_gone(node: &Node, name: &str) {
    assert_eq!(processes(name), [0; 0], "processes of {name} are left");
    assert!(cgroups(name).is_empty(), "{:?} is left", cgroups(name));
    assert!(!node.dir(name).path().exists());
}

fn a_whole_tree_is_gone_after_stop(node: &Node, with_group: bool) {
    let (name, tree) = grow(node);
    let identity = node.dir(&name).identity().expect("read").expect("identity");
    assert_eq!(identity.cgroup.is_some(), with_group, "{identity:?}");
    assert_eq!(node.inspect(&name).message.is_some(), !with_group);
    assert_eq!(alive(&tree), tree.len());
    node.stop(&name, 300).expect("stopped");
    assert_eq!(alive(&tree), 0);
    node.destroy(&name).expect("destroyed");
    is_gone(node, &name);
}

#[test]
fn a_tree_of_orphans_is_gone_after_stop() {
    let node = Node::new();
    let with_group = node.engine.fingerprint().message.is_none();
    a_whole_tree_is_gone_after_stop(&node, with_group);
}

#[test]
fn so_it_is_without_a_cgroup() {
    a_whole_tree_is_gone_after_stop(&Node::without_cgroups(), false);
}

#[test]
fn what_the_main_process_leaves_ends_with_it() {
    let node = Node::new();
    let name = node.run("setsid sleep 300 & sleep 300 & exit 6");
    assert_eq!(node.exited(&name).exit, Some(Exit { code: Some(6), signal: None, oom: false }));
    assert_eq!(processes(&name), [0; 0]);
}

#[test]
fn a_tree_that_forks_all_the_time_dies_too() {
    for node in [Node::new(), Node::without_cgroups()] {
        // four lines, in each of which one process forks its successor and goes
        let name = node.run("f() { trap '' TERM; echo x; (f) & }; f & f & f & f & while :; do sleep 1; done");
        eventually("it forks", || node.logs(log_request(&name)).len() > 1000);
        node.stop(&name, 50).expect("stopped");
        node.destroy(&name).expect("destroyed");
        is_gone(&node, &name);
    }
}

#[test]
fn a_supervisor_shrugs_off_what_would_end_others() {
    let node = Node::new();
    let name = node.run("exec sleep 300");
    let handle = node.shim_of(&name).handle().expect("pidfd").expect("alive");
    for signal in
        [Signal::HUP, Signal::INT, Signal::QUIT, Signal::PIPE, Signal::USR1, Signal::USR2, Signal::ALARM]
    {
        handle.signal(signal).expect("signalled");
    }
    assert_eq!(
        node.stop(&name, 5000).expect("stopped").exit.expect("exit").signal,
        Some(15),
        "it had gone before"
    );
}

/// With no cgroup, no mark and no supervisor there is one hiding place: what cleared its environment is not found.
fn a_killed_supervisor_is_found_out(node: &Node, with_group: bool) {
    let (name, tree) = grow(node);
    let (hidden, found): (Vec<Process>, Vec<Process>) =
        tree.into_iter().partition(|process| !with_group && is_unmarked(process));
    watching(node, 0, |next| {
        node.kill_shim(&name);
        assert_eq!(end(next).expect("told").state, InstanceState::Exited);
        assert_eq!(alive(&found), 0);
    });
    for handle in hidden.iter().filter_map(|process| process.handle().expect("pidfd")) {
        handle.signal(Signal::KILL).expect("killed");
    }
    let exited = node.inspect(&name);
    assert_eq!(exited.exit.map(|exit| (exit.code, exit.signal)), Some((None, None)));
    assert!(exited.message.expect("message").contains("supervisor was killed"));
    node.destroy(&name).expect("destroyed");
    is_gone(node, &name);
}

fn is_unmarked(process: &Process) -> bool {
    fs::read(format!("/proc/{}/environ", process.pid())).is_ok_and(|environment| environment.is_empty())
}

#[test]
fn a_killed_supervisor_is_found_out_and_its_tree_with_it() {
    let node = Node::new();
    let with_group = node.engine.fingerprint().message.is_none();
    a_killed_supervisor_is_found_out(&node, with_group);
}

#[test]
fn so_it_is_by_its_marks_without_a_cgroup() {
    a_killed_supervisor_is_found_out(&Node::without_cgroups(), false);
}

#[test]
fn what_a_killed_supervisor_left_is_stopping_until_somebody_sees_to_it() {
    let node = Node::new();
    let names: Vec<String> = (0..4).map(|_| node.run("setsid sleep 300 & exec sleep 300")).collect();
    for name in &names {
        node.kill_shim(name);
    }
    // a look kills nobody, and says what it sees
    for listed in node.engine.list().expect("list") {
        assert_eq!((listed.state, listed.exit, listed.pid), (InstanceState::Stopping, None, None));
        assert!(listed.message.expect("message").contains("supervisor was killed"));
        assert!(!processes(&listed.name).is_empty(), "a look killed");
    }
    let exited = node.stop(&names[0], 5000).expect("stopped");
    assert_eq!((exited.state, processes(&names[0])), (InstanceState::Exited, vec![]));
    node.destroy(&names[1]).expect("destroyed");
    is_gone(&node, &names[1]);
    let shim = node.shim_of(&names[2]);
    let again = node.start(&names[2]).expect("started");
    assert_eq!(again.state, InstanceState::Running);
    assert_ne!(node.shim_of(&names[2]), shim);
    // the supervisor and two of the program
    eventually("the new run alone is there", || processes(&names[2]).len() == 3);
    watching(&node, 0, |next| {
        let told: Vec<String> = (0..2).map(|_| end(next).expect("told").name).collect();
        assert!(told.contains(&names[0]) && told.contains(&names[3]), "{told:?}");
        assert_eq!(processes(&names[3]), [0; 0]);
    });
}

#[test]
fn looks_wait_for_nobody_while_the_trees_of_killed_supervisors_do_not_die() {
    let node = Node::without_cgroups();
    let stop = node.state_dir().join("stop");
    // without a cgroup nothing catches one who forks his successor and goes
    let forks =
        format!("f() {{ [ -e {} ] || {{ (f) & }}; }}; f & f & f & f & exec sleep 300", stop.display());
    let mut names: Vec<String> = (0..3).map(|_| node.run(&forks)).collect();
    names.sort_unstable();
    watching(&node, 0, |next| {
        for name in &names {
            node.kill_shim(name);
        }
        for round in 0..10 {
            let before = sleeps();
            let listed = node.engine.list().expect("list");
            let states: Vec<_> = names.iter().map(|name| node.inspect(name).state).collect();
            let slept = sleeps() - before;
            // whoever waits for a tree wakes up for each of its kills
            assert!(slept < 10, "it waited {slept} times in round {round}");
            assert_eq!(listed.len(), names.len());
            for (name, state) in names.iter().zip(states) {
                let lives = !processes(name).is_empty();
                assert!(state == InstanceState::Stopping || !lives, "{state:?} but alive, in round {round}");
            }
        }
        fs::write(&stop, "").expect("written");
        let mut told: Vec<String> = (0..names.len()).map(|_| end(next).expect("told").name).collect();
        told.sort_unstable();
        assert_eq!(told, names);
        assert!(names.iter().all(|name| processes(name).is_empty()));
    });
}

#[test]
fn many_killed_supervisors_at_once_are_all_told() {
    let node = Node::new();
    let names: Vec<String> = (0..30).map(|_| node.run("setsid sleep 300 & exec sleep 300")).collect();
    watching(&node, 0, |next| {
        for name in &names {
            node.shim_of(name).handle().expect("pidfd").expect("alive").signal(Signal::KILL).expect("killed");
        }
        let before = sleeps();
        node.engine.list().expect("list");
        let slept = sleeps() - before;
        assert!(slept < names.len() as u64, "it waited {slept} times for {} trees", names.len());
        for _ in &names {
            let told = end(next).expect("told");
            assert_eq!((told.state, processes(&told.name)), (InstanceState::Exited, vec![]));
        }
    });
}

struct Host(Child);

impl Host {
    fn spawn(node: &Node, name: &str, script: &str) -> Self {
        let state_dir = node.state_dir().to_str().expect("text");
        let host = Command::new(PROBE)
            .args(["host", state_dir, &node.id, name, "sh", "-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("host");
        Self(host)
    }

    fn wait_until_started(&mut self) {
        let mut line = String::new();
        BufReader::new(self.0.stdout.take().expect("pipe")).read_line(&mut line).expect("line");
        assert_eq!(line, "started\n");
    }

    fn kill(mut self) {
        self.0.kill().expect("killed");
        self.0.wait().expect("reaped");
    }
}

#[test]
fn an_instance_outlives_its_host_and_is_found_again_exit_code_included() {
    let node = Node::new();
    let (name, go) = (unique("i"), node.state_dir().join("go"));
    let mut host =
        Host::spawn(&node, &name, &format!("while [ ! -e {} ]; do sleep 0.02; done; exit 7", go.display()));
    host.wait_until_started();
    host.kill();
    let found = node.engine.list().expect("list");
    assert_eq!(
        (found.len(), found[0].name.as_str(), found[0].state),
        (1, name.as_str(), InstanceState::Running)
    );
    assert!(node.shim_of(&name).is_alive().expect("procfs"));
    fs::write(go, "").expect("written");
    assert_eq!(node.exited(&name).exit, Some(Exit { code: Some(7), signal: None, oom: false }));

    let (name, mut host) = (unique("i"), None);
    let spawned = host.insert(Host::spawn(&node, &name, "exec sleep 300"));
    spawned.wait_until_started();
    host.take().expect("host").kill();
    assert_eq!(
        node.stop(&name, 5000).expect("stopped").exit,
        Some(Exit { code: None, signal: Some(15), oom: false })
    );
    assert_eq!(processes(&name), [0; 0]);
}

#[test]
fn a_host_killed_at_any_moment_leaves_what_can_be_found_and_removed() {
    let node = Node::new();
    let (mut created, mut running) = (0, 0);
    for round in 0..60 {
        let name = unique("i");
        let host = Host::spawn(&node, &name, "exec sleep 300");
        // spread over the whole way from exec to the answer
        thread::sleep(Duration::from_micros(500 * round));
        host.kill();
        let listed = node.engine.list().expect("list");
        assert!(listed.len() <= 1, "{listed:?}");
        for instance in listed {
            let state = || node.inspect(&name).state;
            assert_eq!(instance.name, name);
            created += u32::from(instance.state == InstanceState::Created);
            running += u32::from(instance.state == InstanceState::Running);
            eventually("it is removed", || {
                let stopped = node.stop(&name, 1000).is_ok();
                // a shim that was only about to begin may begin after the stop: then the destroy is refused, and repeated
                stopped
                    && matches!(state(), InstanceState::Created | InstanceState::Exited)
                    && node.destroy(&name).is_ok()
            });
        }
        eventually("nothing is left", || processes(&name).is_empty() && cgroups(&name).is_empty());
        assert!(!node.dir(&name).path().exists());
    }
    println!("found created: {created}, running: {running}");
    assert!(running > 0, "no kill came after the start: the window was not hit");
}

#[test]
fn a_directory_half_made_counts_as_nothing_and_is_no_obstacle() {
    let node = Node::new();
    let (swept, taken) = (unique("i"), unique("i"));
    node.engine.create(node.request(&unique("i"), "exit 0")).expect("created");
    for name in [&swept, &taken] {
        fs::create_dir(node.dir(name).path()).expect("made");
        fs::write(node.dir(name).path().join(".instance.1.1"), "name\thalf").expect("written");
    }
    node.engine.create(node.request(&taken, "exit 0")).expect("taken over");
    assert_eq!(node.engine.list().expect("list").len(), 2);
    assert!(!node.dir(&swept).path().exists() && node.dir(&taken).path().exists());
    // cut short, as after a power loss
    let path = node.dir(&taken).path().join("instance");
    let text = fs::read_to_string(&path).expect("text");
    fs::write(&path, &text[..text.len() / 2]).expect("written");
    assert_eq!(node.engine.list().expect("list").len(), 1);
    assert!(!node.dir(&taken).path().exists());
}

#[test]
fn what_cannot_be_read_is_neither_absent_nor_swept_away() {
    let node = Node::new();
    let (fine, odd) = (node.run("exec sleep 300"), node.run("exec sleep 300"));
    for file in ["instance", "identity", "exit", "stop"] {
        let (path, aside) = (node.dir(&odd).path().join(file), node.dir(&odd).path().join("aside"));
        let there = fs::rename(&path, &aside).is_ok();
        // for a reader as good as an input/output error
        fs::create_dir(&path).expect("made");
        let error = node.engine.list().expect_err(file);
        assert!(error.code == Code::Unavailable && error.message.contains(&odd), "{file}: {error}");
        assert_eq!(node.engine.inspect(&reference(&odd)).expect_err(file).code, Code::Unavailable);
        assert!(node.start(&odd).is_err() && node.destroy(&odd).is_err(), "{file}");
        assert!(path.exists() && processes(&odd).len() == 2, "{file}: it was swept or killed");
        fs::remove_dir(&path).expect("removed");
        if there {
            fs::rename(&aside, &path).expect("back");
        }
    }
    assert!(node.engine.list().expect("list").iter().all(|found| found.state == InstanceState::Running));
    assert_eq!(processes(&fine).len() + processes(&odd).len(), 4);
}

#[test]
fn a_recycled_pid_is_never_taken_for_the_supervisor() {
    let node = Node::new();
    let name = node.run("exit 0");
    node.exited(&name);
    let mut bystander = Command::new("sleep").arg("300").spawn().expect("sleep");
    let process = Process::of(i32::try_from(bystander.id()).expect("pid")).expect("procfs").expect("alive");
    let bystander_lives = || process.is_alive().expect("procfs");
    let path = node.dir(&name).path().join("identity");
    let real = fs::read_to_string(&path).expect("text");
    let forge = |boot: &str, start: u64| {
        let lines: String = real
            .lines()
            .map(|line| match line.split_once('\t').map_or(line, |(key, _)| key) {
                "boot" => format!("boot\t{boot}\n"),
                key @ ("shim" | "main") => format!("{key}\t{}\t{start}\n", process.pid()),
                "cgroup" => String::new(),
                _ => format!("{line}\n"),
            })
            .collect();
        fs::write(&path, lines).expect("written");
    };
    let boot = process::boot_id().expect("boot");
    // a supervisor of this boot that is gone without a word may have left something, one of another boot cannot
    for (boot, start, seen) in [
        (boot.as_str(), process.start() + 1, InstanceState::Stopping),
        ("another-boot", process.start(), InstanceState::Exited),
    ] {
        forge(boot, start);
        assert_eq!(node.inspect(&name).state, seen, "believed {boot} {start}");
        assert_eq!(node.stop(&name, 0).expect("stopped").state, InstanceState::Exited);
        assert!(bystander_lives(), "a bystander was killed");
    }
    assert!(node.inspect(&name).message.expect("message").contains("restarted"), "another boot's");
    node.start(&name).expect("started after a restart of the machine");
    node.exited(&name);
    assert!(bystander_lives(), "a bystander was killed");
    bystander.kill().expect("killed");
    bystander.wait().expect("reaped");
}

#[test]
fn two_starts_at_once_are_one_run() {
    let node = Node::new();
    for _ in 0..20 {
        let name = unique("i");
        node.engine.create(node.request(&name, "echo run; exec sleep 300")).expect("created");
        let answers: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| node.start(&name))).collect();
            threads.into_iter().map(|thread| thread.join().expect("thread")).collect()
        });
        assert!(answers.iter().any(Result::is_ok), "{answers:?}");
        assert!(
            answers.iter().flat_map(|answer| answer.as_ref().err()).all(|error| error.code == Code::Busy),
            "{answers:?}"
        );
        node.stop(&name, 2000).expect("stopped");
        assert!(node.logs(log_request(&name)).matches("run").count() <= 1);
        assert_eq!(processes(&name), [0; 0]);
    }
}

#[test]
fn two_hundred_rounds_leave_nothing_behind() {
    let node = Node::new();
    let mut names = Vec::new();
    for round in 0..200 {
        let name =
            node.run(if round % 2 == 0 { "exec sleep 300" } else { "setsid sleep 300 & exec sleep 300" });
        node.stop(&name, 2000).expect("stopped");
        node.destroy(&name).expect("destroyed");
        names.push(name);
    }
    for name in &names {
        is_gone(&node, name);
    }
    assert_eq!(fs::read_dir(node.state_dir().join("process")).expect("read").count(), 0);
    let me = Process::itself().expect("procfs").pid();
    let all = process::all().expect("procfs");
    let shims = all.iter().filter(|stat| {
        stat.parent == me
            && fs::read_to_string(format!("/proc/{}/comm", stat.pid))
                .is_ok_and(|comm| comm.starts_with("motey-process"))
    });
    assert!(shims.count() < 20, "zombies of shims pile up");
}
