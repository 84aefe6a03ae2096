//! What everyday life brings: a level that follows the last days, times the rhythm of the week.

use super::Expected;
use super::math::{finite, gamma_quantile};
use crate::minute::Minute;
use serde::{Deserialize, Serialize};

/// What is expected changes at each quarter of an hour, so that it need not be computed for every minute.
pub const QUARTER: i64 = 15;
/// Half-life of the level and of the noise around it, in minutes.
const LEVEL_HALF_LIFE: f64 = 1440.0;
/// What is left of a season's hour when it comes round after a week: a half-life of four weeks.
const SEASON_MEMORY: f32 = 0.84;
/// Jeffreys' prior of a rate, worth one minute of silence: nothing learnt means 'below some 5 a minute'.
const PRIOR_SHAPE: f64 = 0.5;
const PRIOR_MINUTES: f64 = 1.0;
/// The credible bound of the level: 99.9%.
const UPPER_DEVIATE: f64 = 3.09;
/// Room for drift: everyday rates reach half as much again, and a quiet node may get a post in 50 minutes.
const DRIFT_RATIO: f64 = 1.5;
const DRIFT_RATE: f64 = 0.02;
/// Learning follows at most so many times the upper rate: a doubled source passes, an outage does not.
const LEARNT_RATIO: f64 = 1.5;
/// Prior over-dispersion 1/r of the negative binomial, and its weight in squared reports.
const PRIOR_OVERDISPERSION: f64 = 0.25;
const PRIOR_OVERDISPERSION_WEIGHT: f64 = 5.0;
/// Reports that the prior of an hour of the day, and of an hour of the week around it, are worth.
const DAY_SHRINKAGE: f32 = 10.0;
const WEEK_SHRINKAGE: f32 = 30.0;
/// How many times the level an hour of the day may bring that was never learnt from: nobody knows the rhythm yet.
const UNSEEN_HOUR: f64 = 3.0;
/// Reports in the level's memory from which a baseline learns a rhythm of its own instead of its parent's.
const SEASON_PAYS: f64 = 30.0;

/// The baseline of a service in a region as one source tells it.
///
/// The level is the posterior of a gamma-Poisson model with exponential forgetting, so that time without learning
/// widens it back to the prior. Updates pass a token bucket (an hour at half as much again as the upper rate), so that an outage nobody
/// noticed cannot spoil what is learnt (Bédubourg & Le Strat 2017 measured how past outbreaks do).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    last: Minute,
    /// Forgetting sums: reports, and heard minutes times the season's factor.
    reports: f64,
    minutes: f64,
    /// Forgetting sums of clipped squared residuals less their expectation, and of squared expectations.
    excess_variance: f64,
    squared_mean: f64,
    /// Reports that may still be learnt, of an hour's worth.
    tokens: f64,
    season: Option<Box<Season>>,
}

impl Baseline {
    /// A baseline that begins at `first` with nothing learnt.
    pub fn new(first: Minute) -> Self {
        Baseline::after_silence(first, 0.0)
    }

    /// A baseline of which it is known that in `heard` minutes before `first` nothing came: a region that is seen
    /// for the first time in a source that has been heard for long.
    pub fn after_silence(first: Minute, heard: f64) -> Self {
        let memory = LEVEL_HALF_LIFE / std::f64::consts::LN_2;
        let minutes = memory * (1.0 - (-finite(heard, 0.0).max(0.0) / memory).exp());
        Baseline {
            last: first - 1,
            reports: 0.0,
            minutes,
            excess_variance: 0.0,
            squared_mean: 0.0,
            tokens: f64::MAX,
            season: None,
        }
    }

    /// What a wholly heard minute is expected to bring, the same for each [`QUARTER`]. `parent` is the same source's baseline of the parent region: it
    /// lends its rhythm, and a part cannot exceed the whole.
    pub fn expected(&self, minute: Minute, parent: Option<&Baseline>) -> Expected {
        let own = self.alone(minute, parent.and_then(|parent| parent.season.as_deref()));
        match parent {
            Some(parent) => {
                let whole = parent.alone(minute, None);
                Expected { mean: own.mean.min(whole.mean), upper: own.upper.min(whole.upper), ..own }
            }
            None => own,
        }
    }

    /// Learns from a settled minute, of which the share `exposure` was heard. A minute that was not heard, or one
    /// not after the last one learnt, teaches nothing.
    pub fn learn(&mut self, minute: Minute, observed: f64, exposure: f64, parent: Option<&Baseline>) {
        let exposure = finite(exposure, 0.0).clamp(0.0, 1.0);
        if exposure == 0.0 || minute <= self.last {
            return;
        }
        let expected = self.expected(minute, parent).scaled(exposure);
        let observed = self.winsorised(finite(observed, 0.0).max(0.0), expected);
        let (factor, _) = self.factor(minute, parent.and_then(|parent| parent.season.as_deref()));
        let level = self.level();

        let elapsed = (minute - self.last) as f64;
        let memory = if elapsed == 1.0 { MINUTE_MEMORY } else { (-elapsed / LEVEL_HALF_LIFE).exp2() };
        self.reports = self.reports * memory + observed;
        self.minutes = self.minutes * memory + exposure * factor;
        let residual = (observed - expected.mean).powi(2).min(9.0 * expected.mean * expected.dispersion + 4.0);
        self.excess_variance = self.excess_variance * memory + residual - expected.mean;
        self.squared_mean = self.squared_mean * memory + expected.mean.powi(2);

        if self.season.is_none() && self.reports >= SEASON_PAYS {
            self.season = Some(Box::default());
        }
        if let Some(season) = &mut self.season {
            season.learn(minute, self.last, observed, level, exposure);
        }
        self.last = minute;
    }

    /// Reports of a heard minute of an average hour.
    fn level(&self) -> f64 {
        (self.reports + PRIOR_SHAPE) / (self.minutes + PRIOR_MINUTES)
    }

    fn alone(&self, minute: Minute, lent: Option<&Season>) -> Expected {
        let (factor, highest) = self.factor(minute, lent);
        let mean = self.level() * factor;
        let overdispersion = (self.excess_variance.max(0.0) + PRIOR_OVERDISPERSION * PRIOR_OVERDISPERSION_WEIGHT)
            / (self.squared_mean + PRIOR_OVERDISPERSION_WEIGHT);
        let dispersion = 1.0 + overdispersion * mean;
        // Over-dispersed reports say as much as so many fewer independent ones.
        let shape = (self.reports + PRIOR_SHAPE) / dispersion;
        let bound = gamma_quantile(shape, UPPER_DEVIATE) / shape;
        let busiest = self.level() * highest;
        Expected { mean, upper: (bound * busiest).max(DRIFT_RATIO * busiest + DRIFT_RATE), dispersion }
    }

    fn factor(&self, minute: Minute, lent: Option<&Season>) -> (f64, f64) {
        match (&self.season, lent) {
            (Some(own), _) => own.factor(minute, lent),
            (None, Some(lent)) => lent.factor(minute, None),
            (None, None) => (1.0, 1.0),
        }
    }

    /// The part of `observed` that may be learnt.
    fn winsorised(&mut self, observed: f64, expected: Expected) -> f64 {
        let refill = LEARNT_RATIO * expected.upper;
        let hour = 60.0 * refill;
        self.tokens = (self.tokens + refill).min(hour + 3.0 * (hour * expected.dispersion).sqrt() + 2.0);
        let learnt = observed.min(self.tokens);
        self.tokens -= learnt;
        learnt
    }
}

/// 2^(−1 / [`LEVEL_HALF_LIFE`]).
const MINUTE_MEMORY: f64 = 0.999_518_763_622_666_2;

/// The rhythm of a week: reports, and what a flat level would have brought, by weekday and hour (UTC).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Season {
    reports: [[f32; 24]; 7],
    flat: [[f32; 24]; 7],
    /// How often each hour of the day was learnt from, in whole hours.
    visits: [f32; 24],
    /// The hour that still runs, with its heard minutes; it tells when it is over, so that it cannot lift what is
    /// expected of itself.
    running: (f32, f32, f32),
}

impl Season {
    /// The factor in the quarter of an hour around `minute`, linear between the middles of hours, and what it may be: the
    /// higher of it and the hour's own, since a rhythm may also have edges, and more in an hour that is new.
    fn factor(&self, minute: Minute, lent: Option<&Season>) -> (f64, f64) {
        let at = |minute: Minute| {
            let hour = minute.hour_of_week();
            f64::from(self.hour(hour, lent.map_or(1.0, |lent| lent.hour(hour, 1.0))))
        };
        let past = minute.0.rem_euclid(Minute::HOUR) / QUARTER * QUARTER + QUARTER / 2;
        let (own, neighbour) = (at(minute), at(minute + if past < 30 { -Minute::HOUR } else { Minute::HOUR }));
        let share = ((past as f64 + 0.5) / 60.0 - 0.5).abs();
        let between = own * (1.0 - share) + neighbour * share;
        let hour_of_day = minute.hour_of_week() % 24;
        let visits = self.visits[hour_of_day].max(lent.map_or(0.0, |lent| lent.visits[hour_of_day]));
        let unseen = 1.0 + (UNSEEN_HOUR - 1.0) * (1.0 - f64::from(visits)).max(0.0);
        (between, between.max(own) * unseen)
    }

    /// Gamma shrinkage: the hour of the week towards the hour of the day, that towards `prior`.
    fn hour(&self, hour_of_week: usize, prior: f32) -> f32 {
        let (day, hour) = (hour_of_week / 24 % 7, hour_of_week % 24);
        let (mut reports, mut flat) = (DAY_SHRINKAGE * prior, DAY_SHRINKAGE);
        for weekday in 0..7 {
            reports += self.reports[weekday][hour];
            flat += self.flat[weekday][hour];
        }
        let of_day = reports / flat;
        (self.reports[day][hour] + WEEK_SHRINKAGE * of_day) / (self.flat[day][hour] + WEEK_SHRINKAGE)
    }

    fn learn(&mut self, minute: Minute, last: Minute, observed: f64, level: f64, exposure: f64) {
        if minute.0.div_euclid(Minute::HOUR) != last.0.div_euclid(Minute::HOUR) {
            let hour_of_week = last.hour_of_week();
            let (day, hour) = (hour_of_week / 24 % 7, hour_of_week % 24);
            let (reports, level) = (&mut self.reports[day][hour], &mut self.flat[day][hour]);
            *reports = *reports * SEASON_MEMORY + self.running.0;
            *level = *level * SEASON_MEMORY + self.running.1;
            self.visits[hour] += self.running.2 / 60.0;
            self.running = (0.0, 0.0, 0.0);
        }
        self.running.0 += observed as f32;
        self.running.1 += (level * exposure) as f32;
        self.running.2 += exposure as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_a_minute_is_that_of_the_half_life() {
        assert!((MINUTE_MEMORY.powf(LEVEL_HALF_LIFE) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_child_without_a_season_takes_its_parents() {
        let evening = |minute: Minute| minute.hour_of_week() % 24 == 20;
        let (mut parent, mut child) = (Baseline::new(Minute(0)), Baseline::new(Minute(0)));
        for minute in (0..3 * Minute::WEEK).map(Minute) {
            parent.learn(minute, if evening(minute) { 4.0 } else { 1.0 }, 1.0, None);
            // Twice a day, at hours that say nothing of the rhythm.
            child.learn(minute, f64::from(u8::from(minute.0 % 720 == 0)), 1.0, Some(&parent));
        }
        assert!(child.season.is_none() && parent.season.is_some());
        let ratio = |baseline: &Baseline, parent| {
            let mean = |hour: i64| baseline.expected(Minute(3 * Minute::WEEK + hour * 60 + 30), parent).mean;
            mean(20) / mean(12)
        };
        // An edge is rounded, since a rhythm is linear between the middles of hours.
        assert!((3.2..4.1).contains(&ratio(&parent, None)));
        assert!((ratio(&child, Some(&parent)) - ratio(&parent, None)).abs() < 1e-9);
    }
}
