//! How far everyday values stray from what is expected.

use super::memory;
use super::rhythm::Mean;

/// Half-life of the spread, in days or rows, whichever is longer.
const SPREAD_DAYS: f64 = 7.0;
const SPREAD_ROWS: f64 = 100.0;
/// Rows that a Poisson count's spread is worth, where values are counts.
const POISSON_ROWS: f64 = 10.0;
/// Counts below this mean stray at least as a Poisson count does.
const FEW: f64 = 5.0;
/// Means below this are taken as this: the variance of a count that is hardly ever anything but zero.
const RARE: f64 = 0.1;
/// Deviations beyond this say nothing about which variance function fits.
const FIT_CLIP: f64 = 3.0;

/// The variance is κ, κ × mean or κ × mean²: of a real value, a count, and what grows by factors. The last two only for
/// series that were never negative; the one under which past rows were likeliest is used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    squares: [Mean; 3],
    fits: [Mean; 3],
    /// What holds of all values so far.
    counts: bool,
    negative: bool,
    /// The mean absolute value: below a hundredth of it a mean is as good as zero.
    size: Mean,
}

impl Default for Noise {
    fn default() -> Noise {
        Noise {
            squares: Default::default(),
            fits: Default::default(),
            counts: true,
            negative: false,
            size: Mean::default(),
        }
    }
}

impl Noise {
    /// Notes what kind of values these are.
    pub fn see(&mut self, value: f64) {
        self.counts &= value >= 0.0 && value.fract() == 0.0;
        self.negative |= value < 0.0;
        self.size.add(value.abs(), memory(SPREAD_ROWS));
    }

    /// The nearest value that is possible.
    pub fn possible(&self, value: f64) -> f64 {
        if self.negative { value } else { value.max(0.0) }
    }

    /// The standard deviation where this is expected.
    pub fn deviation(&self, expected: f64) -> f64 {
        let best = (0..3).max_by(|one, other| self.fits[*one].value().total_cmp(&self.fits[*other].value()));
        let best = if self.negative { 0 } else { best.unwrap_or(0) };
        self.of(best, expected)
    }

    fn of(&self, power: usize, expected: f64) -> f64 {
        let (unit, poisson) = (self.unit(power, expected), expected.max(RARE));
        let variance = if self.counts {
            // κ such that this mean's variance is Poisson's.
            (self.squares[power].towards(poisson / unit, POISSON_ROWS) * unit).max(poisson.min(FEW))
        } else {
            self.squares[power].value() * unit
        };
        variance.max(1e-12 * expected * expected).max(f64::MIN_POSITIVE).sqrt()
    }

    /// The variance function.
    fn unit(&self, power: usize, expected: f64) -> f64 {
        let least = if self.counts { RARE } else { 0.01 * self.size.value() };
        expected.max(least).max(1e-150).powi(power as i32)
    }

    /// Takes in a residual, clipped where it is unusual.
    pub fn learn(&mut self, residual: f64, expected: f64, rows_a_day: f64) {
        let kept = memory((SPREAD_DAYS * rows_a_day).max(SPREAD_ROWS));
        for power in 0..3 {
            let deviation = self.of(power, expected);
            let standard = (residual / deviation).clamp(-FIT_CLIP, FIT_CLIP);
            self.fits[power].add(-deviation.ln() - standard * standard / 2.0, kept);
            let unit = self.unit(power, expected);
            self.squares[power].add(residual * residual / unit, kept);
        }
    }
}
