//! The pure fold from counted mentions to incidents: minutes close one by one, and nothing but the data decides.

mod node;
mod service;

pub use node::NodeTrack;
pub use service::find;

use crate::count::{Exposure, KeyHash, ListeningSpan, Mention, Tally};
use crate::detect::Score;
use crate::detect::calibrate::Budget;
use crate::incident::Incident;
use crate::incident::related::{self, Judgement, Loud, Ties};
use crate::minute::Minute;
use crate::post::LATENESS;
use crate::reading::ServiceId;
use crate::region::Region;
use crate::store::writer::{ExpectedRow, SpikeRow};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use service::ServiceTrack;
use std::collections::BTreeMap;

/// A minute is settled, and learnt from, when no post that is not too late can fall into it any more.
pub const SETTLING: i64 = LATENESS.num_minutes();

/// What is known of every service at the last closed minute. Two of the same history are equal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Track {
    clock: Option<Minute>,
    exposure: Exposure,
    services: BTreeMap<ServiceId, ServiceTrack>,
}

/// The knobs of detection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// How many false incidents a month are acceptable, over everything that is watched.
    pub false_alarms_per_month: f64,
}

/// A region's score above its threshold, confirmed by distinct people.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alarm {
    pub score: Score,
    pub threshold: f64,
    pub people: u64,
}

impl Alarm {
    /// The first minute of the excess, if it is raised at `now`.
    pub fn from(&self, now: Minute) -> Minute {
        now - self.score.since + 1
    }
}

/// What closing minutes brought to light: new rows, and rows that replace what was said before.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    pub incidents: BTreeMap<String, Incident<KeyHash>>,
    pub spikes: Vec<SpikeRow>,
    pub expected: Vec<ExpectedRow>,
}

impl Track {
    /// The last closed minute.
    pub fn clock(&self) -> Option<Minute> {
        self.clock
    }

    pub fn exposure(&self) -> &Exposure {
        &self.exposure
    }

    /// Takes a mention that was not seen before. One that is too late to be scored is left to the counter.
    pub fn add(&mut self, mention: &Mention) {
        // The service's own words are no count: they may come late.
        let counted = mention.tally != Tally::Official;
        if counted && self.clock.is_some_and(|clock| mention.minute() <= clock - SETTLING) {
            return;
        }
        self.services.entry(mention.service.clone()).or_default().add(mention);
    }

    /// Takes a span of listening or of loss.
    pub fn listen(&mut self, span: &ListeningSpan) {
        self.exposure.add(span);
    }

    /// Closes every minute up to and with `through`. `said_at` is the clock at which findings are said; without it
    /// the close of the minute that decided.
    pub fn close_through(
        &mut self,
        through: Minute,
        said_at: Option<DateTime<Utc>>,
        settings: &Settings,
        ties: &Ties,
    ) -> Findings {
        let mut findings = Findings::default();
        let first = match self.clock {
            Some(clock) => clock + 1,
            None => self.first_minute().unwrap_or(through),
        };
        let mut minute = first;
        while minute <= through {
            let nodes = self.services.values().map(ServiceTrack::nodes).sum();
            let context = service::Context {
                minute,
                said_at: said_at.unwrap_or_else(|| minute.close()),
                exposure: &self.exposure,
                budget: Budget { false_alarms_per_month: settings.false_alarms_per_month, nodes },
            };
            close(&mut self.services, &context, ties, &mut findings);
            if minute.0 % Minute::HOUR == 0 {
                self.exposure.forget_before(minute - service::MEMORY);
            }
            self.clock = Some(minute);
            minute = minute + 1;
        }
        findings
    }

    /// Gives incidents the times at which they were said, after they were found again from stored mentions.
    pub fn restore_said(&mut self, said: &BTreeMap<String, DateTime<Utc>>) {
        for service in self.services.values_mut() {
            service.restore_said(said);
        }
    }

    fn first_minute(&self) -> Option<Minute> {
        let mentioned = self.services.values().filter_map(ServiceTrack::first_minute).min();
        match (self.exposure.first_of_all(), mentioned) {
            (Some(heard), Some(mentioned)) => Some(heard.min(mentioned)),
            (heard, mentioned) => heard.or(mentioned),
        }
    }
}

/// Closes a minute: each service for itself, then all of them together, then the incidents.
fn close(
    services: &mut BTreeMap<ServiceId, ServiceTrack>,
    context: &service::Context<'_>,
    ties: &Ties,
    findings: &mut Findings,
) {
    let watched = services.iter_mut().map(|(id, service)| service.watch(id, context, findings));
    let alarms: Vec<BTreeMap<Region, Alarm>> = watched.collect();
    let all = services.iter().zip(&alarms).enumerate();
    let (places, loud): (Vec<usize>, Vec<Loud<'_>>) =
        all.filter_map(|(place, ((id, service), alarms))| Some((place, service.loud(id, context, alarms)?))).unzip();
    let mut judged = vec![Judgement::default(); alarms.len()];
    for (place, judgement) in places.into_iter().zip(related::judge(&loud, ties)) {
        judged[place] = judgement;
    }
    for (((id, service), alarms), judgement) in services.iter_mut().zip(alarms).zip(&judged) {
        service.conclude(id, context, alarms, judgement, findings);
    }
}
