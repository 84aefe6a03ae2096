//! What Jetstream's frames tell, in either version: `{did, time_us, kind, …}`, and `{"$type":"message","payload":{…}}`.

use super::{NETWORK, POSTS};
use crate::post::{Event, Post, PostKey};
use crate::source::{bridge, with_hashtags};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

/// A frame, whichever version it is of.
pub enum Frame {
    Event {
        /// When the server saw it.
        at: DateTime<Utc>,
        did: String,
        what: What,
    },
    /// The server could not begin where it was asked to.
    Outdated,
    /// Another notice: it says nothing that we need.
    Notice,
    /// The last frame of a stream, which says why.
    Error(String),
}

pub enum What {
    Commit(Commit),
    /// The account was deleted, taken down or put to rest: its posts are not shown any more.
    Gone,
    /// Accounts and servers that change. It tells that the stream lives.
    Other,
}

// What is not a post's own may be of any shape: it is looked at leniently, later.
#[derive(Deserialize)]
pub struct Commit {
    pub operation: String,
    pub collection: String,
    pub rkey: String,
    #[serde(default)]
    record: Value,
}

/// Version 1, and the payload of version 2, which say the same things by other names.
#[derive(Deserialize)]
struct One {
    did: String,
    time_us: i64,
    kind: String,
    commit: Option<Commit>,
    account: Option<Account>,
}

#[derive(Deserialize)]
struct Account {
    active: Option<bool>,
}

#[derive(Deserialize)]
struct Two {
    #[serde(rename = "$type")]
    kind: String,
    payload: Option<Value>,
    error: Option<String>,
    message: Option<String>,
}

#[derive(Deserialize)]
struct Payload {
    did: String,
    /// What a cursor goes by. Older servers have `time` alone, which an operator may have changed.
    #[serde(rename = "witnessedAt")]
    witnessed_at: Option<DateTime<Utc>>,
    time: DateTime<Utc>,
    account: Option<Account>,
}

impl Frame {
    /// # Errors
    /// Why it is no frame.
    pub fn parse(text: &str) -> Result<Frame, String> {
        // The shape tells the version, not what was asked for: a recording is read as well.
        if text.contains("\"$type\":\"message\"") || text.contains("\"$type\":\"error\"") {
            let frame: Two = serde_json::from_str(text).map_err(|error| error.to_string())?;
            if frame.kind == "message" || frame.kind == "error" {
                return frame.read();
            }
        }
        let frame: One = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let at = instant(frame.time_us).ok_or_else(|| format!("the time {} is not one", frame.time_us))?;
        let what = match (frame.kind.as_str(), frame.commit) {
            ("commit", Some(commit)) => What::Commit(commit),
            ("account", _) => Account::what(frame.account),
            _ => What::Other,
        };
        Ok(Frame::Event { at, did: frame.did, what })
    }
}

impl Two {
    fn read(self) -> Result<Frame, String> {
        if self.kind == "error" {
            let words = [self.error, self.message].into_iter().flatten().collect::<Vec<_>>().join(": ");
            return Ok(Frame::Error(words));
        }
        let payload = self.payload.unwrap_or_default();
        let kind =
            payload["$type"].as_str().and_then(|kind| kind.split_once('#')).map_or("", |(_, kind)| kind).to_owned();
        if kind == "info" {
            return Ok(if payload["name"] == "OutdatedCursor" { Frame::Outdated } else { Frame::Notice });
        }
        let payload_of = |error: serde_json::Error| error.to_string();
        let commit = (kind == "commit").then(|| Commit::deserialize(&payload)).transpose().map_err(payload_of)?;
        let event = Payload::deserialize(payload).map_err(payload_of)?;
        let what = match (kind.as_str(), commit) {
            (_, Some(commit)) => What::Commit(commit),
            ("account", _) => Account::what(event.account),
            _ => What::Other,
        };
        Ok(Frame::Event { at: event.witnessed_at.unwrap_or(event.time), did: event.did, what })
    }
}

impl Account {
    fn what(account: Option<Account>) -> What {
        if account.is_some_and(|account| account.active == Some(false)) { What::Gone } else { What::Other }
    }
}

/// A time in microseconds since 1970.
pub fn instant(micros: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros).filter(|time| *time > DateTime::UNIX_EPOCH)
}

impl Commit {
    /// The event, or nothing if it cannot be understood.
    pub fn event(&self, did: &str, time: DateTime<Utc>, bridged: bool) -> Option<Event> {
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
                    edited: self.operation == "update",
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
