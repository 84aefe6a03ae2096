//! What is an incident, and what is none.

use crate::stream::{SOURCES, Stream, at};
use crate::support::Lab;
use whatsdown::incident::{Phase, State};
use whatsdown::store::Filter;

#[test]
fn an_outage_is_found_where_it_is_and_nowhere_else() {
    for seed in 0..3 {
        let lab = Lab::of(&Stream::with_outage(seed).lines());
        let incidents = lab.incidents();
        assert_eq!(incidents.len(), 1, "seed {seed}: {incidents:?}");
        let incident = &incidents[0];
        assert_eq!((incident.service.as_str(), incident.state), ("tiktok", State::Resolved), "seed {seed}");
        assert!(incident.detected_at <= at(408.0), "seed {seed}: {}", incident.detected_at);
        assert!(incident.start.low <= at(403.0) && incident.start.high >= at(397.0), "{:?}", incident.start);
        let end = incident.end.unwrap();
        assert!(end.low <= at(475.0) && end.high >= at(465.0), "seed {seed}: {end:?}");
        let spikes = lab.reader().spikes(&Filter::default()).unwrap();
        assert!(spikes.iter().all(|spike| spike.incident.as_ref() == Some(&incident.id)), "{spikes:?}");
    }
}

#[test]
fn a_first_hour_of_ordinary_posts_is_no_spike() {
    for seed in 0..4 {
        let mut stream = Stream::new(seed);
        stream.everyday(0..90);
        stream.talk(0..90, 1.0, "TikTok", &["is {} down?", "{} won't load"]);
        let lab = Lab::of(&stream.lines());
        assert_eq!(lab.reader().spikes(&Filter::default()).unwrap(), [], "seed {seed}");
    }
}

#[test]
fn a_huge_outage_in_the_first_hour_is_found() {
    let mut stream = Stream::new(1);
    stream.everyday(0..90);
    stream.outage("TikTok", 25..80, 40.0);
    let incidents = Lab::of(&stream.lines()).incidents();
    assert_eq!(incidents.len(), 1);
    assert!(incidents[0].detected_at <= at(30.0), "{}", incidents[0].detected_at);
}

#[test]
fn reports_anew_within_two_hours_are_a_relapse() {
    let mut stream = Stream::new(2);
    stream.everyday(0..840);
    stream.outage("TikTok", 400..450, 8.0);
    stream.outage("TikTok", 540..600, 8.0);
    let incidents = Lab::of(&stream.lines()).incidents();
    assert_eq!(incidents.len(), 1, "{incidents:?}");
    let turns: Vec<Phase> = incidents[0].phases.iter().map(|entry| entry.phase).collect();
    assert!(turns.contains(&Phase::Relapse), "{turns:?}");
    assert!(incidents[0].end.unwrap().low > at(585.0));
}

#[test]
fn outages_a_day_apart_are_two() {
    let mut stream = Stream::new(3);
    stream.everyday(0..2100);
    stream.outage("TikTok", 400..450, 6.0);
    stream.outage("TikTok", 1840..1890, 6.0);
    let incidents = Lab::of(&stream.lines()).incidents();
    assert_eq!(incidents.len(), 2, "{incidents:?}");
    assert!(incidents[0].end.unwrap().high < at(520.0) && incidents[1].start.low > at(1820.0));
}

#[test]
fn copies_of_one_text_are_no_outage() {
    let mut stream = Stream::new(4);
    stream.everyday(0..500);
    for copy in 0..200 {
        let text = "TikTok is down and the only app that still works is this one, follow the link for free coins today";
        stream.post(400.0 + f64::from(copy) / 20.0, &format!("synthetic-copy-{copy}"), text);
    }
    let lab = Lab::of(&stream.lines());
    assert!(lab.counted("tiktok") > 200);
    assert_eq!(lab.incidents(), []);
}

#[test]
fn one_persons_flood_is_no_outage() {
    let mut stream = Stream::new(5);
    stream.everyday(0..500);
    for index in 0..200 {
        let post = stream.post(400.0 + f64::from(index) / 20.0, "synthetic-flood", &format!("is tiktok down? {index}"));
        post.source = SOURCES[0].to_owned();
    }
    let lab = Lab::of(&stream.lines());
    assert!(lab.counted("tiktok") > 200);
    assert_eq!(lab.incidents(), []);
}

#[test]
fn bots_reposts_and_news_are_no_outage() {
    let mut stream = Stream::new(6);
    stream.everyday(0..500);
    for index in 0..100 {
        let moment = 400.0 + f64::from(index) / 10.0;
        stream.post(moment, &format!("synthetic-bot-{index}"), "TikTok is down").bot = true;
        stream.post(moment, &format!("synthetic-fan-{index}"), "TikTok is down").repost_of = Some("other".into());
    }
    assert_eq!(Lab::of(&stream.lines()).incidents(), []);
}
