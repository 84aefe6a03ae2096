//! The first lines: what happened, how sure, since when, until when.

use super::{Audience, Fact, time, words};
use crate::answer::IncidentFile;
use crate::incident::{Incident, Interval, Phase, State};
use chrono::{DateTime, TimeDelta, Utc};

/// As many countries are named in the headline as hold this share of the reports whose country is known …
const MOST: f64 = 2.0 / 3.0;
/// … but no more than this.
const NAMED_COUNTRIES: usize = 3;

/// The incident in one sentence, when it is `now`.
pub fn headline(incident: &Incident, now: DateTime<Utc>, reader: &Audience) -> String {
    let service = (reader.service)(&incident.service);
    if incident.retracted_at.is_some() {
        return format!("Retracted: what looked like an outage of {service} was none");
    }
    let start = incident.start.estimate;
    let lasted = match &incident.end {
        Some(end) => time::duration(end.estimate - start),
        None => time::duration(now - start),
    };
    let told = match incident.state {
        State::Ongoing => format!("{service} {}: {lasted} so far", doubt(incident.confidence, "is", "down")),
        State::Recovering => {
            format!("{service} {} after {lasted}", doubt(incident.confidence, "is", "recovering"))
        }
        State::Resolved => format!("{service} {} for {lasted}", doubt(incident.confidence, "was", "down")),
    };
    let places = whereabouts(incident, reader);
    if places.is_empty() { told } else { format!("{told}, {places}") }
}

/// `is down`, `is probably down`, `may be down`, …: as sure as the incident is.
fn doubt(confidence: f64, verb: &str, state: &str) -> String {
    match confidence {
        0.99.. => format!("{verb} {state}"),
        0.9.. => format!("{verb} very likely {state}"),
        0.7.. => format!("{verb} probably {state}"),
        _ if verb == "was" => format!("may have been {state}"),
        _ => format!("may be {state}"),
    }
}

/// `mostly in the United States and the United Kingdom`, or nothing where no country stands out.
fn whereabouts(incident: &Incident, reader: &Audience) -> String {
    let mut countries: Vec<_> =
        incident.regions.iter().filter(|impact| impact.region.is_country() && impact.reports > 0).collect();
    countries.sort_by_key(|impact| (std::cmp::Reverse(impact.reports), impact.region));
    let total: u64 = countries.iter().map(|impact| impact.reports).sum();
    let mut held = 0;
    let mut named = Vec::new();
    for impact in &countries {
        if named.len() == NAMED_COUNTRIES || held as f64 >= MOST * total as f64 {
            break;
        }
        held += impact.reports;
        named.push(words::within_sentence(&(reader.region)(impact.region)));
    }
    match countries.len() - named.len() {
        0 if named.is_empty() => String::new(),
        0 => format!("in {}", words::list(&named)),
        _ if held as f64 >= MOST * total as f64 => format!("mostly in {}", words::list(&named)),
        more => format!("in {} and {more} more countries", named.join(", ")),
    }
}

pub(super) fn facts(file: &IncidentFile, reader: &Audience) -> Vec<Fact> {
    let incident = &file.incident;
    let mut facts = vec![
        Fact { label: "State", text: state(file, reader) },
        Fact { label: "Began", text: moment_between(&incident.start, reader) },
    ];
    if let Some(end) = &incident.end {
        let label = if incident.state == State::Resolved { "Ended" } else { "Probably ended" };
        facts.push(Fact { label, text: moment_between(end, reader) });
    }
    facts.push(Fact { label: "How sure", text: how_sure(incident, reader) });
    let first_said = time::both_clocks(incident.detected_at, reader.zone);
    facts.push(Fact { label: "First said", text: format!("at {first_said}, {}", delay(incident)) });
    facts.push(Fact { label: "The company", text: company(incident, reader) });
    if let Some(leading) = incident.symptoms.first() {
        let share = words::percent(leading.share);
        let text =
            format!("{} is named most: in {share} of the reports that say what", words::symptom(leading.symptom));
        facts.push(Fact { label: "What fails", text });
    }
    facts
}

fn state(file: &IncidentFile, reader: &Audience) -> String {
    let incident = &file.incident;
    if let Some(at) = incident.retracted_at {
        return format!("retracted on {}: this was no outage", time::moment(at, reader.zone));
    }
    let as_of = time::moment(file.now, reader.zone);
    match incident.state {
        State::Ongoing => format!("going on, as of {as_of}"),
        State::Recovering => format!("recovering, as of {as_of}"),
        State::Resolved => "over".to_owned(),
    }
}

fn moment_between(interval: &Interval, reader: &Audience) -> String {
    let moment = time::moment(interval.estimate, reader.zone);
    if interval.low == interval.high {
        return moment;
    }
    format!("{moment}; with 90% probability between {}", time::bounds(interval, reader.zone))
}

fn how_sure(incident: &Incident, reader: &Audience) -> String {
    let peak = &incident.peak;
    format!(
        "{} that this is a real outage: {} by {}; in the busiest minute, {}, {} where {} is usual",
        words::probability(incident.confidence),
        words::count(incident.reports, "report"),
        words::people(incident.authors),
        time::both_clocks(peak.at, reader.zone),
        words::people(peak.observed),
        words::expected(peak.expected),
    )
}

/// `4 min after it began`.
pub(super) fn delay(incident: &Incident) -> String {
    let delay = incident.detected_at - incident.start.estimate;
    format!("{} {} it began", time::duration(delay), if delay < TimeDelta::zero() { "before" } else { "after" })
}

fn company(incident: &Incident, reader: &Audience) -> String {
    match incident.acknowledged_at {
        None => "has said nothing that was heard".to_owned(),
        Some(at) => {
            let owned_up = time::both_clocks(at, reader.zone);
            format!("owned up to it at {owned_up}: {}{}", lead_time(incident, at), solved(incident, reader))
        }
    }
}

/// `; it called it solved at 05:00 UTC`, where the service's own words say so.
fn solved(incident: &Incident, reader: &Audience) -> String {
    let mut turns = incident.phases.iter();
    let words = turns.find(|turn| turn.phase == Phase::Resolved && !turn.evidence.is_empty());
    words.map_or_else(String::new, |turn| {
        format!("; it called it solved at {}", time::both_clocks(turn.at, reader.zone))
    })
}

/// Who was first to say it, and by how much.
pub(super) fn lead_time(incident: &Incident, acknowledged: DateTime<Utc>) -> String {
    let lead = acknowledged - incident.start.estimate;
    if lead.abs() < TimeDelta::minutes(1) {
        "people and the company spoke in the same minute".to_owned()
    } else if lead > TimeDelta::zero() {
        format!("people were {} ahead of the company", time::duration(lead))
    } else {
        format!("the company was {} ahead of people", time::duration(lead))
    }
}
