//! Outages that a newsletter reports.

use chrono::{DateTime, Utc};
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;
use whatsdown::post::{Event, Post};
use whatsdown::source::{Cursor, Found, Reply, Request, RequestKind, Source, SourceError};

pub struct Newsletter {
    pub url: Url,
    pub every: Duration,
    pub due: DateTime<Utc>,
    /// Everything up to here has been read.
    pub read_until: DateTime<Utc>,
}

#[derive(Deserialize)]
struct Item {
    id: String,
    at: DateTime<Utc>,
    by: String,
    text: String,
}

impl Source for Newsletter {
    fn name(&self) -> &'static str {
        "newsletter"
    }

    fn network(&self) -> &'static str {
        "newsletter"
    }

    fn spacing(&self) -> Duration {
        self.every
    }

    fn next(&mut self, _now: DateTime<Utc>) -> Request {
        Request { url: self.url.clone(), at: self.due, kind: RequestKind::Page }
    }

    fn read(&mut self, reply: Reply<'_>, now: DateTime<Utc>, found: &mut Found) -> Result<(), SourceError> {
        let malformed = |cause: String| SourceError::Malformed { host: "the newsletter".to_owned(), cause };
        let Reply::Page(page) = reply else { return Err(malformed("a frame".to_owned())) };
        // The whole page is rubbish: an error, and nothing has moved.
        let items: Vec<Value> = serde_json::from_slice(&page.body).map_err(|error| malformed(error.to_string()))?;
        for item in items {
            found.seen += 1;
            // One odd item among good ones: counted and skipped.
            let Ok(item) = Item::deserialize(item) else {
                found.odd += 1;
                continue;
            };
            found.events.push(Event::Post(Post {
                source: "newsletter".to_owned(),
                id: item.id,
                created_at: item.at,
                observed_at: Some(now),
                author: item.by,
                text: item.text,
                ..Post::default()
            }));
        }
        found.hear(self.read_until, page.asked_at);
        found.caught_up = true;
        self.read_until = page.asked_at;
        self.due = now + self.every;
        Ok(())
    }

    fn failed(&mut self, _now: DateTime<Utc>) {} // there is nothing else to ask meanwhile

    fn cursor(&self) -> Option<Cursor> {
        Some(Cursor(self.read_until.to_rfc3339()))
    }
}
