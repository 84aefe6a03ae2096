//! The live sources against recorded answers, a simulated instance, and servers that fail. All traffic stays
//! on loopback.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod compliance;
mod days;
mod jetstream;
mod keyed;
mod keyless;
mod lemmy;
mod mastodon;
mod newsletter;
mod profiles;
mod recordings;
mod runner;
mod servers;
mod simulation;
mod streams;
mod tls;

use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use whatsdown::reading::Dialect;
use whatsdown::source::keyed::{Given, Watched};
use whatsdown::source::status::Readable;
use whatsdown::source::{self, Config, ConfigError, Cursor, Page, Source};

/// The sources' defaults.
fn config() -> Config {
    whatsdown::config::Config::load(None).unwrap().sources
}

/// Bluesky alone, as after a restart with `cursor`.
fn bluesky(cursor: Option<&str>) -> Box<dyn Source> {
    let mut config = config();
    config.mastodon.enabled = false;
    build(&config, &[], "bluesky", cursor.map(|cursor| Cursor(cursor.to_owned())), Utc::now())
}

/// Bluesky and Mastodon, where the catalogue is empty.
fn made(
    config: &Config,
    tags: &[String],
    cursors: &BTreeMap<String, Cursor>,
    now: DateTime<Utc>,
) -> Result<Vec<Box<dyn Source>>, ConfigError> {
    let mut config = config.clone();
    (config.hackernews.enabled, config.lemmy.enabled, config.ioda.enabled) = (false, false, false);
    source::build(&config, tags, &Given { services: &[], cursors, now })
}

/// The first source of a configuration, as after a restart with `cursor`.
fn build(config: &Config, tags: &[String], name: &str, cursor: Option<Cursor>, now: DateTime<Utc>) -> Box<dyn Source> {
    let cursors: BTreeMap<String, Cursor> = cursor.map(|cursor| (name.to_owned(), cursor)).into_iter().collect();
    let mut sources = made(config, tags, &cursors, now).unwrap();
    assert_eq!(sources[0].name(), name);
    sources.swap_remove(0)
}

/// All sources of a configuration that are on.
fn build_all(
    config: &Config,
    tags: &[String],
    cursors: &BTreeMap<String, Cursor>,
    now: DateTime<Utc>,
) -> Vec<Box<dyn Source>> {
    let mut services = keyed::services();
    services[0].networks = vec![812];
    services.extend(Dialect::ALL.iter().map(|dialect| {
        let (page, parts) = (config.radar.server.clone(), Vec::new());
        let status = Some(Readable { dialect: *dialect, page, parts });
        Watched { id: dialect.to_string(), status, ..Watched::default() }
    }));
    let given = Given { services: &services, cursors, now };
    let mut all = source::build(config, tags, &given).unwrap();
    all.append(&mut source::keyed::build(config, &given).unwrap().on);
    all
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn page(status: u16, body: &str, asked_at: DateTime<Utc>) -> Page {
    Page { asked_at, status: status.try_into().unwrap(), body: body.as_bytes().to_vec() }
}

fn tags(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
