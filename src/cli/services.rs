//! `whatsdown services`: the catalogue.

use super::context::Context;
use super::failure::{Exit, Stop};
use super::format::Format;
use super::style::Style;
use super::table::Table;
use crate::answer::ServiceAnswer;
use crate::clock;

/// The services that are known: ids, names, hashtags, official accounts, status pages
#[derive(clap::Args)]
pub struct Args {}

pub fn run(_: &Args, context: &mut Context) -> Result<Exit, Stop> {
    let format = context.format(&[Format::Text, Format::Json])?;
    let (catalogue, lexicons) = (context.catalogue()?, context.lexicons()?);
    let rows: Vec<_> = catalogue.services().iter().map(|service| ServiceAnswer::of(service, &lexicons)).collect();
    if format == Format::Json {
        context.out.json_array(&rows)?;
    } else {
        let style = context.style(clock::now());
        context.out.text(&render(&rows, &style))?;
    }
    Ok(Exit::Done)
}

fn render(rows: &[ServiceAnswer], style: &Style) -> String {
    let mut table = Table::new(&["=id", "name", "hashtags", "official accounts", "status page"]);
    for row in rows {
        let hashtags: Vec<String> = row.hashtags.iter().map(|tag| format!("#{tag}")).collect();
        let accounts: Vec<String> = row
            .accounts
            .iter()
            .flat_map(|(network, names)| names.iter().map(move |name| format!("{name} ({network})")))
            .collect();
        table.row([
            row.id.to_string().into(),
            row.name.clone().into(),
            hashtags.join(" ").into(),
            accounts.join(", ").into(),
            row.status.clone().unwrap_or_default().into(),
        ]);
    }
    table.render(style)
}
