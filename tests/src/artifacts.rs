//! Where this build's binary and plugins are, and whether they are as new as their sources.
//!
//! `cargo test` brings neither up to date: it builds test binaries. A test of yesterday's plugin would be a lie.

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// The `motey` binary of this build.
#[track_caller]
pub fn motey() -> PathBuf {
    current(&directory().join("motey"))
}

/// A plugin of this build, by its id.
#[track_caller]
pub fn plugin(id: &str) -> PathBuf {
    current(&directory().join(format!("libmotey_plugin_{}.so", id.replace('-', "_"))))
}

/// A binary that is built beside `motey`.
#[track_caller]
pub fn beside_motey(name: &str) -> PathBuf {
    current(&directory().join(name))
}

/// `target/<profile>`: that of this program, or the one above it where this is a test binary in `deps`.
fn directory() -> PathBuf {
    let own = env::current_exe().expect("a program knows its own binary");
    let folder = own.parent().expect("binaries are in target/<profile>");
    let profile = if folder.ends_with("deps") { folder.parent() } else { Some(folder) };
    profile.expect("test binaries are in target/<profile>/deps").to_owned()
}

/// Compares an artifact with every source that cargo's dependency file beside it names.
#[track_caller]
fn current(artifact: &Path) -> PathBuf {
    const REMEDY: &str = "run `cargo build --workspace` (tests/run.sh does)";
    let built = modified(artifact).unwrap_or_else(|| panic!("{} is not built: {REMEDY}", artifact.display()));
    let list = artifact.with_extension("d");
    let sources = fs::read_to_string(&list)
        .unwrap_or_else(|error| panic!("{} tells no sources ({error}): {REMEDY}", list.display()));
    for source in sources_in(&sources) {
        match modified(&source) {
            Some(changed) if changed <= built => {}
            Some(_) => panic!("{} is older than {}: {REMEDY}", artifact.display(), source.display()),
            None => {
                panic!("{} was built from {}, which is gone: {REMEDY}", artifact.display(), source.display())
            }
        }
    }
    artifact.to_owned()
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|meta| meta.modified()).ok()
}

/// A make rule: `target: source source`, with blanks in names escaped.
fn sources_in(rule: &str) -> Vec<PathBuf> {
    let first = rule.lines().next().unwrap_or_default();
    let (_, sources) = first.split_once(": ").unwrap_or_default();
    let mut names = vec![String::new()];
    let mut escaped = false;
    for letter in sources.chars() {
        match letter {
            '\\' if !escaped => escaped = true,
            ' ' if !escaped => names.push(String::new()),
            letter => {
                escaped = false;
                names.last_mut().expect("never empty").push(letter);
            }
        }
    }
    names.into_iter().filter(|name| !name.is_empty()).map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_names_its_sources() {
        let sources = sources_in("/t/debug/motey: /src/a.rs /with\\ blank/b.rs\n\n/src/a.rs:\n");
        assert_eq!(sources, [Path::new("/src/a.rs"), Path::new("/with blank/b.rs")]);
        assert!(sources_in("").is_empty());
    }
}
