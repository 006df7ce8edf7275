//! Whole trees, killed supervisors and killed hosts: nothing is lost, doubled, left behind or mistaken for something else.

mod node;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use motey_plugin_api::{Code, Exit, InstanceState};
use motey_process_shim::process::{self, Process};
use node::{Node, PROBE, cgroups, eventually, log_request, processes, unique};
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
    eventually("everybody is there", || process::descendants(shim).len() >= 2 + 5 * 5);
    let tree = || process::descendants(shim).iter().map(process::Stat::process).collect::<Vec<Process>>();
    eventually("the unmarked are what they will be", || {
        tree().iter().filter(|process| is_unmarked(process)).count() == 5
    });
    (name, tree())
}

fn alive(tree: &[Process]) -> usize {
    tree.iter().filter(|process| process.is_alive()).count()
}

fn is_gone(node: &Node, name: &str) {
    assert_eq!(processes(name), [0; 0], "processes of {name} are left");
    assert!(cgroups(name).is_empty(), "{:?} is left", cgroups(name));
    assert!(!node.dir(name).path().exists());
}

fn a_whole_tree_is_gone_after_stop(node: &Node, with_group: bool) {
    let (name, tree) = grow(node);
    let identity = node.dir(&name).identity().expect("identity");
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
    let handle = node.shim_of(&name).handle().expect("alive");
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
    let shim = node.shim_of(&name).handle().expect("alive");
    shim.signal(Signal::KILL).expect("killed");
    eventually("its end is seen", || node.engine.list().expect("list")[0].state == InstanceState::Exited);
    assert_eq!(alive(&found), 0);
    for handle in hidden.iter().filter_map(Process::handle) {
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
    assert!(node.shim_of(&name).is_alive());
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
fn a_recycled_pid_is_never_taken_for_the_supervisor() {
    let node = Node::new();
    let name = node.run("exit 0");
    node.exited(&name);
    let mut bystander = Command::new("sleep").arg("300").spawn().expect("sleep");
    let process = Process::of(i32::try_from(bystander.id()).expect("pid")).expect("alive");
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
    for (boot, start) in [(boot.as_str(), process.start() + 1), ("another-boot", process.start())] {
        forge(boot, start);
        assert_eq!(node.inspect(&name).state, InstanceState::Exited, "believed {boot} {start}");
        assert_eq!(node.stop(&name, 0).expect("stopped").state, InstanceState::Exited);
        assert!(process.is_alive(), "a bystander was killed");
    }
    assert!(node.inspect(&name).message.expect("message").contains("restarted"), "another boot's");
    node.start(&name).expect("started after a restart of the machine");
    node.exited(&name);
    assert!(process.is_alive(), "a bystander was killed");
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
    let shims = process::all().filter(|stat| {
        stat.parent == me
            && fs::read_to_string(format!("/proc/{}/comm", stat.pid))
                .is_ok_and(|comm| comm.starts_with("motey-process"))
    });
    assert!(shims.count() < 20, "zombies of shims pile up");
}
