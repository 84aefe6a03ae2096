//! Networks that are searched for words: each query is read from its newest post back to where it was read to before.
//! How far such a reading got is stored page by page, so that a job that is killed goes on where it was.

use super::http::Key;
use super::keyed::Given;
use super::limits::jittered;
use super::spending::{Micros, Spending, Spent};
use super::{ConfigError, Cursor, Found, Page, Reply, Request, RequestKind, Source, SourceError, seconds};
use crate::post::{Event, LATENESS};
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{StatusCode, Url};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often a network is asked, and how far back.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pace {
    /// The least time between two requests.
    #[serde(rename = "spacing_seconds", deserialize_with = "seconds")]
    pub spacing: Duration,
    /// How soon a query is asked again. ±20%.
    #[serde(rename = "every_seconds", deserialize_with = "seconds")]
    pub every: Duration,
    /// A network may find a post late: what is so young at the least is read again.
    #[serde(rename = "overlap_seconds", deserialize_with = "seconds")]
    pub overlap: Duration,
    /// How far back the first start reads, and the longest absence that is read up.
    pub backfill_hours: u16,
    /// Pages of one query that are read at once at the most.
    pub pages: u32,
}

/// What posts cost, and may cost in a day.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    pub dollars_a_day: Micros,
    pub dollars_a_post: Micros,
}

/// What is asked of a network.
pub struct Ask<'a> {
    pub query: &'a str,
    /// Nothing older is needed.
    pub since: DateTime<Utc>,
    /// What the page before said of this one.
    pub page: Option<&'a str>,
    /// No more posts than this may come, where the network can be told.
    pub limit: usize,
}

/// A page of posts, newest first.
pub struct Results {
    /// Posts, and those that were taken back; none for one that cannot be understood.
    pub items: Vec<Option<Event>>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
}

/// How a network is asked, and how it answers.
pub trait Network: Send {
    /// The `source` of its posts.
    fn name(&self) -> &'static str;

    /// The fewest and the most posts that a page can be told to hold.
    fn page(&self) -> (usize, usize);

    fn url(&self, ask: &Ask<'_>) -> Url;

    fn key(&self) -> Option<Key>;

    /// # Errors
    /// When the whole page cannot be understood: why.
    fn read(&mut self, body: &[u8]) -> Result<Results, String>;

    /// Whether a list of several pages ends only where nothing is older. One that is cut after so many posts does not.
    fn lists_all(&self) -> bool {
        true
    }

    /// Whether what it finds is what all people write. Until that is known, nothing counts as heard.
    fn proven(&self) -> bool {
        true
    }
}

/// A network as a source.
pub struct Searcher<N> {
    name: String,
    network: N,
    pace: Pace,
    queries: Vec<Query>,
    /// The query of the last request.
    asked: usize,
    heard_until: Option<DateTime<Utc>>,
    price: Option<Price>,
    spending: Spending,
}

struct Query {
    words: String,
    /// Without one it is asked first.
    due: Option<DateTime<Utc>>,
    /// What was written up to here has been read.
    read_until: Option<DateTime<Utc>>,
    round: Option<Round>,
}

/// A query that is being read, page by page.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Round {
    /// When its first page was asked for.
    began: Option<DateTime<Utc>>,
    /// What is older has been read before, or is not wanted.
    from: DateTime<Utc>,
    /// The page that comes next, if it is not the first.
    page: Option<String>,
    pages: u32,
    /// The oldest post so far.
    oldest: Option<DateTime<Utc>>,
    /// Whether the page that comes next has failed once.
    #[serde(skip)]
    failed: bool,
}

/// What is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    heard_until: Option<DateTime<Utc>>,
    read: BTreeMap<String, DateTime<Utc>>,
    /// Those that are not read back yet as far as is wanted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    begun: BTreeMap<String, Round>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spent: Option<Spent>,
}

impl<N: Network> Searcher<N> {
    /// # Errors
    /// A stored cursor that is not one.
    pub fn new(
        name: &str,
        network: N,
        pace: &Pace,
        price: Option<Price>,
        queries: Vec<String>,
        given: &Given<'_>,
    ) -> Result<Searcher<N>, ConfigError> {
        let stored: Option<Stored> = stored(name, given.cursors)?;
        let floor = given.now - TimeDelta::hours(i64::from(pace.backfill_hours));
        let query = |words: String| {
            let read_until = stored.as_ref().and_then(|stored| stored.read.get(&words).copied());
            let round = stored.as_ref().and_then(|stored| stored.begun.get(&words).cloned());
            // One from before all that is read up would bring nothing.
            let round = round.filter(|round| round.began.is_some_and(|began| began > floor));
            // First what was begun or never read, then what was read longest ago.
            let due = read_until.filter(|_| round.is_none()).map(|until| until.min(given.now));
            Query { words, due, read_until, round }
        };
        Ok(Searcher {
            name: name.to_owned(),
            network,
            pace: pace.clone(),
            queries: queries.into_iter().map(query).collect(),
            asked: 0,
            heard_until: stored.as_ref().and_then(|stored| stored.heard_until),
            price,
            spending: Spending::new(
                price.map_or(Micros::default(), |price| price.dollars_a_day),
                stored.and_then(|stored| stored.spent),
            ),
        })
    }

    pub fn network(&self) -> &N {
        &self.network
    }

    pub fn network_mut(&mut self) -> &mut N {
        &mut self.network
    }

    /// How many posts the next page may bring, and from when on that many can be paid.
    fn afford(&self, now: DateTime<Utc>) -> (usize, DateTime<Utc>) {
        let (fewest, most) = self.network.page();
        let Some(price) = self.price.filter(|price| price.dollars_a_post.0 > 0) else { return (most, now) };
        let left = usize::try_from(self.spending.left(now) / price.dollars_a_post.0).unwrap_or(most);
        if left >= fewest { (left.min(most), now) } else { (fewest, self.spending.renewed(now)) }
    }

    fn cost(&self, posts: usize) -> u64 {
        self.price.map_or(0, |price| price.dollars_a_post.0.saturating_mul(posts as u64))
    }

    fn read_page(&mut self, page: &Page, now: DateTime<Utc>, found: &mut Found) -> Result<(), String> {
        if page.status != StatusCode::OK {
            return Err(format!("status {}", page.status));
        }
        let read = self.network.read(&page.body);
        // An answer that is not understood may have cost what it could.
        let results = read.inspect_err(|_| self.spending.keep())?;
        self.spending.settle(self.cost(results.items.len()));
        let overlap = self.overlap();
        let Some(query) = self.queries.get_mut(self.asked) else { return Ok(()) };
        let mut round = query.round.take().unwrap_or_default();
        let began = *round.began.get_or_insert(page.asked_at);
        round.failed = false;
        let behind = query.read_until.is_none_or(|until| page.asked_at - until > LATENESS);
        found.seen += results.items.len() as u64;
        let ended = results.items.is_empty() || results.next.is_none();
        let mut reached = ended && (round.pages == 0 || self.network.lists_all());
        for item in results.items {
            match item {
                Some(Event::Post(mut post)) => {
                    round.oldest = Some(round.oldest.map_or(post.created_at, |oldest| oldest.min(post.created_at)));
                    if post.created_at < round.from - overlap {
                        reached = true;
                        continue;
                    }
                    // What is read up counts as arrived when it was written; what is read as it comes, now.
                    post.observed_at = (!behind || post.created_at > now).then_some(now);
                    found.events.push(Event::Post(post));
                }
                Some(other) => found.events.push(other),
                None => found.odd += 1,
            }
        }
        round.pages += 1;
        if !reached && !ended && round.pages < self.pace.pages {
            round.page = results.next;
            query.round = Some(round);
            query.due = Some(now);
            return Ok(());
        }
        let oldest = round.oldest.unwrap_or(began);
        if !reached && oldest > round.from {
            let why = format!("more posts for `{}` than {} pages", query.words, round.pages);
            // What was read before is not read once more, and may have been found late.
            let from = if query.read_until.is_some() { round.from - overlap } else { round.from };
            // Some networks tell whole seconds: others of the oldest one's may not have been reached.
            found.lose(&self.name, from, oldest + TimeDelta::seconds(1), why);
        }
        query.read_until = Some(began);
        query.rest(now, self.pace.every);
        Ok(())
    }

    /// Says how far all queries are read, if that is further than before.
    fn hear(&mut self, now: DateTime<Utc>, found: &mut Found) {
        let read = self.queries.iter().map(|query| query.read_until).min().flatten();
        let Some(until) = read else { return };
        found.caught_up = now - until < LATENESS;
        if !self.network.proven() {
            return;
        }
        let floor = now - self.backfill();
        let from = self.heard_until.unwrap_or(floor).max(floor);
        if until > from {
            if let Some(before) = self.heard_until.filter(|before| *before < floor) {
                found.lose(&self.name, before - self.overlap(), floor, "off for longer than is read up".to_owned());
            }
            found.hear(from, until);
            self.heard_until = Some(until);
        }
    }

    fn overlap(&self) -> TimeDelta {
        TimeDelta::from_std(self.pace.overlap).unwrap_or_default()
    }

    fn backfill(&self) -> TimeDelta {
        TimeDelta::hours(i64::from(self.pace.backfill_hours))
    }
}

impl Query {
    /// Lets the others go first.
    fn rest(&mut self, now: DateTime<Utc>, every: Duration) {
        self.due = Some(now + TimeDelta::from_std(jittered(every)).unwrap_or_default());
    }
}

/// What is stored of a source.
///
/// # Errors
/// What is no cursor.
pub fn stored<T: for<'de> Deserialize<'de>>(
    name: &str,
    cursors: &BTreeMap<String, Cursor>,
) -> Result<Option<T>, ConfigError> {
    let bad = |error: serde_json::Error| ConfigError::BadCursor { name: name.to_owned(), cause: error.to_string() };
    cursors.get(name).map(|cursor| serde_json::from_str(&cursor.0).map_err(bad)).transpose()
}

impl<N: Network> Source for Searcher<N> {
    fn name(&self) -> &str {
        &self.name
    }

    fn network(&self) -> &'static str {
        self.network.name()
    }

    fn spacing(&self) -> Duration {
        self.pace.spacing
    }

    fn next(&mut self, now: DateTime<Utc>) -> Request {
        let dues = self.queries.iter().map(|query| query.due).enumerate();
        let (at, due) = dues.min_by_key(|(_, due)| *due).unwrap_or((0, None));
        let (limit, affordable) = self.afford(now);
        let (floor, overlap) = (now - self.backfill(), self.overlap());
        let due = due.unwrap_or(now).max(affordable);
        self.asked = at;
        self.spending.reserve(self.cost(limit), due);
        let ask = self.queries.get_mut(at).map(|query| {
            let from = query.read_until.unwrap_or(floor).max(floor);
            let round = query.round.get_or_insert(Round { from, ..Round::default() });
            round.from = round.from.max(floor);
            Ask { query: &query.words, since: round.from - overlap, page: round.page.as_deref(), limit }
        });
        let ask = ask.unwrap_or(Ask { query: "", since: floor, page: None, limit });
        Request { url: self.network.url(&ask), at: due, kind: RequestKind::Page }
    }

    fn key(&self) -> Option<Key> {
        self.network.key()
    }

    fn spends(&self) -> bool {
        self.price.is_some()
    }

    fn read(&mut self, reply: Reply<'_>, now: DateTime<Utc>, found: &mut Found) -> Result<(), SourceError> {
        let name = self.name.clone();
        let malformed = |cause: String| SourceError::Malformed { host: name, cause };
        let Reply::Page(page) = reply else { return Err(malformed("a frame".to_owned())) };
        self.read_page(page, now, found).map_err(malformed)?;
        self.hear(now, found);
        Ok(())
    }

    fn failed(&mut self, now: DateTime<Utc>) {
        self.spending.settle(0);
        if let Some(query) = self.queries.get_mut(self.asked) {
            // A page that fails twice may be none any more: then from the newest post again.
            query.round = query.round.take().filter(|round| round.page.is_some() && !round.failed);
            if let Some(round) = &mut query.round {
                round.failed = true;
            }
            query.rest(now, self.pace.every);
        }
    }

    fn cursor(&self) -> Option<Cursor> {
        let read = self.queries.iter().filter_map(|query| Some((query.words.clone(), query.read_until?)));
        let round = |query: &Query| query.round.clone().filter(|round| round.page.is_some());
        let begun = self.queries.iter().filter_map(|query| Some((query.words.clone(), round(query)?)));
        let spent = self.price.map(|_| self.spending.spent());
        let stored = Stored { heard_until: self.heard_until, read: read.collect(), begun: begun.collect(), spent };
        if stored.read.is_empty() && stored.begun.is_empty() && stored.spent.is_none() {
            return None;
        }
        serde_json::to_string(&stored).ok().map(Cursor)
    }
}
