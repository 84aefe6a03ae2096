//! Answers how sources fare, and how much of them was heard.

use super::{Reader, StoreError, sql};
use crate::answer::{ExposureRow, GapAnswer, Promptness, SourceAnswer};
use crate::count::Listening;
use crate::intake::OLDER;
use crate::minute::Minute;
use crate::post::LATENESS;
use chrono::{DateTime, Utc};
use rusqlite::params;
use std::collections::BTreeMap;

impl Reader {
    /// The share of what usually reports that was heard in the minutes within the lateness bound before `at`, 0..1:
    /// each network counts by what was counted of it in the last week.
    pub(super) fn heard_lately(&self, at: DateTime<Utc>) -> Result<f64, StoreError> {
        let minutes = LATENESS.num_minutes();
        let until = Minute::of(at);
        let exposure = self.exposure_between(until - minutes, until)?;
        let mut statement = self.connection.prepare_cached("SELECT source, count(*) FROM mention GROUP BY source")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))?;
        let mentions: BTreeMap<String, i64> = rows.collect::<Result<_, _>>()?;
        let weight = |network: &str| mentions.get(network).copied().unwrap_or(0) as f64;
        let networks: Vec<&str> = exposure.networks().collect();
        let all: f64 = networks.iter().map(|network| weight(network)).sum();
        let heard = networks.iter().map(|network| {
            let heard = exposure.by_minute(network);
            let share: f64 = (1..=minutes).map(|ago| heard(until - ago)).sum::<f64>() / minutes as f64;
            share * if all > 0.0 { weight(network) / all } else { 1.0 / networks.len() as f64 }
        });
        Ok(heard.sum())
    }

    /// Each source as it stands.
    pub fn sources(&self) -> Result<Vec<SourceAnswer>, StoreError> {
        let now = self.now()?;
        let mut statement = self
            .connection
            .prepare_cached("SELECT instance, cursor, posts, health FROM source_state ORDER BY instance")?;
        let mut rows = statement.query([])?;
        let spans = sql::listening(&self.connection)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let source: String = row.get(0)?;
            let health: crate::source::Health = serde_json::from_str(row.get_ref(3)?.as_str().unwrap_or_default())
                .map_err(|error| StoreError::Corrupt(error.to_string()))?;
            let time = |second: i64| DateTime::from_timestamp(second, 0).unwrap_or_default();
            let own = || spans.iter().filter(|span| span.instance == source);
            let gaps = own().filter(|span| !span.heard).map(|span| GapAnswer {
                from: time(span.from),
                until: time(span.until),
                why: span.why.clone(),
            });
            let mut listening = Listening::default();
            own().for_each(|span| listening.note(span));
            let last_hour = (1..=Minute::HOUR).map(|ago| Minute::of(now) - ago);
            found.push(SourceAnswer {
                lag_seconds: health.heard_until.map(|until| (now - until).num_seconds().max(0)),
                heard_last_hour: last_hour.map(|minute| listening.exposure(minute)).sum::<f64>() / Minute::HOUR as f64,
                posts_last_hour: self.posts_last_hour(&source, now)?,
                promptness: self.promptness(&source, now)?,
                gaps: gaps.collect(),
                cursor: row.get(1)?,
                posts: row.get::<_, i64>(2)? as u64,
                health,
                source,
            });
        }
        Ok(found)
    }

    fn posts_last_hour(&self, source: &str, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT coalesce(sum(posts), 0) FROM intake WHERE instance = ?1 AND minute >= ?2 AND minute < ?3",
        )?;
        let until = Minute::of(now);
        let posts: i64 = statement.query_row(params![source, (until - Minute::HOUR).0, until.0], |row| row.get(0))?;
        Ok(posts as u64)
    }

    /// How old the posts of the last day were when they were read.
    fn promptness(&self, source: &str, now: DateTime<Utc>) -> Result<Option<Promptness>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT bound, sum(posts) FROM age WHERE instance = ?1 AND hour > ?2 GROUP BY bound ORDER BY bound",
        )?;
        let hour = Minute::of(now).0.div_euclid(Minute::HOUR);
        let rows = statement.query_map(params![source, hour - 24], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))?;
        let ages: Vec<(i64, i64)> = rows.collect::<Result<_, _>>()?;
        let posts: i64 = ages.iter().map(|(_, posts)| posts).sum();
        if posts == 0 {
            return Ok(None);
        }
        let mut younger = 0;
        let within: Vec<(i64, f64)> = ages
            .into_iter()
            .map(|(bound, posts_of)| {
                younger += posts_of;
                (bound, younger as f64 / posts as f64)
            })
            .filter(|(bound, _)| *bound != OLDER)
            .collect();
        Ok(Some(Promptness { posts: posts as u64, within }))
    }

    /// The minutes of a time in which each source was heard or brought a post.
    pub fn exposures(
        &self,
        since: Option<DateTime<Utc>>,
        until: DateTime<Utc>,
    ) -> Result<Vec<ExposureRow>, StoreError> {
        let from = since.map_or(i64::MIN, |since| Minute::of(since).0);
        let mut found: BTreeMap<(i64, String), ExposureRow> = BTreeMap::new();
        let row = |minute: i64, source: &str| ExposureRow {
            at: Minute(minute).start(),
            source: source.to_owned(),
            heard: 0.0,
            posts: 0,
        };
        let mut statement = self
            .connection
            .prepare_cached("SELECT instance, minute, posts FROM intake WHERE minute >= ?1 AND minute < ?2")?;
        let mut rows = statement.query(params![from, Minute::of(until).0])?;
        while let Some(stored) = rows.next()? {
            let (source, minute): (String, i64) = (stored.get(0)?, stored.get(1)?);
            found.entry((minute, source.clone())).or_insert_with(|| row(minute, &source)).posts =
                stored.get::<_, i64>(2)? as u64;
        }
        let mut sources: BTreeMap<String, (Listening, i64, i64)> = BTreeMap::new();
        for span in sql::listening(&self.connection)? {
            let (listening, first, last) =
                sources.entry(span.instance.clone()).or_insert_with(|| (Listening::default(), span.from, span.until));
            listening.note(&span);
            (*first, *last) = ((*first).min(span.from), (*last).max(span.until));
        }
        for (source, (listening, first, last)) in sources {
            let first = first.div_euclid(60).max(from);
            for minute in first..=last.div_euclid(60).min(Minute::of(until).0 - 1) {
                found.entry((minute, source.clone())).or_insert_with(|| row(minute, &source)).heard =
                    listening.exposure(Minute(minute));
            }
        }
        Ok(found.into_values().collect())
    }
}
