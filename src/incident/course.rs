//! The course of one incident: opened by an alarm, followed minute by minute, resolved, or taken up again.

use super::evidence::soonest;
use super::recovery::{CALM_BEFORE_RESOLVED, Surge};
use super::summary;
use super::view::View;
use super::{Correction, Incident, Interval, Peak, Phase, PhaseEntry, Related, State};
use crate::count::{KeyHash, Tally};
use crate::detect::{calibrate, interval};
use crate::minute::Minute;
use crate::reading::Stage;
use crate::region::Region;
use crate::track::Alarm;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Minutes before the alarm that the start is looked for in.
const LOOK_BACK: i64 = 3 * Minute::HOUR;
/// Minutes after the alarm in which the start is estimated anew as posts arrive.
const START_REVISED: i64 = Minute::HOUR;
/// Minutes in which the regions are looked at each minute, and after them each so many.
const REGIONS_SETTLE: i64 = 15;
const REGIONS_EVERY: i64 = 5;
/// Minutes in which reports anew are the same incident, not another.
const RELAPSE_WITHIN: i64 = 2 * Minute::HOUR;
/// Minutes after which an incident is not taken back any more.
const DOUBTED: i64 = 3 * Minute::HOUR;
/// Assumed, not measured: the probability that what was taken back was an outage after all.
const RETRACTED_CONFIDENCE: f64 = 0.05;

/// An incident and what is needed to carry it on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Course {
    pub(super) incident: Incident<KeyHash>,
    /// The minute that opened it, and the region that raised the alarm.
    pub(super) opened: Minute,
    pub(super) primary: Region,
    /// When the incident before it was said to be over: what was before is not its start.
    pub(super) not_before: Option<Minute>,
    /// The last minute in which any region was in a spike.
    pub(super) last_elevated: Minute,
    /// Since when it has surely been over.
    pub(super) calm_since: Option<Minute>,
    pub(super) resolved: Option<Minute>,
    /// The recovery posts not yet explained by a phase.
    pub(super) surge: Surge,
}

/// An incident that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    pub id: String,
    /// The minute in which it was said to be over. Until then people talked about it.
    pub at: Minute,
}

/// What became of an incident at the close of a minute.
pub enum Verdict {
    /// There is none.
    Nothing,
    /// It is followed on; `said` when it changed for those who read it.
    Open { course: Box<Course>, said: bool },
}

impl Course {
    /// Opens an incident when an alarm was raised.
    pub fn open(view: &View<'_>, alarms: &BTreeMap<Region, Alarm>, before: Option<&Ended>) -> Verdict {
        let not_before = before.map(|ended| ended.at);
        let Some((region, alarm)) = loudest(alarms) else { return Verdict::Nothing };
        let from = alarm.from(view.minute).max(not_before.unwrap_or(alarm.from(view.minute)));
        let samples = view.samples(*region, look_back(from, not_before), view.minute);
        let start = interval::start(&samples, view.minute).unwrap_or_else(|| around(from));
        let peak = Peak { at: from.start(), observed: 0, expected: 0.0 };
        let incident = Incident {
            id: fresh_id(view, &start, before),
            service: view.service.clone(),
            state: State::Ongoing,
            start,
            detected_at: view.said_at,
            acknowledged_at: None,
            end: None,
            peak,
            reports: 0,
            authors: 0,
            confidence: 0.0,
            regions: Vec::new(),
            symptoms: Vec::new(),
            surfaces: Vec::new(),
            phases: Vec::new(),
            related: Vec::new(),
            corrections: Vec::new(),
            retracted_at: None,
        };
        let course = Course {
            incident,
            opened: view.minute,
            primary: *region,
            not_before,
            last_elevated: view.minute,
            calm_since: None,
            resolved: None,
            surge: Surge::default(),
        };
        course.follow(view, alarms)
    }

    /// Carries the incident on by one minute.
    pub fn follow(mut self, view: &View<'_>, alarms: &BTreeMap<Region, Alarm>) -> Verdict {
        let before = self.incident.clone();
        self.trust(view, alarms);
        let spikes = view.nodes.iter().filter_map(|(_, node)| node.spike);
        self.last_elevated = spikes.map(|spike| spike.last_elevated).fold(self.last_elevated, Minute::max);
        if let Some(resolved) = self.resolved {
            if view.minute - resolved > RELAPSE_WITHIN {
                return Course::open(view, alarms, self.ended().as_ref());
            }
            self.take_up_again(view, alarms);
        } else {
            self.date_start(view);
            self.hear_officials(view);
            self.weigh_recovery(view);
        }
        self.hear_resolution(view);
        if self.resolved.is_none_or(|resolved| view.minute - resolved <= CALM_BEFORE_RESOLVED) {
            summary::update(&mut self.incident, view);
            let turned = self.incident.state != before.state || self.incident.regions.is_empty();
            if turned || view.minute - self.opened <= REGIONS_SETTLE || view.minute.0 % REGIONS_EVERY == 0 {
                summary::update_regions(&mut self.incident, view);
            }
        }
        self.name_onset(view);
        let said = self.incident != before || view.minute == self.opened;
        Verdict::Open { course: Box::new(self), said }
    }

    pub fn id(&self) -> &str {
        &self.incident.id
    }

    pub fn incident(&self) -> &Incident<KeyHash> {
        &self.incident
    }

    /// Whether a spike that lasts until `until` is part of the incident.
    pub fn covers(&self, until: Minute) -> bool {
        until.start() >= self.incident.start.low
    }

    /// Where and since when it is loud, and its incident, while it lasts or did so `lately`.
    pub fn loud(&self, now: Minute, lately: i64) -> Option<(Region, Minute, (&str, Minute, bool))> {
        let heard = self.resolved.is_none_or(|resolved| now - resolved <= lately);
        let incident = (self.incident.id.as_str(), self.opened, self.resolved.is_none());
        heard.then(|| (self.primary, Minute::of(self.incident.start.estimate), incident))
    }

    /// Takes note of incidents that hang together with it. Gives whether any is new.
    pub fn relate(&mut self, related: &[Related]) -> bool {
        let known = self.incident.related.len();
        for related in related {
            if self.incident.related.iter().all(|other| other.incident != related.incident) {
                self.incident.related.push(related.clone());
            }
        }
        self.incident.related.len() > known
    }

    /// Whether it is still so young that it may turn out to be none.
    pub fn may_be_taken_back(&self, now: Minute) -> bool {
        self.resolved.is_none() && now - self.opened <= DOUBTED
    }

    /// Takes it back in the open: it was no outage, but what `related` says. Gives the incident as it is told from now on.
    pub fn retract(mut self, view: &View<'_>, related: Related, why: String) -> (Incident<KeyHash>, Ended) {
        self.relate(&[related]);
        self.incident.corrections.push(Correction {
            at: view.said_at,
            what: "state".to_owned(),
            from: self.incident.state.to_string(),
            to: "retracted".to_owned(),
            why,
        });
        let now = view.minute.close();
        self.incident.state = State::Resolved;
        self.incident.end = Some(Interval { low: now, estimate: now, high: now });
        self.incident.retracted_at = Some(view.said_at);
        self.incident.confidence = self.incident.confidence.min(RETRACTED_CONFIDENCE);
        // What is told anew of the same hours may begin where this began.
        let ended = Ended { id: self.incident.id.clone(), at: self.looks_back_to() };
        (self.incident, ended)
    }

    /// What the next incident has to know of it, if it has ended.
    pub fn ended(&self) -> Option<Ended> {
        Some(Ended { id: self.incident.id.clone(), at: self.resolved? })
    }

    /// Whether it was this minute that resolved it.
    pub fn was_resolved_at(&self, minute: Minute) -> bool {
        self.resolved == Some(minute)
    }

    /// The first minute that may still be looked at.
    pub fn looks_back_to(&self) -> Minute {
        Minute::of(self.incident.start.low)
    }

    /// Whether a minute must not be learnt from, since it belongs to the outage. After `new_normal` minutes it may.
    pub fn freezes(&self, minute: Minute, now: Minute, new_normal: i64) -> bool {
        let until = self.resolved.map_or(now, |resolved| resolved + Minute::HOUR);
        minute >= self.looks_back_to() && minute <= until && now - self.opened < new_normal
    }

    /// Gives the incident the time at which it was said, where that is stored.
    pub fn restore_said(&mut self, said: &BTreeMap<String, DateTime<Utc>>) {
        if let Some(at) = said.get(&self.incident.id) {
            self.incident.detected_at = *at;
        }
    }

    /// Confidence grows with what is seen; a decaying outage does not become doubtful.
    fn trust(&mut self, view: &View<'_>, alarms: &BTreeMap<Region, Alarm>) {
        let Some(alarm) = alarms.get(&self.primary) else { return };
        let reports = view.mentions(Tally::Report, alarm.from(view.minute), view.minute);
        let networks: BTreeSet<&str> = reports.map(|mention| mention.source.as_str()).collect();
        let confidence = calibrate::confidence(alarm.score.llr, alarm.threshold, networks.len(), alarm.people as f64);
        self.incident.confidence = self.incident.confidence.max(confidence);
    }

    fn date_start(&mut self, view: &View<'_>) {
        if view.minute - self.opened > START_REVISED {
            return;
        }
        let from = look_back(self.looks_back_to().min(self.opened), self.not_before);
        let samples = view.samples(self.primary, from, view.minute);
        let Some(start) = interval::start(&samples, self.opened) else { return };
        let said = self.incident.start;
        if start.estimate < said.low || start.estimate > said.high {
            self.correct(view, "start", said.estimate, start.estimate, "more posts have arrived");
        }
        self.incident.start = start;
    }

    pub(super) fn correct(&mut self, view: &View<'_>, what: &str, from: DateTime<Utc>, to: DateTime<Utc>, why: &str) {
        self.incident.corrections.push(Correction {
            at: view.said_at,
            what: what.to_owned(),
            from: time_text(from),
            to: time_text(to),
            why: why.to_owned(),
        });
    }

    /// The service's own words that it has a problem.
    fn hear_officials(&mut self, view: &View<'_>) {
        if self.incident.acknowledged_at.is_some() {
            return;
        }
        let from = self.looks_back_to() - Minute::HOUR;
        let words = view.mentions(Tally::Official, from, view.minute);
        let acknowledged = words.filter(|mention| mention.stage == Some(Stage::Acknowledged)).min_by_key(|m| m.order());
        if let Some(mention) = acknowledged {
            self.incident.acknowledged_at = Some(mention.at);
            let entry = PhaseEntry { phase: Phase::Acknowledged, at: mention.at, evidence: vec![mention.key] };
            self.enter(entry);
        }
    }

    /// The service's own words that the problem is solved. They may come long after people have said so.
    fn hear_resolution(&mut self, view: &View<'_>) {
        let Some(at) = self.official_end(view) else { return };
        let told = self.incident.phases.iter().position(|entry| entry.phase == Phase::Resolved);
        let words = view.mentions(Tally::Official, Minute::of(at), view.minute);
        let evidence: Vec<KeyHash> =
            words.filter(|m| m.stage == Some(Stage::Resolved)).take(1).map(|mention| mention.key).collect();
        match told.and_then(|index| self.incident.phases.get_mut(index)) {
            Some(entry) if entry.evidence.is_empty() && self.resolved.is_some() => {
                (entry.at, entry.evidence) = (at, evidence);
            }
            _ => {}
        }
    }

    pub(super) fn official_end(&self, view: &View<'_>) -> Option<DateTime<Utc>> {
        let from = Minute::of(self.incident.start.estimate);
        let words = view.mentions(Tally::Official, from, view.minute);
        words.filter(|mention| mention.stage == Some(Stage::Resolved)).map(|mention| mention.at).max()
    }

    fn name_onset(&mut self, view: &View<'_>) {
        if view.minute - self.opened > START_REVISED {
            return;
        }
        let start = self.incident.start;
        self.incident.phases.retain(|entry| entry.phase != Phase::Onset);
        self.enter(PhaseEntry {
            phase: Phase::Onset,
            at: start.estimate,
            evidence: soonest(view, Tally::Report, Minute::of(start.low), view.minute),
        });
    }

    pub(super) fn enter(&mut self, entry: PhaseEntry<KeyHash>) {
        let phases = &mut self.incident.phases;
        let place = phases.partition_point(|other| (other.at, other.phase) <= (entry.at, entry.phase));
        phases.insert(place, entry);
    }
}

/// The world tells most; a region speaks for itself where the world has seen nothing.
pub fn loudest(alarms: &BTreeMap<Region, Alarm>) -> Option<(&Region, &Alarm)> {
    let loudest = alarms.iter().max_by(|a, b| a.1.score.llr.total_cmp(&b.1.score.llr));
    alarms.get_key_value(&Region::WORLD).or(loudest)
}

/// The service and the start; with a number where the incident before began in the same minute.
fn fresh_id(view: &View<'_>, start: &Interval, before: Option<&Ended>) -> String {
    let id = format!("{}-{}", view.service, start.estimate.format("%Y%m%dT%H%MZ"));
    match before.and_then(|ended| ended.id.strip_prefix(&id)) {
        None => id,
        Some(number) => format!("{id}-{}", number.trim_start_matches('-').parse().unwrap_or(1) + 1),
    }
}

/// From where on a start before `minute` is looked for.
fn look_back(minute: Minute, not_before: Option<Minute>) -> Minute {
    let from = minute - LOOK_BACK;
    not_before.map_or(from, |not_before| from.max(not_before))
}

/// A time about a minute, where nothing more can be told.
fn around(minute: Minute) -> Interval {
    let quarter = TimeDelta::minutes(15);
    Interval { low: minute.start() - quarter, estimate: minute.start(), high: minute.close() + quarter }
}

fn time_text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
