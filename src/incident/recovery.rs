//! Whether an incident is over, or a part of it, and whether it has begun again.

use super::course::Course;
use super::evidence::soonest;
use super::view::View;
use super::{Interval, Phase, PhaseEntry, State};
use crate::count::Tally;
use crate::detect::focus::Focus;
use crate::detect::{Expected, Sample, Score, interval};
use crate::minute::Minute;
use crate::region::Region;
use crate::track::Alarm;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The probability of being over above which it is said to be recovering, and resolved if it stays so.
const PROBABLY_OVER: f64 = 0.8;
const SURELY_OVER: f64 = 0.95;
/// Minutes of it that make it resolved.
pub(super) const CALM_BEFORE_RESOLVED: i64 = 20;
/// Minutes without a spike after which it is over in any case.
const SUBSIDED: i64 = Minute::HOUR;
/// The share of the reports before the end that may go on as talk.
const REMAINING_TALK: f64 = 0.15;
/// So many that say it works again, for one who says that it fails, are no talk about an outage that goes on.
const OUTWEIGHED: f64 = 2.0;
/// Nats by which 'it works again' must outweigh its share among reports, and minutes after which, if the outage goes
/// on, it was a part of it that recovered.
const SURGE: f64 = 8.0;
const SURGE_JUDGED_AFTER: i64 = 15;
/// The share of reports that sound like a recovery while nothing has recovered.
const STRAY_RECOVERIES: f64 = 0.1;
/// Nats by which reports must outweigh the level to which they had fallen, to be a relapse.
const RELAPSE: f64 = 15.0;
/// Minutes over which the level to fall back from is taken.
const TROUGH: i64 = 30;

/// People saying that it works again, beyond the few who always do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Surge {
    /// The first minute that counts: those before it are explained.
    from: Option<Minute>,
}

impl Course {
    /// Whether it is over, or partly, by the reports, the recovery posts and the service's words.
    pub(super) fn weigh_recovery(&mut self, view: &View<'_>) {
        let start = self.incident.start.estimate;
        let samples = view.samples(self.primary, Minute::of(start), view.minute);
        let Some(end) = interval::end(&samples, start, self.official_end(view)) else { return };
        let surge = self.surge(view, &samples);
        if let Some(surge) = surge
            && end.over < 0.5
            && view.minute - surge >= SURGE_JUDGED_AFTER
        {
            self.enter(PhaseEntry {
                phase: Phase::PartialRecovery,
                at: surge.start(),
                evidence: soonest(view, Tally::Recovery, surge, view.minute),
            });
            self.incident.state = State::Recovering;
            self.surge.from = Some(view.minute + 1);
        }
        if view.minute - self.last_elevated > SUBSIDED {
            // However sure that is, this is where the end lies if it is over.
            return self.resolve(view, end.interval);
        }
        if end.over >= PROBABLY_OVER {
            self.incident.state = State::Recovering;
            self.incident.end = Some(end.interval);
        } else {
            self.incident.end = None;
            let partly = self.incident.phases.iter().any(|entry| entry.phase == Phase::PartialRecovery);
            if !partly {
                self.incident.state = State::Ongoing;
            }
        }
        if end.over < SURELY_OVER || !has_calmed(&samples, Minute::of(end.interval.estimate)) {
            self.calm_since = None;
            return;
        }
        let calm_since = *self.calm_since.get_or_insert(view.minute);
        if view.minute - calm_since >= CALM_BEFORE_RESOLVED {
            self.resolve(view, end.interval);
        }
    }

    fn resolve(&mut self, view: &View<'_>, end: Interval) {
        self.incident.state = State::Resolved;
        self.incident.end = Some(end);
        self.resolved = Some(view.minute);
        let evidence = soonest(view, Tally::Recovery, Minute::of(end.low), view.minute);
        self.enter(PhaseEntry { phase: Phase::Recovery, at: end.estimate, evidence });
        let resolved = PhaseEntry { phase: Phase::Resolved, at: view.minute.close(), evidence: Vec::new() };
        self.enter(resolved);
    }

    /// When people began to say that it works again, if that is not explained by a phase yet.
    fn surge(&self, view: &View<'_>, samples: &[Sample]) -> Option<Minute> {
        let from = self.surge.from.unwrap_or(self.opened).max(Minute::of(self.incident.start.high));
        let mut focus = Focus::default();
        let mut score = Score::default();
        for sample in samples.iter().filter(|sample| sample.minute >= from) {
            let stray = 0.02 + STRAY_RECOVERIES * sample.reports;
            score = focus.step(sample.recoveries, Expected { mean: stray, upper: stray, dispersion: 1.0 });
        }
        (score.llr >= SURGE).then(|| view.minute - score.since + 1)
    }

    /// After it was resolved: reports anew are a relapse of the same incident.
    pub(super) fn take_up_again(&mut self, view: &View<'_>, alarms: &BTreeMap<Region, Alarm>) {
        let Some(resolved) = self.resolved else { return };
        let Some(alarm) = alarms.get(&self.primary) else { return };
        let before = view.samples(self.primary, resolved - TROUGH, resolved);
        let trough = before.iter().map(|sample| sample.reports).sum::<f64>() / TROUGH as f64;
        let mut focus = Focus::default();
        let mut again = Score::default();
        for sample in view.samples(self.primary, resolved + 1, view.minute) {
            let upper = 1.5 * trough.max(sample.expected) + 0.1;
            again = focus.step(sample.reports, Expected { mean: trough, upper, dispersion: 1.0 });
        }
        if again.llr < RELAPSE || alarm.score.llr < RELAPSE {
            return;
        }
        let from = view.minute - again.since + 1;
        if let Some(end) = self.incident.end {
            self.correct(view, "end", end.estimate, from.start(), "people report it again");
        }
        self.incident.phases.retain(|entry| entry.phase != Phase::Resolved);
        self.enter(PhaseEntry {
            phase: Phase::Relapse,
            at: from.start(),
            evidence: soonest(view, Tally::Report, from, view.minute),
        });
        self.incident.state = State::Ongoing;
        self.incident.end = None;
        self.resolved = None;
        self.calm_since = None;
        self.surge.from = Some(view.minute + 1);
    }
}

/// Whether so few people still report that it is the talk after an outage, not a part of it that goes on: few against
/// those before, or against those who say that it works again.
fn has_calmed(samples: &[Sample], end: Minute) -> bool {
    let mean = |samples: &[Sample], value: fn(&Sample) -> f64| {
        samples.iter().map(value).sum::<f64>() / samples.len().max(1) as f64
    };
    let recent = &samples[samples.len().saturating_sub(CALM_BEFORE_RESOLVED as usize)..];
    let until_end = samples.partition_point(|sample| sample.minute <= end);
    let failing = &samples[until_end.saturating_sub(TROUGH as usize)..until_end];
    let everyday = 2.5 * mean(recent, |sample| sample.expected) + 0.1;
    let remains = REMAINING_TALK * mean(failing, |sample| sample.reports);
    let recovered = mean(recent, |sample| sample.recoveries) / OUTWEIGHED;
    let still = mean(recent, |sample| sample.reports);
    mean(recent, |sample| sample.exposure) > 0.5 && still <= everyday.max(remains).max(recovered)
}
