//! Atlassian Statuspage, and incident.io, which answers as it does. <https://metastatuspage.com/api#incidents>

use super::{Incident, Incidents, Update, id, list, text, time};
use crate::reading::Stage;
use serde_json::Value;

pub(super) fn read(body: &[u8]) -> Result<Incidents, String> {
    let answer: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if !answer["page"].is_object() {
        return Err("it is no status page".to_owned());
    }
    let incidents = list(&answer, "incidents")?.iter();
    // Planned work is listed elsewhere, but some file it as an incident.
    Ok(incidents.filter(|it| it["impact"] != "maintenance").map(incident).collect())
}

fn incident(value: &Value) -> Option<Incident> {
    let status = value["status"].as_str()?;
    let parts = list(value, "components").ok()?.iter().map(|part| text(part, "name")).collect();
    let updates = list(value, "incident_updates").ok()?;
    Some(Incident {
        id: id(&value["id"])?,
        title: text(value, "name"),
        parts,
        url: value["shortlink"].as_str().map(str::to_owned),
        began: time(&value["created_at"]),
        open: matches!(status, "investigating" | "identified" | "monitoring"),
        over: None,
        updates: updates.iter().filter_map(update).collect(),
    })
}

/// A postmortem, a plan, and what cannot be understood is none.
fn update(value: &Value) -> Option<Update> {
    let stage = match value["status"].as_str()? {
        "investigating" | "identified" | "monitoring" => Stage::Acknowledged,
        "resolved" => Stage::Resolved,
        _ => return None,
    };
    // `display_at` may be set back; `created_at` is when it was really said.
    let at = time(&value["created_at"]).or_else(|| time(&value["display_at"]))?;
    let id = id(&value["id"]).unwrap_or_else(|| at.timestamp_millis().to_string());
    Some(Update { id, at: Some(at), stage, text: text(value, "body") })
}
