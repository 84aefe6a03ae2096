//! `whatsdown services`: the catalogue.

use super::context::Context;
use super::failure::{Exit, Stop};
use super::format::Format;
use super::style::Style;
use super::table::Table;
use crate::clock;
use crate::reading::{Lexicon, Service};
use serde::Serialize;
use std::collections::BTreeMap;

/// The services that are known: ids, names, hashtags, official accounts, status pages
#[derive(clap::Args)]
pub struct Args {}

#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    name: &'a str,
    /// Those that say that it is down, without `#`.
    hashtags: Vec<String>,
    /// By network.
    accounts: BTreeMap<&'a str, Vec<&'a str>>,
    status: Option<&'a str>,
    /// How a program reads that page, where one can.
    dialect: Option<&'static str>,
}

impl<'a> Row<'a> {
    fn of(service: &'a Service, lexicons: &[Lexicon]) -> Row<'a> {
        let accounts = service.accounts.iter();
        Row {
            id: service.id.as_str(),
            name: &service.name,
            hashtags: service.followed_tags(lexicons),
            accounts: accounts
                .map(|(network, names)| (network.as_str(), names.iter().map(|word| word.text.as_str()).collect()))
                .collect(),
            status: service.status.as_deref(),
            dialect: service.readable_page().map(|(notices, _)| notices.dialect.as_str()),
        }
    }
}

pub fn run(_: &Args, context: &mut Context) -> Result<Exit, Stop> {
    let format = context.format(&[Format::Text, Format::Json])?;
    let (catalogue, lexicons) = (context.catalogue()?, context.lexicons()?);
    let rows: Vec<Row> = catalogue.services().iter().map(|service| Row::of(service, &lexicons)).collect();
    if format == Format::Json {
        context.out.json_array(&rows)?;
    } else {
        let style = context.style(clock::now());
        context.out.text(&render(&rows, &style))?;
    }
    Ok(Exit::Done)
}

fn render(rows: &[Row], style: &Style) -> String {
    let mut table = Table::new(&["=id", "name", "hashtags", "official accounts", "status page"]);
    for row in rows {
        let hashtags: Vec<String> = row.hashtags.iter().map(|tag| format!("#{tag}")).collect();
        let accounts: Vec<String> = row
            .accounts
            .iter()
            .flat_map(|(network, names)| names.iter().map(move |name| format!("{name} ({network})")))
            .collect();
        table.row([
            row.id.into(),
            row.name.into(),
            hashtags.join(" ").into(),
            accounts.join(", ").into(),
            row.status.unwrap_or_default().into(),
        ]);
    }
    table.render(style)
}
