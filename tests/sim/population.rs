//! Whole populations: several services in several regions on two networks, and what befalls them. All of it is invented
//! by seeded chance, and its truth is known.

use crate::sim::{Life, Outage, Shape, gamma, normal, poisson};
use chrono::TimeDelta;
use fastrand::Rng;
use whatsdown::count::{KeyHash, Mention, Tally};
use whatsdown::minute::Minute;
use whatsdown::reading::ServiceId;
use whatsdown::region::Region;

/// The services, with their everyday reports a minute.
pub const SERVICES: [(&str, f64); 8] = [
    ("t-mobile", 0.2),
    ("verizon", 0.15),
    ("att", 0.1),
    ("instagram", 0.6),
    ("facebook", 0.3),
    ("tiktok", 0.8),
    ("discord", 0.05),
    ("cloudflare", 0.02),
];

/// Where reports come from, with their shares. `world` is a place that is not known.
pub const PLACES: [(&str, f64); 10] = [
    ("world", 0.35),
    ("US", 0.12),
    ("US-CA", 0.06),
    ("US-TX", 0.05),
    ("GB", 0.07),
    ("GB-ENG", 0.07),
    ("IN", 0.09),
    ("BR", 0.08),
    ("DE", 0.06),
    ("JP", 0.05),
];
const NETWORKS: [(&str, f64); 2] = [("bluesky", 0.65), ("mastodon", 0.35)];

/// Which episodes are drawn: constants are chosen on `Tune` alone, published figures come from `Report`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Family {
    Tune,
    Report,
}

/// What befell a service in truth.
#[derive(Clone, Debug)]
pub struct Truth {
    pub service: &'static str,
    pub outage: Outage,
    /// Where; empty for everywhere.
    pub scope: Vec<Region>,
    /// Everyday reports and excess a minute that were expected from `scope`, from minute 0 of the population on.
    pub excess: Vec<(usize, f64)>,
}

impl Truth {
    pub fn reaches(&self, region: Region) -> bool {
        self.scope.is_empty() || self.scope.iter().any(|scope| scope.contains(region))
    }
}

/// What is no outage, though it looks like one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Control {
    /// Hundreds of the same text.
    Copies,
    /// One author's hundreds of posts.
    Flood,
    /// News of an old outage, of which some posts are misread as reports.
    News,
    /// A joke that runs, of which some posts are misread as reports.
    Joke,
    /// Half a day with twice the posts.
    BusyDay,
    /// A network that is not heard for an hour.
    Gap,
    /// Blame for another's outage.
    Blame,
}

impl Family {
    fn shapes(self) -> &'static [Shape] {
        match self {
            Family::Tune => &[Shape::Step, Shape::Ramp(0.25), Shape::Burst],
            Family::Report => &[Shape::Ramp(0.1), Shape::Ramp(0.5), Shape::Partial, Shape::Waves],
        }
    }

    /// Outages at minute 0 with how often they come: all shapes, in so many heights and lengths.
    pub fn kinds(self, heights: usize, lengths: usize) -> Vec<(Outage, f64)> {
        let mut kinds = Vec::new();
        for height in 0..heights {
            let adds = height_at((height as f64 + 0.5) / heights as f64);
            let kind = |minutes, shape| Outage { start: 0.0, minutes, adds, shape, talk: MEAN_TALK, back: BACK };
            kinds.push((kind(FLASH, Shape::Step), FLASHES));
            let often = (1.0 - FLASHES) / (lengths * self.shapes().len()) as f64;
            for length in 0..lengths {
                let minutes = length_at((length as f64 + 0.5) / lengths as f64);
                kinds.extend(self.shapes().iter().map(|shape| (kind(minutes, *shape), often)));
            }
        }
        kinds
    }
}

/// A share of outages is a flash of so many minutes.
const FLASHES: f64 = 1.0 / 6.0;
const FLASH: f64 = 5.0;
/// Time constants of the talk after an end, in minutes: the least, and how much longer it may be.
const TALK: (f64, f64) = (3.0, 22.0);
const MEAN_TALK: f64 = TALK.0 + TALK.1 / 2.0;
const BACK: f64 = 0.3;

/// Reports a minute that an outage adds, and the minutes that it lasts, at these shares of all outages.
fn height_at(share: f64) -> f64 {
    (share * 3.4 - 0.7).exp()
}

fn length_at(share: f64) -> f64 {
    25.0 + 150.0 * share
}

/// Weeks of posts and their truth.
pub struct Population {
    pub family: Family,
    pub first: Minute,
    pub minutes: usize,
    /// In the order of time.
    pub mentions: Vec<Mention>,
    pub truths: Vec<Truth>,
    pub controls: Vec<(Control, &'static str, usize)>,
    /// Spans not heard: network, first minute, minutes.
    pub gaps: Vec<(&'static str, usize, usize)>,
    /// Everyday reports a minute of each service.
    pub rates: Vec<Vec<f64>>,
    pub size: f64,
}

/// A population in the making.
struct Maker {
    rng: Rng,
    made: Population,
    keys: u128,
}

impl Population {
    /// So many weeks, the first of them without anything but everyday life.
    pub fn drawn(family: Family, seed: u64, weeks: usize) -> Population {
        let minutes = weeks * Minute::WEEK as usize;
        let first = Minute(27_000_000 / Minute::WEEK * Minute::WEEK - 3 * Minute::DAY);
        let rng = Rng::with_seed(seed * 2 + u64::from(family == Family::Report));
        let made = Population {
            family,
            first,
            minutes,
            mentions: Vec::new(),
            truths: Vec::new(),
            controls: Vec::new(),
            gaps: Vec::new(),
            rates: Vec::new(),
            size: 4.0,
        };
        let mut maker = Maker { rng, made, keys: 0 };
        maker.draw();
        let mut made = maker.made;
        made.mentions.sort_by(|a, b| a.order().cmp(&b.order()));
        made
    }
}

impl Maker {
    fn draw(&mut self) {
        let minutes = self.made.minutes;
        self.made.size = if self.made.family == Family::Tune { 4.0 } else { 3.0 + 5.0 * self.rng.f64() };
        let size = self.made.size;
        for (_, rate) in SERVICES {
            let scale = (0.7 * normal(&mut self.rng)).exp();
            let life = Life { size, ..Life::drawn(&mut self.rng, rate * scale) };
            self.made.rates.push(life.rates(&mut self.rng, self.made.first, minutes));
        }
        self.place_events();
        let rates = std::mem::take(&mut self.made.rates);
        for ((service, _), rates) in SERVICES.into_iter().zip(&rates) {
            for (minute, rate) in rates.iter().enumerate() {
                self.reports(service, minute, *rate, &[]);
            }
        }
        self.made.rates = rates;
    }

    /// Something happens about every nine hours, so that the services have time to calm down.
    fn place_events(&mut self) {
        let mut at = Minute::WEEK as usize + 300;
        while at + 900 < self.made.minutes {
            let pick = self.rng.usize(..10);
            match pick {
                0..=4 => self.outage(at),
                5 => self.common_cause(at),
                _ => self.control(at),
            }
            at += 420 + self.rng.usize(..240);
        }
    }

    fn shape(&mut self) -> Shape {
        let shapes: &[Shape] = match self.made.family {
            Family::Tune => &[Shape::Step, Shape::Ramp(0.25), Shape::Burst],
            Family::Report => &[Shape::Ramp(0.1), Shape::Ramp(0.5), Shape::Partial, Shape::Waves],
        };
        shapes[self.rng.usize(..shapes.len())]
    }

    fn scope(&mut self) -> Vec<Region> {
        let codes: &[&str] = match self.rng.usize(..8) {
            0..=3 => &[],
            4 => &["US"],
            5 => &["GB", "DE"],
            6 => &["IN"],
            _ => &["US-CA"],
        };
        codes.iter().filter_map(|code| code.parse().ok()).collect()
    }

    fn outage(&mut self, at: usize) {
        let index = self.rng.usize(..SERVICES.len());
        let adds = height_at(self.rng.f64());
        let minutes = if self.rng.usize(..6) == 0 { FLASH } else { length_at(self.rng.f64()) };
        let shape = if minutes < 20.0 { Shape::Step } else { self.shape() };
        let scope = self.scope();
        self.fail(index, at, minutes, adds, shape, scope.clone());
        if adds > 3.0 && scope.is_empty() && minutes > 20.0 && self.rng.bool() {
            self.blame(index, at, minutes, adds);
        }
    }

    fn common_cause(&mut self, at: usize) {
        let together: &[usize] = if self.rng.bool() { &[3, 4] } else { &[3, 5, 6, 7] };
        let minutes = 40.0 + 100.0 * self.rng.f64();
        let shape = self.shape();
        for index in together {
            let adds = if *index == 7 { 0.7 } else { 2.0 + 8.0 * self.rng.f64() };
            let begins = at + self.rng.usize(..4);
            self.fail(*index, begins, minutes, adds, shape, Vec::new());
        }
    }

    fn fail(&mut self, index: usize, at: usize, minutes: f64, adds: f64, shape: Shape, scope: Vec<Region>) {
        let (talk, start) = (TALK.0 + TALK.1 * self.rng.f64(), at as f64 + self.rng.f64());
        let outage = Outage { start, minutes, adds, shape, talk, back: BACK };
        let span = (minutes + 6.0 * talk) as usize + 30;
        let mut rates = vec![0.0; span];
        let recoveries = Outage { start: start - at as f64, ..outage }.apply(&mut rates);
        let service = SERVICES[index].0;
        for (offset, (rate, back)) in rates.iter().zip(&recoveries).enumerate() {
            self.reports(service, at + offset, *rate, &scope);
            for _ in 0..poisson(&mut self.rng, *back) as usize {
                let region = self.place(&scope);
                self.mention(service, at + offset, region, Tally::Recovery);
            }
        }
        let excess = rates.iter().enumerate().map(|(offset, rate)| (at + offset, *rate)).collect();
        self.made.truths.push(Truth { service, outage, scope, excess });
    }

    /// Others are accused while the service at `index` is down: a share of its reports, some in the same post.
    fn blame(&mut self, index: usize, at: usize, minutes: f64, adds: f64) {
        let service = SERVICES[index].0;
        let accused: &[usize] = match index {
            0 => &[1, 2],
            1 => &[0, 2],
            2 => &[0, 1],
            _ => &[7, (index + 1) % 7],
        };
        for accused in accused {
            let rivals = index < 3 || *accused == 7;
            let ratio = if rivals { 0.02 + 0.07 * self.rng.f64() } else { 0.01 + 0.015 * self.rng.f64() };
            let (lag, linked) = (3 + self.rng.usize(..15), 0.3 + 0.4 * self.rng.f64());
            let blamed = SERVICES[*accused].0;
            for offset in lag..minutes as usize + 20 {
                for _ in 0..self.count(adds * ratio) {
                    let region = self.place(&[]);
                    self.mention(blamed, at + offset, region, Tally::Report);
                    if self.rng.f64() < linked
                        && let Some(post) = self.made.mentions.last().cloned()
                    {
                        self.made.mentions.push(Mention { service: ServiceId::new(service), ..post });
                    }
                }
            }
            self.made.controls.push((Control::Blame, blamed, at));
        }
    }

    fn control(&mut self, at: usize) {
        let controls = [Control::Copies, Control::Flood, Control::News, Control::Joke, Control::BusyDay, Control::Gap];
        let control = controls[self.rng.usize(..controls.len())];
        let index = self.rng.usize(..SERVICES.len());
        let service = SERVICES[index].0;
        match control {
            Control::Copies | Control::Flood => {
                let first = self.made.mentions.len();
                for _ in 0..150 {
                    let (minute, region) = (at + self.rng.usize(..40), self.place(&[]));
                    self.mention(service, minute, region, Tally::Report);
                }
                for mention in &mut self.made.mentions[first..] {
                    if control == Control::Copies { mention.print = 7 } else { mention.author = 7 }
                }
            }
            Control::News | Control::Joke => {
                let misread = if self.made.family == Family::Tune { 0.01 } else { 0.015 };
                for offset in 0..90 {
                    let echoes = self.count(4.0 * (-(offset as f64) / 40.0).exp());
                    for _ in 0..echoes {
                        let tally = if self.rng.f64() < misread { Tally::Report } else { Tally::Echo };
                        let region = self.place(&[]);
                        self.mention(service, at + offset, region, tally);
                    }
                }
            }
            Control::BusyDay => {
                let until = (at + 360).min(self.made.minutes);
                for rate in &mut self.made.rates[index][at..until] {
                    *rate *= 1.8;
                }
            }
            Control::Gap => self.made.gaps.push((NETWORKS[self.rng.usize(..2)].0, at, 60)),
            Control::Blame => {}
        }
        self.made.controls.push((control, service, at));
    }

    /// A negative binomial count.
    fn count(&mut self, rate: f64) -> usize {
        if rate <= 0.0 {
            return 0;
        }
        let noise = gamma(&mut self.rng, self.made.size) / self.made.size;
        poisson(&mut self.rng, rate * noise) as usize
    }

    fn reports(&mut self, service: &'static str, minute: usize, rate: f64, scope: &[Region]) {
        for _ in 0..self.count(rate) {
            let region = self.place(scope);
            self.mention(service, minute, region, Tally::Report);
        }
    }

    /// A place within the scope, or one that is not known.
    fn place(&mut self, scope: &[Region]) -> Region {
        loop {
            let mut left = self.rng.f64();
            for (code, share) in PLACES {
                left -= share;
                if left < 0.0 {
                    let region: Region = code.parse().unwrap_or(Region::WORLD);
                    let within = |scope: &Region| scope.contains(region);
                    if region == Region::WORLD || scope.is_empty() || scope.iter().any(within) {
                        return region;
                    }
                    break;
                }
            }
        }
    }

    fn mention(&mut self, service: &str, minute: usize, region: Region, tally: Tally) {
        if minute >= self.made.minutes {
            return;
        }
        let network = if self.rng.f64() < NETWORKS[0].1 { NETWORKS[0].0 } else { NETWORKS[1].0 };
        let lost = self
            .made
            .gaps
            .iter()
            .any(|(lost, from, length)| *lost == network && (*from..from + length).contains(&minute));
        if lost {
            return;
        }
        self.keys += 1;
        let author = self.rng.u64(1000..2_000_000);
        let seconds = TimeDelta::milliseconds(self.rng.i64(0..60_000));
        self.made.mentions.push(Mention {
            key: KeyHash(self.keys.to_be_bytes()),
            at: (self.made.first + minute as i64).start() + seconds,
            service: ServiceId::new(service),
            source: network.to_owned(),
            region,
            tally,
            symptoms: Vec::new(),
            surfaces: Vec::new(),
            stage: None,
            author,
            print: author,
            quotable: false,
        });
    }
}
