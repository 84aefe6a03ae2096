//! Poisson-FOCuS: the best window of any length that ends now, in amortised constant time.
//!
//! Ward, Dilillo, Eckley, Fearnhead, "Poisson-FOCuS: an efficient online method for detecting count bursts" (2023,
//! arXiv 2208.01494); Pishchagina et al., arXiv 2312.08817, for the hull. A window that begins after the point
//! τ = (M, X) of cumulative expectation and count has the statistic max over r ≥ 1 of X ln r − M (r − 1), linear in the
//! point, so that only points on the lower convex hull with edges steeper than 1 can ever be best.

use super::{Expected, Score};
use serde::{Deserialize, Serialize};

/// Cumulative sums at the end of a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Point {
    minutes: i64,
    /// Count and tested rate, both divided by the dispersion.
    scaled: f64,
    tested: f64,
    observed: f64,
    expected: f64,
}

impl Point {
    /// Whether the mean excess from `self` to `end` is at most that from `start` to `self`: then `self` is no corner.
    fn is_flat(&self, start: &Point, end: &Point) -> bool {
        (end.scaled - self.scaled) * (self.tested - start.tested)
            <= (self.scaled - start.scaled) * (end.tested - self.tested)
    }
}

/// The state: starts of windows that may still turn out best. Upward changes only.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Focus {
    now: Point,
    starts: Vec<Point>,
}

impl Focus {
    /// Takes a minute's count and tests it against `expected.upper`; likelihoods are divided by the dispersion.
    pub fn step(&mut self, observed: f64, expected: Expected) -> Score {
        if expected.upper > 0.0 {
            let (scaled, tested) = (observed / expected.dispersion, expected.upper / expected.dispersion);
            if scaled > tested {
                self.starts.push(self.now);
            }
            self.now.scaled += scaled;
            self.now.tested += tested;
            self.now.observed += observed;
            self.now.expected += expected.mean;
        }
        self.now.minutes += 1;
        self.prune();
        self.best()
    }

    fn prune(&mut self) {
        while let Some(last) = self.starts.last() {
            let below = self.now.scaled - last.scaled <= self.now.tested - last.tested;
            let flat = self.starts.len() > 1 && last.is_flat(&self.starts[self.starts.len() - 2], &self.now);
            if !below && !flat {
                return;
            }
            self.starts.pop();
        }
        // Nothing refers to the past any more: begin the sums anew, so that they never lose precision.
        self.now = Point::default();
    }

    fn best(&self) -> Score {
        let mut best = Score::default();
        for start in &self.starts {
            let (count, rate) = (self.now.scaled - start.scaled, self.now.tested - start.tested);
            let llr = count * (count / rate).ln() - (count - rate);
            if llr > best.llr {
                best = Score {
                    llr,
                    since: self.now.minutes - start.minutes,
                    observed_in_window: self.now.observed - start.observed,
                    expected_in_window: self.now.expected - start.expected,
                };
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The statistic by its definition: every window that ends now.
    fn brute_force(minutes: &[(f64, f64)]) -> f64 {
        let (mut count, mut rate, mut best) = (0.0_f64, 0.0_f64, 0.0_f64);
        for (observed, tested) in minutes.iter().rev() {
            count += observed;
            rate += tested;
            if count > rate {
                best = best.max(count * (count / rate).ln() - (count - rate));
            }
        }
        best
    }

    proptest! {
        #[test]
        fn equals_brute_force_over_all_windows(
            minutes in prop::collection::vec((0_u32..6, 0.01_f64..4.0), 1..120),
            dispersion in 1.0_f64..5.0,
        ) {
            let mut focus = Focus::default();
            let mut seen = Vec::new();
            for (observed, tested) in minutes {
                let observed = f64::from(observed);
                let score = focus.step(observed, Expected { mean: tested / 2.0, upper: tested, dispersion });
                seen.push((observed / dispersion, tested / dispersion));
                prop_assert!((score.llr - brute_force(&seen)).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn says_when_the_excess_began_and_what_it_holds() {
        let expected = Expected { mean: 1.0, upper: 1.5, dispersion: 1.0 };
        let mut focus = Focus::default();
        for _ in 0..100 {
            focus.step(1.0, expected);
        }
        let scores: Vec<Score> = (0..7).map(|_| focus.step(9.0, expected)).collect();
        assert_eq!((scores[6].since, scores[6].observed_in_window, scores[6].expected_in_window), (7, 63.0, 7.0));
    }

    #[test]
    fn a_minute_not_heard_changes_only_the_time() {
        let expected = Expected { mean: 1.0, upper: 1.5, dispersion: 1.0 };
        let mut focus = Focus::default();
        let before = focus.step(9.0, expected);
        let after = focus.step(0.0, Expected::default());
        assert_eq!((after.llr, after.since), (before.llr, before.since + 1));
    }
}
