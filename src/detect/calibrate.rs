//! Which score is an alarm, and how sure one is of it.
//!
//! The rate at which a quiet node's statistic exceeds h falls exponentially with h. Its height and slope by rate class
//! come from a simulation of everyday life (`docs/detection.md` names the command); beyond what was simulated the tail
//! is extrapolated, which a likelihood ratio's martingale bound P(sup ≥ h) ≤ e^−h supports.

use super::{Score, math};

/// Everyday rate, then ln A and b of the tail A e^(−b h): times a month that a node of this rate exceeds h.
const TAILS: [(f64, f64, f64); 5] =
    [(0.002, 3.9, 0.80), (0.02, 8.0, 1.10), (0.2, 8.15, 0.87), (2.0, 6.55, 0.65), (20.0, 6.2, 0.60)];
/// No alarm is worth less than this, however few nodes are watched.
const LEAST_THRESHOLD: f64 = 8.0;
const LEAST_CHILD_THRESHOLD: f64 = 5.0;
/// Reports by distinct authors without which nothing is an alarm.
const LEAST_REPORTS: f64 = 4.0;
/// Share of a parent's alarms in which a quiet child may wrongly be named.
const CHILD_SHARE: f64 = 0.02;
/// How many times what is expected it takes: a busy day brings up to twice as much without anything failing.
const LEAST_RATIO: f64 = 2.0;
/// Hours in a month, and hours that a parent's alarm gives a child to join it.
const MONTH: f64 = 730.5;
const JOINING: f64 = 2.0;

/// The stated budget: false alarms a month over everything watched, and how many live nodes share it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    pub false_alarms_per_month: f64,
    pub nodes: usize,
}

impl Default for Budget {
    /// One a month over 8 services in 10 regions and the world.
    fn default() -> Self {
        Budget { false_alarms_per_month: 1.0, nodes: 88 }
    }
}

impl Budget {
    /// The score from which a node that expects `mean` reports a minute is in alarm.
    pub fn threshold(self, mean: f64) -> f64 {
        let times_a_month = math::finite(self.false_alarms_per_month, 0.0).max(1e-6) / self.nodes.max(1) as f64;
        height(mean, times_a_month).max(LEAST_THRESHOLD)
    }

    /// The same for a node whose parent region is in alarm: only the hours of the alarm count, not all of the month.
    pub fn threshold_in_alarm(self, mean: f64) -> f64 {
        height(mean, CHILD_SHARE * MONTH / JOINING).clamp(LEAST_CHILD_THRESHOLD, self.threshold(mean))
    }
}

/// The score that a node of this rate exceeds so many times a month.
fn height(mean: f64, times_a_month: f64) -> f64 {
    let of = |(_, ln_a, b): (f64, f64, f64)| (ln_a - times_a_month.ln()) / b;
    let mean = math::finite(mean, f64::MAX);
    let upper = TAILS.iter().position(|class| class.0 >= mean).unwrap_or(TAILS.len());
    if upper == 0 {
        of(TAILS[0])
    } else if upper == TAILS.len() {
        of(TAILS[TAILS.len() - 1])
    } else {
        let (low, high) = (TAILS[upper - 1], TAILS[upper]);
        let share = (mean / low.0).ln() / (high.0 / low.0).ln();
        of(low) * (1.0 - share) + of(high) * share
    }
}

/// Whether a score is an alarm at this threshold.
pub fn is_alarm(score: &Score, threshold: f64) -> bool {
    score.llr >= threshold
        && score.observed_in_window >= LEAST_REPORTS
        && score.observed_in_window >= LEAST_RATIO * score.expected_in_window
}

/// `llr` on a scale of 0 to 1: ½ at the threshold.
pub fn score01(llr: f64, threshold: f64) -> f64 {
    if llr <= 0.0 { 0.0 } else { llr / (llr + threshold.max(1e-9)) }
}

/// Assumed, not measured: real outages for each false alarm just at the threshold.
const PRIOR_ODDS: f64 = 6.0;
/// How fast false alarms become rarer above the threshold: the slope of the flattest tail.
const SLOPE: f64 = 0.6;
/// Assumed too: doubt that no count removes (a joke, a bot wave, a misread word): its share with one source and one author, and the
/// authors that halve it.
const DOUBT: f64 = 0.2;
const DOUBT_AUTHORS: f64 = 10.0;

/// The probability, 0..1, that an alarm is a real outage. It grows with the score above the threshold (the false alarm
/// rate falls exponentially), with the sources that agree and with the distinct authors.
pub fn confidence(llr: f64, threshold: f64, sources: usize, authors: f64) -> f64 {
    let odds = PRIOR_ODDS * (SLOPE * (llr - threshold)).clamp(-50.0, 50.0).exp();
    let doubt = DOUBT / sources.max(1) as f64 / (1.0 + authors.max(0.0) / DOUBT_AUTHORS);
    odds / (1.0 + odds) * (1.0 - doubt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_nodes_and_a_smaller_budget_ask_for_more() {
        let few = Budget { false_alarms_per_month: 1.0, nodes: 10 };
        let many = Budget { nodes: 10_000, ..few };
        let strict = Budget { false_alarms_per_month: 0.1, ..few };
        for mean in [0.0, 0.001, 0.02, 0.7, 2.0, 90.0, f64::INFINITY, f64::NAN] {
            assert!(many.threshold(mean) > few.threshold(mean));
            assert!(strict.threshold(mean) > few.threshold(mean));
            assert!(few.threshold_in_alarm(mean) < many.threshold(mean));
        }
    }

    #[test]
    fn confidence_grows_with_each_kind_of_evidence() {
        let base = confidence(15.0, 14.0, 1, 10.0);
        assert!(base > 0.5 && base < 1.0);
        assert!(confidence(20.0, 14.0, 1, 10.0) > base);
        assert!(confidence(15.0, 14.0, 2, 10.0) > base);
        assert!(confidence(15.0, 14.0, 1, 30.0) > base);
        assert!(confidence(4.0, 14.0, 1, 10.0) < 0.05);
    }
}
