//! What is in the file, and how files of older versions come to have it.
//!
//! `PRAGMA user_version` counts the steps that were taken. A step, once released, is never changed: the next
//! version gets a step of its own.

use std::io;
use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::draft::{Draft, beside};
use super::error::{At, StoreError};

pub(super) const STEPS: &[&str] = &[
    "
    CREATE TABLE life (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        count INTEGER NOT NULL
    ) STRICT;
    INSERT INTO life VALUES (1, 1);

    CREATE TABLE record (
        service BLOB NOT NULL UNIQUE,
        body TEXT NOT NULL
    ) STRICT;

    CREATE TABLE lease (
        holder TEXT NOT NULL,
        body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX lease_by_holder ON lease (holder);

    CREATE TABLE journal (
        seq INTEGER PRIMARY KEY,
        wall_ms INTEGER NOT NULL,
        service BLOB NOT NULL,
        slot TEXT,
        kind TEXT NOT NULL,
        text TEXT NOT NULL
    ) STRICT;
    CREATE INDEX journal_by_service ON journal (service);
",
    "
    CREATE TABLE dead (
        service BLOB NOT NULL,
        holder TEXT NOT NULL UNIQUE,
        body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX dead_by_service ON dead (service);

    CREATE TABLE kept (
        service BLOB NOT NULL UNIQUE,
        body TEXT NOT NULL
    ) STRICT;

    CREATE TABLE revision (
        service BLOB NOT NULL,
        number INTEGER NOT NULL,
        place TEXT NOT NULL,
        wall_ms INTEGER NOT NULL,
        body TEXT NOT NULL,
        UNIQUE (service, place)
    ) STRICT;

    CREATE TABLE standing (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        body TEXT NOT NULL
    ) STRICT;
    CREATE TABLE capability (
        source TEXT NOT NULL,
        body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX capability_by_source ON capability (source);
",
];

/// The version this code writes.
pub(super) const NEWEST: i64 = STEPS.len() as i64;

/// Takes the steps that the file at `path` still lacks, after a copy of it was made.
///
/// # Errors
/// A newer file is refused. Otherwise: it is as it was, or some whole steps further.
pub(super) fn bring_up_to_date(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let found = version(connection).at(path)?;
    if found > NEWEST {
        return Err(StoreError::Newer { path: path.into(), found, known: NEWEST });
    }
    if found < NEWEST {
        copy(connection, path, found)?;
        take_steps(connection).at(path)?;
    }
    Ok(())
}

/// Takes all steps that are lacking, each as a whole.
pub(super) fn take_steps(connection: &mut Connection) -> Result<(), rusqlite::Error> {
    let found = version(connection)?;
    for (step, before) in STEPS.iter().zip(0..).skip_while(|(_, before)| *before < found) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", before + 1)?;
        transaction.commit()?;
    }
    Ok(())
}

fn version(connection: &Connection) -> Result<i64, rusqlite::Error> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Through SQLite, not by the file: what is still in the write-ahead log must be in the copy.
fn copy(connection: &Connection, path: &Path, found: i64) -> Result<(), StoreError> {
    let place = beside(path, &format!(".v{found}"));
    let draft = Draft::of(&place).at(&place)?;
    let name = draft.path().to_str();
    let name = name.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "its name is not UTF-8"));
    connection.execute("VACUUM INTO ?1", [name.at(&place)?]).at(path)?;
    draft.publish().at(&place)
}
