//! The detector for a series of values made elsewhere: any even step, real or negative values, gaps.
//!
//! A robust level and its `rhythm`, the `noise` around them, and a bank of CUSUMs in `test`. Upwards only; every
//! row is judged by those before. Formulas and what they were measured on: `docs/detection.md`.

mod noise;
mod rhythm;
mod test;

use chrono::{DateTime, Utc};
use noise::Noise;
use rhythm::{Mean, Rhythm};
use test::Bank;

/// Rows without which nothing is judged.
const FEWEST_ROWS: f64 = 12.0;
/// Half-life of the level, in days or rows, whichever is longer; young series forget in this share of their length.
const LEVEL_DAYS: f64 = 1.0;
const LEVEL_ROWS: f64 = 10.0;
const YOUNG: f64 = 0.25;
/// Deviations in which a residual is learnt at most, and while an alarm lasts.
const LEARNT_CLIP: f64 = 3.5;
const ALARMED_CLIP: f64 = 1.0;
/// A row is calm below so many deviations; so many calm rows on end, or an hour of them, end an alarm.
const CALM: f64 = 1.5;
const CALM_ROWS: f64 = 3.0;
const MOST_CALM_ROWS: f64 = 12.0;
/// An alarm that has lasted so long is the new normal.
const NORMAL_DAYS: f64 = 3.0;
const NORMAL_ROWS: f64 = 30.0;
/// The standard normal's 95% quantile: the band holds 90%.
const BAND: f64 = 1.645;

/// What is said of one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// `None` before the first value.
    pub band: Option<Band>,
    /// 0..1, ½ where an alarm begins.
    pub score: f64,
    /// Whether an alarm begins with this row.
    pub alarm: bool,
}

/// What an everyday value is expected to be, and the bounds that hold 90% of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    pub expected: f64,
    pub low: f64,
    pub high: f64,
}

/// The state after the rows so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    last: Option<DateTime<Utc>>,
    /// The shortest time between two rows so far, in seconds.
    step: Option<f64>,
    /// Rows with a value.
    rows: f64,
    level: Mean,
    rhythm: Rhythm,
    noise: Noise,
    bank: Bank,
    alarm: Option<Alarm>,
}

/// An alarm that has begun and not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Alarm {
    rows: f64,
    calm: f64,
}

impl Series {
    /// Judges a row, then learns from it. Times must go forward by multiples of one step. A row without a value, or
    /// with one that is not finite, only has an expectation.
    pub fn take(&mut self, time: DateTime<Utc>, value: Option<f64>) -> Judged {
        self.pass(time);
        let value = value.filter(|value| value.is_finite() && value.abs() < 1e150);
        if self.rows == 0.0 {
            if let Some(value) = value {
                self.noise.see(value);
                self.level.add(value, 1.0);
                self.rows = 1.0;
            }
            let band = value.map(|value| Band { expected: value, low: value, high: value });
            return Judged { band, score: 0.0, alarm: false };
        }
        let day = self.rows_a_day();
        let season = self.rhythm.at(time, day);
        let expected = self.noise.possible(self.level.value() + season);
        let deviation = self.noise.deviation(expected);
        let low = self.noise.possible(expected - BAND * deviation);
        let band = Some(Band { expected, low, high: expected + BAND * deviation });
        let Some(value) = value else {
            self.bank.skip();
            return Judged { band, score: 0.0, alarm: false };
        };
        let standard = (value - expected) / deviation;
        let (mut score, mut begins) = (0.0, false);
        if self.rows >= FEWEST_ROWS {
            let threshold = test::threshold(day);
            let llr = self.bank.step(standard, self.alarm.is_none(), day);
            score = llr / (llr + threshold);
            begins = self.alarm.is_none() && llr >= threshold;
            self.follow_alarm(begins, standard, day);
        }
        self.learn(time, value, expected, deviation);
        Judged { band, score, alarm: begins }
    }

    /// Lets time pass up to a row: what was learnt fades over rows that are missing.
    fn pass(&mut self, time: DateTime<Utc>) {
        if let Some(last) = self.last {
            let passed = (time - last).as_seconds_f64().max(1e-3);
            let step = self.step.map_or(passed, |step| step.min(passed));
            self.step = Some(step);
            let missing = (passed / step - 1.0).round();
            if missing > 0.0 {
                let kept = self.level_memory().powf(missing);
                self.level.fade(kept);
                self.bank.fade(kept);
            }
        }
        self.last = Some(time);
    }

    /// Without a second row a day has one.
    fn rows_a_day(&self) -> f64 {
        86_400.0 / self.step.unwrap_or(86_400.0)
    }

    fn level_memory(&self) -> f64 {
        let grown = (LEVEL_DAYS * self.rows_a_day()).max(LEVEL_ROWS);
        memory((YOUNG * self.rows).clamp(LEVEL_ROWS, grown))
    }

    /// Ends an alarm after some calm rows, or when it has become the new normal.
    fn follow_alarm(&mut self, begins: bool, standard: f64, day: f64) {
        if begins {
            self.alarm = Some(Alarm::default());
        }
        let Some(alarm) = &mut self.alarm else { return };
        alarm.rows += 1.0;
        alarm.calm = if standard < CALM { alarm.calm + 1.0 } else { 0.0 };
        let over = alarm.calm >= (day / 24.0).clamp(CALM_ROWS, MOST_CALM_ROWS);
        let normal = alarm.rows >= (NORMAL_DAYS * day).max(NORMAL_ROWS);
        if over || normal {
            self.alarm = None;
            self.bank.begin_anew();
        }
        if normal {
            // The next rows make the level.
            self.level.fade(0.0);
            self.rows = 1.0;
        }
    }

    /// Residuals are learnt clipped, so that what is unusual teaches little; while an alarm lasts, only the level learns.
    fn learn(&mut self, time: DateTime<Utc>, value: f64, expected: f64, deviation: f64) {
        let day = self.rows_a_day();
        self.noise.see(value);
        // The first rows teach their values: nothing is known yet that they could be clipped to.
        let most = match (self.alarm, self.rows < FEWEST_ROWS) {
            (Some(_), _) => ALARMED_CLIP * deviation,
            (None, true) => f64::INFINITY,
            (None, false) => LEARNT_CLIP * deviation,
        };
        let residual = (value - expected).clamp(-most, most);
        let before = if self.level.is_empty() { value } else { self.level.value() + residual };
        self.level.add(before, self.level_memory());
        self.rows += 1.0;
        if self.alarm.is_none() {
            self.noise.learn(residual, expected, day);
            self.rhythm.learn(time, residual, day);
        }
    }
}

/// What a mean keeps from row to row for a half-life of so many rows.
fn memory(rows: f64) -> f64 {
    (-1.0 / rows).exp2()
}
