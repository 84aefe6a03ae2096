//! A day of a simulated Mastodon instance: posts arrive late, requests fail, the job is killed.

use crate::{build, config, page, tags, time};
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Url;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use whatsdown::post::Event;
use whatsdown::source::{Config, Cursor, Found, Page, Reply, Span};

/// The latest that a post arrives, in seconds: as late as the default overlap finds it.
const OVERLAP: f64 = 300.0;
const NAME: &str = "mastodon:social.example";

struct Post {
    id: u64,
    tag: String,
    written: DateTime<Utc>,
    arrives: DateTime<Utc>,
}

/// Files posts by when they were written, and shows those that have arrived, as Mastodon does.
struct Instance {
    /// By id.
    posts: Vec<Post>,
    /// When each hashtag was first seen.
    known: BTreeMap<String, DateTime<Utc>>,
}

impl Instance {
    fn new(
        random: &mut fastrand::Rng,
        tags: &[String],
        from: DateTime<Utc>,
        until: DateTime<Utc>,
        onset: DateTime<Utc>,
        everyday: usize,
    ) -> Instance {
        let mut posts = Vec::new();
        let mut add = |random: &mut fastrand::Rng, tag: &str, written: DateTime<Utc>| {
            let delay = if random.u8(..10) == 0 { OVERLAP * random.f64() } else { 2.0 * random.f64() };
            let id = ((written.timestamp_millis() as u64) << 16) | u64::from(random.u16(..));
            let arrives = written + TimeDelta::milliseconds((delay * 1000.0) as i64);
            posts.push(Post { id, tag: tag.to_owned(), written, arrives });
        };
        let seconds = (until - from).num_seconds();
        for tag in tags {
            for _ in 0..random.usize(..everyday) {
                let written = from + TimeDelta::seconds(random.i64(0..seconds));
                add(random, tag, written);
            }
        }
        // An outage: four posts a second at its height.
        for _ in 0..4000 {
            let after = -random.f64().max(1e-9).ln() * 900_000.0;
            add(random, &tags[0], onset + TimeDelta::milliseconds(after as i64));
        }
        posts.sort_by_key(|post| post.id);
        let mut known = BTreeMap::new();
        for post in &posts {
            let since = known.entry(post.tag.clone()).or_insert(post.arrives);
            *since = post.arrives.min(*since);
        }
        Instance { posts, known }
    }

    fn answer(&self, url: &Url, at: DateTime<Utc>) -> Page {
        if url.path() == "/api/v2/instance" {
            return page(200, "{}", at);
        }
        let wanted = hashtags(url);
        let main = &wanted[0];
        let parameter = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, id)| id.parse().unwrap());
        assert!(wanted.len() <= 5, "{url}");
        if self.known.get(main).is_none_or(|since| *since > at) {
            return page(404, "{\"error\":\"Record not found\"}", at);
        }
        let shown = |post: &&Post| post.arrives <= at && wanted.contains(&post.tag);
        let place = |id: u64| self.posts.partition_point(|post| post.id < id);
        let mut found: Vec<&Post> = match (parameter("min_id"), parameter("max_id")) {
            (Some(id), None) => self.posts[place(id + 1)..].iter().filter(shown).take(40).collect(),
            (None, id) => self.posts[..place(id.unwrap_or(u64::MAX))].iter().rev().filter(shown).take(40).collect(),
            both => panic!("{both:?}"),
        };
        found.sort_by_key(|post| std::cmp::Reverse(post.id));
        let body: Vec<Value> = found
            .iter()
            .map(|post| {
                json!({"id": post.id.to_string(), "uri": post.id.to_string(), "created_at": post.written,
                    "content": "synthetic", "visibility": "public", "account": {"acct": "a"}})
            })
            .collect();
        page(200, &json!(body).to_string(), at)
    }
}

/// The hashtags that a request is for, the main one first.
fn hashtags(url: &Url) -> Vec<String> {
    let main = url.path().strip_prefix("/api/v1/timelines/tag/").map(str::to_owned);
    let others = url.query_pairs().filter(|(name, _)| name == "any[]").map(|(_, tag)| tag.into_owned());
    main.into_iter().chain(others).collect()
}

struct Outcome {
    read: BTreeSet<u64>,
    /// Joined where they touch.
    heard: Vec<Span>,
    gaps: Vec<Span>,
    /// When each group was asked for, by its first hashtag.
    asked: BTreeMap<String, Vec<DateTime<Utc>>>,
}

/// Plays the runner and the store: what is stored is stored together with its cursor.
fn listen(
    config: &Config,
    tags: &[String],
    instance: &Instance,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    troubles: Option<&mut fastrand::Rng>,
) -> Outcome {
    fastrand::seed(7); // the sources' own jitter
    let mut none = fastrand::Rng::with_seed(0);
    let calm = troubles.is_none();
    let random = troubles.unwrap_or(&mut none);
    let mut outcome = Outcome { read: BTreeSet::new(), heard: Vec::new(), gaps: Vec::new(), asked: BTreeMap::new() };
    let mut stored: Option<Cursor> = None;
    let mut now = from;
    let mut source = build(config, tags, NAME, None, now);
    while now < until {
        let request = source.next(now);
        now = request.at.max(now + TimeDelta::from_std(source.spacing()).unwrap());
        if let Some(first) = hashtags(&request.url).into_iter().min() {
            outcome.asked.entry(first).or_default().push(now);
        }
        let trouble = if calm { u16::MAX } else { random.u16(..1000) };
        if trouble < 50 {
            source.failed(now);
            now += TimeDelta::seconds(random.i64(1..30));
            continue;
        }
        let answer = instance.answer(&request.url, now);
        now += TimeDelta::milliseconds(400);
        let mut found = Found::default();
        source.read(Reply::Page(&answer), now, &mut found).unwrap();
        if (50..55).contains(&trouble) {
            // Killed before this was stored.
            now += TimeDelta::seconds(random.i64(1..5400));
            source = build(config, tags, NAME, stored.clone(), now);
            continue;
        }
        stored = source.cursor();
        for event in found.events {
            match event {
                Event::Post(post) => drop(outcome.read.insert(post.id.parse().unwrap())),
                Event::Gap(gap) => outcome.gaps.push((gap.from, gap.until)),
                other => panic!("{other:?}"),
            }
        }
        if let Some((start, end)) = found.heard {
            assert!(start < end);
            match outcome.heard.last_mut() {
                Some(last) if last.1 == start => last.1 = end,
                _ => outcome.heard.push((start, end)),
            }
        }
    }
    outcome
}

fn catalogue(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("tag{number:03}down")).collect()
}

fn only_mastodon() -> Config {
    let mut config = config();
    config.bluesky.enabled = false;
    config.mastodon.instances = tags(&["social.example"]);
    config
}

/// A day of trouble, with an outage at `onset` hours of it: what was heard is one span, and every post of it
/// that does not lie in a gap was read.
fn a_day(onset: i64, seeds: std::ops::Range<u64>) -> Vec<Outcome> {
    let config = only_mastodon();
    let tags = catalogue(60);
    let (from, until) = (time("2026-10-14T00:00:00Z"), time("2026-10-15T00:00:00Z"));
    let mut outcomes = Vec::new();
    for seed in seeds {
        let mut random = fastrand::Rng::with_seed(seed);
        let onset = from + TimeDelta::hours(onset);
        let instance = Instance::new(&mut random, &tags, from - TimeDelta::hours(30), until, onset, 30);
        let outcome = listen(&config, &tags, &instance, from, until, Some(&mut random));
        let [(start, end)] = outcome.heard[..] else { panic!("seed {seed}: {:?}", outcome.heard) };
        assert!(start < from - TimeDelta::hours(20) && until - end < TimeDelta::hours(2), "seed {seed}: {start} {end}");
        // What arrived last may still be read again.
        let sure = end - TimeDelta::from_std(config.mastodon.overlap * 3).unwrap();
        let in_gap = |post: &Post| outcome.gaps.iter().any(|gap| gap.0 <= post.written && post.written < gap.1);
        let due = instance.posts.iter().filter(|post| post.written >= start && post.arrives < sure && !in_gap(post));
        let lost = due.clone().filter(|post| !outcome.read.contains(&post.id)).count();
        assert_eq!(lost, 0, "seed {seed}: of {}", due.count());
        outcomes.push(outcome);
    }
    outcomes
}

#[test]
fn nothing_is_lost_in_a_day_of_failures_and_kills() {
    for outcome in a_day(9, 1..4) {
        assert!(outcome.gaps.is_empty(), "{:?}", outcome.gaps);
    }
}

#[test]
fn what_a_backfill_cannot_reach_is_exactly_the_gap() {
    for outcome in a_day(-9, 4..6) {
        assert!(!outcome.gaps.is_empty());
    }
}

#[test]
fn the_pace_follows_the_posts() {
    let config = only_mastodon();
    let tags = catalogue(200);
    let (from, until) = (time("2026-10-14T00:00:00Z"), time("2026-10-14T08:00:00Z"));
    let mut random = fastrand::Rng::with_seed(7);
    let onset = from + TimeDelta::hours(3);
    let instance = Instance::new(&mut random, &tags, from - TimeDelta::hours(2), until, onset, 6);
    let outcome = listen(&config, &tags, &instance, from, until, None);
    let total: usize = outcome.asked.values().map(Vec::len).sum();
    assert!(total < 8 * 1200, "{total} requests in 8 hours");
    let waits = |first: &str, from: DateTime<Utc>, until: DateTime<Utc>| -> Vec<i64> {
        let within = outcome.asked[first].windows(2).filter(|pair| pair[0] > from && pair[1] < until);
        within.map(|pair| (pair[1] - pair[0]).num_seconds()).collect()
    };
    for first in outcome.asked.keys() {
        let longest = waits(first, from + TimeDelta::hours(1), until).into_iter().max().unwrap();
        assert!(longest <= 300, "{first} waited {longest} s");
    }
    // At its height the outage's hashtag comes again and again, ahead of the others.
    let hot = waits(&tags[0], onset + TimeDelta::minutes(2), onset + TimeDelta::minutes(20));
    assert!(hot.len() >= 36 && hot.iter().all(|wait| *wait <= 30), "{hot:?}");
}
