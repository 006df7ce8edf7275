//! The spellings of the 2017 Motey, one table.
//!
//! Its schema had `service_name`, `node_type` and `images` of `name`, `engine`, `parameters` and `capabilities`, and
//! handed `parameters` to docker-py's `containers.run` as keywords. What has the same name and meaning today is in
//! [`crate::schema`] and not here. Of the others,
//!
//! - `node_type` chose nothing in 2017 and chooses nothing now;
//! - `detach: true`, `stream`, `stdout`, `stderr`, `remove` and `auto_remove` say how docker-py's caller waits and
//!   cleans up: Motey always starts in the background and always removes what has ended;
//! - `name` named the container. An instance's name is Motey's now, unique over restarts, and begins with the
//!   image's key: so `name` gives the key, where `key` does not;
//! - the rest stands for something that is not built yet, and is refused under the name that the user wrote.

use crate::schema::{Cannot, Level, Meaning, Shape, Word};

/// What a 2017 spelling stands for.
pub(crate) fn find(level: Level, key: &str) -> Option<&'static Word> {
    ALIASES.iter().find(|(at, word)| *at == level && word.name == key).map(|(_, word)| word)
}

const fn image(name: &'static str, meaning: Meaning) -> (Level, Word) {
    (Level::Image, Word { name, meaning })
}

const fn docker(name: &'static str, meaning: Meaning) -> (Level, Word) {
    (Level::Parameters, Word { name, meaning })
}

const fn missing(name: &'static str, cannot: Cannot) -> (Level, Word) {
    docker(name, Meaning::Later(Shape::Any, cannot))
}

const LIMITS: Cannot = "limit what an instance uses (`limits` will)";
const NETWORK: Cannot = "configure an instance's network";
const RIGHTS: Cannot = "change an instance's rights and isolation";
const TERMINAL: Cannot = "attach a terminal or an input to an instance";

const ALIASES: &[(Level, Word)] = &[
    (Level::Service, Word { name: "node_type", meaning: Meaning::NoEffect(Shape::Text) }),
    (Level::Capability, Word { name: "capability_type", meaning: Meaning::As("type") }),
    (Level::Offer, Word { name: "type", meaning: Meaning::As("capability_type") }),
    image("restart_policy", Meaning::Instead("`restart: always`, `on-failure` or `never`")),
    // how docker-py's caller waits and cleans up
    docker("name", Meaning::As("name")),
    docker("detach", Meaning::NoEffect(Shape::Yes)),
    docker("stream", Meaning::NoEffect(Shape::Flag)),
    docker("stdout", Meaning::NoEffect(Shape::Flag)),
    docker("stderr", Meaning::NoEffect(Shape::Flag)),
    docker("remove", Meaning::NoEffect(Shape::Flag)),
    docker("auto_remove", Meaning::NoEffect(Shape::Flag)),
    // what Motey says elsewhere
    docker(
        "restart_policy",
        Meaning::Instead("`restart: always`, `on-failure` or `never` beside `parameters`"),
    ),
    docker("healthcheck", Meaning::Later(Shape::Any, "check whether an instance is healthy (`health` will)")),
    docker("log_config", Meaning::Later(Shape::Any, "configure an instance's log (`log` will)")),
    docker("links", Meaning::Instead("the other image's key, and its port, as `uses` beside `parameters`")),
    docker("image", Meaning::Instead("the image as `name` beside `parameters`")),
    // limits
    missing("mem_limit", LIMITS),
    missing("mem_reservation", LIMITS),
    missing("mem_swappiness", LIMITS),
    missing("memswap_limit", LIMITS),
    missing("kernel_memory", LIMITS),
    missing("oom_kill_disable", LIMITS),
    missing("oom_score_adj", LIMITS),
    missing("shm_size", LIMITS),
    missing("cpu_count", LIMITS),
    missing("cpu_percent", LIMITS),
    missing("cpu_period", LIMITS),
    missing("cpu_quota", LIMITS),
    missing("cpu_shares", LIMITS),
    missing("cpuset_cpus", LIMITS),
    missing("cpuset_mems", LIMITS),
    missing("nano_cpus", LIMITS),
    missing("pids_limit", LIMITS),
    missing("ulimits", LIMITS),
    missing("blkio_weight", LIMITS),
    missing("blkio_weight_device", LIMITS),
    missing("device_read_bps", LIMITS),
    missing("device_read_iops", LIMITS),
    missing("device_write_bps", LIMITS),
    missing("device_write_iops", LIMITS),
    missing("storage_opt", LIMITS),
    // network
    missing("network", NETWORK),
    missing("network_mode", NETWORK),
    missing("network_disabled", NETWORK),
    missing("publish_all_ports", NETWORK),
    missing("extra_hosts", NETWORK),
    missing("dns", NETWORK),
    missing("dns_opt", NETWORK),
    missing("dns_search", NETWORK),
    missing("domainname", NETWORK),
    missing("mac_address", NETWORK),
    // rights
    missing("privileged", RIGHTS),
    missing("security_opt", RIGHTS),
    missing("userns_mode", RIGHTS),
    missing("ipc_mode", RIGHTS),
    missing("pid_mode", RIGHTS),
    missing("group_add", RIGHTS),
    missing("sysctls", RIGHTS),
    missing("isolation", RIGHTS),
    missing("runtime", RIGHTS),
    // the rest
    missing("tty", TERMINAL),
    missing("stdin_open", TERMINAL),
    missing("volumes_from", "mount volumes in another way than `volumes`"),
    missing("volume_driver", "mount volumes in another way than `volumes`"),
    missing("init_path", "put an init process into an instance (`init` will)"),
    missing("lxc_conf", "hand settings to one engine past the others"),
    missing("version", "choose an engine's API version"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_hides_no_native_key_and_stands_for_one_that_is_read() {
        for (level, word) in ALIASES {
            assert!(level.words().iter().all(|native| native.name != word.name), "{}", word.name);
            let twice = ALIASES.iter().filter(|(at, other)| at == level && other.name == word.name).count();
            assert_eq!(twice, 1, "{}", word.name);
        }
    }
}
