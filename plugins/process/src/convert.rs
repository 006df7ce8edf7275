//! Between the boundary's words and the shim's files. Pure: no file is opened here, no process looked at.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use motey_plugin_api::{CreateRequest, Error, Exit, Instance, InstanceState, Port};
use motey_process_shim::report::Kind;
use motey_process_shim::state;
use rustix::io::Errno;
use rustix::process::Signal;
use serde::Deserialize;

/// What every program finds in its `PATH` when the blueprint says nothing.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// `[plugins.config.process]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Most that one instance's log takes on the disk.
    pub log_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { log_bytes: 10_000_000 }
    }
}

impl Settings {
    const LEAST_LOG: u64 = 64 * 1024;

    pub fn read(config: serde_json::Value) -> Result<Self, Error> {
        if config.is_null() {
            return Ok(Self::default());
        }
        let settings: Self = serde_json::from_value(config)
            .map_err(|error| Error::invalid(format!("[plugins.config.process] cannot be read: {error}")))?;
        if settings.log_bytes < Self::LEAST_LOG {
            let least = Self::LEAST_LOG;
            return Err(Error::invalid(format!("log_bytes is {}, less than {least}", settings.log_bytes))
                .hint("two segments of the longest line have to fit: leave it out for 10 MB"));
        }
        Ok(settings)
    }
}

/// Judges the request and completes it: `PATH` and `HOME` where they are not given, nothing else is added.
pub fn description(
    request: CreateRequest,
    home: &str,
    settings: &Settings,
) -> Result<state::Description, Error> {
    check_name(&request.name)?;
    let CreateRequest {
        name,
        labels,
        image,
        command,
        mut environment,
        working_dir,
        stop_signal,
        stop_grace_ms,
        mounts,
        ports,
        devices,
    } = request;
    if let Some(mount) = mounts.first() {
        return Err(Error::unsupported(format!(
            "a process has no file system of its own to mount {} in",
            mount.target
        ))
        .hint("run it on an engine with the feature `volumes`"));
    }
    if let Some(port) = ports.iter().find(|port| port.host != port.container) {
        let Port { container, host, .. } = port;
        return Err(Error::unsupported(format!(
            "a process has the ports of its node: what listens to {container} cannot be reached under {host}"
        ))
        .hint("give it the same number on both sides, or run it on an engine with the feature `ports.map`"));
    }
    check_texts("image", std::iter::once(&image))?;
    check_texts("command", command.iter())?;
    check_environment(&environment)?;
    if image.is_empty() {
        return Err(Error::invalid("the image is empty")
            .hint("for `process` it is a program: a path, or a name in PATH"));
    }
    let working_dir = working_dir.unwrap_or_else(|| "/".to_owned());
    check_texts("working_dir", std::iter::once(&working_dir))?;
    if !Path::new(&working_dir).is_absolute() {
        return Err(Error::invalid(format!("the working directory {working_dir:?} is not absolute"))
            .hint("give it from the root on: a node has no current directory to start from"));
    }
    for device in devices {
        environment.entry(device.variable()).or_insert(device.path);
    }
    environment.entry("PATH".to_owned()).or_insert_with(|| PATH.to_owned());
    environment.entry("HOME".to_owned()).or_insert_with(|| home.to_owned());
    let stop_signal = stop_signal.as_deref().map_or(Ok(Signal::TERM), signal)?.as_raw();
    let log_bytes = settings.log_bytes;
    Ok(state::Description {
        name,
        labels,
        image,
        command,
        environment,
        working_dir,
        stop_signal,
        stop_grace_ms,
        log_bytes,
    })
}

/// The name is a directory's and a cgroup's.
pub fn check_name(name: &str) -> Result<(), Error> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 128 || name.starts_with('.') || !name.chars().all(fits) {
        return Err(Error::invalid(format!("{name:?} cannot be the name of an instance"))
            .hint("1 to 128 characters of a-z, A-Z, 0-9, `-`, `_` and `.`, not beginning with a dot"));
    }
    Ok(())
}

fn check_texts<'a>(key: &str, mut texts: impl Iterator<Item = &'a String>) -> Result<(), Error> {
    match texts.find(|text| text.contains('\0')) {
        Some(text) => Err(Error::invalid(format!("{key} holds a NUL byte: {text:?}"))
            .hint("the system ends a text there: leave it out")),
        None => Ok(()),
    }
}

fn check_environment(environment: &BTreeMap<String, String>) -> Result<(), Error> {
    check_texts("environment", environment.values())?;
    match environment.keys().find(|key| key.is_empty() || key.contains(['=', '\0'])) {
        Some(key) => Err(Error::invalid(format!("{key:?} cannot be the name of an environment variable"))
            .hint("a name is not empty and holds neither `=` nor NUL")),
        None => Ok(()),
    }
}

const SIGNALS: [(&str, Signal); 16] = [
    ("TERM", Signal::TERM),
    ("INT", Signal::INT),
    ("QUIT", Signal::QUIT),
    ("HUP", Signal::HUP),
    ("KILL", Signal::KILL),
    ("USR1", Signal::USR1),
    ("USR2", Signal::USR2),
    ("ABRT", Signal::ABORT),
    ("ALRM", Signal::ALARM),
    ("PIPE", Signal::PIPE),
    ("WINCH", Signal::WINCH),
    ("CONT", Signal::CONT),
    ("PWR", Signal::POWER),
    ("IO", Signal::IO),
    ("XCPU", Signal::XCPU),
    ("VTALRM", Signal::VTALARM),
];

/// `SIGTERM`, `term` or `15`.
pub fn signal(text: &str) -> Result<Signal, Error> {
    let name = text.to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    let by_name = SIGNALS.iter().find(|(known, _)| *known == name).map(|(_, signal)| *signal);
    let by_number = || text.parse().ok().and_then(Signal::from_named_raw);
    by_name.or_else(by_number).ok_or_else(|| {
        let known: Vec<&str> = SIGNALS.iter().map(|(known, _)| *known).collect();
        Error::invalid(format!("{text:?} is no signal that stops an instance"))
            .hint(format!("one of {}", known.join(", ")))
    })
}

/// What a shim told of a failed start.
pub fn start_error(kind: Kind, text: String) -> Error {
    match kind {
        Kind::NotFound => {
            Error::not_found(text).hint("install the program on this node, or correct its path")
        }
        Kind::Invalid => {
            Error::invalid(text).hint("correct the image and its parameters, or the file's permissions")
        }
        Kind::Unavailable => {
            Error::unavailable(text).hint("see what the node is short of: memory, processes, disk space")
        }
        Kind::Conflict => Error::conflict(text).retryable(true),
    }
}

/// A file of the engine's own could not be read or written.
pub fn file_error(what: &str, path: &Path, error: &io::Error) -> Error {
    let said = Error::unavailable(format!("cannot {what} {}", path.display())).engine_text(error.to_string());
    if matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE)) {
        return said.hint("too many files are open: raise `LimitNOFILE` of the service, or `ulimit -n`");
    }
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            said.hint("the disk is full: make room in the state directory")
        }
        io::ErrorKind::PermissionDenied => {
            said.hint("the user that runs motey must be able to write its state directory")
        }
        _ => said,
    }
}

/// An instance as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub description: state::Description,
    pub identity: Option<state::Identity>,
    pub state: InstanceState,
    pub exit: Option<state::Exit>,
    /// What people should know.
    pub remark: Option<String>,
    /// Its shim was killed, and may have left processes running.
    pub orphaned: bool,
}

pub fn instance(found: &Found) -> Instance {
    let runs = matches!(found.state, InstanceState::Running | InstanceState::Stopping) && !found.orphaned;
    let main = found.identity.as_ref().and_then(|identity| identity.main).filter(|_| runs);
    Instance {
        name: found.description.name.clone(),
        labels: found.description.labels.clone(),
        state: found.state,
        exit: found.exit.as_ref().filter(|_| found.state == InstanceState::Exited).map(exit),
        message: found.remark.clone(),
        pid: main.and_then(|main| main.pid().try_into().ok()),
        started_at: found.identity.as_ref().map(|identity| identity.started_at),
    }
}

fn exit(exit: &state::Exit) -> Exit {
    Exit { code: exit.code, signal: exit.signal, oom: exit.oom }
}

#[cfg(test)]
mod tests {
    use super::*;
    use motey_plugin_api::Device;
    use serde_json::json;

    fn request() -> CreateRequest {
        serde_json::from_value(json!({ "name": "web-0", "labels": {}, "image": "sh", "stop_grace_ms": 1000 }))
            .expect("request")
    }

    fn describe(request: CreateRequest) -> Result<state::Description, Error> {
        description(request, "/root", &Settings::default())
    }

    #[test]
    fn a_device_is_told_by_a_variable() {
        let device = |name: &str, path: &str| Device { name: name.into(), path: path.into() };
        let devices = vec![device("zig-bee.2", "/dev/ttyUSB1"), device("camera", "/dev/video0")];
        let environment = [("MOTEY_DEVICE_CAMERA".to_owned(), "none".to_owned())].into();
        let given = describe(CreateRequest { devices, environment, ..request() }).expect("valid").environment;
        assert_eq!(given["MOTEY_DEVICE_ZIG_BEE_2"], "/dev/ttyUSB1");
        assert_eq!(given["MOTEY_DEVICE_CAMERA"], "none", "what the blueprint says stays");
    }

    #[test]
    fn the_environment_is_as_given_with_two_defaults() {
        let plain = describe(request()).expect("valid");
        assert_eq!(
            plain.environment,
            [("HOME", "/root"), ("PATH", PATH)].map(|(k, v)| (k.to_owned(), v.to_owned())).into()
        );
        let own: BTreeMap<String, String> =
            [("PATH", "/x"), ("HOME", ""), ("A", "b=c")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let given = describe(CreateRequest { environment: own.clone(), ..request() }).expect("valid");
        assert_eq!(given.environment, own);
        assert_eq!((plain.working_dir.as_str(), plain.stop_signal), ("/", 15));
    }

    #[test]
    fn what_cannot_work_is_refused_before_anything_is_made() {
        let env = |key: &str, value: &str| [(key.to_owned(), value.to_owned())].into();
        let wrong = [
            CreateRequest { name: "../x".into(), ..request() },
            CreateRequest { name: String::new(), ..request() },
            CreateRequest { name: ".x".into(), ..request() },
            CreateRequest { image: String::new(), ..request() },
            CreateRequest { image: "a\0b".into(), ..request() },
            CreateRequest { command: vec!["ok".into(), "\0".into()], ..request() },
            CreateRequest { environment: env("A=B", ""), ..request() },
            CreateRequest { environment: env("", ""), ..request() },
            CreateRequest { environment: env("A", "\0"), ..request() },
            CreateRequest { working_dir: Some("tmp".into()), ..request() },
            CreateRequest { stop_signal: Some("SIGNAL".into()), ..request() },
        ];
        for request in wrong {
            let error = describe(request.clone()).expect_err(&format!("accepted {request:?}"));
            assert_eq!(error.code, motey_plugin_api::Code::Invalid);
            assert!(error.hint.is_some(), "no hint: {error}");
        }
    }

    #[test]
    fn a_process_has_the_ports_of_its_node() {
        let at = |container, host| CreateRequest {
            ports: vec![Port { container, host, protocol: Default::default() }],
            ..request()
        };
        assert!(describe(at(80, 80)).is_ok());
        let refused = describe(at(80, 8080)).expect_err("another number");
        assert_eq!(refused.code, motey_plugin_api::Code::Unsupported);
        assert!(refused.message.contains("what listens to 80 cannot be reached under 8080"), "{refused}");
    }

    #[test]
    fn signals_are_known_by_name_and_number() {
        for (text, wanted) in
            [("SIGTERM", 15), ("term", 15), ("HUP", 1), ("sigquit", 3), ("9", 9), ("SIGUSR1", 10)]
        {
            assert_eq!(signal(text).expect(text).as_raw(), wanted, "{text}");
        }
        for text in ["", "SIG", "0", "-1", "99", "SIGRTMIN+3"] {
            assert!(signal(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_signal_that_a_blueprint_may_name_can_be_sent() {
        for name in motey_blueprint::STOP_SIGNALS {
            assert!(signal(name).is_ok(), "{name} is accepted by the blueprint and refused here");
        }
    }

    #[test]
    fn settings_are_strict() {
        assert_eq!(Settings::read(serde_json::Value::Null).expect("default").log_bytes, 10_000_000);
        assert_eq!(Settings::read(json!({})).expect("default"), Settings::default());
        assert_eq!(Settings::read(json!({ "log_bytes": 70000 })).expect("valid").log_bytes, 70000);
        for wrong in [
            json!({ "log_byte": 70000 }),
            json!({ "log_bytes": 1 }),
            json!({ "log_bytes": "much" }),
            json!(3),
        ] {
            assert!(Settings::read(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
