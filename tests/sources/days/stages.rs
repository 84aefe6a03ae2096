//! Status pages on which incidents begin, overlap, and end: what is acknowledged and what is over is told once, and nothing is
//! told to be over while another incident goes on.

use super::{Day, Said, begin, end, lab, play};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use whatsdown::post::Event;
use whatsdown::reading::Stage;
use whatsdown::source::{Found, Request};

/// An incident on a page. The last update says that it is over, unless it ends without a word.
struct Incident {
    id: usize,
    updates: Vec<DateTime<Utc>>,
    over: DateTime<Utc>,
    silent: bool,
}

/// A dozen or two, the last of which is over two hours before the day is.
fn incidents(random: &mut fastrand::Rng, silence: bool) -> Vec<Incident> {
    let mut incidents = Vec::new();
    let mut at = begin() - TimeDelta::hours(6);
    while at < end() - TimeDelta::hours(6) {
        let count = random.i64(1..5);
        let updates: Vec<DateTime<Utc>> = (0..count).map(|number| at + TimeDelta::minutes(number * 25)).collect();
        let silent = silence && random.bool();
        let over = at + TimeDelta::minutes(count * 25 + random.i64(1..20));
        let updates = if silent { updates } else { updates.into_iter().chain([over]).collect() };
        incidents.push(Incident { id: incidents.len(), updates, over, silent });
        // Often before that one is over. Each at a second of its own.
        at += TimeDelta::seconds(random.i64(600..7200));
    }
    incidents
}

impl Incident {
    fn open(&self, now: DateTime<Utc>) -> bool {
        now < self.over
    }

    /// What has been said of it.
    fn said(&self, now: DateTime<Utc>) -> impl Iterator<Item = (DateTime<Utc>, bool)> {
        let over = |at: DateTime<Utc>| at == self.over;
        self.updates.iter().copied().filter(move |at| *at <= now).map(move |at| (at, over(at)))
    }
}

/// A dialect: its name, whether an incident can end without a word, and how a page of it is written.
struct Dialect {
    name: &'static str,
    silence: bool,
    page: fn(&[&Incident], &str, DateTime<Utc>) -> Value,
}

const DIALECTS: [Dialect; 5] = [
    Dialect { name: "status:statuspage", silence: false, page: statuspage },
    Dialect { name: "status:google", silence: true, page: google },
    Dialect { name: "status:slack", silence: true, page: slack },
    Dialect { name: "status:betterstack", silence: true, page: better_stack },
    Dialect { name: "status:aws", silence: false, page: aws },
];

fn statuspage(shown: &[&Incident], _path: &str, now: DateTime<Utc>) -> Value {
    let word = |over: bool| if over { "resolved" } else { "investigating" };
    let incident = |it: &&Incident| {
        let update = |(at, over): (DateTime<Utc>, bool)| json!({"id": at.timestamp().to_string(), "status": word(over), "created_at": at, "body": "synthetic"});
        json!({"id": it.id.to_string(), "name": "synthetic", "status": word(!it.open(now)), "created_at": it.updates[0],
            "incident_updates": it.said(now).map(update).collect::<Vec<_>>()})
    };
    json!({"page": {}, "incidents": shown.iter().map(incident).collect::<Vec<_>>()})
}

fn google(shown: &[&Incident], _path: &str, now: DateTime<Utc>) -> Value {
    let incident = |it: &&Incident| {
        let update = |(at, over): (DateTime<Utc>, bool)| json!({"created": at, "status": if over { "AVAILABLE" } else { "SERVICE_OUTAGE" }, "text": "synthetic"});
        json!({"id": it.id.to_string(), "begin": it.updates[0], "end": (!it.open(now)).then_some(it.over),
            "updates": it.said(now).map(update).collect::<Vec<_>>()})
    };
    json!(shown.iter().map(incident).collect::<Vec<_>>())
}

/// What goes on is on one page, what is over on another.
fn slack(shown: &[&Incident], path: &str, now: DateTime<Utc>) -> Value {
    let current = path.ends_with("current");
    let incident = |it: &&Incident| {
        let note = |(at, _): (DateTime<Utc>, bool)| json!({"date_created": at, "body": "synthetic"});
        json!({"id": it.id, "status": if current { "active" } else { "resolved" }, "title": "synthetic",
            "date_created": it.updates[0], "date_updated": it.over, "notes": it.said(now).map(note).collect::<Vec<_>>()})
    };
    let incidents: Vec<Value> = shown.iter().filter(|it| it.open(now) == current).map(incident).collect();
    if current { json!({"status": "ok", "active_incidents": incidents}) } else { json!(incidents) }
}

fn better_stack(shown: &[&Incident], _path: &str, now: DateTime<Utc>) -> Value {
    let word = |over: bool| if over { "resolved" } else { "downtime" };
    let mut included = Vec::new();
    for it in shown {
        let told: Vec<Value> = it.said(now).map(|(at, _)| json!({"id": at.timestamp().to_string()})).collect();
        included.push(json!({"type": "status_report", "id": it.id.to_string(),
            "attributes": {"aggregate_state": word(!it.open(now)), "starts_at": it.updates[0]},
            "relationships": {"status_updates": {"data": told}}}));
        included.extend(it.said(now).map(|(at, over)| {
            let attributes =
                json!({"message": "synthetic", "published_at": at, "affected_resources": [{"status": word(over)}]});
            json!({"type": "status_update", "id": at.timestamp().to_string(), "attributes": attributes})
        }));
    }
    json!({"data": {"type": "status_page"}, "included": included})
}

fn aws(shown: &[&Incident], _path: &str, now: DateTime<Utc>) -> Value {
    let level = |over: bool| if over { 0 } else { 3 };
    let incident = |it: &&Incident| {
        let entry = |(at, over): (DateTime<Utc>, bool)| json!({"timestamp": at.timestamp(), "status": level(over), "message": "synthetic"});
        json!({"arn": it.id.to_string(), "status": level(!it.open(now)).to_string(), "summary": "synthetic",
            "date": it.updates[0].timestamp().to_string(), "event_log": it.said(now).map(entry).collect::<Vec<_>>()})
    };
    json!(shown.iter().map(incident).collect::<Vec<_>>())
}

struct Page<'a> {
    dialect: &'a Dialect,
    incidents: Vec<Incident>,
    asked_at: DateTime<Utc>,
    /// Which incident, when, and whether it was told to be over. By the posts' ids: what comes again counts for nothing.
    told: BTreeMap<String, (usize, DateTime<Utc>, bool)>,
}

impl Day for Page<'_> {
    fn answer(&mut self, request: &Request, now: DateTime<Utc>, _: DateTime<Utc>) -> Said {
        self.asked_at = now;
        let shown: Vec<&Incident> = self.incidents.iter().filter(|it| it.updates[0] <= now).collect();
        Said::Page(200, (self.dialect.page)(&shown, request.url.path(), now).to_string())
    }

    fn store(&mut self, found: Found) {
        for event in found.events {
            let Event::Post(post) = event else { panic!("{event:?}") };
            let over = post.notice.unwrap().stage == Some(Stage::Resolved);
            // Slack says in two answers what goes on and what is over.
            let open = self.incidents.iter().any(|it| it.updates[0] <= self.asked_at && it.open(self.asked_at));
            assert!(!(over && open) || self.dialect.name == "status:slack", "{}: {}", self.dialect.name, self.asked_at);
            let id = post.id.split('/').nth(1).unwrap().parse().unwrap();
            self.told.entry(post.id).or_insert((id, post.created_at, over));
        }
    }
}

#[test]
fn what_is_acknowledged_and_what_is_over_is_told() {
    for dialect in &DIALECTS {
        for seed in 0..6 {
            let mut random = fastrand::Rng::with_seed(seed);
            let incidents = incidents(&mut random, dialect.silence);
            let mut day = Page { dialect, incidents, asked_at: begin(), told: BTreeMap::new() };
            play(dialect.name, &lab(), &mut random, &mut day);
            let what = format!("{}, seed {seed}", dialect.name);
            let told: BTreeSet<(usize, DateTime<Utc>, bool)> = day.told.values().copied().collect();
            for it in &day.incidents {
                let last = *it.updates.last().unwrap();
                // The last update before a silent end may have been read for the first time when it was over.
                let acknowledged = it.said(end()).filter(|(at, _)| !it.silent || *at < last);
                let due: BTreeSet<(usize, DateTime<Utc>, bool)> =
                    acknowledged.map(|(at, over)| (it.id, at, over)).collect();
                let over = told.iter().filter(|(id, at, over)| *id == it.id && *over && *at >= last && *at <= it.over);
                assert_eq!(over.count(), 1, "{what}: {} at {}", it.id, it.over);
                let missing: Vec<_> = due.difference(&told).collect();
                assert!(missing.is_empty(), "{what}: {missing:?}");
            }
            let all: usize = day.incidents.iter().map(|it| it.updates.len() + usize::from(it.silent)).sum();
            assert!(day.told.len() <= all, "{what}: {} told of {all}", day.told.len());
        }
    }
}
