//! A bank of CUSUMs of counts (Page 1954; Höhle & Paul 2008), each the sequential likelihood ratio test for a rate that is
//! k times the everyday one. Where reports are rare it is earlier than a test of every window.

use super::{Expected, Score};
use serde::{Deserialize, Serialize};

/// The ratios tested for.
const RATIOS: [f64; 3] = [2.0, 5.0, 20.0];

/// The tested rate is the upper one without the room that it leaves for drift: the ratio 2 leaves its own.
const DRIFT_ROOM: f64 = 1.5;

/// The state: for each ratio its statistic and the window since it was last zero.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cusum {
    windows: [Score; RATIOS.len()],
}

impl Cusum {
    /// Takes a minute's count. Returns the strongest of the bank.
    pub fn step(&mut self, observed: f64, expected: Expected) -> Score {
        let rate = expected.upper / DRIFT_ROOM;
        let heard = rate > 0.0;
        let mut best = Score::default();
        for (window, ratio) in self.windows.iter_mut().zip(RATIOS) {
            if observed == 0.0 && window.llr == 0.0 {
                continue;
            }
            let llr = window.llr + if heard { log_ratio(observed, rate, ratio, expected.dispersion) } else { 0.0 };
            if llr <= 0.0 {
                *window = Score::default();
                continue;
            }
            window.llr = llr;
            window.since += 1;
            window.observed_in_window += if heard { observed } else { 0.0 };
            window.expected_in_window += expected.mean;
            if llr > best.llr {
                best = *window;
            }
        }
        best
    }
}

/// Log-likelihood ratio of a count for `ratio` × `rate` against `rate`: negative binomial of the size that gives `rate`
/// this dispersion (Höhle & Paul 2008), Poisson where there is none.
fn log_ratio(observed: f64, rate: f64, ratio: f64, dispersion: f64) -> f64 {
    if dispersion < 1.0 + 1e-3 {
        return observed * ratio.ln() - rate * (ratio - 1.0);
    }
    let size = rate / (dispersion - 1.0);
    observed * ratio.ln() - (observed + size) * ((size + ratio * rate) / (size + rate)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_recursion_of_page() {
        let expected = Expected { mean: 0.2, upper: 0.3, dispersion: 1.0 };
        let mut bank = Cusum::default();
        let mut by_hand = [0.0_f64; 3];
        for observed in [0.0, 1.0, 3.0, 0.0, 2.0, 0.0, 0.0, 5.0] {
            let best = bank.step(observed, expected);
            for (statistic, ratio) in by_hand.iter_mut().zip(RATIOS) {
                *statistic = (*statistic + observed * ratio.ln() - 0.2 * (ratio - 1.0)).max(0.0);
            }
            assert!((best.llr - by_hand.iter().copied().fold(0.0, f64::max)).abs() < 1e-12);
        }
    }
}
