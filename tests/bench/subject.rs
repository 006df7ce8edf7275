//! The node that is measured, and the clock it is measured by.

use motey_tests::{Builder, Connection, NodeUnderTest};
use rustix::time::{ClockId, clock_gettime};

/// The kind of body that a blueprint has.
pub const YAML: Option<&str> = Some("application/x-yaml");

pub const SERVICE: &str = "/v1/service";

/// As it runs on a node: nothing is logged below `info`.
pub fn node(plugins: &[&str]) -> Builder {
    NodeUnderTest::builder().plugins(plugins).variable("MOTEY_LOGGER__LEVEL", "info")
}

/// One image on `mock`.
pub fn blueprint(number: usize) -> String {
    format!(
        "service_name: bench-{number}\n\
         images:\n\
         \x20 - name: registry.local/vision:2.1\n\
         \x20   key: vision\n\
         \x20   engine: mock\n\
         \x20   parameters:\n\
         \x20     command: [\"--camera\", \"/dev/video0\"]\n\
         \x20     environment: {{ MODE: fast, CELL: \"7\" }}\n"
    )
}

/// Microseconds of the clock that `mock` stamps its calls with.
pub fn now_us() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    now.tv_sec.unsigned_abs() * 1_000_000 + now.tv_nsec.unsigned_abs() / 1_000
}

/// Posts a blueprint and returns how long its 201 took, in microseconds, and its body.
pub fn deploy(connection: &mut Connection, blueprint: &str) -> (u64, Vec<u8>) {
    let began = now_us();
    let answer = connection.send("POST", SERVICE, YAML, blueprint.as_bytes()).expect("an answer");
    let took = now_us() - began;
    assert_eq!(answer.status, 201, "{}", answer.text());
    (took, answer.body)
}
