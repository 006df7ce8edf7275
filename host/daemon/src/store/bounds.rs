//! How much the journal keeps: the newest of each service, and the newest of all.
//!
//! The counts are kept in memory, so that a commit touches no row but those it adds and removes.

use std::collections::{BTreeMap, HashMap};

use motey_core::id::ServiceId;
use motey_core::step::Event;
use rusqlite::{Connection, Transaction, params};
use uuid::Uuid;

/// So many events of all services together.
pub(super) const OF_ALL: i64 = 10_000;

/// So many of one service, so that one that fails over and over leaves room for the others.
pub(super) const OF_ONE: i64 = 1_000;

/// How many events the journal holds now.
pub(super) struct Bounds {
    total: i64,
    each: HashMap<ServiceId, i64>,
}

/// What a transaction makes of the counts, once it is committed.
pub(super) struct Change(BTreeMap<ServiceId, i64>);

impl Bounds {
    /// Counts, once, by the index.
    pub(super) fn count(connection: &Connection) -> Result<Self, rusqlite::Error> {
        let mut statement = connection.prepare("SELECT service, count(*) FROM journal GROUP BY service")?;
        let rows = statement.query_map([], |row| Ok((service(row.get(0)?), row.get(1)?)))?;
        let each = rows.collect::<Result<HashMap<_, i64>, _>>()?;
        Ok(Self { total: each.values().sum(), each })
    }

    /// How many events of that service there are.
    pub(super) fn held(&self, service: ServiceId) -> i64 {
        self.each.get(&service).copied().unwrap_or(0)
    }

    /// Removes what is too much after `events` were appended.
    pub(super) fn trim(
        &self,
        writing: &Transaction<'_>,
        events: &[Event],
    ) -> Result<Change, rusqlite::Error> {
        let mut change = BTreeMap::new();
        events.iter().for_each(|event| *change.entry(event.service).or_default() += 1);
        for (service, more) in &mut change {
            let surplus = self.held(*service) + *more - OF_ONE;
            if surplus > 0 {
                *more -= trim_one(writing, *service, surplus)?;
            }
        }
        let surplus = self.total + change.values().sum::<i64>() - OF_ALL;
        if surplus > 0 {
            trim_all(writing, surplus, &mut change)?;
        }
        Ok(Change(change))
    }

    /// Takes the change of a committed transaction over.
    pub(super) fn keep(&mut self, Change(change): Change) {
        for (service, more) in change {
            self.total += more;
            let held = self.each.entry(service).or_default();
            *held += more;
            if *held == 0 {
                self.each.remove(&service);
            }
        }
    }
}

fn trim_one(writing: &Transaction<'_>, of: ServiceId, surplus: i64) -> Result<i64, rusqlite::Error> {
    let sql = "DELETE FROM journal WHERE seq IN
               (SELECT seq FROM journal WHERE service = ?1 ORDER BY seq LIMIT ?2)";
    let removed = writing.prepare_cached(sql)?.execute(params![of.0.as_bytes(), surplus])?;
    Ok(i64::try_from(removed).unwrap_or(i64::MAX))
}

fn trim_all(
    writing: &Transaction<'_>,
    surplus: i64,
    change: &mut BTreeMap<ServiceId, i64>,
) -> Result<(), rusqlite::Error> {
    let sql = "DELETE FROM journal WHERE seq IN (SELECT seq FROM journal ORDER BY seq LIMIT ?1)
               RETURNING service";
    let mut statement = writing.prepare_cached(sql)?;
    let mut removed = statement.query([surplus])?;
    while let Some(row) = removed.next()? {
        *change.entry(service(row.get(0)?)).or_default() -= 1;
    }
    Ok(())
}

fn service(bytes: [u8; 16]) -> ServiceId {
    ServiceId(Uuid::from_bytes(bytes))
}
