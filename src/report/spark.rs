//! Small pictures that stand beside words: a sparkline, and the week's rhythm.

use super::words;
use crate::answer::SeriesPoint;
use chrono::{Datelike as _, Timelike as _, Weekday};
use chrono_tz::Tz;
use std::fmt::Write as _;

/// Below this share of a step, its count says nothing.
const HEARD: f64 = 0.5;
const SPARK_HEIGHT: f64 = 24.0;
/// The width of one step of a sparkline.
const SPARK_STEP: f64 = 2.0;
/// The side of one hour of the rhythm, and the room for its names.
const CELL: f64 = 20.0;
const LEFT: f64 = 34.0;
const TOP: f64 = 18.0;

/// Counts step by step as a sparkline; a stretch without a line is one in which nobody listened. It says nothing to a
/// screen reader: the words beside it do.
pub(crate) fn line(observed: &[u64], heard: &[f64]) -> String {
    let top = observed.iter().copied().max().unwrap_or_default().max(1) as f64;
    let width = observed.len() as f64 * SPARK_STEP;
    let silent = |step: usize| heard.get(step).is_none_or(|heard| *heard <= 0.0);
    let mut path = String::new();
    for (step, count) in observed.iter().enumerate() {
        if silent(step) {
            continue;
        }
        let (x, y) = (step as f64 * SPARK_STEP, SPARK_HEIGHT - 1.0 - *count as f64 / top * (SPARK_HEIGHT - 2.0));
        // A lone step is a line without length, which its round ends make a dot.
        let begins = step == 0 || silent(step - 1);
        let _ = write!(path, "{}{x:.0} {y:.1}", if begins { format!("M{x:.0} {y:.1}L") } else { "L".to_owned() });
    }
    format!(
        r#"<svg class="spark" viewBox="0 0 {width} {SPARK_HEIGHT}" preserveAspectRatio="none" aria-hidden="true"><path d="{path}"/></svg>"#
    )
}

/// What is usual at each hour of the week.
pub(crate) struct Rhythm {
    pub picture: String,
    /// The same, said.
    pub words: String,
}

/// The rhythm of the expected counts of a week in steps of an hour, in the reader's zone. `None` where nothing is
/// expected, since nothing was learnt yet.
pub(crate) fn rhythm(week: &[SeriesPoint], zone: Tz) -> Option<Rhythm> {
    let mut usual = [[None; 24]; 7];
    for point in week.iter().filter(|point| point.heard >= HEARD) {
        let local = point.at.with_timezone(&zone);
        // The expectation is of what could be heard.
        usual[local.weekday().num_days_from_monday() as usize][local.hour() as usize] =
            Some(point.expected / point.heard);
    }
    let known = || {
        let hours = |(day, hours): (usize, &[Option<f64>; 24])| {
            let day = day as u8;
            hours.iter().enumerate().filter_map(move |(hour, usual)| Some((day, hour, (*usual)?))).collect::<Vec<_>>()
        };
        usual.iter().enumerate().flat_map(hours).collect::<Vec<(u8, usize, f64)>>()
    };
    let most = known().into_iter().max_by(|a, b| a.2.total_cmp(&b.2)).filter(|most| most.2 > 0.0)?;
    let least = known().into_iter().min_by(|a, b| a.2.total_cmp(&b.2))?;
    let words = format!(
        "Most reports are usual on {} from {}, {} in that hour; fewest on {} from {}, {}.",
        weekday(most.0),
        clock(most.1),
        words::expected(most.2),
        weekday(least.0),
        clock(least.1),
        words::expected(least.2)
    );
    Some(Rhythm { picture: picture(&usual, most.2, &words), words })
}

fn picture(usual: &[[Option<f64>; 24]; 7], most: f64, words: &str) -> String {
    let (width, height) = (LEFT + 24.0 * CELL, TOP + 7.0 * CELL);
    let mut svg = format!(
        r#"<svg class="rhythm" viewBox="0 0 {width} {height}" role="img" aria-label="Usual reports by hour of the week. {words}">"#
    );
    for hour in (0..24).step_by(6) {
        let _ = write!(svg, r#"<text x="{}" y="12">{}</text>"#, LEFT + hour as f64 * CELL, clock(hour));
    }
    for (day, hours) in usual.iter().enumerate() {
        let y = TOP + day as f64 * CELL;
        let name = weekday(day as u8).get(..3).unwrap_or_default().to_owned();
        let _ = write!(svg, r#"<text x="0" y="{}">{name}</text>"#, y + 14.0);
        for (hour, usual) in hours.iter().enumerate() {
            let (x, side) = (LEFT + hour as f64 * CELL, CELL - 1.0);
            let (class, opacity, said) = match usual {
                Some(usual) => ("usual", usual / most, format!("{} reports", words::expected(*usual))),
                None => ("gap", 1.0, "not known".to_owned()),
            };
            let _ = write!(
                svg,
                r#"<rect class="{class}" x="{x}" y="{y}" width="{side}" height="{side}" fill-opacity="{opacity:.2}"><title>{} {}: {said}</title></rect>"#,
                weekday(day as u8),
                clock(hour)
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn weekday(day: u8) -> &'static str {
    match Weekday::try_from(day) {
        Ok(Weekday::Mon) | Err(_) => "Monday",
        Ok(Weekday::Tue) => "Tuesday",
        Ok(Weekday::Wed) => "Wednesday",
        Ok(Weekday::Thu) => "Thursday",
        Ok(Weekday::Fri) => "Friday",
        Ok(Weekday::Sat) => "Saturday",
        Ok(Weekday::Sun) => "Sunday",
    }
}

fn clock(hour: usize) -> String {
    format!("{hour:02}:00")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::chart::tests::point;
    use chrono::TimeDelta;

    #[test]
    fn silence_breaks_the_line() {
        let whole = line(&[0, 1, 2, 1], &[1.0; 4]);
        let broken = line(&[0, 1, 0, 1], &[1.0, 1.0, 0.0, 1.0]);
        assert_eq!([whole.matches('M').count(), broken.matches('M').count()], [1, 2], "{broken}");
        assert!(line(&[], &[]).contains("viewBox=\"0 0 0 24\""));
    }

    #[test]
    fn the_rhythm_is_told_in_the_readers_zone() {
        let monday: chrono::DateTime<chrono::Utc> = "2024-03-04T00:00:00Z".parse().unwrap();
        let week: Vec<SeriesPoint> = (0..168)
            .map(|hour| SeriesPoint {
                at: monday + TimeDelta::hours(hour),
                expected: if hour == 40 { 9.0 } else { 1.0 },
                ..point("2024-03-04T00:00:00Z", 0)
            })
            .collect();
        let told = rhythm(&week, Tz::Asia__Tokyo).unwrap();
        assert!(
            told.words.starts_with("Most reports are usual on Wednesday from 01:00, 9.0 in that hour"),
            "{}",
            told.words
        );
        assert_eq!(told.picture.matches("<rect").count(), 168);
        assert!(rhythm(&[], Tz::UTC).is_none());
    }
}
