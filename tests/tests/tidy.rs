//! The rules of `docs/style.md` that a machine can hold, as tests that read the repository.
//!
//! Each failure names every offender. Deliberately no parser: a rule that needs one belongs to a lint.

use std::{
    fs,
    path::{Path, PathBuf},
};

use motey_blueprint::Format;

/// Where memory safety is a promise instead of a proof.
const UNSAFE_ROOMS: [&str; 3] =
    ["plugin-api/abi/src/", "plugin-api/sdk/src/lib.rs", "host/plugin-host/src/loader.rs"];

/// What the core may use.
const CORE_DEPENDENCIES: [&str; 2] = ["thiserror", "uuid"];

/// What would let the core touch the world or look at a clock. Time is passed in.
const CORE_BANS: [&str; 10] = [
    "std::fs",
    "std::net",
    "std::os",
    "std::thread",
    "std::process",
    "std::env",
    "std::io",
    "Instant",
    "SystemTime",
    "extern crate",
];

/// Which of our own crates a crate may use, tests apart. Core and plugin API never meet but in the daemon.
const ARROWS: [(&str, &[&str]); 14] = [
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
    // for the watched node, and for the bench of placement
    ("tests", &["motey-core", "motey-daemon", "motey-process-shim"]),
    ("tests/sim", &["motey-core"]),
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

/// Everything that a manifest lets the crate itself use, tests apart: whatever the table is called.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut inside = false;
    let mut names = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            let header = header.trim_end_matches(']');
            let table = header.rsplit_once('.').filter(|(table, _)| is_dependency_table(table));
            names.extend(table.map(|(_, name)| name.to_owned()));
            inside = is_dependency_table(header);
        } else if let Some((key, _)) = line.split_once('=').filter(|_| inside && !line.starts_with('#')) {
            names.push(key.trim().trim_end_matches(".workspace").to_owned());
        }
    }
    names.sort();
    names
}

/// `dependencies`, `build-dependencies`, and both of a target; not `dev-dependencies`.
fn is_dependency_table(header: &str) -> bool {
    let kind = header.rsplit('.').next().unwrap_or_default();
    let whole = kind == header || header.starts_with("target.");
    whole && matches!(kind, "dependencies" | "build-dependencies")
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
    let used = dependencies(&read("host/core/Cargo.toml"));
    assert_eq!(used, CORE_DEPENDENCIES, "the core's dependencies are an allow-list");
    let mut offenders = Vec::new();
    for file in files("host/core/src", "rs") {
        let text = read(&file);
        let impure = code(&text).filter_map(|(number, line)| Some((number, impurity(line)?)));
        offenders.extend(impure.map(|(number, banned)| format!("{file}:{number}: {banned}")));
    }
    nobody("a core that touches the world", offenders);
}

/// What of [`CORE_BANS`] a line names, alone or in the braces of a `use std::{…}`.
fn impurity(line: &str) -> Option<&'static str> {
    let in_braces = line.trim_start().strip_prefix("use std::{").unwrap_or_default();
    CORE_BANS.into_iter().find(|banned| match banned.strip_prefix("std::") {
        Some(module) => line.contains(banned) || has_word(in_braces, module),
        None if banned.contains(' ') => line.contains(banned),
        None => has_word(line, banned),
    })
}

#[test]
fn what_would_stain_the_core_is_recognised() {
    for line in [
        "use std::fs;",
        "use std::{collections::BTreeMap, thread};",
        "    let now = std::time::Instant::now();",
        "use std::time::{Duration, SystemTime};",
        "std::env::var(name)",
        "extern crate std as other;",
    ] {
        assert!(impurity(line).is_some(), "{line}");
    }
    for line in ["use std::fmt;", "let instance = Instance::new();", "use std::{fmt, mem};"] {
        assert_eq!(impurity(line), None, "{line}");
    }
    let manifest = "[dependencies]\nuuid.workspace = true\n[dev-dependencies]\na = \"1\"\n\
         [dependencies.b]\nversion = \"1\"\n[target.'cfg(unix)'.dependencies]\nc = \"1\"\n\
         [target.'cfg(unix)'.dependencies.d]\nversion = \"1\"\n[build-dependencies]\ne = \"1\"\n\
         [target.'cfg(unix)'.dev-dependencies]\nf = \"1\"\n[lints]\nworkspace = true\n";
    assert_eq!(dependencies(manifest), ["b", "c", "d", "e", "uuid"]);
}

#[test]
fn arrows_between_crates_are_the_agreed_ones() {
    let mut offenders = Vec::new();
    for member in workspace_members() {
        let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == member) else {
            offenders.push(format!("{member} is not in the table"));
            continue;
        };
        let used = dependencies(&read(&format!("{member}/Cargo.toml")));
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
    assert!(runs_the_test_command(&read(".ci/run")), ".ci/run has to end by running tests/run.sh");
}

/// The last line that does something hands over to `tests/run.sh`, whose failure is then the script's own.
fn runs_the_test_command(script: &str) -> bool {
    let mut lines = script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let last = lines.next_back().unwrap_or_default();
    let words: Vec<&str> = last.split_whitespace().take_while(|word| !word.starts_with('#')).collect();
    words.first() == Some(&"exec")
        && words.last().is_some_and(|word| word.trim_end_matches('"').ends_with("/tests/run.sh"))
}

#[test]
fn a_script_that_only_mentions_the_test_command_does_not_run_it() {
    assert!(runs_the_test_command("#!/bin/sh\nexec \"$(dirname \"$0\")/../tests/run.sh\"\n"));
    for script in [
        "",
        "# exec ./tests/run.sh\n",
        "exec true # ./tests/run.sh\n",
        "echo ./tests/run.sh\n",
        "exec ./tests/run.sh || true\n",
        "exec ./tests/run.sh\nexit 0\n",
    ] {
        assert!(!runs_the_test_command(script), "{script}");
    }
}
