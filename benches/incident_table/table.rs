//! What the fold found of simulated populations, beside what is true and what could be known.

use crate::oracle::Oracle;
use crate::peers::{self, Judged, Watched};
use crate::population::{Control, PLACES, Population, SERVICES, Truth};
use crate::{TALK, WEEKS, quantile};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};
use whatsdown::count::{KeyHash, Tally};
use whatsdown::incident::{Incident, Interval};
use whatsdown::minute::Minute;
use whatsdown::region::Region;

/// Heights and lengths of the outages that one knows who knows what they are like.
const HEIGHTS: usize = 14;
const LENGTHS: usize = 75;

#[derive(Default)]
pub struct Table {
    /// Whether every miss is named.
    list: bool,
    weeks: usize,
    outages: usize,
    clear: Share,
    clear_by_oracle: Share,
    clear_misses: Vec<String>,
    oracle: Share,
    false_incidents: usize,
    retracted: usize,
    retracted_true: usize,
    splits: usize,
    controls: BTreeMap<Control, (usize, usize)>,
    delays: Vec<(f64, f64)>,
    /// Ours, and the oracle's of the same outages; of starts also those of one who knows only what outages are like.
    starts: [Dated; 3],
    ends: [Dated; 2],
    /// Where at least two reports a minute came.
    loud_starts: [Dated; 3],
    loud_ends: [Dated; 2],
    precise: Share,
    complete: Share,
    same_cause: Share,
    watched: Vec<Watched>,
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

    fn value(&self) -> f64 {
        self.held as f64 / self.all.max(1) as f64
    }

    fn text(&self) -> String {
        format!("{:.3} ({} of {})", self.value(), self.held, self.all)
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
    fn add(&mut self, [low, estimate, high]: [f64; 3], truth: f64) {
        self.covered.add(low <= truth && truth <= high);
        self.widths.push(high - low);
        self.errors.push((estimate - truth).abs());
    }

    fn text(&self) -> String {
        let (width, error) = (quantile(&self.widths, 0.5), quantile(&self.errors, 0.5));
        format!("{} / {width:.1} / {error:.1}", self.covered.text())
    }
}

/// Incidents that stand, with the population that they are judged by.
struct Found<'a> {
    population: &'a Population,
    standing: Vec<&'a Incident<KeyHash>>,
}

impl<'a> Found<'a> {
    /// A time in minutes of the population.
    fn offset(&self, time: DateTime<Utc>) -> f64 {
        (time - self.population.first.start()).as_seconds_f64() / 60.0
    }

    fn interval(&self, interval: Interval) -> [f64; 3] {
        [interval.low, interval.estimate, interval.high].map(|time| self.offset(time))
    }

    /// Whether an incident, as wide as its intervals are, overlaps an outage or the talk after it.
    fn belongs(&self, incident: &Incident<KeyHash>, truth: &Truth) -> bool {
        let until = incident.end.map_or(f64::MAX, |end| self.offset(end.high));
        incident.service.as_str() == truth.service
            && self.offset(incident.start.low) <= truth.outage.end() + TALK as f64
            && until >= truth.outage.start
    }

    fn of(&self, truth: &Truth) -> Vec<&'a Incident<KeyHash>> {
        self.standing.iter().copied().filter(|incident| self.belongs(incident, truth)).collect()
    }

    fn is_true(&self, incident: &Incident<KeyHash>) -> bool {
        self.population.truths.iter().any(|truth| self.belongs(incident, truth))
    }
}

/// Reports that an outage brought while it lasted, and those that everyday life did.
fn reports(truth: &Truth, rates: &[f64]) -> (f64, f64) {
    let lasted = truth.excess.iter().filter(|(minute, _)| (*minute as f64) < truth.outage.end());
    lasted.fold((0.0, 0.0), |(reports, everyday), (minute, excess)| {
        (reports + excess, everyday + rates.get(*minute).copied().unwrap_or(0.0))
    })
}

fn rates<'a>(population: &'a Population, service: &str) -> &'a [f64] {
    let place = SERVICES.iter().position(|other| other.0 == service).unwrap_or(0);
    &population.rates[place]
}

fn judge(population: &Population, truth: &Truth) -> Judged {
    let rates = rates(population, truth.service);
    let (reports, everyday) = reports(truth, rates);
    let oracle = Oracle::of(population, truth, rates).delay();
    let clear = reports >= 60.0 && reports >= 6.0 * everyday;
    Judged { start: truth.outage.start, end: truth.outage.end(), clear, oracle }
}

impl Table {
    pub fn listing(list: bool) -> Table {
        Table { list, ..Table::default() }
    }

    pub fn add(&mut self, population: &Population, incidents: &[Incident<KeyHash>], watched: Vec<Watched>) {
        self.weeks += WEEKS - 1;
        self.watched.extend(watched);
        let judged = population.first + Minute::WEEK;
        let (retracted, standing): (Vec<_>, Vec<_>) = incidents
            .iter()
            .filter(|incident| incident.start.estimate >= judged.start())
            .partition(|incident| incident.retracted_at.is_some());
        let found = Found { population, standing };
        self.retracted += retracted.len();
        self.retracted_true += retracted.iter().filter(|incident| found.is_true(incident)).count();
        for truth in &population.truths {
            self.outage(&found, truth);
        }
        self.controls(&found);
        for incident in found.standing.iter().filter(|incident| !found.is_true(incident)) {
            self.false_incidents += 1;
            if self.list {
                list_false(&found, incident);
            }
        }
        let with_cause =
            population.truths.windows(2).filter(|pair| (pair[0].outage.start - pair[1].outage.start).abs() < 6.0);
        for pair in with_cause {
            if let (Some(one), Some(other)) = (found.of(&pair[0]).first(), found.of(&pair[1]).first()) {
                self.same_cause.add(one.related.iter().any(|related| related.incident == other.id));
            }
        }
    }

    fn outage(&mut self, found: &Found<'_>, truth: &Truth) {
        let (service, outage) = (truth.service, &truth.outage);
        let incidents = found.of(truth);
        let judged = judge(found.population, truth);
        self.outages += 1;
        self.splits += incidents.len().saturating_sub(1);
        if judged.clear {
            self.clear.add(!incidents.is_empty());
            self.clear_by_oracle.add(judged.oracle.is_some());
            if incidents.is_empty() {
                self.clear_misses.push(format!("{service} {outage:?}"));
            }
        }
        if judged.oracle.is_some() {
            self.oracle.add(!incidents.is_empty());
        }
        let rates = rates(found.population, service);
        let (reports, everyday) = reports(truth, rates);
        let Some(incident) = incidents.first() else {
            if self.list {
                println!(
                    "missed {service}: {reports:.0} reports beside {everyday:.0}, oracle {:?}, {outage:?}",
                    judged.oracle
                );
            }
            return;
        };
        if let Some(oracle) = judged.oracle {
            self.delays.push((found.offset(incident.detected_at) - outage.start, oracle));
        }
        let start = found.interval(incident.start);
        let end = incidents.last().and_then(|last| last.end).map(|end| found.interval(end));
        let oracle = Oracle::of(found.population, truth, rates);
        let (oracles_start, oracles_end) = (oracle.start(), oracle.end());
        let start_of_kinds = oracle.start_of_kinds(&found.population.family.kinds(HEIGHTS, LENGTHS));
        let is_loud = reports >= 2.0 * outage.minutes && outage.minutes > 20.0;
        let (starts, ends) = (&mut self.starts, &mut self.ends);
        let (loud_starts, loud_ends) = (&mut self.loud_starts, &mut self.loud_ends);
        for (starts, ends) in [(starts, ends)].into_iter().chain(is_loud.then_some((loud_starts, loud_ends))) {
            starts[0].add(start, outage.start);
            starts[1].add(oracles_start, outage.start);
            starts[2].add(start_of_kinds, outage.start);
            if let Some(end) = end {
                ends[0].add(end, outage.end());
                ends[1].add(oracles_end, outage.end());
            }
        }
        if self.list {
            let off = |interval: [f64; 3], truth: f64| interval.map(|time| (time - truth).round());
            println!(
                "found {} as {}, {reports:.0} reports beside {everyday:.0}: start {:?}, oracle's {:?}, end {:?}, oracle's {:?}, {outage:?}",
                incidents.len(),
                incident.id,
                off(start, outage.start),
                off(oracles_start, outage.start),
                end.map(|end| off(end, outage.end())),
                off(oracles_end, outage.end()),
            );
        }
        self.regions(found.population, truth, incident);
    }

    fn controls(&mut self, found: &Found<'_>) {
        for (control, service, at) in &found.population.controls {
            let during = (*at as f64 - 10.0)..(*at as f64 + 420.0);
            let raised = found.standing.iter().any(|incident| {
                incident.service.as_str() == *service
                    && during.contains(&found.offset(incident.detected_at))
                    && !found.is_true(incident)
            });
            let counted = self.controls.entry(*control).or_default();
            counted.0 += usize::from(raised);
            counted.1 += 1;
        }
    }

    fn regions(&mut self, population: &Population, truth: &Truth, incident: &Incident<KeyHash>) {
        let (from, until) = (truth.outage.start as i64, truth.outage.end() as i64);
        let within = |minute: Minute| (from..=until).contains(&(minute - population.first));
        let reports = population.mentions.iter().filter(|mention| {
            mention.service.as_str() == truth.service && within(mention.minute()) && truth.reaches(mention.region)
        });
        let mut counts: BTreeMap<Region, usize> = BTreeMap::new();
        for mention in reports.filter(|mention| mention.tally == Tally::Report) {
            mention.region.path().for_each(|region| *counts.entry(region).or_default() += 1);
        }
        let told: BTreeSet<Region> = incident.regions.iter().map(|impact| impact.region).collect();
        for region in told.iter().filter(|region| **region != Region::WORLD) {
            let is_true = truth.reaches(*region) || truth.scope.iter().any(|scope| region.contains(*scope));
            self.precise.add(is_true);
            if !is_true && self.list {
                println!("    region {region} is false for {} {:?}", incident.id, truth.scope);
            }
        }
        let places = PLACES.iter().filter_map(|(code, _)| code.parse().ok()).filter(|region| *region != Region::WORLD);
        for region in places.filter(|region| truth.reaches(*region)) {
            let reported = counts.get(&region).copied().unwrap_or(0);
            if reported >= 10 {
                self.complete.add(told.contains(&region));
                if !told.contains(&region) && self.list {
                    println!("    region {region} is missing in {}: {reported} reports", incident.id);
                }
            }
        }
    }

    pub fn print(&self) {
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
        let (ours, oracles): (Vec<f64>, Vec<f64>) = self.delays.iter().copied().unzip();
        for (what, share) in [("median", 0.5), ("p90", 0.9)] {
            println!(
                "delay, {what}: ours, oracle          {:.1}, {:.1}",
                quantile(&ours, share),
                quantile(&oracles, share)
            );
        }
        println!("                                   coverage / median width / median error");
        for (what, dated) in [
            ("start", &self.starts[..]),
            ("end", &self.ends),
            ("start, two reports a minute", &self.loud_starts),
            ("end, two reports a minute", &self.loud_ends),
        ] {
            for (whose, dated) in [what, "  the oracle's", "  knowing the kinds alone"].iter().zip(dated) {
                println!("{whose:<34} {}", dated.text());
            }
        }
        println!("regions: precise                   {}", self.precise.text());
        println!("regions: complete                  {}", self.complete.text());
        println!("common cause told                  {}", self.same_cause.text());
        peers::print_header();
        let (clear, oracle) = (self.clear.value(), self.oracle.value());
        peers::print_row("whatsdown", clear, oracle, &ours, &self.false_incidents.to_string());
        peers::print(&self.watched, self.false_incidents);
        peers::print_row("oracle", self.clear_by_oracle.value(), 1.0, &oracles, "");
    }
}

/// What each service is watched as by others, to be judged by them.
pub fn watched(population: &Population) -> Vec<Watched> {
    Watched::all(population, |truth| judge(population, truth))
}

/// A false incident with what happened about it.
fn list_false(found: &Found<'_>, incident: &Incident<KeyHash>) {
    let Found { population, .. } = found;
    let [from, said] = [incident.start.estimate, incident.detected_at].map(|time| found.offset(time));
    let until = incident.end.map_or(population.minutes as f64, |end| found.offset(end.high));
    let lasted = (from.min(until) as usize)..(until as usize).min(population.minutes);
    let everyday: f64 = rates(population, incident.service.as_str())[lasted].iter().sum();
    println!(
        "false {}: said {:.0} minutes after its start, {} reports in {:.0} minutes, everyday life brings {everyday:.0}",
        incident.id,
        said - from,
        incident.reports,
        until - from
    );
    let about = |start: f64, end: f64| start - 60.0 <= from && from <= end + 600.0;
    for truth in population.truths.iter().filter(|truth| about(truth.outage.start, truth.outage.end())) {
        println!(
            "    {:.0} minutes after {} {:?} {:?}",
            from - truth.outage.start,
            truth.service,
            truth.scope,
            truth.outage
        );
    }
    for (control, service, at) in population.controls.iter().filter(|control| about(control.2 as f64, control.2 as f64))
    {
        println!("    {:.0} minutes after {control:?} of {service}", from - *at as f64);
    }
}
