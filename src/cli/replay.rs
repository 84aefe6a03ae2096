//! `whatsdown replay`: recorded posts through the same pipeline, on the posts' own clock.

use super::context::{Context, say};
use super::failure::{Exit, Stop};
use super::format::Format;
use super::incidents;
use crate::clock;
use crate::pipeline::Pipeline;
use crate::pipeline::input::{Merged, Reject};
use crate::pipeline::replay::{BATCH, Summary, replay};
use crate::report::{escape, words};
use crate::store::{Filter, Stamp};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

/// Bad lines that are shown; the others are only counted.
const SHOWN: u64 = 5;

/// Recorded posts through the pipeline, on the posts' own clock; ends by printing the incidents
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    recordings: Recordings,
}

#[derive(clap::Args)]
pub struct Recordings {
    /// Files of one post object a line, plain, gzip or zstd; `-` is standard input
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Keep every bad line in this file
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Exit with 1 when any line was bad
    #[arg(long)]
    strict: bool,
}

pub fn run(args: &Args, context: &mut Context) -> Result<Exit, Stop> {
    let format = context.format(&[Format::Text, Format::Json])?;
    let summary = feed(&args.recordings, &context.database()?, context)?;
    tell(&summary, &args.recordings, context);
    let store = context.store()?;
    let now = store.now()?;
    let incidents = store.incidents(&Filter::default())?;
    match format {
        Format::Json => context.out.json_array(&incidents)?,
        _ if incidents.is_empty() => context.note("No incidents."),
        _ => {
            let style = context.style(now);
            let text = context.telling(|audience| incidents::render(&incidents, audience, &style))?;
            context.out.text(&text)?;
        }
    }
    Ok(args.recordings.exit(&summary))
}

impl Recordings {
    pub fn exit(&self, summary: &Summary) -> Exit {
        if self.strict && summary.bad_lines > 0 { Exit::Failed } else { Exit::Done }
    }
}

/// Replays the recordings into the database.
pub fn feed(args: &Recordings, database: &Path, context: &Context) -> Result<Summary, Stop> {
    let reader = context.reader()?;
    let (settings, retention) = context.settings()?;
    // A recording may hold what was written until now.
    let mut input = Merged::open(&args.paths, clock::now()).map_err(|error| {
        Stop::failed(format!("cannot read {error}"))
            .hint("give files of one post object a line, or `-` for standard input")
    })?;
    let mut rejects =
        args.rejects.as_ref().map(|path| File::create(path).map(BufWriter::new)).transpose().map_err(|error| {
            Stop::failed(format!("cannot write the rejected lines: {error}")).hint("choose another file with --rejects")
        })?;
    let (mut pipeline, _) = Pipeline::open(database, Stamp::Replayed, reader, settings, retention)?;
    let bar = progress(args, context);
    let mut seen = 0;
    let mut reject = |line: &Reject| -> io::Result<()> {
        seen += 1;
        if seen <= SHOWN {
            let why = escape::plain(&line.why.to_string());
            bar.suspend(|| context.note(&format!("{}:{}: {why}", line.path.display(), line.line)));
        }
        match &mut rejects {
            Some(file) => file.write_all(&line.bytes).and_then(|()| file.write_all(b"\n")),
            None => Ok(()),
        }
    };
    let summary = replay(&mut pipeline, &mut input, BATCH, &mut reject, &mut |bytes| bar.set_position(bytes))?;
    bar.finish_and_clear();
    if let Some(file) = &mut rejects {
        file.flush().map_err(|error| Stop::failed(format!("cannot write the rejected lines: {error}")))?;
    }
    Ok(summary)
}

/// A bar over the bytes of the files, on a terminal only.
fn progress(args: &Recordings, context: &Context) -> ProgressBar {
    let length: u64 = args.paths.iter().filter_map(|path| path.metadata().ok()).map(|file| file.len()).sum();
    let bar = if io::stderr().is_terminal() && !context.global.quiet {
        ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr())
    } else {
        ProgressBar::hidden()
    };
    match ProgressStyle::with_template("{bar:30} {percent:>3}%  {bytes}/{total_bytes}  {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// What became of the posts, beside the data.
pub fn tell(summary: &Summary, args: &Recordings, context: &Context) {
    context.note(&said(summary));
    if summary.bad_lines > SHOWN && args.rejects.is_none() {
        context.note(&format!("Only the first {SHOWN} bad lines are shown; `--rejects FILE` keeps all of them."));
    }
    if args.strict && summary.bad_lines > 0 {
        say("error: there were bad lines, and `--strict` asks for none");
    }
}

fn said(summary: &Summary) -> String {
    let mut said = vec![format!("{} read", words::count(summary.posts, "post"))];
    for (number, what) in [
        (summary.counted, "about an outage"),
        (summary.seen_before, "seen before"),
        (summary.too_late, "too old to be counted"),
    ] {
        if number > 0 {
            said.push(format!("{} {what}", words::thousands(number)));
        }
    }
    if summary.bad_lines > 0 {
        said.push(words::count(summary.bad_lines, "bad line"));
    }
    said.join(", ") + "."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_leaves_out_what_did_not_happen() {
        let summary = Summary { posts: 12_345, counted: 800, bad_lines: 1, ..Summary::default() };
        assert_eq!(said(&summary), "12,345 posts read, 800 about an outage, 1 bad line.");
    }
}
