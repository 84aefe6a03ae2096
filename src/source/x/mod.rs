//! X, by its API, version 2: counts of posts by the minute, and a search. Both cost money. <https://docs.x.com/x-api>
//!
//! Its terms forbid to measure X itself with it, so the service `x` is never asked for.

mod counts;
mod search;

use super::http::Key;
use super::keyed::{self, Given, Made, Off, Watched};
use super::search::{Pace, Price, Searcher};
use super::spending::Micros;
use super::{Source, endpoint, seconds};
use crate::secret::{KeyPlace, Secret};
use reqwest::Url;
use serde::Deserialize;
use std::time::Duration;

const NETWORK: &str = "x";
/// The longest query that is taken, in bytes.
const QUERY_LIMIT: usize = 512;
/// What is never asked for.
const ITSELF: &str = "x";

/// The section `[sources.x]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub server: String,
    /// Where the bearer token is.
    pub token: KeyPlace,
    /// Ids of the services that are asked for.
    pub services: Vec<String>,
    pub counts: CountsConfig,
    pub search: SearchConfig,
}

/// The section `[sources.x.counts]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountsConfig {
    pub enabled: bool,
    pub dollars_a_day: Micros,
    pub dollars_a_request: Micros,
    /// How soon the next service is asked for. The budget may make it later: it is spread over the day.
    #[serde(rename = "every_seconds", deserialize_with = "seconds")]
    pub every: Duration,
    /// How far back the first start reads. X keeps seven days.
    pub backfill_hours: u16,
}

/// The section `[sources.x.search]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchConfig {
    pub enabled: bool,
    pub price: Price,
    pub pace: Pace,
}

/// What both sources need.
struct Access<'a> {
    server: Url,
    token: Secret,
    services: Vec<&'a Watched>,
}

fn access<'a>(source: &'static str, config: &Config, enabled: bool, given: &'a Given<'_>) -> Made<Access<'a>> {
    let token = keyed::key(source, "sources.x.token", &config.token)?;
    let services = keyed::chosen(source, "sources.x.services", &config.services, given.services)?;
    let (token, mut services) = match (token, services) {
        (Ok(token), Ok(services)) => (token, services),
        (Err(off), _) | (_, Err(off)) => return Ok(Err(off)),
    };
    services.retain(|service| service.id != ITSELF);
    let why = match (enabled, services.is_empty()) {
        (false, _) => "`enabled = false` in its section",
        (true, true) => "X may not be asked about itself",
        (true, false) => return Ok(Ok(Access { server: endpoint(&config.server)?, token, services })),
    };
    Ok(Err(Off { source, why: why.to_owned() }))
}

/// The source `x:counts`.
pub(super) fn counts(config: &Config, given: &Given<'_>) -> Made<Box<dyn Source>> {
    let access = match access(counts::NAME, config, config.counts.enabled, given)? {
        Ok(access) => access,
        Err(off) => return Ok(Err(off)),
    };
    Ok(Ok(Box::new(counts::Counts::new(&config.counts, config.search.pace.spacing, access, given)?)))
}

/// The source `x:search`.
pub(super) fn search(config: &Config, given: &Given<'_>) -> Made<Box<dyn Source>> {
    let access = match access(search::NAME, config, config.search.enabled, given)? {
        Ok(access) => access,
        Err(off) => return Ok(Err(off)),
    };
    let queries = keyed::queries(&access.services, " -is:retweet", QUERY_LIMIT);
    let network = search::Recent { server: access.server, key: Key::Bearer(access.token) };
    let SearchConfig { pace, price, .. } = &config.search;
    Ok(Ok(Box::new(Searcher::new(search::NAME, network, pace, Some(*price), queries, given)?)))
}
