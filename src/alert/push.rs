//! ntfy and Alertmanager.

use super::message::Message;
use super::receiver::Call;
use super::{News, is_down};
use crate::secret::Secret;
use chrono::TimeDelta;
use reqwest::Url;
use serde_json::json;

/// Alertmanager takes an alert without an end for over after five minutes. We say it once, so it is told to last.
const LASTS: TimeDelta = TimeDelta::days(7);

pub fn ntfy(server: &Url, topic: &Secret, token: Option<&Secret>, message: &Message) -> Call {
    let down = is_down(&message.incident) && message.news != News::Retraction;
    let mut body = json!({
        "topic": topic.expose(),
        "title": message.title,
        "message": message.lines.join("\n"),
        "priority": if message.news == News::Opening { 4 } else { 3 },
        "tags": [if down { "red_circle" } else { "large_blue_circle" }],
        // Since 2.16 a message of the same sequence takes the place of the one before.
        "sequence_id": message.incident.id,
    });
    if let Some(link) = &message.link {
        body["click"] = link.as_str().into();
    }
    Call { bearer: token.cloned(), ..Call::post(server.clone(), body.to_string()) }
}

pub fn alertmanager(url: &Url, token: Option<&Secret>, message: &Message) -> Option<Call> {
    let incident = &message.incident;
    let over = incident.retracted_at.or(incident.end.filter(|_| !is_down(incident)).map(|end| end.estimate));
    let ends_at = match message.news {
        News::Test => message.at + TimeDelta::minutes(1),
        _ => over.unwrap_or(message.at + LASTS),
    };
    // The labels are its identity, and must never change.
    let body = json!([{
        "labels": {"alertname": "ServiceDown", "service": incident.service, "incident": incident.id},
        "annotations": {
            "summary": message.title,
            "description": message.lines.join("\n"),
            "confidence": format!("{:.3}", incident.confidence),
        },
        "startsAt": incident.start.estimate.min(ends_at),
        "endsAt": ends_at,
        "generatorURL": message.link.as_deref().unwrap_or_default(),
    }]);
    let path = format!("{}/api/v2/alerts", url.path().trim_end_matches('/'));
    let url = url.join(&path).ok()?;
    Some(Call { bearer: token.cloned(), ..Call::post(url, body.to_string()) })
}
