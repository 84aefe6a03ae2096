//! What each source brings: how many posts of each minute, how old they are when they come, and whether it has fallen
//! silent altogether. A source that answers and brings nothing is broken: its silence is no calm.

use crate::count::KeyHash;
use crate::minute::Minute;
use crate::post::Event;
use crate::source::Batch;
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The bounds of the ages that are told apart, in seconds. What is older counts as [`OLDER`].
const BOUNDS: [i64; 13] = [1, 2, 5, 10, 20, 60, 120, 300, 600, 900, 1800, 3600, 21_600];
/// Stands for every age above the last bound.
pub const OLDER: i64 = i64::MAX;
/// A post may be read again for so long, in minutes, and counts once.
const AGAIN: i64 = 30;
/// A source is known when it was listened to for so long, and is judged by the last day.
const KNOWN: i64 = 6 * Minute::HOUR;
const DAY: i64 = Minute::DAY;
/// Silent is what has brought nothing for so many times its longest silence of the last day, and for so many minutes at the
/// least. A source that is often silent for longer than half an hour is not judged: it may be chance.
const TIMES: i64 = 4;
const LEAST: i64 = 10;
const LONGEST_JUDGED: i64 = 30;

/// What a batch adds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Brought {
    /// Posts by the minute in which they were written.
    pub volume: BTreeMap<Minute, u64>,
    /// Posts by the hour in which they were read and the bound of their age, of those that were read as they came.
    pub ages: BTreeMap<(i64, i64), u64>,
}

/// A source that has fallen silent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    pub instance: String,
    pub network: String,
    /// The close of the last minute with a post.
    pub since: DateTime<Utc>,
    /// The longest silence of the day before, in minutes.
    pub longest: i64,
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.longest {
            0 => {
                f.write_str("it answers, but brings no post, and it never went a minute without one in the day before")
            }
            longest => {
                write!(f, "it answers, but brings no post; in the day before it was silent for {longest} min at most")
            }
        }
    }
}

/// The fold over all batches of a job.
#[derive(Default)]
pub struct Intake {
    sources: BTreeMap<String, Known>,
}

#[derive(Default)]
struct Known {
    network: String,
    /// Posts of the last minutes, by their keys.
    recent: BTreeMap<KeyHash, Minute>,
    /// Minutes of the last day with a post, or of which nothing can be said.
    alive: BTreeSet<Minute>,
    /// It makes time count as heard, so its silence would mean something.
    hears: bool,
    caught_up: bool,
}

impl Intake {
    /// Goes on from what was stored: minutes with posts, and those that were lost.
    pub fn resume(minutes: impl IntoIterator<Item = (String, Minute)>) -> Intake {
        let mut intake = Intake::default();
        for (instance, minute) in minutes {
            intake.sources.entry(instance).or_default().alive.insert(minute);
        }
        intake
    }

    pub fn take(&mut self, batch: &Batch, now: DateTime<Utc>) -> Brought {
        let minute_now = Minute::of(now);
        let known = self.sources.entry(batch.source.clone()).or_default();
        batch.network.clone_into(&mut known.network);
        known.hears |= batch.heard.is_some();
        known.caught_up = batch.caught_up;
        let mut brought = Brought::default();
        for event in &batch.events {
            match event {
                Event::Post(post) => {
                    let minute = Minute::of(post.written_at()).min(minute_now);
                    let young = minute >= minute_now - AGAIN;
                    if young && known.recent.insert(KeyHash::of(&post.key()), minute).is_some() {
                        continue;
                    }
                    *brought.volume.entry(minute).or_default() += 1;
                    known.alive.insert(minute);
                    if batch.caught_up {
                        let age = (now - post.written_at()).num_seconds();
                        let bound = BOUNDS.into_iter().find(|bound| age < *bound).unwrap_or(OLDER);
                        *brought.ages.entry((minute_now.0.div_euclid(Minute::HOUR), bound)).or_default() += 1;
                    }
                }
                Event::Gap(gap) => {
                    let from = Minute::of(gap.from).max(minute_now - DAY);
                    known.alive.extend((from.0..=Minute::of(gap.until).min(minute_now).0).map(Minute));
                }
                Event::Deleted(_) | Event::Left(_) | Event::Volume(_) => {}
            }
        }
        brought
    }

    /// The sources that have brought nothing for so long that it cannot be chance.
    pub fn silences(&mut self, now: DateTime<Utc>) -> Vec<Silence> {
        let minute_now = Minute::of(now);
        let mut silences = Vec::new();
        for (instance, known) in &mut self.sources {
            known.recent.retain(|_, minute| *minute >= minute_now - AGAIN);
            known.alive = known.alive.split_off(&(minute_now - DAY));
            let (Some(first), Some(last)) = (known.alive.first(), known.alive.last()) else { continue };
            let after = known.alive.iter().skip(1);
            let longest = known.alive.iter().zip(after).map(|(one, next)| *next - *one - 1).max().unwrap_or(0);
            let quiet = minute_now - *last - 1;
            let judged = known.hears && known.caught_up && *last - *first >= KNOWN;
            if judged && longest <= LONGEST_JUDGED && quiet > LEAST.max(longest * TIMES) {
                let network = known.network.clone();
                silences.push(Silence { instance: instance.clone(), network, since: last.close(), longest });
            }
        }
        silences
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::post::{Gap, Post};
    use crate::source::Health;
    use chrono::TimeDelta;

    fn at(minute: i64) -> DateTime<Utc> {
        Minute(30_000_000 + minute).start()
    }

    fn batch(events: Vec<Event>) -> Batch {
        Batch {
            source: "a:x".to_owned(),
            network: "a",
            events,
            cursor: None,
            heard: Some((at(0), at(1))),
            seen: 0,
            caught_up: true,
            health: Health::default(),
        }
    }

    fn post(id: usize, written: DateTime<Utc>) -> Event {
        Event::Post(Post { source: "a".to_owned(), id: id.to_string(), created_at: written, ..Post::default() })
    }

    #[test]
    fn a_post_that_is_read_again_counts_once_and_its_age_is_told() {
        let mut intake = Intake::default();
        let now = at(10) + TimeDelta::seconds(30);
        let posts: Vec<Event> = (0..3).map(|id| post(id, now - TimeDelta::seconds(4))).collect();
        let brought = intake.take(&batch(posts.clone()), now);
        assert_eq!(brought.volume.into_iter().collect::<Vec<_>>(), [(Minute::of(at(10)), 3)]);
        assert_eq!(brought.ages.values().sum::<u64>(), 3);
        assert_eq!(brought.ages.keys().next().unwrap().1, 5);
        assert_eq!(intake.take(&batch(posts), now + TimeDelta::seconds(9)), Brought::default());
        // What is read up says nothing of how soon posts come.
        let late = Batch { caught_up: false, ..batch(vec![post(9, at(-900))]) };
        let brought = intake.take(&late, now);
        assert_eq!((brought.volume.len(), brought.ages.len()), (1, 0));
    }

    /// A source whose nights are quiet: posts at random, `busy` a minute at noon and a tenth of that at midnight.
    fn days(busy: f64, days: i64, seed: u64, mut look: impl FnMut(&mut Intake, i64)) -> Intake {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut intake = Intake::default();
        for minute in 0..days * DAY {
            let light = (std::f64::consts::TAU * minute as f64 / DAY as f64).cos();
            let rate = busy * (0.55 - 0.45 * light);
            // Poisson: so many waits of mean one fit into the rate.
            let mut left = rate;
            let mut posts = Vec::new();
            loop {
                left += (1.0 - random.f64()).ln();
                if left < 0.0 {
                    break;
                }
                posts.push(post(minute as usize * 10_000 + posts.len(), at(minute)));
            }
            intake.take(&batch(posts), at(minute + 1));
            look(&mut intake, minute + 1);
        }
        intake
    }

    #[test]
    fn quiet_nights_are_no_silence_and_a_muted_source_is_one() {
        for (busy, within) in [(200.0, Some(12)), (20.0, Some(60)), (0.2, None)] {
            for seed in 0..3 {
                let mut intake = days(busy, 3, seed, |intake, minute| {
                    assert_eq!(intake.silences(at(minute)), [], "{busy} a minute, seed {seed}, minute {minute}");
                });
                let end = 3 * DAY;
                let silent = (1..DAY).find(|quiet| {
                    // It answers, and brings nothing.
                    intake.take(&batch(Vec::new()), at(end + quiet));
                    !intake.silences(at(end + quiet)).is_empty()
                });
                let as_told = within.map_or(silent.is_none(), |within| silent.is_some_and(|quiet| quiet <= within));
                assert!(as_told, "{busy} a minute, seed {seed}: {silent:?}");
            }
        }
    }

    #[test]
    fn what_was_lost_or_is_hardly_known_is_not_called_silence() {
        // Two hours are not enough to know it.
        let mut young = Intake::default();
        for minute in 0..120 {
            young.take(&batch(vec![post(minute, at(minute as i64))]), at(minute as i64));
        }
        assert_eq!(young.silences(at(300)), []);
        let mut known = days(50.0, 1, 7, |_, _| {});
        assert_eq!(known.silences(at(DAY + 30)).len(), 1);
        // A time that was lost is known to be, and one that reads up is not judged.
        let lost = Gap { source: "a:x".to_owned(), from: at(DAY), until: at(DAY + 25), why: None };
        known.take(&batch(vec![Event::Gap(lost)]), at(DAY + 30));
        assert_eq!(known.silences(at(DAY + 30)), []);
        known.take(&Batch { caught_up: false, ..batch(Vec::new()) }, at(DAY + 60));
        assert_eq!(known.silences(at(DAY + 60)), []);
    }
}
