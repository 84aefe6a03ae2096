//! Where authors are who report an outage without saying where: their profiles are asked for, in batches and within a
//! budget, and what they say is written into the post before anyone reads it.

use super::http::Client;
use super::{ConfigError, Page, SourceError, endpoint, host_of};
use crate::post::{Event, Post};
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tracing::warn;

/// The network whose profiles are asked for; others tell them with the post, or not at all.
pub const NETWORK: &str = "bluesky";
/// The most profiles that one request may ask for.
const PROFILES: usize = 25;
/// Posts wait no longer than this for the profiles of their authors.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long nothing is asked after a failure of which the server does not say it.
const PAUSE: TimeDelta = TimeDelta::minutes(1);

/// The section `[sources.bluesky.profiles]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub enabled: bool,
    /// A server that shows profiles to everyone.
    pub server: String,
    pub requests_a_minute: u32,
}

/// What is known of where a post's author is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// It does not matter, or the post says it, or the profile was asked for and does not.
    Settled,
    /// As an author would write it.
    Known(String),
    /// The profile is worth a request.
    Unknown,
}

/// Remembers where authors are, and knows of whom it matters.
pub trait Authors: Send + Sync {
    fn place(&self, post: &Post) -> Place;

    /// Takes note of what the author of a post says about themselves, if anything.
    fn learn(&self, post: &Post, about: Option<&str>, now: DateTime<Utc>);
}

/// Asks Bluesky for profiles. <https://docs.bsky.app/docs/api/app-bsky-actor-get-profiles>
pub struct Profiles {
    server: Url,
    requests_a_minute: u32,
    authors: Arc<dyn Authors>,
    /// The minute of the last request, and how many were made in it.
    spent: (i64, u32),
    paused_until: DateTime<Utc>,
}

impl Profiles {
    /// # Errors
    /// A server's name that is none.
    pub fn new(config: &Config, authors: Arc<dyn Authors>) -> Result<Option<Profiles>, ConfigError> {
        if !config.enabled {
            return Ok(None);
        }
        Ok(Some(Profiles {
            server: endpoint(&config.server)?,
            requests_a_minute: config.requests_a_minute,
            authors,
            spent: (i64::MIN, 0),
            paused_until: DateTime::UNIX_EPOCH,
        }))
    }

    /// Writes into each post where its author is, where that matters and can be known. Whatever fails leaves the posts
    /// as they are.
    pub async fn fill(&mut self, events: &mut [Event], client: &Client, now: DateTime<Utc>) {
        let unknown: BTreeSet<String> = posts(events)
            .filter_map(|post| match self.authors.place(post) {
                Place::Unknown => Some(post.author.clone()),
                Place::Known(words) => {
                    post.location = Some(words);
                    None
                }
                Place::Settled => None,
            })
            .collect();
        let unknown: Vec<String> = unknown.into_iter().collect();
        for actors in unknown.chunks(PROFILES) {
            if now < self.paused_until || !self.spend(now) {
                return;
            }
            match tokio::time::timeout(PATIENCE, self.ask(actors, client, now)).await {
                Ok(Ok(said)) => self.write(events, actors, &said, now),
                Ok(Err(error)) => return self.pause(&error, now),
                Err(_) => {
                    let error = SourceError::Silent { host: host_of(&self.server), silence: PATIENCE };
                    return self.pause(&error, now);
                }
            }
        }
    }

    /// Whether the budget of this minute has room for a request, which is then spent.
    fn spend(&mut self, now: DateTime<Utc>) -> bool {
        let minute = now.timestamp().div_euclid(60);
        if self.spent.0 != minute {
            self.spent = (minute, 0);
        }
        self.spent.1 += 1;
        self.spent.1 <= self.requests_a_minute
    }

    /// What each of the authors says about themselves.
    async fn ask(
        &self,
        actors: &[String],
        client: &Client,
        now: DateTime<Utc>,
    ) -> Result<BTreeMap<String, String>, SourceError> {
        let mut url = self.server.clone();
        url.set_path("/xrpc/app.bsky.actor.getProfiles");
        url.query_pairs_mut().extend_pairs(actors.iter().map(|actor| ("actors", actor)));
        let answer = client.get(&url, None, now).await?;
        read(&answer.page).map_err(|cause| SourceError::Malformed { host: host_of(&url), cause })
    }

    fn write(&self, events: &mut [Event], asked: &[String], said: &BTreeMap<String, String>, now: DateTime<Utc>) {
        for post in posts(events).filter(|post| asked.contains(&post.author)) {
            if self.authors.place(post) == Place::Unknown {
                self.authors.learn(post, said.get(&post.author).map(String::as_str), now);
            }
            if let Place::Known(words) = self.authors.place(post) {
                post.location = Some(words);
            }
        }
    }

    fn pause(&mut self, error: &SourceError, now: DateTime<Utc>) {
        let wait = match error {
            SourceError::Busy { wait, .. } => wait.and_then(|wait| TimeDelta::from_std(wait).ok()),
            // Until the next start, as for every source.
            SourceError::Refused { .. } => Some(TimeDelta::days(365)),
            _ => None,
        };
        warn!("authors' profiles are not looked up for a while: {error}");
        self.paused_until = now + wait.unwrap_or(PAUSE);
    }
}

fn posts(events: &mut [Event]) -> impl Iterator<Item = &mut Post> {
    events.iter_mut().filter_map(|event| if let Event::Post(post) = event { Some(post) } else { None })
}

/// The words of each profile. One odd profile among good ones is left out.
fn read(page: &Page) -> Result<BTreeMap<String, String>, String> {
    if page.status != StatusCode::OK {
        return Err(format!("status {}", page.status));
    }
    let answer: Value = serde_json::from_slice(&page.body).map_err(|error| error.to_string())?;
    let profiles = answer["profiles"].as_array().ok_or("it holds no profiles")?;
    let said =
        |profile: &Value| Some((profile["did"].as_str()?.to_owned(), profile["description"].as_str()?.to_owned()));
    Ok(profiles.iter().filter_map(said).collect())
}
