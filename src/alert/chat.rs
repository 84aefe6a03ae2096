//! Slack and Discord.

use super::message::Message;
use super::receiver::Call;
use super::{News, is_down};
use crate::report::escape;
use crate::secret::Secret;
use reqwest::{Method, Url};
use serde_json::{Value, json};

/// Discord's bar beside the text.
const RED: u32 = 0x00d5_5e00;
const BLUE: u32 = 0x0000_72b2;

/// For an incoming webhook, which can only send.
pub fn slack(url: Url, message: &Message) -> Call {
    Call::post(url, slack_body(message).to_string())
}

/// For a bot: a new message, or that of this timestamp anew.
pub fn slack_bot(api: &Url, token: &Secret, channel: &str, message: &Message, edits: Option<&str>) -> Option<Call> {
    let mut body = slack_body(message);
    body["channel"] = channel.into();
    if let Some(ts) = edits {
        body["ts"] = ts.into();
    }
    let url = api.join(if edits.is_some() { "chat.update" } else { "chat.postMessage" }).ok()?;
    Some(Call { bearer: Some(token.clone()), ..Call::post(url, body.to_string()) })
}

/// In plain text throughout, so that nothing is markup; `<`, `>` and `&` are commands to Slack even there.
fn slack_body(message: &Message) -> Value {
    json!({
        "text": slack_text(&message.title),
        "unfurl_links": false,
        "blocks": [
            {"type": "section", "text": {"type": "plain_text", "emoji": false, "text": message.title}},
            {"type": "section", "text": {"type": "plain_text", "emoji": false, "text": message.text()}},
        ],
    })
}

fn slack_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A new message, or that of this id anew.
pub fn discord(webhook: &Url, message: &Message, edits: Option<&str>) -> Call {
    let lines: Vec<String> = message.lines.iter().map(|line| escape::markdown(line)).collect();
    let colour = if is_down(&message.incident) && message.news != News::Retraction { RED } else { BLUE };
    let body = json!({
        "content": "",
        "allowed_mentions": {"parse": []},
        "embeds": [{
            "title": escape::markdown(&message.title),
            "description": lines.join("\n"),
            "url": message.link,
            "color": colour,
            "timestamp": message.at,
        }],
    });
    let mut url = webhook.clone();
    if let Some(id) = edits {
        url.set_path(&format!("{}/messages/{id}", webhook.path().trim_end_matches('/')));
        return Call { method: Method::PATCH, ..Call::post(url, body.to_string()) };
    }
    // So that the answer names the message.
    url.query_pairs_mut().append_pair("wait", "true");
    Call::post(url, body.to_string())
}
