//! What was not heard is not zero, and one wrong clock disturbs nobody else.

use crate::stream::{SOURCES, Stream, at, gap, line};
use crate::support::{Lab, SERVICES, assert_same, open};
use chrono::TimeDelta;
use serde_json::Value;
use whatsdown::answer::Health;
use whatsdown::count::ListeningSpan;
use whatsdown::incident::Phase;
use whatsdown::minute::Minute;
use whatsdown::post::{Event, Post};
use whatsdown::reading::ServiceId;
use whatsdown::region::Region;
use whatsdown::source::Batch;
use whatsdown::store::{Filter, Stamp};

/// The stream without what was lost in `[from, until)`, with the lines that say so.
fn with_gap(stream: &mut Stream, from: f64, until: f64) -> Vec<String> {
    stream.posts.retain(|post| !(at(from)..at(until)).contains(&post.created_at));
    let mut lines = stream.lines();
    let before = stream.posts.iter().filter(|post| post.created_at < at(from)).count();
    lines.splice(before..before, SOURCES.iter().map(|source| gap(source, from, until)));
    lines
}

#[test]
fn a_gap_is_unknown_and_makes_no_spike() {
    let mut stream = Stream::new(1);
    stream.everyday(0..600);
    let lab = Lab::of(&with_gap(&mut stream, 300.0, 420.0));
    let reader = lab.reader();
    let tiktok = ServiceId::new("tiktok");
    let series = reader.series(&tiktok, Region::WORLD, at(280.0), at(440.0), 5).unwrap();
    for point in series {
        let lost = (at(300.0)..at(420.0)).contains(&point.at);
        assert_eq!(point.heard, if lost { 0.0 } else { 1.0 }, "{}", point.at);
        assert!(!lost || (point.expected, point.low, point.high) == (0.0, 0.0, 0.0), "{point:?}");
    }
    for (minute, state) in
        [(290.0, Health::Up), (320.0, Health::Unknown), (419.0, Health::Unknown), (430.0, Health::Up)]
    {
        let status = reader.status(std::slice::from_ref(&tiktok), Some(at(minute))).unwrap();
        assert_eq!(status.services[0].state, state, "minute {minute}");
    }
    assert_eq!(reader.spikes(&Filter::default()).unwrap(), []);
}

/// Nine of ten reports come from one of two networks.
fn lopsided() -> Stream {
    let mut stream = Stream::new(4);
    stream.talk(0..600, 0.6, "", &["good morning"]);
    stream.talk(0..600, 1.0, "Spotify", &["{} won't load"]);
    for (number, post) in stream.posts.iter_mut().enumerate() {
        (if number % 10 == 0 { "mastodon" } else { "bluesky" }).clone_into(&mut post.source);
    }
    stream
}

#[test]
fn without_the_source_that_brings_most_nothing_is_called_well() {
    let spotify = [ServiceId::new("spotify")];
    for (lost, state) in [("bluesky", Health::Unknown), ("mastodon", Health::Up)] {
        let mut stream = lopsided();
        stream.posts.retain(|post| post.source != lost || post.created_at < at(500.0) || post.created_at >= at(580.0));
        let mut lines = stream.lines();
        let before = stream.posts.iter().filter(|post| post.created_at < at(500.0)).count();
        lines.insert(before, gap(lost, 500.0, 580.0));
        let lab = Lab::of(&lines);
        let said = |minute| lab.reader().status(&spotify, Some(at(minute))).unwrap().services[0].state;
        assert_eq!((said(490.0), said(530.0), said(598.0)), (Health::Up, state, Health::Up), "without {lost}");
    }
}

/// A live job whose one source is read up to a minute, and that closes minutes until another.
fn heard_until(heard: f64, now: f64) -> Health {
    let lab = Lab::new();
    let mut pipeline = open(&lab.database(), Stamp::Live).unwrap();
    pipeline.listen(ListeningSpan {
        network: "bluesky".to_owned(),
        instance: "bluesky".to_owned(),
        heard: true,
        from: at(0.0).timestamp(),
        until: at(heard).timestamp(),
        why: None,
    });
    pipeline.close_through(Minute::of(at(now - 1.0)), Some(at(now)));
    pipeline.advance(at(now));
    pipeline.commit(Vec::new(), true).unwrap();
    let status = lab.reader().status(&[ServiceId::new("spotify")], Some(at(now))).unwrap();
    status.services[0].state
}

#[test]
fn a_source_that_lags_or_is_dead_is_unknown() {
    assert_eq!(heard_until(300.0, 300.0), Health::Up);
    assert_eq!(heard_until(295.0, 300.0), Health::Up, "a hashtag's turn comes every few minutes");
    assert_eq!(heard_until(290.0, 300.0), Health::Unknown, "it lags");
    assert_eq!(heard_until(100.0, 300.0), Health::Unknown, "it is dead");
}

#[test]
fn a_source_that_answers_and_brings_nothing_is_not_heard() {
    let lab = Lab::new();
    let mut pipeline = open(&lab.database(), Stamp::Live).unwrap();
    let batch = |events: Vec<Event>, minute: f64| Batch {
        source: "bluesky".to_owned(),
        network: "bluesky",
        heard: Some((at(minute - 1.0), at(minute))),
        seen: events.len() as u64,
        caught_up: true,
        cursor: None,
        health: whatsdown::source::Health::default(),
        events,
    };
    let mut silent_at = None;
    for minute in 1..800 {
        let moment = f64::from(minute);
        // Every minute a few posts, and from minute 700 on only answers without any.
        let post = |id: i32| Post {
            source: "bluesky".to_owned(),
            id: format!("{minute}-{id}"),
            created_at: at(moment - 0.5),
            author: format!("synthetic-{id}"),
            text: "what a day".to_owned(),
            ..Post::default()
        };
        let events = if minute < 700 { (0..3).map(|id| Event::Post(post(id))).collect() } else { Vec::new() };
        let batch = batch(events, moment);
        pipeline.note_intake(&batch, at(moment));
        pipeline.listen(ListeningSpan {
            network: "bluesky".to_owned(),
            instance: "bluesky".to_owned(),
            heard: true,
            from: at(moment - 1.0).timestamp(),
            until: at(moment).timestamp(),
            why: None,
        });
        let silences = pipeline.find_silences(at(moment));
        silent_at = silent_at.or((!silences.is_empty()).then_some(minute));
        pipeline.close_through(Minute::of(at(moment - 1.0)), Some(at(moment)));
    }
    pipeline.advance(at(799.0));
    pipeline.commit(Vec::new(), true).unwrap();
    assert_eq!(silent_at, Some(710));
    let reader = lab.reader();
    let said = |minute| reader.status(&[ServiceId::new("spotify")], Some(at(minute))).unwrap().services[0].state;
    assert_eq!((said(690.0), said(790.0)), (Health::Up, Health::Unknown));
    let rows = reader.exposures(Some(at(690.0)), at(799.0)).unwrap();
    let heard = |minute: f64| rows.iter().find(|row| row.at == at(minute)).unwrap().heard;
    assert_eq!((heard(695.0), heard(705.0), heard(780.0)), (1.0, 0.0, 0.0), "also before it was known");
}

#[test]
fn our_silence_is_not_their_recovery() {
    for seed in 0..3 {
        let mut stream = Stream::new(seed);
        stream.everyday(0..760);
        stream.outage("TikTok", 400..620, 5.0);
        let lab = Lab::of(&with_gap(&mut stream, 440.0, 540.0));
        let incidents = lab.incidents();
        assert_eq!(incidents.len(), 1, "seed {seed}: {incidents:?}");
        let incident = &incidents[0];
        assert!(incident.end.unwrap().low > at(560.0), "seed {seed}: {:?}", incident.end);
        let turns: Vec<Phase> = incident.phases.iter().map(|entry| entry.phase).collect();
        assert!(!turns.contains(&Phase::Relapse), "seed {seed}: {turns:?}");
        let early = incident
            .phases
            .iter()
            .find(|entry| (at(440.0)..at(540.0)).contains(&entry.at) && entry.phase != Phase::Onset);
        assert_eq!(early, None, "seed {seed}");
    }
}

#[test]
fn a_sources_first_day_is_no_spike() {
    let mut stream = Stream::new(3);
    stream.everyday(0..900);
    stream.posts.retain(|post| post.source == "mastodon" || post.created_at >= at(400.0));
    let lab = Lab::of(&stream.lines());
    assert_eq!(lab.reader().spikes(&Filter::default()).unwrap(), []);
}

/// All that the database says but for how many posts its sources had.
fn but_sources(lab: &Lab) -> Value {
    let mut says = lab.says();
    says.as_object_mut().unwrap().remove("sources");
    says
}

#[test]
fn one_wrong_clock_disturbs_nobody_else() {
    let stream = Stream::with_outage(8);
    let lines = stream.lines();
    let plain = but_sources(&Lab::of(&lines));
    let place = |minute: f64| stream.posts.iter().filter(|post| post.created_at < at(minute)).count();
    let year = TimeDelta::days(365);
    let shifts = [year, TimeDelta::minutes(50), year * -15, year * -40];
    for (index, shift) in shifts.into_iter().enumerate() {
        // The last line alone cannot be told from the first after a pause, unless the leap is absurd.
        let last = if index == 1 { place(590.0) } else { lines.len() };
        for place in [0, 1, 2, place(398.0), last] {
            let wrong = Post {
                source: "bluesky".into(),
                id: "wrong".into(),
                created_at: stream.posts[0].created_at + shift,
                author: "synthetic-wrong".into(),
                text: "what a day".into(),
                ..Post::default()
            };
            let near: Option<Post> = lines.get(place.saturating_sub(1)).map(|line| serde_json::from_str(line).unwrap());
            let wrong = Post { created_at: near.unwrap().created_at + shift, ..wrong };
            let mut disturbed = lines.clone();
            disturbed.insert(place, line(&wrong));
            let lab = Lab::new();
            lab.replay(&disturbed).summary();
            assert_same(&plain, &but_sources(&lab), &format!("{shift} at line {place}"));
        }
    }
}

#[test]
fn an_absurd_claim_is_counted_when_it_was_seen() {
    let mut stream = Stream::new(10);
    stream.everyday(0..120);
    let plain: Vec<u64> = SERVICES.iter().map(|service| Lab::of(&stream.lines()).counted(service)).collect();
    for shift in [TimeDelta::days(365), TimeDelta::days(-365 * 40)] {
        let post = stream.post(60.5, "synthetic-wrong", "is TikTok down?");
        post.observed_at = Some(at(61.0));
        post.created_at += shift;
    }
    let lab = Lab::of(&stream.lines());
    assert_eq!(lab.counted("tiktok"), plain[0] + 2);
    let series = lab.reader().series(&ServiceId::new("tiktok"), Region::WORLD, at(61.0), at(62.0), 1).unwrap();
    assert!(series[0].observed >= 1, "{series:?}");
    assert_eq!(lab.reader().now().unwrap(), stream.posts.iter().map(Post::arrived_at).max().unwrap());
}
