//! Streams: one that goes on from a cursor, and one of which only what comes now is to be had.

use super::{Said, World, all_lost_some, lab, parameter, six_days};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use whatsdown::source::{Request, RequestKind};

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
    let posts = world.shown(kept, until, until).map(|post| {
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

/// What is written while nobody listens is not sent again.
fn mastodon(world: &World, request: &Request, from: DateTime<Utc>, until: DateTime<Utc>) -> Said {
    if request.kind == RequestKind::Page {
        return Said::Page(200, json!({"domain": "social.example"}).to_string());
    }
    let frame = |(at, event, payload): (DateTime<Utc>, &str, String)| {
        (at, json!({"stream": ["public"], "event": event, "payload": payload}).to_string())
    };
    let posts = world.shown(from, until, until).map(|post| {
        let status = json!({"id": post.id.to_string(), "created_at": post.at, "content": "<p>synthetic</p>",
            "uri": format!("https://social.example/{}", post.id), "visibility": "public", "account": {"acct": "a"}});
        (post.at, "update", status.to_string())
    });
    // What was written long ago is taken back all the time.
    let beats = (0..).map(|step| from + TimeDelta::seconds(step * 20)).take_while(|at| *at <= until);
    let mut frames: Vec<_> = posts.chain(beats.map(|at| (at, "delete", "1".to_owned()))).map(frame).collect();
    frames.sort();
    Said::Frames(frames)
}

#[test]
fn counts_of_a_day_are_the_truth_without_the_gaps() {
    let worlds = [
        World::busy("bluesky", 1, 20.0, jetstream),
        World::busy("mastodon:social.example:streaming", 8, 20.0, mastodon),
    ];
    all_lost_some(&six_days(&worlds, &lab()));
}
