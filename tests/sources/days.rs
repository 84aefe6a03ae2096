//! A day of virtual time of every kind of source, with failures, kills and dead hours: what was counted is the truth without the gaps.

use crate::keyed::Lab;
use crate::{build_all, page, tags, time};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use whatsdown::post::Event;
use whatsdown::source::{Cursor, Found, Reply, Request, RequestKind, Source, Span};

struct Written {
    id: u64,
    at: DateTime<Utc>,
}

/// A network: what was written, and how its server answers.
struct World {
    name: &'static str,
    posts: Vec<Written>,
    answer: Server,
}

/// What one request brings: an answer, or what a stream sends until it breaks.
enum Said {
    Page(u16, String),
    Frames(Vec<(DateTime<Utc>, String)>),
}

type Server = fn(&World, &Request, DateTime<Utc>, DateTime<Utc>) -> Said;

impl World {
    /// A post every so many seconds at random, and fifty times as many in the twelfth hour.
    fn new(name: &'static str, seed: u64, seconds: f64, answer: Server) -> World {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut at, until) = (time("2026-10-13T00:00:00Z"), time("2026-10-15T06:00:00Z"));
        let burst = time("2026-10-14T12:00:00Z");
        let mut posts = Vec::new();
        while at < until {
            let busy = at >= burst && at < burst + TimeDelta::hours(1);
            let wait = -(1.0 - random.f64()).ln() * if busy { seconds / 50.0 } else { seconds };
            at += TimeDelta::milliseconds((wait * 1000.0) as i64 + 1);
            posts.push(Written { id: at.timestamp_millis() as u64, at });
        }
        World { name, posts, answer }
    }

    /// Posts from the newest back, of those written by `now`, from `after` on and before the id `before`.
    fn newest(&self, now: DateTime<Utc>, after: DateTime<Utc>, before: u64, count: usize) -> Vec<&Written> {
        let shown = |post: &&Written| post.at <= now && post.at >= after && post.id < before;
        self.posts.iter().rev().filter(shown).take(count).collect()
    }
}

fn parameter(request: &Request, name: &str) -> Option<String> {
    request.url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// The id before which the next page begins.
fn before(request: &Request, name: &str) -> u64 {
    parameter(request, name).map_or(u64::MAX, |value| value.parse().unwrap())
}

fn next(shown: &[&Written], full: usize) -> Option<String> {
    shown.last().filter(|_| shown.len() == full).map(|post| post.id.to_string())
}

fn jetstream(world: &World, request: &Request, from: DateTime<Utc>, until: DateTime<Utc>) -> Said {
    let Some(cursor) = parameter(request, "cursor") else { return Said::Page(404, "{}".to_owned()) };
    let cursor = DateTime::from_timestamp_micros(cursor.parse().unwrap()).unwrap();
    // It keeps three hours only.
    let kept = cursor.max(from - TimeDelta::hours(3));
    let frame = |at: DateTime<Utc>, kind: Value| {
        let mut frame = json!({"did": "did:plc:synthetic", "time_us": at.timestamp_micros()});
        frame.as_object_mut().unwrap().extend(kind.as_object().unwrap().clone());
        (at, frame.to_string())
    };
    let posts = world.posts.iter().filter(|post| post.at >= kept && post.at <= until).map(|post| {
        let record = json!({"text": "synthetic", "createdAt": post.at});
        let commit = json!({"operation": "create", "collection": "app.bsky.feed.post", "rkey": post.id.to_string(), "record": record});
        frame(post.at, json!({"kind": "commit", "commit": commit}))
    });
    // Accounts change all the time.
    let beats = (0..).map(|step| kept + TimeDelta::seconds(step * 20)).take_while(|at| *at <= until);
    let mut frames: Vec<_> = posts.chain(beats.map(|at| frame(at, json!({"kind": "identity"})))).collect();
    frames.sort();
    Said::Frames(frames)
}

fn reddit(world: &World, request: &Request, now: DateTime<Utc>, _: DateTime<Utc>) -> Said {
    if matches!(request.kind, RequestKind::Form(_)) {
        return Said::Page(200, crate::keyed::TOKEN.to_owned());
    }
    let shown = world.newest(now, DateTime::UNIX_EPOCH, before(request, "after"), 100);
    let children: Vec<Value> = shown
        .iter()
        .map(|post| {
            let seconds = post.at.timestamp_millis() as f64 / 1000.0;
            json!({"kind": "t3", "data": {"name": post.id.to_string(), "title": "synthetic", "author": "synthetic",
                "created_utc": seconds, "permalink": "/"}})
        })
        .collect();
    Said::Page(200, json!({"data": {"children": children, "after": next(&shown, 100)}}).to_string())
}

fn tweets(world: &World, request: &Request, now: DateTime<Utc>, _: DateTime<Utc>) -> Said {
    let count = parameter(request, "max_results").unwrap().parse().unwrap();
    let since = time(&parameter(request, "start_time").unwrap());
    let shown = world.newest(now, since, before(request, "next_token"), count);
    let data: Vec<Value> = shown
        .iter()
        .map(|post| json!({"id": post.id.to_string(), "text": "synthetic", "created_at": post.at, "author_id": "1"}))
        .collect();
    let meta = json!({"result_count": data.len(), "next_token": next(&shown, count)});
    Said::Page(200, json!({"data": data, "meta": meta}).to_string())
}

fn threads(world: &World, request: &Request, now: DateTime<Utc>, _: DateTime<Utc>) -> Said {
    let since = DateTime::from_timestamp(parameter(request, "since").unwrap().parse().unwrap(), 0).unwrap();
    let shown = world.newest(now, since, before(request, "after"), 50);
    let data: Vec<Value> = shown
        .iter()
        .map(|post| {
            json!({"id": post.id.to_string(), "username": format!("synthetic{}", post.id % 100), "text": "synthetic",
                "timestamp": post.at.format("%Y-%m-%dT%H:%M:%S+0000").to_string()})
        })
        .collect();
    Said::Page(200, json!({"data": data, "paging": {"cursors": {"after": next(&shown, 50)}}}).to_string())
}

/// How one day went.
struct Outcome {
    read: BTreeSet<u64>,
    heard: Vec<Span>,
    gaps: Vec<Span>,
}

/// Plays the runner and the store: what was read is stored together with its cursor, or lost with it.
fn listen(world: &World, lab: &Lab, random: &mut fastrand::Rng) -> Outcome {
    fastrand::seed(random.u64(..)); // the sources' own jitter
    let (mut now, until) = (time("2026-10-14T00:00:00Z"), time("2026-10-15T00:00:00Z"));
    let mut outcome = Outcome { read: BTreeSet::new(), heard: Vec::new(), gaps: Vec::new() };
    let mut cursors: BTreeMap<String, Cursor> = BTreeMap::new();
    let start = |cursors: &BTreeMap<String, Cursor>, now: DateTime<Utc>| -> Box<dyn Source> {
        let all = build_all(&lab.config, &tags(&["tiktokdown"]), cursors, now);
        all.into_iter().find(|source| source.name() == world.name).unwrap()
    };
    let mut source = start(&cursors, now);
    while now < until {
        let request = source.next(now);
        now = request.at.max(now + TimeDelta::from_std(source.spacing()).unwrap());
        let trouble = random.u16(..1000);
        if trouble < 60 {
            source.failed(now);
            now += TimeDelta::seconds(random.i64(1..60));
            continue;
        }
        let mut found = Found::default();
        // A stream asks seldom, so more of its requests end so.
        let kills = if matches!(request.kind, RequestKind::Stream { .. }) { 60..300 } else { 60..80 };
        match (world.answer)(world, &request, now, now + TimeDelta::seconds(random.i64(30..3000))) {
            Said::Page(status, body) => {
                let answer = page(status, &body, now);
                now += TimeDelta::milliseconds(400);
                source.read(Reply::Page(&answer), now, &mut found).unwrap();
            }
            Said::Frames(frames) => {
                for (at, frame) in frames {
                    now = now.max(at);
                    source.read(Reply::Frame(&frame), now, &mut found).unwrap();
                }
                source.failed(now); // a stream ends in no other way
            }
        }
        if kills.contains(&trouble) {
            // Killed before this was stored; now and then for long.
            now += TimeDelta::seconds(if random.u8(..6) == 0 { random.i64(1..30_000) } else { random.i64(1..900) });
            source = start(&cursors, now);
            continue;
        }
        cursors.extend(source.cursor().map(|cursor| (world.name.to_owned(), cursor)));
        for event in found.events {
            match event {
                Event::Post(post) => drop(outcome.read.insert(post.id.rsplit('/').next().unwrap().parse().unwrap())),
                Event::Gap(gap) => outcome.gaps.push((gap.from, gap.until)),
                other => panic!("{other:?}"),
            }
        }
        if let Some((from, to)) = found.heard {
            match outcome.heard.last_mut() {
                Some(last) if last.1 == from => last.1 = to,
                _ => outcome.heard.push((from, to)),
            }
        }
    }
    outcome
}

/// Holds a day against the truth. Gives how many posts lay in gaps.
fn a_day(world: &World, seed: u64) -> usize {
    let mut lab = Lab::new("https://api.example");
    lab.config.threads.pace.pages = 3;
    lab.config.x.search.price.dollars_a_day = whatsdown::source::spending::Micros(1_000_000_000_000);
    let mut random = fastrand::Rng::with_seed(seed);
    let outcome = listen(world, &lab, &mut random);
    let within = |spans: &[Span], at: DateTime<Utc>| spans.iter().any(|(from, until)| *from <= at && at < *until);
    let lost = world.posts.iter().filter(|post| within(&outcome.heard, post.at) && within(&outcome.gaps, post.at));
    let truth: BTreeSet<u64> = world
        .posts
        .iter()
        .filter(|post| within(&outcome.heard, post.at) && !within(&outcome.gaps, post.at))
        .map(|post| post.id)
        .collect();
    let counted: BTreeSet<u64> = outcome.read.intersection(&truth).copied().collect();
    let missing = truth.len() - counted.len();
    assert_eq!(missing, 0, "{}, seed {seed}: of {} posts", world.name, truth.len());
    // Nothing was made up.
    let written: BTreeSet<u64> = world.posts.iter().map(|post| post.id).collect();
    assert!(outcome.read.is_subset(&written), "{}, seed {seed}", world.name);
    // Nothing was left out in silence: from the first moment on, all is heard, or told to be lost.
    let (first, last) = (outcome.heard[0].0, outcome.heard.last().unwrap().1);
    assert!(
        outcome.heard.windows(2).all(|pair| {
            pair[0].1 >= pair[1].0 || outcome.gaps.iter().any(|gap| gap.0 <= pair[0].1 && gap.1 >= pair[1].0)
        }),
        "{}, seed {seed}: {:?} {:?}",
        world.name,
        outcome.heard,
        outcome.gaps
    );
    assert!(last - first > TimeDelta::hours(15), "{}, seed {seed}: {first} to {last}", world.name);
    lost.count()
}

#[test]
fn counts_of_a_day_are_the_truth_without_the_gaps() {
    let worlds = [
        World::new("bluesky", 1, 20.0, jetstream),
        World::new("reddit", 2, 30.0, reddit),
        World::new("x:search", 3, 60.0, tweets),
        World::new("threads", 4, 60.0, threads),
    ];
    for world in &worlds {
        let lost: usize = (0..6).map(|seed| a_day(world, seed)).sum();
        // The caps and the long absences were met, so the gaps were put to the test.
        assert!(lost > 0, "{}: nothing was lost in any day", world.name);
    }
}
