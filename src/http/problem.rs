//! Errors as RFC 9457 problem details.

use crate::select::Wrong;
use crate::store::StoreError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::fmt;

/// The media type of a problem.
pub const KIND: &str = "application/problem+json";

/// What went wrong, and what to ask instead.
#[derive(Debug)]
pub struct Problem {
    pub(super) status: StatusCode,
    pub(super) detail: String,
    pub(super) hint: Option<String>,
    /// After how many seconds it may be asked again.
    retry_after: Option<u64>,
}

impl Problem {
    pub fn new(status: StatusCode, detail: impl fmt::Display) -> Problem {
        Problem { status, detail: detail.to_string(), hint: None, retry_after: None }
    }

    pub fn bad(detail: impl fmt::Display) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, detail)
    }

    /// What to do instead.
    pub fn hint(self, hint: impl Into<String>) -> Problem {
        Problem { hint: Some(hint.into()), ..self }
    }

    pub fn retry_after(self, seconds: u64) -> Problem {
        Problem { retry_after: Some(seconds), ..self }
    }
}

impl From<Wrong> for Problem {
    fn from(wrong: Wrong) -> Problem {
        Problem::bad(&wrong).hint(&wrong.hint)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        tracing::warn!("a question was not answered: {error}");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the database cannot be read just now").retry_after(10)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or_default(),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if let (Some(hint), Some(fields)) = (self.hint, body.as_object_mut()) {
            fields.insert("hint".into(), hint.into());
        }
        let mut response = (self.status, [(header::CONTENT_TYPE, KIND)], body.to_string()).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET,HEAD"));
        }
        response
    }
}
