//! How things look to whoever reads them: colour, width, zone, now.

use crate::region::Region;
use crate::report::ink::Ink;
use crate::report::time;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

/// Countries in one cell of a table.
const COUNTRIES_SHOWN: usize = 5;

#[derive(Clone, Copy, Debug)]
pub struct Style {
    pub ink: Ink,
    /// Columns of the terminal; `None` where the output is no terminal, and nothing is cut.
    pub width: Option<usize>,
    pub zone: Tz,
    /// What 'ago' counts from.
    pub now: DateTime<Utc>,
}

impl Style {
    /// `12 min ago (15:29 EDT)`; from a day on `2021-07-06 15:29 EDT`.
    pub fn when(&self, at: DateTime<Utc>) -> String {
        if (self.now - at).abs() < TimeDelta::days(1) {
            format!("{} ({})", time::relative(at, self.now), time::clock(at, self.zone))
        } else {
            time::stamp(at, self.zone)
        }
    }
}

/// Regions for a cell: the countries, a few by their codes; where no country is known, the world.
pub fn countries(regions: impl Iterator<Item = Region>) -> String {
    let codes: Vec<String> = regions.filter(|region| region.is_country()).map(|region| region.to_string()).collect();
    match codes.len() {
        0 => Region::WORLD.to_string(),
        1..=COUNTRIES_SHOWN => codes.join(" "),
        more => format!("{} +{}", codes[..COUNTRIES_SHOWN].join(" "), more - COUNTRIES_SHOWN),
    }
}

#[cfg(test)]
pub(crate) fn plain(now: &str) -> Style {
    Style { ink: Ink::default(), width: Some(100), zone: Tz::UTC, now: now.parse().unwrap() }
}
