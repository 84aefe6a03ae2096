//! Mastodon's pages, recorded and odd, and how they are asked for.

use crate::{build, config, page, tags, time};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use whatsdown::post::{Event, Post};
use whatsdown::source::{Config, ConfigError, Cursor, Found, Page, Reply, Source, SourceError};

const TAG: &str = include_str!("../../fixtures/sources/mastodon/tag.json");
const INSTANCE: &str = include_str!("../../fixtures/sources/mastodon/instance.json");
const NAME: &str = "mastodon:social.example";

fn only_mastodon() -> Config {
    let mut config = config();
    config.bluesky.enabled = false;
    config.mastodon.instances = tags(&["social.example"]);
    config
}

fn source(names: &[&str], cursor: Option<Cursor>, now: DateTime<Utc>) -> Box<dyn Source> {
    build(&only_mastodon(), &tags(names), NAME, cursor, now)
}

/// Asks for the next page, and gives it.
fn turn(source: &mut dyn Source, now: DateTime<Utc>, answer: &Page) -> Result<(String, Found), SourceError> {
    let url = source.next(now).url.to_string();
    let mut found = Found::default();
    source.read(Reply::Page(answer), now, &mut found).map(|()| (url, found))
}

/// A source that has read the instance's rules.
fn started(names: &[&str], now: DateTime<Utc>) -> Box<dyn Source> {
    let mut source = source(names, None, now);
    let (url, _) = turn(&mut *source, now, &page(200, INSTANCE, now)).unwrap();
    assert_eq!(url, "https://social.example/api/v2/instance");
    source
}

fn status(id: i64, written: DateTime<Utc>) -> Value {
    json!({"id": id.to_string(), "created_at": written, "uri": format!("https://social.example/{id}"),
        "content": "<p>synthetic</p>", "visibility": "public", "account": {"acct": "a"}})
}

fn posts(found: &Found) -> Vec<&Post> {
    found.events.iter().filter_map(|event| if let Event::Post(post) = event { Some(post) } else { None }).collect()
}

#[test]
fn a_recorded_page_becomes_posts() {
    let now = time("2026-10-14T19:11:00Z");
    let mut source = started(&["TikTokDown", "#tiktok"], now);
    let (url, found) = turn(&mut *source, now, &page(200, TAG, now)).unwrap();
    assert_eq!(url, "https://social.example/api/v1/timelines/tag/tiktok?any%5B%5D=tiktokdown&limit=40");
    let [one, two, bot] = posts(&found)[..] else { panic!("{:?}", found.events) };
    assert_eq!(one.text, "Synthetic: is TikTok down? #tiktokdown I can't log in & the feed is empty\nanyone else?");
    assert_eq!(one.id, "https://social.example/users/synthetic_one/statuses/117440841601474392");
    assert_eq!((one.author.as_str(), one.location.as_deref()), ("synthetic_one@social.example", Some("Leeds, UK")));
    assert_eq!((one.bot, one.noindex, one.lang.as_deref()), (false, false, Some("en")));
    assert_eq!(
        (two.author.as_str(), two.location.as_deref()),
        ("synthetic_two@other.example", Some("Bogotá, Colombia"))
    );
    assert_eq!((two.bot, two.noindex), (false, true));
    assert_eq!((bot.bot, bot.noindex, bot.url.as_deref(), bot.lang.as_deref()), (true, true, None, None));
    assert_eq!(bot.text, "TikTok\nSynthetic: status page of TikTok changed #tiktokdown");
    // Read up, not as it came: it arrived when it was written.
    assert!(posts(&found).iter().all(|post| post.source == "mastodon" && post.observed_at.is_none()));
}

#[test]
fn one_odd_post_does_not_cost_the_page() {
    let now = time("2026-10-14T19:11:00Z");
    let mut source = started(&["tiktokdown"], now);
    let mut items: Vec<Value> = serde_json::from_str(TAG).unwrap();
    items.insert(1, json!({"id": 7, "content": null}));
    items.insert(0, json!("rubbish"));
    let mut hidden = status(117_440_841_601_474_999, now);
    hidden["visibility"] = json!("private");
    items.push(hidden);
    let (_, found) = turn(&mut *source, now, &page(200, &json!(items).to_string(), now)).unwrap();
    assert_eq!((posts(&found).len(), found.seen, found.odd), (3, 6, 2));
}

#[test]
fn a_page_that_is_none_moves_nothing() {
    let now = time("2026-10-14T19:11:00Z");
    let mut source = started(&["tiktokdown"], now);
    let before = source.cursor();
    for (code, body) in [(200, "{\"error\":"), (200, "{}"), (200, ""), (400, "[]"), (304, "")] {
        let error = turn(&mut *source, now, &page(code, body, now)).unwrap_err();
        assert!(matches!(error, SourceError::Malformed { .. }), "{error}");
        assert_eq!(source.cursor(), before);
    }
}

#[test]
fn the_rules_of_an_instance_are_kept() {
    let now = time("2026-10-14T19:11:00Z");
    let rules = |local: &str, remote: &str| {
        let mut rules: Value = serde_json::from_str(INSTANCE).unwrap();
        rules["configuration"]["timelines_access"]["hashtag_feeds"] = json!({"local": local, "remote": remote});
        page(200, &rules.to_string(), now)
    };
    for (local, remote) in [("authenticated", "authenticated"), ("disabled", "public")] {
        let error = turn(&mut *source(&["x"], None, now), now, &rules(local, remote)).unwrap_err();
        assert!(matches!(error, SourceError::Refused { .. }), "{error}");
    }
    // Older servers do not say, or do not know the question.
    for answer in [page(404, "not found", now), page(200, "{\"domain\":\"social.example\"}", now)] {
        let mut source = source(&["x"], None, now);
        turn(&mut *source, now, &answer).unwrap();
        assert!(!source.next(now).url.as_str().contains("local"));
    }
    let mut local_only = source(&["x"], None, now);
    turn(&mut *local_only, now, &rules("public", "authenticated")).unwrap();
    assert!(local_only.next(now).url.as_str().ends_with("local=true"));
}

#[test]
fn an_unknown_hashtag_is_empty_and_does_not_hide_the_others() {
    let now = time("2026-10-14T19:11:00Z");
    let mut source = started(&["aa", "bb", "cc"], now);
    let mut first = Vec::new();
    let mut at = now;
    for answer in [page(404, "{}", now), page(200, "[]", now), page(200, &json!([status(9, now)]).to_string(), now)] {
        at = source.next(at).at;
        let (url, _) = turn(&mut *source, at, &answer).unwrap();
        assert!(!url.contains("_id="), "nothing is known of the timeline yet: {url}");
        first.push(url.split_once("tag/").unwrap().1[..2].to_owned());
    }
    assert_eq!(first, ["aa", "bb", "cc"]);
    // A hashtag that brings posts stays the first, also after a restart.
    turn(&mut *source, at, &page(200, "[]", at)).unwrap();
    let mut again = self::source(&["aa", "bb", "cc"], source.cursor(), at);
    turn(&mut *again, at, &page(200, INSTANCE, at)).unwrap();
    for source in &mut [source, again] {
        let url = source.next(at).url;
        assert!(url.path().ends_with("/cc") && url.as_str().contains("min_id=9"), "{url}");
    }
}

#[test]
fn a_backfill_that_ends_at_its_cap_is_a_gap() {
    let now = time("2026-10-14T19:00:00Z");
    let mut config = only_mastodon();
    config.mastodon.backfill_pages = 3;
    let mut source = build(&config, &tags(&["busy"]), NAME, None, now);
    turn(&mut *source, now, &page(200, INSTANCE, now)).unwrap();
    let mut gaps = Vec::new();
    for number in 0..3 {
        let ids = (0..40).map(|back| 100_000 - number * 40 - back);
        let body: Vec<Value> = ids.map(|id| status(id, now - TimeDelta::seconds(100_000 - id))).collect();
        let (url, found) = turn(&mut *source, now, &page(200, &json!(body).to_string(), now)).unwrap();
        assert_eq!(url.contains("max_id"), number > 0);
        gaps.extend(found.events.into_iter().filter(|event| matches!(event, Event::Gap(_))));
    }
    let [Event::Gap(gap)] = &gaps[..] else { panic!("{gaps:?}") };
    assert_eq!((gap.from, gap.until), (now - TimeDelta::hours(24), now - TimeDelta::seconds(119)));
    assert_eq!(gap.source, NAME);
    assert!(source.next(now).url.as_str().contains("min_id=100000&"));
}

#[test]
fn a_backfill_goes_on_after_a_restart() {
    let now = time("2026-10-14T19:00:00Z");
    let later = now + TimeDelta::minutes(3);
    let whole = |from: i64| json!((from..from + 40).map(|id| status(id, now)).collect::<Vec<_>>()).to_string();
    let mut first = started(&["tiktok", "tiktokdown"], now);
    // The instance does not know the first of them yet.
    turn(&mut *first, now, &page(200, "[]", now)).unwrap();
    turn(&mut *first, now, &page(200, &whole(900), now)).unwrap();
    turn(&mut *first, now, &page(200, &whole(800), now)).unwrap();

    let mut second = source(&["tiktok", "tiktokdown"], first.cursor(), later);
    turn(&mut *second, later, &page(200, INSTANCE, later)).unwrap();
    let (url, _) = turn(&mut *second, later, &page(200, "[]", later)).unwrap();
    assert_eq!(url, "https://social.example/api/v1/timelines/tag/tiktokdown?any%5B%5D=tiktok&max_id=800&limit=40");
    // What was written in between is above the first page's newest.
    let (url, found) = turn(&mut *second, later, &page(200, &json!([status(941, later)]).to_string(), later)).unwrap();
    assert_eq!(url, "https://social.example/api/v1/timelines/tag/tiktokdown?any%5B%5D=tiktok&min_id=939&limit=40");
    assert_eq!((posts(&found).len(), found.caught_up), (1, true));

    // Other hashtags hang together now, or the beginning is older than what is wanted: all is read anew.
    for (names, now) in [(&["tiktok"][..], later), (&["tiktok", "tiktokdown"], now + TimeDelta::days(9))] {
        let mut other = source(names, first.cursor(), now);
        turn(&mut *other, now, &page(200, INSTANCE, now)).unwrap();
        assert!(!other.next(now).url.as_str().contains("_id"));
    }
}

#[test]
fn an_endless_backfill_ends() {
    // The server gives the same page for ever.
    let now = time("2026-10-14T19:00:00Z");
    let mut source = started(&["loop"], now);
    let body = json!([status(5, now - TimeDelta::minutes(1))]).to_string();
    turn(&mut *source, now, &page(200, &body, now)).unwrap();
    turn(&mut *source, now, &page(200, &body, now)).unwrap();
    assert!(source.next(now).url.as_str().contains("min_id=5&"));
}

#[test]
fn a_long_absence_is_a_gap_and_a_new_hashtag_is_read_back() {
    let start = time("2026-10-14T19:00:00Z");
    let mut source_then = started(&["aa"], start);
    turn(&mut *source_then, start, &page(200, "[]", start)).unwrap();
    let cursor = source_then.cursor().unwrap();

    let soon = start + TimeDelta::hours(2);
    let mut again = source(&["aa"], Some(cursor.clone()), soon);
    turn(&mut *again, soon, &page(200, INSTANCE, soon)).unwrap();
    let (url, found) = turn(&mut *again, soon, &page(200, "[]", soon)).unwrap();
    assert!(url.contains("min_id=0"), "{url}");
    assert_eq!((found.events.len(), found.heard), (0, Some((start, soon))));

    let mut wider = source(&["aa", "cc"], Some(cursor.clone()), soon);
    turn(&mut *wider, soon, &page(200, INSTANCE, soon)).unwrap();
    let (_, found) = turn(&mut *wider, soon, &page(200, "[]", soon)).unwrap();
    assert_eq!(found.heard, None);
    let (url, found) = turn(&mut *wider, soon, &page(200, "[]", soon)).unwrap();
    assert!(!url.contains("_id="), "{url}");
    assert_eq!(found.heard, Some((start, soon)));

    let late = start + TimeDelta::days(3);
    let mut after = source(&["aa"], Some(cursor), late);
    turn(&mut *after, late, &page(200, INSTANCE, late)).unwrap();
    let (url, found) = turn(&mut *after, late, &page(200, "[]", late)).unwrap();
    assert!(!url.contains("_id="), "{url}");
    let [Event::Gap(gap)] = &found.events[..] else { panic!("{:?}", found.events) };
    let oldest = late - TimeDelta::hours(24);
    assert_eq!((gap.from, gap.until, found.heard), (start, oldest, Some((oldest, late))));
}

#[test]
fn mistakes_in_the_configuration_are_told() {
    let mut config = only_mastodon();
    let build = |config: &Config, cursor: &str| {
        let cursors = [(NAME.to_owned(), Cursor(cursor.to_owned()))].into();
        crate::made(config, &tags(&["x"]), &cursors, Utc::now()).err()
    };
    assert!(matches!(build(&config, "{\"groups\":"), Some(ConfigError::BadCursor { .. })));
    for instance in ["", "ftp://social.example", "https://", "a b"] {
        config.mastodon.instances = tags(&[instance]);
        assert!(matches!(build(&config, ""), Some(ConfigError::NotAServer { .. })), "{instance}");
    }
    config.mastodon.instances.clear();
    assert!(matches!(build(&config, ""), Some(ConfigError::NoServer { .. })));
    config.mastodon.instances = tags(&["social.example"]);
    let none = crate::made(&config, &[], &[].into(), Utc::now()).err();
    assert!(matches!(none, Some(ConfigError::NoHashtags)));
}

#[test]
fn a_post_that_was_bridged_from_bluesky_is_that_post() {
    let now = time("2026-10-14T19:11:00Z");
    let mut bridged = status(7, now);
    bridged["uri"] = json!("https://bsky.brid.gy/convert/ap/at://did:plc:x/app.bsky.feed.post/r");
    bridged["account"]["acct"] = json!("ann.bsky.social@bsky.brid.gy");
    let post = |bluesky: bool| {
        let mut config = only_mastodon();
        config.bluesky.enabled = bluesky;
        let cursors = std::collections::BTreeMap::new();
        let mut source = crate::made(&config, &tags(&["a"]), &cursors, now).unwrap().pop().unwrap();
        turn(&mut *source, now, &page(200, INSTANCE, now)).unwrap();
        let (_, found) = turn(&mut *source, now, &page(200, &json!([bridged]).to_string(), now)).unwrap();
        posts(&found)[0].clone()
    };
    let read = post(true);
    assert_eq!((read.source.as_str(), read.id.as_str()), ("bluesky", "at://did:plc:x/app.bsky.feed.post/r"));
    assert_eq!(read.author, "did:plc:x");
    assert_eq!((read.copied_as.unwrap().source.as_str(), post(false).source.as_str()), ("mastodon", "mastodon"));
}
