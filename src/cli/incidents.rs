//! `whatsdown incidents`: what was down, newest first.

use super::context::Context;
use super::failure::{Exit, Stop};
use super::format::Format;
use super::select::Select;
use super::style::{Style, countries};
use super::table::{Cell, Table};
use crate::incident::{Incident, State};
use crate::report::ink::Ink;
use crate::report::{Audience, time, words};

/// Incidents, newest first
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    select: Select,
    /// Only those that last still
    #[arg(long)]
    open: bool,
    /// At most so many, the newest
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
    /// Exit with 3 when one of them is ongoing
    #[arg(long)]
    exit_code: bool,
}

pub fn run(args: &Args, context: &mut Context) -> Result<Exit, Stop> {
    let format = context.format(&[Format::Text, Format::Json])?;
    let store = args.select.store(context)?;
    let now = store.now()?;
    let mut filter = args.select.filter(context, now, None)?;
    (filter.open, filter.limit) = (args.open, args.limit);
    let incidents = store.incidents(&filter)?;
    match format {
        Format::Json => context.out.json_array(&incidents)?,
        _ if incidents.is_empty() => context.note("No incidents."),
        _ => {
            let style = context.style(now);
            let text = context.telling(|audience| render(&incidents, audience, &style))?;
            context.out.text(&text)?;
        }
    }
    let down = incidents.iter().any(|incident| incident.state == State::Ongoing);
    Ok(if down && args.exit_code { Exit::Down } else { Exit::Done })
}

pub(super) fn render(incidents: &[Incident], audience: &Audience, style: &Style) -> String {
    let mut table =
        Table::new(&["service", "state", "began", "lasted", "where", "#reports", "#people", "#sure", "=incident"]);
    for incident in incidents {
        let until = incident.end.map_or(style.now, |end| end.estimate);
        table.row([
            (audience.service)(&incident.service).into(),
            state(incident),
            style.when(incident.start.estimate).into(),
            time::duration(until - incident.start.estimate).into(),
            places(incident).into(),
            words::thousands(incident.reports).into(),
            words::thousands(incident.authors).into(),
            words::probability(incident.confidence).into(),
            incident.id.as_str().into(),
        ]);
    }
    table.render(style)
}

fn state(incident: &Incident) -> Cell {
    match incident.state {
        _ if incident.retracted_at.is_some() => Cell::painted("retracted", Ink::dim),
        State::Ongoing => Cell::painted("ongoing", Ink::red),
        State::Recovering => Cell::painted("recovering", Ink::yellow),
        State::Resolved => Cell::painted("resolved", Ink::green),
    }
}

/// The countries with most reports first.
fn places(incident: &Incident) -> String {
    let mut impacts: Vec<_> = incident.regions.iter().collect();
    impacts.sort_by_key(|impact| (std::cmp::Reverse(impact.reports), impact.region));
    countries(impacts.iter().map(|impact| impact.region))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::style;
    use crate::report::fixture;
    use chrono_tz::Tz;

    #[test]
    fn an_incident_is_a_line() {
        let mut retracted = fixture::finished().incident;
        retracted.retracted_at = Some(fixture::at("22:00"));
        retracted.regions.truncate(1);
        let incidents = [fixture::in_progress().incident, fixture::finished().incident, retracted];
        let mut style = style::plain("2024-03-06T21:00:00Z");
        style.width = None;
        insta::assert_snapshot!(render(&incidents, &fixture::reader(Tz::UTC), &style), @"
        service      state      began                 lasted      where     reports  people        sure  incident
        Examplegram  ongoing    2024-03-05 20:02 UTC  1 d         US GB         812     797         95%  examplegram-20240305T2002Z
        Examplegram  resolved   2024-03-05 20:02 UTC  1 h 42 min  US GB JP      812     797  over 99.9%  examplegram-20240305T2002Z
        Examplegram  retracted  2024-03-05 20:02 UTC  1 h 42 min  world         812     797  over 99.9%  examplegram-20240305T2002Z
        ");
    }
}
