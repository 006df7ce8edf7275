//! A node whose state lies on a full disk: it says so, acknowledges nothing that it has not stored, lets a delete
//! through, and works again when there is room. Needs root: the disk is a small tmpfs.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use motey_tests::{Http, MockFiles, NodeUnderTest, SOON, wait_for, wait_until};
use serde_json::Value;

const SIZE: &str = "size=4m,mode=700";

/// Unmounted on drop, lazily: the node may still hold it.
struct SmallDisk(PathBuf);

impl SmallDisk {
    #[track_caller]
    fn mount(at: &Path) -> Self {
        fs::create_dir_all(at).expect("a place for the disk");
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(at).status();
        assert!(status.expect("mount can be run").success(), "a tmpfs can be mounted: run this as root");
        Self(at.to_owned())
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// Writes until not one byte more fits.
    #[track_caller]
    fn fill(&self) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.filler()).expect("a file");
        for size in [64 << 10, 4 << 10, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }

    #[track_caller]
    fn make_room(&self) {
        fs::remove_file(self.filler()).expect("the filler can be removed");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

fn service(name: &str) -> String {
    format!("service_name: {name}\nimages: [{{ name: any, key: app, engine: mock }}]\n")
}

fn id_of(answer: &Value) -> String {
    answer["id"].as_str().expect("a service has an id").to_owned()
}

fn names(http: &Http) -> Vec<String> {
    let list = http.get("/v1/service").expect(200).json();
    let services = list.as_array().expect("a list").iter();
    services.map(|service| service["service_name"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_full_disk_loses_nothing_and_lets_deletes_through() {
    let engine = tempfile::tempdir().expect("a directory for the engine");
    let config = format!("[plugins.config.mock]\nstate = {:?}", engine.path());
    let mut node = NodeUnderTest::builder().plugins(&["mock"]).config(&config).prepare();
    let disk = SmallDisk::mount(&node.state_dir());
    let mock = MockFiles::new(engine.path());
    node.start();
    node.wait_engine("mock");
    let http = node.http();

    let kept = id_of(&http.deploy(&service("kept")).expect(201).json());
    let doomed = id_of(&http.deploy(&service("doomed")).expect(201).json());
    node.wait_state(&kept, "RUNNING");
    node.wait_state(&doomed, "RUNNING");

    disk.fill();
    let refused = wait_for(SOON, || match http.deploy(&service("refused")) {
        answer if answer.status == 507 => Ok(answer),
        // SQLite still had pages to write on
        answer => Err(format!("507 on a full disk; it is {}", answer.status)),
    });
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    let accepted = names(&http).iter().filter(|name| *name == "refused").count();
    let made = mock.calls_of("create").len();
    assert_eq!(made, 2 + accepted, "nothing was made that was not acknowledged");

    http.delete(&format!("/v1/service/{doomed}")).expect(202);
    wait_until(SOON, "the deleted service is gone", || {
        http.get(&format!("/v1/service/{doomed}")).status == 410
    });

    let before = names(&http);
    node.kill9();
    disk.make_room();
    node.start();
    node.wait_engine("mock");
    let http = node.http();
    assert_eq!(names(&http), before, "memory was what the disk holds");
    assert_eq!(http.get(&format!("/v1/service/{doomed}")).status, 410, "the delete stands");
    node.wait_state(&kept, "RUNNING");

    let again = id_of(&http.deploy(&service("again")).expect(201).json());
    node.wait_state(&again, "RUNNING");
    assert_eq!(mock.calls_of("create").len(), made + 1, "what ran was not made again");
}

#[test]
fn what_was_refused_works_when_there_is_room_without_a_restart() {
    let engine = tempfile::tempdir().expect("a directory for the engine");
    let config = format!("[plugins.config.mock]\nstate = {:?}", engine.path());
    let mut node = NodeUnderTest::builder().plugins(&["mock"]).config(&config).prepare();
    let disk = SmallDisk::mount(&node.state_dir());
    node.start();
    node.wait_engine("mock");
    let http = node.http();
    disk.fill();
    wait_until(SOON, "the disk is full", || http.deploy(&service("refused")).status == 507);
    disk.make_room();
    let id = id_of(&http.deploy(&service("welcome")).expect(201).json());
    node.wait_state(&id, "RUNNING");
}
