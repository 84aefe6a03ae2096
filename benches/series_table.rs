//! How often `score` is wrong, and what it finds, on simulated series of many kinds; the table of docs/detection.md:
//! `cargo bench --bench series_table [-- tune]`.

#![allow(clippy::print_stdout, reason = "a table is what this program is for")]

#[expect(dead_code, reason = "shared with the tests, which use the rest")]
#[path = "../tests/sim/mod.rs"]
mod sim;

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use sim::{Life, normal};
use std::collections::VecDeque;
use std::f64::consts::TAU;
use whatsdown::detect::series::Series;

/// Steps in seconds, and how many rows a series of that step has.
const STEPS: [(&str, i64, usize); 5] = [
    ("a minute", 60, 20_000),
    ("5 min", 300, 12_000),
    ("an hour", 3600, 6_000),
    ("a day", 86_400, 2_000),
    ("a week", 604_800, 500),
];
/// Series of each kind, step and shape.
const SERIES: u64 = 6;

/// What the values of a series are.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Normal,
    HeavyTails,
    Skewed,
    Negative,
    Factors,
    /// Negative binomial counts of this mean, and Poisson ones with correlated noise.
    Counts(f64),
    CorrelatedCounts(f64),
}

const KINDS: [(&str, Kind); 9] = [
    ("normal", Kind::Normal),
    ("heavy tails (t with 5 degrees)", Kind::HeavyTails),
    ("skewed (exponential)", Kind::Skewed),
    ("around zero", Kind::Negative),
    ("growing by factors (log-normal)", Kind::Factors),
    ("counts around 0.05", Kind::Counts(0.05)),
    ("counts around 1", Kind::Counts(1.0)),
    ("counts around 30, correlated", Kind::CorrelatedCounts(30.0)),
    ("counts around 300, correlated", Kind::CorrelatedCounts(300.0)),
];

/// A series of one kind: whether it has a rhythm, and the correlation of neighbouring rows' noise.
struct Shape {
    kind: Kind,
    step: i64,
    rhythm: bool,
    correlation: f64,
}

impl Shape {
    /// Rhythm over day, week and, from a day on, the year; drift; noise as a first-order process.
    fn values(&self, rng: &mut Rng, rows: usize) -> Vec<f64> {
        let day = 86_400.0 / self.step as f64;
        let (height, peak) = if self.rhythm { (0.3 + 0.4 * rng.f64(), 24.0 * rng.f64()) } else { (0.0, 0.0) };
        let (weekend, drift) = (0.6 + 0.7 * rng.f64(), 0.1 * rng.f64());
        let (mut level, mut noise) = (0.0_f64, 0.0);
        let mut value = |row: usize| {
            let hour = row as f64 * 24.0 / day;
            level = level * (1.0 - 0.07 / day.max(1.0)) + drift * normal(rng) / day.max(1.0).sqrt();
            let mut usual = level.exp() * (1.0 + height * ((hour - peak) * TAU / 24.0).cos());
            if self.rhythm && hour % 168.0 >= 120.0 {
                usual *= weekend;
            }
            if self.rhythm && day <= 1.0 {
                usual *= 1.0 + 0.5 * (hour * TAU / 8766.0).cos();
            }
            let fresh = match self.kind {
                Kind::HeavyTails => {
                    let squares: f64 = (0..5).map(|_| normal(rng).powi(2)).sum();
                    normal(rng) / (squares / 5.0).sqrt()
                }
                Kind::Skewed => -(1.0 - rng.f64()).ln() - 1.0,
                _ => normal(rng),
            };
            noise = self.correlation * noise + (1.0 - self.correlation.powi(2)).sqrt() * fresh;
            match self.kind {
                Kind::Normal => 100.0 * usual + 10.0 * noise,
                Kind::HeavyTails => 100.0 * usual + 15.0 * noise,
                Kind::Skewed => 10.0 * usual * (1.0 + 0.4 * noise),
                Kind::Negative => 20.0 * usual - 50.0 + 3.0 * noise,
                Kind::Factors => 50.0 * usual * (0.5 * noise).exp(),
                Kind::Counts(mean) => Life::steady(mean).counts(rng, &[mean * usual])[0],
                Kind::CorrelatedCounts(mean) => sim::poisson(rng, mean * usual * (0.3 * noise - 0.045).exp()),
            }
        };
        (0..rows).map(&mut value).collect()
    }

    fn is_counts(&self) -> bool {
        matches!(self.kind, Kind::Counts(_) | Kind::CorrelatedCounts(_))
    }

    fn alarms(&self, values: &[f64]) -> Vec<usize> {
        let mut series = Series::default();
        let first = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(18_000);
        let at = |row: usize| first + TimeDelta::seconds(self.step * row as i64);
        (0..values.len()).filter(|row| series.take(at(*row), Some(values[*row])).alarm).collect()
    }

    /// Rows in which a z-score against the last week, or 100 rows, passes a height after a calm row.
    fn z_alarms(&self, values: &[f64], height: f64) -> Vec<usize> {
        let window = (7 * 86_400 / self.step).max(100) as usize;
        let (mut past, mut sum, mut squares, mut above) = (VecDeque::new(), 0.0, 0.0, false);
        let mut alarms = Vec::new();
        for (row, value) in values.iter().enumerate() {
            let (n, mean) = (past.len() as f64, sum / past.len().max(1) as f64);
            let deviation = ((squares / n.max(1.0)) - mean * mean).max(0.05).sqrt();
            let passes = past.len() >= 50 && (value - mean) / deviation > height;
            if passes && !above {
                alarms.push(row);
            }
            above = passes;
            past.push_back(*value);
            (sum, squares) = (sum + value, squares + value * value);
            if past.len() > window {
                let old: f64 = past.pop_front().unwrap_or_default();
                (sum, squares) = (sum - old, squares - old * old);
            }
        }
        alarms
    }
}

/// What became of one group of series.
#[derive(Clone, Default)]
struct Tally {
    rows: f64,
    allowed: f64,
    alarms: f64,
    shifts: f64,
    found: f64,
    z_found: f64,
    at_once: f64,
}

impl Tally {
    fn add(&mut self, other: &Tally) {
        for (sum, part) in [
            (&mut self.rows, other.rows),
            (&mut self.allowed, other.allowed),
            (&mut self.alarms, other.alarms),
            (&mut self.shifts, other.shifts),
            (&mut self.found, other.found),
            (&mut self.z_found, other.z_found),
            (&mut self.at_once, other.at_once),
        ] {
            *sum += part;
        }
    }

    fn row(&self, name: &str) {
        let share = |part: f64| part / self.shifts;
        println!(
            "| {name} | {:.0} | {:.0} | {:.0} | {:.2} | {:.2} | {:.2} |",
            self.rows,
            self.allowed,
            self.alarms,
            share(self.found),
            share(self.at_once),
            share(self.z_found)
        );
    }
}

/// All series of a kind and a step: everyday life, then the same with a shift in the last fifth.
fn measure(kind: Kind, step: i64, rows: usize, tune: bool) -> Tally {
    let mut tally = Tally::default();
    let day = 86_400.0 / step as f64;
    let shapes = if tune {
        [(false, 0.0), (true, 0.0), (true, 0.6), (false, 0.9)]
    } else {
        [(false, 0.3), (true, 0.0), (true, 0.75), (false, 0.85)]
    };
    let mut simulated = Vec::new();
    for (which, (rhythm, correlation)) in shapes.into_iter().enumerate() {
        for index in 0..SERIES {
            let mut rng = Rng::with_seed(1000 * index + 10 * which as u64 + u64::from(!tune));
            let shape = Shape { kind, step, rhythm, correlation };
            let values = shape.values(&mut rng, rows);
            tally.rows += rows as f64;
            tally.alarms += shape.alarms(&values).len() as f64;
            tally.allowed += rows as f64 / (365.25 * day).clamp(1_000.0, 20_000.0);
            simulated.push((shape, values));
        }
    }
    // The z-score's height that gives it as many false alarms.
    let false_alarms =
        |height: f64| -> usize { simulated.iter().map(|(shape, values)| shape.z_alarms(values, height).len()).sum() };
    let (mut low, mut high) = (1.0, 60.0);
    for _ in 0..14 {
        let middle = f64::midpoint(low, high);
        if false_alarms(middle) as f64 > tally.alarms.max(1.0) { low = middle } else { high = middle }
    }
    for (index, (shape, values)) in simulated.iter_mut().enumerate() {
        let at = rows - rows / 5;
        let length = (7200 / step).clamp(4, 60) as usize;
        let before = &values[at - 60..at];
        let mean = before.iter().sum::<f64>() / 60.0;
        let deviation = (before.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 60.0).sqrt().max(0.3);
        for value in &mut values[at..at + length] {
            *value += (3 + index % 4) as f64 * deviation;
            if shape.is_counts() {
                *value = value.round();
            }
        }
        values.truncate(at + length);
        let first = |alarms: Vec<usize>| alarms.into_iter().find(|row| *row >= at);
        let (ours, theirs) = (first(shape.alarms(values)), first(shape.z_alarms(values, high)));
        tally.shifts += 1.0;
        tally.found += f64::from(u8::from(ours.is_some()));
        tally.at_once += f64::from(u8::from(ours.is_some_and(|row| row <= at + length / 4)));
        tally.z_found += f64::from(u8::from(theirs.is_some()));
    }
    tally
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if !words.iter().any(|word| word == "--bench") {
        return; // `cargo test --benches` only wants to know that it starts
    }
    let tune = words.iter().any(|word| word == "tune");
    let mut by_step = vec![Tally::default(); STEPS.len()];
    let mut by_kind = vec![Tally::default(); KINDS.len()];
    for (step, (_, seconds, rows)) in STEPS.into_iter().enumerate() {
        for (which, (_, kind)) in KINDS.into_iter().enumerate() {
            let tally = measure(kind, seconds, rows, tune);
            by_step[step].add(&tally);
            by_kind[which].add(&tally);
        }
    }
    let head = "rows | false alarms allowed | false alarms | shifts found | in their first quarter | by a z-score at as many false alarms |";
    println!("| a row is | {head}\n|---|---|---|---|---|---|---|");
    STEPS.iter().zip(&by_step).for_each(|((name, ..), tally)| tally.row(name));
    println!("\n| values are | {head}\n|---|---|---|---|---|---|---|");
    KINDS.iter().zip(&by_kind).for_each(|((name, _), tally)| tally.row(name));
}
