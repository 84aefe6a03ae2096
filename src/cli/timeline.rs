//! `whatsdown timeline`: one incident, told.

use super::context::Context;
use super::failure::{Exit, Stop};
use super::format::Format;
use crate::answer::IncidentFile;
use crate::report::{Audience, Timeline};
use crate::store::{self, Filter};
use chrono_tz::Tz;
use std::io::Write as _;
use std::path::{Path, PathBuf};

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
    let Some(file) = store.incident_file(&id)? else {
        return Err(Stop::failed(format!("there is no incident `{id}`")).hint("`whatsdown incidents` lists them"));
    };
    let style = context.style(file.now);
    let ink = if args.output.is_some() { crate::report::ink::Ink::default() } else { style.ink };
    let told = context.telling(|audience| {
        let timeline = timeline(&file, audience, format);
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
        Some(path) => replace(path, &told)?,
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

/// Writes a file beside the old one and puts it in its place, so that nobody reads half of it.
fn replace(path: &Path, text: &str) -> Result<(), Stop> {
    let failed = |error: std::io::Error| {
        Stop::failed(format!("cannot write {}: {error}", path.display()))
            .hint("check that the folder exists and that you may write there")
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().ok_or_else(|| failed(std::io::ErrorKind::InvalidInput.into()))?;
    let beside = folder.join(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    let write = || {
        let mut file = std::fs::File::create(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    };
    write().map_err(|error| {
        // What is half written is of no use to anyone; if it cannot go either, the first error says why.
        let _ = std::fs::remove_file(&beside);
        failed(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_or_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("timeline.md");
        replace(&path, "old").unwrap();
        replace(&path, "new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        assert!(replace(&folder.path().join("none/timeline.md"), "x").is_err());
    }
}
