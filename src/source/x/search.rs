//! Posts of the last seven days that match a query. <https://docs.x.com/x-api/posts/search/introduction>

use super::NETWORK;
use crate::post::{Event, Post};
use crate::source::http::Key;
use crate::source::search::{Ask, Network, Results};
use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;

pub const NAME: &str = "x:search";

pub struct Recent {
    pub server: Url,
    pub key: Key,
}

impl Network for Recent {
    fn name(&self) -> &'static str {
        NETWORK
    }

    fn page(&self) -> (usize, usize) {
        (10, 100)
    }

    fn url(&self, ask: &Ask<'_>) -> Url {
        let mut url = self.server.clone();
        url.set_path("/2/tweets/search/recent");
        let mut query = url.query_pairs_mut();
        query
            .append_pair("query", ask.query)
            .append_pair("start_time", &ask.since.to_rfc3339_opts(SecondsFormat::Secs, true))
            .append_pair("max_results", &ask.limit.to_string())
            // Authors' profiles would cost more than the posts.
            .append_pair("tweet.fields", "author_id,created_at,lang,referenced_tweets");
        if let Some(page) = ask.page {
            query.append_pair("next_token", page);
        }
        drop(query);
        url
    }

    fn key(&self) -> Option<Key> {
        Some(self.key.clone())
    }

    fn read(&mut self, body: &[u8]) -> Result<Results, String> {
        let answer: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        if answer["meta"]["result_count"].as_u64().is_none() {
            return Err("it holds no count of results".to_owned());
        }
        let items = answer["data"].as_array().map(Vec::as_slice).unwrap_or_default();
        let post = |item: &Value| Tweet::deserialize(item).ok().map(|tweet| Event::Post(tweet.post()));
        Ok(Results {
            items: items.iter().map(post).collect(),
            next: answer["meta"]["next_token"].as_str().map(str::to_owned),
        })
    }
}

#[derive(Deserialize)]
struct Tweet {
    id: String,
    text: String,
    created_at: DateTime<Utc>,
    author_id: String,
    #[serde(default)]
    lang: Value,
    #[serde(default)]
    referenced_tweets: Value,
}

impl Tweet {
    fn post(self) -> Post {
        let referred = |kind: &str| {
            let all = self.referenced_tweets.as_array()?;
            all.iter().find(|other| other["type"] == kind)?["id"].as_str().map(str::to_owned)
        };
        Post {
            source: NETWORK.to_owned(),
            url: Some(format!("https://x.com/i/status/{}", self.id)),
            created_at: self.created_at,
            lang: self.lang.as_str().filter(|lang| *lang != "und").map(str::to_owned),
            repost_of: referred("retweeted"),
            reply_to: referred("replied_to"),
            // Deletions are not told, and words that were taken back must go: so none are kept.
            noindex: true,
            id: self.id,
            author: self.author_id,
            text: self.text,
            ..Post::default()
        }
    }
}
