//! Answers queries. Opens the database read-only, beside the one writer.

use super::sql;
use super::{Stamp, StoreError, connect, schema_version};
use crate::answer::{CountRow, Health, IncidentFile, Quote, SeriesPoint, ServiceStatus, Spike, Status, SymptomHour};
use crate::clock;
use crate::count::{KeyHash, Tally};
use crate::detect::band;
use crate::incident::{Incident, State};
use crate::minute::Minute;
use crate::post::Volume;
use crate::reading::{Kind, ServiceId};
use crate::region::Region;
use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use std::collections::BTreeMap;
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
}

impl Filter {
    fn service(&self) -> Option<&str> {
        self.service.as_ref().map(ServiceId::as_str)
    }

    fn takes(&self, region: Region) -> bool {
        self.region.is_none_or(|wanted| wanted.contains(region))
    }

    fn since_minute(&self) -> i64 {
        self.since.map_or(i64::MIN, |since| Minute::of(since).0)
    }

    fn until_minute(&self) -> i64 {
        self.until.map_or(i64::MAX, |until| Minute::of(until).0)
    }
}

/// A read-only view of a database.
pub struct Reader {
    pub(super) connection: Connection,
    pub stamp: Stamp,
}

impl Reader {
    pub fn open(path: &Path) -> Result<Reader, StoreError> {
        if !path.exists() {
            return Err(StoreError::Missing(path.to_owned()));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = connect(path, flags)?;
        if schema_version(&connection, path)? == 0 {
            return Err(StoreError::Foreign { path: path.to_owned(), why: "it is empty".into() });
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

    /// Incidents, newest first.
    pub fn incidents(&self, filter: &Filter) -> Result<Vec<Incident>, StoreError> {
        let mut found = Vec::new();
        for incident in self.raw_incidents(filter)? {
            if filter.limit.is_some_and(|limit| found.len() >= limit) {
                break;
            }
            found.push(self.with_references(incident)?);
        }
        Ok(found)
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

    fn raw_incidents(&self, filter: &Filter) -> Result<Vec<Incident<KeyHash>>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT body FROM incident
             WHERE (?1 IS NULL OR service = ?1) AND (until_second IS NULL OR until_second >= ?2) AND from_second < ?3
             ORDER BY from_second DESC, id",
        )?;
        let since = filter.since.map_or(i64::MIN, |since| since.timestamp());
        let until = filter.until.map_or(i64::MAX, |until| until.timestamp());
        let mut rows = statement.query(params![filter.service(), since, until])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let incident = sql::incident(row)?;
            let open = incident.state != State::Resolved && incident.retracted_at.is_none();
            let there = incident.regions.iter().any(|impact| filter.takes(impact.region));
            if (open || !filter.open) && there {
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
        for mention in mentions.iter().filter(|mention| mention.tally == Tally::Report) {
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
            now,
            incident: self.with_references(raw)?,
        }))
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
        let mut statement = self.connection.prepare_cached(
            "SELECT from_minute, until_minute, service, region, observed, expected, score, incident FROM spike
             WHERE (?1 IS NULL OR service = ?1) AND until_minute > ?2 AND from_minute < ?3
             ORDER BY from_minute DESC, service, region",
        )?;
        let mut rows = statement.query(params![filter.service(), filter.since_minute(), filter.until_minute()])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let region: Region = sql::parse(&row.get::<_, String>(3)?)?;
            if !filter.takes(region) {
                continue;
            }
            if filter.limit.is_some_and(|limit| found.len() >= limit) {
                break;
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
            });
        }
        Ok(found)
    }

    /// Counts of reports with their expected band, in steps of `step` minutes that begin at multiples of it.
    pub fn series(
        &self,
        service: &ServiceId,
        region: Region,
        since: DateTime<Utc>,
        until: DateTime<Utc>,
        step: i64,
    ) -> Result<Vec<SeriesPoint>, StoreError> {
        let step = step.max(1);
        let first = Minute(Minute::of(since).0.div_euclid(step) * step);
        let end = Minute::of(until);
        let observed = self.observed(service, region, first, end)?;
        let expected = self.expected(service, region, first, end)?;
        let exposure = self.exposure()?;
        let incidents = self.raw_incidents(&Filter {
            service: Some(service.clone()),
            region: Some(region),
            since: Some(first.start()),
            until: Some(end.start()),
            ..Filter::default()
        })?;
        let mut points = Vec::new();
        let mut from = first;
        while from < end {
            let minutes: Vec<Minute> = (0..step).map(|offset| from + offset).collect();
            let heard: Vec<f64> = minutes.iter().map(|minute| exposure.any(*minute)).collect();
            let mean: f64 = minutes.iter().zip(&heard).map(|(minute, heard)| expected.at(*minute).0 * heard).sum();
            let (low, high) = band(mean, expected.at(from).1);
            let until = (from + step).start();
            let during = |incident: &&Incident<KeyHash>| {
                incident.retracted_at.is_none()
                    && incident.start.estimate < until
                    && incident.end.is_none_or(|end| end.estimate >= from.start())
            };
            points.push(SeriesPoint {
                at: from.start(),
                observed: observed.range(from..from + step).map(|(_, count)| count).sum(),
                expected: mean,
                low,
                high,
                heard: heard.iter().sum::<f64>() / step as f64,
                incident: incidents.iter().find(during).map(|incident| incident.id.clone()),
            });
            from = from + step;
        }
        Ok(points)
    }

    fn observed(
        &self,
        service: &ServiceId,
        region: Region,
        from: Minute,
        until: Minute,
    ) -> Result<BTreeMap<Minute, u64>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT minute, sum(authors) FROM bucket
             WHERE service = ?1 AND region = ?2 AND tally = 'report' AND minute >= ?3 AND minute < ?4 GROUP BY minute",
        )?;
        let rows = statement.query_map(params![service.as_str(), region.as_str(), from.0, until.0], |row| {
            Ok((Minute(row.get(0)?), row.get::<_, i64>(1)? as u64))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn expected(
        &self,
        service: &ServiceId,
        region: Region,
        from: Minute,
        until: Minute,
    ) -> Result<Expectations, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT minute, mean, dispersion FROM expected WHERE service = ?1 AND region = ?2 AND minute < ?4
             AND minute >= (SELECT coalesce(max(minute), ?3) FROM expected
                 WHERE service = ?1 AND region = ?2 AND minute <= ?3)",
        )?;
        let rows = statement.query_map(params![service.as_str(), region.as_str(), from.0, until.0], |row| {
            Ok((Minute(row.get(0)?), (row.get(1)?, row.get(2)?)))
        })?;
        Ok(Expectations(rows.collect::<Result<_, _>>()?))
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

/// The steps of an expectation: what holds from each minute on.
struct Expectations(BTreeMap<Minute, (f64, f64)>);

impl Expectations {
    /// Mean and dispersion at a minute; nothing is expected before anything was learnt.
    fn at(&self, minute: Minute) -> (f64, f64) {
        self.0.range(..=minute).next_back().map_or((0.0, 1.0), |(_, expected)| *expected)
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
