//! The table of incidents of docs/detection.md: whole populations of posts through the fold.
//! `cargo bench --bench incident_table [-- tune] [full] [list]`; without `full` a sixth of it.

#![allow(clippy::print_stdout, reason = "a table is what this program is for")]

#[path = "../../tests/sim/detectors.rs"]
mod detectors;
mod oracle;
mod peers;
#[path = "../../tests/sim/population.rs"]
mod population;
#[expect(dead_code, reason = "shared with other tables and the tests, which use the rest")]
#[path = "../../tests/sim/mod.rs"]
mod sim;
mod table;

use population::{Family, Population};
use std::collections::BTreeMap;
use std::sync::Mutex;
use table::Table;
use whatsdown::count::{KeyHash, ListeningSpan};
use whatsdown::incident::Incident;
use whatsdown::incident::related::Ties;
use whatsdown::reading::Catalogue;
use whatsdown::track::{Settings, Track};

/// Weeks of one population, the first of which is for learning alone.
const WEEKS: usize = 5;
const THREADS: usize = 2;
/// Minutes after a true end in which an incident may still belong to it.
const TALK: i64 = 60;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let says = |word: &str| words.iter().any(|said| said == word);
    if !says("--bench") {
        return; // `cargo test --benches` only wants to know that it starts
    }
    let family = if says("tune") { Family::Tune } else { Family::Report };
    let populations = if says("full") { 13 } else { 2 };
    let next = Mutex::new(0..populations);
    let table = Mutex::new(Table::listing(says("list")));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(seed) = next.lock().ok().and_then(|mut seeds| seeds.next()) {
                    let population = Population::drawn(family, seed, WEEKS);
                    let incidents = fold(&population);
                    let watched = table::watched(&population);
                    if let Ok(mut table) = table.lock() {
                        table.add(&population, &incidents, watched);
                    }
                }
            });
        }
    });
    if let Ok(table) = table.lock() {
        table.print();
    }
}

/// The real fold over the population's mentions, closed minute by minute.
fn fold(population: &Population) -> Vec<Incident<KeyHash>> {
    let ties =
        Ties::of(Catalogue::embedded().map(|catalogue| catalogue.groups().to_vec()).unwrap_or_default().as_slice());
    let settings = Settings { false_alarms_per_month: 1.0 };
    let mut track = Track::default();
    let second = |minute: usize| (population.first.0 + minute as i64) * 60;
    for network in ["bluesky", "mastodon"] {
        let span = |heard, from, until| ListeningSpan {
            network: network.to_owned(),
            instance: network.to_owned(),
            heard,
            from,
            until,
            why: None,
        };
        track.listen(&span(true, second(0), second(population.minutes)));
        for (_, from, length) in population.gaps.iter().filter(|gap| gap.0 == network) {
            track.listen(&span(false, second(*from), second(from + length)));
        }
    }
    let mut incidents = BTreeMap::new();
    let mut mentions = population.mentions.iter().peekable();
    for offset in 0..population.minutes {
        let minute = population.first + offset as i64;
        while let Some(mention) = mentions.next_if(|mention| mention.minute() <= minute) {
            track.add(mention);
        }
        incidents.extend(track.close_through(minute, None, &settings, &ties).incidents);
    }
    incidents.into_values().collect()
}

fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
        .get(((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1)))
        .copied()
        .unwrap_or(f64::NAN)
}
