//! `whatsdown backtest`: a replay, held against the outages that are known.

use super::context::Context;
use super::failure::{Exit, Stop};
use super::format::Format;
use super::replay::{self, Recordings};
use super::style::Style;
use super::table::{Cell, Table};
use crate::backtest::truth::{self, Outage, TruthError};
use crate::backtest::{Backtest, Entry, Spread, Verdict, judge};
use crate::report::ink::Ink;
use crate::report::{Audience, time, words};
use crate::store::{Filter, Reader};
use chrono::TimeDelta;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const FORM: &str = r#"The known outages: {"incidents":[{"service":"tiktok","regions":["US"],"start":"2021-07-06T19:30:00Z","end":…}]}, each time a time or {"low":…,"high":…}"#;

/// A replay, held against known outages: what was found, how soon, and how well it was dated
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    recordings: Recordings,
    /// The known outages, in JSON
    #[arg(long, value_name = "FILE", long_help = FORM)]
    truth: PathBuf,
}

/// Only a database that was named with `--db` is kept; else the replay has one of its own, which goes afterwards.
pub fn run(args: &Args, context: &mut Context) -> Result<Exit, Stop> {
    let format = context.format(&[Format::Text, Format::Json])?;
    let known = read(&args.truth, context)?;
    let folder = tempfile::tempdir().map_err(|error| {
        Stop::failed(format!("cannot make a folder for the replay: {error}")).hint("name a database with --db")
    })?;
    let database = context.global.db.clone().unwrap_or_else(|| folder.path().join("backtest.db"));
    let summary = replay::feed(&args.recordings, &database, context)?;
    replay::tell(&summary, &args.recordings, context);
    let (first, last) = summary.heard.ok_or_else(|| {
        Stop::failed("there are no posts in the recordings").hint("give files of one post object a line")
    })?;
    let (known, outside): (Vec<Outage>, Vec<Outage>) = known
        .into_iter()
        .partition(|outage| outage.start.low <= last && outage.end.is_none_or(|end| end.high >= first));
    if !outside.is_empty() {
        let outages = words::count(outside.len() as u64, "known outage");
        context.note(&format!("{outages} outside the time of the recordings left out."));
    }
    let during = Filter { since: Some(first), until: Some(last + TimeDelta::minutes(1)), ..Filter::default() };
    let found = judge(&known, &Reader::open(&database)?.incidents(&during)?, last - first);
    if format == Format::Json {
        context.out.json(&found)?;
    } else {
        let style = context.style(last);
        let text = context.telling(|audience| render(&found, audience, &style))?;
        context.out.text(&text)?;
    }
    Ok(args.recordings.exit(&summary))
}

fn read(path: &Path, context: &Context) -> Result<Vec<Outage>, Stop> {
    let name = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Stop::failed(format!("cannot read {name}: {error}")).hint("name the file of known outages with --truth")
    })?;
    truth::parse(&text, &*context.catalogue()?).map_err(|error| {
        let stop = match error {
            TruthError::Unknown(..) => Stop::usage(format!("{name}: {error}")),
            _ => Stop::failed(format!("{name}: {error}")),
        };
        stop.hint(error.hint())
    })
}

fn render(found: &Backtest, audience: &Audience, style: &Style) -> String {
    let mut out = String::new();
    let mut table =
        Table::new(&["service", "verdict", "began", "said", "#delay", "#start off", "#end off", "=incident"]);
    for entry in &found.incidents {
        let began = entry.truth.as_ref().map(|outage| outage.start.low);
        let detected = entry.detected.as_ref();
        table.row([
            (audience.service)(&entry.service).into(),
            verdict(entry),
            began.map_or_else(String::new, |at| time::stamp(at, style.zone)).into(),
            detected.map_or_else(String::new, |detected| time::stamp(detected.detected_at, style.zone)).into(),
            minutes(entry.detection_delay_minutes).into(),
            off(entry.start_error_minutes, entry.start_covered).into(),
            off(entry.end_error_minutes, entry.end_covered).into(),
            detected.map_or("", |detected| detected.id.as_str()).into(),
        ]);
    }
    if !found.incidents.is_empty() {
        out.push_str(&table.render(style));
        out.push('\n');
    }
    let share = |value: Option<f64>| value.map_or("no data".to_owned(), words::percent);
    let spread = |value: Option<Spread>| {
        value.map_or("no data".to_owned(), |spread| {
            format!("{} (nine in ten: {})", minutes(Some(spread.median)), minutes(Some(spread.p90)))
        })
    };
    let false_alarms = found.false_alarms_per_week.map_or("no data".to_owned(), |rate| format!("{rate:.2}"));
    for (what, value) in [
        ("Recall", format!("{} ({} of {} known outages found)", share(found.recall), found.matched, found.known)),
        ("Precision", format!("{} ({} of {} incidents true)", share(found.precision), found.matched, found.detected)),
        ("False alarms a week", format!("{false_alarms} (in {:.1} weeks)", found.weeks)),
        ("Delay", spread(found.detection_delay_minutes)),
        ("Start off by", spread(found.start_error_minutes)),
        ("End off by", spread(found.end_error_minutes)),
        ("Starts in their interval", share(found.start_coverage)),
        ("Ends in their interval", share(found.end_coverage)),
    ] {
        let _ = writeln!(out, "{what:<26}{value}");
    }
    out
}

fn verdict(entry: &Entry) -> Cell {
    match entry.verdict {
        Verdict::Found => Cell::painted("found", Ink::green),
        Verdict::Missed => Cell::painted("missed", Ink::red),
        Verdict::FalseAlarm => Cell::painted("false alarm", Ink::red),
    }
}

fn minutes(value: Option<f64>) -> String {
    value.map_or_else(String::new, |minutes| format!("{minutes:.1} min"))
}

/// An error, with `!` where the interval does not hold the truth.
fn off(error: Option<f64>, covered: Option<bool>) -> String {
    let mark = if covered == Some(false) { " !" } else { "" };
    minutes(error) + mark
}
