//! Networks that are searched, each with a server of its own that pages as the network does.

use super::{Said, World, Written, all_lost_some, begin, lab, parameter, six_days};
use crate::{build_all, page, tags};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use whatsdown::post::Event;
use whatsdown::source::{Cursor, Found, Reply, Request, RequestKind, Source};

fn unix(seconds: &str) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds.parse().unwrap(), 0).unwrap()
}

/// A page of posts, and the id of its last one, if older ones follow.
fn newest(
    world: &World,
    request: &Request,
    now: DateTime<Utc>,
    since: DateTime<Utc>,
    place: &str,
    count: usize,
) -> (Vec<u64>, Option<String>) {
    let before = parameter(request, place).map_or(u64::MAX, |id| id.parse().unwrap());
    let ids: Vec<u64> =
        world.shown(since, now, now).map(|post| post.id).filter(|id| *id < before).take(count).collect();
    let next = ids.last().filter(|_| ids.len() == count).map(u64::to_string);
    (ids, next)
}

/// An id is when a post was written, in milliseconds.
fn at(id: u64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(id as i64).unwrap()
}

/// A search ends after 245 posts, however many there are.
fn reddit(world: &World, request: &Request, now: DateTime<Utc>, _: DateTime<Utc>) -> Said {
    if matches!(request.kind, RequestKind::Form(_)) {
        return Said::Page(200, crate::keyed::TOKEN.to_owned());
    }
    let all: Vec<u64> = world.shown(now - TimeDelta::hours(24), now, now).take(245).map(|post| post.id).collect();
    let before = parameter(request, "after").map_or(u64::MAX, |id| id.parse().unwrap());
    let ids: Vec<u64> = all.iter().copied().filter(|id| *id < before).take(100).collect();
    let after = ids.last().filter(|last| all.last() != Some(*last)).map(u64::to_string);
    let link = |id: u64| {
        json!({"kind": "t3", "data": {"name": id.to_string(), "title": "synthetic", "author": "synthetic",
            "created_utc": id as f64 / 1000.0, "permalink": "/"}})
    };
    let children: Vec<Value> = ids.into_iter().map(link).collect();
    Said::Page(200, json!({"data": {"children": children, "after": after}}).to_string())
}

fn tweets(world: &World, request: &Request, now: DateTime<Utc>, _: DateTime<Utc>) -> Said {
    let count = parameter(request, "max_results").unwrap().parse().unwrap();
    let since = crate::time(&parameter(request, "start_time").unwrap());
    let (ids, next) = newest(world, request, now, since, "next_token", count);
    let tweet = |id: u64| json!({"id": id.to_string(), "text": "synthetic", "created_at": at(id), "author_id": "1"});
    let data: Vec<Value> = ids.into_iter().map(tweet).collect();
    let meta = json!({"result_count": data.len(), "next_token": next});
    Said::Page(200, json!({"data": data, "meta": meta}).to_string())
}

fn threads(world: &World, request: &Request, now: DateTime<Utc>, _: DateTime<Utc>) -> Said {
    let since = unix(&parameter(request, "since").unwrap());
    let (ids, after) = newest(world, request, now, since, "after", 50);
    let thread = |id: u64| {
        json!({"id": id.to_string(), "username": format!("synthetic{}", id % 100), "text": "synthetic",
            "timestamp": at(id).format("%Y-%m-%dT%H:%M:%S+0000").to_string()})
    };
    let data: Vec<Value> = ids.into_iter().map(thread).collect();
    Said::Page(200, json!({"data": data, "paging": {"cursors": {"after": after}}}).to_string())
}

/// It pages by whole seconds, and gives those before `before` alone.
fn tumblr(world: &World, request: &Request, now: DateTime<Utc>, _: DateTime<Utc>) -> Said {
    let until = parameter(request, "before").map_or(now, |before| unix(&before) - TimeDelta::milliseconds(1));
    let blog = |post: &Written| {
        json!({"id_string": post.id.to_string(), "blog_name": "synthetic", "timestamp": post.at.timestamp(),
            "summary": "synthetic"})
    };
    let posts: Vec<Value> = world.shown(DateTime::UNIX_EPOCH, until, now).take(20).map(blog).collect();
    Said::Page(200, json!({"response": posts}).to_string())
}

/// It knows whole seconds alone.
fn hackernews(world: &World, request: &Request, now: DateTime<Utc>, _: DateTime<Utc>) -> Said {
    let (mut since, mut until) = (DateTime::UNIX_EPOCH, now);
    for bound in parameter(request, "numericFilters").unwrap().split(',') {
        match bound.split_once(">=") {
            Some((_, seconds)) => since = unix(seconds),
            None => until = unix(bound.split_once("<=").unwrap().1) + TimeDelta::milliseconds(999),
        }
    }
    let count = parameter(request, "hitsPerPage").unwrap().parse().unwrap();
    let hit = |post: &Written| {
        json!({"objectID": post.id.to_string(), "created_at_i": post.at.timestamp(), "author": "synthetic",
            "title": "synthetic"})
    };
    let hits: Vec<Value> = world.shown(since, until, now).take(count).map(hit).collect();
    let all = world.shown(since, until, now).count();
    Said::Page(200, json!({"hits": hits, "nbHits": all}).to_string())
}

/// Two lists, whose pages are numbered: what is written meanwhile pushes posts to later pages.
fn lemmy(world: &World, request: &Request, now: DateTime<Utc>, _: DateTime<Utc>) -> Said {
    let comments = request.url.path() == "/api/v3/comment/list";
    let count: usize = parameter(request, "limit").unwrap().parse().unwrap();
    let number: usize = parameter(request, "page").map_or(1, |number| number.parse().unwrap());
    let view = |post: &Written| {
        let item =
            json!({"ap_id": format!("https://social.example/{}", post.id), "published": post.at, "name": "synthetic"});
        let creator = json!({"actor_id": "https://social.example/u/synthetic"});
        if comments {
            json!({"comment": item, "post": {}, "creator": creator})
        } else {
            json!({"post": item, "creator": creator})
        }
    };
    let all = world.shown(DateTime::UNIX_EPOCH, now, now).filter(|post| (post.id % 3 > 0) == comments);
    let views: Vec<Value> = all.skip((number - 1) * count).take(count).map(view).collect();
    Said::Page(200, json!({if comments { "comments" } else { "posts" }: views}).to_string())
}

fn busy() -> [World; 6] {
    [
        World::busy("reddit", 2, 30.0, reddit),
        World::busy("x:search", 3, 60.0, tweets),
        World::busy("threads", 4, 60.0, threads),
        World::busy("tumblr", 5, 60.0, tumblr),
        World::busy("hackernews", 6, 5.0, hackernews),
        World::busy("lemmy:api.example", 7, 10.0, lemmy),
    ]
}

#[test]
fn counts_of_a_day_are_the_truth_without_the_gaps() {
    all_lost_some(&six_days(&busy(), &lab()));
}

/// Where all that is young fits on the pages of a round; else what is found late may be missed.
#[test]
fn what_is_found_late_is_counted_too() {
    let worlds = [
        World::late("reddit", 12, 30.0, 300, reddit),
        World::late("x:search", 13, 30.0, 60, tweets),
        World::late("threads", 14, 30.0, 300, threads),
        World::late("tumblr", 15, 60.0, 300, tumblr),
        World::late("hackernews", 16, 5.0, 300, hackernews),
        World::late("lemmy:api.example", 17, 10.0, 300, lemmy),
    ];
    six_days(&worlds, &lab());
}

/// The requests of a first reading until all is caught up, and what it brought: the ids of posts, and up to when nothing could
/// be read. Killed after every page, if `kills`.
fn first_reading(world: &World, kills: bool) -> (Vec<String>, BTreeSet<u64>, Vec<DateTime<Utc>>) {
    let (lab, now) = (lab(), noon());
    let mut cursors: BTreeMap<String, Cursor> = BTreeMap::new();
    let start = |cursors: &BTreeMap<String, Cursor>| -> Box<dyn Source> {
        let all = build_all(&lab.config, &tags(&["tiktokdown"]), cursors, now);
        all.into_iter().find(|source| source.name() == world.name).unwrap()
    };
    let mut source = start(&cursors);
    let (mut asked, mut brought, mut lost) = (Vec::new(), BTreeSet::new(), Vec::new());
    let mut caught_up = false;
    while !caught_up {
        let request = source.next(now);
        let Said::Page(status, body) = (world.answer)(world, &request, now, now) else { panic!("{}", request.url) };
        let mut found = Found::default();
        source.read(Reply::Page(&page(status, &body, now)), now, &mut found).unwrap();
        if matches!(request.kind, RequestKind::Form(_)) {
            continue; // a token is asked for anew
        }
        asked.push(request.url.to_string());
        for event in found.events {
            match event {
                Event::Post(post) => {
                    let id = post.id.rsplit('/').next().unwrap().parse().unwrap();
                    // Pages that are cut by the second overlap by one.
                    assert!(brought.insert(id) || ["tumblr", "hackernews"].contains(&world.name), "{id} came twice");
                }
                Event::Gap(gap) => lost.push(gap.until),
                other => panic!("{other:?}"),
            }
        }
        caught_up = found.caught_up;
        cursors.extend(source.cursor().map(|cursor| (world.name.to_owned(), cursor)));
        if kills {
            source = start(&cursors);
        }
    }
    asked.sort(); // which of several lists comes first may differ
    (asked, brought, lost)
}

/// An hour after the busiest.
fn noon() -> DateTime<Utc> {
    begin() + TimeDelta::hours(13)
}

#[test]
fn a_kill_after_any_page_goes_on_with_the_next() {
    for world in busy() {
        let whole = first_reading(&world, false);
        assert!(whole.0.len() > 2, "{}: {:?}", world.name, whole.0);
        assert_eq!(first_reading(&world, true), whole, "{}", world.name);
        let (_, brought, lost) = whole;
        let from = lost.into_iter().max().unwrap_or(noon() - TimeDelta::hours(1));
        let missing = world.shown(from, noon(), noon()).filter(|post| !brought.contains(&post.id)).count();
        assert_eq!(missing, 0, "{}: of {}", world.name, brought.len());
    }
}
