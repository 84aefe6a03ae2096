//! How it was worked out, what it hangs together with, and what is not known.

use super::{Audience, course, time, words};
use crate::answer::{IncidentFile, SeriesPoint};
use crate::incident::{Relation, State};
use chrono::{DateTime, Utc};

/// Below this share of a step, nothing is said of it.
const HEARD: f64 = 0.5;

pub(super) fn related(file: &IncidentFile, reader: &Audience) -> Vec<String> {
    let sentence = |related: &crate::incident::Related| match related.relation {
        Relation::SameCause => format!("{}: likely the same cause", related.incident),
        Relation::EchoOf => {
            format!("{}: these reports are likely its echo, blame that fell on the wrong service", related.incident)
        }
    };
    let mut lines: Vec<String> = file.incident.related.iter().map(sentence).collect();
    let accused: Vec<String> =
        course::accused(file).into_iter().map(|spike| (reader.service)(&spike.service)).collect();
    if !accused.is_empty() {
        lines.push(format!("{} accused too; the course tells when, and why that was set aside", were(&accused)));
    }
    lines
}

/// `AT&T was`, `AT&T and Verizon were`.
fn were(names: &[String]) -> String {
    format!("{} {}", words::list(names), if names.len() == 1 { "was" } else { "were" })
}

pub(super) fn method(file: &IncidentFile) -> Vec<String> {
    let incident = &file.incident;
    let mut sources: Vec<&str> = file.quotes.iter().map(|quote| quote.source.as_str()).collect();
    sources.sort_unstable();
    sources.dedup();
    let mut lines = vec![
        format!(
            "{} by {} were counted, without bots, reposts, news and repeated texts; charts count each author once a minute.",
            words::count(incident.reports, "report"),
            words::people(incident.authors)
        ),
        "They are held against what is usual for this service, place and hour of the week; an incident is said when \
         chance alone would hardly ever give so many."
            .to_owned(),
        "Start and end are estimates: each interval holds the true time with 90% probability.".to_owned(),
    ];
    if !sources.is_empty() {
        let sources: Vec<String> = sources.into_iter().map(str::to_owned).collect();
        lines.push(format!("The quoted posts come from {}.", words::list(&sources)));
    }
    lines
}

pub(super) fn unknown(file: &IncidentFile, reader: &Audience) -> Vec<String> {
    let incident = &file.incident;
    let mut lines = Vec::new();
    if incident.state != State::Resolved && incident.retracted_at.is_none() {
        lines.push(
            "It is not over. Start, places and numbers may still change; a correction is dated, and stands in the course."
                .to_owned(),
        );
    }
    lines.extend([
        "This is a signal, not proof: it says what people wrote in public, not what broke or why.".to_owned(),
        "Only the networks that were listened to are in it; people elsewhere may have said it earlier.".to_owned(),
    ]);
    let of_countries = incident.regions.iter().filter(|impact| impact.region.is_country());
    let placed: u64 = of_countries.map(|impact| impact.reports).sum();
    if placed < incident.reports {
        lines.push(format!(
            "{} of {} cannot be given to any country that is named here.",
            words::thousands(incident.reports - placed),
            words::count(incident.reports, "report")
        ));
    }
    for (from, until) in silences(&file.course) {
        lines.push(format!(
            "From {} to {} nobody listened well enough to tell.",
            time::moment(from, reader.zone),
            time::both_clocks(until, reader.zone)
        ));
    }
    lines
}

/// The stretches in which no source was heard for most of the time. A stretch ends where the next heard step begins.
pub(super) fn silences(course: &[SeriesPoint]) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    let mut silences: Vec<(DateTime<Utc>, DateTime<Utc>)> = Vec::new();
    let mut open = None;
    for point in course {
        match (open, point.heard < HEARD) {
            (None, true) => open = Some(point.at),
            (Some(from), false) => {
                silences.push((from, point.at));
                open = None;
            }
            _ => {}
        }
    }
    if let (Some(from), Some(last)) = (open, course.last()) {
        silences.push((from, last.at));
    }
    silences.retain(|(from, until)| from < until);
    silences
}
