//! What was counted, expected and heard, step by step.

use super::reader::{Filter, Reader};
use super::{StoreError, sql};
use crate::answer::SeriesPoint;
use crate::count::{Exposure, KeyHash};
use crate::detect::band;
use crate::incident::Incident;
use crate::minute::Minute;
use crate::reading::ServiceId;
use crate::region::Region;
use chrono::{DateTime, Utc};
use rusqlite::params;
use std::collections::BTreeMap;

impl Reader {
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
        let exposure = self.exposure_between(first, end)?;
        let incidents = self.raw_incidents(&Filter {
            service: Some(service.clone()),
            region: Some(region),
            since: Some(first.start()),
            until: Some(end.start()),
            ..Filter::default()
        })?;
        let mut points = Vec::new();
        let mut from = first;
        let mut wholly_until = first;
        while from < end {
            let (mut mean, mut heard) = (0.0, 0.0);
            let mut minute = from;
            // In runs of minutes that are alike: a year has half a million of them.
            while minute < from + step {
                let (expected, until) = expected.at(minute);
                if wholly_until <= minute {
                    wholly_until = exposure.wholly_until(minute);
                }
                let (exposed, until) = if wholly_until > minute {
                    (1.0, until.min(wholly_until).min(from + step))
                } else {
                    (exposure.any(minute), minute + 1)
                };
                let length = (until - minute) as f64;
                mean += expected.0 * exposed * length;
                heard += exposed * length;
                minute = until;
            }
            let (low, high) = band(mean, expected.at(from).0.1);
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
                heard: heard / step as f64,
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

    /// What was heard in `[from, until)`.
    pub(super) fn exposure_between(&self, from: Minute, until: Minute) -> Result<Exposure, StoreError> {
        let mut exposure = Exposure::default();
        // One that was silent all the time is silent, not absent.
        let mut statement = self.connection.prepare_cached(
            "SELECT network, instance FROM source_state WHERE EXISTS
                 (SELECT 1 FROM listening WHERE listening.instance = source_state.instance)",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            exposure.expect(row.get(0)?, row.get(1)?);
        }
        for span in sql::listening_between(&self.connection, from.start().timestamp(), until.start().timestamp())? {
            exposure.add(&span);
        }
        Ok(exposure)
    }
}

/// The steps of an expectation: what holds from each minute on.
struct Expectations(BTreeMap<Minute, (f64, f64)>);

impl Expectations {
    /// Mean and dispersion at a minute, and the first minute in which they may be others; nothing is expected before
    /// anything was learnt.
    fn at(&self, minute: Minute) -> ((f64, f64), Minute) {
        let known = self.0.range(..=minute).next_back().map_or((0.0, 1.0), |(_, expected)| *expected);
        let next = self.0.range(minute + 1..).next();
        (known, next.map_or(Minute(i64::MAX), |(minute, _)| *minute))
    }
}
