//! Public posts under the catalogue's hashtags, from the timelines of a Mastodon instance.
//! <https://docs.joinmastodon.org/methods/timelines/#tag>

mod group;
mod status;
pub mod stream;

use super::{
    ConfigError, Cursor, Found, Page, Reply, Request, RequestKind, Source, SourceError, Span, endpoint, host_of,
    seconds,
};
use crate::post::{Event, LATENESS};
use chrono::{DateTime, TimeDelta, Utc};
use group::{Back, Group, Id, Place};
use reqwest::{StatusCode, Url};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use status::Status;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const NETWORK: &str = "mastodon";
/// A timeline takes one hashtag and up to four more in `any[]`.
const TAGS_PER_REQUEST: usize = 5;
/// The largest page that is given.
const PAGE: usize = 40;

/// The section `[sources.mastodon]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub enabled: bool,
    /// Instances whose hashtag timelines are public, as hosts or URLs.
    pub instances: Vec<String>,
    /// Hashtags to follow besides the catalogue's.
    pub hashtags: Vec<String>,
    /// The least time between two requests to one instance.
    #[serde(rename = "spacing_seconds", deserialize_with = "seconds")]
    pub spacing: Duration,
    /// How soon a hashtag is asked for again while it brings posts, and at the most. ±20%.
    #[serde(rename = "fast_seconds", deserialize_with = "seconds")]
    pub fast: Duration,
    #[serde(rename = "slow_seconds", deserialize_with = "seconds")]
    pub slow: Duration,
    /// Posts that reach an instance late are filed where they were written. What is so old at the least is
    /// read again, so often.
    #[serde(rename = "overlap_seconds", deserialize_with = "seconds")]
    pub overlap: Duration,
    /// How far back the first start reads, and the longest absence that is read up.
    pub backfill_hours: u16,
    /// Pages of one timeline that a backfill reads at the most.
    pub backfill_pages: u32,
}

/// The source `mastodon:<instance>`.
pub struct Mastodon {
    name: String,
    base: Url,
    /// What is appended to the names of the instance's own accounts.
    domain: String,
    config: Config,
    /// Whether Bluesky is listened to as well, so that its posts that are bridged here are its own.
    bridged: bool,
    rules: Rules,
    groups: Vec<Group>,
    /// The group that the last request was for; none for the instance's rules.
    asked: Option<usize>,
    /// Up to where all groups are read, as last said.
    heard_until: Option<DateTime<Utc>>,
    /// A span that was lost before this start, to be told with the first batch.
    lost: Option<Span>,
}

/// What an instance shows to strangers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rules {
    Unknown,
    All,
    /// Only posts written on the instance itself.
    Local,
}

/// What is stored: how far each group of hashtags is read.
#[derive(Serialize, Deserialize)]
struct Stored {
    heard_until: Option<DateTime<Utc>>,
    groups: Vec<(Vec<String>, Place)>,
    /// Those that are not read back yet as far as is wanted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    begun: Vec<(Vec<String>, Back)>,
}

impl Mastodon {
    pub(super) fn new(
        config: &Config,
        instance: &str,
        hashtags: &[String],
        bridged: bool,
        cursors: &BTreeMap<String, Cursor>,
        now: DateTime<Utc>,
    ) -> Result<Mastodon, ConfigError> {
        let base = endpoint(instance)?;
        let name = format!("{NETWORK}:{}", host_of(&base));
        let stored: Option<Stored> = match cursors.get(&name) {
            Some(cursor) => Some(
                serde_json::from_str(&cursor.0)
                    .map_err(|error| ConfigError::BadCursor { name: name.clone(), cause: error.to_string() })?,
            ),
            None => None,
        };
        let oldest = now - TimeDelta::hours(i64::from(config.backfill_hours));
        let mut heard_until = stored.as_ref().and_then(|stored| stored.heard_until);
        let lost = heard_until.filter(|until| *until < oldest).map(|until| (until, oldest));
        let mut places: BTreeMap<String, Place> = BTreeMap::new();
        let mut begun = Vec::new();
        if lost.is_some() {
            heard_until = None;
        } else if let Some(stored) = stored {
            begun = stored.begun;
            for (tags, place) in stored.groups {
                places.extend(tags.into_iter().map(|tag| (tag, place.clone())));
            }
        }
        let tags: BTreeSet<String> =
            hashtags.iter().chain(&config.hashtags).map(|tag| tag.trim_start_matches('#').to_lowercase()).collect();
        let tags: Vec<String> = tags.into_iter().filter(|tag| !tag.is_empty()).collect();
        if tags.is_empty() {
            return Err(ConfigError::NoHashtags);
        }
        let groups =
            tags.chunks(TAGS_PER_REQUEST).map(|tags| Group::new(tags, &places, &begun, now, oldest, config.slow));
        Ok(Mastodon {
            domain: base.host_str().unwrap_or_default().to_owned(),
            groups: groups.collect(),
            name,
            base,
            config: config.clone(),
            bridged,
            rules: Rules::Unknown,
            asked: None,
            heard_until,
            lost,
        })
    }

    /// `/api/v2/instance`: whether hashtags are shown to strangers (said since Mastodon 4.5), and the domain.
    fn read_rules(&mut self, page: &Page) -> Result<(), SourceError> {
        let answer: Value = serde_json::from_slice(&page.body).unwrap_or_default();
        if let Some(domain) = instance_domain(&answer) {
            domain.clone_into(&mut self.domain);
        }
        let access = &answer["configuration"]["timelines_access"]["hashtag_feeds"];
        let open = |feed: &str| access[feed].as_str().is_none_or(|access| access == "public");
        self.rules = match (open("local"), open("remote")) {
            (true, true) => Rules::All,
            (true, false) => Rules::Local,
            (false, _) => {
                return Err(SourceError::Refused {
                    host: host_of(&self.base),
                    status: page.status,
                    hint: "its rules show hashtags to its own people only; take it off `sources.mastodon.instances`",
                });
            }
        };
        Ok(())
    }

    fn read_timeline(
        &mut self,
        at: usize,
        page: &Page,
        now: DateTime<Utc>,
        found: &mut Found,
    ) -> Result<(), SourceError> {
        let host = host_of(&self.base);
        let items: Vec<Value> = match page.status {
            // Some say so of a hashtag that nobody has used there yet.
            StatusCode::NOT_FOUND => Vec::new(),
            StatusCode::OK => serde_json::from_slice(&page.body)
                .map_err(|error| SourceError::Malformed { host, cause: error.to_string() })?,
            status => return Err(SourceError::Malformed { host, cause: format!("status {status}") }),
        };
        let Some(group) = self.groups.get_mut(at) else { return Ok(()) };
        let behind = group.read_until().is_none_or(|until| page.asked_at - until > LATENESS);
        let oldest = group.oldest();
        let full = items.len() >= PAGE;
        let mut entries: Vec<(Id, DateTime<Utc>)> = Vec::with_capacity(items.len());
        for item in items {
            found.seen += 1;
            match Status::deserialize(item) {
                Ok(status) => {
                    entries.push((status.id.clone(), status.created_at));
                    if status.created_at < oldest {
                        continue;
                    }
                    // What is read up counts as arrived when it was written; what is read as it comes, now.
                    let observed_at = (!behind || status.created_at > now).then_some(now);
                    found.events.extend(status.post(&self.domain, observed_at, self.bridged).map(Event::Post));
                }
                Err(_) => found.odd += 1,
            }
        }
        let lost = group.turn_page(&entries, full, page.asked_at, now, &self.config);
        if let Some((from, until)) = lost {
            let why = format!("more posts under {} than {} pages", group.tags().join(", "), self.config.backfill_pages);
            found.lose(&self.name, from, until, why);
        }
        Ok(())
    }

    /// Says how far all groups are read, if that is further than before.
    fn hear(&mut self, now: DateTime<Utc>, found: &mut Found) {
        let read = self.groups.iter().map(Group::read_until).min().flatten();
        if let Some(until) = read {
            let oldest = self.groups.iter().map(Group::oldest).max().unwrap_or(until);
            let from = self.heard_until.unwrap_or(oldest);
            if until > from {
                found.hear(from, until);
                self.heard_until = Some(until);
            }
            found.caught_up = now - until < LATENESS;
        }
    }
}

/// What an instance appends to the names of its own accounts.
fn instance_domain(answer: &Value) -> Option<&str> {
    answer["domain"].as_str().filter(|domain| !domain.is_empty())
}

impl Source for Mastodon {
    fn name(&self) -> &str {
        &self.name
    }

    fn network(&self) -> &'static str {
        NETWORK
    }

    fn spacing(&self) -> Duration {
        self.config.spacing
    }

    fn next(&mut self, now: DateTime<Utc>) -> Request {
        let mut url = self.base.clone();
        self.asked = group::most_urgent(&self.groups, now).filter(|_| self.rules != Rules::Unknown);
        let Some(group) = self.asked.and_then(|at| self.groups.get(at)) else {
            url.set_path("/api/v2/instance");
            return Request { url, at: now, kind: RequestKind::Page };
        };
        group.ask(&mut url);
        url.query_pairs_mut().append_pair("limit", &PAGE.to_string());
        if self.rules == Rules::Local {
            url.query_pairs_mut().append_pair("local", "true");
        }
        Request { url, at: group.due(), kind: RequestKind::Page }
    }

    fn read(&mut self, reply: Reply<'_>, now: DateTime<Utc>, found: &mut Found) -> Result<(), SourceError> {
        let Reply::Page(page) = reply else {
            return Err(SourceError::Malformed { host: host_of(&self.base), cause: "a frame".to_owned() });
        };
        match self.asked {
            None => return self.read_rules(page),
            Some(at) => self.read_timeline(at, page, now, found)?,
        }
        if let Some((from, until)) = self.lost.take() {
            found.lose(&self.name, from, until, "off for longer than is read up".to_owned());
        }
        self.hear(now, found);
        Ok(())
    }

    fn failed(&mut self, now: DateTime<Utc>) {
        if let Some(group) = self.asked.and_then(|at| self.groups.get_mut(at)) {
            group.put_off(now, &self.config);
        }
    }

    fn cursor(&self) -> Option<Cursor> {
        let groups = self.groups.iter().filter_map(|group| Some((group.tags().to_vec(), group.place()?.clone())));
        let begun = self.groups.iter().filter_map(|group| Some((group.tags().to_vec(), group.begun()?.clone())));
        let stored = Stored { heard_until: self.heard_until, groups: groups.collect(), begun: begun.collect() };
        if stored.groups.is_empty() && stored.begun.is_empty() {
            return None;
        }
        serde_json::to_string(&stored).ok().map(Cursor)
    }
}
