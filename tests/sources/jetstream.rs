//! Jetstream's frames, recorded and odd.

use crate::servers::{dictionary, two};
use crate::{bluesky, build, config, page, time};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};
use whatsdown::post::{Event, Post};
use whatsdown::source::{Found, Reply, RequestKind, Source};

const FRAMES: &str = include_str!("../../fixtures/sources/jetstream/frames.jsonl");
const FRAMES_2: &str = include_str!("../../fixtures/sources/jetstream/frames-v2.jsonl");

fn read(source: &mut dyn Source, frame: &str, now: DateTime<Utc>) -> Found {
    let mut found = Found::default();
    source.read(Reply::Frame(frame), now, &mut found).unwrap();
    found
}

/// A frame of an account, as comes all the time.
fn heartbeat(at: DateTime<Utc>) -> String {
    json!({"did": "did:plc:x", "time_us": at.timestamp_micros(), "kind": "identity", "identity": {}}).to_string()
}

/// Asks a server of version 1 which version it speaks.
fn probe(source: &mut dyn Source, now: DateTime<Utc>) {
    let request = source.next(now);
    assert_eq!((request.kind, request.url.scheme()), (RequestKind::Page, "https"));
    assert_eq!(request.url.path(), "/xrpc/network.bsky.jetstream.getZstdDictionary");
    source.read(Reply::Page(&page(404, "{}", now)), now, &mut Found::default()).unwrap();
}

fn cursor_of(source: &mut dyn Source, now: DateTime<Utc>) -> DateTime<Utc> {
    probe(source, now);
    let request = source.next(now);
    assert!(matches!(request.kind, RequestKind::Stream { .. }));
    let (_, cursor) = request.url.query_pairs().find(|(name, _)| name == "cursor").unwrap();
    DateTime::from_timestamp_micros(cursor.parse().unwrap()).unwrap()
}

#[test]
fn recorded_frames_become_posts() {
    let mut source = bluesky(None);
    let now = time("2026-07-04T14:38:09Z");
    let mut found = Found::default();
    for frame in FRAMES.lines() {
        source.read(Reply::Frame(frame), now, &mut found).unwrap();
    }
    assert_eq!((found.seen, found.odd, found.events.len()), (6, 0, 7));
    assert!(found.caught_up);
    let first = DateTime::from_timestamp_micros(1_783_175_888_085_434).unwrap();
    let last = DateTime::from_timestamp_micros(1_783_175_888_390_226).unwrap();
    assert_eq!(found.heard, Some((first, last)));
    assert_eq!(source.cursor().unwrap().0, "1783175888390226");

    let posts: Vec<&Post> =
        found.events.iter().filter_map(|event| if let Event::Post(post) = event { Some(post) } else { None }).collect();
    let (reply, tagged, zoned) = (posts[1], posts[3], posts[4]);
    assert!(reply.reply_to.as_deref().unwrap().starts_with("at://did:plc:"));
    assert_eq!(tagged.text, "Synthetic: is #tiktokdown for you as well?");
    assert_eq!(tagged.lang.as_deref(), Some("de"));
    assert_eq!(tagged.id, "at://did:plc:gkv7p3ufpz2iugf7qgrlremq/app.bsky.feed.post/3mrknpq6gvr2n");
    let url = "https://bsky.app/profile/did:plc:gkv7p3ufpz2iugf7qgrlremq/post/3mrknpq6gvr2n";
    assert_eq!(tagged.url.as_deref(), Some(url));
    assert_eq!(tagged.created_at, time("2026-07-04T14:38:07.323Z"));
    assert_eq!(tagged.observed_at, DateTime::from_timestamp_micros(1_783_175_888_172_335));
    assert_eq!((zoned.lang.as_deref(), zoned.created_at), (Some("en-US"), time("2026-07-04T14:38:02Z")));
    let Event::Deleted(key) = &found.events[6] else { panic!("{:?}", found.events[6]) };
    assert_eq!(key.id, "at://did:plc:ndijhca5ib34j44cz6v2axrp/app.bsky.feed.post/3mb7onpm3p6oh");
}

#[test]
fn hashtags_beside_the_text_are_read_and_updates_keep_the_id() {
    let now = time("2026-07-04T14:38:09Z");
    let record = json!({"text": "nothing loads", "createdAt": "no time", "tags": ["TikTokDown", 7],
        "facets": [null, {"features": [{"$type": "app.bsky.richtext.facet#tag", "tag": "tiktok"}, {"tag": "other"}]}]});
    let frame = json!({"did": "did:plc:x", "time_us": now.timestamp_micros(), "kind": "commit", "commit":
        {"operation": "update", "collection": "app.bsky.feed.post", "rkey": "r", "record": record}});
    let found = read(&mut *bluesky(None), &frame.to_string(), now);
    let Event::Post(post) = &found.events[0] else { panic!() };
    assert_eq!(post.text, "nothing loads #tiktok #TikTokDown");
    assert_eq!((post.id.as_str(), post.created_at), ("at://did:plc:x/app.bsky.feed.post/r", now));
}

#[test]
fn an_odd_frame_costs_only_itself() {
    let now = time("2026-07-04T14:38:09Z");
    let micros = now.timestamp_micros();
    let mut source = bluesky(Some(&micros.to_string()));
    for frame in [
        "",
        "{",
        "[]",
        "null",
        "\"x\"",
        "{\"time_us\":1}",
        "\u{0}",
        &format!("{{\"did\":3,\"time_us\":{micros},\"kind\":\"commit\"}}"),
    ] {
        let mut found = Found::default();
        assert!(source.read(Reply::Frame(frame), now, &mut found).is_err(), "{frame}");
        assert!(found.events.is_empty());
    }
    for record in [json!(null), json!({}), json!({"text": 7}), json!([])] {
        let frame = json!({"did": "d", "time_us": micros, "kind": "commit",
            "commit": {"operation": "create", "collection": "app.bsky.feed.post", "rkey": "r", "record": record}});
        assert_eq!(read(&mut *source, &frame.to_string(), now).odd, 1);
    }
    assert_eq!(source.cursor().unwrap().0, micros.to_string());
}

#[test]
fn a_source_that_has_read_nothing_has_no_cursor() {
    let mut source = bluesky(None);
    let _ = source.read(Reply::Frame("rubbish"), Utc::now(), &mut Found::default());
    assert_eq!(source.cursor(), None);
}

#[test]
fn a_time_that_cannot_be_does_not_move_the_cursor() {
    let now = time("2026-07-04T14:38:09Z");
    let mut source = bluesky(Some(&now.timestamp_micros().to_string()));
    for at in [i64::MAX, i64::MIN, 0, -8_334_601_228_800_000_000, (now + TimeDelta::days(400)).timestamp_micros()] {
        let frame = json!({"did": "d", "time_us": at, "kind": "identity"}).to_string();
        let _ = source.read(Reply::Frame(&frame), now, &mut Found::default());
        assert_eq!(source.cursor().unwrap().0, now.timestamp_micros().to_string());
    }
}

#[test]
fn the_first_start_reads_back_and_a_restart_rewinds_a_little() {
    let now = time("2026-07-04T14:00:00Z");
    let backfill = TimeDelta::hours(config().bluesky.backfill_hours.into());
    assert_eq!(cursor_of(&mut *bluesky(None), now), now - backfill);
    let stored = now - TimeDelta::hours(3);
    let mut source = bluesky(Some(&stored.timestamp_micros().to_string()));
    assert_eq!(cursor_of(&mut *source, now), stored - TimeDelta::seconds(5));
    // What is read again moves nothing back.
    let found = read(&mut *source, &heartbeat(stored - TimeDelta::seconds(4)), now);
    assert_eq!((found.events.len(), source.cursor().unwrap().0), (0, stored.timestamp_micros().to_string()));
    assert!(!found.caught_up);
}

#[test]
fn a_cursor_that_the_server_moved_is_a_gap() {
    let now = time("2026-07-04T14:00:00Z");
    let stored = now - TimeDelta::hours(50);
    let mut source = bluesky(Some(&stored.timestamp_micros().to_string()));
    let kept = now - TimeDelta::hours(36);
    let found = read(&mut *source, &heartbeat(kept), now);
    let [Event::Gap(gap)] = &found.events[..] else { panic!("{:?}", found.events) };
    assert_eq!((gap.source.as_str(), gap.from, gap.until), ("bluesky", stored, kept));
    assert_eq!(found.heard, Some((stored, kept)));
}

#[test]
fn a_failing_server_gives_way_to_the_next() {
    let now = time("2026-07-04T14:00:00Z");
    let mut source = bluesky(None);
    let mut hosts = Vec::new();
    for _ in 0..5 {
        // A server that does not tell its version, or whose stream brings nothing, is asked again at its next turn.
        hosts.push(source.next(now).url.host_str().unwrap().to_owned());
        source.failed(now);
    }
    assert_eq!(hosts[0], hosts[4]);
    hosts.truncate(4);
    hosts.dedup();
    assert_eq!(hosts.len(), 4);
}

#[test]
fn the_frames_of_version_2_say_the_same() {
    let now = time("2026-07-04T14:38:09Z");
    let mut first = Found::default();
    let mut second = Found::default();
    let (mut one, mut other) = (bluesky(None), bluesky(None));
    for (number, frame) in FRAMES.lines().enumerate() {
        one.read(Reply::Frame(frame), now, &mut first).unwrap();
        other.read(Reply::Frame(&two(number as i64, frame)), now, &mut second).unwrap();
    }
    assert_eq!((first.events, first.heard, first.seen), (second.events, second.heard, second.seen));
    assert_eq!(one.cursor(), other.cursor());
}

#[test]
fn the_documented_frames_of_version_2_are_read() {
    let now = time("2026-08-20T12:00:10Z");
    let mut source = bluesky(Some("1787227190000000"));
    let mut found = Found::default();
    for frame in FRAMES_2.lines() {
        source.read(Reply::Frame(frame), now, &mut found).unwrap();
    }
    let [Event::Post(post), Event::Post(edited), Event::Deleted(deleted), Event::Left(left)] = &found.events[..] else {
        panic!("{:?}", found.events);
    };
    assert_eq!((post.text.as_str(), post.edited), ("Synthetic: is it down? #tiktokdown", false));
    assert_eq!((edited.id.as_str(), edited.edited), (post.id.as_str(), true));
    assert_eq!((deleted.id.as_str(), left.author.as_str()), (post.id.as_str(), "did:plc:synthetic2"));
    assert_eq!((found.seen, found.odd, found.caught_up), (2, 0, true));
    // When the server saw it counts, not the time that an operator may have changed.
    assert_eq!(post.observed_at, Some(time("2026-08-20T12:00:00.123456Z")));
    let error = r#"{"$type":"error","error":"ConsumerTooSlow","message":"reconnect with cursor=42"}"#;
    let error = source.read(Reply::Frame(error), now, &mut found).unwrap_err().to_string();
    assert!(error.contains("closed the stream: ConsumerTooSlow: reconnect"), "{error}");
    for odd in ["{\"$type\":\"message\"}", "{\"$type\":\"message\",\"payload\":[]}"] {
        assert!(source.read(Reply::Frame(odd), now, &mut found).is_err(), "{odd}");
    }
}

#[test]
fn a_cursor_that_version_2_calls_outdated_is_a_gap_however_short() {
    let now = time("2026-07-04T14:00:30Z");
    let stored = time("2026-07-04T14:00:00Z");
    let notice = |name: &str| json!({"$type": "message", "payload": {"$type": "network.bsky.jetstream.subscribeEvents#info", "name": name}});
    for (name, gaps) in [("OutdatedCursor", 1), ("FutureCursor", 0), ("Other", 0)] {
        let mut source = bluesky(Some(&stored.timestamp_micros().to_string()));
        assert_eq!(read(&mut *source, &notice(name).to_string(), now).events.len(), 0);
        let found = read(&mut *source, &two(1, &heartbeat(now)), now);
        assert_eq!((found.events.len(), found.heard), (gaps, Some((stored, now))), "{name}");
    }
}

#[test]
fn the_version_is_what_the_server_speaks() {
    let now = time("2026-07-04T14:00:00Z");
    let mut source = bluesky(None);
    let known = dictionary(77);
    source.next(now);
    let answer = whatsdown::source::Page { asked_at: now, status: 200.try_into().unwrap(), body: known.clone() };
    source.read(Reply::Page(&answer), now, &mut Found::default()).unwrap();
    let url = source.next(now).url;
    assert!(url.path().ends_with("subscribeEvents") && url.query().unwrap().contains("zstdDictionary=77"), "{url}");
    let frame = two(1, &heartbeat(now));
    let packed = zstd::bulk::Compressor::with_dictionary(3, &known).unwrap().compress(frame.as_bytes()).unwrap();
    assert_eq!(source.unpack(&packed), Some(frame));
    // Bytes that are no frame, and one that would be larger than a message may be.
    let bomb = zstd::bulk::compress(&vec![b' '; 64 << 20], 19).unwrap();
    assert_eq!((source.unpack(&packed[..9]), source.unpack(b"{}"), source.unpack(&bomb)), (None, None, None));
    // The stream brought nothing: another server is asked, and this one anew at its next turn.
    let first = url.host_str().unwrap().to_owned();
    source.failed(now);
    for _ in 1..config().bluesky.servers.len() {
        probe(&mut *source, now);
        assert_eq!(source.next(now).url.path(), "/subscribe");
        read(&mut *source, &heartbeat(now), now);
        source.failed(now);
    }
    let again = source.next(now);
    assert_eq!((again.kind, again.url.host_str()), (RequestKind::Page, Some(first.as_str())));
    // One that does not even answer is read by version 1 when its turn comes, and so is one whose answer is no dictionary.
    source.failed(now);
    let mut odd = bluesky(None);
    odd.next(now);
    odd.read(Reply::Page(&page(200, "<html>", now)), now, &mut Found::default()).unwrap();
    assert_eq!(odd.next(now).url.path(), "/subscribe");
}

#[test]
fn an_account_that_is_gone_takes_all_its_posts_along() {
    let now = time("2026-07-04T14:00:00Z");
    let frame = |active: Value| {
        json!({"did": "did:plc:x", "time_us": now.timestamp_micros(), "kind": "account",
            "account": {"active": active, "did": "did:plc:x", "status": "deleted"}})
    };
    let gone = read(&mut *bluesky(None), &frame(json!(false)).to_string(), now).events;
    assert!(matches!(&gone[..], [Event::Left(person)] if person.author == "did:plc:x" && person.source == "bluesky"));
    for other in [json!(true), json!(null)] {
        assert!(read(&mut *bluesky(None), &frame(other).to_string(), now).events.is_empty());
    }
}

proptest! {
    /// Whatever the times, what is heard is one line without holes, and every hole in it is a gap.
    #[test]
    fn heard_is_continuous(steps in prop::collection::vec(-10i64..200, 1..60)) {
        let mut at = time("2026-07-04T14:00:00Z");
        let now = time("2026-07-05T14:00:00Z");
        let mut source = bluesky(Some(&at.timestamp_micros().to_string()));
        let mut until = at;
        for step in steps {
            at += TimeDelta::seconds(step);
            let found = read(&mut *source, &heartbeat(at), now);
            let (from, to) = found.heard.unwrap();
            prop_assert_eq!(from, until);
            prop_assert_eq!(to, until.max(at));
            let lost = found.events.len() == 1;
            prop_assert_eq!(lost, to - from > TimeDelta::seconds(60));
            until = to;
        }
    }
}

#[test]
fn a_post_that_was_bridged_from_mastodon_is_that_post() {
    let now = time("2026-07-04T14:38:09Z");
    let record = json!({"text": "synthetic", "createdAt": now, "bridgyOriginalUrl": "https://social.example/@ann/17"});
    let frame = json!({"did": "did:plc:x", "time_us": now.timestamp_micros(), "kind": "commit", "commit":
        {"operation": "create", "collection": "app.bsky.feed.post", "rkey": "r", "record": record}});
    let post = |mastodon: bool| {
        let mut config = config();
        config.mastodon.enabled = mastodon;
        let mut source = build(&config, &["a".to_owned()], "bluesky", None, now);
        let Event::Post(post) = read(&mut *source, &frame.to_string(), now).events.remove(0) else { panic!() };
        post
    };
    let bridged = post(true);
    assert_eq!(
        (bridged.source.as_str(), bridged.id.as_str()),
        ("mastodon", "https://social.example/users/ann/statuses/17")
    );
    assert_eq!(bridged.copied_as.unwrap().id, "at://did:plc:x/app.bsky.feed.post/r");
    assert_eq!(bridged.author, "did:plc:x", "anyone can write such a link");
    // Where nobody listens to Mastodon, the copy is all there is.
    let alone = post(false);
    assert_eq!((alone.source.as_str(), alone.copied_as), ("bluesky", None));
}
