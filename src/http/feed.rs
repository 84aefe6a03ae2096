//! The newest incidents as an Atom feed (RFC 4287). Nobody is quoted: a deletion could not follow a post there.

use super::api::{Asked, Asking, tagged};
use super::problem::Problem;
use super::{App, api};
use crate::answer::IncidentFile;
use crate::incident::Incident;
use crate::report::escape::html;
use crate::report::{Audience, Timeline};
use crate::store::Filter;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;

pub const KIND: &str = "application/atom+xml; charset=utf-8";
/// What the feed may be asked for.
pub const ASKS: &[&str] = &["service", "region"];
/// Incidents in the feed.
const ENTRIES: usize = 50;

pub async fn atom(State(app): State<App>, headers: HeaderMap, asked: Asking) -> Result<Response, Problem> {
    let asked = Asked::of(asked, ASKS)?;
    let feed = app
        .read(move |app, store| {
            let filter = Filter { limit: Some(ENTRIES), ..api::filter(app, &asked, store, None)? };
            let (incidents, now) = (store.incidents(&filter)?, store.now()?);
            Ok(app.telling(Tz::UTC, |audience| render(&incidents, now, audience, &app.config.page)))
        })
        .await?;
    Ok(tagged(&headers, KIND, feed.into_bytes()))
}

/// `page` is the address under which readers reach the page, or empty.
fn render(incidents: &[Incident], now: DateTime<Utc>, audience: &Audience, page: &str) -> String {
    let page = page.trim_end_matches('/');
    let updated = incidents.iter().map(updated).max().unwrap_or_default();
    let mut feed = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\">\n\
         <id>{}</id>\n<title>whatsdown: what is down</title>\n<updated>{}</updated>\n\
         <author><name>whatsdown</name></author>\n\
         <link rel=\"self\" type=\"application/atom+xml\" href=\"{page}/feed.atom\"/>\n\
         <link rel=\"alternate\" type=\"text/html\" href=\"{page}/\"/>\n",
        urn("feed"),
        time(updated),
        page = html(page),
    );
    for incident in incidents {
        feed.push_str(&entry(incident, now, audience, page));
    }
    feed.push_str("</feed>\n");
    feed
}

fn entry(incident: &Incident, now: DateTime<Utc>, audience: &Audience, page: &str) -> String {
    let told = Timeline::new(&IncidentFile::bare(incident.clone(), now), audience);
    let facts = told.facts.iter().map(|fact| format!("<li>{}: {}</li>", html(fact.label), html(&fact.text)));
    let content = format!("<ul>{}</ul>", facts.collect::<String>());
    format!(
        "<entry>\n<id>{}</id>\n<title>{}</title>\n<published>{}</published>\n<updated>{}</updated>\n\
         <link rel=\"alternate\" type=\"text/html\" href=\"{}/incidents/{}\"/>\n\
         <category term=\"{}\"/>\n<content type=\"html\">{}</content>\n</entry>\n",
        urn(&format!("incident {}", incident.id)),
        html(&told.headline),
        time(incident.detected_at),
        time(updated(incident)),
        html(page),
        html(&incident.id),
        html(incident.service.as_str()),
        html(&content),
    )
}

/// When something was last said of an incident that a reader should know.
fn updated(incident: &Incident) -> DateTime<Utc> {
    let phases = incident.phases.iter().map(|phase| phase.at);
    let corrections = incident.corrections.iter().map(|correction| correction.at);
    let turns = phases.chain(corrections).chain(incident.acknowledged_at).chain(incident.retracted_at);
    turns.fold(incident.detected_at, DateTime::max)
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// An id that is the same wherever and whenever it is asked for: a UUID of version 8 (RFC 9562) from a hash.
fn urn(name: &str) -> String {
    let mut bytes = [0; 16];
    blake3::Hasher::new().update(b"whatsdown ").update(name.as_bytes()).finalize_xof().fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    format!("urn:uuid:{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids_and_stay() {
        let id = urn("incident tiktok-20210706T1925Z");
        assert_eq!(id, urn("incident tiktok-20210706T1925Z"));
        assert_ne!(id, urn("incident tiktok-20210706T1926Z"));
        let parts: Vec<usize> = id.trim_start_matches("urn:uuid:").split('-').map(str::len).collect();
        assert_eq!((parts.as_slice(), id.as_bytes()[23]), (&[8, 4, 4, 4, 12][..], b'8'));
    }
}
