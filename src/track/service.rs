//! One service: its recent mentions, its regions' alarms, and the incident that they make.

use super::node::{NodeTrack, OpenSpike};
use super::{Alarm, Findings, SETTLING};
use crate::count::{Exposure, Mention, People, Tally, count_minute};
use crate::detect;
use crate::detect::Score;
use crate::detect::calibrate::{self, Budget};
use crate::incident::course::{Course, Ended, Verdict, loudest};
use crate::incident::related::{self, Judgement, Loud};
use crate::incident::view::View;
use crate::incident::{Related, Relation};
use crate::minute::Minute;
use crate::reading::ServiceId;
use crate::region::Region;
use crate::store::writer::{ExpectedRow, SpikeRow};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Minutes for which mentions and counts stay at hand, before an alarm may look back at them.
pub const MEMORY: i64 = 6 * Minute::HOUR;
/// The fewest people whose word makes an incident.
const FEWEST_PEOPLE: u64 = 5;
/// How many times what is expected a busy day brings without anything failing, how many times so many people must be, and
/// the nats by which they must exceed the busy day.
const BUSY_DAY: f64 = 2.0;
const PEOPLE_RATIO: f64 = 2.3;
const BEYOND_BUSY_DAY: f64 = 5.0;
/// Reports that were expected and came in the other countries, before there are any to tell by.
const ELSEWHERE: f64 = 2.0;
/// The least share of posts whose place is unknown.
const LEAST_UNPLACED: f64 = 0.05;
/// Repeated reports for each person, beyond which it takes more people than repetitions.
const REPEATED: f64 = 0.3;
/// Minutes after which an outage that goes on is learnt as the new normal.
const NEW_NORMAL: i64 = 3 * Minute::DAY;

/// What closing a minute needs to know beside the service itself.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub minute: Minute,
    pub said_at: DateTime<Utc>,
    pub exposure: &'a Exposure,
    pub budget: Budget,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServiceTrack {
    mentions: BTreeMap<Minute, Vec<Mention>>,
    /// Minutes whose mentions have changed since they were counted.
    dirty: BTreeSet<Minute>,
    /// Sorted by region, so that a parent comes before its parts.
    nodes: Vec<(Region, NodeTrack)>,
    course: Option<Course>,
    /// The last incident that ended.
    ended: Option<Ended>,
}

impl ServiceTrack {
    pub fn add(&mut self, mention: &Mention) {
        let minute = self.mentions.entry(mention.minute()).or_default();
        let place = minute.partition_point(|other| other.order() < mention.order());
        minute.insert(place, mention.clone());
        if mention.tally != Tally::Official {
            self.dirty.insert(mention.minute());
        }
    }

    /// How many regions are watched.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    pub fn first_minute(&self) -> Option<Minute> {
        self.mentions.keys().next().copied()
    }

    pub fn restore_said(&mut self, said: &BTreeMap<String, DateTime<Utc>>) {
        if let Some(course) = &mut self.course {
            course.restore_said(said);
        }
    }

    /// Closes a minute for the service alone: count, settle, score. Gives the regions in alarm.
    pub fn watch(&mut self, id: &ServiceId, context: &Context<'_>, findings: &mut Findings) -> BTreeMap<Region, Alarm> {
        self.recount(context);
        self.settle(context);
        let alarms = self.raise_alarms(context);
        self.follow_spikes(id, context, &alarms, findings);
        alarms
    }

    /// Carries the incident on, once it is known how the service stands among the others.
    pub fn conclude(
        &mut self,
        id: &ServiceId,
        context: &Context<'_>,
        alarms: BTreeMap<Region, Alarm>,
        judgement: &Judgement,
        findings: &mut Findings,
    ) {
        self.follow_incident(id, context, alarms, judgement, findings);
        self.tell_expectations(id, context, findings);
        self.forget(context.minute);
    }

    /// The service as it is held against others, if there is anything to hear.
    pub fn loud<'a>(
        &'a self,
        id: &'a ServiceId,
        context: &Context<'a>,
        alarms: &BTreeMap<Region, Alarm>,
    ) -> Option<Loud<'a>> {
        let view = view(&self.nodes, &self.mentions, id, context);
        let course = self.course.as_ref().and_then(|course| course.loud(context.minute, related::HORIZON));
        let alarm = loudest(alarms).map(|(region, alarm)| (*region, alarm.from(context.minute)));
        let (region, from) = course.map(|(region, from, _)| (region, from)).or(alarm)?;
        let threshold = alarms.get(&region).map_or_else(
            || {
                let hour = view.samples(region, context.minute - Minute::HOUR, context.minute);
                let expected: f64 = hour.iter().map(|sample| sample.expected).sum();
                context.budget.threshold(expected / Minute::HOUR as f64)
            },
            |alarm| alarm.threshold,
        );
        Some(Loud { view, region, from, threshold, incident: course.map(|(.., incident)| incident) })
    }

    fn recount(&mut self, context: &Context<'_>) {
        let later = self.dirty.split_off(&(context.minute + 1));
        for minute in std::mem::replace(&mut self.dirty, later) {
            let mentions = self.mentions.get(&minute).map_or(&[][..], Vec::as_slice);
            for (region, count) in count_minute(mentions) {
                let index = match self.nodes.binary_search_by_key(&region, |(region, _)| *region) {
                    Ok(index) => index,
                    Err(index) => {
                        self.nodes.insert(index, (region, NodeTrack::default()));
                        index
                    }
                };
                if let Some((_, node)) = self.nodes.get_mut(index) {
                    node.set(minute, count, context.exposure);
                }
            }
        }
    }

    /// Settles the nodes in which something happens; the quiet ones follow once an hour.
    fn settle(&mut self, context: &Context<'_>) {
        let hourly = context.minute.0 % Minute::HOUR == 0;
        let course = self.course.as_ref();
        let frozen = |minute| course.is_some_and(|course| course.freezes(minute, context.minute, NEW_NORMAL));
        // From the parts up, so that each learns beside what its parent knew before. A parent sorts before its parts.
        for index in (0..self.nodes.len()).rev() {
            let (parents, parts) = self.nodes.split_at_mut(index);
            let Some((region, node)) = parts.first_mut() else { continue };
            if hourly || node.is_active(context.minute) {
                let parent = region.parent().and_then(|parent| find(parents, parent));
                node.settle(context.minute - SETTLING, frozen, context.exposure, parent);
            }
        }
    }

    fn parent(&self, region: Region) -> Option<&NodeTrack> {
        region.parent().and_then(|parent| find(&self.nodes, parent))
    }

    fn node_mut(&mut self, region: Region) -> Option<&mut NodeTrack> {
        let index = self.nodes.binary_search_by_key(&region, |(region, _)| *region).ok()?;
        self.nodes.get_mut(index).map(|(_, node)| node)
    }

    /// The nodes whose score, confirmed by as many distinct people, exceeds the threshold. A part of a region that is in
    /// alarm needs less to join it.
    fn raise_alarms(&self, context: &Context<'_>) -> BTreeMap<Region, Alarm> {
        let mut alarms: BTreeMap<Region, Alarm> = BTreeMap::new();
        for (region, node) in &self.nodes {
            if !node.is_active(context.minute) {
                continue;
            }
            let parent = self.parent(*region);
            let score = node.score(context.minute, parent, context.exposure);
            let mean = score.expected_in_window / score.since.max(1) as f64;
            let joins = region.parent().is_some_and(|parent| alarms.contains_key(&parent));
            let threshold =
                if joins { context.budget.threshold_in_alarm(mean) } else { context.budget.threshold(mean) };
            if !calibrate::is_alarm(&score, threshold) {
                continue;
            }
            let from = context.minute - score.since + 1;
            let people = self.people(*region, from, context.minute);
            let dispersion = node.dispersion(context.minute, parent);
            let alone = *region != Region::WORLD && !region.path().any(|region| alarms.contains_key(&region));
            if people >= FEWEST_PEOPLE
                && is_confirmed(&score, people as f64, dispersion, threshold)
                && (!alone || self.stands_out(*region, &score, context) >= threshold)
            {
                alarms.insert(*region, Alarm { score, threshold, people });
            }
        }
        alarms
    }

    /// How far a region stands out by itself, in nats: beyond what is expected there as the other countries have it, since where
    /// all are busy, so is it; and beyond the doubt that posts of unknown place cast on it, part of which come from there.
    fn stands_out(&self, region: Region, score: &Score, context: &Context<'_>) -> f64 {
        let sum = |region: Region| {
            let Some(node) = find(&self.nodes, region) else { return (0.0, 0.0) };
            let from = context.minute - score.since + 1;
            let samples = node.samples(from, context.minute, self.parent(region), context.exposure);
            samples.iter().fold((0.0, 0.0), |sum, sample| (sum.0 + sample.reports, sum.1 + sample.expected))
        };
        let mut unplaced = sum(Region::WORLD);
        let world = unplaced.1;
        let mut elsewhere = (ELSEWHERE, ELSEWHERE);
        for country in self.nodes.iter().map(|(region, _)| *region).filter(|region| region.is_country()) {
            let (reports, expected) = sum(country);
            unplaced = (unplaced.0 - reports, unplaced.1 - expected);
            if !country.contains(region) {
                elsewhere = (elsewhere.0 + reports, elsewhere.1 + expected);
            }
        }
        let busy = (elsewhere.0 / elsewhere.1).max(1.0);
        let beyond_others = detect::poisson_llr(score.observed_in_window, busy * score.expected_in_window);
        let (reports, expected) = (unplaced.0.max(0.0), unplaced.1.max(LEAST_UNPLACED * world).max(1e-6));
        // As many for each that is placed as on other days.
        let brought =
            expected / (world - expected).max(expected) * (score.observed_in_window - score.expected_in_window);
        let borne_out = reports * (1.0 + brought / expected).ln() - brought;
        beyond_others.min(score.llr + borne_out.min(0.0))
    }

    /// Distinct people who reported from a region in `[from, until]`.
    fn people(&self, region: Region, from: Minute, until: Minute) -> u64 {
        let mentions = self.mentions.range(from..=until).flat_map(|(_, mentions)| mentions);
        People::among(mentions.filter(|mention| mention.tally == Tally::Report && region.contains(mention.region)))
    }

    fn follow_spikes(
        &mut self,
        id: &ServiceId,
        context: &Context<'_>,
        alarms: &BTreeMap<Region, Alarm>,
        findings: &mut Findings,
    ) {
        let now = context.minute;
        for index in 0..self.nodes.len() {
            let Some((region, node)) = self.nodes.get(index) else { continue };
            let region = *region;
            let alarm = alarms.get(&region);
            let Some(mut spike) = node.spike.or(alarm.map(|alarm| OpenSpike::of(alarm, now))) else { continue };
            let parent = self.parent(region);
            let elevated = node.is_elevated(now, spike.window, parent, context.exposure);
            if elevated {
                spike.last_elevated = now;
            }
            spike.score = spike.score.max(alarm.map_or(0.0, |alarm| alarm.score.llr));
            let until = spike.last_elevated;
            let samples = node.samples(spike.from, until, parent, context.exposure);
            findings.spikes.push(SpikeRow {
                service: id.clone(),
                region,
                from: spike.from,
                until: until + 1,
                observed: self.people(region, spike.from, until),
                expected: samples.iter().map(|sample| sample.expected).sum(),
                score: spike.score,
                incident: None,
                echo_of: None,
            });
            if let Some(node) = self.node_mut(region) {
                node.spike = Some(spike);
                if spike.is_over(now) {
                    node.reset_alarm();
                }
            }
        }
    }

    fn follow_incident(
        &mut self,
        id: &ServiceId,
        context: &Context<'_>,
        mut alarms: BTreeMap<Region, Alarm>,
        judgement: &Judgement,
        findings: &mut Findings,
    ) {
        let view = view(&self.nodes, &self.mentions, id, context);
        let mut course = self.course.take();
        if let Some(echo) = &judgement.echo {
            // Blame neither opens an incident nor takes one up again.
            alarms.clear();
            for spike in findings.spikes.iter_mut().filter(|spike| spike.service == *id) {
                spike.echo_of.clone_from(&echo.incident);
            }
            if let Some(cause) = &echo.incident
                && echo.never_stood
                && let Some(mistaken) = course.take_if(|course| course.may_be_taken_back(context.minute))
            {
                let related = Related { incident: cause.clone(), relation: Relation::EchoOf };
                let (incident, ended) = mistaken.retract(&view, related, echo.why());
                self.ended = Some(ended);
                findings.incidents.insert(incident.id.clone(), incident);
                return;
            }
        }
        let related = course.as_mut().is_some_and(|course| course.relate(&judgement.same_cause));
        let verdict = match course {
            Some(course) => course.follow(&view, &alarms),
            None => Course::open(&view, &alarms, self.ended.as_ref()),
        };
        match verdict {
            Verdict::Nothing => {}
            Verdict::Open { course, said } => {
                for spike in findings.spikes.iter_mut().filter(|spike| spike.service == *id) {
                    if course.covers(spike.until) {
                        spike.incident = Some(course.id().to_owned());
                    }
                }
                if said || related {
                    findings.incidents.insert(course.id().to_owned(), course.incident().clone());
                }
                if course.was_resolved_at(context.minute) {
                    self.ended = course.ended();
                    // What stands out from now on is new.
                    self.nodes.iter_mut().for_each(|(_, node)| node.reset_alarm());
                }
                self.course = Some(*course);
            }
        }
    }

    fn tell_expectations(&mut self, id: &ServiceId, context: &Context<'_>, findings: &mut Findings) {
        for index in 0..self.nodes.len() {
            let (parents, parts) = self.nodes.split_at_mut(index);
            let Some((region, node)) = parts.first_mut() else { continue };
            if node.was_told() && context.minute.0 % Minute::HOUR != 0 {
                continue;
            }
            let parent = region.parent().and_then(|parent| find(parents, parent));
            if let Some((mean, dispersion)) = node.expectation_to_tell(context.minute, parent) {
                let row = ExpectedRow { service: id.clone(), region: *region, from: context.minute, mean, dispersion };
                findings.expected.push(row);
            }
        }
    }

    fn forget(&mut self, minute: Minute) {
        if minute.0 % Minute::HOUR != 0 {
            return;
        }
        let since = self.course.as_ref().map_or(minute, Course::looks_back_to).min(minute) - MEMORY;
        self.mentions = self.mentions.split_off(&since);
        for (_, node) in &mut self.nodes {
            node.forget_before(since);
        }
    }
}

/// Whether so many distinct people bear an alarm out: one author's flood, or one text's copies, count once over the whole
/// window, and so many are surely more than a busy day's.
fn is_confirmed(score: &Score, people: f64, dispersion: f64, threshold: f64) -> bool {
    let expected = score.expected_in_window;
    let repeated = score.observed_in_window - people;
    let beside = if repeated > REPEATED * people { repeated.max(expected) } else { expected };
    let beyond_busy_day = detect::poisson_llr(people / dispersion, BUSY_DAY * expected / dispersion);
    people >= PEOPLE_RATIO * expected
        && beyond_busy_day >= BEYOND_BUSY_DAY
        && detect::poisson_llr(people, beside) >= threshold
}

fn view<'a>(
    nodes: &'a [(Region, NodeTrack)],
    mentions: &'a BTreeMap<Minute, Vec<Mention>>,
    service: &'a ServiceId,
    context: &Context<'a>,
) -> View<'a> {
    let Context { minute, said_at, exposure, .. } = *context;
    View { service, minute, said_at, exposure, nodes, mentions }
}

/// The node of a region among nodes sorted by region.
pub fn find(nodes: &[(Region, NodeTrack)], region: Region) -> Option<&NodeTrack> {
    let index = nodes.binary_search_by_key(&region, |(region, _)| *region).ok()?;
    nodes.get(index).map(|(_, node)| node)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::count::{ListeningSpan, MinuteCount};

    #[test]
    fn people_bear_an_alarm_out_and_repetitions_do_not() {
        let score = |observed: f64, expected: f64| Score {
            llr: 100.0,
            observed_in_window: observed,
            expected_in_window: expected,
            ..Score::default()
        };
        let is_confirmed = |score, people| is_confirmed(&score, people, 1.2, 14.0);
        assert!(is_confirmed(score(66.0, 5.0), 60.0), "an outage in which some write twice");
        assert!(!is_confirmed(score(2200.0, 1000.0), 2200.0), "a busy day, however sure the score is");
        assert!(!is_confirmed(score(75.0, 30.0), 75.0), "a busy day's busiest quarter of an hour");
        assert!(is_confirmed(score(300.0, 120.0), 300.0), "as many times what is expected, for longer");
        assert!(!is_confirmed(score(99.0, 20.0), 30.0), "one person's flood on a usual day");
        assert!(!is_confirmed(score(130.0, 20.0), 60.0), "a flood that outnumbers the people beside it");
    }

    /// Twenty reports of India in ten minutes, so many of each of four other countries, and so many of nobody knows where, which
    /// come on a network of their own.
    fn india_stands_out(others: u64, unplaced: u64) -> f64 {
        let (begin, now) = (Minute(1_000_000), Minute(1_010_000));
        let mut exposure = Exposure::default();
        for network in ["bluesky", "mastodon"] {
            exposure.add(&ListeningSpan {
                network: network.to_owned(),
                instance: network.to_owned(),
                heard: true,
                from: begin.start().timestamp(),
                until: now.close().timestamp(),
                why: None,
            });
        }
        let mut service = ServiceTrack::default();
        let countries = if others == 0 { &["IN"][..] } else { &["IN", "BR", "DE", "GB", "US"] };
        for code in ["world"].iter().chain(countries) {
            let placed = if *code == "IN" { 20 } else { others };
            let counts = match *code {
                "world" => vec![("bluesky", 20 + 4 * others), ("mastodon", unplaced)],
                _ => vec![("bluesky", placed)],
            };
            let count = |of: &dyn Fn(u64) -> u64| MinuteCount {
                reports: counts.iter().map(|(network, reports)| ((*network).to_owned(), of(*reports))).collect(),
                recoveries: 0,
            };
            let mut node = NodeTrack::default();
            // Seen once, long ago, so that it expects next to nothing, but not nothing.
            node.set(begin + 1, count(&|_| 1), &exposure);
            node.settle(begin, |_| false, &exposure, None);
            node.settle(now - 20, |_| false, &exposure, None);
            node.set(now, count(&|reports| reports), &exposure);
            service.nodes.push((code.parse().unwrap_or(Region::WORLD), node));
        }
        service.nodes.sort_by_key(|(region, _)| *region);
        let context =
            Context { minute: now, said_at: now.close(), exposure: &exposure, budget: calibrate::Budget::default() };
        let score = Score { llr: 30.0, since: 10, observed_in_window: 20.0, expected_in_window: 2.0 };
        let india = service.nodes.iter().map(|(region, _)| *region).find(|region| region.to_string() == "IN");
        service.stands_out(india.unwrap_or(Region::WORLD), &score, &context)
    }

    #[test]
    fn a_country_stands_out_among_the_others_or_not_at_all() {
        let calm = india_stands_out(0, 20);
        assert!(calm > 20.0, "{calm}");
        let busy = india_stands_out(6, 20);
        assert!(busy < 5.0, "where all are busy, so is it: {busy}");
        let alone = india_stands_out(0, 0);
        assert!(alone < calm - 10.0, "an outage there would bring posts of unknown place: {alone}");
    }
}
