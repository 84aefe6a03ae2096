//! `whatsdown spikes`: windows in which more people reported than was to be expected.

use super::context::Context;
use super::failure::{Exit, Stop};
use super::format::Format;
use super::select::Select;
use super::style::Style;
use super::table::Table;
use super::watch;
use crate::answer::Spike;
use crate::report::{Audience, time, words};
use crate::select::DAY;

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
    let store = context.store()?;
    let now = store.now()?;
    let mut filter = args.select.filter(context, now, Some(DAY))?;
    filter.limit = args.limit;
    let spikes = store.spikes(&filter)?;
    match format {
        Format::Json => context.out.json_array(&spikes)?,
        _ if spikes.is_empty() => context.note("No spikes in this time. `--since 7d` looks further back."),
        _ => {
            let style = context.style(now);
            let text = context.telling(|audience| render(&spikes, audience, &style))?;
            context.out.text(&text)?;
        }
    }
    Ok(Exit::Done)
}

fn render(spikes: &[Spike], audience: &Audience, style: &Style) -> String {
    let mut table =
        Table::new(&["when", "for", "service", "where", "#people", "#expected", "#likelihood ratio", "=incident"]);
    for spike in spikes {
        table.row([
            style.when(spike.at).into(),
            time::duration(spike.until - spike.at).into(),
            (audience.service)(&spike.service).into(),
            spike.region.as_str().into(),
            words::thousands(spike.observed).into(),
            format!("{:.1}", spike.expected).into(),
            likelihood_ratio(spike.score).into(),
            incident(spike).into(),
        ]);
    }
    table.render(style)
}

/// The incident that it belongs to, or that explains it.
fn incident(spike: &Spike) -> String {
    match (&spike.incident, &spike.echo_of) {
        (_, Some(cause)) => format!("echo of {cause}"),
        (incident, None) => incident.clone().unwrap_or_default(),
    }
}

/// How many times likelier an outage makes the count: `850`, `10^17`. `nats` is its logarithm.
fn likelihood_ratio(nats: f64) -> String {
    let digits = nats / std::f64::consts::LN_10;
    if digits < 4.0 { format!("{:.0}", nats.exp()) } else { format!("10^{digits:.0}") }
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
        let spikes = [spike("world", 1204, 400.0), spike("US-TX", 9, 5.0)];
        let text = render(&spikes, &fixture::reader(Tz::UTC), &style::plain("2024-03-05T21:00:00Z"));
        insta::assert_snapshot!(text, @"
        when                    for    service      where  people  expected  likelihood ratio  incident
        58 min ago (20:02 UTC)  4 min  Examplegram  world   1,204       0.3            10^174
        58 min ago (20:02 UTC)  4 min  Examplegram  US-TX       9       0.3               148
        ");
    }
}
