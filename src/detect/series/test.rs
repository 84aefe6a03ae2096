//! Sequential tests of standardised residuals.
//!
//! CUSUMs (Page 1954) for shifts that stay, on the innovations of a first-order process whose upper tail is made normal:
//! above two deviations it is taken as exponential (peaks over threshold, Pickands 1975), with a rate and a mean excess
//! that are learnt. What correlation is left at a test's own horizon weakens it.

use super::memory;
use super::rhythm::Mean;

/// Shifts tested for, in standard deviations of the innovations.
const SHIFTS: [f64; 3] = [1.0, 2.5, 5.0];
/// No innovation counts more.
const CLIP: f64 = 8.0;
/// A residual below so many deviations predicts no more than this one.
const DEEPEST: f64 = -1.0;
/// Rows that 'no correlation' is worth, and the half-life of what is learnt of it, in days or rows.
const CORRELATION_ROWS: f64 = 20.0;
const MEMORY_DAYS: f64 = 14.0;
const MEMORY_ROWS: f64 = 300.0;
/// Where the tail begins; the share of a normal's that lies beyond and the rows that it is worth; the mean excess before
/// any is seen, between a normal's 0.37 and a heavy tail's, and the excesses that it is worth.
const TAIL: f64 = 2.0;
const TAIL_SHARE: f64 = 0.0228;
const TAIL_ROWS: f64 = 100.0;
const EXCESS: f64 = 0.6;
const EXCESS_ROWS: f64 = 5.0;
/// No excess teaches more, and so many excesses on, half of what it taught is forgotten.
const MOST_EXCESS: f64 = 10.0;
const MOST_EXCESSES: f64 = 70.0;
/// A test's horizon in rows is this over the squared shift; times that in rows, its own noise is taken as white.
const HORIZON: f64 = 16.0;
const WHITE_HORIZONS: f64 = 3.0;
/// Everyday life exceeds h once in e^(a + b h) rows: fitted to simulated series of the tuning families.
const RARITY_A: f64 = 3.4;
const RARITY_B: f64 = 0.6;
/// A false alarm a year is allowed, but not fewer than in the first of these numbers of rows, nor more than in the second.
const FEWEST_ROWS_APART: f64 = 1_000.0;
const MOST_ROWS_APART: f64 = 20_000.0;

/// The height at which an alarm begins in a series with so many rows a day.
pub fn threshold(rows_a_day: f64) -> f64 {
    let apart = (365.25 * rows_a_day).clamp(FEWEST_ROWS_APART, MOST_ROWS_APART);
    (apart.ln() - RARITY_A) / RARITY_B
}

/// The three tests and what they know of the residuals.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bank {
    tests: [Test; SHIFTS.len()],
    /// Squares and products of neighbouring residuals.
    square: Mean,
    product: Mean,
    last: Option<f64>,
    beyond: Mean,
    excess: Mean,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Test {
    sum: f64,
    /// The innovations, smoothed over the test's horizon, and the mean square of that as a ratio to white noise's.
    smooth: f64,
    noise: Mean,
}

impl Bank {
    /// Takes a standardised residual; gives the strongest test's log-likelihood ratio, in nats. `learns` is false while
    /// an alarm lasts.
    pub fn step(&mut self, standard: f64, learns: bool, rows_a_day: f64) -> f64 {
        let kept = memory((MEMORY_DAYS * rows_a_day).max(MEMORY_ROWS));
        let standard = standard.clamp(-CLIP, CLIP);
        let correlation = (self.product.value() / self.square.towards(1.0, CORRELATION_ROWS)).clamp(0.0, 0.95);
        // Without a neighbour a residual is its own innovation. The way back from a fall is no rise.
        let (last, correlation) = self.last.map_or((0.0, 0.0), |last| (last, correlation));
        let innovation = (standard - correlation * last.max(DEEPEST)) / (1.0 - correlation * correlation).sqrt();
        let normal = self.normal(innovation);
        if learns {
            self.square.add(standard * standard, kept);
            self.product.add(standard * last, kept);
            self.beyond.add(f64::from(u8::from(innovation > TAIL)), kept);
            if innovation > TAIL {
                self.excess.add((innovation - TAIL).min(MOST_EXCESS), memory(MOST_EXCESSES));
            }
        }
        self.last = Some(standard);
        let mut best = 0.0_f64;
        for (test, shift) in self.tests.iter_mut().zip(SHIFTS) {
            best = best.max(test.step(normal, shift, learns, kept));
        }
        best
    }

    /// The normal deviate that is as rare as this innovation.
    fn normal(&self, innovation: f64) -> f64 {
        let share = self.beyond.towards(TAIL_SHARE, TAIL_ROWS).clamp(1e-4, 0.4);
        let excess = self.excess.towards(EXCESS, EXCESS_ROWS).max(0.2);
        let rarity = (innovation - TAIL).max(0.0) / excess - share.ln();
        innovation.min(quantile(rarity)).clamp(-CLIP, CLIP)
    }

    /// A row without a value: its neighbour says nothing of the next.
    pub fn skip(&mut self) {
        self.last = None;
    }

    /// Forgets over missing rows.
    pub fn fade(&mut self, kept: f64) {
        self.last = None;
        self.tests.iter_mut().for_each(|test| test.sum *= kept);
    }

    /// Forgets what led to an alarm that is over.
    pub fn begin_anew(&mut self) {
        self.tests.iter_mut().for_each(|test| (test.sum, test.smooth) = (0.0, 0.0));
    }
}

impl Test {
    fn step(&mut self, normal: f64, shift: f64, learns: bool, kept: f64) -> f64 {
        let horizon = (HORIZON / (shift * shift)).max(1.0);
        let noise = self.noise.towards(1.0, WHITE_HORIZONS * horizon + 20.0).max(1.0);
        self.sum = (self.sum + (shift * normal - shift * shift / 2.0) / noise).clamp(0.0, 1e3);
        let share = 1.0 / horizon;
        self.smooth += share * (normal - self.smooth);
        if learns {
            let white = share / (2.0 - share);
            self.noise.add((self.smooth * self.smooth / white).min(9.0), kept);
        }
        self.sum
    }
}

/// The standard normal deviate that is exceeded with probability e^−`rarity`, for probabilities up to ½ (Abramowitz &
/// Stegun 1964, 26.2.23).
fn quantile(rarity: f64) -> f64 {
    let t = (2.0 * rarity.max(0.7)).sqrt();
    t - (2.515_517 + t * (0.802_853 + t * 0.010_328)) / (1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308)))
}
