//! The rules of `docs/style.md` that a machine can hold, as tests that read the repository.
//!
//! Each failure names every offender. Deliberately no parser: a rule that needs one belongs to a lint.

use std::{
    fs,
    path::{Path, PathBuf},
};

use motey_core::spec::Format;

/// Where memory safety is a promise instead of a proof.
const UNSAFE_ROOMS: [&str; 3] =
    ["plugin-api/abi/src/", "plugin-api/sdk/src/lib.rs", "host/plugin-host/src/loader.rs"];

/// What the core may use.
const CORE_DEPENDENCIES: [&str; 2] = ["thiserror", "uuid"];

/// Which of our own crates a crate may use, tests apart. Core and plugin API never meet but in the daemon.
const ARROWS: [(&str, &[&str]); 13] = [
    ("plugin-api/abi", &[]),
    ("plugin-api/ops", &[]),
    ("plugin-api/sdk", &["motey-plugin-abi", "motey-plugin-ops"]),
    ("host/core", &[]),
    ("host/blueprint", &["motey-core"]),
    ("host/plugin-host", &["motey-plugin-abi", "motey-plugin-ops"]),
    ("host/daemon", &["motey-blueprint", "motey-core", "motey-plugin-host", "motey-plugin-ops"]),
    ("host/cli", &["motey-blueprint", "motey-daemon", "motey-process-shim"]),
    ("plugins/process", &["motey-plugin-api", "motey-process-shim"]),
    ("plugins/process/shim", &[]),
    ("plugins/mock", &["motey-plugin-api"]),
    ("plugins/host-facts", &["motey-plugin-api"]),
    // for the watched node alone
    ("tests", &["motey-daemon", "motey-process-shim"]),
];

/// The table of contents that a stranger sees first.
const TOP: [&str; 11] = [
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "docs",
    "examples",
    "host",
    "packaging",
    "plugin-api",
    "plugins",
    "tests",
];

const LONGEST_FILE: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in the repository").to_owned()
}

/// Every file below `folder` with this extension, build output apart, by its path in the repository.
fn files(folder: &str, extension: &str) -> Vec<String> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for path in entries.map(|entry| entry.expect("a readable folder").path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|known| known == extension) {
                let inside = path.strip_prefix(&root).expect("it was found below the root");
                found.push(inside.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no .{extension} below {folder:?}: the rule would hold for nothing");
    found
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

#[track_caller]
fn nobody(rule: &str, offenders: Vec<String>) {
    assert!(offenders.is_empty(), "{rule}:\n  {}", offenders.join("\n  "));
}

/// Lines of code with their numbers; what follows `//` is no code.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .zip(1..)
        .map(|(line, number)| (number, line))
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|found| found == word)
}

/// The keys of one table of a manifest; `name.workspace = true` is `name`.
fn table(manifest: &str, wanted: &str) -> Vec<String> {
    let mut inside = false;
    let mut keys = Vec::new();
    for line in read(manifest).lines() {
        if line.starts_with('[') {
            inside = line == wanted;
        } else if let Some((key, _)) = line.split_once('=').filter(|_| inside && !line.starts_with('#')) {
            keys.push(key.trim().trim_end_matches(".workspace").to_owned());
        }
    }
    keys
}

fn workspace_members() -> Vec<String> {
    let manifests = files("", "toml").into_iter().filter(|file| file.ends_with("/Cargo.toml"));
    let crates = manifests.map(|file| file.trim_end_matches("/Cargo.toml").to_owned());
    crates.filter(|folder| !folder.starts_with("examples/")).collect()
}

#[test]
fn unsafe_stays_in_its_rooms() {
    let word = concat!("un", "safe");
    let mut offenders = Vec::new();
    for file in files("", "rs") {
        if UNSAFE_ROOMS.iter().any(|room| file.starts_with(room)) {
            continue;
        }
        let text = read(&file);
        offenders.extend(
            code(&text)
                .filter(|(_, line)| has_word(line, word))
                .map(|(number, _)| format!("{file}:{number}")),
        );
    }
    nobody("code outside of the rooms that its danger has", offenders);
}

#[test]
fn every_crate_forbids_unsafe_or_is_a_room() {
    let forbids = concat!("#![forbid(un", "safe_code)]");
    let roots = files("", "rs")
        .into_iter()
        .filter(|file| file.ends_with("src/lib.rs") || file.ends_with("src/main.rs"));
    let without = roots.filter(|file| !read(file).contains(forbids));
    let offenders = without.filter(|file| {
        let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
        !UNSAFE_ROOMS.iter().any(|room| room.starts_with(folder))
    });
    nobody("crates that do not forbid it", offenders.collect());
}

#[test]
fn the_core_stays_pure() {
    let mut used = table("host/core/Cargo.toml", "[dependencies]");
    used.sort();
    assert_eq!(used, CORE_DEPENDENCIES, "the core's dependencies are an allow-list");
}

#[test]
fn arrows_between_crates_are_the_agreed_ones() {
    let mut offenders = Vec::new();
    for member in workspace_members() {
        let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == member) else {
            offenders.push(format!("{member} is not in the table"));
            continue;
        };
        let used = table(&format!("{member}/Cargo.toml"), "[dependencies]");
        let ours =
            used.into_iter().filter(|name| name.starts_with("motey-") && !allowed.contains(&name.as_str()));
        offenders.extend(ours.map(|name| format!("{member} -> {name}")));
    }
    nobody("crates that use what they must not", offenders);
}

#[test]
fn names_say_something() {
    let says_nothing = |name: &str| {
        let parts = name.split(['-', '_', '/', '.']);
        parts
            .into_iter()
            .any(|part| matches!(part, "util" | "utils" | "helper" | "helpers" | "common" | "misc"))
    };
    nobody("names that say nothing", files("", "rs").into_iter().filter(|file| says_nothing(file)).collect());
}

#[test]
fn every_file_says_what_it_owns() {
    let silent = files("", "rs").into_iter().filter(|file| !read(file).starts_with("//!"));
    nobody("files that do not open with `//!`", silent.collect());
}

#[test]
fn no_file_is_too_long() {
    let lines = files("", "rs").into_iter().map(|file| (read(&file).lines().count(), file));
    let long =
        lines.filter(|(lines, _)| *lines > LONGEST_FILE).map(|(lines, file)| format!("{file}: {lines}"));
    nobody("files that want a second door", long.collect());
}

#[test]
fn nothing_is_left_half_done() {
    let left = [
        concat!("to", "do!("),
        concat!("un", "implemented!("),
        concat!("db", "g!("),
        concat!("#[ign", "ore"),
        concat!("FIX", "ME"),
    ];
    let mut offenders = Vec::new();
    for file in files("", "rs") {
        for (number, line) in read(&file).lines().zip(1..).map(|(line, number)| (number, line)) {
            offenders.extend(
                left.iter().filter(|it| line.contains(*it)).map(|it| format!("{file}:{number}: {it}")),
            );
        }
    }
    nobody("half-done code, or a test that does not run", offenders);
}

#[test]
fn every_example_blueprint_is_one() {
    let mut offenders = Vec::new();
    for file in files("examples/blueprints", "yaml") {
        if let Err(mistakes) = motey_blueprint::parse(Format::Yaml, read(&file).as_bytes()) {
            offenders.push(format!("{file}: {mistakes}"));
        }
    }
    nobody("examples that do not parse", offenders);
}

#[test]
fn every_link_in_the_documentation_leads_somewhere() {
    let mut offenders = Vec::new();
    for file in files("docs", "md").into_iter().chain(["README.md".to_owned()]) {
        let folder = root().join(&file).parent().expect("a file is in a folder").to_owned();
        for target in links(&read(&file)).filter(|target| !target.contains("://") && !target.starts_with('#'))
        {
            let path = target.split('#').next().unwrap_or_default();
            if !folder.join(path).exists() {
                offenders.push(format!("{file}: {target}"));
            }
        }
    }
    nobody("links that lead nowhere", offenders);
}

/// What stands in the brackets of `[text](target)`.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
}

#[test]
fn the_top_level_is_the_agreed_one() {
    let entries = fs::read_dir(root()).expect("the root can be listed");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let mut seen: Vec<String> = names.filter(|name| !name.starts_with('.') && name != "target").collect();
    seen.sort();
    assert_eq!(seen, TOP, "beside the agreed top level, or missing from it");
}

#[test]
fn the_integration_server_runs_the_test_command() {
    assert!(read(".ci/run").contains("tests/run.sh"), ".ci/run has to call tests/run.sh");
}
