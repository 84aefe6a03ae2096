//! A made-up incident for the tests of the formats. Its posts are synthetic.

use super::Audience;
use crate::answer::{IncidentFile, Named, Quote, SeriesPoint, Spike, SymptomHour};
use crate::incident::{
    Correction, Incident, Interval, Peak, Phase, PhaseEntry, RegionalImpact, Related, Relation, State, SurfaceShare,
    SymptomShare,
};
use crate::reading::{Kind, ServiceId, Surface, Symptom};
use crate::region::Region;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

pub fn at(clock: &str) -> DateTime<Utc> {
    format!("2024-03-05T{clock}:00Z").parse().unwrap()
}

fn between(low: &str, estimate: &str, high: &str) -> Interval {
    Interval { low: at(low), estimate: at(estimate), high: at(high) }
}

fn impact(region: &str, start: Interval, end: Option<Interval>, reports: u64) -> RegionalImpact {
    let peak = Peak { at: at("20:40"), observed: reports / 30, expected: 0.2 };
    RegionalImpact { region: region.parse().unwrap(), start, end, peak, reports }
}

fn quote(reference: &str, kind: Kind, region: &str, clock: &str, text: Option<&str>) -> Quote {
    Quote {
        reference: reference.to_owned(),
        source: "mastodon".to_owned(),
        kind,
        region: region.parse().unwrap(),
        at: at(clock),
        text: text.map(str::to_owned),
        lang: Some("en".to_owned()),
    }
}

/// What another service was accused of meanwhile.
fn echo(region: &str, observed: u64) -> Spike {
    Spike {
        at: at("20:15"),
        until: at("20:55"),
        service: ServiceId::new("othergram"),
        region: region.parse().unwrap(),
        observed,
        expected: 1.2,
        score: 40.0,
        incident: None,
        echo_of: Some("examplegram-20240305T2002Z".to_owned()),
    }
}

fn phase(phase: Phase, clock: &str, evidence: &[&str]) -> PhaseEntry {
    PhaseEntry { phase, at: at(clock), evidence: evidence.iter().map(|id| (*id).to_owned()).collect() }
}

/// Two hours of one made-up outage, from 20:00 to 21:45, one point in five minutes.
fn course() -> Vec<SeriesPoint> {
    let point = |step: i64| {
        let at = at("19:00") + TimeDelta::minutes(5 * step);
        let observed = match step {
            0..12 => u64::from(step % 4 == 0),
            12..20 => 10 * (step as u64 - 11),
            20..33 => 80 - 6 * (step as u64 - 20),
            _ => 1,
        };
        let heard = if (26..28).contains(&step) { 0.0 } else { 1.0 };
        let observed = if heard > 0.0 { observed } else { 0 };
        SeriesPoint { at, observed, expected: 0.4, low: 0.0, high: 2.0, heard, incident: None }
    };
    (0..44).map(point).collect()
}

pub fn finished() -> IncidentFile {
    let start = between("19:58", "20:02", "20:05");
    let end = Some(between("21:38", "21:44", "21:52"));
    let incident = Incident {
        id: "examplegram-20240305T2002Z".to_owned(),
        service: ServiceId::new("examplegram"),
        state: State::Resolved,
        start,
        detected_at: at("20:06"),
        acknowledged_at: Some(at("21:00")),
        end,
        peak: Peak { at: at("20:40"), observed: 41, expected: 0.3 },
        reports: 812,
        authors: 797,
        confidence: 0.9991,
        regions: vec![
            impact("world", start, end, 812),
            impact("GB", between("20:02", "20:07", "20:11"), end, 190),
            impact("US", start, end, 420),
            impact("US-TX", between("20:03", "20:09", "20:15"), end, 60),
            impact("JP", between("20:30", "20:41", "20:50"), Some(between("21:00", "21:05", "21:15")), 31),
        ],
        symptoms: vec![
            SymptomShare { symptom: Symptom::Login, share: 0.62 },
            SymptomShare { symptom: Symptom::Search, share: 0.3 },
            SymptomShare { symptom: Symptom::Feed, share: 0.08 },
        ],
        surfaces: vec![SurfaceShare { surface: Surface::App, share: 0.8 }],
        phases: vec![
            phase(Phase::Onset, "20:02", &["https://social.example/1", "at://did:example:2/post/2"]),
            phase(Phase::Acknowledged, "21:00", &["https://social.example/official"]),
            phase(Phase::PartialRecovery, "21:10", &[]),
            phase(Phase::Recovery, "21:35", &["https://social.example/back"]),
            phase(Phase::Resolved, "21:44", &[]),
        ],
        related: vec![Related { incident: "othergram-20240305T2010Z".to_owned(), relation: Relation::SameCause }],
        corrections: vec![Correction {
            at: at("20:20"),
            what: "start".to_owned(),
            from: "20:04".to_owned(),
            to: "20:02".to_owned(),
            why: "earlier reports arrived late".to_owned(),
        }],
        retracted_at: None,
    };
    let symptoms = [(Symptom::Login, "20:00", 90), (Symptom::Search, "20:00", 12), (Symptom::Search, "21:00", 50)];
    IncidentFile {
        incident,
        quotes: vec![
            quote("https://social.example/1", Kind::Report, "US", "20:02", Some("is examplegram down? can't log in")),
            quote("at://did:example:2/post/2", Kind::Report, "GB", "20:03", None),
            quote("https://social.example/3", Kind::Report, "GB", "20:31", Some("examplegram search finds nothing")),
            quote(
                "https://social.example/official",
                Kind::Official,
                "world",
                "21:00",
                Some("We know that some people cannot log in, and are working on it."),
            ),
            quote("https://social.example/back", Kind::Recovery, "US", "21:34", Some("examplegram is back")),
        ],
        course: course(),
        symptoms_by_hour: symptoms
            .map(|(symptom, clock, reports)| SymptomHour { at: at(clock), symptom, reports })
            .to_vec(),
        named: Named { symptoms: 152, surfaces: 21 },
        echoes: vec![echo("world", 31), echo("GB", 9)],
        now: at("22:40"),
    }
}

/// The same incident at 20:30: nobody has owned up to it, nothing has ended.
pub fn in_progress() -> IncidentFile {
    let mut file = finished();
    file.now = at("20:30");
    let incident = &mut file.incident;
    incident.state = State::Ongoing;
    incident.confidence = 0.95;
    (incident.end, incident.acknowledged_at) = (None, None);
    incident.regions.retain(|impact| impact.start.estimate < at("20:30"));
    for impact in &mut incident.regions {
        impact.end = None;
    }
    incident.phases.truncate(1);
    incident.related.clear();
    let now = file.now;
    file.course.retain(|point| point.at < now);
    file.quotes.retain(|quote| quote.at < now);
    file.symptoms_by_hour.truncate(2);
    file.echoes.clear();
    file
}

/// Every field that a stranger can write holds something hostile.
pub fn hostile() -> IncidentFile {
    let mut file = finished();
    let attack = "\u{1b}]0;owned\u{7}\u{202e}<script>alert(1)</script> [x](javascript:alert(1)) \"'><img src=x \
                  onerror=alert(1)>\n# heading\n```\n| a |";
    for (number, quote) in file.quotes.iter_mut().enumerate() {
        quote.text = Some(attack.to_owned());
        quote.source = attack.to_owned();
        quote.lang = Some(attack.to_owned());
        quote.reference = format!("https://social.example/{number}/{attack}");
    }
    for phase in &mut file.incident.phases {
        phase.evidence = vec![format!("javascript:{attack}"), format!("https://social.example/0/{attack}")];
    }
    file.incident.corrections[0].why = attack.to_owned();
    file.incident.related[0].incident = attack.to_owned();
    file
}

pub fn name(region: Region) -> String {
    match region.as_str() {
        "GB" => "United Kingdom".to_owned(),
        "US" => "United States".to_owned(),
        "US-TX" => "Texas, US".to_owned(),
        "JP" => "Japan".to_owned(),
        code => code.to_owned(),
    }
}

pub fn service(id: &ServiceId) -> String {
    if id.as_str() == "othergram" { "Othergram" } else { "Examplegram" }.to_owned()
}

pub fn reader(zone: Tz) -> Audience<'static> {
    Audience { service: &service, region: &name, zone }
}
