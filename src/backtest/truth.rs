//! The file of known outages: `{"incidents":[{"service":…,"regions":["US"],"start":…,"end":…}]}`.

use crate::reading::{Catalogue, ServiceId};
use crate::region::Region;
use crate::select::{self, Wrong};
use chrono::{DateTime, TimeDelta, Utc};
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// Why a truth file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TruthError {
    #[error("it is no truth file: {0}")]
    Form(serde_json::Error),
    #[error("incident {0}: {1}")]
    Order(usize, &'static str),
    /// A service or region that nobody knows.
    #[error("incident {0}: {1}")]
    Unknown(usize, Wrong),
}

impl TruthError {
    pub fn hint(&self) -> &str {
        match self {
            TruthError::Unknown(_, wrong) => &wrong.hint,
            _ => {
                "write {\"incidents\":[{\"service\":\"tiktok\",\"regions\":[\"US\"],\"start\":\"2021-07-06T19:30:00Z\",\"end\":\"2021-07-07T00:10:00Z\"}]}; \
                 a time may be {\"low\":…,\"high\":…}, and what has no end has no `end`"
            }
        }
    }
}

/// A known outage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outage {
    pub service: ServiceId,
    #[serde(default)]
    pub regions: Vec<Region>,
    pub start: Moment,
    /// `None` where it is not known, or the outage lasts.
    #[serde(default)]
    pub end: Option<Moment>,
}

/// A time as far as it is known, both bounds included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Moment {
    pub low: DateTime<Utc>,
    pub high: DateTime<Utc>,
}

impl Moment {
    /// How far a time lies outside.
    pub fn distance(self, time: DateTime<Utc>) -> TimeDelta {
        (self.low - time).max(time - self.high).max(TimeDelta::zero())
    }
}

#[derive(Deserialize)]
struct File {
    incidents: Vec<Outage>,
}

/// Reads the file strictly, but for keys beyond those of the form: they are for people.
pub fn parse(text: &str, catalogue: &Catalogue) -> Result<Vec<Outage>, TruthError> {
    let mut outages = serde_json::from_str::<File>(text).map_err(TruthError::Form)?.incidents;
    for (index, outage) in outages.iter_mut().enumerate() {
        let unknown = |wrong| TruthError::Unknown(index + 1, wrong);
        outage.service = select::service(catalogue, outage.service.as_str()).map_err(unknown)?;
        for region in &outage.regions {
            select::region(*region).map_err(unknown)?;
        }
        let backwards = |moment: Moment| moment.low > moment.high;
        if backwards(outage.start) || outage.end.is_some_and(backwards) {
            return Err(TruthError::Order(index + 1, "`low` is after `high`"));
        }
        if outage.end.is_some_and(|end| end.high < outage.start.low) {
            return Err(TruthError::Order(index + 1, "it ends before it starts"));
        }
    }
    Ok(outages)
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TimeOrBounds)
    }
}

struct TimeOrBounds;

impl<'de> Visitor<'de> for TimeOrBounds {
    type Value = Moment;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a time such as \"2021-07-06T19:30:00Z\", or {\"low\":…,\"high\":…}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Moment, E> {
        let time = text.parse().map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))?;
        Ok(Moment { low: time, high: time })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Moment, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Bounds {
            low: DateTime<Utc>,
            high: DateTime<Utc>,
        }
        let Bounds { low, high } = Bounds::deserialize(de::value::MapAccessDeserializer::new(map))?;
        Ok(Moment { low, high })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Outage>, String> {
        let catalogue = Catalogue::embedded().unwrap();
        parse(text, &catalogue).map_err(|error| format!("{error} / {}", error.hint()))
    }

    #[test]
    fn times_are_points_or_bounds_and_other_keys_are_for_people() {
        let outages = read(
            r#"{"about":"x","incidents":[{"service":"tiktok","start":{"low":"2021-07-06T19:15:00Z","high":"2021-07-06T19:45:00Z"},"end":"2021-07-07T00:10:00+00:00","note":1},
               {"service":"x","regions":["US","GB-SCT"],"start":"2025-03-10T09:30:00Z","end":null}]}"#,
        )
        .unwrap();
        assert_eq!(outages[0].start.high - outages[0].start.low, TimeDelta::minutes(30));
        assert_eq!((outages[1].end, outages[1].regions.len()), (None, 2));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, told) in [
            ("", "EOF while parsing"),
            ("{}", "missing field `incidents` at line 1"),
            (r#"{"incidents":[{"service":"tiktok"}]}"#, "missing field `start`"),
            (r#"{"incidents":[{"service":"tiktok","start":"today"}]}"#, "expected a time such as"),
            (r#"{"incidents":[{"service":"tiktok","start":{"low":"2021-07-06T19:15:00Z"}}]}"#, "missing field `high`"),
            (
                r#"{"incidents":[{"service":"tiktk","start":"2021-07-06T19:15:00Z"}]}"#,
                "incident 1: there is no service `tiktk` / did you mean `tiktok`?",
            ),
            (
                r#"{"incidents":[{"service":"x","regions":["QQ"],"start":"2021-07-06T19:15:00Z"}]}"#,
                "there is no region `QQ`",
            ),
            (
                r#"{"incidents":[{"service":"x","start":"2021-07-06T19:15:00Z","end":"2021-07-06T19:14:00Z"}]}"#,
                "ends before it starts",
            ),
        ] {
            let said = read(text).unwrap_err();
            assert!(said.contains(told), "{said}");
        }
    }
}
