//! Counts of posts that nobody read: a series of their own, that opens no incident.

use crate::support::{Lab, open};
use chrono::{DateTime, TimeDelta, Utc};
use whatsdown::minute::Minute;
use whatsdown::post::Volume;
use whatsdown::store::{Filter, Reader, Stamp};

fn volume(at: DateTime<Utc>, posts: u64) -> Volume {
    let (service, source, query) = ("tiktok".to_owned(), "x".to_owned(), "\"TikTok\" down".to_owned());
    Volume { at, service, source, query, posts }
}

#[test]
fn a_volume_is_replaced_and_opens_no_incident() {
    let lab = Lab::new();
    let begin = Minute::of("2026-07-04T12:00:00Z".parse().unwrap()).start();
    let mut pipeline = open(&lab.database(), Stamp::Live).unwrap();
    for minute in 0..600 {
        let at = begin + TimeDelta::minutes(minute);
        pipeline.advance(at + TimeDelta::minutes(1));
        // As an outage looks: a thousand times what is usual, from the 500th minute on.
        pipeline.note_volume(&volume(at, if minute < 500 { 10 } else { 10_000 }));
        pipeline.close_through(Minute::of(at), Some(at));
        pipeline.commit(Vec::new(), false).unwrap();
    }
    pipeline.note_volume(&volume(begin, 12));
    pipeline.note_volume(&volume(begin, 11));
    pipeline.commit(Vec::new(), true).unwrap();
    drop(pipeline);
    let reader = Reader::open(&lab.database()).unwrap();
    let volumes = reader.volumes(&Filter::default()).unwrap();
    assert_eq!((volumes.len(), volumes[0].posts, volumes[599].posts), (600, 11, 10_000));
    let all = Filter::default();
    assert!(reader.incidents(&all).unwrap().is_empty() && reader.spikes(&all).unwrap().is_empty());
    let since = Filter { since: Some(begin + TimeDelta::minutes(598)), ..all };
    assert_eq!(reader.volumes(&since).unwrap().len(), 2);
}
