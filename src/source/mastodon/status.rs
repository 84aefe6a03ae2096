//! A post as Mastodon's API writes it. <https://docs.joinmastodon.org/entities/Status/>

use super::NETWORK;
use super::group::Id;
use crate::post::Post;
use crate::source::{bridge, html, with_hashtags};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

/// The longest location that is taken over, in characters.
const LOCATION_LIMIT: usize = 100;

/// What people call the field of their profile that says where they are.
const LOCATION_FIELDS: &[&str] = &[
    "location",
    "based in",
    "city",
    "country",
    "home",
    "lives in",
    "where", // English
    "localidad",
    "lugar",
    "ubicación",
    "ubicacion",
    "ciudad", // Spanish
    "localização",
    "localizacao",
    "local",
    "cidade", // Portuguese
    "ort",
    "standort",
    "wohnort",
    "stadt", // German
    "lieu",
    "localisation",
    "ville",
    "où", // French
    "luogo",
    "località",
    "città",
    "dove", // Italian
    "plaats",
    "locatie",
    "woonplaats", // Dutch
    "plats",
    "sted",
    "sijainti",
    "lokalizacja",
    "miasto",
    "konum",
    "şehir", // Swedish, Norwegian, Finnish, Polish, Turkish
    "место",
    "город",
    "場所",
    "所在地",
    "居住地",
    "位置",
    "地点",
    "위치",
    "지역",
    "lokasi", // Russian, Japanese, Chinese, Korean, Indonesian
    "📍",
];

/// A status. Only what we cannot do without is required; the rest may be missing or odd.
#[derive(Deserialize)]
pub struct Status {
    pub id: Id,
    pub created_at: DateTime<Utc>,
    uri: String,
    content: String,
    account: Account,
    #[serde(default)]
    edited_at: Value,
    #[serde(default)]
    visibility: Value,
    #[serde(default)]
    url: Value,
    #[serde(default)]
    language: Value,
    #[serde(default)]
    spoiler_text: Value,
    #[serde(default)]
    tags: Value,
    #[serde(default)]
    reblog: Value,
}

#[derive(Deserialize)]
struct Account {
    acct: String,
    #[serde(default)]
    bot: Value,
    #[serde(default)]
    indexable: Value,
    #[serde(default)]
    noindex: Value,
    #[serde(default)]
    note: Value,
    #[serde(default)]
    fields: Value,
}

impl Status {
    /// The post, or nothing if it is not a public one. `domain` is that of the instance's own accounts.
    /// `bridged` makes copies of Bluesky's posts the posts that they are copies of.
    pub fn post(self, domain: &str, observed_at: Option<DateTime<Utc>>, bridged: bool) -> Option<Post> {
        if !matches!(self.visibility.as_str(), Some("public" | "unlisted")) || self.uri.is_empty() {
            return None;
        }
        let content = self.reblog["content"].as_str().unwrap_or(&self.content);
        let warning = self.spoiler_text.as_str().unwrap_or_default().trim();
        let text = [warning, &html::to_text(content)].join("\n").trim().to_owned();
        let tags = self.tags.as_array().map(Vec::as_slice).unwrap_or_default();
        let account = self.account;
        let original = bridge::bluesky_original(&self.uri).filter(|_| bridged);
        let mut post = Post {
            source: NETWORK.to_owned(),
            edited: self.edited_at.is_string(),
            id: self.uri,
            created_at: self.created_at,
            observed_at,
            location: account.location(),
            bot: account.bot == true,
            noindex: account.noindex == true || account.indexable == false,
            author: if account.acct.contains('@') { account.acct } else { format!("{}@{domain}", account.acct) },
            text: with_hashtags(text, tags.iter().filter_map(|tag| tag["name"].as_str())),
            lang: self.language.as_str().map(str::to_owned),
            url: self.url.as_str().map(str::to_owned),
            repost_of: self.reblog["uri"].as_str().map(str::to_owned),
            // What it replies to is told by the instance's own id, which means nothing elsewhere.
            ..Post::default()
        };
        if let Some((key, author)) = original {
            bridge::restore(&mut post, key);
            post.author = author;
        }
        Some(post)
    }
}

impl Account {
    /// Where the author says to be: in a field of that name, or behind a pin in the words about themselves.
    fn location(&self) -> Option<String> {
        let fields = self.fields.as_array().map(Vec::as_slice).unwrap_or_default();
        let in_field = fields.iter().find_map(|field| {
            let name = html::to_text(field["name"].as_str()?).to_lowercase();
            let name = name.trim_matches(|c: char| c == ':' || c.is_whitespace());
            LOCATION_FIELDS.contains(&name).then(|| html::to_text(field["value"].as_str().unwrap_or_default()))
        });
        let location = in_field.filter(|value| !value.is_empty()).or_else(|| {
            let note = html::to_text(self.note.as_str()?);
            let (_, after) = note.split_once('📍')?;
            after.lines().next().map(|line| line.trim_matches(|c: char| c == ':' || c.is_whitespace()).to_owned())
        });
        location.filter(|place| !place.is_empty()).map(|place| place.chars().take(LOCATION_LIMIT).collect())
    }
}
