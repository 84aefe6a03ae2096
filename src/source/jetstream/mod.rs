//! Bluesky's posts as they are written, from Jetstream: a WebSocket of JSON frames that resumes from a time in
//! microseconds. <https://github.com/bluesky-social/jetstream>
//!
//! There are two versions. Each server is asked first for the dictionary with which version 2 packs its frames: one that
//! has it is read by version 2, any other by version 1, which all of them speak. Version 2 numbers its events too, but
//! its numbers hold for one server alone. Both resume from the time at which a server saw an event, which the others saw
//! at nearly the same time; so one cursor serves all servers and both versions.

mod frame;

use super::http::MESSAGE_LIMIT;
use super::{
    ConfigError, Cursor, Found, Page, Reply, Request, RequestKind, Source, SourceError, host_of, profiles, seconds,
};
use crate::post::{AuthorKey, Event};
use chrono::{DateTime, TimeDelta, Utc};
use frame::{Frame, What, instant};
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;
use zstd::bulk::Decompressor;
use zstd::zstd_safe::get_dict_id;

const NETWORK: &str = "bluesky";
const POSTS: &str = "app.bsky.feed.post";
/// Where Bridgy Fed's copies belong.
const BRIDGED: &str = "mastodon";
/// Where version 2 gives its dictionary, and where the streams are.
const DICTIONARY: &str = "/xrpc/network.bsky.jetstream.getZstdDictionary";
const STREAM_2: &str = "/xrpc/network.bsky.jetstream.subscribeEvents";
const STREAM_1: &str = "/subscribe";
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
    servers: Vec<Server>,
    /// Counts on with every failure; which server it means is its rest.
    turn: usize,
    silence: Duration,
    backfill: TimeDelta,
    spacing: Duration,
    /// Whether Mastodon is listened to as well, so that its posts that are bridged here are its own.
    bridged: bool,
    /// The latest event read, on the servers' clock.
    read_to: Option<DateTime<Utc>>,
    /// The server no longer holds what the cursor asked for.
    outdated: bool,
}

struct Server {
    /// Without a path.
    base: Url,
    speaks: Speaks,
    /// A frame has come of the stream that was opened last.
    answered: bool,
}

/// The version that a server is read by.
enum Speaks {
    Unknown,
    One,
    /// With what unpacks its frames, and the number of that.
    Two(Decompressor<'static>, u32),
}

impl Jetstream {
    pub(super) fn new(
        config: &Config,
        bridged: bool,
        cursors: &BTreeMap<String, Cursor>,
    ) -> Result<Jetstream, ConfigError> {
        let server = |server: &String| Ok(Server { base: endpoint(server)?, speaks: Speaks::Unknown, answered: false });
        let servers = config.servers.iter().map(server).collect::<Result<Vec<_>, _>>()?;
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
            outdated: false,
        })
    }

    fn server(&mut self) -> &mut Server {
        // `new` refuses an empty list, and a remainder lies within it.
        let at = self.turn % self.servers.len();
        &mut self.servers[at]
    }

    /// Moves on to an event's time, and says what lies between.
    fn hear(&mut self, time: DateTime<Utc>, found: &mut Found) {
        let last = self.read_to.unwrap_or(time);
        let outdated = std::mem::take(&mut self.outdated) && time > last;
        if outdated || (time - last).to_std().is_ok_and(|quiet| quiet > self.silence) {
            // The stream stalled, or the cursor was older than what the server keeps: only version 2 says so.
            found.lose(NETWORK, last, time, "no events of this time were to be had".to_owned());
        }
        let until = last.max(time);
        found.hear(last, until);
        self.read_to = Some(until);
    }

    /// The dictionary of version 2; whatever else a server answers, it is read by version 1.
    fn read_dictionary(&mut self, page: &Page) {
        let known = page.status == StatusCode::OK;
        let number = get_dict_id(&page.body).filter(|_| known);
        let unpacks = number.and_then(|number| Some((Decompressor::with_dictionary(&page.body).ok()?, number.get())));
        self.server().speaks = unpacks.map_or(Speaks::One, |(unpacks, number)| Speaks::Two(unpacks, number));
    }

    fn read_frame(&mut self, text: &str, now: DateTime<Utc>, found: &mut Found) -> Result<(), SourceError> {
        let host = host_of(&self.server().base);
        let malformed = |cause: String| SourceError::Malformed { host: host.clone(), cause };
        let (at, did, what) = match Frame::parse(text).map_err(malformed)? {
            Frame::Event { at, did, what } => (at, did, what),
            Frame::Outdated => {
                self.outdated = true;
                return Ok(());
            }
            Frame::Notice => return Ok(()),
            Frame::Error(cause) => return Err(SourceError::Closed { host, cause }),
        };
        if at > now + AHEAD {
            return Err(malformed(format!("the time {at} is not one")));
        }
        self.server().answered = true;
        self.hear(at, found);
        found.caught_up = self.read_to.is_some_and(|read_to| now - read_to < LIVE_WITHIN);
        match what {
            What::Commit(commit) if commit.collection == POSTS => {
                found.seen += u64::from(commit.operation != "delete");
                match commit.event(&did, at, self.bridged) {
                    Some(event) => found.events.push(event),
                    None => found.odd += 1,
                }
            }
            What::Gone => {
                let gone = |source: &str| Event::Left(AuthorKey { source: source.to_owned(), author: did.clone() });
                found.events.push(gone(NETWORK));
                found.events.extend(self.bridged.then(|| gone(BRIDGED)));
            }
            What::Commit(_) | What::Other => {}
        }
        Ok(())
    }
}

/// `jetstream1.example.org` → `wss://jetstream1.example.org/`
fn endpoint(server: &str) -> Result<Url, ConfigError> {
    let text = if server.contains("://") { server.to_owned() } else { format!("wss://{server}") };
    let bad = || ConfigError::NotAServer { value: server.to_owned() };
    let mut url = Url::parse(&text).map_err(|_| bad())?;
    if !matches!(url.scheme(), "ws" | "wss") || url.host_str().is_none() {
        return Err(bad());
    }
    url.set_path("");
    url.set_query(None);
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
        self.outdated = false;
        let from = self.read_to.map_or(now - self.backfill, |time| time - REWIND);
        let silence = self.silence;
        let server = self.server();
        server.answered = false;
        let mut url = server.base.clone();
        let (path, collections, dictionary) = match &server.speaks {
            Speaks::Unknown => {
                let scheme = if url.scheme() == "ws" { "http" } else { "https" };
                // Both are schemes of the same kind, so the one can take the other's place.
                let _ = url.set_scheme(scheme);
                url.set_path(DICTIONARY);
                return Request { url, at: now, kind: RequestKind::Page };
            }
            Speaks::One => (STREAM_1, "wantedCollections", None),
            Speaks::Two(_, number) => (STREAM_2, "collections", Some(*number)),
        };
        url.set_path(path);
        let mut query = url.query_pairs_mut();
        query.append_pair(collections, POSTS);
        // Else one post that is too long to be read would end the stream each time that it is read up to it.
        query.append_pair("maxMessageSizeBytes", &MESSAGE_LIMIT.to_string());
        if let Some(number) = dictionary {
            query.append_pair("zstdDictionary", &number.to_string());
        }
        query.append_pair("cursor", &from.timestamp_micros().to_string());
        drop(query);
        Request { url, at: now, kind: RequestKind::Stream { silence } }
    }

    fn unpack(&mut self, frame: &[u8]) -> Option<String> {
        let Speaks::Two(unpacks, _) = &mut self.server().speaks else { return None };
        String::from_utf8(unpacks.decompress(frame, MESSAGE_LIMIT).ok()?).ok()
    }

    fn read(&mut self, reply: Reply<'_>, now: DateTime<Utc>, found: &mut Found) -> Result<(), SourceError> {
        match reply {
            Reply::Page(page) => self.read_dictionary(page),
            Reply::Frame(text) => self.read_frame(text, now, found)?,
        }
        Ok(())
    }

    fn failed(&mut self, _now: DateTime<Utc>) {
        let server = self.server();
        match server.speaks {
            // It would not even tell: the older version, which asks for less.
            Speaks::Unknown => server.speaks = Speaks::One,
            // A stream that brought nothing may be of a version, or a dictionary, that the server has given up.
            _ if !server.answered => server.speaks = Speaks::Unknown,
            _ => {}
        }
        self.turn = self.turn.wrapping_add(1);
    }

    fn cursor(&self) -> Option<Cursor> {
        Some(Cursor(self.read_to?.timestamp_micros().to_string()))
    }
}
