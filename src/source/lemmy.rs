//! Lemmy: every post and comment that an instance knows, newest first, by version 3 or 4 of its API, whichever it speaks.
//! <https://join-lemmy.org/docs/contributors/04-api.html>

use super::http::Key;
use super::keyed::Given;
use super::search::{Ask, Network, Pace, Results, Searcher};
use super::{ConfigError, Cursor, Found, Reply, Request, Source, SourceError, endpoint, host_of};
use crate::post::{Event, Post, PostKey};
use chrono::{DateTime, NaiveDateTime, Utc};
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

const NETWORK: &str = "lemmy";
/// What is asked for, in turn. Also the word in the path, in its singular.
const LISTS: [&str; 2] = ["post", "comment"];
/// The most of an answer.
const PAGE: usize = 50;

/// The section `[sources.lemmy]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub enabled: bool,
    /// Hosts or URLs.
    pub instances: Vec<String>,
    pub pace: Pace,
}

/// The source `lemmy:<instance>`.
struct Lemmy {
    searcher: Searcher<Lists>,
    /// Whether the instance has answered in the version that it is asked in.
    spoken: bool,
}

/// `mastodon`: posts that came from there are read there too.
pub(super) fn sources(config: &Config, mastodon: bool, given: &Given<'_>) -> Result<Vec<Box<dyn Source>>, ConfigError> {
    if config.instances.is_empty() {
        return Err(ConfigError::NoServer { key: "sources.lemmy.instances" });
    }
    let source = |instance: &String| {
        let server = endpoint(instance)?;
        let name = format!("{NETWORK}:{}", host_of(&server));
        let lists = Lists { server, version: 3, number: 1, mastodon };
        let queries = LISTS.map(str::to_owned).into();
        let searcher = Searcher::new(&name, lists, &config.pace, None, queries, given)?;
        Ok(Box::new(Lemmy { searcher, spoken: false }) as Box<dyn Source>)
    };
    config.instances.iter().map(source).collect()
}

impl Source for Lemmy {
    fn name(&self) -> &str {
        self.searcher.name()
    }

    fn network(&self) -> &'static str {
        NETWORK
    }

    fn spacing(&self) -> Duration {
        self.searcher.spacing()
    }

    fn next(&mut self, now: DateTime<Utc>) -> Request {
        let request = self.searcher.next(now);
        let number = request.url.query_pairs().find(|(name, _)| name == "page").and_then(|(_, page)| page.parse().ok());
        self.searcher.network_mut().number = number.unwrap_or(1);
        request
    }

    fn read(&mut self, reply: Reply<'_>, now: DateTime<Utc>, found: &mut Found) -> Result<(), SourceError> {
        if let Reply::Page(page) = &reply
            && page.status == StatusCode::NOT_FOUND
            && !self.spoken
        {
            // It may speak the other version. If it does not either, that is an error.
            let lists = self.searcher.network_mut();
            lists.version = if lists.version == 3 { 4 } else { 3 };
            self.spoken = true;
            return Ok(());
        }
        self.searcher.read(reply, now, found)?;
        self.spoken = true;
        Ok(())
    }

    fn failed(&mut self, now: DateTime<Utc>) {
        // It may have been upgraded.
        self.spoken = false;
        self.searcher.failed(now);
    }

    fn cursor(&self) -> Option<Cursor> {
        self.searcher.cursor()
    }
}

/// An instance's lists.
struct Lists {
    server: Url,
    version: u8,
    /// The page that was asked for last, counted from 1. Version 4 gives cursors instead.
    number: u32,
    mastodon: bool,
}

impl Network for Lists {
    fn name(&self) -> &'static str {
        NETWORK
    }

    fn page(&self) -> (usize, usize) {
        (PAGE, PAGE)
    }

    fn url(&self, ask: &Ask<'_>) -> Url {
        let mut url = self.server.clone();
        url.set_path(&format!("/api/v{}/{}/list", self.version, ask.query));
        let (kind, order, place) =
            if self.version == 3 { ("All", "New", "page") } else { ("all", "new", "page_cursor") };
        let mut query = url.query_pairs_mut();
        query.append_pair("type_", kind).append_pair("sort", order).append_pair("limit", &ask.limit.to_string());
        if let Some(page) = ask.page {
            query.append_pair(place, page);
        }
        drop(query);
        url
    }

    fn key(&self) -> Option<Key> {
        None
    }

    fn read(&mut self, body: &[u8]) -> Result<Results, String> {
        let answer: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let list = ["posts", "comments", "items"].into_iter().find_map(|name| answer[name].as_array());
        let views = list.ok_or("it is no list of posts or comments")?;
        let next = if self.version == 3 {
            (!views.is_empty()).then(|| (self.number + 1).to_string())
        } else {
            answer["next_page"].as_str().map(str::to_owned)
        };
        // What is pinned stands first, however old it is.
        let pinned = |view: &&Value| {
            ["featured_local", "featured_community"]
                .iter()
                .any(|pin| view["post"][pin] == true && view["comment"].is_null())
        };
        let items = views.iter().filter(|view| !pinned(view)).map(|view| event(view, self.mastodon)).collect();
        Ok(Results { items, next })
    }
}

/// A post, or a comment to one.
fn event(view: &Value, mastodon: bool) -> Option<Event> {
    let post = &view["post"];
    let (item, reply_to) = match &view["comment"] {
        Value::Null => (post, None),
        comment => (comment, post["ap_id"].as_str()),
    };
    let id = item["ap_id"].as_str().filter(|id| !id.is_empty())?;
    // The same id that it has in its own network.
    let source = if mastodon && id.contains("/users/") && id.contains("/statuses/") { "mastodon" } else { NETWORK };
    if item["deleted"] == true || item["removed"] == true {
        return Some(Event::Deleted(PostKey { source: source.to_owned(), id: id.to_owned() }));
    }
    let creator = &view["creator"];
    let words = |key: &str| item[key].as_str().unwrap_or_default().trim();
    let text = format!("{}\n{}\n{}", words("name"), words("body"), words("content"));
    Some(Event::Post(Post {
        source: source.to_owned(),
        id: id.to_owned(),
        created_at: time(&item["published_at"]).or_else(|| time(&item["published"]))?,
        author: creator["ap_id"].as_str().or_else(|| creator["actor_id"].as_str())?.to_owned(),
        text: text.trim().to_owned(),
        url: id.starts_with("http").then(|| id.to_owned()),
        reply_to: reply_to.map(str::to_owned),
        bot: creator["bot_account"] == true,
        edited: ["updated", "updated_at"].iter().any(|at| item[at].is_string()),
        ..Post::default()
    }))
}

/// A time; one without a zone, as up to version 0.17 of Lemmy, is UTC.
fn time(value: &Value) -> Option<DateTime<Utc>> {
    let text = value.as_str()?;
    let zoned = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    zoned.ok().or_else(|| text.parse::<NaiveDateTime>().ok().map(|time| time.and_utc()))
}
