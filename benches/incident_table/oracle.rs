//! The one who knows: what anybody could tell of an outage at the most.

use crate::detectors::Informed;
use crate::population::{PLACES, Population, Truth};
use crate::sim::{Outage, PARTS, STRAY_BACK};
use whatsdown::count::Tally;
use whatsdown::region::Region;

/// What the oracle's CUSUM must reach: its mean time to a false alarm is at least e^this minutes (Lorden 1971), the
/// budget of a node: one a month over 88.
const SURE: f64 = 15.2;
/// Minutes before the start from which the CUSUM runs, and those that help to date a start.
const BEFORE: usize = 30;
const DATED_BEFORE: usize = 60;
/// Minutes after a start, and after an end, that help to date it: those that the fold takes too.
const DATED_AFTER: usize = 60;
/// Candidates for a time lie so many minutes apart: this part of a minute.
const CELL: f64 = 1.0 / CELLS as f64;
const CELLS: usize = 4;
/// Levels of excess reports a minute whose likelihood is looked up: none, and from the least on each so many times the last.
const LEVELS: usize = 100;
const LEAST_LEVEL: f64 = 0.01;
const LEVEL_STEP: f64 = 1.1;

/// An outage with all that came from its place, from [`DATED_BEFORE`] minutes before it to [`DATED_AFTER`] after it, and with
/// what is true of it: everyday rates, noise, shape and height.
pub struct Oracle<'a> {
    outage: &'a Outage,
    size: f64,
    from: usize,
    everyday: Vec<f64>,
    reports: Vec<f64>,
    recoveries: Vec<f64>,
}

impl<'a> Oracle<'a> {
    /// `rates` are the true everyday ones of the service that fails.
    pub fn of(population: &Population, truth: &'a Truth, rates: &[f64]) -> Oracle<'a> {
        let outage = &truth.outage;
        let from = (outage.start as usize).saturating_sub(DATED_BEFORE);
        let until = (outage.end() as usize + 1 + DATED_AFTER).min(population.minutes);
        let everyday = rates[from..until].iter().map(|rate| rate * share(truth)).collect();
        let (mut reports, mut recoveries) = (vec![0.0; until - from], vec![0.0; until - from]);
        let (first, last) = ((population.first + from as i64).start(), (population.first + until as i64).start());
        let begin = population.mentions.partition_point(|mention| mention.at < first);
        let during = population.mentions[begin..].iter().take_while(|mention| mention.at < last);
        let of_place = |region: Region| region == Region::WORLD || truth.reaches(region);
        for mention in during.filter(|it| it.service.as_str() == truth.service && of_place(it.region)) {
            let minute = (mention.minute() - population.first) as usize - from;
            match mention.tally {
                Tally::Report => reports[minute] += 1.0,
                Tally::Recovery => recoveries[minute] += 1.0,
                _ => {}
            }
        }
        Oracle { outage, size: population.size, from, everyday, reports, recoveries }
    }

    /// Minutes until a CUSUM on the reports is sure of the outage.
    pub fn delay(&self) -> Option<f64> {
        let first = self.outage.start as usize;
        let mut informed = Informed { adds: self.outage.adds, size: self.size, statistic: 0.0 };
        for minute in first.saturating_sub(BEFORE)..=self.outage.end() as usize {
            let (count, rate) = (self.reports.get(minute - self.from)?, self.everyday.get(minute - self.from)?);
            if informed.step(*count, *rate) >= SURE && minute >= first {
                return Some(minute as f64 + 1.0 - self.outage.start);
            }
        }
        None
    }

    /// The 5%, 50% and 95% quantiles of the start, in minutes of the population, by one who knows all but that.
    pub fn start(&self) -> [f64; 3] {
        let last = self.outage.end().min(self.outage.start + DATED_AFTER as f64) as usize;
        let (first, cells) = (self.from as f64, ((last - self.from) as f64 / CELL) as usize);
        let log_weight = |start: f64| {
            let excess = |at: f64| self.outage.rise(at - start) * self.outage.dip(at - self.outage.start);
            self.log_likelihood(self.from..last, excess)
        };
        quantiles(first, &(0..cells).map(|cell| log_weight(first + (cell as f64 + 0.5) * CELL)).collect::<Vec<_>>())
    }

    /// The same by one who knows how often outages have which shape, height and length, and not those of this one.
    pub fn start_of_kinds(&self, kinds: &[(Outage, f64)]) -> [f64; 3] {
        let last = self.outage.end().min(self.outage.start + DATED_AFTER as f64) as usize;
        let levels = |minute| (0..LEVELS).map(move |level| self.log_likelihood_at(minute, excess_at(level))).collect();
        let minutes: Vec<Vec<f64>> = (self.from..last).map(levels).collect();
        let mut log_weights = vec![f64::NEG_INFINITY; minutes.len() * CELLS];
        for (kind, often) in kinds {
            for phase in 0..CELLS {
                let start = (phase as f64 + 0.5) * CELL;
                let course = |at: f64| {
                    let age = at - start;
                    if age < kind.minutes {
                        kind.rise(age) * kind.dip(age)
                    } else {
                        kind.talk_after(age - kind.minutes)
                    }
                };
                // Of each minute from the one on in which it starts.
                let levels: Vec<usize> =
                    (0..minutes.len()).map(|minute| level_of(kind.adds * mean_within(minute, course))).collect();
                let mut everyday = often.ln();
                for first in 0..minutes.len() {
                    let during =
                        minutes[first..].iter().zip(&levels).map(|(minute, level)| minute[*level]).sum::<f64>();
                    let (weight, term) = (&mut log_weights[first * CELLS + phase], everyday + during);
                    let most = weight.max(term);
                    *weight = most + ((*weight - most).exp() + (term - most).exp()).ln();
                    everyday += minutes[first][0];
                }
            }
        }
        quantiles(self.from as f64, &log_weights)
    }

    /// The same of the end, from reports and recovery posts.
    pub fn end(&self) -> [f64; 3] {
        let (outage, first) = (self.outage, self.outage.start as usize + 1);
        let minutes = first..self.from + self.reports.len();
        let cells = (minutes.len() as f64 / CELL) as usize;
        let log_weight = |end: f64| {
            let excess = |at: f64| {
                let age = at - outage.start;
                if at < end { outage.rise(age) * outage.dip(age) } else { outage.talk_after(at - end) }
            };
            let back = |at: f64| outage.back_after(at - end) + STRAY_BACK * excess(at);
            let recoveries = minutes.clone().map(|minute| {
                let mean = (outage.adds * mean_within(minute, back)).max(1e-9);
                self.recoveries[minute - self.from] * mean.ln() - mean
            });
            self.log_likelihood(minutes.clone(), excess) + recoveries.sum::<f64>()
        };
        quantiles(
            first as f64,
            &(0..cells).map(|cell| log_weight(first as f64 + (cell as f64 + 0.5) * CELL)).collect::<Vec<_>>(),
        )
    }

    /// Of the reports of these minutes, if the outage has this course.
    fn log_likelihood(&self, minutes: std::ops::Range<usize>, course: impl Fn(f64) -> f64) -> f64 {
        minutes.map(|minute| self.log_likelihood_at(minute, self.outage.adds * mean_within(minute, &course))).sum()
    }

    /// Of a minute's reports with so many in excess: two negative binomial counts, everyday life's and the outage's, taken as
    /// one of the same mean and variance.
    fn log_likelihood_at(&self, minute: usize, excess: f64) -> f64 {
        let (count, everyday) = (self.reports[minute - self.from], self.everyday[minute - self.from]);
        let mean = everyday + excess;
        let size = self.size * mean.powi(2) / (everyday.powi(2) + excess.powi(2));
        let ways: f64 = (0..count as usize).map(|before| (size + before as f64).ln()).sum();
        ways + size * (size / (size + mean)).ln() + count * (mean / (size + mean)).ln()
    }
}

/// The excess of a level, and the level of an excess.
fn excess_at(level: usize) -> f64 {
    if level == 0 { 0.0 } else { LEAST_LEVEL * LEVEL_STEP.powi(level as i32 - 1) }
}

fn level_of(excess: f64) -> usize {
    if excess < LEAST_LEVEL {
        return 0;
    }
    (((excess / LEAST_LEVEL).ln() / LEVEL_STEP.ln()).round() as usize + 1).min(LEVELS - 1)
}

/// The mean of a course in a minute, as the simulator takes it.
fn mean_within(minute: usize, course: impl Fn(f64) -> f64) -> f64 {
    PARTS.iter().map(|part| course(minute as f64 + part)).sum::<f64>() / PARTS.len() as f64
}

/// The share of a service's reports that can come from where it fails; those of an unknown place can.
fn share(truth: &Truth) -> f64 {
    let reached = PLACES
        .iter()
        .filter(|(code, _)| code.parse().is_ok_and(|region: Region| region == Region::WORLD || truth.reaches(region)));
    if truth.scope.is_empty() { 1.0 } else { reached.map(|(_, share)| share).sum() }
}

/// The 5%, 50% and 95% quantiles of log weights of cells from `first` on.
fn quantiles(first: f64, log_weights: &[f64]) -> [f64; 3] {
    let most = log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = log_weights.iter().map(|weight| (weight - most).exp()).collect();
    let total: f64 = weights.iter().sum();
    [0.05, 0.5, 0.95].map(|share| {
        let mut left = share * total;
        let within = weights.iter().position(|weight| {
            let ends = left <= *weight;
            left -= if ends { 0.0 } else { *weight };
            ends
        });
        let cell = within.unwrap_or(weights.len() - 1);
        first + CELL * (cell as f64 + (left / weights[cell]).min(1.0))
    })
}
