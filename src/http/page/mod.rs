//! The pages for people: one view type and one template each, built from the answers that the commands and the API give.

pub mod assets;
mod home;
mod incident;
mod service;
mod sorry;

pub use home::home;
pub use incident::incident;
pub use service::service;
pub use sorry::{Sorry, nothing};

use super::App;
use super::api::tagged;
use super::problem::Problem;
use crate::incident::Incident;
use crate::report::badge::Badge;
use crate::report::{Audience, headline, time, words};
use crate::store::Reader;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

/// What a page is built from.
struct Desk<'a> {
    app: &'a App,
    store: &'a Reader,
    reader: &'a Audience<'a>,
    /// The database's now.
    now: DateTime<Utc>,
}

/// What stands around every page.
struct Frame {
    zone: Tz,
    zone_words: String,
    /// What is searched for.
    query: String,
}

impl Frame {
    fn new(zone: Tz, query: &str) -> Frame {
        let zone_words =
            if zone == Tz::UTC { "UTC".to_owned() } else { format!("of {}, your zone, and UTC", zone.name()) };
        Frame { zone, zone_words, query: query.to_owned() }
    }
}

/// A time for machines and for people.
struct When {
    machine: String,
    shown: String,
}

impl Desk<'_> {
    fn frame(&self, query: &str) -> Frame {
        Frame::new(self.reader.zone, query)
    }

    /// The clock alone within a day of now, else with the date.
    fn when(&self, at: DateTime<Utc>) -> When {
        let near = (self.now - at).abs() < TimeDelta::hours(20);
        let zone = self.reader.zone;
        let shown = if near { time::both_clocks(at, zone) } else { time::moment(at, zone) };
        When { machine: at.format("%Y-%m-%dT%H:%M:%SZ").to_string(), shown }
    }

    /// Time and date.
    fn moment(&self, at: DateTime<Utc>) -> When {
        When { shown: time::moment(at, self.reader.zone), ..self.when(at) }
    }
}

/// One incident in a list.
struct IncidentLine {
    id: String,
    badge: Badge,
    began: When,
    headline: String,
    people: String,
    /// Empty where nobody says what fails.
    fails: String,
}

impl IncidentLine {
    fn new(incident: &Incident, desk: &Desk) -> IncidentLine {
        IncidentLine {
            id: incident.id.clone(),
            badge: Badge::of_incident(incident),
            began: desk.moment(incident.start.estimate),
            headline: headline(incident, desk.now, desk.reader),
            people: people(incident),
            fails: fails(incident),
        }
    }
}

fn people(incident: &Incident) -> String {
    format!("{} by {}", words::count(incident.reports, "report"), words::people(incident.authors))
}

fn fails(incident: &Incident) -> String {
    incident.symptoms.first().map_or_else(String::new, |most| format!("mostly {}", words::symptom(most.symptom)))
}

/// Builds a page beside the threads that serve, in the reader's zone.
async fn page<T>(
    app: App,
    headers: HeaderMap,
    build: impl FnOnce(&Desk) -> Result<T, Problem> + Send + 'static,
) -> Result<Response, Sorry>
where
    T: askama::Template,
{
    let zone = zone(&headers);
    let body = app
        .read(move |app, store| {
            let now = store.now()?;
            let page = app.telling(zone, |reader| build(&Desk { app, store, reader, now }))?;
            page.render().map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the page could not be written"))
        })
        .await?;
    let mut response = tagged(&headers, "text/html; charset=utf-8", body.into_bytes());
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("cookie"));
    Ok(response)
}

/// The zone that the page's script has noted in a cookie, else UTC.
fn zone(headers: &HeaderMap) -> Tz {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    let mut named = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    named.find(|(name, _)| *name == "zone").and_then(|(_, zone)| zone.parse().ok()).unwrap_or(Tz::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_zone_is_the_readers_and_utc_where_it_is_none() {
        let asked = |cookie: &str| zone(&HeaderMap::from_iter([(header::COOKIE, cookie.parse().unwrap())]));
        assert_eq!(asked("a=b; zone=Asia/Tokyo"), Tz::Asia__Tokyo);
        for cookie in ["zone=Nowhere/Land", "zone=", "zone", "timezone=Asia/Tokyo"] {
            assert_eq!(asked(cookie), Tz::UTC, "{cookie}");
        }
    }
}
