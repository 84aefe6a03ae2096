//! Who is to be told of what, and when not.

use super::News;
use crate::incident::{Incident, RegionalImpact};
use crate::reading::ServiceId;
use crate::region::Region;
use chrono::{DateTime, Days, NaiveTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Deserializer};
use std::str::FromStr;

/// An element of `[[alerts.rules]]`. What is left out limits nothing.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Names of receivers.
    pub send_to: Vec<String>,
    #[serde(default)]
    pub services: Vec<ServiceId>,
    /// Each takes in its parts.
    #[serde(default)]
    pub regions: Vec<Region>,
    #[serde(default)]
    pub tell: Vec<News>,
    /// 0..1. What is told once is told to its end.
    #[serde(default, deserialize_with = "probability")]
    pub confidence: f64,
    /// How long it must have lasted.
    #[serde(default)]
    pub minutes: u32,
    pub quiet: Option<Quiet>,
}

impl Rule {
    pub fn tells(&self, news: News) -> bool {
        self.tell.is_empty() || self.tell.contains(&news)
    }

    /// Whether this receiver is told of such an incident; of one that it knows already, however sure it is now.
    pub fn takes<E>(&self, receiver: &str, incident: &Incident<E>, known: bool) -> bool {
        self.send_to.iter().any(|name| name == receiver)
            && (self.services.is_empty() || self.services.contains(&incident.service))
            && (known || incident.confidence >= self.confidence)
            && incident.regions.iter().any(|impact| self.covers(impact))
    }

    pub fn covers(&self, impact: &RegionalImpact) -> bool {
        self.regions.is_empty() || self.regions.iter().any(|region| region.contains(impact.region))
    }

    /// The first time from `at` on that is not quiet.
    pub fn awake(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        self.quiet.as_ref().map_or(at, |quiet| quiet.over(at))
    }
}

/// Hours in which nothing is sent. It is told when they are over, as it then stands.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quiet {
    #[serde(deserialize_with = "clock")]
    pub from: NaiveTime,
    #[serde(deserialize_with = "clock")]
    pub until: NaiveTime,
    #[serde(deserialize_with = "zone")]
    pub zone: Tz,
}

impl Quiet {
    fn over(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        let local = at.with_timezone(&self.zone).naive_local();
        let time = local.time();
        let over_midnight = self.from > self.until;
        let within =
            if over_midnight { time >= self.from || time < self.until } else { time >= self.from && time < self.until };
        if !within {
            return at;
        }
        let tomorrow = over_midnight && time >= self.from;
        let day = local.date().checked_add_days(Days::new(tomorrow.into())).unwrap_or(local.date());
        let end = day.and_time(self.until);
        // A time that the clocks leap over does not exist; an hour later does.
        let resolved = self.zone.from_local_datetime(&end).earliest();
        let resolved = resolved.or_else(|| self.zone.from_local_datetime(&(end + TimeDelta::hours(1))).earliest());
        resolved.map_or(at, |end| end.to_utc().max(at))
    }
}

fn probability<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let number = f64::deserialize(deserializer)?;
    if (0.0..=1.0).contains(&number) {
        Ok(number)
    } else {
        Err(serde::de::Error::custom(format!("{number} is no probability: use 0 to 1")))
    }
}

fn clock<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NaiveTime, D::Error> {
    let text = String::deserialize(deserializer)?;
    NaiveTime::parse_from_str(&text, "%H:%M")
        .map_err(|_| serde::de::Error::custom(format!("`{text}` is no time of the day: use 07:30")))
}

fn zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tz, D::Error> {
    let text = String::deserialize(deserializer)?;
    Tz::from_str(&text)
        .map_err(|_| serde::de::Error::custom(format!("`{text}` is no time zone: use a name such as Europe/London")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_hours_end_by_the_readers_clock() {
        let quiet = |from: &str, until: &str| Quiet {
            from: NaiveTime::parse_from_str(from, "%H:%M").unwrap(),
            until: NaiveTime::parse_from_str(until, "%H:%M").unwrap(),
            zone: Tz::Europe__London,
        };
        let over = |quiet: Quiet, at: &str| quiet.over(at.parse().unwrap()).to_rfc3339();
        // In summer London is an hour ahead of UTC.
        assert_eq!(over(quiet("23:00", "07:00"), "2024-07-01T22:30:00Z"), "2024-07-02T06:00:00+00:00");
        assert_eq!(over(quiet("23:00", "07:00"), "2024-07-02T03:00:00Z"), "2024-07-02T06:00:00+00:00");
        assert_eq!(over(quiet("23:00", "07:00"), "2024-07-01T12:00:00Z"), "2024-07-01T12:00:00+00:00");
        assert_eq!(over(quiet("09:00", "17:00"), "2024-01-01T12:00:00Z"), "2024-01-01T17:00:00+00:00");
        assert_eq!(over(quiet("09:00", "09:00"), "2024-01-01T09:00:00Z"), "2024-01-01T09:00:00+00:00");
        // 01:30 does not exist on the day on which the clocks go forward.
        assert_eq!(over(quiet("23:00", "01:30"), "2024-03-31T00:30:00Z"), "2024-03-31T01:30:00+00:00");
    }
}
