//! AWS: the current events of its health page, in UTF-16. <https://health.aws.amazon.com/health/status>

use super::super::utf16::decoded;
use super::{Incident, Incidents, Update, id, list, text};
use crate::reading::Stage;
use chrono::{DateTime, Utc};
use serde_json::Value;

/// Where people read of an event.
const PAGE: &str = "https://health.aws.amazon.com/health/status";

pub(super) fn read(body: &[u8]) -> Result<Incidents, String> {
    let answer: Value = serde_json::from_slice(&decoded(body)).map_err(|error| error.to_string())?;
    let events = answer.as_array().ok_or("it is no list of events")?;
    Ok(events.iter().map(incident).collect())
}

fn incident(value: &Value) -> Option<Incident> {
    let impacted = value["impacted_services"].as_object();
    let impacted = impacted.into_iter().flat_map(|services| services.values());
    let region = text(value, "region_name");
    let mut title = text(value, "summary");
    if !region.is_empty() {
        title = format!("{title} ({region})");
    }
    Some(Incident {
        id: id(&value["arn"])?,
        title,
        parts: impacted.chain([value]).map(|service| text(service, "service_name")).collect(),
        url: Some(format!("{PAGE}?eventID={}", id(&value["arn"])?)),
        began: seconds(&value["date"]),
        open: number(&value["status"])? != 0.0,
        over: None,
        updates: list(value, "event_log").ok()?.iter().filter_map(update).collect(),
    })
}

/// Of the levels 0 to 3 only 0 says that it is over.
fn update(value: &Value) -> Option<Update> {
    let at = seconds(&value["timestamp"])?;
    let stage = if number(&value["status"])? == 0.0 { Stage::Resolved } else { Stage::Acknowledged };
    Some(Update { id: at.timestamp().to_string(), at: Some(at), stage, text: text(value, "message") })
}

/// A number, also within a string.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn seconds(value: &Value) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(number(value)? as i64, 0)
}
