//! `/incidents/{id}`: the timeline of an incident within the frame of the site.

use super::{Desk, Frame, Sorry, page};
use crate::http::App;
use crate::http::api::AskedPath;
use crate::http::problem::Problem;
use crate::report::{Timeline, html};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

#[derive(askama::Template)]
#[template(path = "incident.html", config = "src/http/askama.toml")]
struct Page {
    frame: Frame,
    id: String,
    service: String,
    name: String,
    headline: String,
    article: String,
}

pub async fn incident(State(app): State<App>, headers: HeaderMap, path: AskedPath) -> Result<Response, Sorry> {
    let Path(id) = path.map_err(|rejection| Problem::bad(rejection.body_text()))?;
    page(app, headers, move |desk| build(desk, &id)).await
}

fn build(desk: &Desk, id: &str) -> Result<Page, Problem> {
    let Some(file) = desk.store.incident_file(id)? else {
        return Err(Problem::new(StatusCode::NOT_FOUND, format!("There is no incident “{id}”")));
    };
    let timeline = Timeline::new(&file, desk.reader);
    Ok(Page {
        frame: desk.frame(""),
        article: html::article(&timeline, &|id| format!("/incidents/{id}")),
        id: timeline.incident.id,
        service: timeline.incident.service.to_string(),
        name: timeline.service,
        headline: timeline.headline,
    })
}
