//! A replay that stops anywhere and goes on is as good as one that never stopped.

use crate::stream::{Stream, at, deleted, gap};
use crate::support::{Lab, assert_same};
use fastrand::Rng;
use whatsdown::incident::State;
use whatsdown::post::Post;

/// Replays `lines` until before line `until`, and drops what was not committed by then.
fn stop_before(lab: &Lab, lines: &[String], until: usize) {
    let mut stopped = lines[..until].to_vec();
    stopped.push("STOP".to_owned());
    assert!(lab.replay(&stopped).result.is_err());
}

/// The first post at or after a minute.
fn place(lines: &[String], minute: f64) -> usize {
    let post = |line: &String| serde_json::from_str::<Post>(line).ok();
    lines.iter().position(|line| post(line).is_some_and(|post| post.created_at >= at(minute))).unwrap()
}

/// An outage, a gap of one source that is told when it is over, and a post that is taken back.
fn eventful(seed: u64) -> Vec<String> {
    let mut stream = Stream::with_outage(seed);
    stream.talk(0..600, 0.3, "TikTok", &["{} won't load", "is {} down?"]);
    stream.posts.retain(|post| post.source != "bluesky" || !(at(100.0)..at(340.0)).contains(&post.created_at));
    let gone = stream.posts.iter().find(|post| post.created_at > at(405.0) && post.text.contains("TikTok")).cloned();
    let mut lines = stream.lines();
    lines.insert(place(&lines, 420.0), deleted(&gone.unwrap()));
    lines.insert(place(&lines, 341.0), gap("bluesky", 100.0, 340.0));
    lines
}

#[test]
fn stopping_anywhere_and_going_on_changes_nothing() {
    for seed in 0..2 {
        let lines = eventful(seed);
        let whole = Lab::of(&lines).says();
        let mut rng = Rng::with_seed(seed);
        let lab = Lab::new();
        let mut stops: Vec<usize> = (0..6).map(|_| rng.usize(1..lines.len())).collect();
        stops.push(place(&lines, 415.0));
        stops.sort_unstable();
        for stop in &stops {
            stop_before(&lab, &lines, *stop);
        }
        lab.replay(&lines).summary();
        assert_same(&whole, &lab.says(), &format!("seed {seed}, stopped at {stops:?}"));
    }
}

#[test]
fn an_open_incident_goes_on_after_a_restart() {
    let stream = Stream::with_outage(5);
    let lines = stream.lines();
    let until = stream.posts.iter().filter(|post| post.created_at < at(430.0)).count();
    let lab = Lab::of(&lines[..until]);
    let open = lab.incidents();
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].state, open[0].end), (State::Ongoing, None));
    lab.replay(&lines).summary();
    let after = lab.incidents();
    assert_eq!(after.len(), 1);
    assert_eq!((&after[0].id, after[0].detected_at), (&open[0].id, open[0].detected_at));
    assert_eq!(after[0].state, State::Resolved);
}

/// Rows that were forgotten must not lend their numbers to new ones, lest a restart overlook those.
#[test]
fn mentions_after_a_long_silence_survive_a_restart() {
    let mut stream = Stream::new(6);
    stream.everyday(0..300);
    let again = 300 + 8 * 1440;
    for minute in (300..again).step_by(30) {
        stream.post(f64::from(minute), "synthetic-clock", "tick");
    }
    stream.everyday(again..again + 200);
    stream.outage("TikTok", again + 200..again + 260, 6.0);
    let lines = stream.lines();
    let whole = Lab::of(&lines).says();
    let before = |minute: u32| stream.posts.iter().filter(|post| post.created_at < at(f64::from(minute))).count();
    let lab = Lab::of(&lines[..before(again)]);
    stop_before(&lab, &lines, before(again + 215));
    stop_before(&lab, &lines, before(again + 230));
    lab.replay(&lines).summary();
    assert_same(&whole, &lab.says(), "after a silence");
}
