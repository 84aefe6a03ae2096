//! Detectors to be compared with: those of others, and one that knows the truth. Each turns a minute's count into a
//! statistic that grows with what is unusual.

use std::collections::VecDeque;
use whatsdown::detect::focus::Focus;
use whatsdown::detect::{Baseline, Expected};
use whatsdown::minute::Minute;

const DAY: usize = 24 * 60;

/// The others, in the order of their statistics.
pub const PEERS: [&str; 5] = ["EARS C2", "7-day z-score", "time-of-day ratio", "STA/LTA", "plain FOCuS"];

/// The detectors of others at one node.
pub struct Peers {
    windows: [Windows; 4],
    plain: PlainFocus,
}

impl Peers {
    pub fn new() -> Peers {
        let kinds = [Kind::EarsC2, Kind::WeekZ, Kind::TimeOfDay, Kind::StaLta];
        Peers { windows: kinds.map(Windows::new), plain: PlainFocus::default() }
    }

    pub fn step(&mut self, observed: f64, expected: Expected) -> [f64; PEERS.len()] {
        let [ears_c2, week_z, time_of_day, sta_lta] = self.windows.each_mut().map(|windows| windows.step(observed));
        [ears_c2, week_z, time_of_day, sta_lta, self.plain.step(observed, expected)]
    }

    /// An incident is closed: the sequential test begins anew, the others keep their history.
    pub fn close_incident(&mut self) {
        self.plain = PlainFocus::default();
    }
}

/// FOCuS against the expected rate itself.
#[derive(Default)]
struct PlainFocus(Focus);

impl PlainFocus {
    fn step(&mut self, observed: f64, expected: Expected) -> f64 {
        self.0.step(observed, Expected { upper: expected.mean, dispersion: 1.0, ..expected }).llr
    }
}

/// Counts of the last ten minutes against those of earlier ten minutes.
struct Windows {
    history: VecDeque<f64>,
    kind: Kind,
    /// Mean and deviation of the earlier windows, and the minutes until they are computed again.
    mean: f64,
    deviation: f64,
    fresh_for: u32,
}

#[derive(Clone, Copy)]
enum Kind {
    /// EARS C2 on ten-minute counts: mean and deviation of seven windows, two windows before.
    EarsC2,
    /// Mean and deviation of the ten-minute counts of seven days.
    WeekZ,
    /// The ratio to the mean of the same ten minutes of the seven days before; both with one report more.
    TimeOfDay,
    /// Short-term over long-term average (Earle et al. 2011): five minutes over an hour, with one report an hour more.
    StaLta,
}

impl Windows {
    fn new(kind: Kind) -> Windows {
        Windows { history: VecDeque::new(), kind, mean: 0.0, deviation: 1.0, fresh_for: 0 }
    }

    fn step(&mut self, observed: f64) -> f64 {
        self.history.push_back(observed);
        let (windows, gap) = match self.kind {
            Kind::EarsC2 => (7, 2),
            Kind::WeekZ => (7 * 144, 0),
            Kind::TimeOfDay => return self.time_of_day(),
            Kind::StaLta => return self.sta_lta(),
        };
        let wanted = 10 * (1 + gap + windows);
        if self.history.len() > wanted {
            self.history.pop_front();
        }
        if self.history.len() < wanted {
            return 0.0;
        }
        if self.fresh_for == 0 {
            self.fresh_for = if windows > 10 { 10 } else { 1 };
            let (mut sum, mut square, mut window) = (0.0, 0.0, 0.0);
            for (minute, count) in self.history.iter().take(10 * windows).enumerate() {
                window += count;
                if minute % 10 == 9 {
                    sum += window;
                    square += window * window;
                    window = 0.0;
                }
            }
            self.mean = sum / windows as f64;
            self.deviation = ((square - sum * self.mean) / (windows - 1) as f64).max(0.25).sqrt();
        }
        self.fresh_for -= 1;
        (self.history.iter().rev().take(10).sum::<f64>() - self.mean) / self.deviation
    }

    fn time_of_day(&mut self) -> f64 {
        let week = 7 * DAY + 10;
        if self.history.len() > week {
            self.history.pop_front();
        }
        if self.history.len() < week {
            return 0.0;
        }
        let now = self.history.iter().rev().take(10).sum::<f64>();
        let before: f64 = (0..7).map(|day| self.history.range(day * DAY..day * DAY + 10).sum::<f64>()).sum();
        (now + 1.0) / (before / 7.0 + 1.0)
    }

    fn sta_lta(&mut self) -> f64 {
        if self.history.len() > 65 {
            self.history.pop_front();
        }
        if self.history.len() < 65 {
            return 0.0;
        }
        let short = self.history.range(60..).sum::<f64>() / 5.0;
        short / (self.history.range(..60).sum::<f64>() / 60.0 + 1.0 / 60.0)
    }
}

/// A CUSUM that knows the true rate of everyday life, what the outage adds and the noise: the limit.
pub struct Informed {
    pub adds: f64,
    pub size: f64,
    pub statistic: f64,
}

impl Informed {
    /// `rate` is the true everyday one.
    pub fn step(&mut self, observed: f64, rate: f64) -> f64 {
        let failing = rate + self.adds;
        let ratio = observed * (failing / rate).ln()
            - (observed + self.size) * ((self.size + failing) / (self.size + rate)).ln();
        self.statistic = (self.statistic + ratio).max(0.0);
        self.statistic
    }
}

/// A node as the pipeline keeps it: a minute is learnt a quarter of an hour later, unless an incident is open then.
pub struct Learner {
    pub baseline: Baseline,
    unsettled: VecDeque<(Minute, f64)>,
    pub frozen_until: Minute,
}

impl Learner {
    pub fn new(first: Minute) -> Learner {
        Learner { baseline: Baseline::new(first), unsettled: VecDeque::new(), frozen_until: first }
    }

    pub fn take(&mut self, minute: Minute, observed: f64) {
        self.unsettled.push_back((minute, observed));
        if self.unsettled.len() > 15
            && let Some((settled, count)) = self.unsettled.pop_front()
            && minute >= self.frozen_until
        {
            self.baseline.learn(settled, count, 1.0, None);
        }
    }
}
