//! Alarm in, incident out: when it began and ended, where, what failed, and on what evidence.

use crate::reading::{ServiceId, Surface, Symptom, words};
use crate::region::Region;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub mod course;
mod evidence;
mod recovery;
pub mod related;
mod summary;
pub mod view;

pub use crate::detect::Interval;

words! {
    /// How far an incident has come.
    State { Ongoing = "ongoing", Recovering = "recovering", Resolved = "resolved" }
}

words! {
    /// A turn in the course of an incident.
    Phase {
        Onset = "onset",
        Acknowledged = "acknowledged",
        PartialRecovery = "partial_recovery",
        Relapse = "relapse",
        Recovery = "recovery",
        Resolved = "resolved",
    }
}

words! {
    /// How two incidents hang together.
    Relation { SameCause = "same-cause", EchoOf = "echo-of" }
}

/// One outage of one service, as it is said to people and programs.
///
/// `E` is what a piece of evidence is given as: in the database the key of a post, to the outside its link or id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident<E = String> {
    /// The service and the first start estimate, frozen when first said: `tiktok-20210706T1929Z`.
    pub id: String,
    pub service: ServiceId,
    pub state: State,
    pub start: Interval,
    /// The clock at which the incident was first said.
    pub detected_at: DateTime<Utc>,
    /// When the service first owned up to it.
    pub acknowledged_at: Option<DateTime<Utc>>,
    /// `None` while it lasts.
    pub end: Option<Interval>,
    pub peak: Peak,
    /// De-duplicated report posts: no bots, reposts, echoes.
    pub reports: u64,
    /// The distinct people behind them.
    pub authors: u64,
    /// The probability that this is a real outage, 0..1.
    pub confidence: f64,
    pub regions: Vec<RegionalImpact>,
    /// Largest share first. Shares are of the reports that name a symptom.
    pub symptoms: Vec<SymptomShare>,
    /// Largest share first. Shares are of the reports that name a surface.
    pub surfaces: Vec<SurfaceShare>,
    pub phases: Vec<PhaseEntry<E>>,
    pub related: Vec<Related>,
    pub corrections: Vec<Correction>,
    /// When it was found to be no outage.
    pub retracted_at: Option<DateTime<Utc>>,
}

impl<E> Incident<E> {
    /// The posts that it names.
    pub fn evidence(&self) -> impl Iterator<Item = &E> {
        self.phases.iter().flat_map(|phase| &phase.evidence)
    }

    /// The same incident with its evidence given in another way; evidence that gives nothing is left out.
    pub fn map_evidence<F>(self, give: impl Fn(&E) -> Option<F>) -> Incident<F> {
        let phases = self.phases.iter().map(|entry| PhaseEntry {
            phase: entry.phase,
            at: entry.at,
            evidence: entry.evidence.iter().filter_map(&give).collect(),
        });
        Incident {
            phases: phases.collect(),
            id: self.id,
            service: self.service,
            state: self.state,
            start: self.start,
            detected_at: self.detected_at,
            acknowledged_at: self.acknowledged_at,
            end: self.end,
            peak: self.peak,
            reports: self.reports,
            authors: self.authors,
            confidence: self.confidence,
            regions: self.regions,
            symptoms: self.symptoms,
            surfaces: self.surfaces,
            related: self.related,
            corrections: self.corrections,
            retracted_at: self.retracted_at,
        }
    }
}

/// The busiest minute: distinct authors seen against those expected.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Peak {
    pub at: DateTime<Utc>,
    pub observed: u64,
    pub expected: f64,
}

/// An incident's share in one region. `world` is always among them, first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegionalImpact {
    pub region: Region,
    pub start: Interval,
    pub end: Option<Interval>,
    pub peak: Peak,
    pub reports: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SymptomShare {
    pub symptom: Symptom,
    pub share: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SurfaceShare {
    pub surface: Surface,
    pub share: f64,
}

/// A dated turn and the posts that show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhaseEntry<E = String> {
    pub phase: Phase,
    pub at: DateTime<Utc>,
    pub evidence: Vec<E>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Related {
    pub incident: String,
    pub relation: Relation,
}

/// What was said before and is said otherwise now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Correction {
    pub at: DateTime<Utc>,
    /// The field: `start`, `end`, `state`, `regions`.
    pub what: String,
    pub from: String,
    pub to: String,
    pub why: String,
}
