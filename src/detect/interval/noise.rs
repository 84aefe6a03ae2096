//! The noise of a minute's reports, and its log-likelihood as a table over levels.

use super::Sample;
use crate::detect::math::{finite, ln_gamma};

/// Levels of excess reports a minute that the table knows: from [`LEAST`], each [`STEP`] times the last.
const LEAST: f64 = 0.02;
const STEP: f64 = 1.35;

/// Prior over-dispersion 1/r, its weight in squared reports, and its bounds.
const PRIOR: f64 = 0.25;
const PRIOR_WEIGHT: f64 = 30.0;
const BOUNDS: (f64, f64) = (0.02, 1.5);

/// The size r of the negative binomial that the minutes follow, from differences of neighbours, which neither a rhythm
/// nor an outage's rise disturbs much.
pub fn size(samples: &[Sample]) -> f64 {
    let (mut excess, mut square) = (PRIOR * PRIOR_WEIGHT, PRIOR_WEIGHT);
    for pair in samples.windows(2) {
        if pair[0].exposure > 0.0 && pair[1].exposure > 0.0 {
            let mean = f64::midpoint(pair[0].reports, pair[1].reports);
            let difference = (pair[1].reports - pair[0].reports).powi(2) / 2.0;
            // Half the squared difference is one draw of the variance; beyond 3 deviations it is a step.
            excess += difference.min(9.0 * (mean + PRIOR * mean * mean)) - mean;
            square += mean * mean;
        }
    }
    1.0 / finite(excess / square, PRIOR).clamp(BOUNDS.0, BOUNDS.1)
}

/// Log-likelihood of each sample at each level of excess, for look-up instead of recomputation.
pub struct Table {
    levels: usize,
    of_baseline: Vec<f64>,
    of_level: Vec<f64>,
    /// Σ of the baseline's log-likelihood over the first 0, 1, … samples.
    baseline_sum: Vec<f64>,
}

impl Table {
    /// For excess up to `most` reports a minute.
    pub fn new(samples: &[Sample], size: f64, most: f64) -> Table {
        let levels = ((most.max(LEAST) / LEAST).ln() / STEP.ln()).ceil() as usize + 2;
        let mut of_baseline = Vec::with_capacity(samples.len());
        let mut of_level = Vec::with_capacity(samples.len() * levels);
        for sample in samples {
            let count = sample.reports;
            let constant = ln_gamma(count + size) - ln_gamma(size) - ln_gamma(count + 1.0) + size * size.ln();
            let log_likelihood = |level: f64| {
                if sample.exposure <= 0.0 {
                    return 0.0;
                }
                let mean = (sample.expected + level * sample.exposure).max(1e-6);
                constant + count * mean.ln() - (count + size) * (size + mean).ln()
            };
            of_baseline.push(log_likelihood(0.0));
            let mut level = LEAST;
            for _ in 0..levels {
                of_level.push(log_likelihood(level));
                level *= STEP;
            }
        }
        let baseline_sum = running_sum(of_baseline.len(), |sample| of_baseline[sample]);
        Table { levels, of_baseline, of_level, baseline_sum }
    }

    /// Samples in the table.
    pub fn samples(&self) -> usize {
        self.of_baseline.len()
    }

    /// Where a level stands in the table, in steps; below 0 it is lower than any.
    pub fn position(level: f64) -> f64 {
        (level.max(1e-9) / LEAST).ln() / STEP.ln()
    }

    /// One step of [`Table::position`] in the logarithm of the level.
    pub fn log_step() -> f64 {
        STEP.ln()
    }

    /// The baseline's log-likelihood of the samples `from..to`.
    pub fn baseline(&self, from: usize, to: usize) -> f64 {
        self.baseline_sum[to] - self.baseline_sum[from]
    }

    /// The log-likelihood of a sample at a position, linear between levels.
    pub fn at(&self, sample: usize, position: f64) -> f64 {
        if position <= -1.0 {
            return self.of_baseline[sample];
        }
        let lower = position.floor();
        let share = position - lower;
        let value = |level: f64| {
            if level < 0.0 {
                return self.of_baseline[sample];
            }
            self.of_level[sample * self.levels + (level as usize).min(self.levels - 1)]
        };
        value(lower) * (1.0 - share) + value(lower + 1.0) * share
    }
}

/// Sums of the first 0, 1, … `count` values.
pub fn running_sum(count: usize, value: impl Fn(usize) -> f64) -> Vec<f64> {
    let mut sums = Vec::with_capacity(count + 1);
    let mut sum = 0.0;
    sums.push(sum);
    for index in 0..count {
        sum += value(index);
        sums.push(sum);
    }
    sums
}
