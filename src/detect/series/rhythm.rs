//! How a series goes up and down with the hour, the weekday and the season of the year.

use super::memory;
use chrono::{DateTime, Datelike as _, Utc};

/// Visits of an hour of the day, of an hour of the week, and of a fortnight of the year that 'no rhythm' is worth.
const DAY_SHRINKAGE: f64 = 0.25;
const WEEK_SHRINKAGE: f64 = 3.0;
const YEAR_SHRINKAGE: f64 = 4.0;
/// Half-lives: in days of the hours', in years of the fortnights'.
const HOURS_DAYS: f64 = 28.0;
const YEAR_YEARS: f64 = 4.0;
const FORTNIGHTS: usize = 26;
const SECONDS_A_YEAR: f64 = 365.25 * 86_400.0;

/// A forgetting mean.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mean {
    sum: f64,
    weight: f64,
}

impl Mean {
    pub fn add(&mut self, value: f64, memory: f64) {
        self.fade(memory);
        self.sum += value;
        self.weight += 1.0;
    }

    pub fn fade(&mut self, memory: f64) {
        self.sum *= memory;
        self.weight *= memory;
    }

    pub fn is_empty(self) -> bool {
        self.weight <= 0.0
    }

    /// Shrunk to `prior`, which is worth `weight` values.
    pub fn towards(self, prior: f64, weight: f64) -> f64 {
        (self.sum + prior * weight) / (self.weight + weight)
    }

    /// Zero where nothing was added.
    pub fn value(self) -> f64 {
        if self.is_empty() { 0.0 } else { self.sum / self.weight }
    }
}

/// What is added to the level: by the hour of the week, shrunk to that of the hour of the day, and for steps of a day
/// and more by the time of the year.
#[derive(Clone, Debug, PartialEq)]
pub struct Rhythm {
    day: [Mean; 24],
    week: Vec<Mean>,
    year: [Mean; FORTNIGHTS],
}

impl Default for Rhythm {
    fn default() -> Rhythm {
        Rhythm { day: [Mean::default(); 24], week: vec![Mean::default(); 168], year: [Mean::default(); FORTNIGHTS] }
    }
}

impl Rhythm {
    /// The rhythm's share of what is expected, for a series with so many rows a day.
    pub fn at(&self, time: DateTime<Utc>, rows_a_day: f64) -> f64 {
        let hours = hour_of_week(time);
        let hour = if rows_a_day > 24.0 {
            // Between the middles of hours, so that there is no edge at the full hour.
            let (before, share) = ((hours + 167.5) % 168.0, (hours + 0.5).fract());
            let (first, second) =
                (self.hour(before as usize, rows_a_day), self.hour((before as usize + 1) % 168, rows_a_day));
            first + share * (second - first)
        } else {
            self.hour(hours as usize, rows_a_day)
        };
        hour + if rows_a_day <= 1.0 { self.year(time) } else { 0.0 }
    }

    /// The hour of the week towards the hour of the day, that towards nothing.
    fn hour(&self, hour_of_week: usize, rows_a_day: f64) -> f64 {
        let visit = (rows_a_day / 24.0).max(1.0);
        let of_day = self.day[hour_of_week % 24].towards(0.0, DAY_SHRINKAGE * visit);
        let of_week = self.week.get(hour_of_week).copied().unwrap_or_default();
        of_week.towards(of_day, WEEK_SHRINKAGE * visit)
    }

    fn year(&self, time: DateTime<Utc>) -> f64 {
        let place = fortnight(time);
        let (before, share) = ((place + FORTNIGHTS as f64 - 0.5) % FORTNIGHTS as f64, (place + 0.5).fract());
        let of = |fortnight: usize| self.year[fortnight % FORTNIGHTS].towards(0.0, YEAR_SHRINKAGE);
        of(before as usize) * (1.0 - share) + of(before as usize + 1) * share
    }

    /// Takes in by how much a row was above what was expected of it, its own rhythm included.
    pub fn learn(&mut self, time: DateTime<Utc>, residual: f64, rows_a_day: f64) {
        let hour = hour_of_week(time) as usize;
        let (now, kept) = (self.hour(hour, rows_a_day), memory((HOURS_DAYS * rows_a_day / 24.0).max(HOURS_DAYS)));
        self.day[hour % 24].add(now + residual, kept);
        if let Some(of_week) = self.week.get_mut(hour) {
            of_week.add(now + residual, kept);
        }
        if rows_a_day <= 1.0 {
            let year = self.year(time) + residual;
            let rows_a_fortnight = 365.25 * rows_a_day / FORTNIGHTS as f64;
            self.year[fortnight(time) as usize % FORTNIGHTS].add(year, memory(YEAR_YEARS * rows_a_fortnight));
        }
    }
}

/// Hours since Monday 00:00 UTC, 0..168.
fn hour_of_week(time: DateTime<Utc>) -> f64 {
    // 1970-01-01 was a Thursday, three days after a Monday.
    ((time.timestamp() + 3 * 86_400).rem_euclid(7 * 86_400) as f64 / 3600.0).min(167.999)
}

/// Fortnights, of which a year has 26, since the year began.
fn fortnight(time: DateTime<Utc>) -> f64 {
    let second = f64::from(time.ordinal0()) * 86_400.0 + (time.timestamp().rem_euclid(86_400)) as f64;
    (second / SECONDS_A_YEAR * FORTNIGHTS as f64).min(FORTNIGHTS as f64 - 1e-6)
}
