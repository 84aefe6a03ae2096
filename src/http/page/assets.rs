//! The files that pages need: one style, one script, one icon, all from here.

use crate::http::api::tagged;
use crate::report::{html, svg};
use axum::http::HeaderMap;
use axum::response::Response;

pub async fn style(headers: HeaderMap) -> Response {
    let style = [html::STYLE, svg::STYLE, include_str!("../static/site.css")].concat();
    tagged(&headers, "text/css; charset=utf-8", style.into_bytes())
}

pub async fn script(headers: HeaderMap) -> Response {
    tagged(&headers, "text/javascript; charset=utf-8", include_str!("../static/live.js").into())
}

pub async fn icon(headers: HeaderMap) -> Response {
    tagged(&headers, "image/svg+xml", include_str!("../static/icon.svg").into())
}
