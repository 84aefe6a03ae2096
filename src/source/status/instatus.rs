//! Instatus. <https://instatus.com/help/api/public>
//!
//! It lists what is going on and no more: that something is over is not told.

use super::{Incident, Incidents, Update, id, list, text, time};
use crate::reading::Stage;
use serde_json::Value;

pub(super) fn read(body: &[u8]) -> Result<Incidents, String> {
    let answer: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if !answer["page"].is_object() {
        return Err("it is no status page".to_owned());
    }
    Ok(list(&answer, "activeIncidents")?.iter().map(incident).collect())
}

fn incident(value: &Value) -> Option<Incident> {
    let status = value["status"].as_str()?;
    let stage = match status {
        "INVESTIGATING" | "IDENTIFIED" | "MONITORING" => Stage::Acknowledged,
        "RESOLVED" => Stage::Resolved,
        _ => return None,
    };
    let url = value["url"].as_str().map(str::to_owned);
    let began = time(&value["started"]);
    // One notice for each stage, said when it was last changed.
    let first = status == "INVESTIGATING";
    let at = if first { began } else { time(&value["updatedAt"]).or(began) };
    Some(Incident {
        id: id(&value["id"]).or_else(|| url.clone())?,
        title: text(value, "name"),
        parts: Vec::new(),
        url,
        began,
        open: stage != Stage::Resolved,
        over: None,
        updates: vec![Update { id: status.to_owned(), at, stage, text: String::new() }],
    })
}
