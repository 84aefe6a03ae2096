//! Takes people and secrets out of what a server answered, and leaves its shape: names, ids and addresses become others
//! of the same form, the same ones everywhere in one recording; letters of texts become `x`. What is not known to be
//! harmless is taken for a name.

use super::utf16::decoded;
use chrono::{DateTime, NaiveDateTime};
use serde_json::Value;
use std::fmt::Write as _;

/// What stands where a secret stood.
const REMOVED: &str = "(removed)";
/// Fields that hold secrets, by a part of their name.
const SECRET: [&str; 7] = ["access_token", "refresh_token", "secret", "password", "api_key", "apikey", "email"];
/// Fields whose short values say what something is, not who.
const PLAIN: [&str; 36] = [
    "$type",
    "kind",
    "type",
    "operation",
    "collection",
    "event",
    "stream",
    "lang",
    "langs",
    "language",
    "visibility",
    "status",
    "state",
    "impact",
    "severity",
    "stage",
    "indicator",
    "format",
    "tag",
    "tags",
    "hashtag",
    "hashtag_feeds",
    "local",
    "remote",
    "token_type",
    "scope",
    "version",
    "removed_by_category",
    "media_type",
    "msg",
    "active",
    "aggregate_state",
    "report_type",
    "status_impact",
    "datasource",
    "entitytype",
];
/// Fields that hold a time as a number, sometimes within a string.
const TIMES: [&str; 4] = ["date", "timestamp", "time", "created_at_i"];
/// Parts of addresses that are the same for everyone.
const PATHS: [&str; 26] = [
    "users",
    "statuses",
    "status",
    "i",
    "profile",
    "post",
    "posts",
    "comments",
    "comment",
    "c",
    "u",
    "incidents",
    "r",
    "p",
    "tags",
    "tagged",
    "tag",
    "api",
    "v1",
    "v2",
    "v3",
    "ap",
    "convert",
    "app.bsky.feed.post",
    "app.bsky.actor.profile",
    "notes",
];
/// No plain value is longer.
const SHORT: usize = 40;

/// The scrubber of one recording.
pub struct Scrub {
    key: [u8; 32],
    /// The server that is recorded, whose name may stay.
    host: String,
}

impl Scrub {
    /// Without the key, nobody can look up a name by its hash.
    pub fn new(key: [u8; 32], host: &str) -> Scrub {
        Scrub { key, host: host.to_owned() }
    }

    /// A whole answer: JSON, a feed, or text.
    pub fn body(&self, body: &[u8]) -> Value {
        let body = &*decoded(body);
        match serde_json::from_slice(body) {
            Ok(json) => self.value("", json),
            Err(_) => Value::String(self.markup(&String::from_utf8_lossy(body))),
        }
    }

    /// A value of the field `name`.
    fn value(&self, name: &str, value: Value) -> Value {
        match value {
            Value::Object(fields) => {
                // Hashtags are what is listened for, and name nobody.
                let known_as = |field: &str| if name == "tags" && field == "name" { "tag" } else { field }.to_owned();
                fields
                    .into_iter()
                    .map(|(field, value)| (self.field(&field), self.value(&known_as(&field), value)))
                    .collect()
            }
            Value::Array(items) => items.into_iter().map(|item| self.value(name, item)).collect(),
            Value::String(text) => Value::String(self.string(name, &text)),
            Value::Number(number) if is_id(name) => {
                // A number of as many digits.
                self.token(&number.to_string()).parse::<u64>().map_or(Value::Null, Value::from)
            }
            other => other,
        }
    }

    /// The name of a field, which may be somebody's, where fields are named by ids.
    fn field(&self, name: &str) -> String {
        let plain = name.len() <= SHORT && name.chars().all(|sign| sign.is_ascii_alphabetic() || "_-$@".contains(sign));
        if plain { name.to_owned() } else { self.token(name) }
    }

    fn string(&self, name: &str, text: &str) -> String {
        let lower = name.to_ascii_lowercase();
        if SECRET.iter().any(|secret| lower.contains(secret)) {
            return REMOVED.to_owned();
        }
        let number = text.bytes().all(|byte| byte.is_ascii_digit());
        if text.is_empty() || is_time(text) || is_network(text) || number && TIMES.contains(&lower.as_str()) {
            return text.to_owned();
        }
        if text.starts_with('{') {
            // JSON within JSON, as Mastodon streams it.
            if let Ok(inner) = serde_json::from_str(text) {
                return self.value("", inner).to_string();
            }
        }
        let spaced = text.contains(char::is_whitespace) || text.contains('<');
        if PLAIN.contains(&lower.as_str()) && text.len() <= SHORT && !spaced {
            return text.to_owned();
        }
        if spaced || !text.is_ascii() { self.markup(text) } else { self.address(text) }
    }

    /// An address, an id or a name.
    pub fn address(&self, text: &str) -> String {
        if let Some((scheme, rest)) = text.split_once("://") {
            let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
            let mut parts = path.split('/');
            let mut address = format!("{scheme}://{}", self.authority(parts.next().unwrap_or_default()));
            for part in parts {
                let _ = write!(address, "/{}", if PATHS.contains(&part) { part.to_owned() } else { self.token(part) });
            }
            if let Some(query) = query {
                let _ = write!(address, "?{}", self.token(query));
            }
            return address;
        }
        match text.rsplit_once('@').filter(|(user, _)| !user.is_empty()) {
            Some((user, host)) => format!("{}@{}", self.token(user), self.authority(host)),
            None => self.token(text),
        }
    }

    fn authority(&self, host: &str) -> String {
        if host == self.host || host.starts_with("did:") {
            return if host == self.host { host.to_owned() } else { self.token(host) };
        }
        let hash: String =
            self.token(&host.to_ascii_lowercase()).chars().filter(char::is_ascii_alphanumeric).take(8).collect();
        format!("{hash}.example")
    }

    /// A text, perhaps with markup: the tags stay, of their attributes only the class and what tells a feed's form.
    fn markup(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        let mut within = "";
        while let Some((words, after)) = rest.split_once('<') {
            out.push_str(&self.words(within, words));
            let Some((tag, after)) = after.split_once('>') else {
                rest = after;
                out.push('<');
                break;
            };
            let name = tag.split(char::is_whitespace).next().unwrap_or_default();
            let class = tag.split_once("class=\"").and_then(|(_, class)| class.split_once('"'));
            let class = class.map_or(String::new(), |(class, _)| format!(" class=\"{class}\""));
            let kept = tag
                .split_whitespace()
                .skip(1)
                .filter(|it| is_form(it))
                .fold(String::new(), |kept, it| kept + " " + it.trim_end_matches('/'));
            let end = if tag.ends_with('/') && !name.ends_with('/') { "/" } else { "" };
            let _ = write!(out, "<{name}{class}{kept}{end}>");
            (within, rest) = (name, after);
        }
        out.push_str(&masked(rest));
        out
    }

    /// Words within an element. By what a feed calls an entry, it has to be told from the others.
    fn words(&self, element: &str, words: &str) -> String {
        match (element, words.trim()) {
            ("guid" | "id", id) if !id.is_empty() => words.replace(id, &self.address(id)),
            _ => masked(words),
        }
    }

    /// Another word of the same form: digits for digits, letters for letters. The method of a DID stays.
    fn token(&self, text: &str) -> String {
        let kept =
            text.strip_prefix("did:").and_then(|rest| rest.split_once(':')).map_or(0, |(method, _)| method.len() + 5);
        let (kept, rest) = text.split_at(kept);
        let mut stream = blake3::Hasher::new_keyed(&self.key).update(rest.as_bytes()).finalize_xof();
        let mut other = kept.to_owned();
        for (at, sign) in rest.chars().enumerate() {
            let mut byte = [0];
            stream.fill(&mut byte);
            other.push(match sign {
                // No number begins with 0, so that it has as many digits.
                '0'..='9' if at == 0 => char::from(b'1' + byte[0] % 9),
                '0'..='9' => char::from(b'0' + byte[0] % 10),
                sign if sign.is_uppercase() => char::from(b'A' + byte[0] % 26),
                sign if sign.is_alphanumeric() => char::from(b'a' + byte[0] % 26),
                sign => sign,
            });
        }
        other
    }
}

/// Whether an attribute says in which form a feed is written, as `version="2.0"` does.
fn is_form(attribute: &str) -> bool {
    let Some((name, value)) = attribute.trim_end_matches(['/', '?']).split_once('=') else { return false };
    let forms = ["version", "encoding", "rel", "type", "isPermaLink"];
    (forms.contains(&name) || name.starts_with("xmlns")) && value.len() > 1 && value.ends_with(['"', '\''])
}

/// A text without its words: letters and digits become `x` and `0` of as many bytes. Hashtags, entities and times stay.
fn masked(text: &str) -> String {
    if is_time(text.trim()) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(sign) = rest.chars().next() {
        let kept = match sign {
            '#' => {
                rest[1..].find(|sign: char| !sign.is_alphanumeric() && sign != '_').map_or(rest.len(), |end| end + 1)
            }
            '&' => rest.find(';').filter(|end| *end <= 8 && rest[1..*end].is_ascii()).map_or(1, |end| end + 1),
            _ => 0,
        };
        if kept > 0 {
            out.push_str(&rest[..kept]);
            rest = &rest[kept..];
            continue;
        }
        out.push(match (sign.is_alphabetic(), sign.len_utf8()) {
            (true, 1) if sign.is_uppercase() => 'X',
            (true, 1) => 'x',
            (true, 2) => 'é',
            (true, 3) => '字',
            (true, _) => '𝐱',
            (false, _) if sign.is_ascii_digit() => '0',
            (false, _) => sign,
        });
        rest = &rest[sign.len_utf8()..];
    }
    out
}

/// Whether it names a network by its number, which is nobody's.
fn is_network(text: &str) -> bool {
    text.strip_prefix("asn/").is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_id(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "id" || name.ends_with("_id") || name == "uid" || name == "children"
}

fn is_time(text: &str) -> bool {
    DateTime::parse_from_rfc3339(text).is_ok()
        || DateTime::parse_from_rfc2822(text).is_ok()
        || DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%z").is_ok()
        || text.parse::<NaiveDateTime>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn scrub() -> Scrub {
        Scrub::new([7; 32], "social.example.org")
    }

    #[test]
    fn people_go_and_the_shape_stays() {
        let answer = json!([{"id": "117440841601474392", "created_at": "2026-10-14T18:10:29.123Z", "visibility": "public",
            "uri": "https://social.example.org/users/ann/statuses/117440841601474392", "language": "en",
            "content": "<p>Hello Ann! <a href=\"https://x.org/@ann\" class=\"mention hashtag\">#<span>tiktokdown</span></a> &amp; é</p>",
            "account": {"acct": "ann@home.example.net", "display_name": "Ann Smith", "bot": false, "id": 4_711_815,
                "note": "Lives in Leeds", "email": "ann@home.example.net"},
            "tags": [{"name": "tiktokdown"}], "token": {"access_token": "s3cr3t"}, "children": [4_711_815]}]);
        let scrubbed = scrub().body(answer.to_string().as_bytes());
        let text = scrubbed.to_string().to_lowercase();
        for name in ["ann", "smith", "leeds", "117440841601474392", "s3cr3t", "home", "4711815"] {
            assert!(!text.contains(name), "{name} is left in {text}");
        }
        let status = &scrubbed[0];
        let id = status["id"].as_str().unwrap();
        assert!(id.len() == 18 && id.bytes().all(|byte| byte.is_ascii_digit()));
        let uri = status["uri"].as_str().unwrap();
        assert!(
            uri.starts_with("https://social.example.org/users/") && uri.ends_with(&format!("/statuses/{id}")),
            "{uri}"
        );
        assert_eq!((&status["created_at"], &status["language"]), (&answer[0]["created_at"], &answer[0]["language"]));
        assert_eq!(
            status["content"],
            "<p>Xxxxx Xxx! <a class=\"mention hashtag\">#<span>xxxxxxxxxx</span></a> &amp; é</p>"
        );
        assert!(status["account"]["acct"].as_str().unwrap().ends_with(".example"));
        assert_eq!(status["token"]["access_token"], REMOVED);
        assert_eq!(status["tags"], answer[0]["tags"]);
        assert!(status["account"]["id"].as_u64().unwrap() > 999_999);
    }

    #[test]
    fn the_same_name_is_the_same_everywhere_in_a_recording_and_another_in_the_next() {
        let did = "did:plc:gkv7p3ufpz2iugf7qgrlremq";
        let (one, other) = (scrub(), Scrub::new([8; 32], ""));
        let hashed = one.address(did);
        assert!(hashed.starts_with("did:plc:") && hashed.len() == did.len() && hashed != did);
        let uri = one.address(&format!("at://{did}/app.bsky.feed.post/3k"));
        assert!(uri.starts_with(&format!("at://{hashed}/app.bsky.feed.post/")), "{uri}");
        assert_ne!(other.address(did), hashed);
    }

    #[test]
    fn feeds_keep_their_elements_and_times() {
        let feed = "<?xml version=\"1.0\"?><rss><item><title>Login fails</title><pubDate>Wed, 14 Oct 2026 18:10:29 GMT</pubDate></item></rss>";
        let scrubbed = scrub().body(feed.as_bytes());
        let wanted = "<?xml version=\"1.0\"?><rss><item><title>Xxxxx xxxxx</title><pubDate>Wed, 14 Oct 2026 18:10:29 GMT</pubDate></item></rss>";
        assert_eq!(scrubbed, wanted);
    }

    proptest! {
        #[test]
        fn texts_keep_their_length_and_lose_their_words(text in "[a-zA-Z0-9éß字#&;. ]{0,60}") {
            prop_assert_eq!(masked(&text).len(), text.len());
        }

        #[test]
        fn any_answer_can_be_scrubbed(body in prop::collection::vec(any::<u8>(), 0..200), json in "[{}\":,a-z<>#&; é]{0,80}") {
            scrub().body(&body);
            scrub().body(json.as_bytes());
        }
    }
}
