//! The shapes in which the database answers, beside [`Incident`].

use crate::incident::Incident;
use crate::reading::{Kind, Lexicon, Service, ServiceId, words};
use crate::region::Region;
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::BTreeMap;

words! {
    /// Whether a service is down, as far as is heard. `unknown` where the sources were silent or failing.
    Health { Up = "up", Down = "down", Recovering = "recovering", Unknown = "unknown" }
}

/// What is down at a time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    pub at: DateTime<Utc>,
    pub services: Vec<ServiceStatus>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServiceStatus {
    pub service: ServiceId,
    pub state: Health,
    /// Since when it is in this state; `None` where that is not known.
    pub since: Option<DateTime<Utc>>,
    /// The regions that are down or recovering.
    pub regions: Vec<Region>,
    pub incident: Option<String>,
}

/// A window in which more people reported than was to be expected.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spike {
    pub at: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub service: ServiceId,
    pub region: Region,
    /// Distinct authors in the window.
    pub observed: u64,
    pub expected: f64,
    /// How unlikely this is without an outage: the log-likelihood ratio, in nats.
    pub score: f64,
    pub incident: Option<String>,
    /// The incident of another service that explains it: people blamed the wrong one.
    pub echo_of: Option<String>,
}

/// One step of a service's counts in a region, with the band in which it is expected.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeriesPoint {
    pub at: DateTime<Utc>,
    /// Distinct authors, summed over the step's minutes.
    pub observed: u64,
    pub expected: f64,
    /// The 90% band of what is expected.
    pub low: f64,
    pub high: f64,
    /// The share of the step in which any source was heard, 0..1.
    pub heard: f64,
    pub incident: Option<String>,
}

/// How many people reported each of some services lately, step by step.
#[derive(Clone, Debug, PartialEq)]
pub struct Activity {
    /// The share of each step in which any source was heard, 0..1.
    pub heard: Vec<f64>,
    /// Distinct authors of each step, summed over its minutes; one row a service, in the order in which they were asked for.
    pub observed: Vec<Vec<u64>>,
}

/// A post that stands as evidence and may be quoted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Quote {
    /// Its link, or its id where it has none: what an incident's `evidence` names.
    pub reference: String,
    pub source: String,
    pub kind: Kind,
    pub region: Region,
    pub at: DateTime<Utc>,
    /// `None` where the author opted out of being quoted, or the text's retention is over.
    pub text: Option<String>,
    pub lang: Option<String>,
}

/// Everything that a timeline is written from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IncidentFile {
    pub incident: Incident,
    pub quotes: Vec<Quote>,
    /// World counts from an hour before the start until an hour after the end, or until now.
    pub course: Vec<SeriesPoint>,
    /// Reports that name each symptom, by the hour: what failed over time.
    pub symptoms_by_hour: Vec<SymptomHour>,
    /// How often a symptom, and a surface, was named while it lasted: what their shares are shares of.
    pub named: Named,
    /// Spikes of other services that it explains, in the order of time.
    pub echoes: Vec<Spike>,
    /// The database's now.
    pub now: DateTime<Utc>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Named {
    pub symptoms: u64,
    pub surfaces: u64,
}

impl IncidentFile {
    /// An incident without its posts and counts, for what is too short to hold them.
    pub fn bare(incident: Incident, now: DateTime<Utc>) -> IncidentFile {
        IncidentFile {
            incident,
            quotes: Vec::new(),
            course: Vec::new(),
            symptoms_by_hour: Vec::new(),
            named: Named::default(),
            echoes: Vec::new(),
            now,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SymptomHour {
    pub at: DateTime<Utc>,
    pub symptom: crate::reading::Symptom,
    pub reports: u64,
}

/// One bucket of the counter: a minute of one kind of post about a service, in a region, on a source.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CountRow {
    pub at: DateTime<Utc>,
    pub service: ServiceId,
    pub region: Region,
    pub source: String,
    /// `report`, `recovery`, `official`, `echo`, or `repost`, `bot` for what is counted apart.
    pub kind: String,
    pub posts: u64,
    /// Distinct authors in the minute.
    pub authors: u64,
}

/// How a source fares, for people who ask whether silence means anything.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourceAnswer {
    pub source: String,
    #[serde(flatten)]
    pub health: crate::source::Health,
    /// How far what is fully read lies behind the clock.
    pub lag_seconds: Option<i64>,
    /// The share of the last hour that was heard, 0..1.
    pub heard_last_hour: f64,
    /// Posts that were written in the last hour, whatever they are about, as far as they were read.
    pub posts_last_hour: u64,
    /// How soon posts are read; `None` where none was read as it came.
    pub promptness: Option<Promptness>,
    pub cursor: Option<String>,
    /// Posts read from it, whatever they are about.
    pub posts: u64,
    pub gaps: Vec<GapAnswer>,
}

/// How old the posts of the last day were when they were read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Promptness {
    pub posts: u64,
    /// The distribution of their age: seconds, and the share of the posts that were younger. Ages with no post are left out.
    pub within: Vec<(i64, f64)>,
}

impl Promptness {
    /// The age in seconds under which this share of the posts was, as far as it is told apart.
    pub fn of(&self, share: f64) -> Option<i64> {
        self.within.iter().find(|(_, younger)| *younger >= share).map(|(seconds, _)| *seconds)
    }
}

/// How much of a source was heard in a minute.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExposureRow {
    pub at: DateTime<Utc>,
    /// One instance of a network.
    pub source: String,
    /// The share of the minute, 0..1.
    pub heard: f64,
    /// Posts of the minute that were read, whatever they are about.
    pub posts: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GapAnswer {
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub why: Option<String>,
}

/// A service of the catalogue.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServiceAnswer {
    pub id: ServiceId,
    pub name: String,
    /// Those that say that it is down, without `#`.
    pub hashtags: Vec<String>,
    /// Official ones, by network.
    pub accounts: BTreeMap<String, Vec<String>>,
    /// Its status page.
    pub status: Option<String>,
    /// How a program reads that page, where one can.
    pub dialect: Option<&'static str>,
}

impl ServiceAnswer {
    pub fn of(service: &Service, lexicons: &[Lexicon]) -> ServiceAnswer {
        let names = |words: &[crate::reading::problem::Word]| words.iter().map(|word| word.text.clone()).collect();
        ServiceAnswer {
            id: service.id.clone(),
            name: service.name.clone(),
            hashtags: service.followed_tags(lexicons),
            accounts: service.accounts.iter().map(|(network, words)| (network.clone(), names(words))).collect(),
            status: service.status.clone(),
            dialect: service.readable_page().map(|(notices, _)| notices.dialect.as_str()),
        }
    }
}
