//! What a source really answered, kept as lines of JSON without people and secrets, so that a misread answer can be shown
//! and tested.

use super::http::Key;
use super::scrub::Scrub;
use super::utf16::decoded;
use super::{Cursor, Found, Page, Reply, Request, Source, SourceError, host_of};
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{StatusCode, Url};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// One answer, or one frame of a stream. A line of a recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub at: DateTime<Utc>,
    /// The path that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// Of an answer; a frame has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// JSON as it is; anything else as a string.
    pub body: Value,
}

/// The lines of a source, as they come.
pub type Lines = Arc<Mutex<Vec<Line>>>;

/// A source that keeps what it is answered, up to a number of lines.
pub struct Recorder {
    source: Box<dyn Source>,
    key: [u8; 32],
    asked: Option<Url>,
    lines: Lines,
    most: usize,
}

impl Recorder {
    /// `key` makes the hashes of names; a recording has one of its own.
    pub fn new(source: Box<dyn Source>, key: [u8; 32], lines: Lines, most: usize) -> Recorder {
        Recorder { source, key, asked: None, lines, most }
    }

    fn note(&self, reply: &Reply<'_>, now: DateTime<Utc>) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(url) = self.asked.as_ref().filter(|_| lines.len() < self.most) else { return };
        let scrub = Scrub::new(self.key, &host_of(url));
        lines.push(match reply {
            // A dictionary tells nothing of how posts are read.
            Reply::Page(page) if std::str::from_utf8(&decoded(&page.body)).is_err() => return,
            Reply::Page(page) => Line {
                at: page.asked_at,
                asked: Some(url.path().to_owned()),
                status: Some(page.status.as_u16()),
                body: scrub.body(&page.body),
            },
            Reply::Frame(text) => Line { at: now, asked: None, status: None, body: scrub.body(text.as_bytes()) },
        });
    }
}

impl Source for Recorder {
    fn name(&self) -> &str {
        self.source.name()
    }

    fn network(&self) -> &'static str {
        self.source.network()
    }

    fn spacing(&self) -> Duration {
        self.source.spacing()
    }

    fn next(&mut self, now: DateTime<Utc>) -> Request {
        let mut request = self.source.next(now);
        self.asked = Some(request.url.clone());
        if self.lines.lock().unwrap_or_else(PoisonError::into_inner).len() >= self.most {
            // What is not kept is not asked for.
            request.at = now + TimeDelta::days(365);
        }
        request
    }

    fn key(&self) -> Option<Key> {
        self.source.key()
    }

    fn spends(&self) -> bool {
        self.source.spends()
    }

    fn listens(&self) -> bool {
        self.source.listens()
    }

    fn greeting(&self) -> Vec<String> {
        self.source.greeting()
    }

    fn unpack(&mut self, frame: &[u8]) -> Option<String> {
        self.source.unpack(frame)
    }

    fn read(&mut self, reply: Reply<'_>, now: DateTime<Utc>, found: &mut Found) -> Result<(), SourceError> {
        self.note(&reply, now);
        self.source.read(reply, now, found)
    }

    fn failed(&mut self, now: DateTime<Utc>) {
        self.source.failed(now);
    }

    fn cursor(&self) -> Option<Cursor> {
        self.source.cursor()
    }
}

/// Reads a recorded line as the source that it was recorded from would have.
///
/// # Errors
/// As [`Source::read`].
pub fn play(source: &mut dyn Source, line: &Line, found: &mut Found) -> Result<(), SourceError> {
    let body = match &line.body {
        Value::String(text) => text.clone(),
        json => json.to_string(),
    };
    let Some(status) = line.status else { return source.read(Reply::Frame(&body), line.at, found) };
    source.next(line.at);
    let status = StatusCode::from_u16(status).unwrap_or_default();
    let page = Page { asked_at: line.at, status, body: body.into_bytes() };
    source.read(Reply::Page(&page), line.at, found)
}
