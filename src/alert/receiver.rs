//! Where alerts go, and how each is spoken to.

use super::desk::Outcome;
use super::mail::Mail;
use super::message::Message;
use super::{News, chat, push, webhook};
use crate::secret::Secret;
use crate::source::http::{Client, Sent};
use crate::source::{SourceError, host_of};
use chrono::{DateTime, Utc};
use reqwest::{Method, StatusCode, Url};
use std::time::Duration;

/// After an answer that only people can do something about.
const MENDED_BY_PEOPLE: Duration = Duration::from_secs(900);

/// A request with a body of JSON.
pub struct Call {
    pub method: Method,
    pub url: Url,
    pub headers: Vec<(&'static str, String)>,
    pub bearer: Option<Secret>,
    pub body: String,
}

impl Call {
    pub fn post(url: Url, body: String) -> Call {
        Call { method: Method::POST, url, headers: Vec::new(), bearer: None, body }
    }
}

pub struct Receiver {
    pub kind: Kind,
}

pub enum Kind {
    Webhook { url: Url, key: webhook::Key },
    SlackWebhook { url: Secret },
    SlackBot { api: Url, token: Secret, channel: String },
    Discord { url: Secret },
    Ntfy { server: Url, topic: Secret, token: Option<Secret> },
    Alertmanager { url: Url, token: Option<Secret> },
    Email(Box<Mail>),
}

impl Receiver {
    /// Sends a message, in place of the one that it `edits` where the receiver can. A relapse is sent anew, since an
    /// edit wakes nobody.
    pub async fn deliver(
        &self,
        client: &Client,
        message: &Message,
        edits: Option<&str>,
        now: DateTime<Utc>,
    ) -> Outcome {
        if let Kind::Email(mail) = &self.kind {
            return mail.send(message).await;
        }
        let edits = edits.filter(|_| message.news != News::Relapse);
        let Some(call) = self.call(message, edits, now) else {
            return Outcome::Refused("the address cannot be completed".to_owned());
        };
        match client.send(call, now).await {
            // The message was deleted there: it is sent anew.
            Ok(sent) if edits.is_some() && sent.status == StatusCode::NOT_FOUND => {
                match self.call(message, None, now) {
                    Some(call) => self.judge(client.send(call, now).await),
                    None => Outcome::Refused("the address cannot be completed".to_owned()),
                }
            }
            sent => self.judge(sent),
        }
    }

    fn call(&self, message: &Message, edits: Option<&str>, now: DateTime<Utc>) -> Option<Call> {
        match &self.kind {
            Kind::Webhook { url, key } => Some(webhook::call(url, key, message, now)),
            Kind::SlackWebhook { url } => Some(chat::slack(Url::parse(url.expose()).ok()?, message)),
            Kind::SlackBot { api, token, channel } => chat::slack_bot(api, token, channel, message, edits),
            Kind::Discord { url } => Some(chat::discord(&Url::parse(url.expose()).ok()?, message, edits)),
            Kind::Ntfy { server, topic, token } => Some(push::ntfy(server, topic, token.as_ref(), message)),
            Kind::Alertmanager { url, token } => push::alertmanager(url, token.as_ref(), message),
            Kind::Email(_) => None,
        }
    }

    fn judge(&self, sent: Result<Sent, SourceError>) -> Outcome {
        let sent = match sent {
            Ok(sent) => sent,
            Err(error) => return Outcome::Failed { why: error.to_string(), wait: None },
        };
        let why = format!("{} answered {}", host_of(&sent.url), sent.status);
        match sent.status {
            status if status.is_success() => self.accepted(&sent.body),
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
                Outcome::Refused(why)
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Outcome::Failed { why, wait: sent.wait },
            status if status.is_server_error() => Outcome::Failed { why, wait: sent.wait },
            _ => Outcome::Failed { why, wait: Some(MENDED_BY_PEOPLE) },
        }
    }

    /// Slack's API says 200 to everything, and tells in the body.
    fn accepted(&self, body: &[u8]) -> Outcome {
        let answer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| answer.get(name).and_then(|value| value.as_str()).map(str::to_owned);
        match &self.kind {
            Kind::Discord { .. } => Outcome::Delivered { handle: text("id") },
            Kind::SlackBot { .. } if answer.get("ok") == Some(&true.into()) => {
                Outcome::Delivered { handle: text("ts") }
            }
            Kind::SlackBot { .. } => {
                let why = format!("Slack says: {}", text("error").unwrap_or_else(|| "nothing".to_owned()));
                Outcome::Failed { why, wait: Some(MENDED_BY_PEOPLE) }
            }
            _ => Outcome::Delivered { handle: None },
        }
    }
}
