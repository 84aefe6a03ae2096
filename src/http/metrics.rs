//! Numbers for Prometheus, in its text format 0.0.4. The names are [`NAMES`] and no others.

use super::App;
use super::problem::Problem;
use crate::answer::{Health, SourceAnswer, Status};
use crate::minute::Minute;
use crate::store::{Filter, Reader};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

/// Minutes over which reports are averaged.
const WINDOW: i64 = 5;

/// Every name with its type and what it means.
pub const NAMES: &[(&str, &str, &str)] = &[
    ("whatsdown_build_info", "gauge", "1, with the program's version."),
    (
        "whatsdown_service_down",
        "gauge",
        "1 where a service is down or recovering, 0 where it is up; absent where nobody listened.",
    ),
    ("whatsdown_services", "gauge", "Services by state: up, down, recovering, unknown."),
    ("whatsdown_incidents_open", "gauge", "Incidents that are not over."),
    (
        "whatsdown_reports_per_minute",
        "gauge",
        "Reports about a service, the mean of the last five minutes that are counted.",
    ),
    ("whatsdown_clock_lag_seconds", "gauge", "How far the last minute that is counted lies behind now."),
    ("whatsdown_source_ok", "gauge", "1 where a source is read as it comes, 0 where it is not."),
    ("whatsdown_source_lag_seconds", "gauge", "How far what is fully read of a source lies behind now."),
    ("whatsdown_source_posts_total", "counter", "Posts read from a source, whatever they are about."),
    (
        "whatsdown_source_errors_total",
        "counter",
        "Failed requests and broken streams of a source, since the job began.",
    ),
    ("whatsdown_alerts_waiting", "gauge", "Messages that are not sent to their receivers yet."),
    ("whatsdown_http_requests_total", "counter", "Requests answered, by the code of the answer."),
    ("whatsdown_http_listeners", "gauge", "Listeners of /api/v1/events."),
];

pub async fn metrics(State(app): State<App>) -> Result<Response, Problem> {
    let text = app.read(|app, store| Ok(collect(app, store)?.render())).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

fn collect(app: &App, store: &Reader) -> Result<Samples, Problem> {
    let mut samples = Samples::default();
    samples.add("whatsdown_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    let services = app.services(None)?;
    states(&mut samples, &store.status(&services, None)?);
    let open = store.incidents(&Filter { open: true, ..Filter::default() })?;
    samples.add("whatsdown_incidents_open", &[], open.len());
    if let Some(clock) = store.clock()? {
        let until = Minute::of(clock);
        for service in &services {
            let reports = store.reports(service, until - WINDOW, until)? as f64 / WINDOW as f64;
            samples.add("whatsdown_reports_per_minute", &[("service", service.as_str())], reports);
        }
        samples.add("whatsdown_clock_lag_seconds", &[], (store.now()? - clock).num_seconds().max(0));
    }
    for source in store.sources()? {
        source_samples(&mut samples, &source);
    }
    samples.add("whatsdown_alerts_waiting", &[], store.alerts_waiting()?);
    for (code, requests) in app.answered.by_code() {
        samples.add("whatsdown_http_requests_total", &[("code", &code.to_string())], requests);
    }
    samples.add("whatsdown_http_listeners", &[], app.events.listeners());
    Ok(samples)
}

fn states(samples: &mut Samples, status: &Status) {
    let mut by_state: BTreeMap<Health, u64> = Health::ALL.iter().map(|state| (*state, 0)).collect();
    for service in &status.services {
        *by_state.entry(service.state).or_default() += 1;
        if service.state != Health::Unknown {
            let down = u8::from(service.state != Health::Up);
            samples.add("whatsdown_service_down", &[("service", service.service.as_str())], down);
        }
    }
    for (state, services) in by_state {
        samples.add("whatsdown_services", &[("state", state.as_str())], services);
    }
}

fn source_samples(samples: &mut Samples, source: &SourceAnswer) {
    let label = [("source", source.source.as_str())];
    samples.add("whatsdown_source_ok", &label, u8::from(source.health.state == crate::source::State::Ok));
    if let Some(lag) = source.lag_seconds {
        samples.add("whatsdown_source_lag_seconds", &label, lag);
    }
    samples.add("whatsdown_source_posts_total", &label, source.posts);
    samples.add("whatsdown_source_errors_total", &label, source.health.errors);
}

/// Samples by their names.
#[derive(Default)]
struct Samples(BTreeMap<&'static str, String>);

impl Samples {
    fn add(&mut self, name: &'static str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> = labels.iter().map(|(label, text)| format!("{label}=\"{}\"", escaped(text))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0.entry(name).or_default(), "{name}{labels} {value}");
    }

    /// In the order of [`NAMES`], each with its help. A name without samples is left out.
    fn render(&self) -> String {
        let mut out = String::new();
        for (name, kind, help) in NAMES {
            if let Some(samples) = self.0.get(name) {
                let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n{samples}");
            }
        }
        out
    }
}

/// A label's value within its quotation marks.
fn escaped(text: &str) -> String {
    crate::report::escape::plain(text).replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_stays_within_its_quotation_marks() {
        let mut samples = Samples::default();
        samples.add("whatsdown_source_ok", &[("source", "a\"} 1\nwhatsdown_evil 2\\\u{1b}[2J")], 0);
        let sample = samples.render().lines().last().unwrap().to_owned();
        assert_eq!(sample, "whatsdown_source_ok{source=\"a\\\"} 1 whatsdown_evil 2\\\\\u{fffd}[2J\"} 0");
    }

    #[test]
    fn the_dashboard_uses_these_names_and_all_of_them() {
        let dashboard = include_str!("../../deploy/grafana.json");
        let is_name = |letter: char| letter.is_ascii_lowercase() || letter == '_';
        let mut used: Vec<&str> = dashboard.split(|letter| !is_name(letter)).collect();
        used.retain(|word| word.starts_with("whatsdown_"));
        used.sort_unstable();
        used.dedup();
        let mut known: Vec<&str> = NAMES.iter().map(|(name, ..)| *name).collect();
        known.sort_unstable();
        assert_eq!(used, known);
    }
}
