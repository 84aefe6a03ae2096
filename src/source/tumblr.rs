//! Tumblr, by its posts with a tag. <https://www.tumblr.com/docs/en/api/v2#tagged--get-posts-with-tag>

use super::http::Key;
use super::keyed::{self, Given, Made};
use super::search::{Ask, Network, Pace, Results, Searcher};
use super::{Source, endpoint, html, with_hashtags};
use crate::post::{Event, Post};
use crate::secret::{KeyPlace, Secret};
use chrono::DateTime;
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;

const NETWORK: &str = "tumblr";
/// The largest page that is given.
const PAGE: usize = 20;

/// The section `[sources.tumblr]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub server: String,
    /// Where the OAuth consumer key is.
    pub key: KeyPlace,
    /// Ids of the services whose tag (`tiktok down`) is asked for.
    pub services: Vec<String>,
    pub pace: Pace,
}

pub(super) fn source(config: &Config, given: &Given<'_>) -> Made<Box<dyn Source>> {
    let key = keyed::key(NETWORK, "sources.tumblr.key", &config.key)?;
    let services = keyed::chosen(NETWORK, "sources.tumblr.services", &config.services, given.services)?;
    let (key, services) = match (key, services) {
        (Ok(key), Ok(services)) => (key, services),
        (Err(off), _) | (_, Err(off)) => return Ok(Err(off)),
    };
    let queries: Vec<String> = services.iter().map(|service| format!("{} down", service.name.to_lowercase())).collect();
    let network = Tagged { server: endpoint(&config.server)?, key };
    Ok(Ok(Box::new(Searcher::new(NETWORK, network, &config.pace, None, queries, given)?)))
}

struct Tagged {
    server: Url,
    key: Secret,
}

impl Network for Tagged {
    fn name(&self) -> &'static str {
        NETWORK
    }

    fn page(&self) -> (usize, usize) {
        (PAGE, PAGE)
    }

    fn url(&self, ask: &Ask<'_>) -> Url {
        let mut url = self.server.clone();
        url.set_path("/v2/tagged");
        let mut query = url.query_pairs_mut();
        query.append_pair("tag", ask.query).append_pair("limit", &ask.limit.to_string());
        if let Some(page) = ask.page {
            query.append_pair("before", page);
        }
        drop(query);
        url
    }

    fn key(&self) -> Option<Key> {
        Some(Key::Query("api_key", self.key.clone()))
    }

    fn read(&mut self, body: &[u8]) -> Result<Results, String> {
        let answer: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let items = answer["response"].as_array().ok_or("it holds no posts")?;
        let oldest = items.iter().filter_map(|item| item["timestamp"].as_i64()).min();
        Ok(Results {
            items: items.iter().map(|item| Blogged::deserialize(item).ok()?.event()).collect(),
            // The page after this one begins before the second that follows its oldest post, in which may be others.
            next: oldest.filter(|_| items.len() >= PAGE).map(|oldest| oldest.saturating_add(1).to_string()),
        })
    }
}

#[derive(Deserialize)]
struct Blogged {
    id_string: String,
    blog_name: String,
    timestamp: i64,
    #[serde(default)]
    summary: Value,
    #[serde(default)]
    body: Value,
    #[serde(default)]
    tags: Value,
    #[serde(default)]
    post_url: Value,
    #[serde(default)]
    reblogged_from_id: Value,
}

impl Blogged {
    fn event(self) -> Option<Event> {
        let body = html::to_text(self.body.as_str().unwrap_or_default());
        let summary = self.summary.as_str().unwrap_or_default().trim();
        let text = if body.contains(summary) { body } else { [summary, &body].join("\n").trim().to_owned() };
        let tags = self.tags.as_array().map(Vec::as_slice).unwrap_or_default();
        // Tags of Tumblr hold spaces: they are read as words are.
        let tags: Vec<String> = tags.iter().filter_map(|tag| Some(tag.as_str()?.replace(' ', ""))).collect();
        Some(Event::Post(Post {
            source: NETWORK.to_owned(),
            id: self.id_string,
            created_at: DateTime::from_timestamp(self.timestamp, 0)?,
            author: self.blog_name,
            text: with_hashtags(text, tags.iter().map(String::as_str)),
            url: self.post_url.as_str().map(str::to_owned),
            repost_of: match self.reblogged_from_id {
                Value::String(id) => Some(id),
                Value::Number(id) => Some(id.to_string()),
                _ => None,
            },
            ..Post::default()
        }))
    }
}
