//! Google Cloud and Google Workspace. <https://status.cloud.google.com/incidents.schema.json>

use super::{Incident, Incidents, Update, id, list, text, time};
use crate::reading::Stage;
use reqwest::Url;
use serde_json::Value;

pub(super) fn read(body: &[u8], page: &Url) -> Result<Incidents, String> {
    let answer: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let incidents = answer.as_array().ok_or("it is no list of incidents")?;
    Ok(incidents.iter().map(|value| incident(value, page)).collect())
}

fn incident(value: &Value, page: &Url) -> Option<Incident> {
    let open = value["end"].is_null(); // absent, or null
    let updates = list(value, "updates").ok()?;
    let products = list(value, "affected_products").ok()?.iter().map(|product| text(product, "title"));
    Some(Incident {
        id: id(&value["id"])?,
        title: plain(&text(value, "external_desc")),
        parts: products.chain(value["service_name"].as_str().map(str::to_owned)).collect(),
        url: value["uri"].as_str().and_then(|uri| page.join(uri).ok()).map(String::from),
        began: Some(time(&value["begin"])?),
        open,
        over: time(&value["end"]),
        updates: updates.iter().filter_map(update).collect(),
    })
}

fn update(value: &Value) -> Option<Update> {
    let stage = match value["status"].as_str()? {
        "AVAILABLE" => Stage::Resolved,
        _ => Stage::Acknowledged,
    };
    // `when` is the time that it is about; `created` is when it was said.
    let at = time(&value["created"]).or_else(|| time(&value["when"]))?;
    Some(Update { id: at.timestamp_millis().to_string(), at: Some(at), stage, text: plain(&text(value, "text")) })
}

/// Markdown without its marks for headings and emphasis.
fn plain(markdown: &str) -> String {
    markdown.replace("**", "").lines().map(|line| line.trim_start_matches('#').trim()).collect::<Vec<_>>().join(" ")
}
