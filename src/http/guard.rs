//! What every request and answer passes: who was asked, and what a browser may do with the answer.

use super::problem::Problem;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;

/// Everything from here, and nothing inline.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Refuses names other than `localhost`, so that a foreign page cannot read the answers by having its own name lead
/// here (DNS rebinding).
pub async fn hosts(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    if !host.is_some_and(ours) {
        return Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "this server answers to its address and to `localhost` alone",
        )
        .into_response();
    }
    next.run(request).await
}

fn ours(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

pub async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::ours;

    #[test]
    fn foreign_names_are_refused() {
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1:8370", "[::1]:8370", "192.0.2.7"] {
            assert!(ours(host), "{host}");
        }
        for host in ["", "evil.example", "localhost.evil.example:80", "127.0.0.1.evil.example", "[evil]"] {
            assert!(!ours(host), "{host}");
        }
    }
}
