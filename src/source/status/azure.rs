//! Azure: a feed of what is going on now. <https://azure.status.microsoft/en-us/status/feed/>
//!
//! An item is there as long as it goes on. That it is over is not told.

use super::{Incident, Incidents, Update};
use crate::reading::Stage;

pub(super) fn read(body: &[u8]) -> Result<Incidents, String> {
    let feed = feed_rs::parser::parse(body).map_err(|error| error.to_string())?;
    Ok(feed
        .entries
        .into_iter()
        .map(|entry| {
            let title = entry.title.map(|title| title.content).filter(|title| !title.trim().is_empty())?;
            let at = entry.published.or(entry.updated);
            let update = Update {
                id: at.map_or_else(|| "now".to_owned(), |at| at.timestamp().to_string()),
                at,
                stage: Stage::Acknowledged,
                text: entry.summary.map(|summary| summary.content).unwrap_or_default(),
            };
            Some(Incident {
                id: entry.id,
                title,
                parts: Vec::new(),
                url: entry.links.into_iter().next().map(|link| link.href),
                began: at,
                open: true,
                over: None,
                updates: vec![update],
            })
        })
        .collect())
}
