//! Pages of notices: every one that an answer showed is passed on, once as long as the job lives, and again after it was
//! killed before it was stored. They are posts with ids of their own, so what comes twice counts once.

use super::{Day, Said, begin, end, lab, play};
use crate::compliance::{POLLED, Polled, Written, sent};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};
use whatsdown::post::Event;
use whatsdown::source::{Found, Request, RequestKind};

/// A notice, and when the page shows it.
struct Notice {
    written: Written,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
}

/// Notices of a day, some of which are shown only hours after what they are about; each for a while.
fn notices(random: &mut fastrand::Rng) -> Vec<Notice> {
    let mut at = begin() - TimeDelta::hours(12);
    let mut notices = Vec::new();
    while at < end() {
        at += TimeDelta::seconds(random.i64(1..1200));
        let from = at + TimeDelta::seconds(if random.u8(..5) == 0 { random.i64(0..7200) } else { random.i64(0..60) });
        let until = from + TimeDelta::minutes(random.i64(1..600));
        notices.push(Notice { written: Written { id: notices.len() as u64, at }, from, until });
    }
    notices
}

struct Shown<'a> {
    polled: &'a Polled,
    notices: Vec<Notice>,
    /// What a source knows of each page since its start, so that it can be told that nothing has changed.
    known: BTreeMap<String, String>,
    /// What the last answer showed.
    last: BTreeSet<DateTime<Utc>>,
    /// What all answers showed that were stored, and what came of them.
    truth: BTreeSet<DateTime<Utc>>,
    told: BTreeMap<DateTime<Utc>, String>,
    told_in_this_life: BTreeSet<String>,
    unchanged: u32,
    again: u32,
}

impl Day for Shown<'_> {
    fn answer(&mut self, request: &Request, now: DateTime<Utc>, _: DateTime<Utc>) -> Said {
        let shown = self.notices.iter().rev().filter(|notice| notice.from <= now && now < notice.until);
        let shown: Vec<Option<Written>> = shown.map(|notice| Some(notice.written)).collect();
        self.last = shown.iter().flatten().map(|written| written.at).collect();
        let body = sent((self.polled.page)(&shown, false));
        let before = self.known.insert(request.url.path().to_owned(), body.clone());
        if request.kind == RequestKind::Changed && before.as_ref() == Some(&body) {
            self.unchanged += 1;
            return Said::Page(304, String::new());
        }
        Said::Page(200, body)
    }

    fn store(&mut self, found: Found) {
        assert!(found.heard.is_none() && found.odd == 0, "{}: nobody was listened to", self.polled.name);
        self.truth.append(&mut self.last);
        for event in found.events {
            let Event::Post(post) = event else { panic!("{event:?}") };
            assert!(self.told_in_this_life.insert(post.id.clone()), "{}: {} came twice", self.polled.name, post.id);
            if let Some(before) = self.told.insert(post.created_at, post.id.clone()) {
                assert_eq!(before, post.id, "{}", self.polled.name);
                self.again += 1;
            }
        }
    }

    fn restarted(&mut self) {
        self.known.clear();
        self.told_in_this_life.clear();
    }
}

#[test]
fn every_notice_that_was_shown_is_told_once() {
    for polled in
        POLLED.iter().filter(|it| ["status", "feed", "radar", "ioda"].iter().any(|kind| it.name.starts_with(kind)))
    {
        let (mut again, mut unchanged) = (0, 0);
        for seed in 0..6 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut day = Shown {
                polled,
                notices: notices(&mut random),
                known: BTreeMap::new(),
                last: BTreeSet::new(),
                truth: BTreeSet::new(),
                told: BTreeMap::new(),
                told_in_this_life: BTreeSet::new(),
                unchanged: 0,
                again: 0,
            };
            play(polled.name, &lab(), &mut random, &mut day);
            let told: BTreeSet<DateTime<Utc>> = day.told.into_keys().collect();
            let what = format!("{}, seed {seed}", polled.name);
            assert_eq!(told, day.truth, "{what}");
            assert!(told.len() > 100, "{what}: {} told", told.len());
            again += day.again;
            unchanged += day.unchanged;
        }
        assert!(again > 0, "{}: it was never killed", polled.name);
        assert!(unchanged > 0 || !polled.name.starts_with("status"), "{}: the page always changed", polled.name);
    }
}
