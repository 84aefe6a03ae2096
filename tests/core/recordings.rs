//! The committed recordings of four outages, held against what was published of them. The posts are synthetic.

use crate::support::{self, Lab};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use whatsdown::incident::{Incident, Interval, Phase};

/// Replays a recording; gives the incidents and what was true.
fn replayed(name: &str) -> (Vec<Incident>, Value) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
    let lab = Lab::new();
    support::replay(&lab.database(), &[folder.join("posts.jsonl.zst")], whatsdown::pipeline::replay::BATCH).summary();
    let truth = std::fs::read(folder.join("truth.json")).unwrap();
    (lab.incidents(), serde_json::from_slice(&truth).unwrap())
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

/// A true time: one, or an interval.
fn times(value: &Value) -> (DateTime<Utc>, DateTime<Utc>) {
    if value.is_string() { (time(value), time(value)) } else { (time(&value["low"]), time(&value["high"])) }
}

fn turns(incident: &Incident) -> Vec<Phase> {
    incident.phases.iter().map(|entry| entry.phase).collect()
}

/// How far a moment lies outside an interval.
fn outside(moment: DateTime<Utc>, (low, high): (DateTime<Utc>, DateTime<Utc>)) -> TimeDelta {
    (low - moment).max(moment - high).max(TimeDelta::zero())
}

#[test]
fn tiktok_2021_07_06() {
    let (incidents, truth) = replayed("tiktok-2021-07-06");
    let truth = &truth["incidents"][0];
    let services: Vec<&str> = incidents.iter().map(|incident| incident.service.as_str()).collect();
    assert_eq!(services, ["tiktok"]);
    let found = &incidents[0];

    assert!(overlaps(found.start, &truth["start"]), "{:?}", found.start);
    let (_, surge) = times(&truth["generator"]["surge"]);
    assert!(found.detected_at <= surge + TimeDelta::minutes(5), "{}", found.detected_at);
    let acknowledged = found.acknowledged_at.unwrap();
    assert_eq!(acknowledged.format("%H:%M").to_string(), "20:28");

    assert!(turns(found).contains(&Phase::PartialRecovery), "{:?}", turns(found));
    let end = outside(found.end.unwrap().estimate, times(&truth["end"]));
    assert!(end <= TimeDelta::minutes(20), "{end}");
    let regions: Vec<&str> = found.regions.iter().map(|impact| impact.region.as_str()).collect();
    for region in truth["regions_published"].as_array().unwrap() {
        assert!(regions.contains(&region.as_str().unwrap()), "{region} is not among {regions:?}");
    }
}

/// The services that are said to have been down, in the end.
fn standing(incidents: &[Incident]) -> BTreeSet<&str> {
    let standing = incidents.iter().filter(|incident| incident.retracted_at.is_none());
    standing.map(|incident| incident.service.as_str()).collect()
}

/// The incidents of one service.
fn of<'a>(incidents: &'a [Incident], service: &str) -> Vec<&'a Incident> {
    incidents.iter().filter(|incident| incident.service.as_str() == service).collect()
}

fn overlaps(interval: Interval, truth: &Value) -> bool {
    let (low, high) = times(truth);
    interval.low <= high && low <= interval.high
}

#[test]
fn x_2025_03_10() {
    let (incidents, truth) = replayed("x-2025-03-10");
    assert_eq!(standing(&incidents), BTreeSet::from(["x"]));
    let found = of(&incidents, "x");
    assert_eq!(found.len(), 2);
    for (found, truth) in found.iter().zip(truth["incidents"].as_array().unwrap()) {
        assert!(overlaps(found.start, &truth["start"]), "{:?}", found.start);
        assert!(overlaps(found.end.unwrap(), &truth["end"]), "{:?}", found.end);
    }
}

#[test]
fn t_mobile_2020_06_15() {
    let (incidents, truth) = replayed("t-mobile-2020-06-15");
    let truth = &truth["incidents"][0];
    assert_eq!(standing(&incidents), BTreeSet::from(["t-mobile"]));
    let found = of(&incidents, "t-mobile");
    assert_eq!(found.len(), 1);
    assert!(overlaps(found[0].start, &truth["start"]), "{:?}", found[0].start);
    assert!(overlaps(found[0].end.unwrap(), &truth["end"]), "{:?}", found[0].end);
    assert_eq!(found[0].acknowledged_at, Some(time(&truth["acknowledged"])));
}

#[test]
fn optus_2023_11_07() {
    let (incidents, truth) = replayed("optus-2023-11-07");
    let truth = &truth["incidents"][0];
    assert_eq!(standing(&incidents), BTreeSet::from(["optus"]));
    let found = of(&incidents, "optus");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].acknowledged_at, Some(time(&truth["acknowledged"])));
    assert!(turns(found[0]).contains(&Phase::PartialRecovery), "{:?}", turns(found[0]));
    let end = outside(found[0].end.unwrap().estimate, times(&truth["end"]));
    assert!(end <= TimeDelta::minutes(20), "{end}");
}
