//! Reddit, by its API with a registered application: searches, and the newest posts of subreddits.
//! <https://github.com/reddit-archive/reddit/wiki/OAuth2>, <https://www.reddit.com/dev/api>

use super::http::Key;
use super::keyed::{self, Given, Made, Off};
use super::search::{Ask, Network, Pace, Results, Searcher};
use super::{Cursor, Found, Reply, Request, RequestKind, Source, SourceError, endpoint, host_of};
use crate::post::{Event, Post, PostKey};
use crate::secret::{KeyPlace, Secret};
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

const NETWORK: &str = "reddit";
/// The longest search that is taken, in bytes.
const QUERY_LIMIT: usize = 512;
/// What subreddits begin with, among the queries.
const SUBREDDIT: &str = "r/";
/// Asks for a token of the application's own, without a user.
const GRANT: &str = "grant_type=client_credentials";
/// A token is renewed so long before it ends.
const MARGIN: TimeDelta = TimeDelta::minutes(5);

/// The section `[sources.reddit]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where posts are asked for, and where tokens are.
    pub server: String,
    pub token_server: String,
    /// Where the application's id and secret are.
    pub id: KeyPlace,
    pub secret: KeyPlace,
    /// Ids of the services that are searched for.
    pub services: Vec<String>,
    /// Subreddits whose new posts are read, without `r/`.
    pub subreddits: Vec<String>,
    pub pace: Pace,
}

/// The source `reddit`.
struct Reddit {
    token_server: Url,
    application: Key,
    searcher: Searcher<Listings>,
    token_until: Option<DateTime<Utc>>,
    asked_for_token: bool,
}

pub(super) fn source(config: &Config, given: &Given<'_>) -> Made<Box<dyn Source>> {
    let id = keyed::key(NETWORK, "sources.reddit.id", &config.id)?;
    let secret = keyed::key(NETWORK, "sources.reddit.secret", &config.secret)?;
    let (user, password) = match (id, secret) {
        (Ok(id), Ok(secret)) => (id, secret),
        (Err(off), _) | (_, Err(off)) => return Ok(Err(off)),
    };
    // Either alone will do.
    let services = keyed::chosen(NETWORK, "sources.reddit.services", &config.services, given.services)?;
    let mut queries = keyed::queries(&services.unwrap_or_default(), "", QUERY_LIMIT);
    let subreddits = config.subreddits.iter().map(|name| name.trim_start_matches('/').trim_start_matches(SUBREDDIT));
    queries.extend(subreddits.map(|name| format!("{SUBREDDIT}{name}")));
    if queries.is_empty() {
        return Ok(Err(Off { source: NETWORK, why: "neither services nor subreddits are named".to_owned() }));
    }
    let listings = Listings { server: endpoint(&config.server)?, token: None };
    Ok(Ok(Box::new(Reddit {
        token_server: endpoint(&config.token_server)?,
        application: Key::Basic { user, password },
        searcher: Searcher::new(NETWORK, listings, &config.pace, None, queries, given)?,
        token_until: None,
        asked_for_token: false,
    })))
}

impl Reddit {
    fn read_token(&mut self, reply: &Reply<'_>, now: DateTime<Utc>) -> Result<(), SourceError> {
        let malformed = |cause: &str| {
            let host = host_of(&self.token_server);
            // What came may hold a token, so it is not repeated.
            Err(SourceError::Malformed { host, cause: cause.to_owned() })
        };
        let Reply::Page(page) = reply else { return malformed("a frame") };
        let answer: Value = serde_json::from_slice(&page.body).unwrap_or_default();
        if page.status != StatusCode::OK {
            return malformed("no token");
        }
        let (Some(token), Some(seconds)) = (answer["access_token"].as_str(), answer["expires_in"].as_f64()) else {
            return malformed("no token");
        };
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return malformed("a token of odd characters");
        }
        self.searcher.network_mut().token = Some(Secret::new(token));
        self.token_until = Some(now + TimeDelta::seconds(seconds.clamp(600.0, 1e6) as i64) - MARGIN);
        Ok(())
    }
}

impl Source for Reddit {
    fn name(&self) -> &'static str {
        NETWORK
    }

    fn network(&self) -> &'static str {
        NETWORK
    }

    fn spacing(&self) -> Duration {
        self.searcher.spacing()
    }

    fn next(&mut self, now: DateTime<Utc>) -> Request {
        let request = self.searcher.next(now);
        // It must still hold when the request is made.
        self.asked_for_token = self.token_until.is_none_or(|until| until <= request.at);
        if !self.asked_for_token {
            return request;
        }
        let mut url = self.token_server.clone();
        url.set_path("/api/v1/access_token");
        Request { url, at: request.at, kind: RequestKind::Form(GRANT) }
    }

    fn key(&self) -> Option<Key> {
        if self.asked_for_token { Some(self.application.clone()) } else { self.searcher.key() }
    }

    fn read(&mut self, reply: Reply<'_>, now: DateTime<Utc>, found: &mut Found) -> Result<(), SourceError> {
        if self.asked_for_token { self.read_token(&reply, now) } else { self.searcher.read(reply, now, found) }
    }

    fn failed(&mut self, now: DateTime<Utc>) {
        self.searcher.failed(now);
    }

    fn cursor(&self) -> Option<Cursor> {
        self.searcher.cursor()
    }
}

/// Reddit's lists of posts.
struct Listings {
    server: Url,
    token: Option<Secret>,
}

impl Network for Listings {
    fn name(&self) -> &'static str {
        NETWORK
    }

    fn page(&self) -> (usize, usize) {
        (100, 100)
    }

    fn url(&self, ask: &Ask<'_>) -> Url {
        let mut url = self.server.clone();
        let subreddit = ask.query.strip_prefix(SUBREDDIT);
        if let Ok(mut path) = url.path_segments_mut() {
            path.clear();
            match subreddit {
                Some(name) => path.extend(["r", name, "new"]),
                None => path.push("search"),
            };
        }
        let mut query = url.query_pairs_mut();
        if subreddit.is_none() {
            query.append_pair("q", ask.query).append_pair("sort", "new").append_pair("t", "day");
        }
        query.append_pair("limit", &ask.limit.to_string()).append_pair("raw_json", "1");
        if let Some(page) = ask.page {
            query.append_pair("after", page);
        }
        drop(query);
        url
    }

    fn key(&self) -> Option<Key> {
        self.token.clone().map(Key::Bearer)
    }

    /// A search ends after some 250 posts and a subreddit after some 1,000, however many there are.
    fn lists_all(&self) -> bool {
        false
    }

    fn read(&mut self, body: &[u8]) -> Result<Results, String> {
        let answer: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let listing = &answer["data"];
        let children = listing["children"].as_array().ok_or("it is no listing")?;
        Ok(Results {
            items: children.iter().map(|child| Link::deserialize(&child["data"]).ok().and_then(Link::event)).collect(),
            next: listing["after"].as_str().map(str::to_owned),
        })
    }
}

#[derive(Deserialize)]
struct Link {
    /// With its kind: `t3_…`.
    name: String,
    title: String,
    author: String,
    created_utc: f64,
    permalink: String,
    #[serde(default)]
    selftext: Value,
    #[serde(default)]
    is_robot_indexable: Value,
    #[serde(default)]
    removed_by_category: Value,
    /// When it was, or `false`.
    #[serde(default)]
    edited: Value,
}

impl Link {
    fn event(self) -> Option<Event> {
        if self.author == "[deleted]" || self.removed_by_category.is_string() {
            return Some(Event::Deleted(PostKey { source: NETWORK.to_owned(), id: self.name }));
        }
        let text = [&self.title, self.selftext.as_str().unwrap_or_default()].map(str::trim).join("\n");
        Some(Event::Post(Post {
            source: NETWORK.to_owned(),
            id: self.name,
            created_at: DateTime::from_timestamp_millis((self.created_utc * 1000.0) as i64)?,
            author: self.author,
            text: text.trim().to_owned(),
            url: self.permalink.starts_with('/').then(|| format!("https://www.reddit.com{}", self.permalink)),
            noindex: self.is_robot_indexable == false,
            edited: self.edited.is_number(),
            ..Post::default()
        }))
    }
}
