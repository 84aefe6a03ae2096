//! Official status pages: what services themselves say of their incidents, in the dialects of those who host such pages.
//!
//! A notice is no report: it dates an acknowledgement or a resolution, by what the page states in its own fields, and
//! makes no time count as heard.

mod aws;
mod azure;
mod betterstack;
mod google;
mod instatus;
mod slack;
mod statuspage;

use super::html::to_text;
use super::keyed::{Given, Watched};
use super::limits::jittered;
use super::{ConfigError, Cursor, Found, Page, Reply, Request, RequestKind, Source, SourceError, host_of, seconds};
use crate::post::{Event, KEY_RETENTION, Notice, Post};
use crate::reading::{Dialect, ServiceId, Stage};
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const NETWORK: &str = "status";
/// The longest notice that is passed on, in characters. Some pages write essays.
const LONGEST: usize = 600;

/// The section `[sources.status]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub enabled: bool,
    /// Ids of the services whose pages are read. Empty for all that have one.
    pub services: Vec<String>,
    /// How soon a page is asked again. ±20%.
    #[serde(rename = "every_seconds", deserialize_with = "seconds")]
    pub every: Duration,
}

/// A status page that a program can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readable {
    pub dialect: Dialect,
    /// The page, as people open it.
    pub page: String,
    /// Names of the parts of the page that are the service. Empty where the whole page is about it.
    pub parts: Vec<String>,
}

/// An incident as a page tells it.
#[derive(Debug)]
struct Incident {
    /// Unique on the page.
    id: String,
    title: String,
    /// What of the service it is about, as far as that is told.
    parts: Vec<String>,
    /// Where people read of it.
    url: Option<String>,
    began: Option<DateTime<Utc>>,
    /// Whether the page holds it for ongoing.
    open: bool,
    /// When it was over, where that is told beside the updates.
    over: Option<DateTime<Utc>>,
    updates: Vec<Update>,
}

/// What a page says of an incident at a time.
#[derive(Debug)]
struct Update {
    /// Unique in the incident.
    id: String,
    /// When it was said. Where that is not told, when it was first read.
    at: Option<DateTime<Utc>>,
    stage: Stage,
    text: String,
}

impl Incident {
    /// An end that no update tells of is told by the last one. As a notice of its own, since that update may have been passed on
    /// while the incident went on.
    fn close(mut self) -> Incident {
        let told = self.open || self.updates.iter().any(|update| update.stage == Stage::Resolved);
        if let Some(last) = self.updates.iter_mut().max_by_key(|update| update.at).filter(|_| !told) {
            last.stage = Stage::Resolved;
            last.id.push_str("-over");
            last.at = last.at.max(self.over);
        }
        self
    }
}

/// An answer's incidents; none for one that cannot be understood.
type Incidents = Vec<Option<Incident>>;

/// The paths under a page that are asked in turn.
fn paths(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::Statuspage => &["api/v2/incidents.json"],
        Dialect::Instatus => &["v3/summary.json"],
        Dialect::BetterStack => &["index.json"],
        // What is over is in the second alone.
        Dialect::Slack => &["api/v2.0.0/current", "api/v2.0.0/history"],
        Dialect::Google => &["incidents.json"],
        Dialect::Aws => &["/public/currentevents"],
        Dialect::Azure => &["feed/"],
    }
}

fn read(dialect: Dialect, body: &[u8], page: &Url) -> Result<Incidents, String> {
    match dialect {
        Dialect::Statuspage => statuspage::read(body),
        Dialect::Instatus => instatus::read(body),
        Dialect::BetterStack => betterstack::read(body),
        Dialect::Slack => slack::read(body),
        Dialect::Google => google::read(body, page),
        Dialect::Aws => aws::read(body),
        Dialect::Azure => azure::read(body),
    }
}

/// A source for each page: several services may share one.
///
/// # Errors
/// A service that has no page, a page that is no URL.
pub fn sources(config: &Config, given: &Given<'_>) -> Result<Vec<Box<dyn Source>>, ConfigError> {
    let key = "sources.status.services";
    if let Some(id) = config.services.iter().find(|id| !given.services.iter().any(|service| service.id == **id)) {
        return Err(ConfigError::NoSuchService { key, value: id.clone() });
    }
    let wanted = |service: &&Watched| config.services.is_empty() || config.services.contains(&service.id);
    let mut pages: Vec<StatusPage> = Vec::new();
    for service in given.services.iter().filter(wanted) {
        let Some(readable) = &service.status else {
            if config.services.is_empty() {
                continue;
            }
            return Err(ConfigError::NoStatusPage { key, value: service.id.clone() });
        };
        let page = super::endpoint(&format!("{}/", readable.page.trim_end_matches('/')))?;
        let about = About { service: ServiceId::new(&service.id), parts: lower(&readable.parts) };
        match pages.iter_mut().find(|other| other.page == page && other.dialect == readable.dialect) {
            Some(known) => known.about.push(about),
            None => pages.push(StatusPage {
                name: format!("{NETWORK}:{}", service.id),
                every: config.every,
                due: vec![given.now; paths(readable.dialect).len()],
                asked: 0,
                told: BTreeSet::new(),
                open: BTreeMap::new(),
                read_until: None,
                about: vec![about],
                dialect: readable.dialect,
                page,
            }),
        }
    }
    Ok(pages.into_iter().map(|page| Box::new(page) as Box<dyn Source>).collect())
}

fn lower(words: &[String]) -> Vec<String> {
    words.iter().map(|word| word.to_lowercase()).collect()
}

/// The source `status:<service>`.
struct StatusPage {
    /// After the first of its services.
    name: String,
    page: Url,
    dialect: Dialect,
    about: Vec<About>,
    every: Duration,
    /// When each path is to be asked, and which was last.
    due: Vec<DateTime<Utc>>,
    asked: usize,
    /// The updates that were passed on, as long as the page shows them.
    told: BTreeSet<String>,
    /// The services of which each path says that an incident is ongoing.
    open: BTreeMap<usize, BTreeSet<ServiceId>>,
    read_until: Option<DateTime<Utc>>,
}

/// Of which service a page speaks, and of which of its parts.
struct About {
    service: ServiceId,
    parts: Vec<String>,
}

impl About {
    /// Whether the incident is one of the service. Where a page names no parts, its title must.
    fn concerns(&self, incident: &Incident) -> bool {
        let mut names = incident.parts.iter().chain([&incident.title]).map(|name| name.to_lowercase());
        self.parts.is_empty() || names.any(|name| self.parts.iter().any(|part| name.contains(part)))
    }
}

impl StatusPage {
    fn services(&self, incident: &Incident) -> Vec<ServiceId> {
        self.about.iter().filter(|about| about.concerns(incident)).map(|about| about.service.clone()).collect()
    }

    fn take(&mut self, incidents: Incidents, now: DateTime<Utc>, found: &mut Found) {
        found.odd += incidents.iter().filter(|incident| incident.is_none()).count() as u64;
        let oldest = now - KEY_RETENTION;
        let incidents: Vec<(Vec<ServiceId>, Incident)> =
            incidents.into_iter().flatten().map(|incident| (self.services(&incident), incident.close())).collect();
        // What has been going on for longer than a week is no part of an outage of today.
        let ongoing = incidents.iter().filter(|(_, it)| it.open && it.began.is_none_or(|began| began >= oldest));
        self.open.insert(self.asked, ongoing.flat_map(|(services, _)| services.clone()).collect());
        let mut shown = BTreeSet::new();
        for (services, incident) in incidents {
            for update in &incident.updates {
                let at = update.at.unwrap_or(now);
                let id = format!("{}/{}/{}", host_of(&self.page), incident.id, update.id);
                if at < oldest || services.is_empty() {
                    continue;
                }
                if update.stage == Stage::Resolved && self.is_open(&services) {
                    continue; // It is not over while another incident goes on. It is told once that is over too.
                }
                shown.insert(id.clone());
                if !self.told.contains(&id) {
                    found.seen += 1;
                    found.events.push(Event::Post(self.post(id, at, now, &services, &incident, update)));
                }
            }
        }
        self.told.retain(|id| shown.contains(id) || self.due.len() > 1);
        self.told.append(&mut shown);
    }

    fn is_open(&self, services: &[ServiceId]) -> bool {
        self.open.values().any(|open| services.iter().any(|service| open.contains(service)))
    }

    fn post(
        &self,
        id: String,
        at: DateTime<Utc>,
        now: DateTime<Utc>,
        services: &[ServiceId],
        incident: &Incident,
        update: &Update,
    ) -> Post {
        let (title, text) = (to_text(&incident.title), to_text(&update.text));
        let words = if title.is_empty() || text.starts_with(&title) { text } else { format!("{title}: {text}") };
        let words = words.trim_end_matches([':', ' ']);
        let text = match words.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", words[..end].trim_end()),
            None => words.to_owned(),
        };
        Post {
            source: NETWORK.to_owned(),
            id,
            created_at: at,
            observed_at: Some(now),
            author: host_of(&self.page),
            text,
            url: Some(self.link(incident, update)),
            official: true,
            notice: Some(Notice { services: services.to_vec(), stage: Some(update.stage) }),
            ..Post::default()
        }
    }

    /// Where people read of it. Each notice has a link of its own, by which it is known again.
    fn link(&self, incident: &Incident, update: &Update) -> String {
        let (url, place) = match &incident.url {
            Some(url) => (url.clone(), update.id.clone()),
            None => (self.page.to_string(), format!("{}/{}", incident.id, update.id)),
        };
        Url::parse(&url).map_or(url, |mut link| {
            link.set_fragment(Some(&place));
            link.into()
        })
    }

    fn read_page(&mut self, page: &Page, now: DateTime<Utc>, found: &mut Found) -> Result<(), String> {
        match page.status {
            StatusCode::NOT_MODIFIED => {}
            StatusCode::OK => {
                let incidents = read(self.dialect, &page.body, &self.page)?;
                self.take(incidents, now, found);
            }
            other => return Err(format!("status {other}")),
        }
        found.caught_up = true;
        self.read_until = Some(page.asked_at);
        self.rest(now);
        Ok(())
    }

    fn rest(&mut self, now: DateTime<Utc>) {
        if let Some(due) = self.due.get_mut(self.asked) {
            *due = now + TimeDelta::from_std(jittered(self.every)).unwrap_or_default();
        }
    }
}

impl Source for StatusPage {
    fn name(&self) -> &str {
        &self.name
    }

    fn network(&self) -> &'static str {
        NETWORK
    }

    fn spacing(&self) -> Duration {
        self.every / paths(self.dialect).len() as u32
    }

    fn listens(&self) -> bool {
        false
    }

    fn next(&mut self, now: DateTime<Utc>) -> Request {
        let dues = self.due.iter().copied().enumerate();
        let (asked, at) = dues.min_by_key(|(_, due)| *due).unwrap_or((0, now));
        self.asked = asked;
        let path = paths(self.dialect).get(asked).copied().unwrap_or_default();
        let url = self.page.join(path).unwrap_or_else(|_| self.page.clone());
        Request { url, at, kind: RequestKind::Changed }
    }

    fn read(&mut self, reply: Reply<'_>, now: DateTime<Utc>, found: &mut Found) -> Result<(), SourceError> {
        let host = host_of(&self.page);
        let malformed = |cause: String| SourceError::Malformed { host, cause };
        let Reply::Page(page) = reply else { return Err(malformed("a frame".to_owned())) };
        self.read_page(page, now, found).map_err(malformed)
    }

    fn failed(&mut self, now: DateTime<Utc>) {
        self.rest(now);
    }

    /// Every answer holds all that is going on, so where it was read to is only told.
    fn cursor(&self) -> Option<Cursor> {
        self.read_until.map(|until| Cursor(until.to_rfc3339()))
    }
}

/// The items under `key`, which some leave out, or say `null` for, where there are none.
fn list<'a>(value: &'a Value, key: &str) -> Result<&'a [Value], String> {
    match value.get(key) {
        Some(Value::Array(items)) => Ok(items),
        None | Some(Value::Null) => Ok(&[]),
        Some(_) => Err(format!("`{key}` is no list")),
    }
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// An id, which some write as a number.
fn id(value: &Value) -> Option<String> {
    match value {
        Value::String(id) if !id.is_empty() => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

fn time(value: &Value) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(value.as_str()?).ok().map(|time| time.to_utc())
}

#[cfg(test)]
mod tests;
