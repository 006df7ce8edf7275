//! What whoever starts a node leaves open does not reach its services.

use std::{
    fs::{self, File},
    path::Path,
};

use motey_tests::NodeUnderTest;
use rustix::io::{FdFlags, fcntl_setfd};

/// Whether the process has that file open.
fn has_open(pid: i32, file: &Path) -> bool {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).expect("a process of this test");
    open.flatten().any(|entry| fs::read_link(entry.path()).is_ok_and(|target| target == file))
}

#[test]
fn an_inherited_descriptor_ends_at_the_node() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("left-open");
    let left_open = File::create(&path).expect("a file");
    fcntl_setfd(&left_open, FdFlags::empty()).expect("it is handed on from now on");
    let node = NodeUnderTest::builder().plugins(&["process"]).start();
    assert!(has_open(node.pid().cast_signed(), &path), "the node itself was given it");

    let name = node.unique("clean");
    let blueprint = format!(
        "service_name: {name}\nimages:\n  - name: sleep\n    engine: process\n    \
         parameters: {{ command: [\"86400\"], environment: {{ MARK: {:?} }} }}\n",
        node.mark(),
    );
    let service = node.http().deploy(&blueprint).expect(201).json();
    node.wait_state(service["id"].as_str().expect("a service has an id"), "RUNNING");
    let processes = node.processes();
    assert!(processes.len() >= 2, "a program and its supervisor: {processes:?}");
    for process in processes {
        assert!(!has_open(process.pid, &path), "{process:?} was given it, too");
    }
}
