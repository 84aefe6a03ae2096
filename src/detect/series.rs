//! The detector for a series of values made elsewhere: any even step, real or negative values, gaps.
//!
//! A robust level plus a shrunk weekly rhythm, and a bank of Gaussian CUSUMs (Page 1954) on the innovations of the
//! residuals as a first-order process. Upwards only; every row is judged by those before.

use crate::minute::Minute;
use chrono::{DateTime, TimeDelta, Utc};

/// Shifts tested for, in standard deviations.
const SHIFTS: [f64; 3] = [1.0, 2.5, 5.0];
/// Residuals count no more than this, in standard deviations.
const CLIP: f64 = 6.0;
/// And no more than this in what is learnt.
const LEARNT_CLIP: f64 = 3.5;
/// Nats at which an alarm begins; see `docs/detection.md`.
const THRESHOLD: f64 = 14.0;
/// Rows without which nothing is judged.
const FEWEST_ROWS: f64 = 12.0;
/// Half-lives: of the level in days or rows, whichever is longer, and of spread and rhythm.
const LEVEL_DAYS: f64 = 1.0;
const LEVEL_ROWS: f64 = 10.0;
const SPREAD_DAYS: f64 = 7.0;
const SPREAD_ROWS: f64 = 100.0;
const RHYTHM_DAYS: f64 = 28.0;
/// Rows that 'no correlation' and 'normal tails' are worth.
const CORRELATION_ROWS: f64 = 20.0;
const TAIL_ROWS: f64 = 50.0;
/// Visits of an hour of the day, and of the week, that its prior is worth.
const DAY_SHRINKAGE: f64 = 0.25;
const WEEK_SHRINKAGE: f64 = 3.0;
/// Rows on end within half the clip that end an alarm.
const CALM_ROWS: u32 = 3;
/// The standard normal's 95% quantile: the band holds 90%.
const BAND: f64 = 1.645;

/// What is said of one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    pub expected: f64,
    /// The 90% band of an everyday value.
    pub low: f64,
    pub high: f64,
    /// 0..1, ½ where an alarm begins.
    pub score: f64,
    /// Whether an alarm begins with this row.
    pub alarm: bool,
}

/// A forgetting mean.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Mean {
    sum: f64,
    weight: f64,
}

impl Mean {
    fn add(&mut self, value: f64, memory: f64) {
        self.sum = self.sum * memory + value;
        self.weight = self.weight * memory + 1.0;
    }

    /// Shrunk to `prior`, which is worth `weight` values.
    fn towards(self, prior: f64, weight: f64) -> f64 {
        (self.sum + prior * weight) / (self.weight + weight)
    }
}

/// The state after the rows so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    rows_a_day: f64,
    level: Mean,
    square: Mean,
    /// Products of neighbouring residuals.
    product: Mean,
    last_residual: Option<f64>,
    /// The last residual in deviations, and the mean fourth power of the innovations.
    last_standard: f64,
    fourth: Mean,
    of_day: [Mean; 24],
    of_week: Vec<Mean>,
    /// Only whole numbers, none negative, so far: their variance is at least Poisson's.
    counts: bool,
    cusum: [f64; SHIFTS.len()],
    /// Calm rows since an alarm began.
    alarmed: Option<u32>,
}

impl Series {
    /// For rows this far apart.
    pub fn new(step: TimeDelta) -> Series {
        let seconds = step.num_seconds().max(1) as f64;
        Series {
            rows_a_day: 86_400.0 / seconds,
            level: Mean::default(),
            square: Mean::default(),
            product: Mean::default(),
            last_residual: None,
            last_standard: 0.0,
            fourth: Mean::default(),
            of_day: [Mean::default(); 24],
            of_week: vec![Mean::default(); 168],
            counts: true,
            cusum: [0.0; SHIFTS.len()],
            alarmed: None,
        }
    }

    /// Judges a row, then learns from it. A row without a value, or with one that is not finite, only has an
    /// expectation.
    pub fn take(&mut self, time: DateTime<Utc>, value: Option<f64>) -> Judged {
        let hour = Minute::of(time).hour_of_week();
        let value = value.filter(|value| value.is_finite() && value.abs() < 1e150);
        if self.level.weight == 0.0 {
            let expected = value.unwrap_or(0.0);
            if let Some(value) = value {
                self.counts = is_count(value);
                self.level.add(value, 1.0);
            }
            return Judged { expected, low: expected, high: expected, score: 0.0, alarm: false };
        }
        let expected = self.expected(hour);
        let deviation = self.deviation(expected);
        let room = BAND * deviation;
        let mut judged = Judged { expected, low: expected - room, high: expected + room, score: 0.0, alarm: false };
        let Some(value) = value else {
            (self.last_residual, self.last_standard) = (None, 0.0);
            return judged;
        };
        let residual = value - expected;
        let standard = (residual / deviation).clamp(-CLIP, CLIP);
        if self.square.weight >= FEWEST_ROWS {
            let llr = self.test(standard);
            judged.score = llr / (llr + THRESHOLD);
            judged.alarm = self.begins(llr, standard);
        }
        self.learn(hour, value, standard, deviation);
        judged
    }

    fn expected(&self, hour_of_week: usize) -> f64 {
        self.level.towards(0.0, 0.0) + self.season(hour_of_week)
    }

    /// The hour of the week towards the hour of the day, that towards nothing.
    fn season(&self, hour_of_week: usize) -> f64 {
        let visit = (self.rows_a_day / 24.0).max(1.0);
        let of_day = self.of_day[hour_of_week % 24].towards(0.0, DAY_SHRINKAGE * visit);
        let of_week = self.of_week.get(hour_of_week).copied().unwrap_or_default();
        of_week.towards(of_day, WEEK_SHRINKAGE * visit)
    }

    fn deviation(&self, expected: f64) -> f64 {
        let floor = if self.counts { expected.max(0.1) } else { 1e-12 * expected * expected + f64::MIN_POSITIVE };
        self.square.towards(0.0, 1e-9).max(floor).sqrt()
    }

    /// The strongest CUSUM of the innovations of a first-order process, for shifts that stay, less where the
    /// residuals' tails are heavier than normal ones.
    fn test(&mut self, standard: f64) -> f64 {
        let spread = self.square.towards(0.0, 1e-9).max(f64::MIN_POSITIVE);
        let correlation = (self.product.towards(0.0, CORRELATION_ROWS) / spread).clamp(0.0, 0.95);
        let innovation = (standard - correlation * self.last_standard) / (1.0 - correlation * correlation).sqrt();
        let innovation = innovation.clamp(-CLIP, CLIP);
        let tails = (self.fourth.towards(3.0, TAIL_ROWS) / 3.0).max(1.0).sqrt();
        self.fourth.add(innovation.powi(4), self.memory(SPREAD_DAYS, SPREAD_ROWS));
        self.last_standard = standard;
        let mut best = 0.0_f64;
        for (sum, shift) in self.cusum.iter_mut().zip(SHIFTS) {
            *sum = (*sum + (shift * innovation - shift * shift / 2.0) / tails).clamp(0.0, 10.0 * THRESHOLD);
            best = best.max(*sum);
        }
        best
    }

    /// What a mean keeps from row to row, for a half-life of so many days, or rows where they are more.
    fn memory(&self, days: f64, rows: f64) -> f64 {
        (-1.0 / (days * self.rows_a_day).max(rows)).exp2()
    }

    /// Whether an alarm begins with a row; one that goes on ends after some calm rows.
    fn begins(&mut self, llr: f64, standard: f64) -> bool {
        if let Some(calm) = self.alarmed {
            let calm = if standard < CLIP / 2.0 { calm + 1 } else { 0 };
            self.alarmed = Some(calm);
            if calm >= CALM_ROWS {
                self.alarmed = None;
                self.cusum = [0.0; SHIFTS.len()];
            }
            return false;
        }
        let begins = llr >= THRESHOLD;
        if begins {
            self.alarmed = Some(0);
        }
        begins
    }

    /// Residuals are learnt clipped, so that what is unusual teaches little.
    fn learn(&mut self, hour_of_week: usize, value: f64, standard: f64, deviation: f64) {
        self.counts &= is_count(value);
        let (level, spread) = (self.memory(LEVEL_DAYS, LEVEL_ROWS), self.memory(SPREAD_DAYS, SPREAD_ROWS));
        let season = self.season(hour_of_week);
        let residual = standard.clamp(-LEARNT_CLIP, LEARNT_CLIP) * deviation;
        let before = self.level.towards(0.0, 0.0);
        // The first rows teach their values: nothing is known yet that they could be clipped to.
        let learnt = if self.square.weight < FEWEST_ROWS { value - season } else { before + residual };
        self.level.add(learnt, level);
        let square =
            if self.square.weight < FEWEST_ROWS { (value - before - season).powi(2) } else { residual * residual };
        self.square.add(square, spread);
        if let Some(last) = self.last_residual {
            self.product.add(last * residual, spread);
        }
        self.last_residual = Some(residual);
        let visit = self.memory(RHYTHM_DAYS, SPREAD_ROWS);
        self.of_day[hour_of_week % 24].add(season + residual, visit);
        if let Some(of_week) = self.of_week.get_mut(hour_of_week) {
            of_week.add(season + residual, visit);
        }
    }
}

fn is_count(value: f64) -> bool {
    value >= 0.0 && value.fract() == 0.0
}
