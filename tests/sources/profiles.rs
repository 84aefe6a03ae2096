//! Where authors are: profiles that are asked for, remembered, and left alone when they cannot be had.

use crate::runner::{Job, bluesky};
use crate::servers::{Answer, Ending, Http, Stream, ok};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use whatsdown::pipeline::{Pipeline, Retention};
use whatsdown::post::{Event, Post};
use whatsdown::reading::{Catalogue, Lexicon, Reader};
use whatsdown::source::http::Client;
use whatsdown::source::profiles::{Place, Profiles};
use whatsdown::source::{Config, Cursor};
use whatsdown::store::Stamp;
use whatsdown::track::Settings;

const REPORT: &str = "is tiktok down? I can't log in";

fn pipeline(database: &Path) -> Pipeline {
    let reader = Reader::new(Catalogue::embedded().unwrap(), &Lexicon::embedded().unwrap()).unwrap();
    let retention = Retention { unquoted: TimeDelta::hours(48), quoted: TimeDelta::days(365) };
    Pipeline::open(database, Stamp::Live, reader, Settings { false_alarms_per_month: 1.0 }, retention).unwrap().0
}

/// A stream of one post by each author, and the job that reads it, with the place that each post is then given.
async fn places(
    profiles: &Http,
    pipeline: &Pipeline,
    posts: &[(String, &str)],
    change: impl Fn(&mut Config),
) -> BTreeMap<String, Option<String>> {
    let now = Utc::now();
    let frames: Vec<(i64, String)> = posts.iter().enumerate().map(|(at, post)| frame(now, at as i64, post)).collect();
    let before = Cursor((frames[0].0 - 1_000_000).to_string());
    let stream = Stream::start(frames, vec![Ending::Stall]).await;
    let mut config = bluesky(stream.address);
    config.http.local_hosts.insert(profiles.address.to_string());
    config.bluesky.profiles.server = format!("http://{}", profiles.address);
    change(&mut config);
    let cursors = [("bluesky".to_owned(), before)].into();
    let sources = crate::made(&config, &[], &cursors, now).unwrap();
    let lookup = Profiles::new(&config.bluesky.profiles, pipeline.authors()).unwrap();
    let mut job = Job::looking_up(sources, lookup, Client::new(&config.http).unwrap());
    let mut found = BTreeMap::new();
    while found.len() < posts.len() {
        for event in job.until(|_| true).await.remove(0).events {
            let Event::Post(post) = event else { continue };
            found.insert(post.author, post.location);
        }
    }
    found
}

fn frame(now: DateTime<Utc>, number: i64, (author, text): &(String, &str)) -> (i64, String) {
    let at = now.timestamp_micros() + number;
    let frame = json!({"did": author, "time_us": at, "kind": "commit", "commit": {"operation": "create",
        "collection": "app.bsky.feed.post", "rkey": number.to_string(), "record": {"text": text, "createdAt": now}}});
    (at, frame.to_string())
}

/// Answers with a profile of everyone who is asked for, written as `about` says.
fn answer(path: &str, about: impl Fn(&str) -> Value) -> Answer {
    let query = path.split_once('?').unwrap().1.replace("%3A", ":");
    let actors: Vec<&str> = query.split('&').map(|pair| pair.strip_prefix("actors=").unwrap()).collect();
    assert!(path.starts_with("/xrpc/app.bsky.actor.getProfiles?") && actors.len() <= 25, "{path}");
    let profiles: Vec<Value> = actors.into_iter().map(about).collect();
    ok(&json!({"profiles": profiles}).to_string())
}

fn did(number: usize) -> String {
    format!("did:plc:{number:03}")
}

#[tokio::test]
async fn authors_who_report_are_looked_up_once_a_week() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("a.db");
    let server = Http::start(|_, path| {
        answer(path, |did| match did {
            "did:plc:000" => json!({"did": did, "description": "she/her | Toronto | synthetic"}),
            "did:plc:001" => json!({"did": did, "description": "a synthetic person"}),
            "did:plc:002" => json!({"did": 7}),
            _ => json!({"did": did}),
        })
    })
    .await;
    let mut posts: Vec<(String, &str)> = (0..60).map(|number| (did(number), REPORT)).collect();
    posts.push(("did:plc:lunch".to_owned(), "lunch was good"));
    posts.push(("did:plc:said".to_owned(), "is tiktok down in London? I can't log in"));
    let mut first = pipeline(&database);
    let found = places(&server, &first, &posts, |_| {}).await;
    assert_eq!(found[&did(0)].as_deref(), Some("CA-ON"));
    assert_eq!(found.values().flatten().count(), 1, "{found:?}");
    let asked = server.asked();
    assert!((3..=5).contains(&asked.len()), "{} requests for 60 authors", asked.len());
    assert!(asked.iter().all(|(_, path)| !path.contains("lunch") && !path.contains("said")));
    // Remembered after a restart, by a hash.
    first.commit(Vec::new(), true).unwrap();
    drop(first);
    let again = places(&server, &pipeline(&database), &posts, |_| {}).await;
    assert_eq!((again[&did(0)].as_deref(), server.asked().len()), (Some("CA-ON"), asked.len()));
    for file in ["a.db", "a.db-wal"] {
        let bytes = std::fs::read(folder.path().join(file)).unwrap_or_default();
        assert!(!bytes.windows(8).any(|window| window == b"did:plc:" || window == b"she/her "));
    }
}

#[tokio::test]
async fn no_more_is_asked_than_the_budget_allows() {
    let folder = tempfile::tempdir().unwrap();
    let server = Http::start(|_, path| answer(path, |did| json!({"did": did, "description": "Toronto"}))).await;
    let posts: Vec<(String, &str)> = (0..200).map(|number| (did(number), REPORT)).collect();
    let pipeline = pipeline(&folder.path().join("a.db"));
    let found = places(&server, &pipeline, &posts, |config| config.bluesky.profiles.requests_a_minute = 2).await;
    // Two in this minute, and two more if the next one has begun meanwhile.
    let asked = server.asked().len();
    assert!((2..=4).contains(&asked), "{asked}");
    assert!(found.values().flatten().count() <= asked * 25);
}

#[tokio::test]
async fn posts_do_not_wait_for_profiles_that_cannot_be_had() {
    let refused = |code| Answer::Whole(code, "", "{}".to_owned());
    for failure in [refused(401), refused(403), refused(429), refused(500), ok("<html>"), Answer::Cut, Answer::Nothing]
    {
        let folder = tempfile::tempdir().unwrap();
        let server = Http::start(move |_, _| failure.clone()).await;
        let posts: Vec<(String, &str)> = (0..60).map(|number| (did(number), REPORT)).collect();
        let pipeline = pipeline(&folder.path().join("a.db"));
        let found = places(&server, &pipeline, &posts, |_| {}).await;
        assert!(found.values().all(Option::is_none));
        assert_eq!(server.asked().len(), 1, "after a failure nothing is asked for a while");
        let post = Post { source: "bluesky".into(), author: did(0), text: REPORT.into(), ..Post::default() };
        assert_eq!(pipeline.authors().place(&post), Place::Unknown, "a failure says nothing about the author");
    }
}
