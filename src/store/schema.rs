//! What the tables of the database are, and how an older file gets them.

use super::lock::Lock;
use super::{StoreError, connect};
use rusqlite::{Connection, OpenFlags, Transaction};
use std::path::Path;

pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_counts.sql"),
    include_str!("migrations/0002_copies.sql"),
    include_str!("migrations/0003_authors.sql"),
    include_str!("migrations/0004_volumes.sql"),
    include_str!("migrations/0005_alerts.sql"),
    include_str!("migrations/0006_revisions.sql"),
    include_str!("migrations/0007_left.sql"),
    include_str!("migrations/0008_intake.sql"),
    include_str!("migrations/0009_times.sql"),
    include_str!("migrations/0010_echoes.sql"),
];

/// Marks the file as ours: the letters `wdwn`.
const APPLICATION_ID: i64 = 0x7764_776e;

/// The version of the schema in the file, refusing what is not ours or is newer than this program.
pub(super) fn schema_version(connection: &Connection, path: &Path) -> Result<usize, StoreError> {
    let foreign = |why: &str| StoreError::Foreign { path: path.to_owned(), why: why.to_owned() };
    let read = |pragma: &str| -> Result<i64, StoreError> {
        connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0)).map_err(|error| {
            match error.sqlite_error_code() {
                Some(rusqlite::ErrorCode::NotADatabase) => foreign("it is not an SQLite file"),
                _ => error.into(),
            }
        })
    };
    let version = usize::try_from(read("user_version")?).unwrap_or(usize::MAX);
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 && read("application_id")? != APPLICATION_ID {
        return Err(foreign("it belongs to another program"));
    }
    if version > MIGRATIONS.len() {
        return Err(StoreError::Newer { path: path.to_owned(), found: version, known: MIGRATIONS.len() });
    }
    Ok(version)
}

/// Brings the tables from `version` to what this program knows.
pub(super) fn migrate(transaction: &Transaction, version: usize) -> Result<(), StoreError> {
    for migration in MIGRATIONS.iter().skip(version) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i64)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    Ok(())
}

/// Brings a database that no job writes to what this program reads.
pub(super) fn upgrade(path: &Path, found: usize) -> Result<(), StoreError> {
    let older = StoreError::Older { path: path.to_owned(), found, known: MIGRATIONS.len() };
    let _lock = Lock::take(path).map_err(|error| match error {
        StoreError::InUse { .. } => older,
        other => other,
    })?;
    let mut connection = connect(path, OpenFlags::default())?;
    let transaction = connection.transaction()?;
    // Another reader may have been first.
    let version = schema_version(&transaction, path)?;
    migrate(&transaction, version)?;
    Ok(transaction.commit()?)
}
