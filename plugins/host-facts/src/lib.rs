//! Capability provider: what every Linux node has. Processors, memory, disk, architecture, system and kernel.
//!
//! Told once, since none of it changes while the node runs; how much of it is in use is not said here, and devices
//! are other providers' business.

#![forbid(unsafe_code)]

use std::{collections::BTreeMap, fs, io, path::Path, thread};

use motey_plugin_api::{Cancel, Capability, Error, Host, Provider, Scalar, Supply, serde_json::Value};
use rustix::{fs::statvfs, system::uname};

const MEMORY: &str = "/proc/meminfo";
/// The second is where a system without an administrator's own keeps it, os-release(5).
const SYSTEM: [&str; 2] = ["/etc/os-release", "/usr/lib/os-release"];

struct HostFacts(Host);

impl Provider for HostFacts {
    fn new(config: Value, host: Host) -> Result<Self, Error> {
        match config.as_object().and_then(|keys| keys.keys().next()) {
            None => Ok(Self(host)),
            Some(key) => Err(Error::invalid(format!("host-facts has no setting `{key}`")).hint("remove it")),
        }
    }

    fn watch(&self, cancel: &Cancel) -> Result<(), Error> {
        self.0.capabilities(&facts(&self.0.info().state_dir)?)?;
        cancel.wait(None);
        Ok(())
    }
}

motey_plugin_api::plugin! {
    provider: HostFacts, id: "host-facts", name: "Host facts",
    description: "offers the node's processors, memory, disk, architecture, operating system and kernel",
}

fn facts(state_dir: &Path) -> Result<Vec<Capability>, Error> {
    let cores = thread::available_parallelism().map_err(|e| unreadable("the number of processors", &e))?;
    let memory = fs::read_to_string(MEMORY).map_err(|e| unreadable(MEMORY, &e))?;
    let memory =
        total_bytes(&memory).ok_or_else(|| Error::failed(format!("{MEMORY} has no MemTotal in kB")))?;
    let disk = statvfs(state_dir).map_err(|e| unreadable(&state_dir.display().to_string(), &e.into()))?;
    let kernel = uname();
    let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();

    let mut facts = vec![
        amount("cpu", cores.get() as u64 * 1000),
        amount("memory", memory),
        amount("disk", disk.f_blocks.saturating_mul(disk.f_frsize)),
        shared("architecture", "label", [("is", text(kernel.machine())), ("name", text(kernel.machine()))]),
        shared("kernel", "software", [("name", text(kernel.sysname())), ("version", text(kernel.release()))]),
    ];
    if let Some(release) = SYSTEM.iter().find_map(|path| fs::read_to_string(path).ok()) {
        facts.push(shared("os", "software", system(&release)));
    }
    Ok(facts)
}

fn unreadable(what: &str, error: &io::Error) -> Error {
    Error::failed(format!("{what} cannot be read")).engine_text(error.to_string())
}

fn amount(name: &str, units: u64) -> Capability {
    let supply = Supply::Amount(units);
    Capability {
        name: name.into(),
        kind: "resource".into(),
        unit: None,
        props: BTreeMap::new(),
        supply,
        binding: None,
    }
}

fn shared(name: &str, kind: &str, props: impl IntoIterator<Item = (&'static str, String)>) -> Capability {
    let props = props.into_iter().map(|(key, value)| (key.to_owned(), Scalar::Text(value))).collect();
    Capability {
        name: name.into(),
        kind: kind.into(),
        unit: None,
        props,
        supply: Supply::Shared,
        binding: None,
    }
}

/// `MemTotal:  16303428 kB`, proc_meminfo(5), in bytes.
fn total_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// `ID` and `VERSION_ID`, os-release(5); a rolling system has no version.
fn system(release: &str) -> Vec<(&'static str, String)> {
    let value = |key: &str| {
        let assigned = release.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='))?;
        Some(assigned.trim_matches(['"', '\'']).to_owned())
    };
    let name = value("ID").unwrap_or_else(|| "linux".to_owned());
    [("name", Some(name)), ("version", value("VERSION_ID"))]
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use motey_plugin_api::{Code, HostInfo};

    use super::*;

    #[test]
    fn memory_is_the_total_in_bytes() {
        let pi = "MemTotal:         930256 kB\nMemFree:          101140 kB\nMemAvailable:     558232 kB\n";
        assert_eq!(total_bytes(pi), Some(930_256 * 1024));
        assert_eq!(total_bytes("MemFree: 1 kB\n"), None);
        assert_eq!(total_bytes("MemTotal: many kB\n"), None);
    }

    #[test]
    fn a_system_is_named_as_its_release_file_says() {
        let debian =
            "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nVERSION=\"12\"\nID=debian\n";
        assert_eq!(system(debian), [("name", "debian".to_owned()), ("version", "12".to_owned())]);
        assert_eq!(system("ID='arch'\nBUILD_ID=rolling\n"), [("name", "arch".to_owned())]);
        assert_eq!(system(""), [("name", "linux".to_owned())]);
    }

    #[test]
    fn this_machine_offers_all_of_it() {
        let offered = facts(Path::new("/")).unwrap();
        for name in ["cpu", "memory", "disk", "architecture", "kernel", "os"] {
            let fact = offered.iter().find(|fact| fact.name == name).unwrap();
            assert!(!fact.props.is_empty() || matches!(fact.supply, Supply::Amount(1..)), "{fact:?}");
        }
        let missing = facts(Path::new("/nowhere/at/all")).unwrap_err();
        assert!(missing.message.contains("/nowhere/at/all"), "{missing}");
    }

    #[test]
    fn a_setting_it_does_not_have_is_refused_by_name() {
        let config = motey_plugin_api::serde_json::json!({"interval": 5});
        let refused = HostFacts::new(config, Host::detached(HostInfo::default())).err().unwrap();
        assert_eq!(refused.code, Code::Invalid);
        assert!(refused.message.contains("`interval`"), "{refused}");
    }

    #[test]
    fn it_tells_once_and_ends_with_the_wish() {
        let host = HostInfo { state_dir: "/".into(), ..HostInfo::default() };
        let provider = HostFacts::new(Value::Null, Host::detached(host)).ok().unwrap();
        let cancel = Cancel::new().unwrap();
        let wish = cancel.clone();
        let watching = thread::spawn(move || provider.watch(&wish));
        cancel.cancel();
        watching.join().unwrap().unwrap();
    }
}
