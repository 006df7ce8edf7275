//! Control groups, in every hierarchy that the machine has mounted.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Every group whose path below the mount contains one of the marks, sorted.
pub fn marked(marks: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(Path::new("/sys/fs/cgroup"), marks, &mut found);
    found.sort();
    found
}

fn collect(group: &Path, marks: &[&str], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        // links stand for a hierarchy that is visited under its own name
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let path = entry.path();
            if marks.iter().any(|mark| path.to_string_lossy().contains(mark)) {
                found.push(path.clone());
            }
            collect(&path, marks, found);
        }
    }
}
