//! A timeline for programs: the incident's fields, then the story and the counts behind it.

use super::{Entry, Timeline};
use crate::answer::SeriesPoint;
use crate::incident::Incident;
use chrono::{DateTime, Utc};
use serde::Serialize;

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    incident: &'a Incident,
    headline: &'a str,
    entries: &'a [Entry],
    method: &'a [String],
    unknown: &'a [String],
    course: &'a [SeriesPoint],
    now: DateTime<Utc>,
}

pub(super) fn render(timeline: &Timeline) -> serde_json::Result<String> {
    serde_json::to_string(&Document {
        incident: &timeline.incident,
        headline: &timeline.headline,
        entries: &timeline.entries,
        method: &timeline.method,
        unknown: &timeline.unknown,
        course: &timeline.course,
        now: timeline.now,
    })
}
