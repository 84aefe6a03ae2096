//! Outages of carriers' networks, as IODA of Georgia Tech measures them from routing, probes and traffic.
//! <https://api.ioda.inetintel.cc.gatech.edu/v2/>
//!
//! A measurement is no report, and that a network is gone says nothing of what people notice: it is an echo, counted apart.
//! A whole country's outage names no service, so only the networks that the catalogue gives to services are looked for.

use super::keyed::Given;
use super::limits::jittered;
use super::{
    ConfigError, Cursor, Found, Page, Reply, Request, RequestKind, Source, SourceError, endpoint, host_of, seconds,
};
use crate::post::{Notice, Post};
use crate::reading::ServiceId;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const NETWORK: &str = "ioda";
/// How far back is asked: an event is often found hours after it began.
const RANGE: TimeDelta = TimeDelta::hours(24);
/// The most events of an answer.
const LIMIT: &str = "2000";

/// The section `[sources.ioda]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub enabled: bool,
    pub server: String,
    /// How soon it is asked again. ±20%.
    #[serde(rename = "every_seconds", deserialize_with = "seconds")]
    pub every: Duration,
}

/// The source `ioda`.
struct Ioda {
    url: Url,
    every: Duration,
    /// Whose each autonomous system is, and what its people call it.
    owners: BTreeMap<u32, (ServiceId, String)>,
    due: DateTime<Utc>,
    /// The events that were passed on, as long as they are given.
    told: BTreeSet<String>,
    read_until: Option<DateTime<Utc>>,
}

pub(super) fn source(config: &Config, given: &Given<'_>) -> Result<Box<dyn Source>, ConfigError> {
    let mut url = endpoint(&config.server)?;
    url.set_path("/v2/outages/events");
    let owners = given.services.iter().flat_map(|service| {
        let owner = (ServiceId::new(&service.id), service.name.clone());
        service.networks.iter().map(move |number| (*number, owner.clone()))
    });
    let (told, read_until) = (BTreeSet::new(), None);
    let ioda = Ioda { url, every: config.every, owners: owners.collect(), due: given.now, told, read_until };
    Ok(Box::new(ioda))
}

impl Ioda {
    fn read_page(&mut self, page: &Page, now: DateTime<Utc>, found: &mut Found) -> Result<(), String> {
        if page.status != StatusCode::OK {
            return Err(format!("status {}", page.status));
        }
        let answer: Value = serde_json::from_slice(&page.body).map_err(|error| error.to_string())?;
        let outages = answer["data"].as_array().ok_or("it holds no events")?;
        let mut posts = Vec::new();
        for outage in outages {
            let Ok(outage) = Outage::deserialize(outage) else {
                found.odd += 1;
                continue;
            };
            let number = outage.location.strip_prefix("asn/").and_then(|number| number.parse().ok());
            let Some((service, name)) = number.and_then(|number: u32| self.owners.get(&number)) else { continue };
            let Some(post) = outage.post(service, name, now) else {
                found.odd += 1;
                continue;
            };
            posts.push(post);
        }
        found.pass_on(posts, &mut self.told);
        found.caught_up = true;
        self.read_until = Some(page.asked_at);
        Ok(())
    }
}

impl Source for Ioda {
    fn name(&self) -> &'static str {
        NETWORK
    }

    fn network(&self) -> &'static str {
        NETWORK
    }

    fn spacing(&self) -> Duration {
        self.every
    }

    fn listens(&self) -> bool {
        false
    }

    fn next(&mut self, now: DateTime<Utc>) -> Request {
        let mut url = self.url.clone();
        let from = (now - RANGE).timestamp().to_string();
        let until = now.timestamp().to_string();
        let query = [("entityType", "asn"), ("from", from.as_str()), ("until", until.as_str()), ("limit", LIMIT)];
        url.query_pairs_mut().extend_pairs(query);
        Request { url, at: self.due, kind: RequestKind::Page }
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

    /// Every answer holds all of a day, so where it was read to is only told.
    fn cursor(&self) -> Option<Cursor> {
        self.read_until.map(|until| Cursor(until.to_rfc3339()))
    }
}

/// A span in which one of the measurements of a network stood far below what is usual.
#[derive(Deserialize)]
struct Outage {
    /// `asn/812`.
    location: String,
    /// Unix time, in seconds.
    start: i64,
    /// `bgp`, `ping-slash24`, …
    datasource: String,
}

impl Outage {
    fn post(self, service: &ServiceId, name: &str, now: DateTime<Utc>) -> Option<Post> {
        let Outage { location, start, datasource } = self;
        let number = location.trim_start_matches("asn/");
        Some(Post {
            source: NETWORK.to_owned(),
            created_at: DateTime::from_timestamp(start, 0)?,
            observed_at: Some(now),
            author: "ioda.inetintel.cc.gatech.edu".to_owned(),
            text: format!("An outage of {name}'s network AS{number} is measured ({datasource})."),
            url: Some(format!("https://ioda.inetintel.cc.gatech.edu/asn/{number}")),
            id: format!("{location}/{datasource}/{start}"),
            notice: Some(Notice { services: vec![service.clone()], stage: None }),
            news: true,
            ..Post::default()
        })
    }
}
