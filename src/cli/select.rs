//! The options that choose which rows are shown.

use super::context::Context;
use super::failure::Stop;
use crate::region::Region;
use crate::select::{self, Question};
use crate::store::{Filter, Reader};
use crate::when::When;
use chrono::{DateTime, TimeDelta, Utc};

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
    /// Opens the database, once what is asked for is known to exist.
    pub fn store(&self, context: &Context) -> Result<Reader, Stop> {
        if let Some(service) = &self.service {
            context.service(service)?;
        }
        if let Some(region) = self.region {
            select::region(region)?;
        }
        context.store()
    }

    /// What the options select when it is `now`, looking back for `by_default` where no time is given.
    pub fn filter(&self, context: &Context, now: DateTime<Utc>, by_default: Option<TimeDelta>) -> Result<Filter, Stop> {
        let question =
            Question { since: self.since, until: self.until, service: self.service.as_deref(), region: self.region };
        Ok(question.filter(&*context.catalogue()?, now, by_default)?)
    }
}
