//! The table of alerts.

use super::StoreError;
use crate::alert::{Change, Row};
use chrono::{DateTime, Utc};
use rusqlite::{Connection, params};

/// Writes rows, and takes back those that were never due.
pub(super) fn write(connection: &Connection, changes: &[Change]) -> Result<(), StoreError> {
    for change in changes {
        match change {
            Change::Put(row) => {
                let body = serde_json::to_string(&row.body).map_err(|error| StoreError::Corrupt(error.to_string()))?;
                connection
                    .prepare_cached(
                        "INSERT OR REPLACE INTO alert
                             (receiver, incident, number, due, sent, tries, error, handle, body)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                    )?
                    .execute(params![
                        row.receiver,
                        row.incident,
                        row.number,
                        row.due.timestamp(),
                        row.sent.map(|sent| sent.timestamp()),
                        row.tries,
                        row.error,
                        row.handle,
                        body,
                    ])?;
            }
            Change::Drop { receiver, incident, number } => {
                connection
                    .prepare_cached("DELETE FROM alert WHERE receiver = ?1 AND incident = ?2 AND number = ?3")?
                    .execute(params![receiver, incident, number])?;
            }
        }
    }
    Ok(())
}

/// All rows, in the order in which they are due.
pub(super) fn read(connection: &Connection) -> Result<Vec<Row>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT receiver, incident, number, due, sent, tries, error, handle, body FROM alert
         ORDER BY due, incident, number",
    )?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let time = |second: i64| {
            DateTime::<Utc>::from_timestamp(second, 0).ok_or_else(|| StoreError::Corrupt(format!("the time {second}")))
        };
        let body: String = row.get(8)?;
        found.push(Row {
            receiver: row.get(0)?,
            incident: row.get(1)?,
            number: row.get(2)?,
            due: time(row.get(3)?)?,
            sent: row.get::<_, Option<i64>>(4)?.map(time).transpose()?,
            tries: row.get(5)?,
            error: row.get(6)?,
            handle: row.get(7)?,
            body: serde_json::from_str(&body).map_err(|error| StoreError::Corrupt(format!("an alert: {error}")))?,
        });
    }
    Ok(found)
}
