//! `whatsdown score`: the detector alone, over a series of values made elsewhere.

mod input;

use super::context::Context;
use super::failure::{Exit, Stop};
use super::format::Format;
use crate::detect::series::{Judged, Series};
use input::{Row, Rows};
use serde::Serialize;
use std::fmt::Write as _;
use std::io::Read;
use std::path::PathBuf;

/// The detector alone: says of each row of a series what was expected, and where an alarm begins
#[derive(clap::Args)]
pub struct Args {
    /// CSV with the columns `timestamp` and `value`, of any even step; rows may be left out and values empty. `-` is
    /// standard input
    file: PathBuf,
}

/// A row as it came, and what is said of it. Numbers are rounded to six digits.
#[derive(Serialize)]
struct Scored {
    timestamp: String,
    value: Option<f64>,
    /// With its band empty before the first value: nothing is expected yet.
    expected: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    score: f64,
    alarm: u8,
}

pub fn run(args: &Args, context: &mut Context) -> Result<Exit, Stop> {
    let format = context.format(&[Format::Csv, Format::Json])?;
    let mut series = Series::default();
    let mut rows = Rows::open(&args.file)?;
    if format == Format::Csv {
        context.out.text("timestamp,value,expected,low,high,score,alarm\n")?;
        let mut line = String::new();
        while let Some(row) = rows.next_row()? {
            line.clear();
            csv(&mut line, &row, series.take(row.time, row.value));
            context.out.text(&line)?;
        }
        return Ok(Exit::Done);
    }
    let mut stopped = None;
    context.out.json_array(std::iter::from_fn(|| {
        next(&mut rows, &mut series).unwrap_or_else(|stop| {
            stopped = Some(stop);
            None
        })
    }))?;
    stopped.map_or(Ok(Exit::Done), Err)
}

fn next(rows: &mut Rows<impl Read>, series: &mut Series) -> Result<Option<Scored>, Stop> {
    let Some(row) = rows.next_row()? else { return Ok(None) };
    let judged = series.take(row.time, row.value);
    let (expected, low, high) = match judged.band {
        Some(band) => (Some(short(band.expected)), Some(short(band.low)), Some(short(band.high))),
        None => (None, None, None),
    };
    let (score, alarm) = (short(judged.score), u8::from(judged.alarm));
    Ok(Some(Scored { timestamp: row.timestamp.to_owned(), value: row.value, expected, low, high, score, alarm }))
}

/// Time and value are echoed as they came; both have been read as what they are, so that they need no quotes.
fn csv(line: &mut String, row: &Row, judged: Judged) {
    let _ = write!(line, "{},{},", row.timestamp, row.text);
    let _ = match judged.band {
        Some(band) => write!(line, "{},{},{},", short(band.expected), short(band.low), short(band.high)),
        None => write!(line, ",,,"),
    };
    let _ = writeln!(line, "{},{}", short(judged.score), u8::from(judged.alarm));
}

/// Rounded to six digits, but never beyond the point.
fn short(number: f64) -> f64 {
    let decimals = 5.0 - number.abs().log10().floor();
    let scale = 10.0_f64.powf(decimals.max(0.0));
    let rounded = (number * scale).round() / scale;
    if rounded.is_finite() { rounded } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_whole_ones_whole() {
        let pairs = [
            (0.0, 0.0),
            (1.0 / 3.0, 0.333_333),
            (-12.345_678_9, -12.345_7),
            (123_456_789.4, 123_456_789.0),
            (1e-320, 1e-320),
        ];
        for (long, shown) in pairs {
            assert_eq!(short(long), shown);
        }
    }
}
