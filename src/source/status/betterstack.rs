//! Better Stack: one JSON:API document. <https://betterstack.com/docs/uptime/api/getting-started-with-uptime-api/>

use super::{Incident, Incidents, Update, id, list, text, time};
use crate::reading::Stage;
use serde_json::Value;

pub(super) fn read(body: &[u8]) -> Result<Incidents, String> {
    let answer: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if answer["data"]["type"] != "status_page" {
        return Err("it is no status page".to_owned());
    }
    let included = list(&answer, "included")?;
    let reports = included.iter().filter(|it| it["type"] == "status_report");
    let unplanned = reports.filter(|it| it["attributes"]["report_type"] != "maintenance");
    Ok(unplanned.map(|report| incident(report, included)).collect())
}

fn incident(report: &Value, included: &[Value]) -> Option<Incident> {
    let told = &report["attributes"];
    let find = |kind: &str, wanted: &Value| included.iter().find(|it| it["type"] == kind && it["id"] == *wanted);
    let affected = list(told, "affected_resources").ok()?;
    let parts = affected.iter().filter_map(|it| find("status_page_resource", &it["status_page_resource_id"]));
    let updates = list(&report["relationships"]["status_updates"], "data").ok()?;
    let updates = updates.iter().filter_map(|it| find("status_update", &it["id"]));
    Some(Incident {
        id: id(&report["id"])?,
        title: text(told, "title"),
        parts: parts.map(|part| text(&part["attributes"], "public_name")).collect(),
        url: None,
        began: time(&told["starts_at"]),
        open: told["aggregate_state"].as_str()? != "resolved",
        // Often null even where it is over.
        over: time(&told["ends_at"]),
        updates: updates.filter_map(update).collect(),
    })
}

fn update(value: &Value) -> Option<Update> {
    let told = &value["attributes"];
    let affected = list(told, "affected_resources").ok()?;
    let works = |it: &Value| it["status"] == "resolved" || it["status"] == "operational";
    let resolved = !affected.is_empty() && affected.iter().all(works);
    Some(Update {
        id: id(&value["id"])?,
        at: Some(time(&told["published_at"])?),
        stage: if resolved { Stage::Resolved } else { Stage::Acknowledged },
        text: text(told, "message"),
    })
}
