//! `ports`: what of an instance is reached through its node, and under which number. Whether a node has that number to
//! spare, and whether a VAL can give another one than the instance's own, is theirs to say.

use motey_core::id::PortName;
use motey_core::spec::{Port, Protocol};

use crate::bounds::MAX_PORTS;
use crate::diagnostic::DiagnosticKind as Kind;
use crate::fields::Fields;
use crate::path::quoted;
use crate::read::At;
use crate::report::Report;
use crate::schema::Level;
use crate::tree::{Entry, Value};

const PROTOCOLS: &[(&str, Protocol)] = &[("tcp", Protocol::Tcp), ("udp", Protocol::Udp)];

/// As `host`, a number that Motey chooses.
const CHOSEN: &str = "auto";

const WANTED: &str = "a map such as `{ http: { container: 80, host: 8080 } }`, or a list of `8080:80`";

/// Reads the ports: a map by their names, or a list in Docker's words.
pub(crate) fn read(at: &At<'_>, report: &mut Report<'_>) -> Option<Vec<Port>> {
    let count = at.as_list().map(|list| list.items.len()).or_else(|| at.as_map().map(|map| map.items.len()));
    if let Some(count) = count.filter(|count| *count > MAX_PORTS) {
        let message = format!("these are {count} ports and {MAX_PORTS} are allowed: split the image");
        report.refuse(Kind::Limit, at, message);
        return None;
    }
    let mut ports = Vec::new();
    let mut add = |at: &At<'_>, port: Option<Port>, report: &mut Report<'_>| {
        if let Some(port) = port
            && is_free(&ports, &port, at, report)
        {
            ports.push(port);
        }
    };
    match &at.node.value {
        Value::List(list) => {
            for at in at.each(list) {
                let port = short(&at, report).and_then(|numbers| unnamed(numbers, &at, report));
                add(&at, port, report);
            }
        }
        Value::Map(map) => {
            for entry in &map.items {
                let at = at.value_of(entry);
                let port = described(entry, &at, report);
                add(&at, port, report);
            }
        }
        _ => return report.wrong_type(at, WANTED),
    }
    Some(ports)
}

/// The number of a port.
pub(crate) fn number(at: &At<'_>, report: &mut Report<'_>) -> Option<u16> {
    let number = report.whole(at)?;
    let port = u16::try_from(number).ok().filter(|port| *port > 0);
    if port.is_none() {
        report.refuse(Kind::Value, at, not_a_port(&number.to_string()));
    }
    port
}

fn not_a_port(text: &str) -> String {
    format!("{text} is not a port: write 1 to {}", u16::MAX)
}

/// A port without its name.
struct Numbers {
    host: u16,
    container: u16,
    protocol: Protocol,
}

impl Numbers {
    fn named(self, name: PortName) -> Port {
        let Self { host, container, protocol } = self;
        Port { name, container, host, protocol }
    }
}

/// `8080:80`, `8080:80/udp`, or `8080`, which is both.
fn short(at: &At<'_>, report: &mut Report<'_>) -> Option<Numbers> {
    let text = report.written(at)?;
    let (numbers, protocol) = with_protocol(&text, at, report)?;
    match numbers.split_once(':') {
        Some((_, container)) if container.contains(':') => {
            let message = format!(
                "{} names an address: a port is one of its whole node, write `8080:80` or the like",
                quoted(&text)
            );
            report.refuse(Kind::Value, at, message);
            None
        }
        Some((host, container)) => {
            let (host, container) = (digits(host, at, report), digits(container, at, report));
            Some(Numbers { host: host?, container: container?, protocol })
        }
        None => digits(numbers, at, report).map(|both| Numbers { host: both, container: both, protocol }),
    }
}

fn with_protocol<'t>(text: &'t str, at: &At<'_>, report: &mut Report<'_>) -> Option<(&'t str, Protocol)> {
    let (numbers, name) = text.split_once('/').unwrap_or((text, Protocol::default().as_str()));
    let protocol = PROTOCOLS.iter().find(|(known, _)| *known == name).map(|(_, protocol)| *protocol);
    if protocol.is_none() {
        let message = format!("{} is no protocol of a port: write `tcp` or `udp`", quoted(name));
        report.refuse(Kind::Value, at, message);
    }
    Some((numbers, protocol?))
}

fn digits(text: &str, at: &At<'_>, report: &mut Report<'_>) -> Option<u16> {
    if text == CHOSEN {
        report.refuse(Kind::Unsupported, at, not_chosen());
        return None;
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse::<u16>().ok().filter(|port| is_number && *port > 0);
    if port.is_none() {
        report.refuse(Kind::Value, at, not_a_port(&quoted(text)));
    }
    port
}

fn not_chosen() -> String {
    format!("`{CHOSEN}` is not built yet: this version cannot choose a port, write its number")
}

/// One that nobody named is called by the instance's number, and its protocol where that is not TCP.
fn unnamed(numbers: Numbers, at: &At<'_>, report: &mut Report<'_>) -> Option<Port> {
    let name = match numbers.protocol {
        Protocol::Tcp => numbers.container.to_string(),
        Protocol::Udp => format!("{}-{}", numbers.container, Protocol::Udp),
    };
    report.checked(at, Kind::Value, PortName::new(&name)).map(|name| numbers.named(name))
}

/// What stands under a name: all of it, or its short form; or under docker-py's `80/tcp`, the node's number.
fn described(entry: &Entry, at: &At<'_>, report: &mut Report<'_>) -> Option<Port> {
    let key = &entry.key;
    let is_map = at.as_map().is_some();
    if !is_map && key.starts_with(|first: char| first.is_ascii_digit()) {
        let (container, protocol) = with_protocol(key, at, report)?;
        let container = digits(container, at, report);
        let text = report.written(at)?;
        let host = digits(&text, at, report);
        return unnamed(Numbers { host: host?, container: container?, protocol }, at, report);
    }
    let name = PortName::new(key);
    if let Err(error) = &name {
        report.add(Kind::Value, &at.path, entry.key_start, error.to_string());
    }
    let numbers = if is_map { long(at, report) } else { short(at, report) };
    Some(numbers?.named(name.ok()?))
}

/// `{ container: 80, host: 8080, protocol: udp }`.
fn long(at: &At<'_>, report: &mut Report<'_>) -> Option<Numbers> {
    let fields = Fields::of(at.clone(), Level::Port, report)?;
    let container = fields.required("container", report).and_then(|at| number(at, report));
    let host = fields.required("host", report).and_then(|at| host(at, report));
    let protocol =
        fields.get("protocol").map_or(Some(Protocol::default()), |at| report.choice(at, PROTOCOLS));
    Some(Numbers { host: host?, container: container?, protocol: protocol? })
}

fn host(at: &At<'_>, report: &mut Report<'_>) -> Option<u16> {
    match &at.node.value {
        Value::Scalar(scalar) if scalar.text == CHOSEN => {
            report.refuse(Kind::Unsupported, at, not_chosen());
            None
        }
        _ => number(at, report),
    }
}

fn is_free(ports: &[Port], port: &Port, at: &At<'_>, report: &mut Report<'_>) -> bool {
    let Port { name, host, protocol, .. } = port;
    let message = if ports.iter().any(|other| other.name == *name) {
        format!(
            "two ports are called `{name}`: give them names, as in `{{ http: {{ container: 80, host: 8080 }} }}`"
        )
    } else if ports.iter().any(|other| (other.host, other.protocol) == (*host, *protocol)) {
        format!("{host}/{protocol} of the node is published already: keep one")
    } else {
        return true;
    };
    report.refuse(Kind::Duplicate, at, message);
    false
}
