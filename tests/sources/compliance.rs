//! What every source keeps to, whatever its server does: one table of sources, held against one table of faults.
//!
//! A source is added by one line, in [`POLLED`] if it asks for pages, in `streams::STREAMS` if it listens to a stream.
//! One that can be built and is in neither fails `every_source_is_held_to_the_rules`.

use crate::keyed::{KEY, Lab};
use crate::runner::Job;
use crate::servers::{Answer, Http, ok};
use crate::streams::STREAMS;
use crate::{build_all, tags};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::time::timeout;
use whatsdown::post::Event;
use whatsdown::source::http::Client;
use whatsdown::source::{Batch, Cursor, Source, State};

/// A source that is asked for pages.
pub struct Polled {
    /// Its name, with `HOST` for its server's.
    pub name: &'static str,
    /// A page with these posts, the newest first; `None` is one that nobody can understand. `more` says that older ones follow.
    pub page: fn(&[Option<Written>], more: bool) -> Value,
    /// Whether what is too much for its cap is lost, and must be told.
    capped: bool,
}

/// A post, or a minute of a count.
#[derive(Clone, Copy)]
pub struct Written {
    pub id: u64,
    pub at: DateTime<Utc>,
}

pub const POLLED: [Polled; 19] = [
    Polled { name: "mastodon:HOST", page: mastodon, capped: true },
    Polled { name: "x:counts", page: counts, capped: false },
    Polled { name: "x:search", page: tweets, capped: true },
    Polled { name: "reddit", page: links, capped: true },
    Polled { name: "threads", page: threads, capped: true },
    Polled { name: "tumblr", page: blogs, capped: true },
    Polled { name: "radar", page: outages, capped: false },
    Polled { name: "hackernews", page: hits, capped: true },
    Polled { name: "lemmy:HOST", page: lemmy, capped: true },
    Polled { name: "ioda", page: networks, capped: false },
    Polled { name: "feed:news", page: feed, capped: false },
    Polled { name: "feed:tiktok", page: feed, capped: false },
    Polled { name: "status:statuspage", page: statuspage, capped: false },
    Polled { name: "status:instatus", page: instatus, capped: false },
    Polled { name: "status:betterstack", page: better_stack, capped: false },
    Polled { name: "status:slack", page: slack, capped: false },
    Polled { name: "status:google", page: google, capped: false },
    Polled { name: "status:aws", page: aws, capped: false },
    Polled { name: "status:azure", page: feed, capped: false },
];

/// Every page of posts as a list, with what is odd among them.
fn each(posts: &[Option<Written>], post: impl Fn(Written) -> Value) -> Vec<Value> {
    posts.iter().map(|written| written.map_or_else(|| json!({"odd": [null]}), &post)).collect()
}

fn mastodon(posts: &[Option<Written>], _more: bool) -> Value {
    json!(each(posts, |Written { id, at }| json!({"id": format!("{id:09}"), "created_at": at, "uri": id.to_string(),
        "content": "synthetic", "visibility": "public", "account": {"acct": "synthetic"}})))
}

fn counts(posts: &[Option<Written>], _more: bool) -> Value {
    let buckets =
        each(posts, |Written { at, .. }| json!({"start": at, "end": at + TimeDelta::minutes(1), "tweet_count": 1}));
    json!({"data": buckets, "meta": {"total_tweet_count": buckets.len()}})
}

fn tweets(posts: &[Option<Written>], more: bool) -> Value {
    let tweets = each(
        posts,
        |Written { id, at }| json!({"id": id.to_string(), "text": "synthetic", "created_at": at, "author_id": "1"}),
    );
    let next = more.then_some("further");
    json!({"data": tweets, "meta": {"result_count": tweets.len(), "next_token": next}})
}

fn links(posts: &[Option<Written>], more: bool) -> Value {
    let children = each(posts, |Written { id, at }| {
        json!({"kind": "t3", "data": {"name": id.to_string(), "title": "synthetic", "author": "synthetic",
            "created_utc": at.timestamp(), "permalink": "/"}})
    });
    json!({"kind": "Listing", "data": {"children": children, "after": more.then_some("t3_further")}})
}

fn threads(posts: &[Option<Written>], more: bool) -> Value {
    let posts = each(posts, |Written { id, at }| {
        json!({"id": id.to_string(), "username": format!("synthetic{id}"), "text": "synthetic",
            "timestamp": at.format("%Y-%m-%dT%H:%M:%S+0000").to_string()})
    });
    json!({"data": posts, "paging": {"cursors": {"after": more.then_some("further")}}})
}

fn blogs(posts: &[Option<Written>], _more: bool) -> Value {
    let blogs = each(
        posts,
        |Written { id, at }| json!({"id_string": id.to_string(), "blog_name": "synthetic", "timestamp": at.timestamp(), "summary": "synthetic"}),
    );
    json!({"meta": {"status": 200, "msg": "OK"}, "response": blogs})
}

fn outages(posts: &[Option<Written>], _more: bool) -> Value {
    let outages = each(posts, |Written { id, at }| {
        json!({"id": id.to_string(), "startDate": at.to_rfc3339_opts(SecondsFormat::Secs, true),
            "description": "synthetic", "asnsDetails": [{"name": "synthetic"}]})
    });
    json!({"success": true, "result": {"annotations": outages}})
}

fn hits(posts: &[Option<Written>], more: bool) -> Value {
    let hits = each(
        posts,
        |Written { id, at }| json!({"objectID": id.to_string(), "created_at_i": at.timestamp(), "author": "synthetic", "title": "synthetic"}),
    );
    json!({"nbHits": if more { 9999 } else { hits.len() }, "hits": hits})
}

fn lemmy(posts: &[Option<Written>], _more: bool) -> Value {
    let posts = each(posts, |Written { id, at }| {
        json!({"post": {"ap_id": id.to_string(), "published": at, "name": "synthetic"},
            "creator": {"actor_id": "synthetic"}})
    });
    json!({"posts": posts})
}

fn networks(posts: &[Option<Written>], _more: bool) -> Value {
    json!({"data": each(posts, |Written { at, .. }| json!({"location": "asn/812", "start": at.timestamp(), "datasource": "bgp"}))})
}

fn feed(posts: &[Option<Written>], _more: bool) -> Value {
    let items = posts.iter().map(|written| {
        let told = written.map(|Written { id, at }| {
            format!("<guid>{id}</guid><title>synthetic</title><pubDate>{}</pubDate>", at.to_rfc2822())
        });
        format!("<item>{}</item>", told.unwrap_or_default())
    });
    let items: String = items.collect();
    json!(format!("<rss version=\"2.0\"><channel><title>synthetic</title>{items}</channel></rss>"))
}

fn statuspage(posts: &[Option<Written>], _more: bool) -> Value {
    let incidents = each(posts, |Written { id, at }| {
        json!({"id": id.to_string(), "name": "synthetic", "status": "identified", "created_at": at,
            "incident_updates": [{"id": "1", "status": "identified", "created_at": at, "body": "synthetic"}]})
    });
    json!({"page": {}, "incidents": incidents})
}

fn instatus(posts: &[Option<Written>], _more: bool) -> Value {
    let incidents =
        each(posts, |Written { id, at }| json!({"id": id.to_string(), "started": at, "status": "INVESTIGATING"}));
    json!({"page": {}, "activeIncidents": incidents})
}

fn better_stack(posts: &[Option<Written>], _more: bool) -> Value {
    let mut included = Vec::new();
    for written in posts {
        let id = written.map_or_else(|| "odd".to_owned(), |it| it.id.to_string());
        let state = if written.is_some() { json!("degraded") } else { json!([null]) };
        included.push(json!({"type": "status_report", "id": id, "attributes": {"aggregate_state": state},
            "relationships": {"status_updates": {"data": [{"id": id}]}}}));
        let update = written.map(|it| json!({"message": "synthetic", "published_at": it.at}));
        included.extend(update.map(|update| json!({"type": "status_update", "id": id, "attributes": update})));
    }
    json!({"data": {"type": "status_page"}, "included": included})
}

fn slack(posts: &[Option<Written>], _more: bool) -> Value {
    let incidents = each(
        posts,
        |Written { id, at }| json!({"id": id, "status": "active", "title": "synthetic", "notes": [{"date_created": at, "body": "synthetic"}]}),
    );
    json!({"status": "active", "active_incidents": incidents})
}

fn google(posts: &[Option<Written>], _more: bool) -> Value {
    json!(each(posts, |Written { id, at }| json!({"id": id.to_string(), "begin": at,
        "updates": [{"created": at, "status": "SERVICE_OUTAGE", "text": "synthetic"}]})))
}

fn aws(posts: &[Option<Written>], _more: bool) -> Value {
    json!(each(posts, |Written { id, at }| json!({"arn": id.to_string(), "status": "3", "summary": "synthetic",
        "event_log": [{"timestamp": at.timestamp(), "status": 3, "message": "synthetic"}]})))
}

/// A page as it is sent: what is no JSON is given as a string.
pub fn sent(page: Value) -> String {
    if let Value::String(text) = page { text } else { page.to_string() }
}

/// `count` posts, a whole minute apart, the newest a few minutes ago.
fn written(count: u64) -> Vec<Option<Written>> {
    let minute = Utc::now().timestamp() / 60 - 4;
    let at = |number: u64| DateTime::from_timestamp((minute - 10 + number as i64) * 60, 0).unwrap();
    (0..count).rev().map(|number| Some(Written { id: 1000 + number, at: at(number) })).collect()
}

/// What a batch brought, by the id or the minute.
fn brought(batches: &[Batch]) -> BTreeSet<String> {
    let name = |event: &Event| match event {
        Event::Post(post) => Some(post.created_at.timestamp() / 60),
        Event::Volume(volume) => Some(volume.at.timestamp() / 60),
        _ => None,
    };
    batches.iter().flat_map(|batch| &batch.events).filter_map(name).map(|minute| minute.to_string()).collect()
}

fn truth(posts: &[Option<Written>]) -> BTreeSet<String> {
    posts.iter().flatten().map(|written| (written.at.timestamp() / 60).to_string()).collect()
}

/// One for all jobs: what it may speak to is on loopback.
static CLIENT: LazyLock<Client> = LazyLock::new(|| {
    let mut config = crate::runner::quick().http;
    config.local_hosts = ["127.0.0.1".to_owned()].into();
    // Many jobs at once, perhaps on a busy machine: only what is made to be slow shall be.
    config.answer_timeout = Duration::from_secs(3);
    Client::new(&config).unwrap()
});

/// The source of a line of the table, which asks `server`.
fn source(name: &str, server: &Http, cursors: &BTreeMap<String, Cursor>) -> Box<dyn Source> {
    let mut lab = Lab::at(server);
    let quick = crate::runner::mastodon(server.address);
    lab.config.mastodon = quick.mastodon;
    lab.config.mastodon.backfill_pages = 3;
    lab.config.bluesky.enabled = false;
    // All that is shown late is shown within the overlap.
    for pace in [
        &mut lab.config.x.search.pace,
        &mut lab.config.reddit.pace,
        &mut lab.config.threads.pace,
        &mut lab.config.tumblr.pace,
        &mut lab.config.hackernews.pace,
        &mut lab.config.lemmy.pace,
    ] {
        pace.overlap = Duration::from_secs(3600);
    }
    let all = build_all(&lab.config, &tags(&["tiktokdown"]), cursors, Utc::now());
    let name = name.replace("HOST", &server.address.to_string());
    all.into_iter().find(|source| source.name() == name).unwrap_or_else(|| panic!("{name}"))
}

fn job(name: &str, server: &Http, cursors: &BTreeMap<String, Cursor>) -> Job {
    Job::of(vec![source(name, server, cursors)], CLIENT.clone())
}

/// A server that answers the nth request for posts so; tokens and rules are always to be had.
async fn serve(answer: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Http {
    let asked = AtomicUsize::new(0);
    Http::start(move |_, path| match path {
        token if token.contains("/access_token") => ok(crate::keyed::TOKEN),
        _ => answer(asked.fetch_add(1, Ordering::Relaxed) + 1),
    })
    .await
}

/// When posts were asked for.
fn asked(server: &Http) -> Vec<Instant> {
    server.asked().into_iter().filter(|(_, path)| !path.contains("/access_token")).map(|(at, _)| at).collect()
}

#[test]
fn every_source_is_held_to_the_rules() {
    let mut lab = Lab::new("https://api.example");
    lab.config.mastodon.instances = tags(&["social.example"]);
    lab.config.lemmy.instances = tags(&["social.example"]);
    lab.config.mastodon_streaming.instance = "social.example".to_owned();
    lab.config.mastodon_streaming.token = lab.config.x.token.clone();
    let all = build_all(&lab.config, &tags(&["tiktokdown"]), &BTreeMap::new(), Utc::now());
    let built: BTreeSet<String> = all.iter().map(|source| source.name().replace("social.example", "HOST")).collect();
    let table: BTreeSet<String> = POLLED.iter().map(|polled| polled.name).chain(STREAMS).map(str::to_owned).collect();
    assert_eq!(built, table, "left: what is built; right: what is in the tables");
}

/// A way to fail, and how long the server then wants to be left alone.
fn faults() -> Vec<(&'static str, Answer, Duration)> {
    const SECOND: Duration = Duration::from_secs(1);
    let busy = |headers: &'static str| Answer::Whole(429, headers, String::new());
    // The servers' clocks are years off: what they say is taken relative to their own date.
    vec![
        ("429, seconds", busy("retry-after: 1\r\n"), SECOND),
        (
            "429, a date",
            busy("date: Wed, 14 Oct 2020 19:10:29 GMT\r\nretry-after: Wed, 14 Oct 2020 19:10:30 GMT\r\n"),
            SECOND,
        ),
        (
            "429, ISO 8601",
            busy("date: Wed, 14 Oct 2020 19:10:29 GMT\r\nx-ratelimit-reset: 2020-10-14T19:10:30.000001Z\r\n"),
            SECOND,
        ),
        ("429, Unix time", busy("date: Fri, 14 Oct 2050 19:10:29 GMT\r\nx-rate-limit-reset: 2549301030\r\n"), SECOND),
        ("429, seconds left", busy("x-ratelimit-reset: 0.9\r\nx-ratelimit-remaining: 0.0\r\n"), SECOND),
        ("429, in the past", busy("x-ratelimit-reset: 2001-01-01T00:00:00Z\r\n"), SECOND),
        ("429, silent", busy(""), Duration::ZERO),
        ("500", Answer::Whole(500, "", KEY.to_owned()), Duration::ZERO),
        ("502", Answer::Whole(502, "", "<html>".to_owned()), Duration::ZERO),
        ("503, seconds", Answer::Whole(503, "retry-after: 1\r\n", String::new()), SECOND),
        ("418", Answer::Whole(418, "", "[]".to_owned()), Duration::ZERO),
        ("cut", Answer::Cut, Duration::ZERO),
        ("slow", Answer::Slow, Duration::ZERO),
        ("too long", Answer::Endless, Duration::ZERO),
        ("closed", Answer::Nothing, Duration::ZERO),
        ("no JSON", ok("{\"error\":"), Duration::ZERO),
        ("JSON of another shape", ok("\"7\""), Duration::ZERO),
        (
            "a redirect elsewhere",
            Answer::Whole(302, "location: http://127.0.0.1:1/\r\n", String::new()),
            Duration::ZERO,
        ),
    ]
}

/// The second request fails; what was written meanwhile is read afterwards, and nothing else has moved.
async fn survives(polled: &Polled, fault: &str, answer: Answer, wait: Duration) {
    let what = format!("{}: {fault}", polled.name);
    let (posts, page) = (written(5), polled.page);
    let all = posts.clone();
    let server = serve(move |number| match number {
        1 => ok(&sent(page(&posts[3..], false))),
        2 => answer.clone(),
        _ => ok(&sent(page(&posts, false))),
    })
    .await;
    let begun = Instant::now();
    let mut job = job(polled.name, &server, &BTreeMap::new());
    let good = |batch: &Batch| batch.health.errors >= 1 && batch.health.state == State::Ok && !batch.events.is_empty();
    let batches = timeout(Duration::from_secs(60), job.until(good)).await.unwrap_or_else(|_| panic!("{what}"));
    let batch = batches.iter().find(|batch| batch.health.errors == 1).unwrap();
    assert!(batch.cursor.is_none() && batch.events.is_empty() && batch.heard.is_none(), "{what}: {batch:?}");
    let told = batch.health.last_error.clone().unwrap();
    assert!(told.retry_at.is_some() && !told.message.is_empty(), "{what}");
    assert_eq!(brought(&batches), truth(&all), "{what}");
    assert!(batches.iter().all(|batch| !format!("{batch:?}").contains(KEY)), "{what}: the key is told");
    let asked = asked(&server);
    assert!(asked[2] - asked[1] >= wait.mul_f64(0.99), "{what}: {:?}", asked[2] - asked[1]);
    let allowed = begun.elapsed().as_millis() / 20 + 1;
    assert!(asked.len() as u128 <= allowed, "{what}: {} requests, {allowed} allowed", asked.len());
}

#[tokio::test]
async fn every_source_survives_every_fault() {
    // A few sources at a time: hundreds of servers at once would be slow to answer.
    for few in POLLED.chunks(4) {
        join_all(few.iter().flat_map(|polled| {
            faults().into_iter().map(move |(fault, answer, wait)| survives(polled, fault, answer, wait))
        }))
        .await;
    }
}

#[tokio::test]
async fn one_odd_post_costs_only_itself() {
    join_all(POLLED.iter().map(async |polled| {
        let (mut posts, page) = (written(3), polled.page);
        posts.insert(1, None);
        let whole = sent(page(&posts, false));
        let server = serve(move |_| ok(&whole)).await;
        let batch = job(polled.name, &server, &BTreeMap::new()).until(|batch| !batch.events.is_empty()).await.pop();
        let batch = batch.unwrap();
        assert_eq!((batch.health.odd, batch.health.errors), (1, 0), "{}", polled.name);
        assert_eq!(brought(&[batch]), truth(&posts), "{}", polled.name);
    }))
    .await;
}

#[tokio::test]
async fn a_refusal_stops_every_source_with_a_hint() {
    let refusals = POLLED.iter().flat_map(|polled| [401, 403].map(|code| (polled, code)));
    join_all(refusals.map(async |(polled, code)| {
        let server = serve(move |_| Answer::Whole(code, "", KEY.to_owned())).await;
        let mut job = job(polled.name, &server, &BTreeMap::new());
        let batch = job.until(|batch| batch.health.errors > 0).await.pop().unwrap();
        let told = batch.health.last_error.clone().unwrap();
        assert_eq!((batch.health.state, told.retry_at), (State::Degraded, None), "{} {code}", polled.name);
        // `host answered 403 Forbidden: what to do`
        let (_, hint) = told.message.split_once(": ").unwrap();
        assert!(hint.contains("take it off") || hint.contains("docs/keys.md"), "{}", told.message);
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(asked(&server).len(), 1, "{} {code}", polled.name);
        assert!(!format!("{batch:?}").contains(KEY));
    }))
    .await;
}

#[tokio::test]
async fn endless_pages_end_at_the_cap_and_what_is_beyond_is_told() {
    join_all(POLLED.iter().filter(|polled| polled.capped).map(async |polled| {
        let (page, now) = (polled.page, Utc::now());
        let server = serve(move |number| {
            let back = |post: usize| (number * 100 + post) as i64;
            let post =
                |post: usize| Written { id: (1_000_000 - back(post)) as u64, at: now - TimeDelta::seconds(back(post)) };
            ok(&sent(page(&(0..100).map(|number| Some(post(number))).collect::<Vec<_>>(), true)))
        })
        .await;
        let is_gap = |event: &Event| matches!(event, Event::Gap(gap) if gap.from < gap.until);
        let mut job = job(polled.name, &server, &BTreeMap::new());
        let last = job.until(|batch| batch.events.iter().any(is_gap)).await.pop().unwrap();
        let asked = asked(&server).len();
        assert!((3..=6).contains(&asked), "{}: {asked} requests", polled.name);
        assert!(last.cursor.is_some(), "{}: it goes on from here", polled.name);
    }))
    .await;
}

#[tokio::test]
async fn kills_at_any_moment_lose_nothing() {
    join_all(POLLED.iter().enumerate().map(async |(seed, polled)| {
        let (posts, page) = (written(5), polled.page);
        let all = posts.clone();
        // Every answer shows one post more, and some fail.
        let server = serve(move |number| match number % 4 {
            3 => Answer::Cut,
            _ => ok(&sent(page(&posts[posts.len().saturating_sub(number)..], false))),
        })
        .await;
        let mut random = fastrand::Rng::with_seed(seed as u64);
        let mut cursors = BTreeMap::new();
        let mut stored: Vec<Batch> = Vec::new();
        for _ in 0..14 {
            let mut job = job(polled.name, &server, &cursors);
            let life = Duration::from_millis(random.u64(0..90));
            let end = Instant::now() + life;
            while let Ok(batch) = timeout(end.saturating_duration_since(Instant::now()), job.next()).await {
                // What was handed over is stored with its cursor, and the rest is lost with the process.
                cursors.extend(batch.cursor.clone().map(|cursor| (batch.source.clone(), cursor)));
                stored.push(batch);
            }
            job.kill();
        }
        let mut job = job(polled.name, &server, &cursors);
        while brought(&stored) != truth(&all) {
            stored
                .push(timeout(Duration::from_secs(10), job.next()).await.unwrap_or_else(|_| panic!("{}", polled.name)));
        }
        let mut until: Option<DateTime<Utc>> = None;
        for (from, to) in stored.iter().filter_map(|batch| batch.heard) {
            assert!(from <= to && until.is_none_or(|until| from <= until), "{}: a hole nobody told", polled.name);
            until = Some(to);
        }
    }))
    .await;
}
