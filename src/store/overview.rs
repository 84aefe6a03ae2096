//! Answers that look over many services or places at once, for pages.

use super::StoreError;
use super::reader::Reader;
use super::sql;
use crate::answer::Activity;
use crate::minute::Minute;
use crate::reading::ServiceId;
use crate::region::Region;
use chrono::{DateTime, Utc};
use rusqlite::params;

impl Reader {
    /// How many people reported each service all over the world, in steps of `step` minutes that begin at multiples of it.
    pub fn activity(
        &self,
        services: &[ServiceId],
        since: DateTime<Utc>,
        until: DateTime<Utc>,
        step: i64,
    ) -> Result<Activity, StoreError> {
        let step = step.max(1);
        let first = Minute(Minute::of(since).0.div_euclid(step) * step);
        let end = Minute::of(until);
        let steps = ((end - first) + step - 1).div_euclid(step).max(0) as usize;
        let exposure = self.exposure_between(first, end)?;
        let minutes = |at: usize| (0..step).map(move |offset| first + (at as i64 * step + offset));
        let heard = |at: usize| minutes(at).map(|minute| exposure.any(minute)).sum::<f64>() / step as f64;
        let mut statement = self.connection.prepare_cached(
            "SELECT (minute - ?2) / ?4, sum(authors) FROM bucket
             WHERE service = ?1 AND region = 'world' AND tally = 'report' AND minute >= ?2 AND minute < ?3 GROUP BY 1",
        )?;
        let mut observed = Vec::with_capacity(services.len());
        for service in services {
            let mut counts = vec![0; steps];
            let mut rows = statement.query(params![service.as_str(), first.0, end.0, step])?;
            while let Some(row) = rows.next()? {
                if let Some(count) = counts.get_mut(row.get::<_, i64>(0)? as usize) {
                    *count = row.get::<_, i64>(1)? as u64;
                }
            }
            observed.push(counts);
        }
        Ok(Activity { heard: (0..steps).map(heard).collect(), observed })
    }

    /// Where a service was reported from in `[since, until)`: each region with its distinct authors, summed over the
    /// minutes; those with most reports first.
    pub fn places(
        &self,
        service: &ServiceId,
        since: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<(Region, u64)>, StoreError> {
        // One step down the index for each region, instead of reading all that was ever counted.
        let mut statement = self.connection.prepare_cached(
            "WITH RECURSIVE place(region) AS (
                 SELECT min(region) FROM bucket WHERE service = ?1
                 UNION ALL
                 SELECT (SELECT min(region) FROM bucket WHERE service = ?1 AND region > place.region) FROM place
                 WHERE place.region IS NOT NULL)
             SELECT region, (SELECT sum(authors) FROM bucket WHERE service = ?1 AND bucket.region = place.region
                 AND tally = 'report' AND minute >= ?2 AND minute < ?3) AS authors FROM place
             WHERE region IS NOT NULL AND authors > 0 ORDER BY authors DESC, region",
        )?;
        let mut rows = statement.query(params![service.as_str(), Minute::of(since).0, Minute::of(until).0])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push((sql::parse(&row.get::<_, String>(0)?)?, row.get::<_, i64>(1)? as u64));
        }
        Ok(found)
    }
}
