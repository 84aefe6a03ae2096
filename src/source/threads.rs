//! Threads, by its keyword search. <https://developers.facebook.com/docs/threads/keyword-search>
//!
//! An application that was not approved finds only its owner's own posts, and is not told so. So nothing counts as heard
//! before a post of somebody else was found.

use super::http::Key;
use super::keyed::{self, Given, Made};
use super::search::{Ask, Network, Pace, Results, Searcher};
use super::{Source, endpoint};
use crate::post::{Event, Post};
use crate::secret::{KeyPlace, Secret};
use chrono::DateTime;
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;

const NETWORK: &str = "threads";

/// The section `[sources.threads]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub server: String,
    /// Where the access token is.
    pub token: KeyPlace,
    /// Ids of the services that are searched for, each in a query of its own.
    pub services: Vec<String>,
    pub pace: Pace,
}

pub(super) fn source(config: &Config, given: &Given<'_>) -> Made<Box<dyn Source>> {
    let key = keyed::key(NETWORK, "sources.threads.token", &config.token)?;
    let services = keyed::chosen(NETWORK, "sources.threads.services", &config.services, given.services)?;
    let (token, services) = match (key, services) {
        (Ok(key), Ok(services)) => (key, services),
        (Err(off), _) | (_, Err(off)) => return Ok(Err(off)),
    };
    let queries: Vec<String> = services.iter().map(|service| format!("{} down", service.name)).collect();
    let network = Keywords { server: endpoint(&config.server)?, token, authors: BTreeSet::new() };
    Ok(Ok(Box::new(Searcher::new(NETWORK, network, &config.pace, None, queries, given)?)))
}

struct Keywords {
    server: Url,
    token: Secret,
    /// Up to two whose posts were found: two are not one owner.
    authors: BTreeSet<String>,
}

impl Network for Keywords {
    fn name(&self) -> &'static str {
        NETWORK
    }

    fn page(&self) -> (usize, usize) {
        (50, 50)
    }

    fn url(&self, ask: &Ask<'_>) -> Url {
        let mut url = self.server.clone();
        url.set_path("/v1.0/keyword_search");
        let mut query = url.query_pairs_mut();
        query
            .append_pair("q", ask.query)
            .append_pair("search_type", "RECENT")
            .append_pair("fields", "id,text,permalink,timestamp,username")
            .append_pair("since", &ask.since.timestamp().to_string())
            .append_pair("limit", &ask.limit.to_string());
        if let Some(page) = ask.page {
            query.append_pair("after", page);
        }
        drop(query);
        url
    }

    fn key(&self) -> Option<Key> {
        Some(Key::Query("access_token", self.token.clone()))
    }

    fn read(&mut self, body: &[u8]) -> Result<Results, String> {
        let answer: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let items = answer["data"].as_array().ok_or("it holds no posts")?;
        let items: Vec<Option<Event>> = items.iter().map(|item| Thread::deserialize(item).ok()?.event()).collect();
        for item in &items {
            if let (Some(Event::Post(post)), false) = (item, self.proven()) {
                self.authors.insert(post.author.clone());
            }
        }
        Ok(Results { items, next: answer["paging"]["cursors"]["after"].as_str().map(str::to_owned) })
    }

    fn proven(&self) -> bool {
        self.authors.len() > 1
    }
}

#[derive(Deserialize)]
struct Thread {
    id: String,
    username: String,
    timestamp: String,
    /// Missing where a post is a picture.
    #[serde(default)]
    text: String,
    #[serde(default)]
    permalink: Value,
}

impl Thread {
    fn event(self) -> Option<Event> {
        // `+0000`, which is not RFC 3339.
        let created_at = DateTime::parse_from_str(&self.timestamp, "%Y-%m-%dT%H:%M:%S%z").ok()?.to_utc();
        Some(Event::Post(Post {
            source: NETWORK.to_owned(),
            id: self.id,
            created_at,
            author: self.username,
            text: self.text,
            url: self.permalink.as_str().map(str::to_owned),
            ..Post::default()
        }))
    }
}
