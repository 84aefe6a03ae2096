//! Hacker News, by the search of Algolia: every story and comment, newest first. <https://hn.algolia.com/api>

use super::html::to_text;
use super::http::Key;
use super::keyed::Given;
use super::search::{Ask, Network, Pace, Results, Searcher};
use super::{ConfigError, Source, endpoint};
use crate::post::{Event, Post};
use chrono::DateTime;
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;

const NETWORK: &str = "hackernews";
/// All that is written is few enough to be read whole: no service need be asked for.
const EVERYTHING: &str = "all";
/// Items of an answer. The server gives up to 1,000, which may be longer than an answer may be.
const PAGE: usize = 500;
/// What is needed of each, so that answers are short.
const FIELDS: &str = "objectID,created_at_i,author,title,story_text,comment_text,parent_id";

/// The section `[sources.hackernews]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub enabled: bool,
    pub server: String,
    pub pace: Pace,
}

struct HackerNews {
    server: Url,
}

pub(super) fn source(config: &Config, given: &Given<'_>) -> Result<Box<dyn Source>, ConfigError> {
    let network = HackerNews { server: endpoint(&config.server)? };
    Ok(Box::new(Searcher::new(NETWORK, network, &config.pace, None, vec![EVERYTHING.to_owned()], given)?))
}

impl Network for HackerNews {
    fn name(&self) -> &'static str {
        NETWORK
    }

    fn page(&self) -> (usize, usize) {
        (PAGE, PAGE)
    }

    /// A page begins where the one before it ended, by time: the server numbers no more than the first 1,000 items.
    fn url(&self, ask: &Ask<'_>) -> Url {
        let mut url = self.server.clone();
        url.set_path("/api/v1/search_by_date");
        let mut times = format!("created_at_i>={}", ask.since.timestamp());
        if let Some(page) = ask.page {
            times = format!("{times},created_at_i<={page}");
        }
        url.query_pairs_mut()
            .append_pair("tags", "(story,comment)")
            .append_pair("numericFilters", &times)
            .append_pair("hitsPerPage", &ask.limit.to_string())
            .append_pair("attributesToRetrieve", FIELDS)
            .append_pair("attributesToHighlight", "");
        url
    }

    fn key(&self) -> Option<Key> {
        None
    }

    fn read(&mut self, body: &[u8]) -> Result<Results, String> {
        let answer: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let hits = answer["hits"].as_array().ok_or("it holds no hits")?;
        let oldest = hits.iter().filter_map(|hit| hit["created_at_i"].as_i64()).min();
        let more = answer["nbHits"].as_u64().is_some_and(|all| all > hits.len() as u64);
        Ok(Results {
            items: hits.iter().map(|hit| Hit::deserialize(hit).ok().and_then(Hit::event)).collect(),
            next: oldest.filter(|_| more).map(|oldest| oldest.to_string()),
        })
    }
}

#[derive(Deserialize)]
struct Hit {
    #[serde(rename = "objectID")]
    id: String,
    created_at_i: i64,
    author: String,
    #[serde(default)]
    title: Value,
    #[serde(default)]
    story_text: Value,
    #[serde(default)]
    comment_text: Value,
    #[serde(default)]
    parent_id: Value,
}

impl Hit {
    fn event(self) -> Option<Event> {
        let [title, story, comment] =
            [&self.title, &self.story_text, &self.comment_text].map(|part| to_text(part.as_str().unwrap_or_default()));
        let parts: Vec<&str> =
            [&title, &story, &comment].into_iter().map(String::as_str).filter(|it| !it.is_empty()).collect();
        Some(Event::Post(Post {
            source: NETWORK.to_owned(),
            url: Some(format!("https://news.ycombinator.com/item?id={}", self.id)),
            id: Some(self.id).filter(|id| !id.is_empty())?,
            created_at: DateTime::from_timestamp(self.created_at_i, 0)?,
            author: self.author,
            text: parts.join("\n"),
            lang: Some("en".to_owned()),
            reply_to: self.parent_id.as_i64().map(|parent| parent.to_string()),
            ..Post::default()
        }))
    }
}
