//! The signals that `stop` may ask for, by name. No others: a mock has no process to send them to.

use motey_plugin_api::Error;

const KNOWN: [(&str, i32); 7] = [
    ("SIGHUP", 1),
    ("SIGINT", 2),
    ("SIGQUIT", 3),
    ("SIGKILL", 9),
    ("SIGUSR1", 10),
    ("SIGUSR2", 12),
    ("SIGTERM", 15),
];

/// The number of a signal; SIGTERM when none is named.
pub fn number(name: Option<&str>) -> Result<i32, Error> {
    let name = name.unwrap_or("SIGTERM");
    KNOWN.iter().find(|(known, _)| *known == name).map(|(_, number)| *number).ok_or_else(|| {
        let known = KNOWN.map(|(known, _)| known).join(", ");
        Error::invalid(format!("the signal `{name}` is unknown")).hint(format!("use one of {known}"))
    })
}
