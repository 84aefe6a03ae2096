//! The detectors of others over the same populations, each at as many false incidents as the fold raised.

use crate::detectors::{Learner, PEERS, Peers};
use crate::population::{Population, SERVICES, Truth};
use crate::{TALK, quantile};
use std::collections::BTreeMap;
use whatsdown::count::Tally;
use whatsdown::detect::Node;
use whatsdown::detect::calibrate::{Budget, is_alarm};
use whatsdown::minute::Minute;

/// Minutes in which a person, and a text, count once: those in which the fold counts people anew before an alarm.
const ONCE: i64 = 6 * Minute::HOUR;
/// Minutes without an alarm after which the next is another incident, as in the fold.
const APART: usize = 2 * Minute::HOUR as usize;
/// Thresholds are tried in steps of this ratio, from the highest down.
const FINER: f64 = 0.98;

/// An outage as its detectors are judged by it.
pub struct Judged {
    pub start: f64,
    pub end: f64,
    pub clear: bool,
    /// The oracle's delay, if it found it.
    pub oracle: Option<f64>,
}

/// The statistics of one service, minute by minute, and what befell it.
pub struct Watched {
    statistics: [Vec<f32>; PEERS.len()],
    outages: Vec<Judged>,
}

impl Watched {
    /// All services of a population. The statistics are of the service as a whole.
    pub fn all(population: &Population, judge: impl Fn(&Truth) -> Judged) -> Vec<Watched> {
        SERVICES
            .iter()
            .map(|(service, _)| {
                let of_service = population.truths.iter().filter(|truth| truth.service == *service);
                Watched {
                    statistics: statistics(&people(population, service)),
                    outages: of_service.map(&judge).collect(),
                }
            })
            .collect()
    }

    /// The first and last minutes of the incidents above a threshold, after the week of learning.
    fn incidents(&self, peer: usize, threshold: f64) -> Vec<(usize, usize)> {
        let mut incidents: Vec<(usize, usize)> = Vec::new();
        for (minute, statistic) in self.statistics[peer].iter().enumerate().skip(Minute::WEEK as usize) {
            if f64::from(*statistic) <= threshold {
                continue;
            }
            match incidents.last_mut() {
                Some(last) if minute - last.1 <= APART => last.1 = minute,
                _ => incidents.push((minute, minute)),
            }
        }
        incidents
    }

    fn false_incidents(&self, peer: usize, threshold: f64) -> usize {
        let is_false = |(first, last): &&(usize, usize)| {
            let belongs = |it: &Judged| *first as f64 <= it.end + TALK as f64 && *last as f64 + 1.0 >= it.start;
            !self.outages.iter().any(belongs)
        };
        self.incidents(peer, threshold).iter().filter(is_false).count()
    }

    /// Minutes from an outage's start to the first alarm.
    fn delay(&self, peer: usize, threshold: f64, outage: &Judged) -> Option<f64> {
        let last = (outage.end + TALK as f64) as usize;
        let found = (outage.start as usize..last.min(self.statistics[peer].len()))
            .find(|minute| f64::from(self.statistics[peer][*minute]) > threshold)?;
        Some(found as f64 + 1.0 - outage.start)
    }
}

/// Distinct people who report a service in each minute.
fn people(population: &Population, service: &str) -> Vec<f64> {
    let mut counts = vec![0.0; population.minutes];
    let (mut authors, mut prints) = (BTreeMap::new(), BTreeMap::new());
    for mention in population.mentions.iter().filter(|it| it.service.as_str() == service && it.tally == Tally::Report) {
        let minute = mention.minute();
        let anew = |last: Option<Minute>| last.is_none_or(|last| minute - last > ONCE);
        let (author, print) = (authors.insert(mention.author, minute), prints.insert(mention.print, minute));
        if anew(author) && anew(print) {
            counts[(minute - population.first) as usize] += 1.0;
        }
    }
    counts
}

/// Every peer's statistic in every minute. What FOCuS expects is learnt as the fold learns, outside alarms.
fn statistics(counts: &[f64]) -> [Vec<f32>; PEERS.len()] {
    let mut statistics: [Vec<f32>; PEERS.len()] = Default::default();
    let (mut learner, mut ours, mut peers) = (Learner::new(Minute(0)), Node::default(), Peers::new());
    for (minute, count) in counts.iter().enumerate() {
        let now = Minute(minute as i64);
        let expected = learner.baseline.expected(now, None);
        if now == learner.frozen_until {
            ours = Node::default();
            peers.close_incident();
        }
        let alarm = is_alarm(&ours.step(*count, expected), Budget::default().threshold(expected.mean));
        if alarm && now >= learner.frozen_until {
            learner.frozen_until = now + APART as i64;
        }
        for (all, statistic) in statistics.iter_mut().zip(peers.step(*count, expected)) {
            all.push(statistic as f32);
        }
        learner.take(now, *count);
    }
    statistics
}

/// Prints what each peer finds with at most so many false incidents.
pub fn print(watched: &[Watched], allowed: usize) {
    for (peer, name) in PEERS.iter().enumerate() {
        let threshold = threshold(watched, peer, allowed);
        let (mut clear, mut oracle, mut delays) = ((0, 0), (0, 0), Vec::new());
        for watched in watched {
            for outage in &watched.outages {
                let delay = watched.delay(peer, threshold, outage);
                let counts = [(&mut clear, outage.clear), (&mut oracle, outage.oracle.is_some())];
                for (counted, _) in counts.into_iter().filter(|(_, counts)| *counts) {
                    counted.0 += usize::from(delay.is_some());
                    counted.1 += 1;
                }
                delays.extend(delay.filter(|_| outage.oracle.is_some()));
            }
        }
        let share = |(found, all): (usize, usize)| found as f64 / all.max(1) as f64;
        let false_incidents: usize = watched.iter().map(|watched| watched.false_incidents(peer, threshold)).sum();
        print_row(name, share(clear), share(oracle), &delays, &false_incidents.to_string());
    }
}

pub fn print_header() {
    println!(
        "\n| detector | clear outages | what the oracle finds | median delay | 90% delay | false incidents |\n|---|---|---|---|---|---|"
    );
}

pub fn print_row(name: &str, clear: f64, oracle: f64, delays: &[f64], false_incidents: &str) {
    let (median, most) = (quantile(delays, 0.5), quantile(delays, 0.9));
    println!("| {name} | {clear:.3} | {oracle:.3} | {median:.1} | {most:.1} | {false_incidents} |");
}

/// The lowest threshold above which no threshold raises more false incidents than allowed.
fn threshold(watched: &[Watched], peer: usize, allowed: usize) -> f64 {
    let highest = watched.iter().flat_map(|watched| &watched.statistics[peer]).copied().fold(1.0, f32::max);
    let mut threshold = f64::from(highest);
    loop {
        let next = threshold * FINER;
        let raised: usize = watched.iter().map(|watched| watched.false_incidents(peer, next)).sum();
        if raised > allowed || next < 1e-3 {
            return threshold;
        }
        threshold = next;
    }
}
