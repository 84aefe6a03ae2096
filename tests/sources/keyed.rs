//! The sources that need a key: off without it, what they read, what they spend, and where the keys do not go.

use crate::runner::Job;
use crate::servers::{Answer, Http, ok};
use crate::{config, page, time};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::timeout;
use whatsdown::post::{Event, Post};
use whatsdown::secret::KeyPlace;
use whatsdown::source::feed::{News, Official};
use whatsdown::source::http::Client;
use whatsdown::source::keyed::{Given, Keyed, Watched, build};
use whatsdown::source::spending::Micros;
use whatsdown::source::{Batch, Config, ConfigError, Cursor, Found, Reply, Source, State};

const COUNTS: &str = include_str!("../../fixtures/sources/x/counts.json");
const TWEETS: &str = include_str!("../../fixtures/sources/x/search.json");
const LISTING: &str = include_str!("../../fixtures/sources/reddit/search.json");
pub const TOKEN: &str = include_str!("../../fixtures/sources/reddit/token.json");
const THREADS: &str = include_str!("../../fixtures/sources/threads/keyword_search.json");
const OUTAGES: &str = include_str!("../../fixtures/sources/radar/outages.json");
const TAGGED: &str = include_str!("../../fixtures/sources/tumblr/tagged.json");

pub const KEY: &str = "S3cr3t-of-the-tests";
const NAMES: [&str; 6] = ["x:counts", "x:search", "reddit", "threads", "tumblr", "radar"];

/// The defaults, with every key in a file, and every server at `server`.
pub struct Lab {
    pub config: Config,
    folder: tempfile::TempDir,
}

impl Lab {
    pub fn new(server: &str) -> Lab {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, format!("{KEY}\n")).unwrap();
        let mut config = config();
        let place = KeyPlace { env: String::new(), file };
        config.x.token = place.clone();
        config.reddit.id = place.clone();
        config.reddit.secret = place.clone();
        config.threads.token = place.clone();
        config.tumblr.key = place.clone();
        config.radar.token = place;
        for at in [
            &mut config.x.server,
            &mut config.reddit.server,
            &mut config.reddit.token_server,
            &mut config.threads.server,
            &mut config.tumblr.server,
            &mut config.radar.server,
            &mut config.hackernews.server,
            &mut config.ioda.server,
        ] {
            server.clone_into(at);
        }
        for services in [
            &mut config.x.services,
            &mut config.reddit.services,
            &mut config.threads.services,
            &mut config.tumblr.services,
        ] {
            *services = vec!["tiktok".to_owned()];
        }
        config.lemmy.instances = vec![server.to_owned()];
        let url = format!("{server}/feed");
        config.feeds.news = vec![News { name: "news".to_owned(), url: url.clone() }];
        config.feeds.official = vec![Official { service: "tiktok".to_owned(), url }];
        config.http.local_hosts = [server.trim_start_matches("http://").to_owned()].into();
        Lab { config, folder }
    }

    /// Quick enough for a test.
    pub fn at(server: &Http) -> Lab {
        let mut lab = Lab::new(&format!("http://{}", server.address));
        let quick = Duration::from_millis(20);
        (lab.config.x.counts.every, lab.config.radar.every) = (quick, quick);
        for every in [&mut lab.config.status.every, &mut lab.config.ioda.every, &mut lab.config.feeds.every] {
            *every = 2 * quick; // jitter, and pages of two halves
        }
        (lab.config.hackernews.pace.pages, lab.config.lemmy.pace.pages) = (3, 3);
        lab.config.x.counts.dollars_a_day = Micros(1_000_000_000_000);
        lab.config.x.search.price.dollars_a_day = Micros(1_000_000_000);
        for pace in [
            &mut lab.config.x.search.pace,
            &mut lab.config.reddit.pace,
            &mut lab.config.threads.pace,
            &mut lab.config.tumblr.pace,
            &mut lab.config.hackernews.pace,
            &mut lab.config.lemmy.pace,
        ] {
            (pace.spacing, pace.every) = (quick, quick);
        }
        lab
    }

    fn build(&self, cursors: &BTreeMap<String, Cursor>, now: DateTime<Utc>) -> Result<Keyed, ConfigError> {
        build(&self.config, &Given { services: &services(), cursors, now })
    }

    pub fn source(&self, name: &str, cursors: &BTreeMap<String, Cursor>, now: DateTime<Utc>) -> Box<dyn Source> {
        let keyed = self.build(cursors, now).unwrap();
        keyed.on.into_iter().find(|source| source.name() == name).unwrap()
    }

    fn job(&self, name: &str, cursors: &BTreeMap<String, Cursor>) -> Job {
        Job::of(vec![self.source(name, cursors, Utc::now())], Client::new(&self.config.http).unwrap())
    }
}

pub fn services() -> Vec<Watched> {
    let watched = |(id, name): (&str, &str)| Watched { id: id.to_owned(), name: name.to_owned(), ..Watched::default() };
    [("tiktok", "TikTok"), ("x", "X"), ("primevideo", "Prime Video")].map(watched).into()
}

/// Asks once and reads the answer.
fn turn(source: &mut dyn Source, body: &str, now: DateTime<Utc>) -> (String, Found) {
    let request = source.next(now);
    let mut found = Found::default();
    source.read(Reply::Page(&page(200, body, now)), now, &mut found).unwrap();
    (request.url.to_string(), found)
}

fn posts(found: &Found) -> Vec<&Post> {
    found.events.iter().filter_map(|event| if let Event::Post(post) = event { Some(post) } else { None }).collect()
}

fn none() -> BTreeMap<String, Cursor> {
    BTreeMap::new()
}

/// An answer with nothing in it, for whichever source asks.
fn empty(path: &str) -> String {
    let empty = if path.contains("counts") {
        json!({"data": [], "meta": {"total_tweet_count": 0}})
    } else if path.contains("tweets") {
        json!({"meta": {"result_count": 0}})
    } else if path.contains("/access_token") {
        return TOKEN.to_owned();
    } else if path.starts_with("/search") {
        json!({"kind": "Listing", "data": {"children": [], "after": null}})
    } else if path.contains("/radar/") {
        json!({"success": true, "result": {"annotations": []}})
    } else if path.contains("keyword_search") {
        json!({"data": []})
    } else {
        json!({"meta": {"status": 200, "msg": "OK"}, "response": []})
    };
    empty.to_string()
}

#[test]
fn without_a_key_a_source_is_off_and_says_how_to_turn_it_on() {
    let given = Given { services: &services(), cursors: &none(), now: Utc::now() };
    let mut config = Lab::new("x.example").config;
    for place in [
        &mut config.mastodon_streaming.token,
        &mut config.x.token,
        &mut config.reddit.id,
        &mut config.reddit.secret,
        &mut config.threads.token,
        &mut config.tumblr.key,
        &mut config.radar.token,
    ] {
        *place = KeyPlace { env: "WHATSDOWN_TEST_NEVER_SET".to_owned(), ..KeyPlace::default() };
    }
    let keyed = build(&config, &given).unwrap();
    assert!(keyed.on.is_empty());
    let off: Vec<&str> = keyed.off.iter().map(|off| off.source).collect();
    assert_eq!((off[0], &off[1..]), ("mastodon:streaming", &NAMES[..]));
    assert!(keyed.off.iter().all(|off| off.why.contains("set WHATSDOWN_TEST_NEVER_SET")));
    let on = Lab::new("x.example").build(&none(), Utc::now()).unwrap().on;
    assert_eq!(on.iter().map(|source| source.name()).collect::<Vec<_>>(), NAMES);
}

#[test]
fn a_key_that_is_named_but_missing_and_an_unknown_service_are_errors() {
    let mut lab = Lab::new("x.example");
    lab.config.tumblr.services = vec!["titkok".to_owned()];
    let error = lab.build(&none(), Utc::now()).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("sources.tumblr.services") && error.contains("titkok"), "{error}");
    let mut lab = Lab::new("x.example");
    lab.config.threads.token.file = lab.folder.path().join("nothing here");
    let error = lab.build(&none(), Utc::now()).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("sources.threads.token") && error.contains("nothing here"), "{error}");
}

#[test]
fn x_is_not_asked_about_itself() {
    let mut lab = Lab::new("x.example");
    lab.config.x.services = vec!["x".to_owned()];
    let off = lab.build(&none(), Utc::now()).unwrap().off;
    assert_eq!(off.iter().map(|off| off.source).collect::<Vec<_>>(), ["mastodon:streaming", "x:counts", "x:search"]);
    lab.config.x.services.push("primevideo".to_owned());
    let mut source = lab.source("x:search", &none(), Utc::now());
    let query = source.next(Utc::now()).url.query_pairs().next().unwrap().1.into_owned();
    assert!(query.starts_with("(\"Prime Video\") (down OR "), "{query}");
}

#[test]
fn counts_of_whole_minutes_become_volumes() {
    let now = time("2026-07-04T14:34:10Z");
    let mut source = Lab::new("api.x.example").source("x:counts", &none(), now);
    let (url, found) = turn(&mut *source, COUNTS, now);
    assert!(url.starts_with("https://api.x.example/2/tweets/counts/recent?query=%22TikTok%22+"), "{url}");
    assert!(url.ends_with("&granularity=minute&start_time=2026-07-04T08%3A34%3A00Z"), "{url}");
    let volumes: Vec<(DateTime<Utc>, u64)> = found
        .events
        .iter()
        .map(|event| if let Event::Volume(volume) = event { (volume.at, volume.posts) } else { panic!("{event:?}") })
        .collect();
    assert_eq!(volumes, [(time("2026-07-04T14:31:00Z"), 30), (time("2026-07-04T14:32:00Z"), 411)]);
    assert_eq!((found.seen, found.heard), (0, None), "nobody read a post");
    // The last minutes are counted again, since posts are found late.
    let cursors = [("x:counts".to_owned(), source.cursor().unwrap())].into();
    let mut again = Lab::new("api.x.example").source("x:counts", &cursors, now);
    assert!(again.next(now).url.as_str().ends_with("start_time=2026-07-04T14%3A28%3A00Z"));
}

#[test]
fn found_posts_of_x_are_counted_and_never_quoted() {
    let now = time("2026-07-04T14:34:10Z");
    let mut source = Lab::new("api.x.example").source("x:search", &none(), now);
    let (url, found) = turn(&mut *source, TWEETS, now);
    assert!(url.contains("/2/tweets/search/recent?query=%28TikTok%29+%28down+OR+") && url.contains("max_results=100"));
    let [one, two] = posts(&found)[..] else { panic!("{:?}", found.events) };
    assert_eq!((found.seen, found.odd), (3, 1));
    assert_eq!((one.source.as_str(), one.id.as_str(), one.author.as_str()), ("x", "1900000000000000003", "7000001"));
    assert_eq!((one.lang.as_deref(), two.lang.as_deref()), (Some("en"), None));
    assert_eq!(two.reply_to.as_deref(), Some("1899999999999999999"));
    assert!(one.noindex && two.noindex, "deletions are not told");
    assert!(source.next(now).url.as_str().contains("next_token=b26v89c19zqg8o3fpzbn1e0"), "the page is not the last");
}

#[test]
fn reddit_gets_a_token_and_then_posts_and_deletions() {
    let now = time("2026-07-04T14:34:10Z");
    let mut lab = Lab::new("reddit.example");
    lab.config.reddit.subreddits = vec!["r/synthetic".to_owned()];
    let mut source = lab.source("reddit", &none(), now);
    let (url, found) = turn(&mut *source, TOKEN, now);
    assert_eq!(url, "https://reddit.example/api/v1/access_token");
    assert!(found.events.is_empty() && source.cursor().is_none());
    let (url, found) = turn(&mut *source, LISTING, now);
    assert!(url.starts_with("https://reddit.example/search?q=%28TikTok%29+") && url.contains("sort=new"), "{url}");
    let [one, two] = posts(&found)[..] else { panic!("{:?}", found.events) };
    assert_eq!(one.text, "Is TikTok down for anyone else?\nSynthetic: can't log in & the feed is empty");
    assert_eq!((one.id.as_str(), one.author.as_str(), one.noindex), ("t3_syn1", "synthetic_one", false));
    assert_eq!(one.url.as_deref(), Some("https://www.reddit.com/r/synthetic/comments/syn1/title/"));
    assert!(two.noindex);
    assert!(matches!(&found.events[2], Event::Deleted(key) if key.id == "t3_syn3"));
    assert_eq!(found.odd, 1);
    // The other query comes before the second page of the first.
    let (url, _) = turn(&mut *source, &empty("/search"), now);
    assert!(url.starts_with("https://reddit.example/r/synthetic/new?"), "{url}");
    assert!(source.next(now).url.as_str().contains("&after="));
    // A day later the token is renewed.
    let later = now + TimeDelta::hours(24);
    assert_eq!(source.next(later).url.path(), "/api/v1/access_token");
}

#[test]
fn threads_counts_as_heard_only_when_it_shows_what_others_write() {
    let now = time("2026-07-04T14:34:10Z");
    let own = json!({"data": [{"id": "1", "text": "Synthetic", "username": "owner",
        "timestamp": "2026-07-04T14:33:09+0000"}]});
    let mut source = Lab::new("threads.example").source("threads", &none(), now);
    for body in [&own.to_string(), "{\"data\":[]}"] {
        let (_, found) = turn(&mut *source, body, now);
        assert_eq!((found.heard, found.caught_up), (None, true), "it may be that only the owner's posts are searched");
    }
    let (url, found) = turn(&mut *source, THREADS, now);
    assert!(url.contains("/v1.0/keyword_search?q=TikTok+down&search_type=RECENT"), "{url}");
    let [one, picture] = posts(&found)[..] else { panic!("{:?}", found.events) };
    assert_eq!((one.created_at, picture.text.as_str()), (time("2026-07-04T14:33:09Z"), ""));
    assert_eq!((found.odd, found.heard.map(|heard| heard.1)), (1, Some(now)));
}

#[test]
fn tumblrs_tags_are_words() {
    let now = time("2026-07-04T14:34:10Z");
    let mut source = Lab::new("tumblr.example").source("tumblr", &none(), now);
    let (url, found) = turn(&mut *source, TAGGED, now);
    assert_eq!(url, "https://tumblr.example/v2/tagged?tag=tiktok+down&limit=20");
    let [one, shared] = posts(&found)[..] else { panic!("{:?}", found.events) };
    assert!(
        one.text.starts_with("Synthetic: is it down?\nI can") && one.text.ends_with("#tiktokdown #TikTok"),
        "{}",
        one.text
    );
    assert_eq!(shared.repost_of.as_deref(), Some("779999999999999999"));
    assert_eq!((found.odd, found.heard.map(|heard| heard.1)), (1, Some(now)));
}

#[test]
fn outages_of_radar_are_notices_of_a_program() {
    let now = time("2026-07-04T14:34:10Z");
    let mut source = Lab::new("radar.example").source("radar", &none(), now);
    let (url, found) = turn(&mut *source, OUTAGES, now);
    assert_eq!(url, "https://radar.example/client/v4/radar/annotations/outages?dateRange=7d&limit=100&format=json");
    let [outage] = posts(&found)[..] else { panic!("{:?}", found.events) };
    assert_eq!(outage.text, "Synthetic Telstra Carrier: Synthetic: an outage of Telstra's network");
    assert_eq!((outage.bot, outage.location.as_deref()), (true, Some("Australia")));
    assert_eq!(
        (outage.created_at, outage.url.as_deref()),
        (time("2026-07-04T12:00:00Z"), Some("https://status.example/synthetic"))
    );
    assert_eq!((found.odd, found.heard, found.caught_up), (1, None, true), "nobody was listened to");
}

/// A page of Reddit with posts of every second from `newest` back.
fn listing(newest: DateTime<Utc>, count: i64) -> String {
    let children: Vec<Value> = (0..count)
        .map(|back| {
            let at = newest.timestamp() - back;
            json!({"kind": "t3", "data": {"name": format!("t3_{at}"), "title": "synthetic", "author": "synthetic",
                "created_utc": at, "permalink": "/"}})
        })
        .collect();
    json!({"kind": "Listing", "data": {"children": children, "after": format!("t3_{}", newest.timestamp() - count)}})
        .to_string()
}

#[test]
fn a_search_is_read_back_to_where_it_was_and_what_is_too_much_is_a_gap() {
    let now = time("2026-07-04T14:34:10Z");
    let mut lab = Lab::new("reddit.example");
    lab.config.reddit.pace.pages = 3;
    let mut source = lab.source("reddit", &none(), now);
    turn(&mut *source, TOKEN, now);
    // A whole day is wanted, and three pages are two minutes.
    for number in 0..3 {
        let (_, found) = turn(&mut *source, &listing(now - TimeDelta::seconds(number * 40), 40), now);
        assert_eq!(found.heard.is_some(), number == 2);
        let gap = found.events.iter().find_map(|event| if let Event::Gap(gap) = event { Some(gap) } else { None });
        assert_eq!(
            gap.map(|gap| (gap.from, gap.until)),
            (number == 2).then(|| { (now - TimeDelta::hours(24), now - TimeDelta::seconds(118)) })
        );
    }
    // From there on nothing is missing, and two failures in the middle begin again at the newest post.
    let later = now + TimeDelta::minutes(10);
    let (url, _) = turn(&mut *source, &listing(later, 40), later);
    assert!(!url.contains("after="));
    assert!(source.next(later).url.as_str().contains("after="));
    // The page is asked for once more, then it may be none any more.
    for again in [true, false] {
        source.failed(later);
        let request = source.next(later);
        assert!(request.url.as_str().contains("after=") == again && request.at > later);
        assert!(source.cursor().unwrap().0.contains("2026-07-04T14:34:10Z"), "it has not moved");
    }
    let (_, found) = turn(&mut *source, &listing(later, 1000), later + TimeDelta::minutes(2));
    assert!(found.heard.is_some() && !found.events.iter().any(|event| matches!(event, Event::Gap(_))));
}

#[tokio::test]
async fn a_wrong_key_ends_the_source_with_a_hint_that_does_not_show_it() {
    for name in NAMES {
        for code in [401, 402, 403] {
            let server = Http::start(move |_, path| {
                // The refusal may repeat the key; nobody else does.
                Answer::Whole(code, "", format!("{{\"error\":\"{path} {KEY}\"}}"))
            })
            .await;
            let lab = Lab::at(&server);
            let mut job = lab.job(name, &none());
            let batch = job.until(|batch| batch.health.errors > 0).await.pop().unwrap();
            let failure = batch.health.last_error.clone().unwrap();
            assert_eq!((batch.health.state, failure.retry_at), (State::Degraded, None), "{name} {code}");
            assert!(failure.message.contains("docs/keys.md"), "{}", failure.message);
            assert!(
                !format!("{batch:?}").contains(KEY) && !serde_json::to_string(&batch.health).unwrap().contains(KEY)
            );
            let requests = server.requests.lock().unwrap();
            assert_eq!(requests.len(), 1, "{name} {code}");
            let request = requests[0].to_lowercase();
            let sent = match name {
                "threads" => request.contains(&format!("&access_token={}", KEY.to_lowercase())),
                "tumblr" => request.contains(&format!("&api_key={}", KEY.to_lowercase())),
                "reddit" => {
                    request.contains("authorization: basic ") && request.ends_with("grant_type=client_credentials")
                }
                _ => request.contains(&format!("authorization: bearer {}", KEY.to_lowercase())),
            };
            assert!(sent, "{request}");
        }
    }
}

fn last_cursor(batches: &[Batch]) -> Option<Cursor> {
    batches.iter().rev().find_map(|batch| batch.cursor.clone())
}

#[tokio::test]
async fn no_more_is_spent_than_a_day_allows_over_all_restarts() {
    for (name, allowed) in [("x:counts", 4), ("x:search", 5)] {
        let post = json!({"id": "1", "text": "synthetic", "created_at": Utc::now(), "author_id": "1"});
        let tweets = json!({"data": vec![post; 10], "meta": {"result_count": 10}}).to_string();
        let server =
            Http::start(move |_, path| ok(if path.contains("counts") { COUNTS } else { tweets.as_str() })).await;
        let mut lab = Lab::at(&server);
        lab.config.x.counts.dollars_a_day = Micros(20_000);
        lab.config.x.search.price.dollars_a_day = Micros(250_000);
        let mut cursors = none();
        for _ in 0..12 {
            let mut job = lab.job(name, &cursors);
            // The job is killed as soon as anything is stored: before the answer, or after it.
            let Ok(batches) = timeout(Duration::from_millis(300), job.until(|_| true)).await else { continue };
            if let Some(cursor) = last_cursor(&batches) {
                cursors.insert(name.to_owned(), cursor);
            }
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
        let asked = server.asked().len();
        assert!((1..=allowed).contains(&asked), "{name}: {asked} requests");
    }
}
