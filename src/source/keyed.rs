//! The sources that need a key: which of them are on, and why the others are not. docs/keys.md tells how to get the keys.

use super::status::Readable;
use super::{Config, ConfigError, Cursor, Source, mastodon, radar, reddit, threads, tumblr, x};
use crate::secret::{KeyPlace, Secret};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// A service that can be searched for.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    pub id: String,
    /// As it calls itself.
    pub name: String,
    /// Its status page, where a program can read it.
    pub status: Option<Readable>,
    /// The numbers of its autonomous systems, where it is a carrier.
    pub networks: Vec<u32>,
}

/// A source that is off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Off {
    pub source: &'static str,
    /// In words for people: what would turn it on.
    pub why: String,
}

/// What the sources are made from.
pub struct Given<'a> {
    pub services: &'a [Watched],
    pub cursors: &'a BTreeMap<String, Cursor>,
    pub now: DateTime<Utc>,
}

/// The sources that are on, and those that are off.
#[derive(Default)]
pub struct Keyed {
    pub on: Vec<Box<dyn Source>>,
    pub off: Vec<Off>,
}

impl Keyed {
    fn add(&mut self, made: Made<Box<dyn Source>>) -> Result<(), ConfigError> {
        match made? {
            Ok(source) => self.on.push(source),
            Err(off) => self.off.push(off),
        }
        Ok(())
    }
}

/// Makes the sources whose keys are given.
///
/// # Errors
/// A key that is named but cannot be read, an unknown service, a stored cursor that is none.
pub fn build(config: &Config, given: &Given<'_>) -> Result<Keyed, ConfigError> {
    let mut keyed = Keyed::default();
    keyed.add(mastodon::stream::source(&config.mastodon_streaming, config.bluesky.enabled, given))?;
    keyed.add(x::counts(&config.x, given))?;
    keyed.add(x::search(&config.x, given))?;
    keyed.add(reddit::source(&config.reddit, given))?;
    keyed.add(threads::source(&config.threads, given))?;
    keyed.add(tumblr::source(&config.tumblr, given))?;
    keyed.add(radar::source(&config.radar, given))?;
    Ok(keyed)
}

/// What is made where it can be: an error where what is configured is wrong, [`Off`] where nothing is wrong but its key.
pub type Made<T> = Result<Result<T, Off>, ConfigError>;

/// The key at a place, which the configuration calls `name`.
///
/// # Errors
/// A place that was named but holds no key.
pub fn key(source: &'static str, name: &'static str, place: &KeyPlace) -> Made<Secret> {
    let found = place.read().map_err(|cause| ConfigError::Key { key: name, cause })?;
    Ok(found.ok_or_else(|| Off { source, why: format!("no key: {}", place.how()) }))
}

/// The services of these ids, which the configuration lists under `name`.
///
/// # Errors
/// An id that is not in the catalogue.
pub fn chosen<'a>(
    source: &'static str,
    name: &'static str,
    ids: &[String],
    services: &'a [Watched],
) -> Made<Vec<&'a Watched>> {
    let find = |id: &String| {
        let found = services.iter().find(|service| service.id == *id);
        found.ok_or_else(|| ConfigError::NoSuchService { key: name, value: id.clone() })
    };
    let found: Vec<&Watched> = ids.iter().map(find).collect::<Result<_, _>>()?;
    Ok(if found.is_empty() { Err(Off { source, why: format!("`{name}` is empty") }) } else { Ok(found) })
}

/// How people say that a service fails, in a query.
pub const FAILS: &str = "(down OR outage OR \"not working\" OR \"can't log in\" OR \"won't load\")";

/// The services' names as alternatives, in as few queries of at most `limit` bytes as it takes, each with [`FAILS`] and
/// `more` behind it.
pub fn queries(services: &[&Watched], more: &str, limit: usize) -> Vec<String> {
    let whole = |names: &str| format!("({names}) {FAILS}{more}");
    let mut queries: Vec<String> = Vec::new();
    let mut names = String::new();
    for service in services {
        let name = service.name.replace('"', "");
        let name = if name.contains(|sign: char| !sign.is_alphanumeric()) { format!("\"{name}\"") } else { name };
        let longer = if names.is_empty() { name.clone() } else { format!("{names} OR {name}") };
        if !names.is_empty() && whole(&longer).len() > limit {
            queries.push(whole(&names));
            names = name;
        } else {
            names = longer;
        }
    }
    if !names.is_empty() {
        queries.push(whole(&names));
    }
    queries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_hold_every_name_and_keep_to_their_length() {
        let service = |number: usize| Watched {
            id: format!("s{number}"),
            name: format!("Service {number}"),
            ..Watched::default()
        };
        let services: Vec<Watched> = (0..40).map(service).collect();
        let queries = queries(&services.iter().collect::<Vec<_>>(), " -is:retweet", 512);
        assert!(queries.len() > 1 && queries.iter().all(|query| query.len() <= 512 && query.ends_with(" -is:retweet")));
        let names = |name: &str| queries.iter().filter(|query| query.contains(&format!("\"{name}\""))).count();
        assert!(services.iter().all(|service| names(&service.name) == 1));
    }
}
