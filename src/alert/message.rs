//! A row in words, before any receiver's form of them.

use super::{News, Row};
use crate::answer::IncidentFile;
use crate::incident::Incident;
use crate::reading::Catalogue;
use crate::reading::place::Places;
use crate::report::{Audience, Timeline, words};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

/// The longest title and the longest line, in characters; less than every receiver's limit.
const LONGEST: usize = 240;

/// What a receiver is told.
#[derive(Clone, Debug)]
pub struct Message {
    pub key: String,
    pub news: News,
    pub at: DateTime<Utc>,
    pub incident: Incident,
    /// The service's name.
    pub service: String,
    /// One line.
    pub title: String,
    /// `Began: 5 March 2024, 20:02 UTC; …`
    pub lines: Vec<String>,
    /// The incident's page.
    pub link: Option<String>,
}

impl Message {
    /// `page` is the address under which readers reach the page, or empty. Times are in UTC.
    pub fn new(row: &Row, catalogue: &Catalogue, page: &str) -> Message {
        let places = Places::embedded();
        let audience = Audience {
            service: &|id| catalogue.get(id.as_str()).map_or_else(|| id.to_string(), |it| it.name.clone()),
            region: &|region| places.name(region).map_or_else(|| region.to_string(), str::to_owned),
            zone: Tz::UTC,
        };
        let file = IncidentFile::bare(row.body.incident.clone(), row.body.at);
        let told = Timeline::new(&file, &audience);
        let sign = match row.body.news {
            News::Opening | News::Retraction => "",
            News::Escalation => "In more countries: ",
            News::Recovery => "Over: ",
            News::Relapse => "Again: ",
            News::Correction => "Corrected: ",
            News::Test => "TEST, nothing is down: ",
        };
        let facts = told.facts.iter().map(|fact| format!("{}: {}", fact.label, fact.text));
        let countries: Vec<String> = (row.body.incident.regions.iter())
            .filter(|impact| impact.region.is_country())
            .map(|impact| words::within_sentence(&(audience.region)(impact.region)))
            .collect();
        let place = (!countries.is_empty()).then(|| format!("Where: {}", words::list(&countries)));
        let correction = row.body.incident.corrections.last().filter(|_| row.body.news == News::Correction);
        let correction = correction.map(|it| format!("The {} was {}, is {}: {}", it.what, it.from, it.to, it.why));
        let page = page.trim_end_matches('/');
        Message {
            key: row.key(),
            news: row.body.news,
            at: row.body.at,
            link: (!page.is_empty()).then(|| format!("{page}/incidents/{}", row.incident)),
            title: bounded(&format!("{sign}{}", told.headline)),
            lines: correction.into_iter().chain(facts).chain(place).map(|line| bounded(&line)).collect(),
            service: told.service,
            incident: row.body.incident.clone(),
        }
    }

    /// All of it as plain text.
    pub fn text(&self) -> String {
        let mut lines = self.lines.clone();
        lines.extend(self.link.clone());
        lines.join("\n")
    }
}

/// One harmless line that is not too long.
fn bounded(text: &str) -> String {
    let text = crate::report::escape::plain(text);
    if text.chars().count() <= LONGEST {
        return text;
    }
    text.chars().take(LONGEST - 1).chain(['…']).collect()
}
