//! Live sources: request and parse. A source says what to ask next and reads the answer; it never
//! sleeps, retries or persists. The one [`runner`] does that for all of them, through the one polite
//! client in [`http`].

mod bridge;
pub mod feed;
mod fence;
mod hackernews;
mod html;
pub mod http;
mod ioda;
pub mod jetstream;
pub mod keyed;
mod lemmy;
pub(crate) mod limits;
pub mod mastodon;
pub mod profiles;
mod radar;
pub mod recording;
mod reddit;
pub mod runner;
mod scrub;
mod search;
pub mod spending;
pub mod status;
mod threads;
mod tumblr;
mod utf16;
mod x;

use crate::post::{Event, Gap, Post};
use crate::secret::SecretError;
use chrono::{DateTime, Utc};
use http::Key;
use keyed::Given;
use reqwest::{StatusCode, Url};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

/// Where a source goes on after a restart. Only the source that made it knows what it means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub String);

/// From, until.
pub type Span = (DateTime<Utc>, DateTime<Utc>);

/// What a source has read since its last batch. To be stored as one: posts, gaps and cursor together.
///
/// Sources are at-least-once: a post may come again, also from another instance of its network. The posts
/// of a backlog come in any order; only `heard` says up to where nothing is missing.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The instance, unique among the configured sources: `bluesky`, `mastodon:mastodon.social`. A gap
    /// among the events carries this name, because another instance may have heard that time.
    pub source: String,
    /// The `source` of the posts themselves: `bluesky`, `mastodon`.
    pub network: &'static str,
    pub events: Vec<Event>,
    /// Where to go on once this batch is stored. `None` leaves it where it is: the batch only brings `health`.
    pub cursor: Option<Cursor>,
    /// The span of time that is now fully read, except for the gaps among the events.
    pub heard: Option<Span>,
    /// How many posts were read, also those that could not be understood.
    pub seen: u64,
    /// No backlog is left: what was missed while nobody listened has been read.
    pub caught_up: bool,
    pub health: Health,
}

/// How a source does, since the job was started.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Health {
    pub state: State,
    /// Since when it is in this state.
    #[serde(default)]
    pub since: Option<DateTime<Utc>>,
    /// When something was last read from it.
    pub last_success: Option<DateTime<Utc>>,
    /// Up to where all is read: how far that lies behind the clock is the source's lag.
    pub heard_until: Option<DateTime<Utc>>,
    /// Requests that the server still allows, as it said last.
    pub budget_left: Option<u32>,
    /// Failed requests and broken streams.
    pub errors: u64,
    /// Posts and frames that could not be understood, and were skipped.
    pub odd: u64,
    pub last_error: Option<Failure>,
}

impl Health {
    /// Enters a state, or stays in it.
    pub(crate) fn enter(&mut self, state: State, now: DateTime<Utc>) {
        if self.state != state || self.since.is_none() {
            self.since = Some(now);
        }
        self.state = state;
    }
}

/// A failure, in words for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    pub at: DateTime<Utc>,
    pub message: String,
    /// When it is tried again; never, when the server refuses us.
    pub retry_at: Option<DateTime<Utc>>,
}

/// The state of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is read as it comes.
    Ok,
    /// What was missed is being read.
    #[default]
    Backfilling,
    /// The last request failed.
    Degraded,
    /// Connected, but nothing came for too long.
    Silent,
    /// The job was ended in order.
    Stopped,
    /// Not listened to: its posts come from a recording.
    Replayed,
}

/// What a source asks for next.
#[derive(Clone, Debug)]
pub struct Request {
    pub url: Url,
    /// Not before.
    pub at: DateTime<Utc>,
    pub kind: RequestKind,
}

/// How an answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// One answer to one HTTP GET.
    Page,
    /// The same, or 304 if the page is as it was when its last answer was read.
    Changed,
    /// The same, to a form that is posted.
    Form(&'static str),
    /// WebSocket frames, until one side closes or no frame that can be read has come for `silence`.
    Stream { silence: Duration },
}

/// What a server said.
#[derive(Debug)]
pub enum Reply<'a> {
    /// The whole answer to a [`RequestKind::Page`]. 429, 401, 403 and 5xx never get here.
    Page(&'a Page),
    /// One frame of a [`RequestKind::Stream`].
    Frame(&'a str),
}

/// An answer to an HTTP request.
#[derive(Debug)]
pub struct Page {
    /// When it was asked for: what was written later may be missing.
    pub asked_at: DateTime<Utc>,
    pub status: StatusCode,
    pub body: Vec<u8>,
}

/// What was read from replies, until it is sent as a [`Batch`].
#[derive(Debug, Default)]
pub struct Found {
    pub events: Vec<Event>,
    pub heard: Option<Span>,
    pub seen: u64,
    /// Posts that could not be understood.
    pub odd: u64,
    pub caught_up: bool,
}

impl Found {
    /// Adds a span that is fully read, and that begins where the one before it ended.
    pub fn hear(&mut self, from: DateTime<Utc>, until: DateTime<Utc>) {
        let from = self.heard.map_or(from, |(first, _)| first);
        self.heard = Some((from, until));
    }

    /// Adds a span that was lost.
    pub fn lose(&mut self, source: &str, from: DateTime<Utc>, until: DateTime<Utc>, why: String) {
        self.events.push(Event::Gap(Gap { source: source.to_owned(), from, until, why: Some(why) }));
    }

    /// Passes on the posts that an answer shows for the first time. `told` holds the ids of those that the answer before
    /// showed, and of those of this one afterwards.
    fn pass_on(&mut self, posts: Vec<Post>, told: &mut BTreeSet<String>) {
        let shown = posts.iter().map(|post| post.id.clone()).collect();
        for post in posts.into_iter().filter(|post| !told.contains(&post.id)) {
            self.seen += 1;
            self.events.push(Event::Post(post));
        }
        *told = shown;
    }

    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.seen == 0 && self.odd == 0 && self.heard.is_none()
    }
}

/// A place where public posts come from.
pub trait Source: Send {
    /// Unique among the configured sources.
    fn name(&self) -> &str;

    /// The `source` of its posts.
    fn network(&self) -> &'static str;

    /// The least time between two requests to one host.
    fn spacing(&self) -> Duration;

    /// What to ask next, and when.
    fn next(&mut self, now: DateTime<Utc>) -> Request;

    /// What opens the last request's server, where it wants a key.
    fn key(&self) -> Option<Key> {
        None
    }

    /// Whether the last request costs money, so that the cursor, which then holds what was spent, is stored before it.
    fn spends(&self) -> bool {
        false
    }

    /// Whether it hears what people write, so that its silence means something. One that brings notices alone makes no
    /// time count as heard, and nobody waits for it.
    fn listens(&self) -> bool {
        true
    }

    /// What is said to a server when a stream is open.
    fn greeting(&self) -> Vec<String> {
        Vec::new()
    }

    /// The text in a frame of bytes, where a stream packs its frames.
    fn unpack(&mut self, _frame: &[u8]) -> Option<String> {
        None
    }

    /// Reads an answer to the last request, and moves the cursor past it.
    ///
    /// # Errors
    /// When the whole page or frame cannot be understood; the cursor has then not moved. One odd post among
    /// good ones is no error: it is counted in [`Found::odd`].
    fn read(&mut self, reply: Reply<'_>, now: DateTime<Utc>, found: &mut Found) -> Result<(), SourceError>;

    /// The last request came to nothing: let others go first, or try another server.
    fn failed(&mut self, now: DateTime<Utc>);

    /// Where to go on after all that was read, once anything was.
    fn cursor(&self) -> Option<Cursor>;
}

/// Why a request came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("{host} cannot be reached: {cause}")]
    Unreachable { host: String, cause: String },
    #[error("{host} answered {status}")]
    Busy {
        host: String,
        status: StatusCode,
        /// How long the server asks us to wait.
        wait: Option<Duration>,
    },
    #[error("{host} answered {status}: {hint}")]
    Refused { host: String, status: StatusCode, hint: &'static str },
    #[error("{host} is not asked: {why}")]
    Fenced { host: String, why: &'static str },
    #[error("the answer of {host} was not understood: {cause}")]
    Malformed { host: String, cause: String },
    #[error("the answer of {host} is longer than {limit} bytes")]
    TooLong { host: String, limit: usize },
    #[error("{host} closed the stream: {cause}")]
    Closed { host: String, cause: String },
    #[error("{host} sent nothing for {} s", silence.as_secs())]
    Silent { host: String, silence: Duration },
}

/// A mistake in the configuration of the sources, or a stored cursor that is not one.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("`{value}` is not a server: write a host such as `mastodon.social`, or a URL")]
    NotAServer { value: String },
    #[error("`{key}` lists no server: name one, or set `enabled = false`")]
    NoServer { key: &'static str },
    #[error("there are no hashtags to follow: name some in `sources.mastodon.hashtags`, or set `enabled = false`")]
    NoHashtags,
    #[error("`{key}` names no service of the catalogue: `{value}`")]
    NoSuchService { key: &'static str, value: String },
    #[error(
        "`{key}`: no program can read a status page of `{value}`; give it `notices` in a file of `reading.services`"
    )]
    NoStatusPage { key: &'static str, value: String },
    #[error("`{key}`: `{value}` names another feed too, or nothing; give each a name of its own")]
    BadName { key: &'static str, value: String },
    #[error("`{key}`: {cause}")]
    Key { key: &'static str, cause: SecretError },
    #[error("the stored cursor of {name} cannot be read: {cause}; delete the source's row to begin anew")]
    BadCursor { name: String, cause: String },
    #[error("`sources.http.authorities`: {path}: {cause}")]
    BadAuthority { path: String, cause: String },
    #[error(
        "{0}; install the system's package of certificate authorities, or name a PEM file in `sources.http.authorities`"
    )]
    NoAuthority(String),
    #[error("the HTTP client cannot be made: {0}")]
    Client(String),
}

/// The section `[sources]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub http: http::Config,
    pub bluesky: jetstream::Config,
    pub mastodon: mastodon::Config,
    pub mastodon_streaming: mastodon::stream::Config,
    pub x: x::Config,
    pub reddit: reddit::Config,
    pub threads: threads::Config,
    pub tumblr: tumblr::Config,
    pub radar: radar::Config,
    pub status: status::Config,
    pub hackernews: hackernews::Config,
    pub lemmy: lemmy::Config,
    pub feeds: feed::Config,
    pub ioda: ioda::Config,
}

impl Config {
    /// The files that it names.
    pub fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let keys = [
            &mut self.mastodon_streaming.token,
            &mut self.x.token,
            &mut self.reddit.id,
            &mut self.reddit.secret,
            &mut self.threads.token,
            &mut self.tumblr.key,
            &mut self.radar.token,
        ];
        keys.into_iter().map(|place| &mut place.file).chain([&mut self.http.authorities])
    }
}

/// Makes the sources that need no key and are enabled. `hashtags` are the catalogue's.
///
/// # Errors
/// A server's name or a stored cursor that cannot be understood, an unknown service.
pub fn build(config: &Config, hashtags: &[String], given: &Given<'_>) -> Result<Vec<Box<dyn Source>>, ConfigError> {
    let Given { cursors, now, .. } = *given;
    let mut sources: Vec<Box<dyn Source>> = Vec::new();
    if config.bluesky.enabled {
        sources.push(Box::new(jetstream::Jetstream::new(&config.bluesky, config.mastodon.enabled, cursors)?));
    }
    if config.mastodon.enabled {
        if config.mastodon.instances.is_empty() {
            return Err(ConfigError::NoServer { key: "sources.mastodon.instances" });
        }
        for instance in &config.mastodon.instances {
            let bridged = config.bluesky.enabled;
            sources.push(Box::new(mastodon::Mastodon::new(
                &config.mastodon,
                instance,
                hashtags,
                bridged,
                cursors,
                now,
            )?));
        }
    }
    if config.hackernews.enabled {
        sources.push(hackernews::source(&config.hackernews, given)?);
    }
    if config.lemmy.enabled {
        sources.append(&mut lemmy::sources(&config.lemmy, config.mastodon.enabled, given)?);
    }
    if config.status.enabled {
        sources.append(&mut status::sources(&config.status, given)?);
    }
    if config.ioda.enabled {
        sources.push(ioda::source(&config.ioda, given)?);
    }
    sources.append(&mut feed::sources(&config.feeds, given)?);
    Ok(sources)
}

/// Reads a number of seconds, from a millisecond to a week.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    if (0.001..=604_800.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(serde::de::Error::custom(format!("{seconds} is not within 0.001 and 604800 seconds")))
    }
}

/// The text, followed by those of the hashtags that it does not hold already.
fn with_hashtags<'a>(mut text: String, hashtags: impl IntoIterator<Item = &'a str>) -> String {
    let mut lower = text.to_lowercase();
    for tag in hashtags {
        let tag = format!("#{}", tag.trim_start_matches('#'));
        let tag_lower = tag.to_lowercase();
        let held = lower.match_indices(&tag_lower).any(|(start, _)| {
            let after = lower[start + tag_lower.len()..].chars().next();
            !after.is_some_and(|next| next.is_alphanumeric() || next == '_')
        });
        if !held {
            for part in [&mut text, &mut lower] {
                if !part.is_empty() {
                    part.push(' ');
                }
            }
            text.push_str(&tag);
            lower.push_str(&tag_lower);
        }
    }
    text
}

/// A server, named by its host or as a URL: `mastodon.social` → `https://mastodon.social/`.
fn endpoint(server: &str) -> Result<Url, ConfigError> {
    let text = if server.contains("://") { server.to_owned() } else { format!("https://{server}") };
    let url = Url::parse(&text).ok().filter(|url| url.has_host() && matches!(url.scheme(), "http" | "https"));
    url.ok_or_else(|| ConfigError::NotAServer { value: server.to_owned() })
}

/// The host of a URL, with its port where it is not the scheme's own.
pub(crate) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::with_hashtags;

    #[test]
    fn only_missing_hashtags_are_appended() {
        let text = with_hashtags("is #TikTokDown again".to_owned(), ["tiktokdown", "tiktok", "Outage"]);
        assert_eq!(text, "is #TikTokDown again #tiktok #Outage");
        assert_eq!(with_hashtags(String::new(), ["down", "DOWN"]), "#down");
    }
}
