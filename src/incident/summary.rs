//! The numbers of an incident: how many, where, and what failed.

use super::view::View;
use super::{Incident, Peak, RegionalImpact, SurfaceShare, SymptomShare};
use crate::count::{KeyHash, Mention, Tally};
use crate::detect::{self, Sample, interval};
use crate::minute::Minute;
use crate::region::Region;
use std::collections::{BTreeMap, BTreeSet};

/// Nats by which a region's people must exceed what is expected there, with this room for drift, once the service is known to
/// be down.
const REGION_AFFECTED: f64 = 4.0;
const REGION_DRIFT: f64 = 1.2;
/// The fewest people who make a region affected.
const FEWEST_IN_REGION: u64 = 3;
/// Reports from which a region's own start and end are estimated; below it has those of the world.
const DATED_REGION: u64 = 25;

/// Minutes before the incident's start in which it may have begun in a region.
const EARLIER_IN_REGION: i64 = 30;

/// Sums the incident up anew from its start to now, or to its end.
pub fn update(incident: &mut Incident<KeyHash>, view: &View<'_>) {
    let from = Minute::of(incident.start.low);
    let until = incident.end.map_or(view.minute, |end| Minute::of(end.high).min(view.minute));
    let reports: Vec<&Mention> = view.mentions(Tally::Report, from, until).collect();
    let (posts, authors) = distinct(&reports);
    incident.reports = posts;
    incident.authors = authors;
    incident.symptoms = shares(reports.iter().flat_map(|mention| &mention.symptoms))
        .into_iter()
        .map(|(symptom, share)| SymptomShare { symptom, share })
        .collect();
    incident.surfaces = shares(reports.iter().flat_map(|mention| &mention.surfaces))
        .into_iter()
        .map(|(surface, share)| SurfaceShare { surface, share })
        .collect();
    incident.peak = peak(&view.samples(Region::WORLD, from, until)).unwrap_or(incident.peak);
}

/// Which regions are affected, each with its own start and end where enough people there have reported.
pub fn update_regions(incident: &mut Incident<KeyHash>, view: &View<'_>) {
    let from = Minute::of(incident.start.low);
    let until = incident.end.map_or(view.minute, |end| Minute::of(end.high).min(view.minute));
    let reports: Vec<&Mention> = view.mentions(Tally::Report, from, until).collect();
    let regions = view.nodes.iter().filter_map(|(region, _)| impact(incident, view, *region, &reports, (from, until)));
    incident.regions = regions.collect();
}

/// Posts without copies, and the people behind them.
fn distinct(reports: &[&Mention]) -> (u64, u64) {
    let mut prints = BTreeSet::new();
    // A short text's print is its author's, and is no copy of the author's other short texts.
    let first = |mention: &&&Mention| mention.print == mention.author || prints.insert(mention.print);
    let originals: Vec<&&Mention> = reports.iter().filter(first).collect();
    let authors: BTreeSet<u64> = originals.iter().map(|mention| mention.author).collect();
    (originals.len() as u64, authors.len() as u64)
}

fn impact(
    incident: &Incident<KeyHash>,
    view: &View<'_>,
    region: Region,
    reports: &[&Mention],
    (from, until): (Minute, Minute),
) -> Option<RegionalImpact> {
    let within: Vec<&Mention> = reports.iter().copied().filter(|mention| region.contains(mention.region)).collect();
    let (posts, people) = distinct(&within);
    if region != Region::WORLD && people < FEWEST_IN_REGION {
        return None;
    }
    let samples = view.samples(region, from, until);
    let expected: f64 = samples.iter().map(|sample| sample.expected).sum();
    if region != Region::WORLD && detect::poisson_llr(people as f64, REGION_DRIFT * expected) < REGION_AFFECTED {
        return None;
    }
    let mut found = RegionalImpact {
        region,
        start: incident.start,
        end: incident.end,
        peak: peak(&samples).unwrap_or(incident.peak),
        reports: posts,
    };
    if region != Region::WORLD && posts >= DATED_REGION {
        let opened = Minute::of(incident.detected_at);
        let earlier = view.samples(region, from - EARLIER_IN_REGION, view.minute);
        found.start = interval::start(&earlier, opened).unwrap_or(found.start);
        if incident.end.is_some() {
            let lasted = view.samples(region, from, view.minute);
            let end = interval::end(&lasted, found.start.estimate, None).filter(|end| end.over > 0.5);
            found.end = end.map(|end| end.interval).or(found.end);
        }
    }
    Some(found)
}

/// The busiest minute, the first of several.
fn peak(samples: &[Sample]) -> Option<Peak> {
    let busiest = samples.iter().max_by(|a, b| a.reports.total_cmp(&b.reports).then(b.minute.cmp(&a.minute)))?;
    Some(Peak { at: busiest.minute.start(), observed: busiest.reports as u64, expected: busiest.expected })
}

/// Each word's share of all words, largest first.
fn shares<'a, T: Copy + Ord + 'a>(words: impl Iterator<Item = &'a T>) -> Vec<(T, f64)> {
    let mut counts: BTreeMap<T, u64> = BTreeMap::new();
    words.for_each(|word| *counts.entry(*word).or_default() += 1);
    let all: u64 = counts.values().sum();
    let mut shares: Vec<(T, f64)> =
        counts.into_iter().map(|(word, count)| (word, count as f64 / all.max(1) as f64)).collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    shares
}
