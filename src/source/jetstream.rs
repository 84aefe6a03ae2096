//! Bluesky's posts as they are written, from Jetstream: a WebSocket of JSON frames (version 1) that resumes
//! from a time in microseconds. <https://github.com/bluesky-social/jetstream>

use super::{
    ConfigError, Cursor, Found, Reply, Request, RequestKind, Source, SourceError, bridge, host_of, profiles, seconds,
    with_hashtags,
};
use crate::post::{Event, Post, PostKey};
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

const NETWORK: &str = "bluesky";
const POSTS: &str = "app.bsky.feed.post";
/// Read again on resuming: the servers' clocks differ a little, and events of one microsecond may be split.
const REWIND: TimeDelta = TimeDelta::seconds(5);
/// No backlog is left when events come this soon after they happened.
const LIVE_WITHIN: TimeDelta = TimeDelta::seconds(30);
/// A time further ahead than this is a server's mistake; following it would skip everything until then.
const AHEAD: TimeDelta = TimeDelta::hours(1);

/// The section `[sources.bluesky]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub enabled: bool,
    /// Servers, as hosts or `ws(s)://` URLs. The next one is taken when one fails.
    pub servers: Vec<String>,
    /// A stream that sends nothing for so long is opened anew; a stretch of its own clock this long without an
    /// event counts as not heard.
    #[serde(rename = "silence_seconds", deserialize_with = "seconds")]
    pub silence: Duration,
    /// How far back the first start reads. The servers keep about 36 hours.
    pub backfill_hours: u16,
    /// The least time between two connections.
    #[serde(rename = "spacing_seconds", deserialize_with = "seconds")]
    pub spacing: Duration,
    /// Where authors say in their profiles that they are.
    pub profiles: profiles::Config,
}

/// The source `bluesky`.
pub struct Jetstream {
    servers: Vec<Url>,
    /// Counts on with every failure; which server it means is its rest.
    turn: usize,
    silence: Duration,
    backfill: TimeDelta,
    spacing: Duration,
    /// Whether Mastodon is listened to as well, so that its posts that are bridged here are its own.
    bridged: bool,
    /// The latest event read, on the servers' clock.
    read_to: Option<DateTime<Utc>>,
}

impl Jetstream {
    pub(super) fn new(
        config: &Config,
        bridged: bool,
        cursors: &BTreeMap<String, Cursor>,
    ) -> Result<Jetstream, ConfigError> {
        let servers = config.servers.iter().map(|server| endpoint(server)).collect::<Result<Vec<_>, _>>()?;
        if servers.is_empty() {
            return Err(ConfigError::NoServer { key: "sources.bluesky.servers" });
        }
        let read_to = cursors.get(NETWORK).map(|cursor| {
            let bad = |cause: &str| ConfigError::BadCursor { name: NETWORK.to_owned(), cause: cause.to_owned() };
            let micros = cursor.0.parse().map_err(|_| bad("not a number of microseconds"))?;
            instant(micros).ok_or_else(|| bad("not a time"))
        });
        Ok(Jetstream {
            servers,
            turn: 0,
            silence: config.silence,
            backfill: TimeDelta::hours(i64::from(config.backfill_hours)),
            spacing: config.spacing,
            bridged,
            read_to: read_to.transpose()?,
        })
    }

    fn server(&self) -> &Url {
        // `new` refuses an empty list, and a remainder lies within it.
        &self.servers[self.turn % self.servers.len()]
    }

    /// Moves on to an event's time, and says what lies between.
    fn hear(&mut self, time: DateTime<Utc>, found: &mut Found) {
        let last = self.read_to.unwrap_or(time);
        if (time - last).to_std().is_ok_and(|quiet| quiet > self.silence) {
            // The stream stalled, or the cursor was older than what the server keeps and was moved silently.
            found.lose(NETWORK, last, time, "no events of this time were to be had".to_owned());
        }
        let until = last.max(time);
        found.hear(last, until);
        self.read_to = Some(until);
    }
}

/// A time in microseconds since 1970.
fn instant(micros: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros).filter(|time| *time > DateTime::UNIX_EPOCH)
}

/// `jetstream1.example.org` → `wss://jetstream1.example.org/subscribe?wantedCollections=app.bsky.feed.post`
fn endpoint(server: &str) -> Result<Url, ConfigError> {
    let text = if server.contains("://") { server.to_owned() } else { format!("wss://{server}") };
    let bad = || ConfigError::NotAServer { value: server.to_owned() };
    let mut url = Url::parse(&text).map_err(|_| bad())?;
    if !matches!(url.scheme(), "ws" | "wss") || url.host_str().is_none() {
        return Err(bad());
    }
    url.set_path("/subscribe");
    url.query_pairs_mut().clear().append_pair("wantedCollections", POSTS);
    Ok(url)
}

impl Source for Jetstream {
    fn name(&self) -> &str {
        NETWORK
    }

    fn network(&self) -> &'static str {
        NETWORK
    }

    fn spacing(&self) -> Duration {
        self.spacing
    }

    fn next(&mut self, now: DateTime<Utc>) -> Request {
        let mut url = self.server().clone();
        let from = self.read_to.map_or(now - self.backfill, |time| time - REWIND);
        url.query_pairs_mut().append_pair("cursor", &from.timestamp_micros().to_string());
        Request { url, at: now, kind: RequestKind::Stream { silence: self.silence } }
    }

    fn read(&mut self, reply: Reply<'_>, now: DateTime<Utc>, found: &mut Found) -> Result<(), SourceError> {
        let host = host_of(self.server());
        let malformed = |cause: String| SourceError::Malformed { host: host.clone(), cause };
        let Reply::Frame(text) = reply else { return Err(malformed("a page".to_owned())) };
        let frame: Frame = serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
        let time = instant(frame.time_us).filter(|time| *time <= now + AHEAD);
        let time = time.ok_or_else(|| malformed(format!("the time {} is not one", frame.time_us)))?;
        self.hear(time, found);
        found.caught_up = self.read_to.is_some_and(|read_to| now - read_to < LIVE_WITHIN);
        // Other kinds of frames tell of accounts, and that the stream lives.
        if let Some(commit) = frame.commit.filter(|commit| frame.kind == "commit" && commit.collection == POSTS) {
            found.seen += u64::from(commit.operation != "delete");
            match commit.event(&frame.did, time, self.bridged) {
                Some(event) => found.events.push(event),
                None => found.odd += 1,
            }
        }
        Ok(())
    }

    fn failed(&mut self, _now: DateTime<Utc>) {
        self.turn = self.turn.wrapping_add(1);
    }

    fn cursor(&self) -> Option<Cursor> {
        Some(Cursor(self.read_to?.timestamp_micros().to_string()))
    }
}

#[derive(Deserialize)]
struct Frame {
    did: String,
    time_us: i64,
    kind: String,
    commit: Option<Commit>,
}

// What is not a post's own may be of any shape: it is looked at leniently, later.
#[derive(Deserialize)]
struct Commit {
    operation: String,
    collection: String,
    rkey: String,
    #[serde(default)]
    record: Value,
}

impl Commit {
    /// The event, or nothing if it cannot be understood.
    fn event(&self, did: &str, time: DateTime<Utc>, bridged: bool) -> Option<Event> {
        if did.is_empty() || self.rkey.is_empty() {
            return None;
        }
        let id = format!("at://{did}/{POSTS}/{}", self.rkey);
        match self.operation.as_str() {
            "delete" => Some(Event::Deleted(PostKey { source: NETWORK.to_owned(), id })),
            "create" | "update" => {
                let record = &self.record;
                let text = record["text"].as_str()?.to_owned();
                let created_at = record["createdAt"].as_str().and_then(|at| DateTime::parse_from_rfc3339(at).ok());
                let mut post = Post {
                    source: NETWORK.to_owned(),
                    id,
                    created_at: created_at.map_or(time, |at| at.to_utc()),
                    // The relay's clock, so that an event that is read again says the same.
                    observed_at: Some(time),
                    author: did.to_owned(),
                    text: with_hashtags(text, hashtags(record)),
                    lang: record["langs"][0].as_str().map(str::to_owned),
                    url: Some(format!("https://bsky.app/profile/{did}/post/{}", self.rkey)),
                    reply_to: record["reply"]["parent"]["uri"].as_str().map(str::to_owned),
                    ..Post::default()
                };
                let original = record["bridgyOriginalUrl"].as_str().filter(|_| bridged);
                if let Some(original) = original.and_then(bridge::mastodon_original) {
                    bridge::restore(&mut post, original);
                }
                Some(Event::Post(post))
            }
            _ => None,
        }
    }
}

/// The hashtags that a record names beside or within its text.
fn hashtags(record: &Value) -> impl Iterator<Item = &str> {
    let features = list_of(&record["facets"]).flat_map(|facet| list_of(&facet["features"]));
    let tags =
        features.filter(|feature| feature["$type"] == "app.bsky.richtext.facet#tag").map(|feature| &feature["tag"]);
    tags.chain(list_of(&record["tags"])).filter_map(Value::as_str)
}

fn list_of(value: &Value) -> std::slice::Iter<'_, Value> {
    value.as_array().map(Vec::as_slice).unwrap_or_default().iter()
}
