//! `whatsdown timeline`: one incident, told.

use super::context::Context;
use super::failure::{Exit, Stop};
use super::file;
use super::format::Format;
use crate::answer::IncidentFile;
use crate::report::{Audience, Timeline};
use crate::store::{self, Filter};
use chrono_tz::Tz;
use std::path::PathBuf;

/// One incident's timeline; the newest where no ID is given
#[derive(clap::Args)]
pub struct Args {
    /// The incident, as `whatsdown incidents` names it
    id: Option<String>,
    /// The newest incident of this service
    #[arg(long, conflicts_with = "id")]
    service: Option<String>,
    /// Write to this file instead of standard output; it is replaced as a whole
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub fn run(args: &Args, context: &mut Context) -> Result<Exit, Stop> {
    let format = context.format(&[Format::Text, Format::Md, Format::Html, Format::Json, Format::Svg])?;
    let service = args.service.as_ref().map(|service| context.service(service)).transpose()?;
    let store = context.store()?;
    let id = match &args.id {
        Some(id) => id.clone(),
        None => newest(&store, service)?,
    };
    let Some(incident) = store.incident_file(&id)? else {
        return Err(Stop::failed(format!("there is no incident `{id}`")).hint("`whatsdown incidents` lists them"));
    };
    let style = context.style(incident.now);
    let ink = if args.output.is_some() { crate::report::ink::Ink::default() } else { style.ink };
    let told = context.telling(|audience| {
        let timeline = timeline(&incident, audience, format);
        match format {
            Format::Md => Ok(timeline.markdown()),
            Format::Html => Ok(timeline.html()),
            Format::Svg => Ok(timeline.svg()),
            Format::Json => timeline.json().map(|json| json + "\n"),
            _ => Ok(timeline.text(style.width.unwrap_or(100), ink)),
        }
    })?;
    let told = told.map_err(Stop::failed)?;
    match &args.output {
        Some(path) => file::replace(path, &told).map_err(|error| {
            Stop::failed(format!("cannot write {}: {error}", path.display()))
                .hint("check that the folder exists and that you may write there")
        })?,
        None => context.out.text(&told)?,
    }
    Ok(Exit::Done)
}

/// Programs read UTC, whatever the reader's zone.
fn timeline(file: &IncidentFile, audience: &Audience, format: Format) -> Timeline {
    let zone = if format == Format::Json { Tz::UTC } else { audience.zone };
    Timeline::new(file, &Audience { zone, ..*audience })
}

fn newest(store: &store::Reader, service: Option<crate::reading::ServiceId>) -> Result<String, Stop> {
    let filter = Filter { service, limit: Some(1), ..Filter::default() };
    let newest = store.incidents(&filter)?.into_iter().next();
    newest.map(|incident| incident.id).ok_or_else(|| {
        Stop::failed("there is no incident yet")
            .hint("`whatsdown status` says what is watched, `whatsdown sources` how it is heard")
    })
}
