//! The end: the posterior of the last change from a failing service to people who merely still talk.

use super::noise::{Table, running_sum, size};
use super::{EndEstimate, Interval, Sample, log_sum, normalised, sane};
use crate::detect::math::{ln_gamma, negative_binomial};
use crate::minute::Minute;
use chrono::{DateTime, Utc};

/// Minutes back from the last sample in which an end is looked for.
const WINDOW: usize = 180;
/// Minutes before those from which the level is followed.
const FOLLOWED_BEFORE: usize = 120;
/// Time constants, in minutes, of the talk after the end, and of the recovery posts.
const TALK: [f64; 5] = [1.0, 5.0, 10.0, 20.0, 40.0];
const BACK: [f64; 3] = [4.0, 10.0, 25.0];
/// The level at the end, as ratios to what the minutes before it tell, with their prior weights.
const LEVELS: [(f64, f64); 3] = [(0.7, 0.25), (1.0, 0.5), (1.4, 0.25)];
/// Minutes over which the level of a lasting outage is followed, times how thin its reports are.
const FOLLOWED: [f64; 3] = [12.0, 40.0, 140.0];
/// How fast one of these may take over from another.
const SWITCH: f64 = 0.02;
/// An outage of age t ends in the next minute with probability 1 / (t + this), which is even over log duration.
const YOUNG: f64 = 4.0;
/// Share of everyday and outage posts read as recovery while nothing has recovered (prior mean and shape).
const FALSE_BACK: f64 = 0.03;
const SHAPE: f64 = 0.5;
/// Reports a minute to which some recovery posts belong even where there are none.
const LEAST_LEVEL: f64 = 0.2;
/// 'Resolved' is said so many minutes after the end, or before it, on average.
const SAID_LATE: f64 = 20.0;
const SAID_EARLY: f64 = 6.0;

/// The end of an outage that began at `start`, and whether it has come, from samples up to now. `resolved` is when the
/// service itself said so. Nothing while there is no sample after the start.
///
/// Before the end the level follows the reports (gamma-Poisson with discounting; West & Harrison 1997, ch. 14), so
/// that waves and dips are life of the outage; after it the excess decays exponentially from where it was. Recovery
/// posts are separate evidence: a rate in proportion to that level before, a decaying burst after.
pub fn end(samples: &[Sample], start: DateTime<Utc>, resolved: Option<DateTime<Utc>>) -> Option<EndEstimate> {
    let begun = Minute::of(start);
    let recent = &samples[samples.len().saturating_sub(WINDOW + FOLLOWED_BEFORE)..];
    let lasted: Vec<Sample> = sane(recent).into_iter().filter(|sample| sample.minute >= begun).collect();
    let failing = Failing::follow(&lasted, size(&lasted));
    let from = lasted.len().saturating_sub(WINDOW);
    let used = &lasted[from..];
    let zero = used.first()?.minute;
    let most = used.iter().map(|sample| sample.reports).fold(1.0, f64::max);
    let table = Table::new(used, failing.size, 2.0 * most);
    let back = Back::new(used, &failing.level[from..]);

    let mut log_weights = Vec::with_capacity(used.len() + 1);
    let mut before = 0.0;
    let mut survived = 0.0;
    for (index, sample) in used.iter().enumerate() {
        let hazard = 1.0 / ((sample.minute - begun).max(0) as f64 + YOUNG);
        let mut log_weight = survived + hazard.ln() + before + back.log_likelihood(Some(index));
        log_weight += talk(&table, index, failing.level[from + index]);
        if let Some(resolved) = resolved {
            log_weight += official(Minute::of(resolved) - sample.minute);
        }
        log_weights.push(log_weight);
        survived += (1.0 - hazard).ln();
        before += failing.log_likelihood[from + index];
    }
    let mut lasting = survived + before + back.log_likelihood(None);
    if let Some(resolved) = resolved {
        let now = used.last()?.minute;
        lasting += official(Minute::of(resolved) - now - 1);
    }
    log_weights.push(lasting);
    let mut weights = normalised(&log_weights);
    let not_over = weights.pop()?;
    let ended: f64 = weights.iter().sum();
    let interval = Interval::of_weights(zero, -1.0, 0.5, &halves(&weights))?;
    Some(EndEstimate { interval, over: ended / (ended + not_over) })
}

/// Weights of whole minutes in cells of half a minute, from a minute before the first on. Of the minute in which it ended a part
/// belongs to either side, so the density is taken to be linear from one candidate to the next.
fn halves(weights: &[f64]) -> Vec<f64> {
    let mut halves = vec![0.0; 2 * weights.len() + 2];
    for (index, weight) in weights.iter().enumerate() {
        for (half, share) in halves[2 * index..].iter_mut().zip([0.125, 0.375, 0.375, 0.125]) {
            *half += share * weight;
        }
    }
    halves
}

/// Log density of 'resolved' being said this many minutes after the end (asymmetric Laplace).
fn official(late: i64) -> f64 {
    let late = late as f64;
    if late >= 0.0 { -late / SAID_LATE } else { late / SAID_EARLY }
}

/// Log-likelihood of the samples from `end` on, if the excess decays from `level` there, summed over [`TALK`] and
/// [`LEVELS`].
fn talk(table: &Table, end: usize, level: f64) -> f64 {
    let mut terms = Vec::with_capacity(TALK.len() * LEVELS.len());
    for time in TALK {
        let slope = 1.0 / (time * Table::log_step());
        for (ratio, prior) in LEVELS {
            let mut position = Table::position(level * ratio) - slope / 2.0;
            let mut term = (prior / TALK.len() as f64).ln();
            for sample in end..table.samples() {
                if position <= -1.0 {
                    term += table.baseline(sample, table.samples());
                    break;
                }
                term += table.at(sample, position);
                position -= slope;
            }
            terms.push(term);
        }
    }
    log_sum(terms.iter().copied())
}

/// The outage while it lasts: excess level before each sample, and how likely the sample is given those before it.
struct Failing {
    size: f64,
    level: Vec<f64>,
    log_likelihood: Vec<f64>,
}

/// A level that forgets: a gamma posterior with discounting.
struct Follower {
    keep: f64,
    shape: f64,
    minutes: f64,
    weight: f64,
}

impl Failing {
    /// Followers of different memory, weighted by how well each predicted lately.
    fn follow(samples: &[Sample], size: f64) -> Failing {
        let heard: f64 = samples.iter().map(|sample| sample.exposure).sum();
        let excess: f64 = samples.iter().map(|sample| (sample.reports - sample.expected).max(0.0)).sum();
        let mean = (excess / heard.max(1.0)).max(0.01);
        let slower = (2.0 / mean).clamp(1.0, 4.0);
        let mut followers = FOLLOWED.map(|minutes| Follower {
            keep: 1.0 - 1.0 / (minutes * slower),
            // Worth two minutes at the mean excess.
            shape: 2.0 * mean,
            minutes: 2.0,
            weight: 1.0 / FOLLOWED.len() as f64,
        });
        let (mut level, mut log_likelihood) = (Vec::new(), Vec::new());
        for sample in samples {
            level.push(followers.iter().map(|follower| follower.weight * follower.shape / follower.minutes).sum());
            if sample.exposure <= 0.0 {
                log_likelihood.push(0.0);
                continue;
            }
            let terms = followers.each_mut().map(|follower| follower.weight.ln() + follower.take(sample, size));
            let total = log_sum(terms.into_iter());
            for (follower, term) in followers.iter_mut().zip(terms) {
                follower.weight = (term - total).exp() * (1.0 - SWITCH) + SWITCH / FOLLOWED.len() as f64;
            }
            log_likelihood.push(total);
        }
        Failing { size, level, log_likelihood }
    }
}

impl Follower {
    /// Log-likelihood of a sample, which is then learnt.
    fn take(&mut self, sample: &Sample, size: f64) -> f64 {
        let level = self.shape / self.minutes;
        let excess = level * sample.exposure;
        let predicted = (sample.expected + excess).max(1e-6);
        // Noise of the minute and doubt about the level add up.
        let doubt = (excess / predicted).powi(2) / self.shape;
        let log_likelihood = negative_binomial(sample.reports, predicted, 1.0 / (1.0 / size + doubt));
        // Over-dispersed reports say as much as so many fewer independent ones; the excess takes its share of them.
        let dispersion = 1.0 + predicted / size;
        self.shape = (self.shape * self.keep + sample.reports * excess / predicted / dispersion).max(0.05);
        self.minutes = self.minutes * self.keep + sample.exposure / dispersion;
        log_likelihood
    }
}

/// Recovery posts: sums that give their log-likelihood for any end.
struct Back {
    /// Sums over the first 0, 1, … samples: recovery posts, the reports that they are in proportion to before the end,
    /// and Σ posts × the logarithm of those.
    posts: Vec<f64>,
    reports: Vec<f64>,
    logarithms: Vec<f64>,
    /// For each of [`BACK`], and from each sample on: Σ posts × ln g and Σ exposure × g, g the decay since then.
    kernels: Vec<Vec<(f64, f64)>>,
    /// Prior mean of the burst.
    burst: f64,
}

impl Back {
    /// `level` is the excess that was followed up to each sample. The reports of the minute itself would not do: their
    /// noise is not that of the recovery posts.
    fn new(samples: &[Sample], level: &[f64]) -> Back {
        let proportion =
            |sample: usize| samples[sample].expected + (level[sample] + LEAST_LEVEL) * samples[sample].exposure;
        let posts = running_sum(samples.len(), |sample| samples[sample].recoveries);
        let reports = running_sum(samples.len(), proportion);
        let logarithms =
            running_sum(samples.len(), |sample| samples[sample].recoveries * proportion(sample).max(1e-3).ln());
        let heard: f64 = samples.iter().map(|sample| sample.exposure).sum();
        let burst = 0.3 * (reports[reports.len() - 1] / heard.max(1.0)).max(0.1);
        let kernels = BACK.iter().map(|time| kernel(samples, *time)).collect();
        Back { posts, reports, logarithms, kernels, burst }
    }

    /// For an end at this sample, or for none yet.
    fn log_likelihood(&self, end: Option<usize>) -> f64 {
        let until = end.unwrap_or(self.posts.len() - 1);
        let before = self.logarithms[until] + poisson_marginal(self.posts[until], self.reports[until], FALSE_BACK);
        let Some(end) = end else { return before };
        let after = self.posts[self.posts.len() - 1] - self.posts[end];
        let bursts = self.kernels.iter().map(|kernel| {
            let (logarithms, heights) = kernel[end];
            logarithms + poisson_marginal(after, heights, self.burst) - (BACK.len() as f64).ln()
        });
        before + log_sum(bursts)
    }
}

/// From each sample on: Σ posts × ln g and Σ exposure × g, where g decays with this time constant since that sample.
fn kernel(samples: &[Sample], time: f64) -> Vec<(f64, f64)> {
    let heights: Vec<f64> = (0..samples.len()).map(|age| (-(age as f64 + 0.5) / time).exp() + 0.02).collect();
    let logarithms: Vec<f64> = heights.iter().map(|height| height.ln()).collect();
    (0..samples.len())
        .map(|end| {
            let ages = samples[end..].iter().zip(heights.iter().zip(&logarithms));
            ages.fold((0.0, 0.0), |(posts, sum), (sample, (height, logarithm))| {
                (posts + sample.recoveries * logarithm, sum + sample.exposure * height)
            })
        })
        .collect()
}

/// Log marginal likelihood of a Poisson count whose rate has a Gamma prior of shape [`SHAPE`] and this mean.
fn poisson_marginal(count: f64, exposure: f64, mean: f64) -> f64 {
    let rate = SHAPE / mean;
    ln_gamma(SHAPE + count) - ln_gamma(SHAPE) + SHAPE * rate.ln() - (SHAPE + count) * (rate + exposure).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_reaches_half_way_into_its_neighbours() {
        assert_eq!(halves(&[1.0]), [0.125, 0.375, 0.375, 0.125]);
        assert_eq!(halves(&[0.5, 0.5]), [0.0625, 0.1875, 0.25, 0.25, 0.1875, 0.0625]);
    }
}
