//! Answers queries. Opens the database read-only, beside the one writer; only an older schema is brought up to date first.

use super::schema::{self, MIGRATIONS, schema_version};
use super::sql;
use super::{Mark, Stamp, StoreError, connect};
use crate::answer::{CountRow, Health, IncidentFile, Named, Quote, ServiceStatus, Spike, Status, SymptomHour};
use crate::clock;
use crate::count::{KeyHash, Tally};
use crate::incident::{Incident, State};
use crate::minute::Minute;
use crate::post::Volume;
use crate::reading::{Kind, ServiceId};
use crate::region::Region;
use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params, params_from_iter};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

/// The share of what usually reports that must have been heard for silence to mean that all is well.
const HEARD: f64 = 0.5;

/// Which rows are asked for. Times select what overlaps `[since, until)`; a region takes in its parts.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub service: Option<ServiceId>,
    pub region: Option<Region>,
    pub since: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
    /// Only what lasts still.
    pub open: bool,
    pub limit: Option<usize>,
    /// Only what comes after it in the order of the list.
    pub after: Option<Mark>,
}

impl Filter {
    fn service(&self) -> Option<&str> {
        self.service.as_ref().map(ServiceId::as_str)
    }

    fn takes(&self, region: Region) -> bool {
        self.region.is_none_or(|wanted| wanted.contains(region))
    }

    fn full(&self, found: usize) -> bool {
        self.limit.is_some_and(|limit| found >= limit)
    }

    fn since_minute(&self) -> i64 {
        self.since.map_or(i64::MIN, |since| Minute::of(since).0)
    }

    fn until_minute(&self) -> i64 {
        self.until.map_or(i64::MAX, |until| Minute::of(until).0)
    }
}

/// The conditions that a filter asks for, and no others, so that each question finds its index.
#[derive(Default)]
struct Asked {
    conditions: String,
    values: Vec<Value>,
}

impl Asked {
    fn when(&mut self, condition: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.only("");
            self.and(condition, value);
        }
    }

    /// A condition without a value.
    fn only(&mut self, condition: &str) {
        self.conditions.push_str(if self.conditions.is_empty() { "WHERE " } else { " AND " });
        self.conditions.push_str(condition);
    }

    /// Goes on with the last condition.
    fn and(&mut self, condition: &str, value: impl Into<Value>) {
        self.conditions.push_str(condition);
        self.values.push(value.into());
    }
}

/// A read-only view of a database.
pub struct Reader {
    pub(super) connection: Connection,
    pub stamp: Stamp,
}

impl Reader {
    /// Opens a database. One that an older program left is brought up to date first, if no job has it.
    pub fn open(path: &Path) -> Result<Reader, StoreError> {
        if !path.exists() {
            return Err(StoreError::Missing(path.to_owned()));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = connect(path, flags)?;
        match schema_version(&connection, path)? {
            0 => return Err(StoreError::Foreign { path: path.to_owned(), why: "it is empty".into() }),
            version if version < MIGRATIONS.len() => schema::upgrade(path, version)?,
            _ => {}
        }
        let stamp = sql::meta(&connection, "stamp")?.ok_or_else(|| StoreError::Corrupt("no stamp".into()))?;
        Ok(Reader { stamp: sql::parse(&stamp)?, connection })
    }

    /// The wall clock where a job feeds the database, the last post's time where it was replayed.
    pub fn now(&self) -> Result<DateTime<Utc>, StoreError> {
        match self.stamp {
            Stamp::Live => Ok(clock::now()),
            Stamp::Replayed => Ok(sql::meta_number(&self.connection, "now")?
                .and_then(DateTime::from_timestamp_millis)
                .unwrap_or_else(clock::now)),
        }
    }

    /// When the last minute ended that was counted and judged: the job's clock.
    pub fn clock(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        Ok(sql::meta_number(&self.connection, "closed_through")?.map(|minute| Minute(minute).close()))
    }

    /// Reports about a service in `[from, until)`, all over the world: distinct people, summed over the minutes.
    pub fn reports(&self, service: &ServiceId, from: Minute, until: Minute) -> Result<u64, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT coalesce(sum(authors), 0) FROM bucket
             WHERE service = ?1 AND region = 'world' AND tally = 'report' AND minute >= ?2 AND minute < ?3",
        )?;
        Ok(statement.query_row(params![service.as_str(), from.0, until.0], |row| row.get::<_, i64>(0))? as u64)
    }

    /// Messages to receivers of alerts that are not sent yet.
    pub fn alerts_waiting(&self) -> Result<u64, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT count(*) FROM alert WHERE sent IS NULL")?;
        Ok(statement.query_row([], |row| row.get::<_, i64>(0))? as u64)
    }

    /// Incidents, newest first.
    pub fn incidents(&self, filter: &Filter) -> Result<Vec<Incident>, StoreError> {
        self.raw_incidents(filter)?.into_iter().map(|incident| self.with_references(incident)).collect()
    }

    /// One incident by its id.
    pub fn incident(&self, id: &str) -> Result<Option<Incident>, StoreError> {
        self.raw_incident(id)?.map(|incident| self.with_references(incident)).transpose()
    }

    /// The number of the last change to any incident.
    pub fn revision(&self) -> Result<i64, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT coalesce(max(revision), 0) FROM incident")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }

    /// The incidents whose last change is after `revision`, in the order of these changes, each with its number. Where
    /// they are more than `limit`, the last ones.
    pub fn changed_since(&self, revision: i64, limit: usize) -> Result<Vec<(i64, Incident)>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT body, revision FROM incident WHERE revision > ?1 ORDER BY revision DESC LIMIT ?2",
        )?;
        let mut rows = statement.query(params![revision, limit as i64])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push((row.get(1)?, self.with_references(sql::incident(row)?)?));
        }
        found.reverse();
        Ok(found)
    }

    fn raw_incident(&self, id: &str) -> Result<Option<Incident<KeyHash>>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT body FROM incident WHERE id = ?1")?;
        let mut rows = statement.query([id])?;
        rows.next()?.map(sql::incident).transpose()
    }

    pub(super) fn raw_incidents(&self, filter: &Filter) -> Result<Vec<Incident<KeyHash>>, StoreError> {
        let mut asked = Asked::default();
        asked.when("service = ?", filter.service().map(str::to_owned));
        // Written as in the index of ends, so that it is used. Of one service's few, its own index is better.
        let end = match filter.service() {
            Some(_) => "coalesce(until_second, 9223372036854775807) >= ?",
            None => "id IN (SELECT id FROM incident WHERE coalesce(until_second, 9223372036854775807) >= ?)",
        };
        asked.when(end, filter.since.map(|since| since.timestamp()));
        asked.when("from_second < ?", filter.until.map(|until| until.timestamp()));
        if filter.open {
            asked.only("body ->> 'state' <> 'resolved' AND body ->> 'retracted_at' IS NULL");
        }
        if let Some(mark) = &filter.after {
            asked.when("(-from_second, id) > (-?", Some(mark.time));
            asked.and(", ?)", mark.name.clone());
        }
        let query = format!("SELECT body FROM incident {} ORDER BY from_second DESC, id", asked.conditions);
        let mut statement = self.connection.prepare_cached(&query)?;
        let mut rows = statement.query(params_from_iter(asked.values))?;
        let mut found = Vec::new();
        while !filter.full(found.len())
            && let Some(row) = rows.next()?
        {
            let incident = sql::incident(row)?;
            if incident.regions.iter().any(|impact| filter.takes(impact.region)) {
                found.push(incident);
            }
        }
        Ok(found)
    }

    /// Names the posts by their links. Those that were taken back, or whose retention is over, are left out.
    fn with_references(&self, incident: Incident<KeyHash>) -> Result<Incident, StoreError> {
        let mut references = BTreeMap::new();
        let mut statement = self.connection.prepare_cached("SELECT reference FROM quote WHERE post = ?1")?;
        for key in incident.evidence() {
            if let Some(reference) = statement.query_row([key.0], |row| row.get::<_, String>(0)).optional()? {
                references.insert(*key, reference);
            }
        }
        Ok(incident.map_evidence(|key| references.get(key).cloned()))
    }

    /// Everything that the timeline of an incident is written from.
    pub fn incident_file(&self, id: &str) -> Result<Option<IncidentFile>, StoreError> {
        let Some(raw) = self.raw_incident(id)? else { return Ok(None) };
        let now = self.now()?;
        let from = Minute::of(raw.start.low) - Minute::HOUR;
        let until = Minute::of(raw.end.map_or(now, |end| now.min(end.high + TimeDelta::hours(1)))) + 1;
        let step = ((until - from) / 96 / 5 + 1) * 5;
        let mentions = sql::mentions_between(&self.connection, &raw.service, from, until)?;
        let mut symptoms: BTreeMap<_, u64> = BTreeMap::new();
        let mut named = Named::default();
        let lasted = raw.start.low..raw.end.map_or(now, |end| end.high);
        for mention in mentions.iter().filter(|mention| mention.tally == Tally::Report) {
            if lasted.contains(&mention.at) {
                named.symptoms += mention.symptoms.len() as u64;
                named.surfaces += mention.surfaces.len() as u64;
            }
            let hour = Minute(mention.minute().0.div_euclid(Minute::HOUR) * Minute::HOUR);
            for symptom in &mention.symptoms {
                *symptoms.entry((hour, *symptom)).or_default() += 1;
            }
        }
        let mut quotes = Vec::new();
        for key in raw.evidence() {
            let region = mentions.iter().find(|mention| mention.key == *key);
            quotes.extend(self.quote(*key, region.map_or(Region::WORLD, |mention| mention.region), &mentions)?);
        }
        Ok(Some(IncidentFile {
            course: self.series(&raw.service, Region::WORLD, from.start(), until.start(), step)?,
            quotes,
            symptoms_by_hour: symptoms
                .into_iter()
                .map(|((hour, symptom), reports)| SymptomHour { at: hour.start(), symptom, reports })
                .collect(),
            named,
            echoes: self.echoes(&raw, lasted)?,
            now,
            incident: self.with_references(raw)?,
        }))
    }

    /// What other services were accused of while an incident lasted, and that it explains; the earliest first.
    fn echoes(&self, incident: &Incident<KeyHash>, lasted: Range<DateTime<Utc>>) -> Result<Vec<Spike>, StoreError> {
        let mut spikes =
            self.spikes(&Filter { since: Some(lasted.start), until: Some(lasted.end), ..Filter::default() })?;
        spikes.retain(|spike| spike.echo_of.as_ref() == Some(&incident.id));
        spikes.reverse();
        Ok(spikes)
    }

    fn quote(
        &self,
        key: KeyHash,
        region: Region,
        mentions: &[crate::count::Mention],
    ) -> Result<Option<Quote>, StoreError> {
        let mention = mentions.iter().find(|mention| mention.key == key);
        let kind = match mention.map(|mention| mention.tally) {
            Some(Tally::Recovery) => Kind::Recovery,
            Some(Tally::Official) => Kind::Official,
            Some(Tally::Echo) => Kind::Echo,
            _ => Kind::Report,
        };
        let mut statement = self
            .connection
            .prepare_cached("SELECT source, reference, text, lang, minute FROM quote WHERE post = ?1")?;
        let row = statement.query_row([key.0], |row| {
            Ok(Quote {
                source: row.get(0)?,
                reference: row.get(1)?,
                text: row.get(2)?,
                lang: row.get(3)?,
                at: mention.map_or(Minute(row.get(4)?).start(), |mention| mention.at),
                kind,
                region,
            })
        });
        Ok(row.optional()?)
    }

    /// Alerts, in the order in which they are due.
    pub fn alerts(&self) -> Result<Vec<crate::alert::Row>, StoreError> {
        super::alerts::read(&self.connection)
    }

    /// Spikes, newest first.
    pub fn spikes(&self, filter: &Filter) -> Result<Vec<Spike>, StoreError> {
        let mut asked = Asked::default();
        asked.when("service = ?", filter.service().map(str::to_owned));
        asked.when(
            "(service, region, from_minute) IN (SELECT service, region, from_minute FROM spike WHERE until_minute > ?)",
            filter.since.map(|since| Minute::of(since).0),
        );
        asked.when("from_minute < ?", filter.until.map(|until| Minute::of(until).0));
        if let Some(mark) = &filter.after {
            let (service, region) = mark.name.split_once('.').unwrap_or((&mark.name, ""));
            asked.when("(-from_minute, service, region) > (-?", Some(mark.time));
            asked.and(", ?", service.to_owned());
            asked.and(", ?)", region.to_owned());
        }
        let query = format!(
            "SELECT from_minute, until_minute, service, region, observed, expected, score, incident, echo_of FROM spike
             {} ORDER BY from_minute DESC, service, region",
            asked.conditions
        );
        let mut statement = self.connection.prepare_cached(&query)?;
        let mut rows = statement.query(params_from_iter(asked.values))?;
        let mut found = Vec::new();
        while !filter.full(found.len())
            && let Some(row) = rows.next()?
        {
            let region: Region = sql::parse(&row.get::<_, String>(3)?)?;
            if !filter.takes(region) {
                continue;
            }
            found.push(Spike {
                at: Minute(row.get(0)?).start(),
                until: Minute(row.get(1)?).start(),
                service: ServiceId::new(&row.get::<_, String>(2)?),
                region,
                observed: row.get::<_, i64>(4)? as u64,
                expected: row.get(5)?,
                score: row.get(6)?,
                incident: row.get(7)?,
                echo_of: row.get(8)?,
            });
        }
        Ok(found)
    }

    /// What is down at a time, for the services named.
    pub fn status(&self, services: &[ServiceId], at: Option<DateTime<Utc>>) -> Result<Status, StoreError> {
        let at = match at {
            Some(at) => at,
            None => self.now()?,
        };
        let heard = self.heard_lately(at)? >= HEARD;
        let around = Filter { since: Some(at), until: Some(at + TimeDelta::seconds(1)), ..Filter::default() };
        let incidents = self.raw_incidents(&around)?;
        let statuses = services.iter().map(|service| {
            let current = incidents.iter().find(|incident| {
                incident.service == *service
                    && incident.retracted_at.is_none()
                    && incident.start.estimate <= at
                    // An end that is not sure yet is a recovery.
                    && (incident.state != State::Resolved || incident.end.is_none_or(|end| at < end.estimate))
            });
            match current {
                Some(incident) => down(incident, at),
                None => ServiceStatus {
                    service: service.clone(),
                    state: if heard { Health::Up } else { Health::Unknown },
                    since: None,
                    regions: Vec::new(),
                    incident: None,
                },
            }
        });
        Ok(Status { at, services: statuses.collect() })
    }

    /// Counts of posts that nobody read, in the order of time.
    pub fn volumes(&self, filter: &Filter) -> Result<Vec<Volume>, StoreError> {
        let mut statement = self.connection.prepare(
            "SELECT minute, service, source, query, posts FROM volume
             WHERE (?1 IS NULL OR service = ?1) AND minute >= ?2 AND minute < ?3
             ORDER BY minute, service, source, query",
        )?;
        let rows =
            statement.query_map(params![filter.service(), filter.since_minute(), filter.until_minute()], |row| {
                Ok(Volume {
                    at: Minute(row.get(0)?).start(),
                    service: row.get(1)?,
                    source: row.get(2)?,
                    query: row.get(3)?,
                    posts: row.get::<_, i64>(4)? as u64,
                })
            })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Every bucket of the counter, in the order of time, given to `give` one by one.
    pub fn counts(
        &self,
        filter: &Filter,
        give: &mut dyn FnMut(CountRow) -> std::io::Result<()>,
    ) -> Result<std::io::Result<()>, StoreError> {
        let mut statement = self.connection.prepare(
            "SELECT minute, service, region, source, tally, posts, authors FROM bucket
             WHERE (?1 IS NULL OR service = ?1) AND minute >= ?2 AND minute < ?3
             ORDER BY minute, service, region, source, tally",
        )?;
        let mut rows = statement.query(params![filter.service(), filter.since_minute(), filter.until_minute()])?;
        while let Some(row) = rows.next()? {
            let region: Region = sql::parse(&row.get::<_, String>(2)?)?;
            if !filter.takes(region) {
                continue;
            }
            let given = give(CountRow {
                at: Minute(row.get(0)?).start(),
                service: ServiceId::new(&row.get::<_, String>(1)?),
                region,
                source: row.get(3)?,
                kind: row.get(4)?,
                posts: row.get::<_, i64>(5)? as u64,
                authors: row.get::<_, i64>(6)? as u64,
            });
            if given.is_err() {
                return Ok(given);
            }
        }
        Ok(Ok(()))
    }
}

fn down(incident: &Incident<KeyHash>, at: DateTime<Utc>) -> ServiceStatus {
    let mut state = Health::Down;
    let mut since = incident.start.estimate;
    for entry in incident.phases.iter().filter(|entry| entry.at <= at) {
        let next = match entry.phase {
            crate::incident::Phase::PartialRecovery | crate::incident::Phase::Recovery => Health::Recovering,
            crate::incident::Phase::Onset | crate::incident::Phase::Relapse => Health::Down,
            crate::incident::Phase::Acknowledged | crate::incident::Phase::Resolved => continue,
        };
        if next != state {
            (state, since) = (next, entry.at);
        }
    }
    let ended = incident.end.filter(|end| end.estimate <= at);
    if let Some(end) = ended {
        (state, since) = (Health::Recovering, end.estimate);
    }
    let lasting = |impact: &&crate::incident::RegionalImpact| {
        impact.start.estimate <= at && (ended.is_some() || impact.end.is_none_or(|end| at < end.estimate))
    };
    let mut affected: Vec<_> = incident.regions.iter().filter(lasting).collect();
    affected.sort_by_key(|impact| (std::cmp::Reverse(impact.reports), impact.region));
    ServiceStatus {
        service: incident.service.clone(),
        state,
        since: Some(since),
        regions: affected.into_iter().map(|impact| impact.region).collect(),
        incident: Some(incident.id.clone()),
    }
}
