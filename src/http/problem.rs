//! Errors as RFC 9457 problem details.

use crate::select::Wrong;
use crate::store::StoreError;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::fmt;

/// What went wrong, and what to ask instead.
#[derive(Debug)]
pub struct Problem {
    pub(super) status: StatusCode,
    pub(super) detail: String,
    pub(super) hint: Option<String>,
}

impl Problem {
    pub fn new(status: StatusCode, detail: impl fmt::Display) -> Problem {
        Problem { status, detail: detail.to_string(), hint: None }
    }

    pub fn bad(detail: impl fmt::Display) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, detail)
    }
}

impl From<Wrong> for Problem {
    fn from(wrong: Wrong) -> Problem {
        Problem { hint: Some(wrong.hint.clone()), ..Problem::bad(wrong) }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        tracing::warn!("a question was not answered: {error}");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the database cannot be read just now")
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
        (self.status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
    }
}
