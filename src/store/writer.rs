//! Appends counted batches. A batch's mentions, counts, gaps, cursors and findings commit together, or not at all.

use super::alerts;
use super::lock::Lock;
use super::schema::{migrate, schema_version};
use super::sql;
use super::{Stamp, StoreError, connect};
use crate::alert;
use crate::count::{KeyHash, ListeningSpan, Mention, Tally, count_people};
use crate::incident::{Incident, State};
use crate::intake::Brought;
use crate::minute::Minute;
use crate::post::Volume;
use crate::reading::{ServiceId, Stage};
use crate::region::Region;
use chrono::{DateTime, Utc};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, params};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The version of the snapshot's shape. One of another version is not used: the fold is rebuilt from the mentions.
const SNAPSHOT_VERSION: i64 = 2;

/// Everything that one transaction adds.
#[derive(Default)]
pub struct Append {
    /// Each with the minute that was the last closed one when it was accepted, if any was.
    pub mentions: Vec<(Option<Minute>, Mention)>,
    pub quotes: Vec<NewQuote>,
    pub deleted: Vec<(KeyHash, Minute)>,
    /// Posts that were taken back after their keys were forgotten.
    pub unquoted: Vec<KeyHash>,
    /// Posts that were edited, and what they say now.
    pub edited: Vec<(KeyHash, String)>,
    /// People all of whose posts were taken back, by their keyed hashes.
    pub left: Vec<u64>,
    /// Copies of posts that a bridge made, the posts, and when they were written.
    pub copies: Vec<(KeyHash, KeyHash, Minute)>,
    /// Where authors are, by their keyed hashes, and when that was learnt.
    pub authors: BTreeMap<u64, (Region, Minute)>,
    pub volumes: Vec<Volume>,
    pub listening: Vec<ListeningSpan>,
    pub sources: Vec<SourceState>,
    pub incidents: Vec<Incident<KeyHash>>,
    pub alerts: Vec<alert::Change>,
    pub spikes: Vec<SpikeRow>,
    pub expected: Vec<ExpectedRow>,
    pub closed_through: Option<Minute>,
    /// The database's now: the last post's time in a replay, the wall clock live.
    pub now: Option<DateTime<Utc>>,
    /// The state of the fold after everything above.
    pub snapshot: Option<Vec<u8>>,
    pub forget: Option<Forget>,
}

/// The post behind a mention, as far as it may be quoted.
pub struct NewQuote {
    pub key: KeyHash,
    pub at: DateTime<Utc>,
    /// The keyed hash of the author.
    pub author: u64,
    pub source: String,
    /// Its link, or its id.
    pub reference: String,
    pub text: String,
    pub lang: Option<String>,
}

/// Where a source stands.
#[derive(Clone, Debug)]
pub struct SourceState {
    pub instance: String,
    pub network: String,
    pub cursor: Option<String>,
    /// Posts read since the state was last stored.
    pub posts: u64,
    /// JSON.
    pub health: String,
    pub brought: Brought,
}

/// A spike as it stands; it is written again while it goes on.
#[derive(Clone, Debug, PartialEq)]
pub struct SpikeRow {
    pub service: ServiceId,
    pub region: Region,
    pub from: Minute,
    pub until: Minute,
    pub observed: u64,
    pub expected: f64,
    pub score: f64,
    pub incident: Option<String>,
    /// The incident of another service that explains it.
    pub echo_of: Option<String>,
}

/// Reports expected a minute, from a minute on.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpectedRow {
    pub service: ServiceId,
    pub region: Region,
    pub from: Minute,
    pub mean: f64,
    pub dispersion: f64,
}

/// What has outlived its retention.
#[derive(Clone, Copy, Debug)]
pub struct Forget {
    pub keys_before: Minute,
    pub unquoted_before: Minute,
    pub quoted_before: Minute,
}

/// What a restart goes on from.
pub struct Resume {
    /// The stored fold and the minute that it had closed.
    pub snapshot: Option<Vec<u8>>,
    /// The mentions after the snapshot, in the order of their acceptance.
    pub mentions: Vec<(Option<Minute>, Mention)>,
    pub listening: Vec<ListeningSpan>,
    pub closed_through: Option<Minute>,
    pub now: Option<DateTime<Utc>>,
    pub seen: BTreeMap<KeyHash, Minute>,
    pub deleted: BTreeMap<KeyHash, Minute>,
    pub copies: BTreeMap<KeyHash, (KeyHash, Minute)>,
    pub authors: BTreeMap<u64, (Region, Minute)>,
    pub cursors: BTreeMap<String, String>,
    /// The minutes of the last day of which each source brought posts, or which were lost.
    pub alive: Vec<(String, Minute)>,
    /// When each incident was first said.
    pub said: BTreeMap<String, DateTime<Utc>>,
}

/// The one connection that writes.
pub struct Writer {
    connection: Connection,
    path: PathBuf,
    _lock: Lock,
}

impl Writer {
    /// Opens or makes the database, brings its schema up to date and holds the lock until dropped.
    pub fn open(path: &Path, stamp: Stamp) -> Result<Writer, StoreError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|source| StoreError::Io { path: folder.to_owned(), source })?;
        }
        let lock = Lock::take(path)?;
        let mut connection = connect(path, OpenFlags::default()).map_err(|error| match error {
            StoreError::Sqlite(error) => StoreError::Io { path: path.to_owned(), source: std::io::Error::other(error) },
            other => other,
        })?;
        let version = schema_version(&connection, path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // What is deleted is overwritten, not only left out.
        connection.pragma_update(None, "secure_delete", "ON")?;
        // With WAL a crash of the program loses nothing; after a power cut the last batches are read again.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        let transaction = connection.transaction()?;
        migrate(&transaction, version)?;
        match sql::meta(&transaction, "stamp")? {
            None => sql::set_meta(&transaction, "stamp", stamp.as_str())?,
            Some(found) if found == stamp.as_str() => {}
            Some(found) => {
                let found = found.parse().map_err(|_| StoreError::Corrupt(format!("the stamp `{found}`")))?;
                return Err(StoreError::Stamp { path: path.to_owned(), found });
            }
        }
        transaction.commit()?;
        Ok(Writer { connection, path: path.to_owned(), _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads back what a fold needs to go on as if it had never stopped.
    pub fn resume(&self) -> Result<Resume, StoreError> {
        let connection = &self.connection;
        let snapshot: Option<(i64, Vec<u8>)> = connection
            .query_row("SELECT seq, body FROM snapshot WHERE version = ?1", [SNAPSHOT_VERSION], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        let (after, snapshot) = match snapshot {
            Some((seq, body)) => (seq, Some(body)),
            None => (0, None),
        };
        let hashes = |query: &str| -> Result<Vec<(KeyHash, Minute)>, StoreError> {
            let mut statement = connection.prepare(query)?;
            let rows = statement.query_map([], |row| Ok((sql::key(row, 0)?, Minute(row.get(1)?))))?;
            Ok(rows.collect::<Result<_, _>>()?)
        };
        let mut bodies = connection.prepare("SELECT body FROM incident")?;
        let mut said = BTreeMap::new();
        let mut rows = bodies.query([])?;
        while let Some(row) = rows.next()? {
            let incident = sql::incident(row)?;
            said.insert(incident.id, incident.detected_at);
        }
        let mut copies = connection.prepare("SELECT copy, post, minute FROM copy")?;
        let copies = copies.query_map([], |row| Ok((sql::key(row, 0)?, (sql::key(row, 1)?, Minute(row.get(2)?)))))?;
        let mut cursors = connection.prepare("SELECT instance, cursor FROM source_state WHERE cursor IS NOT NULL")?;
        let now = sql::meta_number(connection, "now")?.and_then(DateTime::from_timestamp_millis);
        Ok(Resume {
            alive: now.map_or(Ok(Vec::new()), |now| sql::alive(connection, Minute::of(now) - Minute::DAY))?,
            snapshot,
            mentions: sql::mentions_after(connection, after)?,
            listening: sql::listening(connection)?,
            closed_through: sql::meta_number(connection, "closed_through")?.map(Minute),
            now,
            seen: hashes("SELECT post, minute FROM mention")?.into_iter().collect(),
            deleted: hashes("SELECT post, minute FROM tombstone")?.into_iter().collect(),
            said,
            authors: sql::authors(connection)?,
            copies: copies.collect::<Result<_, _>>()?,
            cursors: cursors.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?,
        })
    }

    /// The alerts that were ever written.
    pub fn alerts(&self) -> Result<Vec<alert::Row>, StoreError> {
        alerts::read(&self.connection)
    }

    /// Commits one batch. Gives the incidents that have lost evidence by it.
    pub fn append(&mut self, batch: &Append) -> Result<BTreeSet<String>, StoreError> {
        let transaction = self.connection.transaction()?;
        append_mentions(&transaction, &batch.mentions)?;
        append_quotes(&transaction, &batch.quotes)?;
        let mut poorer = delete_posts(&transaction, batch)?;
        for (copy, post, minute) in &batch.copies {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO copy (copy, post, minute) VALUES (?1, ?2, ?3)")?
                .execute(params![copy.0, post.0, minute.0])?;
        }
        for (author, (region, minute)) in &batch.authors {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO author (author, region, minute) VALUES (?1, ?2, ?3)")?
                .execute(params![*author as i64, region.as_str(), minute.0])?;
        }
        for volume in &batch.volumes {
            let minute = Minute::of(volume.at).0;
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO volume (source, service, query, minute, posts) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![volume.source, volume.service, volume.query, minute, volume.posts as i64])?;
        }
        for span in &batch.listening {
            append_span(&transaction, span)?;
        }
        for source in &batch.sources {
            transaction
                .prepare_cached(
                    "INSERT INTO source_state (instance, network, cursor, posts, health) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT DO UPDATE SET cursor = coalesce(excluded.cursor, cursor),
                         posts = posts + excluded.posts,
                         health = json_set(excluded.health,
                             '$.last_success', coalesce(excluded.health ->> 'last_success', health ->> 'last_success'),
                             '$.heard_until', coalesce(excluded.health ->> 'heard_until', health ->> 'heard_until'))",
                )?
                .execute(params![source.instance, source.network, source.cursor, source.posts as i64, source.health])?;
        }
        append_intake(&transaction, &batch.sources)?;
        append_findings(&transaction, batch)?;
        alerts::write(&transaction, &batch.alerts)?;
        if let Some(minute) = batch.closed_through {
            sql::set_meta(&transaction, "closed_through", &minute.0.to_string())?;
        }
        if let Some(now) = batch.now {
            sql::set_meta(&transaction, "now", &now.timestamp_millis().to_string())?;
        }
        if let (Some(body), Some(clock)) = (&batch.snapshot, batch.closed_through) {
            transaction.execute(
                "INSERT OR REPLACE INTO snapshot (id, version, seq, clock, body)
                 VALUES (1, ?1, (SELECT coalesce(max(seq), 0) FROM mention), ?2, ?3)",
                params![SNAPSHOT_VERSION, clock.0, body],
            )?;
        }
        if let Some(forget) = &batch.forget {
            poorer.append(&mut forget_old(&transaction, forget)?);
        }
        for id in &poorer {
            transaction
                .prepare_cached(
                    "UPDATE incident SET revision = (SELECT max(revision) + 1 FROM incident) WHERE id = ?1",
                )?
                .execute([id])?;
        }
        transaction.commit()?;
        Ok(poorer)
    }
}

fn append_mentions(transaction: &Transaction, mentions: &[(Option<Minute>, Mention)]) -> Result<(), StoreError> {
    let mut touched = BTreeSet::new();
    let mut insert = transaction.prepare_cached(
        "INSERT INTO mention (clock, post, at, minute, service, source, region, tally, symptoms, surfaces, stage,
             author, print, quotable)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?;
    for (clock, mention) in mentions {
        insert.execute(params![
            clock.map_or(i64::MIN, |minute| minute.0),
            mention.key.0,
            mention.at.timestamp_millis(),
            mention.minute().0,
            mention.service.as_str(),
            mention.source,
            mention.region.as_str(),
            mention.tally.as_str(),
            sql::join(&mention.symptoms),
            sql::join(&mention.surfaces),
            mention.stage.map(Stage::as_str),
            mention.author as i64,
            mention.print as i64,
            mention.quotable,
        ])?;
        touched.insert((&mention.service, mention.minute()));
    }
    for (service, minute) in touched {
        recount(transaction, service, minute)?;
    }
    Ok(())
}

/// Counts a minute anew from its mentions, so that no order of arrival can make a difference.
fn recount(transaction: &Transaction, service: &ServiceId, minute: Minute) -> Result<(), StoreError> {
    let mentions = sql::mentions_of(transaction, service, minute)?;
    let mut replace = transaction.prepare_cached(
        "INSERT OR REPLACE INTO bucket (service, region, source, tally, minute, posts, authors)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for ((region, tally, source), (posts, people)) in count_people(&mentions) {
        let values = params![
            service.as_str(),
            region.as_str(),
            source,
            Tally::as_str(tally),
            minute.0,
            posts as i64,
            people as i64
        ];
        replace.execute(values)?;
    }
    Ok(())
}

fn append_quotes(transaction: &Transaction, quotes: &[NewQuote]) -> Result<(), StoreError> {
    let mut insert = transaction.prepare_cached(
        "INSERT OR IGNORE INTO quote (post, minute, source, reference, text, lang, author)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for quote in quotes {
        let (minute, author) = (Minute::of(quote.at).0, quote.author as i64);
        insert.execute(params![quote.key.0, minute, quote.source, quote.reference, quote.text, quote.lang, author])?;
    }
    Ok(())
}

/// Deletes the words of what was taken back or changed, and gives the incidents that named it as evidence.
fn delete_posts(transaction: &Transaction, batch: &Append) -> Result<BTreeSet<String>, StoreError> {
    let mut poorer = BTreeSet::new();
    for key in &batch.unquoted {
        poorer.append(&mut forget_quotes(transaction, "post = ?1", params![key.0])?);
    }
    for (key, text) in &batch.edited {
        poorer.append(&mut forget_quotes(transaction, "post = ?1 AND text IS NOT ?2", params![key.0, text])?);
    }
    for author in &batch.left {
        poorer.append(&mut forget_quotes(transaction, "author = ?1", params![*author as i64])?);
    }
    for (key, minute) in &batch.deleted {
        transaction
            .prepare_cached("INSERT OR IGNORE INTO tombstone (post, minute) VALUES (?1, ?2)")?
            .execute(params![key.0, minute.0])?;
        poorer.append(&mut forget_quotes(transaction, "post = ?1", params![key.0])?);
    }
    Ok(poorer)
}

/// Deletes quotes, and gives the incidents that named them as evidence.
fn forget_quotes(
    transaction: &Transaction,
    condition: &str,
    values: impl rusqlite::Params,
) -> Result<BTreeSet<String>, StoreError> {
    let delete = format!("DELETE FROM quote WHERE {condition} RETURNING post, evidence");
    let mut delete = transaction.prepare_cached(&delete)?;
    let gone = delete.query_map(values, |row| Ok((sql::key(row, 0)?, row.get::<_, bool>(1)?)))?;
    let gone: Vec<(KeyHash, bool)> = gone.collect::<Result<_, _>>()?;
    let mut citing = transaction.prepare_cached("SELECT id FROM incident WHERE instr(body, ?1)")?;
    let mut poorer = BTreeSet::new();
    for (key, _) in gone.iter().filter(|(_, evidence)| *evidence) {
        let ids = citing.query_map([key.to_string()], |row| row.get(0))?;
        poorer.extend(ids.collect::<Result<Vec<String>, _>>()?);
    }
    Ok(poorer)
}

/// Lengthens the span before it where the two touch, so that a stream heard for days is one row.
fn append_span(transaction: &Transaction, span: &ListeningSpan) -> Result<(), StoreError> {
    let longer = transaction
        .prepare_cached(
            "UPDATE listening SET until_second = max(until_second, ?4)
             WHERE instance = ?1 AND heard = ?2 AND from_second = (
                 SELECT max(from_second) FROM listening WHERE instance = ?1 AND heard = ?2 AND from_second <= ?3)
             AND until_second >= ?3",
        )?
        .execute(params![span.instance, span.heard, span.from, span.until])?;
    if longer == 0 {
        transaction
            .prepare_cached(
                "INSERT INTO listening (network, instance, heard, from_second, until_second, why)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![span.network, span.instance, span.heard, span.from, span.until, span.why])?;
    }
    Ok(())
}

fn append_intake(transaction: &Transaction, sources: &[SourceState]) -> Result<(), StoreError> {
    let mut volume = transaction.prepare_cached(
        "INSERT INTO intake (instance, minute, posts) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET posts = posts + excluded.posts",
    )?;
    let mut age = transaction.prepare_cached(
        "INSERT INTO age (instance, hour, bound, posts) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET posts = posts + excluded.posts",
    )?;
    for source in sources {
        for (minute, posts) in &source.brought.volume {
            volume.execute(params![source.instance, minute.0, *posts as i64])?;
        }
        for ((hour, bound), posts) in &source.brought.ages {
            age.execute(params![source.instance, hour, bound, *posts as i64])?;
        }
    }
    Ok(())
}

fn append_findings(transaction: &Transaction, batch: &Append) -> Result<(), StoreError> {
    for row in &batch.expected {
        transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO expected (service, region, minute, mean, dispersion) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![row.service.as_str(), row.region.as_str(), row.from.0, row.mean, row.dispersion])?;
    }
    for spike in &batch.spikes {
        transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO spike
                     (service, region, from_minute, until_minute, observed, expected, score, incident, echo_of)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                spike.service.as_str(),
                spike.region.as_str(),
                spike.from.0,
                spike.until.0,
                spike.observed as i64,
                spike.expected,
                spike.score,
                spike.incident,
                spike.echo_of,
            ])?;
    }
    let mut mark = transaction.prepare_cached("UPDATE quote SET evidence = 1 WHERE post = ?1")?;
    for incident in &batch.incidents {
        let body = serde_json::to_string(incident).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        // An end that is not sure yet is none.
        let until = incident.end.filter(|_| incident.state == State::Resolved).map(|end| end.high.timestamp());
        transaction
            .prepare_cached(
                "INSERT INTO incident (id, service, from_second, until_second, body, revision)
                 VALUES (?1, ?2, ?3, ?4, ?5, (SELECT coalesce(max(revision), 0) + 1 FROM incident))
                 ON CONFLICT (id) DO UPDATE SET service = excluded.service, from_second = excluded.from_second,
                     until_second = excluded.until_second, body = excluded.body, revision = excluded.revision
                 WHERE body <> excluded.body",
            )?
            .execute(params![incident.id, incident.service.as_str(), incident.start.low.timestamp(), until, body])?;
        for key in incident.evidence() {
            mark.execute([key.0])?;
        }
    }
    Ok(())
}

fn forget_old(transaction: &Transaction, forget: &Forget) -> Result<BTreeSet<String>, StoreError> {
    for table in ["mention", "tombstone", "copy", "author"] {
        let statement = format!("DELETE FROM {table} WHERE minute < ?1");
        transaction.prepare_cached(&statement)?.execute([forget.keys_before.0])?;
    }
    transaction.prepare_cached("DELETE FROM intake WHERE minute < ?1")?.execute([forget.quoted_before.0])?;
    transaction
        .prepare_cached("DELETE FROM age WHERE hour < ?1")?
        .execute([forget.keys_before.0.div_euclid(Minute::HOUR)])?;
    transaction
        .prepare_cached("DELETE FROM alert WHERE due < ?1 AND sent IS NOT NULL")?
        .execute([forget.quoted_before.start().timestamp()])?;
    forget_quotes(transaction, "minute < ?1 AND evidence = 0", params![forget.unquoted_before.0])?;
    forget_quotes(transaction, "minute < ?1", params![forget.quoted_before.0])
}
