//! `/`: what is down now, where, the services, recent incidents and how the sources fare.

use super::{Desk, Frame, IncidentLine, Sorry, When, fails, page, people};
use crate::answer::{Activity, Health, ServiceStatus, SourceAnswer, Status};
use crate::http::App;
use crate::http::problem::Problem;
use crate::incident::Incident;
use crate::reading::{Catalogue, Service};
use crate::region::Region;
use crate::report::badge::Badge;
use crate::report::map::{self, Mark};
use crate::report::{headline, spark, time, words};
use crate::select::DAY;
use crate::source::State as SourceState;
use crate::store::Filter;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Redirect, Response};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The step of the sparklines, in minutes.
const STEP: i64 = 30;
/// As many services are named in the summary; more are counted.
const NAMED: usize = 3;
const PLACES: usize = 14;
/// How far back incidents are recent, and how many are shown.
const RECENT: TimeDelta = TimeDelta::days(30);
const INCIDENTS: usize = 12;

#[derive(Deserialize)]
pub struct Search {
    #[serde(default)]
    q: String,
}

#[derive(askama::Template)]
#[template(path = "home.html", config = "src/http/askama.toml")]
struct Home {
    frame: Frame,
    summary: String,
    as_of: When,
    listening: String,
    stories: Vec<Story>,
    map: String,
    places: Vec<Place>,
    more_places: usize,
    services: Vec<ServiceLine>,
    /// The services of which nothing was reported, all in one state.
    quiet: Vec<ServiceLine>,
    incidents: Vec<IncidentLine>,
    sources: Vec<SourceLine>,
    found: Option<Found>,
}

/// A service that is in trouble.
struct Story {
    badge: Badge,
    service: String,
    name: String,
    incident: String,
    headline: String,
    since: When,
    ago: String,
    people: String,
    fails: String,
    spark: String,
}

struct Place {
    name: String,
    services: String,
}

struct ServiceLine {
    id: String,
    name: String,
    badge: Badge,
    count: String,
    spark: String,
}

struct SourceLine {
    name: String,
    badge: Badge,
    heard: String,
    posts: String,
    note: String,
}

/// What a search found.
struct Found {
    words: String,
    services: Vec<ServiceLine>,
}

pub async fn home(
    State(app): State<App>,
    headers: HeaderMap,
    search: Result<Query<Search>, QueryRejection>,
) -> Result<Response, Sorry> {
    let Query(Search { q }) = search.map_err(|rejection| Problem::bad(rejection.body_text()))?;
    let q = q.trim().to_lowercase();
    if let Some(service) = app.catalogue.services().iter().find(|service| is_called(service, &q)) {
        return Ok(Redirect::to(&format!("/services/{}", service.id)).into_response());
    }
    page(app, headers, move |desk| build(desk, &q)).await
}

fn names(service: &Service) -> impl Iterator<Item = &str> {
    let names = service.names.iter().map(|word| word.text.as_str());
    [service.id.as_str(), service.name.as_str()].into_iter().chain(names)
}

fn is_called(service: &Service, words: &str) -> bool {
    names(service).any(|name| name.to_lowercase() == words)
}

fn found<'a>(catalogue: &'a Catalogue, words: &str) -> Vec<&'a Service> {
    catalogue.services().iter().filter(|it| names(it).any(|name| name.to_lowercase().contains(words))).collect()
}

fn build(desk: &Desk, q: &str) -> Result<Home, Problem> {
    let services = desk.app.services(None)?;
    let status = desk.store.status(&services, None)?;
    let activity = desk.store.activity(&services, desk.now - DAY, desk.now, STEP)?;
    let mut current: BTreeMap<String, Incident> = BTreeMap::new();
    for id in status.services.iter().filter_map(|service| service.incident.as_ref()) {
        current.extend(desk.store.incident(id)?.map(|incident| (id.clone(), incident)));
    }
    let recent = Filter { since: Some(desk.now - RECENT), limit: Some(INCIDENTS), ..Filter::default() };
    let incidents = desk.store.incidents(&recent)?;
    let (places, marks) = places(desk, &status, &current);
    let sources = desk.store.sources()?;
    let mut lines: Vec<ServiceLine> =
        status.services.iter().enumerate().map(|(row, it)| line(desk, it, row, &activity)).collect();
    lines.sort_by_key(|line| line.name.to_lowercase());
    let found = (!q.is_empty()).then(|| {
        let ids: Vec<&str> = found(&desk.app.catalogue, q).iter().map(|service| service.id.as_str()).collect();
        let services: Vec<ServiceLine> = lines.extract_if(.., |line| ids.contains(&line.id.as_str())).collect();
        let words = match services.len() {
            0 => format!("No service is called “{q}”"),
            1 => format!("One service matches “{q}”"),
            more => format!("{more} services match “{q}”"),
        };
        Found { words, services }
    });
    let quiet = lines.extract_if(.., |line| line.count.is_empty() && ["up", "unknown"].contains(&line.badge.class));
    Ok(Home {
        quiet: quiet.collect(),
        frame: desk.frame(q),
        summary: summary(desk, &status),
        as_of: desk.moment(status.at),
        listening: listening(&status, &sources),
        stories: stories(desk, &status, &current, &activity),
        map: map::map(&marks),
        more_places: places.len().saturating_sub(PLACES),
        places: places.into_iter().take(PLACES).collect(),
        services: lines,
        incidents: (incidents.iter())
            .filter(|incident| !current.contains_key(&incident.id))
            .map(|incident| IncidentLine::new(incident, desk))
            .collect(),
        sources: sources.iter().map(|source| source_line(desk, source)).collect(),
        found,
    })
}

/// `TikTok and X are down; Discord is recovering`.
fn summary(desk: &Desk, status: &Status) -> String {
    let told = |state: Health, word: &str| {
        let in_state = status.services.iter().filter(|service| service.state == state);
        let names: Vec<String> = in_state.map(|service| (desk.reader.service)(&service.service)).collect();
        let verb = if names.len() == 1 { "is" } else { "are" };
        match names.len() {
            0 => None,
            1..=NAMED => Some(format!("{} {verb} {word}", words::list(&names))),
            more => Some(format!("{} are {word}", words::count(more as u64, "service"))),
        }
    };
    let parts: Vec<String> =
        [told(Health::Down, "down"), told(Health::Recovering, "recovering")].into_iter().flatten().collect();
    match parts.is_empty() {
        false => parts.join("; "),
        true if status.services.iter().all(|service| service.state == Health::Unknown) => {
            "What is down now is not known".to_owned()
        }
        true => "Nothing is known to be down".to_owned(),
    }
}

fn listening(status: &Status, sources: &[SourceAnswer]) -> String {
    let unknown = status.services.iter().filter(|service| service.state == Health::Unknown).count() as u64;
    let all = status.services.len() as u64;
    if unknown > 0 {
        let which = if unknown == all { "any of them".to_owned() } else { words::count(unknown, "service") };
        return format!(
            "{} are watched. Of {which} nothing is known just now, since the sources were silent or failing.",
            words::count(all, "service")
        );
    }
    format!(
        "{} are watched, in the public posts of {}.",
        words::count(all, "service"),
        words::count(sources.len() as u64, "source")
    )
}

fn stories(desk: &Desk, status: &Status, current: &BTreeMap<String, Incident>, activity: &Activity) -> Vec<Story> {
    let mut stories: Vec<(&ServiceStatus, &Incident, Story)> = Vec::new();
    for (row, service) in status.services.iter().enumerate() {
        let Some(incident) = service.incident.as_ref().and_then(|id| current.get(id)) else { continue };
        let since: DateTime<Utc> = service.since.unwrap_or(incident.start.estimate);
        let story = Story {
            badge: Badge::of_health(service.state),
            service: service.service.to_string(),
            name: (desk.reader.service)(&service.service),
            incident: incident.id.clone(),
            headline: headline(incident, desk.now, desk.reader),
            since: desk.when(since),
            ago: time::relative(since, desk.now),
            people: people(incident),
            fails: fails(incident),
            spark: drawn(activity, row),
        };
        stories.push((service, incident, story));
    }
    stories.sort_by_key(|(service, incident, _)| {
        (service.state != Health::Down, std::cmp::Reverse(incident.reports), service.service.clone())
    });
    stories.into_iter().map(|(_, _, story)| story).collect()
}

fn drawn(activity: &Activity, row: usize) -> String {
    spark::line(activity.observed.get(row).map_or(&[], Vec::as_slice), &activity.heard)
}

fn line(desk: &Desk, service: &ServiceStatus, row: usize, activity: &Activity) -> ServiceLine {
    let reports: u64 = activity.observed.get(row).map_or(0, |counts| counts.iter().sum());
    ServiceLine {
        id: service.service.to_string(),
        name: (desk.reader.service)(&service.service),
        badge: Badge::of_health(service.state),
        count: if reports > 0 { words::count(reports, "report") } else { String::new() },
        spark: drawn(activity, row),
    }
}

/// The countries in which something is down or recovering, those with most reports first.
fn places(desk: &Desk, status: &Status, current: &BTreeMap<String, Incident>) -> (Vec<Place>, Vec<Mark>) {
    let mut countries: BTreeMap<Region, (u64, Vec<String>)> = BTreeMap::new();
    for service in &status.services {
        let Some(incident) = service.incident.as_ref().and_then(|id| current.get(id)) else { continue };
        for region in service.regions.iter().filter(|region| region.is_country()) {
            let reports = incident.regions.iter().find(|impact| impact.region == *region).map_or(0, |it| it.reports);
            let (sum, names) = countries.entry(*region).or_default();
            *sum += reports;
            names.push((desk.reader.service)(&service.service));
        }
    }
    let mut sorted: Vec<(Region, u64, Vec<String>)> =
        countries.into_iter().map(|(region, (reports, names))| (region, reports, names)).collect();
    sorted.sort_by_key(|(region, reports, _)| (std::cmp::Reverse(*reports), *region));
    let marks = sorted.iter().map(|(region, reports, names)| Mark {
        label: format!(
            "{}: {}, {}",
            (desk.reader.region)(*region),
            words::list(names),
            words::count(*reports, "report")
        ),
        ..Mark::new(*region, "", *reports)
    });
    let marks = marks.collect();
    let place = |(region, reports, names): (Region, u64, Vec<String>)| Place {
        name: (desk.reader.region)(region),
        services: format!("{}, {}", words::list(&names), words::count(reports, "report")),
    };
    (sorted.into_iter().map(place).collect(), marks)
}

fn source_line(desk: &Desk, source: &SourceAnswer) -> SourceLine {
    let (class, mark, word) = match source.health.state {
        SourceState::Ok => ("up", "✓", "read as it comes"),
        SourceState::Replayed => ("up", "✓", "replayed"),
        SourceState::Backfilling => ("recovering", "◐", "catching up"),
        SourceState::Degraded => ("down", "▼", "failing"),
        SourceState::Silent => ("unknown", "?", "silent"),
        SourceState::Stopped => ("unknown", "✕", "stopped"),
    };
    let last_gap = source.gaps.last().map(|gap| {
        let why = gap.why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        let from = time::moment(gap.from, desk.reader.zone);
        format!("last not heard for {} from {from}{why}", time::duration(gap.until - gap.from))
    });
    let error = source.health.last_error.as_ref().map(|error| error.message.clone());
    SourceLine {
        name: source.source.clone(),
        badge: Badge { class, mark, word },
        heard: match source.health.heard_until {
            Some(at) => time::relative(at, desk.now),
            None if source.health.state == SourceState::Replayed => "in the recording".to_owned(),
            None => "never".to_owned(),
        },
        posts: words::thousands(source.posts),
        note: error.or(last_gap).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_found_by_any_of_their_names() {
        let catalogue = Catalogue::embedded().unwrap();
        let ids = |words: &str| found(&catalogue, words).iter().map(|it| it.id.to_string()).collect::<Vec<_>>();
        assert_eq!(ids("tikt"), ["tiktok"]);
        assert!(ids("google").len() > 1 && ids("no such service").is_empty());
        assert!(is_called(catalogue.get("tiktok").unwrap(), "ティックトック"));
        assert!(!catalogue.services().iter().any(|service| is_called(service, "")));
    }
}
