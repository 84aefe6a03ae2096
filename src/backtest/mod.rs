//! What was detected, held against the outages that are known: matches, figures, and each incident with its match.

pub mod truth;

use crate::incident::{Incident, Interval};
use crate::reading::ServiceId;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use truth::{Moment, Outage};

/// The figures of a backtest. Those without data are `None`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Backtest {
    /// Matched of the detected incidents. A retracted one was said all the same: it counts, and matches nothing.
    pub precision: Option<f64>,
    /// Matched of the known outages.
    pub recall: Option<f64>,
    /// Detected incidents without a match, in the time that the recordings cover.
    pub false_alarms_per_week: Option<f64>,
    /// From the true start, or its `low`, to `detected_at`; negative where it was said before.
    pub detection_delay_minutes: Option<Spread>,
    /// Between the estimate and the truth; 0 inside an interval.
    pub start_error_minutes: Option<Spread>,
    pub end_error_minutes: Option<Spread>,
    /// The share of matched true times that the 90% intervals hold or touch; an end that was not said holds nothing.
    pub start_coverage: Option<f64>,
    pub end_coverage: Option<f64>,
    pub weeks: f64,
    pub known: usize,
    pub detected: usize,
    pub matched: usize,
    /// Every known outage and every detected incident, by time; a matched pair is one entry.
    pub incidents: Vec<Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    pub median: f64,
    pub p90: f64,
}

/// A known outage, a detected incident, or both where they match.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    pub service: ServiceId,
    pub verdict: Verdict,
    pub truth: Option<Outage>,
    pub detected: Option<Detected>,
    pub detection_delay_minutes: Option<f64>,
    pub start_error_minutes: Option<f64>,
    pub end_error_minutes: Option<f64>,
    pub start_covered: Option<bool>,
    pub end_covered: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Found,
    Missed,
    FalseAlarm,
}

/// What is kept of a detected incident.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Detected {
    pub id: String,
    pub start: Interval,
    pub end: Option<Interval>,
    pub detected_at: DateTime<Utc>,
    pub regions: Vec<String>,
    pub reports: u64,
    pub confidence: f64,
    pub retracted_at: Option<DateTime<Utc>>,
}

impl From<&Incident> for Detected {
    fn from(incident: &Incident) -> Detected {
        Detected {
            id: incident.id.clone(),
            start: incident.start,
            end: incident.end,
            detected_at: incident.detected_at,
            regions: incident.regions.iter().map(|impact| impact.region.to_string()).collect(),
            reports: incident.reports,
            confidence: incident.confidence,
            retracted_at: incident.retracted_at,
        }
    }
}

/// Judges what was detected in a recording of this length. Outages and incidents match one to one, where the service is
/// the same and their times overlap, so that as many as possible match.
pub fn judge(known: &[Outage], detected: &[Incident], length: TimeDelta) -> Backtest {
    let partners = matches(known, detected);
    let mut entries: Vec<Entry> = Vec::new();
    for (outage, partner) in known.iter().zip(&partners) {
        entries.push(entry(Some(outage), partner.and_then(|index| detected.get(index))));
    }
    for (index, incident) in detected.iter().enumerate() {
        if !partners.contains(&Some(index)) {
            entries.push(entry(None, Some(incident)));
        }
    }
    entries.sort_by_key(|entry| {
        let known = entry.truth.as_ref().map(|outage| outage.start.low);
        let found = entry.detected.as_ref().map(|detected| detected.start.estimate);
        (known.or(found), entry.service.to_string())
    });
    let matched = partners.iter().flatten().count();
    let weeks = length.as_seconds_f64() / (7.0 * 86_400.0);
    let of = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64);
    let spread = |of: fn(&Entry) -> Option<f64>| Spread::of(entries.iter().filter_map(of).collect());
    let share = |of: fn(&Entry) -> Option<bool>| {
        let covered: Vec<bool> = entries.iter().filter_map(of).collect();
        (!covered.is_empty()).then(|| covered.iter().filter(|covered| **covered).count() as f64 / covered.len() as f64)
    };
    Backtest {
        precision: of(matched, detected.len()),
        recall: of(matched, known.len()),
        false_alarms_per_week: (weeks > 0.0).then(|| (detected.len() - matched) as f64 / weeks),
        detection_delay_minutes: spread(|entry| entry.detection_delay_minutes),
        start_error_minutes: spread(|entry| entry.start_error_minutes),
        end_error_minutes: spread(|entry| entry.end_error_minutes),
        start_coverage: share(|entry| entry.start_covered),
        end_coverage: share(|entry| entry.end_covered),
        weeks,
        known: known.len(),
        detected: detected.len(),
        matched,
        incidents: entries,
    }
}

/// For each outage the incident that it matches: a greatest matching by augmenting paths (Kuhn 1955), in which an outage
/// asks the incident first whose start is nearest.
fn matches(known: &[Outage], detected: &[Incident]) -> Vec<Option<usize>> {
    let wanted: Vec<Vec<usize>> = known
        .iter()
        .map(|outage| {
            let mut wanted: Vec<usize> =
                (0..detected.len()).filter(|index| may_match(outage, &detected[*index])).collect();
            wanted.sort_by_key(|index| outage.start.distance(detected[*index].start.estimate));
            wanted
        })
        .collect();
    let mut taken: Vec<Option<usize>> = vec![None; detected.len()];
    for outage in 0..known.len() {
        place(outage, &wanted, &mut taken, &mut vec![false; detected.len()]);
    }
    let mut partners = vec![None; known.len()];
    for (incident, outage) in taken.into_iter().enumerate() {
        if let Some(partner) = outage.and_then(|outage| partners.get_mut(outage)) {
            *partner = Some(incident);
        }
    }
    partners
}

/// Finds an incident for an outage, moving other outages to their next choice where need be.
fn place(outage: usize, wanted: &[Vec<usize>], taken: &mut [Option<usize>], asked: &mut [bool]) -> bool {
    for incident in wanted[outage].iter().copied() {
        if std::mem::replace(&mut asked[incident], true) {
            continue;
        }
        if taken[incident].is_none_or(|holder| place(holder, wanted, taken, asked)) {
            taken[incident] = Some(outage);
            return true;
        }
    }
    false
}

/// Each time is taken as wide as it is known; what has no end lasts.
fn may_match(outage: &Outage, incident: &Incident) -> bool {
    incident.retracted_at.is_none()
        && incident.service == outage.service
        && outage.end.is_none_or(|end| incident.start.low <= end.high)
        && incident.end.is_none_or(|end| outage.start.low <= end.high)
}

fn entry(outage: Option<&Outage>, incident: Option<&Incident>) -> Entry {
    let both = outage.zip(incident);
    let ends = both.and_then(|(outage, incident)| outage.end.zip(incident.end));
    let verdict = match (outage, incident) {
        (Some(_), Some(_)) => Verdict::Found,
        (Some(_), None) => Verdict::Missed,
        (None, _) => Verdict::FalseAlarm,
    };
    Entry {
        service: outage
            .map(|outage| &outage.service)
            .or(incident.map(|incident| &incident.service))
            .cloned()
            .unwrap_or_else(|| String::new().into()),
        verdict,
        truth: outage.cloned(),
        detected: incident.map(Detected::from),
        detection_delay_minutes: both.map(|(outage, incident)| minutes(incident.detected_at - outage.start.low)),
        start_error_minutes: both.map(|(outage, incident)| minutes(outage.start.distance(incident.start.estimate))),
        end_error_minutes: ends.map(|(truth, end)| minutes(truth.distance(end.estimate))),
        start_covered: both.map(|(outage, incident)| covers(incident.start, outage.start)),
        end_covered: both
            .and_then(|(outage, incident)| outage.end.map(|truth| incident.end.is_some_and(|end| covers(end, truth)))),
    }
}

fn covers(interval: Interval, truth: Moment) -> bool {
    interval.low <= truth.high && truth.low <= interval.high
}

/// In minutes, to the second.
fn minutes(length: TimeDelta) -> f64 {
    (length.as_seconds_f64() / 60.0 * 100.0).round() / 100.0
}

impl Spread {
    /// The median, and the value that nine in ten do not exceed.
    fn of(mut values: Vec<f64>) -> Option<Spread> {
        values.sort_by(f64::total_cmp);
        let last = values.len().checked_sub(1)?;
        let median = f64::midpoint(values[last / 2], values[values.len() / 2]);
        Some(Spread { median, p90: values[(values.len() * 9).div_ceil(10).saturating_sub(1).min(last)] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_709_668_800 + 60 * minute, 0).unwrap()
    }

    fn exactly(minute: i64) -> Moment {
        Moment { low: at(minute), high: at(minute) }
    }

    fn outage(start: i64, end: Option<i64>) -> Outage {
        let service = fixture::finished().incident.service;
        Outage { service, regions: Vec::new(), start: exactly(start), end: end.map(exactly) }
    }

    /// Intervals of two minutes to either side, said three minutes after the start.
    fn incident(start: i64, end: Option<i64>) -> Incident {
        let interval = |minute| Interval { low: at(minute - 2), estimate: at(minute), high: at(minute + 2) };
        Incident {
            id: format!("i{start}"),
            start: interval(start),
            end: end.map(interval),
            detected_at: at(start + 3),
            ..fixture::finished().incident
        }
    }

    const WEEKS: TimeDelta = TimeDelta::weeks(2);

    #[test]
    fn errors_delays_and_coverage_are_counted_over_what_matches() {
        let known = [outage(0, Some(60)), outage(500, Some(560)), outage(900, None)];
        let detected = [incident(1, Some(65)), incident(300, Some(310)), incident(904, None)];
        let found = judge(&known, &detected, WEEKS);
        assert_eq!(
            (found.precision, found.recall, found.false_alarms_per_week),
            (Some(2.0 / 3.0), Some(2.0 / 3.0), Some(0.5))
        );
        assert_eq!(found.detection_delay_minutes, Some(Spread { median: 5.5, p90: 7.0 }));
        assert_eq!(found.start_error_minutes, Some(Spread { median: 2.5, p90: 4.0 }));
        assert_eq!(found.end_error_minutes, Some(Spread { median: 5.0, p90: 5.0 }));
        assert_eq!((found.start_coverage, found.end_coverage), (Some(0.5), Some(0.0)));
        let verdicts: Vec<Verdict> = found.incidents.iter().map(|entry| entry.verdict).collect();
        assert_eq!(verdicts, [Verdict::Found, Verdict::FalseAlarm, Verdict::Missed, Verdict::Found]);
    }

    #[test]
    fn as_many_match_as_can() {
        // The first outage overlaps both and is nearer to the one that alone suits the second.
        let known = [outage(0, Some(200)), outage(150, Some(300))];
        let detected = [incident(-60, Some(20)), incident(10, Some(250))];
        assert_eq!(judge(&known, &detected, WEEKS).matched, 2);
        assert_eq!(judge(&[outage(0, Some(100))], &[incident(5, Some(40)), incident(50, Some(90))], WEEKS).matched, 1);
    }

    #[test]
    fn inside_an_interval_there_is_no_error_and_delay_counts_from_its_beginning() {
        let known = [Outage { start: Moment { low: at(-10), high: at(10) }, ..outage(0, Some(60)) }];
        let entry = judge(&known, &[incident(8, Some(60))], WEEKS).incidents.remove(0);
        assert_eq!(
            (entry.detection_delay_minutes, entry.start_error_minutes, entry.start_covered),
            (Some(21.0), Some(0.0), Some(true))
        );
    }

    #[test]
    fn what_was_retracted_matches_nothing_and_was_said() {
        let taken_back = Incident { retracted_at: Some(at(30)), ..incident(0, Some(60)) };
        let found = judge(&[outage(0, Some(60))], &[taken_back], WEEKS);
        assert_eq!((found.precision, found.recall, found.detection_delay_minutes), (Some(0.0), Some(0.0), None));
    }

    #[test]
    fn other_services_do_not_match_and_figures_without_data_are_none() {
        let other = Incident { service: "other".to_owned().into(), ..incident(0, Some(60)) };
        assert_eq!(judge(&[outage(0, Some(60))], &[other], WEEKS).matched, 0);
        let nothing = judge(&[], &[], TimeDelta::zero());
        assert_eq!(
            (nothing.precision, nothing.recall, nothing.false_alarms_per_week, nothing.start_coverage),
            (None, None, None, None)
        );
    }
}
