//! All that a node can leave behind, as lines of text: processes, control groups, files, lease rows.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::Path,
};

use crate::{cgroup, leases::leases, process};

/// What there was at one moment. Two of them are compared by [`difference`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot(BTreeSet<String>);

impl Snapshot {
    /// Of everything with one of the marks, of these directories, and of the leases in this database.
    ///
    /// Not of records and the journal: those tell of the past, and are meant to stay.
    #[track_caller]
    pub fn take(marks: &[&str], directories: &[&Path], database: &Path) -> Self {
        let mut lines = BTreeSet::new();
        let processes = process::marked(marks).into_iter();
        lines.extend(processes.map(|it| format!("process {} {} {:?}", it.pid, it.start, it.arguments)));
        let groups = cgroup::marked(marks).into_iter();
        lines.extend(groups.map(|group| format!("cgroup {}", group.display())));
        for directory in directories {
            lines.extend(Files::below(directory).0.into_iter().map(|file| format!("file {file}")));
        }
        lines.extend(leases(database).into_iter().map(|lease| format!("lease {lease:?}")));
        Self(lines)
    }
}

/// What only one of the two has; empty when they are equal.
pub fn difference(before: &Snapshot, after: &Snapshot) -> Vec<String> {
    let gone = before.0.difference(&after.0).map(|line| format!("- {line}"));
    let new = after.0.difference(&before.0).map(|line| format!("+ {line}"));
    gone.chain(new).collect()
}

/// Every file below a directory: kind, mode, size and path. A database's size says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files(pub Vec<String>);

impl Files {
    pub fn below(directory: &Path) -> Self {
        let mut found = Vec::new();
        collect(directory, &mut found);
        found.sort();
        Self(found)
    }
}

fn collect(directory: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        // gone since it was listed: not there
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        let kind = meta.file_type();
        let letter = match () {
            () if kind.is_dir() => 'd',
            () if kind.is_symlink() => 'l',
            () if kind.is_socket() => 's',
            () if kind.is_fifo() => 'p',
            () => '-',
        };
        let size = if kind.is_file() && !is_database(&path) { meta.len() } else { 0 };
        found.push(format!("{letter}{:04o} {size} {}", meta.permissions().mode() & 0o7777, path.display()));
        if kind.is_dir() {
            collect(&path, found);
        }
    }
}

fn is_database(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().contains(".db"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_listed_with_kind_mode_and_size() {
        let directory = tempfile::tempdir().expect("a directory");
        fs::create_dir(directory.path().join("sub")).expect("a directory in it");
        fs::write(directory.path().join("sub/file"), "abc").expect("a file");
        let files = Files::below(directory.path()).0;
        assert_eq!(files.len(), 2, "{files:?}");
        assert!(files[0].starts_with("-0") && files[0].contains(" 3 ") && files[0].ends_with("sub/file"));
    }
}
