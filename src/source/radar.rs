//! Outages of networks and countries, as Cloudflare Radar sees them.
//! <https://developers.cloudflare.com/api/resources/radar/subresources/annotations/subresources/outages/>
//!
//! A measurement is no report: its notices are those of a program, counted apart, and make no time count as heard.

use super::http::Key;
use super::keyed::{self, Given, Made};
use super::limits::jittered;
use super::{Cursor, Found, Reply, Request, RequestKind, Source, SourceError, endpoint, host_of, seconds};
use crate::post::Post;
use crate::secret::{KeyPlace, Secret};
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

const NETWORK: &str = "radar";
/// Outages of so long are asked for; older ones are refused as too late.
const RANGE: &str = "7d";
/// The most outages of an answer.
const LIMIT: &str = "100";

/// The section `[sources.radar]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub server: String,
    /// Where the API token is.
    pub token: KeyPlace,
    /// How soon it is asked again. ±20%.
    #[serde(rename = "every_seconds", deserialize_with = "seconds")]
    pub every: Duration,
}

/// The source `radar`.
struct Radar {
    url: Url,
    token: Secret,
    every: Duration,
    due: DateTime<Utc>,
    /// The outages that were passed on, as long as they are given.
    told: BTreeSet<String>,
    read_until: Option<DateTime<Utc>>,
}

pub(super) fn source(config: &Config, given: &Given<'_>) -> Made<Box<dyn Source>> {
    let token = match keyed::key(NETWORK, "sources.radar.token", &config.token)? {
        Ok(token) => token,
        Err(off) => return Ok(Err(off)),
    };
    let mut url = endpoint(&config.server)?;
    url.set_path("/client/v4/radar/annotations/outages");
    let query = [("dateRange", RANGE), ("limit", LIMIT), ("format", "json")];
    url.query_pairs_mut().extend_pairs(query);
    let (told, read_until) = (BTreeSet::new(), None);
    Ok(Ok(Box::new(Radar { url, token, every: config.every, due: given.now, told, read_until })))
}

impl Source for Radar {
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

    fn next(&mut self, _now: DateTime<Utc>) -> Request {
        Request { url: self.url.clone(), at: self.due, kind: RequestKind::Page }
    }

    fn key(&self) -> Option<Key> {
        Some(Key::Bearer(self.token.clone()))
    }

    fn read(&mut self, reply: Reply<'_>, now: DateTime<Utc>, found: &mut Found) -> Result<(), SourceError> {
        let malformed = |cause: String| SourceError::Malformed { host: host_of(&self.url), cause };
        let Reply::Page(page) = reply else { return Err(malformed("a frame".to_owned())) };
        if page.status != StatusCode::OK {
            return Err(malformed(format!("status {}", page.status)));
        }
        let answer: Value = serde_json::from_slice(&page.body).map_err(|error| malformed(error.to_string()))?;
        let outages = answer["result"]["annotations"].as_array();
        let outages = outages.ok_or_else(|| malformed("it holds no outages".to_owned()))?;
        let mut posts = Vec::new();
        for outage in outages {
            let Some(post) = Outage::deserialize(outage).ok().and_then(|outage| outage.post(now)) else {
                found.odd += 1;
                continue;
            };
            posts.push(post);
        }
        found.pass_on(posts, &mut self.told);
        found.caught_up = true;
        self.read_until = Some(page.asked_at);
        self.due = now + TimeDelta::from_std(jittered(self.every)).unwrap_or_default();
        Ok(())
    }

    fn failed(&mut self, now: DateTime<Utc>) {
        self.due = now + TimeDelta::from_std(jittered(self.every)).unwrap_or_default();
    }

    /// Every answer holds all of a week, so where it was read to is only told.
    fn cursor(&self) -> Option<Cursor> {
        self.read_until.map(|until| Cursor(until.to_rfc3339()))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outage {
    id: String,
    start_date: DateTime<Utc>,
    #[serde(default)]
    description: Value,
    #[serde(default)]
    linked_url: Value,
    #[serde(default)]
    asns_details: Vec<Named>,
    #[serde(default)]
    locations_details: Vec<Named>,
}

/// A network or a country.
#[derive(Deserialize)]
struct Named {
    name: String,
}

impl Outage {
    fn post(self, now: DateTime<Utc>) -> Option<Post> {
        let names = |named: &[Named]| named.iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join(", ");
        let (networks, places) = (names(&self.asns_details), names(&self.locations_details));
        let description = self.description.as_str().unwrap_or_default().trim();
        let parts: Vec<&str> = [networks.as_str(), description].into_iter().filter(|part| !part.is_empty()).collect();
        if self.id.is_empty() || parts.is_empty() {
            return None;
        }
        Some(Post {
            source: NETWORK.to_owned(),
            id: self.id,
            created_at: self.start_date,
            observed_at: Some(now),
            author: "radar.cloudflare.com".to_owned(),
            text: parts.join(": "),
            lang: Some("en".to_owned()),
            location: Some(places).filter(|places| !places.is_empty()),
            url: self.linked_url.as_str().map(str::to_owned),
            bot: true,
            ..Post::default()
        })
    }
}
