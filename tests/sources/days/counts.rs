//! Counts without posts: a later count of a minute takes the place of the earlier.

use super::{Day, Said, World, end, lab, parameter, play};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use whatsdown::post::Event;
use whatsdown::source::{Found, Request};

struct Counted<'a> {
    world: &'a World,
    /// By service and minute, as the store keeps them.
    stored: BTreeMap<(String, DateTime<Utc>), u64>,
    gaps: Vec<(DateTime<Utc>, DateTime<Utc>)>,
    /// How often a count of a minute was replaced by another.
    replaced: u32,
}

/// The share of the posts that is about a service.
fn about(service: &str, id: u64) -> bool {
    (service == "tiktok") == id.is_multiple_of(3)
}

fn posts(world: &World, service: &str, from: DateTime<Utc>, until: DateTime<Utc>, now: DateTime<Utc>) -> usize {
    world.shown(from, until - TimeDelta::milliseconds(1), now).filter(|post| about(service, post.id)).count()
}

impl Day for Counted<'_> {
    fn answer(&mut self, request: &Request, now: DateTime<Utc>, _: DateTime<Utc>) -> Said {
        let since = crate::time(&parameter(request, "start_time").unwrap());
        let service = if parameter(request, "query").unwrap().contains("TikTok") { "tiktok" } else { "primevideo" };
        let starts = (0..).map(|step| since + TimeDelta::minutes(step)).take_while(|start| *start < now);
        let bucket = |start: DateTime<Utc>| {
            // The last is a part of a minute.
            let until = (start + TimeDelta::minutes(1)).min(now);
            json!({"start": start, "end": until, "tweet_count": posts(self.world, service, start, until, now)})
        };
        let data: Vec<Value> = starts.map(bucket).collect();
        Said::Page(200, json!({"data": data, "meta": {"total_tweet_count": 0}}).to_string())
    }

    fn store(&mut self, found: Found) {
        assert!(found.heard.is_none(), "nobody read a post");
        for event in found.events {
            let volume = match event {
                Event::Volume(volume) => volume,
                Event::Gap(gap) => {
                    self.gaps.push((gap.from, gap.until));
                    continue;
                }
                other => panic!("{other:?}"),
            };
            let before = self.stored.insert((volume.service, volume.at), volume.posts);
            self.replaced += u32::from(before.is_some_and(|before| before != volume.posts));
        }
    }
}

#[test]
fn the_last_count_of_each_minute_is_the_truth() {
    let mut lab = lab();
    lab.config.x.services = vec!["tiktok".to_owned(), "primevideo".to_owned()];
    // Found late, but before a minute is counted for the last time.
    let world = World::late("x:counts", 9, 2.0, 240, |_, request, _, _| panic!("{}", request.url));
    let mut lost = 0;
    for seed in 0..6 {
        let mut day = Counted { world: &world, stored: BTreeMap::new(), gaps: Vec::new(), replaced: 0 };
        play("x:counts", &lab, &mut fastrand::Rng::with_seed(seed), &mut day);
        assert!(day.replaced > 100, "seed {seed}: {}", day.replaced);
        for service in ["tiktok", "primevideo"] {
            // Up to what may still be counted again.
            let first = day.stored.keys().find(|(of, _)| of == service).unwrap().1;
            assert!(first < end() - TimeDelta::hours(12), "seed {seed}: {first}");
            let minutes = (0..).map(|step| first + TimeDelta::minutes(step));
            for minute in minutes.take_while(|minute| *minute < end() - TimeDelta::minutes(15)) {
                let truth = posts(&world, service, minute, minute + TimeDelta::minutes(1), end());
                let counted = day.stored.get(&(service.to_owned(), minute)).copied();
                if day.gaps.iter().any(|(from, until)| *from <= minute && minute < *until) {
                    lost += u32::from(counted.is_none());
                } else {
                    assert_eq!(counted, Some(truth as u64), "seed {seed}: {service}, {minute}");
                }
            }
        }
    }
    assert!(lost > 0, "the job was never off for longer than is read up");
}
