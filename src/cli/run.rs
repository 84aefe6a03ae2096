//! `whatsdown run`: the background job.

use super::context::{Context, wrong_sources};
use super::failure::{Exit, Stop};
use super::file;
use crate::clock;
use crate::daemon::{self, Told};
use crate::http;
use crate::pipeline::Pipeline;
use crate::post::KEY_RETENTION;
use crate::reading::Catalogue;
use crate::report::ink::Ink;
use crate::report::{Audience, Timeline};
use crate::source::http::Client;
use crate::source::profiles::Profiles;
use crate::source::{Cursor, Source};
use crate::store::{self, Stamp};
use chrono_tz::Tz;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tokio::net::TcpListener;
use tracing::warn;

/// Columns of a timeline in plain text.
const WIDTH: usize = 100;

/// The background job: listen, count, detect, keep the timelines written
#[derive(clap::Args)]
pub struct Args {
    /// Serve page and API here too; whoever reaches this address can read everything
    #[arg(long, value_name = "ADDRESS", value_parser = super::address)]
    listen: Option<SocketAddr>,
}

pub fn run(args: &Args, context: &mut Context) -> Result<Exit, Stop> {
    let config = context.config()?;
    let reader = context.reader()?;
    let (settings, retention) = context.settings()?;
    let database = context.database()?;
    let (mut pipeline, cursors) = Pipeline::open(&database, Stamp::Live, reader, settings, retention)?;
    let cursors = cursors.into_iter().map(|(name, cursor)| (name, Cursor(cursor))).collect();
    let sources = context.sources(&cursors)?;
    let client = Client::new(&config.sources.http).map_err(wrong_sources)?;
    let profiles = Profiles::new(&config.sources.bluesky.profiles, pipeline.authors()).map_err(wrong_sources)?;
    let mut alerts = context.alerts(client.clone())?;
    pipeline.tell(config.alerts.rules.clone())?;
    let folder = timelines(&config.timelines.folder, &database);
    std::fs::create_dir_all(&folder).map_err(|error| {
        Stop::failed(format!("cannot make the folder {}: {error}", folder.display()))
            .hint("name another in the configuration, under [timelines]")
    })?;
    let greeting = greeting(&sources, &database, &folder);
    let mut timelines = Timelines { context, database: &database, folder: &folder };
    timelines.incidents(&recent(&database)?);
    let runtime = tokio::runtime::Runtime::new().map_err(Stop::failed)?;
    runtime.block_on(async {
        let shutdown = shutdown().map_err(Stop::failed)?;
        context.note(&greeting);
        if let Some(address) = args.listen {
            listen(address, context).await?;
        }
        Ok::<(), Stop>(
            daemon::run(&mut pipeline, sources, profiles, client, &mut alerts, &mut timelines, shutdown).await?,
        )
    })?;
    Ok(Exit::Done)
}

/// Serves the API until the runtime ends.
pub(super) async fn listen(address: SocketAddr, context: &Context) -> Result<(), Stop> {
    let catalogue = Catalogue::clone(&*context.catalogue()?);
    let app = http::App::new(context.database()?, catalogue, &context.lexicons()?, context.config()?.http.clone());
    let listener = TcpListener::bind(address).await.map_err(|error| {
        Stop::failed(format!("cannot listen on {address}: {error}")).hint("name another with --listen")
    })?;
    context.note(&format!("Serving http://{}", listener.local_addr().map_err(Stop::failed)?));
    tokio::spawn(async move {
        if let Err(error) = http::serve(listener, app).await {
            warn!("nothing is served any more: {error}");
        }
    });
    Ok(())
}

/// The incidents whose timelines a job that was killed may have left unwritten.
fn recent(database: &Path) -> Result<BTreeSet<String>, Stop> {
    let since = Some(clock::now() - KEY_RETENTION);
    let found = store::Reader::open(database)?.incidents(&store::Filter { since, ..store::Filter::default() })?;
    Ok(found.into_iter().map(|incident| incident.id).collect())
}

fn timelines(configured: &Path, database: &Path) -> PathBuf {
    if configured.as_os_str().is_empty() { database.with_file_name("timelines") } else { configured.to_owned() }
}

fn greeting(sources: &[Box<dyn Source>], database: &Path, folder: &Path) -> String {
    let (pages, others): (Vec<&str>, Vec<&str>) =
        sources.iter().map(|source| source.name()).partition(|name| name.starts_with("status:"));
    let pages = match pages.len() {
        0 => String::new(),
        1 => " and 1 status page".to_owned(),
        count => format!(" and {count} status pages"),
    };
    format!(
        "Listening to {}{pages}.\nDatabase: {}\nTimelines: {}\nAsk with `whatsdown status` from another terminal; Ctrl-C ends.",
        others.join(", "),
        database.display(),
        folder.display()
    )
}

/// Ready when the job is asked to end. The signals are caught from the call on.
#[cfg(unix)]
pub(super) fn shutdown() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupted, mut terminated) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
    })
}

/// Ready when the job is asked to end. The signal is caught from the call on.
#[cfg(windows)]
pub(super) fn shutdown() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupted = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupted.recv().await;
    })
}

/// Keeps each incident's timeline written, in every form.
struct Timelines<'a> {
    context: &'a Context,
    database: &'a Path,
    folder: &'a Path,
}

impl Told for Timelines<'_> {
    fn incidents(&mut self, ids: &BTreeSet<String>) {
        for id in ids {
            // The job goes on without a timeline; the incident is in the database.
            if let Err(Stop::Failure(failure)) = self.write(id) {
                warn!("the timeline of {id} was not written: {}", failure.message);
            }
        }
    }
}

impl Timelines<'_> {
    fn write(&self, id: &str) -> Result<(), Stop> {
        let Some(file) = store::Reader::open(self.database)?.incident_file(id)? else { return Ok(()) };
        let timeline =
            self.context.telling(|audience| Timeline::new(&file, &Audience { zone: Tz::UTC, ..*audience }))?;
        let json = timeline.json().map_err(Stop::failed)?;
        let forms = BTreeMap::from([
            ("html", timeline.html()),
            ("json", json),
            ("md", timeline.markdown()),
            ("txt", timeline.text(WIDTH, Ink::default())),
        ]);
        for (form, text) in forms {
            file::replace(&self.folder.join(format!("{id}.{form}")), &text).map_err(Stop::failed)?;
        }
        Ok(())
    }
}
