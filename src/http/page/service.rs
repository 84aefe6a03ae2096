//! `/services/{id}`: how a service fares now, in the last day and week, what is usual, and its incidents.

use super::{Desk, Frame, IncidentLine, Sorry, When, page};
use crate::answer::{Health, SeriesPoint, ServiceStatus, Spike};
use crate::config;
use crate::http::App;
use crate::http::api::AskedPath;
use crate::http::problem::Problem;
use crate::incident::Incident;
use crate::reading::Service;
use crate::region::Region;
use crate::report::badge::Badge;
use crate::report::map::{self, Mark};
use crate::report::spark::{self, Rhythm};
use crate::report::{escape, headline, svg, words};
use crate::select::DAY;
use crate::store::Filter;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};

const WEEK: TimeDelta = TimeDelta::days(7);
/// Steps of the charts, in minutes.
const DAY_STEP: i64 = 10;
const WEEK_STEP: i64 = 60;
const INCIDENTS: usize = 30;
const PLACES: usize = 14;

#[derive(askama::Template)]
#[template(path = "service.html", config = "src/http/askama.toml")]
struct Page {
    frame: Frame,
    headline: String,
    badge: Badge,
    as_of: When,
    incident: Option<String>,
    /// Its own status page.
    status: Option<String>,
    day: String,
    day_words: String,
    week: String,
    week_words: String,
    map: String,
    places: Vec<Place>,
    more_places: usize,
    rhythm: Option<Rhythm>,
    incidents: Vec<IncidentLine>,
    blamed: Vec<Blamed>,
}

/// A spike of the last week that another service's outage explains.
struct Blamed {
    at: When,
    people: String,
    expected: String,
    /// The incident that explains it, and whose it is.
    cause: String,
    culprit: String,
}

struct Place {
    name: String,
    reports: String,
}

pub async fn service(State(app): State<App>, headers: HeaderMap, path: AskedPath) -> Result<Response, Sorry> {
    let Path(id) = path.map_err(|rejection| Problem::bad(rejection.body_text()))?;
    let Some(service) = app.catalogue.get(&id.to_ascii_lowercase()).cloned() else { return Err(unknown(&app, &id)) };
    page(app, headers, move |desk| build(desk, &service)).await
}

fn unknown(app: &App, id: &str) -> Sorry {
    let known: Vec<String> = app.catalogue.services().iter().map(|service| service.id.to_string()).collect();
    let near = config::nearest(&id.to_ascii_lowercase(), &known).and_then(|near| app.catalogue.get(near));
    let problem =
        Problem::new(StatusCode::NOT_FOUND, format!("There is no service “{id}” among those that are watched"));
    Sorry::from(problem).leading_to(near.map(|near| (format!("/services/{}", near.id), near.name.clone())))
}

fn build(desk: &Desk, service: &Service) -> Result<Page, Problem> {
    let id = &service.id;
    let status = desk.store.status(std::slice::from_ref(id), None)?;
    let current = status.services.into_iter().next();
    let day = desk.store.series(id, Region::WORLD, desk.now - DAY, desk.now, DAY_STEP)?;
    let week = desk.store.series(id, Region::WORLD, desk.now - WEEK, desk.now, WEEK_STEP)?;
    let filter = Filter { service: Some(id.clone()), limit: Some(INCIDENTS), ..Filter::default() };
    let incidents = desk.store.incidents(&filter)?;
    let reported: Vec<(Region, u64)> = desk
        .store
        .places(id, desk.now - WEEK, desk.now)?
        .into_iter()
        .filter(|(region, _)| region.is_country())
        .collect();
    let name = |region: Region| (desk.reader.region)(region);
    let marks: Vec<Mark> = reported.iter().map(|(region, count)| Mark::new(*region, &name(*region), *count)).collect();
    let turns = turns(&incidents);
    let chart = |points: &[SeriesPoint], span: &str| {
        svg::within_page(points, &turns, &format!("Reports of {} in {span}", service.name), desk.reader.zone)
    };
    Ok(Page {
        frame: desk.frame(""),
        headline: told(desk, service, current.as_ref(), &incidents),
        badge: Badge::of_health(current.as_ref().map_or(Health::Unknown, |current| current.state)),
        as_of: desk.moment(desk.now),
        incident: current.and_then(|current| current.incident),
        status: service.status.as_deref().and_then(escape::link),
        day: chart(&day, "the last day"),
        day_words: summed(&day, "24 hours"),
        week: chart(&week, "the last week"),
        week_words: summed(&week, "7 days"),
        map: map::map(&marks),
        more_places: reported.len().saturating_sub(PLACES),
        places: (reported.iter().take(PLACES))
            .map(|(region, count)| Place { name: name(*region), reports: words::thousands(*count) })
            .collect(),
        rhythm: spark::rhythm(&week, desk.reader.zone),
        incidents: incidents.iter().map(|incident| IncidentLine::new(incident, desk)).collect(),
        blamed: blamed(desk, service)?,
    })
}

/// For each outage that the service was blamed for in the last week, the loudest spike; the newest first.
fn blamed(desk: &Desk, service: &Service) -> Result<Vec<Blamed>, Problem> {
    let since = Some(desk.now - WEEK);
    let spikes = desk.store.spikes(&Filter { service: Some(service.id.clone()), since, ..Filter::default() })?;
    let mut loudest: Vec<(&str, &Spike)> = Vec::new();
    for (cause, spike) in spikes.iter().filter_map(|spike| Some((spike.echo_of.as_deref()?, spike))) {
        match loudest.iter_mut().find(|(known, _)| *known == cause) {
            Some((_, known)) if known.observed < spike.observed => *known = spike,
            Some(_) => {}
            None => loudest.push((cause, spike)),
        }
    }
    let told = |(cause, spike): (&str, &Spike)| {
        let culprit = desk.store.incident(cause)?.map(|incident| (desk.reader.service)(&incident.service));
        Ok(culprit.map(|culprit| Blamed {
            at: desk.moment(spike.at),
            people: words::people(spike.observed),
            expected: words::expected(spike.expected),
            cause: cause.to_owned(),
            culprit,
        }))
    };
    loudest.into_iter().filter_map(|found| told(found).transpose()).collect()
}

/// How it fares, in a sentence.
fn told(desk: &Desk, service: &Service, current: Option<&ServiceStatus>, incidents: &[Incident]) -> String {
    let id = current.and_then(|current| current.incident.as_ref());
    if let Some(incident) = incidents.iter().find(|incident| Some(&incident.id) == id) {
        return headline(incident, desk.now, desk.reader);
    }
    match current.map(|current| current.state) {
        Some(Health::Up) => format!("No sign of trouble at {}", service.name),
        _ => format!("Whether {} works is not known now: the sources were silent or failing", service.name),
    }
}

/// Begin and end of each incident, for the charts.
fn turns(incidents: &[Incident]) -> Vec<(DateTime<Utc>, &'static str)> {
    let valid = incidents.iter().filter(|incident| incident.retracted_at.is_none());
    let turns = valid.flat_map(|incident| {
        let end = incident.end.map(|end| (end.estimate, "over"));
        [Some((incident.start.estimate, "begins")), end].into_iter().flatten()
    });
    let mut turns: Vec<_> = turns.collect();
    turns.sort_unstable();
    turns
}

fn summed(points: &[SeriesPoint], span: &str) -> String {
    let observed: u64 = points.iter().map(|point| point.observed).sum();
    let expected: f64 = points.iter().map(|point| point.expected).sum();
    format!(
        "{} in the last {span}, where {} would be usual.",
        words::count(observed, "report"),
        words::expected(expected)
    )
}
