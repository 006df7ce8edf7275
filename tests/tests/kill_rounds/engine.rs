//! What really runs, asked of the engine and never of the node: mock's file, or the machine's processes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, OpenOptions},
    io::Write,
};

use motey_tests::{NodeUnderTest, Process, Random, cgroup};
use serde_json::{Value, json};

use crate::model::{Engine, Need};

/// Every instance by its name, and what tells this life of it from another one.
pub type Running = BTreeMap<String, String>;

/// Who needs what: by service id and image key.
pub type Needs = BTreeMap<(String, String), Need>;

/// What runs.
///
/// # Errors
/// Something is on its way up or down. What may not be at any time, on its way or not, panics here.
pub fn running(node: &NodeUnderTest, engine: Engine) -> Result<Running, String> {
    match engine {
        Engine::Mock => of_mock(node),
        Engine::Process => of_processes(node),
    }
}

fn of_mock(node: &NodeUnderTest) -> Result<Running, String> {
    let instances = node.mock().instances().into_iter();
    let life = |(name, record): (String, Value)| match record["state"].as_str() {
        Some("running") => Ok((name, format!("started {} times", record["starts"]))),
        state => Err(format!("{name} runs; it is {state:?}")),
    };
    instances.map(life).collect()
}

fn of_processes(node: &NodeUnderTest) -> Result<Running, String> {
    let processes = node.processes();
    let mains = mains(&processes);
    for (slot, names) in by_slot(&mains) {
        assert!(names.len() == 1, "the slot {slot} is doubled: {names:?} run");
    }
    let names: BTreeSet<String> = mains.keys().cloned().collect();
    let supervised = processes.iter().filter(|it| it.arguments.get(1).is_some_and(|verb| verb == "shim"));
    let supervised: Vec<String> =
        supervised.filter_map(|it| Some(it.arguments.get(2)?.rsplit_once('/')?.1.to_owned())).collect();
    let known = fs::read_dir(node.state_dir().join("process")).into_iter().flatten().flatten();
    let known: BTreeSet<String> =
        known.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let groups = cgroup::marked(&[&node.unique("k")]).into_iter();
    let groups: BTreeSet<String> = groups
        .filter_map(|group| Some(group.file_name()?.to_str()?.rsplit_once('.')?.0.to_owned()))
        .collect();
    let stray = processes.iter().filter(|it| it.instance().is_some_and(|name| !names.contains(name)));
    let stray: Vec<&Process> = stray.collect();
    let well = stray.is_empty()
        && known == names
        && supervised.len() == names.len()
        && supervised.iter().all(|name| names.contains(name))
        && groups.is_subset(&names);
    if !well {
        return Err(format!(
            "one program, supervisor and directory for each instance, and no other group; there are the \
             programs {names:?}, the supervisors {supervised:?}, the directories {known:?}, the groups \
             {groups:?}, and astray {stray:?}"
        ));
    }
    Ok(mains.into_iter().map(|(name, main)| (name, format!("{} of {}", main.pid, main.start))).collect())
}

/// The first process of each tree: its parent is none of the tree's.
fn mains(processes: &[Process]) -> BTreeMap<String, Process> {
    let in_tree =
        |pid: i32, name: &str| processes.iter().any(|it| it.pid == pid && it.instance() == Some(name));
    let mains = processes.iter().filter_map(|it| {
        let name = it.instance().filter(|name| !in_tree(it.parent, name))?;
        Some((name.to_owned(), it.clone()))
    });
    mains.collect()
}

/// An instance's name is its slot's and a hash of the attempt.
fn by_slot(mains: &BTreeMap<String, Process>) -> BTreeMap<&str, Vec<&str>> {
    let mut slots: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for name in mains.keys() {
        slots.entry(name.rsplit_once('-').map_or(name, |(slot, _)| slot)).or_default().push(name);
    }
    slots
}

/// Goes through all that mock did since its plugin was created: at no moment had a slot two instances, and at no moment
/// had all of them together more than there is.
pub fn judge_history(node: &NodeUnderTest, needs: &Needs, capacity: &BTreeMap<String, u64>) {
    let mut holders: BTreeMap<String, (String, Option<Need>)> = BTreeMap::new();
    for line in node.mock().history() {
        if let Some(name) = line["gone"].as_str() {
            holders.remove(name);
            continue;
        }
        let request = &line["put"]["request"];
        let label = |label: &str| request["labels"][label].as_str().unwrap_or_default().to_owned();
        let name = request["name"].as_str().unwrap_or_default().to_owned();
        let slot = format!("{} {}", label("motey.service"), label("motey.slot"));
        let need = needs.get(&(label("motey.service"), label("motey.image"))).cloned();
        let twin = holders.iter().find(|(other, (of, _))| **other != name && *of == slot);
        assert!(twin.is_none(), "the slot {slot} is doubled: {name} was made beside {twin:?}");
        holders.insert(name, (slot, need));
        let mut taken: BTreeMap<&str, u64> = BTreeMap::new();
        for need in holders.values().filter_map(|(_, need)| need.as_ref()) {
            *taken.entry(need.capability).or_default() += need.amount;
        }
        for (capability, amount) in taken {
            assert!(
                amount <= capacity[capability],
                "{amount} of {capability} are used at once: {holders:#?}"
            );
        }
    }
}

/// Ends one instance while no host is there to see it, and names it.
pub fn kill_one(node: &NodeUnderTest, engine: Engine, random: &mut Random) -> Option<String> {
    match engine {
        Engine::Mock => {
            let running = node.mock().running();
            let victim = random.pick(&running)?;
            let mut record = node.mock().instances().remove(victim)?;
            record["state"] = json!("exited");
            record["exit"] = json!({"code": 1, "signal": null, "oom": false});
            let file = node.state_dir().join("mock/instances.jsonl");
            let mut file = OpenOptions::new().append(true).open(file).expect("mock's file");
            writeln!(file, "{}", json!({ "put": record })).expect("mock's file can be written");
            Some(victim.clone())
        }
        Engine::Process => {
            let mains: Vec<Process> = mains(&node.processes()).into_values().collect();
            let victim = random.pick(&mains)?;
            victim.kill();
            victim.instance().map(str::to_owned)
        }
    }
}
