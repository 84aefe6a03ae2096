//! `whatsdown status`: what is down now, or was at a time.

use super::context::Context;
use super::failure::{Exit, Stop};
use super::format::Format;
use super::style::{Style, countries};
use super::table::{Cell, Table};
use super::watch;
use crate::answer::{Health, SeriesPoint, ServiceStatus, Status};
use crate::reading::ServiceId;
use crate::region::Region;
use crate::report::ink::Ink;
use crate::report::{Audience, chart, time, words};
use crate::when::When;
use chrono::TimeDelta;
use std::collections::BTreeMap;

/// How far back the sparkline of a service reaches, and its step in minutes.
const SPARK: TimeDelta = TimeDelta::hours(3);
const SPARK_STEP: i64 = 10;

/// What is down now
#[derive(clap::Args)]
pub struct Args {
    /// Only this service
    service: Option<String>,
    /// What was down at this time, or so long ago (2h)
    #[arg(long, value_name = "TIME")]
    at: Option<When>,
    /// Exit with 3 when something is down
    #[arg(long)]
    exit_code: bool,
    /// Answer anew every 5 seconds, until Ctrl-C
    #[arg(long, conflicts_with_all = ["exit_code", "at"])]
    watch: bool,
}

pub fn run(args: &Args, context: &mut Context) -> Result<Exit, Stop> {
    if args.watch { watch::forever(context, |context| answer(args, context)) } else { answer(args, context) }
}

fn answer(args: &Args, context: &mut Context) -> Result<Exit, Stop> {
    let format = context.format(&[Format::Text, Format::Json])?;
    let catalogue = context.catalogue()?;
    let services: Vec<ServiceId> = match &args.service {
        Some(service) => vec![context.service(service)?],
        None => catalogue.services().iter().map(|service| service.id.clone()).collect(),
    };
    let store = context.store()?;
    let now = store.now()?;
    let at = args.at.map(|at| at.resolve(now));
    let status = store.status(&services, at)?;
    if format == Format::Json {
        context.out.json(&status)?;
    } else {
        let mut sparks = BTreeMap::new();
        for service in status.services.iter().filter(|service| troubled(service.state)) {
            let since = status.at - SPARK;
            let points = store.series(&service.service, Region::WORLD, since, status.at, SPARK_STEP)?;
            sparks.insert(service.service.clone(), points);
        }
        let style = context.style(status.at);
        let text = context.telling(|audience| render(&status, &sparks, args.service.is_some(), audience, &style))?;
        context.out.text(&text)?;
    }
    let down = status.services.iter().any(|service| service.state == Health::Down);
    Ok(if down && args.exit_code { Exit::Down } else { Exit::Done })
}

fn troubled(state: Health) -> bool {
    matches!(state, Health::Down | Health::Recovering)
}

/// Where `all`, every service gets a row; else only those that are in trouble, and the others are summed up.
fn render(
    status: &Status,
    sparks: &BTreeMap<ServiceId, Vec<SeriesPoint>>,
    all: bool,
    audience: &Audience,
    style: &Style,
) -> String {
    let count = |state| status.services.iter().filter(|service| service.state == state).count();
    let (down, recovering) = (count(Health::Down), count(Health::Recovering));
    let mut out = format!("As of {}: {}.\n", time::moment(status.at, style.zone), summary(down, recovering));
    let shown: Vec<&ServiceStatus> = [Health::Down, Health::Recovering, Health::Unknown, Health::Up]
        .iter()
        .flat_map(|state| status.services.iter().filter(move |service| service.state == *state))
        .filter(|service| all || troubled(service.state))
        .collect();
    if !shown.is_empty() {
        let mut table = Table::new(&["service", "state", "since", "where", "last 3 h", "=incident"]);
        for service in shown {
            table.row(row(service, sparks, audience, style));
        }
        out.push('\n');
        out.push_str(&table.render(style));
    }
    if !all {
        out.push('\n');
        let (up, unknown) = (count(Health::Up), count(Health::Unknown));
        if up > 0 {
            out.push_str(&style.ink.green(&format!("{}: no sign of trouble.", words::count(up as u64, "service"))));
            out.push('\n');
        }
        if unknown > 0 {
            let said = format!("{}: not known, ", words::count(unknown as u64, "service"));
            out.push_str(
                &style.ink.dim(&format!("{said}the sources were silent or failing (see `whatsdown sources`).")),
            );
            out.push('\n');
        }
    }
    out
}

fn summary(down: usize, recovering: usize) -> String {
    let services = |count: usize| words::count(count as u64, "service");
    match (down, recovering) {
        (0, 0) => "nothing is known to be down".to_owned(),
        (down, 0) => format!("{} down", services(down)),
        (0, recovering) => format!("{} recovering", services(recovering)),
        (down, recovering) => format!("{} down, {recovering} recovering", services(down)),
    }
}

fn row(
    service: &ServiceStatus,
    sparks: &BTreeMap<ServiceId, Vec<SeriesPoint>>,
    audience: &Audience,
    style: &Style,
) -> [Cell; 6] {
    let places = if service.regions.is_empty() { String::new() } else { countries(service.regions.iter().copied()) };
    let spark = sparks.get(&service.service).map(|points| chart::sparkline(&chart::resample(points, SPARK_STEP)));
    [
        (audience.service)(&service.service).into(),
        health(service.state),
        service.since.map_or_else(String::new, |since| style.when(since)).into(),
        places.into(),
        spark.unwrap_or_default().into(),
        service.incident.as_deref().unwrap_or_default().into(),
    ]
}

fn health(state: Health) -> Cell {
    let paint = match state {
        Health::Up => Ink::green,
        Health::Down => Ink::red,
        Health::Recovering => Ink::yellow,
        Health::Unknown => Ink::dim,
    };
    Cell::painted(state.as_str(), paint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::style;
    use crate::report::fixture;
    use chrono_tz::Tz;

    fn service(id: &str, state: Health) -> ServiceStatus {
        let in_trouble = troubled(state);
        ServiceStatus {
            service: ServiceId::new(id),
            state,
            since: in_trouble.then(|| fixture::at("20:02")),
            regions: if in_trouble { vec![Region::WORLD, "US".parse().unwrap()] } else { Vec::new() },
            incident: in_trouble.then(|| format!("{id}-20240305T2002Z")),
        }
    }

    fn status() -> Status {
        let states = [("a", Health::Up), ("b", Health::Recovering), ("c", Health::Down), ("d", Health::Unknown)];
        let services = states.map(|(id, state)| service(id, state)).to_vec();
        Status { at: fixture::at("21:00"), services }
    }

    fn told(all: bool) -> String {
        let audience = Audience { service: &|id| id.as_str().to_uppercase(), ..fixture::reader(Tz::UTC) };
        let sparks = BTreeMap::from([(ServiceId::new("c"), fixture::finished().course)]);
        render(&status(), &sparks, all, &audience, &style::plain("2024-03-05T21:00:00Z"))
    }

    #[test]
    fn what_is_down_stands_first_and_the_rest_is_summed_up() {
        insta::assert_snapshot!(told(false), @"
        As of 5 March 2024, 21:00 UTC: 1 service down, 1 recovering.

        service  state       since                   where  last 3 h                incident
        C        down        58 min ago (20:02 UTC)  US     ▁ ▁ ▁ ▂▄▆██▇▆·▄▂▁▁▁▁▁▁  c-20240305T2002Z
        B        recovering  58 min ago (20:02 UTC)  US                             b-20240305T2002Z

        1 service: no sign of trouble.
        1 service: not known, the sources were silent or failing (see `whatsdown sources`).
        ");
    }

    #[test]
    fn a_service_that_is_asked_for_is_always_shown() {
        let text = told(true);
        assert!(text.contains("\nD        unknown") && text.contains("\nA        up"), "{text}");
    }
}
