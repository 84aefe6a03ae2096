//! Outages of every shape: short, slow, in waves, at odd hours, and of a platform that cannot tell of itself.

use crate::stream::{SOURCES, Stream, at};
use crate::support::Lab;
use whatsdown::incident::{Incident, State};

/// Everyday posts of so many minutes and what `fail` adds to them: the one incident that comes of it.
fn only_incident(seed: u64, minutes: u32, fail: impl Fn(&mut Stream)) -> Incident {
    let mut stream = Stream::new(seed);
    stream.everyday(0..minutes);
    fail(&mut stream);
    let mut incidents = Lab::of(&stream.lines()).incidents();
    assert_eq!(incidents.len(), 1, "{incidents:?}");
    incidents.remove(0)
}

fn holds(incident: &Incident, start: f64, end: f64, slack: f64) {
    assert!(
        incident.start.low <= at(start + slack) && incident.start.high >= at(start - slack),
        "{:?}",
        incident.start
    );
    let said = incident.end.unwrap_or_else(|| panic!("no end: {incident:?}"));
    assert!(said.low <= at(end + slack) && said.high >= at(end - slack), "{said:?}");
}

#[test]
fn a_flash_of_five_minutes_is_found_and_dated() {
    let flash = only_incident(1, 600, |stream| stream.outage("TikTok", 400..405, 12.0));
    assert!(flash.detected_at <= at(405.0), "{}", flash.detected_at);
    holds(&flash, 400.0, 405.0, 5.0);
}

#[test]
fn a_slow_burn_of_hours_is_one_incident() {
    let burn = only_incident(2, 960, |stream| stream.outage("TikTok", 300..660, 0.8));
    holds(&burn, 300.0, 660.0, 20.0);
}

#[test]
fn waves_with_half_an_hour_between_them_are_one_incident() {
    let waves = only_incident(3, 800, |stream| {
        for begin in [300, 370, 440] {
            stream.talk(begin..begin + 40, 6.0, "TikTok", &["is {} down?", "{} down again", "{} won't load"]);
        }
    });
    holds(&waves, 300.0, 480.0, 10.0);
}

#[test]
fn an_outage_across_midnight_is_one_incident() {
    let night = only_incident(4, 1700, |stream| stream.outage("TikTok", 1400..1490, 5.0));
    holds(&night, 1400.0, 1490.0, 10.0);
}

#[test]
fn an_outage_across_the_change_of_the_clocks_is_one_incident() {
    // 2024-03-10, 07:00 UTC: clocks in the United States go forward.
    let change = 6 * 1440 + 420;
    let spring = only_incident(5, change + 200, |stream| stream.outage("TikTok", change - 40..change + 40, 5.0));
    holds(&spring, f64::from(change) - 40.0, f64::from(change) + 40.0, 10.0);
}

#[test]
fn a_platform_that_is_down_is_judged_from_the_others() {
    let mut stream = Stream::new(6);
    stream.everyday(0..600);
    stream.talk(0..600, 0.05, "Bluesky", &["is {} down?", "{} won't load"]);
    stream.outage("Bluesky", 400..460, 8.0);
    let silent = at(400.0)..at(460.0);
    stream.posts.retain(|post| post.source != SOURCES[0] || !silent.contains(&post.created_at));
    let incidents = Lab::of(&stream.lines()).incidents();
    assert_eq!(incidents.len(), 1, "{incidents:?}");
    assert_eq!((incidents[0].service.as_str(), incidents[0].state), ("bluesky", State::Resolved));
    assert!(incidents[0].detected_at <= at(410.0), "{}", incidents[0].detected_at);
    holds(&incidents[0], 400.0, 460.0, 10.0);
}

#[test]
fn an_outage_while_nobody_is_awake_is_found_from_a_few_posts() {
    let night = only_incident(7, 900, |stream| {
        stream.talk(400..520, 0.35, "Spotify", &["is {} down?", "{} not working for anyone else?"]);
        stream.outage("Spotify", 520..640, 5.0);
    });
    assert!(night.detected_at <= at(520.0), "{}", night.detected_at);
    assert!(night.start.low <= at(420.0), "{:?}", night.start);
}
