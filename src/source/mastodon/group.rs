//! Up to five hashtags that are asked for together: where their timeline is read to, and when to go on.
//!
//! Ids are opaque, but grow: a longer one is later, of two of one length the greater. A server may file a
//! post that reached it late below those that we have read, so a part of the timeline is read again, in steps
//! of an overlap: from where it stood two steps ago, which finds every post late by one step or less.

use super::Config;
use crate::source::Span;
use crate::source::limits::jittered;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

/// So many new posts at once make a group hot.
const HOT: usize = 3;

/// The id of a post on one instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id(pub String);

impl Ord for Id {
    fn cmp(&self, other: &Id) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Id {
    fn partial_cmp(&self, other: &Id) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The posts of a page: their ids and when they were written, in any order.
pub type Entries = [(Id, DateTime<Utc>)];

/// How far a timeline is read. What is stored of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The latest post read; before all posts if there was none.
    newest: Id,
    /// What `newest` was when the last step began, and the step before.
    marks: [Id; 2],
    marked_at: DateTime<Utc>,
    /// What was written up to here has been read.
    read_until: DateTime<Utc>,
    /// A hashtag that has brought posts, so that the instance knows it.
    known: Option<String>,
}

impl Place {
    /// The place from which nothing is missing that either misses.
    fn earlier(self, other: &Place) -> Place {
        let [mark, before] = self.marks;
        Place {
            newest: self.newest.min(other.newest.clone()),
            marks: [mark.min(other.marks[0].clone()), before.min(other.marks[1].clone())],
            marked_at: self.marked_at.min(other.marked_at),
            read_until: self.read_until.min(other.read_until),
            known: self.known.or_else(|| other.known.clone()),
        }
    }
}

/// Hashtags that are asked for together.
pub struct Group {
    tags: Vec<String>,
    /// The one that the request names first. The server knows no timeline of a hashtag that nobody has used
    /// there, and then leaves out the others too: until one brings posts, they take turns.
    main: usize,
    main_known: bool,
    due: DateTime<Utc>,
    interval: Duration,
    /// The oldest post that is wanted.
    oldest: DateTime<Utc>,
    step: Step,
}

/// Which group to ask for next. Of several that are due, one that is hot may overtake one that is asked for
/// seldom, but not keep it waiting for more than a quarter of its interval.
pub fn most_urgent(groups: &[Group], now: DateTime<Utc>) -> Option<usize> {
    let key = |group: &Group| {
        let early = group.due > now;
        let patience = if early { Duration::ZERO } else { group.interval / 4 };
        (early, group.due + TimeDelta::from_std(patience).unwrap_or_default())
    };
    (0..groups.len()).min_by_key(|at| groups.get(*at).map(key))
}

enum Step {
    Back(Back),
    Forward {
        place: Place,
        /// Where the next page begins, while older posts are read again.
        again: Option<Id>,
    },
}

/// A timeline that is read for the first time, from its newest post back. Stored page by page, so that a restart goes on
/// where it stopped: what was written since the beginning is read forward afterwards.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Back {
    began: Option<DateTime<Utc>>,
    newest: Option<Id>,
    /// The newest post older than the overlap.
    mark: Option<Id>,
    max_id: Option<Id>,
    pages: u32,
    /// A hashtag that has brought posts.
    known: Option<String>,
}

impl Group {
    /// `places` are the stored ones, by hashtag; `begun` are the first readings of these very hashtags.
    pub fn new(
        tags: &[String],
        places: &BTreeMap<String, Place>,
        begun: &[(Vec<String>, Back)],
        now: DateTime<Utc>,
        oldest: DateTime<Utc>,
        interval: Duration,
    ) -> Group {
        let stored: Option<Vec<&Place>> = tags.iter().map(|tag| places.get(tag)).collect();
        let stored = stored.and_then(|places| places.into_iter().cloned().reduce(|a, b| a.earlier(&b)));
        let begun = begun.iter().find(|(of, back)| of == tags && back.began.is_some_and(|began| began > oldest));
        let begun = begun.map(|(_, back)| back.clone()).unwrap_or_default();
        let step = stored.map_or(Step::Back(begun), |place| Step::Forward { place, again: None });
        let (Step::Forward { place: Place { known, .. }, .. } | Step::Back(Back { known, .. })) = &step;
        let known = tags.iter().position(|tag| Some(tag) == known.as_ref());
        Group {
            tags: tags.to_vec(),
            main: known.unwrap_or(0),
            main_known: known.is_some(),
            due: now,
            interval,
            oldest,
            step,
        }
    }

    pub fn tags(&self) -> &[String] {
        &self.tags
    }

    pub fn due(&self) -> DateTime<Utc> {
        self.due
    }

    pub fn oldest(&self) -> DateTime<Utc> {
        self.oldest
    }

    pub fn place(&self) -> Option<&Place> {
        match &self.step {
            Step::Forward { place, .. } => Some(place),
            Step::Back(_) => None,
        }
    }

    /// The first reading, while it goes on.
    pub fn begun(&self) -> Option<&Back> {
        match &self.step {
            Step::Back(back) if back.began.is_some() => Some(back),
            _ => None,
        }
    }

    /// What was written up to here has been read.
    pub fn read_until(&self) -> Option<DateTime<Utc>> {
        self.place().map(|place| place.read_until)
    }

    /// Writes the next request into the URL of the instance.
    pub fn ask(&self, url: &mut Url) {
        let (before, others) = self.tags.split_at(self.main.min(self.tags.len()));
        let main = others.first().map_or("", String::as_str);
        if let Ok(mut path) = url.path_segments_mut() {
            path.clear().extend(["api", "v1", "timelines", "tag", main]);
        }
        let mut query = url.query_pairs_mut();
        for tag in before.iter().chain(others.iter().skip(1)) {
            query.append_pair("any[]", tag);
        }
        match &self.step {
            Step::Back(Back { max_id: Some(id), .. }) => query.append_pair("max_id", &id.0),
            Step::Back(_) => &mut query,
            Step::Forward { place, again } => query.append_pair("min_id", &again.as_ref().unwrap_or(&place.newest).0),
        };
    }

    /// Takes note of a page. Gives the span that the backfill did not reach, if it ended at its cap.
    pub fn turn_page(
        &mut self,
        entries: &Entries,
        full: bool,
        asked_at: DateTime<Utc>,
        now: DateTime<Utc>,
        config: &Config,
    ) -> Option<Span> {
        self.main_known |= !entries.is_empty();
        if !self.main_known {
            self.main = (self.main + 1) % self.tags.len().max(1);
            if self.main != 0 && matches!(self.step, Step::Back(_)) {
                // The posts of the others are not shown yet: the timeline is empty only if it is under each of them. They
                // are asked for next, ahead of other groups, since only what is finished is stored.
                return None;
            }
        }
        let known = self.tags.get(self.main).filter(|_| self.main_known);
        let last = entries.iter().map(|(id, _)| id).max();
        match &mut self.step {
            Step::Back(back) => {
                back.known = known.cloned();
                let Some((mut place, lost)) = back.turn(entries, asked_at, self.oldest, config) else {
                    self.go_on(now, config);
                    return None;
                };
                place.known = known.cloned();
                self.step = Step::Forward { place, again: None };
                self.rest(now, config.fast);
                lost
            }
            Step::Forward { place, again } => {
                place.known = known.cloned();
                let rereading = again.is_some();
                let from = again.take().unwrap_or_else(|| place.newest.clone());
                let reached = last.filter(|last| **last > from).cloned().unwrap_or_else(|| from.clone());
                let more = full && reached > from;
                let fresh = entries.iter().filter(|(id, _)| *id > place.newest).count();
                if more && reached < place.newest {
                    *again = Some(reached);
                    self.go_on(now, config);
                    return None;
                }
                place.newest = reached.max(place.newest.clone());
                if rereading {
                    let [mark, _] = std::mem::take(&mut place.marks);
                    place.marks = [place.newest.clone(), mark];
                    place.marked_at = now;
                }
                if more {
                    self.go_on(now, config);
                    return None;
                }
                place.read_until = place.read_until.max(asked_at);
                if (now - place.marked_at).to_std().is_ok_and(|since| since >= config.overlap) {
                    *again = Some(place.marks[1].clone());
                }
                let interval = match fresh {
                    0 => self.interval * 2,
                    // A post now and then is no reason to hurry.
                    1..HOT => self.interval / 2,
                    _ => config.fast,
                };
                self.rest(now, interval.clamp(config.fast, config.slow.max(config.fast)));
                None
            }
        }
    }

    /// Lets the others go first, after a failure.
    pub fn put_off(&mut self, now: DateTime<Utc>, config: &Config) {
        self.rest(now, (self.interval * 2).min(config.slow));
    }

    /// Asks for the next page at once.
    fn go_on(&mut self, now: DateTime<Utc>, config: &Config) {
        self.interval = config.fast;
        self.due = now;
    }

    fn rest(&mut self, now: DateTime<Utc>, interval: Duration) {
        self.interval = interval;
        self.due = now + TimeDelta::from_std(jittered(interval)).unwrap_or_default();
    }
}

impl Back {
    /// Takes note of a page. At the end gives the place to go on from, and what was not reached.
    fn turn(
        &mut self,
        entries: &Entries,
        asked_at: DateTime<Utc>,
        oldest: DateTime<Utc>,
        config: &Config,
    ) -> Option<(Place, Option<Span>)> {
        let began = *self.began.get_or_insert(asked_at);
        let ids = || entries.iter().map(|(id, _)| id);
        let settled = began - TimeDelta::from_std(config.overlap).unwrap_or_default();
        if self.newest.is_none() {
            self.newest = ids().max().cloned();
        }
        if self.mark.is_none() {
            self.mark = entries.iter().filter(|(_, written)| *written < settled).map(|(id, _)| id).max().cloned();
        }
        self.pages += 1;
        let lowest = ids().min().filter(|lowest| self.max_id.as_ref().is_none_or(|max_id| *lowest < max_id));
        let reached = lowest.is_none() || entries.iter().any(|(_, written)| *written < oldest);
        if !reached && self.pages < config.backfill_pages {
            self.max_id = lowest.cloned();
            return None;
        }
        let newest = self.newest.take().unwrap_or(Id("0".to_owned()));
        let mark = self.mark.take().unwrap_or_else(|| if reached { Id("0".to_owned()) } else { newest.clone() });
        let place = Place { newest, marks: [mark.clone(), mark], marked_at: began, read_until: began, known: None };
        let until = entries.iter().map(|(_, written)| *written).min().filter(|until| !reached && *until > oldest);
        Some((place, until.map(|until| (oldest, until))))
    }
}
