//! The options that choose which rows are shown.

use super::context::{Context, known_region};
use super::failure::Stop;
use super::when::When;
use crate::region::Region;
use crate::store::Filter;
use chrono::{DateTime, TimeDelta, Utc};

/// How far back `spikes` and `series` look unless told otherwise.
pub const DAY: TimeDelta = TimeDelta::hours(24);

#[derive(clap::Args)]
pub struct Select {
    /// What was still going on after this time, or so long ago (90s, 2h, 3d, 1y)
    #[arg(long, value_name = "TIME")]
    since: Option<When>,
    /// What had begun by this time, or so long ago
    #[arg(long, value_name = "TIME")]
    until: Option<When>,
    /// Only this service
    #[arg(long)]
    service: Option<String>,
    /// Only this region and its parts: a country (GB) or a part of one (US-TX)
    #[arg(long)]
    region: Option<Region>,
}

impl Select {
    /// What the options select when it is `now`, looking back for `by_default` where no time is given.
    pub fn filter(&self, context: &Context, now: DateTime<Utc>, by_default: Option<TimeDelta>) -> Result<Filter, Stop> {
        let until = self.until.map(|until| until.resolve(now));
        let since = self.since.map(|since| since.resolve(now));
        let since = since.or(by_default.map(|length| until.unwrap_or(now) - length));
        if let (Some(since), Some(until)) = (since, until) {
            after(since, until)?;
        }
        Ok(Filter {
            service: self.service.as_ref().map(|service| context.service(service)).transpose()?,
            region: self.region.map(known_region).transpose()?,
            since,
            until,
            ..Filter::default()
        })
    }
}

/// Refuses a time that ends before it begins.
pub fn after(since: DateTime<Utc>, until: DateTime<Utc>) -> Result<(), Stop> {
    if since < until {
        return Ok(());
    }
    Err(Stop::usage(format!("--since ({since}) is not before --until ({until})")).hint("exchange the two"))
}
