//! `whatsdown spikes`: windows in which more people reported than was to be expected.

use super::context::Context;
use super::failure::{Exit, Stop};
use super::format::Format;
use super::select::Select;
use super::style::Style;
use super::table::Table;
use super::watch;
use crate::answer::{SeriesPoint, Spike};
use crate::region::Region;
use crate::report::{Audience, chart, time, words};
use crate::select::DAY;
use crate::store::{Reader, StoreError};
use std::collections::BTreeSet;

/// Letters of a sparkline. Its first quarter is the time before.
const SPARK: usize = 16;
/// Digits of a likelihood ratio beyond which nobody compares.
const DIGITS_TOLD: f64 = 12.0;

/// Recent spikes: when, which service, where, how many, and how unlikely
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    select: Select,
    /// At most so many, the newest
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
    /// Answer anew every 5 seconds, until Ctrl-C
    #[arg(long)]
    watch: bool,
}

pub fn run(args: &Args, context: &mut Context) -> Result<Exit, Stop> {
    if args.watch { watch::forever(context, |context| answer(args, context)) } else { answer(args, context) }
}

fn answer(args: &Args, context: &mut Context) -> Result<Exit, Stop> {
    let format = context.format(&[Format::Text, Format::Json])?;
    let store = args.select.store(context)?;
    let now = store.now()?;
    let mut filter = args.select.filter(context, now, Some(DAY))?;
    filter.limit = args.limit;
    let spikes = store.spikes(&filter)?;
    match format {
        Format::Json => context.out.json_array(&spikes)?,
        _ if spikes.is_empty() => context.note("No spikes in this time. `--since 7d` looks further back."),
        _ => {
            let style = context.style(now);
            let rows = fold(&spikes);
            let courses = rows.iter().map(|row| course(&store, row.spike)).collect::<Result<Vec<_>, _>>()?;
            let text = context.telling(|audience| render(&rows, &courses, audience, &style))?;
            context.out.text(&text)?;
        }
    }
    Ok(Exit::Done)
}

/// A spike as a line of the table: parts of a country that rose with it are only counted.
struct Row<'a> {
    spike: &'a Spike,
    parts: BTreeSet<Region>,
}

fn fold(spikes: &[Spike]) -> Vec<Row<'_>> {
    let country_of = |spike: &Spike| spike.region.parent().filter(|parent| parent.is_country());
    let rose_with = |spike: &Spike, row: &Spike| {
        row.service == spike.service
            && country_of(spike) == Some(row.region)
            && row.at < spike.until
            && spike.at < row.until
    };
    let mut rows: Vec<Row<'_>> = spikes.iter().map(|spike| Row { spike, parts: BTreeSet::new() }).collect();
    for part in spikes {
        if let Some(row) = rows.iter_mut().find(|row| rose_with(part, row.spike)) {
            row.parts.insert(part.region);
        }
    }
    rows.retain(|row| !spikes.iter().any(|country| rose_with(row.spike, country)));
    rows
}

/// The counts of a spike and of the time before it.
fn course(store: &Reader, spike: &Spike) -> Result<Vec<SeriesPoint>, StoreError> {
    let from = spike.at - (spike.until - spike.at) / 3;
    let step = chart::step_for(spike.until - from, SPARK);
    let points = store.series(&spike.service, spike.region, from, spike.until, step)?;
    Ok(chart::resample(&points, step))
}

fn render(rows: &[Row<'_>], courses: &[Vec<SeriesPoint>], audience: &Audience, style: &Style) -> String {
    let columns =
        ["when", "for", "service", "where", "#people", "#expected", "=course", "#likelihood ratio", "=incident"];
    let mut table = Table::new(&columns);
    for (Row { spike, parts }, course) in rows.iter().zip(courses) {
        table.row([
            style.when(spike.at).into(),
            time::duration(spike.until - spike.at).into(),
            (audience.service)(&spike.service).into(),
            place(spike.region, parts.len()).into(),
            words::thousands(spike.observed).into(),
            format!("{:.1}", spike.expected).into(),
            chart::sparkline(course).into(),
            likelihood_ratio(spike.score).into(),
            incident(spike).into(),
        ]);
    }
    table.render(style)
}

/// `US`, `US +27` with the parts that rose with it.
fn place(region: Region, parts: usize) -> String {
    if parts == 0 { region.to_string() } else { format!("{region} +{parts}") }
}

/// The incident that it belongs to, or that explains it.
fn incident(spike: &Spike) -> String {
    match (&spike.incident, &spike.echo_of) {
        (_, Some(cause)) => format!("echo of {cause}"),
        (incident, None) => incident.clone().unwrap_or_default(),
    }
}

/// How many times likelier an outage makes the count: `850`, `10^7`. `nats` is its logarithm.
fn likelihood_ratio(nats: f64) -> String {
    let digits = nats / std::f64::consts::LN_10;
    match digits {
        ..4.0 => format!("{:.0}", nats.exp()),
        4.0..=DIGITS_TOLD => format!("10^{digits:.0}"),
        _ => format!("over 10^{DIGITS_TOLD:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::style;
    use crate::reading::ServiceId;
    use crate::report::fixture;
    use chrono_tz::Tz;

    #[test]
    fn a_spike_says_when_where_how_many_and_how_unlikely() {
        let spike = |region: &str, observed, score| Spike {
            at: fixture::at("20:02"),
            until: fixture::at("20:06"),
            service: ServiceId::new("examplegram"),
            region: region.parse().unwrap(),
            observed,
            expected: 0.34,
            score,
            incident: None,
            echo_of: None,
        };
        let spikes =
            [spike("world", 1204, 400.0), spike("US-TX", 9, 5.0), spike("US", 90, 20.0), spike("GB-SCT", 9, 5.0)];
        let rows = fold(&spikes);
        let course: Vec<_> = [1, 0, 3, 8].map(|count| chart::tests::point("2024-03-05T20:00:00Z", count)).to_vec();
        let courses = vec![course; rows.len()];
        let text = render(&rows, &courses, &fixture::reader(Tz::UTC), &style::plain("2024-03-05T21:00:00Z"));
        insta::assert_snapshot!(text, @"
        when                for    service      where   people  expected  course  likelihood ratio  incident
        58 min ago (20:02…  4 min  Examplegram  world    1,204       0.3  ▁ ▃█          over 10^12
        58 min ago (20:02…  4 min  Examplegram  US +1       90       0.3  ▁ ▃█                10^9
        58 min ago (20:02…  4 min  Examplegram  GB-SCT       9       0.3  ▁ ▃█                 148
        ");
    }
}
