//! What a question selects, for the commands and the API alike: which service, where, from when until when.

use crate::config;
use crate::reading::place::Places;
use crate::reading::{Catalogue, ServiceId};
use crate::region::Region;
use crate::store::Filter;
use crate::when::{NotADuration, When, duration};
use chrono::{DateTime, TimeDelta, Utc};

/// How far back `spikes` and `series` look unless told otherwise.
pub const DAY: TimeDelta = TimeDelta::hours(24);

/// A question that cannot be answered, and what to ask instead.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Wrong {
    pub message: String,
    pub hint: String,
}

/// A question as it was put.
#[derive(Clone, Debug, Default)]
pub struct Question<'a> {
    pub since: Option<When>,
    pub until: Option<When>,
    pub service: Option<&'a str>,
    pub region: Option<Region>,
}

impl Question<'_> {
    /// What it selects when it is `now`, looking back for `by_default` where no time is given.
    pub fn filter(
        &self,
        catalogue: &Catalogue,
        now: DateTime<Utc>,
        by_default: Option<TimeDelta>,
    ) -> Result<Filter, Wrong> {
        let until = self.until.map(|until| until.resolve(now));
        let since = self.since.map(|since| since.resolve(now));
        let since = since.or(by_default.map(|length| until.unwrap_or(now) - length));
        if let (Some(since), Some(until)) = (since, until) {
            after(since, until)?;
        }
        Ok(Filter {
            service: self.service.map(|id| service(catalogue, id)).transpose()?,
            region: self.region.map(region).transpose()?,
            since,
            until,
            ..Filter::default()
        })
    }
}

/// The service of this id, which must be known.
pub fn service(catalogue: &Catalogue, id: &str) -> Result<ServiceId, Wrong> {
    if let Some(service) = catalogue.get(&id.to_ascii_lowercase()) {
        return Ok(service.id.clone());
    }
    let known: Vec<String> = catalogue.services().iter().map(|service| service.id.to_string()).collect();
    let hint = match config::nearest(&id.to_ascii_lowercase(), &known) {
        Some(near) => format!("did you mean `{near}`? `whatsdown services` lists all"),
        None => "`whatsdown services` lists all".to_owned(),
    };
    Err(Wrong { message: format!("there is no service `{id}`"), hint })
}

/// The region, which must exist.
pub fn region(region: Region) -> Result<Region, Wrong> {
    if region == Region::WORLD || Places::embedded().known(region) {
        return Ok(region);
    }
    Err(Wrong {
        message: format!("there is no region `{region}`"),
        hint: "use `world`, a country by its two letters (GB) or a part of one (US-TX)".into(),
    })
}

/// Refuses a time that ends before it begins.
pub fn after(since: DateTime<Utc>, until: DateTime<Utc>) -> Result<(), Wrong> {
    if since < until {
        return Ok(());
    }
    Err(Wrong {
        message: format!("`since` ({since}) is not before `until` ({until})"),
        hint: "exchange the two".into(),
    })
}

#[derive(Debug, thiserror::Error)]
pub enum NotAStep {
    #[error(transparent)]
    NotADuration(#[from] NotADuration),
    #[error("a step is one minute or more, in whole minutes")]
    NotMinutes,
}

/// A step in minutes.
pub fn step(text: &str) -> Result<i64, NotAStep> {
    let length = duration(text)?;
    let minutes = length.num_minutes();
    if minutes < 1 || length != TimeDelta::minutes(minutes) {
        return Err(NotAStep::NotMinutes);
    }
    Ok(minutes)
}
