//! RSS and Atom feeds of your own: news, which are an echo, and the official words of services without a status page that
//! a program can read.

use super::html::to_text;
use super::keyed::Given;
use super::limits::jittered;
use super::{
    ConfigError, Cursor, Found, Page, Reply, Request, RequestKind, Source, SourceError, endpoint, host_of, seconds,
};
use crate::post::{KEY_RETENTION, Notice, Post};
use crate::reading::ServiceId;
use chrono::{DateTime, TimeDelta, Utc};
use feed_rs::model::Entry;
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::time::Duration;

const NETWORK: &str = "feed";

/// The section `[sources.feeds]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// How soon a feed is asked for again. ±20%.
    #[serde(rename = "every_seconds", deserialize_with = "seconds")]
    pub every: Duration,
    pub news: Vec<News>,
    pub official: Vec<Official>,
}

/// A feed of what others say.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct News {
    pub name: String,
    pub url: String,
}

/// A feed of what a service says of itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Official {
    /// Its id.
    pub service: String,
    pub url: String,
}

/// The source `feed:<name>`.
struct Feed {
    name: String,
    url: Url,
    /// Who speaks in it; nobody in news.
    service: Option<ServiceId>,
    every: Duration,
    due: DateTime<Utc>,
    /// The entries that were passed on, as long as the feed shows them.
    told: BTreeSet<String>,
    read_until: Option<DateTime<Utc>>,
}

pub(super) fn sources(config: &Config, given: &Given<'_>) -> Result<Vec<Box<dyn Source>>, ConfigError> {
    let news = config.news.iter().map(|feed| (&feed.name, &feed.url, None));
    let official = config.official.iter().map(|feed| (&feed.service, &feed.url, Some(ServiceId::new(&feed.service))));
    let mut names = BTreeSet::new();
    let mut sources: Vec<Box<dyn Source>> = Vec::new();
    for (name, url, service) in news.chain(official) {
        if let Some(service) = &service
            && !given.services.iter().any(|known| known.id == service.as_str())
        {
            let key = "sources.feeds.official";
            return Err(ConfigError::NoSuchService { key, value: service.to_string() });
        }
        if name.is_empty() || !names.insert(name) {
            return Err(ConfigError::BadName { key: "sources.feeds", value: name.clone() });
        }
        sources.push(Box::new(Feed {
            name: format!("{NETWORK}:{name}"),
            url: endpoint(url)?,
            service,
            every: config.every,
            due: given.now,
            told: BTreeSet::new(),
            read_until: None,
        }));
    }
    Ok(sources)
}

impl Feed {
    fn read_page(&mut self, page: &Page, now: DateTime<Utc>, found: &mut Found) -> Result<(), String> {
        match page.status {
            StatusCode::NOT_MODIFIED => {}
            StatusCode::OK => {
                let feed = feed_rs::parser::parse(&*page.body).map_err(|error| error.to_string())?;
                let mut posts = Vec::new();
                for entry in feed.entries {
                    let Some(post) = self.post(entry, now) else {
                        found.odd += 1;
                        continue;
                    };
                    if post.created_at >= now - KEY_RETENTION {
                        posts.push(post);
                    }
                }
                found.pass_on(posts, &mut self.told);
            }
            other => return Err(format!("status {other}")),
        }
        found.caught_up = true;
        self.read_until = Some(page.asked_at);
        Ok(())
    }

    fn post(&self, entry: Entry, now: DateTime<Utc>) -> Option<Post> {
        let title = entry.title.map(|title| to_text(&title.content)).filter(|title| !title.is_empty())?;
        let content = entry.content.and_then(|content| content.body);
        let summary = entry.summary.map(|summary| summary.content).or(content).map(|summary| to_text(&summary));
        let summary = summary.filter(|summary| !summary.starts_with(&title)).unwrap_or_default();
        let link = entry.links.into_iter().map(|link| link.href).find(|href| href.starts_with("http"));
        Some(Post {
            source: NETWORK.to_owned(),
            // Only the publisher knows its ids apart.
            id: format!("{}/{}", host_of(&self.url), entry.id),
            created_at: entry.published.or(entry.updated).unwrap_or(now),
            observed_at: Some(now),
            author: self.name.clone(),
            text: format!("{title}\n{summary}").trim().to_owned(),
            url: link,
            official: self.service.is_some(),
            notice: self.service.clone().map(|service| Notice { services: vec![service], stage: None }),
            news: self.service.is_none(),
            ..Post::default()
        })
    }
}

impl Source for Feed {
    fn name(&self) -> &str {
        &self.name
    }

    fn network(&self) -> &'static str {
        NETWORK
    }

    fn spacing(&self) -> Duration {
        // Several feeds may come from one host.
        self.every / 20
    }

    fn listens(&self) -> bool {
        false
    }

    fn next(&mut self, _now: DateTime<Utc>) -> Request {
        Request { url: self.url.clone(), at: self.due, kind: RequestKind::Changed }
    }

    fn read(&mut self, reply: Reply<'_>, now: DateTime<Utc>, found: &mut Found) -> Result<(), SourceError> {
        let host = host_of(&self.url);
        let malformed = |cause: String| SourceError::Malformed { host, cause };
        let Reply::Page(page) = reply else { return Err(malformed("a frame".to_owned())) };
        self.read_page(page, now, found).map_err(malformed)?;
        self.failed(now);
        Ok(())
    }

    fn failed(&mut self, now: DateTime<Utc>) {
        self.due = now + TimeDelta::from_std(jittered(self.every)).unwrap_or_default();
    }

    /// Every answer holds all that the feed shows, so where it was read to is only told.
    fn cursor(&self) -> Option<Cursor> {
        self.read_until.map(|until| Cursor(until.to_rfc3339()))
    }
}
