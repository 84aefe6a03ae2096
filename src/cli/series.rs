//! `whatsdown series`: counts with the band in which they are expected.

use super::context::Context;
use super::failure::{Exit, Stop};
use super::format::Format;
use super::style::Style;
use super::table::{Cell, Table};
use crate::answer::SeriesPoint;
use crate::region::Region;
use crate::report::ink::Ink;
use crate::report::{chart, svg, time, words};
use crate::select::{self, DAY, after, step};
use crate::when::When;

const BAR: usize = 30;

/// A service's counts with their expected band
#[derive(clap::Args)]
pub struct Args {
    service: String,
    /// `world`, a country (GB) or a part of one (US-TX)
    #[arg(long, default_value = "world")]
    region: Region,
    /// From this time, or so long ago; without it, the last 24 hours
    #[arg(long, value_name = "TIME")]
    since: Option<When>,
    /// Up to this time, or so long ago; without it, now
    #[arg(long, value_name = "TIME")]
    until: Option<When>,
    /// The length of a step, in whole minutes
    #[arg(long, default_value = "5m", value_parser = step)]
    step: i64,
}

pub fn run(args: &Args, context: &mut Context) -> Result<Exit, Stop> {
    let format = context.format(&[Format::Text, Format::Csv, Format::Json, Format::Svg])?;
    let service = context.service(&args.service)?;
    let region = select::region(args.region)?;
    let store = context.store()?;
    let now = store.now()?;
    let until = args.until.map_or(now, |until| until.resolve(now));
    let since = args.since.map_or(until - DAY, |since| since.resolve(now));
    after(since, until)?;
    let points = store.series(&service, region, since, until, args.step)?;
    match format {
        Format::Json => context.out.json_array(&points)?,
        Format::Csv => {
            let csv = csv(&points).map_err(Stop::failed)?;
            context.out.text(&csv)?;
        }
        Format::Svg => {
            let zone = context.style(now).zone;
            let title = context.telling(|audience| {
                let place =
                    if region == Region::WORLD { String::new() } else { format!(" in {}", (audience.region)(region)) };
                format!("Reports on {}{place}", (audience.service)(&service))
            })?;
            context.out.text(&svg::chart(&points, &[], &title, zone))?;
        }
        _ => {
            let style = context.style(now);
            context.out.text(&render(&points, &style))?;
        }
    }
    Ok(Exit::Done)
}

fn csv(points: &[SeriesPoint]) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["at", "observed", "expected", "low", "high", "heard", "incident"])?;
    for point in points {
        writer.write_record([
            point.at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            point.observed.to_string(),
            point.expected.to_string(),
            point.low.to_string(),
            point.high.to_string(),
            point.heard.to_string(),
            point.incident.clone().unwrap_or_default(),
        ])?;
    }
    let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn render(points: &[SeriesPoint], style: &Style) -> String {
    let top = points.iter().map(|point| (point.observed as f64).max(point.high)).fold(0.0, f64::max);
    let mut table = Table::new(&["at", "#people", "#expected", "#usual", "#heard", "", "=incident"]);
    for point in points {
        let bar = chart::bar(point.observed as f64, top, BAR);
        let bar = if point.observed as f64 > point.high {
            Cell::painted(bar, Ink::red)
        } else {
            Cell::painted(bar, Ink::dim)
        };
        let observed = if point.heard > 0.0 { words::thousands(point.observed) } else { "?".to_owned() };
        table.row([
            time::stamp(point.at, style.zone).into(),
            observed.into(),
            format!("{:.1}", point.expected).into(),
            format!("{:.0}–{:.0}", point.low, point.high).into(),
            words::percent(point.heard).into(),
            bar,
            point.incident.as_deref().unwrap_or_default().into(),
        ]);
    }
    // One letter a step, or as many steps in a letter as make the line fit.
    let room = style.width.unwrap_or(100);
    let step = match (points.first(), points.last()) {
        (Some(first), Some(last)) if points.len() > room => chart::step_for(last.at - first.at, room),
        _ => 1,
    };
    let spark = chart::sparkline(&chart::resample(points, step));
    format!("{spark}\n\n{}", table.render(style))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::style;
    use crate::report::fixture;

    #[test]
    fn steps_are_whole_minutes() {
        assert_eq!(step("5m").unwrap(), 5);
        assert_eq!(step("1h").unwrap(), 60);
        for wrong in ["30s", "90s", "0m", "x"] {
            assert!(step(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn counts_stand_beside_what_is_usual() {
        let points = &fixture::finished().course[18..28];
        insta::assert_snapshot!(render(points, &style::plain("2024-03-05T22:00:00Z")), @"
        ▇███▇▇▆▅··

        at                    people  expected  usual  heard                                  incident
        2024-03-05 20:30 UTC      70       0.4    0–2   100%  ██████████████████████████▎
        2024-03-05 20:35 UTC      80       0.4    0–2   100%  ██████████████████████████████
        2024-03-05 20:40 UTC      80       0.4    0–2   100%  ██████████████████████████████
        2024-03-05 20:45 UTC      74       0.4    0–2   100%  ███████████████████████████▊
        2024-03-05 20:50 UTC      68       0.4    0–2   100%  █████████████████████████▌
        2024-03-05 20:55 UTC      62       0.4    0–2   100%  ███████████████████████▎
        2024-03-05 21:00 UTC      56       0.4    0–2   100%  █████████████████████
        2024-03-05 21:05 UTC      50       0.4    0–2   100%  ██████████████████▊
        2024-03-05 21:10 UTC       ?       0.4    0–2     0%
        2024-03-05 21:15 UTC       ?       0.4    0–2     0%
        ");
    }

    #[test]
    fn csv_has_every_column_of_the_json() {
        let points = &fixture::finished().course[19..20];
        insta::assert_snapshot!(csv(points).unwrap(), @"
        at,observed,expected,low,high,heard,incident
        2024-03-05T20:35:00Z,80,0.4,0,2,1,
        ");
    }
}
