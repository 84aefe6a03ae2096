//! The table of incidents of docs/detection.md: whole populations of posts through the fold.
//! `cargo bench --bench incident_table [-- tune] [full] [list]`; without `full` a sixth of it.

#![allow(clippy::print_stdout, reason = "a table is what this program is for")]

#[path = "../tests/sim/population.rs"]
mod population;
#[expect(dead_code, reason = "shared with other tables and the tests, which use the rest")]
#[path = "../tests/sim/mod.rs"]
mod sim;

use chrono::{DateTime, TimeDelta, Utc};
use population::{Control, Family, PLACES, Population, SERVICES, Truth};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use whatsdown::count::{KeyHash, ListeningSpan};
use whatsdown::incident::related::Ties;
use whatsdown::incident::{Incident, Interval};
use whatsdown::minute::Minute;
use whatsdown::reading::Catalogue;
use whatsdown::region::Region;
use whatsdown::track::{Settings, Track};

/// Weeks of one population, the first of which is for learning alone.
const WEEKS: usize = 5;
const THREADS: usize = 2;
/// Minutes after a true end in which an incident may still belong to it.
const TALK: i64 = 60;
/// What the oracle's CUSUM must reach: its mean time to a false alarm is at least e^this minutes (Lorden 1971), the
/// budget of a node: one a month over 88.
const ORACLE: f64 = 15.2;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let says = |word: &str| words.iter().any(|said| said == word);
    if !says("--bench") {
        return; // `cargo test --benches` only wants to know that it starts
    }
    let family = if says("tune") { Family::Tune } else { Family::Report };
    let populations = if says("full") { 13 } else { 2 };
    let next = Mutex::new(0..populations);
    let table = Mutex::new(Table::default());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(seed) = next.lock().ok().and_then(|mut seeds| seeds.next()) {
                    let population = Population::drawn(family, seed, WEEKS);
                    let incidents = fold(&population);
                    if let Ok(mut table) = table.lock() {
                        table.add(&population, &incidents, says("list"));
                    }
                }
            });
        }
    });
    if let Ok(table) = table.lock() {
        table.print();
    }
}

/// The real fold over the population's mentions, closed minute by minute.
fn fold(population: &Population) -> Vec<Incident<KeyHash>> {
    let ties =
        Ties::of(Catalogue::embedded().map(|catalogue| catalogue.groups().to_vec()).unwrap_or_default().as_slice());
    let settings = Settings { false_alarms_per_month: 1.0 };
    let mut track = Track::default();
    let second = |minute: usize| (population.first.0 + minute as i64) * 60;
    for network in ["bluesky", "mastodon"] {
        let span = |heard, from, until| ListeningSpan {
            network: network.to_owned(),
            instance: network.to_owned(),
            heard,
            from,
            until,
            why: None,
        };
        track.listen(&span(true, second(0), second(population.minutes)));
        for (_, from, length) in population.gaps.iter().filter(|gap| gap.0 == network) {
            track.listen(&span(false, second(*from), second(from + length)));
        }
    }
    let mut incidents = BTreeMap::new();
    let mut mentions = population.mentions.iter().peekable();
    for offset in 0..population.minutes {
        let minute = population.first + offset as i64;
        while let Some(mention) = mentions.next_if(|mention| mention.minute() <= minute) {
            track.add(mention);
        }
        incidents.extend(track.close_through(minute, None, &settings, &ties).incidents);
    }
    incidents.into_values().collect()
}

#[derive(Default)]
struct Table {
    weeks: usize,
    outages: usize,
    clear: Share,
    clear_misses: Vec<String>,
    oracle: Share,
    false_incidents: usize,
    retracted: usize,
    retracted_true: usize,
    splits: usize,
    controls: BTreeMap<Control, (usize, usize)>,
    delays: Vec<(f64, f64)>,
    starts: Dated,
    ends: Dated,
    /// Where at least two reports a minute came.
    loud_starts: Dated,
    loud_ends: Dated,
    precise: Share,
    complete: Share,
    same_cause: Share,
}

#[derive(Default)]
struct Share {
    held: usize,
    all: usize,
}

impl Share {
    fn add(&mut self, held: bool) {
        self.all += 1;
        self.held += usize::from(held);
    }

    fn text(&self) -> String {
        format!("{:.3} ({} of {})", self.held as f64 / self.all.max(1) as f64, self.held, self.all)
    }
}

/// Intervals against true times, in minutes.
#[derive(Default)]
struct Dated {
    covered: Share,
    widths: Vec<f64>,
    errors: Vec<f64>,
}

impl Dated {
    fn add(&mut self, interval: &Interval, truth: DateTime<Utc>) {
        self.covered.add(interval.low <= truth && truth <= interval.high);
        self.widths.push(minutes(interval.high - interval.low));
        self.errors.push(minutes(interval.estimate - truth).abs());
    }

    fn print(&self, what: &str) {
        let (width, error) = (quantile(&self.widths, 0.5), quantile(&self.errors, 0.5));
        println!("{what:<34} {} / {width:.1} / {error:.1}", self.covered.text());
    }
}

fn minutes(span: TimeDelta) -> f64 {
    span.num_seconds() as f64 / 60.0
}

fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
        .get(((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1)))
        .copied()
        .unwrap_or(f64::NAN)
}

impl Table {
    fn add(&mut self, population: &Population, incidents: &[Incident<KeyHash>], list: bool) {
        let time = |offset: f64| population.first.start() + TimeDelta::milliseconds((offset * 60_000.0) as i64);
        let judged = population.first + Minute::WEEK;
        self.weeks += WEEKS - 1;
        let standing: Vec<&Incident<KeyHash>> = incidents
            .iter()
            .filter(|incident| incident.start.estimate >= judged.start() && incident.retracted_at.is_none())
            .collect();
        let belongs = |incident: &Incident<KeyHash>, truth: &Truth| {
            let until = incident.end.map_or(DateTime::<Utc>::MAX_UTC, |end| end.low);
            incident.service.as_str() == truth.service
                && incident.start.low <= time(truth.outage.end()) + TimeDelta::minutes(TALK)
                && until >= time(truth.outage.start)
        };
        for truth in &population.truths {
            self.outages += 1;
            let place = SERVICES.iter().position(|service| service.0 == truth.service).unwrap_or(0);
            let found: Vec<&&Incident<KeyHash>> = standing.iter().filter(|incident| belongs(incident, truth)).collect();
            let lasted = truth.excess.iter().filter(|(minute, _)| (*minute as f64) < truth.outage.end());
            let (reports, everyday) = lasted.fold((0.0, 0.0), |(reports, everyday), (minute, excess)| {
                (reports + excess, everyday + population.rates[place].get(*minute).copied().unwrap_or(0.0))
            });
            let is_clear = reports >= 60.0 && reports >= 6.0 * everyday;
            if is_clear {
                self.clear.add(!found.is_empty());
                if found.is_empty() {
                    self.clear_misses.push(format!(
                        "{} {} {:?}",
                        truth.service,
                        time(truth.outage.start),
                        truth.outage
                    ));
                }
            }
            let oracle = oracle(population, truth, place);
            if oracle.is_some() {
                self.oracle.add(!found.is_empty());
            }
            self.splits += found.len().saturating_sub(1);
            let Some(incident) = found.first() else {
                if list {
                    println!(
                        "missed {} {} reports {reports:.0} oracle {oracle:?} {:?}",
                        truth.service,
                        time(truth.outage.start),
                        truth.outage
                    );
                }
                continue;
            };
            if found.len() > 1 && list {
                println!("split {:?} {:?}", truth.outage, found.iter().map(|it| (&it.id, it.end)).collect::<Vec<_>>());
            }
            let delay = minutes(incident.detected_at - time(truth.outage.start));
            if let Some(oracle) = oracle {
                self.delays.push((delay, oracle));
            }
            let loud = reports >= 2.0 * truth.outage.minutes && truth.outage.minutes > 20.0;
            self.starts.add(&incident.start, time(truth.outage.start));
            let end = found.last().and_then(|last| last.end);
            if let Some(end) = &end {
                self.ends.add(end, time(truth.outage.end()));
            }
            if loud {
                self.loud_starts.add(&incident.start, time(truth.outage.start));
                if let Some(end) = &end {
                    self.loud_ends.add(end, time(truth.outage.end()));
                }
                if list {
                    let error = |it: &Interval, truth: f64| {
                        (
                            minutes(it.low - time(truth)) as i64,
                            minutes(it.estimate - time(truth)) as i64,
                            minutes(it.high - time(truth)) as i64,
                        )
                    };
                    println!(
                        "{} {:?} start {:?} end {:?}",
                        incident.id,
                        truth.outage,
                        error(&incident.start, truth.outage.start),
                        end.map(|end| error(&end, truth.outage.end()))
                    );
                }
            }
            self.regions(population, truth, incident, list);
        }
        for (control, service, at) in &population.controls {
            let (from, until) = (time(*at as f64 - 10.0), time(*at as f64 + 420.0));
            let raised = standing.iter().any(|incident| {
                incident.service.as_str() == *service
                    && (from..until).contains(&incident.detected_at)
                    && !population.truths.iter().any(|truth| belongs(incident, truth))
            });
            let counted = self.controls.entry(*control).or_default();
            counted.0 += usize::from(raised);
            counted.1 += 1;
        }
        for incident in incidents.iter().filter(|incident| incident.start.estimate >= judged.start()) {
            let is_true = population.truths.iter().any(|truth| belongs(incident, truth));
            if incident.retracted_at.is_some() {
                self.retracted += 1;
                self.retracted_true += usize::from(is_true);
            } else if !is_true {
                self.false_incidents += 1;
                if list {
                    println!(
                        "false {} {} reports {} {:?}",
                        incident.id, incident.detected_at, incident.reports, incident.end
                    );
                }
            }
        }
        let with_cause =
            population.truths.windows(2).filter(|pair| (pair[0].outage.start - pair[1].outage.start).abs() < 6.0);
        for pair in with_cause {
            let found = |truth: &Truth| standing.iter().find(|incident| belongs(incident, truth));
            if let (Some(one), Some(other)) = (found(&pair[0]), found(&pair[1])) {
                self.same_cause.add(one.related.iter().any(|related| related.incident == other.id));
            }
        }
    }

    fn regions(&mut self, population: &Population, truth: &Truth, incident: &Incident<KeyHash>, list: bool) {
        let (from, until) = (truth.outage.start as i64, truth.outage.end() as i64);
        let within = |minute: Minute| (from..=until).contains(&(minute - population.first));
        let reports = population.mentions.iter().filter(|mention| {
            mention.service.as_str() == truth.service && within(mention.minute()) && truth.reaches(mention.region)
        });
        let mut counts: BTreeMap<Region, usize> = BTreeMap::new();
        for mention in reports.filter(|mention| mention.tally == whatsdown::count::Tally::Report) {
            mention.region.path().for_each(|region| *counts.entry(region).or_default() += 1);
        }
        let told: BTreeSet<Region> = incident.regions.iter().map(|impact| impact.region).collect();
        for region in told.iter().filter(|region| **region != Region::WORLD) {
            let is_true = truth.reaches(*region) || truth.scope.iter().any(|scope| region.contains(*scope));
            self.precise.add(is_true);
            if !is_true && list {
                println!("region {region} is false for {} {:?}", incident.id, truth.scope);
            }
        }
        let places = PLACES.iter().filter_map(|(code, _)| code.parse().ok()).filter(|region| *region != Region::WORLD);
        for region in places.filter(|region| truth.reaches(*region)) {
            let reported = counts.get(&region).copied().unwrap_or(0);
            if reported >= 10 {
                self.complete.add(told.contains(&region));
                if !told.contains(&region) && list {
                    println!("region {region} is missing in {}: {reported} reports", incident.id);
                }
            }
        }
    }

    fn print(&self) {
        println!("weeks {}, outages {}", self.weeks, self.outages);
        println!("recall of clear outages            {}", self.clear.text());
        for missed in &self.clear_misses {
            println!("  missed: {missed}");
        }
        println!("recall of what the oracle finds    {}", self.oracle.text());
        println!(
            "false incidents a week             {:.2} ({})",
            self.false_incidents as f64 / self.weeks.max(1) as f64,
            self.false_incidents
        );
        println!("taken back, and of them true       {} / {}", self.retracted, self.retracted_true);
        println!("splits                             {}", self.splits);
        for (control, (raised, all)) in &self.controls {
            println!("{:<34} {raised} of {all}", format!("  raised by {control:?}"));
        }
        let ours: Vec<f64> = self.delays.iter().map(|delay| delay.0).collect();
        let oracles: Vec<f64> = self.delays.iter().map(|delay| delay.1).collect();
        for (what, share) in [("median", 0.5), ("p90", 0.9)] {
            println!(
                "delay, {what}: ours, oracle          {:.1}, {:.1}",
                quantile(&ours, share),
                quantile(&oracles, share)
            );
        }
        println!("                                   coverage / median width / median error");
        self.starts.print("start");
        self.ends.print("end");
        self.loud_starts.print("start, two reports a minute");
        self.loud_ends.print("end, two reports a minute");
        println!("regions: precise                   {}", self.precise.text());
        println!("regions: complete                  {}", self.complete.text());
        println!("common cause told                  {}", self.same_cause.text());
    }
}

/// Minutes until the one who knows the true rates, the place and the height of the outage would be sure of it: a CUSUM on the reports
/// that its place can bring, from before it began.
fn oracle(population: &Population, truth: &Truth, place: usize) -> Option<f64> {
    let service = truth.service;
    let first = truth.outage.start as usize;
    let last = truth.outage.end() as usize;
    let from = (population.first + first as i64 - 30).start();
    let start = population.mentions.partition_point(|mention| mention.at < from);
    let until = (population.first + last as i64 + 1).start();
    let mut counts: BTreeMap<i64, f64> = BTreeMap::new();
    for mention in population.mentions[start..].iter().take_while(|mention| mention.at < until) {
        let counts_for = mention.region == Region::WORLD || truth.reaches(mention.region);
        if mention.service.as_str() == service && mention.tally == whatsdown::count::Tally::Report && counts_for {
            *counts.entry(mention.minute() - population.first).or_default() += 1.0;
        }
    }
    let share: f64 = if truth.scope.is_empty() {
        1.0
    } else {
        let reached = PLACES.iter().filter(|(code, _)| {
            code.parse().is_ok_and(|region: Region| region == Region::WORLD || truth.reaches(region))
        });
        reached.map(|(_, share)| share).sum()
    };
    let mut statistic = 0.0_f64;
    for minute in first.saturating_sub(30)..=last {
        let everyday = population.rates[place].get(minute).copied().unwrap_or(0.0) * share;
        let failing = everyday + truth.outage.adds;
        let observed = counts.get(&(minute as i64)).copied().unwrap_or(0.0);
        let size = population.size;
        statistic = (statistic + observed * (failing / everyday).ln()
            - (observed + size) * ((size + failing) / (size + everyday)).ln())
        .max(0.0);
        if statistic >= ORACLE && minute >= first {
            return Some(minute as f64 + 1.0 - truth.outage.start);
        }
    }
    None
}
