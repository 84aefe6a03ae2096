//! A signed webhook, as <https://www.standardwebhooks.com> has it.

use super::message::Message;
use super::receiver::Call;
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Utc};
use reqwest::Url;
use ring::hmac;
use serde_json::json;

/// What the body is signed with.
#[derive(Clone)]
pub struct Key(hmac::Key);

impl Key {
    /// Base64, with or without `whsec_` before it.
    pub fn parse(secret: &Secret) -> Option<Key> {
        let text = secret.expose();
        let bytes = BASE64.decode(text.strip_prefix("whsec_").unwrap_or(text)).ok()?;
        Some(Key(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }
}

pub fn call(url: &Url, key: &Key, message: &Message, now: DateTime<Utc>) -> Call {
    let body = json!({
        "type": format!("incident.{}", message.news),
        "timestamp": message.at,
        "data": {
            "key": message.key,
            "title": message.title,
            "link": message.link,
            "incident": message.incident,
        },
    })
    .to_string();
    let stamp = now.timestamp().to_string();
    let signed = hmac::sign(&key.0, format!("{}.{stamp}.{body}", message.key).as_bytes());
    let headers = vec![
        ("webhook-id", message.key.clone()),
        ("webhook-timestamp", stamp),
        ("webhook-signature", format!("v1,{}", BASE64.encode(signed))),
    ];
    Call { headers, ..Call::post(url.clone(), body) }
}
