//! Lemmy: how it is asked, what its lists tell, and what they tell by leaving it out.

use crate::keyless::{alone, job, nothing, read};
use crate::servers::{Answer, Http, ok};
use crate::{page, time};
use chrono::Utc;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use whatsdown::post::Event;
use whatsdown::source::keyed::Given;
use whatsdown::source::recording::{Line, play};
use whatsdown::source::{self, Cursor, Found, Reply, Source, SourceError, State};

#[tokio::test]
async fn lemmy_is_asked_in_the_version_that_it_speaks() {
    let comments = include_str!("../../fixtures/sources/lemmy/v4-comments.json").replace("\"Csynthetic\"", "null");
    let comments = comments.replace("2026-11-20T12:12:00.123456Z", &Utc::now().to_rfc3339());
    let server =
        Http::start(
            move |_, path| {
                if path.contains("/api/v4/") { ok(&comments) } else { Answer::Whole(404, "", String::new()) }
            },
        )
        .await;
    let batches = job("lemmy", &server).until(|batch| batch.health.state == State::Ok).await;
    assert_eq!(batches.last().unwrap().health.errors, 0);
    let asked: Vec<String> = server.asked().into_iter().map(|(_, path)| path).collect();
    assert!(asked[0].starts_with("/api/v3/post/list?type_=All&sort=New&limit=50"), "{asked:?}");
    assert!(asked[1].starts_with("/api/v4/post/list?type_=all&sort=new&limit=50"), "{asked:?}");
    assert!(asked[2..].iter().all(|path| path.starts_with("/api/v4/")), "{asked:?}");
}

#[test]
fn lemmys_posts_and_comments_are_known_by_the_ids_of_their_own_servers() {
    let body = include_str!("../../fixtures/sources/lemmy/v3-posts.json");
    let (_, found) = read("lemmy", body);
    assert_eq!(found.odd, 1);
    let ids: Vec<(&str, &str)> = found
        .events
        .iter()
        .map(|event| match event {
            Event::Post(post) => ("post", post.id.as_str()),
            Event::Deleted(key) => ("deleted", key.id.as_str()),
            other => panic!("{other:?}"),
        })
        .collect();
    // What is pinned is left out.
    assert_eq!(
        ids,
        [
            ("post", "https://other.example/post/77"),
            ("post", "https://lemmy.example/post/4"),
            ("deleted", "https://other.example/post/78")
        ]
    );
    let edited = |found: &Found| -> Vec<bool> {
        found
            .events
            .iter()
            .filter_map(|event| if let Event::Post(post) = event { Some(post.edited) } else { None })
            .collect()
    };
    assert_eq!(edited(&found), [false, true]);
    let Event::Post(bot) = &found.events[1] else { panic!() };
    // Without a zone it is UTC.
    assert_eq!((bot.created_at, bot.bot), (time("2026-11-20T12:08:00Z"), true));

    let body = include_str!("../../fixtures/sources/lemmy/v4-comments.json");
    let (_, found) = read("lemmy", body);
    assert_eq!(edited(&found), [false, true]);
    let comments: Vec<(&str, &str)> = found
        .events
        .iter()
        .map(|event| if let Event::Post(post) = event { (post.source.as_str(), post.text.as_str()) } else { panic!() })
        .collect();
    assert_eq!(
        comments,
        [("lemmy", "Synthetic: same here, TikTok is down."), ("lemmy", "Synthetic: and written on Mastodon.")]
    );
}

/// Recorded from Lemmy 0.17.4, where a post was taken back between two readings, a comment was taken back and another one
/// removed before.
#[test]
fn what_a_real_server_answered_is_read() {
    let lines = include_str!("../../fixtures/sources/recorded/lemmy_api.example.jsonl").lines();
    let lines: Vec<Line> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut source = alone("lemmy", "https://api.example", lines[0].at);
    let mut found = Found::default();
    for line in &lines {
        play(&mut *source, line, &mut found).unwrap();
    }
    assert_eq!(found.odd, 0);
    let told: Vec<String> = found
        .events
        .iter()
        .map(|event| match event {
            Event::Post(post) => {
                let marks = [(post.bot, " bot"), (post.edited, " edited"), (post.reply_to.is_some(), " reply")];
                let marks: String = marks.into_iter().filter(|(is, _)| *is).map(|(_, mark)| mark).collect();
                format!("{}{marks}", post.id.rsplit('/').next().unwrap())
            }
            Event::Deleted(key) => format!("{} deleted", key.id.rsplit('/').next().unwrap()),
            other => panic!("{other:?}"),
        })
        .collect();
    let first = ["626536", "571159", "507471 bot", "519840 edited", "265904"];
    let comments = ["6076130 deleted", "3496032 deleted", "4834415 reply"];
    let again = ["626536", "507471 bot", "519840 edited", "265904", "571159 deleted"];
    // The one whose number is not here is pinned.
    assert_eq!(told, [&first[..], &comments, &again].concat());
}

/// A list of posts of these minutes, newest first; those at a minute below 10 are pinned.
fn list(minutes: &[u32]) -> String {
    let post = |minute: &u32| {
        json!({"post": {"ap_id": format!("https://lemmy.example/post/{minute}"), "name": "Synthetic", "published":
            format!("2026-11-20T12:{minute:02}:00.5"), "featured_local": *minute < 10},
            "creator": {"actor_id": "https://lemmy.example/u/synthetic"}})
    };
    json!({"posts": minutes.iter().map(post).collect::<Vec<Value>>()}).to_string()
}

/// Reads an answer to the next request for posts; the comments before it are none. Gives the minutes of those taken back.
fn deleted(source: &mut dyn Source, minutes: &[u32]) -> Vec<String> {
    let now = time("2026-11-20T12:59:00Z");
    let mut found = Found::default();
    while !source.next(now).url.path().contains("/post/") {
        source.read(Reply::Page(&page(200, "{\"comments\":[]}", now)), now, &mut found).unwrap();
    }
    source.read(Reply::Page(&page(200, &list(minutes), now)), now, &mut found).unwrap();
    let deleted = |event: &Event| match event {
        Event::Deleted(key) => key.id.rsplit('/').next().map(str::to_owned),
        _ => None,
    };
    found.events.iter().filter_map(deleted).collect()
}

#[test]
fn a_post_that_is_listed_no_more_was_taken_back() {
    let mut config = nothing();
    (config.lemmy.enabled, config.lemmy.instances) = (true, vec!["lemmy.example".to_owned()]);
    let build = |cursors: &BTreeMap<String, Cursor>| {
        let given = Given { services: &[], cursors, now: time("2026-11-20T12:59:00Z") };
        source::build(&config, &[], &given).unwrap().swap_remove(0)
    };
    let none: [&str; 0] = [];
    let mut source = build(&BTreeMap::new());
    assert_eq!(deleted(&mut *source, &[3, 50, 40, 30, 20]), none);
    // The next page: what lies between two pages is on neither.
    assert_eq!(deleted(&mut *source, &[19, 18, 15]), none);
    assert_eq!(deleted(&mut *source, &[]), none, "the end of the list");
    // What is older than a page is not missed on it, and what was pinned is there.
    assert_eq!(deleted(&mut *source, &[3, 50, 40, 20]), ["30"]);
    assert_eq!(deleted(&mut *source, &[50, 40, 20, 19, 15]), ["18"]);
    // A job that was off meanwhile misses it all the same.
    let cursors = BTreeMap::from([("lemmy:lemmy.example".to_owned(), source.cursor().unwrap())]);
    let mut source = build(&cursors);
    assert_eq!(deleted(&mut *source, &[40, 55, 19]), none, "in another order than was asked for");
    assert_eq!(deleted(&mut *source, &[55, 40, 20, 19]), ["50"]);
}

/// Seen of Lemmy 0.17.4: between its making and its naming, a post is listed under an id that it does not keep.
#[test]
fn a_post_counts_under_the_name_that_it_keeps() {
    let unnamed = list(&[41, 40]).replace("https://lemmy.example/post/41", "http://changeme.invalid/adaa54f2641100cf");
    let (_, found) = read("lemmy", &unnamed);
    let ids: Vec<&str> = found
        .events
        .iter()
        .filter_map(|event| if let Event::Post(post) = event { Some(&*post.id) } else { None })
        .collect();
    assert_eq!((ids, found.odd), (vec!["https://lemmy.example/post/40"], 0));
}

/// Lemmy 0.17.4 says it with status 400 and no header.
#[test]
fn who_asks_too_often_waits_for_a_minute() {
    let now = time("2026-11-20T12:20:00Z");
    let mut source = alone("lemmy", "https://lemmy.example", now);
    source.next(now);
    let answer = page(400, "{\"error\":\"rate_limit_error\"}", now);
    match source.read(Reply::Page(&answer), now, &mut Found::default()) {
        Err(SourceError::Busy { status: StatusCode::BAD_REQUEST, wait: Some(wait), .. }) => {
            assert_eq!(wait, Duration::from_secs(60));
        }
        other => panic!("{other:?}"),
    }
}
