//! Counts in, alarms and dated intervals out. Nothing here reads a clock, a file or a random number.
//!
//! A node is a service in a region. Each of its sources has a [`Baseline`]; the sum of what they expect, with their
//! exposure applied, is the node's [`Expected`]. [`Node::step`] holds one closed minute's count against it and says
//! how unlikely the recent past is as a [`Score`]; [`calibrate`] says which score is an alarm; [`interval`] dates the
//! start and the end. Formulas, sources and measured figures: `docs/detection.md`.

mod band;
pub mod baseline;
pub mod calibrate;
pub mod cusum;
pub mod focus;
pub mod interval;
mod math;
pub mod series;

pub use band::band;
pub use baseline::Baseline;
pub use interval::{EndEstimate, Interval, Sample};

pub use math::poisson_llr;

use cusum::Cusum;
use focus::Focus;
use serde::{Deserialize, Serialize};

/// What a minute is expected to bring, in reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// The expected count.
    pub mean: f64,
    /// The rate that everyday life does not exceed for long: an upper credible bound of the mean, with room for drift.
    pub upper: f64,
    /// Variance over mean of everyday counts, at least 1.
    pub dispersion: f64,
}

impl Expected {
    /// What is expected of a minute of which only the share `exposure` was heard.
    #[must_use]
    pub fn scaled(self, exposure: f64) -> Expected {
        let share = math::finite(exposure, 0.0).clamp(0.0, 1.0);
        let dispersion = 1.0 + (self.dispersion - 1.0) * share;
        Expected { mean: self.mean * share, upper: self.upper * share, dispersion }
    }
}

/// Several sources together: means add, uncertainties add as independent ones do.
impl std::iter::Sum for Expected {
    fn sum<I: Iterator<Item = Expected>>(sources: I) -> Expected {
        let (mut mean, mut room, mut variance) = (0.0, 0.0, 0.0);
        for source in sources {
            mean += source.mean;
            room += (source.upper - source.mean).powi(2);
            variance += source.mean * source.dispersion;
        }
        let dispersion = if mean > 0.0 { (variance / mean).max(1.0) } else { 1.0 };
        Expected { mean, upper: mean + room.sqrt(), dispersion }
    }
}

/// How unlikely the recent past of a node is under its baseline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The best log-likelihood ratio, in nats, over windows that end now; 0 where nothing is unusual.
    pub llr: f64,
    /// Minutes from the most likely start of the excess to now, this minute included; 0 where there is none.
    pub since: i64,
    /// Reports counted in those minutes.
    pub observed_in_window: f64,
    /// Reports expected in those minutes.
    pub expected_in_window: f64,
}

/// The running alarm statistics of a node. Start anew (`Node::default()`) when an incident of the node has closed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Node {
    focus: Focus,
    cusum: Cusum,
}

impl Node {
    /// Takes one closed minute. Minutes must come in order; one that was not heard has nothing expected and only
    /// lets time pass. Returns the stronger of the two statistics.
    pub fn step(&mut self, observed: f64, expected: Expected) -> Score {
        let expected = Expected {
            mean: math::finite(expected.mean, 0.0).clamp(0.0, MOST),
            upper: if expected.upper > LEAST { expected.upper.min(MOST) } else { 0.0 },
            dispersion: math::finite(expected.dispersion, 1.0).clamp(1.0, MOST),
        };
        let observed = math::finite(observed, 0.0).clamp(0.0, MOST);
        let focus = self.focus.step(observed, expected);
        let cusum = self.cusum.step(observed, expected);
        if cusum.llr > focus.llr { cusum } else { focus }
    }
}

/// Counts and rates beyond this are nonsense; they are taken as this, so that sums stay finite.
const MOST: f64 = 1e9;
/// A rate below this is none: nothing was heard.
const LEAST: f64 = 1e-9;
