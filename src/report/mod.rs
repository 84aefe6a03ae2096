//! Incident out, story in: one view of an incident, and one file for each format that it is told in.

pub mod badge;
pub mod chart;
mod course;
pub mod escape;
mod headline;
pub mod html;
pub mod ink;
mod json;
mod limits;
pub mod map;
mod markdown;
pub mod spark;
pub mod svg;
mod text;
pub mod time;
pub mod words;

use crate::answer::{IncidentFile, Named, Quote, SeriesPoint};
use crate::incident::{Incident, Interval, Phase};
use crate::reading::ServiceId;
use crate::region::Region;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
pub use headline::headline;
use ink::Ink;
use serde::Serialize;
use std::collections::BTreeMap;

/// What the reader reads: names for ids, and their own zone.
#[derive(Clone, Copy)]
pub struct Audience<'a> {
    pub service: &'a dyn Fn(&ServiceId) -> String,
    pub region: &'a dyn Fn(Region) -> String,
    pub zone: Tz,
}

/// One incident, told. Every format is written from this, and says the same.
#[derive(Clone, Debug)]
pub struct Timeline {
    pub incident: Incident,
    /// The service's name.
    pub service: String,
    pub headline: String,
    /// What is known at a glance: begin, end, how sure, what the company says.
    pub facts: Vec<Fact>,
    pub places: Vec<PlaceRow>,
    /// What people say fails, largest share first.
    pub symptoms: Vec<Share>,
    pub surfaces: Vec<Share>,
    /// What people said failed, hour by hour.
    pub hours: Vec<HourRow>,
    pub entries: Vec<Entry>,
    /// How many mentions the shares of symptoms and of surfaces come from.
    pub named: Option<String>,
    pub related: Vec<String>,
    pub method: Vec<String>,
    pub unknown: Vec<String>,
    /// Counts all over the world, as fine as they are kept.
    pub course: Vec<SeriesPoint>,
    /// The database's now.
    pub now: DateTime<Utc>,
    pub zone: Tz,
}

/// A labelled sentence.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    pub label: &'static str,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct PlaceRow {
    pub region: Region,
    pub name: String,
    pub start: Interval,
    /// `None` while it lasts there.
    pub end: Option<Interval>,
    pub reports: u64,
    /// Distinct people in the busiest minute.
    pub peak: u64,
    /// Parts of the same country that follow this row and are left out.
    pub left_out: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    pub name: &'static str,
    /// 0..1, of the reports that name any.
    pub share: f64,
}

/// One hour's symptoms, most named first.
#[derive(Clone, Debug, PartialEq)]
pub struct HourRow {
    pub at: DateTime<Utc>,
    pub symptoms: Vec<(&'static str, u64)>,
}

/// A dated sentence and what it rests on: posts, counts, or both.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    pub at: DateTime<Utc>,
    /// `onset`, `detected`, `peak`, `region`, `symptoms`, `acknowledged`, `official`, `partial_recovery`, `relapse`,
    /// `recovery`, `resolved`, `blame`, `post`, `silence`, `correction` or `retracted`.
    pub kind: &'static str,
    pub text: String,
    /// Links, or ids where there is no link, of the posts.
    pub evidence: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub counts: Vec<Count>,
    #[serde(skip)]
    pub quotes: Vec<Quote>,
}

/// The counts that a sentence rests on: reports in `[from, until)`, distinct authors summed over its minutes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Count {
    pub region: Region,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub observed: u64,
    pub expected: f64,
}

impl Timeline {
    pub fn new(file: &IncidentFile, reader: &Audience) -> Timeline {
        let incident = &file.incident;
        Timeline {
            incident: incident.clone(),
            service: (reader.service)(&incident.service),
            headline: headline::headline(incident, file.now, reader),
            facts: headline::facts(file, reader),
            places: places(incident, reader),
            symptoms: (incident.symptoms.iter())
                .map(|s| Share { name: words::symptom(s.symptom), share: s.share })
                .collect(),
            surfaces: (incident.surfaces.iter())
                .map(|s| Share { name: words::surface(s.surface), share: s.share })
                .collect(),
            hours: hours(file),
            entries: course::entries(file, reader),
            named: named(file),
            related: limits::related(file, reader),
            method: limits::method(file),
            unknown: limits::unknown(file, reader),
            course: file.course.clone(),
            now: file.now,
            zone: reader.zone,
        }
    }

    /// For a terminal of `width` columns.
    pub fn text(&self, width: usize, ink: Ink) -> String {
        text::render(self, width, ink)
    }

    pub fn markdown(&self) -> String {
        markdown::render(self)
    }

    /// One object: the incident's fields, `headline`, `entries`, and the counts behind them.
    pub fn json(&self) -> serde_json::Result<String> {
        json::render(self)
    }

    /// A page that needs nothing else: no script, no outside request.
    pub fn html(&self) -> String {
        html::render(self)
    }

    /// The chart of reports against what is expected, with the turns marked.
    pub fn svg(&self) -> String {
        svg::chart(&self.course, &self.marks(), &self.headline, self.zone)
    }

    /// The same chart, to stand in a page that brings its style.
    fn chart(&self) -> String {
        svg::within_page(&self.course, &self.marks(), &self.headline, self.zone)
    }

    /// The turns of the incident, for charts.
    fn marks(&self) -> Vec<(DateTime<Utc>, &'static str)> {
        self.incident.phases.iter().map(|entry| (entry.at, phase_name(entry.phase))).collect()
    }
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Onset => "onset",
        Phase::Acknowledged => "acknowledged",
        Phase::PartialRecovery => "partly back",
        Phase::Relapse => "worse again",
        Phase::Recovery => "coming back",
        Phase::Resolved => "over",
    }
}

/// Of a country, so many parts are told, those with most reports; the JSON has all.
const PARTS_TOLD: usize = 4;

/// The world first, then the countries with most reports, each followed by its parts.
fn places(incident: &Incident, reader: &Audience) -> Vec<PlaceRow> {
    let country = |region: Region| region.path().find(|region| region.is_country());
    let reports_of = |region: Option<Region>| {
        let impact = incident.regions.iter().find(|impact| Some(impact.region) == region);
        impact.map_or(0, |impact| impact.reports)
    };
    let mut rows: Vec<_> = incident.regions.iter().collect();
    rows.sort_by_key(|impact| {
        let country = country(impact.region);
        let is_part = country.is_some_and(|country| country != impact.region);
        (
            country.is_some(),
            std::cmp::Reverse(reports_of(country)),
            country,
            is_part,
            std::cmp::Reverse(impact.reports),
            impact.region,
        )
    });
    let mut told: Vec<PlaceRow> = Vec::new();
    let mut parts = 0;
    for impact in rows {
        let part = impact.region.parent().filter(|parent| parent.is_country());
        parts = if part.is_some() { parts + 1 } else { 0 };
        match told.last_mut() {
            Some(last) if parts > PARTS_TOLD => last.left_out += 1,
            _ => told.push(PlaceRow {
                region: impact.region,
                name: place_name(impact.region, part, reader),
                start: impact.start,
                end: impact.end,
                reports: impact.reports,
                peak: impact.peak.observed,
                left_out: 0,
            }),
        }
    }
    told
}

/// A part's name does not repeat its country, under which it stands.
fn place_name(region: Region, country: Option<Region>, reader: &Audience) -> String {
    if region == Region::WORLD {
        return "World".to_owned();
    }
    let name = (reader.region)(region);
    let short = country.and_then(|country| name.strip_suffix(country.as_str())?.strip_suffix(", "));
    short.unwrap_or(&name).to_owned()
}

/// `2,145 mentions of what fails, 12 of where`; nothing where the posts behind them are gone.
fn named(file: &IncidentFile) -> Option<String> {
    let Named { symptoms, surfaces } = file.named;
    let what = (symptoms > 0).then(|| format!("{} of what fails", words::count(symptoms, "mention")));
    let where_it_does = (surfaces > 0).then(|| format!("{} of app, website or API", words::count(surfaces, "mention")));
    let told: Vec<String> = what.into_iter().chain(where_it_does).collect();
    (!told.is_empty()).then(|| format!("Shares of {}.", words::list(&told)))
}

fn hours(file: &IncidentFile) -> Vec<HourRow> {
    let mut rows: BTreeMap<DateTime<Utc>, Vec<(&'static str, u64)>> = BTreeMap::new();
    // Everyday complaints before and after are not part of it.
    let during = |hour: &&crate::answer::SymptomHour| {
        hour.reports > 0
            && hour.at + TimeDelta::hours(1) > file.incident.start.low
            && file.incident.end.is_none_or(|end| hour.at < end.high)
    };
    for hour in file.symptoms_by_hour.iter().filter(during) {
        rows.entry(hour.at).or_default().push((words::symptom(hour.symptom), hour.reports));
    }
    let mut rows: Vec<HourRow> = rows.into_iter().map(|(at, symptoms)| HourRow { at, symptoms }).collect();
    for row in &mut rows {
        row.symptoms.sort_by_key(|(_, reports)| std::cmp::Reverse(*reports));
    }
    rows
}

#[cfg(test)]
pub(crate) mod fixture;

#[cfg(test)]
mod tests;
