//! How rows become values and back, shared by the writer and the reader.

use super::StoreError;
use crate::count::{KeyHash, ListeningSpan, Mention};
use crate::incident::Incident;
use crate::minute::Minute;
use crate::reading::ServiceId;
use crate::region::Region;
use chrono::DateTime;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

pub fn meta(connection: &Connection, name: &str) -> Result<Option<String>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

pub fn meta_number(connection: &Connection, name: &str) -> Result<Option<i64>, StoreError> {
    let Some(value) = meta(connection, name)? else { return Ok(None) };
    value.parse().map(Some).map_err(|_| StoreError::Corrupt(format!("{name} = `{value}`")))
}

pub fn set_meta(connection: &Connection, name: &str, value: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?
        .execute(params![name, value])?;
    Ok(())
}

/// Words separated by blanks.
pub fn join<T: Display>(words: &[T]) -> String {
    words.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn split<T: FromStr<Err: Display>>(words: &str) -> Result<Vec<T>, StoreError> {
    words.split_whitespace().map(parse).collect()
}

pub fn parse<T: FromStr<Err: Display>>(text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|error: T::Err| StoreError::Corrupt(error.to_string()))
}

pub fn key(row: &Row<'_>, column: usize) -> rusqlite::Result<KeyHash> {
    Ok(KeyHash(row.get(column)?))
}

const MENTION: &str = "SELECT clock, post, at, service, source, region, tally, symptoms, surfaces, stage,
    author, print, quotable FROM mention";

fn mentions(
    connection: &Connection,
    condition: &str,
    values: impl rusqlite::Params,
) -> Result<Vec<(Option<Minute>, Mention)>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{MENTION} {condition}"))?;
    let mut rows = statement.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let text =
            |column: usize| row.get_ref(column)?.as_str().map_err(|error| StoreError::Corrupt(error.to_string()));
        let at: i64 = row.get(2)?;
        let clock: i64 = row.get(0)?;
        let stage: Option<String> = row.get(9)?;
        let mention = Mention {
            key: key(row, 1)?,
            at: DateTime::from_timestamp_millis(at).ok_or_else(|| StoreError::Corrupt(format!("the time {at}")))?,
            service: ServiceId::new(text(3)?),
            source: text(4)?.to_owned(),
            region: parse(text(5)?)?,
            tally: parse(text(6)?)?,
            symptoms: split(text(7)?)?,
            surfaces: split(text(8)?)?,
            stage: stage.map(|stage| parse(&stage)).transpose()?,
            author: row.get::<_, i64>(10)? as u64,
            print: row.get::<_, i64>(11)? as u64,
            quotable: row.get(12)?,
        };
        found.push(((clock != i64::MIN).then_some(Minute(clock)), mention));
    }
    Ok(found)
}

pub fn mentions_after(connection: &Connection, seq: i64) -> Result<Vec<(Option<Minute>, Mention)>, StoreError> {
    mentions(connection, "WHERE seq > ?1 ORDER BY seq", [seq])
}

pub fn mentions_of(connection: &Connection, service: &ServiceId, minute: Minute) -> Result<Vec<Mention>, StoreError> {
    let found = mentions(connection, "WHERE service = ?1 AND minute = ?2", params![service.as_str(), minute.0])?;
    Ok(found.into_iter().map(|(_, mention)| mention).collect())
}

pub fn mentions_between(
    connection: &Connection,
    service: &ServiceId,
    from: Minute,
    until: Minute,
) -> Result<Vec<Mention>, StoreError> {
    let condition = "WHERE service = ?1 AND minute >= ?2 AND minute < ?3 ORDER BY at, source, post";
    let found = mentions(connection, condition, params![service.as_str(), from.0, until.0])?;
    Ok(found.into_iter().map(|(_, mention)| mention).collect())
}

/// The incident in the first column.
pub fn incident(row: &Row<'_>) -> Result<Incident<KeyHash>, StoreError> {
    let body = row.get_ref(0)?.as_str().map_err(|error| StoreError::Corrupt(error.to_string()))?;
    serde_json::from_str(body).map_err(|error| StoreError::Corrupt(format!("an incident: {error}")))
}

/// The authors whose region is known, and when it was learnt.
pub fn authors(connection: &Connection) -> Result<BTreeMap<u64, (Region, Minute)>, StoreError> {
    let mut statement = connection.prepare("SELECT author, region, minute FROM author")?;
    let mut rows = statement.query([])?;
    let mut found = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let region: String = row.get(1)?;
        found.insert(row.get::<_, i64>(0)? as u64, (parse(&region)?, Minute(row.get(2)?)));
    }
    Ok(found)
}

/// The minutes since one of which each source brought posts, or which were lost.
pub fn alive(connection: &Connection, since: Minute) -> Result<Vec<(String, Minute)>, StoreError> {
    let mut statement = connection.prepare("SELECT instance, minute FROM intake WHERE minute >= ?1")?;
    let rows = statement.query_map([since.0], |row| Ok((row.get(0)?, Minute(row.get(1)?))))?;
    let mut found: Vec<(String, Minute)> = rows.collect::<Result<_, _>>()?;
    for span in listening(connection)?.into_iter().filter(|span| !span.heard) {
        let minutes = span.from.div_euclid(60).max(since.0)..=span.until.div_euclid(60);
        found.extend(minutes.map(|minute| (span.instance.clone(), Minute(minute))));
    }
    Ok(found)
}

pub fn listening(connection: &Connection) -> Result<Vec<ListeningSpan>, StoreError> {
    listening_between(connection, i64::MIN, i64::MAX)
}

/// What was heard and lost of the seconds `[from, until)`.
pub fn listening_between(connection: &Connection, from: i64, until: i64) -> Result<Vec<ListeningSpan>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT network, instance, heard, from_second, until_second, why FROM listening
         WHERE until_second > ?1 AND from_second < ?2 ORDER BY from_second",
    )?;
    let rows = statement.query_map(params![from, until], |row| {
        Ok(ListeningSpan {
            network: row.get(0)?,
            instance: row.get(1)?,
            heard: row.get(2)?,
            from: row.get(3)?,
            until: row.get(4)?,
            why: row.get(5)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
