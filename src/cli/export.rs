//! `whatsdown export`: everything of a kind, for other programs.

use super::context::Context;
use super::failure::{Exit, Stop};
use super::format::Format;
use super::out::{Out, stop};
use super::select::Select;
use crate::answer::{CountRow, ExposureRow, Spike};
use crate::incident::Incident;
use crate::post::Volume;
use chrono::{DateTime, SecondsFormat, Utc};
use std::io;
#[cfg(feature = "parquet")]
use std::io::IsTerminal as _;

/// Everything of a kind as JSONL, CSV or, where built with it, Parquet
#[derive(clap::Args)]
pub struct Args {
    what: What,
    #[command(flatten)]
    select: Select,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum What {
    /// Each minute's posts and authors, by service, region, source and kind
    Counts,
    /// Each minute's number of posts that match a query, where a network tells it without the posts
    Volumes,
    /// Each minute's share that each source was heard, and how many posts it brought
    Exposure,
    Spikes,
    Incidents,
}

pub fn run(args: &Args, context: &mut Context) -> Result<Exit, Stop> {
    let format = match context.global.format {
        // One object a line is what `--json` means for what may be endless.
        None => Format::Jsonl,
        Some(_) => context.format(&[Format::Jsonl, Format::Csv, Format::Parquet, Format::Json])?,
    };
    let store = args.select.store(context)?;
    let filter = args.select.filter(context, store.now()?, None)?;
    let columns: &[&str] = match args.what {
        What::Counts => &COUNT_COLUMNS,
        What::Volumes => &VOLUME_COLUMNS,
        What::Exposure => &EXPOSURE_COLUMNS,
        What::Spikes => &SPIKE_COLUMNS,
        What::Incidents => &INCIDENT_COLUMNS,
    };
    let mut rows = Rows { form: Form::new(format, columns)?, out: &mut context.out };
    rows.head(columns)?;
    match args.what {
        What::Counts => {
            let mut stopped = Ok(());
            let mut give = |row: CountRow| {
                stopped = rows.row(&row, || count_cells(&row));
                // The store only needs to know that it should stop; why is kept here.
                stopped.as_ref().map_err(|_| io::Error::from(io::ErrorKind::Interrupted)).copied()
            };
            let ended = store.counts(&filter, &mut give)?;
            stopped?;
            ended.map_err(|error| stop(&error))?;
        }
        What::Volumes => {
            for volume in store.volumes(&filter)? {
                rows.row(&volume, || volume_cells(&volume))?;
            }
        }
        What::Exposure => {
            for row in store.exposures(filter.since, filter.until.unwrap_or(store.now()?))? {
                rows.row(&row, || exposure_cells(&row))?;
            }
        }
        What::Spikes => {
            for spike in store.spikes(&filter)? {
                rows.row(&spike, || spike_cells(&spike))?;
            }
        }
        What::Incidents => {
            for incident in store.incidents(&filter)? {
                rows.row(&incident, || incident_cells(&incident))?;
            }
        }
    }
    #[cfg(feature = "parquet")]
    rows.finish()?;
    Ok(Exit::Done)
}

/// The form in which rows leave.
enum Form {
    Json,
    Csv,
    #[cfg(feature = "parquet")]
    Parquet(Box<super::parquet::Table<io::Stdout>>),
}

impl Form {
    #[cfg(feature = "parquet")]
    fn new(format: Format, columns: &[&str]) -> Result<Form, Stop> {
        match format {
            Format::Csv => Ok(Form::Csv),
            Format::Parquet if io::stdout().is_terminal() => {
                Err(Stop::usage("Parquet is not for a terminal").hint("send it to a file: > counts.parquet"))
            }
            Format::Parquet => Ok(Form::Parquet(Box::new(super::parquet::Table::new(io::stdout(), columns)?))),
            _ => Ok(Form::Json),
        }
    }

    #[cfg(not(feature = "parquet"))]
    fn new(format: Format, _: &[&str]) -> Result<Form, Stop> {
        match format {
            Format::Csv => Ok(Form::Csv),
            Format::Parquet => Err(Stop::usage("this program was built without Parquet")
                .hint("build it with `cargo build --release --features parquet`, or use --format csv")),
            _ => Ok(Form::Json),
        }
    }
}

/// Rows on their way out.
struct Rows<'a> {
    form: Form,
    out: &'a mut Out,
}

impl Rows<'_> {
    fn head(&mut self, columns: &[&str]) -> Result<(), Stop> {
        if matches!(self.form, Form::Csv) {
            self.csv_line(columns.iter().map(|name| (*name).to_owned()))
        } else {
            Ok(())
        }
    }

    fn row<const N: usize>(
        &mut self,
        row: &impl serde::Serialize,
        cells: impl Fn() -> [String; N],
    ) -> Result<(), Stop> {
        match &mut self.form {
            Form::Json => self.out.json(row),
            Form::Csv => self.csv_line(cells().into_iter().map(harmless)),
            #[cfg(feature = "parquet")]
            Form::Parquet(table) => table.row(cells().to_vec()),
        }
    }

    fn csv_line(&mut self, cells: impl Iterator<Item = String>) -> Result<(), Stop> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(cells).map_err(Stop::failed)?;
        let line = writer.into_inner().map_err(Stop::failed)?;
        self.out.text(&String::from_utf8_lossy(&line))
    }

    #[cfg(feature = "parquet")]
    fn finish(self) -> Result<(), Stop> {
        if let Form::Parquet(table) = self.form { table.finish() } else { Ok(()) }
    }
}

/// A spreadsheet takes text that begins so for a formula; an apostrophe before it makes it text.
fn harmless(cell: String) -> String {
    let starts = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
    let formula = cell.trim_start_matches(' ').starts_with(starts) && cell.parse::<f64>().is_err();
    if formula { format!("'{cell}") } else { cell }
}

fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

const COUNT_COLUMNS: [&str; 7] = ["at", "service", "region", "source", "kind", "posts", "authors"];

fn count_cells(row: &CountRow) -> [String; 7] {
    [
        stamp(row.at),
        row.service.to_string(),
        row.region.to_string(),
        row.source.clone(),
        row.kind.clone(),
        row.posts.to_string(),
        row.authors.to_string(),
    ]
}

const VOLUME_COLUMNS: [&str; 5] = ["at", "service", "source", "query", "posts"];

fn volume_cells(volume: &Volume) -> [String; 5] {
    let Volume { at, service, source, query, posts } = volume;
    [stamp(*at), service.clone(), source.clone(), query.clone(), posts.to_string()]
}

const EXPOSURE_COLUMNS: [&str; 4] = ["at", "source", "heard", "posts"];

fn exposure_cells(row: &ExposureRow) -> [String; 4] {
    [stamp(row.at), row.source.clone(), row.heard.to_string(), row.posts.to_string()]
}

const SPIKE_COLUMNS: [&str; 9] =
    ["at", "until", "service", "region", "observed", "expected", "score", "incident", "echo_of"];

fn spike_cells(spike: &Spike) -> [String; 9] {
    [
        stamp(spike.at),
        stamp(spike.until),
        spike.service.to_string(),
        spike.region.to_string(),
        spike.observed.to_string(),
        spike.expected.to_string(),
        spike.score.to_string(),
        spike.incident.clone().unwrap_or_default(),
        spike.echo_of.clone().unwrap_or_default(),
    ]
}

const INCIDENT_COLUMNS: [&str; 16] = [
    "id",
    "service",
    "state",
    "start",
    "start_low",
    "start_high",
    "end",
    "end_low",
    "end_high",
    "detected_at",
    "acknowledged_at",
    "reports",
    "authors",
    "confidence",
    "regions",
    "retracted_at",
];

fn incident_cells(incident: &Incident) -> [String; 16] {
    let optional = |at: Option<DateTime<Utc>>| at.map(stamp).unwrap_or_default();
    let regions: Vec<&str> = incident.regions.iter().map(|impact| impact.region.as_str()).collect();
    [
        incident.id.clone(),
        incident.service.to_string(),
        incident.state.to_string(),
        stamp(incident.start.estimate),
        stamp(incident.start.low),
        stamp(incident.start.high),
        optional(incident.end.map(|end| end.estimate)),
        optional(incident.end.map(|end| end.low)),
        optional(incident.end.map(|end| end.high)),
        stamp(incident.detected_at),
        optional(incident.acknowledged_at),
        incident.reports.to_string(),
        incident.authors.to_string(),
        incident.confidence.to_string(),
        regions.join(" "),
        optional(incident.retracted_at),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn formulas_become_text_and_numbers_stay() {
        for (cell, expected) in [
            ("=1+1", "'=1+1"),
            ("@x", "'@x"),
            ("-0.5", "-0.5"),
            ("tiktok", "tiktok"),
            (" =1", "' =1"),
            ("\t=1", "'\t=1"),
            ("＝1", "'＝1"),
            ("-1+1|cmd", "'-1+1|cmd"),
        ] {
            assert_eq!(harmless(cell.to_owned()), expected);
        }
    }

    #[test]
    fn an_incident_in_csv_has_its_intervals() {
        let cells = incident_cells(&fixture::finished().incident);
        let told: Vec<String> =
            INCIDENT_COLUMNS.iter().zip(cells).map(|(name, cell)| format!("{name}={cell}")).collect();
        insta::assert_snapshot!(told.join("\n"), @"
        id=examplegram-20240305T2002Z
        service=examplegram
        state=resolved
        start=2024-03-05T20:02:00Z
        start_low=2024-03-05T19:58:00Z
        start_high=2024-03-05T20:05:00Z
        end=2024-03-05T21:44:00Z
        end_low=2024-03-05T21:38:00Z
        end_high=2024-03-05T21:52:00Z
        detected_at=2024-03-05T20:06:00Z
        acknowledged_at=2024-03-05T21:00:00Z
        reports=812
        authors=797
        confidence=0.9991
        regions=world GB US US-TX JP
        retracted_at=
        ");
    }
}
