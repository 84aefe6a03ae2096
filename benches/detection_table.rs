//! The tables of docs/detection.md: `cargo bench --bench detection_table [-- tails|alarms|intervals] [tune]`.
//! `-- focus RATE` prints the statistic of plain FOCuS for counts from standard input, for `benches/peers/focus.py`.

#![allow(clippy::print_stdout, reason = "a table is what this program is for")]

#[path = "../tests/sim/detectors.rs"]
mod detectors;
#[path = "../tests/sim/mod.rs"]
mod sim;

use detectors::{Informed, Learner, PEERS, Peers};
use fastrand::Rng;
use sim::{CLASSES, Family, Life, Outage, poisson};
use whatsdown::detect::calibrate::{Budget, is_alarm};
use whatsdown::detect::focus::Focus;
use whatsdown::detect::interval::{end, start};
use whatsdown::detect::{EndEstimate, Expected, Interval, Node, Sample};
use whatsdown::minute::Minute;

/// A Monday, 00:00, and the weeks of learning before anything is judged.
const FIRST: Minute = Minute(27_000_000 / Minute::WEEK * Minute::WEEK - 3 * Minute::DAY);
const LEARNT: usize = 2 * 7 * 24 * 60;
const DAY: usize = 24 * 60;
const MONTH: f64 = 30.44 * 1440.0;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let says = |word: &str| words.iter().any(|said| said == word);
    let family = if says("tune") { Family::Tune } else { Family::Report };
    if !says("--bench") {
        return; // `cargo test --benches` only wants to know that it starts
    }
    if says("focus") {
        let rate = words.iter().find_map(|word| word.parse().ok()).unwrap_or(1.0);
        return print_focus(rate);
    }
    let all = !["tails", "alarms", "intervals"].into_iter().any(says);
    if all || says("tails") {
        tails(family);
    }
    if all || says("alarms") {
        alarms(family);
    }
    if all || says("intervals") {
        intervals(family);
    }
}

/// Reads a count a line; prints the statistic of each, and in how many minutes it lies.
fn print_focus(rate: f64) {
    let (mut focus, expected) = (Focus::default(), Expected { mean: rate, upper: rate, dispersion: 1.0 });
    for count in std::io::stdin().lines().map_while(Result::ok).filter_map(|line| line.trim().parse().ok()) {
        let score = focus.step(count, expected);
        println!("{:.12} {}", score.llr, score.since);
    }
}

/// What is compared: our statistic, its peers, the informed limit, and ours less the default budget's threshold.
const COMPARED: usize = PEERS.len() + 3;
const INFORMED: usize = PEERS.len() + 1;
const BUDGET: usize = PEERS.len() + 2;

fn names() -> [&'static str; COMPARED] {
    std::array::from_fn(|which| match which {
        0 => "whatsdown",
        INFORMED => "informed",
        BUDGET => "whatsdown at the default budget",
        peer => PEERS[peer - 1],
    })
}

/// One node's detectors.
struct Watched {
    ours: Node,
    peers: Peers,
    informed: Informed,
}

impl Watched {
    fn new(adds: f64, size: f64) -> Watched {
        Watched { ours: Node::default(), peers: Peers::new(), informed: Informed { adds, size, statistic: 0.0 } }
    }

    /// An incident is closed: the sequential tests begin anew, the others keep their history.
    fn close_incident(&mut self) {
        self.ours = Node::default();
        self.peers.close_incident();
        self.informed.statistic = 0.0;
    }

    fn step(&mut self, observed: f64, expected: Expected, rate: f64) -> [f64; COMPARED] {
        let ours = self.ours.step(observed, expected);
        let peers = self.peers.step(observed, expected);
        let informed = self.informed.step(observed, rate);
        let over = ours.llr - Budget::default().threshold(expected.mean);
        std::array::from_fn(|which| match which {
            0 => ours.llr,
            INFORMED => informed,
            BUDGET => {
                if is_alarm(&ours, 0.0) {
                    over
                } else {
                    -1.0
                }
            }
            peer => peers[peer - 1],
        })
    }
}

/// A simulated node: what truly was expected of each minute, without and with its outages, and what came.
struct Simulated {
    life: Life,
    everyday: Vec<f64>,
    counts: Vec<f64>,
    recoveries: Vec<f64>,
    outages: Vec<Outage>,
}

impl Simulated {
    /// Two weeks of learning, then `days`, with outages `every` so many days where `adds` is positive.
    fn new(rng: &mut Rng, family: Family, rate: f64, days: usize, every: usize, adds: f64, back: f64) -> Simulated {
        let life = family.life(rng, rate);
        let everyday = life.rates(rng, FIRST, LEARNT + days * DAY);
        let mut outages = Vec::new();
        if adds > 0.0 {
            for day in (0..days).step_by(every) {
                let start = (LEARNT + day * DAY + rng.usize(..=(every - 1) * DAY)) as f64 + rng.f64();
                outages.push(family.outage(rng, start, adds, back));
            }
        }
        let mut rates = everyday.clone();
        let mut recoveries = vec![0.0; rates.len()];
        for outage in &outages {
            let back = outage.apply(&mut rates);
            recoveries.iter_mut().zip(back).for_each(|(sum, back)| *sum += back);
        }
        let counts = life.counts(rng, &rates);
        let recoveries = recoveries.into_iter().map(|mean| poisson(rng, mean)).collect();
        Simulated { life, everyday, counts, recoveries, outages }
    }

    /// What the intervals are computed from, with the baseline as it is learnt up to `from`.
    fn samples(&self, from: usize, until: usize) -> Vec<Sample> {
        let mut learner = Learner::new(FIRST);
        (0..from).for_each(|offset| learner.take(at(offset), self.counts[offset]));
        let sample = |offset| Sample {
            minute: at(offset),
            reports: self.counts[offset],
            recoveries: self.recoveries[offset],
            expected: learner.baseline.expected(at(offset), None).mean,
            exposure: 1.0,
        };
        (from..until).map(sample).collect()
    }

    /// Every detector's statistic in every minute. A detector begins anew two hours after an outage's end.
    fn statistics(&self, adds: f64) -> Vec<[f64; COMPARED]> {
        let mut learner = Learner::new(FIRST);
        let mut watched = Watched::new(adds, self.life.size);
        let mut ends = self.outages.iter().map(|outage| outage.end() as usize + 120).peekable();
        let mut statistics = Vec::with_capacity(self.counts.len());
        for (offset, (count, rate)) in self.counts.iter().zip(&self.everyday).enumerate() {
            let minute = at(offset);
            if ends.next_if_eq(&offset).is_some() {
                watched.close_incident();
            }
            let now = watched.step(*count, learner.baseline.expected(minute, None), *rate);
            if minute == learner.frozen_until {
                watched.ours = Node::default();
            }
            if now[BUDGET] > 0.0 && offset >= LEARNT && minute >= learner.frozen_until {
                learner.frozen_until = minute + 120;
            }
            learner.take(minute, *count);
            statistics.push(now);
        }
        statistics
    }
}

fn at(offset: usize) -> Minute {
    FIRST + i64::try_from(offset).unwrap_or(i64::MAX)
}

/// The value below which the share `at` of the values lies; not a number without values.
fn quantile(values: &mut [f64], at: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(((values.len() as f64 * at) as usize).min(values.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

/// The peaks of a statistic in the blocks of six hours after the learning.
fn peaks(statistics: &[[f64; COMPARED]], which: usize) -> impl Iterator<Item = f64> {
    let blocks = statistics[LEARNT..].chunks_exact(BLOCK);
    blocks.map(move |block| block.iter().map(|minute| minute[which]).fold(f64::NEG_INFINITY, f64::max))
}
const BLOCK: usize = 360;

/// How often a quiet node's score passes each height, in times a month: the tails of calibrate.rs.
fn tails(family: Family) {
    println!("\nTimes a node and month that everyday life's score passes a height, and the default threshold\n");
    let heights = [6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0];
    println!("| rate a minute | {} | threshold |", heights.map(|height| format!("{height}")).join(" | "));
    println!("|---|{}---|", "---|".repeat(heights.len()));
    for rate in [0.002, 0.02, 0.2, 2.0, 20.0] {
        let (mut ours, mut over) = (Vec::new(), Vec::new());
        for node in 0..100 {
            let quiet = Simulated::new(&mut family.rng(node), family, rate, 26 * 7, 1, 0.0, 0.0);
            let statistics = quiet.statistics(1.0);
            ours.extend(peaks(&statistics, 0));
            over.extend(peaks(&statistics, BUDGET));
        }
        let months = (ours.len() * BLOCK) as f64 / MONTH;
        let times = |peaks: &[f64], height: f64| {
            format!("{:.4}", peaks.iter().filter(|peak| **peak > height).count() as f64 / months)
        };
        println!("| {rate} | {} | {} |", heights.map(|height| times(&ours, height)).join(" | "), times(&over, 0.0));
    }
}

/// Recall and delay of each detector, all at one false alarm per node and month but for the last.
fn alarms(family: Family) {
    println!("\nRecall / share found within 10 minutes / median delay / 90% delay, in minutes from the true start,");
    println!("each at one false alarm per node and month, but for the last column\n");
    println!("| rate (outage adds) | {} |\n|---|{}", names().join(" | "), "---|".repeat(COMPARED));
    for (rate, adds) in CLASSES {
        let quiet: Vec<_> = (0..12)
            .map(|node| Simulated::new(&mut family.rng(5000 + node), family, rate, 84, 1, 0.0, 0.0).statistics(adds))
            .collect();
        let allowed = 1.0 - BLOCK as f64 / MONTH;
        let threshold = |which: usize| {
            let mut peaks: Vec<f64> = quiet.iter().flat_map(|node| peaks(node, which)).collect();
            if which == BUDGET { 0.0 } else { quantile(&mut peaks, allowed) }
        };
        let thresholds: [f64; COMPARED] = std::array::from_fn(threshold);
        let mut delays: [Vec<f64>; COMPARED] = Default::default();
        let mut outages = 0.0;
        for node in 0..60 {
            let simulated = Simulated::new(&mut family.rng(1000 + node), family, rate, 15, 3, adds, 0.0);
            let statistics = simulated.statistics(adds);
            for outage in &simulated.outages {
                outages += 1.0;
                let during = outage.start as usize..(outage.end() as usize + 10).min(statistics.len());
                for (which, delays) in delays.iter_mut().enumerate() {
                    let found = during.clone().find(|minute| statistics[*minute][which] > thresholds[which]);
                    delays.extend(found.map(|minute| minute as f64 + 1.0 - outage.start));
                }
            }
        }
        let cells = delays.map(|mut delays| {
            let soon = delays.iter().filter(|delay| **delay <= 10.0).count() as f64 / outages;
            let recall = delays.len() as f64 / outages;
            format!("{recall:.2} / {soon:.2} / {:.0} / {:.0}", quantile(&mut delays, 0.5), quantile(&mut delays, 0.9))
        });
        println!("| {rate} (+{adds}) | {} |", cells.join(" | "));
    }
}

/// Coverage, median width and median error of 90% intervals.
#[derive(Default)]
struct Dated {
    covered: f64,
    widths: Vec<f64>,
    errors: Vec<f64>,
}

impl Dated {
    fn take(&mut self, interval: Interval, truth: f64) {
        let minutes = |time: chrono::DateTime<chrono::Utc>| (time - FIRST.start()).as_seconds_f64() / 60.0;
        let (low, high) = (minutes(interval.low), minutes(interval.high));
        self.covered += f64::from(u8::from(low <= truth && truth <= high));
        self.widths.push(high - low);
        self.errors.push((minutes(interval.estimate) - truth).abs());
    }

    fn cells(&mut self) -> String {
        let covered = self.covered / self.widths.len() as f64;
        format!("{covered:.2} / {:.1} / {:.1}", quantile(&mut self.widths, 0.5), quantile(&mut self.errors, 0.5))
    }
}

/// Start and end intervals of the outages that are found at the default budget.
fn intervals(family: Family) {
    println!("\nCoverage / median width / median error in minutes of the 90% intervals");
    println!("(start: 5 minutes after the alarm, and an hour after it; end: an hour after it)\n");
    println!(
        "| rate (outage adds) | first start | start | end, reports alone | end, with recovery posts | said over early | over within 30 min |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (rate, adds) in CLASSES {
        let mut dated: [Dated; 4] = Default::default();
        let (mut all, mut early, mut soon) = (0.0, 0.0, 0.0);
        for node in 0..150 {
            for (back, end_of) in [(0.0, 2), (0.3, 3)] {
                let node = Simulated::new(&mut family.rng(3000 + node), family, rate, 6, 3, adds, back);
                let statistics = node.statistics(adds);
                for outage in &node.outages {
                    let (from, until) = (outage.start as usize, outage.end() as usize);
                    let Some(alarm) = (from..until).find(|minute| statistics[*minute][BUDGET] > 0.0) else { continue };
                    let samples = node.samples(from - 180, (until + 61).min(node.counts.len()));
                    let seen = |now: usize| &samples[..(now + 1 + 180 - from).min(samples.len())];
                    let first = start(seen(alarm + 5), at(alarm));
                    let (Some(first), Some(begun)) = (first, start(seen(alarm + 60), at(alarm))) else { continue };
                    dated[0].take(first, outage.start);
                    dated[1].take(begun, outage.start);
                    let over = |now: usize| end(seen(now), begun.estimate, None);
                    if let Some(ended) = over(until + 60) {
                        dated[end_of].take(ended.interval, outage.end());
                    }
                    all += 1.0;
                    early += f64::from(u8::from((alarm + 1..until).step_by(5).any(|now| is_over(over(now)))));
                    soon += f64::from(u8::from(is_over(over(until + 30))));
                }
            }
        }
        let cells = dated.each_mut().map(Dated::cells);
        println!("| {rate} (+{adds}) | {} | {:.2} | {:.2} |", cells.join(" | "), early / all, soon / all);
    }
}

fn is_over(ended: Option<EndEstimate>) -> bool {
    ended.is_some_and(|ended| ended.over > 0.95)
}
