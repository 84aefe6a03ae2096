//! `whatsdown alert`: who is told, and whether it arrives.

use super::context::Context;
use super::failure::{Exit, Stop};
use super::format::Format;
use super::style::Style;
use super::table::Table;
use crate::alert::desk::{Outcome, Task};
use crate::alert::{Body, News, Row, Said};
use crate::clock;
use crate::config::nearest_hint;
use crate::incident::{Incident, Interval, Peak, RegionalImpact, State};
use crate::reading::ServiceId;
use crate::region::Region;
use crate::source::http::Client;
use chrono::{DateTime, TimeDelta, Utc};
use clap::Subcommand;

/// Try a receiver of alerts, or see what was sent
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Send a message that says it is a test
    Test {
        /// The receiver, as the configuration names it
        name: String,
    },
    /// What was sent, and what waits
    List,
}

pub fn run(args: &Args, context: &mut Context) -> Result<Exit, Stop> {
    match &args.what {
        What::Test { name } => test(name, context),
        What::List => list(context),
    }
}

fn test(name: &str, context: &mut Context) -> Result<Exit, Stop> {
    let config = context.config()?;
    let names = config.alerts.names();
    if names.is_empty() {
        return Err(Stop::usage("the configuration names no receiver")
            .hint("add one under [alerts]; docs/alerts.md has an example of each"));
    }
    if !names.iter().any(|known| known == name) {
        return Err(Stop::usage(format!("there is no receiver `{name}`")).hint(nearest_hint(name, &names)));
    }
    let client = Client::new(&config.sources.http).map_err(Stop::usage)?;
    let sender = context.alerts(client)?;
    let task = Task { row: sample(name, clock::now()), edits: None };
    let runtime = tokio::runtime::Runtime::new().map_err(Stop::failed)?;
    match runtime.block_on(sender.deliver(&task)) {
        Outcome::Delivered { .. } => {
            context.out.text(&format!("{name} took the test message.\n"))?;
            Ok(Exit::Done)
        }
        Outcome::Refused(why) | Outcome::Failed { why, .. } => Err(Stop::failed(format!("{name} did not take it: {why}"))
            .hint("check the address and the key of this receiver; a server of your own belongs into sources.http.local_hosts")),
    }
}

/// A message about nothing, which says so.
fn sample(receiver: &str, now: DateTime<Utc>) -> Row {
    let start = Interval { low: now - TimeDelta::minutes(6), estimate: now - TimeDelta::minutes(5), high: now };
    let peak = Peak { at: start.estimate, observed: 0, expected: 0.0 };
    let incident = Incident {
        id: format!("test-{}", now.format("%Y%m%dT%H%M%SZ")),
        service: ServiceId::new("example"),
        state: State::Ongoing,
        start,
        detected_at: now,
        acknowledged_at: None,
        end: None,
        peak,
        reports: 0,
        authors: 0,
        confidence: 0.0,
        regions: vec![RegionalImpact { region: Region::WORLD, start, end: None, peak, reports: 0 }],
        symptoms: Vec::new(),
        surfaces: Vec::new(),
        phases: Vec::new(),
        related: Vec::new(),
        corrections: Vec::new(),
        retracted_at: None,
    };
    Row {
        receiver: receiver.to_owned(),
        incident: incident.id.clone(),
        number: 1,
        due: now,
        sent: None,
        tries: 0,
        error: None,
        handle: None,
        body: Body { news: News::Test, ripe: now, said: Said::default(), at: now, incident },
    }
}

fn list(context: &mut Context) -> Result<Exit, Stop> {
    let format = context.format(&[Format::Text, Format::Json])?;
    let rows = context.store()?.alerts()?;
    let now = clock::now();
    if format == Format::Json {
        let shown: Vec<_> = rows.iter().map(json).collect();
        context.out.json_array(&shown)?;
    } else if rows.is_empty() {
        context.note("No alert was ever due. Rules stand in the configuration under [alerts]; see docs/alerts.md.");
    } else {
        let style = context.style(now);
        context.out.text(&render(&rows, &style))?;
    }
    Ok(Exit::Done)
}

fn json(row: &Row) -> serde_json::Value {
    serde_json::json!({
        "receiver": row.receiver, "incident": row.incident, "news": row.body.news, "due": row.due, "sent": row.sent,
        "tries": row.tries, "error": row.error,
    })
}

fn render(rows: &[Row], style: &Style) -> String {
    let mut table = Table::new(&["due", "receiver", "news", "=incident", "state"]);
    for row in rows.iter().rev() {
        let state = match (&row.sent, &row.error) {
            (Some(at), None) => format!("sent {}", style.when(*at)),
            (Some(_), Some(why)) => format!("given up: {why}"),
            (None, Some(why)) => format!("tried {} times: {why}", row.tries),
            (None, None) => "waits".to_owned(),
        };
        table.row([
            style.when(row.due).into(),
            row.receiver.as_str().into(),
            row.body.news.as_str().into(),
            row.incident.as_str().into(),
            state.into(),
        ]);
    }
    table.render(style)
}
