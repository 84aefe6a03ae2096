//! `whatsdown record`: what sources really answer, without people and secrets, for those who report or test a misread
//! answer.

use super::context::Context;
use super::failure::{Exit, Stop};
use super::file;
use crate::clock;
use crate::source::Source;
use crate::source::http::Client;
use crate::source::recording::{Line, Lines, Recorder};
use crate::source::runner::{self, Backoff};
use crate::when::duration;
use chrono::TimeDelta;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// Answers that are enough of a source that costs money.
const PAID_ANSWERS: usize = 2;

/// Keep what sources really answer, without people and secrets, as files for a report or a test
#[derive(clap::Args)]
pub struct Args {
    /// As `whatsdown sources` names them; `mastodon` stands for all of its instances
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<String>,
    /// The folder to write into, one file for each source
    #[arg(short, long, value_name = "FOLDER", default_value = "recordings")]
    output: PathBuf,
    /// How long to listen, unless enough has come before
    #[arg(long = "for", value_name = "DURATION", default_value = "1m", value_parser = duration)]
    span: TimeDelta,
    /// Answers and frames of each source that are enough
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    answers: usize,
}

pub fn run(args: &Args, context: &mut Context) -> Result<Exit, Stop> {
    let sources = chosen(args, context.sources(&BTreeMap::new())?)?;
    let client = Client::new(&context.config()?.sources.http).map_err(Stop::usage)?;
    std::fs::create_dir_all(&args.output)
        .map_err(|error| Stop::failed(format!("cannot make the folder {}: {error}", args.output.display())))?;
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(Stop::failed)?;
    let mut recorded: BTreeMap<String, Lines> = BTreeMap::new();
    let mut all = 0;
    let mut recorders: Vec<Box<dyn Source>> = Vec::new();
    for source in sources {
        let lines = recorded.entry(source.name().to_owned()).or_default().clone();
        let most = if source.spends() { args.answers.min(PAID_ANSWERS) } else { args.answers };
        all += most;
        recorders.push(Box::new(Recorder::new(source, key, lines, most)));
    }
    let enough = || recorded.values().map(count).sum::<usize>() >= all;
    let runtime = tokio::runtime::Runtime::new().map_err(Stop::failed)?;
    let told = runtime.block_on(listen(recorders, client, args.span.to_std().unwrap_or_default(), enough));
    let mut missing = 0;
    for (name, lines) in &recorded {
        let lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.is_empty() {
            missing += 1;
            let why = told.get(name).map_or("it did not answer in time", String::as_str);
            context.note(&format!("{name}: nothing was recorded: {why}"));
            continue;
        }
        let path = write(&args.output, name, &lines)?;
        context.out.text(&format!("{}\n", path.display()))?;
    }
    if missing == recorded.len() {
        return Ok(Exit::Failed);
    }
    context.note("Read it before you pass it on: names, ids and words are replaced; times and numbers are not.");
    Ok(Exit::Done)
}

/// The sources that were asked for, by their whole name or its first part.
fn chosen(args: &Args, sources: Vec<Box<dyn Source>>) -> Result<Vec<Box<dyn Source>>, Stop> {
    let known: Vec<String> = sources.iter().map(|source| source.name().to_owned()).collect();
    let named = |name: &str, asked: &String| name == asked || name.split(':').next() == Some(asked.as_str());
    for asked in &args.sources {
        if !known.iter().any(|name| named(name, asked)) {
            let hint = format!("there are {}; `whatsdown check` says which are off, and why", known.join(", "));
            return Err(Stop::usage(format!("there is no source `{asked}`")).hint(hint));
        }
    }
    Ok(sources.into_iter().filter(|source| args.sources.iter().any(|asked| named(source.name(), asked))).collect())
}

fn count(lines: &Lines) -> usize {
    lines.lock().unwrap_or_else(PoisonError::into_inner).len()
}

/// Runs the sources as the job would, and stores nothing. Gives what each said last that went wrong.
async fn listen(
    sources: Vec<Box<dyn Source>>,
    client: Client,
    span: Duration,
    enough: impl Fn() -> bool,
) -> BTreeMap<String, String> {
    let (sender, mut batches) = mpsc::channel(1);
    let (stop, stopped) = watch::channel(false);
    let runner = tokio::spawn(runner::run(sources, None, client, clock::now, Backoff::default(), sender, stopped));
    let until = Instant::now() + span;
    let mut told = BTreeMap::new();
    while !enough() {
        match tokio::time::timeout_at(until, batches.recv()).await {
            Ok(Some(batch)) => {
                if let Some(failure) = batch.health.last_error {
                    told.insert(batch.source, failure.message);
                }
            }
            Ok(None) | Err(_) => break,
        }
    }
    let _ = stop.send(true);
    runner.abort();
    told
}

fn write(folder: &Path, name: &str, lines: &[Line]) -> Result<PathBuf, Stop> {
    let plain = |sign: char| sign.is_ascii_alphanumeric() || ".-".contains(sign);
    let path = folder.join(format!("{}.jsonl", name.replace(|sign| !plain(sign), "_")));
    let lines: Result<Vec<String>, _> = lines.iter().map(serde_json::to_string).collect();
    let text = lines.map_err(Stop::failed)?.join("\n") + "\n";
    file::replace(&path, &text).map_err(Stop::failed)?;
    Ok(path)
}
