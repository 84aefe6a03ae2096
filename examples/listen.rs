//! Listens to the live sources and writes each batch as one line of JSON to a journal. Started again with the
//! same journal, it goes on where the journal ends.
//!
//! `cargo run --example listen -- SOURCES.toml JOURNAL.jsonl HASHTAG...`

use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use whatsdown::clock;
use whatsdown::post::Event;
use whatsdown::source::{self, Batch, Config, Cursor, http::Client, runner};

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let mut arguments = std::env::args().skip(1);
    let mut argument = |name| arguments.next().context(format!("missing argument {name}"));
    let (config, journal) = (argument("SOURCES.toml")?, argument("JOURNAL.jsonl")?);
    let hashtags: Vec<String> = arguments.collect();
    let config: Config = toml::from_str(&fs::read_to_string(config)?)?;

    // A line that was cut off by the end of the last run was not stored.
    let written = fs::read_to_string(&journal).unwrap_or_default();
    let whole = written.rfind('\n').map_or("", |end| &written[..=end]);
    fs::write(&journal, whole)?;
    let mut cursors = BTreeMap::new();
    for line in whole.lines() {
        let line: Value = serde_json::from_str(line)?;
        if let (Some(source), Some(cursor)) = (line["source"].as_str(), line["cursor"].as_str()) {
            cursors.insert(source.to_owned(), Cursor(cursor.to_owned()));
        }
    }
    let mut journal = OpenOptions::new().append(true).open(&journal)?;

    let sources = source::build(&config, &hashtags, &cursors, clock::now())?;
    let client = Client::new(&config.http)?;
    let (batches, mut received) = tokio::sync::mpsc::channel(16);
    let (stop, shutdown) = tokio::sync::watch::channel(false);
    tokio::spawn(async move {
        let _ = tokio::signal::ctrl_c().await;
        stop.send(true)
    });
    tokio::spawn(runner::run(sources, client, clock::now, runner::Backoff::default(), batches, shutdown));
    while let Some(batch) = received.recv().await {
        journal.write_all(format!("{}\n", line(&batch)).as_bytes())?;
    }
    Ok(())
}

fn line(batch: &Batch) -> Value {
    let (mut posts, mut deleted, mut gaps) = (Vec::new(), Vec::new(), Vec::new());
    for event in &batch.events {
        match event {
            Event::Post(post) => posts.push(post),
            Event::Deleted(key) => deleted.push(key),
            Event::Gap(gap) => gaps.push(gap),
        }
    }
    json!({
        "source": batch.source, "cursor": batch.cursor, "heard": batch.heard, "seen": batch.seen,
        "caught_up": batch.caught_up, "health": batch.health, "posts": posts, "deleted": deleted, "gaps": gaps,
    })
}
