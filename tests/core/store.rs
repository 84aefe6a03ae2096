//! What the database keeps from one run of the job to the next.

use crate::support::Lab;
use whatsdown::source::{Health, State};
use whatsdown::store::writer::{Append, SourceState};
use whatsdown::store::{Reader, Stamp, Writer};

#[test]
fn a_new_run_does_not_forget_when_a_source_was_last_heard() {
    let lab = Lab::new();
    let at = "2024-03-06T08:00:00Z".parse().unwrap();
    let heard =
        Health { state: State::Ok, last_success: Some(at), heard_until: Some(at), errors: 3, ..Health::default() };
    let failing = Health { state: State::Degraded, errors: 1, ..Health::default() };
    for health in [&heard, &failing] {
        // Each in a run of its own, whose sources begin without having heard anything.
        let source = SourceState {
            instance: "bluesky".to_owned(),
            network: "bluesky".to_owned(),
            cursor: None,
            posts: 2,
            health: serde_json::to_string(health).unwrap(),
        };
        let mut writer = Writer::open(&lab.database(), Stamp::Live).unwrap();
        writer.append(&Append { sources: vec![source], ..Append::default() }).unwrap();
    }
    let sources = Reader::open(&lab.database()).unwrap().sources().unwrap();
    let kept = Health { last_success: Some(at), heard_until: Some(at), ..failing };
    assert_eq!((sources.len(), sources[0].posts, &sources[0].health), (1, 4, &kept));
}
