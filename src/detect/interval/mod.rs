//! When an outage began and ended, each as a 90% interval.

mod end;
mod noise;
mod start;

pub use end::end;
pub use start::start;

use super::MOST;
use super::math::finite;
use crate::minute::Minute;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// One minute of an incident's node, from well before the alarm to now. Samples are in the order of their minutes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    pub minute: Minute,
    /// Distinct authors who reported a failure, and who said that it is over.
    pub reports: f64,
    pub recoveries: f64,
    /// Everyday reports, exposure applied.
    pub expected: f64,
    /// The share of the minute that was heard; at 0 the sample says nothing.
    pub exposure: f64,
}

/// A 90% credible interval and its median.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    pub low: DateTime<Utc>,
    pub estimate: DateTime<Utc>,
    pub high: DateTime<Utc>,
}

/// The end, given that it has come, and the probability that it has.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndEstimate {
    pub interval: Interval,
    /// 0..1.
    pub over: f64,
}

impl Interval {
    /// Quantiles of weights that lie evenly in cells of `width` minutes, the first from `first` minutes after `zero`.
    /// Nothing where no weight is positive.
    fn of_weights(zero: Minute, first: f64, width: f64, weights: &[f64]) -> Option<Interval> {
        let total: f64 = weights.iter().sum();
        if !(total > 0.0 && total.is_finite()) {
            return None;
        }
        let quantile = |share: f64| {
            let mut left = share * total;
            for (cell, weight) in weights.iter().enumerate() {
                if left <= *weight && *weight > 0.0 {
                    return after(zero, first + width * (cell as f64 + left / weight));
                }
                left -= weight;
            }
            after(zero, first + width * weights.len() as f64)
        };
        Some(Interval { low: quantile(0.05), estimate: quantile(0.5), high: quantile(0.95) })
    }
}

/// The samples that can be reasoned about: in the order of time, with numbers that are numbers.
fn sane(samples: &[Sample]) -> Vec<Sample> {
    let mut last = Minute(i64::MIN);
    let in_order = samples.iter().filter(|sample| {
        let later = sample.minute > last && sample.minute.0.abs() < FAR;
        if later {
            last = sample.minute;
        }
        later
    });
    in_order
        .map(|sample| Sample {
            minute: sample.minute,
            reports: finite(sample.reports, 0.0).clamp(0.0, MOST),
            recoveries: finite(sample.recoveries, 0.0).clamp(0.0, MOST),
            expected: finite(sample.expected, 0.0).clamp(0.0, MOST),
            exposure: finite(sample.exposure, 0.0).clamp(0.0, 1.0),
        })
        .collect()
}

/// Minutes beyond this (some two million years) are no time of a post.
const FAR: i64 = 1 << 40;

/// The time `minutes` after the beginning of `zero`, to the second.
fn after(zero: Minute, minutes: f64) -> DateTime<Utc> {
    let seconds = TimeDelta::seconds((minutes * 60.0).round() as i64);
    zero.start().checked_add_signed(seconds).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Weights in proportion to exp(log weight), the largest of them 1.
fn normalised(log_weights: &[f64]) -> Vec<f64> {
    let most = log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    log_weights.iter().map(|log_weight| (log_weight - most).exp()).collect()
}

/// ln Σ exp(terms).
fn log_sum(terms: impl Iterator<Item = f64> + Clone) -> f64 {
    let most = terms.clone().fold(f64::NEG_INFINITY, f64::max);
    if most == f64::NEG_INFINITY { most } else { most + terms.map(|term| (term - most).exp()).sum::<f64>().ln() }
}
