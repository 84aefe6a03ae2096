//! A seeded simulator of report counts whose truth is known: everyday life, outages, recovery posts, copies.

use fastrand::Rng;
use std::f64::consts::TAU;
use whatsdown::minute::Minute;

/// A Gamma(shape, scale 1) variate (Marsaglia & Tsang 2000).
pub fn gamma(rng: &mut Rng, shape: f64) -> f64 {
    if shape < 1.0 {
        return gamma(rng, shape + 1.0) * rng.f64().powf(1.0 / shape);
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal(rng);
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 && (1.0 - rng.f64()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v;
        }
    }
}

/// A standard normal variate (Box & Muller 1958).
pub fn normal(rng: &mut Rng) -> f64 {
    (-2.0 * (1.0 - rng.f64()).ln()).sqrt() * (TAU * rng.f64()).cos()
}

/// A Poisson variate; means above 30 are split, so that it stays exact.
pub fn poisson(rng: &mut Rng, mean: f64) -> f64 {
    let mut count = 0.0;
    let mut left = mean;
    while left > 0.0 {
        let part = left.min(30.0);
        left -= part;
        let limit = (-part).exp();
        let mut product = rng.f64();
        while product > limit {
            count += 1.0;
            product *= rng.f64();
        }
    }
    count
}

/// Everyday life of one node.
#[derive(Clone, Debug)]
pub struct Life {
    /// Reports a minute, averaged over a week.
    pub rate: f64,
    /// Size r of the negative binomial minutes; infinite for Poisson.
    pub size: f64,
    /// Relative height of the daily rhythm, 0..1, and the hour of its peak.
    pub day: f64,
    pub peak_hour: f64,
    /// What a weekend day brings, as a ratio to a weekday.
    pub weekend: f64,
    /// Standard deviation a day of the logarithm of the level, and its growth a week.
    pub drift: f64,
    pub growth: f64,
    /// Bursts a day of the same words by a few authors, which de-duplication did not catch.
    pub copies: f64,
}

impl Life {
    /// No rhythm and no drift, negative binomial minutes of size 4.
    pub fn steady(rate: f64) -> Life {
        Life { rate, size: 4.0, day: 0.0, peak_hour: 0.0, weekend: 1.0, drift: 0.0, growth: 0.0, copies: 0.0 }
    }

    /// Rhythm, drift and growth drawn at random around `rate`.
    pub fn drawn(rng: &mut Rng, rate: f64) -> Life {
        Life {
            day: 0.3 + 0.5 * rng.f64(),
            peak_hour: 24.0 * rng.f64(),
            weekend: 0.6 + 0.7 * rng.f64(),
            drift: 0.1 * rng.f64(),
            growth: 0.1 * (rng.f64() - 0.3),
            ..Life::steady(rate)
        }
    }

    /// Expected reports of each of `minutes` from `first`.
    pub fn rates(&self, rng: &mut Rng, first: Minute, minutes: usize) -> Vec<f64> {
        let mut level = 0.0_f64;
        let mut rates = Vec::with_capacity(minutes);
        for offset in 0..minutes {
            if offset % 60 == 0 {
                // A slow walk that does not run away.
                level = level * 0.997 + self.drift * (1.0_f64 / 24.0).sqrt() * normal(rng);
            }
            let minute = first + i64::try_from(offset).unwrap_or(i64::MAX);
            let hour = minute.hour_of_week() as f64 + (minute.0.rem_euclid(60) as f64) / 60.0;
            let daily = 1.0 + self.day * ((hour - self.peak_hour) * TAU / 24.0).cos();
            let weekly = if hour >= 120.0 { self.weekend } else { 1.0 };
            let growth = self.growth * offset as f64 / Minute::WEEK as f64;
            rates.push(self.rate * daily * weekly * (level + growth).exp());
        }
        rates
    }

    /// Counts of minutes with these expected reports.
    pub fn counts(&self, rng: &mut Rng, rates: &[f64]) -> Vec<f64> {
        let mut counts: Vec<f64> = rates
            .iter()
            .map(|rate| {
                let noise = if self.size.is_finite() { gamma(rng, self.size) / self.size } else { 1.0 };
                poisson(rng, rate * noise)
            })
            .collect();
        let bursts = poisson(rng, self.copies * counts.len() as f64 / Minute::DAY as f64);
        for _ in 0..bursts as usize {
            let at = rng.usize(..counts.len());
            for _ in 0..rng.usize(2..5) {
                let minute = (at + rng.usize(..6)).min(counts.len() - 1);
                counts[minute] += 1.0;
            }
        }
        counts
    }
}

/// How the reports of an outage rise and fall while it lasts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    Step,
    /// Grows over this share of its length, then holds.
    Ramp(f64),
    /// Twice as high at first, falling to its plateau within 20 minutes.
    Burst,
    /// Down by 85% from 40% to 60% of its length.
    Partial,
    /// Three waves, quiet between them for an eighth of its length.
    Waves,
}

/// The share of the reports that sound like a recovery while nothing has recovered.
pub const STRAY_BACK: f64 = 0.03;
/// Where in a minute its rate is taken.
pub const PARTS: [f64; 4] = [0.125, 0.375, 0.625, 0.875];

/// One outage, in minutes after the beginning of the series.
#[derive(Clone, Copy, Debug)]
pub struct Outage {
    pub start: f64,
    pub minutes: f64,
    /// Reports a minute that it adds at its plateau.
    pub adds: f64,
    pub shape: Shape,
    /// People keep talking: the time constant of the decay after the end.
    pub talk: f64,
    /// 'It is back' posts a minute right after the end, as a share of `adds`.
    pub back: f64,
}

impl Outage {
    pub fn end(&self) -> f64 {
        self.start + self.minutes
    }

    /// How far it has risen at this age, as a ratio to its plateau.
    pub fn rise(&self, age: f64) -> f64 {
        match self.shape {
            _ if age < 0.0 => 0.0,
            Shape::Ramp(length) => (age / self.minutes / length).min(1.0),
            Shape::Burst => 1.0 + (-age / 8.0).exp(),
            Shape::Step | Shape::Partial | Shape::Waves => 1.0,
        }
    }

    /// What its pauses leave of it at this age.
    pub fn dip(&self, age: f64) -> f64 {
        let share = age / self.minutes;
        match self.shape {
            Shape::Partial if (0.4..0.6).contains(&share) => 0.15,
            Shape::Waves if (0.25..0.375).contains(&share) || (0.625..0.75).contains(&share) => 0.0,
            _ => 1.0,
        }
    }

    /// What is left of the reports so long after the end.
    pub fn talk_after(&self, age: f64) -> f64 {
        (-age / self.talk.max(1e-3)).exp()
    }

    fn height(&self, at: f64) -> f64 {
        let age = at - self.start;
        if age >= self.minutes { self.talk_after(age - self.minutes) } else { self.rise(age) * self.dip(age) }
    }

    /// 'It is back' posts so long after the end, or before it, as a ratio to the plateau.
    pub fn back_after(&self, age: f64) -> f64 {
        if age < 0.0 { 0.0 } else { self.back * (-age / 15.0).exp() }
    }

    fn back_height(&self, at: f64) -> f64 {
        self.back_after(at - self.end()) + STRAY_BACK * self.height(at)
    }

    /// Adds the expected reports to `rates` and gives the expected recovery posts of each minute.
    pub fn apply(&self, rates: &mut [f64]) -> Vec<f64> {
        let mut recoveries = vec![0.0; rates.len()];
        for (offset, rate) in rates.iter_mut().enumerate() {
            let minute = offset as f64;
            *rate += self.adds * PARTS.iter().map(|part| self.height(minute + part)).sum::<f64>() / 4.0;
            recoveries[offset] =
                self.adds * PARTS.iter().map(|part| self.back_height(minute + part)).sum::<f64>() / 4.0;
        }
        recoveries
    }
}

/// A class of everyday rate with a typical outage's addition to it, both in reports a minute.
pub const CLASSES: [(f64, f64); 4] = [(0.02, 0.5), (0.2, 1.0), (2.0, 6.0), (20.0, 40.0)];

/// Which episodes are drawn: constants were chosen on `Tune` alone, published figures come from `Report`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Family {
    Tune,
    Report,
}

impl Family {
    /// The generator of episode or node `index`.
    pub fn rng(self, index: u64) -> Rng {
        Rng::with_seed(index * 2 + u64::from(self == Family::Report))
    }

    /// Everyday life of a node; the families differ in noise, rhythm and growth too.
    pub fn life(self, rng: &mut Rng, rate: f64) -> Life {
        let drawn = Life::drawn(rng, rate);
        match self {
            Family::Tune => drawn,
            Family::Report => Life { size: 3.0 + 5.0 * rng.f64(), growth: 0.15 * (rng.f64() - 0.3), ..drawn },
        }
    }

    /// An outage of half an hour to three hours that adds `adds` reports a minute.
    pub fn outage(self, rng: &mut Rng, start: f64, adds: f64, back: f64) -> Outage {
        let shapes = match self {
            Family::Tune => [Shape::Step, Shape::Ramp(0.25), Shape::Burst],
            Family::Report => [Shape::Ramp(0.1), Shape::Partial, Shape::Waves],
        };
        let shape = shapes[rng.usize(..shapes.len())];
        Outage { start, minutes: 30.0 + 150.0 * rng.f64(), adds, shape, talk: 3.0 + 22.0 * rng.f64(), back }
    }
}
