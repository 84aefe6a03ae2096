//! Sources that need no key and are polled, against a server that fails; and a company's words on their way from its
//! status page into an incident's timeline.

use crate::runner::Job;
use crate::servers::{Answer, Http, ok};
use crate::{config, page, time};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use whatsdown::post::{Event, Post};
use whatsdown::reading::Stage;
use whatsdown::source::feed::{News, Official};
use whatsdown::source::http::Client;
use whatsdown::source::keyed::{Given, Watched};
use whatsdown::source::runner::{self, Backoff};
use whatsdown::source::status::Readable;
use whatsdown::source::{self, Batch, Config, ConfigError, Found, Reply, Source, State};

const QUICK: Duration = Duration::from_millis(20);

/// The defaults with every source off.
pub fn nothing() -> Config {
    let mut config = config();
    for on in [
        &mut config.bluesky.enabled,
        &mut config.mastodon.enabled,
        &mut config.status.enabled,
        &mut config.hackernews.enabled,
        &mut config.lemmy.enabled,
        &mut config.ioda.enabled,
    ] {
        *on = false;
    }
    config
}

/// One source alone, its server at `server`; as at its first start.
pub fn alone(name: &str, server: &str, now: DateTime<Utc>) -> Box<dyn Source> {
    alone_of(&mut nothing(), name, server, now)
}

fn alone_of(config: &mut Config, name: &str, server: &str, now: DateTime<Utc>) -> Box<dyn Source> {
    let mut services = vec![Watched { id: "rogers".to_owned(), name: "Rogers".to_owned(), ..Watched::default() }];
    let url = format!("{server}/feed");
    let kind = name.split(':').next().unwrap();
    match kind {
        "hackernews" => (config.hackernews.enabled, config.hackernews.server) = (true, server.to_owned()),
        "lemmy" => (config.lemmy.enabled, config.lemmy.instances) = (true, vec![server.to_owned()]),
        "ioda" => {
            (config.ioda.enabled, config.ioda.server) = (true, server.to_owned());
            services[0].networks = vec![812, 577];
        }
        "news" => config.feeds.news.push(News { name: "paper".to_owned(), url }),
        "official" => config.feeds.official.push(Official { service: "rogers".to_owned(), url }),
        dialect => {
            config.status.enabled = true;
            let (dialect, page) = (dialect.parse().unwrap(), server.to_owned());
            services[0].status = Some(Readable { dialect, page, parts: Vec::new() });
        }
    }
    let given = Given { services: &services, cursors: &BTreeMap::new(), now };
    source::build(config, &[], &given).unwrap().swap_remove(0)
}

/// The same against a server of ours, asked quickly.
pub fn job(name: &str, server: &Http) -> Job {
    let mut config = nothing();
    config.http.local_hosts = [server.address.to_string()].into();
    config.http.answer_timeout = Duration::from_secs(5);
    (config.status.every, config.ioda.every, config.feeds.every) = (QUICK, QUICK, QUICK);
    for pace in [&mut config.hackernews.pace, &mut config.lemmy.pace] {
        (pace.spacing, pace.every, pace.pages) = (QUICK / 4, QUICK, 3);
    }
    let source = alone_of(&mut config, name, &format!("http://{}", server.address), Utc::now());
    Job::of(vec![source], Client::new(&config.http).unwrap())
}

fn posts(batches: &[Batch]) -> Vec<Post> {
    let events = batches.iter().flat_map(|batch| &batch.events);
    events.filter_map(|event| if let Event::Post(post) = event { Some(post.clone()) } else { None }).collect()
}

const TAGGED: &str = "etag: \"of-the-tests\"\r\nlast-modified: Fri, 20 Nov 2026 12:00:00 GMT\r\n";

#[tokio::test]
async fn a_page_that_has_not_changed_is_not_sent_again() {
    let body = json!({"page": {}, "incidents": [{"id": "a", "status": "identified", "created_at": Utc::now(),
        "incident_updates": [{"id": "b", "status": "identified", "created_at": Utc::now(), "body": "synthetic"}]}]});
    let body = body.to_string();
    let server = Http::start(move |number, _| match number {
        // What was not understood must come again, whole.
        1 => Answer::Whole(200, TAGGED, "{\"incidents\":".to_owned()),
        2 => Answer::Whole(200, TAGGED, body.clone()),
        _ => Answer::Whole(304, "", String::new()),
    })
    .await;
    let mut job = job("statuspage", &server);
    let mut batches = job.until(|batch| batch.health.state == State::Ok).await;
    for _ in 0..3 {
        batches.append(&mut job.until(|_| true).await);
    }
    assert_eq!(posts(&batches).len(), 1);
    let last = batches.last().unwrap();
    assert_eq!((last.health.state, last.health.errors), (State::Ok, 1));
    let requests = server.requests.lock().unwrap();
    let known: Vec<bool> = requests
        .iter()
        .map(|request| request.to_lowercase())
        .map(|request| {
            let dated = request.contains("if-modified-since: fri, 20 nov 2026 12:00:00 gmt");
            assert_eq!(dated, request.contains("if-none-match: \"of-the-tests\""), "{request}");
            dated
        })
        .collect();
    assert_eq!(known[..4], [false, false, true, true]);
}

#[tokio::test]
async fn a_page_that_is_missing_is_asked_for_again() {
    let server = Http::start(move |_, _| Answer::Whole(404, "", String::new())).await;
    let batches = job("statuspage", &server).until(|batch| batch.health.errors > 2).await;
    assert!(batches.iter().all(|batch| batch.health.state == State::Degraded && batch.events.is_empty()));
}

/// A wrong clock of the page must not put its words into the future, nor into another year.
#[tokio::test]
async fn the_clock_of_a_page_may_be_wrong() {
    let update = |id: &str, at: &str| json!({"id": id, "status": "identified", "created_at": at, "body": "synthetic"});
    let updates = [update("future", "2099-01-01T00:00:00Z"), update("past", "1999-01-01T00:00:00Z")];
    let answer = json!({"page": {}, "incidents": [{"id": "a", "status": "identified", "incident_updates": updates}]});
    let answer = answer.to_string();
    let server = Http::start(move |_, _| ok(&answer)).await;
    let posts = posts(&job("statuspage", &server).until(|batch| batch.health.state == State::Ok).await);
    assert_eq!(posts.len(), 1);
    assert!((Utc::now() - posts[0].written_at()).abs() < TimeDelta::minutes(1));
}

pub fn read(name: &str, body: &str) -> (String, Found) {
    let now = time("2026-11-20T12:20:00Z");
    let mut source = alone(name, "https://server.example", now);
    let asked = source.next(now).url;
    let mut found = Found::default();
    source.read(Reply::Page(&page(200, body, now)), now, &mut found).unwrap();
    (format!("{}?{}", asked.path(), asked.query().unwrap_or_default()), found)
}

fn read_posts(name: &str, body: &str) -> Vec<Post> {
    let found = read(name, body).1;
    assert_eq!(found.odd, 1, "{name}: one is odd, the others are kept");
    found.events.into_iter().filter_map(|event| if let Event::Post(post) = event { Some(post) } else { None }).collect()
}

#[test]
fn hacker_news_is_read_whole() {
    let body = include_str!("../../fixtures/sources/hackernews/search_by_date.json");
    let found = read_posts("hackernews", body);
    let texts: Vec<&str> = found.iter().map(|post| post.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "Synthetic: TikTok is down for me too, can't log in.\n\nAnyone else?",
            "Ask HN: Is TikTok down?\nSynthetic: is TikTok down for anyone else?",
            "Synthetic: a compiler in a weekend",
        ]
    );
    assert_eq!(found[0].created_at, time("2026-11-20T12:10:00Z"));
    assert_eq!(found[0].url.as_deref(), Some("https://news.ycombinator.com/item?id=46000003"));
    assert_eq!(found[0].reply_to.as_deref(), Some("46000001"));
}

#[test]
fn feeds_are_news_or_official() {
    let news = read_posts("news", include_str!("../../fixtures/sources/feed/news.xml"));
    assert_eq!(news.len(), 1, "what is older than a week is left out");
    assert!(news[0].news && !news[0].official);
    assert_eq!(news[0].text, "Synthetic: TikTok is down, users say\nSynthetic: people cannot log in.");
    let (_, found) = read("official", include_str!("../../fixtures/sources/feed/official.atom"));
    let Event::Post(post) = &found.events[0] else { panic!() };
    let notice = post.notice.as_ref().unwrap();
    assert_eq!((notice.services[0].as_str(), notice.stage), ("rogers", None::<Stage>));
    assert_eq!(post.url.as_deref(), Some("https://status.example/incidents/1"));
    assert!(post.text.contains("We are looking into it."), "{}", post.text);
}

#[test]
fn ioda_tells_of_the_networks_of_carriers_alone() {
    let (asked, found) = read("ioda", include_str!("../../fixtures/sources/ioda/events.json"));
    assert_eq!(asked, "/v2/outages/events?entityType=asn&from=1795090800&until=1795177200&limit=2000");
    assert_eq!((found.events.len(), found.odd), (2, 1));
    let Event::Post(post) = &found.events[0] else { panic!() };
    assert_eq!(post.text, "An outage of Rogers's network AS812 is measured (bgp).");
    assert!(post.news && post.created_at == time("2026-11-20T10:40:00Z"));
}

#[test]
fn wrong_feeds_are_refused() {
    let build = |config: &Config| {
        source::build(config, &[], &Given { services: &[], cursors: &BTreeMap::new(), now: Utc::now() }).err()
    };
    let mut config = nothing();
    let news = |name: &str, url: &str| News { name: name.to_owned(), url: url.to_owned() };
    config.feeds.news = vec![news("a", "https://a.example/"), news("a", "https://b.example/")];
    assert!(matches!(build(&config), Some(ConfigError::BadName { .. })));
    config.feeds.news = vec![news("a", "gopher://a.example/")];
    assert!(matches!(build(&config), Some(ConfigError::NotAServer { .. })));
    config.feeds.news.clear();
    config.feeds.official = vec![Official { service: "nobody".to_owned(), url: "https://a.example/".to_owned() }];
    assert!(matches!(build(&config), Some(ConfigError::NoSuchService { .. })));
    config.feeds.official.clear();
    (config.lemmy.enabled, config.lemmy.instances) = (true, Vec::new());
    assert!(matches!(build(&config), Some(ConfigError::NoServer { .. })));
}

fn end_of_the_day() -> DateTime<Utc> {
    time("2024-03-04T12:00:00Z")
}

/// Six hours of quiet, then an outage of 50 minutes in the talk of many.
fn talk() -> Vec<Post> {
    let mut dice = fastrand::Rng::with_seed(7);
    let words = ["is Rogers down?", "Rogers internet not working for anyone else?", "Rogers outage, no signal at all"];
    let mut posts = Vec::new();
    for minute in 0..600 {
        let people = if (400..450).contains(&minute) { 6 } else { usize::from(dice.u32(0..20) == 0) };
        let mut say = |text: &str| {
            let number = posts.len();
            posts.push(Post {
                source: "bluesky".to_owned(),
                id: format!("synthetic-{number}"),
                created_at: time("2024-03-04T00:00:00Z") + TimeDelta::seconds(minute * 60 + dice.i64(0..60)),
                author: format!("synthetic-author-{number}"),
                text: text.to_owned(),
                ..Post::default()
            });
        };
        say("good morning");
        (0..people).for_each(|turn| say(words[turn % words.len()]));
    }
    posts
}

#[tokio::test]
async fn a_companys_words_reach_the_timeline_with_link_and_lead_time() {
    let update = |id: &str, status: &str, at: &str, body: &str| json!({"id": id, "status": status, "created_at": at, "body": body});
    let incident = json!({"page": {"name": "Rogers"}, "incidents": [{"id": "q0e", "name": "Log-in", "impact": "major",
    "status": "resolved", "created_at": "2024-03-04T07:05:00Z", "shortlink": "https://stspg.example/q0e",
    "incident_updates": [
        update("2", "resolved", "2024-03-04T07:42:00Z", "Synthetic words: nobody is kept out any more."),
        // 07:05, told in another zone.
        update("1", "investigating", "2024-03-04T02:05:00-05:00", "Synthetic words: a few of you may see an odd page."),
    ]}]})
    .to_string();
    let server = Http::start(move |_, _| ok(&incident)).await;
    let mut config = nothing();
    config.http.local_hosts = [server.address.to_string()].into();
    let source = alone_of(&mut config, "statuspage", &format!("http://{}", server.address), end_of_the_day());
    let (sender, mut batches) = mpsc::channel(1);
    let (_stop, shutdown) = watch::channel(false);
    let client = Client::new(&config.http).unwrap();
    tokio::spawn(runner::run(vec![source], None, client, end_of_the_day, Backoff::default(), sender, shutdown));
    let batch = timeout(Duration::from_secs(10), batches.recv()).await.unwrap().unwrap();
    let mut said = posts(&[batch]);
    assert_eq!(said.len(), 2);
    for post in &mut said {
        // As they would have come that day.
        post.observed_at = Some(post.created_at + TimeDelta::minutes(1));
    }
    said.extend(talk());
    said.sort_by_key(Post::arrived_at);

    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("posts.jsonl");
    let lines: Vec<String> = said.iter().map(|post| serde_json::to_string(post).unwrap()).collect();
    std::fs::write(&recording, lines.join("\n")).unwrap();
    let whatsdown = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_whatsdown"));
        command.arg("--db").arg(folder.path().join("a.db")).args(words);
        let output = command.env("WHATSDOWN_CONFIG", "").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    whatsdown(&["replay", recording.to_str().unwrap()]);
    let incidents: Value = serde_json::from_str(&whatsdown(&["incidents", "--json"])).unwrap();
    assert_eq!(incidents.as_array().unwrap().len(), 1, "{incidents:#}");
    assert_eq!(incidents[0]["acknowledged_at"], "2024-03-04T07:05:00Z");
    // The official words are no reports.
    assert_eq!(incidents[0]["service"], "rogers");
    let timeline = whatsdown(&["timeline", "--color", "never"]);
    for wanted in [
        "Synthetic words: a few of you may see an odd page.",
        "Synthetic words: nobody is kept out any more.",
        "https://stspg.example/q0e",
        "people were",
        "ahead of the company",
    ] {
        assert!(timeline.split_whitespace().collect::<Vec<_>>().join(" ").contains(wanted), "{wanted}: {timeline}");
    }
}
