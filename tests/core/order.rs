//! The same posts give the same answers, whatever their order, files and interruptions.

use crate::stream::{Stream, line};
use crate::support::{Lab, assert_same};
use chrono::TimeDelta;
use fastrand::Rng;
use proptest::prelude::*;

/// Puts each line up to 15 minutes after its place.
fn shuffled(stream: &Stream, rng: &mut Rng) -> Vec<String> {
    let mut late: Vec<_> = stream.posts.iter().map(|post| (post.arrived_at() + TimeDelta::seconds(rng.i64(0..=900)), post)).collect();
    late.sort_by_key(|(at, _)| *at);
    late.into_iter().map(|(_, post)| line(post)).collect()
}

fn split(lines: Vec<String>, files: usize, rng: &mut Rng) -> Vec<Vec<String>> {
    let mut split = vec![Vec::new(); files];
    lines.into_iter().for_each(|line| split[rng.usize(0..files)].push(line));
    split
}

#[test]
fn an_outage_is_found_and_no_other() {
    for seed in 0..3 {
        let lab = Lab::of(&Stream::with_outage(seed).lines());
        let incidents = lab.incidents();
        let services: Vec<&str> = incidents.iter().map(|incident| incident.service.as_str()).collect();
        assert_eq!(services, ["tiktok"], "seed {seed}");
        eprintln!("{:?}", incidents[0]);
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
