//! One region of one service: its counts, its baselines and its alarm.

use crate::count::{Exposure, MinuteCount};
use crate::detect::baseline::QUARTER;
use crate::detect::{self, Baseline, Expected, Sample, Score};
use crate::minute::Minute;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::{Alarm, SETTLING};

/// Minutes over which a spike is looked at to tell whether it goes on: so many that it would bring these reports.
const ELEVATED_WINDOW: (f64, f64) = (15.0, 120.0);
const ELEVATED_REPORTS: f64 = 5.0;
/// Nats by which those minutes must exceed what is expected.
const ELEVATED: f64 = 3.0;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeTrack {
    /// Recent minutes in which anybody reported or said that it works again.
    pub counts: BTreeMap<Minute, MinuteCount>,
    /// One for each network on which the region was ever heard to report.
    baselines: BTreeMap<String, Baseline>,
    /// The alarm's state through the last settled minute.
    settled: detect::Node,
    settled_through: Option<Minute>,
    pub spike: Option<OpenSpike>,
    /// What was last told of the expectation.
    told: Option<(f64, f64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenSpike {
    pub from: Minute,
    pub last_elevated: Minute,
    /// The highest so far.
    pub score: f64,
    /// Minutes over which it is told whether it goes on.
    pub window: i64,
}

impl OpenSpike {
    /// A spike as it is when its alarm is raised at `now`.
    pub fn of(alarm: &Alarm, now: Minute) -> OpenSpike {
        let rate = alarm.score.observed_in_window / alarm.score.since.max(1) as f64;
        let window = (ELEVATED_REPORTS / rate.max(1e-9)).clamp(ELEVATED_WINDOW.0, ELEVATED_WINDOW.1) as i64;
        OpenSpike { from: alarm.from(now), last_elevated: now, score: alarm.score.llr, window }
    }

    /// Whether it has not been elevated for as long as it is looked at.
    pub fn is_over(&self, now: Minute) -> bool {
        now - self.last_elevated > self.window
    }
}

/// What each of a node's networks is expected to bring in a minute of one quarter of an hour.
struct WholeMinute {
    quarter: i64,
    networks: Vec<Expected>,
}

impl NodeTrack {
    /// Puts a minute's count in place of the one before, and begins a baseline for every network heard for the first time.
    pub fn set(&mut self, minute: Minute, count: MinuteCount, exposure: &Exposure) {
        for network in count.reports.keys() {
            if !self.baselines.contains_key(network) {
                let heard_since = exposure.first(network).unwrap_or(minute).min(minute);
                let baseline = Baseline::after_silence(minute, (minute - heard_since) as f64);
                self.baselines.insert(network.clone(), baseline);
            }
        }
        self.counts.insert(minute, count);
    }

    /// What each network is expected to bring in a whole minute, which is the same for a quarter of an hour.
    fn whole_minute(&self, minute: Minute, parent: Option<&NodeTrack>) -> WholeMinute {
        let networks = self.baselines.iter().map(|(network, baseline)| {
            let parent = parent.and_then(|parent| parent.baselines.get(network));
            baseline.expected(minute, parent)
        });
        WholeMinute { quarter: minute.0.div_euclid(QUARTER), networks: networks.collect() }
    }

    /// What the node expects of each minute in `[from, until]`, as far as it was heard.
    fn expected<'a>(
        &'a self,
        from: Minute,
        until: Minute,
        parent: Option<&'a NodeTrack>,
        exposure: &'a Exposure,
    ) -> impl Iterator<Item = (Minute, Expected)> + 'a {
        let mut expectation = self.whole_minute(from, parent);
        let heard: Vec<_> = self.baselines.keys().map(|network| exposure.by_minute(network)).collect();
        (0..=(until - from)).map(move |offset| {
            let minute = from + offset;
            if expectation.quarter != minute.0.div_euclid(QUARTER) {
                expectation = self.whole_minute(minute, parent);
            }
            let networks = expectation.networks.iter().zip(&heard);
            (minute, networks.map(|(expected, heard)| expected.scaled(heard(minute))).sum())
        })
    }

    /// Reports of a minute on the networks that were heard.
    pub fn observed(&self, minute: Minute, exposure: &Exposure) -> f64 {
        self.counts.get(&minute).map_or(0.0, |count| heard_reports(count, minute, exposure))
    }

    /// Moves the settled state on through `until`: each minute is scored, then learnt from unless it is `frozen`.
    pub fn settle(
        &mut self,
        until: Minute,
        frozen: impl Fn(Minute) -> bool,
        exposure: &Exposure,
        parent: Option<&NodeTrack>,
    ) {
        let from = self.settled_through.map_or(until, |minute| minute + 1);
        if from > until {
            return;
        }
        self.settled_through = Some(until);
        let expected: Vec<(Minute, Expected)> = self.expected(from, until, parent, exposure).collect();
        for (minute, expected) in expected {
            self.settled.step(self.observed(minute, exposure), expected);
            if frozen(minute) || self.spike.is_some() {
                continue;
            }
            for (network, baseline) in &mut self.baselines {
                let count = self.counts.get(&minute).and_then(|count| count.reports.get(network));
                let parent = parent.and_then(|parent| parent.baselines.get(network));
                let reports = count.copied().unwrap_or(0) as f64;
                baseline.learn(minute, reports, exposure.of(network, minute), parent);
            }
        }
    }

    /// Whether anything happened since the last settled minute before `minute`.
    pub fn is_active(&self, minute: Minute) -> bool {
        self.spike.is_some() || self.counts.range(minute - SETTLING + 1..=minute).next().is_some()
    }

    /// The score at `minute`, from the settled state through the minutes that may still change.
    pub fn score(&self, minute: Minute, parent: Option<&NodeTrack>, exposure: &Exposure) -> Score {
        let mut alarm = self.settled.clone();
        let from = self.settled_through.map_or(minute - SETTLING, |settled| settled) + 1;
        self.expected(from, minute, parent, exposure)
            .map(|(minute, expected)| alarm.step(self.observed(minute, exposure), expected))
            .last()
            .unwrap_or_default()
    }

    /// Variance over mean of everyday counts about `minute`.
    pub fn dispersion(&self, minute: Minute, parent: Option<&NodeTrack>) -> f64 {
        self.whole_minute(minute, parent).networks.into_iter().sum::<Expected>().dispersion
    }

    /// Whether the last `window` minutes are still above what is expected.
    pub fn is_elevated(&self, minute: Minute, window: i64, parent: Option<&NodeTrack>, exposure: &Exposure) -> bool {
        let (mut observed, mut upper, mut heard) = (0.0, 0.0, 0.0);
        for (minute, expected) in self.expected(minute - window + 1, minute, parent, exposure) {
            observed += self.observed(minute, exposure);
            upper += expected.upper;
            heard += exposure.any(minute);
        }
        // What was not heard cannot have ended.
        heard < window as f64 / 2.0 || detect::poisson_llr(observed, upper) > ELEVATED
    }

    /// Forgets the alarm, so that the next spike is found anew.
    pub fn reset_alarm(&mut self) {
        self.settled = detect::Node::default();
        self.spike = None;
    }

    /// Whether its expectation was ever told.
    pub fn was_told(&self) -> bool {
        self.told.is_some()
    }

    /// The expectation of a whole minute, if it has moved since it was last told.
    pub fn expectation_to_tell(&mut self, minute: Minute, parent: Option<&NodeTrack>) -> Option<(f64, f64)> {
        let expected: Expected = self.whole_minute(minute, parent).networks.into_iter().sum();
        let moved = self.told.is_none_or(|(mean, _)| (expected.mean - mean).abs() > 0.002 + 0.1 * mean);
        if !moved {
            return None;
        }
        self.told = Some((expected.mean, expected.dispersion));
        self.told
    }

    /// The minutes `[from, until]` as the interval estimators read them.
    pub fn samples(&self, from: Minute, until: Minute, parent: Option<&NodeTrack>, exposure: &Exposure) -> Vec<Sample> {
        let mut counts = self.counts.range(from..=until.max(from)).peekable();
        let sample = |(minute, expected): (Minute, Expected)| {
            let count = counts.next_if(|(counted, _)| **counted == minute).map(|(_, count)| count);
            Sample {
                minute,
                reports: count.map_or(0.0, |count| heard_reports(count, minute, exposure)),
                recoveries: count.map_or(0.0, |count| count.recoveries as f64),
                expected: expected.mean,
                exposure: exposure.any(minute),
            }
        };
        self.expected(from, until, parent, exposure).map(sample).collect()
    }

    pub fn forget_before(&mut self, minute: Minute) {
        self.counts = self.counts.split_off(&minute);
    }
}

fn heard_reports(count: &MinuteCount, minute: Minute, exposure: &Exposure) -> f64 {
    let heard = count.reports.iter().filter(|(network, _)| exposure.of(network, minute) > 0.0);
    heard.map(|(_, reports)| *reports as f64).sum()
}
