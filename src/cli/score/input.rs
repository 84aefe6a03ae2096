//! Reads `timestamp,value`, row by row, and refuses what is no even series with the line and what to do.

use crate::cli::failure::Stop;
use crate::report::time::duration;
use crate::when;
use chrono::{DateTime, TimeDelta, Utc};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Rows after which the step is settled. Before that a shorter one may turn up, where the first rows have gaps.
const SETTLED: u32 = 100;
/// What is written where there is no value.
const EMPTY: [&str; 5] = ["", "na", "nan", "null", "none"];

/// One row of the series.
pub struct Row<'a> {
    /// The time as it was written.
    pub timestamp: &'a str,
    pub time: DateTime<Utc>,
    /// The value as it was written; empty where there is none.
    pub text: &'a str,
    pub value: Option<f64>,
}

/// The rows of a file, in its order.
pub struct Rows<R> {
    csv: csv::Reader<R>,
    name: String,
    timestamp: usize,
    value: usize,
    record: csv::StringRecord,
    last: Option<DateTime<Utc>>,
    step: Option<TimeDelta>,
    read: u32,
}

impl Rows<Box<dyn Read>> {
    pub fn open(path: &Path) -> Result<Self, Stop> {
        if path == Path::new("-") {
            return Rows::new(Box::new(io::stdin().lock()), "standard input".to_owned());
        }
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| {
            Stop::failed(format!("cannot read {name}: {error}"))
                .hint("give a CSV file with the columns `timestamp` and `value`, or `-` for standard input")
        })?;
        Rows::new(Box::new(file), name)
    }
}

impl<R: Read> Rows<R> {
    /// Reads the header. The two columns may stand anywhere; others are passed over.
    pub fn new(input: R, name: String) -> Result<Rows<R>, Stop> {
        let mut csv = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(input);
        let header = csv.headers().map_err(|error| unreadable(&name, &error))?.clone();
        let column = |wanted: &str| {
            let place = header.iter().position(|cell| cell.trim_start_matches('\u{feff}').eq_ignore_ascii_case(wanted));
            place.ok_or_else(|| no_column(&name, wanted, &header))
        };
        let (timestamp, value) = (column("timestamp")?, column("value")?);
        let record = csv::StringRecord::new();
        Ok(Rows { csv, name, timestamp, value, record, last: None, step: None, read: 0 })
    }

    /// The next row, none at the end.
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>, Stop> {
        if !self.csv.read_record(&mut self.record).map_err(|error| unreadable(&self.name, &error))? {
            return Ok(None);
        }
        let timestamp = self.record.get(self.timestamp).unwrap_or_default();
        let time = when::time(timestamp).ok_or_else(|| {
            self.wrong(format!("`{timestamp}` is no time"))
                .hint("write times as 2021-07-06T19:29:00Z, 2021-07-06 19:29 (UTC) or 2021-07-06")
        })?;
        self.check_step(time)?;
        let text = self.record.get(self.value).unwrap_or_default();
        let value = if EMPTY.iter().any(|empty| text.eq_ignore_ascii_case(empty)) {
            None
        } else {
            let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
            Some(number.ok_or_else(|| {
                self.wrong(format!("`{text}` is no number"))
                    .hint("write numbers as 1234.5; leave an unknown value empty")
            })?)
        };
        (self.last, self.read) = (Some(time), self.read.saturating_add(1));
        let timestamp = self.record.get(self.timestamp).unwrap_or_default();
        let text = if value.is_some() { self.record.get(self.value).unwrap_or_default() } else { "" };
        Ok(Some(Row { timestamp, time, text, value }))
    }

    /// Times go forward by multiples of one step.
    fn check_step(&mut self, time: DateTime<Utc>) -> Result<(), Stop> {
        let Some(last) = self.last else { return Ok(()) };
        let passed = time - last;
        if passed <= TimeDelta::zero() {
            let what =
                if passed.is_zero() { "the same time as in the row before" } else { "a time before the last row's" };
            return Err(self.wrong(what).hint("sort the rows by time, with one row for each"));
        }
        let step = self.step.unwrap_or(passed);
        let common = common(step, passed);
        // Without the second condition a few odd seconds would make a series of seconds, nearly all of them missing.
        if common != step && (self.read >= SETTLED || common * 4 < step.min(passed)) {
            let what = format!("{} after the row before, while rows are {} apart", length(passed), length(step));
            return Err(self.wrong(what).hint(
                "rows must follow each other at one even step, of which some may be left out; bring the series to one first \
                 (months are not even: take weeks or days; where clocks change, write times in UTC)",
            ));
        }
        self.step = Some(common);
        Ok(())
    }

    fn wrong(&self, what: impl std::fmt::Display) -> Stop {
        let line = self.record.position().map_or(0, csv::Position::line);
        Stop::failed(format!("{}:{line}: {what}", self.name))
    }
}

fn no_column(name: &str, wanted: &str, header: &csv::StringRecord) -> Stop {
    if header.is_empty() {
        return Stop::failed(format!("{name} is empty")).hint("begin it with the line `timestamp,value`");
    }
    let found: Vec<&str> = header.iter().collect();
    Stop::failed(format!("{name}:1: there is no column `{wanted}`, only `{}`", found.join("`, `")))
        .hint("begin the file with a line that names the columns: `timestamp,value`, with a comma between them")
}

fn unreadable(name: &str, error: &csv::Error) -> Stop {
    let line = error.position().map(|position| format!(":{}", position.line())).unwrap_or_default();
    let why = match error.kind() {
        csv::ErrorKind::Io(error) => error.to_string(),
        csv::ErrorKind::Utf8 { .. } => "it is not UTF-8 text".to_owned(),
        _ => error.to_string(),
    };
    Stop::failed(format!("cannot read {name}{line}: {why}")).hint("give a plain CSV file in UTF-8")
}

/// The longest step of which both lengths are multiples, in milliseconds.
fn common(one: TimeDelta, other: TimeDelta) -> TimeDelta {
    let (mut one, mut other) = (one.num_milliseconds(), other.num_milliseconds());
    while other != 0 {
        (one, other) = (other, one % other);
    }
    TimeDelta::milliseconds(one)
}

fn length(passed: TimeDelta) -> String {
    if passed < TimeDelta::minutes(2) { format!("{} s", passed.as_seconds_f64()) } else { duration(passed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows as text, or the message and hint with which reading stops.
    fn read(text: &str) -> Result<Vec<String>, String> {
        let told = |stop| match stop {
            Stop::Failure(failure) => format!("{} / {}", failure.message, failure.hint.unwrap_or_default()),
            Stop::ClosedPipe => "closed".to_owned(),
        };
        let mut rows = Rows::new(text.as_bytes(), "f.csv".to_owned()).map_err(told)?;
        let mut read = Vec::new();
        while let Some(row) = rows.next_row().map_err(told)? {
            read.push(format!("{} {} {:?}", row.timestamp, row.time.format("%FT%TZ"), row.value));
        }
        Ok(read)
    }

    #[test]
    fn rows_are_read_whatever_their_columns_and_times_are_like() {
        let text = "\u{feff}note,Value, TIMESTAMP\na,1,2021-07-06\n,-2.5,2021-07-06 06:00\n,,2021-07-06T18:00:00+06:00\nb,NaN,2021-07-07T00:00:00.000Z\n";
        insta::assert_snapshot!(read(text).unwrap().join("\n"), @"
        2021-07-06 2021-07-06T00:00:00Z Some(1.0)
        2021-07-06 06:00 2021-07-06T06:00:00Z Some(-2.5)
        2021-07-06T18:00:00+06:00 2021-07-06T12:00:00Z None
        2021-07-07T00:00:00.000Z 2021-07-07T00:00:00Z None
        ");
    }

    #[test]
    fn a_step_may_turn_out_shorter_while_the_first_rows_have_gaps() {
        let rows = |minutes: &[u32]| {
            let row = |minute: &u32| format!("2021-07-06T{:02}:{:02},1\n", minute / 60, minute % 60);
            read(&("timestamp,value\n".to_owned() + &minutes.iter().map(row).collect::<String>()))
        };
        assert_eq!(rows(&[0, 15, 20, 25, 60]).unwrap().len(), 5);
        assert_eq!(rows(&[0, 10, 25]).unwrap().len(), 3);
        assert!(
            rows(&[0, 5, 10, 16])
                .unwrap_err()
                .contains("f.csv:5: 6 min after the row before, while rows are 5 min apart")
        );
        let mut long: Vec<u32> = (0..=SETTLED).map(|row| 10 * row).collect();
        long.push(10 * SETTLED + 5);
        assert!(rows(&long).unwrap_err().contains("f.csv:103: 5 min after"));
    }

    #[test]
    fn what_is_no_series_is_told_with_its_line_and_what_to_do() {
        for (text, told) in [
            ("", "f.csv is empty / begin it with the line `timestamp,value`"),
            ("2021-07-06,1\n", "f.csv:1: there is no column `timestamp`, only `2021-07-06`, `1`"),
            ("timestamp;value\n", "only `timestamp;value`"),
            ("timestamp,count\n", "there is no column `value`, only `timestamp`, `count`"),
            ("timestamp,value\n2021-07-06,1\nyesterday,2\n", "f.csv:3: `yesterday` is no time / write times as"),
            ("timestamp,value\n2021-07-06,1\n2021-07-06,2\n", "f.csv:3: the same time as in the row before / sort"),
            ("timestamp,value\n2021-07-06,1\n2021-07-05,2\n", "f.csv:3: a time before the last row's / sort"),
            ("timestamp,value\n2021-07-06,\"1,000\"\n", "f.csv:2: `1,000` is no number / write numbers as"),
            ("timestamp,value\n2021-07-06,inf\n", "f.csv:2: `inf` is no number"),
        ] {
            let said = read(text).unwrap_err();
            assert!(said.contains(told), "{said}");
        }
    }
}
