//! What people type and read: one file for each command.

mod alert;
mod backtest;
mod check;
mod completions;
mod context;
mod explain;
mod export;
mod failure;
mod file;
mod format;
mod incidents;
mod man;
mod out;
#[cfg(feature = "parquet")]
mod parquet;
mod record;
mod replay;
mod run;
mod score;
mod select;
mod series;
mod serve;
mod services;
mod sources;
mod spikes;
mod status;
mod style;
mod table;
mod timeline;
mod watch;
mod welcome;

use crate::telemetry;
use chrono_tz::Tz;
use clap::{Parser, Subcommand};
use context::Context;
use failure::{Exit, Stop};
use format::Format;
use out::Out;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

const NAME: &str = "whatsdown";

/// Turns public posts about services that fail into dated, evidenced incidents
#[derive(Parser)]
#[command(name = NAME, version, subcommand_required = false)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Options that every command has.
#[derive(clap::Args, Clone)]
#[command(next_help_heading = "Everywhere")]
pub struct Global {
    /// The database; else WHATSDOWN_DB names it
    #[arg(long, global = true, value_name = "PATH")]
    db: Option<PathBuf>,
    /// The configuration; else WHATSDOWN_CONFIG names it
    #[arg(long, global = true, value_name = "PATH")]
    config: Option<PathBuf>,
    /// The same as --format json
    #[arg(long, global = true, conflicts_with = "format")]
    json: bool,
    /// The form of the answer, of those that the command has
    #[arg(long, global = true, value_name = "FORMAT")]
    format: Option<Format>,
    /// Show times in this zone (Europe/London); data stay in UTC
    #[arg(long, global = true, value_name = "ZONE", value_parser = zone)]
    tz: Option<Tz>,
    /// Say nothing but the data and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Say more on stderr; twice for all
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// When to colour; NO_COLOR is heeded too
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: ColourChoice,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum ColourChoice {
    /// On a terminal
    Auto,
    Always,
    Never,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Args),
    Serve(serve::Args),
    Replay(replay::Args),
    Status(status::Args),
    Spikes(spikes::Args),
    Incidents(incidents::Args),
    Timeline(timeline::Args),
    Series(series::Args),
    Explain(explain::Args),
    Score(score::Args),
    Backtest(backtest::Args),
    Sources(sources::Args),
    Record(record::Args),
    Services(services::Args),
    Check(check::Args),
    Export(export::Args),
    Alert(alert::Args),
    Completions(completions::Args),
    Man(man::Args),
}

fn zone(text: &str) -> Result<Tz, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is no time zone: use a name such as Europe/London, America/New_York or UTC"))
}

/// Where to listen.
fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is no address: use an IP and a port, such as 127.0.0.1:8370 or [::1]:8370"))
}

/// Parses the words, does what they say, and tells how it went.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    telemetry::start(cli.global.quiet, cli.global.verbose);
    let mut context = Context::new(cli.global, Out::stdout());
    let ended = execute(cli.command, &mut context).and_then(|exit| context.out.finish().map(|()| exit));
    match ended {
        Ok(exit) => exit.into(),
        Err(Stop::ClosedPipe) => Exit::Done.into(),
        Err(Stop::Failure(failure)) => {
            // What was answered before it failed is still an answer; the failure is what must be told.
            let _ = context.out.finish();
            context::tell_failure(&failure.message, failure.hint.as_deref());
            failure.exit.into()
        }
    }
}

fn execute(command: Option<Command>, context: &mut Context) -> Result<Exit, Stop> {
    match command {
        None => welcome::run(context),
        Some(Command::Run(args)) => run::run(&args, context),
        Some(Command::Serve(args)) => serve::run(&args, context),
        Some(Command::Replay(args)) => replay::run(&args, context),
        Some(Command::Status(args)) => status::run(&args, context),
        Some(Command::Spikes(args)) => spikes::run(&args, context),
        Some(Command::Incidents(args)) => incidents::run(&args, context),
        Some(Command::Timeline(args)) => timeline::run(&args, context),
        Some(Command::Series(args)) => series::run(&args, context),
        Some(Command::Explain(args)) => explain::run(&args, context),
        Some(Command::Score(args)) => score::run(&args, context),
        Some(Command::Backtest(args)) => backtest::run(&args, context),
        Some(Command::Sources(args)) => sources::run(&args, context),
        Some(Command::Record(args)) => record::run(&args, context),
        Some(Command::Services(args)) => services::run(&args, context),
        Some(Command::Check(args)) => check::run(&args, context),
        Some(Command::Export(args)) => export::run(&args, context),
        Some(Command::Alert(args)) => alert::run(&args, context),
        Some(Command::Completions(args)) => completions::run(&args, context),
        Some(Command::Man(args)) => man::run(&args, context),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_words_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }
}
