//! The detector against simulated life: what must and what must not be found, and how well it is dated.

#[expect(dead_code, reason = "shared with the bench, which uses the rest")]
mod sim;

use fastrand::Rng;
use proptest::prelude::*;
use sim::{Life, Outage, Shape, normal, poisson};
use std::collections::{BTreeSet, VecDeque};
use whatsdown::count::{KeyHash, ListeningSpan, Mention, Tally};
use whatsdown::detect::calibrate::{Budget, is_alarm};
use whatsdown::detect::interval::{end, start};
use whatsdown::detect::series::{Band, Judged, Series};
use whatsdown::detect::{Baseline, Expected, Node, Sample, Score};
use whatsdown::incident::related::Ties;
use whatsdown::minute::Minute;
use whatsdown::reading::ServiceId;
use whatsdown::region::Region;
use whatsdown::track::{Settings, Track};

/// A Monday, 00:00.
const FIRST: Minute = Minute(27_000_000 / Minute::WEEK * Minute::WEEK - 3 * Minute::DAY);

fn at(offset: usize) -> Minute {
    FIRST + i64::try_from(offset).unwrap_or(i64::MAX)
}

/// One node with one source; a minute is learnt a quarter of an hour later, if there was no alarm until then.
struct Watch {
    baseline: Baseline,
    node: Node,
    now: Minute,
    unsettled: VecDeque<f64>,
    frozen_until: Minute,
}

impl Watch {
    fn new() -> Watch {
        let (baseline, node) = (Baseline::new(FIRST), Node::default());
        Watch { baseline, node, now: FIRST, unsettled: VecDeque::new(), frozen_until: FIRST }
    }

    fn step(&mut self, observed: f64) -> bool {
        let expected = self.baseline.expected(self.now, None);
        if self.now == self.frozen_until {
            self.node = Node::default();
        }
        let alarm = is_alarm(&self.node.step(observed, expected), Budget::default().threshold(expected.mean));
        if alarm {
            self.frozen_until = self.now + 60;
        }
        self.unsettled.push_back(observed);
        if self.unsettled.len() > 15
            && let Some(settled) = self.unsettled.pop_front()
            && self.now >= self.frozen_until
        {
            self.baseline.learn(self.now - 15, settled, 1.0, None);
        }
        self.now = self.now + 1;
        alarm
    }

    /// Learns without judging.
    fn backfill(&mut self, counts: &[f64]) {
        for count in counts {
            self.baseline.learn(self.now, *count, 1.0, None);
            self.now = self.now + 1;
        }
        self.frozen_until = self.now;
    }

    fn first_alarm(&mut self, counts: impl IntoIterator<Item = f64>) -> Option<usize> {
        counts.into_iter().map(|count| self.step(count)).collect::<Vec<bool>>().iter().position(|alarm| *alarm)
    }
}

#[test]
fn a_sources_first_posts_are_no_spike() {
    for seed in 0..20 {
        let mut rng = Rng::with_seed(seed);
        let counts = Life::steady(2.0).counts(&mut rng, &[2.0; 600]);
        assert_eq!(Watch::new().first_alarm(counts), None, "seed {seed}");
    }
}

#[test]
fn a_huge_outage_in_the_first_minutes_is_found() {
    for seed in 0..20 {
        let mut rng = Rng::with_seed(seed);
        let counts = Life::steady(60.0).counts(&mut rng, &[60.0; 10]);
        assert!(Watch::new().first_alarm(counts).is_some(), "seed {seed}");
    }
}

#[test]
fn an_hour_of_life_is_enough_to_find_a_clear_jump_within_ten_minutes() {
    let mut late = 0;
    for seed in 0..100 {
        let mut rng = Rng::with_seed(seed);
        let life = Life::steady(0.2);
        let mut watch = Watch::new();
        assert_eq!(watch.first_alarm(life.counts(&mut rng, &[0.2; 60])), None, "seed {seed}");
        late += usize::from(watch.first_alarm(life.counts(&mut rng, &[3.0; 10])).is_none());
    }
    assert!(late <= 5, "{late} of 100 not found");
}

#[test]
fn a_busy_hour_is_known_after_two_weeks() {
    let mut alarms = 0;
    for seed in 0..5 {
        let mut rng = Rng::with_seed(seed);
        let quiet_but_for_eight_pm = |offset: usize| if offset / 60 % 24 == 20 { 5.0 } else { 0.5 };
        let rates: Vec<f64> = (0..5 * 7 * 24 * 60).map(quiet_but_for_eight_pm).collect();
        let counts = Life::steady(1.0).counts(&mut rng, &rates);
        let mut watch = Watch::new();
        let (learnt, watched) = counts.split_at(2 * 7 * 24 * 60);
        watch.backfill(learnt);
        alarms += usize::from(watch.first_alarm(watched.iter().copied()).is_some());
    }
    assert_eq!(alarms, 0);
}

#[test]
fn a_silent_source_teaches_and_says_nothing() {
    let mut watch = Watch::new();
    watch.first_alarm([1.0; 500]);
    let before = watch.baseline.clone();
    for minute in 0..100 {
        watch.baseline.learn(watch.now + minute, 0.0, 0.0, None);
    }
    assert_eq!(watch.baseline, before);
    let unheard = before.expected(watch.now, None).scaled(0.0);
    assert_eq!((unheard.mean, watch.node.clone().step(0.0, unheard).llr), (0.0, watch.node.step(0.0, unheard).llr));
}

#[test]
fn an_outage_nobody_noticed_spoils_little_of_the_baseline() {
    let mut rng = Rng::with_seed(3);
    let life = Life::steady(0.5);
    let mut watch = Watch::new();
    watch.first_alarm(life.counts(&mut rng, &vec![0.5; 5000]));
    let before = watch.baseline.expected(watch.now, None).mean;
    watch.backfill(&life.counts(&mut rng, &[20.0; 180]));
    let after = watch.baseline.expected(watch.now, None).mean;
    assert!(after < 2.0 * before, "{before} became {after}");
}

#[test]
fn a_child_exceeds_neither_its_parents_rate_nor_its_bound() {
    let mut parent = Watch::new();
    parent.first_alarm(vec![0.0; 3000]);
    let child = Baseline::new(parent.now);
    let (alone, lent) = (child.expected(parent.now, None), child.expected(parent.now, Some(&parent.baseline)));
    assert!(lent.upper < alone.upper / 10.0 && lent.mean <= parent.baseline.expected(parent.now, None).mean);
}

#[test]
fn state_survives_postcard() {
    let mut watch = Watch::new();
    watch.first_alarm(vec![3.0; 5000]);
    watch.first_alarm([9.0; 5]);
    let bytes = postcard::to_stdvec(&(&watch.baseline, &watch.node)).unwrap();
    let (baseline, node): (Baseline, Node) = postcard::from_bytes(&bytes).unwrap();
    assert_eq!((baseline, node), (watch.baseline, watch.node));
}

/// Incidents that the fold raises on the eleventh day of everyday reports of three services on two networks or three. Each
/// network brings its reports in the first ratio before that day and in the second from then on; one of 0 before joins then.
fn incidents_as_sources_change(seed: u64, networks: &[(&str, f64, f64)]) -> usize {
    const CHANGE: i64 = 10 * Minute::DAY;
    const MINUTES: i64 = 11 * Minute::DAY;
    let mut rng = Rng::with_seed(seed);
    let mut mentions = Vec::new();
    let mut track = Track::default();
    for (network, before, after) in networks {
        let from = if *before > 0.0 { FIRST } else { FIRST + CHANGE };
        track.listen(&ListeningSpan {
            network: (*network).to_owned(),
            instance: (*network).to_owned(),
            heard: true,
            from: from.start().timestamp(),
            until: (FIRST + MINUTES).start().timestamp(),
            why: None,
        });
        for (service, rate) in [("quiet", 0.02), ("usual", 0.2), ("busy", 1.0)] {
            let life = Life::drawn(&mut rng, rate);
            let mut rates = life.rates(&mut rng, FIRST, MINUTES as usize);
            for (minute, rate) in rates.iter_mut().enumerate() {
                *rate *= if (minute as i64) < CHANGE { *before } else { *after };
            }
            for (minute, count) in life.counts(&mut rng, &rates).into_iter().enumerate() {
                for _ in 0..count as usize {
                    let author = rng.u64(..);
                    mentions.push(Mention {
                        key: KeyHash(rng.u128(..).to_le_bytes()),
                        at: at(minute).start() + chrono::TimeDelta::seconds(rng.i64(0..60)),
                        service: ServiceId::new(service),
                        source: (*network).to_owned(),
                        region: Region::WORLD,
                        tally: Tally::Report,
                        symptoms: Vec::new(),
                        surfaces: Vec::new(),
                        stage: None,
                        author,
                        print: author,
                        quotable: false,
                    });
                }
            }
        }
    }
    mentions.sort_by(|a, b| a.order().cmp(&b.order()));
    // The share of three nodes in one a month over 88.
    let settings = Settings { false_alarms_per_month: 3.0 / 88.0 };
    let mut mentions = mentions.iter().peekable();
    let mut incidents = BTreeSet::new();
    for minute in (0..MINUTES).map(|offset| FIRST + offset) {
        while let Some(mention) = mentions.next_if(|mention| mention.minute() <= minute) {
            track.add(mention);
        }
        let found = track.close_through(minute, None, &settings, &Ties::default()).incidents;
        let lately = found.into_values().filter(|incident| incident.detected_at >= (FIRST + CHANGE).start());
        incidents.extend(lately.map(|incident| incident.id));
    }
    incidents.len()
}

#[test]
fn a_source_that_doubles_joins_or_leaves_is_no_incident() {
    let cases = [
        ("doubles", vec![("bluesky", 1.0, 2.0), ("mastodon", 1.0, 1.0)]),
        ("joins", vec![("bluesky", 1.0, 1.0), ("mastodon", 1.0, 1.0), ("lemmy", 0.0, 1.0)]),
        ("leaves", vec![("bluesky", 1.0, 1.0), ("mastodon", 1.0, 0.0)]),
    ];
    for (what, networks) in cases {
        let raised: usize = (0..16).map(|seed| incidents_as_sources_change(seed, &networks)).sum();
        assert_eq!(raised, 0, "{what}: of 48 services");
    }
}

/// Samples around one outage, the alarm's minute and the outage.
fn episode(seed: u64, rate: f64, adds: f64, back: f64) -> Option<(Vec<Sample>, Minute, Outage)> {
    let mut rng = Rng::with_seed(seed);
    let begin = 200.0 + 10.0 * rng.f64();
    let (minutes, talk) = (60.0 + 60.0 * rng.f64(), 3.0 + 20.0 * rng.f64());
    let outage = Outage { start: begin, minutes, adds, shape: Shape::Step, talk, back };
    let mut rates = vec![rate; 400];
    let recoveries = outage.apply(&mut rates);
    let counts = Life::steady(rate).counts(&mut rng, &rates);
    let expected = Expected { mean: rate, upper: 1.5 * rate + 0.02, dispersion: 1.0 + rate / 4.0 };
    let mut node = Node::default();
    let alarm = counts.iter().position(|count| node.step(*count, expected).llr > 14.0)?;
    let samples = counts.iter().zip(recoveries).enumerate().map(|(offset, (count, recoveries))| Sample {
        minute: at(offset),
        reports: *count,
        recoveries: poisson(&mut rng, recoveries),
        expected: rate,
        exposure: 1.0,
    });
    Some((samples.collect(), at(alarm), outage))
}

#[test]
fn intervals_hold_the_truth_nine_times_in_ten() {
    let minutes = |minutes: f64| FIRST.start() + chrono::TimeDelta::milliseconds((minutes * 60_000.0) as i64);
    let (mut starts, mut ends, mut all) = (0, 0, 0);
    for seed in 0..40 {
        for (rate, adds) in [(0.02, 0.5), (0.2, 1.0), (2.0, 6.0), (20.0, 40.0)] {
            let (samples, alarm, outage) = episode(seed, rate, adds, 0.3).unwrap();
            let begun = start(&samples, alarm).unwrap();
            let until = (outage.end() + 50.0) as usize;
            let over = end(&samples[..until], begun.estimate, None).unwrap();
            all += 1;
            starts += usize::from((begun.low..=begun.high).contains(&minutes(outage.start)));
            ends += usize::from((over.interval.low..=over.interval.high).contains(&minutes(outage.end())));
        }
    }
    for (what, held) in [("start", starts), ("end", ends)] {
        let share = held as f64 / f64::from(all);
        assert!((0.8..=0.99).contains(&share), "{what}: {share}");
    }
}

#[test]
fn it_is_not_over_while_it_lasts_and_over_an_hour_later() {
    let (mut early, mut missed) = (0, 0);
    for seed in 0..40 {
        let (samples, alarm, outage) = episode(seed, 2.0, 6.0, 0.3).unwrap();
        let begun = start(&samples, alarm).unwrap().estimate;
        let over = |at: f64| end(&samples[..at as usize], begun, None).unwrap().over;
        early += usize::from(over(outage.end() - 3.0) > 0.9);
        missed += usize::from(over(outage.end() + 60.0) < 0.9);
    }
    assert!(early <= 2, "{early} of 40 said to be over while they last");
    assert!(missed <= 2, "{missed} of 40 not said to be over");
}

fn absurd() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(0.0),
        Just(-1.0),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(f64::MAX),
        Just(1e-300),
        0.0..1e4_f64,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn absurd_numbers_never_panic_or_give_nan(values in prop::collection::vec((absurd(), absurd(), absurd(), absurd()), 1..60)) {
        let mut node = Node::default();
        let mut baseline = Baseline::new(FIRST);
        let mut samples = Vec::new();
        for (offset, (observed, mean, upper, dispersion)) in values.into_iter().enumerate() {
            let minute = at(offset * (offset % 7));
            let Score { llr, observed_in_window, expected_in_window, .. } =
                node.step(observed, Expected { mean, upper, dispersion });
            prop_assert!(llr.is_finite() && observed_in_window.is_finite() && expected_in_window.is_finite());
            baseline.learn(minute, observed, mean, None);
            let expected = baseline.expected(minute + 1, None).scaled(upper);
            prop_assert!(expected.mean.is_finite() && expected.upper.is_finite() && expected.dispersion >= 1.0);
            samples.push(Sample { minute, reports: observed, recoveries: upper, expected: mean, exposure: dispersion });
        }
        let begun = start(&samples, FIRST + 1000).map_or(FIRST.start(), |interval| interval.estimate);
        let over = end(&samples, begun, Some(begun)).map_or(0.0, |end| end.over);
        prop_assert!((0.0..=1.0).contains(&over));
    }
}

/// Hourly values of a daily rhythm around −5 with unit noise.
fn hourly(rng: &mut Rng, hours: i64) -> Vec<f64> {
    let rhythm = |hour: i64| 10.0 * (hour as f64 * std::f64::consts::TAU / 24.0).cos() - 5.0;
    (0..hours).map(|hour| rhythm(hour) + normal(rng)).collect()
}

fn judge(values: impl IntoIterator<Item = Option<f64>>) -> Vec<Judged> {
    let step = chrono::TimeDelta::hours(1);
    let mut series = Series::default();
    (0..).zip(values).map(|(row, value)| series.take(FIRST.start() + step * row, value)).collect()
}

#[test]
fn a_series_of_real_values_raises_one_alarm_where_it_shifts() {
    for seed in 0..20 {
        let mut values = hourly(&mut Rng::with_seed(seed), 24 * 40);
        values[900..912].iter_mut().for_each(|value| *value += 6.0);
        let judged = judge(values.into_iter().map(Some));
        let alarms: Vec<usize> = (0..judged.len()).filter(|row| judged[*row].alarm).collect();
        assert!(alarms.len() == 1 && (900..904).contains(&alarms[0]), "seed {seed}: {alarms:?}");
        assert!(judged[alarms[0]].score >= 0.5);
    }
}

#[test]
fn a_band_holds_nine_values_in_ten_and_a_fall_is_no_alarm() {
    let mut values = hourly(&mut Rng::with_seed(1), 24 * 60);
    values[1000..1012].iter_mut().for_each(|value| *value -= 20.0);
    let judged = judge(values.iter().copied().map(Some));
    assert!(judged.iter().all(|row| !row.alarm));
    let rows = judged.iter().zip(&values).skip(24 * 14);
    let inside = rows
        .clone()
        .filter(|(row, value)| row.band.is_some_and(|band| (band.low..=band.high).contains(*value)))
        .count();
    let share = inside as f64 / rows.count() as f64;
    assert!((0.85..=0.96).contains(&share), "{share}");
}

#[test]
fn a_row_is_judged_by_those_before_it_alone() {
    let values = hourly(&mut Rng::with_seed(2), 500);
    let whole = judge(values.iter().copied().map(Some));
    let cut = judge(values[..300].iter().copied().map(Some));
    assert_eq!(cut[..], whole[..300]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_series_of_absurd_values_is_judged_in_numbers(values in prop::collection::vec(prop::option::of(absurd()), 1..200)) {
        for row in judge(values) {
            let fits = |band: Band| band.expected.is_finite() && band.low <= band.expected && band.expected <= band.high;
            prop_assert!(row.band.is_none_or(fits) && (0.0..=1.0).contains(&row.score));
        }
    }
}
