//! WebSockets that break in every way, for each source that streams.

use crate::config;
use crate::runner::{Job, before, bluesky, frames, ids, quick, without_gaps};
use crate::servers::{Answer, Ending, Http, STREAM_KEY, Stream};
use chrono::Utc;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::timeout;
use whatsdown::post::Event;
use whatsdown::reading::{Catalogue, Service};
use whatsdown::secret::KeyPlace;
use whatsdown::source::http::Client;
use whatsdown::source::keyed::{Given, Watched, build};
use whatsdown::source::{Batch, Config, Cursor, Found, Reply, Source, State};

/// Every way in which a stream breaks, and what is said of it.
const FAULTS: [(Ending, &str); 7] = [
    (Ending::Drop(usize::MAX), "without closing"), // what a program calls 1006
    (Ending::Close, "closed the stream"),
    (Ending::Stall, "sent nothing"),
    (Ending::Rubbish, "sent nothing"),
    (Ending::Noise, "closed the stream"),
    (Ending::Huge, "closed the stream"),
    (Ending::Half, "sent nothing"),
];

/// The sources that are held against them here.
pub const STREAMS: [&str; 2] = ["bluesky", "mastodon:HOST:streaming"];

async fn until(job: &mut Job, last: impl Fn(&Batch) -> bool) -> Vec<Batch> {
    timeout(Duration::from_secs(10), job.until(last)).await.unwrap()
}

#[tokio::test]
async fn jetstream_goes_on_after_every_fault() {
    futures_util::future::join_all(FAULTS.map(async |(fault, said)| {
        let frames = frames(60);
        let server = Stream::start(frames.clone(), vec![fault, Ending::Stall]).await;
        let mut config = bluesky(server.address);
        without_gaps(&mut config);
        config.bluesky.silence = Duration::from_secs(2);
        let mut job = Job::start(&config, &before(&frames));
        let mut batches = until(&mut job, |batch| batch.health.errors == 1).await;
        let error = batches.last().unwrap().health.last_error.clone().unwrap();
        assert!(error.message.contains(said) && error.retry_at.is_some(), "{}", error.message);
        // Connected again, it reads the last five seconds once more.
        batches.extend(until(&mut job, |batch| batch.health.state == State::Ok && batch.cursor.is_some()).await);
        assert_eq!(ids(&batches).len(), 60, "{said}");
        assert!(server.cursors.lock().unwrap().len() >= 2);
    }))
    .await;
}

/// What Mastodon sends for a post.
fn update(id: usize) -> String {
    let status = json!({"id": id.to_string(), "created_at": Utc::now(), "uri": format!("https://social.example/{id}"),
        "content": "<p>synthetic</p>", "visibility": "public", "account": {"acct": "a"}});
    json!({"stream": ["public"], "event": "update", "payload": status.to_string()}).to_string()
}

fn deletion(id: usize) -> String {
    json!({"stream": ["public"], "event": "delete", "payload": id.to_string()}).to_string()
}

/// An instance that streams from `stream`, and the source that reads it.
async fn streaming(stream: &str) -> (Http, Config, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, STREAM_KEY).unwrap();
    let instance = json!({"domain": "social.example", "configuration": {"urls": {"streaming": stream}}});
    let server = Http::of_instance(instance.to_string(), |_, _| Answer::Whole(401, "", String::new())).await;
    let mut config = quick();
    config.mastodon_streaming.instance = format!("http://{}", server.address);
    config.mastodon_streaming.token = KeyPlace { env: String::new(), file };
    config.mastodon_streaming.silence = Duration::from_millis(700);
    let host = stream.trim_start_matches("ws://").to_owned();
    config.http.local_hosts = [server.address.to_string(), host].into();
    (server, config, folder)
}

fn source(config: &Config, cursors: &BTreeMap<String, Cursor>) -> Box<dyn Source> {
    let catalogue = Catalogue::embedded().unwrap();
    let watched =
        |service: &Service| Watched { id: service.id.to_string(), name: service.name.clone(), ..Watched::default() };
    let services: Vec<Watched> = catalogue.services().iter().map(watched).collect();
    let keyed = build(config, &Given { services: &services, cursors, now: Utc::now() });
    keyed.unwrap().on.into_iter().find(|source| source.network() == "mastodon").unwrap()
}

fn job(config: &Config) -> Job {
    Job::of(vec![source(config, &BTreeMap::new())], Client::new(&config.http).unwrap())
}

#[tokio::test]
async fn mastodons_stream_goes_on_after_every_fault_and_tells_the_gap() {
    futures_util::future::join_all(FAULTS.map(async |(fault, said)| {
        let frames: Vec<(i64, String)> = (0..60).map(|id| (id as i64, update(id))).collect();
        let stream = Stream::start(frames, vec![fault, Ending::Stall]).await;
        let (_instance, config, _folder) = streaming(&format!("ws://{}", stream.address)).await;
        let mut job = job(&config);
        let mut batches = until(&mut job, |batch| batch.health.errors == 1).await;
        let error = batches.last().unwrap().health.last_error.clone().unwrap();
        assert!(error.message.contains(said), "{}", error.message);
        batches.extend(until(&mut job, |batch| batch.health.state == State::Ok && batch.cursor.is_some()).await);
        assert_eq!(ids(&batches).len(), 60, "{said}");
        let mut heard = None;
        for (from, until) in batches.iter().filter_map(|batch| batch.heard) {
            assert!(heard.is_none_or(|heard| heard == from), "{said}: what is heard goes on where it was");
            heard = Some(until);
        }
        let events = batches.iter().flat_map(|batch| &batch.events);
        let gaps = events.filter(|event| matches!(event, Event::Gap(gap) if gap.from < gap.until)).count();
        assert_eq!(gaps, 1, "{said}: what was written meanwhile is lost, and told");
        assert!(batches.iter().all(|batch| !format!("{batch:?}").contains(STREAM_KEY)));
    }))
    .await;
}

#[tokio::test]
async fn a_stream_that_does_not_take_the_token_ends_with_a_hint() {
    let refusal = (0, json!({"error": "Access to this feed is not allowed", "status": 401}).to_string());
    let stream = Stream::start(vec![refusal], vec![Ending::Stall]).await;
    let (instance, says_so, _folder) = streaming(&format!("ws://{}", stream.address)).await;
    // And one that answers 401 to the upgrade.
    let (_other, answers_so, _other_folder) = streaming(&format!("ws://{}", instance.address)).await;
    for config in [says_so, answers_so] {
        let mut job = job(&config);
        let batch = until(&mut job, |batch| batch.health.errors > 0).await.pop().unwrap();
        let error = batch.health.last_error.unwrap();
        assert!(error.retry_at.is_none() && error.message.contains("docs/keys.md"), "{}", error.message);
        assert!(!error.message.contains(STREAM_KEY));
    }
}

#[test]
fn deletions_name_what_was_read_here() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, STREAM_KEY).unwrap();
    let mut config = config();
    config.mastodon_streaming.instance = "social.example".to_owned();
    config.mastodon_streaming.token = KeyPlace { env: String::new(), file };
    let mut source = source(&config, &BTreeMap::new());
    let now = Utc::now();
    let mut found = Found::default();
    let odd = json!({"event": "update", "payload": "{}"}).to_string();
    let kept: Value = json!({"event": "notification", "payload": "{}"});
    for frame in [update(1), deletion(2), deletion(1), odd, kept.to_string()] {
        source.read(Reply::Frame(&frame), now, &mut found).unwrap();
    }
    assert_eq!((found.events.len(), found.seen, found.odd), (2, 2, 1));
    assert!(matches!(&found.events[1], Event::Deleted(key) if key.id == "https://social.example/1"));
    for rubbish in ["", "[]", "{\"event\":7}"] {
        assert!(source.read(Reply::Frame(rubbish), now, &mut Found::default()).is_err());
    }
    assert_eq!(source.cursor().unwrap().0, now.to_rfc3339());
}
