//! Lemmy: every post and comment that an instance knows, newest first, by version 3 or 4 of its API, whichever it speaks.
//! <https://join-lemmy.org/docs/contributors/04-api.html>

use super::http::Key;
use super::keyed::Given;
use super::search::{Ask, Network, Pace, Results, Searcher, stored};
use super::{ConfigError, Cursor, Found, Page, Reply, Request, Source, SourceError, endpoint, host_of};
use crate::post::{Event, Post, PostKey};
use chrono::{DateTime, NaiveDateTime, Utc};
use reqwest::{StatusCode, Url};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

const NETWORK: &str = "lemmy";
/// What is asked for, in turn. Also the word in the path, in its singular.
const LISTS: [&str; 2] = ["post", "comment"];
/// The most of an answer.
const PAGE: usize = 50;
/// The newest posts, so many, are missed when the list holds them no more.
const MISSED: usize = 2 * PAGE;
/// Where the id of a new post or comment points for the moment until the instance has given it its own.
const UNNAMED: &str = "http://changeme.invalid/";
/// What an instance says to those who ask too often, with status 400 up to version 0.17; and how long it then counts, unless
/// its administrators chose otherwise.
const TOO_OFTEN: &[u8] = b"rate_limit_error";
const COUNTED: Duration = Duration::from_secs(60);

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
        let listed = stored(&name, given.cursors)?.map_or_else(BTreeSet::new, |stored: Stored| stored.listed);
        let lists = Lists { server, version: 3, number: None, mastodon, listed };
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
        let later = request.url.query_pairs().find(|(name, _)| ["page", "page_cursor"].contains(&name.as_ref()));
        self.searcher.network_mut().number = later.map(|(_, page)| page.parse().unwrap_or(1));
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
        if let Reply::Page(page) = &reply
            && asked_too_often(page)
        {
            let host = host_of(&self.searcher.network().server);
            return Err(SourceError::Busy { host, status: page.status, wait: Some(COUNTED) });
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
        let search = serde_json::from_str(&self.searcher.cursor()?.0).ok()?;
        let stored = Stored { listed: self.searcher.network().listed.clone(), search };
        serde_json::to_string(&stored).ok().map(Cursor)
    }
}

/// What is stored: how far was read, and what is missed when it is listed no more.
#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(default)]
    listed: BTreeSet<(DateTime<Utc>, PostKey)>,
    #[serde(flatten)]
    search: Value,
}

/// An instance's lists.
struct Lists {
    server: Url,
    version: u8,
    /// The page that was asked for last, counted from 1, if it was not a list's beginning. Version 4 gives cursors instead.
    number: Option<u32>,
    mastodon: bool,
    /// The newest posts.
    listed: BTreeSet<(DateTime<Utc>, PostKey)>,
}

impl Lists {
    /// A post that was taken back is listed no more, without a word (a comment is, and says so): those that this page
    /// passes over.
    fn miss(&mut self, views: &[Value]) -> Vec<Option<Event>> {
        let views = || views.iter().filter(|view| view["comment"].is_null() && !is_unnamed(view));
        let posts: BTreeSet<(DateTime<Utc>, PostKey)> =
            views().filter_map(|view| Some((written(&view["post"])?, key(&view["post"], self.mastodon)?))).collect();
        let unpinned = views().filter(|view| !is_pinned(view));
        let times: Vec<DateTime<Utc>> = unpinned.filter_map(|view| written(&view["post"])).collect();
        let (Some(newest), Some(oldest)) = (times.first(), times.last()) else { return Vec::new() };
        if !times.is_sorted_by(|one, next| one >= next) {
            // An instance that does not keep to the order passes over what is there.
            return Vec::new();
        }
        // What came between two pages is on neither.
        let within = |at: &DateTime<Utc>| at > oldest && (self.number.is_none() || at < newest);
        let missed = |listed: &(DateTime<Utc>, PostKey)| within(&listed.0) && !posts.contains(listed);
        let (gone, left) = std::mem::take(&mut self.listed).into_iter().partition::<BTreeSet<_>, _>(missed);
        self.listed = left;
        self.listed.extend(posts);
        while self.listed.len() > MISSED {
            self.listed.pop_first();
        }
        gone.into_iter().map(|(_, key)| Some(Event::Deleted(key))).collect()
    }
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
            (!views.is_empty()).then(|| (self.number.unwrap_or(1) + 1).to_string())
        } else {
            answer["next_page"].as_str().map(str::to_owned)
        };
        // What has no name yet is read when it is listed again.
        let read = views.iter().filter(|view| !is_pinned(view) && !is_unnamed(view));
        let mut items: Vec<Option<Event>> = read.map(|view| event(view, self.mastodon)).collect();
        items.extend(self.miss(views));
        Ok(Results { items, next })
    }
}

fn asked_too_often(page: &Page) -> bool {
    page.status == StatusCode::BAD_REQUEST && page.body.windows(TOO_OFTEN.len()).any(|words| words == TOO_OFTEN)
}

/// Whether it is a post that stands first, however old it is.
fn is_pinned(view: &Value) -> bool {
    let pins = ["featured_local", "featured_community"];
    view["comment"].is_null() && pins.iter().any(|pin| view["post"][pin] == true)
}

fn is_unnamed(view: &Value) -> bool {
    let item = if view["comment"].is_null() { &view["post"] } else { &view["comment"] };
    item["ap_id"].as_str().is_some_and(|id| id.starts_with(UNNAMED))
}

/// The id of a post or comment: the one that it has in its own network.
fn key(item: &Value, mastodon: bool) -> Option<PostKey> {
    let id = item["ap_id"].as_str().filter(|id| !id.is_empty())?;
    let source = if mastodon && id.contains("/users/") && id.contains("/statuses/") { "mastodon" } else { NETWORK };
    Some(PostKey { source: source.to_owned(), id: id.to_owned() })
}

/// When a post or comment was written.
fn written(item: &Value) -> Option<DateTime<Utc>> {
    time(&item["published_at"]).or_else(|| time(&item["published"]))
}

/// A post, or a comment to one.
fn event(view: &Value, mastodon: bool) -> Option<Event> {
    let post = &view["post"];
    let (item, reply_to) = match &view["comment"] {
        Value::Null => (post, None),
        comment => (comment, post["ap_id"].as_str()),
    };
    let key = key(item, mastodon)?;
    if item["deleted"] == true || item["removed"] == true {
        return Some(Event::Deleted(key));
    }
    let creator = &view["creator"];
    let words = |key: &str| item[key].as_str().unwrap_or_default().trim();
    let text = format!("{}\n{}\n{}", words("name"), words("body"), words("content"));
    Some(Event::Post(Post {
        created_at: written(item)?,
        author: creator["ap_id"].as_str().or_else(|| creator["actor_id"].as_str())?.to_owned(),
        text: text.trim().to_owned(),
        url: key.id.starts_with("http").then(|| key.id.clone()),
        reply_to: reply_to.map(str::to_owned),
        bot: creator["bot_account"] == true,
        edited: ["updated", "updated_at"].iter().any(|at| item[at].is_string()),
        source: key.source,
        id: key.id,
        ..Post::default()
    }))
}

/// A time; one without a zone, as up to version 0.17 of Lemmy, is UTC.
fn time(value: &Value) -> Option<DateTime<Utc>> {
    let text = value.as_str()?;
    let zoned = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    zoned.ok().or_else(|| text.parse::<NaiveDateTime>().ok().map(|time| time.and_utc()))
}
