//! The course of an incident as dated entries, each with what it rests on.

use super::{Audience, Count, Entry, headline, limits, time, words};
use crate::answer::{IncidentFile, Quote, SeriesPoint, Spike};
use crate::incident::{Incident, Phase, PhaseEntry, RegionalImpact};
use crate::reading::Kind;
use crate::region::Region;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};

/// Counts before a turn are told for this long.
const BEFORE_TURN: TimeDelta = TimeDelta::minutes(15);
/// Regions that begin within this time of each other are told together.
const TOGETHER: TimeDelta = TimeDelta::minutes(10);
/// Countries that are told by name in one entry.
const COUNTRIES_TOLD: usize = 5;
/// Of fewer mentions in an hour nothing is said: they show no lead.
const MENTIONS_TOLD: u64 = 5;
/// Posts that show no turn are quoted at most so many an hour, for what an hour was like.
const QUOTES_AN_HOUR: usize = 2;

pub(super) fn entries(file: &IncidentFile, reader: &Audience) -> Vec<Entry> {
    let incident = &file.incident;
    let mut entries: Vec<Entry> = incident.phases.iter().map(|phase| turn(file, reader, phase)).collect();
    entries.push(detected(file, reader));
    entries.push(peak(incident));
    entries.extend(regions(incident, reader));
    entries.extend(leading_symptoms(file));
    entries.extend(silences(file, reader));
    let accused = accused(file).into_iter().enumerate();
    entries.extend(accused.map(|(place, spike)| set_aside(file, reader, spike, place == 0)));
    let told: BTreeSet<&str> = incident.phases.iter().flat_map(|phase| &phase.evidence).map(String::as_str).collect();
    entries.extend(other_posts(file, reader, &told));
    for correction in &incident.corrections {
        let text = format!(
            "Corrected: the {} was said to be {} and is now said to be {}, because {}.",
            correction.what,
            corrected(&correction.from, reader),
            corrected(&correction.to, reader),
            correction.why
        );
        entries.push(entry(correction.at, "correction", text));
    }
    if let Some(at) = incident.retracted_at {
        let text = "Retracted: this was no outage. What was said before stays here, so that it can be held against us.";
        entries.push(entry(at, "retracted", text.to_owned()));
    }
    // The sort is stable: of one minute, the turn stands before what else was seen.
    entries.sort_by_key(|entry| entry.at);
    entries
}

/// A value that was corrected: a time as the reader reads times, else as it stands.
fn corrected(value: &str, reader: &Audience) -> String {
    match value.parse::<DateTime<Utc>>() {
        Ok(at) => time::moment(at, reader.zone),
        Err(_) => value.to_owned(),
    }
}

fn entry(at: DateTime<Utc>, kind: &'static str, text: String) -> Entry {
    Entry { at, kind, text, evidence: Vec::new(), counts: Vec::new(), quotes: Vec::new() }
}

fn turn(file: &IncidentFile, reader: &Audience, phase: &PhaseEntry) -> Entry {
    let incident = &file.incident;
    let service = (reader.service)(&incident.service);
    let counts = match phase.phase {
        Phase::Onset | Phase::Acknowledged => None,
        _ => count(file, phase.at - BEFORE_TURN, phase.at),
    };
    let said = match phase.phase {
        Phase::Onset => format!(
            "People begin to say that {service} fails; with 90% probability it began between {}.",
            time::bounds(&incident.start, reader.zone)
        ),
        Phase::Acknowledged => format!("{service} owns up to it: {}.", headline::lead_time(incident, phase.at)),
        Phase::PartialRecovery => "It works again for some, not for all.".to_owned(),
        Phase::Relapse => "It gets worse again.".to_owned(),
        Phase::Recovery => "It is coming back.".to_owned(),
        Phase::Resolved => over(incident, phase, &service),
    };
    let text = match &counts {
        Some(count) => format!("{said} {}", told_count(count)),
        None => said,
    };
    let quotes = phase.evidence.iter().filter_map(|reference| quote(file, reference)).cloned().collect();
    Entry {
        at: phase.at,
        kind: phase.phase.as_str(),
        text,
        evidence: phase.evidence.clone(),
        counts: counts.into_iter().collect(),
        quotes,
    }
}

/// Who says that it is over: the service, where its words are the evidence, else whatsdown.
fn over(incident: &Incident, phase: &PhaseEntry, service: &str) -> String {
    if !phase.evidence.is_empty() {
        return format!("{service} says that it is solved.");
    }
    match incident.end.map(|end| phase.at - end.estimate).filter(|late| *late >= TimeDelta::minutes(1)) {
        Some(late) => format!("whatsdown says that it is over, {} after it ended.", time::duration(late)),
        None => "whatsdown says that it is over.".to_owned(),
    }
}

fn quote<'a>(file: &'a IncidentFile, reference: &str) -> Option<&'a Quote> {
    file.quotes.iter().find(|quote| quote.reference == reference)
}

/// World counts in the steps that lie within `[from, until)`, to which the step of `from` itself is added.
fn count(file: &IncidentFile, from: DateTime<Utc>, until: DateTime<Utc>) -> Option<Count> {
    let (first, second) = (file.course.first()?, file.course.get(1)?);
    let step = second.at - first.at;
    let within = |point: &&SeriesPoint| from < point.at + step && point.at + step <= until;
    let points: Vec<_> = file.course.iter().filter(within).collect();
    let (from, until) = (points.first()?.at, points.last()?.at + step);
    let observed = points.iter().map(|point| point.observed).sum();
    let expected = points.iter().map(|point| point.expected).sum();
    Some(Count { region: Region::WORLD, from, until, observed, expected })
}

fn told_count(count: &Count) -> String {
    format!(
        "{} in the {} before, where {} is usual.",
        words::count(count.observed, "report"),
        time::duration(count.until - count.from),
        words::expected(count.expected)
    )
}

fn detected(file: &IncidentFile, reader: &Audience) -> Entry {
    let incident = &file.incident;
    let counts = count(file, incident.start.estimate, incident.detected_at);
    let service = (reader.service)(&incident.service);
    let said = format!("whatsdown says that {service} is down, {}.", headline::delay(incident));
    let text = match &counts {
        Some(count) => format!("{said} {}", told_count(count)),
        None => said,
    };
    Entry { counts: counts.into_iter().collect(), ..entry(incident.detected_at, "detected", text) }
}

fn peak(incident: &Incident) -> Entry {
    let peak = &incident.peak;
    let people = words::people(peak.observed);
    let text = format!("The busiest minute: reports by {people}, where {} is usual.", words::expected(peak.expected));
    let counts = vec![Count {
        region: Region::WORLD,
        from: peak.at,
        until: peak.at + TimeDelta::minutes(1),
        observed: peak.observed,
        expected: peak.expected,
    }];
    Entry { counts, ..entry(peak.at, "peak", text) }
}

/// Where it showed, in the order in which it did: countries that began together are told together, at the start of
/// the one with most reports. Their parts are left to the list of places.
fn regions(incident: &Incident, reader: &Audience) -> Vec<Entry> {
    let mut impacts: Vec<_> = incident.regions.iter().filter(|impact| impact.region.is_country()).collect();
    impacts.sort_by_key(|impact| (impact.start.estimate, std::cmp::Reverse(impact.reports), impact.region));
    let mut groups: Vec<Vec<&RegionalImpact>> = Vec::new();
    for impact in impacts {
        match groups.last_mut() {
            Some(group) if impact.start.estimate - group[0].start.estimate <= TOGETHER => group.push(impact),
            _ => groups.push(vec![impact]),
        }
    }
    let told = |(position, mut group): (usize, Vec<&RegionalImpact>)| {
        group.sort_by_key(|impact| std::cmp::Reverse(impact.reports));
        let at = group.first()?.start.estimate.max(incident.start.estimate);
        let name = |impact: &&RegionalImpact| words::within_sentence(&(reader.region)(impact.region));
        let mut names: Vec<String> = group.iter().take(COUNTRIES_TOLD).map(name).collect();
        match group.len() - names.len() {
            0 => {}
            1 => names.push("one more country".to_owned()),
            more => names.push(format!("{more} more countries")),
        }
        let also = if position == 0 { "It shows in" } else { "It now shows in" };
        let counts = group.iter().map(|impact| Count {
            region: impact.region,
            from: impact.peak.at,
            until: impact.peak.at + TimeDelta::minutes(1),
            observed: impact.peak.observed,
            expected: impact.peak.expected,
        });
        let text = format!("{also} {}.", words::list(&names));
        Some(Entry { counts: counts.collect(), ..entry(at, "region", text) })
    };
    groups.into_iter().enumerate().filter_map(told).collect()
}

/// An entry at each hour in which another symptom leads than in the hour before.
fn leading_symptoms(file: &IncidentFile) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut leader = None;
    for hour in super::hours(file) {
        let total: u64 = hour.symptoms.iter().map(|(_, reports)| reports).sum();
        let Some((name, _)) = hour.symptoms.first() else { continue };
        if leader == Some(*name) || total < MENTIONS_TOLD {
            continue;
        }
        let now = if leader.is_none() { "" } else { "now " };
        leader = Some(*name);
        let named: Vec<String> =
            hour.symptoms.iter().take(3).map(|(name, reports)| format!("{name} ({reports})")).collect();
        let text = format!(
            "In this hour people {now}mostly name {}, of {}.",
            words::list(&named),
            words::count(total, "mention")
        );
        let start = file.incident.start.estimate;
        entries.push(entry(hour.at.max(start), "symptoms", text));
    }
    entries
}

/// Of each other service that was blamed, its loudest spike, in the order of time.
pub(super) fn accused(file: &IncidentFile) -> Vec<&Spike> {
    let mut loudest: BTreeMap<&str, &Spike> = BTreeMap::new();
    for spike in &file.echoes {
        let known = loudest.entry(spike.service.as_str()).or_insert(spike);
        if spike.observed > known.observed {
            *known = spike;
        }
    }
    let mut accused: Vec<&Spike> = loudest.into_values().collect();
    accused.sort_by_key(|spike| spike.at);
    accused
}

/// That another service was blamed, and why that is no outage of its own: told once, by the first. docs/detection.md has
/// the rule.
fn set_aside(file: &IncidentFile, reader: &Audience, spike: &Spike, first: bool) -> Entry {
    let (accused, service) = ((reader.service)(&spike.service), (reader.service)(&file.incident.service));
    let why = if first {
        format!(
            ": {service} fails at least twice as loudly, and without the posts and people that tell of {service} too, no \
             more is left than blame that such an outage brings."
        )
    } else {
        " for the same reason.".to_owned()
    };
    let text = format!(
        "{accused} is accused too: {} in {}, where {} is usual. Set aside{why}",
        words::people(spike.observed),
        time::duration(spike.until - spike.at),
        words::expected(spike.expected)
    );
    let count = Count {
        region: spike.region,
        from: spike.at,
        until: spike.until,
        observed: spike.observed,
        expected: spike.expected,
    };
    Entry { counts: vec![count], ..entry(spike.at, "blame", text) }
}

fn silences(file: &IncidentFile, reader: &Audience) -> Vec<Entry> {
    let told = |(from, until): (DateTime<Utc>, DateTime<Utc>)| {
        let until = time::both_clocks(until, reader.zone);
        entry(from, "silence", format!("Nobody listened well enough from here to {until}: what happened is not known."))
    };
    let within = |(from, until): &(DateTime<Utc>, DateTime<Utc>)| {
        let end = file.incident.end.map_or(file.now, |end| end.high);
        *until > file.incident.start.low && *from < end
    };
    limits::silences(&file.course).into_iter().filter(within).map(told).collect()
}

/// Official words all, people's words a few an hour: those that no turn has quoted.
fn other_posts(file: &IncidentFile, reader: &Audience, told: &BTreeSet<&str>) -> Vec<Entry> {
    let mut an_hour: BTreeMap<i64, usize> = BTreeMap::new();
    let mut entries = Vec::new();
    let mut quotes: Vec<&Quote> = file.quotes.iter().filter(|quote| !told.contains(quote.reference.as_str())).collect();
    quotes.sort_by_key(|quote| quote.at);
    for quote in quotes {
        let (kind, text) = match quote.kind {
            Kind::Official => ("official", format!("{} writes:", (reader.service)(&file.incident.service))),
            Kind::Report | Kind::Recovery => {
                let seen = an_hour.entry(quote.at.timestamp().div_euclid(3600)).or_default();
                *seen += 1;
                // Who is not quoted is evidence, but shows nobody what an hour was like.
                if *seen > QUOTES_AN_HOUR || quote.text.is_none() {
                    continue;
                }
                let says = if quote.kind == Kind::Report { "that it fails" } else { "that it works again" };
                ("post", format!("Someone {}writes {says}:", from(quote, reader)))
            }
            Kind::Echo => continue,
        };
        let evidence = vec![quote.reference.clone()];
        entries.push(Entry { evidence, quotes: vec![quote.clone()], ..entry(quote.at, kind, text) });
    }
    entries
}

fn from(quote: &Quote, reader: &Audience) -> String {
    if quote.region == Region::WORLD {
        String::new()
    } else {
        format!("in {} ", words::within_sentence(&(reader.region)(quote.region)))
    }
}
