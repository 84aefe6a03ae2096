//! All public posts that reach a Mastodon instance, as they come: a WebSocket for those who have an account there. What is
//! written while it is not open is not to be had; the hashtag timelines hear a part of it.
//! <https://docs.joinmastodon.org/methods/streaming/#websocket>

use super::group::Id;
use super::status::Status;
use super::{NETWORK, instance_domain};
use crate::post::{Event, PostKey};
use crate::secret::{KeyPlace, Secret};
use crate::source::http::Key;
use crate::source::keyed::{self, Given, Made, Off};
use crate::source::{
    ConfigError, Cursor, Found, Page, Reply, Request, RequestKind, Source, SourceError, endpoint, host_of, seconds,
};
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Posts whose deletion is understood: it names them by an id that only this instance knows.
const REMEMBERED: usize = 20_000;
/// What it is called while no instance is known.
const KIND: &str = "mastodon:streaming";
/// The least time between two connections.
const SPACING: Duration = Duration::from_secs(3);

/// The section `[sources.mastodon_streaming]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The instance that knows the token, as a host or a URL.
    pub instance: String,
    /// Where the access token is.
    pub token: KeyPlace,
    /// A stream that sends nothing for so long is opened anew.
    #[serde(rename = "silence_seconds", deserialize_with = "seconds")]
    pub silence: Duration,
}

/// The source `mastodon:<instance>:streaming`.
struct Streaming {
    name: String,
    base: Url,
    token: Secret,
    silence: Duration,
    bridged: bool,
    domain: String,
    /// Where the instance streams, once it has said so.
    stream: Option<Url>,
    /// Whether a frame has come since the stream was opened.
    open: bool,
    heard_until: Option<DateTime<Utc>>,
    keys: BTreeMap<Id, PostKey>,
}

/// `bridged` makes copies of Bluesky's posts the posts that they are copies of.
pub fn source(config: &Config, bridged: bool, given: &Given<'_>) -> Made<Box<dyn Source>> {
    let off = |why: String| Ok(Err(Off { source: KIND, why }));
    let token = match keyed::key(KIND, "sources.mastodon_streaming.token", &config.token)? {
        Ok(token) => token,
        Err(off) => return Ok(Err(off)),
    };
    if config.instance.is_empty() {
        return off("`sources.mastodon_streaming.instance` does not name the instance of the token".to_owned());
    }
    let base = endpoint(&config.instance)?;
    let name = format!("{NETWORK}:{}:streaming", host_of(&base));
    let bad = |cause: chrono::ParseError| ConfigError::BadCursor { name: name.clone(), cause: cause.to_string() };
    let heard_until = given.cursors.get(&name).map(|cursor| cursor.0.parse().map_err(bad)).transpose()?;
    Ok(Ok(Box::new(Streaming {
        domain: base.host_str().unwrap_or_default().to_owned(),
        name,
        base,
        token,
        silence: config.silence,
        bridged,
        stream: None,
        open: false,
        heard_until,
        keys: BTreeMap::new(),
    })))
}

impl Streaming {
    /// `/api/v2/instance`: the instance's domain, and where it streams.
    fn read_instance(&mut self, page: &Page) -> Result<(), SourceError> {
        let answer: Value = serde_json::from_slice(&page.body).unwrap_or_default();
        if let Some(domain) = instance_domain(&answer) {
            domain.clone_into(&mut self.domain);
        }
        let mut url = match answer["configuration"]["urls"]["streaming"].as_str() {
            Some(said) => Url::parse(said).ok().filter(|url| matches!(url.scheme(), "ws" | "wss") && url.has_host()),
            None => Some(self.base.clone()),
        }
        .ok_or_else(|| self.malformed("it does not say where it streams"))?;
        let scheme = match url.scheme() {
            "http" | "ws" => "ws",
            _ => "wss",
        };
        url.set_scheme(scheme).map_err(|()| self.malformed("it does not say where it streams"))?;
        url.set_path("/api/v1/streaming");
        url.query_pairs_mut().clear().append_pair("stream", "public");
        self.stream = Some(url);
        Ok(())
    }

    fn malformed(&self, cause: &str) -> SourceError {
        SourceError::Malformed { host: host_of(&self.base), cause: cause.to_owned() }
    }

    /// Moves on to now, and says what was not heard before.
    fn hear(&mut self, now: DateTime<Utc>, found: &mut Found) {
        let last = self.heard_until.unwrap_or(now);
        if !self.open && last < now {
            found.lose(&self.name, last, now, "the stream was not open".to_owned());
        }
        self.open = true;
        let until = last.max(now);
        found.hear(last, until);
        found.caught_up = true;
        self.heard_until = Some(until);
    }

    fn read_frame(&mut self, text: &str, now: DateTime<Utc>, found: &mut Found) -> Result<(), SourceError> {
        let frame: Frame = serde_json::from_str(text).map_err(|error| self.malformed(&error.to_string()))?;
        if let Some(status) =
            frame.status.filter(|_| frame.event.is_empty()).and_then(|it| StatusCode::from_u16(it).ok())
        {
            let hint = "it does not allow this stream with this token; docs/keys.md tells how to get one";
            return Err(SourceError::Refused { host: host_of(&self.base), status, hint });
        }
        self.hear(now, found);
        match frame.event.as_str() {
            "update" | "status.update" => {
                found.seen += 1;
                let Some(status) = frame.payload.as_str().and_then(|text| serde_json::from_str::<Status>(text).ok())
                else {
                    found.odd += 1;
                    return Ok(());
                };
                let id = status.id.clone();
                if let Some(post) = status.post(&self.domain, Some(now), self.bridged) {
                    self.keys.insert(id, post.key());
                    if self.keys.len() > REMEMBERED {
                        self.keys.pop_first();
                    }
                    found.events.push(Event::Post(post));
                }
            }
            "delete" => {
                let id = frame.payload.as_str().map(|id| Id(id.to_owned()));
                found.events.extend(id.and_then(|id| self.keys.remove(&id)).map(Event::Deleted));
            }
            _ => {}
        }
        Ok(())
    }
}

impl Source for Streaming {
    fn name(&self) -> &str {
        &self.name
    }

    fn network(&self) -> &'static str {
        NETWORK
    }

    fn spacing(&self) -> Duration {
        SPACING
    }

    fn next(&mut self, now: DateTime<Utc>) -> Request {
        self.open = false;
        if let Some(url) = self.stream.clone() {
            return Request { url, at: now, kind: RequestKind::Stream { silence: self.silence } };
        }
        let mut url = self.base.clone();
        url.set_path("/api/v2/instance");
        Request { url, at: now, kind: RequestKind::Page }
    }

    fn key(&self) -> Option<Key> {
        self.stream.is_some().then(|| Key::Bearer(self.token.clone()))
    }

    fn read(&mut self, reply: Reply<'_>, now: DateTime<Utc>, found: &mut Found) -> Result<(), SourceError> {
        match reply {
            Reply::Page(page) => self.read_instance(page),
            Reply::Frame(text) => self.read_frame(text, now, found),
        }
    }

    fn failed(&mut self, now: DateTime<Utc>) {
        // It may have moved since; but it is not asked more often than once in a while.
        if self.heard_until.is_none_or(|until| now - until > TimeDelta::hours(1)) {
            self.stream = None;
        }
    }

    fn cursor(&self) -> Option<Cursor> {
        self.heard_until.map(|until| Cursor(until.to_rfc3339()))
    }
}

#[derive(Deserialize)]
struct Frame {
    #[serde(default)]
    event: String,
    #[serde(default)]
    payload: Value,
    /// Of a refusal: `{"error":…,"status":401}`.
    status: Option<u16>,
}
