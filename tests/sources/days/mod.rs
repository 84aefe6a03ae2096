//! A day of virtual time of every kind of source, with failures, kills and dead hours: what was counted is the truth
//! without the gaps.

mod counts;
mod notices;
mod searches;
mod stages;
mod streams;

use crate::keyed::Lab;
use crate::{build_all, page, tags, time};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};
use whatsdown::post::Event;
use whatsdown::source::{Cursor, Found, Reply, Request, RequestKind, Source, Span};

/// What one request brings: an answer, or what a stream sends until it breaks.
enum Said {
    Page(u16, String),
    Frames(Vec<(DateTime<Utc>, String)>),
}

/// The server that a source asks, and the store behind the source.
trait Day {
    /// A stream lasts until `until`.
    fn answer(&mut self, request: &Request, now: DateTime<Utc>, until: DateTime<Utc>) -> Said;

    /// What the last answer brought is stored.
    fn store(&mut self, found: Found);

    /// The job was killed, and starts again.
    fn restarted(&mut self) {}
}

fn begin() -> DateTime<Utc> {
    time("2026-10-14T00:00:00Z")
}

fn end() -> DateTime<Utc> {
    begin() + TimeDelta::hours(24)
}

/// The defaults, where nothing is too dear.
fn lab() -> Lab {
    let mut lab = Lab::new("https://api.example");
    for dollars in [&mut lab.config.x.search.price.dollars_a_day, &mut lab.config.x.counts.dollars_a_day] {
        *dollars = whatsdown::source::spending::Micros(1_000_000_000_000);
    }
    "social.example".clone_into(&mut lab.config.mastodon_streaming.instance);
    lab.config.mastodon_streaming.token = lab.config.x.token.clone();
    lab
}

/// Plays the runner: what was read is stored together with its cursor, or lost with it. The last hour is calm.
fn play(name: &str, lab: &Lab, random: &mut fastrand::Rng, day: &mut dyn Day) {
    fastrand::seed(random.u64(..)); // the sources' own jitter
    let (mut now, calm) = (begin(), end() - TimeDelta::hours(1));
    let mut cursors: BTreeMap<String, Cursor> = BTreeMap::new();
    let start = |cursors: &BTreeMap<String, Cursor>, now: DateTime<Utc>| -> Box<dyn Source> {
        let all = build_all(&lab.config, &tags(&["tiktokdown"]), cursors, now);
        all.into_iter().find(|source| source.name() == name).unwrap_or_else(|| panic!("{name}"))
    };
    let mut source = start(&cursors, now);
    while now < end() {
        let request = source.next(now);
        now = request.at.max(now + TimeDelta::from_std(source.spacing()).unwrap());
        let trouble = if now < calm { random.u16(..1000) } else { 1000 };
        if trouble < 60 {
            source.failed(now);
            now += TimeDelta::seconds(random.i64(1..60));
            continue;
        }
        let mut found = Found::default();
        // A stream asks seldom, so more of its requests end so.
        let kills = if matches!(request.kind, RequestKind::Stream { .. }) { 60..300 } else { 60..80 };
        match day.answer(&request, now, now + TimeDelta::seconds(random.i64(30..3000))) {
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
            let off = TimeDelta::seconds(if random.u8(..6) == 0 { random.i64(1..30_000) } else { random.i64(1..900) });
            now = (now + off).min(calm);
            source = start(&cursors, now);
            day.restarted();
            continue;
        }
        cursors.extend(source.cursor().map(|cursor| (name.to_owned(), cursor)));
        day.store(found);
    }
}

struct Written {
    id: u64,
    at: DateTime<Utc>,
    /// When its network shows it.
    found: DateTime<Utc>,
}

/// What a server says to a request.
type Answer = fn(&World, &Request, DateTime<Utc>, DateTime<Utc>) -> Said;

/// A network: what was written, and how its server answers.
struct World {
    name: &'static str,
    /// The oldest first.
    posts: Vec<Written>,
    /// The latest that a post is found.
    late: TimeDelta,
    answer: Answer,
}

impl World {
    /// A post every so many seconds at random, and fifty times as many in the twelfth hour.
    fn busy(name: &'static str, seed: u64, seconds: f64, answer: Answer) -> World {
        World::new(name, seed, seconds, 0, answer)
    }

    /// Every hour is like the others, and every tenth post is found up to so many seconds late.
    fn late(name: &'static str, seed: u64, seconds: f64, late: i64, answer: Answer) -> World {
        World::new(name, seed, seconds, late, answer)
    }

    fn new(name: &'static str, seed: u64, seconds: f64, late: i64, answer: Answer) -> World {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut at, until) = (begin() - TimeDelta::hours(24), end() + TimeDelta::hours(6));
        let burst = begin() + TimeDelta::hours(12);
        let mut posts = Vec::new();
        while at < until {
            let busy = late == 0 && at >= burst && at < burst + TimeDelta::hours(1);
            let wait = -(1.0 - random.f64()).ln() * if busy { seconds / 50.0 } else { seconds };
            at += TimeDelta::milliseconds((wait * 1000.0) as i64 + 1);
            let delay = if late > 0 && random.u8(..10) == 0 { random.i64(0..late * 1000) } else { 0 };
            posts.push(Written { id: at.timestamp_millis() as u64, at, found: at + TimeDelta::milliseconds(delay) });
        }
        World { name, posts, late: TimeDelta::seconds(late), answer }
    }

    /// Those of a span of time, both ends in it, that are found by `now`. The newest first.
    fn shown(
        &self,
        after: DateTime<Utc>,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> impl Iterator<Item = &Written> + use<'_> {
        let place = |at: DateTime<Utc>| self.posts.partition_point(|post| post.at < at);
        let within = place(after)..place(until + TimeDelta::milliseconds(1));
        self.posts.get(within).unwrap_or_default().iter().rev().filter(move |post| post.found <= now)
    }
}

/// How one day of a world went.
struct Outcome<'a> {
    world: &'a World,
    read: BTreeSet<u64>,
    heard: Vec<Span>,
    gaps: Vec<Span>,
}

impl Day for Outcome<'_> {
    fn answer(&mut self, request: &Request, now: DateTime<Utc>, until: DateTime<Utc>) -> Said {
        (self.world.answer)(self.world, request, now, until)
    }

    fn store(&mut self, found: Found) {
        for event in found.events {
            match event {
                Event::Post(post) => drop(self.read.insert(post.id.rsplit('/').next().unwrap().parse().unwrap())),
                Event::Gap(gap) => self.gaps.push((gap.from, gap.until)),
                other => panic!("{other:?}"),
            }
        }
        if let Some((from, to)) = found.heard {
            match self.heard.last_mut() {
                Some(last) if last.1 == from => last.1 = to,
                _ => self.heard.push((from, to)),
            }
        }
    }
}

/// Holds a day against the truth. Gives how many posts lay in gaps.
fn a_day(world: &World, lab: &Lab, seed: u64) -> usize {
    let mut outcome = Outcome { world, read: BTreeSet::new(), heard: Vec::new(), gaps: Vec::new() };
    play(world.name, lab, &mut fastrand::Rng::with_seed(seed), &mut outcome);
    let Outcome { read, heard, gaps, .. } = outcome;
    let what = format!("{}, seed {seed}", world.name);
    let within = |spans: &[Span], at: DateTime<Utc>| spans.iter().any(|(from, until)| *from <= at && at < *until);
    let (first, last) = (heard[0].0, heard.last().unwrap().1);
    // What was found last may still be read again.
    let all = world.posts.iter().filter(|post| within(&heard, post.at) && post.at < last - world.late);
    let (lost, truth): (Vec<&Written>, Vec<&Written>) = all.partition(|post| within(&gaps, post.at));
    let missing: Vec<DateTime<Utc>> =
        truth.iter().filter(|post| !read.contains(&post.id)).map(|post| post.at).collect();
    assert!(missing.is_empty(), "{what}: {} of {} posts, {:?}", missing.len(), truth.len(), missing.first());
    // Nothing was made up.
    let written: BTreeSet<u64> = world.posts.iter().map(|post| post.id).collect();
    assert!(read.is_subset(&written), "{what}");
    // Nothing was left out in silence: from the first moment on, all is heard, or told to be lost.
    let joined = heard
        .windows(2)
        .all(|pair| pair[0].1 >= pair[1].0 || gaps.iter().any(|gap| gap.0 <= pair[0].1 && gap.1 >= pair[1].0));
    assert!(joined, "{what}: {heard:?} {gaps:?}");
    assert!(last - first > TimeDelta::hours(15), "{what}: {first} to {last}");
    lost.len()
}

/// Six days of each. Gives how many posts lay in gaps.
fn six_days(worlds: &[World], lab: &Lab) -> Vec<(&'static str, usize)> {
    worlds.iter().map(|world| (world.name, (0..6).map(|seed| a_day(world, lab, seed)).sum())).collect()
}

/// So that the gaps are put to the test.
fn all_lost_some(lost: &[(&'static str, usize)]) {
    assert!(lost.iter().all(|(_, posts)| *posts > 0), "{lost:?}");
}

fn parameter(request: &Request, name: &str) -> Option<String> {
    request.url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
