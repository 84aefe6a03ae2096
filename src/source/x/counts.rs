//! How many posts match a query, minute by minute, without the posts. They are no reports: nobody read them. They are
//! kept as a series of their own, in which a later count of the same minute replaces the earlier.
//! <https://docs.x.com/x-api/posts/counts/introduction>

use super::{Access, CountsConfig, NETWORK};
use crate::minute::Minute;
use crate::post::{Event, Volume};
use crate::source::http::Key;
use crate::source::keyed::{FAILS, Given};
use crate::source::search::stored;
use crate::source::spending::{Micros, Spending, Spent};
use crate::source::{ConfigError, Cursor, Found, Reply, Request, RequestKind, Source, SourceError, host_of};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use reqwest::{StatusCode, Url};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

pub const NAME: &str = "x:counts";
/// A minute is counted again for so long, since its posts are found late.
const OVERLAP: TimeDelta = TimeDelta::minutes(5);
const DAY: Duration = Duration::from_secs(86_400);

/// The source `x:counts`.
pub struct Counts {
    server: Url,
    key: Key,
    price: Micros,
    /// The time between two requests that spreads the budget over the day.
    every: Duration,
    spacing: Duration,
    backfill: TimeDelta,
    queries: Vec<Query>,
    asked: usize,
    due: DateTime<Utc>,
    spending: Spending,
}

struct Query {
    service: String,
    words: String,
    counted_until: Option<DateTime<Utc>>,
    /// The one that was asked for longest ago comes next.
    asked_at: Option<DateTime<Utc>>,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    counted: BTreeMap<String, DateTime<Utc>>,
    spent: Spent,
}

impl Counts {
    /// `spacing` is that of all requests to X.
    pub(super) fn new(
        config: &CountsConfig,
        spacing: Duration,
        access: Access<'_>,
        given: &Given<'_>,
    ) -> Result<Counts, ConfigError> {
        let stored: Option<Stored> = stored(NAME, given.cursors)?;
        let counted = |id: &str| stored.as_ref().and_then(|stored| stored.counted.get(id).copied());
        let queries = access.services.iter().map(|service| Query {
            service: service.id.clone(),
            words: format!("\"{}\" {FAILS} -is:retweet", service.name.replace('"', "")),
            counted_until: counted(&service.id),
            asked_at: counted(&service.id),
        });
        let requests = config.dollars_a_day.0.checked_div(config.dollars_a_request.0);
        let spread = requests.and_then(|requests| DAY.checked_div(u32::try_from(requests).unwrap_or(u32::MAX)));
        Ok(Counts {
            server: access.server,
            key: Key::Bearer(access.token),
            price: config.dollars_a_request,
            every: spread.unwrap_or(config.every).max(config.every),
            spacing,
            backfill: TimeDelta::hours(i64::from(config.backfill_hours)),
            queries: queries.collect(),
            asked: 0,
            due: given.now,
            spending: Spending::new(config.dollars_a_day, stored.as_ref().map(|stored| stored.spent)),
        })
    }

    fn rest(&mut self, now: DateTime<Utc>) {
        if let Some(query) = self.queries.get_mut(self.asked) {
            query.asked_at = Some(now);
        }
        self.due = now + TimeDelta::from_std(self.every).unwrap_or_default();
    }
}

impl Source for Counts {
    fn name(&self) -> &'static str {
        NAME
    }

    fn network(&self) -> &'static str {
        NETWORK
    }

    fn spacing(&self) -> Duration {
        self.spacing
    }

    fn next(&mut self, now: DateTime<Utc>) -> Request {
        let mut at = self.due.max(now);
        if self.spending.left(at) < self.price.0 {
            at = self.spending.renewed(at);
        }
        self.spending.reserve(self.price.0, at);
        let asked_at = |at: &usize| self.queries.get(*at).and_then(|query| query.asked_at);
        self.asked = (0..self.queries.len()).min_by_key(asked_at).unwrap_or(0);
        let mut url = self.server.clone();
        url.set_path("/2/tweets/counts/recent");
        if let Some(query) = self.queries.get(self.asked) {
            let floor = at - self.backfill;
            let from = query.counted_until.map_or(floor, |until| (until - OVERLAP).max(floor));
            let from = Minute::of(from).start().to_rfc3339_opts(SecondsFormat::Secs, true);
            url.query_pairs_mut()
                .append_pair("query", &query.words)
                .append_pair("granularity", "minute")
                .append_pair("start_time", &from);
        }
        Request { url, at, kind: RequestKind::Page }
    }

    fn key(&self) -> Option<Key> {
        Some(self.key.clone())
    }

    fn spends(&self) -> bool {
        true
    }

    fn read(&mut self, reply: Reply<'_>, now: DateTime<Utc>, found: &mut Found) -> Result<(), SourceError> {
        let host = host_of(&self.server);
        let malformed = |cause: String| SourceError::Malformed { host: host.clone(), cause };
        let Reply::Page(page) = reply else { return Err(malformed("a frame".to_owned())) };
        if page.status != StatusCode::OK {
            return Err(malformed(format!("status {}", page.status)));
        }
        self.spending.keep();
        let answer: Value = serde_json::from_slice(&page.body).map_err(|error| malformed(error.to_string()))?;
        let buckets = answer["data"].as_array().ok_or_else(|| malformed("it holds no counts".to_owned()))?;
        let Some(query) = self.queries.get_mut(self.asked) else { return Ok(()) };
        for bucket in buckets {
            let Ok(bucket) = Bucket::deserialize(bucket) else {
                found.odd += 1;
                continue;
            };
            // The first and the last may be parts of a minute.
            let minute = Minute::of(bucket.start);
            if bucket.start != minute.start() || bucket.end != minute.close() || bucket.end > now {
                continue;
            }
            if let Some(before) = query.counted_until.filter(|before| *before < bucket.start) {
                let why = format!("`{}` was not counted for longer than is read up", query.service);
                found.lose(NAME, before - OVERLAP, bucket.start, why);
            }
            query.counted_until = query.counted_until.max(Some(bucket.end));
            found.events.push(Event::Volume(Volume {
                source: NETWORK.to_owned(),
                service: query.service.clone(),
                query: query.words.clone(),
                at: bucket.start,
                posts: bucket.tweet_count,
            }));
        }
        found.caught_up = true;
        self.rest(now);
        Ok(())
    }

    fn failed(&mut self, now: DateTime<Utc>) {
        self.spending.settle(0);
        self.rest(now);
    }

    fn cursor(&self) -> Option<Cursor> {
        let counted = self.queries.iter().filter_map(|query| Some((query.service.clone(), query.counted_until?)));
        let stored = Stored { counted: counted.collect(), spent: self.spending.spent() };
        serde_json::to_string(&stored).ok().map(Cursor)
    }
}

#[derive(Deserialize)]
struct Bucket {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    tweet_count: u64,
}
