//! The runner against servers that fail: budgets, backoff, gaps, cancellation.

use crate::newsletter::Newsletter;
use crate::servers::{Answer, Ending, Http, Stream, Wire, dictionary, ok};
use crate::tls::AUTHORITY;
use crate::{config, made, tags};
use chrono::{TimeDelta, Utc};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use whatsdown::clock;
use whatsdown::post::Event;
use whatsdown::source::http::Client;
use whatsdown::source::profiles::Profiles;
use whatsdown::source::runner::{self, Backoff};
use whatsdown::source::{Batch, Config, Cursor, Source, State};

const SPACING: Duration = Duration::from_millis(20);
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(10), cap: Duration::from_millis(40) };

/// A job that runs.
pub struct Job {
    batches: mpsc::Receiver<Batch>,
    stop: watch::Sender<bool>,
    ended: JoinHandle<()>,
}

impl Job {
    pub fn start(config: &Config, cursors: &BTreeMap<String, Cursor>) -> Job {
        Job::with(config, cursors, Client::new(&config.http).unwrap())
    }

    fn with(config: &Config, cursors: &BTreeMap<String, Cursor>, client: Client) -> Job {
        Job::of(made(config, &tags(&["tiktokdown"]), cursors, clock::now()).unwrap(), client)
    }

    pub fn of(sources: Vec<Box<dyn Source>>, client: Client) -> Job {
        Job::looking_up(sources, None, client)
    }

    pub fn looking_up(sources: Vec<Box<dyn Source>>, profiles: Option<Profiles>, client: Client) -> Job {
        let (sender, batches) = mpsc::channel(1);
        let (stop, shutdown) = watch::channel(false);
        let ended = tokio::spawn(runner::run(sources, profiles, client, clock::now, BACKOFF, sender, shutdown));
        Job { batches, stop, ended }
    }

    pub async fn next(&mut self) -> Batch {
        timeout(Duration::from_secs(20), self.batches.recv()).await.unwrap().unwrap()
    }

    /// Ends it as a kill does: whatever is on its way is lost.
    pub fn kill(self) {
        self.ended.abort();
    }

    /// All batches until one that fulfils `last`.
    pub async fn until(&mut self, last: impl Fn(&Batch) -> bool) -> Vec<Batch> {
        let mut batches = Vec::new();
        loop {
            let batch = self.next().await;
            let done = last(&batch);
            batches.push(batch);
            if done {
                return batches;
            }
        }
    }
}

pub fn quick() -> Config {
    let mut config = config();
    AUTHORITY.file.path().clone_into(&mut config.http.authorities);
    config.http.answer_timeout = Duration::from_millis(400);
    config.bluesky.spacing = SPACING;
    config.bluesky.silence = Duration::from_millis(300);
    config.mastodon.spacing = SPACING;
    config.mastodon.fast = Duration::from_millis(20);
    config.mastodon.slow = Duration::from_millis(40);
    config
}

pub fn mastodon(address: SocketAddr) -> Config {
    let mut config = quick();
    config.bluesky.enabled = false;
    config.http.local_hosts = [address.to_string()].into();
    config.mastodon.instances = vec![format!("http://{address}")];
    config
}

pub fn bluesky(address: SocketAddr) -> Config {
    let mut config = quick();
    config.mastodon.enabled = false;
    config.http.local_hosts = [address.to_string()].into();
    config.bluesky.servers = vec![format!("ws://{address}")];
    config
}

fn has_posts(batch: &Batch) -> bool {
    batch.events.iter().any(|event| matches!(event, Event::Post(_)))
}

pub fn ids(batches: &[Batch]) -> BTreeSet<String> {
    let events = batches.iter().flat_map(|batch| &batch.events);
    events.filter_map(|event| if let Event::Post(post) = event { Some(post.id.clone()) } else { None }).collect()
}

#[tokio::test]
async fn what_is_read_is_stored_also_where_nothing_was_written() {
    let server = Http::start(|_, _| ok("[]")).await;
    let config = mastodon(server.address);
    let tags = tags(&["a", "b", "c", "d", "e", "f"]);
    let sources = made(&config, &tags, &BTreeMap::new(), clock::now()).unwrap();
    let mut job = Job::of(sources, Client::new(&config.http).unwrap());
    // Five hashtags of which none is known, before anything is asked of the sixth.
    let batches = job.until(|batch| batch.cursor.is_some()).await;
    let asked = server.asked();
    assert!(asked.iter().take(5).all(|(_, path)| !path.contains("tag/f")), "{asked:?}");
    let last = batches.last().unwrap();
    assert!(last.cursor.as_ref().unwrap().0.contains("read_until") && last.heard.is_none());
    assert!(batches.iter().all(|batch| batch.health.last_success.is_some()));
}

#[tokio::test]
async fn the_last_request_of_a_budget_is_not_followed_by_one_too_many() {
    let header = "x-ratelimit-remaining: 0\r\nx-ratelimit-reset: 1\r\n";
    let server = Http::start(move |_, _| Answer::Whole(200, header, "[]".to_owned())).await;
    let mut job = Job::start(&mastodon(server.address), &BTreeMap::new());
    assert_eq!(job.next().await.health.budget_left, Some(0));
    job.next().await;
    let asked = server.asked();
    assert!(asked[1].0 - asked[0].0 >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_redirect_to_a_private_address_is_not_followed() {
    let secret = Http::start(|_, _| ok("[]")).await;
    let location: &'static str = format!("location: http://{}/\r\n", secret.address).leak();
    let server = Http::start(move |_, _| Answer::Whole(302, location, String::new())).await;
    let mut config = mastodon(server.address);
    let mut job = Job::start(&config, &BTreeMap::new());
    let failure = job.until(|batch| batch.health.errors > 1).await.pop().unwrap().health.last_error.unwrap();
    assert!(failure.message.contains("is not asked"), "{}", failure.message);
    // Not even to a host that we speak to ourselves.
    config.http.local_hosts.insert(secret.address.to_string());
    let mut job = Job::start(&config, &BTreeMap::new());
    job.until(|batch| batch.health.errors > 1).await;
    assert!(secret.asked().is_empty());
}

#[tokio::test]
async fn redirects_within_a_host_are_followed_but_not_for_ever() {
    let server = Http::start(|_, path| {
        if path.contains("/moved") { ok("[]") } else { Answer::Whole(302, "location: /moved\r\n", String::new()) }
    })
    .await;
    let mut job = Job::start(&mastodon(server.address), &BTreeMap::new());
    job.until(|batch| batch.cursor.is_some()).await;
    let server = Http::start(|_, _| Answer::Whole(302, "location: /again\r\n", String::new())).await;
    let mut job = Job::start(&mastodon(server.address), &BTreeMap::new());
    job.until(|batch| batch.health.errors > 0).await;
    assert!(server.asked().len() <= 12, "{}", server.asked().len());
}

#[tokio::test]
async fn endless_pages_keep_to_the_budget() {
    let server = Http::start(|number, _| {
        let posts: Vec<serde_json::Value> = (0..40)
            .map(|post| {
                let id = (number * 40 + post).to_string();
                json!({"id": id, "created_at": Utc::now(), "uri": id, "content": "", "visibility": "public",
                    "account": {"acct": "a"}})
            })
            .collect();
        ok(&json!(posts).to_string())
    })
    .await;
    let begun = Instant::now();
    let mut job = Job::start(&mastodon(server.address), &BTreeMap::new());
    while begun.elapsed() < Duration::from_secs(1) {
        job.next().await;
    }
    let asked = server.asked().len();
    let allowed = begun.elapsed().as_millis() / SPACING.as_millis() + 1;
    assert!(asked > 10 && asked as u128 <= allowed, "{asked} requests, {allowed} allowed");
}

/// Frames of `count` posts, a second apart, the last one now.
pub fn frames(count: i64) -> Vec<(i64, String)> {
    let now = Utc::now();
    let frame = |number: i64| {
        let at = (now - TimeDelta::seconds(count - 1 - number)).timestamp_micros();
        let frame = json!({"did": "did:plc:synthetic", "time_us": at, "kind": "commit", "commit": {"operation": "create",
            "collection": "app.bsky.feed.post", "rkey": number.to_string(),
            "record": {"text": "synthetic", "createdAt": now}}});
        (at, frame.to_string())
    };
    (0..count).map(frame).collect()
}

/// The cursor that a job would have stored a second before the first frame.
pub fn before(frames: &[(i64, String)]) -> BTreeMap<String, Cursor> {
    [("bluesky".to_owned(), Cursor((frames[0].0 - 1_000_000).to_string()))].into()
}

pub fn without_gaps(config: &mut Config) {
    config.bluesky.silence = Duration::from_secs(5);
}

#[tokio::test]
async fn a_stream_that_breaks_goes_on_where_it_was() {
    let frames = frames(3000);
    let endings = vec![Ending::Drop(700), Ending::Close, Ending::Drop(0), Ending::Drop(1500), Ending::Stall];
    let server = Stream::start(frames.clone(), endings).await;
    let mut config = bluesky(server.address);
    without_gaps(&mut config);
    let mut job = Job::start(&config, &before(&frames));
    let mut batches = job.until(|batch| batch.caught_up && batch.health.state == State::Ok).await;
    batches.extend(job.until(|batch| batch.health.errors >= 4).await);
    let all: BTreeSet<String> = batches
        .iter()
        .flat_map(|batch| &batch.events)
        .map(|event| match event {
            Event::Post(post) => post.id.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(all.len(), 3000);
    let mut until = None;
    for (from, to) in batches.iter().filter_map(|batch| batch.heard) {
        assert!(until.is_none_or(|until| until == from));
        until = Some(to);
    }
    let cursors = server.cursors.lock().unwrap();
    // After the 700th frame, and five seconds before that.
    assert_eq!(cursors[1].1, frames[699].0 - 5_000_000);
    assert!(cursors.windows(2).all(|pair| pair[1].0 - pair[0].0 >= SPACING / 2));
}

#[tokio::test]
async fn version_2_is_read_packed_from_the_same_cursor() {
    let frames = frames(3000);
    let wire = Wire::Two(dictionary(4242));
    let endings = vec![Ending::Drop(700), Ending::Close, Ending::Stall];
    let server = Stream::speaking(wire, frames.clone(), endings).await;
    let mut config = bluesky(server.address);
    without_gaps(&mut config);
    let mut job = Job::start(&config, &before(&frames));
    let mut batches = job.until(|batch| batch.health.errors >= 2).await;
    batches.extend(job.until(|batch| batch.caught_up && batch.health.state == State::Ok).await);
    assert_eq!(ids(&batches).len(), 3000);
    assert!(batches.iter().all(|batch| batch.health.odd == 0));
    let cursors = server.cursors.lock().unwrap();
    assert_eq!(cursors[1].1, frames[699].0 - 5_000_000);
}

#[tokio::test]
async fn a_stream_that_stalls_or_sends_rubbish_is_silent() {
    for ending in [Ending::Stall, Ending::Rubbish] {
        let mut frames = frames(2);
        frames.truncate(1);
        let server = Stream::start(frames.clone(), vec![ending]).await;
        let mut job = Job::start(&bluesky(server.address), &before(&frames));
        let batch = job.until(|batch| batch.health.state == State::Silent).await.pop().unwrap();
        assert!(batch.health.last_error.unwrap().message.contains("sent nothing"));
        job.until(|batch| batch.health.errors >= 3).await;
        let opened = server.cursors.lock().unwrap().len();
        assert!((3..=4).contains(&opened), "{opened}");
    }
}

#[tokio::test]
async fn a_server_that_slams_the_door_is_not_hammered() {
    let server = Stream::start(Vec::new(), vec![Ending::Drop(0)]).await;
    let mut config = bluesky(server.address);
    config.bluesky.spacing = Duration::from_millis(50);
    let begun = Instant::now();
    let mut job = Job::start(&config, &BTreeMap::new());
    job.until(|_| begun.elapsed() > Duration::from_millis(600)).await;
    let opened = server.cursors.lock().unwrap().len() as u128;
    let allowed = begun.elapsed().as_millis() / 50 + 1;
    assert!(opened > 2 && opened <= allowed, "{opened} connections, {allowed} allowed");
}

#[tokio::test]
async fn a_shutdown_ends_every_wait() {
    // While an answer is awaited, while waiting for the next request, and while nobody takes a batch.
    let slow = Http::start(|_, _| Answer::Slow).await;
    let idle = Http::start(|_, _| ok("[]")).await;
    let stream = Stream::start(frames(5000), vec![Ending::Stall]).await;
    let mut patient = mastodon(idle.address);
    patient.mastodon.fast = Duration::from_secs(60);
    patient.mastodon.slow = Duration::from_secs(60);
    for (config, cursors) in [
        (mastodon(slow.address), BTreeMap::new()),
        (patient, BTreeMap::new()),
        (bluesky(stream.address), BTreeMap::new()),
    ] {
        let job = Job::start(&config, &cursors);
        tokio::time::sleep(Duration::from_millis(150)).await;
        job.stop.send(true).unwrap();
        timeout(Duration::from_millis(500), job.ended).await.unwrap().unwrap();
        let mut batches = job.batches;
        let mut last = None;
        while let Some(batch) = batches.recv().await {
            last = Some(batch);
        }
        // A full queue has no room for farewells.
        assert!(
            last.is_some_and(|batch| batch.health.state == State::Stopped
                || has_posts(&batch)
                || batch.cursor.is_some())
        );
    }
}

#[tokio::test]
async fn kills_lose_and_double_nothing() {
    let frames = frames(5000);
    let server = Stream::start(frames.clone(), vec![Ending::Stall]).await;
    let mut config = bluesky(server.address);
    without_gaps(&mut config);
    let mut cursors = before(&frames);
    let mut stored = Vec::new();
    let client = Client::new(&config.http).unwrap();
    let end = Some(Cursor(frames[4999].0.to_string()));
    for life in 0.. {
        let mut job = Job::with(&config, &cursors, client.clone());
        for _ in 0..life % 3 {
            let batch = job.next().await;
            if let Some(cursor) = &batch.cursor {
                cursors.insert(batch.source.clone(), cursor.clone());
            }
            stored.push(batch);
            if cursors.get("bluesky") == end.as_ref() {
                break;
            }
        }
        job.kill();
        if cursors.get("bluesky") == end.as_ref() {
            break;
        }
    }
    assert_eq!(ids(&stored).len(), 5000);
    let mut until = None;
    for (from, to) in stored.iter().filter_map(|batch| batch.heard) {
        assert!(until.is_none_or(|until| until == from));
        until = Some(to);
    }
}

#[tokio::test]
async fn the_example_of_the_documentation_works() {
    let documentation = include_str!("../../docs/sources.md");
    assert!(documentation.contains(include_str!("newsletter.rs")), "docs/sources.md shows another one");
    let server = Http::start(|number, _| match number {
        1 => ok("<html>"),
        2 => Answer::Whole(503, "", String::new()),
        _ => ok(r#"[{"id":"1","at":"2026-01-01T00:00:00Z","by":"synthetic","text":"down"},{"id":null}]"#),
    })
    .await;
    let read_until = Utc::now() - TimeDelta::hours(1);
    let url = format!("http://{}/outages.json", server.address).parse().unwrap();
    let newsletter = Newsletter { url, every: SPACING, due: read_until, read_until };
    let client = Client::new(&mastodon(server.address).http).unwrap();
    let mut job = Job::of(vec![Box::new(newsletter)], client);
    let batch = job.until(|batch| batch.cursor.is_some()).await.pop().unwrap();
    assert_eq!((batch.health.errors, batch.health.odd, batch.seen, batch.events.len()), (2, 1, 2, 1));
    assert_eq!(batch.heard.unwrap().0, read_until);
}
