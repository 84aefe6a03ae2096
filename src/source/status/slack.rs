//! Slack's own page. <https://docs.slack.dev/reference/slack-status-api>

use super::{Incident, Incidents, Update, id, list, text, time};
use crate::reading::Stage;
use serde_json::Value;

pub(super) fn read(body: &[u8]) -> Result<Incidents, String> {
    let answer: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let incidents = match &answer {
        // `history` is a list, `current` holds one.
        Value::Array(incidents) => incidents.as_slice(),
        Value::Object(_) if answer["status"].is_string() => list(&answer, "active_incidents")?,
        _ => return Err("it is no status".to_owned()),
    };
    // Planned work is scheduled, completed or cancelled.
    Ok(incidents
        .iter()
        .filter_map(|it| match it["status"].as_str() {
            Some("scheduled" | "completed" | "cancelled" | "canceled") => None,
            _ => Some(incident(it)),
        })
        .collect())
}

fn incident(value: &Value) -> Option<Incident> {
    let open = match value["status"].as_str()? {
        "active" => true,
        "resolved" => false,
        _ => return None,
    };
    let notes = list(value, "notes").ok()?;
    Some(Incident {
        id: id(&value["id"])?,
        title: text(value, "title"),
        parts: list(value, "services").ok()?.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        url: value["url"].as_str().map(str::to_owned),
        began: time(&value["date_created"]),
        open,
        over: None, // `date_updated` changes afterwards too
        updates: notes.iter().filter_map(update).collect(),
    })
}

/// A note has no stage of its own: the last of an incident that is over tells so.
fn update(note: &Value) -> Option<Update> {
    let at = time(&note["date_created"])?;
    Some(Update { id: at.timestamp().to_string(), at: Some(at), stage: Stage::Acknowledged, text: text(note, "body") })
}
