//! What went wrong, told to people.

use super::Frame;
use crate::http::problem::Problem;
use askama::Template as _;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use chrono_tz::Tz;

/// A [`Problem`] as a page.
pub struct Sorry {
    problem: Problem,
    /// Where the reader may have wanted to go: address and name.
    instead: Option<(String, String)>,
}

#[derive(askama::Template)]
#[template(path = "sorry.html", config = "src/http/askama.toml")]
struct Page {
    frame: Frame,
    title: &'static str,
    detail: String,
    hint: Option<String>,
    instead: Option<(String, String)>,
}

impl Sorry {
    #[must_use]
    pub fn leading_to(self, instead: Option<(String, String)>) -> Sorry {
        Sorry { instead, ..self }
    }
}

impl From<Problem> for Sorry {
    fn from(problem: Problem) -> Sorry {
        Sorry { problem, instead: None }
    }
}

impl IntoResponse for Sorry {
    fn into_response(self) -> Response {
        let Problem { status, detail, hint, .. } = self.problem;
        let title = match status {
            StatusCode::NOT_FOUND => "Not here",
            StatusCode::BAD_REQUEST => "That cannot be read",
            _ => "This does not work just now",
        };
        let page = Page { frame: Frame::new(Tz::UTC, ""), title, detail, hint, instead: self.instead };
        match page.render() {
            Ok(body) => (status, Html(body)).into_response(),
            Err(_) => status.into_response(),
        }
    }
}

/// What is answered where nothing is: a page to a browser, a problem to a program.
pub async fn nothing(headers: HeaderMap) -> Response {
    let problem = Problem::new(StatusCode::NOT_FOUND, "there is nothing at this address");
    let accepts = headers.get(header::ACCEPT).and_then(|kinds| kinds.to_str().ok()).unwrap_or_default();
    if accepts.contains("text/html") { Sorry::from(problem).into_response() } else { problem.into_response() }
}
