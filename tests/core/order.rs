//! The same posts give the same answers, whatever their order, files and interruptions.

use crate::stream::{Stream, at, line};
use crate::support::{Lab, SERVICES, assert_same, reader};
use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use proptest::prelude::*;
use std::collections::BTreeMap;
use whatsdown::minute::Minute;

/// Puts each line up to 15 minutes after its place.
fn shuffled(stream: &Stream, rng: &mut Rng) -> Vec<String> {
    let mut late: Vec<_> =
        stream.posts.iter().map(|post| (post.arrived_at() + TimeDelta::seconds(rng.i64(0..=900)), post)).collect();
    late.sort_by_key(|(at, _)| *at);
    late.into_iter().map(|(_, post)| line(post)).collect()
}

fn split(lines: Vec<String>, files: usize, rng: &mut Rng) -> Vec<Vec<String>> {
    let mut split = vec![Vec::new(); files];
    for line in lines {
        split[rng.usize(0..files)].push(line);
    }
    split
}

#[test]
fn replaying_again_changes_nothing() {
    let lines = Stream::with_outage(1).lines();
    let lab = Lab::of(&lines);
    let before = lab.says();
    let again = lab.replay(&lines).summary();
    assert_eq!((again.counted, again.too_late), (0, 0));
    assert!(again.seen_before > 300, "{again:?}");
    assert_same(&before, &lab.says(), "again");
}

#[test]
fn two_commands_are_as_good_as_one() {
    let lines = Stream::with_outage(2).lines();
    let whole = Lab::of(&lines).says();
    for share in [3, 5, 7, 9] {
        let lab = Lab::of(&lines[..lines.len() * share / 10]);
        lab.replay(&lines).summary();
        assert_same(&whole, &lab.says(), &format!("cut at {share} tenths"));
    }
}

#[test]
fn every_post_counts_once() {
    let mut stream = Stream::with_outage(3);
    let mut rng = Rng::with_seed(3);
    let mut copies = stream.posts.clone();
    rng.shuffle(&mut copies);
    copies.truncate(200);
    for copy in &mut copies {
        // Another server saw it a little later.
        copy.observed_at = Some(copy.created_at + TimeDelta::seconds(rng.i64(1..600)));
    }
    let reader = reader();
    let mut truth: BTreeMap<String, u64> = BTreeMap::new();
    for reading in stream.posts.iter().flat_map(|post| reader.read(post).readings) {
        *truth.entry(reading.service.to_string()).or_default() += 1;
    }
    stream.posts.extend(copies);
    let lab = Lab::of(&stream.lines());
    for service in SERVICES {
        assert!(truth[*service] > 10);
        assert_eq!(lab.counted(service), truth[*service], "{service}");
    }
}

/// What was detected, as it may not change any more once it is said.
fn detections(lab: &Lab) -> Vec<(String, DateTime<Utc>)> {
    lab.incidents().into_iter().map(|incident| (incident.id, incident.detected_at)).collect()
}

#[test]
fn cutting_the_input_leaves_what_was_detected_before() {
    let mut stream = Stream::with_outage(4);
    stream.outage("Discord", 420..460, 1.0);
    let whole = detections(&Lab::of(&stream.lines()));
    assert!(!whole.is_empty());
    let mut cuts: Vec<f64> = (400..432).step_by(4).map(f64::from).collect();
    cuts.extend([445.0, 480.0, 520.0]);
    for cut in cuts.into_iter().map(at) {
        let mut before = Stream::new(0);
        before.posts = stream.posts.iter().filter(|post| post.arrived_at() < cut).cloned().collect();
        let last = before.posts.iter().map(whatsdown::post::Post::arrived_at).max().unwrap();
        // The last minute is not closed, and so not scored.
        let expected: Vec<_> = whole.iter().filter(|(_, said)| *said <= Minute::of(last).start()).cloned().collect();
        assert_eq!(detections(&Lab::of(&before.lines())), expected, "cut at {cut}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]
    #[test]
    fn order_and_files_do_not_matter(seed in 0u64..1000, files in 1usize..4, delayed in any::<bool>()) {
        let mut stream = Stream::with_outage(seed);
        let mut rng = Rng::with_seed(seed);
        if delayed {
            for post in &mut stream.posts {
                post.observed_at = Some(post.created_at + TimeDelta::seconds(rng.i64(0..1200)));
            }
        }
        let plain = Lab::of(&stream.lines());
        let mixed = Lab::new();
        mixed.replay_files(&split(shuffled(&stream, &mut rng), files, &mut rng)).summary();
        assert_same(&plain.says(), &mixed.says(), "shuffled");
    }
}
