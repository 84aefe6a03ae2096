//! What an ingestor hands over: a public post, a gap in the listening, or a deletion. No I/O.

use crate::reading::{ServiceId, Stage};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// How late a post may arrive and still be put, and scored, where it belongs.
pub const LATENESS: TimeDelta = TimeDelta::minutes(15);

/// How long the keys of posts are kept behind the database's now. An older post cannot be told from
/// one seen before, and is refused.
pub const KEY_RETENTION: TimeDelta = TimeDelta::days(7);

/// The largest part of a post's text that is read, in bytes.
pub const TEXT_LIMIT: usize = 10_000;

/// A public post as a network gave it.
#[expect(clippy::struct_excessive_bools, reason = "each is a field of a recorded line")]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Post {
    /// The network: `bluesky`, `mastodon`, …
    pub source: String,
    /// Global in the network (AT-URI, ActivityPub `uri`), whichever server it was read from.
    pub id: String,
    /// What the author's server claims.
    pub created_at: DateTime<Utc>,
    /// When it was first seen by whoever listened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<DateTime<Utc>>,
    /// Stable in the network: a DID, `user@host`.
    pub author: String,
    pub text: String,
    /// BCP 47, often the account's default and wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<String>,
    /// The author's own words on where they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The id of the post that this one repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repost_of: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub bot: bool,
    /// The author speaks for the service.
    #[serde(default, skip_serializing_if = "is_false")]
    pub official: bool,
    /// What the source states in fields of its own, so that it need not be read out of the words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<Notice>,
    /// The author passes on what others say, as newspapers do: an echo, never a report.
    #[serde(default, skip_serializing_if = "is_false")]
    pub news: bool,
    /// The author opted out of indexing: counted, never quoted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub noindex: bool,
    /// The text is not the first one: the author changed it. A quote of another text of this post goes.
    #[serde(default, skip_serializing_if = "is_false")]
    pub edited: bool,
    /// The id of the copy that was read, where a bridge carried the post from another network. A deletion of the copy
    /// is one of the post.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copied_as: Option<Box<PostKey>>,
}

/// What a source states of a post: a status page of its incidents, a measurement of what it measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What it is about.
    pub services: Vec<ServiceId>,
    /// How far an incident is. Where that is not stated, the words tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_false(value: &bool) -> bool {
    !value
}

/// A post's identity: seen twice, it counts once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PostKey {
    pub source: String,
    pub id: String,
}

/// A person on a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorKey {
    pub source: String,
    pub author: String,
}

/// A time in which a source was not heard: `[from, until)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    pub source: String,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    /// Why, in a few words for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// How many posts of a minute match a query, told without the posts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Volume {
    /// The start of the minute.
    pub at: DateTime<Utc>,
    /// The id of the service that the query asks for.
    pub service: String,
    pub source: String,
    pub query: String,
    pub posts: u64,
}

/// Something that a source or a recording says.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Post(Post),
    Gap(Gap),
    /// The author took the post back.
    Deleted(PostKey),
    /// The account was deleted, taken down or put to rest, and all its posts with it.
    Left(AuthorKey),
    /// Only live: a count of posts that nobody read. The later one of a minute replaces the earlier.
    Volume(Volume),
}

/// Why a line of a recording is not an event.
#[derive(Debug, thiserror::Error)]
pub enum BadLine {
    #[error("not valid UTF-8 at byte {0}")]
    NotText(usize),
    #[error("not a post: {0}")]
    NotAPost(#[from] serde_json::Error),
    #[error("`{0}` is empty")]
    Empty(&'static str),
    #[error("{field} {time} lies {where_}")]
    AbsurdTime { field: &'static str, time: DateTime<Utc>, where_: &'static str },
    #[error("a gap that ends before it begins")]
    BackwardGap,
}

/// No network that is listened to is older.
fn earliest() -> DateTime<Utc> {
    DateTime::from_timestamp(946_684_800, 0).unwrap_or_default() // 2000-01-01
}

impl Post {
    pub fn key(&self) -> PostKey {
        PostKey { source: self.source.clone(), id: self.id.clone() }
    }

    /// When the post reached whoever listened: the clock that a replay goes by.
    pub fn arrived_at(&self) -> DateTime<Utc> {
        self.observed_at.unwrap_or(self.created_at)
    }

    /// When the post was written, as far as that can be believed. A claim later than the post's arrival, or
    /// earlier than any network, is replaced by the arrival.
    pub fn written_at(&self) -> DateTime<Utc> {
        match self.observed_at {
            Some(observed) if self.created_at > observed || self.created_at < earliest() => observed,
            _ => self.created_at,
        }
    }

    /// The part of the text that is read: its first [`TEXT_LIMIT`] bytes, cut at a character.
    pub fn read_text(&self) -> &str {
        let end = (0..=self.text.len().min(TEXT_LIMIT)).rev().find(|end| self.text.is_char_boundary(*end));
        &self.text[..end.unwrap_or(0)]
    }

    /// # Errors
    /// When a required string is empty, or the arrival is before 2000 or after `latest`.
    pub fn validate(&self, latest: DateTime<Utc>) -> Result<(), BadLine> {
        for (field, value) in [("source", &self.source), ("id", &self.id), ("author", &self.author)] {
            if value.is_empty() {
                return Err(BadLine::Empty(field));
            }
        }
        let (field, time) = match self.observed_at {
            Some(time) => ("observed_at", time),
            None => ("created_at", self.created_at),
        };
        if time < earliest() {
            return Err(BadLine::AbsurdTime { field, time, where_: "before any of these networks" });
        }
        if time > latest {
            return Err(BadLine::AbsurdTime { field, time, where_: "in the future" });
        }
        Ok(())
    }
}

impl Event {
    /// Reads one line of a recording: a post object, or `{"gap":{…}}`, `{"deleted":{"source":…,"id":…}}`,
    /// `{"left":{"source":…,"author":…}}`.
    /// Unknown fields are ignored. `latest` is the last time that is believed.
    ///
    /// # Errors
    /// [`BadLine`] says what is wrong with it.
    pub fn parse(line: &[u8], latest: DateTime<Utc>) -> Result<Event, BadLine> {
        #[derive(Deserialize)]
        struct Other {
            gap: Option<Gap>,
            deleted: Option<PostKey>,
            left: Option<AuthorKey>,
        }
        let text = std::str::from_utf8(line).map_err(|error| BadLine::NotText(error.valid_up_to()))?;
        let error = match serde_json::from_str::<Post>(text) {
            Ok(post) => {
                post.validate(latest)?;
                return Ok(Event::Post(post));
            }
            Err(error) => error,
        };
        match serde_json::from_str::<Other>(text) {
            Ok(Other { gap: Some(gap), .. }) if gap.until < gap.from => Err(BadLine::BackwardGap),
            Ok(Other { gap: Some(gap), .. }) => Ok(Event::Gap(gap)),
            Ok(Other { deleted: Some(key), .. }) => Ok(Event::Deleted(key)),
            Ok(Other { left: Some(key), .. }) => Ok(Event::Left(key)),
            _ => Err(BadLine::NotAPost(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATEST: DateTime<Utc> = DateTime::<Utc>::MAX_UTC;

    fn line(created: &str, observed: &str) -> String {
        format!(
            r#"{{"source":"s","id":"1","author":"a","text":"t","created_at":"{created}","observed_at":"{observed}","new":1}}"#
        )
    }

    fn post(created: &str, observed: &str) -> Post {
        match Event::parse(line(created, observed).as_bytes(), LATEST) {
            Ok(Event::Post(post)) => post,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_impossible_claim_is_replaced_by_the_arrival() {
        let seen = "2021-07-06T19:30:00Z";
        for claim in ["2031-01-01T00:00:00Z", "1970-01-01T00:00:00Z"] {
            assert_eq!(post(claim, seen).written_at(), post(seen, seen).created_at);
        }
        let honest = "2021-07-06T19:21:00Z";
        assert_eq!(post(honest, seen).written_at(), post(honest, seen).created_at);
    }

    #[test]
    fn gaps_and_deletions_are_lines_too() {
        let gap = br#"{"gap":{"source":"s","from":"2021-07-06T19:00:00Z","until":"2021-07-06T19:10:00Z"}}"#;
        assert!(matches!(Event::parse(gap, LATEST), Ok(Event::Gap(_))));
        let backward = br#"{"gap":{"source":"s","from":"2021-07-06T19:00:00Z","until":"2021-07-06T18:10:00Z"}}"#;
        assert!(matches!(Event::parse(backward, LATEST), Err(BadLine::BackwardGap)));
        let deleted = br#"{"deleted":{"source":"s","id":"1"}}"#;
        assert!(matches!(Event::parse(deleted, LATEST), Ok(Event::Deleted(_))));
        let left = br#"{"left":{"source":"s","author":"a"}}"#;
        assert!(matches!(Event::parse(left, LATEST), Ok(Event::Left(_))));
    }

    #[test]
    fn bad_lines_are_told_apart() {
        let latest = "2026-01-01T00:00:00Z".parse().unwrap();
        for (bytes, expected) in [
            (&b"\xff\xfe"[..], "not valid UTF-8 at byte 0"),
            (&b"{}"[..], "not a post: missing field"),
            (&b"[1"[..], "not a post"),
            (line("2031-01-01T00:00:00Z", "2031-01-01T00:00:00Z").as_bytes(), "in the future"),
            (line("1971-01-01T00:00:00Z", "1971-01-01T00:00:00Z").as_bytes(), "before any"),
        ] {
            let error = Event::parse(bytes, latest).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn long_texts_are_cut_at_a_character() {
        let long = Post { text: "é".repeat(TEXT_LIMIT), ..Post::default() };
        assert_eq!(long.read_text().len(), TEXT_LIMIT);
        let odd = Post { text: format!("a{}", long.text), ..Post::default() };
        assert_eq!(odd.read_text().len(), TEXT_LIMIT - 1);
    }
}
