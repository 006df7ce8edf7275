//! What a node has given away of its capabilities, as its database says it.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

/// One row: so much of a capability, for one attempt of one slot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lease {
    pub service: String,
    pub slot: String,
    pub fence: String,
    pub capability: String,
    pub amount: u64,
}

/// All of them, sorted. Read beside the running node, which writes through a log that readers do not wait for.
#[track_caller]
pub fn leases(database: &Path) -> Vec<Lease> {
    let rows = || -> rusqlite::Result<Vec<Lease>> {
        let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut statement = connection.prepare("SELECT body FROM lease")?;
        let rows = statement.query_map([], |row| Ok(Lease::read(&row.get::<_, String>(0)?)))?;
        rows.collect()
    };
    let mut leases =
        rows().unwrap_or_else(|error| panic!("cannot read the leases in {}: {error}", database.display()));
    leases.sort();
    leases
}

impl Lease {
    fn read(body: &str) -> Self {
        let body: Value =
            serde_json::from_str(body).unwrap_or_else(|error| panic!("a lease is {body:?}: {error}"));
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            service: word(&body["holder"]["service"]),
            slot: word(&body["holder"]["slot"]),
            fence: word(&body["holder"]["fence"]),
            capability: word(&body["name"]),
            amount: body["amount"].as_u64().unwrap_or_else(|| panic!("a lease without an amount: {body}")),
        }
    }
}
